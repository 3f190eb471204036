"""Answers of Amazon Rekognition's DetectFaces with ``Attributes=["EMOTIONS"]`` or ``["ALL"]``.

::

    {"image": "a.jpg", "FaceDetails": [{"BoundingBox": {…}, "Emotions": [{"Type": "HAPPY", "Confidence": 98.1}, …]}]}

CALM is read as neutral; CONFUSED and UNKNOWN stay classes of their own. Age and gender that Rekognition inferred are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairfer.datasets.prediction_formats import AnswerTable, PredictionFormat
from fairfer.datasets.prediction_formats.content import PERCENT, Content, find_answer
from fairfer.datasets.prediction_formats.faces import FaceFormat, read_faces


def _is_answer(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("FaceDetails"), list)


def _scores(face: Any) -> dict[str, Any] | None:
    emotions = face.get("Emotions") if isinstance(face, Mapping) else None
    if not isinstance(emotions, list) or not emotions:
        return None
    return {str(e.get("Type")): e.get("Confidence") for e in emotions if isinstance(e, Mapping)}


def _area(face: Any) -> float:
    box = face.get("BoundingBox") if isinstance(face, Mapping) else None
    return float(box.get("Width", 0)) * float(box.get("Height", 0)) if isinstance(box, Mapping) else 0.0


_FACES = FaceFormat(
    service="Rekognition",
    is_answer=_is_answer,
    faces=lambda answer: answer["FaceDetails"],
    scores=_scores,
    key="Emotions",
    total=PERCENT,
    area=_area,
    advice="give all emotions of every face",
)


def _matches(content: Content) -> bool:
    return any(find_answer(row, _is_answer)[0] is not None for row in content.rows[:20])


def _with_own_names(content: Content) -> Content:
    """Rows whose name of the image stands beside FaceDetails, not around it."""
    rows = [
        {**{k: v for k, v in row.items() if k != "FaceDetails"}, "answer": {"FaceDetails": row["FaceDetails"]}}
        if _is_answer(row)
        else row
        for row in content.rows
    ]
    return Content(content.path, rows)


def _read(content: Content) -> AnswerTable:
    return read_faces(_with_own_names(content), _FACES)


FORMAT = PredictionFormat("rekognition", "answers of Amazon Rekognition's DetectFaces", _matches, _read)
