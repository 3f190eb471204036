"""AffectNet in its two layouts: lists with face boxes, and cropped faces with one array per annotation.

::

    ROOT/Manually_Annotated_file_lists/training.csv, validation.csv
    ROOT/Manually_Annotated_Images/689/737db….jpg           or ROOT/Manually_Annotated/Manually_Annotated_Images/…

    ROOT/val_set/images/0.jpg
    ROOT/val_set/annotations/0_exp.npy, 0_val.npy, 0_aro.npy
    ROOT/train_set/…

The test set is not public: evaluations use ``validation``, which has 500 faces per label, so that its class proportions are not
those of the training set.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fairfer.datasets.cards import DatasetCard
from fairfer.datasets.dataset import Dataset, Step
from fairfer.datasets.images import Box, CroppedImages, FileImages, Images
from fairfer.datasets.layout_files import (
    check_choice,
    check_images,
    chosen_splits,
    fail,
    is_outside,
    unique_names,
    whole_number,
)
from fairfer.datasets.loaders import Loader
from fairfer.errors import DataError, UsageError
from fairfer.labels import AFFECTNET

LISTS = {"train": "training.csv", "valid": "validation.csv"}
FOLDERS = {"train": "train_set", "valid": "val_set"}
COLUMNS = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
NOT_EXPRESSIONS = {8: "None", 9: "Uncertain", 10: "Non-Face"}
"""Codes of faces that have none of the eight expressions; evaluations exclude them."""
FACE, PICTURE = "face", "picture"
_UNKNOWN = -2.0
"""Valence and arousal of faces that have none."""
_NO_NUMBER = frozenset({"", "null", "nan"})
_LISTS_FOLDERS = ("Manually_Annotated_file_lists", "Manually_Annotated/Manually_Annotated_file_lists")
_IMAGE_FOLDERS = (
    "Manually_Annotated_Images",
    "Manually_Annotated/Manually_Annotated_Images",
    "Manually_Annotated_compressed/Manually_Annotated_Images",
)

CARD = DatasetCard(
    title="AffectNet",
    content=(
        "about 440,000 faces from the web, each labeled by one annotator with one of eight expressions (or none, uncertain, "
        "no face), valence and arousal; 500 validation faces per label"
    ),
    license="by agreement",
    permitted_use="Non-commercial research by the group that signed the agreement; images must not be passed on.",
    obtain="The head of a research group signs the agreement on the page and receives links to the files.",
    url="http://mohammadmahoor.com/affectnet/",
    citation=(
        "Mollahosseini, Hasani, Mahoor: AffectNet: A Database for Facial Expression, Valence, and Arousal Computing in the "
        "Wild. IEEE Transactions on Affective Computing 10(1), 2019."
    ),
    people="no attributes; identities are unknown",
)


@dataclass(frozen=True, slots=True)
class _Row:
    """One annotated face: its file, split, code, valence, arousal and, in the lists, its box."""

    file: str
    split: str
    code: int
    valence: float
    arousal: float
    box: Box | None = None


def _lists(path: Path) -> Path | None:
    return next((path / f for f in _LISTS_FOLDERS if any((path / f / n).is_file() for n in LISTS.values())), None)


def _arrays(path: Path) -> bool:
    return any((path / f / "annotations").is_dir() and (path / f / "images").is_dir() for f in FOLDERS.values())


def _matches(path: Path) -> bool:
    return path.is_dir() and (_lists(path) is not None or _arrays(path))


def load(path: Path, *, split: str = "valid", images: str | None = None) -> Dataset:
    """Read AffectNet.

    Parameters
    ----------
    path
        The folder with ``Manually_Annotated_file_lists``, or with ``val_set`` and ``train_set``.
    split
        ``valid`` (the set that evaluations use), ``train`` or ``all``.
    images
        Only for the lists: ``face`` (default) cuts the annotated face box out of each picture, ``picture`` keeps the picture.

    Raises
    ------
    DataError
        If a file is missing or is not AffectNet's.
    UsageError
        If an option has an invalid value.
    """
    chosen = chosen_splits(split, tuple(LISTS), "AffectNet")
    lists = _lists(path)
    if lists is None and not _arrays(path):
        message = f"{path} has neither {_LISTS_FOLDERS[0]} nor val_set/annotations; see `fairfer datasets affectnet`"
        raise DataError(message)
    if lists is None:
        if images is not None:
            message = f"--images {images}: {path} has faces that are cropped already; remove the option"
            raise UsageError(message)
        return _read_arrays(path, split, chosen)
    images = images or FACE
    check_choice("--images", images, (FACE, PICTURE), "AffectNet")
    folder = next((path / f for f in _IMAGE_FOLDERS if (path / f).is_dir()), path / _IMAGE_FOLDERS[0])
    present = [s for s in chosen if (lists / LISTS[s]).is_file()]
    if not present:
        message = (
            f"{lists} has no {LISTS[chosen[0]]}; available: {', '.join(n for n in LISTS.values() if (lists / n).is_file())}"
        )
        raise DataError(message)
    rows = [row for s in present for row in _read_list(lists / LISTS[s], s)]
    return _dataset(path, split, rows, folder, images, [])


def _read_list(path: Path, split: str) -> Iterator[_Row]:
    """Rows of a list; some copies of ``validation.csv`` have no header."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            for cells in reader:
                if cells and cells[0].strip() != COLUMNS[0]:
                    yield _parse(path, reader.line_num, cells, split)
    except (OSError, UnicodeError, csv.Error) as error:
        message = f"{path} cannot be read ({getattr(error, 'strerror', None) or error}); copy the file again from the dataset"
        raise DataError(message) from error


def _parse(path: Path, number: int, cells: list[str], split: str) -> _Row:
    if len(cells) != len(COLUMNS):
        fail(path, number, f"{len(cells)} cells instead of {len(COLUMNS)} ({', '.join(COLUMNS[:5])}, …)")
    row = dict(zip(COLUMNS, (c.strip() for c in cells), strict=True))
    file, code = row[COLUMNS[0]], _code(row["expression"])
    if not file or is_outside(file):
        fail(path, number, f"{file!r} is not a file below the folder of the images")
    if code is None:
        fail(path, number, f"{row['expression']!r} is not an expression from 0 to 10")
    x, y, width, height = (_pixels(path, number, name, row[name]) for name in COLUMNS[1:5])
    box = None if x is None or y is None or width is None or height is None else (x, y, x + width, y + height)
    valence, arousal = (_affect(row[name]) for name in COLUMNS[7:])
    if valence is None or arousal is None:
        fail(path, number, f"valence {row['valence']!r} or arousal {row['arousal']!r} is not a number from -1 to 1 (or -2)")
    return _Row(file, split, code, valence, arousal, box)


def _code(text: str) -> int | None:
    code = whole_number(text)
    return code if code is not None and 0 <= code < len(AFFECTNET) + len(NOT_EXPRESSIONS) else None


def _pixels(path: Path, number: int, name: str, text: str) -> int | None:
    """A coordinate; ``None`` where the list says that there is none."""
    if text.casefold() in _NO_NUMBER:
        return None
    value = whole_number(text)
    if value is None:
        fail(path, number, f"{name} {text!r} is not a whole number of pixels")
    return value


def _affect(text: str) -> float | None:
    """Valence or arousal, NaN where the face has none; ``None`` if the text is not such a number."""
    if text.casefold() in _NO_NUMBER:
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        return None
    if value == _UNKNOWN:
        return float("nan")
    return value if -1 <= value <= 1 else None


def _read_arrays(path: Path, split: str, chosen: tuple[str, ...]) -> Dataset:
    rows, steps = [], []
    for part in chosen:
        folder = path / FOLDERS[part]
        if not (folder / "annotations").is_dir():
            continue
        names = sorted((p.name.removesuffix("_exp.npy") for p in (folder / "annotations").glob("*_exp.npy")), key=_by_number)
        rows += [_read_annotations(folder, name, part) for name in names]
        unlabeled = {p.stem for p in (folder / "images").glob("*.jpg")} - set(names)
        if unlabeled:
            steps.append(Step(f"images of {folder.name} without an annotation", len(unlabeled), unlabeled=True))
    if not rows:
        available = [f for f in FOLDERS.values() if (path / f).is_dir()]
        message = f"{path} has no annotations of split {split}; available: {', '.join(available)}"
        raise DataError(message)
    return _dataset(path, split, rows, path, "cropped", steps)


def _by_number(name: str) -> tuple[int, str]:
    return (int(name) if name.isdecimal() else -1), name


def _read_annotations(folder: Path, name: str, part: str) -> _Row:
    notes = folder / "annotations"
    text = _read_array(notes / f"{name}_exp.npy")
    code = _code(text)
    if code is None:
        message = f"{notes / name}_exp.npy: {text!r} is not an expression from 0 to 10; copy the file again from the dataset"
        raise DataError(message)
    values = []
    for kind in ("val", "aro"):
        file = notes / f"{name}_{kind}.npy"
        value = _affect(_read_array(file)) if file.is_file() else float("nan")
        if value is None:
            message = f"{file}: not a number from -1 to 1 (or -2); copy the file again from the dataset"
            raise DataError(message)
        values.append(value)
    return _Row(f"{folder.name}/images/{name}.jpg", part, code, values[0], values[1])


def _read_array(path: Path) -> str:
    """The one value of an array, as text: AffectNet stores numbers as arrays of text without a dimension."""
    try:
        array = np.load(path, allow_pickle=False)  # a pickle could run code
        value = array.item()
    except (OSError, ValueError, EOFError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = f"{path} is not an array with one value ({reason}); copy the file again from the dataset"
        raise DataError(message) from error
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _dataset(path: Path, split: str, rows: list[_Row], folder: Path, images: str, steps: list[Step]) -> Dataset:
    excluded = Counter(r.code for r in rows if r.code in NOT_EXPRESSIONS)
    kept = [r for r in rows if r.code not in NOT_EXPRESSIONS]
    names, repeated = unique_names([r.file for r in kept])
    files = {name: r.file for name, r in zip(names, kept, strict=True)}
    check_images(folder, files.values(), "AffectNet")
    index = pd.Index(names, name="sample_id", dtype="str")
    samples = pd.DataFrame(
        {"label": [AFFECTNET.labels[r.code] for r in kept], "split": [r.split for r in kept]}, index=index, dtype="str"
    )
    samples["valence"] = np.array([r.valence for r in kept], float)
    samples["arousal"] = np.array([r.arousal for r in kept], float)
    source: Images = FileImages(folder, files)
    if images == FACE:
        source = CroppedImages(folder, files, {name: r.box for name, r in zip(names, kept, strict=True)})
    return Dataset(
        name=f"AffectNet {split}",
        labels=AFFECTNET,
        samples=samples,
        images=source,
        steps=(
            Step(f"annotated faces of split {split}: {len(rows):,}"),
            *steps,
            *(
                Step(f"faces labeled {name} ({code})", excluded[code])
                for code, name in NOT_EXPRESSIONS.items()
                if excluded[code]
            ),
            *([Step(f"rows that repeat an image, kept as NAME#2: {repeated:,}")] if repeated else []),
        ),
        card={"layout": "affectnet", "split": split, "images": images, "source": path.resolve().name},
    )


LOADER = Loader(
    "affectnet", "AffectNet (Manually_Annotated_file_lists/*.csv, or val_set/annotations/*_exp.npy)", _matches, load, CARD
)
