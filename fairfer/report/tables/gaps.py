"""Tables of gaps, and of the statistical power behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.report.tables.table import Table, as_csv
from fairfer.report.text.groups import EVERYONE, csv_group, csv_groups, group_words, with_source
from fairfer.report.text.numbers import DASH, rate
from fairfer.vocabulary import ALL

if TYPE_CHECKING:
    from fairfer.metrics.results import Gap, StandardizedGap
    from fairfer.report.view import View

GAP_COLUMNS = (
    "label", "attribute", "rate", "worst", "best", "difference", "ratio", "expected_by_chance", "p", "q", "low", "high",
    "status",
)  # fmt: skip
POWER_COLUMNS = (
    "label", "attribute", "rate", "difference", "expected_by_chance", "minimum_detectable", "additional_samples", "groups",
    "excluded",
)  # fmt: skip
TEST_COLUMNS = ("expected by chance", "p", "q", "lower bound", "upper bound", "least favorable", "most favorable")

_NONE_NEEDED = "none"
_REASONS = {"small": "too few", "not_estimable": "not estimable", "empty": "no faces", "unannotated": "unannotated"}


def gaps_csv(view: View) -> str:
    """``gaps.csv``: every gap of the audit."""
    return as_csv(GAP_COLUMNS, (dict(g) for g in view.audit.gaps))


def power_csv(view: View) -> str:
    """``power.csv``: the minimum detectable difference and the additional sample size of every gap."""
    return as_csv(POWER_COLUMNS, map(_power, view.audit.gaps))


def _power(gap: Gap) -> dict[str, object]:
    samples = gap.additional_samples
    texts = [f"{csv_group(s.group)}: {s.samples}" for s in samples or ()]
    excluded = [f"{csv_group(o.group)} ({o.reason}, {o.denominator})" for o in gap.excluded]
    return {
        **dict(gap),
        "additional_samples": None if samples is None else csv_groups(texts) or _NONE_NEEDED,
        "groups": csv_groups(map(csv_group, gap.groups)),
        "excluded": csv_groups(excluded),
    }


def identity(view: View, gap: Gap | StandardizedGap) -> tuple[str, str, str]:
    """Grouping, label and rate of a gap: the first three cells of its row."""
    return with_source(view.audit, gap.attribute), "all" if gap.label == ALL else gap.label, gap.rate


def extreme_groups(gap: Gap | StandardizedGap) -> tuple[str, str]:
    """The groups with the least and the most favorable rate; dashes when the gap is 0."""
    if not gap.difference:
        return DASH, DASH
    return group_words(gap.worst or EVERYONE), group_words(gap.best or EVERYONE)


def gaps_table(view: View) -> Table:
    """Every gap: by decreasing margin, then those that could not be tested."""
    tested = [
        (
            *identity(view, g),
            rate(g.difference),
            rate(g.expected_by_chance),
            rate(g.p, 3),
            rate(g.q, 3),
            rate(g.low),
            rate(g.high),
            *extreme_groups(g),
        )
        for g in view.tested
    ]
    columns = ("grouping", view.noun, "rate", "gap", *TEST_COLUMNS)
    untested = [
        (*identity(view, g), *([DASH] * (len(columns) - len(identity(view, g)))))
        for g in view.audit.gaps
        if g.difference is None
    ]
    return Table("All gaps, ordered by gap minus gap expected by chance", columns, (*tested, *untested), heads=3)


def power_table(view: View) -> Table:
    """The minimum detectable difference and the additional sample size needed, per gap."""
    rows = [
        (
            *identity(view, g),
            rate(g.difference),
            rate(g.minimum_detectable),
            _additional_samples(g),
            "; ".join(f"{group_words(o.group)} ({_REASONS[o.reason]})" for o in g.excluded) or DASH,
        )
        for g in (*view.tested, *(g for g in view.audit.gaps if g.difference is None))
    ]
    columns = (
        "grouping", view.noun, "rate", "gap", "minimum detectable difference", "additional sample size needed",
        "groups not compared",
    )  # fmt: skip
    return Table("Minimum detectable difference and additional sample size (80 % power)", columns, tuple(rows), heads=3)


def _additional_samples(gap: Gap) -> str:
    if gap.additional_samples is None:
        return DASH
    return "; ".join(f"{group_words(s.group)} {s.samples:,}" for s in gap.additional_samples) or _NONE_NEEDED
