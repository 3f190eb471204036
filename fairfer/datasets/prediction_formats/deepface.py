"""Answers of ``DeepFace.analyze``, as JSON or JSON Lines.

::

    [{"emotion": {"angry": 0.1, "happy": 99.2, …}, "dominant_emotion": "happy", "region": {"x": 0, "y": 0, "w": 48, "h": 48}}]

A row is one image: the list that ``analyze`` returns, its only element, or an object that has one of them under any key beside
the image's name, its true label and attributes. Percentages become probabilities. Age, gender and race that DeepFace inferred
are left out: ``fairfer annotate`` writes them with their provenance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from fairfer.datasets.prediction_formats import AnswerTable, PredictionFormat
from fairfer.datasets.prediction_formats.content import PERCENT, Content, find_answer, single_values
from fairfer.datasets.prediction_formats.faces import FaceFormat, read_faces

_INFERRED = ("age", "gender", "race", "dominant_gender", "dominant_race")
_ONLY_DEEPFACE = frozenset({"region", "face_confidence", "dominant_gender", "dominant_race"})
"""Keys by which DeepFace's own object is told from emotions that a user wrote beside attributes."""
_OWN = ("dominant_emotion", "face_confidence", "is_real", "antispoof_score")


def _is_face(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("emotion"), Mapping)


def _is_answer(value: Any) -> bool:
    return _is_face(value) or (isinstance(value, list) and all(_is_face(face) for face in value))


def _faces(answer: Any) -> Sequence[Any]:
    return answer if isinstance(answer, list) else [answer]


def _area(face: Mapping[str, Any]) -> float:
    region = face.get("region")
    return float(region.get("w", 0)) * float(region.get("h", 0)) if isinstance(region, Mapping) else 0.0


def _others(face: Mapping[str, Any]) -> dict[str, Any]:
    """Single values beside the emotions; in DeepFace's own objects age, gender and race are inferred."""
    raw = not _ONLY_DEEPFACE.isdisjoint(face) or any(isinstance(face.get(n), Mapping) for n in _INFERRED)
    return single_values(face, (*_OWN, *(_INFERRED if raw else ())))


_FACES = FaceFormat(
    service="DeepFace",
    is_answer=_is_answer,
    faces=_faces,
    scores=lambda face: face["emotion"],
    key="emotion",
    total=PERCENT,
    area=_area,
    others=_others,
)


def _matches(content: Content) -> bool:
    answers = [find_answer(row, _is_answer)[0] for row in content.rows[:20]]
    faces = [face for answer in answers if answer is not None for face in _faces(answer)]
    return bool(faces)


def _read(content: Content) -> AnswerTable:
    table = read_faces(content, _FACES)
    answers = [find_answer(row, _is_answer)[0] for row in content.rows]
    faces = [face for answer in answers if answer is not None for face in _faces(answer)]
    left_out = [n for n in _INFERRED if any(n in face and n not in _others(face) for face in faces)]
    if not left_out:
        return table
    note = f"beside DeepFace's emotions and not read, because DeepFace infers them: {', '.join(left_out)}"
    return dataclasses.replace(table, notes=(*table.notes, note))


FORMAT = PredictionFormat("deepface", "answers of DeepFace.analyze (JSON or JSON Lines)", _matches, _read)
