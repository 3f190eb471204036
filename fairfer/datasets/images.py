"""Where the pictures of a data set come from, and how bytes become pixels.

A picture that cannot be read raises `UnreadableImageError`; whoever asked turns it into a row with a
status. It never ends a run.
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
"""(height, width, 3) RGB, 0..255."""


class UnreadableImageError(Exception):
    """One picture could not be read or decoded; the text says which file and why."""


class Images(Protocol):
    """Pictures by sample id."""

    def raw(self, sample_id: str) -> bytes:
        """The stored bytes of one picture, as they are hashed."""
        ...

    def decode(self, raw: bytes, sample_id: str) -> Picture:
        """Pixels from those bytes."""
        ...


class FileImages:
    """Pictures in files under one folder.

    Parameters
    ----------
    root
        The folder.
    files
        For each sample id the file, relative to `root`.
    """

    def __init__(self, root: Path, files: Mapping[str, str]) -> None:
        self.root = root
        self.files = files

    def path(self, sample_id: str) -> Path:
        """The file of one sample."""
        return self.root / self.files[sample_id]

    def raw(self, sample_id: str) -> bytes:
        """Bytes of the file."""
        try:
            with open(f"{self.root}/{self.files[sample_id]}", "rb", buffering=0) as file:  # noqa: PTH123 - a Path costs more
                return file.read()  # than reading a small face does
        except OSError as error:
            reason = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be opened ({error.strerror})"
            message = f"{self.files[sample_id]} {reason}"  # below the root: what is stored must not depend on where it lies
            raise UnreadableImageError(message) from error

    def decode(self, raw: bytes, sample_id: str) -> Picture:
        """Decode any format Pillow knows; the orientation noted by a camera is applied, transparency is dropped."""
        return decode_picture(raw, self.files[sample_id])


class PixelImages:
    """Grey pictures held in one array, such as the rows of ``fer2013.csv``.

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
        """The grey levels, row by row."""
        row: NDArray[np.uint8] = self.pixels[self.row[sample_id]]
        return row.tobytes()

    def decode(self, raw: bytes, sample_id: str) -> Picture:
        """The same grey level in red, green and blue."""
        del sample_id
        grey = np.frombuffer(raw, np.uint8).reshape(self.pixels.shape[1:])
        return np.repeat(grey[:, :, None], 3, axis=2)


def decode_picture(raw: bytes, where: str) -> Picture:
    """RGB pixels of an encoded picture.

    Raises
    ------
    UnreadableImageError
        When the bytes are no picture, are cut short, or describe an absurdly large one.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError  # noqa: PLC0415 - Pillow is not needed to audit stored predictions

    if not raw:
        message = f"{where} is empty"
        raise UnreadableImageError(message)
    try:
        with Image.open(io.BytesIO(raw)) as picture:
            if picture.mode == "L" and picture.format == "PNG":
                grey = np.asarray(picture)  # the common case of FER sets, without Pillow's slower conversion
                if "exif" not in picture.info:  # known only once the picture was read
                    return np.repeat(grey[:, :, None], 3, axis=2)
            upright = ImageOps.exif_transpose(picture)
            if upright.mode.startswith("I;16"):
                deep = np.asarray(upright).astype(np.uint32)
                grey = (deep >> 8).astype(np.uint8)  # Pillow would clip 16-bit grey to 255 instead of scaling it
                return np.repeat(grey[:, :, None], 3, axis=2)
            return np.asarray(upright.convert("RGB"))
    except UnidentifiedImageError as error:  # Pillow's own words hold a memory address, which no two runs share
        message = f"{where} cannot be decoded (it is no kind of picture that is known)"
        raise UnreadableImageError(message) from error
    except Exception as error:  # decoders of damaged files raise nearly anything, and a bad photo is a row
        message = f"{where} cannot be decoded ({error})"
        raise UnreadableImageError(message) from error


def digest_bytes(raw: bytes) -> str:
    """SHA-256 of a picture's stored bytes, as hexadecimal."""
    return hashlib.sha256(raw).hexdigest()
