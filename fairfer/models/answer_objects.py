"""JSON objects for images and answers that are exchanged with models in other processes.

A program or service describes itself once::

    {"name": "my-model", "version": "3", "labels": ["happy", "sad"], "task": "single-label"}

It receives images as ``{"id": "0", "width": 48, "height": 48, "image": "<PNG in base64>"}`` and answers each with one of::

    {"id": "0", "scores": {"happy": 0.9, "sad": 0.1}}
    {"id": "0", "status": "no_face", "detail": "no face above 0.5"}
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from fairfer.errors import LabelError, ModelError, did_you_mean
from fairfer.labels import LabelSpace
from fairfer.models.model import TASKS, Prediction
from fairfer.vocabulary import STATUSES, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_TEXT = 80
"""Longest part of an answer that an error message shows."""


@dataclass(frozen=True)
class Description:
    """How a program or service describes itself.

    Attributes
    ----------
    name, version, labels, task
        As of `fairfer.Model`.
    """

    name: str
    version: str
    labels: LabelSpace
    task: Task


def shown(value: object) -> str:
    """The beginning of a value, for an error message."""
    text = " ".join(str(value).split())
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


def read_description(value: object, where: str) -> Description:
    """Read a description.

    Parameters
    ----------
    value
        The JSON value.
    where
        The model, as the start of error messages.

    Raises
    ------
    ModelError
        If a key is missing or has the wrong type.
    """
    if not isinstance(value, Mapping):
        message = f'{where} must describe itself as {{"name": …, "version": …, "labels": […]}}, not as {shown(value)}'
        raise ModelError(message)
    for key in ("name", "version"):
        if not isinstance(value.get(key), str) or not value[key].strip():
            message = f"{where}: {key!r} of its description must be text, not {shown(value.get(key))}"
            raise ModelError(message)
    labels = value.get("labels")
    if not isinstance(labels, list) or not labels or not all(isinstance(n, str) for n in labels):
        message = f"{where}: 'labels' of its description must be a list of texts, not {shown(labels)}"
        raise ModelError(message)
    task = value.get("task", "single-label")
    if task not in get_args(Task):
        message = f"{where}: 'task' of its description must be one of {', '.join(TASKS)}, not {shown(task)}"
        raise ModelError(message)
    try:
        space = LabelSpace.of(value["name"], labels)
    except LabelError as error:
        message = f"{where}: 'labels' of its description: {error}"
        raise ModelError(message) from error
    return Description(value["name"], value["version"], space, task)


def png(image: NDArray[np.uint8]) -> str:
    """A (height, width, 3) RGB image as PNG in base64."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def request(identifier: str, image: NDArray[np.uint8]) -> dict[str, Any]:
    """The JSON object for an image."""
    return {"id": identifier, "width": image.shape[1], "height": image.shape[0], "image": png(image)}


def read_answer(value: object, labels: LabelSpace, where: str) -> Prediction:
    """Read an answer.

    Parameters
    ----------
    value
        The JSON value.
    labels
        Output classes of the model.
    where
        The model, as the start of error messages.

    Raises
    ------
    ModelError
        If it breaks the contract: an unknown status, a missing or unknown label, or a score that is not a number.
    """
    if not isinstance(value, Mapping):
        message = f'{where} must answer with {{"scores": {{…}}}} or {{"status": …}}, not with {shown(value)}'
        raise ModelError(message)
    status, detail = value.get("status", "ok"), value.get("detail", "")
    if status not in STATUSES:
        message = f"{where} answered with the status {shown(status)}; use one of {', '.join(STATUSES)}"
        raise ModelError(message)
    if status != "ok":
        return Prediction(status, None, str(detail))
    return Prediction("ok", read_scores(value.get("scores"), labels, where), str(detail))


def read_scores(scores: object, labels: LabelSpace, where: str) -> NDArray[np.float64]:
    """Scores in the order of the labels, from an object of scores by label.

    Raises
    ------
    ModelError
        As of `read_answer`.
    """
    if not isinstance(scores, Mapping):
        message = f"{where} answered without scores; give one score for each of {', '.join(labels.spellings)}"
        raise ModelError(message)
    found: dict[str, float] = {}
    for spelling, score in scores.items():
        try:
            name = labels.canonical(str(spelling))
        except LabelError as error:
            message = (
                f"{where} gave a score to {shown(spelling)}, which is not one of its labels; "
                f"{did_you_mean(str(spelling), labels.spellings)}"
            )
            raise ModelError(message) from error
        if isinstance(score, bool) or not isinstance(score, int | float):
            message = f"{where} gave {spelling!r} the score {shown(score)}, which is not a number"
            raise ModelError(message)
        if name in found:
            message = f"{where} gave {name} two scores (the second as {shown(spelling)}); give each label one"
            raise ModelError(message)
        try:
            found[name] = float(score)
        except OverflowError as error:
            message = f"{where} gave {spelling!r} the score {shown(score)}, which is too large for a number"
            raise ModelError(message) from error
    missing = [n for n in labels.labels if n not in found]
    if missing:
        message = f"{where} gave no score to {', '.join(missing)}; give one to each label"
        raise ModelError(message)
    return np.array([found[name] for name in labels.labels])
