"""Answers of a model to covered images, for methods that need nothing but answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fairfer.models.boundary import CheckedModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.models.differentiable import Frames
    from fairfer.models.model import Model

FILLS = ("mean", "blur", "black")
"""What covers a part of an image: its mean color, the blurred image, or black."""

BLUR = 0.1
"""Standard deviation of the blur, as a share of the shorter side of the image."""


class Asked:
    """A model that is asked for the score of one label.

    Parameters
    ----------
    model
        The model. Its answers are checked.
    """

    def __init__(self, model: Model) -> None:
        self._model = CheckedModel(model)
        self.labels = len(self._model.declared.labels)
        self.batch_size = self._model.declared.batch_size

    def scores(self, images: Iterable[NDArray[np.uint8]], targets: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float64]:
        """The score of one label per image, NaN where the model has no answer; as many images at a time as the model takes.

        Raises
        ------
        ModelError
            When the model breaks its contract.
        """
        scores = np.full(len(targets), np.nan)
        batch: list[NDArray[np.uint8]] = []
        start = 0
        for image in images:
            batch.append(image)
            if len(batch) == self.batch_size:
                self._fill(scores, start, batch, targets)
                start, batch = start + len(batch), []
        if batch:
            self._fill(scores, start, batch, targets)
        return scores

    def _fill(
        self,
        scores: NDArray[np.float64],
        start: int,
        batch: list[NDArray[np.uint8]],
        targets: Sequence[int] | NDArray[np.int64],
    ) -> None:
        rows = range(start, start + len(batch))
        answers = self._model.predict(batch, [f"changed {i}" for i in rows])
        for i, row in enumerate(rows):
            if i not in answers.statuses:
                scores[row] = answers.scores[i, targets[row]]


def filled(image: NDArray[np.uint8], fill: str) -> NDArray[np.uint8]:
    """The (height, width, 3) image that shows where a part of an image is covered.

    Parameters
    ----------
    image
        (height, width, 3).
    fill
        One of `FILLS`.
    """
    if fill == "black":
        return np.zeros_like(image)
    if fill == "mean":
        return np.broadcast_to(np.rint(image.mean((0, 1))).astype(np.uint8), image.shape)
    from PIL import Image, ImageFilter

    radius = BLUR * min(image.shape[:2])
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).filter(ImageFilter.GaussianBlur(radius)))


def enlarged(grid: NDArray[np.floating], shape: tuple[int, ...]) -> NDArray[np.floating]:
    """A (rows, columns) grid over an image as (height, width), each pixel with the value of its cell."""
    rows = np.arange(shape[0]) * grid.shape[0] // shape[0]
    columns = np.arange(shape[1]) * grid.shape[1] // shape[1]
    cells: NDArray[np.floating] = grid[rows][:, columns]
    return cells


def blended(
    image: NDArray[np.uint8], cover: NDArray[np.uint8], visible: NDArray[np.floating] | NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """The image where `visible`, (height, width) from 0 to 1, is 1, and the cover where it is 0."""
    share = np.asarray(visible, np.float32)[..., None]
    return np.rint(image * share + cover * (1 - share)).astype(np.uint8)


def whole_frames(images: Sequence[NDArray[np.uint8]]) -> Frames:
    """Frames of maps that cover each image as a whole."""
    return np.array([(0.0, 0.0, image.shape[1], image.shape[0]) for image in images])
