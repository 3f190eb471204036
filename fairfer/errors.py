"""Exceptions for bad input.

::

    FairferError                 one line: what is wrong, where, how to fix it; the command line exits with 2
    ├── UsageError               an option or argument with an invalid value
    ├── DataError                a folder, table, image or annotation file that cannot be read
    ├── LabelError               a label that is not in the label space
    ├── ModelError               a model that cannot be loaded, or that returns the wrong shape
    └── RunError                 stored predictions or an audit that are missing, damaged, or belong to other data

fairfer separates three kinds of problems: an image that cannot be read is a row with a status (see
`fairfer.vocabulary.Status`), bad input raises one of these exceptions, and a bug raises an ordinary exception with its
traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MOST_LISTED = 12  # names that fit on one line of a terminal


class FairferError(Exception):
    """Base class of errors that a user can fix. The text is one line: what is wrong, where, how to fix it."""


class UsageError(FairferError):
    """An option or argument has an invalid value."""


class DataError(FairferError):
    """A folder, table, image or annotation file cannot be read as what it should be."""


class LabelError(FairferError):
    """A label is not in the label space."""


class ModelError(FairferError):
    """A model cannot be loaded, or returns the wrong shape."""


class RunError(FairferError):
    """Stored predictions or an audit are missing, damaged, or belong to other data."""


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """End of an error message: the choices most similar to a name, or a list of the choices.

    Parameters
    ----------
    name
        The name that is not among the choices.
    choices
        Valid names.

    Returns
    -------
    str
        ``"did you mean 'gender'?"``, else ``"available: age, gender"`` (at most twelve), else ``"none are available"``.
    """
    names = list(choices)
    folded = {n.casefold(): n for n in names}
    similar = difflib.get_close_matches(name.casefold(), folded, n=2, cutoff=0.6)
    if similar:
        return "did you mean " + " or ".join(repr(folded[n]) for n in similar) + "?"
    if not names:
        return "none are available"
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return "available: " + ", ".join(names[:_MOST_LISTED]) + more
