"""Measure the apparent skin tone of every image of a dataset, and make columns with provenance of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from fairfer.annotation.provenance import Section
from fairfer.annotation.skin_tone import Boxes, SkinImages, ToneModel, digest_landmarks, landmark_boxes, template_boxes
from fairfer.datasets.landmarks import read_landmarks
from fairfer.datasets.skin_tone import ITA_CLASSES, ita_class
from fairfer.vocabulary import SCORE_PREFIX

if TYPE_CHECKING:
    from fairfer.datasets.dataset import Dataset
    from fairfer.datasets.images import Images
    from fairfer.predictions.predictions import Predictions

ITA = "ita"
"""The attribute, as the option names it."""
ANGLE, TONE = "apparent_ita", "apparent_skin_tone"
"""The columns: the angle in degrees, and its class."""
LIGHTING = (
    "Apparent skin tone, computed from the colors of the image: lighting, camera, make-up and image processing change it. It "
    "is not the skin color of the person, and a difference between its groups may be one of lighting."
)
DECIMALS = 1
IBUG = 68
"""Points of the scheme that has none on the forehead."""


@dataclass(frozen=True)
class Tones:
    """The apparent skin tone of the images of a dataset.

    Attributes
    ----------
    frame
        Indexed by sample id: the angle and its class, missing where it is not measurable.
    sections
        Their provenance.
    reasons
        Number of images that were measured (``ok``), and by the reason why not.
    renamed
        New names of columns whose name the dataset uses already.
    """

    frame: pd.DataFrame
    sections: tuple[Section, ...]
    reasons: Mapping[str, int]
    renamed: Mapping[str, str]


def measure_tones(
    dataset: Dataset,
    images: Images,
    landmarks: str | os.PathLike[str] | None,
    ask: Callable[[Dataset, ToneModel], Predictions],
) -> Tones:
    """Measure every image.

    Parameters
    ----------
    dataset, images
        A dataset and its images.
    landmarks
        A table of landmarks; by default the boxes of a tightly cropped face are used.
    ask
        Asks the model about every image, and stores the answers; see `fairfer.predictions.inference.predict`.

    Raises
    ------
    DataError
        When the table of landmarks does not fit.
    ModelError
        When no image can be measured, as with gray images.
    """
    region = "template boxes on cheeks and forehead"
    boxes: Callable[[str, int, int], Boxes] = template_boxes
    identity = "template"
    if landmarks is not None:
        points = read_landmarks(Path(landmarks).expanduser(), map(str, dataset.samples.index))
        places = "cheeks" if points.scheme == IBUG else "cheeks and forehead"
        region, boxes = f"boxes on {places} by the landmarks of {points.source}", landmark_boxes(points)
        identity = f"{points.scheme} landmarks {digest_landmarks(points)}"
    skin = dataset.replace(images=SkinImages(images, boxes))
    answers = ask(skin, ToneModel(identity)).frame
    angle = answers[f"{SCORE_PREFIX}{ITA}"].astype("float64").round(DECIMALS)
    classes = angle.map(ita_class, na_action="ignore").astype("str").where(angle.notna())
    reasons = answers["detail"].where(answers["status"] != "unreadable", "unreadable").where(answers["status"] != "ok", "ok")
    counts = {str(reason): int(n) for reason, n in reasons.value_counts().items()}
    names = {n: f"inferred_{n}" if n in dataset.samples.columns else n for n in (TONE, ANGLE)}
    by = f"fairfer: individual typology angle (ITA) of the median CIELAB color in {region}"
    present = set(classes.dropna())
    levels = tuple(name for name, _ in ITA_CLASSES if name in present)
    sections = (
        Section(names[TONE], f"{by}; classes after Chardon et al. 1991", _note(counts), levels),
        Section(names[ANGLE], f"{by}; in degrees", _note(counts)),
    )
    frame = pd.DataFrame({names[TONE]: classes, names[ANGLE]: angle})
    return Tones(frame, sections, counts, {n: new for n, new in names.items() if n != new})


def _note(reasons: Mapping[str, int]) -> str:
    """What a reader of the report has to know."""
    without = {reason: n for reason, n in reasons.items() if reason != "ok"}
    if not without:
        return LIGHTING
    parts = "; ".join(f"{reason.removeprefix('not measurable: ')}: {n:,}" for reason, n in sorted(without.items()))
    return f"{LIGHTING} Not measurable in {sum(without.values()):,} of {sum(reasons.values()):,} images ({parts})."
