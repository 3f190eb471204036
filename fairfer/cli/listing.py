"""``fairfer datasets``: the layouts that can be read."""

from __future__ import annotations

import typer

from fairfer.cli.command import app


@app.command()
def datasets() -> None:
    """List the dataset layouts that can be read, with their options."""
    from fairfer.datasets.loading import SAMPLE, loaders, sample_path

    for name, loader in loaders().items():
        typer.echo(f"{name:<10}{loader.layout}")
        typer.echo(f"{'':<10}  options: {', '.join('--' + o.replace('_', '-') for o in loader.options)}")
    typer.echo(f"{SAMPLE:<10}the bundled, de-identified sample ({sample_path()})")
