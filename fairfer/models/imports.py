"""Import the object that an import path of a user names."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from fairfer.errors import ModelError, did_you_mean
from fairfer.models.foreign_code import foreign_code


def import_object(spec: str, module: str, attribute: str) -> object:
    """Import an attribute of a module; the current folder is searched too.

    Parameters
    ----------
    spec
        What the user wrote, for error messages.
    module, attribute
        Parts of the import path.

    Raises
    ------
    ModelError
        If there is no such module or attribute, or the module needs a package that is not installed.
    """
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)  # as `python -m` does, so that a model in the current folder is found
    if not module or module.startswith(".") or not attribute:
        message = f"model {spec!r} is not an import path; write package.module:attribute"
        raise ModelError(message)
    try:
        with foreign_code(f"model {spec!r}"):
            imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not (module == error.name or module.startswith(error.name + ".")):
            message = f"model {spec!r}: {module} needs the package {error.name!r}, which is not installed; install it"
        else:
            message = f"model {spec!r}: no module {module!r} in this folder or installed; check the spelling, or install it"
        raise ModelError(message) from error
    if not hasattr(imported, attribute):
        public = [n for n in vars(imported) if not n.startswith("_")]
        message = f"model {spec!r}: module {module} has no {attribute!r}; {did_you_mean(attribute, public)}"
        raise ModelError(message)
    value: object = getattr(imported, attribute)
    return value
