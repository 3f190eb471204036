"""The boundary between fairfer and a model: what a model declares is read once and checked, and so is each answer.

Every fault is a `ModelError` of one line that names the model and the fault.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fairfer.errors import ModelError
from fairfer.labels import LabelSpace
from fairfer.models.foreign_code import foreign_code
from fairfer.models.identity import code_digest, origin_of
from fairfer.models.model import BATCH_SIZE, Model, Prediction, PredictionBatch, model_task
from fairfer.vocabulary import STATUSES, Status, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MEMBERS = ("name", "version", "labels", "predict")
_MOST_SHOWN = 80

NOT_FINITE = "the model's scores are not finite numbers"
"""Detail of an image for which a model returned NaN or infinity."""


@dataclass(frozen=True)
class Declaration:
    """What a model declares, read once and checked.

    Attributes
    ----------
    name, version, labels, task
        As of `Model`.
    options
        Its options, those that its factory was given, and ``code``: the digest of the code and files on which answers depend.
    batch_size
        Images per call of `Model.predict`.
    """

    name: str
    version: str
    labels: LabelSpace
    task: Task
    options: Mapping[str, str]
    batch_size: int


def declaration(model: object, spec: str = "") -> Declaration:
    """Read and check what a model declares.

    Parameters
    ----------
    model
        Any object.
    spec
        What the user called it; its own name when not given.

    Raises
    ------
    ModelError
        When it lacks a member, or a member has the wrong type.
    """
    where = f"model {spec!r}" if spec else "the model"
    with foreign_code(where):
        missing = [name for name in _MEMBERS if not hasattr(model, name)]
        if missing:
            message = f"{where} is of type {type(model).__name__} and has no {', '.join(missing)}; see fairfer.Model"
            raise ModelError(message)
        complete = cast("Model", model)
        name = _text(where, "name", complete.name)
        where = where if spec else f"model {name}"
        version, labels = _text(where, "version", complete.version), complete.labels
        if not isinstance(labels, LabelSpace) or not len(labels):
            raise _slip(where, "labels", "a fairfer.LabelSpace", labels)
        for label in labels.labels:
            _text(where, "labels", label)
        predict: object = complete.predict
        if not callable(predict):
            message = f"{where}: its predict must be a method, not {_shown(predict)}; see fairfer.Model"
            raise ModelError(message)
        options = _options(where, getattr(model, "options", {}))
        code = code_digest(model, name, _files(where, getattr(model, "files", ())))
        return Declaration(
            name,
            version,
            labels,
            model_task(complete),
            {**origin_of(model).options, **options, **({"code": code} if code else {})},
            _batch_size(where, getattr(model, "batch_size", BATCH_SIZE)),
        )


def _slip(where: str, member: str, expected: str, value: object) -> ModelError:
    return ModelError(f"{where}: its {member} must be {expected}, not {_shown(value)}; see fairfer.Model")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _text(where: str, member: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _slip(where, member, "text", value)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _slip(where, member, "text that can be written as UTF-8", value) from error
    return str(value)


def _options(where: str, value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise _slip(where, "options", "a mapping of text to text", value)
    return {_encodable(str(key)): _encodable(str(option)) for key, option in value.items()}


def _files(where: str, value: object) -> list[Path]:
    fits = isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes)
    if not fits or not all(isinstance(path, str | os.PathLike) for path in cast("Sequence[object]", value)):
        raise _slip(where, "files", "a list of paths", value)
    return [Path(path) for path in cast("Sequence[str]", value)]


def _batch_size(where: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise _slip(where, "batch_size", "a whole number of at least 1", value)
    return int(value)


def _encodable(text: str) -> str:
    """Text with the characters that UTF-8 cannot express replaced."""
    return text.encode(errors="replace").decode()


def _is_matrix(scores: object) -> bool:
    """Whether scores are numbers in one row per image."""
    return isinstance(scores, np.ndarray) and scores.ndim == len(("images", "labels")) and scores.dtype.kind in "biuf"


class CheckedModel:
    """A model whose answers are checked.

    Parameters
    ----------
    model
        Any object.

    Raises
    ------
    ModelError
        See `declaration`.
    """

    def __init__(self, model: object) -> None:
        self.declared = declaration(model)
        self._model = cast("Model", model)
        self._where = f"model {self.declared.name}"

    def predict(self, images: Sequence[NDArray[np.uint8]], ids: Sequence[str]) -> PredictionBatch:
        """Ask the model.

        Parameters
        ----------
        images
            (height, width, 3) RGB.
        ids
            Name of each image, for error messages.

        Returns
        -------
        PredictionBatch
            One answer per image, in order, with float32 scores where the status is ``ok``. Scores that are not finite become
            the status ``error``.

        Raises
        ------
        ModelError
            When the model breaks its contract or tries to end the program. An exception of the model's own keeps its type; a
            note names the image.
        """
        try:
            answers = self._ask(images)
        except Exception as error:
            self._blame(error, images, ids)
            raise
        if not isinstance(answers, Sequence) or isinstance(answers, str | bytes):
            message = (
                f"{self._where} returned a {type(answers).__name__}; predict must return a list of fairfer.Prediction, one for "
                "each image"
            )
            raise ModelError(message)
        is_batch = isinstance(answers, PredictionBatch) and _is_matrix(answers.scores)
        wrong = [] if is_batch else [i for i, answer in enumerate(answers) if not isinstance(answer, Prediction)]
        if wrong:
            message = (
                f"{self._where} returned a {type(answers).__name__} with a {type(answers[wrong[0]]).__name__} at position "
                f"{wrong[0]}; predict must return a list of fairfer.Prediction"
            )
            raise ModelError(message)
        if len(answers) != len(images):
            message = (
                f"{self._where} returned {len(answers)} answers for {len(images)} images; predict must return one for each"
            )
            raise ModelError(message)
        return self._checked(cast("Sequence[Prediction]", answers), ids)

    def _ask(self, images: Sequence[NDArray[np.uint8]]) -> object:
        with foreign_code(self._where):
            answers: object = self._model.predict(images)
            labels: object = self._model.labels
        if not isinstance(labels, LabelSpace) or labels != self.declared.labels:
            now = ", ".join(labels.labels) if isinstance(labels, LabelSpace) else _shown(labels)
            message = (
                f"{self._where} changed its labels while it was asked, from {', '.join(self.declared.labels.labels)} to {now}; "
                "keep them fixed"
            )
            raise ModelError(message)
        return answers

    def _blame(self, error: Exception, images: Sequence[NDArray[np.uint8]], ids: Sequence[str]) -> None:
        """Name the image on which the model fails, in the error's text or in a note."""
        culprit = f"image {ids[0]}"
        if len(images) > 1:
            alone = next((name for image, name in zip(images, ids, strict=True) if self._fails(image)), None)
            culprit = f"image {alone}" if alone else f"the {len(ids)} images {ids[0]} to {ids[-1]}, but on none of them alone"
        if isinstance(error, ModelError):
            error.args = (f"{error} (on {culprit})",)
        else:
            error.add_note(f"{self._where} failed on {culprit}")

    def _fails(self, image: NDArray[np.uint8]) -> bool:
        with contextlib.suppress(Exception):
            self._ask([image])
            return False
        return True

    def _checked(self, answers: Sequence[Prediction], ids: Sequence[str]) -> PredictionBatch:
        """The answers as one batch; those of a batch whose scores are numbers are checked together."""
        width = len(self.declared.labels)
        if isinstance(answers, PredictionBatch) and _is_matrix(answers.scores) and answers.scores.shape[1] == width:
            odd = sorted({*answers.statuses, *answers.details})
            with np.errstate(over="ignore"):
                scores = answers.scores.astype(np.float32)
        else:
            odd = list(range(len(answers)))
            scores = np.full((len(answers), width), np.nan, np.float32)
        statuses: dict[int, Status] = {}
        details: dict[int, str] = {}
        for i in odd:
            answer = self._checked_answer(answers[i], ids[i])
            scores[i] = np.nan if answer.scores is None else answer.scores
            if answer.status != "ok":
                statuses[i] = answer.status
            if answer.detail:
                details[i] = answer.detail
        for i in map(int, np.flatnonzero(~np.isfinite(scores).all(axis=1))):
            if i not in statuses:
                statuses[i], details[i] = "error", NOT_FINITE
        return PredictionBatch(scores, statuses, details)

    def _checked_answer(self, answer: Prediction, name: str) -> Prediction:
        status: object = answer.status
        if not isinstance(status, str) or status not in STATUSES:
            message = f"{self._where} returned the status {_shown(status)}; use one of {', '.join(STATUSES)} (image {name})"
            raise ModelError(message)
        detail: object = answer.detail
        if not isinstance(detail, str):
            message = f"{self._where} returned a detail that is not text: {_shown(detail)}; write one sentence (image {name})"
            raise ModelError(message)
        detail = _encodable(" ".join(detail.split()))
        if answer.status != "ok":
            return Prediction(answer.status, None, detail or answer.status)
        return Prediction("ok", self._scores(answer, name), detail)

    def _scores(self, answer: Prediction, name: str) -> NDArray[np.float32]:
        labels = self.declared.labels.labels
        given: Any = answer.scores if answer.scores is not None else []
        cause: Exception | None = None
        try:
            scores = np.asarray(given)
        except (TypeError, ValueError, OverflowError) as error:  # rows of different lengths, or objects that refuse
            cause, reason = error, " ".join(str(error).split())
        else:
            reason = f"they are of type {type(scores.flat[0]).__name__ if scores.size else scores.dtype}"
            if scores.dtype.kind not in "biuf":  # text such as "0.3" would be converted in silence
                cause = TypeError(reason)
        if cause is not None:
            message = f"{self._where} returned scores that are not numbers ({reason}); return one number for each label"
            message += f" (image {name})"
            raise ModelError(message) from cause
        if scores.shape != (len(labels),):
            message = (
                f"{self._where} returned scores of shape {scores.shape}, but it has {len(labels)} labels "
                f"({', '.join(labels)}); return one score for each (image {name})"
            )
            raise ModelError(message)
        with np.errstate(over="ignore"):  # a number too large for float32 becomes infinite, which the caller handles
            return scores.astype(np.float32)
