"""Errors that a user can mend: one tree, one line each, and a guess at what was meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairfer import errors
from fairfer.errors import FairferError, did_you_mean


def test_every_error_is_a_fairfer_error_so_that_one_handler_catches_all():
    """Whatever the module defines descends from `FairferError`, and no ordinary exception does."""
    found = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert len(found) == 6
    assert all(issubclass(e, FairferError) for e in found)
    assert not issubclass(ValueError, FairferError)


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("gendr", ["gender", "race"], "did you mean 'gender'?"),
        ("GENDER", ["gender", "race"], "did you mean 'gender'?"),
        ("happines", ["happiness"], "did you mean 'happiness'?"),
        ("age1", ["age2", "age3"], "did you mean 'age3' or 'age2'?"),
        ("xyz", ["b", "a"], "there are: b, a"),
        ("x", [], "there are none"),
        ("zz", [f"level{i}" for i in range(14)], "there are: " + ", ".join(f"level{i}" for i in range(12)) + " and 2 more"),
    ],
)
def test_a_name_that_does_not_exist_is_answered_with_the_nearest(name, known, said):
    """Near names are proposed, any case; else all of them are listed up to a line's worth."""
    assert did_you_mean(name, known) == said


@given(st.text(), st.lists(st.text()))
def test_the_hint_never_fails_whatever_was_typed(name, known):
    """A hint is made while an error is told, so it must not raise one itself."""
    assert did_you_mean(name, known)
