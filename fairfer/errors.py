"""What fairfer raises when the trouble lies in what it was given, not in fairfer itself.

::

    FairferError                 one line: what is wrong, where, how to mend it; the command line exits with 2
    ├── UsageError               an option or an argument that cannot be meant as given
    ├── DataError                a folder, table, picture or annotation that cannot be read as what it should be
    ├── LabelError               a label that the label space does not know
    ├── ModelError               a model that cannot be found, loaded, or that answers in the wrong shape
    └── RunError                 stored predictions or an audit that are missing, damaged, or belong to something else

Three kinds of trouble never mix: a bad *photo* is a row with a status (see `fairfer.models.model.Prediction`), a bad *input* is one
of these, and a bad *program* is an ordinary exception with its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FairferError(Exception):
    """Base of every error that a user can mend; its text is one line: what, where, how to mend it."""


class UsageError(FairferError):
    """An option or argument that cannot be meant as given."""


class DataError(FairferError):
    """A folder, table, picture or annotation that cannot be read as what it should be."""


class LabelError(FairferError):
    """A label that the label space does not know."""


class ModelError(FairferError):
    """A model that cannot be found or loaded, or that answers in the wrong shape."""


class RunError(FairferError):
    """Stored predictions or an audit that are missing, damaged, or belong to something else."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """End of an error message: the nearest known names, or all of them when few.

    Parameters
    ----------
    name
        What was asked for.
    known
        What there is.

    Returns
    -------
    str
        ``"did you mean 'gender'?"``, else ``"there are: age, gender"`` (at most twelve), else ``"there are none"``.
    """
    names = list(known)
    folded = {n.casefold(): n for n in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=2, cutoff=0.6)
    if near:
        return "did you mean " + " or ".join(repr(folded[n]) for n in near) + "?"
    if not names:
        return "there are none"
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""  # noqa: PLR2004 - a screen line's worth
    return "there are: " + ", ".join(names[:12]) + more
