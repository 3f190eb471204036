"""Common code for face-analysis services, which may return several faces per image: the largest face is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairfer.datasets.prediction_formats import AnswerTable
from fairfer.datasets.prediction_formats.content import (
    Content,
    image_name,
    same_labels,
    shares,
    single_values,
    take_answer,
    to_frame,
)

SCORE = "score of "
"""How the columns of scores begin."""


@dataclass(frozen=True)
class FaceFormat:
    """How a service describes faces.

    Attributes
    ----------
    service
        Its name, for explanations.
    is_answer
        Whether a value of a row is the service's answer.
    faces
        The faces of an answer.
    scores
        The scores of a face by label; ``None`` if it has none.
    key
        Where the scores are, for error messages.
    total
        The sum of the scores.
    area
        Area of a face, for choosing the largest.
    others
        Single values of a face that are kept as columns.
    """

    service: str
    is_answer: Callable[[Any], bool]
    faces: Callable[[Any], Sequence[Any]]
    scores: Callable[[Any], Mapping[str, Any] | None]
    key: str
    total: float
    area: Callable[[Any], float]
    others: Callable[[Any], Mapping[str, Any]] = lambda _: {}
    advice: str = "give all emotions"


def read_faces(content: Content, how: FaceFormat) -> AnswerTable:
    """Read a file of such answers: one row per image.

    Raises
    ------
    DataError
        If an answer is damaged.
    """
    rows: list[dict[str, Any]] = []
    found: list[tuple[int, Mapping[str, Any]]] = []
    several = 0
    for number in range(len(content.rows)):
        answer, rest = take_answer(content, number, how.is_answer)
        faces = [] if answer is None else list(how.faces(answer))
        line: dict[str, Any] = single_values(rest)
        line["image"] = image_name(rest)
        if not faces:
            status = "error" if answer is None else "no_face"
            detail = f"no answer of {how.service}" if answer is None else f"{how.service} found no face"
            rows.append({**line, "status": status, "detail": detail})
            continue
        face = max(faces, key=how.area)
        scores = how.scores(face)
        if scores is None:
            raise content.error(number, f"{how.key} is missing; ask {how.service} for emotions")
        probabilities = shares(content, number, scores, how.key, how.total)
        found.append((number, probabilities))
        others = dict(how.others(face))
        line["image"] = line["image"] or image_name(others)
        detail = f"{len(faces)} faces were found; the largest was read" if len(faces) > 1 else ""
        several += len(faces) > 1
        scored = {f"{SCORE}{label}": value for label, value in probabilities.items()}
        rows.append({**others, **line, **scored, "status": "ok", "detail": detail})
    labels = same_labels(content, iter(found), how.advice)
    notes = (f"in {several:,} images with several faces, the largest was read",) if several else ()
    return AnswerTable(to_frame(rows), emotions={label: f"{SCORE}{label}" for label in labels}, notes=notes)
