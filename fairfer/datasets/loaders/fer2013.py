"""Kaggle's ``fer2013.csv``: one row per face, with its 48x48 gray levels as text.

The header is ``emotion,pixels,Usage`` (one version has leading spaces). Usage is Training, PublicTest or PrivateTest.
Emotions are FER2013's codes: 0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairfer.datasets.dataset import Dataset, Step
from fairfer.datasets.images import PixelImages
from fairfer.datasets.loaders import Loader
from fairfer.datasets.tables import find_column, read_table
from fairfer.errors import DataError, UsageError, did_you_mean
from fairfer.labels import FER2013

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 48
_WHITE = 255
SPLITS = {"train": "Training", "valid": "PublicTest", "test": "PrivateTest"}
"""Names of the splits in fairfer, and their Usage in FER2013 and FER+."""


def usage_of(split: str) -> list[str]:
    """Return the Usage values of a split; ``all`` has every one.

    Raises
    ------
    UsageError
        If there is no such split.
    """
    if split == "all":
        return list(SPLITS.values())
    if split not in SPLITS:
        message = f"--split {split!r} does not exist in this dataset; {did_you_mean(split, [*SPLITS, 'all'])}"
        raise UsageError(message)
    return [SPLITS[split]]


def sample_name(row: int) -> str:
    """Return the file name that FER+ gives to a row of ``fer2013.csv``."""
    return f"fer{row:07d}.png"


def read_pixels(path: Path) -> tuple[pd.DataFrame, NDArray[np.uint8]]:
    """Read the table without its pixels, and the (n, 48, 48) images.

    Raises
    ------
    DataError
        If a column is missing or a row does not have 2,304 gray levels.
    """
    table = read_table(path)
    pixels = find_column(table, None, ("pixels",), "gray levels")
    if pixels is None:
        message = f"{path} has no column 'pixels'; give Kaggle's fer2013.csv (or icml_face_data.csv)"
        raise DataError(message)
    stack = np.empty((len(table.frame), SIDE * SIDE), np.uint8)
    for row, text in enumerate(table.frame[pixels]):
        try:
            levels = np.array(str(text).split(), dtype=np.int64)
        except (ValueError, OverflowError):
            levels = np.array([], np.int64)
        if len(levels) != SIDE * SIDE or levels.min() < 0 or levels.max() > _WHITE:
            message = (
                f"{path}, row {table.row(row)}: not {SIDE * SIDE:,} gray levels from 0 to {_WHITE}; download the file again"
            )
            raise DataError(message)
        stack[row] = levels
    return table.frame.drop(columns=pixels), stack.reshape(-1, SIDE, SIDE)


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

    Raises
    ------
    DataError
        If the file is not FER2013's.
    UsageError
        If there is no such split.
    """
    usages = usage_of(split)
    frame, stack = read_pixels(path)
    columns = {str(c).casefold(): str(c) for c in frame.columns}
    if not {"emotion", "usage"} <= set(columns):
        message = f"{path} needs the columns emotion and Usage; give Kaggle's fer2013.csv (or icml_face_data.csv)"
        raise DataError(message)
    emotion, usage = columns["emotion"], columns["usage"]
    codes = pd.to_numeric(frame[emotion], errors="coerce")
    invalid = frame[emotion][~codes.isin(range(len(FER2013)))]
    if len(invalid):
        row = int(invalid.index[0]) + 2
        message = f"{path}, row {row}: emotion {str(invalid.iloc[0])!r} is not a code from 0 to 6; download the file again"
        raise DataError(message)
    ids = [sample_name(i) for i in range(len(frame))]
    samples = pd.DataFrame(
        {"label": [FER2013.labels[int(c)] for c in codes], "split": frame[usage].astype("str").to_numpy()},
        index=pd.Index(ids, name="sample_id", dtype="str"),
    )
    keep = samples["split"].isin(usages)
    return Dataset(
        name=f"FER2013 {split}",
        labels=FER2013,
        samples=samples[keep],
        images=PixelImages(ids, stack),
        steps=(Step(f"rows in {path.name} of split {split}: {int(keep.sum()):,}"),),
        card={"layout": "fer2013", "split": split, "labels": "FER2013's own, one per face", "source": path.name},
    )


LOADER = Loader("fer2013", "Kaggle's fer2013.csv (emotion,pixels,Usage)", _matches, load)
