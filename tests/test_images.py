"""From stored bytes to pixels; a picture that cannot be read says so and nothing else."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fairfer.datasets.images import FileImages, PixelImages, UnreadableImageError, decode_picture, digest_bytes


def encoded(picture: Image.Image, form: str = "PNG", **options) -> bytes:
    """The bytes of a picture file."""
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


RAMP = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
COLOUR = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], axis=2)


@pytest.mark.parametrize(
    ("raw", "pixels"),
    [
        (encoded(Image.fromarray(RAMP)), np.repeat(RAMP[:, :, None], 3, 2)),
        (encoded(Image.fromarray(COLOUR)), COLOUR),
        (encoded(Image.fromarray(COLOUR), "BMP"), COLOUR),
        (encoded(Image.fromarray(COLOUR).convert("RGBA")), COLOUR),
        (encoded(Image.fromarray(RAMP), "TIFF"), np.repeat(RAMP[:, :, None], 3, 2)),
        (encoded(Image.fromarray(RAMP), "PPM"), np.repeat(RAMP[:, :, None], 3, 2)),
        (encoded(Image.fromarray(COLOUR), "WEBP", lossless=True), COLOUR),
        (encoded(Image.fromarray(RAMP > 100)), np.repeat(((RAMP > 100) * 255).astype(np.uint8)[:, :, None], 3, 2)),
        (encoded(Image.fromarray(RAMP.astype(np.uint16) * 256 + 77)), np.repeat(RAMP[:, :, None], 3, 2)),
    ],
    ids=["grey", "rgb", "bmp", "rgba", "tiff", "pgm", "webp", "one-bit", "sixteen-bit"],
)
def test_every_kind_of_picture_becomes_rgb_bytes(raw, pixels):
    """(height, width, 3) uint8 RGB with the levels that were stored; 16-bit grey is scaled, not clipped."""
    found = decode_picture(raw, "face.png")
    assert found.dtype == np.uint8
    assert np.array_equal(found, pixels)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_cameras_orientation_is_applied(mode):
    """A portrait stored lying on its side stands upright, in grey too."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    source = Image.fromarray(COLOUR).convert(mode)
    found = decode_picture(encoded(source, exif=exif), "face.png")
    assert np.array_equal(found, np.rot90(np.asarray(source.convert("RGB")), -1))


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "is empty"),
        (b"not a picture", "cannot be decoded"),
        (encoded(Image.fromarray(COLOUR))[:60], "cannot be decoded"),
        (encoded(Image.fromarray(COLOUR), "JPEG")[:-40], "cannot be decoded"),
    ],
    ids=["empty", "text", "png cut short", "jpeg cut short"],
)
def test_a_damaged_picture_says_which_and_why(raw, why):
    """The text goes into the row of that picture."""
    with pytest.raises(UnreadableImageError, match=f"face.png {why}"):
        decode_picture(raw, "face.png")


def test_an_absurdly_large_picture_is_unreadable(monkeypatch):
    """A decompression bomb is one bad photo, not the end of a run."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4)
    with pytest.raises(UnreadableImageError, match="cannot be decoded"):
        decode_picture(encoded(Image.fromarray(COLOUR)), "face.png")


FORMS = {
    "PNG": encoded(Image.fromarray(COLOUR)),
    "JPEG": encoded(Image.fromarray(COLOUR), "JPEG"),
    "GIF": encoded(Image.fromarray(COLOUR), "GIF"),
    "TIFF": encoded(Image.fromarray(COLOUR), "TIFF", compression="tiff_lzw"),
    "BMP": encoded(Image.fromarray(COLOUR), "BMP"),
    "PPM": encoded(Image.fromarray(COLOUR), "PPM"),
}


@given(
    st.sampled_from(sorted(FORMS)),
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=6),
    st.integers(0, 300),
)
@pytest.mark.filterwarnings("ignore")
def test_no_damage_to_a_picture_raises_anything_but_unreadable(form, changes, cut):
    """Decoders raise nearly anything on damaged files; a bad photo must stay a row with a status."""
    raw = bytearray(FORMS[form])
    for place, value in changes:
        raw[place % len(raw)] = value
    try:
        found = decode_picture(bytes(raw[: len(raw) - cut % len(raw)]), "face")
    except UnreadableImageError:
        return
    assert found.ndim == 3
    assert found.shape[2] == 3
    assert found.dtype == np.uint8


def test_files_are_found_below_their_root_and_hashed_as_stored(tmp_path):
    """The bytes are the file's, and a missing or unreadable file is named."""
    (tmp_path / "a").mkdir()
    raw = FORMS["PNG"]
    (tmp_path / "a" / "face.png").write_bytes(raw)
    images = FileImages(tmp_path, {"1": "a/face.png", "2": "gone.png", "3": "a"})
    assert images.path("1") == tmp_path / "a/face.png"
    assert images.raw("1") == raw
    assert np.array_equal(images.decode(raw, "1"), COLOUR)
    with pytest.raises(UnreadableImageError, match=r"gone\.png is missing"):
        images.raw("2")
    with pytest.raises(UnreadableImageError, match=r"a cannot be opened \(Is a directory\)"):
        images.raw("3")


def test_pixels_in_an_array_are_pictures_too():
    """A row of ``fer2013.csv`` gives the same picture as its PNG file, and its bytes are its grey levels."""
    pixels = np.stack([RAMP, RAMP[::-1]])
    images = PixelImages(["a", "b"], pixels)
    assert images.raw("b") == RAMP[::-1].tobytes()
    assert np.array_equal(images.decode(images.raw("b"), "b"), np.repeat(RAMP[::-1][:, :, None], 3, 2))


def test_digests_are_sha256():
    """The digest is one that other tools can compute."""
    assert digest_bytes(b"face") == hashlib.sha256(b"face").hexdigest()
