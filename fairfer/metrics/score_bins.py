"""Fixed bins of scores, so that score-based metrics are computed from counts.

The interval [0, 1] has 1000 bins of width 0.001. The lowest (scores below 0.001) and the highest (scores from 0.999) are
subdivided logarithmically in the distance to 0 and to 1, because softmax scores saturate there: eight bins per factor of two,
30 factors of two, and a last bin (below 9.4e-13) that contains 0 and 1 themselves. Bins are half-open, ``LOW <= score < HIGH``;
the last one contains 1. Every multiple of 0.001 is an edge, so the rates at such a threshold are exact.

Scores are stored in single precision, where 0.7 is 0.69999999. A score that is the single-precision form of a multiple of
0.001 counts as that multiple, so that a threshold of 0.7 includes a score of 0.7.

Unbounded scores (logits, margins) are mapped to [0, 1] by the logistic function first. The map keeps their order, except that
scores beyond about 27.7 in either direction share one bin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

ScoreScale = Literal["probability", "unbounded"]
"""``probability``: scores in [0, 1]; ``unbounded``: any real numbers, of which only the order has a meaning."""

_UNIFORM = 1000
_PER_OCTAVE = 8
_TAIL_BINS = 30 * _PER_OCTAVE
"""Logarithmic bins at either end, without the one that contains 0 or 1."""

_FIRST_UPPER = _TAIL_BINS + 1 + _UNIFORM - 2
"""Number of the first bin of the upper end (0.999)."""

_LOGIT_LIMIT = 700
"""Beyond it the exponential function overflows, and the logistic function has long been 0 or 1."""


def _edges() -> NDArray[np.float64]:
    distance = 2.0 ** (-np.arange(_TAIL_BINS, -1, -1) / _PER_OCTAVE) / _UNIFORM
    uniform = np.arange(2, _UNIFORM - 1) / _UNIFORM
    lower, upper = distance, 1 - distance[::-1]
    lower[-1], upper[0] = 1 / _UNIFORM, (_UNIFORM - 1) / _UNIFORM
    return np.concatenate([[0.0], lower, uniform, upper, [1.0]])


EDGES = _edges()
"""(BINS + 1,) edges in ascending order."""

LOW = EDGES[:-1]
HIGH = EDGES[1:]
BINS = len(LOW)
"""Number of bins; bins are numbered 0 to ``BINS - 1`` in the order of the scores."""

for _array in (EDGES, LOW, HIGH):
    _array.setflags(write=False)


def bin_of(scores: ArrayLike, scale: ScoreScale = "probability") -> NDArray[np.int64]:
    """Number of the bin of each score.

    Parameters
    ----------
    scores
        Of any shape; within [0, 1] unless `scale` is ``unbounded``. In a float32 array, the single-precision form of a multiple
        of 0.001 counts as that multiple.
    scale
        Whether the scores are probabilities.

    Raises
    ------
    ValueError
        When a score is NaN or outside its scale.
    """
    given = np.asarray(scores)
    values = _probabilities(given.astype(np.float64), scale)
    if given.dtype == np.float32 and scale == "probability":
        multiple = np.round(values * _UNIFORM) / _UNIFORM
        values = np.where(multiple.astype(np.float32) == given, multiple, values)
    if not ((values >= 0) & (values <= 1)).all():
        message = 'scores must be numbers in [0, 1]; pass scale="unbounded" for logits'
        raise ValueError(message)
    return np.minimum(np.searchsorted(EDGES, values, side="right") - 1, BINS - 1)


def bin_sql(column: str, scale: ScoreScale = "probability") -> str:
    """DuckDB expression for the number of the bin of a FLOAT column of scores.

    Parameters
    ----------
    column
        An SQL expression, quoted where it needs to be. Its values must be numbers of the scale: NULL gives NULL.
    scale
        Whether the scores are probabilities.

    Returns
    -------
    str
        An INTEGER expression; for every float32 in [0, 1] it equals `bin_of`. For ``unbounded`` scores the two may differ
        where the logistic function is within rounding of an edge.
    """
    if scale not in get_args(ScoreScale):
        message = f"unknown scale of scores {scale!r}; use one of {', '.join(get_args(ScoreScale))}"
        raise ValueError(message)
    score = f"CAST({column} AS DOUBLE)"
    if scale == "unbounded":
        score = f"(1 / (1 + exp(-least(greatest({score}, -{_LOGIT_LIMIT}), {_LOGIT_LIMIT}))))"
    # A product of a float32 and 1000 is exact in double precision. No float32 but 0 and 1 is so close to an edge of a
    # logarithmic bin that the rounding of log2 could matter (a test looks at the neighbors of every edge).
    # The single-precision forms of 0.001 and 0.999 lie above them, so only the uniform bins need the nearest multiple.
    uniform = f"floor({score} * {_UNIFORM})"
    if scale == "probability":
        nearest = f"round({score} * {_UNIFORM})"
        uniform = f"CASE WHEN CAST({nearest} / {_UNIFORM} AS FLOAT) = {column} THEN {nearest} ELSE {uniform} END"
    to_zero, to_one = (f"(-{_PER_OCTAVE} * log2({_UNIFORM} * {x}))" for x in (score, f"(1 - {score})"))
    smallest = f"CAST('{float(HIGH[0])!r}' AS DOUBLE)"
    return (
        f"CAST(CASE WHEN {score} < {smallest} THEN 0 "
        f"WHEN {score} * {_UNIFORM} < 1 THEN {_TAIL_BINS + 1} - ceil({to_zero}) "
        f"WHEN {score} < CAST('{float(EDGES[_FIRST_UPPER])!r}' AS DOUBLE) THEN {_TAIL_BINS} + {uniform} "
        f"WHEN 1 - {score} <= {smallest} THEN {BINS - 1} "
        f"ELSE {_FIRST_UPPER} + floor({to_one}) END AS INTEGER)"
    )


def _probabilities(scores: NDArray[np.float64], scale: ScoreScale) -> NDArray[np.float64]:
    if scale == "probability":
        return scores
    if np.isnan(scores).any():
        return scores
    return 1 / (1 + np.exp(-np.clip(scores, -_LOGIT_LIMIT, _LOGIT_LIMIT)))
