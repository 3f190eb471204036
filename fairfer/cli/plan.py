"""``fairfer plan``: sample sizes before any data exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fairfer.cli.command import app

if TYPE_CHECKING:
    from fairfer.audits.sample_size import SampleSizePlan


_PAIR = 2


@app.command()
def plan(
    *,
    rate: Annotated[float, typer.Option("--rate", help="Expected rate of all groups together, such as a TPR of 0.85.")],
    difference: Annotated[float | None, typer.Option("--difference", help="True difference between two groups.")] = None,
    size: Annotated[
        int | None,
        typer.Option("--size", help="Instead of --difference: samples per group (subjects, with --images-per-subject)."),
    ] = None,
    groups: Annotated[int, typer.Option("--groups", help="Number of groups of equal size.")] = 2,
    tests: Annotated[int, typer.Option("--tests", help="Number of gaps that the audit tests.")] = 1,
    power: Annotated[float, typer.Option("--power", help="Probability that the difference is reported.")] = 0.8,
    images_per_subject: Annotated[
        int, typer.Option("--images-per-subject", help="Images of each subject; needs --correlation if more than 1.")
    ] = 1,
    correlation: Annotated[
        float | None, typer.Option("--correlation", help="Correlation of the results of one subject, from 0 to 1.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
) -> None:
    """Sample size per group with which a difference is reported, or the difference that a sample size detects."""
    import json

    from fairfer.audits.sample_size import plan_sample_size

    result = plan_sample_size(
        rate,
        difference,
        size=size,
        groups=groups,
        tests=tests,
        power=power,
        images_per_subject=images_per_subject,
        correlation=correlation,
    )
    typer.echo(json.dumps(result.to_dict(), indent=2) if as_json else _text(result))


def _text(plan: SampleSizePlan) -> str:
    from fairfer.report.text.numbers import many

    groups = "two groups" if plan.groups == _PAIR else f"two of {plan.groups} groups"
    subjects = plan.subjects_per_group
    size = f"{plan.samples_per_group:,} images per group"
    if subjects is not None:
        size = f"{subjects:,} subjects per group with {plan.images_per_subject} images each"
    return (
        f"{size}: a difference of {plan.difference:.3f} between {groups}, at a rate of {plan.rate:g}, is "
        f"reported with {100 * plan.power:g} % power in an audit of {many(plan.tests, 'gap')}.\n"
        "Images are those in the denominator of the rate: for a TPR, faces with the label."
    )
