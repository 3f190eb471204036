"""Exceptions for bad input, and hints for misspelled names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairfer import errors
from fairfer.errors import FairferError, did_you_mean


def test_every_exception_is_a_fairfer_error():
    """One handler catches all of them, and no ordinary exception."""
    exceptions = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert len(exceptions) == 6
    assert all(issubclass(e, FairferError) for e in exceptions)
    assert not issubclass(ValueError, FairferError)


@pytest.mark.parametrize(
    ("name", "choices", "hint"),
    [
        ("gendr", ["gender", "race"], "did you mean 'gender'?"),
        ("GENDER", ["gender", "race"], "did you mean 'gender'?"),
        ("happines", ["happiness"], "did you mean 'happiness'?"),
        ("age1", ["age2", "age3"], "did you mean 'age3' or 'age2'?"),
        ("xyz", ["b", "a"], "available: b, a"),
        ("x", [], "none are available"),
        ("zz", [f"level{i}" for i in range(14)], "available: " + ", ".join(f"level{i}" for i in range(12)) + " and 2 more"),
    ],
)
def test_the_hint_has_the_nearest_names(name, choices, hint):
    """Similar names in any case, else a list of at most twelve."""
    assert did_you_mean(name, choices) == hint


@given(st.text(), st.lists(st.text()))
def test_the_hint_never_raises(name, choices):
    """It is made while an exception is raised."""
    assert did_you_mean(name, choices)
