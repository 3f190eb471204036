"""RISE (Petsiuk et al. 2018): how the score of a label goes with what random masks leave visible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fairfer.explanations.attribution import Maps, check_targets
from fairfer.explanations.methods.black_box import FILLS, Asked, blended, enlarged, filled, whole_frames
from fairfer.explanations.methods.options import choice, number, whole_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.models.model import Model


class RISE:
    """RISE (Petsiuk et al. 2018): the mean score of randomly masked images in which a pixel is visible; any model.

    The mean score over all masks is subtracted, which leaves the order of the pixels as in the paper and makes the value of a
    pixel without effect 0. The masks are the same for every image.

    Parameters
    ----------
    model
        Any model.
    masks
        Number of masks.
    cells
        Cells per side of the coarse grid of which masks are made, before they are shifted and interpolated.
    visible
        Probability that a cell is visible.
    side
        Height and width of the map; its pixels are cells of a grid over the image.
    fill
        What covered pixels show: ``black`` as in the paper, ``mean`` (the mean color of the image) or ``blur``.
    seed
        Of the masks.

    Raises
    ------
    UsageError
        When an option is wrong.
    ModelError
        When the object is not a model.
    """

    name = "rise"
    needs_gradients = False
    explains = "score"
    trusted = True
    warning = ""

    def __init__(
        self,
        model: Model,
        *,
        masks: str = "500",
        cells: str = "7",
        visible: str = "0.5",
        side: str = "48",
        fill: str = "mean",
        seed: str = "0",
    ) -> None:
        self.model = model
        count, grid = whole_number(self.name, "masks", masks, least=2), whole_number(self.name, "cells", cells)
        size, start = whole_number(self.name, "side", side), whole_number(self.name, "seed", seed, least=0)
        self._visible = number(self.name, "visible", visible, above=0, most=0.99)
        self._fill = choice(self.name, "fill", fill, FILLS)
        self._asked = Asked(model)
        self._masks = random_masks(count, grid, self._visible, size, start)
        self.options = {
            "masks": str(count),
            "cells": str(grid),
            "visible": f"{self._visible:g}",
            "side": str(size),
            "fill": fill,
            "seed": str(start),
        }

    def maps(self, images: Sequence[NDArray[np.uint8]], targets: Sequence[int]) -> Maps:
        """Explain the score of one label of each image; see `fairfer.explanations.attribution.Method.maps`."""
        positions = check_targets(images, targets, self._asked.labels)
        outputs = self._asked.scores(images, positions)
        values = np.stack([self._map(*each) for each in zip(images, positions, outputs, strict=True)])
        return Maps(values, whole_frames(images), outputs, np.full(len(images), np.nan))

    def _map(self, image: NDArray[np.uint8], target: int, output: float) -> NDArray[np.float32]:
        cover = filled(image, self._fill)
        masked = (blended(image, cover, enlarged(mask, image.shape)) for mask in self._masks)
        scores = self._asked.scores(masked, np.full(len(self._masks), target))
        answered = np.isfinite(scores)
        if not answered.any() or not np.isfinite(output):
            return np.full(self._masks.shape[1:], np.nan, np.float32)
        deviations = scores[answered] - scores[answered].mean()
        weighted = np.tensordot(deviations, self._masks[answered], axes=1)
        return np.asarray(weighted / (answered.sum() * self._visible), np.float32)


def random_masks(count: int, cells: int, visible: float, side: int, seed: int) -> NDArray[np.float32]:
    """(count, side, side) from 0 (covered) to 1: coarse random grids, enlarged bilinearly and shifted by less than a cell.

    Parameters
    ----------
    count, cells, visible, side, seed
        As of `RISE`.
    """
    from PIL import Image

    rng = np.random.default_rng(seed)
    cell = -(-side // cells)
    whole = (cells + 1) * cell
    grids = (rng.random((count, cells + 1, cells + 1)) < visible).astype(np.float32)
    shifts = rng.integers(0, cell, (count, 2))
    masks = np.empty((count, side, side), np.float32)
    for mask, grid, (top, left) in zip(masks, grids, shifts, strict=True):
        fine = np.asarray(Image.fromarray(grid).resize((whole, whole), Image.Resampling.BILINEAR))
        mask[:] = fine[top : top + side, left : left + side]
    return masks
