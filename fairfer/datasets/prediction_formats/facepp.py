"""Answers of Face++'s Detect API with ``return_attributes=emotion``.

::

    {"image": "a.jpg", "faces": [{"attributes": {"emotion": {"anger": 0.1, "happiness": 99.0, …}}, "face_rectangle": {…}}]}

Age, gender and beauty that Face++ inferred are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairfer.datasets.prediction_formats import AnswerTable, PredictionFormat
from fairfer.datasets.prediction_formats.content import PERCENT, Content, find_answer
from fairfer.datasets.prediction_formats.faces import FaceFormat, read_faces

_OWN = ("faces", "image_id", "request_id", "time_used", "face_num")


def _is_answer(value: Any) -> bool:
    faces = value.get("faces") if isinstance(value, Mapping) else None
    return isinstance(faces, list) and all(isinstance(f, Mapping) and ("face_token" in f or "attributes" in f) for f in faces)


def _scores(face: Mapping[str, Any]) -> Mapping[str, Any] | None:
    attributes = face.get("attributes")
    emotion = attributes.get("emotion") if isinstance(attributes, Mapping) else None
    return emotion if isinstance(emotion, Mapping) else None


def _area(face: Mapping[str, Any]) -> float:
    box = face.get("face_rectangle")
    return float(box.get("width", 0)) * float(box.get("height", 0)) if isinstance(box, Mapping) else 0.0


_FACES = FaceFormat(
    service="Face++",
    is_answer=_is_answer,
    faces=lambda answer: answer["faces"],
    scores=_scores,
    key="attributes.emotion",
    total=PERCENT,
    area=_area,
)


def _matches(content: Content) -> bool:
    answers = [find_answer(row, _is_answer)[0] for row in content.rows[:20]]
    return any(answer is not None and any(_scores(face) for face in answer["faces"]) for answer in answers)


def _read(content: Content) -> AnswerTable:
    rows = [
        {**{k: v for k, v in row.items() if k not in _OWN}, "answer": {"faces": row["faces"]}} if _is_answer(row) else row
        for row in content.rows
    ]
    return read_faces(Content(content.path, rows), _FACES)


FORMAT = PredictionFormat("facepp", "answers of Face++'s Detect API", _matches, _read)
