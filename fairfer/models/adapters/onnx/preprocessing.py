"""Images to the batch that a graph takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fairfer.models.adapters.onnx.resizing import resized

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.models.adapters.onnx.description import Input

# Pillow's integer arithmetic for ITU-R BT.601, in units of 1/65536.
_LUMA = (19595, 38470, 7471)
_LUMA_BITS = 16
_HALF = 1 << (_LUMA_BITS - 1)


def prepare(images: Sequence[NDArray[np.uint8]], description: Input, dtype: type[np.generic]) -> NDArray[Any]:
    """Make the batch for (height, width, 3) RGB images, in the described layout, colors, scale and element type.

    Returns
    -------
    array
        (n, channels, height, width) or (n, height, width, channels), depending on the layout.
    """
    height, width = description.size
    x = np.stack([resized(image, height, width, description) for image in images])
    if description.color == "gray":
        x = _gray(x)[..., None]
    elif description.color == "bgr":
        x = x[..., ::-1]
    mean, std = np.asarray(description.mean, np.float32), np.asarray(description.std, np.float32)
    unscaled = description.scale == 1 and not mean.any() and bool((std == 1).all())
    y: NDArray[Any] = x if unscaled else (x.astype(np.float32) * np.float32(description.scale) - mean) / std
    if description.layout == "NCHW":
        y = y.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(y, dtype=dtype)


def _gray(x: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, h, w, 3) RGB to (n, h, w), as Pillow does; an image that is already gray keeps its values."""
    red, green, blue = x[..., 0], x[..., 1], x[..., 2]
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return red
    wide = x.astype(np.uint32)
    weighted = sum(wide[..., i] * weight for i, weight in enumerate(_LUMA))
    return np.asarray((weighted + _HALF) >> _LUMA_BITS, np.uint8)
