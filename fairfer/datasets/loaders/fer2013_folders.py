"""FER2013 as images in folders, as a copy on Kaggle has it; the loader ``fer2013`` reads both this layout and the table.

::

    ROOT/train/angry/Training_10118481.jpg
    ROOT/test/angry/PrivateTest_10131363.jpg, PublicTest_10011.jpg

The folder ``test`` mixes the official validation set (PublicTest) with the official test set (PrivateTest). The names of the
images tell them apart, so that ``--split test`` is the official one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fairfer.datasets.layout_files import PICTURES, first_names, has_metadata, subfolders
from fairfer.errors import DataError
from fairfer.labels import FER2013

PARTS = ("train", "test")
_NAME = re.compile(r"(Training|PublicTest|PrivateTest)_\d+\.(?:jpe?g|png)")


@dataclass(frozen=True)
class FolderRow:
    """An image: its path below the folder, its label and its official usage."""

    file: str
    label: str
    usage: str


def is_folder_layout(path: Path) -> bool:
    """Whether a folder has FER2013's label folders below ``train`` or ``test``, with images that are named by usage."""
    if has_metadata(path):
        return False
    for part in PARTS:
        classes = subfolders(path / part)
        if {c.name for c in classes} == set(FER2013.spellings):
            return any(_NAME.fullmatch(name) for c in classes for name in first_names(c))
    return False


def read_folders(path: Path) -> Iterator[FolderRow]:
    """Every image, by folder and name.

    Raises
    ------
    DataError
        If a folder is not a label of FER2013, or a name does not state the usage of the image.
    """
    for part in PARTS:
        for label in subfolders(path / part):
            if label.name not in FER2013.spellings:
                message = f"{label} is not a label of FER2013 ({', '.join(FER2013.spellings)}); rename or remove the folder"
                raise DataError(message)
            for file in sorted(p.name for p in label.iterdir() if p.suffix.lower() in PICTURES):
                match = _NAME.fullmatch(file)
                if match is None:
                    message = (
                        f"{label / file} is not named by its usage, such as PrivateTest_10131363.jpg, so its split is unknown; "
                        "read the folder with --loader folder"
                    )
                    raise DataError(message)
                yield FolderRow(f"{part}/{label.name}/{file}", FER2013.canonical(label.name), match[1])
