"""Images of a dataset: where they are stored, and how they are decoded.

An image that cannot be read raises `UnreadableImageError`. The caller turns it into a row with the status ``unreadable``,
so that one damaged file does not end a run.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

Picture = NDArray[np.uint8]
"""Pixels of an image: (height, width, 3) RGB, 0 to 255."""

Box = tuple[int, int, int, int]
"""A rectangle of an image: left, top, right, bottom in pixels; right and bottom are exclusive."""


FORMATS = ("PNG", "JPEG", "MPO", "BMP", "DIB", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF", "TGA")
"""Formats that are decoded, by Pillow's names. Others are refused: some of them are run as programs (EPS) or have no pixels."""

_ORIENTATIONS = frozenset({"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"})
"""Entries of an image's information that may hold an orientation."""

_ONE_BYTE, _TWO_BYTES = 8, 16
_BITS_PER_SAMPLE, _PHOTOMETRIC, _ORIENTATION, _PLANES, _SAMPLE_FORMAT = 258, 262, 274, 284, 339
_WHITE_IS_ZERO = 0
_ONE_PLANE_PER_CHANNEL = 2
_UNSIGNED, _UNDEFINED = 1, 4
_CODESTREAM = b"\xff\x4f\xff\x51"

_PNG_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_PNG_COLOR = 25
_PNG_KINDS = frozenset({b"\x08\x00\x00\x00\x00", b"\x08\x02\x00\x00\x00"})
"""End of the header of 8-bit gray levels and of RGB, not interlaced: depth, color type, compression, filter, order of lines."""

_PLAIN_CHUNKS = re.compile(b"IHDR(IDAT)+IEND")


class UnreadableImageError(Exception):
    """An image cannot be read or decoded; the text names the file and the reason."""


class Images(Protocol):
    """Images by sample id."""

    def raw(self, sample_id: str) -> bytes:
        """Return the stored bytes of one image. Digests are computed from them."""
        ...

    def decode(self, raw: bytes, sample_id: str) -> Picture:
        """Decode these bytes."""
        ...


class FileImages:
    """Image files below one folder.

    Parameters
    ----------
    root
        The folder.
    files
        For each sample id its file, relative to `root`.
    """

    def __init__(self, root: Path, files: Mapping[str, str]) -> None:
        self.root = root
        self.files = files

    def path(self, sample_id: str) -> Path:
        """Return the file of one sample."""
        return self.root / self.files[sample_id]

    def raw(self, sample_id: str) -> bytes:
        """Return the content of the file."""
        try:
            name = f"{self.root}/{self.files[sample_id]}"
            with open(name, "rb", buffering=0, opener=_open_at_once) as file:  # making a Path takes longer than reading a face
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    message = f"{self.files[sample_id]} is not a file, but a named pipe or a device"
                    raise UnreadableImageError(message)
                return file.read()
        except (OSError, ValueError) as error:  # ValueError: a name that no file can have
            missing = isinstance(error, FileNotFoundError)
            reason = "is missing" if missing else f"cannot be opened ({getattr(error, 'strerror', None) or error})"
            message = f"{self.files[sample_id]} {reason}"  # relative, because stored text must not depend on the folder
            raise UnreadableImageError(message) from error

    def decode(self, raw: bytes, sample_id: str) -> Picture:
        """Decode any of `FORMATS`; see `decode_picture`."""
        return decode_picture(raw, self.files[sample_id])


class PixelImages:
    """Grayscale images in one array, such as the rows of ``fer2013.csv``.

    Parameters
    ----------
    sample_ids
        Names of the rows.
    pixels
        (n, height, width) uint8.
    """

    def __init__(self, sample_ids: Sequence[str], pixels: NDArray[np.uint8]) -> None:
        self.row = {name: i for i, name in enumerate(sample_ids)}
        self.pixels = pixels

    def raw(self, sample_id: str) -> bytes:
        """Return the gray levels, row by row."""
        row: NDArray[np.uint8] = self.pixels[self.row[sample_id]]
        return row.tobytes()

    def decode(self, raw: bytes, sample_id: str) -> Picture:
        """Repeat the gray level in red, green and blue."""
        del sample_id
        return _gray_to_rgb(np.frombuffer(raw, np.uint8).reshape(self.pixels.shape[1:]))


class CroppedImages:
    """Faces in pictures that may show several people: each sample is a rectangle of an image file.

    Parameters
    ----------
    root
        The folder.
    files
        For each sample id its file, relative to `root`.
    boxes
        For each sample id its rectangle as (left, top, right, bottom) in pixels, right and bottom exclusive. What is outside of
        the picture is cut off. ``None``: the dataset has no rectangle for this sample, so that it cannot be read.
    """

    def __init__(self, root: Path, files: Mapping[str, str], boxes: Mapping[str, Box | None]) -> None:
        self.pictures = FileImages(root, files)
        self.boxes = boxes

    def raw(self, sample_id: str) -> bytes:
        """Return the rectangle as a line of text, then the file: two faces in one picture have different digests."""
        box = self.boxes[sample_id]
        if box is None:
            message = f"{self.pictures.files[sample_id]} has no face box in the label file"
            raise UnreadableImageError(message)
        return b"%d %d %d %d\n" % box + self.pictures.raw(sample_id)

    def decode(self, raw: bytes, sample_id: str) -> Picture:
        """Decode the picture and cut out the rectangle."""
        text, _, content = raw.partition(b"\n")
        left, top, right, bottom = (int(n) for n in text.split())
        picture = self.pictures.decode(content, sample_id)
        height, width = picture.shape[:2]
        face = picture[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        if not face.size:
            where = f"{self.pictures.files[sample_id]}: the face box from ({left}, {top}) to ({right}, {bottom})"
            message = f"{where} holds no pixel of the picture ({width} x {height})"
            raise UnreadableImageError(message)
        return np.ascontiguousarray(face)


def decode_picture(raw: bytes, where: str) -> Picture:
    """Decode an image file to 8-bit RGB.

    The orientation stored by a camera is applied, transparency is dropped, and of several frames the first is taken. Of 16-bit
    levels the high byte is kept; levels of other depths, and those of PGM and PPM, are scaled to 0..255 and rounded. Pixels
    without a defined range (floating point, 32-bit and signed integers) are refused.

    Parameters
    ----------
    raw
        Content of the file, in one of `FORMATS`.
    where
        Name of the file, for the error message.

    Raises
    ------
    UnreadableImageError
        If the bytes are not an image, are truncated, have pixels without a defined range, or describe an image above Pillow's
        size limit.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not raw:
        message = f"{where} is empty"
        raise UnreadableImageError(message)
    plain = _plain_png(raw)
    if plain is not None:
        return plain
    try:
        with Image.open(io.BytesIO(raw)) as image:
            _check_format(image)
            _check_tags(image)
            _check_codestream(image, raw)
            if image.mode == "L" and image.format == "PNG":
                gray = np.asarray(image)  # the most common case in FER datasets; faster than Pillow's conversion
                if not _ORIENTATIONS & image.info.keys():  # Pillow reads them with the pixels
                    return _gray_to_rgb(gray)
            levels = _deep_gray(image)  # has to come first: Pillow's conversions lose them
            upright = ImageOps.exif_transpose(image if levels is None else _with_levels(image, levels))
            return np.asarray(upright.convert("RGB"))
    except UnidentifiedImageError as error:  # Pillow's message holds a memory address, which differs between runs
        message = f"{where} cannot be decoded (not an image format that fairfer reads, or an unusual kind of one)"
        raise UnreadableImageError(message) from error
    except Exception as error:  # decoders of damaged files raise nearly any exception
        message = f"{where} cannot be decoded ({error})"
        raise UnreadableImageError(message) from error


def _plain_png(raw: bytes) -> Picture | None:
    """Decode a file for which `_is_plain_png` holds, in a third of Pillow's time; ``None`` for any other file."""
    if not _is_plain_png(raw):
        return None
    try:
        import cv2  # here, because most commands decode no image
    except ImportError:  # its wheel needs libGL, which small systems lack
        return None
    pixels = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:  # Pillow names the damage
        return None
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if raw[_PNG_COLOR] else cv2.COLOR_GRAY2RGB))


def _is_plain_png(raw: bytes) -> bool:
    """Whether this is an undamaged PNG file of 8-bit gray levels or RGB, with nothing else in it.

    Face datasets consist of such files. One with any entry that may change the pixels (palette, transparency, orientation,
    color profile), or with a wrong checksum, is left to Pillow.
    """
    from PIL import Image

    if raw[:16] != _PNG_START or raw[24:29] not in _PNG_KINDS:
        return False
    width, height = int.from_bytes(raw[16:20], "big"), int.from_bytes(raw[20:24], "big")
    if not 0 < width * height <= (Image.MAX_IMAGE_PIXELS or 0):
        return False
    at, kinds = 8, b""
    while at + 12 <= len(raw):
        end = at + 8 + int.from_bytes(raw[at : at + 4], "big")
        if zlib.crc32(raw[at + 4 : end]) != int.from_bytes(raw[end : end + 4], "big"):
            return False
        kinds += raw[at + 4 : at + 8]
        at = end + 4
    return at == len(raw) and _PLAIN_CHUNKS.fullmatch(kinds) is not None


def _check_format(image: Image.Image) -> None:
    if image.format not in FORMATS:
        message = f"the format {image.format} is not read; store it as PNG"
        raise ValueError(message)


def _check_tags(image: Image.Image) -> None:
    """Refuse the kinds of TIFF that Pillow decodes wrongly: signed levels as unsigned, planes of 16 bits as 8."""
    if image.format != "TIFF":
        return
    tags: Mapping[int, Any] = image.tag_v2  # type: ignore[attr-defined]  # only a TIFF image has it
    floating = image.mode == "F"  # refused by its mode, with its own message
    if not floating and not set(tags.get(_SAMPLE_FORMAT, ())) <= {_UNSIGNED, _UNDEFINED}:
        message = "32-bit or signed pixels have no defined range; store it with 8 or 16 bits per channel"
        raise ValueError(message)
    bits = tags.get(_BITS_PER_SAMPLE, (1,))
    if tags.get(_PLANES) == _ONE_PLANE_PER_CHANNEL and len(bits) > 1 and max(bits) > _ONE_BYTE:
        message = "channels of more than 8 bits in separate planes are not read; store it as PNG"
        raise ValueError(message)


def _check_codestream(image: Image.Image, raw: bytes) -> None:
    """Refuse deep color in JPEG 2000: Pillow rounds its levels to 8 bits without a limit, so that white becomes black."""
    start = raw.find(_CODESTREAM)
    if image.format != "JPEG2000" or image.mode.startswith("I;16") or start < 0:
        return
    # The marker is followed by two lengths, eight sizes and the number of channels, then three bytes per channel.
    at = start + len(_CODESTREAM) + 2 + 2 + 8 * 4
    channels = int.from_bytes(raw[at : at + 2], "big")
    depths = raw[at + 2 : at + 2 + 3 * channels : 3]  # bits minus 1, plus 128 where they are signed
    if any(depth >= _ONE_BYTE for depth in depths):
        message = "JPEG 2000 with signed levels or more than 8 bits per channel is not read; store it as PNG"
        raise ValueError(message)


def _deep_gray(image: Image.Image) -> NDArray[np.uint8] | None:
    """Levels of a grayscale image with more than 8 bits, in 8 bits; ``None`` for other images, which Pillow converts correctly.

    Pillow itself clips such levels to 255 instead of scaling them.
    """
    mode = image.mode
    if mode == "F" or (mode == "I" and image.format != "PPM"):
        kind = "floating-point" if mode == "F" else "32-bit or signed"
        message = f"{kind} pixels have no defined range; store it with 8 or 16 bits per channel"
        raise ValueError(message)
    if mode == "I":  # Pillow has scaled the levels from 0..maxval to 0..65535
        return _scaled(np.asarray(image), 65535)
    if not mode.startswith("I;16"):
        return None
    if image.format == "PNG":
        bits, inverted = 16, False
    elif image.format == "TIFF":
        tags: Mapping[int, Any] = image.tag_v2  # type: ignore[attr-defined]  # only a TIFF image has it
        bits, inverted = int(tags.get(_BITS_PER_SAMPLE, (16,))[0]), tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    else:
        message = f"the number of bits per pixel of a {image.format} image is unknown; store it as PNG"
        raise ValueError(message)
    levels = np.asarray(image).astype(np.uint32)
    if int(levels.max(initial=0)) >> bits:
        message = f"levels exceed {bits} bits"
        raise ValueError(message)
    white = (1 << bits) - 1
    levels = white - levels if inverted else levels
    return (levels >> 8).astype(np.uint8) if bits == _TWO_BYTES else _scaled(levels, white)


def _scaled(levels: NDArray[Any], white: int) -> NDArray[np.uint8]:
    """Levels 0..white as 0..255, rounded."""
    return ((levels.astype(np.uint32) * 510 + white) // (2 * white)).astype(np.uint8)


def _with_levels(image: Image.Image, levels: NDArray[np.uint8]) -> Image.Image:
    """A grayscale image with these levels and the orientation of `image`."""
    from PIL import Image

    converted = Image.fromarray(levels)
    converted.info = dict(image.info)
    exif, orientation = converted.getexif(), image.getexif().get(_ORIENTATION)
    if orientation is not None:
        exif[_ORIENTATION] = orientation
    return converted


def digest_bytes(raw: bytes) -> str:
    """SHA-256 of bytes, as hexadecimal."""
    return hashlib.sha256(raw).hexdigest()


def _open_at_once(path: str, flags: int) -> int:
    """Open a file; a named pipe is opened without waiting for somebody to write to it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _gray_to_rgb(gray: NDArray[np.uint8]) -> Picture:
    return np.repeat(gray[:, :, None], 3, axis=2)
