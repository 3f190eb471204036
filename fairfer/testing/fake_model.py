"""A model without dependencies, whose answers a test chooses by its images."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fairfer.labels import FERPLUS, LabelSpace
from fairfer.models.model import BATCH_SIZE, Prediction

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.vocabulary import Task

Fault = Literal["", "raise", "fewer", "more", "short", "flat", "unscored", "status", "type", "text"]
"""How a `FakeModel` breaks the contract of a model: it raises; returns one answer too few or too many; one score too few;
an array instead of predictions; ``ok`` without scores; an unknown status; a dict instead of a `Prediction`; text as scores."""


class FakeModel:
    """A deterministic model whose answer is determined by the gray level of an image's top left pixel.

    Single-label: the label at the position *level modulo number of labels* has the highest score, and scores sum to 1.
    Multi-label: the score of the label at position i is above 0.5 exactly if bit *i modulo 8* of the level is set.

    Parameters
    ----------
    labels
        Output classes; the eight labels of FER+ by default.
    name, version, options, batch_size, task
        As of any model.
    no_face, error, nan
        Gray levels of the top left pixel for which the model finds no face, fails, or returns NaN.
    fault
        How the model breaks its contract, if at all.
    after
        Number of images that are answered before `fault` takes effect.
    delay
        Seconds per image.

    Attributes
    ----------
    calls
        Number of images of each call of `predict`.

    Examples
    --------
    >>> model = FakeModel(("happy", "sad"))
    >>> [answer] = model.predict([np.full((4, 4, 3), 9, np.uint8)])
    >>> model.labels.labels[int(answer.scores.argmax())]
    'sadness'

    Level 2 is binary 10, so only the second label is present:

    >>> [answer] = FakeModel(("AU1", "AU2"), task="multi-label").predict([np.full((4, 4, 3), 2, np.uint8)])
    >>> (answer.scores > 0.5).tolist()
    [False, True]
    """

    def __init__(
        self,
        labels: LabelSpace | Sequence[str] = FERPLUS,
        *,
        name: str = "fake",
        version: str = "1",
        options: Mapping[str, str] | None = None,
        batch_size: int = BATCH_SIZE,
        task: Task = "single-label",
        no_face: Collection[int] = (),
        error: Collection[int] = (),
        nan: Collection[int] = (),
        fault: Fault = "",
        after: int = 0,
        delay: float = 0,
    ) -> None:
        self.labels = labels if isinstance(labels, LabelSpace) else LabelSpace.of("fake", labels)
        self.name = name
        self.version = version
        self.options = dict(options or {})
        self.batch_size = batch_size
        self.task: Task = task
        self.calls: list[int] = []
        self._no_face, self._error, self._nan = set(no_face), set(error), set(nan)
        self._fault: Fault = fault
        self._after = after
        self._delay = delay

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """Answer for each image, in order, or break the contract as `fault` says."""
        self.calls.append(len(images))
        time.sleep(self._delay * len(images))
        answers = [self._answer(image) for image in images]
        return answers if sum(self.calls) <= self._after else self._broken(answers)

    def _answer(self, image: NDArray[np.uint8]) -> Prediction:
        level = int(image[0, 0, 0])
        if level in self._no_face:
            return Prediction("no_face", None, "the fake model sees no face")
        if level in self._error:
            return Prediction("error", None, "the fake model fails on this image")
        if level in self._nan:
            return Prediction("ok", np.full(len(self.labels), np.nan))
        digest = hashlib.blake2b(image.tobytes(), digest_size=len(self.labels)).digest()
        noise = np.frombuffer(digest, np.uint8) / 255.0
        if self.task == "multi-label":
            present = level >> (np.arange(len(self.labels)) % 8) & 1
            return Prediction("ok", 0.4 * noise + 0.6 * present)  # at most 0.4 without the bit, at least 0.6 with it
        noise[level % len(self.labels)] += 1.5  # more than any noise
        return Prediction("ok", noise / noise.sum())

    def _broken(self, answers: list[Prediction]) -> Any:
        if self._fault == "raise":
            message = "the fake model fails on purpose"
            raise RuntimeError(message)
        if self._fault == "fewer":
            return answers[:-1]
        if self._fault == "more":
            return [*answers, answers[-1]]
        if self._fault == "flat":
            return np.array([a.scores for a in answers])
        replacements: dict[str, object] = {
            "short": Prediction("ok", np.ones(len(self.labels) - 1)),
            "unscored": Prediction("ok"),
            "status": Prediction("fine", np.ones(len(self.labels))),  # type: ignore[arg-type]
            "type": {"happiness": 1.0},
            "text": Prediction("ok", np.array(["high"] * len(self.labels))),
        }
        return [*answers[:-1], replacements[self._fault]] if self._fault else answers
