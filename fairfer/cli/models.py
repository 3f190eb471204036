"""``fairfer models``: which models can run here, and what the others need."""

from __future__ import annotations

import textwrap
from typing import Annotated

import typer

from fairfer.cli.command import app

OWN = "PACKAGE.MODULE:ATTRIBUTE"
WIDTH = 100
"""Columns of the listing."""


@app.command()
def models(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the models as JSON.")] = False,
) -> None:
    """List the models and what each needs before it can run."""
    import json

    from fairfer.models.registry import list_models

    entries = list_models()
    if as_json:
        rows = [
            {"model": e.name, "state": e.readiness.state, "detail": e.readiness.detail, "summary": e.summary} for e in entries
        ]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    names = max(len(e.name) for e in entries) + 2
    states = max(len(e.readiness.state) for e in entries) + 2
    for entry in entries:
        typer.echo(f"{entry.name:<{names}}{entry.readiness.state:<{states}}{entry.summary}")
        if entry.readiness.detail:
            indent = " " * (names + states)
            typer.echo(textwrap.fill(entry.readiness.detail, WIDTH, initial_indent=indent, subsequent_indent=indent))
    typer.echo(f"{OWN}: your own, an object with name, version, labels and predict(images); or fairfer.wrap(function, …)")
