"""Tables of the analyses that a plan asks for: partial pooling, the interaction test and the GEE model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.metrics.option_results import AnswerTime, GeeDifference, Interaction, PooledRate
from fairfer.report.tables.table import Table, as_csv, models_as_csv
from fairfer.report.text.groups import group_words, with_source
from fairfer.report.text.numbers import DASH, rate, share, signed, whole
from fairfer.vocabulary import ALL

if TYPE_CHECKING:
    from fairfer.report.view import View

_REASONS = {
    "too_few_groups": "too few groups",
    "no_variation": "all faces alike",
    "subjects": "not available with subjects",
    "separated": "some level without variation",
    "not_converged": "did not converge",
    "not_estimable": "not estimable",
    "unannotated": "unannotated",
}


def answer_times_csv(view: View) -> str:
    """``answer_times.csv``: seconds per image of every group."""
    return models_as_csv(AnswerTime, view.audit.answer_times)


def answer_times_table(view: View) -> Table:
    """Seconds per image of every group."""
    columns = (
        "grouping", "group", "images", "mean (s)", "median (s)", "lower limit", "upper limit", "95th percentile (s)",
    )  # fmt: skip
    rows = tuple(
        (
            with_source(view.audit, t.attribute),
            group_words(t.group),
            whole(t.images),
            *(DASH if v is None else f"{v:.4g}" for v in (t.mean, t.median, t.low, t.high, t.percentile_95)),
        )
        for t in view.audit.answer_times
    )
    return Table("Answer times by group", columns, rows)


def pooled_csv(view: View) -> str:
    """``pooled_rates.csv``: every rate of every intersection, observed and pooled."""
    return models_as_csv(PooledRate, view.audit.pooled)


def interactions_csv(view: View) -> str:
    """``interactions.csv``: every interaction test."""
    return models_as_csv(Interaction, view.audit.interactions)


def gee_csv(view: View) -> str:
    """``gee.csv``: every difference from the model."""
    return models_as_csv(GeeDifference, view.audit.gee, without=("groups",))


def gee_rates_csv(view: View) -> str:
    """``gee_rates.csv``: the covariate-standardized rate of each group."""
    columns = ("label", "attribute", "rate", "group", "value", "low", "high")
    rows = (
        {"label": d.label, "attribute": d.attribute, "rate": d.rate, **dict(value)}
        for d in view.audit.gee
        for value in d.groups
    )
    return as_csv(columns, rows)


def pooled_table(view: View) -> Table:
    """Observed and pooled rates beside each other."""
    columns = (
        "grouping", view.noun, "rate", "group", "n", "observed", "lower limit", "upper limit", "pooled", "lower limit (pooled)",
        "upper limit (pooled)", "own weight",
    )  # fmt: skip
    rows = tuple(
        (
            with_source(view.audit, r.attribute),
            _label(r.label),
            r.rate,
            group_words(r.group),
            whole(r.denominator),
            rate(r.value),
            rate(r.low),
            rate(r.high),
            rate(r.pooled),
            rate(r.pooled_low),
            rate(r.pooled_high),
            share(r.own_weight) if r.status == "ok" else _REASONS[r.status],
        )
        for r in view.audit.pooled
    )
    return Table("Observed and partially pooled rates of intersections", columns, rows, heads=4)


def interactions_table(view: View) -> Table:
    """Interaction tests by increasing q."""
    columns = ("grouping", view.noun, "rate", "group", "observed", "additive", "p", "q")
    rows = tuple(
        (
            with_source(view.audit, r.attribute),
            _label(r.label),
            r.rate,
            group_words(r.group) if r.group else DASH,
            rate(r.value),
            rate(r.additive),
            rate(r.p, 3),
            rate(r.q, 3) if r.status == "ok" else _REASONS[r.status],
        )
        for r in sorted(view.audit.interactions, key=lambda r: (r.p is None, r.q or 0.0, r.p or 0.0))
    )
    return Table("Interaction of two attributes, and the group that deviates most from additivity", columns, rows, heads=4)


def gee_table(view: View) -> Table:
    """Differences from the model beside those of direct standardization."""
    columns = (
        "grouping", view.noun, "rate", "least favorable", "most favorable", "difference (model)", "lower limit", "upper limit",
        "directly standardized", "q", "subjects", "note",
    )  # fmt: skip
    rows = tuple(
        (
            with_source(view.audit, r.attribute),
            _label(r.label),
            r.rate,
            group_words(r.worst) if r.worst else DASH,
            group_words(r.best) if r.best else DASH,
            signed(r.difference),
            signed(r.low),
            signed(r.high),
            signed(r.standardized),
            rate(r.q, 3),
            whole(r.subjects),
            "" if r.status == "ok" else _REASONS[r.status],
        )
        for r in view.audit.gee
    )
    return Table("Covariate-standardized differences from a logistic model", columns, rows, heads=3)


def _label(label: str) -> str:
    return "all" if label == ALL else label
