"""Occlusion (Zeiler & Fergus 2014): how much the score of a label falls when a part of the image is covered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fairfer.errors import UsageError
from fairfer.explanations.attribution import Maps, check_targets
from fairfer.explanations.methods.black_box import FILLS, Asked, blended, enlarged, filled, whole_frames
from fairfer.explanations.methods.options import choice, whole_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.models.model import Model

REGION_AXES = 3


class Occlusion:
    """Occlusion (Zeiler & Fergus 2014): the fall of the score when a part of the image is covered; any model.

    Each patch spreads its fall evenly over its pixels, and a pixel has the mean over the patches that cover it. Where patches
    do not overlap, a map sums to the sum of the falls.

    Parameters
    ----------
    model
        Any model.
    side
        Height and width of the map; its pixels are cells of a grid over the image.
    patch, stride
        Side of a patch, and the distance between patches, in pixels of the map.
    fill
        ``mean``: patches show the mean color of the image; ``blur``: the image, blurred; ``black``.

    Raises
    ------
    UsageError
        When an option is wrong.
    ModelError
        When the object is not a model.
    """

    name = "occlusion"
    needs_gradients = False
    explains = "score"
    trusted = True
    warning = ""

    def __init__(self, model: Model, *, side: str = "48", patch: str = "8", stride: str = "4", fill: str = "mean") -> None:
        self.model = model
        self._side, self._patch, self._stride = (
            whole_number(self.name, name, text) for name, text in (("side", side), ("patch", patch), ("stride", stride))
        )
        if not self._stride <= self._patch <= self._side:
            message = f"method occlusion: stride ({stride}) must be at most patch ({patch}), and patch at most side ({side})"
            raise UsageError(message)
        self._fill = choice(self.name, "fill", fill, FILLS)
        self._asked = Asked(model)
        self.options = {"side": str(self._side), "patch": str(self._patch), "stride": str(self._stride), "fill": fill}

    def maps(self, images: Sequence[NDArray[np.uint8]], targets: Sequence[int]) -> Maps:
        """Explain the score of one label of each image; see `fairfer.explanations.attribution.Method.maps`."""
        positions = check_targets(images, targets, self._asked.labels)
        corners = self._corners()
        outputs = self._asked.scores(images, positions)
        values = np.stack([self._map(*each, corners) for each in zip(images, positions, outputs, strict=True)])
        return Maps(values, whole_frames(images), outputs, np.full(len(images), np.nan))

    def regions(
        self,
        images: Sequence[NDArray[np.uint8]],
        targets: Sequence[int],
        masks: Sequence[NDArray[np.bool_]],
    ) -> NDArray[np.float64]:
        """How much the score falls when each of several regions is covered.

        Parameters
        ----------
        images, targets
            As for `maps`.
        masks
            For each image (regions, height, width), true inside of a region, in pixels of the image.

        Returns
        -------
        array
            (n, regions); NaN where a region has no pixel or the model has no answer.

        Raises
        ------
        UsageError
            When masks do not fit their images.
        """
        positions = check_targets(images, targets, self._asked.labels)
        fits = len(masks) == len(images) and all(
            m.ndim == REGION_AXES and m.shape[1:] == i.shape[:2] for m, i in zip(masks, images, strict=True)
        )
        if not fits or len({len(m) for m in masks}) != 1:
            message = (
                "masks must be one array per image, (regions, height, width) with the size of the image, of equally many "
                "regions; correct them"
            )
            raise UsageError(message)
        count = len(masks[0])
        repeated = np.repeat(positions, count)
        covered = (
            blended(image, cover, ~mask)
            for image, each in zip(images, masks, strict=True)
            for cover in [filled(image, self._fill)]
            for mask in each
        )
        scores = self._asked.scores(covered, repeated).reshape(len(images), count)
        falls = self._asked.scores(images, positions)[:, None] - scores
        falls[~np.array([mask.any(axis=(1, 2)) for mask in masks])] = np.nan
        return falls

    def _corners(self) -> list[tuple[int, int]]:
        """Top and left of each patch; the last ones end at the edge."""
        last = self._side - self._patch
        starts = sorted({*range(0, last + 1, self._stride), last})
        return [(top, left) for top in starts for left in starts]

    def _map(self, image: NDArray[np.uint8], target: int, output: float, corners: list[tuple[int, int]]) -> NDArray[np.float32]:
        total, count = np.zeros((2, self._side, self._side))
        scores = self._asked.scores(self._covered(image, corners), np.full(len(corners), target))
        for (top, left), score in zip(corners, scores, strict=True):
            if np.isfinite(score):  # a patch without an answer says nothing about its pixels
                area = np.s_[top : top + self._patch, left : left + self._patch]
                total[area] += (output - score) / self._patch**2
                count[area] += 1
        with np.errstate(invalid="ignore"):
            return np.asarray(total / count, np.float32)

    def _covered(self, image: NDArray[np.uint8], corners: list[tuple[int, int]]) -> Iterator[NDArray[np.uint8]]:
        cover = filled(image, self._fill)
        for top, left in corners:
            visible = np.ones((self._side, self._side), np.float32)
            visible[top : top + self._patch, left : left + self._patch] = 0
            yield blended(image, cover, enlarged(visible, image.shape))
