"""Measures of relevance by region, against loops over pixels and against maps whose measures are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairfer.explanations.regions import REGION_NAMES, own_region, region_masks
from fairfer.explanations.relevance import localization, measures, relevance_by_region

FRAME = (0, 0, 48, 48)
HALVES = np.zeros((2, 2, 4))
HALVES[0, :, :1] = 1
HALVES[1, :, 1:] = 1


def partition(generator, maps, regions, height, width):
    weights = generator.dirichlet(np.full(regions, 0.3), (maps, height, width))
    return np.moveaxis(weights, -1, 1)


def by_loops(relevance, mask):
    """All measures of one map and one region, pixel by pixel."""
    pixels = list(zip(relevance.ravel().tolist(), mask.ravel().tolist(), strict=True))
    positive = sum(max(r, 0) for r, _ in pixels)
    within = sum(m * max(r, 0) for r, m in pixels)
    area = sum(m for _, m in pixels) / len(pixels)
    signed = sum(m * r for r, m in pixels) / sum(abs(r) for r, _ in pixels)
    hard = [m >= 0.5 for _, m in pixels]
    rank = []
    for seed in range(300):  # the mean over random orders of equal pixels
        order = np.random.default_rng(seed).permutation(len(pixels))
        best = sorted(order, key=lambda i: -pixels[i][0])[: sum(hard)]
        rank.append(sum(hard[i] for i in best) / sum(hard))
    top = [i for i, (r, _) in enumerate(pixels) if r == max(p[0] for p in pixels)]
    return within / positive, signed, within / positive / area, np.mean(rank), np.mean([hard[i] for i in top])


@pytest.mark.parametrize(("seed", "levels"), list(itertools.product(range(6), [3, 10**6])))
def test_measures_are_those_of_loops_over_pixels(seed, levels):
    generator = np.random.default_rng(seed)
    maps = generator.integers(-levels, levels + 1, (4, 5, 6)).astype(float)
    masks = generator.random((4, 5, 6)) * generator.random((4, 1, 1))
    masks[:, 2, 3] = 1
    got = localization(maps, masks)
    for i in range(4):
        mass, signed, density, rank, pointing = by_loops(maps[i], masks[i])
        assert got.mass[i] == pytest.approx(mass)
        assert got.signed[i] == pytest.approx(signed)
        assert got.density[i] == pytest.approx(density)
        assert got.rank_accuracy[i] == pytest.approx(rank, abs=1e-9 if levels > 3 else 0.08)
        assert got.pointing[i] == pytest.approx(pointing)
        assert relevance_by_region(maps, masks[:, None]).mass[i, 0] == pytest.approx(mass)


def test_equal_pixels_are_counted_as_in_all_their_orders():
    relevance = np.array([[3, 2, 2, 2, 1, 0]], float)
    mask = np.array([[1, 1, 0, 0, 1, 0]], float)  # K = 3: the first, and two of the three 2s
    orders = [[0, *two] for two in itertools.combinations([1, 2, 3], 2)]
    expected = np.mean([sum(mask[0, i] for i in order) / 3 for order in orders])
    assert localization(relevance[None], mask).rank_accuracy[0] == pytest.approx(expected)


@given(st.integers(0, 10_000), st.sampled_from([1e-300, 1.0, 1e300]))
def test_shares_sum_to_one_and_do_not_depend_on_the_scale(seed, scale):
    generator = np.random.default_rng(seed)
    maps = generator.normal(0, 1, (3, 6, 5))
    masks = partition(generator, 3, 4, 6, 5)
    got = relevance_by_region(maps * scale, masks)
    np.testing.assert_allclose(got.mass.sum(axis=1), 1)
    np.testing.assert_allclose(got.mass, relevance_by_region(maps, masks).mass)
    np.testing.assert_allclose((got.density * masks.mean(axis=(2, 3))).sum(axis=1), 1)
    np.testing.assert_allclose(got.signed.sum(axis=1), maps.sum(axis=(1, 2)) / np.abs(maps).sum(axis=(1, 2)), atol=1e-12)


@given(st.integers(0, 10_000), st.floats(1e-6, 1e6))
def test_a_uniform_map_has_the_density_1_everywhere(seed, level):
    masks = partition(np.random.default_rng(seed), 2, 3, 4, 6)
    maps = np.full((2, 4, 6), level)
    np.testing.assert_allclose(relevance_by_region(maps, masks).density, 1)
    one = localization(maps, masks[0, 0] > 0.3)
    area = (masks[0, 0] > 0.3).mean()
    np.testing.assert_allclose([one.rank_accuracy[0], one.pointing[0], one.mass[0]], area or np.nan)


def test_masks_may_be_shared_by_all_maps():
    maps = np.random.default_rng(0).normal(0, 1, (5, 2, 4))
    one, other = relevance_by_region(maps, HALVES), relevance_by_region(maps, np.stack([HALVES] * 5))
    np.testing.assert_allclose(one.mass, other.mass)
    np.testing.assert_allclose(one.signed, other.signed)
    np.testing.assert_allclose(one.density, other.density)
    np.testing.assert_allclose(localization(maps, HALVES[0]).mass, one.mass[:, 0])


def test_area_normalization_divides_by_the_share_of_the_area():
    """All relevance in a quarter of the map: four times the average density, not a quarter of it."""
    got = relevance_by_region(HALVES[None, 0], HALVES)
    np.testing.assert_allclose(got.mass, [[1, 0]])
    np.testing.assert_allclose(got.density, [[4, 0]])


def test_what_is_not_defined_is_nan():
    maps = np.stack([np.zeros((2, 4)), -np.ones((2, 4)), np.ones((2, 4))])
    masks = np.stack([*HALVES, np.zeros((2, 4))])
    got = relevance_by_region(maps, masks)
    np.testing.assert_array_equal(np.isnan(got.mass), [[True] * 3, [True] * 3, [False, False, True]])
    np.testing.assert_array_equal(np.isnan(got.density), np.isnan(got.mass))
    np.testing.assert_array_equal(np.isnan(got.signed), [[True] * 3, [False, False, True], [False, False, True]])
    for mask, defined in ((HALVES[0], [False, False, True]), (masks[2], [False] * 3)):
        own = localization(maps, mask)
        for values in (own.mass, own.density, own.rank_accuracy, own.pointing):
            np.testing.assert_array_equal(np.isfinite(values), defined)
    assert relevance_by_region(np.zeros((0, 2, 4)), HALVES).mass.shape == (0, 2)


def test_relevance_planted_in_a_region_is_found_there():
    regions = region_masks(None, None, FRAME, (48, 48))
    maps = np.stack([regions[name] for name in REGION_NAMES])
    frame = measures(maps, regions.masks, own_region(["AU12"], None, None, FRAME, (48, 48)))
    for i, name in enumerate(REGION_NAMES):
        assert frame.loc[i, f"mass:{name}"] > 0.8
        assert frame.loc[i, f"density:{name}"] == frame.filter(regex="^density:(?!own)").loc[i].max()
    assert frame.loc[REGION_NAMES.index("background"), "mass:own"] == 0
    assert frame.loc[REGION_NAMES.index("mouth"), "rank_accuracy:own"] > 0.3
    assert list(frame.filter(regex=":own$")) == ["mass:own", "signed:own", "density:own", "rank_accuracy:own", "pointing:own"]
    assert "mass:own" not in measures(maps, regions.masks)


@pytest.mark.parametrize(
    ("maps", "masks", "message"),
    [
        (np.ones((2, 4)), HALVES, "maps need"),
        (np.ones((3, 2, 4)), np.ones((2, 4)), "maps need"),
        (np.ones((3, 2, 4)), np.ones((2, 2, 5)), "do not fit"),
        (np.ones((3, 2, 4)), np.ones((2, 2, 2, 4)), "do not fit"),
        (np.full((3, 2, 4), np.nan), HALVES, "not finite"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(maps, masks, message):
    with pytest.raises(ValueError, match=message):
        relevance_by_region(maps, masks)


def test_shares_of_regions_sum_to_1_also_where_one_is_empty():
    """A face at the edge of its image may have no chin there: its share is 0 and its density undefined."""
    masks = np.zeros((len(REGION_NAMES), 6, 6))
    masks[0, :3], masks[1, 3:] = 1, 1
    maps = np.random.default_rng(0).uniform(0.1, 1, (3, 6, 6))
    maps[2] = -1  # without positive relevance
    table = measures(maps, masks, np.zeros((6, 6)))
    shares = table[[f"mass:{name}" for name in REGION_NAMES]]
    assert np.allclose(shares.iloc[:2].sum(axis=1), 1)
    assert (shares.iloc[:2, 2:] == 0).all(axis=None)
    assert shares.iloc[2].isna().all()
    assert table[f"density:{REGION_NAMES[2]}"].isna().all()
    assert table["mass:own"].isna().all()
