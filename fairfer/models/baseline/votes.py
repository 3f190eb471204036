"""FER+'s images and votes, as training data for the bundled model."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from fairfer.datasets.loaders.ferplus import majority
from fairfer.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

EMOTIONS = 8
"""Output classes of the bundled model: FER+'s emotions without its classes ``unknown`` and ``not a face``."""

SIDE = 48
"""Height and width of an image."""


def read_split(root: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int_]]:
    """(n, 48, 48) uint8 images and (n, 10) integer votes of one official FER+ split."""
    folder = root / "data" / f"FER2013{split}"
    try:
        with (folder / "label.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        images = np.stack([_read_image(folder / row[0]) for row in rows])
        return images, np.array([[int(v) for v in row[2:12]] for row in rows])
    except OSError as error:
        message = (
            f"{error.filename or folder} cannot be read ({error.strerror or error}); give the official FER+ folder (--data)"
        )
        raise DataError(message) from error
    except (ValueError, IndexError) as error:
        message = f"{folder}: label.csv or its images are not those of FER+ ({error}); give the official FER+ folder (--data)"
        raise DataError(message) from error


def _read_image(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


def vote_targets(votes: NDArray[np.int_]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The training target of each face, and whether it has one.

    An emotion with a single vote is dropped as an outlier (the FER+ rule). A face is usable when at least half of the remaining
    votes are for one of the eight emotions. The target is the distribution of these votes.

    Parameters
    ----------
    votes
        (n, 10) votes.

    Returns
    -------
    targets, usable
        (n, 8) shares that sum to 1 where there are votes, and (n,) booleans.

    Examples
    --------
    >>> targets, usable = vote_targets(np.array([[6, 2, 1, 0, 0, 0, 0, 0, 1, 0], [2, 0, 0, 0, 0, 0, 0, 0, 8, 0]]))
    >>> targets[0, :2].tolist(), usable.tolist()
    ([0.75, 0.25], [True, False])
    """
    kept = np.where(votes <= 1, 0, votes)
    emotion, everything = kept[:, :EMOTIONS].sum(1), kept.sum(1)
    usable = (emotion > 0) & (2 * emotion >= everything)
    return kept[:, :EMOTIONS] / np.maximum(emotion, 1)[:, None], usable


def official_majority(votes: NDArray[np.int_]) -> NDArray[np.int_]:
    """FER+'s official majority label of each row; 8 where it is unknown or not a face."""
    weights = majority(votes)
    winner = weights.argmax(1)
    return np.where((weights.sum(1) > 0) & (winner < EMOTIONS), winner, EMOTIONS)
