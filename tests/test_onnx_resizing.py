"""How an ONNX graph's images are resized: stated, recorded, and equal to independent implementations."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from fairfer.errors import ModelError
from fairfer.models.adapters.onnx.description import Input, read_description
from fairfer.models.registry import load_model
from fairfer.models.resizing import resized

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 31, 3)).astype(np.uint8)


def described(**keys) -> Input:
    return Input(layout="NCHW", size=[8, 8], color="rgb", **keys)


@pytest.mark.parametrize("method", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_with_antialiasing_pillow_resizes(method):
    expected = np.asarray(Image.fromarray(IMAGE).resize((13, 9), Image.Resampling[method.upper()]))
    assert np.array_equal(resized(IMAGE, 9, 13, described(resample=method)), expected)


@pytest.mark.parametrize("method", ["bilinear", "bicubic", "lanczos"])
def test_without_antialiasing_an_enlarged_image_is_the_same(method):
    """Smoothing only matters where an image becomes smaller."""
    expected = np.asarray(Image.fromarray(IMAGE).resize((64, 50), Image.Resampling[method.upper()])).astype(int)
    assert np.abs(resized(IMAGE, 50, 64, described(resample=method, antialias=False)) - expected).max() <= 1


def test_without_antialiasing_bilinear_is_that_of_opencv():
    cv2 = pytest.importorskip("cv2")
    expected = cv2.resize(IMAGE, (13, 9), interpolation=cv2.INTER_LINEAR).astype(int)
    assert np.abs(resized(IMAGE, 9, 13, described(antialias=False)) - expected).max() <= 1


def test_nearest_takes_the_pixel_below_the_center():
    rows, columns = (2 * np.arange(9) + 1) * 20 // 18, (2 * np.arange(13) + 1) * 31 // 26
    assert np.array_equal(resized(IMAGE, 9, 13, described(resample="nearest", antialias=False)), IMAGE[rows][:, columns])


def test_crop_and_pad_keep_the_aspect_ratio():
    """Oracles: the square in the middle; black columns left and right."""
    assert np.array_equal(resized(IMAGE, 20, 20, described(crop="center")), IMAGE[:, 5:25])
    padded = resized(IMAGE, 31, 31, described(pad=7))
    assert np.array_equal(padded[5:25], IMAGE)
    assert (padded[:5] == 7).all()
    assert (padded[25:] == 7).all()


def test_the_resizing_is_recorded():
    """It is part of the options, hence of the identity and of the report, also where it is a default."""
    defaults = {"resample": "bilinear", "antialias": "yes", "crop": "none", "pad": "none"}
    assert load_model("baseline").options.items() >= defaults.items()
    assert described(resample="bicubic", antialias=False, pad=0).preprocessing.options == {
        "size": "8x8", "color": "rgb", "layout": "NCHW", "scale": "1.0", "mean": "0.0", "std": "1.0",
        "resample": "bicubic", "antialias": "no", "crop": "none", "pad": "0",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('resample = "cubic"', "input.resample"),
        ("pad = 256", "input.pad"),
        ('crop = "center"\npad = 0', "keep one of them"),
        ('antialias = "yes"', "input.antialias"),
    ],
)
def test_a_wrong_resizing_is_one_line(tmp_path, line, complaint):
    path = tmp_path / "m.toml"
    path.write_text(
        'name = "m"\ngraph = "m.onnx"\nlabels = ["happy", "sad"]\n'
        f'[input]\nlayout = "NCHW"\nsize = [8, 8]\ncolor = "gray"\n{line}\n'
        '[output]\nkind = "logits"\n'
    )
    with pytest.raises(ModelError, match=complaint):
        read_description(path)
