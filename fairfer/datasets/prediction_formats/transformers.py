"""Answers of a transformers pipeline for image classification.

::

    [[{"label": "happy", "score": 0.93}, {"label": "sad", "score": 0.04}, …], …]

A row is the list for one image, or an object that has such a list beside the image's name, true label and attributes. The
pipeline returns the five most likely classes only, unless it is asked with ``top_k`` set to their number; such answers are
refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairfer.datasets.prediction_formats import AnswerTable, PredictionFormat
from fairfer.datasets.prediction_formats.content import (
    Content,
    find_answer,
    image_name,
    same_labels,
    shares,
    single_values,
    take_answer,
    to_frame,
)
from fairfer.datasets.prediction_formats.faces import SCORE

TOLERANCE = 1e-3
"""Largest deviation of the sum of scores from 1: the pipeline does not round, so a missing class shows."""

_ALL_CLASSES = "ask the pipeline with top_k set to the number of classes (it returns five otherwise)"


def _is_answer(value: Any) -> bool:
    return (
        isinstance(value, list) and bool(value) and all(isinstance(v, Mapping) and {"label", "score"} <= set(v) for v in value)
    )


def _rows(content: Content) -> Content:
    """One row per image: a file with the list of a single image has one."""
    return Content(content.path, [list(content.rows)]) if _is_answer(list(content.rows)) else content


def _matches(content: Content) -> bool:
    return any(find_answer(row, _is_answer)[0] is not None for row in _rows(content).rows[:20])


def _read(content: Content) -> AnswerTable:
    content = _rows(content)
    rows: list[dict[str, Any]] = []
    found = []
    for number in range(len(content.rows)):
        answer, rest = take_answer(content, number, _is_answer)
        line = {**single_values(rest), "image": image_name(rest)}
        if answer is None:
            rows.append({**line, "status": "error", "detail": "no answer of the pipeline"})
            continue
        scores = {str(part["label"]): part["score"] for part in answer}
        if len(scores) < len(answer):
            raise content.error(number, "a label occurs twice; give each label one score")
        found.append((number, scores))
        rows.append({**line, **{f"{SCORE}{k}": v for k, v in scores.items()}, "status": "ok", "detail": ""})
    labels = same_labels(content, iter(found), _ALL_CLASSES)
    for number, scores in found:
        try:
            shares(content, number, scores, "score", 1.0, TOLERANCE)
        except Exception as error:
            message = str(error)
            if "sum to" in message:
                raise content.error(number, f"its scores sum to {sum(scores.values()):.4g}, not 1; {_ALL_CLASSES}") from error
            raise
    return AnswerTable(to_frame(rows), emotions={label: f"{SCORE}{label}" for label in labels})


FORMAT = PredictionFormat("transformers", "answers of a transformers image-classification pipeline (JSON)", _matches, _read)
