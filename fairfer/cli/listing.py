"""``fairfer models`` and ``fairfer datasets``: what is installed."""

from __future__ import annotations

import typer

from fairfer.cli.command import app


@app.command()
def models() -> None:
    """List the installed models and how to specify others."""
    from fairfer.models.registry import describe_models

    for name, description in describe_models().items():
        typer.echo(f"{name:<12}{description}")
    typer.echo("PACKAGE.MODULE:ATTRIBUTE  your own: an object with name, version, labels and predict(images)")


@app.command()
def datasets() -> None:
    """List the dataset layouts that can be read, with their options."""
    from fairfer.datasets.loading import SAMPLE, loaders, sample_path, schemes

    for name, loader in {**loaders(), **schemes()}.items():
        typer.echo(f"{name:<12}{loader.layout}")
        typer.echo(f"{'':<12}  options: {', '.join('--' + o.replace('_', '-') for o in loader.options)}")
    typer.echo(f"{SAMPLE:<12}the bundled, de-identified sample ({sample_path()})")
