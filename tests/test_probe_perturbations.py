"""Changes of pictures: exact values against formulas and other libraries, and properties for any picture and level."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from scipy import ndimage

from fairfer.errors import UsageError
from fairfer.explanations.probes.perturbations import ON, PERTURBATIONS, REGIONS, Probe, parse_probes

FACE = np.random.default_rng(0).integers(0, 256, (48, 40, 3), np.uint8)
GRAY = np.repeat(np.random.default_rng(1).integers(0, 256, (48, 48, 1), np.uint8), 3, axis=2)
PICTURES = arrays.arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3)))
IDENTITIES = ("brightness=0", "contrast=0", "blur=0", "noise=0", "crop=0")


def changed(text, picture=FACE, sample_id="a", digest="00"):
    [probe] = parse_probes([text])
    return probe.perturbation.apply(picture, probe.level, sample_id, digest)


@st.composite
def probes(draw):
    perturbation = draw(st.sampled_from(list(PERTURBATIONS.values())))
    if perturbation.limits is None:
        return Probe(perturbation, draw(st.sampled_from(perturbation.levels)))
    low, high = perturbation.limits
    numbers = st.integers(int(low), int(high)) if perturbation.whole else st.floats(low, high)
    return Probe(perturbation, perturbation.level(str(draw(numbers))))


@settings(max_examples=200, deadline=None)
@given(PICTURES, probes())
def test_any_picture_keeps_shape_type_and_content_and_changes_in_the_same_way_twice(picture, probe):
    before = picture.copy()
    one = probe.perturbation.apply(picture, probe.level, "a", "00")
    two = probe.perturbation.apply(picture, probe.level, "a", "00")
    assert (one.shape, one.dtype) == (picture.shape, np.uint8)
    assert np.array_equal(one, two)
    assert np.array_equal(picture, before)


@pytest.mark.parametrize("text", IDENTITIES)
def test_a_level_of_zero_changes_nothing(text):
    assert np.array_equal(changed(text), FACE)


def test_brightness_adds_gray_levels_up_to_black_and_white():
    assert np.array_equal(changed("brightness=40"), np.minimum(FACE.astype(int) + 40, 255))
    assert np.array_equal(changed("brightness=-40"), np.maximum(FACE.astype(int) - 40, 0))


def test_contrast_multiplies_the_distance_from_the_mean():
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[0], picture[1] = 100, 150  # mean 125
    assert changed("contrast=-60", picture)[:, 0, 0].tolist() == [115, 135]
    assert changed("contrast=40", picture)[:, 0, 0].tolist() == [90, 160]
    assert changed("contrast=-100", picture)[:, 0, 0].tolist() == [125, 125]


@pytest.mark.parametrize("level", ["0.7", "2", "10"])
def test_blur_is_that_of_scipy(level):
    sigma = float(level) / 100 * 40  # the shorter side
    expected = ndimage.gaussian_filter(FACE.astype(float), (sigma, sigma, 0), mode="nearest", truncate=4.0)
    assert np.abs(changed(f"blur={level}").astype(float) - expected).max() <= 0.5 + 1e-6  # rounding


def test_noise_has_the_mean_and_deviation_and_is_gray():
    flat = np.full((200, 200, 3), 128, np.uint8)
    noise = changed("noise=10", flat).astype(float) - 128
    assert np.array_equal(noise[..., 0], noise[..., 2])
    assert abs(noise[..., 0].mean()) < 4 * 10 / 200
    assert noise[..., 0].std() == pytest.approx(np.sqrt(10**2 + 1 / 12), rel=0.02)  # 1/12: variance of rounding


def test_noise_differs_between_samples_and_pictures_and_grows_with_the_level():
    flat = np.full((20, 20, 3), 128, np.uint8)
    assert not np.array_equal(changed("noise=10", flat), changed("noise=10", flat, sample_id="b"))
    assert not np.array_equal(changed("noise=10", flat), changed("noise=10", flat, digest="01"))
    weak, strong = (changed(f"noise={n}", flat).astype(float) - 128 for n in (10, 20))
    assert np.abs(strong - 2 * weak).max() <= 1.5


def test_crop_enlarges_the_middle():
    assert np.array_equal(changed("crop=100", np.full((9, 7, 3), 77, np.uint8)), np.full((9, 7, 3), 77))
    ramp = np.repeat(np.linspace(0, 240, 49)[None, :, None], 48, axis=0).repeat(3, axis=2).astype(np.uint8)
    cropped = changed("crop=100", ramp)[24, :, 0].astype(float)  # half the slope, the same middle
    assert abs(cropped[24] - 120) <= 1
    slope = np.polyfit(np.arange(5, 44), cropped[5:44], 1)[0]
    assert slope == pytest.approx(2.5, abs=0.05)


def test_mirror_and_gray():
    assert np.array_equal(changed("mirror"), FACE[:, ::-1])
    assert np.array_equal(changed("mirror", changed("mirror")), FACE)
    luma = FACE @ np.array([0.299, 0.587, 0.114])
    assert np.abs(changed("gray") - luma[..., None]).max() <= 0.51
    assert np.array_equal(changed("gray", GRAY), GRAY)


def test_jpeg_is_the_file_that_pillow_writes():
    stored = io.BytesIO()
    Image.fromarray(FACE).save(stored, "JPEG", quality=25)
    assert np.array_equal(changed("jpeg=25"), np.asarray(Image.open(stored)))


@pytest.mark.parametrize("region", REGIONS)
def test_occlusion_fills_the_boxes_with_the_mean_and_nothing_else(region):
    covered = np.zeros(FACE.shape[:2], bool)
    rows, columns = np.indices(covered.shape)
    for left, top, right, bottom in REGIONS[region]:
        # A pixel is covered where it overlaps the box.
        covered |= (columns + 1 > left * 40) & (columns < right * 40) & (rows + 1 > top * 48) & (rows < bottom * 48)
    result = changed(f"occlusion={region}")
    assert np.array_equal(result[~covered], FACE[~covered])
    assert (result[covered] == np.rint(FACE.mean(axis=(0, 1)))).all()
    assert 0.02 < covered.mean() < 0.3


def test_regions_are_the_documented_ones():
    assert list(REGIONS) == ["forehead", "brows", "eyes", "nose", "cheeks", "mouth", "chin"]


def test_probes_are_ordered_and_each_occurs_once():
    names = [p.name for p in parse_probes(["occlusion=mouth,eyes", "brightness=20,-20", "brightness=+20.0"])]
    assert names == ["brightness=-20", "brightness=20", "occlusion=eyes", "occlusion=mouth"]
    every = parse_probes()
    assert {p.perturbation.name for p in every} == set(PERTURBATIONS)
    assert [p.name for p in parse_probes(["mirror"])] == [f"mirror={ON}"]
    assert len(every) == sum(len(p.levels) for p in PERTURBATIONS.values())
    assert parse_probes(["brightness=-0"])[0].name == "brightness=0"


def test_usual_levels_are_spelled_and_ordered_as_given_levels_are():
    for perturbation in PERTURBATIONS.values():
        assert [p.level for p in parse_probes([perturbation.name])] == list(perturbation.levels)
        assert [perturbation.position(level) is None for level in perturbation.levels] == (
            [not perturbation.is_ordered] * len(perturbation.levels)
        )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("grey", "no probe 'grey'; did you mean 'gray'"),
        ("skin=2", "no probe 'skin'; available: brightness"),
        ("brightness=dark", "brightness=dark: give numbers from -255 to 255"),
        ("brightness=", "give numbers from -255 to 255"),
        ("brightness=300", "give numbers from -255 to 255"),
        ("jpeg=10.5", "give whole numbers from 1 to 95"),
        ("blur=nan", "give numbers from 0 to 50"),
        ("occlusion=moth", "no such level; did you mean 'mouth'"),
        ("mirror=2", "no such level"),
    ],
)
def test_unknown_probes_and_levels_are_refused(text, complaint):
    with pytest.raises(UsageError, match=complaint):
        parse_probes([text])
