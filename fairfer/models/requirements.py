"""What a model needs before it can run: packages of an extra, and weights."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType
from typing import Literal

from fairfer.errors import ModelError

State = Literal["ready", "needs an extra", "needs weights", "needs a service", "broken", "unknown"]


@dataclass(frozen=True)
class Readiness:
    """Whether a model can run here.

    Attributes
    ----------
    state
        ``ready``; ``needs an extra`` (a package is not installed), ``needs weights`` (a file is missing) or ``needs a service``
        (such as the address of a server); ``broken`` (its plug-in cannot be imported) or ``unknown`` (its plug-in
        does not report a state).
    detail
        How to make it ready, as one command or sentence; for ``ready``, what is available.
    """

    state: State
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.state}: {self.detail}" if self.detail else self.state


def install_command(extra: str) -> str:
    """The command that installs an extra of fairfer."""
    return f"pip install 'fairfer[{extra}]'"


def packages_readiness(extra: str, *packages: str) -> Readiness:
    """Whether packages can be found; none is imported.

    Parameters
    ----------
    extra
        The extra of fairfer that installs them.
    *packages
        Names as they are imported.
    """
    missing = [name for name in packages if not _is_installed(name)]
    return Readiness("needs an extra", install_command(extra)) if missing else Readiness("ready")


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):  # a parent that cannot be imported, or a module without a specification
        return False


def require(module: str, *, what: str, extra: str) -> ModuleType:
    """Import a module of an extra.

    Parameters
    ----------
    module
        Name as it is imported.
    what
        What needs it, as the start of the error message: ``model 'hf:org/name'``.
    extra
        The extra of fairfer that installs it.

    Raises
    ------
    ModelError
        If it is not installed, or cannot be imported; one sentence says what to install.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or module).partition(".")[0]
        message = f"{what} needs the package {package!r}, which is not installed; run: {install_command(extra)}"
        raise ModelError(message) from error
    except Exception as error:  # a library that is installed and broken raises anything when it is imported
        text = " ".join(str(error).split())[:200] or type(error).__name__
        message = f"{what}: the package {module.partition('.')[0]!r} cannot be imported ({text}); install it again"
        raise ModelError(message) from error
