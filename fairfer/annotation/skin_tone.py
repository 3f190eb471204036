"""Apparent skin tone of color images: the individual typology angle (ITA) of a skin region.

ITA = arctan((L* - 50) / b*) in degrees, with the medians of L* and b* over the pixels of the region (CIELAB, D65). It describes
a picture: lighting, camera, make-up and image processing change it. It is never an attribute of the person.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fairfer.labels import LabelSpace
from fairfer.models.model import Prediction

if TYPE_CHECKING:
    from fairfer.datasets.images import Images, Picture
    from fairfer.datasets.landmarks import Landmarks, Points
    from fairfer.vocabulary import Task

Colors = NDArray[np.float64]
"""(n, 3): L*, a* and b*."""

Boxes = NDArray[np.float64]
"""(boxes, 4): left, top, right and bottom in pixels."""

TEMPLATE = np.array([(0.16, 0.50, 0.32, 0.66), (0.68, 0.50, 0.84, 0.66), (0.36, 0.12, 0.64, 0.22)])
"""Cheeks and forehead of a tightly cropped upright face, as shares of its width and height."""

_LIT = 250
"""A pixel is overexposed if a channel has at least this value (of 255): its color is clipped."""
_UNLIT = 10
"""A pixel is underexposed if no channel exceeds this value: its hue is noise."""
_USABLE = 0.5
"""Least share of the region's pixels that must be neither."""
_GRAY = 2
"""Largest difference between the channels of a gray pixel, which allows for rounding."""
_SIDE = 0.24
"""Side of a box around a landmark, as a share of the distance between the outer corners of the eyes."""

_SRGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
"""IEC 61966-2-1, linear sRGB to CIE XYZ with the white point D65."""
_LINEAR = 0.04045
"""IEC 61966-2-1: up to here, sRGB is proportional to the intensity."""
_EPSILON, _KAPPA = 216 / 24389, 24389 / 27
"""Constants of CIELAB (CIE 15:2004)."""


def to_lab(pixels: NDArray[np.uint8]) -> Colors:
    """Convert sRGB to CIELAB (D65).

    Parameters
    ----------
    pixels
        (n, 3) red, green and blue, 0 to 255.
    """
    srgb = np.arange(256) / 255
    linear = np.where(srgb <= _LINEAR, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)[pixels]
    xyz = linear @ _SRGB_TO_XYZ.T / _SRGB_TO_XYZ.sum(axis=1)
    f = np.where(xyz > _EPSILON, np.cbrt(xyz), (_KAPPA * xyz + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


@dataclass(frozen=True)
class Tone:
    """The color of a skin region.

    Attributes
    ----------
    ita
        Individual typology angle in degrees, -90 to 90.
    lightness, a, b
        Medians in CIELAB.
    usable
        Share of the region's pixels that are neither over- nor underexposed.
    """

    ita: float
    lightness: float
    a: float
    b: float
    usable: float


def measure(pixels: NDArray[np.uint8]) -> Tone | str:
    """The apparent skin tone of the pixels of a region, (n, 3) sRGB; or why it is not measurable."""
    exposed = (pixels.max(axis=1) > _UNLIT) & (pixels.max(axis=1) < _LIT)
    if int(np.ptp(pixels.astype(int), axis=1).max(initial=0)) <= _GRAY:
        return "not measurable: gray image"
    usable = float(exposed.mean())
    if usable < _USABLE:
        return "not measurable: over- or underexposed"
    lightness, a, b = map(float, np.median(to_lab(pixels[exposed]), axis=0))
    if b <= 0:
        return "not measurable: bluish light"  # the angle would jump from 90 to -90 degrees
    return Tone(math.degrees(math.atan((lightness - 50) / b)), lightness, a, b, usable)


class ToneModel:
    """Measures the pixels of regions that `SkinImages` cuts out, as if it were a model: so that a run can be continued.

    Parameters
    ----------
    region
        What the region is, which is part of the identity of the answers.
    """

    name = "apparent-skin-tone"
    version = "1"
    task: Task = "multi-label"
    labels = LabelSpace("apparent skin tone", ("ita", "L*", "a*", "b*", "usable"))

    def __init__(self, region: str) -> None:
        self.options = {"region": region}
        self.files = [Path(__file__)]

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """Measure regions, each (pixels, 1, 3) RGB; one without pixels has no face in the table of landmarks."""
        return [self._answer(image.reshape(-1, 3)) for image in images]

    def _answer(self, pixels: NDArray[np.uint8]) -> Prediction:
        if not len(pixels):
            return Prediction("no_face", detail="the table of landmarks has no face inside the image")
        tone = measure(pixels)
        if isinstance(tone, str):
            return Prediction("refused", detail=tone)
        return Prediction("ok", np.array([tone.ita, tone.lightness, tone.a, tone.b, tone.usable], np.float32))


class SkinImages:
    """The skin region of each image of a dataset.

    Parameters
    ----------
    images
        The images.
    boxes
        From a sample's id and the height and width of its image, the boxes of its region; they may extend beyond the image.
    """

    def __init__(self, images: Images, boxes: Callable[[str, int, int], Boxes]) -> None:
        self._images = images
        self._boxes = boxes

    def raw(self, sample_id: str) -> bytes:
        """Return the stored bytes of the image."""
        return self._images.raw(sample_id)

    def decode(self, raw: bytes, sample_id: str) -> Picture:
        """Return the pixels of the region, (pixels, 1, 3)."""
        picture = self._images.decode(raw, sample_id)
        height, width = picture.shape[:2]
        parts = []
        for left, top, right, bottom in self._boxes(sample_id, height, width):
            columns = slice(max(0, math.floor(left)), max(0, math.ceil(right)))
            rows = slice(max(0, math.floor(top)), max(0, math.ceil(bottom)))
            parts.append(picture[rows, columns].reshape(-1, 1, 3))
        return np.concatenate(parts) if parts else picture[:0, :1]


def template_boxes(sample_id: str, height: int, width: int) -> Boxes:
    """Cheeks and forehead of a tightly cropped face."""
    del sample_id
    return TEMPLATE * [width, height, width, height]


_MESH = ((33, 263), ((50,), (280,), (151,)))
_POINTS: Mapping[int, tuple[tuple[int, int], tuple[tuple[int, ...], ...]]] = {
    68: ((36, 45), ((41, 31, 48, 2), (46, 35, 54, 14))),
    468: _MESH,
    478: _MESH,
}
"""By scheme: the outer corners of the eyes, and for each box the points whose mean is its center.

The 68 points have none on the forehead."""


def landmark_boxes(landmarks: Landmarks) -> Callable[[str, int, int], Boxes]:
    """Boxes on the cheeks, and with a face mesh on the forehead, by landmarks; none for a sample without a face."""
    corners, groups = _POINTS[landmarks.scheme]

    def boxes(sample_id: str, height: int, width: int) -> Boxes:
        del height, width
        points: Points | None = landmarks.points.get(sample_id)
        if points is None:
            return np.empty((0, 4))
        half = _SIDE / 2 * float(np.linalg.norm(points[corners[0]] - points[corners[1]]))
        centers = np.array([points[list(group)].mean(axis=0) for group in groups])
        return np.hstack([centers - half, centers + half])

    return boxes


def digest_landmarks(landmarks: Landmarks) -> str:
    """Identity of the points."""
    sha = hashlib.sha256()
    for sample_id, points in sorted(landmarks.points.items()):
        sha.update(f"{sample_id}\n".encode() + np.ascontiguousarray(points, "<f8").tobytes())
    return sha.hexdigest()[:16]
