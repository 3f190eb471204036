"""Kaggle's ``fer2013.csv``: one row per face, its 48x48 grey levels as text.

Header ``emotion,pixels,Usage`` (a variant has leading spaces); Usage is Training, PublicTest or PrivateTest. Emotions are
FER2013's numbers: 0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairfer.datasets.dataset import Dataset, Step
from fairfer.datasets.images import PixelImages
from fairfer.datasets.loading import Loader
from fairfer.datasets.table_files import find_column, read_table
from fairfer.errors import DataError, UsageError, did_you_mean
from fairfer.labels import FER2013

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 48
SPLITS = {"train": "Training", "valid": "PublicTest", "test": "PrivateTest"}
"""fairfer's names of the splits and the Usage that FER2013 and FER+ write."""


def usage_of(split: str) -> list[str]:
    """The Usage values of a split's name; ``all`` is every one.

    Raises
    ------
    UsageError
        When there is no such split.
    """
    if split == "all":
        return list(SPLITS.values())
    if split not in SPLITS:
        message = f"--split {split!r} is not one of this data set's; {did_you_mean(split, [*SPLITS, 'all'])}"
        raise UsageError(message)
    return [SPLITS[split]]


def sample_name(row: int) -> str:
    """FER+'s file name of a row of ``fer2013.csv``."""
    return f"fer{row:07d}.png"


def read_pixels(path: Path) -> tuple[pd.DataFrame, NDArray[np.uint8]]:
    """The table without its pixels, and the (n, 48, 48) pictures.

    Raises
    ------
    DataError
        When a column is missing or a row does not hold 2,304 grey levels.
    """
    table = read_table(path)
    pixels = find_column(table, None, ("pixels",), path, "grey levels")
    if pixels is None:
        message = f"{path} has no column 'pixels'; give Kaggle's fer2013.csv (or icml_face_data.csv)"
        raise DataError(message)
    pictures = np.empty((len(table), SIDE * SIDE), np.uint8)
    for row, text in enumerate(table[pixels]):
        try:
            levels = np.array(str(text).split(), dtype=np.int64)
        except (ValueError, OverflowError):
            levels = np.array([], np.int64)
        if len(levels) != SIDE * SIDE or levels.min() < 0 or levels.max() > 255:  # noqa: PLR2004 - a byte
            message = f"{path}, row {row + 2}: not {SIDE * SIDE:,} grey levels from 0 to 255; download the file again"
            raise DataError(message)
        pictures[row] = levels
    return table.drop(columns=pixels), pictures.reshape(-1, SIDE, SIDE)


def _matches(path: Path) -> bool:
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        header = [c.strip() for c in file.readline(200).split(",")]
    return "pixels" in header and "emotion" in header


def load(path: Path, *, split: str = "test") -> Dataset:
    """Read FER2013 with its own labels.

    Parameters
    ----------
    path
        ``fer2013.csv``.
    split
        ``train``, ``valid`` (PublicTest), ``test`` (PrivateTest) or ``all``.
    """
    wanted = usage_of(split)
    table, pictures = read_pixels(path)
    emotion = find_column(table, None, ("emotion",), path, "labels")
    usage = find_column(table, None, ("usage",), path, "splits")
    if emotion is None or usage is None:
        message = f"{path} needs the columns emotion and Usage; give Kaggle's fer2013.csv (or icml_face_data.csv)"
        raise DataError(message)
    codes = pd.to_numeric(table[emotion], errors="coerce")
    strange = table[emotion][~codes.isin(range(len(FER2013)))]
    if len(strange):
        row = int(strange.index[0])
        message = f"{path}, row {row + 2}: emotion {str(strange.iloc[0])!r} is none of FER2013's 0 to 6; mend the table"
        raise DataError(message)
    ids = [sample_name(i) for i in range(len(table))]
    samples = pd.DataFrame(
        {"label": [FER2013.labels[int(c)] for c in codes], "split": table[usage].astype("str").to_numpy()},
        index=pd.Index(ids, name="sample_id", dtype="str"),
    )
    keep = samples["split"].isin(wanted)
    return Dataset(
        name=f"FER2013 {split}",
        labels=FER2013,
        samples=samples[keep],
        images=PixelImages(ids, pictures),
        steps=(Step(f"rows in {path.name} of split {split}: {int(keep.sum()):,}"),),
        card={"layout": "fer2013", "split": split, "labels": "FER2013's own, one a face", "source": path.name},
    )


LOADER = Loader("fer2013", "Kaggle's fer2013.csv (emotion,pixels,Usage)", _matches, load)
