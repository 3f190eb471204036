"""Commands whose options come in groups: one dataclass per group, shared by the commands that take it."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

import typer


def grouped(function: Callable[..., None]) -> Callable[..., None]:
    """Turn a function of option groups into a function of their fields, from which typer builds the options.

    Each parameter of `function` is annotated with a dataclass whose fields are annotated as typer options. The command line's
    values are collected into these dataclasses before `function` is called.
    """
    hints = typing.get_type_hints(function)
    groups = {name: hints[name] for name in inspect.signature(function).parameters}
    parameters = []
    for group in groups.values():
        annotations = typing.get_type_hints(group, include_extras=True)
        parameters += [
            inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=_default(field), annotation=annotations[field.name]
            )
            for field in dataclasses.fields(group)
        ]

    @functools.wraps(function)
    def command(**values: Any) -> None:
        function(**{name: _collected(group, values) for name, group in groups.items()})

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default


def _collected(group: type, values: Mapping[str, Any]) -> Any:
    return group(**{field.name: values[field.name] for field in dataclasses.fields(group)})


def values_of(*groups: Any) -> dict[str, Any]:
    """Options that differ from their default, by name."""
    return {
        field.name: getattr(group, field.name)
        for group in groups
        for field in dataclasses.fields(group)
        if getattr(group, field.name) != _default(field)
    }


app = typer.Typer(
    name="fairfer",
    help="Fairness evaluation of facial-emotion models: error rates per emotion and demographic group.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
