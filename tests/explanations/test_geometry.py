"""Similarity transforms and polygons on a grid, each against a second way of computing them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path

from fairfer.explanations.geometry import covered, fit_similarity


def umeyama(source, target):
    """Scale, rotation and shift by the singular value decomposition, as in Umeyama (1991), equations 40 to 42."""
    centers = source.mean(axis=0), target.mean(axis=0)
    one, other = source - centers[0], target - centers[1]
    u, d, v = np.linalg.svd(other.T @ one / len(source))
    sign = np.diag([1, np.sign(np.linalg.det(u) * np.linalg.det(v))])
    rotation = u @ sign @ v
    scale = np.trace(np.diag(d) @ sign) / (one**2).sum(axis=1).mean()
    return scale, rotation, centers[1] - scale * rotation @ centers[0]


@given(st.floats(0.1, 10), st.floats(-3, 3), st.floats(-50, 50), st.floats(-50, 50), st.integers(0, 1000))
def test_a_known_transform_is_recovered(scale, angle, x, y, seed):
    source = np.random.default_rng(seed).normal(0, 5, (6, 2))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    target = scale * source @ rotation.T + (x, y)
    transform = fit_similarity(source, target)
    assert transform.scale == pytest.approx(scale)
    np.testing.assert_allclose(transform(source), target, atol=1e-8)
    np.testing.assert_allclose(transform.inverse()(target), source, atol=1e-8)
    np.testing.assert_allclose(transform.direction((1, 0)), rotation[:, 0], atol=1e-8)


@pytest.mark.parametrize("seed", range(20))
def test_the_fit_is_that_of_umeyama(seed):
    generator = np.random.default_rng(seed)
    source = generator.normal(0, 5, (8, 2))
    target = 2 * source[:, ::-1] * (1, -1) + generator.normal(0, 1, (8, 2))
    scale, rotation, shift = umeyama(source, target)
    np.testing.assert_allclose(fit_similarity(source, target)(source), scale * source @ rotation.T + shift)


def test_a_reflection_is_not_fitted():
    square = np.array([[0, 0], [2, 0], [2, 1], [0, 1.0]])
    transform = fit_similarity(square, square * (-1, 1))
    assert not np.allclose(transform(square), square * (-1, 1))


@pytest.mark.parametrize("coincident", [0, 1])
def test_points_in_one_place_have_no_transform(coincident):
    pair = [np.random.default_rng(0).normal(0, 1, (5, 2))] * 2
    pair[coincident] = np.ones((5, 2))
    assert fit_similarity(*pair) is None


@given(st.integers(0, 10_000), st.integers(3, 9))
def test_cells_of_a_polygon_are_those_whose_center_is_inside(seed, corners):
    generator = np.random.default_rng(seed)
    angles = np.sort(generator.uniform(0, 2 * np.pi, corners))
    polygon = (9, 7) + generator.uniform(2, 11, corners)[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    x, y = np.meshgrid(np.arange(18) + 0.5, np.arange(14) + 0.5)
    # Corners in the order of their angle do not overlap, so that the winding number and the even-odd rule agree.
    expected = Path([*polygon, polygon[0]], closed=True).contains_points(np.stack([x.ravel(), y.ravel()], axis=1))
    np.testing.assert_array_equal(covered([polygon], (14, 18)), expected.reshape(14, 18))
    np.testing.assert_array_equal(covered([polygon[::-1]], (14, 18)), expected.reshape(14, 18))


def test_a_polygon_that_overlaps_itself_has_no_hole():
    square = np.array([[2, 2], [8, 2], [8, 8], [2, 8.0]])
    assert covered([np.concatenate([square, square])], (10, 10)).sum() == 36
    assert covered([square, square + 1], (10, 10)).sum() == 36 + 36 - 25
    assert not covered([], (3, 3)).any()


def test_the_area_of_a_disk():
    angles = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    disk = 200 + 150 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert covered([disk], (400, 400)).sum() == pytest.approx(np.pi * 150**2, rel=0.002)
