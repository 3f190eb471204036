"""Decoding images; an image that cannot be read raises `UnreadableImageError` and nothing else."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import struct
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from fairfer.datasets.images import FileImages, PixelImages, UnreadableImageError, decode_picture, digest_bytes


def encoded(picture: Image.Image, form: str = "PNG", **options) -> bytes:
    """The bytes of an image file."""
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


RAMP = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
COLOR = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], axis=2)


@pytest.mark.parametrize(
    ("raw", "pixels"),
    [
        (encoded(Image.fromarray(RAMP)), np.repeat(RAMP[:, :, None], 3, 2)),
        (encoded(Image.fromarray(COLOR)), COLOR),
        (encoded(Image.fromarray(COLOR), "BMP"), COLOR),
        (encoded(Image.fromarray(COLOR).convert("RGBA")), COLOR),
        (encoded(Image.fromarray(RAMP), "TIFF"), np.repeat(RAMP[:, :, None], 3, 2)),
        (encoded(Image.fromarray(RAMP), "PPM"), np.repeat(RAMP[:, :, None], 3, 2)),
        (encoded(Image.fromarray(COLOR), "WEBP", lossless=True), COLOR),
        (encoded(Image.fromarray(RAMP > 100)), np.repeat(((RAMP > 100) * 255).astype(np.uint8)[:, :, None], 3, 2)),
        (encoded(Image.fromarray(RAMP.astype(np.uint16) * 256 + 77)), np.repeat(RAMP[:, :, None], 3, 2)),
    ],
    ids=["gray", "rgb", "bmp", "rgba", "tiff", "pgm", "webp", "one-bit", "sixteen-bit"],
)
def test_every_format_is_decoded_to_rgb(raw, pixels):
    """(height, width, 3) uint8 RGB with the stored levels; 16-bit gray is scaled, not clipped."""
    picture = decode_picture(raw, "face.png")
    assert picture.dtype == np.uint8
    assert np.array_equal(picture, pixels)


DEEP = np.random.default_rng(0).integers(0, 65536, (6, 8)).astype(np.uint16)


@pytest.mark.parametrize("magic", ["P2", "P5", "P3", "P6"])
@pytest.mark.parametrize("white", [1, 100, 255, 256, 1000, 4095, 65535])
def test_netpbm_levels_of_any_depth_are_scaled(magic, white):
    """Pillow alone clips gray levels above 255. Oracle: level * 255 / maxval, rounded."""
    shape = (6, 8, 3) if magic in ("P3", "P6") else (6, 8)
    levels = np.random.default_rng(white).integers(0, white + 1, shape)
    body = (
        " ".join(map(str, levels.ravel())).encode()
        if magic in ("P2", "P3")
        else levels.astype(">u2" if white > 255 else "u1").tobytes()
    )
    picture = decode_picture(f"{magic} 8 6 {white}\n".encode() + body, "face.pgm").astype(int)
    expected = levels if levels.ndim == 3 else np.repeat(levels[:, :, None], 3, 2)
    assert np.abs(picture - expected * 255 / white).max() <= 1


@pytest.mark.parametrize(("form", "tags", "inverted"), [("PNG", {}, False), ("TIFF", {}, False), ("TIFF", {262: 0}, True)])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_images_are_scaled_and_turned(form, tags, inverted, orientation):
    """16-bit gray, also where 0 is white, in each of the orientations of a camera."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"tiffinfo": {**tags, 0x0112: orientation}} if form == "TIFF" else {"exif": exif}
    high = (255 - (DEEP >> 8) if inverted else DEEP >> 8).astype(np.uint8)
    turned = {
        1: high, 2: high[:, ::-1], 3: high[::-1, ::-1], 4: high[::-1],
        5: high.T, 6: np.rot90(high, -1), 7: high[::-1, ::-1].T, 8: np.rot90(high),
    }[orientation]  # fmt: skip
    picture = decode_picture(encoded(Image.fromarray(DEEP), form, **options), "face")
    assert np.array_equal(picture, np.repeat(turned[:, :, None], 3, 2))


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (encoded(Image.fromarray(DEEP.astype(np.float32)), "TIFF"), "floating-point pixels have no defined range"),
        (encoded(Image.fromarray(DEEP.astype(np.int32)), "TIFF"), "32-bit or signed pixels have no defined range"),
        (b"Pf\n8 6\n-1.0\n" + DEEP.astype("<f4").tobytes(), "floating-point pixels have no defined range"),
        (encoded(Image.fromarray(DEEP), "JPEG2000"), "number of bits per pixel of a JPEG2000 image is unknown"),
        (encoded(Image.fromarray(COLOR), "EPS"), "the format EPS is not read"),
    ],
    ids=["float tiff", "32-bit tiff", "pfm", "deep jpeg 2000", "eps"],
)
def test_pixels_without_a_defined_range_are_unreadable(raw, why):
    with pytest.raises(UnreadableImageError, match=why):
        decode_picture(raw, "face")


@pytest.mark.parametrize("form", ["TIFF", "PNG", "WEBP", "GIF"])
def test_of_several_frames_the_first_is_decoded(form):
    other = Image.fromarray(255 - COLOR)
    raw = encoded(
        Image.fromarray(COLOR), form, save_all=True, append_images=[other], **({"lossless": True} if form == "WEBP" else {})
    )
    assert np.array_equal(decode_picture(raw, "face"), COLOR)


def test_transparent_palettes_and_cmyk_are_decoded():
    """Oracles: the palette's colors; (255 - ink) * (255 - black) / 255."""
    levels = RAMP % 3
    palette = Image.frombytes("P", (8, 6), levels.tobytes())
    colors = np.array([[10, 20, 30], [200, 100, 50], [0, 255, 7]], np.uint8)
    palette.putpalette(colors.ravel().tolist())
    assert np.array_equal(decode_picture(encoded(palette, transparency=1), "face"), colors[levels])
    ink = np.random.default_rng(1).integers(0, 256, (6, 8, 4)).astype(np.uint8)
    expected = (255.0 - ink[..., :3]) * (255.0 - ink[..., 3:]) / 255
    picture = decode_picture(encoded(Image.frombytes("CMYK", (8, 6), ink.tobytes()), "TIFF"), "face")
    assert np.abs(picture - expected).max() <= 1


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_camera_orientation_is_applied(mode):
    """An image stored sideways is rotated, also a grayscale one."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    source = Image.fromarray(COLOR).convert(mode)
    picture = decode_picture(encoded(source, exif=exif), "face.png")
    assert np.array_equal(picture, np.rot90(np.asarray(source.convert("RGB")), -1))


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "is empty"),
        (b"not an image", "cannot be decoded"),
        (encoded(Image.fromarray(COLOR))[:60], "cannot be decoded"),
        (encoded(Image.fromarray(COLOR), "JPEG")[:-40], "cannot be decoded"),
    ],
    ids=["empty", "text", "png cut short", "jpeg cut short"],
)
def test_a_damaged_image_is_named_with_the_reason(raw, why):
    """The text is stored in the row of the image."""
    with pytest.raises(UnreadableImageError, match=f"face.png {why}"):
        decode_picture(raw, "face.png")


def test_an_image_above_the_size_limit_is_unreadable(monkeypatch):
    """A decompression bomb is one unreadable image and does not end a run."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4)
    with pytest.raises(UnreadableImageError, match="cannot be decoded"):
        decode_picture(encoded(Image.fromarray(COLOR)), "face.png")


FORMS = {
    "PNG": encoded(Image.fromarray(COLOR)),
    "JPEG": encoded(Image.fromarray(COLOR), "JPEG"),
    "GIF": encoded(Image.fromarray(COLOR), "GIF"),
    "TIFF": encoded(Image.fromarray(COLOR), "TIFF", compression="tiff_lzw"),
    "BMP": encoded(Image.fromarray(COLOR), "BMP"),
    "PPM": encoded(Image.fromarray(COLOR), "PPM"),
}


@given(
    st.sampled_from(sorted(FORMS)),
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=6),
    st.integers(0, 300),
)
@pytest.mark.filterwarnings("ignore")
def test_damage_raises_only_unreadable_image_errors(form, changes, cut):
    """Decoders raise nearly any exception on damaged files."""
    raw = bytearray(FORMS[form])
    for place, value in changes:
        raw[place % len(raw)] = value
    try:
        picture = decode_picture(bytes(raw[: len(raw) - cut % len(raw)]), "face")
    except UnreadableImageError:
        return
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    assert picture.dtype == np.uint8


def test_files_are_read_below_their_root(tmp_path):
    """A missing or unreadable file is named."""
    (tmp_path / "a").mkdir()
    raw = FORMS["PNG"]
    (tmp_path / "a" / "face.png").write_bytes(raw)
    images = FileImages(tmp_path, {"1": "a/face.png", "2": "gone.png", "3": "a"})
    assert images.path("1") == tmp_path / "a/face.png"
    assert images.raw("1") == raw
    assert np.array_equal(images.decode(raw, "1"), COLOR)
    with pytest.raises(UnreadableImageError, match=r"gone\.png is missing"):
        images.raw("2")
    with pytest.raises(UnreadableImageError, match=r"a cannot be opened \(Is a directory\)"):
        images.raw("3")


def test_a_named_pipe_is_unreadable(tmp_path):
    """Opening it would wait for a writer forever; a name with a null character is no file either."""
    os.mkfifo(tmp_path / "a.png")
    images = FileImages(tmp_path, {"1": "a.png", "2": "a\0b.png"})
    for name, why in (("1", "is not a file"), ("2", "cannot be opened")):
        with pytest.raises(UnreadableImageError, match=why):
            images.raw(name)


def test_images_can_be_rows_of_an_array():
    """The bytes are the gray levels, repeated in red, green and blue."""
    pixels = np.stack([RAMP, RAMP[::-1]])
    images = PixelImages(["a", "b"], pixels)
    assert images.raw("b") == RAMP[::-1].tobytes()
    assert np.array_equal(images.decode(images.raw("b"), "b"), np.repeat(RAMP[::-1][:, :, None], 3, 2))


def test_digests_are_sha256():
    """Other tools can compute it."""
    assert digest_bytes(b"face") == hashlib.sha256(b"face").hexdigest()


def tiff(levels, bits, photometric, form=1, planes=1):
    """A TIFF written tag by tag: Pillow writes neither signed levels of 8 bits nor separate planes of 16."""
    channels = 1 if levels.ndim == 2 else levels.shape[2]
    content = (np.moveaxis(levels, -1, 0) if planes == 2 else levels).astype(f"<u{bits // 8}").tobytes()
    many = channels if planes == 2 else 1
    size, offset = len(content) // many, 200
    tags = {
        256: [levels.shape[1]],
        257: [levels.shape[0]],
        258: [bits] * channels,
        259: [1],
        262: [photometric],
        273: [0] * many,
        277: [channels],
        278: [levels.shape[0]],
        279: [size] * many,
        284: [planes],
        339: [form] * channels,
    }
    values, entries = b"", b""
    data = offset + 2 * 3 * 4
    tags[273] = [data + i * size for i in range(many)]
    for tag, numbers in tags.items():
        packed = struct.pack(f"<{len(numbers)}H", *numbers)
        if len(packed) > 4:
            entries += struct.pack("<HHII", tag, 3, len(numbers), offset + len(values))
            values += packed
        else:
            entries += struct.pack("<HHI", tag, 3, len(numbers)) + packed.ljust(4, b"\0")
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4)
    return (head.ljust(offset, b"\0") + values).ljust(data, b"\0") + content


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("form", [1, 2])
@pytest.mark.parametrize(("channels", "planes"), [(1, 1), (3, 1), (3, 2)])
def test_a_tiff_is_decoded_correctly_or_refused(channels, planes, form, bits):
    """Pillow decodes signed levels of 8 bits as unsigned, and planes of 16 bits as bytes. Oracle: the levels written."""
    levels = COLOR if channels == 3 else RAMP
    stored = levels.astype(np.uint16) * (257 if bits == 16 else 1)
    raw = tiff(stored, bits, 2 if channels == 3 else 1, form, planes)
    refused = form == 2 or (planes == 2 and bits == 16)
    if refused:
        with pytest.raises(UnreadableImageError):
            decode_picture(raw, "face.tif")
    else:
        wanted = levels if channels == 3 else np.repeat(levels[:, :, None], 3, 2)
        assert np.array_equal(decode_picture(raw, "face.tif"), wanted)


DEEP_JPEG_2000 = base64.b64decode(
    "AAAADGpQICANCocKAAAAFGZ0eXBqcDIgAAAAAGpwMiAAAAAtanAyaAAAABZpaGRyAAAAQAAAAEAAAw8HAAAAAAAPY29scgEAAAAAABAAAAC5an"
    "AyY/9P/1EALwAAAAAAQAAAAEAAAAAAAAAAAAAAAEAAAABAAAAAAAAAAAAAAw8BAQ8BAQ8BAf9SAAwAAAABAAUEBAAB/1wAE0CAiIiQiIiQiIiQ"
    "iIiQiIiQ/2QAJQABQ3JlYXRlZCBieSBPcGVuSlBFRyB2ZXJzaW9uIDIuNS4z/5AACgAAAAAAMgAB/5PP/BAMAcq/z/wQDAHKv8/8EAwByr+AgI"
    "CAgICAgICAgICAgID/2Q=="
)
"""64 x 64 pixels of 16 bits per channel, all of level 65535 (written with OpenCV)."""


def test_white_of_a_deep_jpeg_2000_does_not_become_black():
    """Pillow rounds 65535 up to 256, which is 0 in 8 bits."""
    with Image.open(io.BytesIO(DEEP_JPEG_2000)) as image:
        assert image.mode == "RGB"
    with pytest.raises(UnreadableImageError, match="more than 8 bits per channel is not read; store it as PNG"):
        decode_picture(DEEP_JPEG_2000, "face.jp2")


@given(
    st.sampled_from(["L", "RGB"]),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(0, 2**32 - 1),
    st.sampled_from([{}, {"optimize": True}, {"compress_level": 0}, {"dpi": (72, 72)}, {"transparency": 3}, {"exif": b""}]),
)
def test_png_files_decoded_by_opencv_have_the_pixels_of_pillow(mode, width, height, seed, options):
    channels = (3,) if mode == "RGB" else ()
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, *channels), dtype=np.uint8)
    image = Image.fromarray(pixels)
    if "exif" in options:
        options = {"exif": image.getexif()}
        options["exif"][0x0112] = 1 + seed % 8
    if mode == "RGB" and "transparency" in options:
        options = {"transparency": (1, 2, 3)}
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    with Image.open(io.BytesIO(buffer.getvalue())) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored).convert("RGB"))
    decoded = decode_picture(buffer.getvalue(), "a.png")
    assert np.array_equal(decoded, expected)
    assert decoded.dtype == np.uint8


def test_a_png_file_with_a_wrong_checksum_is_left_to_pillow(monkeypatch):
    buffer = io.BytesIO()
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8)).save(buffer, "PNG")
    raw = bytearray(buffer.getvalue())
    calls = []
    monkeypatch.setattr(cv2, "imdecode", lambda *a: calls.append(a))
    raw[18] ^= 1  # the width, without a new checksum
    with pytest.raises(UnreadableImageError, match="cannot be decoded"):
        decode_picture(bytes(raw), "a.png")
    assert not calls


def test_png_files_are_decoded_where_opencv_cannot_be_imported(monkeypatch):
    buffer = io.BytesIO()
    pixels = np.arange(48, dtype=np.uint8).reshape(6, 8)
    Image.fromarray(pixels).save(buffer, "PNG")
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert np.array_equal(decode_picture(buffer.getvalue(), "a.png"), np.repeat(pixels[:, :, None], 3, axis=2))


def test_png_files_that_opencv_refuses_are_left_to_pillow(monkeypatch):
    buffer = io.BytesIO()
    pixels = np.arange(48, dtype=np.uint8).reshape(6, 8)
    Image.fromarray(pixels).save(buffer, "PNG")
    monkeypatch.setattr(cv2, "imdecode", lambda *_: None)
    assert np.array_equal(decode_picture(buffer.getvalue(), "a.png"), np.repeat(pixels[:, :, None], 3, axis=2))
