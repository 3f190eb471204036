"""Preprocessing: each choice is stated, recorded, and equal to an independent computation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fairfer.errors import ModelError
from fairfer.models.preprocessing import SCALINGS, Preprocessing

RNG = np.random.default_rng(0)


def by_hand(image, how):
    """One image by Pillow and plain arithmetic, (height, width, channels)."""
    picture = Image.fromarray(image)
    if how.size is not None and picture.size != how.size[::-1]:
        picture = picture.resize(how.size[::-1], Image.Resampling[how.resample.upper()])
    x = np.asarray(picture.convert("L"))[..., None] if how.color == "gray" else np.asarray(picture)
    x = x[..., ::-1] if how.color == "bgr" else x
    return (x.astype(np.float64) * how.scale - np.array(how.mean)) / np.array(how.std)


STATED = st.builds(
    Preprocessing,
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    color=st.sampled_from(["gray", "rgb", "bgr"]),
    layout=st.sampled_from(["NCHW", "NHWC"]),
    scale=st.sampled_from([1.0, 1 / 255, 1 / 127.5]),
    mean=st.sampled_from([(0.0,), (0.5,)]),
    std=st.sampled_from([(1.0,), (0.25,)]),
    resample=st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos"]),
)


@given(STATED, st.integers(1, 15), st.integers(1, 15), st.integers(0, 99))
def test_every_combination_is_the_stated_arithmetic(how, height, width, seed):
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    [array] = how.batch([image])
    array = array.transpose(1, 2, 0) if how.layout == "NCHW" else array
    assert np.allclose(array, by_hand(image, how), atol=2e-5)


@given(STATED)
def test_options_are_read_again(how):
    """What is stored with a run states the preprocessing completely."""
    assert Preprocessing.from_options(how.options) == how


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("[-1, 1]", "-1..1"),
        ("-1,1", "-1..1"),
        ("-1.0..1.0", "-1..1"),
        ("[0,1]", "0..1"),
        ("ImageNet", "imagenet"),
        ("0..255", "0..255"),
    ],
)
def test_scalings_have_several_spellings(text, name):
    assert Preprocessing.from_options({"scaling": text}).scale == SCALINGS[name][0]


def test_scalings_end_where_they_say():
    black, white = np.zeros((1, 1, 3), np.uint8), np.full((1, 1, 3), 255, np.uint8)
    for name, (low, high) in {"0..1": (0, 1), "-1..1": (-1, 1), "0..255": (0, 255)}.items():
        batch = Preprocessing.from_options({"scaling": name}).batch([black, white])
        assert np.allclose([batch[0].min(), batch[1].max()], [low, high], atol=1e-6)
    standard = Preprocessing.from_options({"scaling": "imagenet"}).batch([white])[0, :, 0, 0]
    assert np.allclose(standard, (1 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225]), atol=1e-5)


@pytest.mark.parametrize(("text", "size"), [("64", (64, 64)), ("48x64", (48, 64)), (" 48 × 64 ", (48, 64)), ("none", None)])
def test_sizes(text, size):
    assert Preprocessing.from_options({"size": text}).size == size


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"size": "0"}, "height and width must be 1 to 4096"),
        ({"size": "99999"}, "height and width must be 1 to 4096"),
        ({"size": "-3"}, "is not a size"),
        ({"scale": "0"}, "scale must not be 0"),
        ({"std": "1,0,1"}, "std must not be 0"),
        ({"mean": "1,2"}, "mean: 2 numbers for 3 channels (rgb)"),
        ({"mean": "nan"}, "is not a number or a list of numbers"),
        ({"scale": "1,2"}, "must be one number"),
        ({"scale": "x"}, "is not a number"),
        ({"antialias": "true"}, "use yes or no"),
        ({"pad": "300"}, "pad 300 is not a gray level"),
        ({"pad": "white"}, "is not a gray level"),
        ({"pad": "0", "crop": "center"}, "keep one of them"),
        ({"layout": "CHW"}, "layout 'CHW' is not a choice"),
        ({"resample": "cubic"}, "resample 'cubic' is not a choice; did you mean 'bicubic'?"),
        ({"sizes": "3"}, "there is no option 'sizes'; did you mean 'size'?"),
    ],
)
def test_a_wrong_option_is_one_line(options, complaint):
    with pytest.raises(ModelError) as caught:
        Preprocessing.from_options(options)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_choices_are_read_in_any_case():
    read = Preprocessing.from_options({"layout": "nhwc", "color": "RGB", "pad": "none", "antialias": "no"})
    assert (read.layout, read.color, read.pad, read.antialias) == ("NHWC", "rgb", None, False)


def test_every_choice_changes_the_options():
    base = Preprocessing(size=(8, 8))
    others = {
        "size": (9, 8),
        "color": "bgr",
        "layout": "NHWC",
        "scale": 2.0,
        "mean": (1.0,),
        "std": (2.0,),
        "resample": "nearest",
    }
    others |= {"antialias": False, "crop": "center", "pad": 3}
    assert set(others) == {field.name for field in dataclasses.fields(Preprocessing)}
    for name, value in others.items():
        assert dataclasses.replace(base, **{name: value}).options != base.options
