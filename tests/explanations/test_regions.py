"""Regions of the face, from landmarks and from the template."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairfer.datasets.landmarks import read_landmarks
from fairfer.errors import DataError, UsageError
from fairfer.explanations.face_parts import ACTION_UNITS
from fairfer.explanations.face_shape import MESH_BORDER, MESH_POINTS, POINTS, STABLE, TEMPLATE, face_shape
from fairfer.explanations.geometry import fit_similarity
from fairfer.explanations.own_units import own_units
from fairfer.explanations.regions import REGION_NAMES, action_unit_mask, own_region, region_masks
from fairfer.facs import action_units as facs
from fairfer.labels import FERPLUS

FRAME = (0, 0, 48, 48)
SIZE = (48, 48)

MIRRORED = [
    *range(16, -1, -1),
    *range(26, 16, -1),
    *range(27, 31),
    *range(35, 30, -1),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65),
    *range(80, 67, -1),
]
"""The point of a face that each of the 81 becomes in a mirror."""


def mesh(points=TEMPLATE * 48, number=478):
    """A face mesh whose points that are used are those of a shape; the others are far away."""
    full = np.full((number, 2), -1e6)
    full[list(MESH_POINTS + MESH_BORDER)] = points
    return full


def place(mask):
    """Center of a mask, in shares of its size."""
    rows, columns = np.indices(mask.shape) + 0.5
    return (mask * columns).sum() / mask.sum() / mask.shape[1], (mask * rows).sum() / mask.sum() / mask.shape[0]


def overlap(one, other):
    return np.minimum(one, other).sum() / np.maximum(one, other).sum()


@given(st.integers(0, 1000), st.sampled_from([68, 468, 478]), st.integers(5, 40), st.integers(5, 40))
def test_regions_partition_the_picture_whatever_the_landmarks(seed, scheme, height, width):
    points = np.random.default_rng(seed).normal(24, 15, (scheme, 2))
    masks = region_masks(points, scheme, FRAME, (height, width))
    assert masks.masks.shape == (9, height, width)
    assert masks.masks.min() >= 0
    np.testing.assert_allclose(masks.masks.sum(axis=0), 1, atol=1e-6)


def test_every_region_of_the_template_is_where_it_belongs():
    masks = region_masks(None, None, FRAME, (96, 96))
    assert masks.basis == "template"
    assert masks.names == REGION_NAMES
    assert all(masks[name].sum() > 0 for name in REGION_NAMES)
    heights = [place(masks[name])[1] for name in ("forehead", "brows", "eyes", "nose", "mouth", "chin")]
    assert heights == sorted(heights)
    np.testing.assert_allclose(masks.masks, masks.masks[:, :, ::-1], atol=0.3)  # the template is symmetric
    corners = masks["background"][[0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == 1).all()
    assert masks["eyes"][round(0.37 * 96), round(0.315 * 96)] == 1
    assert masks["mouth"][round(0.79 * 96), 48] == 1


@pytest.mark.parametrize("scheme", [68, 468, 478])
def test_landmarks_of_the_average_face_give_the_template(scheme):
    points = TEMPLATE[:POINTS] * 48 if scheme == POINTS else mesh(number=scheme)
    masks = region_masks(points, scheme, FRAME, SIZE)
    assert masks.basis == "landmarks"
    np.testing.assert_allclose(masks.masks, region_masks(None, None, FRAME, SIZE).masks, atol=0.13)
    for unit in ACTION_UNITS:
        np.testing.assert_allclose(
            action_unit_mask(unit, points, scheme, FRAME, SIZE), action_unit_mask(unit, None, None, FRAME, SIZE), atol=0.26
        )


def test_regions_move_with_the_face():
    turn = 0.3
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    upright = region_masks(mesh(30 * TEMPLATE + 20), 478, (0, 0, 80, 80), (160, 160))
    turned = region_masks(mesh((30 * TEMPLATE + 20 - 40) @ rotation.T + 40), 478, (0, 0, 80, 80), (160, 160))
    for name in REGION_NAMES:
        expected = rotation @ (np.array(place(upright[name])) - 0.5) + 0.5
        np.testing.assert_allclose(place(turned[name]), expected, atol=0.004)
        assert turned[name].sum() == pytest.approx(upright[name].sum(), rel=0.03)


def test_a_frame_is_a_part_of_the_image():
    whole = region_masks(mesh(), 478, FRAME, SIZE).masks
    part = region_masks(mesh(), 478, (12, 6, 24, 30), (30, 24)).masks
    np.testing.assert_array_equal(part, whole[:, 6:36, 12:36])
    wider = region_masks(mesh(), 478, (-8, -8, 64, 64), (64, 64)).masks  # padded beyond the image
    np.testing.assert_array_equal(wider[:, 8:56, 8:56], whole)
    coarse = region_masks(mesh(), 478, FRAME, (24, 24)).masks
    np.testing.assert_allclose(coarse, whole.reshape(9, 24, 2, 24, 2).mean(axis=(2, 4)), atol=0.2)


def test_a_mirrored_face_has_mirrored_regions():
    points = TEMPLATE * 40 + 3 + np.random.default_rng(1).normal(0, 0.4, (81, 2))
    mirrored = points[MIRRORED] * (-1, 1) + (48, 0)
    one, other = (region_masks(mesh(p), 478, FRAME, SIZE).masks for p in (points, mirrored))
    np.testing.assert_allclose(one, other[:, :, ::-1], atol=0.13)
    for unit in ACTION_UNITS:
        left, right = (action_unit_mask(unit, mesh(p), 478, FRAME, SIZE) for p in (points, mirrored))
        np.testing.assert_allclose(left, right[:, ::-1], atol=0.26)


def test_units_show_where_facs_places_them():
    regions = region_masks(None, None, FRAME, (96, 96))

    def within(unit, *names):
        mask = action_unit_mask(unit, None, None, FRAME, (96, 96))
        return sum(np.minimum(mask, regions[name]).sum() for name in names) / mask.sum()

    assert within("AU1", "forehead", "brows") > 0.95
    assert within("AU4", "brows") > 0.95
    assert within("AU5", "eyes") == pytest.approx(1)
    assert within("AU6", "eyes", "cheeks") > 0.9
    assert within("AU9", "nose", "brows", "face") > 0.9
    assert within("AU10", "mouth") > 0.9
    assert within("AU12", "mouth", "cheeks", "face", "chin") > 0.95
    assert within("AU17", "chin") > 0.8
    assert within("AU25", "mouth") > 0.9
    for unit in ACTION_UNITS:
        assert (action_unit_mask(unit, None, None, FRAME, (96, 96)) <= 1 - regions["background"]).all()


def test_an_emotion_shows_where_any_of_its_units_does():
    happiness = own_region({"AU6", "AU12"}, None, None, FRAME, SIZE)
    parts = [action_unit_mask(unit, None, None, FRAME, SIZE) for unit in ("AU6", "AU12")]
    assert (happiness >= np.maximum(*parts) - 1e-6).all()
    assert (happiness <= np.add(*parts) + 1e-6).all()
    assert not own_region([], None, None, FRAME, SIZE).any()  # neutral


@pytest.mark.parametrize(
    ("points", "scheme", "frame", "message"),
    [
        (np.ones((68, 2)), 68, FRAME, "landmarks are not those of a face"),
        (np.full((478, 2), np.nan), 478, FRAME, "landmarks are not those of a face"),
        (np.ones((68, 2)), 478, FRAME, r"landmarks have the shape \(68, 2\); the scheme of 478 points needs \(478, 2\)"),
        (np.ones((68, 2)), None, FRAME, "landmarks have no scheme; give the number of points"),
        (None, None, (0, 0, 0, 48), "a map's frame is .* it needs a width and a height above 0"),
        (None, None, (0, np.nan, 48, 48), "a map's frame"),
    ],
)
def test_bad_landmarks_and_frames_are_refused(points, scheme, frame, message):
    with pytest.raises(DataError, match=message):
        region_masks(points, scheme, frame, SIZE)


def test_a_unit_without_a_region_is_refused():
    with pytest.raises(DataError, match="no region of the face is known for AU51; action units with a region: AU1, AU2"):
        action_unit_mask("AU51", None, None, FRAME, SIZE)


def test_units_are_those_of_facs_and_show_in_the_regions_that_it_names():
    """Two descriptions of the same units: as outlines around landmarks, and as names of regions."""
    assert set(ACTION_UNITS) == set(facs.ACTION_UNITS)
    regions = region_masks(None, None, FRAME, (96, 96))
    for code, unit in facs.ACTION_UNITS.items():
        mask = action_unit_mask(code, None, None, FRAME, (96, 96))
        share = {name: np.minimum(mask, regions[name]).sum() / mask.sum() for name in REGION_NAMES}
        main = max(share, key=share.__getitem__)
        assert main in unit.regions, (code, share)
        assert sum(share[name] for name in (*unit.regions, "face")) > 0.6, (code, share)


def test_units_of_a_label():
    assert own_units("Happy") == {"AU6", "AU12"}
    assert own_units("disgust") == {"AU9", "AU15", "AU16", "AU17"}  # both alternatives
    assert own_units("disgust", "FACS manual") == {"AU4", "AU10", "AU17"}
    assert own_units("AU06_r") == {"AU6"}
    assert own_units("neutral") == own_units("not a face") == frozenset()
    with pytest.raises(UsageError, match="no source of prototypes 'mine'"):
        own_units("anger", "mine")
    for emotion in FERPLUS.labels:
        assert set(own_units(emotion)) <= set(ACTION_UNITS)


# ---- real faces, as averages


@pytest.fixture(scope="module")
def faces(request):
    shared = request.getfixturevalue("shared")
    path = shared / "data" / "ferplus" / "landmarks_test.parquet"
    landmarks = read_landmarks(path, pd.read_parquet(path)["image"])
    return np.stack(list(landmarks.points.values()))


def test_the_template_is_the_average_of_real_faces(faces):
    shapes = faces[:, list(MESH_POINTS + MESH_BORDER)] / 48
    shapes = np.concatenate([shapes, shapes[:, MIRRORED] * (-1, 1) + (1, 0)])
    aligned = np.stack([fit_similarity(s[STABLE], TEMPLATE[STABLE])(s) for s in shapes])
    mean = aligned.mean(axis=0)  # a little smaller: each fit shrinks what is not alike
    assert np.abs(fit_similarity(mean[STABLE], TEMPLATE[STABLE])(mean) - TEMPLATE).max() < 0.002
    assert len(faces) == 3209


def test_the_68_points_of_a_mesh_are_those_of_the_68_point_scheme(faces):
    """Their names in iBUG's scheme say where they are: tested on the average of real faces."""
    p = faces.mean(axis=0)[list(MESH_POINTS)]
    eye = np.hypot(*(p[42:48].mean(axis=0) - p[36:42].mean(axis=0)))
    np.testing.assert_allclose(p[[0, 16], 1], p[36:48, 1].mean(), atol=0.1 * eye)  # the jaw line begins beside the eyes
    assert p[:17, 1].argmax() == 8  # and its middle is the chin
    for line in (p[:17, 0], p[17:27, 0], p[31:36, 0], p[36:40, 0], p[42:46, 0], p[48:55, 0], p[60:65, 0], p[27:31, 1]):
        assert (np.diff(line) > -0.02 * eye).all()
    assert p[37:39, 1].max() < p[40:42, 1].min()
    assert p[43:45, 1].max() < p[46:48, 1].min()
    assert p[49:54, 1].max() < p[60:65, 1].max() < p[65:68, 1].max() < p[55:60, 1].max()
    assert p[17:27, 1].max() < p[36:48, 1].min()
    # left and right correspond, after the slight turn of the average face is taken out
    mirror = p[MIRRORED[:POINTS]] * (-1, 1)
    assert np.abs(fit_similarity(mirror, p)(mirror) - p).max() < 0.08 * eye


def test_68_points_give_nearly_the_regions_of_the_mesh(faces):
    """Only the upper border of the face is unknown; the regions without it agree."""
    for points in faces[:: len(faces) // 25]:
        one = region_masks(points, 478, FRAME, SIZE)
        other = region_masks(points[list(MESH_POINTS)], 68, FRAME, SIZE)
        for name in ("eyes", "nose", "mouth"):
            assert overlap(one[name], other[name]) > 0.8
    average = faces.mean(axis=0)
    pair = region_masks(average, 478, FRAME, SIZE), region_masks(average[list(MESH_POINTS)], 68, FRAME, SIZE)
    assert all(overlap(pair[0][name], pair[1][name]) > 0.9 for name in REGION_NAMES)


def test_landmarks_that_are_used_exist_in_both_meshes():
    assert max(MESH_POINTS + MESH_BORDER) < 468
    assert len(set(MESH_POINTS + MESH_BORDER)) == 81
    assert face_shape(mesh(number=468), 468).points.shape == (81, 2)
