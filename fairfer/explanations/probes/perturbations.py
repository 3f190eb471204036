"""Changes of a picture: brightness, contrast, blur, noise, crop, mirror, gray, JPEG, occlusion of a region.

Each is a function of one picture and a level. The same picture of the same sample changes in the same way every time.
Brightness and contrast are properties of the picture. They are not skin tone: a darker picture of a person is not a picture of
a person with darker skin.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from fairfer.datasets.images import Picture, digest_bytes
from fairfer.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

ON = "on"
"""The only level of a change that has no strength."""

VERSION = "1"
"""Version of the changes. Answers to pictures that another version made are not used."""

REGIONS: Mapping[str, tuple[tuple[float, float, float, float], ...]] = {
    "forehead": ((0.10, 0.00, 0.90, 0.22),),
    "brows": ((0.08, 0.20, 0.92, 0.35),),
    "eyes": ((0.12, 0.32, 0.88, 0.47),),
    "nose": ((0.33, 0.40, 0.67, 0.68),),
    "cheeks": ((0.05, 0.50, 0.32, 0.75), (0.68, 0.50, 0.95, 0.75)),
    "mouth": ((0.26, 0.67, 0.74, 0.90),),
    "chin": ((0.28, 0.90, 0.72, 1.00),),
}
"""Boxes of each region as left, top, right and bottom in shares of width and height: a template for tightly cropped, upright
faces. It follows the median positions of MediaPipe's landmarks in 3,209 images of FER+ Test."""

_WHITE = 255
_REACH = 4
"""A Gaussian is cut off at this many standard deviations."""


@dataclass(frozen=True)
class Perturbation:
    """One kind of change.

    Attributes
    ----------
    name
        As ``--probe`` names it.
    summary
        What is done to the picture, for help and report.
    unit
        Of the levels, as it follows a number; empty where levels are names.
    levels
        Those that are tried when none are given, in ascending order.
    function
        Of the picture, the level as a number or name, and a function that returns the picture's own random numbers.
    limits
        Least and greatest level; ``None`` where levels are names.
    whole
        Whether levels are whole numbers.
    """

    name: str
    summary: str
    unit: str
    levels: tuple[str, ...]
    function: Callable[[Picture, str, Callable[[], np.random.Generator]], Picture]
    limits: tuple[float, float] | None = None
    whole: bool = False

    @property
    def is_ordered(self) -> bool:
        """Whether levels are numbers, so that a response can be drawn against them."""
        return self.limits is not None

    @property
    def has_zero(self) -> bool:
        """Whether level 0 is the original picture."""
        return self.limits is not None and self.limits[0] <= 0

    def level(self, text: str) -> str:
        """A level in its one spelling: ``+20.0`` is ``20``.

        Raises
        ------
        UsageError
            When there is no such level.
        """
        stripped = text.strip()
        if self.limits is None:
            if stripped not in self.levels:
                message = f"--probe {self.name}={text}: there is no such level; {did_you_mean(stripped, self.levels)}"
                raise UsageError(message)
            return stripped
        try:
            value = float(stripped)
        except ValueError:
            value = math.nan
        low, high = self.limits
        if not low <= value <= high or (self.whole and value % 1):
            kind = "whole numbers" if self.whole else "numbers"
            message = f"--probe {self.name}={text}: give {kind} from {low:g} to {high:g} ({self.unit})"
            raise UsageError(message)
        return f"{value + 0.0:g}"

    def position(self, level: str) -> float | None:
        """The level as a number; ``None`` where levels are names."""
        return float(level) if self.is_ordered else None

    def apply(self, picture: Picture, level: str, sample_id: str, digest: str) -> Picture:
        """Change a picture.

        Parameters
        ----------
        picture
            (height, width, 3) RGB uint8.
        level
            As `level` spells it.
        sample_id, digest
            Name of the sample and digest of its stored image, from which random numbers are made.

        Returns
        -------
        ndarray
            The same shape and type. Equal to `picture` where the level changes nothing.
        """
        changed = self.function(picture, level, lambda: _generator(sample_id, digest))
        return np.ascontiguousarray(changed, np.uint8)


def _generator(sample_id: str, digest: str) -> np.random.Generator:
    """Random numbers of one picture. They do not depend on the level: a stronger level is the same noise, only stronger."""
    return np.random.default_rng(list(bytes.fromhex(digest_bytes(f"{sample_id}\n{digest}".encode()))))


def _rounded(values: NDArray[np.floating[Any]]) -> Picture:
    """Values as gray levels: rounded, then limited to 0..255."""
    levels: Picture = np.clip(np.rint(values), 0, _WHITE).astype(np.uint8)
    return levels


def _brightness(picture: Picture, level: str, _: Callable[[], np.random.Generator]) -> Picture:
    return _rounded(picture + float(level))


def _contrast(picture: Picture, level: str, _: Callable[[], np.random.Generator]) -> Picture:
    mean = float(picture.mean())
    return _rounded(mean + (1 + float(level) / 100) * (picture - mean))


def _blur(picture: Picture, level: str, _: Callable[[], np.random.Generator]) -> Picture:
    sigma = float(level) / 100 * min(picture.shape[:2])
    radius = int(_REACH * sigma + 0.5)
    if not radius:
        return picture
    values = picture.astype(np.float64)
    for axis in (0, 1):
        values = _smoothed(values, sigma, radius, axis)
    return _rounded(values)


def _smoothed(values: NDArray[np.float64], sigma: float, radius: int, axis: int) -> NDArray[np.float64]:
    """Convolve with a Gaussian along one axis; the edge is repeated outside of the picture."""
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights /= weights.sum()
    padding = [(radius, radius) if i == axis else (0, 0) for i in range(values.ndim)]
    padded = np.pad(values, padding, mode="edge")
    size = values.shape[axis]
    total = np.zeros_like(values)
    for i, weight in enumerate(weights):
        total += weight * padded.take(range(i, i + size), axis)
    return total


def _noise(picture: Picture, level: str, generator: Callable[[], np.random.Generator]) -> Picture:
    """The same noise in all three channels, so that a gray picture stays gray."""
    noise = generator().standard_normal((*picture.shape[:2], 1))
    return _rounded(picture + float(level) * noise)


def _crop(picture: Picture, level: str, _: Callable[[], np.random.Generator]) -> Picture:
    if not float(level):
        return picture
    height, width = picture.shape[:2]
    part = 1 / (1 + float(level) / 100)
    left, top = width * (1 - part) / 2, height * (1 - part) / 2
    image = Image.fromarray(picture)
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, (left, top, width - left, height - top)))


def _mirror(picture: Picture, _: str, __: Callable[[], np.random.Generator]) -> Picture:
    return picture[:, ::-1]


def _gray(picture: Picture, _: str, __: Callable[[], np.random.Generator]) -> Picture:
    """Luma of ITU-R BT.601, as Pillow rounds it: a picture without color does not change."""
    return np.repeat(np.asarray(Image.fromarray(picture).convert("L"))[:, :, None], 3, axis=2)


def _jpeg(picture: Picture, level: str, _: Callable[[], np.random.Generator]) -> Picture:
    stored = io.BytesIO()
    Image.fromarray(picture).save(stored, "JPEG", quality=int(level))
    with Image.open(stored) as image:
        return np.asarray(image.convert("RGB"))


def _occlusion(picture: Picture, level: str, _: Callable[[], np.random.Generator]) -> Picture:
    height, width = picture.shape[:2]
    changed = picture.copy()
    mean = _rounded(picture.mean(axis=(0, 1)))
    for left, top, right, bottom in REGIONS[level]:
        rows = slice(math.floor(top * height), math.ceil(bottom * height))
        changed[rows, math.floor(left * width) : math.ceil(right * width)] = mean
    return changed


PERTURBATIONS: Mapping[str, Perturbation] = {
    p.name: p
    for p in (
        Perturbation(
            "brightness", "adds gray levels to every pixel", "gray levels", ("-60", "-30", "30", "60"), _brightness, (-255, 255)
        ),
        Perturbation(
            "contrast", "spreads gray levels around the picture's mean", "%", ("-60", "-30", "30", "60"), _contrast, (-100, 400)
        ),
        Perturbation(
            "blur", "Gaussian blur, standard deviation in % of the shorter side", "%", ("1", "2", "4"), _blur, (0, 50)
        ),
        Perturbation(
            "noise",
            "adds Gaussian noise of this standard deviation",
            "gray levels",
            ("5", "10", "20"),
            _noise,
            (0, 255),
        ),
        Perturbation("crop", "enlarges the picture and cuts its edges off", "%", ("5", "10", "20"), _crop, (0, 400)),
        Perturbation("mirror", "exchanges left and right", "", (ON,), _mirror),
        Perturbation("gray", "removes color", "", (ON,), _gray),
        Perturbation(
            "jpeg",
            "stores the picture as JPEG with this quality",
            "quality",
            ("10", "25", "50", "75"),
            _jpeg,
            (1, 95),
            whole=True,
        ),
        Perturbation("occlusion", "covers a region with the picture's mean color", "", tuple(REGIONS), _occlusion),
    )
}
"""All changes by name, in the order of the report."""


@dataclass(frozen=True)
class Probe:
    """One change at one level.

    Attributes
    ----------
    perturbation
        The change.
    level
        As `Perturbation.level` spells it.
    """

    perturbation: Perturbation
    level: str

    @property
    def name(self) -> str:
        """``brightness=-40``; names the probe in files and messages."""
        return f"{self.perturbation.name}={self.level}"


def parse_probes(texts: Iterable[str] = ()) -> list[Probe]:
    """Probes as ``--probe`` writes them.

    Parameters
    ----------
    texts
        ``NAME`` with its default levels, or ``NAME=LEVEL,…``. All changes with their usual levels when empty.

    Returns
    -------
    list of Probe
        In the order of `PERTURBATIONS`, levels ascending; each once.

    Raises
    ------
    UsageError
        When a name or a level is unknown; the message lists what there is.

    Examples
    --------
    >>> [p.name for p in parse_probes(["blur", "brightness=20,-20"])]
    ['brightness=-20', 'brightness=20', 'blur=1', 'blur=2', 'blur=4']
    """
    chosen: dict[str, set[str]] = {}
    for text in list(texts) or list(PERTURBATIONS):
        name, equals, levels = text.partition("=")
        perturbation = PERTURBATIONS.get(name.strip())
        if perturbation is None:
            message = f"--probe {text}: there is no probe {name.strip()!r}; {did_you_mean(name.strip(), PERTURBATIONS)}"
            raise UsageError(message)
        given = levels.split(",") if equals else perturbation.levels
        chosen.setdefault(perturbation.name, set()).update(perturbation.level(level) for level in given)
    return [Probe(p, level) for p in PERTURBATIONS.values() if p.name in chosen for level in _ordered(p, chosen[p.name])]


def _ordered(perturbation: Perturbation, levels: set[str]) -> Sequence[str]:
    return sorted(levels, key=float if perturbation.is_ordered else perturbation.levels.index)
