"""Probe a run: ask its model about changed pictures, and compare the answers with those of the run."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fairfer.audits.join import join
from fairfer.audits.probe_identity import plan_digest
from fairfer.audits.stored_run import StoredRun
from fairfer.explanations.probes.answers import ask, check_answers_current, folder_of, unchanged
from fairfer.explanations.probes.comparison import ChangedAnswers, Faces, compare_answers
from fairfer.explanations.probes.perturbations import parse_probes
from fairfer.explanations.probes.results import PROBES, Probes
from fairfer.files import write_text

if TYPE_CHECKING:
    from fairfer.datasets.dataset import Dataset
    from fairfer.metrics.counts import Integers
    from fairfer.models.model import Model


def probe(
    run: str | os.PathLike[str],
    dataset: Dataset,
    model: Model,
    probes: Iterable[str] | str = (),
    *,
    out: str | os.PathLike[str] | None = None,
    progress: Callable[[Iterable[int], str], Iterable[int]] | None = None,
    on_answers: Callable[[str, int, int, int], object] | None = None,
) -> Probes:
    """Ask the model of a run about changed pictures, and compare its answers with those of the run, face by face.

    Parameters
    ----------
    run
        Folder that `fairfer audit` wrote, or `fairfer.audit` with ``run``.
    dataset, model
        Those of the run.
    probes
        Changes with their levels, such as ``["blur", "brightness=-40,40"]``; all changes with their default levels by default.
    out
        Folder for the answers (``probes/NAME/LEVEL``) and the result (``probes.json``); `run` by default. Answers that it
        already holds are not computed again.
    progress
        Wraps the iterable of parts of each change; its second argument is the name of the change.
    on_answers
        Called after each change with its name, the number of answers that the folder already held, the number of unchanged
        pictures, and the number of samples.

    Returns
    -------
    Probes
        Flip rates, their differences between groups, and changes of rates.

    Raises
    ------
    UsageError
        When a change or a level does not exist.
    RunError
        When `run` is not an audited run, or was made with another model or other images.
    ModelError
        When the model breaks its contract.
    """
    chosen = parse_probes([probes] if isinstance(probes, str) else probes)
    folder = Path(run)
    target = folder if out is None else Path(out)
    stored = StoredRun.read(folder)
    check_answers_current(folder, dataset, model, stored.predictions)
    changed = []
    for one in chosen:
        reused = 0

        def count_reused(number: int, _: int) -> None:
            nonlocal reused
            reused = number

        answers = ask(
            one,
            dataset,
            model,
            stored.predictions,
            folder_of(target, one),
            progress=iter if progress is None else functools.partial(_named, progress, one.name),
            on_reuse=count_reused,
        )
        same = unchanged(answers)
        if on_answers is not None:
            on_answers(one.name, reused, same, len(dataset))
        # As answers for the samples of the run: only the pictures differ.
        of_run = replace(answers, images_digest=stored.predictions.images_digest)
        changed.append(ChangedAnswers(one, join(stored.samples.design, of_run).table, same))
    result = _compare(stored, changed)
    write_text(target / PROBES, result.to_json())
    return result


def _named(progress: Callable[[Iterable[int], str], Iterable[int]], name: str, parts: Iterable[int]) -> Iterable[int]:
    return progress(parts, name)


def _compare(stored: StoredRun, changed: Sequence[ChangedAnswers]) -> Probes:
    samples, audit = stored.samples, stored.audit
    faces = Faces(
        audit.task,
        samples.design.labels.labels,
        samples.columns,
        samples.design.groups,
        samples.table,
        samples.subjects if audit.plan.subject else None,
        audit.plan.metrics,
        _strata(stored),
    )
    return Probes(
        predictions_digest=audit.model.predictions_digest,
        data_digest=audit.data.digest,
        plan_digest=plan_digest(audit.plan),
        task=audit.task,
        samples=len(samples.table),
        results=compare_answers(faces, changed),
    )


def _strata(stored: StoredRun) -> Integers | None:
    """Number of each face's true label and columns of ``--standardize``; ``None`` for multi-label data."""
    if stored.audit.task == "multi-label":
        return None
    table = stored.samples.table
    columns = list(stored.audit.plan.standardize)
    mix = stored.samples.design.dataset.samples.loc[table.index, columns]
    # A column may have any name, but none begins with a null character.
    mix["\0truth"] = table["truth"]
    return np.asarray(mix.groupby(list(mix.columns), sort=True, observed=True).ngroup(), np.int64)
