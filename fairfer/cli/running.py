"""Code that predict and audit share: running the model with a progress bar, and the folder of the run."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from fairfer.cli.console import results_only
from fairfer.files import LOADING, UNFINISHED, mark_finished, mark_unfinished

if TYPE_CHECKING:
    from fairfer.datasets.dataset import Dataset
    from fairfer.models.model import Model
    from fairfer.predictions.predictions import Predictions


def run_folder(out: Path | None, dataset: Dataset, model: Model | None) -> Path:
    """Folder of the run: as given, else ``reports/DATASET/MODEL``."""
    return out or Path("reports") / slug(dataset.name) / slug(model.name if model is not None else "table")


def ask(dataset: Dataset, model: Model | None, run: Path, *, overwrite: bool, answer_times: bool = False) -> Predictions:
    """Predict, or resume, with a progress bar on a terminal; say how many answers were not computed again."""
    from fairfer.predictions.inference import predict

    if model is None:
        return predict(dataset, None, run, overwrite=overwrite)

    def progress(parts: Iterable[int]) -> Iterable[int]:
        from tqdm import tqdm

        bar: Iterable[int] = tqdm(parts, desc="predicting", unit="part", disable=None)  # None: only on a terminal
        return bar

    def reused(number: int, samples: int) -> None:
        if number:
            typer.echo(f"{number:,} of {samples:,} answers reused from {run}", err=True)

    with results_only():
        return predict(dataset, model, run, overwrite=overwrite, answer_times=answer_times, progress=progress, on_reuse=reused)


@contextlib.contextmanager
def unfinished(run: Path | None) -> Iterator[None]:
    """Mark a run folder that has an audit before any code of a model runs: that code may end this process.

    The mark is removed by the new audit, or here if the model was not asked.

    Parameters
    ----------
    run
        The folder, if it was given. One without an audit is not marked.
    """
    if run is None or not (run / "audit.json").is_file() or os.path.lexists(run / UNFINISHED):
        yield
        return
    mark_unfinished(run, LOADING)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if (run / UNFINISHED).read_text(encoding="utf-8") == LOADING:
                mark_finished(run)


def slug(name: str) -> str:
    """A name as part of a path."""
    return re.sub(r"[^a-z0-9]+", "-", name.casefold().replace("+", "plus")).strip("-") or "unnamed"
