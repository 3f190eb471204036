"""What the loaders of public datasets share: label files read by line, splits, names of samples, annotated attributes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NoReturn

import pandas as pd

from fairfer.datasets.attributes import Attribute
from fairfer.errors import DataError, UsageError, did_you_mean
from fairfer.vocabulary import UNANNOTATED

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm"})
"""Suffixes of images, in lower case."""
METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
"""Files in which users label a folder themselves; they take precedence over names that a public dataset gave."""
_LOOKED_AT = 200


def fail(path: Path, line: int, problem: str, advice: str = "copy the file again from the dataset") -> NoReturn:
    """Refuse a line of a label file.

    Raises
    ------
    DataError
        Always.
    """
    message = f"{path}, line {line}: {problem}; {advice}"
    raise DataError(message)


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a text file that are not empty, without space around them, with their number from 1.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if text := line.strip():
                    yield number, text
    except (OSError, UnicodeError) as error:
        message = f"{path} cannot be read ({getattr(error, 'strerror', None) or error}); copy the file again from the dataset"
        raise DataError(message) from error


def whole_number(text: str) -> int | None:
    """The whole number that a text denotes, also as ``3.0`` or ``3.0000000e+00``; ``None`` if it denotes none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if value.is_integer() else None


def chosen_splits(split: str, available: Sequence[str], name: str) -> tuple[str, ...]:
    """The splits that ``--split`` names: one, or every one with ``all``.

    Raises
    ------
    UsageError
        If the dataset has no such split.
    """
    if split == "all":
        return tuple(available)
    if split not in available:
        message = f"--split {split!r} is not a split of {name}; {did_you_mean(split, [*available, 'all'])}"
        raise UsageError(message)
    return (split,)


def check_choice(option: str, value: str, choices: Iterable[str], name: str) -> None:
    """Refuse a value that an option does not have.

    Raises
    ------
    UsageError
        If `value` is not one of `choices`.
    """
    choices = tuple(choices)
    if value not in choices:
        message = f"{option} {value!r} is not available for {name}; {did_you_mean(value, choices)}"
        raise UsageError(message)


def unique_names(names: Sequence[str]) -> tuple[list[str], int]:
    """Rename repeated names: the second occurrence becomes ``NAME#2``; also the number of names that were renamed."""
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return unique, len(names) - len(seen)


def is_outside(name: str) -> bool:
    """Whether a relative path from a label file leads out of its folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts


def check_images(folder: Path, files: Iterable[str], name: str) -> None:
    """Refuse a dataset of which no image exists. If some exist, each missing one becomes a row with the status ``unreadable``.

    Raises
    ------
    DataError
        If none of `files` is below `folder`.
    """
    first = ""
    for file in files:
        if (folder / file).is_file():
            return
        first = first or file
    if first:
        message = f"{folder} has none of the images of {name} (the first: {first}); extract the images into this folder"
        raise DataError(message)


def annotated(
    name: str, values: Mapping[str, str | None], levels: Sequence[str], by: str, note: str
) -> tuple[pd.Series, Attribute]:
    """Make an attribute that people annotated.

    Parameters
    ----------
    name
        Name of the attribute.
    values
        Its level by sample id; ``None`` where it is unknown.
    levels
        All levels that the dataset defines, in display order.
    by, note
        See `Attribute`.

    Returns
    -------
    values, attribute
        The column, with `UNANNOTATED` for unknown, and the attribute with those levels that occur.
    """
    column = pd.Series({i: v or UNANNOTATED for i, v in values.items()}, name=name, dtype="str")
    present = set(column)
    kept = tuple(level for level in (*levels, UNANNOTATED) if level in present)
    return column, Attribute(name, kept, "annotated", by, note)


def has_metadata(folder: Path) -> bool:
    """Whether the user has labeled this folder with a metadata file."""
    return any(e.name in METADATA for e in _entries(folder))


def subfolders(folder: Path) -> list[Path]:
    """Folders in a folder, by name; none if it cannot be read. Hidden ones are left out."""
    return [Path(e.path) for e in _entries(folder) if e.is_dir() and not e.name.startswith(".")]


def first_names(folder: Path) -> list[str]:
    """Names of the first files of a folder: enough to recognize a layout."""
    return [e.name for e in _entries(folder)[:_LOOKED_AT] if e.is_file()]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda e: e.name)
    except (OSError, ValueError):
        return []
