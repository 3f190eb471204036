"""The interaction test: exact given the margins, and its fitted rates are those of a logistic regression."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm

from fairfer.stats import additivity
from fairfer.stats.additivity import additivity_test

FIRST, SECOND = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 0, 1, 2])


def result_of(first, second, hits, trials, permutations=4000):
    return additivity_test(first, second, hits, trials, permutations=permutations, generator=np.random.default_rng(0))


def test_the_fit_is_that_of_statsmodels():
    hits, trials = np.array([30, 12, 9, 20, 5, 14]), np.array([60, 20, 30, 50, 25, 20])
    design = np.column_stack([np.ones(6), FIRST, SECOND == 1, SECOND == 2]).astype(float)
    model = sm.GLM(np.column_stack([hits, trials - hits]), design, family=sm.families.Binomial()).fit()
    test = result_of(FIRST, SECOND, hits, trials, 100)
    assert test.fitted == pytest.approx(model.fittedvalues, abs=1e-5)
    assert test.statistic == pytest.approx(model.deviance, rel=1e-4)
    assert test.degrees_of_freedom == model.df_resid
    assert test.residual == pytest.approx(model.resid_pearson, abs=1e-3)


def test_p_is_that_of_all_tables_with_the_same_totals():
    """2 x 2: one free count; every table is weighted by the number of ways to make it."""
    first, second = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    hits, trials = np.array([7, 2, 3, 6]), np.array([9, 7, 8, 10])
    test = result_of(first, second, hits, trials, 8000)
    ways = {}
    for a in range(10):
        cells = np.array([a, 9 - a, 10 - a, 18 - 9 - 10 + a])
        if (cells >= 0).all() and (cells <= trials).all():
            statistic = float(additivity._ratio(cells.reshape(2, 2), trials.reshape(2, 2), test.fitted.reshape(2, 2)))
            ways[a] = (math.prod(math.comb(int(n), int(k)) for n, k in zip(trials, cells, strict=True)), statistic)
    exact = sum(w for w, s in ways.values() if s >= test.statistic - 1e-7) / sum(w for w, _ in ways.values())
    assert test.p == pytest.approx(exact, abs=0.06)


def test_a_cell_that_differs_is_found_and_named():
    trials = np.full(6, 300)
    hits = np.array([150, 180, 200, 170, 200, 100])
    test = result_of(FIRST, SECOND, hits, trials, 999)
    assert test.p == 1 / 1000
    assert int(np.argmax(np.abs(test.residual))) in (2, 5)


def test_additive_cells_are_not_significant():
    trials = np.array([400, 100, 20, 300, 90, 10])
    hits = np.rint(trials / (1 + np.exp(-(0.3 + 0.5 * FIRST + 0.4 * SECOND)))).astype(int)
    assert result_of(FIRST, SECOND, hits, trials, 300).p > 0.3


def test_nothing_to_test_gives_nothing():
    """Three cells of a 2 x 2 table, no hit, nothing but hits."""
    assert result_of([0, 0, 1], [0, 1, 0], [1, 2, 3], [9, 9, 9]) is None
    assert result_of(FIRST, SECOND, np.zeros(6), np.full(6, 9)) is None
    assert result_of(FIRST, SECOND, np.full(6, 9), np.full(6, 9)) is None


def test_drawn_tables_keep_their_totals():
    sizes = np.array([[30, 4, 9], [12, 0, 40]])
    table = np.array([[11, 2, 3], [6, 0, 31]])
    drawn = additivity._Chain(sizes, table / np.maximum(sizes, 1), np.random.default_rng(1)).tables(table, 200)
    assert (drawn.sum(axis=1) == table.sum(axis=0)).all()
    assert (drawn.sum(axis=2) == table.sum(axis=1)).all()
    assert ((drawn >= 0) & (drawn <= sizes)).all()
    assert len(np.unique(drawn[:, 0, 0])) > 3
