"""py-feat's Fex table, as CSV: emotions (``anger``, …, ``neutral``) and action units (``AU01``, …), one row per face.

A row whose scores are empty has no face. Of several faces in one image, the largest counts. ``input`` is the image; where an
input has several frames (a video), the name of a sample is ``INPUT#FRAME``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

from fairfer.datasets.prediction_formats import AnswerTable, PredictionFormat
from fairfer.errors import DataError
from fairfer.labels import canonical

if TYPE_CHECKING:
    from fairfer.datasets.prediction_formats.content import Content

_AU = re.compile(r"AU(\d{2})")
_BOX = ("FaceRectWidth", "FaceRectHeight")
_DROPPED = re.compile(
    r"(FaceRect|FaceScore|[xyz]_\d|Pitch|Roll|Yaw|gaze|Identity|AU\d|frame$|frame_|FrameHeight|FrameWidth|input$|valence|arousal|X$|Y$|Z$)",
    re.IGNORECASE,
)


def _columns(frame: pd.DataFrame) -> tuple[dict[str, str], dict[str, str]]:
    emotions = {str(c): str(c) for c in frame.columns if canonical(str(c)) and str(c) not in ("label", "emotion")}
    units = {f"AU{int(match[1])}": str(c) for c in frame.columns if (match := _AU.fullmatch(str(c)))}
    return emotions, units


def _matches(content: Content) -> bool:
    if content.table is None or not {"FaceRectX", "input"} <= set(map(str, content.table.columns)):
        return False
    emotions, units = _columns(content.table)
    return bool(emotions or units)


def _read(content: Content) -> AnswerTable:
    frame = content.table
    if frame is None or "input" not in frame:
        message = f"{content.path} is not py-feat's table: it has no column 'input'; write it with Fex.to_csv"
        raise DataError(message)
    emotions, units = _columns(frame)
    if not emotions and not units:
        message = f"{content.path} has neither emotions nor action units of py-feat; detect them, then write the table again"
        raise DataError(message)
    scores = frame[[*emotions.values(), *units.values()]].apply(pd.to_numeric, errors="coerce")
    names = frame["input"].astype("str")
    if "frame" in frame and frame.groupby(names)["frame"].nunique().gt(1).any():
        names = names + "#" + pd.to_numeric(frame["frame"]).astype("Int64").astype("str")
    area = frame[_BOX[0]] * frame[_BOX[1]] if set(_BOX) <= set(frame.columns) else pd.Series(0.0, index=frame.index)
    order = pd.to_numeric(area, errors="coerce").fillna(-1.0)
    faces = scores.notna().any(axis=1)
    largest = order.groupby(names, sort=False).idxmax()
    counts = faces.groupby(names, sort=False).sum()
    kept = frame.loc[
        largest, [c for c in frame.columns if c not in (*emotions, *units.values()) and not _DROPPED.match(str(c))]
    ]
    table = kept.assign(
        image=names[largest].to_numpy(),
        status=["ok" if has else "no_face" for has in faces[largest]],
        detail=[
            "py-feat found no face" if not has else f"{n} faces were found; the largest was read" if n > 1 else ""
            for has, n in zip(faces[largest], counts, strict=True)
        ],
    )
    table = pd.concat([table, scores.loc[largest]], axis=1).reset_index(drop=True)
    several = int((counts > 1).sum())
    notes = (f"in {several:,} images with several faces, the largest was read",) if several else ()
    return AnswerTable(table, emotions=emotions, action_units=units, notes=notes)


FORMAT = PredictionFormat("py-feat", "py-feat's Fex table (CSV)", _matches, _read)
