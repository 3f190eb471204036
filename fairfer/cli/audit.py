"""``fairfer audit`` and ``fairfer predict``."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairfer.cli.command import app, grouped, values_of
from fairfer.cli.config import load_config, to_toml
from fairfer.cli.options import LoadOptions, ModelOptions, PlanOptions, RunOptions, TableOptions, chosen_dataset, chosen_model
from fairfer.cli.running import ask, run_folder, unfinished
from fairfer.cli.thresholds import find_validation

if TYPE_CHECKING:
    from fairfer.datasets.dataset import Dataset


def _config(context: typer.Context, path: Path | None) -> Path | None:
    return load_config(context, path)


@dataclass(frozen=True)
class ConfigOptions:
    """Where defaults come from."""

    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            is_eager=True,
            callback=_config,
            help="File with an [audit] table; fairfer.toml or pyproject.toml in this folder when not given.",
        ),
    ] = None


@app.command()
@grouped
def audit(
    config: ConfigOptions,
    data: LoadOptions,
    tables: TableOptions,
    model: ModelOptions,
    plan: PlanOptions,
    output: RunOptions,
) -> None:
    """Audit a model on a dataset and write the report. Without arguments: the bundled model on the bundled sample."""
    from fairfer.audits.audit import audit_predictions
    from fairfer.audits.plan import check_plan
    from fairfer.audits.stored_samples import Invocation
    from fairfer.audits.threshold_choice import with_chosen_thresholds
    from fairfer.report.attachments import not_shown
    from fairfer.report.summary import summary
    from fairfer.report.verdict_files import remove_verdict
    from fairfer.report.write import write_report

    if config.config is not None:
        typer.echo(f"settings from {config.config}", err=True)
    dataset = chosen_dataset(data, tables)
    with unfinished(output.out):
        asked = chosen_model(model, dataset)
        chosen = plan.plan().model_copy(update={"answer_times": output.answer_times})
        answers = dataset.recorded if asked is None else asked
        if answers is not None:
            design = check_plan(chosen, dataset, answers.labels, getattr(answers, "task", "single-label"))
            other = find_validation(plan.choose_thresholds, design, data, tables, output.out)
        _suggest_subject(dataset, plan.subject)
        if not plan.by:
            _list_refused(dataset, {plan.subject, *chosen.standardize})
        run = run_folder(output.out, dataset, asked)
        remove_verdict(run)
        predictions = ask(dataset, asked, run, overwrite=output.overwrite, answer_times=output.answer_times)
        stated = RunOptions(output.out, answer_times=output.answer_times)
        if other is not None:
            validation = other.answered(asked, run, overwrite=output.overwrite)
            chosen = with_chosen_thresholds(chosen, dataset, predictions, validation)
        invocation = Invocation(
            shlex.join(["fairfer", *sys.argv[1:]]),
            to_toml(values_of(data, tables, model, plan, stated)),
        )
        result = audit_predictions(dataset, predictions, chosen, invocation=invocation, run=run)
        page = write_report(result, run)
        for sentence in not_shown(run, result):
            typer.echo(sentence, err=True)
    typer.echo(summary(result).rstrip("\n"))
    typer.echo(f"Report: {page}")


@app.command()
@grouped
def predict(data: LoadOptions, model: ModelOptions, output: RunOptions) -> None:
    """Run a model and store its predictions. fairfer audit with the same --out reuses them."""
    dataset = chosen_dataset(data)
    with unfinished(output.out):
        asked = chosen_model(model, dataset)
        run = run_folder(output.out, dataset, asked)
        frame = ask(dataset, asked, run, overwrite=output.overwrite, answer_times=output.answer_times).frame
    counts = frame["status"].value_counts()
    typer.echo(f"{counts.get('ok', 0):,} of {len(frame):,} images have a prediction")
    for status, number in counts.drop("ok", errors="ignore").items():
        first = frame[frame["status"] == status].iloc[0]
        typer.echo(f"{status}: {number:,} (the first: {first['detail']})")
    typer.echo(f"Predictions: {run}")


def _suggest_subject(dataset: Dataset, subject: str) -> None:
    from fairfer.metrics.subjects import likely_subject_column

    if not subject and (column := likely_subject_column(dataset.samples)):
        name, number = column
        typer.echo(
            f"column {name!r} names {number:,} subjects in {len(dataset):,} images: with --subject {name}, intervals and tests "
            "treat the subject as the independent unit; without it, they treat every image as a different subject",
            err=True,
        )


def _list_refused(dataset: Dataset, used: set[str]) -> None:
    """Say which columns every attribute does not include, and why."""
    for name, (_, reason) in dataset.refused.items():
        if name not in used:
            typer.echo(f"not grouped by {name!r}: {reason}", err=True)
