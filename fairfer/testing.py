"""For authors of adapters and loaders: a model without dependencies, and checks of the contracts of models and datasets.

::

    from fairfer.testing import check_loader, check_model

    def test_my_adapter():
        check_model(my_adapter.load())

    def test_my_loader(tmp_path):
        check_loader(my_loader.load(write_tiny_example(tmp_path)))

Both checks raise one `AssertionError` that lists every fault, one per line.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fairfer.datasets.attributes import SOURCES, Attribute
from fairfer.datasets.images import Picture, UnreadableImageError
from fairfer.labels import FERPLUS, LabelSpace
from fairfer.models.model import BATCH_SIZE, TASKS, Model, Prediction
from fairfer.vocabulary import ALL, PREDICTED_PREFIX, SCORE_PREFIX, STATUSES, UNANNOTATED, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.datasets.dataset import Dataset

Fault = Literal["", "raise", "fewer", "more", "short", "flat", "unscored", "status", "type", "text"]
"""How a `FakeModel` breaks the contract of a model: it raises; returns one answer too few or too many; one score too few;
an array instead of predictions; ``ok`` without scores; an unknown status; a dict instead of a `Prediction`; text as scores."""

TOLERANCE = 1e-4
"""Largest difference of a score between two calls with the same image in different batches."""

IMAGES_CHECKED = 100
"""Number of images of a dataset that `check_loader` reads."""

RGB = 3
"""Channels of an image."""


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


def check_model(model: Model, images: Sequence[Picture] | None = None) -> None:
    """Check the contract of a model.

    Parameters
    ----------
    model
        It is called several times with each image.
    images
        (height, width, 3) RGB uint8 images; noise, black and white images of several sizes by default.

    Raises
    ------
    AssertionError
        When the model breaks the contract; the message has one line per fault.
    """
    if images is None:
        rng = np.random.default_rng(0)
        shapes = ((48, 48), (48, 48), (64, 40), (224, 224))
        images = [rng.integers(0, 256, (*shape, RGB), np.uint8) for shape in shapes]
        images = [*images, np.zeros((48, 48, RGB), np.uint8), np.full((48, 48, RGB), 255, np.uint8)]
    faults = list(_identity_faults(model))
    if not faults:
        faults = list(_answer_faults(model, images))
    _raise(f"model {getattr(model, 'name', model)!s}", faults)


def _identity_faults(model: Model) -> Iterator[str]:
    for attribute in ("name", "version"):
        value = getattr(model, attribute, None)
        if not isinstance(value, str) or not value.strip():
            yield f"{attribute} must be text, not {value!r}"
    labels = getattr(model, "labels", None)
    if not isinstance(labels, LabelSpace):
        yield f"labels must be a fairfer.LabelSpace, not a {type(labels).__name__}"
    if not callable(getattr(model, "predict", None)):
        yield "predict must be a method"
    options = getattr(model, "options", {})
    if not isinstance(options, Mapping) or not all(isinstance(t, str) for pair in options.items() for t in pair):
        yield f"options must map text to text, not {options!r}"
    size = getattr(model, "batch_size", BATCH_SIZE)
    if not isinstance(size, int) or size < 1:
        yield f"batch_size must be a positive integer, not {size!r}"
    task = getattr(model, "task", "single-label")
    if task not in TASKS:
        yield f"task must be one of {', '.join(TASKS)}, not {task!r}"


def _answer_faults(model: Model, images: Sequence[Picture]) -> Iterator[str]:
    copies = [image.copy() for image in images]
    answers = model.predict(images)
    faults = list(_shape_faults(model, answers, len(images)))
    if faults:
        yield from faults
        return
    if any((image != copy).any() for image, copy in zip(images, copies, strict=True)):
        yield "predict must not change the images"
    if len(model.predict([])):
        yield "predict must return an empty list for no images"
    if not any(a.status == "ok" for a in answers):
        yield f"no image has an answer (the first: {answers[0].detail}); pass images that the model can answer"
    for how, repeated in (
        ("asked again", list(model.predict(images))),
        ("asked one by one", [model.predict([image])[0] for image in images]),
        ("asked in another order", list(model.predict(images[::-1]))[::-1]),
    ):
        for i, (one, other) in enumerate(zip(answers, repeated, strict=True)):
            if not _same(one, other):
                yield f"image {i} has a different answer when {how}"


def _shape_faults(model: Model, answers: object, count: int) -> Iterator[str]:
    if not isinstance(answers, Sequence) or not all(isinstance(a, Prediction) for a in answers):
        yield f"predict must return a list of fairfer.Prediction, not a {type(answers).__name__}"
        return
    if len(answers) != count:
        yield f"predict returned {len(answers)} answers for {count} images"
    for i, answer in enumerate(answers):
        if answer.status not in STATUSES:
            yield f"image {i}: status {answer.status!r} is not one of {', '.join(STATUSES)}"
        elif answer.status != "ok":
            if answer.scores is not None:
                yield f"image {i}: status {answer.status} must have no scores"
            if not answer.detail:
                yield f"image {i}: status {answer.status} needs a detail that explains it"
        elif np.shape(answer.scores) != (len(model.labels),):
            yield f"image {i}: scores of shape {np.shape(answer.scores)} for {len(model.labels)} labels"
        elif not np.issubdtype(np.asarray(answer.scores).dtype, np.number) or not np.isfinite(answer.scores).all():
            yield f"image {i}: scores must be finite numbers"


def _same(one: Prediction, other: Prediction) -> bool:
    if one.scores is None or other.scores is None:
        return one.status == other.status
    return bool(np.allclose(one.scores, other.scores, rtol=0, atol=TOLERANCE))


def check_loader(dataset: Dataset) -> None:
    """Check the contract of a dataset; only its first `IMAGES_CHECKED` images are read.

    Parameters
    ----------
    dataset
        What a loader returned.

    Raises
    ------
    AssertionError
        When the dataset breaks the contract; the message has one line per fault.
    """
    faults = [fault for attribute in dataset.attributes for fault in _attribute_faults(dataset, attribute)]
    names = [a.name for a in dataset.attributes]
    if len(set(names)) < len(names) or any(n in {"label", "sample_id", ALL} or "," in n for n in names):
        faults.append(f"attributes must have unique names without commas, not {', '.join(names)}")
    if any(not i or i != i.strip() for i in dataset.samples.index):
        faults.append("sample ids must not be empty and must not start or end with space")
    if dataset.votes is not None and not dataset.votes.index.equals(dataset.samples.index):
        faults.append("votes must have the rows of samples, in the same order")
    if any(s.excluded < 0 or not s.what for s in dataset.steps):
        faults.append("every step must have a text and exclude zero or more samples")
    if not all(isinstance(t, str) for pair in dataset.card.items() for t in pair):
        faults.append("the card must map text to text")
    if dataset.images is None and dataset.recorded is None:
        faults.append("there must be images or recorded predictions")
    if dataset.images is not None:
        faults += _image_faults(dataset)
    faults += _recorded_faults(dataset)
    _raise(f"dataset {dataset.name}", faults)


def _attribute_faults(dataset: Dataset, attribute: Attribute) -> Iterator[str]:
    name = f"attribute {attribute.name!r}"
    if len(set(attribute.levels)) < len(attribute.levels):
        yield f"{name} has a level twice"
    if UNANNOTATED in attribute.levels[:-1]:
        yield f"{name} must have {UNANNOTATED} as its last level"
    if attribute.source not in SOURCES:
        yield f"{name} has source {attribute.source!r}, which is not one of {', '.join(SOURCES)}"
    for level, column in attribute.probabilities.items():
        if column not in dataset.samples:
            yield f"{name}: the samples have no column {column!r} with the probability of {level!r}"


def _recorded_faults(dataset: Dataset) -> Iterator[str]:
    recorded = dataset.recorded
    if recorded is None:
        return
    frame, labels = recorded.frame, recorded.labels.labels
    if not frame.index.equals(dataset.samples.index):
        yield "recorded predictions must have the rows of samples, in the same order"
    if not frame["status"].isin(STATUSES).all():
        yield f"recorded statuses must be of {', '.join(STATUSES)}"
    ok = frame["status"] == "ok"
    if recorded.task == "single-label":
        if not frame["predicted"][ok].isin(labels).all() or frame["predicted"][~ok].notna().any():
            yield "recorded labels must be labels of the model where the status is ok, and missing elsewhere"
        return
    decisions = [c for c in (f"{PREDICTED_PREFIX}{label}" for label in labels) if c in frame]
    scores = [c for c in (f"{SCORE_PREFIX}{label}" for label in labels) if c in frame]
    if len(labels) not in (len(decisions), len(scores)):
        yield "recorded multi-label predictions must have a column predicted:LABEL or score:LABEL for every label"
    if "predicted" in frame:
        yield "recorded multi-label predictions must have no column 'predicted'"
    if not frame.loc[ok, decisions].isin([0, 1]).all(axis=None) or frame.loc[~ok, decisions].notna().any(axis=None):
        yield "recorded decisions must be 1 or 0 where the status is ok, and missing elsewhere"
    if frame.loc[~ok, scores].notna().any(axis=None):
        yield "recorded scores must be missing where the status is not ok"


def _image_faults(dataset: Dataset) -> Iterator[str]:
    readable = 0
    for sample_id in dataset.samples.index[:IMAGES_CHECKED]:
        try:
            image = dataset.image(sample_id)
        except UnreadableImageError:
            continue
        readable += 1
        if image.dtype != np.uint8 or image.shape[2:] != (RGB,):
            yield f"image {sample_id} must be (height, width, 3) uint8, not {image.shape} {image.dtype}"
            return
        if not np.array_equal(image, dataset.image(sample_id)):
            yield f"image {sample_id} must be the same each time it is read"
            return
    if not readable:
        yield "no image can be read"


def _raise(subject: str, faults: Sequence[str]) -> None:
    if faults:
        raise AssertionError(f"{subject}:\n" + "\n".join(f"- {fault}" for fault in faults))
