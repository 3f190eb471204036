"""Kaggle's ``fer2013.csv``: one row per face, with its 48x48 gray levels as text.

The header is ``emotion,pixels,Usage`` (one version has leading spaces). Usage is Training, PublicTest or PrivateTest.
Emotions are FER2013's codes: 0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairfer.datasets.cards import DatasetCard
from fairfer.datasets.dataset import Dataset, Step
from fairfer.datasets.duplicates import OtherImages, check_duplicates
from fairfer.datasets.images import FileImages, Images, PixelImages
from fairfer.datasets.loaders import Loader
from fairfer.datasets.loaders.fer2013_folders import is_folder_layout, read_folders
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
    if path.is_dir():
        return is_folder_layout(path) or _table_in(path) is not None
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = [c.strip() for c in file.readline(200).split(",")]
    return "pixels" in header and "emotion" in header


def _table_in(folder: Path) -> Path | None:
    """Kaggle's table in the folder of its archive; FER+'s folder, in which users put the table too, is read as FER+."""
    table = folder / "fer2013.csv"
    is_ferplus = (folder / "fer2013new.csv").exists() or (folder / "data").exists()
    return table if table.is_file() and not is_ferplus else None


def load(path: Path, *, split: str = "test", dedupe: bool = False) -> Dataset:
    """Read FER2013 with its own labels.

    Parameters
    ----------
    path
        ``fer2013.csv`` or its folder, or the folder with ``train`` and ``test`` of Kaggle's copy as images.
    split
        ``train``, ``valid`` (PublicTest), ``test`` (PrivateTest) or ``all``.
    dedupe
        Exclude exact duplicates, also those of images in other splits.

    Raises
    ------
    DataError
        If the file or folder is not FER2013's.
    UsageError
        If there is no such split.
    """
    usages = usage_of(split)
    path = _table_in(path) or path
    samples, source = _read_folder(path) if path.is_dir() else _read_table(path)
    keep = samples["split"].isin(usages)
    dataset = Dataset(
        name=f"FER2013 {split}",
        labels=FER2013,
        samples=samples[keep],
        images=source,
        steps=(
            Step(f"{'images' if path.is_dir() else 'rows'} in {path.resolve().name} of split {split}: {int(keep.sum()):,}"),
        ),
        card={"layout": "fer2013", "split": split, "labels": "FER2013's own, one per face", "source": path.resolve().name},
    )
    if not dedupe:  # finding duplicates decodes every image
        return dataset
    others = [str(i) for i in samples.index[~keep]]
    elsewhere = OtherImages(source, others, ", ".join(s for s, usage in SPLITS.items() if usage not in usages))
    return check_duplicates(dataset, elsewhere if others else None, dedupe=True)


def _read_folder(path: Path) -> tuple[pd.DataFrame, Images]:
    rows = list(read_folders(path))
    if not rows:
        message = f"{path} has neither fer2013.csv nor images below train/angry, test/angry, …; see `fairfer datasets fer2013`"
        raise DataError(message)
    index = pd.Index([r.file for r in rows], name="sample_id", dtype="str")
    samples = pd.DataFrame({"label": [r.label for r in rows], "split": [r.usage for r in rows]}, index=index, dtype="str")
    return samples, FileImages(path, {r.file: r.file for r in rows})


def _read_table(path: Path) -> tuple[pd.DataFrame, Images]:
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
    return samples, PixelImages(ids, stack)


CARD = DatasetCard(
    title="FER2013",
    content="35,887 faces of 48 x 48 gray pixels from web searches, with one of seven labels; many labels are wrong",
    license="none stated",
    permitted_use="The authors state no license; the faces come from a web search.",
    obtain="Download fer2013.csv, or a copy as folders of images, from Kaggle after accepting its terms.",
    url="https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge",
    citation=(
        "Goodfellow et al.: Challenges in Representation Learning: A Report on Three Machine Learning Contests. ICONIP 2013."
    ),
    people="no attributes; identities are unknown",
)

LOADER = Loader(
    "fer2013", "Kaggle's fer2013.csv (emotion,pixels,Usage), or its copy as folders of images", _matches, load, CARD
)
