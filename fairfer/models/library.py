"""`LibraryModel`: a model made of a face-analysis library that takes images and has its own preprocessing.

Adapters of such libraries differ only in how they load them and read their answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fairfer.errors import ModelError, did_you_mean
from fairfer.models.isolation import isolated
from fairfer.models.model import BATCH_SIZE, Prediction
from fairfer.models.network import first_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.labels import LabelSpace
    from fairfer.vocabulary import Task

Answer = Callable[["Sequence[NDArray[np.uint8]]"], Sequence[Prediction]]
"""Predictions for some (height, width, 3) RGB images, in order."""

_CHUNK = 1 << 20


class LibraryModel:
    """A library that takes images.

    Parameters
    ----------
    name, version, labels, task, options, batch_size
        As of `fairfer.Model`.
    library
        Its name in messages.
    answer
        Calls the library. If it raises an exception, it is called for each image separately; images for which it still
        fails have the status ``error``. It runs without network.
    files
        Files on which the answers depend, such as weights and the module of the adapter.
    """

    def __init__(
        self,
        *,
        name: str,
        version: str,
        labels: LabelSpace,
        library: str,
        answer: Answer,
        options: Mapping[str, str],
        files: Sequence[Path] = (),
        task: Task = "single-label",
        batch_size: int = BATCH_SIZE,
    ) -> None:
        self.name = name
        self.version = version
        self.labels = labels
        self.task: Task = task
        self.options = dict(options)
        self.batch_size = batch_size
        self.files = [*sorted(Path(__file__).parent.glob("*.py")), *files]
        self._library = library
        self._answer = answer

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """Answer for each (height, width, 3) RGB image, in order.

        An image for which the library fails, or returns NaN or infinity, has the status ``error``; the others are answered.
        """
        with isolated(self._library):
            return self._answers([np.array(image) for image in images])  # copies, because some libraries write into an image

    def _answers(self, images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        if not images:
            return []
        try:
            return [self._finite(answer) for answer in self._answer(images)]
        except Exception as error:
            if len(images) == 1:
                return [Prediction("error", detail=f"{self._library} failed ({first_line(error)})")]
            return [self._answers([image])[0] for image in images]

    def _finite(self, answer: Prediction) -> Prediction:
        if answer.scores is None or np.isfinite(answer.scores).all():
            return answer
        return Prediction("error", detail=f"the output of {self._library} is not finite")


def weights_digest(paths: Iterable[Path]) -> str:
    """SHA-256 of files in this order, as 16 hexadecimal digits.

    Raises
    ------
    ModelError
        If a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        except OSError as error:
            message = f"the weights {path} cannot be read ({error.strerror}); check the path and the permissions of the file"
            raise ModelError(message) from error
    return digest.hexdigest()[:16]


def check_choice(option: str, value: str, choices: Sequence[str]) -> None:
    """Check the value of an option.

    Raises
    ------
    ModelError
        If it is not one of the choices.
    """
    if value not in choices:
        message = f"option {option}={value!r} is not a choice; {did_you_mean(value, choices)}"
        raise ModelError(message)
