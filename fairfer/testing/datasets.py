"""Checks of the contract of a dataset and of its loader."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fairfer.datasets.attributes import SOURCES, Attribute
from fairfer.datasets.images import UnreadableImageError
from fairfer.errors import FairferError
from fairfer.testing.faults import RGB, raise_faults
from fairfer.testing.models import OTHER_FOLDER
from fairfer.vocabulary import ALL, PREDICTED_PREFIX, SCORE_PREFIX, STATUSES, UNANNOTATED

if TYPE_CHECKING:
    from fairfer.datasets.dataset import Dataset
    from fairfer.datasets.loaders import Loader

IMAGES_CHECKED = 100
"""Number of images of a dataset that `check_loader` reads."""


def check_layout(loader: Loader, path: Path, **options: object) -> None:
    """Check a loader with an example of its layout.

    The loader recognizes the example, and no missing, empty or foreign path; its dataset passes `check_loader`; reading it
    again, or from a folder whose name has spaces and characters outside of ASCII, gives the same dataset; what it cannot read
    is an error of one line.

    Parameters
    ----------
    loader
        The loader.
    path
        A folder or file in its layout; it is only read.
    **options
        Options of the loader.

    Raises
    ------
    AssertionError
        When the loader breaks the contract; the message has one line per fault.
    """
    faults = []
    if not loader.name.strip() or not loader.layout.strip():
        faults.append("name and layout must be text")
    if not _matches(loader, path, faults):
        faults.append(f"matches({path.name}) is false for the example")
    dataset = loader.load(path, **options)
    check_loader(dataset)
    faults += _copy_faults(loader, path, dataset, options)
    faults += _foreign_faults(loader)
    raise_faults(f"loader {loader.name}", faults)


def _matches(loader: Loader, path: Path, faults: list[str]) -> bool:
    try:
        return bool(loader.matches(path))
    except Exception as error:
        faults.append(f"matches({path.name}) raises {type(error).__name__}: {error}; it must return false")
        return False


def _copy_faults(loader: Loader, path: Path, dataset: Dataset, options: dict[str, object]) -> Iterator[str]:
    """Differences of the dataset when it is read again, and from another folder."""
    if _content(loader.load(path, **options)) != _content(dataset):
        yield "the dataset differs when it is read again"
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / OTHER_FOLDER / path.name
        if path.is_dir():
            shutil.copytree(path, copy)
        else:
            copy.parent.mkdir()
            shutil.copy(path, copy)
        try:
            other = loader.load(copy, **options)
            check_loader(other)
        except (FairferError, AssertionError, OSError, ValueError) as error:
            yield f"it cannot be read from a folder named {OTHER_FOLDER!r}: {error}"
            return
        if _content(other) != _content(dataset):
            yield f"the dataset differs when it is read from a folder named {OTHER_FOLDER!r}"


def _content(dataset: Dataset) -> tuple[str, ...]:
    """Samples, labels and images, for comparison."""
    return (dataset.digest, dataset.images_digest, dataset.samples.to_csv(), *dataset.labels.labels)


def _foreign_faults(loader: Loader) -> Iterator[str]:
    """What the loader does with a path that does not have its layout."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "empty").mkdir()
        (root / "noise.bin").write_bytes(bytes(range(256)) * 4)
        for path in (root / "empty", root / "noise.bin", root / "missing"):
            faults: list[str] = []
            if _matches(loader, path, faults):
                yield f"matches is true for a path that is {path.stem}"
            yield from faults
            try:
                loader.load(path)
            except FairferError as error:
                if "\n" in str(error):
                    yield f"the error for a path that is {path.stem} has more than one line"
            except Exception as error:
                yield f"a path that is {path.stem} raises {type(error).__name__} instead of a DataError of one line"
            else:
                yield f"a path that is {path.stem} is read without an error"


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
    raise_faults(f"dataset {dataset.name}", faults)


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
