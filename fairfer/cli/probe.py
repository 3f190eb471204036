"""``fairfer probe``: ask the model of a finished run about changed pictures."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from fairfer.cli.command import app
from fairfer.cli.console import results_only
from fairfer.cli.options import BASELINE, LoadOptions, ModelOptions, TableOptions, chosen_dataset, chosen_model
from fairfer.errors import DataError, ModelError, UsageError

if TYPE_CHECKING:
    from fairfer.datasets.dataset import Dataset
    from fairfer.models.model import Model

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
            "them, with their usual levels, when not given.",
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
    from fairfer.explanations.probes.perturbations import parse_probes
    from fairfer.report.text.probes import probe_summary
    from fairfer.report.write import write_report

    chosen = parse_probes(probe or ())  # a wrong name is told before anything is loaded
    stored = StoredRun.read(run)
    dataset = _dataset(run, data)
    asked = _model(run, dataset, model, option)
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


def _dataset(run: Path, data: str | None) -> Dataset:
    """The dataset of a run, at its stored place or another one."""
    stored = _stored(run)
    if not stored and data is None:
        message = (
            f"{run} was audited in Python, so that it is not stored how its data were read; call fairfer.probe, or name the "
            "dataset with --data"
        )
        raise UsageError(message)
    options = _options(LoadOptions, stored)
    if data is not None:
        return chosen_dataset(dataclasses.replace(options, dataset=data), _options(TableOptions, stored))
    try:
        return chosen_dataset(options, _options(TableOptions, stored))
    except (DataError, UsageError) as error:
        message = f"the data of {run} cannot be read as they were ({error}); if they have moved, name their place with --data"
        raise type(error)(message) from error


def _model(run: Path, dataset: Dataset, model: str | None, option: list[str] | None) -> Model:
    """The model of a run, as stored or as named now."""
    stored = _options(ModelOptions, _stored(run))
    if model is not None:
        stored = ModelOptions(model, option)
    elif option:
        stored = ModelOptions(stored.model, option)
    if dataset.recorded is None:
        loaded = chosen_model(dataclasses.replace(stored, model=stored.model or BASELINE), dataset)
        if loaded is not None:
            return loaded
    message = f"{run} has predictions from a table, so there is no model to ask; audit a model with --model, then probe it"
    raise ModelError(message)


def _stored(run: Path) -> dict[str, Any]:
    """Options of the audit by name; empty for an audit that was not made on the command line."""
    from fairfer.audits.stored_samples import read_samples

    config = read_samples(run).invocation.config
    table: dict[str, Any] = tomllib.loads(config).get("audit", {}) if config else {}
    return {name.replace("-", "_"): value for name, value in table.items()}


def _options(kind: type[Options], stored: dict[str, Any]) -> Options:
    """One group of options, with the values of the run."""
    names = {field.name for field in dataclasses.fields(kind)}
    values = {name: value for name, value in stored.items() if name in names}
    return dataclasses.replace(kind(), **values)
