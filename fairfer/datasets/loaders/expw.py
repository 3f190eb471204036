"""ExpW: pictures from the web with several faces each, and one line per face with its box and label.

::

    ROOT/label/label.lst      image_name face_id top left right bottom confidence expression
    ROOT/image/origin/…

A face is named ``IMAGE#FACE``, because a picture may have several.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fairfer.datasets.cards import DatasetCard
from fairfer.datasets.dataset import Dataset, Step
from fairfer.datasets.images import Box, CroppedImages, FileImages, Images
from fairfer.datasets.layout_files import check_choice, check_images, fail, is_outside, read_lines, unique_names, whole_number
from fairfer.datasets.loaders import Loader
from fairfer.errors import DataError, UsageError
from fairfer.labels import LabelSpace

EXPW = LabelSpace.of("ExpW 7", ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"))
"""Codes 0 to 6."""
FACE, PICTURE = "face", "picture"
_FIELDS = 8
_LIST = Path("label", "label.lst")
_IMAGES = Path("image", "origin")

CARD = DatasetCard(
    title="ExpW",
    content="91,793 faces in pictures that web searches returned, each labeled with one of seven expressions",
    license="for research",
    permitted_use="Non-commercial research; images must not be passed on.",
    obtain="The page links the files. Without an official split, state how you chose the test faces.",
    url="http://mmlab.ie.cuhk.edu.hk/projects/socialrelation/index.html",
    citation="Zhang, Luo, Loy, Tang: From Facial Expression Recognition to Interpersonal Relation Prediction. IJCV 126, 2018.",
    people="no attributes; identities are unknown",
)


@dataclass(frozen=True)
class _Row:
    """One face: its picture, number, box, confidence of the face detector and label."""

    file: str
    face: str
    box: Box
    confidence: float
    label: str


def _matches(path: Path) -> bool:
    return path.is_dir() and (path / _LIST).is_file()


def load(path: Path, *, images: str = FACE, min_confidence: float | None = None) -> Dataset:
    """Read ExpW. It has no official split.

    Parameters
    ----------
    path
        The folder with ``label`` and ``image``.
    images
        ``face`` cuts each face out of its picture; ``picture`` keeps the whole picture, in which a model may find another face.
    min_confidence
        Exclude faces of which the face detector was less confident (the column ``face_box_cofidence``); none by default.

    Raises
    ------
    DataError
        If a file is missing or is not ExpW's.
    UsageError
        If an option has an invalid value.
    """
    check_choice("--images", images, (FACE, PICTURE), "ExpW")
    if min_confidence is not None and not math.isfinite(min_confidence):
        message = f"--min-confidence {min_confidence} is not a number; give one such as 20"
        raise UsageError(message)
    list_file = path / _LIST
    if not list_file.is_file():
        message = f"{path} has no {_LIST}; see `fairfer datasets expw` for how to obtain it"
        raise DataError(message)
    rows = [_parse(list_file, number, line) for number, line in read_lines(list_file)]
    distinct = list(dict.fromkeys(rows))
    kept = [r for r in distinct if min_confidence is None or r.confidence >= min_confidence]
    names, repeated = unique_names([f"{r.file}#{r.face}" for r in kept])
    folder = path / _IMAGES
    files = {name: r.file for name, r in zip(names, kept, strict=True)}
    check_images(folder, files.values(), "ExpW")
    samples = pd.DataFrame(
        {"label": [r.label for r in kept]}, index=pd.Index(names, name="sample_id", dtype="str"), dtype="str"
    )
    samples["face_confidence"] = np.array([r.confidence for r in kept], float)
    source: Images = FileImages(folder, files)
    if images == FACE:
        source = CroppedImages(folder, files, {name: r.box for name, r in zip(names, kept, strict=True)})
    steps = [Step(f"faces in {list_file.name}: {len(rows):,}")]
    if len(distinct) < len(rows):
        steps.append(Step("lines that repeat an earlier line", len(rows) - len(distinct)))
    if len(kept) < len(distinct):
        steps.append(
            Step(f"faces of which the face detector was less confident than {min_confidence:g}", len(distinct) - len(kept))
        )
    if repeated:
        steps.append(Step(f"faces that repeat the number of another, kept as IMAGE#FACE#2: {repeated:,}"))
    threshold = "none" if min_confidence is None else f"{min_confidence:g}"
    return Dataset(
        name="ExpW",
        labels=EXPW,
        samples=samples,
        images=source,
        steps=tuple(steps),
        card={"layout": "expw", "images": images, "lowest face confidence": threshold, "source": path.resolve().name},
    )


def _parse(path: Path, number: int, line: str) -> _Row:
    fields = line.rsplit(maxsplit=_FIELDS - 1)
    if len(fields) != _FIELDS:
        fail(
            path,
            number,
            f"{len(fields)} fields instead of {_FIELDS} (image, face, top, left, right, bottom, confidence, label)",
        )
    file, face, *edges, confidence_text, code_text = fields
    if is_outside(file):
        fail(path, number, f"{file!r} is not below the folder of the images")
    numbers = [n for n in map(whole_number, edges) if n is not None]
    if len(numbers) != len(edges):
        fail(path, number, f"the face box {' '.join(edges)!r} has an edge that is not a whole number of pixels")
    top, left, right, bottom = numbers
    try:
        confidence = float(confidence_text)
    except ValueError:
        fail(path, number, f"the confidence {confidence_text!r} is not a number")
    code = whole_number(code_text)
    if code is None or not 0 <= code < len(EXPW):
        fail(path, number, f"{code_text!r} is not a code from 0 to {len(EXPW) - 1}")
    return _Row(file, face, (left, top, right, bottom), confidence, EXPW.labels[code])


def _sizes(path: Path) -> dict[str, int]:
    return {"all": sum(1 for _ in read_lines(path / _LIST))}


LOADER = Loader("expw", "ExpW (label/label.lst and image/origin/)", _matches, load, CARD, _sizes)
