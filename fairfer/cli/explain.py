"""``fairfer explain``: where the model of a run looked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from fairfer.cli.command import app, grouped
from fairfer.cli.options import ModelOptions
from fairfer.errors import UsageError


@dataclass(frozen=True)
class ExplainOptions:
    """How a run is explained."""

    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that fairfer audit wrote.")]
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            metavar="METHOD",
            help="lrp, integrated-gradients, grad-cam, occlusion or rise; lrp and integrated-gradients when not given, or "
            "occlusion for a model without a PyTorch network.",
        ),
    ] = None
    method_option: Annotated[
        list[str] | None,
        typer.Option(
            "--method-option", metavar="METHOD.NAME=VALUE", help="An option of a method, such as lrp.rule=epsilon-alpha2-beta1."
        ),
    ] = None
    landmarks: Annotated[
        Path | None,
        typer.Option(
            "--landmarks",
            metavar="TABLE",
            help="Table of 68, 468 or 478 facial landmarks per image; a template for tightly cropped faces when not given.",
        ),
    ] = None
    data: Annotated[
        str | None, typer.Option("--data", metavar="DATASET", help="Where the dataset is now; as in RUN when not given.")
    ] = None
    map_permutations: Annotated[
        int, typer.Option("--map-permutations", help="Number of permutations of each comparison between groups.")
    ] = 2_000
    checked_faces: Annotated[
        int, typer.Option("--checked-faces", help="Faces with which each method is checked; 0 for no check.")
    ] = 64

    faces: Annotated[
        int,
        typer.Option(
            "--faces", help="Single faces that the report shows with their maps, per label and group; none when not given."
        ),
    ] = 0


@app.command()
@grouped
def explain(options: ExplainOptions, model: ModelOptions) -> None:
    """Show where a model looked: relevance maps and regions of the face per group, added to the report of a run."""
    from fairfer.audits.explain import ExplainSettings, default_methods, explain
    from fairfer.audits.result import Audit
    from fairfer.cli.console import results_only
    from fairfer.cli.stored_invocation import dataset_again, model_again
    from fairfer.datasets.landmarks import read_landmarks
    from fairfer.files import check_finished
    from fairfer.report.text.explanations import explanation_summary
    from fairfer.report.view import View
    from fairfer.report.write import write_report

    if not (options.run / "audit.json").is_file():
        message = f"{options.run} has no audit.json; give a folder that fairfer audit wrote"
        raise UsageError(message)
    check_finished(options.run)
    audit = Audit.read(options.run)
    chosen = _method_options(options.method_option or ())
    dataset = dataset_again(options.run, options.data)
    asked = model_again(options.run, dataset, model.model, model.option)
    landmarks = None if options.landmarks is None else read_landmarks(options.landmarks, map(str, dataset.samples.index))
    settings = ExplainSettings(
        tuple(options.method or ()), chosen, landmarks, options.map_permutations, options.checked_faces, options.faces
    )
    if not options.method and (reason := default_methods(asked)[1]):
        typer.echo(f"method occlusion is used: {reason}", err=True)
    if options.faces:
        typer.echo("the report will show single faces: share it only as the license of the data permits", err=True)

    def progress(name: str, parts: Iterable[int]) -> Iterable[int]:
        from tqdm import tqdm

        bar: Iterable[int] = tqdm(parts, desc=name, unit="part", disable=None)  # None: only on a terminal
        return bar

    with results_only():
        explanations = explain(options.run, dataset, asked, settings, progress)
    page = write_report(audit, options.run)
    typer.echo(explanation_summary(View(audit), explanations).rstrip("\n"))
    typer.echo(f"Report: {page}")


def _method_options(texts: Iterable[str]) -> dict[str, dict[str, str]]:
    """The values of ``--method-option`` by method and name."""
    options: dict[str, dict[str, str]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        method, point, option = name.partition(".")
        if not (equals and point and method and option):
            message = f"--method-option {text!r}: write METHOD.NAME=VALUE, as in lrp.rule=epsilon-alpha2-beta1"
            raise UsageError(message)
        options.setdefault(method, {})[option] = value
    return options
