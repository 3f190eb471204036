"""Code that predict and audit share: running the model with a progress bar, and the folder of the run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairfer.datasets.dataset import Dataset
    from fairfer.models.model import Model
    from fairfer.predictions.predictions import Predictions


def run_folder(out: Path | None, dataset: Dataset, model: Model | None) -> Path:
    """Folder of the run: as given, else ``reports/DATASET/MODEL``."""
    return out or Path("reports") / _slug(dataset.name) / _slug(model.name if model is not None else "table")


def ask(dataset: Dataset, model: Model | None, run: Path, *, overwrite: bool) -> Predictions:
    """Predict, or resume, with a progress bar on a terminal."""
    from fairfer.predictions.inference import predict

    def progress(parts: Iterable[int]) -> Iterable[int]:
        from tqdm import tqdm

        bar: Iterable[int] = tqdm(parts, desc="predicting", unit="part", disable=None)  # None: only on a terminal
        return bar

    return predict(dataset, model, run, overwrite=overwrite, progress=progress)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.casefold().replace("+", "plus")).strip("-") or "unnamed"
