"""For authors of adapters and loaders: a model that needs no library, and checks of what fairfer relies on.

::

    from fairfer.testing import check_loader, check_model

    def test_my_adapter_is_a_model():
        check_model(my_adapter.load())

    def test_my_loader_gives_a_data_set(tmp_path):
        check_loader(my_loader.load(write_tiny_example(tmp_path)))

Both checks raise `AssertionError` with every fault they found, one a line.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fairfer.datasets.dataset import SOURCES, UNANNOTATED, Attribute, Dataset, Recorded
from fairfer.datasets.images import Picture, UnreadableImageError
from fairfer.labels import FERPLUS, LabelSpace
from fairfer.models.model import Model, Prediction
from fairfer.vocabulary import STATUSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

Fault = Literal["", "raise", "fewer", "more", "short", "flat", "unscored", "status", "type", "text"]
"""How a `FakeModel` breaks its contract: raises; gives an answer too few or too many, a score too few, a table instead of rows,
an ``ok`` without scores, an unknown status, something else than a `Prediction`, or scores that are no numbers."""

TOLERANCE = 1e-4
"""How much a score may depend on which pictures are asked about together."""

PICTURES = 100
"""Pictures of a data set that `check_loader` reads."""


class FakeModel:
    """A deterministic model whose answer can be read off a picture: the grey level of its top left pixel, modulo the labels.

    Parameters
    ----------
    labels
        What it can say; FER+'s eight when not given.
    name, version, options, batch_size
        As of any model.
    no_face, error, nan
        Levels of the top left pixel for which it finds no face, fails on the picture, or gives scores that are no numbers.
    fault
        How it breaks its contract, if at all.
    after
        Pictures that it answers before `fault` shows.
    delay
        Seconds that each picture takes.

    Attributes
    ----------
    calls
        How many pictures each call of `predict` was about.

    Examples
    --------
    >>> model = FakeModel(("happy", "sad"))
    >>> [answer] = model.predict([np.full((4, 4, 3), 9, np.uint8)])
    >>> model.labels.labels[int(answer.scores.argmax())]
    'sadness'
    """

    def __init__(
        self,
        labels: LabelSpace | Sequence[str] = FERPLUS,
        *,
        name: str = "fake",
        version: str = "1",
        options: Mapping[str, str] | None = None,
        batch_size: int = 64,
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
        self.calls: list[int] = []
        self._no_face, self._error, self._nan = set(no_face), set(error), set(nan)
        self._fault: Fault = fault
        self._after = after
        self._delay = delay

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """Answer for each picture, in order, or break the contract as told."""
        self.calls.append(len(images))
        time.sleep(self._delay * len(images))
        answers = [self._answer(image) for image in images]
        return answers if sum(self.calls) <= self._after else self._broken(answers)

    def _answer(self, image: NDArray[np.uint8]) -> Prediction:
        level = int(image[0, 0, 0])
        if level in self._no_face:
            return Prediction("no_face", None, "the fake model sees no face")
        if level in self._error:
            return Prediction("error", None, "the fake model fails on this picture")
        if level in self._nan:
            return Prediction("ok", np.full(len(self.labels), np.nan))
        said = level % len(self.labels)
        noise = hashlib.blake2b(image.tobytes(), digest_size=len(self.labels)).digest()
        scores = np.frombuffer(noise, np.uint8) / 255.0
        scores[said] += 1.5  # above any noise, so that the answer is what the level says
        return Prediction("ok", scores / scores.sum())

    def _broken(self, answers: list[Prediction]) -> Any:  # noqa: ANN401 - wrong on purpose
        if self._fault == "raise":
            message = "the fake model was told to fail"
            raise RuntimeError(message)
        if self._fault == "fewer":
            return answers[:-1]
        if self._fault == "more":
            return [*answers, answers[-1]]
        if self._fault == "flat":
            return np.array([a.scores for a in answers])
        wrong: dict[str, Any] = {
            "short": Prediction("ok", np.ones(len(self.labels) - 1)),
            "unscored": Prediction("ok"),
            "status": Prediction("fine", np.ones(len(self.labels))),  # type: ignore[arg-type]
            "type": {"happiness": 1.0},
            "text": Prediction("ok", np.array(["high"] * len(self.labels))),
        }
        return [*answers[:-1], wrong[self._fault]] if self._fault else answers


def check_model(model: Model, pictures: Sequence[Picture] | None = None) -> None:
    """Check everything that fairfer relies on in a model.

    Parameters
    ----------
    model
        To be asked about each picture a few times.
    pictures
        (height, width, 3) RGB uint8; noise, black and white pictures of several sizes when not given.

    Raises
    ------
    AssertionError
        When the model breaks its contract; the message has one line per fault.
    """
    if pictures is None:
        noise = np.random.default_rng(0)
        shapes = ((48, 48), (48, 48), (64, 40), (224, 224))
        pictures = [noise.integers(0, 256, (*shape, 3), np.uint8) for shape in shapes]
        pictures = [*pictures, np.zeros((48, 48, 3), np.uint8), np.full((48, 48, 3), 255, np.uint8)]
    faults = list(_identity_faults(model))
    if not faults:
        faults = list(_answer_faults(model, pictures))
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
    size = getattr(model, "batch_size", 64)
    if not isinstance(size, int) or size < 1:
        yield f"batch_size must be a whole number from 1, not {size!r}"


def _answer_faults(model: Model, pictures: Sequence[Picture]) -> Iterator[str]:
    before = [p.copy() for p in pictures]
    together = model.predict(pictures)
    faults = list(_shape_faults(model, together, len(pictures)))
    if faults:
        yield from faults
        return
    if any((p != b).any() for p, b in zip(pictures, before, strict=True)):
        yield "predict must not change the pictures"
    if len(model.predict([])):
        yield "predict must give no answer for no picture"
    if not any(a.status == "ok" for a in together):
        yield f"no picture was answered (the first: {together[0].detail}); give pictures that can be"
    for what, again in (
        ("asked again", list(model.predict(pictures))),
        ("asked one by one", [model.predict([p])[0] for p in pictures]),
        ("asked in another order", list(model.predict(pictures[::-1]))[::-1]),
    ):
        for i, (one, other) in enumerate(zip(together, again, strict=True)):
            if not _same(one, other):
                yield f"picture {i} is answered differently when {what}"


def _shape_faults(model: Model, answers: Any, wanted: int) -> Iterator[str]:  # noqa: ANN401 - this is where it is checked
    if not isinstance(answers, Sequence) or not all(isinstance(a, Prediction) for a in answers):
        yield f"predict must give a list of fairfer.Prediction, not {type(answers).__name__} of something else"
        return
    if len(answers) != wanted:
        yield f"predict gave {len(answers)} answers for {wanted} pictures"
    for i, answer in enumerate(answers):
        if answer.status not in STATUSES:
            yield f"picture {i}: status {answer.status!r} is none of {', '.join(STATUSES)}"
        elif answer.status != "ok":
            if answer.scores is not None:
                yield f"picture {i}: status {answer.status} goes without scores"
            if not answer.detail:
                yield f"picture {i}: status {answer.status} needs a detail that says why"
        elif np.shape(answer.scores) != (len(model.labels),):
            yield f"picture {i}: scores of shape {np.shape(answer.scores)} for {len(model.labels)} labels"
        elif not np.issubdtype(np.asarray(answer.scores).dtype, np.number) or not np.isfinite(answer.scores).all():
            yield f"picture {i}: scores must be finite numbers"


def _same(one: Prediction, other: Prediction) -> bool:
    if one.scores is None or other.scores is None:
        return one.status == other.status
    return bool(np.allclose(one.scores, other.scores, rtol=0, atol=TOLERANCE))


def check_loader(dataset: Dataset) -> None:
    """Check everything that fairfer relies on in a data set; of its pictures the first `PICTURES` are read.

    Parameters
    ----------
    dataset
        What a loader gave.

    Raises
    ------
    AssertionError
        When the loader breaks its contract; the message has one line per fault.
    """
    faults = [fault for attribute in dataset.attributes for fault in _attribute_faults(dataset, attribute)]
    names = [a.name for a in dataset.attributes]
    if len(set(names)) < len(names) or any(n in {"label", "sample_id", "*"} or "," in n for n in names):
        faults.append(f"attributes must have names of their own, without commas, not {', '.join(names)}")
    if any(not i or i != i.strip() for i in dataset.samples.index):
        faults.append("sample ids must be text without space around it, and not empty")
    if dataset.votes is not None and not dataset.votes.index.equals(dataset.samples.index):
        faults.append("votes must have the rows of samples, in the same order")
    if any(s.excluded < 0 or not s.what for s in dataset.steps):
        faults.append("every step must say what was done, and leave out no fewer than none")
    if not all(isinstance(t, str) for pair in dataset.card.items() for t in pair):
        faults.append("the card must map text to text")
    if dataset.images is None and dataset.recorded is None:
        faults.append("there must be pictures or recorded answers")
    if dataset.images is not None:
        faults += _picture_faults(dataset)
    if dataset.recorded is not None:
        faults += _recorded_faults(dataset, dataset.recorded)
    _raise(f"data set {dataset.name}", faults)


def _attribute_faults(dataset: Dataset, attribute: Attribute) -> Iterator[str]:
    about = f"attribute {attribute.name!r}"
    if len(set(attribute.levels)) < len(attribute.levels):
        yield f"{about} names a level twice"
    if UNANNOTATED in attribute.levels[:-1]:
        yield f"{about} must name {UNANNOTATED} last"
    if attribute.source not in SOURCES:
        yield f"{about} has source {attribute.source!r}, which is none of {', '.join(SOURCES)}"
    for level, column in attribute.probabilities.items():
        if column not in dataset.samples:
            yield f"{about}: the samples have no column {column!r}, the probability of {level!r}"


def _recorded_faults(dataset: Dataset, recorded: Recorded) -> Iterator[str]:
    frame, labels = recorded.frame, recorded.labels
    if not frame.index.equals(dataset.samples.index):
        yield "recorded answers must have the rows of samples, in the same order"
    if not frame["status"].isin(STATUSES).all():
        yield f"recorded statuses must be of {', '.join(STATUSES)}"
    ok = frame["status"] == "ok"
    if not frame["predicted"][ok].isin(labels.labels).all() or frame["predicted"][~ok].notna().any():
        yield "recorded answers must be labels of the model where the status is ok, and missing elsewhere"


def _picture_faults(dataset: Dataset) -> Iterator[str]:
    read = 0
    for sample_id in dataset.samples.index[:PICTURES]:
        try:
            picture = dataset.image(sample_id)
        except UnreadableImageError:
            continue
        read += 1
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:  # noqa: PLR2004 - RGB
            yield f"picture {sample_id} must be (height, width, 3) uint8, not {picture.shape} {picture.dtype}"
            return
        if not np.array_equal(picture, dataset.image(sample_id)):
            yield f"picture {sample_id} must be the same each time it is read"
            return
    if not read:
        yield "no picture can be read"


def _raise(what: str, faults: Sequence[str]) -> None:
    if faults:
        raise AssertionError(f"{what}:\n" + "\n".join(f"- {fault}" for fault in faults))
