"""Benjamini and Hochberg's correction: by its definition."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairfer.stats import benjamini_hochberg


def adjusted_by_definition(p: list[float]) -> list[float]:
    """Benjamini and Hochberg's q by definition: the smallest m·p(j)/j over all ranks j at or above its own."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    q = [0.0] * len(p)
    for rank, i in enumerate(order, 1):
        q[i] = min(1.0, *(len(p) * p[order[j - 1]] / j for j in range(rank, len(p) + 1)))
    return q


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_benjamini_hochberg_equals_its_definition(p):
    assert benjamini_hochberg(p) == pytest.approx(adjusted_by_definition(p))


def test_ranks_are_not_the_positions_of_a_sort():
    """A known mistake: ``argsort() + 1`` gives [2, 3, 4, 1] for [0.9, 0.001, 0.02, 0.5], whose ranks are [4, 1, 2, 3]."""
    p = [0.9, 0.001, 0.02, 0.5]
    q = benjamini_hochberg(p)
    assert q == pytest.approx([0.9, 0.004, 0.04, 2 / 3])
    wrong_ranks = np.argsort(p) + 1
    assert list(wrong_ranks) == [2, 3, 4, 1]
    assert not np.allclose(q, np.array(p) * 4 / wrong_ranks)


def test_an_empty_family_has_no_q_values():
    assert benjamini_hochberg([]).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_q_keeps_the_order_of_p_and_is_at_least_p(p):
    q = benjamini_hochberg(p)
    assert (q >= np.array(p) - 1e-12).all()
    for i, j in itertools.combinations(range(len(p)), 2):
        if p[i] < p[j]:
            assert q[i] <= q[j] + 1e-12
