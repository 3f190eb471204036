"""From the response of a chat completion to a prediction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fairfer.errors import ModelError
from fairfer.models.answer_objects import read_scores, shown
from fairfer.models.model import Prediction

if TYPE_CHECKING:
    from fairfer.labels import LabelSpace

FILTERED = "content_filter"
CUT = "length"


def read_response(response: object, labels: LabelSpace) -> Prediction:
    """The prediction in a response of the API.

    Parameters
    ----------
    response
        JSON value of the response, as recorded.
    labels
        Output classes.
    """
    if isinstance(response, Mapping) and isinstance(response.get("error"), Mapping):
        return _read_error(response["error"])
    try:
        choice: Any = response["choices"][0]  # type: ignore[index]
        message: Any = choice["message"]
        text, refusal, reason = message.get("content"), message.get("refusal"), choice.get("finish_reason")
    except (TypeError, KeyError, IndexError, AttributeError):
        return Prediction("error", detail=f"the response is no chat completion: {shown(response)}")
    if refusal:
        return Prediction("refused", detail=f"the model refused: {shown(refusal)}")
    if reason == FILTERED:
        return Prediction("refused", detail="the answer was removed by a content filter")
    if isinstance(text, list):  # some services return parts
        text = "".join(str(part.get("text", "")) for part in text if isinstance(part, Mapping))
    if not isinstance(text, str) or not text.strip():
        return Prediction("error", detail="the answer is empty")
    return _read_text(text, labels, cut=reason == CUT)


def _read_error(error: Mapping[str, Any]) -> Prediction:
    code = f"{error.get('code', '')} {error.get('type', '')}"
    detail = shown(error.get("message", "no reason"))
    if FILTERED in code or "content_policy" in code:
        return Prediction("refused", detail=f"the request was removed by a content filter: {detail}")
    return Prediction("error", detail=f"the service rejected the request: {detail}")


def _read_text(text: str, labels: LabelSpace, *, cut: bool) -> Prediction:
    value = _first_object(text)
    if value is None:
        if cut or "{" in text:
            why = "is cut off" if cut else "has no complete JSON object"
            return Prediction("error", detail=f"the answer {why}: {shown(text)}")
        return Prediction("refused", detail=f"the model did not rate the face: {shown(text)}")
    if value.get("face") is False:
        return Prediction("no_face", detail="the model says that there is no face")
    try:
        scores = read_scores(value.get("scores", value), labels, "the model")
    except ModelError as error:
        return Prediction("error", detail=str(error))
    total = float(scores.sum())
    if not np.isfinite(scores).all() or (scores < 0).any() or not total > 0:
        return Prediction("error", detail=f"the scores are no probabilities: {shown(value.get('scores', value))}")
    return Prediction("ok", scores / total)


def _first_object(text: str) -> dict[str, Any] | None:
    """The first JSON object in a text, such as one between the marks of a code block."""
    decoder = json.JSONDecoder()
    start = text.find("{")
    while start >= 0:
        try:
            value, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            start = text.find("{", start + 1)
            continue
        return value if isinstance(value, dict) else None
    return None
