"""Tables of gaps, of the differences behind them, and of their statistical power."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.report.tables.table import Table, as_csv
from fairfer.report.text.groups import EVERYONE, csv_group, csv_groups, group_words, with_source
from fairfer.report.text.numbers import DASH, many, p_value, rate, signed, whole
from fairfer.report.text.sentences import bounds_of_size, sides_by_name
from fairfer.vocabulary import ALL

if TYPE_CHECKING:
    from fairfer.metrics.results import Gap, GroupDifference, StandardizedGap
    from fairfer.report.view import View

GAP_COLUMNS = (
    "label", "attribute", "rate", "worst", "best", "difference", "ratio", "expected_by_chance", "p", "q", "significant",
    "borderline", "critical_value", "high", "status",
)  # fmt: skip
DIFFERENCE_COLUMNS = (
    "label", "attribute", "rate", "group", "reference", "difference", "low", "high", "p", "significant",
)  # fmt: skip
POWER_COLUMNS = (
    "label", "attribute", "rate", "difference", "expected_by_chance", "minimum_detectable", "additional_samples", "groups",
    "excluded",
)  # fmt: skip
_MAX_DIFFERENCES = 200
"""The page shows at most this many significant differences; the CSV file has all."""

_NONE_NEEDED = "none"
_REASONS = {
    "small": "too few",
    "few_subjects": "too few subjects",
    "not_estimable": "not estimable",
    "empty": "no faces",
    "unannotated": "unannotated",
}


def gaps_csv(view: View) -> str:
    """``gaps.csv``: every gap of the audit."""
    return as_csv(GAP_COLUMNS, (dict(g) for g in view.audit.gaps))


def differences_csv(view: View) -> str:
    """``differences.csv``: the differences of every gap; the reference is empty where it is all other compared groups."""
    rows = (
        {"label": gap.label, "attribute": gap.attribute, "rate": gap.rate, **dict(difference)}
        for gap in view.audit.gaps
        for difference in gap.differences
    )
    return as_csv(DIFFERENCE_COLUMNS, rows)


def power_csv(view: View) -> str:
    """``power.csv``: the minimum detectable difference and the additional sample size of every gap."""
    return as_csv(POWER_COLUMNS, map(_power, view.audit.gaps))


def _power(gap: Gap) -> dict[str, object]:
    samples = gap.additional_samples
    texts = [
        f"{csv_group(s.group)}: {s.samples}" + ("" if s.subjects is None else f" of {s.subjects} subjects")
        for s in samples or ()
    ]
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


def result(view: View, gap: Gap) -> str:
    """The decision on a gap, or why there is none."""
    if gap.status == "too_few_groups":
        return "not tested: too few groups"
    if gap.status == "no_variation":
        rows = [view.rate(gap.rate, gap.label, gap.attribute, g) for g in gap.groups]
        hits, trials = (sum(getattr(r, name) or 0 for r in rows) for name in ("numerator", "denominator"))
        return f"cannot be significant: {whole(hits)} of {whole(trials)} in all groups"
    text = "significant" if gap.significant else "not significant"
    return f"{text}, borderline" if gap.borderline else text


def gaps_table(view: View) -> Table:
    """Every gap: significant ones first, then the others, then those that could not be tested."""
    untested = sorted((g for g in view.audit.gaps if g.p is None), key=lambda g: g.difference is None)
    rows = [
        (
            *identity(view, g),
            rate(g.difference),
            rate(g.expected_by_chance),
            p_value(g.p),
            p_value(g.q),
            rate(g.high),
            *extreme_groups(g),
            result(view, g),
        )
        for g in (*view.tested, *untested)
    ]
    columns = (
        "grouping", view.noun, "rate", "gap", "expected by chance", "p", "q", "upper bound", "least favorable",
        "most favorable", "result",
    )  # fmt: skip
    caption = "All gaps: first the significant ones, by the lower bound of their leading difference; then the others, by p"
    return Table(caption, columns, tuple(rows), heads=3)


def differences_table(view: View) -> Table:
    """The significant differences: gaps in the order of the gaps table, in each the one with the largest certain size first."""
    found = [
        (g, d)
        for g in view.significant
        for d in sorted((d for d in g.differences if d.significant), key=lambda d: (-d.certain_size, d.p))
    ]
    rows = [
        (
            *identity(view, g),
            *sides_by_name(d),
            *(_side(view, g, d)),
            signed(d.difference),
            *map(rate, bounds_of_size(d)),
            p_value(d.p),
        )
        for g, d in found[:_MAX_DIFFERENCES]
    ]
    columns = (
        "grouping", view.noun, "rate", "group", "compared with", "its rate", "rate compared with", "difference",
        "lower bound of its size", "upper bound of its size", "adjusted p",
    )  # fmt: skip
    shown = f"; the first {len(rows)} of {many(len(found), 'difference')}" if len(rows) < len(found) else ""
    return Table(f"Significant differences, with FCR-adjusted confidence bounds{shown}", columns, tuple(rows), heads=5)


def _side(view: View, gap: Gap, difference: GroupDifference) -> tuple[str, str]:
    one, other = (f"{rate(s.value)} ({whole(s.numerator)}/{whole(s.denominator)})" for s in view.sides(gap, difference))
    return one, other


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
        for g in (*view.tested, *(g for g in view.audit.gaps if g.p is None))
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
