"""Bring an image to the size that a network takes."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.models.preprocessing import Preprocessing

_SUPPORT = {"nearest": 0.5, "bilinear": 1.0, "bicubic": 2.0, "lanczos": 3.0}
"""Half the width of each interpolation kernel, in pixels."""

_CUBIC = -0.5
"""Parameter of the cubic kernel (Keys 1981), as in Pillow."""


def resized(image: NDArray[np.uint8], height: int, width: int, how: Preprocessing) -> NDArray[np.uint8]:
    """Crop, pad and resample a (h, w, 3) image to (height, width, 3) as `how` says.

    An image that already has this size is returned as it is.
    """
    if image.shape[:2] == (height, width):
        return image
    if how.crop == "center":
        image = _cropped(image, height, width)
    elif how.pad is not None:
        image = _padded(image, height, width, how.pad)
    if image.shape[:2] == (height, width):
        return image
    if not how.antialias:
        return _interpolated(image, height, width, how.resample)
    from PIL import Image

    method = Image.Resampling[how.resample.upper()]
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize((width, height), method))


def frame(shape: tuple[int, ...], height: int, width: int, how: Preprocessing) -> tuple[float, float, float, float]:
    """Left, top, width and height of the area of a (h, w, ...) image that `resized` brings to (height, width).

    The area is the center that `crop` keeps, or extends beyond the image where it is padded.
    """
    h, w = shape[:2]
    outer_h, outer_w = h, w
    if (h, w) != (height, width) and how.crop == "center":
        outer_h, outer_w = _inner(h, w, height, width)
    elif (h, w) != (height, width) and how.pad is not None:
        outer_h, outer_w = _outer(h, w, height, width)
    # The same whole pixels as in `_cropped` and `_padded`.
    left = (w - outer_w) // 2 if outer_w <= w else -((outer_w - w) // 2)
    top = (h - outer_h) // 2 if outer_h <= h else -((outer_h - h) // 2)
    return float(left), float(top), float(outer_w), float(outer_h)


def _inner(h: int, w: int, height: int, width: int) -> tuple[int, int]:
    scale = min(h / height, w / width)
    return max(1, round(scale * height)), max(1, round(scale * width))


def _outer(h: int, w: int, height: int, width: int) -> tuple[int, int]:
    scale = max(h / height, w / width)
    return max(h, round(scale * height)), max(w, round(scale * width))


def _cropped(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """The largest part in the center with the aspect ratio of (height, width)."""
    h, w = image.shape[:2]
    inner_h, inner_w = _inner(h, w, height, width)
    top, left = (h - inner_h) // 2, (w - inner_w) // 2
    return image[top : top + inner_h, left : left + inner_w]


def _padded(image: NDArray[np.uint8], height: int, width: int, level: int) -> NDArray[np.uint8]:
    """The image in the center of a plain one with the aspect ratio of (height, width)."""
    h, w = image.shape[:2]
    scale = max(h / height, w / width)
    outer_h, outer_w = max(h, round(scale * height)), max(w, round(scale * width))
    top, left = (outer_h - h) // 2, (outer_w - w) // 2
    padded = np.full((outer_h, outer_w, image.shape[2]), level, np.uint8)
    padded[top : top + h, left : left + w] = image
    return padded


def _interpolated(image: NDArray[np.uint8], height: int, width: int, method: str) -> NDArray[np.uint8]:
    """Resample without smoothing: the kernel keeps its width in source pixels, however much smaller the image becomes."""
    down, across = _weights(image.shape[0], height, method), _weights(image.shape[1], width, method)
    wide = _in_8_bits(np.einsum("jw,hwc->hjc", across, image))
    return _in_8_bits(np.einsum("ih,hjc->ijc", down, wide))


def _in_8_bits(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Rounded, after each axis, as in Pillow."""
    return np.asarray(np.clip(np.floor(values + 0.5), 0, 255), np.uint8)


@functools.lru_cache(maxsize=256)
def _weights(size: int, target: int, method: str) -> NDArray[np.float64]:
    """(target, size): weights of the source pixels in each target pixel.

    Pixel i has its center at i + 0.5. At an edge the part of the kernel inside the image is used.
    """
    centers = (np.arange(target) + 0.5) * (size / target) - 0.5
    if method == "nearest":
        nearest = (2 * np.arange(target) + 1) * size // (2 * target)
        return np.asarray(np.eye(size)[nearest])
    distance = np.abs(np.arange(size)[None, :] - centers[:, None])
    if method == "bilinear":
        weights = 1 - distance
    elif method == "lanczos":
        weights = np.sinc(distance) * np.sinc(distance / _SUPPORT["lanczos"])
    else:
        near = (_CUBIC + 2) * distance**3 - (_CUBIC + 3) * distance**2 + 1
        far = _CUBIC * (distance**3 - 5 * distance**2 + 8 * distance - 4)
        weights = np.where(distance <= 1, near, far)
    weights = np.where(distance < _SUPPORT[method], weights, 0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
