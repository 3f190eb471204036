"""Choose the thresholds of a plan on samples other than those audited: another split, or another stored run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from fairfer.audits.join import answers_for, check_scored
from fairfer.audits.stored_samples import read_samples
from fairfer.errors import DataError, RunError, UsageError
from fairfer.labels import reconcile
from fairfer.metrics.threshold_results import DEFAULT_THRESHOLD, ChosenThreshold, ThresholdSource
from fairfer.metrics.thresholds import choose_threshold
from fairfer.predictions.predictions import Predictions

if TYPE_CHECKING:
    import pandas as pd

    from fairfer.audits.plan import AuditPlan
    from fairfer.datasets.dataset import Dataset
    from fairfer.vocabulary import Task

_FROM_A_TABLE = {"answers": "from the table"}
"""Options of recorded predictions, whose version is a digest of the table and so differs between any two."""


@dataclass(frozen=True)
class Validation:
    """Samples on which thresholds are chosen, and a model's answers for them.

    Attributes
    ----------
    source
        Name of the split, or of the folder of the run.
    dataset
        The samples.
    predictions
        The answers.
    """

    source: str
    dataset: Dataset
    predictions: Predictions

    @classmethod
    def of_run(cls, run: str | os.PathLike[str]) -> Self:
        """Read an audited run.

        Raises
        ------
        RunError
            When the folder is not an audited run, or is damaged.
        """
        folder = Path(run)
        return cls(folder.resolve().name, read_samples(folder).dataset, Predictions.read(folder))


def with_chosen_thresholds(plan: AuditPlan, dataset: Dataset, predictions: Predictions, validation: Validation) -> AuditPlan:
    """The plan with the thresholds that are best on the validation samples.

    Parameters
    ----------
    plan
        Its `thresholds` are kept: they were set explicitly.
    dataset, predictions
        What is audited.
    validation
        Other samples, answered by the same model.

    Raises
    ------
    UsageError
        When the audit is single-label, or the scores are not between 0 and 1.
    DataError
        When a sample or an image is in both.
    RunError
        When the answers are those of another model, or have no scores.
    """
    check_multi_label("multi-label" if "multi-label" in (dataset.task, predictions.task) else "single-label")
    check_apart(predictions.frame["image"], validation.predictions.frame["image"], validation.dataset.name)
    _check_model(predictions, validation)
    labels = _choose(plan, validation)
    source = ThresholdSource(
        source=validation.source,
        dataset=validation.dataset.name,
        samples=len(validation.dataset),
        digest=validation.dataset.digest,
        predictions_digest=validation.predictions.digest,
        labels=labels,
        shared_subjects=_shared_subjects(plan.subject, dataset, validation.dataset),
    )
    return plan.model_copy(update={"thresholds": {c.label: c.threshold for c in labels}, "thresholds_from": source})


def check_multi_label(task: Task) -> None:
    """Refuse to choose thresholds for an audit that has none.

    Raises
    ------
    UsageError
        When the audit is single-label.
    """
    if task == "single-label":
        message = (
            "--choose-thresholds: this audit is single-label, and the label with the highest score is the prediction; remove "
            "the option"
        )
        raise UsageError(message)


def check_apart(audited: pd.Series, validation: pd.Series, name: str) -> None:
    """Refuse validation samples that are audited too: thresholds chosen on them make the model look better than it is.

    Parameters
    ----------
    audited, validation
        Digest of the image of each sample, by name of the sample; empty where there is none.
    name
        Of the validation data, for the message.

    Raises
    ------
    DataError
        When a name or an image occurs in both.
    """
    names = audited.index.intersection(validation.index)
    if len(names):
        message = (
            f"--choose-thresholds: {len(names):,} samples of {name} are also audited (the first: {names[0]}); choose on other "
            "samples (if they are others, give them names of their own, in a table with --sample-id)"
        )
        raise DataError(message)
    shared = validation.index[validation.isin(set(audited.dropna()) - {""})]
    if len(shared):
        message = (
            f"--choose-thresholds: {len(shared):,} images of {name} are also audited under another name "
            f"(the first: {shared[0]}); exclude them from one of the two"
        )
        raise DataError(message)


def _check_model(predictions: Predictions, validation: Validation) -> None:
    other = validation.predictions
    fields: list[tuple[str, object, object]] = [
        ("model", predictions.model, other.model),
        ("options", predictions.options, other.options),
        ("output classes", predictions.labels.labels, other.labels.labels),
    ]
    if predictions.options != _FROM_A_TABLE:
        fields.insert(1, ("version", predictions.version, other.version))
    for name, one, two in fields:
        if one != two:
            message = (
                f"--choose-thresholds {validation.source}: its answers are those of another {name} ({two}, audited: {one}); "
                "use answers of the model that is audited"
            )
            raise RunError(message)


def _choose(plan: AuditPlan, validation: Validation) -> list[ChosenThreshold]:
    predictions, dataset = validation.predictions, validation.dataset
    scores = predictions.scores()
    if bool(((scores < 0) | (scores > 1)).any()):
        message = (
            f"--choose-thresholds: scores of {predictions.model} are not between 0 and 1, but the thresholds tried are from "
            "0.1 to 0.9; give a model that returns probabilities, or thresholds with --threshold"
        )
        raise UsageError(message)
    truth = dataset.truth_for(reconcile(dataset.labels, predictions.labels, plan.unsupported_labels))
    answers = answers_for(dataset, predictions).loc[truth.index]
    return [_of_label(label, plan.thresholds, truth, answers) for label in predictions.labels.labels]


def _of_label(label: str, given: Mapping[str, float], truth: pd.DataFrame, answers: pd.DataFrame) -> ChosenThreshold:
    if label not in truth:
        return ChosenThreshold(
            label=label,
            threshold=given.get(label, DEFAULT_THRESHOLD),
            status="given" if label in given else "not_in_validation",
            f1=None,
            f1_default=None,
            positives=0,
            negatives=0,
        )
    check_scored(answers, label, f"score:{label}")
    known = truth[label].to_numpy(np.float64, na_value=np.nan)
    score = answers[f"score:{label}"].where(answers["status"] == "ok").to_numpy(na_value=np.nan)
    return choose_threshold(label, known, score, given.get(label))


def _shared_subjects(subject: str, dataset: Dataset, validation: Dataset) -> int | None:
    """Number of subjects in both; ``None`` where one of the two has no column of subjects."""
    if not subject or subject not in dataset.samples or subject not in validation.samples:
        return None
    one, other = (set(d.samples[subject].dropna().astype("str")) for d in (dataset, validation))
    return len(one & other)
