"""``fairfer probe``: ask the model of a finished run about changed pictures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from fairfer.cli.command import app
from fairfer.cli.console import results_only
from fairfer.cli.options import LoadOptions, ModelOptions, TableOptions

Options = TypeVar("Options", LoadOptions, TableOptions, ModelOptions)


@app.command()
def probe(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that fairfer audit wrote, of a model that it asked.")],
    *,
    probe: Annotated[
        list[str] | None,
        typer.Option(
            "--probe",
            metavar="NAME[=LEVEL,…]",
            help="A change of the pictures: brightness, contrast, blur, noise, crop, mirror, gray, jpeg or occlusion. All of "
            "them, with their default levels, when not given.",
        ),
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="DATASET", help="Where the dataset is now; as in RUN when not given.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="MODEL", help="How the model is named now; as in RUN when not given.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="Options of the model; as in RUN when not given."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder for the answers, the result and the report; RUN when not given."),
    ] = None,
) -> None:
    """Change the pictures of a run, ask its model again, and add to the report whose answers change."""
    from fairfer.audits.probe import probe as probe_run
    from fairfer.audits.stored_run import StoredRun
    from fairfer.cli.stored_invocation import dataset_again, model_again
    from fairfer.explanations.probes.perturbations import parse_probes
    from fairfer.report.text.probes import probe_summary
    from fairfer.report.write import write_report

    chosen = parse_probes(probe or ())  # a wrong name is told before anything is loaded
    stored = StoredRun.read(run)
    dataset = dataset_again(run, data)
    asked = model_again(run, dataset, model, option)
    with results_only():
        result = probe_run(run, dataset, asked, [p.name for p in chosen], out=out, progress=_progress, on_answers=_tell)
    page = write_report(stored.audit, out or run)
    typer.echo(probe_summary(stored.audit, result).rstrip("\n"))
    typer.echo(f"Probes: {page.parent / 'probes.json'}")
    typer.echo(f"Report: {page}")


def _progress(parts: Iterable[int], name: str) -> Iterable[int]:
    from tqdm import tqdm

    bar: Iterable[int] = tqdm(parts, desc=name, unit="part", disable=None)  # None: only on a terminal
    return bar


def _tell(name: str, reused: int, same: int, samples: int) -> None:
    """Say how many pictures the model was not asked about."""
    texts = [f"{reused:,} of {samples:,} answers reused"] if reused else []
    texts += [f"{same:,} of {samples:,} pictures unchanged"] if same else []
    if texts:
        typer.echo(f"{name}: {', '.join(texts)}", err=True)
