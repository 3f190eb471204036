"""OpenFace's table of action units, as CSV.

OpenFace writes spaces before the names of columns. ``AU12_c`` is 1 where the action unit is present; these are the decisions.
The intensities ``AU12_r`` (0 to 5) are not probabilities and are left out. A row with ``success`` 0 has no face. The name of a
sample is in a column such as ``image``, else its ``frame``.
"""

from __future__ import annotations

import re

import pandas as pd

from fairfer.datasets.prediction_formats import AnswerTable, PredictionFormat
from fairfer.datasets.prediction_formats.content import IMAGE_KEYS, Content
from fairfer.errors import DataError

_DECISION = re.compile(r"AU(\d{2})_c")
_DROPPED = re.compile(
    r"(AU\d\d_[rc]|gaze_|eye_lmk_|pose_|[xyzXYZ]_\d|p_|timestamp|confidence|success|frame|face_id)", re.IGNORECASE
)


def _decisions(frame: pd.DataFrame) -> dict[str, str]:
    return {f"AU{int(match[1])}": str(c) for c in frame.columns if (match := _DECISION.fullmatch(str(c)))}


def _matches(content: Content) -> bool:
    return content.table is not None and bool(_decisions(content.table)) and "success" in content.table


def _read(content: Content) -> AnswerTable:
    frame = content.table
    decisions = {} if frame is None else _decisions(frame)
    if frame is None or not decisions:
        message = f"{content.path} has no columns such as AU12_c; write it with OpenFace's option -aus"
        raise DataError(message)
    names = {str(c).casefold(): c for c in frame.columns}
    key = next((names[k] for k in IMAGE_KEYS if k in names), None)
    kept = frame[[c for c in frame.columns if not _DROPPED.match(str(c)) and c != key]]
    success = (
        pd.to_numeric(frame["success"], errors="coerce") == 1 if "success" in frame else pd.Series(data=True, index=frame.index)
    )
    table = kept.assign(
        status=["ok" if ok else "no_face" for ok in success],
        detail=["" if ok else "OpenFace found no face" for ok in success],
    )
    if key is not None:
        table["image"] = frame[key].astype("str")
    elif "frame" in frame:
        table["image"] = pd.to_numeric(frame["frame"]).astype("Int64").astype("str")
    answers = frame[list(decisions.values())].where(success)
    return AnswerTable(pd.concat([table, answers], axis=1), decisions=decisions)


FORMAT = PredictionFormat("openface", "OpenFace's table of action units (CSV)", _matches, _read)
