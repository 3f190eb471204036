"""Tables of action units beside an emotion audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.metrics.action_unit_results import ActionUnitShare, ConditionedGap, PatternGap
from fairfer.report.tables.table import Table, as_csv, models_as_csv
from fairfer.report.text.groups import group_words, with_source
from fairfer.report.text.numbers import DASH, interval, p_value, share, signed, whole

if TYPE_CHECKING:
    from fairfer.report.view import View

MOST_ROWS = 30
"""The page shows this many shares; the CSV file has all."""

_OUTCOMES = {"labels": "labels", "predictions": "predictions", "difference": "added by the model"}
_STATUS = {
    "few_expected": "too few faces to test",
    "no_variation": "no variation",
    "no_common_patterns": "no common pattern",
    "too_few_groups": "too few groups",
    "no_units": "no units",
}


def unit_shares_csv(view: View) -> str:
    """``action_units.csv``: every share."""
    return models_as_csv(ActionUnitShare, view.audit.action_unit_shares)


def conditioned_gaps_csv(view: View) -> str:
    """``conditioned_gaps.csv``: every gap at equal patterns."""
    rows = ({**dict(r), "units": "+".join(r.units), "lacking": "+".join(r.lacking)} for r in view.audit.conditioned_gaps)
    return as_csv(list(ConditionedGap.model_fields), rows)


def pattern_gaps_csv(view: View) -> str:
    """``action_unit_patterns.csv``: the gaps of each pattern."""
    rows = ({**dict(r), "units": "+".join(r.units)} for r in view.audit.pattern_gaps)
    return as_csv(list(PatternGap.model_fields), rows)


def unit_shares_table(view: View) -> Table:
    """Units of misclassified faces, vs. faces classified correctly: those with the smallest q."""
    tested = sorted((s for s in view.audit.action_unit_shares if s.q is not None), key=lambda s: (s.q or 0.0, s.p or 0.0))
    columns = (
        "grouping", "group", f"true {view.noun}", "predicted", "unit", "share", "interval", "faces", "share of correct",
        "faces", "q",
    )  # fmt: skip
    caption = "Action units of misclassified faces vs. faces classified correctly"
    if len(tested) > MOST_ROWS:
        caption += f": the {MOST_ROWS} with the smallest q of {len(tested)}"
    rows = tuple(_share(view, s) for s in tested[:MOST_ROWS])
    return Table(caption, columns, rows, heads=5)


def _share(view: View, row: ActionUnitShare) -> tuple[str, ...]:
    return (
        with_source(view.audit, row.attribute),
        group_words(row.group),
        row.truth,
        row.predicted,
        row.unit,
        share(row.value),
        interval(row.low, row.high),
        f"{whole(row.present)} of {whole(row.known)}",
        share(row.correct_value),
        f"{whole(row.correct_present)} of {whole(row.correct_known)}",
        p_value(row.q),
    )


def conditioned_gaps_table(view: View) -> Table:
    """Gaps at equal patterns: of labels, of predictions, and their difference."""
    columns = (
        "grouping", view.noun, "groups", "difference in", "units", "patterns", "at equal units", "interval", "without units",
        "q",
    )  # fmt: skip
    rows = tuple(_gap(view, r) for r in view.audit.conditioned_gaps if r.group is not None)
    caption = "Differences between groups at equal action units, standardized to the patterns of both"
    return Table(caption, columns, rows, heads=5)


def _gap(view: View, row: ConditionedGap) -> tuple[str, ...]:
    reference = "the rest" if row.reference is None else group_words(row.reference)
    return (
        with_source(view.audit, row.attribute),
        row.label,
        f"{group_words(row.group or ())} vs. {reference}",
        _OUTCOMES[row.outcome],
        "+".join(row.units),
        whole(row.patterns),
        signed(row.value),
        DASH if row.low is None else f"{signed(row.low)} to {signed(row.high)}",
        signed(row.unconditioned),
        p_value(row.q) if row.q is not None else _STATUS.get(row.status, DASH),
    )
