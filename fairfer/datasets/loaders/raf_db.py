"""RAF-DB in its official layout, with the gender, race and age that its annotators noted; and its copy on Kaggle.

::

    ROOT/basic/EmoLabel/list_patition_label.txt            train_00001.jpg 5
    ROOT/basic/Image/aligned/train_00001_aligned.jpg
    ROOT/basic/Image/original/train_00001.jpg
    ROOT/basic/Annotation/manual/train_00001_manu_attri.txt
    ROOT/compound/…                                        the same with compound labels

The misspelled name of the list is the official one. ROOT may also be ``basic`` or ``compound`` itself. Kaggle's copy
(``DATASET/train/1/train_00001_aligned.jpg`` with ``train_labels.csv``) has no attributes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from fairfer.datasets.cards import DatasetCard
from fairfer.datasets.dataset import Dataset, Step
from fairfer.datasets.images import FileImages
from fairfer.datasets.layout_files import (
    PICTURES,
    annotated,
    check_choice,
    check_images,
    chosen_splits,
    fail,
    first_names,
    has_metadata,
    read_lines,
    subfolders,
    whole_number,
)
from fairfer.datasets.loaders import Loader
from fairfer.datasets.tables import find_column, read_table
from fairfer.errors import DataError, UsageError
from fairfer.labels import LabelSpace

if TYPE_CHECKING:
    from fairfer.datasets.attributes import Attribute

BASIC = LabelSpace.of("RAF-DB 7", ("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral"))
"""Codes 1 to 7."""
COMPOUND = LabelSpace.of(
    "RAF-DB compound 11",
    (
        "happily surprised",
        "happily disgusted",
        "sadly fearful",
        "sadly angry",
        "sadly surprised",
        "sadly disgusted",
        "fearfully angry",
        "fearfully surprised",
        "angrily surprised",
        "angrily disgusted",
        "disgustedly surprised",
    ),
)
"""Codes 1 to 11."""
SPACES = {"basic": BASIC, "compound": COMPOUND}
SPLITS = ("train", "test")
LISTS = ("list_patition_label.txt", "list_partition_label.txt")
IMAGES = {"aligned": "{}_aligned.jpg", "original": "{}.jpg"}

ATTRIBUTES: Mapping[str, tuple[str | None, ...]] = {
    "gender": ("male", "female", None),
    "race": ("Caucasian", "African-American", "Asian"),
    "age": ("0-3", "4-19", "20-39", "40-69", "70+"),
}
"""Levels by code, in the order of the last three lines of an attribute file. ``None``: the annotators were unsure."""
_LANDMARKS = 5
_NAME = re.compile(r"((train|test)_\d+)(_aligned)?\.jpg")
_NOTE = "as it appeared to annotators in the picture; not what people say about themselves"
_BY = "RAF-DB's annotators (Annotation/manual)"

CARD = DatasetCard(
    title="RAF-DB",
    content=(
        "15,339 faces from the web with one of seven basic expressions (12,271 train, 3,068 test), and 3,954 with one of "
        "eleven compound expressions; about 40 annotators per face"
    ),
    license="by agreement",
    permitted_use="Non-commercial research; images must not be passed on.",
    obtain="Write to the authors from an address of your university, as their page describes; they send a password.",
    url="http://www.whdeng.cn/RAF/model1.html",
    citation=(
        "Li, Deng, Du: Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression Recognition in the Wild. "
        "CVPR 2017."
    ),
    people="gender, race (three groups) and age (five bands), annotated from the pictures; identities are unknown",
)


def _list(folder: Path) -> Path | None:
    """The list of labels of one part."""
    return next((p / n for p in (folder / "EmoLabel", folder) for n in LISTS if (p / n).is_file()), None)


def _kaggle(path: Path) -> Path | None:
    """The folder with ``train`` and ``test`` of Kaggle's copy."""
    for folder in (path / "DATASET", path):
        for split in SPLITS:
            classes = subfolders(folder / split)
            if (
                classes
                and {c.name for c in classes} <= set("1234567")
                and any(_NAME.fullmatch(n) for c in classes for n in first_names(c))
            ):
                return folder
    return None


def _matches(path: Path) -> bool:
    if not path.is_dir() or has_metadata(path):
        return False
    return any(_list(p) is not None for p in (path, path / "basic", path / "compound")) or _kaggle(path) is not None


def load(path: Path, *, split: str = "test", images: str = "aligned", labels: str | None = None) -> Dataset:
    """Read RAF-DB.

    Parameters
    ----------
    path
        The folder with ``basic`` and ``compound``, or one of these; or Kaggle's copy.
    split
        ``train``, ``test`` or ``all``.
    images
        ``aligned`` (100 x 100 faces, which most models were trained on) or ``original``.
    labels
        ``basic`` (seven expressions) or ``compound`` (eleven); by default those of the folder, basic if it has both.

    Raises
    ------
    DataError
        If a file is missing or is not RAF-DB's.
    UsageError
        If an option has an invalid value.
    """
    chosen = chosen_splits(split, SPLITS, "RAF-DB")
    check_choice("--images", images, IMAGES, "RAF-DB")
    if labels is not None:
        check_choice("--labels", labels, SPACES, "RAF-DB")
    kind, home = _home(path, labels)
    list_file = _list(home)
    if list_file is None:
        kaggle = _kaggle(path)
        if kaggle is None:
            message = (
                f"{path} has no EmoLabel/{LISTS[0]} with {kind} labels; see `fairfer datasets raf-db` for how to obtain it"
            )
            raise DataError(message)
        if images != "aligned" or kind != "basic":
            message = f"{path} is Kaggle's copy of RAF-DB, which has only aligned images and basic labels; remove the option"
            raise UsageError(message)
        return _read_kaggle(kaggle, path, split, chosen)
    space = SPACES[kind]
    rows = [row for row in _read_list(list_file, space) if row.split in chosen]
    folder = next((p for p in (home / "Image" / images, home / images) if p.is_dir()), home / "Image" / images)
    files = {row.name: IMAGES[images].format(row.stem) for row in rows}
    check_images(folder, files.values(), "RAF-DB")
    samples = pd.DataFrame(
        {"label": [r.label for r in rows], "split": [r.split for r in rows]},
        index=pd.Index([r.name for r in rows], name="sample_id", dtype="str"),
        dtype="str",
    )
    columns, attributes, steps = _read_attributes(home / "Annotation" / "manual", rows)
    return Dataset(
        name=f"RAF-DB {split}" if kind == "basic" else f"RAF-DB compound {split}",
        labels=space,
        samples=samples.join(columns),
        attributes=attributes,
        images=FileImages(folder, files),
        steps=(Step(f"rows in {list_file.name} of split {split}: {len(rows):,}"), *steps),
        card={"layout": "raf-db", "split": split, "labels": kind, "images": images, "source": home.resolve().name},
    )


def _home(path: Path, labels: str | None) -> tuple[str, Path]:
    """The labels that are read, and the folder that has them."""
    if _list(path) is not None:
        name = path.resolve().name.casefold()
        own = name if name in SPACES else None
        if labels and own and labels != own:
            message = f"--labels {labels}: {path} has the {own} labels; give the folder {labels}, or remove the option"
            raise UsageError(message)
        return (labels or own or "basic"), path
    for kind in [labels] if labels else SPACES:
        if _list(path / kind) is not None:
            return kind, path / kind
    return labels or "basic", path


@dataclass(frozen=True)
class _Row:
    """A line of the list: name, name without suffix, split and label."""

    name: str
    stem: str
    split: str
    label: str


def _read_list(path: Path, space: LabelSpace) -> list[_Row]:
    rows: dict[str, _Row] = {}
    for number, line in read_lines(path):
        name, _, code = line.partition(" ")
        match = _NAME.fullmatch(name)
        if match is None or not code.strip():
            fail(path, number, f"{line!r} is not a name and a code such as 'train_00001.jpg 5'")
        if name in rows:
            fail(path, number, f"{name} occurs a second time")
        rows[name] = _Row(name, match[1], match[2], _label(path, number, code.strip(), space))
    return list(rows.values())


def _label(path: Path, number: int, text: str, space: LabelSpace) -> str:
    code = whole_number(text)
    if code is None or not 1 <= code <= len(space):
        advice = "if these are compound labels, add --labels compound" if space is BASIC else "copy the file again"
        fail(path, number, f"{text!r} is not a code from 1 to {len(space)} of {space.name}", advice)
    return space.labels[code - 1]


def _read_attributes(folder: Path, rows: list[_Row]) -> tuple[pd.DataFrame, tuple[Attribute, ...], tuple[Step, ...]]:
    index = pd.Index([r.name for r in rows], dtype="str")
    if not folder.is_dir():
        remark = Step("there is no folder Annotation/manual, so that gender, race and age are unknown")
        return pd.DataFrame(index=index), (), (remark,)
    notes = {row.name: _read_attribute_file(folder / f"{row.stem}_manu_attri.txt") for row in rows}
    missing = sum(note is None for note in notes.values())
    made = []
    for i, (name, levels) in enumerate(ATTRIBUTES.items()):
        values = {n: None if note is None else levels[note[i]] for n, note in notes.items()}
        made.append(annotated(name, values, [level for level in levels if level], _BY, _NOTE))
    remarks = [Step(f"faces without a file in Annotation/manual, whose attributes are unknown: {missing:,}")] if missing else []
    unsure = sum(note is not None and ATTRIBUTES["gender"][note[0]] is None for note in notes.values())
    if unsure:
        remarks.append(Step(f"faces of whose gender the annotators were unsure (unannotated): {unsure:,}"))
    columns = pd.concat([column for column, _ in made], axis=1) if rows else pd.DataFrame(index=index)
    return columns, tuple(a for _, a in made), tuple(remarks)


def _read_attribute_file(path: Path) -> tuple[int, ...] | None:
    """The codes of one face; ``None`` if it has no file."""
    if not path.is_file():
        return None
    lines = list(read_lines(path))
    if len(lines) != _LANDMARKS + len(ATTRIBUTES):
        last = lines[-1][0] if lines else 1
        fail(path, last, f"{len(lines)} lines instead of five landmarks, gender, race and age")
    codes = []
    for (name, levels), (number, text) in zip(ATTRIBUTES.items(), lines[_LANDMARKS:], strict=True):
        code = whole_number(text)
        if code is None or not 0 <= code < len(levels):
            fail(path, number, f"{text!r} is not a code of {name} from 0 to {len(levels) - 1}")
        codes.append(code)
    return tuple(codes)


def _read_kaggle(folder: Path, root: Path, split: str, chosen: tuple[str, ...]) -> Dataset:
    labels: dict[str, str] = {}
    unlisted = 0
    for part in (s for s in chosen if (folder / s).is_dir()):
        pictures = {
            f"{part}/{c.name}/{name}": c.name
            for c in subfolders(folder / part)
            for name in sorted(p.name for p in c.iterdir() if p.suffix.lower() in PICTURES)
        }
        table = next(
            (p / f"{part}_labels.csv" for p in (root, folder, folder.parent) if (p / f"{part}_labels.csv").is_file()), None
        )
        listed = pictures if table is None else _read_kaggle_table(table, part)
        unlisted += len(pictures.keys() - listed.keys())
        labels |= listed
    outside = [n for n, code in labels.items() if code not in set("1234567")]
    if outside:
        message = f"{folder}: {outside[0]} is not below a folder 1 to 7; copy the folder again"
        raise DataError(message)
    if not labels:
        message = f"{folder} has no images of split {split}; check --split"
        raise DataError(message)
    check_images(folder, labels, "RAF-DB")
    index = pd.Index(list(labels), name="sample_id", dtype="str")
    codes = list(labels.values())
    return Dataset(
        name=f"RAF-DB {split}",
        labels=BASIC,
        samples=pd.DataFrame(
            {"label": [BASIC.labels[int(c) - 1] for c in codes], "split": [n.partition("/")[0] for n in labels]},
            index=index,
            dtype="str",
        ),
        images=FileImages(folder, {n: n for n in labels}),
        steps=(
            Step(f"images of split {split} in Kaggle's copy: {len(labels) + unlisted:,}"),
            *([Step("images that the label file does not list", unlisted, unlabeled=True)] if unlisted else []),
            Step("Kaggle's copy has no gender, race and age"),
        ),
        card={"layout": "raf-db", "split": split, "labels": "basic", "images": "aligned", "source": root.resolve().name},
    )


def _read_kaggle_table(path: Path, part: str) -> dict[str, str]:
    """Codes by path below the folder of the splits."""
    table = read_table(path, text=("image", "image_name", "label"))
    image = find_column(table, None, ("image", "image_name"), "the images")
    label = find_column(table, None, ("label",), "the labels")
    if image is None or label is None:
        message = f"{path} needs the columns image and label; copy the file again"
        raise DataError(message)
    labels: dict[str, str] = {}
    for i, (name, text) in enumerate(zip(table.frame[image], table.frame[label], strict=True)):
        code = whole_number(str(text))
        if not _NAME.fullmatch(str(name)) or code is None or not 1 <= code <= len(BASIC):
            fail(path, table.row(i), f"{name!r}, {text!r} is not the name of an image and a code from 1 to 7")
        labels[f"{part}/{code}/{name}"] = str(code)
    return labels


def _sizes(path: Path) -> dict[str, int]:
    """Rows of the list, which is short; of Kaggle's copy the files."""
    kind, home = _home(path, None)
    list_file = _list(home)
    if list_file is not None:
        parts = [row.split for row in _read_list(list_file, SPACES[kind])]
        return {s: parts.count(s) for s in SPLITS}
    folder = _kaggle(path) or path
    return {s: sum(sum(1 for _ in c.iterdir()) for c in subfolders(folder / s)) for s in SPLITS}


LOADER = Loader(
    "raf-db",
    "RAF-DB (EmoLabel/list_patition_label.txt, Image/, Annotation/), or Kaggle's copy of it",
    _matches,
    load,
    CARD,
    _sizes,
)
