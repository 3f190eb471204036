"""Bins of scores: numpy, DuckDB and the edges agree."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairfer.metrics.score_bins import BINS, EDGES, HIGH, LOW, bin_of, bin_sql

FLOAT32 = st.floats(0, 1, width=32)


def in_duckdb(scores: np.ndarray, scale: str = "probability") -> np.ndarray:
    with duckdb.connect() as connection:
        connection.register("scores", pa.table({"s": np.asarray(scores, np.float32)}))
        return connection.table("scores").project(f"{bin_sql('s', scale)} AS b").fetchnumpy()["b"]


def neighbors(values: np.ndarray, steps: int = 3) -> np.ndarray:
    """Float32 numbers around each value."""
    down = up = np.asarray(values, np.float32)
    numbers = [down]
    for _ in range(steps):
        down, up = np.nextafter(down, np.float32(-1)), np.nextafter(up, np.float32(2))
        numbers += [down, up]
    numbers = np.concatenate(numbers)
    return numbers[(numbers >= 0) & (numbers <= 1)]


def test_bins_cover_the_unit_interval_in_order():
    assert (np.diff(EDGES) > 0).all()
    assert (LOW[0], HIGH[-1]) == (0, 1)
    assert (LOW[1:] == HIGH[:-1]).all()
    assert len(LOW) == len(HIGH) == BINS


def test_every_multiple_of_a_thousandth_is_an_edge():
    assert set(np.arange(1001) / 1000) <= set(EDGES)
    assert np.diff(EDGES).max() <= 0.001 + 1e-12


def test_bins_near_the_ends_are_an_eighth_of_an_octave():
    assert HIGH[1:241] / LOW[1:241] == pytest.approx(2 ** (1 / 8))
    assert (1 - LOW[-241:-1]) / (1 - HIGH[-241:-1]) == pytest.approx(2 ** (1 / 8), rel=1e-3)
    assert HIGH[0] == pytest.approx(1e-12, rel=0.1)


def test_duckdb_and_numpy_agree_at_the_neighbors_of_every_edge():
    scores = neighbors(EDGES)
    bins = bin_of(scores)
    assert (LOW[bins].astype(np.float32) <= scores).all()
    assert ((scores.astype(float) < HIGH[bins]) | (scores == 1)).all()
    np.testing.assert_array_equal(in_duckdb(scores), bins)


def test_a_multiple_of_a_thousandth_is_in_the_bin_that_starts_with_it():
    multiples = np.arange(1000) / 1000
    single = multiples.astype(np.float32)
    np.testing.assert_array_equal(LOW[bin_of(single)], multiples)
    np.testing.assert_array_equal(in_duckdb(single), bin_of(single))


@given(st.lists(FLOAT32, min_size=1, max_size=50), st.floats(0, 2, width=32))
def test_duckdb_and_numpy_agree(scores, power):
    values = np.array(scores, np.float32) ** np.float32(1 + 10 * power)
    values = np.concatenate([values, 1 - values, [0, 1, 1e-45, 1.2e-38]]).astype(np.float32)
    np.testing.assert_array_equal(in_duckdb(values), bin_of(values))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=50))
def test_bins_keep_the_order_of_scores(scores):
    ordered = np.sort(np.array(scores))
    bins = bin_of(ordered)
    assert (np.diff(bins) >= 0).all()
    assert (LOW[bins] <= ordered).all()
    assert (ordered <= HIGH[bins]).all()


@given(st.lists(st.floats(-1000, 1000, width=32), min_size=1, max_size=50))
def test_logits_keep_their_order_in_both(scores):
    ordered = np.sort(np.array(scores, np.float32))
    bins = bin_of(ordered, "unbounded")
    assert (np.diff(bins) >= 0).all()
    other = in_duckdb(ordered, "unbounded")
    probability = 1 / (1 + np.exp(-np.clip(ordered.astype(float), -700, 700)))
    near_edge = np.abs(probability[:, None] - EDGES).min(axis=1) < 1e-15
    assert ((bins == other) | near_edge).all()


def test_null_stays_null():
    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT {bin_sql('CAST(NULL AS FLOAT)')}").fetchall() == [(None,)]


@pytest.mark.parametrize("score", [-0.001, 1.001, np.nan, np.inf])
def test_scores_outside_the_scale_are_refused(score):
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        bin_of([score])


def test_unknown_scale_is_refused():
    with pytest.raises(ValueError, match="percent"):
        bin_sql("s", "percent")
