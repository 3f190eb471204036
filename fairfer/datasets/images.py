"""Images of a dataset: where they are stored, and how they are decoded.

An image that cannot be read raises `UnreadableImageError`. The caller turns it into a row with the status ``unreadable``,
so that one damaged file does not end a run.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""Pixels of an image: (height, width, 3) RGB, 0 to 255."""


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
            with open(f"{self.root}/{self.files[sample_id]}", "rb", buffering=0) as file:  # noqa: PTH123 - making a Path takes
                return file.read()  # longer than reading a small face
        except OSError as error:
            reason = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be opened ({error.strerror})"
            message = f"{self.files[sample_id]} {reason}"  # relative, because stored text must not depend on the folder
            raise UnreadableImageError(message) from error

    def decode(self, raw: bytes, sample_id: str) -> Picture:
        """Decode any format that Pillow reads; see `decode_picture`."""
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


def decode_picture(raw: bytes, where: str) -> Picture:
    """Decode an image file. The orientation stored by a camera is applied; transparency is dropped.

    Parameters
    ----------
    raw
        Content of the file, in any format that Pillow reads.
    where
        Name of the file, for the error message.

    Raises
    ------
    UnreadableImageError
        If the bytes are not an image, are truncated, or describe an image above Pillow's size limit.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not raw:
        message = f"{where} is empty"
        raise UnreadableImageError(message)
    try:
        with Image.open(io.BytesIO(raw)) as image:
            if image.mode == "L" and image.format == "PNG":
                gray = np.asarray(image)  # the most common case in FER datasets; faster than Pillow's conversion
                if "exif" not in image.info:  # Pillow reads it with the pixels
                    return _gray_to_rgb(gray)
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I;16"):
                levels = np.asarray(upright).astype(np.uint32)
                return _gray_to_rgb((levels >> 8).astype(np.uint8))  # Pillow clips 16-bit levels to 255 instead of scaling them
            return np.asarray(upright.convert("RGB"))
    except UnidentifiedImageError as error:  # Pillow's message holds a memory address, which differs between runs
        message = f"{where} cannot be decoded (not an image format that Pillow reads)"
        raise UnreadableImageError(message) from error
    except Exception as error:  # decoders of damaged files raise nearly any exception
        message = f"{where} cannot be decoded ({error})"
        raise UnreadableImageError(message) from error


def digest_bytes(raw: bytes) -> str:
    """SHA-256 of bytes, as hexadecimal."""
    return hashlib.sha256(raw).hexdigest()


def _gray_to_rgb(gray: NDArray[np.uint8]) -> Picture:
    return np.repeat(gray[:, :, None], 3, axis=2)
