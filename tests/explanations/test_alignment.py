"""Maps moved to the grid of the template, by transforms that are known."""

from __future__ import annotations

import numpy as np
import pytest

from fairfer.errors import DataError
from fairfer.explanations.alignment import GRID, align
from fairfer.explanations.face_shape import MESH_BORDER, MESH_POINTS, POINTS, TEMPLATE
from fairfer.explanations.regions import REGION_NAMES, region_masks

FACE = TEMPLATE[:POINTS]


def blob(x, y, size=96, width=4.0, shape=None):
    """A smooth map with its maximum at a position in pixels."""
    rows, columns = np.indices(shape or (size, size)) + 0.5
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * width**2))


def turned(points, angle, scale=1.0, shift=(0, 0), center=48.0):
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * (points - center) @ rotation.T + center + shift


def test_a_face_that_is_the_template_stays_as_it_is():
    values = np.random.default_rng(0).normal(0, 1, (96, 96))
    for points, scheme in ((FACE * 96, 68), (None, None)):
        np.testing.assert_allclose(align(values, points, scheme, (0, 0, 96, 96)), values, atol=1e-9)
    assert GRID == 96


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_a_quarter_turn_is_undone_exactly(quarter):
    values = np.random.default_rng(1).normal(0, 1, (96, 96))
    points = turned(FACE * 96, quarter * np.pi / 2)  # from x toward y: clockwise, as rot90 with a negative number
    np.testing.assert_allclose(align(np.rot90(values, -quarter), points, 68, (0, 0, 96, 96)), values, atol=1e-9)


@pytest.mark.parametrize(("angle", "scale", "shift"), [(0.4, 1.0, (0, 0)), (-0.9, 1.4, (30, -12)), (0.0, 0.6, (5, 9))])
def test_any_similarity_is_undone(angle, scale, shift):
    """The relevance on the left corner of the mouth comes to be where the template has this corner."""
    points = turned(FACE * 96, angle, scale, shift)
    frame = (-60, -70, 220, 210)
    values = blob(*(points[48] - frame[:2]), width=4 * scale, shape=(210, 220))
    got = align(values, points, 68, frame)
    np.testing.assert_allclose(got, blob(*FACE[48] * 96) * scale**2, atol=0.05)
    assert got.sum() == pytest.approx(values.sum(), rel=0.02)


def test_a_map_may_show_a_part_of_the_image_in_another_resolution():
    frame = (10, 5, 70, 84)
    eye = FACE[36:42].mean(axis=0) * 96
    x, y = (eye - frame[:2]) * (140 / 70, 126 / 84)
    got = align(blob(x, y, shape=(126, 140), width=5), FACE * 96, 68, frame)
    row, column = np.unravel_index(got.argmax(), got.shape)
    np.testing.assert_allclose((column + 0.5, row + 0.5), eye, atol=1)
    assert got.sum() == pytest.approx(2 * np.pi * 25, rel=0.02)
    assert not got[:5].any()
    assert not got[:, 80:].any()


@pytest.mark.parametrize("side", [24, 48, 96, 230])
def test_sums_are_kept_and_gray_levels_are(side):
    smooth = blob(side / 2, side / 2, side, side / 8)
    for points in (None, FACE * side):
        scheme = None if points is None else 68
        got = align(smooth, points, scheme, (0, 0, side, side))
        assert got.sum() == pytest.approx(smooth.sum(), rel=0.01)
        gray = align(np.full((side, side), 7.0), points, scheme, (0, 0, side, side), relevance=False)
        np.testing.assert_allclose(gray, 7)


def test_a_stretched_picture_without_landmarks_is_the_template_stretched():
    got = align(blob(40, 10, shape=(32, 64)), None, None, (3, 4, 64, 32), size=16)
    row, column = np.unravel_index(got.argmax(), got.shape)
    assert (row, column) == (4, 9)


def test_aligned_regions_are_those_of_the_template():
    """For a face of other proportions, nearly: the transform changes none."""
    mesh = np.zeros((478, 2))
    mesh[list(MESH_POINTS + MESH_BORDER)] = turned(TEMPLATE * (62, 74) + 20, 0.5)
    frame = (0, 0, 120, 120)
    masks = region_masks(mesh, 478, frame, (120, 120)).masks
    template = region_masks(None, None, (0, 0, 96, 96), (96, 96)).masks
    moved = np.stack([align(m, mesh, 478, frame, relevance=False) for m in masks])
    for i, name in enumerate(REGION_NAMES[:-2]):  # the rest of the face is in many small parts
        overlap = np.minimum(moved[i], template[i]).sum() / np.maximum(moved[i], template[i]).sum()
        assert overlap > 0.6, name


def test_landmarks_of_no_face_are_refused():
    with pytest.raises(DataError, match="not those of a face"):
        align(np.zeros((4, 4)), np.zeros((68, 2)), 68, (0, 0, 4, 4))
