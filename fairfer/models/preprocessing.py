"""From an image to the array that a network takes: size, color, resampling, crop, scaling, layout.

Different preprocessing of the same images is the most frequent reason why published numbers cannot be reproduced. Each choice
is therefore explicit, stored with the predictions and part of their identity (`Preprocessing.options`).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from fairfer.errors import ModelError, did_you_mean
from fairfer.models.resizing import resized

if TYPE_CHECKING:
    from numpy.typing import NDArray

Layout = Literal["NCHW", "NHWC"]
Color = Literal["gray", "rgb", "bgr"]
Resample = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Crop = Literal["none", "center"]
Numbers = tuple[float, ...]

MAX_SIDE = 4096
"""Largest height or width that a network may take."""

MAX_LEVEL = 255
"""Largest value of a pixel."""

SCALINGS: Mapping[str, tuple[float, Numbers, Numbers]] = {
    "0..255": (1.0, (0.0,), (1.0,)),
    "0..1": (1 / 255, (0.0,), (1.0,)),
    "-1..1": (1 / 127.5, (1.0,), (1.0,)),
    "imagenet": (1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""Scale, mean and standard deviation by the name that the option ``scaling`` takes."""

# Pillow's integer arithmetic for ITU-R BT.601, in units of 1/65536.
_LUMA = (19595, 38470, 7471)
_LUMA_BITS = 16
_HALF = 1 << (_LUMA_BITS - 1)

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "layout": get_args(Layout),
    "color": get_args(Color),
    "resample": get_args(Resample),
    "crop": get_args(Crop),
}


@dataclass(frozen=True)
class Preprocessing:
    """Preprocessing of an image for a network.

    In this order: crop or pad to the aspect ratio of `size`; resample to `size`, in 8 bits; convert the color; compute
    ``(x * scale - mean) / std`` in single precision, from x of 0 to 255.

    Attributes
    ----------
    size
        Height and width; ``None``: images keep their size.
    color
        ``gray`` (weights of ITU-R BT.601, in 8 bits, as in Pillow), ``rgb`` or ``bgr``.
    layout
        ``NCHW`` (images, channels, height, width) or ``NHWC``.
    scale, mean, std
        One number, or one per channel in the order of `color`.
    resample
        Kernel with which an image of another size is resampled.
    antialias
        Whether to use an antialiasing filter when an image is made smaller, as Pillow does and OpenCV does not.
    crop
        ``center``: crop to the aspect ratio of `size` before resampling.
    pad
        Gray level with which an image is padded to the aspect ratio of `size` before resampling; ``None``: no padding.

    Raises
    ------
    ModelError
        If a value is not valid, or two of them contradict each other.

    Examples
    --------
    >>> Preprocessing(size=(2, 2), color="gray", scale=1 / 255).batch([np.full((4, 4, 3), 255, np.uint8)]).shape
    (1, 1, 2, 2)
    """

    size: tuple[int, int] | None
    color: Color = "rgb"
    layout: Layout = "NCHW"
    scale: float = 1.0
    mean: Numbers = (0.0,)
    std: Numbers = (1.0,)
    resample: Resample = "bilinear"
    antialias: bool = True
    crop: Crop = "none"
    pad: int | None = None

    def __post_init__(self) -> None:
        for key, choices in _CHOICES.items():
            value = getattr(self, key)
            if value not in choices:
                message = f"{key} {value!r} is not a choice; {did_you_mean(str(value), choices)}"
                raise ModelError(message)
        if self.size is not None and not all(1 <= side <= MAX_SIDE for side in self.size):
            message = f"size: height and width must be 1 to {MAX_SIDE}, not {list(self.size)}"
            raise ModelError(message)
        if self.crop != "none" and self.pad is not None:
            message = "crop and pad both keep the aspect ratio; keep one of them"
            raise ModelError(message)
        if self.pad is not None and not 0 <= self.pad <= MAX_LEVEL:
            message = f"pad {self.pad} is not a gray level; give a whole number from 0 to {MAX_LEVEL}"
            raise ModelError(message)
        for key in ("mean", "std"):
            numbers = getattr(self, key)
            if len(numbers) not in (1, self.channels):
                plural = "s" if self.channels > 1 else ""
                message = f"{key}: {len(numbers)} numbers for {self.channels} channel{plural} ({self.color})"
                raise ModelError(message)
        for key, numbers in (("scale", (self.scale,)), ("std", self.std)):
            if 0 in numbers:
                message = f"{key} must not be 0"
                raise ModelError(message)

    @classmethod
    def from_options(cls, options: Mapping[str, str], **defaults: Any) -> Preprocessing:
        """Read the options of a model, as given on the command line.

        Parameters
        ----------
        options
            Text by name: ``size`` (``64``, or ``48x64`` for height and width), ``color``, ``layout``, ``scaling`` (a name of
            `SCALINGS`) or ``scale``, ``mean`` and ``std`` (numbers separated by commas), ``resample``, ``antialias`` (yes or
            no), ``crop``, ``pad`` (a gray level, or none).
        **defaults
            Attributes for options that are not given.

        Raises
        ------
        ModelError
            If an option does not exist, or its value is not valid.

        Examples
        --------
        >>> Preprocessing.from_options({"size": "64", "color": "gray", "scaling": "-1..1"}).mean
        (1.0,)
        """
        values: dict[str, Any] = {}
        for name, text in options.items():
            if name == "scaling":
                if clash := sorted({"scale", "mean", "std"} & set(options)):
                    message = f"option scaling={text!r} sets scale, mean and std; remove it, or remove {', '.join(clash)}"
                    raise ModelError(message)
                values["scale"], values["mean"], values["std"] = _scaling(text)
            elif name in _PARSERS:
                values[name] = _PARSERS[name](name, text)
            else:
                message = f"there is no option {name!r}; {did_you_mean(name, OPTIONS)}"
                raise ModelError(message)
        return cls(**{"size": None, **defaults, **values})

    @property
    def channels(self) -> int:
        """Number of color channels."""
        return 1 if self.color == "gray" else 3

    @property
    def options(self) -> dict[str, str]:
        """Every choice as text, for the identity of a run; `from_options` reads it again."""
        return {
            "size": "none" if self.size is None else "x".join(map(str, self.size)),
            "color": self.color,
            "layout": self.layout,
            "scale": repr(self.scale),
            "mean": ",".join(map(repr, self.mean)),
            "std": ",".join(map(repr, self.std)),
            "resample": self.resample,
            "antialias": "yes" if self.antialias else "no",
            "crop": self.crop,
            "pad": "none" if self.pad is None else str(self.pad),
        }

    def batch(self, images: Sequence[NDArray[np.uint8]], dtype: type[np.generic] = np.float32) -> NDArray[Any]:
        """Make the batch that a network takes.

        Parameters
        ----------
        images
            (height, width, 3) RGB; of one size if `size` is ``None``.
        dtype
            Type of the result.

        Returns
        -------
        array
            (n, channels, height, width) or (n, height, width, channels), depending on `layout`.
        """
        x = np.stack([image if self.size is None else resized(image, *self.size, self) for image in images])
        if self.color == "gray":
            x = _gray(x)[..., None]
        elif self.color == "bgr":
            x = x[..., ::-1]
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        unscaled = self.scale == 1 and not mean.any() and bool((std == 1).all())
        y: NDArray[Any] = x if unscaled else (x.astype(np.float32) * np.float32(self.scale) - mean) / std
        if self.layout == "NCHW":
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


def _scaling(text: str) -> tuple[float, Numbers, Numbers]:
    """Scale, mean and standard deviation; ``[-1, 1]``, ``-1,1`` and ``-1..1`` are the same."""
    name = re.sub(r"\s*(,|\.\.)\s*", "..", text.strip().strip("[]()").casefold().replace(".0", ""))
    if name not in SCALINGS:
        message = f"option scaling={text!r} is not a choice; {did_you_mean(name, SCALINGS)}, or give scale, mean and std"
        raise ModelError(message)
    return SCALINGS[name]


def _size(name: str, text: str) -> tuple[int, int] | None:
    if text.strip().casefold() == "none":
        return None
    sides = re.fullmatch(r"\s*(\d{1,5})\s*(?:[x×,]\s*(\d{1,5})\s*)?", text)
    if sides is None:
        message = f"option {name}={text!r} is not a size; write 64, or 48x64 for height and width"
        raise ModelError(message)
    return int(sides[1]), int(sides[2] or sides[1])


def _numbers(name: str, text: str) -> Numbers:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not np.isfinite(numbers).all():
        message = f"option {name}={text!r} is not a number or a list of numbers; write 0.5, or 0.485,0.456,0.406"
        raise ModelError(message)
    return numbers


def _number(name: str, text: str) -> float:
    numbers = _numbers(name, text)
    if len(numbers) > 1:
        message = f"option {name}={text!r} must be one number"
        raise ModelError(message)
    return numbers[0]


def _yes(name: str, text: str) -> bool:
    if text not in ("yes", "no"):
        message = f"option {name}={text!r} is not a choice; use yes or no"
        raise ModelError(message)
    return text == "yes"


def _level(name: str, text: str) -> int | None:
    if text.strip().casefold() == "none":
        return None
    if not text.strip().isdecimal():
        message = f"option {name}={text!r} is not a gray level; give a whole number from 0 to {MAX_LEVEL}, or none"
        raise ModelError(message)
    return int(text)


def _folded(name: str, text: str) -> str:
    """The value of a choice, in the spelling in which it is defined."""
    return next((c for c in _CHOICES[name] if c.casefold() == text.strip().casefold()), text)


_PARSERS: Mapping[str, Any] = {
    "size": _size,
    "scale": _number,
    "mean": _numbers,
    "std": _numbers,
    "antialias": _yes,
    "pad": _level,
    **dict.fromkeys(_CHOICES, _folded),
}

OPTIONS = tuple(sorted({*_PARSERS, "scaling"}))
"""Names of the options that `Preprocessing.from_options` reads."""

if set(_PARSERS) != {field.name for field in dataclasses.fields(Preprocessing)}:  # pragma: no cover
    message = "every attribute of Preprocessing needs an option"
    raise AssertionError(message)
