"""Settings of ``fairfer audit`` in a file: ``[audit]`` in fairfer.toml, or ``[tool.fairfer.audit]`` in pyproject.toml.

The table takes the long options of the command, without the dashes: ``by = ["gender", "gender,race"]``. ``dataset`` is the
argument. The command line overrides the file.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairfer.errors import UsageError, did_you_mean
from fairfer.files import read_text

if TYPE_CHECKING:
    import typer

FILES = ("fairfer.toml", "pyproject.toml")
_NOT_IN_A_FILE = frozenset({"config", "help"})


def load_config(context: typer.Context, path: Path | None) -> Path | None:
    """Take the defaults of a command's options from a file.

    Parameters
    ----------
    context
        Of the command.
    path
        The file; looked for in the working directory when not given.

    Returns
    -------
    Path or None
        The file that was used.

    Raises
    ------
    UsageError
        When the file cannot be read, has no such table although it was named, two files have one, or an option is unknown or
        has a value of the wrong type.
    """
    tables = {p: t for p in ([path] if path else [Path(n) for n in FILES]) if (t := _table(p, required=path is not None))}
    if len(tables) > 1:
        message = f"both {' and '.join(map(str, tables))} have settings of fairfer audit; keep one, or name it with --config"
        raise UsageError(message)
    for file, table in tables.items():
        context.default_map = _checked(context, file, table)
        return file
    return None


def _table(path: Path, *, required: bool) -> dict[str, Any] | None:
    if not required and not path.is_file():
        return None
    try:
        content: Any = tomllib.loads(read_text(path, "utf-8-sig"))
    except (OSError, UnicodeError) as error:
        message = f"{path} cannot be read ({getattr(error, 'strerror', None) or error}); name a file with --config"
        raise UsageError(message) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        if not required and path.name == "pyproject.toml":
            return None
        message = f"{path} is not valid TOML ({error}); correct the file"
        raise UsageError(message) from error
    for key in ("tool", "fairfer") if path.name == "pyproject.toml" else ():
        content = content.get(key) if isinstance(content, dict) else None
    table = content.get("audit") if isinstance(content, dict) else None
    if table is not None and not isinstance(table, dict):
        message = f"{path}: audit must be a table; write [audit] and one option per line below it"
        raise UsageError(message)
    if table is None and (similar := difflib.get_close_matches("audit", content if isinstance(content, dict) else ())):
        message = f"{path} has a table {similar[0]!r}; did you mean 'audit'?"
        raise UsageError(message)
    if table is None and required:
        message = f"{path} has no table [audit]; write one, with the long options of fairfer audit as keys"
        raise UsageError(message)
    return table


def _checked(context: typer.Context, path: Path, table: Mapping[str, Any]) -> dict[str, Any]:
    options = {p.name: p for p in context.command.params if p.name and p.name not in _NOT_IN_A_FILE}
    names = {name.replace("_", "-"): name for name in options}
    values = {}
    for key, given in table.items():
        if key not in names:
            message = f"{path}, [audit]: unknown key {key!r}; {did_you_mean(key, names)}"
            raise UsageError(message)
        option = options[names[key]]
        value = [given] if getattr(option, "multiple", False) and isinstance(given, str) else given
        if kind := _mismatch(option, value):
            message = f"{path}, [audit]: {key} is {value!r}; give {kind}"
            raise UsageError(message)
        values[names[key]] = value if isinstance(value, bool | list) else str(value)
    return values


def _mismatch(option: Any, value: object) -> str | None:
    """What an option takes, if the value is not that."""
    if getattr(option, "is_flag", False):
        return None if isinstance(value, bool) else "true or false"
    if getattr(option, "multiple", False):
        fits = isinstance(value, list) and all(isinstance(v, str) for v in value)
        return None if fits else "a list of strings"
    kind = _number_type(option)
    if kind is not None:
        fits = isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
        return None if fits else "a whole number" if kind is int else "a number"
    return None if isinstance(value, str) else "a string"


def _number_type(option: Any) -> type | None:
    """Type of an option that takes a number; the default of an optional number is ``None``, and has no type."""
    declared = getattr(getattr(option, "type_descriptor", None), "annotation", None)  # newer releases of typer
    named = {"integer": int, "float": float}.get(getattr(getattr(option, "type", None), "name", ""))
    default = getattr(option, "default", None)
    found = declared or named or type(default)
    return found if found in (int, float) else None


def to_toml(values: Mapping[str, Any]) -> str:
    """Options by name as an ``[audit]`` table."""
    lines = [f"{name.replace('_', '-')} = {_value(value)}" for name, value in values.items() if name not in _NOT_IN_A_FILE]
    return "\n".join(["[audit]", *lines]) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    # JSON and TOML write booleans, numbers and (basic) strings alike.
    return json.dumps(value if isinstance(value, bool | int | float) else str(value), ensure_ascii=False)
