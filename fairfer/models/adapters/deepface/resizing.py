"""DeepFace's two resizings of a face as one matrix per axis."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 48
"""Height and width of the network's input."""

ENLARGED = 224
"""DeepFace brings every face to this many pixels a side before it shrinks it to `SIDE`."""

MAX_SIDE = 512
"""Images with a longer side go through DeepFace's own steps: their matrices would cost more than they save."""

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""OpenCV's weights of red, green and blue in a gray level."""

Operators = tuple[NDArray[np.float32], NDArray[np.float32]]


def gray(stack: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, h, w, 3) RGB 0..255 to (n, h, w) gray 0..1, with OpenCV's weights."""
    red, green, blue = stack[..., 0], stack[..., 1], stack[..., 2]
    levels: NDArray[Any] = red if np.array_equal(red, green) and np.array_equal(red, blue) else stack @ LUMA
    return np.asarray(levels.astype(np.float32) / np.float32(255))


@functools.lru_cache(maxsize=256)
def operators(height: int, width: int) -> Operators | None:
    """Matrices ``down`` (48, height) and ``across`` (width, 48): DeepFace's two resizings are ``down @ x @ across``.

    ``None`` for an image that the matrices do not fit: larger than `MAX_SIDE`, or so narrow that DeepFace cannot enlarge it.
    """
    if not height or not width or max(height, width) > MAX_SIDE:
        return None
    factor = min(ENLARGED / height, ENLARGED / width)
    enlarged_height, enlarged_width = int(height * factor), int(width * factor)
    if not enlarged_height or not enlarged_width:
        return None
    return _axis(height, enlarged_height), np.ascontiguousarray(_axis(width, enlarged_width).T)


def _axis(size: int, enlarged: int) -> NDArray[np.float32]:
    """(48, size): the effect of enlarging, black borders and shrinking on one column of pixels, computed by OpenCV itself."""
    import cv2

    column = np.zeros((ENLARGED, size))
    top = (ENLARGED - enlarged) // 2
    column[top : top + enlarged] = cv2.resize(np.eye(size), (size, enlarged))
    shrink = cv2.resize(np.eye(ENLARGED), (ENLARGED, SIDE))
    return np.asarray(shrink @ column, np.float32)
