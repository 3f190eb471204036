"""Checks of the contract of a model and of its adapter."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from fairfer.errors import FairferError
from fairfer.labels import LabelSpace, canonical
from fairfer.models.model import BATCH_SIZE, TASKS, Model, Prediction, model_task
from fairfer.testing.faults import RGB, raise_faults
from fairfer.vocabulary import STATUSES

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairfer.datasets.images import Picture

TOLERANCE = 1e-4
"""Largest difference of a score between two calls with the same image in different batches."""

SUM_TOLERANCE = 0.02
"""Largest deviation from 1 of the sum of a single-label model's scores: room for scores that are rounded to two digits."""

EXTREME = ((1, 1), (8000, 8000))
"""Height and width of images that a model must survive."""

OTHER_FOLDER = "Gesichter – 表情 faces"
"""Name of a folder with spaces and characters outside of ASCII."""

Reference = Callable[[Path], "ArrayLike"]
"""From the path of a PNG file to the scores of its image, independently of the adapter."""


def check_model(
    model: Model, images: Sequence[Picture] | None = None, *, reference: Reference | None = None, extreme: bool = True
) -> None:
    """Check the contract of a model.

    Names of labels; shapes, sums and statuses of answers; the same answer for an image alone, in a batch, in another order and
    when asked again; gray images; and images of 1 x 1 and 8000 x 8000 pixels, for which any status is accepted, but no
    exception.

    Parameters
    ----------
    model
        It is called several times with each image.
    images
        (height, width, 3) RGB uint8 images; by default noise, gray noise, black and white images of several sizes.
    reference
        A function that computes scores independently, such as the library's own function for files. It takes the path of a PNG
        file whose folder has a name with spaces and characters outside of ASCII, and returns one score per label, in the order
        of the model's labels. Scores must agree to within `TOLERANCE`. This is the only check that can find a wrong order of
        colors, resampling or scaling.
    extreme
        Whether to ask for the very small and the very large image.

    Raises
    ------
    AssertionError
        When the model breaks the contract; the message has one line per fault.
    """
    pictures = _noise() if images is None else images
    faults = list(_identity_faults(model))
    if not faults:
        faults = list(_answer_faults(model, pictures))
    if not faults and extreme:
        faults = list(_extreme_faults(model))
    if not faults and reference is not None:
        faults = list(_reference_faults(model, pictures, reference))
    raise_faults(f"model {getattr(model, 'name', model)!s}", faults)


def _noise() -> list[Picture]:
    rng = np.random.default_rng(0)
    shapes = ((48, 48), (48, 48), (64, 40), (224, 224))
    colored = [rng.integers(0, 256, (*shape, RGB), np.uint8) for shape in shapes]
    gray = np.repeat(rng.integers(0, 256, (48, 48, 1), np.uint8), RGB, axis=2)
    return [*colored, gray, np.zeros((48, 48, RGB), np.uint8), np.full((48, 48, RGB), 255, np.uint8)]


def _identity_faults(model: Model) -> Iterator[str]:
    for attribute in ("name", "version"):
        value = getattr(model, attribute, None)
        if not isinstance(value, str) or not value.strip():
            yield f"{attribute} must be text, not {value!r}"
    labels = getattr(model, "labels", None)
    if not isinstance(labels, LabelSpace):
        yield f"labels must be a fairfer.LabelSpace, not a {type(labels).__name__}"
    else:
        for label in labels.labels:
            name = canonical(label)
            if name not in (None, label):
                yield f"label {label!r} is a spelling of {name}; make the labels with fairfer.LabelSpace.of"
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
    yield from _score_faults(model, answers)
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


def _score_faults(model: Model, answers: Sequence[Prediction]) -> Iterator[str]:
    """Faults of scores that are not probabilities."""
    exclusive = model_task(model) == "single-label"
    for i, answer in enumerate(answers):
        if answer.scores is None:
            continue
        low, high, total = float(np.min(answer.scores)), float(np.max(answer.scores)), float(np.sum(answer.scores))
        if low < -SUM_TOLERANCE or high > 1 + SUM_TOLERANCE:
            yield f"image {i}: scores must be probabilities, 0 to 1, not {low:.3g} to {high:.3g}; apply a softmax or sigmoid"
        elif exclusive and abs(total - 1) > SUM_TOLERANCE:
            yield f"image {i}: scores of a single-label model must sum to 1, not {total:.3g}"


def _extreme_faults(model: Model) -> Iterator[str]:
    for height, width in EXTREME:
        what = f"an image of {height} x {width}"
        try:
            answers = model.predict([np.full((height, width, RGB), 128, np.uint8)])
        except Exception as error:
            yield f"predict raises {type(error).__name__} for {what}: {error}; return the status error with a detail"
            continue
        yield from (f"{what}: {fault}" for fault in _shape_faults(model, answers, 1))


def _reference_faults(model: Model, images: Sequence[Picture], reference: Reference) -> Iterator[str]:
    """Differences from independently computed scores."""
    exchanged = list(model.predict([np.ascontiguousarray(image[..., ::-1]) for image in images]))
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder) / OTHER_FOLDER
        other.mkdir()
        for i, (image, answer) in enumerate(zip(images, model.predict(images), strict=True)):
            if answer.scores is None:
                continue
            path = other / f"{i}.png"
            Image.fromarray(image).save(path)
            expected = np.asarray(reference(path), dtype=float)
            if expected.shape != np.shape(answer.scores):
                yield f"image {i}: the reference returned scores of shape {expected.shape}, not {np.shape(answer.scores)}"
                continue
            difference = float(np.abs(expected - answer.scores).max())
            if difference <= TOLERANCE:
                continue
            fault = f"image {i}: scores differ from the reference by {difference:.3g}"
            swapped = exchanged[i].scores
            if swapped is not None and np.abs(expected - swapped).max() <= TOLERANCE:
                fault += "; they agree when red and blue are exchanged, so the order of colors is wrong"
            yield fault


def check_loading(load: Callable[..., Model], target: Path, **options: str) -> None:
    """Check how an adapter loads a model from a file or folder.

    A copy in a folder whose name has spaces and characters outside of ASCII gives the same model with the same answers; another
    content is another version; a missing, empty or foreign file is an error of one line.

    Parameters
    ----------
    load
        The adapter's factory; its first argument is a path.
    target
        A file or folder that it can load; it is only read.
    **options
        Options of the factory.

    Raises
    ------
    AssertionError
        When the adapter breaks the contract; the message has one line per fault.
    """
    model = load(str(target), **options)
    image = _noise()[0]
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        parent = root / OTHER_FOLDER
        copy = parent / target.name
        if target.is_dir():
            shutil.copytree(target, copy)
        else:  # with the files beside it, such as weights
            shutil.copytree(target.parent, parent)
        try:
            other = load(str(copy), **options)
        except FairferError as error:
            faults.append(f"it cannot be loaded from a folder named {OTHER_FOLDER!r}: {error}")
        else:
            if (other.version, other.labels) != (model.version, model.labels):
                faults.append("version or labels differ when it is loaded from another folder")
            if not _same(model.predict([image])[0], other.predict([image])[0]):
                faults.append("its answers differ when it is loaded from another folder")
        faults += _damage_faults(load, root, target.suffix, options)
    raise_faults(f"loading {target.name}", faults)


def _damage_faults(load: Callable[..., Model], root: Path, suffix: str, options: Mapping[str, str]) -> Iterator[str]:
    """What an adapter does with files that it cannot load."""
    (root / f"empty{suffix}").touch()
    (root / f"text{suffix}").write_text("<html>404</html>\n", encoding="utf-8")
    for name in ("missing", "empty", "text"):
        path = root / f"{name}{suffix}"
        try:
            load(str(path), **options)
        except FairferError as error:
            if "\n" in str(error):
                yield f"the error for a file that is {name} has more than one line: {error}"
            if path.name not in str(error):
                yield f"the error for a file that is {name} does not name it: {error}"
        except Exception as error:
            yield f"a file that is {name} raises {type(error).__name__} instead of a ModelError of one line: {error}"
        else:
            yield f"a file that is {name} is loaded without an error"


def _same(one: Prediction, other: Prediction) -> bool:
    if one.scores is None or other.scores is None:
        return one.status == other.status
    return bool(np.allclose(one.scores, other.scores, rtol=0, atol=TOLERANCE))
