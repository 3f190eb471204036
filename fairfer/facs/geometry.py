"""Estimates of action units from the geometry of facial landmarks.

Distances and heights, each of which grows with one action unit. They are measured in the frame of the face: the axis
through the centers of the eyes, and upward the perpendicular away from the mouth. Their unit is the distance between the
centers of the eyes, so position, size and in-plane rotation of a face have no effect, and neither has mirroring.

The estimates are **uncalibrated on stills**: the shape of a face at rest, its turn to the side and the lens change them as an
expression does. Two people with the same expression have different values, and so may two groups. `estimate` with the
landmarks of the same person's neutral face removes the shape at rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from fairfer.errors import DataError, UsageError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

NOTE = (
    "Action units were estimated from the geometry of landmarks: uncalibrated on still pictures, so the shape of a face at "
    "rest counts as expression, and groups whose faces differ at rest differ in these estimates"
)
"""What a report has to say beside such estimates."""

ESTIMATED: Mapping[str, str] = MappingProxyType({
    "AU1": "height of the inner ends of the eyebrows above the inner eye corners",
    "AU2": "height of the outer halves of the eyebrows above the outer eye corners",
    "AU4": "negative mean height of the eyebrows above the line through the eyes",
    "AU5": "distance between upper and lower eyelids",
    "AU12": "width of the mouth plus twice the height of its corners above its center",
    "AU15": "negative height of the mouth corners above the center of the mouth",
    "AU25": "distance between the inner edges of the lips",
    "AU26": "distance of the lower lip below the base of the nose",
    "AU43": "negative distance between upper and lower eyelids",
})  # fmt: skip
"""The estimated action units, and what is measured, in units of the distance between the eyes."""

_TINY = 1e-6
"""Distance between points, as a share of the face, below which they are one point."""

_IBUG: Mapping[str, tuple[int, ...]] = {
    "left eye": (36, 39),
    "right eye": (42, 45),
    "inner brows": (21, 22),
    "outer brows": (17, 18, 25, 26),
    "brows": (17, 18, 19, 20, 21, 22, 23, 24, 25, 26),
    "inner eye corners": (39, 42),
    "outer eye corners": (36, 45),
    "upper lids": (37, 38, 43, 44),
    "lower lids": (41, 40, 47, 46),
    "mouth corners": (48, 54),
    "upper lip": (62,),
    "lower lip": (66,),
    "nose": (33,),
}
"""Points of the 68 by place; left and right are the image's."""

_MESH: Mapping[str, tuple[int, ...]] = {
    "left eye": (33, 133),
    "right eye": (362, 263),
    "inner brows": (107, 336),
    "outer brows": (70, 63, 293, 300),
    "brows": (70, 63, 105, 66, 107, 336, 296, 334, 293, 300),
    "inner eye corners": (133, 362),
    "outer eye corners": (33, 263),
    "upper lids": (160, 158, 385, 387),
    "lower lids": (144, 153, 380, 373),
    "mouth corners": (61, 291),
    "upper lip": (13,),
    "lower lip": (14,),
    "nose": (2,),
}
"""The same places in the face mesh (MediaPipe); its edge of a brow is the upper one."""

_PLACES = {68: _IBUG, 468: _MESH, 478: _MESH}

THRESHOLDS: Mapping[str, float] = MappingProxyType({
    "AU1": 0.474, "AU2": 0.373, "AU4": -0.255, "AU5": 0.176, "AU12": 0.982, "AU15": 0.073, "AU25": 0.151, "AU26": 0.541,
    "AU43": -0.067,
})  # fmt: skip
"""Values from which a unit counts as present: 95 % quantiles of the 951 faces of FER+ Test that raters labeled neutral and in
which MediaPipe's face mesh was found. So about one neutral face in twenty shows each unit, by construction. They fit the face
mesh; the 68 points lie slightly elsewhere, above all on the eyebrows."""

CHANGES: Mapping[str, float] = MappingProxyType({
    "AU1": 0.118, "AU2": 0.084, "AU4": 0.087, "AU5": 0.045, "AU12": 0.222, "AU15": 0.074, "AU25": 0.142, "AU26": 0.158,
    "AU43": 0.064,
})  # fmt: skip
"""Thresholds of changes from a person's own neutral face: the same quantiles minus the medians of the same faces. Neutral faces
of different people vary more than those of one person, so these are cautious."""


def estimate(points: ArrayLike, scheme: int, *, neutral: ArrayLike | None = None) -> dict[str, float]:
    """Estimate action units of one face.

    Parameters
    ----------
    points
        (scheme, 2): x to the right and y down, in pixels or any other unit that is the same for both axes.
    scheme
        Number of points: 68 (iBUG), 468 or 478 (face mesh of MediaPipe).
    neutral
        Landmarks of the same person's neutral face, in the same scheme. The estimates are then changes from it.

    Returns
    -------
    dict
        Intensities by code, for all units of `ESTIMATED`, in units of the distance between the centers of the eyes. They are
        not FACS intensities (A to E). More is more; the zero has no meaning unless `neutral` is given.

    Raises
    ------
    UsageError
        If the scheme is unknown.
    DataError
        If there are more or fewer points, or the points have no face: a coordinate is not finite, or the eyes or the mouth and
        the eyes coincide.
    """
    values = _measure(points, scheme)
    if neutral is None:
        return values
    rest = _measure(neutral, scheme)
    return {code: value - rest[code] for code, value in values.items()}


def present(
    estimates: Mapping[str, float], thresholds: Mapping[str, float] | None = None, *, calibrated: bool = False
) -> frozenset[str]:
    """The action units whose estimate reaches its threshold.

    Parameters
    ----------
    estimates
        Of `estimate`.
    thresholds
        By code; those of `THRESHOLDS`, or of `CHANGES` for calibrated estimates, by default. They replace the defaults of the
        units that they name.
    calibrated
        Whether the estimates are changes from a neutral face.

    Raises
    ------
    UsageError
        If a threshold is for a unit that is not estimated.
    """
    limits = dict(CHANGES if calibrated else THRESHOLDS)
    unknown = [code for code in thresholds or {} if code not in limits]
    if unknown:
        message = f"a threshold of {unknown[0]!r} has no use: it is not estimated; {did_you_mean(unknown[0], limits)}"
        raise UsageError(message)
    limits |= thresholds or {}
    return frozenset(code for code, value in estimates.items() if value >= limits[code])


def _measure(points: ArrayLike, scheme: int) -> dict[str, float]:
    places = _PLACES.get(scheme)
    if places is None:
        message = f"{scheme} landmarks per face are no scheme that fairfer knows; give 68 (iBUG), 468 or 478 (face mesh)"
        raise UsageError(message)
    array = np.asarray(points, float)
    if array.shape != (scheme, 2):
        message = f"landmarks have the shape {array.shape}, not ({scheme}, 2); give x and y of each of the {scheme} points"
        raise DataError(message)
    at = _in_frame_of_the_face(array, places)

    def height(of: str, above: str) -> float:
        return float(at[of][:, 1].mean() - at[above][:, 1].mean())

    opening = float(np.linalg.norm(at["upper lids"] - at["lower lids"], axis=1).mean())
    lips = np.concatenate([at["upper lip"], at["lower lip"]])
    corners = float(at["mouth corners"][:, 1].mean() - lips[:, 1].mean())
    width = float(np.linalg.norm(at["mouth corners"][1] - at["mouth corners"][0]))
    return {
        "AU1": height("inner brows", "inner eye corners"),
        "AU2": height("outer brows", "outer eye corners"),
        "AU4": -float(at["brows"][:, 1].mean()),
        "AU5": opening,
        "AU12": width + 2 * corners,
        "AU15": -corners,
        "AU25": float(np.linalg.norm(at["upper lip"] - at["lower lip"])),
        "AU26": height("nose", "lower lip"),
        "AU43": -opening,
    }


def _in_frame_of_the_face(points: NDArray[np.float64], places: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[np.float64]]:
    """Points by place: x along the axis of the eyes, y upward, from the middle between the eyes, in units of their distance."""
    left, right = (points[list(places[f"{side} eye"])].mean(axis=0) for side in ("left", "right"))
    origin = (left + right) / 2
    axis = right - left
    distance = float(np.linalg.norm(axis))
    size = float(np.ptp(points, axis=0).max())
    if not np.isfinite(distance) or not np.isfinite(points).all() or distance <= _TINY * size or size == 0:
        message = "landmarks have no face: a coordinate is missing, or both eyes are at one place; leave this face out"
        raise DataError(message)
    along = axis / distance
    up = np.array([along[1], -along[0]])
    mouth = float((points[list(places["mouth corners"])].mean(axis=0) - origin) @ up) / distance
    if abs(mouth) <= _TINY:
        message = "landmarks have no face: the mouth is on the line through the eyes; leave this face out"
        raise DataError(message)
    up = -np.sign(mouth) * up  # in a mirrored image the axis of the eyes points the other way
    frame = (points - origin) @ np.column_stack([along, up]) / distance
    return {place: frame[list(indices)] for place, indices in places.items()}
