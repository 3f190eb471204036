"""Ask a model about changed pictures, and store its answers beside those to the original ones.

The answers to one change at one level are a run folder of their own, ``probes/NAME/LEVEL``. It can be interrupted and resumed.
The model is not asked about a picture that the change leaves as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fairfer.datasets.dataset import Dataset, digest_lines
from fairfer.datasets.images import Images, Picture, digest_bytes
from fairfer.errors import RunError
from fairfer.explanations.probes.perturbations import VERSION
from fairfer.models.boundary import CheckedModel
from fairfer.models.model import Prediction
from fairfer.predictions.inference import ask_model, run_info
from fairfer.predictions.run_folder import RunInfo
from fairfer.vocabulary import SCORE_PREFIX, STATUSES

if TYPE_CHECKING:
    from fairfer.explanations.probes.perturbations import Probe
    from fairfer.models.model import Model
    from fairfer.predictions.predictions import Predictions

FOLDER = "probes"
"""Folder of a run in which the answers to changed pictures are stored."""

UNCHANGED = "the picture does not change: answer to the original"
"""Detail of an answer that was not asked for again; a detail of the original answer follows."""


class ChangedImages:
    """Images of a dataset, each changed in the same way.

    Parameters
    ----------
    images
        The original ones.
    probe
        The change.

    Attributes
    ----------
    unchanged
        Ids of the samples decoded so far whose picture the change left as it is.
    """

    def __init__(self, images: Images, probe: Probe) -> None:
        self.images = images
        self.probe = probe
        self.unchanged: set[str] = set()

    @property
    def recipe(self) -> str:
        """Text that differs for every change and level."""
        return f"fairfer probe {VERSION} {self.probe.name}"

    def raw(self, sample_id: str) -> bytes:
        """Return a line that names the change, then the stored bytes: digests depend on both."""
        return self.recipe.encode() + b"\n" + self.images.raw(sample_id)

    def decode(self, raw: bytes, sample_id: str) -> Picture:
        """Decode the original picture and change it."""
        original = raw.partition(b"\n")[2]
        picture = self.images.decode(original, sample_id)
        changed = self.probe.perturbation.apply(picture, self.probe.level, sample_id, digest_bytes(original))
        if np.array_equal(changed, picture):
            self.unchanged.add(sample_id)
        return changed


def check_answers_current(run: Path, dataset: Dataset, model: Model, original: Predictions) -> None:
    """Refuse a model or images other than those of the run: a change of the answers would not be due to the pictures.

    Raises
    ------
    RunError
        Naming the field that differs.
    """
    difference = original.info.difference(run_info(CheckedModel(model).declared, dataset))
    if difference is not None:
        field, before, now = difference
        message = (
            f"{run} was made with another {field} ({_short(before)}, now {_short(now)}); use the model and the images of the "
            "run, or run fairfer audit again"
        )
        raise RunError(message)


def _short(value: object) -> str:
    limit = 40
    text = str(value)
    return text if len(text) <= limit else f"{text[:12]}…"


def folder_of(run: Path, probe: Probe) -> Path:
    """Folder of the answers to one change at one level."""
    return run / FOLDER / probe.perturbation.name / probe.level


def ask(
    probe: Probe,
    dataset: Dataset,
    model: Model,
    original: Predictions,
    folder: Path | None,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
    on_reuse: Callable[[int, int], object] | None = None,
) -> Predictions:
    """Answers to pictures changed in one way.

    Parameters
    ----------
    probe
        The change.
    dataset
        With the original images.
    model
        The model that gave the original answers.
    original
        Those answers.
    folder
        Where the answers are stored; those of other images or another model in it are discarded. In memory only when ``None``.
    progress, on_reuse
        As of `fairfer.predict`.

    Returns
    -------
    Predictions
        One row per sample. The detail of an answer begins with `UNCHANGED` where the picture did not change. A model that has
        no answer for any changed picture is a result, not an error.
    """
    images = ChangedImages(_images_of(dataset), probe)
    identity = {"images_digest": digest_lines([images.recipe, dataset.images_digest])}
    changed = dataset.replace(images=images, identity=identity)
    frame = original.frame
    scores = [c for c in frame.columns if str(c).startswith(SCORE_PREFIX)]

    def known(sample_id: str) -> Prediction | None:
        if sample_id not in images.unchanged:
            return None
        row = frame.loc[sample_id]
        status = next(s for s in STATUSES if s == row["status"])
        detail = "; ".join(filter(None, (UNCHANGED, str(row["detail"]))))
        return Prediction(status, row[scores].to_numpy(np.float32) if status == "ok" else None, detail)

    return ask_model(
        changed,
        model,
        folder,
        overwrite=folder is not None and not _is_of(folder, run_info(CheckedModel(model).declared, changed)),
        progress=progress,
        on_reuse=on_reuse,
        known=known,
        need_answers=False,
    )


def unchanged(answers: Predictions) -> int:
    """Number of pictures that the change left as they are."""
    return int(answers.frame["detail"].str.startswith(UNCHANGED).sum())


def _images_of(dataset: Dataset) -> Images:
    if dataset.images is None:
        message = f"{dataset.name} has no images that could be changed; probe a run of a dataset with images"
        raise RunError(message)
    return dataset.images


def _is_of(folder: Path, info: RunInfo) -> bool:
    """Whether a folder holds answers of this model to these images, or none."""
    try:
        return RunInfo.read(folder) == info
    except RunError:  # missing, damaged, or of another version
        return False
