"""Where the relevance of attribution maps is: measures per region, for many maps at once.

Relevance is signed: positive for the label, negative against it. Unless stated otherwise, measures use its positive part. A
value that is not defined is NaN: that of an empty region, and of a map without positive relevance.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairfer.explanations.regions import BACKGROUND, REGION_NAMES

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fairfer.explanations.geometry import Floats, Mask

MASS, SIGNED, DENSITY = "mass", "signed", "density"
"""Prefixes of columns with one value per region, such as ``mass:mouth``."""

OWN = "own"
"""Name of the label's own region in columns, such as ``mass:own``."""

RANK, POINTING = "rank_accuracy:own", "pointing:own"
"""Columns of the measures that are computed for the label's own region only."""

BACKGROUND_MASS = f"{MASS}:{BACKGROUND}"
"""The column with the share of relevance outside of the face."""

_HALF = 0.5
"""A pixel belongs to a region, where that must be decided, if the region covers at least half of it."""

_AXES = 3
"""Axes of maps, (maps, height, width), and of masks, (regions, height, width)."""


@dataclass(frozen=True)
class Relevance:
    """Relevance by region.

    Attributes
    ----------
    mass
        (maps, regions): share of the map's positive relevance in each region, 0 to 1 (relevance mass accuracy: Arras et al.
        2022, Inf. Fusion 81). The shares of regions that partition the map sum to 1.
    signed
        (maps, regions): sum of the signed relevance in each region, divided by the sum of all absolute relevance, -1 to 1. NaN
        only for an empty region and for a map that is 0 everywhere.
    density
        (maps, regions): area-normalized mass: the share of positive relevance divided by the region's share of the map's area
        (Kohlbrenner et al. 2020, IJCNN: μ_w = μ S_tot / S_in). 1 is what a uniform map has; 3 is three times as much relevance
        per pixel as the average of the map.
    """

    mass: Floats
    signed: Floats
    density: Floats


@dataclass(frozen=True)
class Localization:
    """How well the relevance of maps agrees with one region.

    Attributes
    ----------
    mass, signed, density
        (maps,) as in `Relevance`.
    rank_accuracy
        (maps,): share of the K most relevant pixels that are in the region, where K is the number of its pixels (Arras et al.
        2022). Of pixels with equal relevance, each is as likely among the K: the value is the mean over all orders. A uniform
        map has the region's share of the area.
    pointing
        (maps,): 1 if the most relevant pixel is in the region, otherwise 0 (pointing game: Zhang et al. 2018, IJCV 126); of
        several equal ones, the share in the region.
    """

    mass: Floats
    signed: Floats
    density: Floats
    rank_accuracy: Floats
    pointing: Floats


def relevance_by_region(maps: ArrayLike, masks: ArrayLike) -> Relevance:
    """Relevance of each region in each map.

    Parameters
    ----------
    maps
        (maps, height, width) signed relevance, finite.
    masks
        (regions, height, width) or, if they differ between the maps, (maps, regions, height, width): coverage of each pixel.

    Raises
    ------
    ValueError
        When a map is not finite or the shapes do not fit.
    """
    relevance, coverage = _checked(maps, masks, regions=True)
    flat = _flat(relevance)
    weights = _flat(coverage)
    positive = np.maximum(flat, 0)
    area = weights.mean(axis=-1)
    mass = np.where(area > 0, _ratio(_within(positive, weights), positive.sum(axis=1)[:, None]), np.nan)
    signed = np.where(area > 0, _ratio(_within(flat, weights), np.abs(flat).sum(axis=1)[:, None]), np.nan)
    return Relevance(mass, signed, _ratio(mass, np.broadcast_to(area, mass.shape)))


def localization(maps: ArrayLike, masks: ArrayLike) -> Localization:
    """Agreement of each map with one region.

    Parameters
    ----------
    maps
        (maps, height, width) signed relevance, finite.
    masks
        (height, width) or, if it differs between the maps, (maps, height, width): coverage of each pixel by the region.

    Raises
    ------
    ValueError
        When a map is not finite or the shapes do not fit.
    """
    relevance, coverage = _checked(maps, masks, regions=False)
    by_region = relevance_by_region(relevance, np.expand_dims(coverage, -3))
    flat = relevance.reshape(len(relevance), -1)
    inside = np.broadcast_to(_flat(coverage) >= _HALF, flat.shape)
    largest = flat.max(axis=1)
    top = flat == largest[:, None]
    pixels = inside.sum(axis=1)
    defined = (largest > 0) & (pixels > 0)
    pointing = np.where(defined, (top & inside).sum(axis=1) / top.sum(axis=1), np.nan)
    rank = np.where(defined, _rank_accuracy(flat, inside, pixels), np.nan)
    mass, signed, density = (values[:, 0] for values in (by_region.mass, by_region.signed, by_region.density))
    return Localization(mass, signed, density, rank, pointing)


def measures(maps: ArrayLike, masks: ArrayLike, own: ArrayLike | None = None) -> pd.DataFrame:
    """All measures of maps, as columns.

    Parameters
    ----------
    maps
        (maps, height, width) signed relevance, finite.
    masks
        (9, height, width) or (maps, 9, height, width): the masks of `fairfer.explanations.regions.region_masks`.
    own
        (height, width) or (maps, height, width): the own region of each map's label; an empty mask for a label without one.

    Returns
    -------
    DataFrame
        One row per map; ``mass:REGION``, ``signed:REGION`` and ``density:REGION`` for each of the nine regions and, if its
        masks are given, for the label's ``own``, with ``rank_accuracy:own`` and ``pointing:own``. NaN where not defined; the
        shares of an empty region of the nine are 0.
    """
    by_region = relevance_by_region(maps, masks)
    columns: dict[str, Floats] = {}
    # Regions partition the map, so an empty one has no relevance: left out, the means of the shares would not sum to 1.
    mass, signed = (
        np.where(np.isnan(v) & np.isfinite(v).any(axis=1, keepdims=True), 0, v) for v in (by_region.mass, by_region.signed)
    )
    for prefix, values in ((MASS, mass), (SIGNED, signed), (DENSITY, by_region.density)):
        columns |= {f"{prefix}:{name}": values[:, i] for i, name in enumerate(REGION_NAMES)}
    if own is not None:
        agreement = localization(maps, own)
        columns |= {f"{f.name}:{OWN}": getattr(agreement, f.name) for f in fields(agreement)}
    return pd.DataFrame(columns)


def _checked(maps: ArrayLike, masks: ArrayLike, *, regions: bool) -> tuple[Floats, Floats]:
    relevance, coverage = np.asarray(maps, float), np.asarray(masks, float)
    shared = _AXES if regions else _AXES - 1
    if relevance.ndim != _AXES or coverage.ndim not in (shared, shared + 1):
        message = f"maps have the shape {relevance.shape} and masks {coverage.shape}; maps need (maps, height, width)"
        raise ValueError(message)
    own = coverage.ndim == shared + 1
    if coverage.shape[-2:] != relevance.shape[1:] or (own and len(coverage) != len(relevance)):
        message = f"masks of the shape {coverage.shape} do not fit maps of the shape {relevance.shape}"
        raise ValueError(message)
    if not np.isfinite(relevance).all():
        message = "a map has relevance that is not finite"
        raise ValueError(message)
    # Measures do not depend on a map's scale. Its sums are then neither too large nor too small for a float.
    largest = np.abs(relevance).max(axis=(1, 2), keepdims=True, initial=0)
    return np.divide(relevance, largest, out=np.zeros_like(relevance), where=largest > 0), coverage


def _flat(pictures: Floats) -> Floats:
    return pictures.reshape(*pictures.shape[:-2], pictures.shape[-2] * pictures.shape[-1])


def _within(values: Floats, weights: Floats) -> Floats:
    """(maps, regions) sums of (maps, pixels) values, weighted by (regions, pixels) or (maps, regions, pixels) coverage."""
    if weights.ndim == values.ndim:
        shared: Floats = values @ weights.T
        return shared
    single: Floats = np.matmul(weights, values[:, :, None])[:, :, 0]
    return single


def _ratio(value: Floats, total: Floats) -> Floats:
    wide = np.broadcast_to(total, value.shape)
    ratio: Floats = np.divide(value, wide, out=np.full(value.shape, np.nan), where=wide > 0)
    return ratio


def _rank_accuracy(flat: Floats, inside: Mask, pixels: NDArray[np.int64]) -> Floats:
    """(maps,) share of the K = `pixels` most relevant pixels that are inside, averaged over the orders of equal pixels."""
    # The K-th largest value of each map; the maps of a batch may have masks of different sizes.
    order = np.sort(flat, axis=1)[:, ::-1]
    threshold = np.take_along_axis(order, np.maximum(pixels - 1, 0)[:, None], axis=1)
    above, equal = flat > threshold, flat == threshold
    places = pixels - above.sum(axis=1)
    hits = (above & inside).sum(axis=1) + places * (equal & inside).sum(axis=1) / equal.sum(axis=1)
    accuracy: Floats = hits / np.maximum(pixels, 1)
    return accuracy
