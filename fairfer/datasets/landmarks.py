"""Facial landmarks of a dataset's images, read from a table: 68 points (iBUG) or 478 or 468 points (MediaPipe's face mesh).

Coordinates are pixels of the image, x to the right and y down. Left and right are the image's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from fairfer.datasets.tables import read_table
from fairfer.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

Scheme = Literal[68, 468, 478]
"""Number of points, which names the scheme: 68 of iBUG, 468 of the face mesh, 478 of the mesh with irises."""

SCHEMES: tuple[Scheme, ...] = (68, 468, 478)

NAMES = ("image", "sample_id", "file_name", "filename", "file", "input", "name")
"""Names of the column of images that are tried, in any case."""

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d*)?(?:e[-+]?\d+)?")
"""A number in the text of a list; not the 64 of ``np.float64(1.5)``, which is how NumPy writes one."""

Points = NDArray[np.float64]
"""(points, 2): x and y in pixels."""


@dataclass(frozen=True)
class Landmarks:
    """Landmarks by sample.

    Attributes
    ----------
    scheme
        Number of points.
    points
        (points, 2) by sample id; samples in which no face was found are absent.
    source
        Name of the table, for the report.
    """

    scheme: Scheme
    points: Mapping[str, Points]
    source: str

    def __len__(self) -> int:
        return len(self.points)


def read_landmarks(path: Path, sample_ids: Iterable[str]) -> Landmarks:
    """Read a table of landmarks and join it to samples by name.

    Parameters
    ----------
    path
        CSV, Parquet or JSON Lines, one row per image. Either columns ``x`` and ``y`` with lists of coordinates (empty where no
        face was found), or columns ``x_0``, ``y_0``, ``x_1``, … as py-feat and OpenFace write them.
    sample_ids
        Samples of the dataset. A name in the table is a sample's id, or else the last part of its path.

    Raises
    ------
    DataError
        When a column is missing, the number of points is none of `SCHEMES`, an image is named twice, or no sample has
        landmarks.
    """
    frame = _read(path)
    names = {str(c).casefold(): str(c) for c in reversed(frame.columns)}
    column = next((names[n] for n in NAMES if n in names), None)
    if column is None:
        message = (
            f"{path} has no column that names the image; call it {NAMES[0]!r} (its columns: {', '.join(frame.columns[:8])})"
        )
        raise DataError(message)
    images = frame[column].astype("str")
    if images.duplicated().any():
        message = f"{path} has several rows for {images[images.duplicated()].iloc[0]!r}; keep one face per image"
        raise DataError(message)
    coordinates = _coordinates(frame, path)
    known = dict(zip(images, coordinates, strict=True))
    short = _by_file_name(known)
    if all(p is None for p in known.values()):
        message = f"{path}: no row has coordinates that can be used; give numbers, one list or column each for x and y"
        raise DataError(message)
    points = {}
    for sample_id in sample_ids:
        found = known.get(sample_id, short.get(Path(sample_id).name))
        if found is not None:
            points[sample_id] = found
    if not points:
        example = next(iter(known), "")
        message = (
            f"{path} has landmarks of no image of this dataset (its first image is {example!r}); give the table of this dataset"
        )
        raise DataError(message)
    scheme = {len(p) for p in points.values()}
    if len(scheme) != 1 or not scheme <= set(SCHEMES):
        message = (
            f"{path} has {' and '.join(map(str, sorted(scheme)))} points per face; 68 (iBUG), 468 or 478 (face mesh) are known"
        )
        raise DataError(message)
    return Landmarks(next(s for s in SCHEMES if s in scheme), points, path.name)


def _read(path: Path) -> pd.DataFrame:
    if path.suffix.casefold() != ".parquet":
        return read_table(path).frame
    try:
        return pd.read_parquet(path)  # `read_table` refuses lists
    except (OSError, ValueError, pa.ArrowException) as error:
        message = f"{path} cannot be read ({' '.join(str(error).split())[:200]}); give a table of landmarks"
        raise DataError(message) from error


def _by_file_name(known: Mapping[str, Points | None]) -> dict[str, Points | None]:
    """Rows by the last part of their name, of those whose last part is unique."""
    names = pd.Series([Path(n).name for n in known])
    unique = set(names[~names.duplicated(keep=False)])
    return {Path(n).name: p for n, p in known.items() if Path(n).name in unique}


def _coordinates(frame: pd.DataFrame, path: Path) -> list[Points | None]:
    columns = {str(c).strip().casefold(): str(c) for c in frame.columns}
    if {"x", "y"} <= columns.keys():
        rows = zip(frame[columns["x"]], frame[columns["y"]], strict=True)
        return [_point_lists(x, y, path) for x, y in rows]
    numbers = sorted(int(m[1]) for c in columns if (m := re.fullmatch(r"x_(\d+)", c)))
    if not numbers or not all(f"y_{i}" in columns for i in numbers):
        advice = did_you_mean("x", columns)
        message = f"{path} has no landmarks: it needs columns x and y with lists, or x_0, y_0, x_1, …; {advice}"
        raise DataError(message)
    stacked = [frame[[columns[f"{axis}_{i}"] for i in numbers]].apply(pd.to_numeric, errors="coerce") for axis in "xy"]
    points = np.stack([s.to_numpy(float) for s in stacked], axis=2)
    return [p if np.isfinite(p).all() else None for p in points]


def _point_lists(x: object, y: object, path: Path) -> Points | None:
    if isinstance(x, str) and isinstance(y, str):
        lists = [[float(n) for n in _NUMBER.findall(text)] for text in (x, y)]
    elif isinstance(x, (list, tuple, np.ndarray)) and isinstance(y, (list, tuple, np.ndarray)):
        lists = [[float(n) for n in x], [float(n) for n in y]]
    else:
        return None
    if len(lists[0]) != len(lists[1]):
        message = f"{path} has a row with {len(lists[0])} x and {len(lists[1])} y coordinates; write as many of each"
        raise DataError(message)
    points = np.array(lists, float).T
    return points if len(points) and np.isfinite(points).all() else None
