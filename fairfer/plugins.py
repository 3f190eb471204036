"""Entry points: how models, schemes and loaders are registered and found.

A package registers what it offers in its metadata, under a group such as ``fairfer.models``. fairfer's own models and loaders
are registered in the same way.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from fairfer.errors import FairferError


class PluginError(FairferError):
    """An installed package whose entry point is ambiguous or cannot be imported."""


def registered(group: str) -> dict[str, EntryPoint]:
    """Entry points of a group by name, in alphabetical order. Nothing is imported.

    Parameters
    ----------
    group
        Such as ``fairfer.models``.

    Raises
    ------
    PluginError
        When two packages register the same name; the message names both packages.
    """
    points: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        other = points.setdefault(point.name, point)
        if (other.value, distribution(other)) != (point.value, distribution(point)):
            message = (
                f"two installed packages register {point.name!r} in {group}: {distribution(other)} ({other.value}) and "
                f"{distribution(point)} ({point.value}); uninstall one of them"
            )
            raise PluginError(message)
    return dict(sorted(points.items()))


def load(point: EntryPoint, kind: str) -> Any:
    """Import the object that an entry point names.

    Parameters
    ----------
    point
        One of `registered`.
    kind
        What it stands for in the error message: ``model``, ``loader``.

    Raises
    ------
    PluginError
        When it cannot be imported; the message names the package that registered it.
    """
    try:
        return point.load()
    except (Exception, SystemExit) as error:  # importing another package runs its code, which may raise anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if not isinstance(error, ImportError | AttributeError):
            reason = f"{type(error).__name__}: {reason}"
        message = (
            f"{kind} {point.name!r} of {distribution(point)} ({point.value}) cannot be imported: {reason}; "
            "install what it needs, or uninstall the package"
        )
        raise PluginError(message) from error


def distribution(point: EntryPoint) -> str:
    """The package that registered an entry point, for error messages."""
    return f"package {point.dist.name}" if point.dist is not None else "an unnamed package"
