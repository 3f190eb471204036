"""Tables of answers to changed pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fairfer.explanations.probes.results import FlipGap, FlipRate
from fairfer.metrics.change_results import Change
from fairfer.report.tables.table import Table, as_csv
from fairfer.report.text.groups import csv_group, csv_groups, group_words, with_source
from fairfer.report.text.numbers import interval, many, p_value, rate, signed, whole
from fairfer.report.text.probes import extreme_words, level_words, tested_flips
from fairfer.report.view import ALPHA, TOO_FEW
from fairfer.vocabulary import ALL

if TYPE_CHECKING:
    from fairfer.explanations.probes.results import ProbeResult, Probes
    from fairfer.report.view import View
    from fairfer.vocabulary import Grouping

_MOST_CHANGES = 50
"""Rows of the table of changes on the page; the CSV file has all."""

_MIRRORED = {"TPR": "FNR", "FPR": "TNR"}
_PROBE = ("probe", "level")


def changes_csv(probes: Probes) -> str:
    """Changes of all rates; FNR and TNR are the complements of TPR and FPR."""
    columns = [*_PROBE, *Change.model_fields]
    rows = ({"probe": r.perturbation, "level": r.level, **dict(c)} for r in probes.results for c in _with_mirrored(r.changes))
    return as_csv(columns, rows)


def _with_mirrored(changes: Sequence[Change]) -> Iterator[Change]:
    for change in changes:
        yield change
        if change.rate in _MIRRORED:
            yield _mirrored(change)


def _mirrored(change: Change) -> Change:
    """The change of the rate that is 1 minus this one, of the same faces."""
    return change.model_copy(
        update={
            "rate": _MIRRORED[change.rate],
            "both": change.trials - change.both - change.gained - change.lost,
            "gained": change.lost,
            "lost": change.gained,
            "base": None if change.base is None else 1 - change.base,
            "candidate": None if change.candidate is None else 1 - change.candidate,
            "change": None if change.change is None else 0.0 - change.change,
            "low": None if change.high is None else 0.0 - change.high,
            "high": None if change.low is None else 0.0 - change.low,
        }
    )


def flips_csv(probes: Probes) -> str:
    """All flip rates."""
    rows = (
        {"probe": r.perturbation, "level": r.level, "unchanged": r.unchanged, **dict(f)}
        for r in probes.results
        for f in r.flips
    )
    return as_csv([*_PROBE, "unchanged", *FlipRate.model_fields], rows)


def flip_gaps_csv(probes: Probes) -> str:
    """All differences between groups in flip rates; of the comparisons of each, the leading one."""
    left_out = ("differences", "groups", "excluded", "standardized")
    columns = [n for n in FlipGap.model_fields if n not in left_out]
    leading = ("group", "reference", "leading_difference", "low", "high")
    rows = ({"probe": r.perturbation, "level": r.level, **_gap_cells(g)} for r in probes.results for g in r.gaps)
    standardized = ("standardized", "standardized_p", "standardized_q", "covered_share")
    return as_csv([*_PROBE, *columns, *leading, *standardized, "groups", "excluded"], rows)


def _gap_cells(gap: FlipGap) -> dict[str, object]:
    first, same_mix = gap.leading, gap.standardized
    return {
        **dict(gap),
        "group": first and first.group,
        "reference": first and first.reference,
        "leading_difference": first and first.difference,
        "low": first and first.low,
        "high": first and first.high,
        "standardized": same_mix and same_mix.standardized,
        "standardized_p": same_mix and same_mix.p,
        "standardized_q": same_mix and same_mix.q,
        "covered_share": same_mix and same_mix.covered_share,
        "groups": csv_groups(map(csv_group, gap.groups)),
        "excluded": csv_groups(f"{csv_group(o.group)} ({o.reason}, {o.denominator})" for o in gap.excluded),
    }


def flips_table(view: View, probes: Probes, grouping: Grouping) -> Table:
    """Flip rates of the groups of a grouping."""
    rows = [
        (
            level_words(result),
            *(() if view.single_label else ("all" if f.label == ALL else f.label,)),
            group_words(f.group),
            rate(f.rate),
            interval(f.low, f.high),
            f"{whole(f.flips)}/{whole(f.answered)}",
            whole(f.lost),
            "too few faces" if f.status in TOO_FEW else "",
        )
        for result in probes.results
        for f in result.flips
        if f.attribute == grouping
    ]
    label = () if view.single_label else (view.noun,)
    columns = ("change", *label, "group", "flip rate", "interval", "flips/faces", "lost answers", "remark")
    return Table(f"Flip rate by {with_source(view.audit, grouping)}", columns, tuple(rows), heads=2 + len(label))


def flip_gaps_table(view: View, probes: Probes) -> Table:
    """The tested differences between groups in flip rates: significant ones first, by their certain size, then by p."""

    def order(finding: tuple[ProbeResult, FlipGap]) -> tuple[bool, float, float]:
        gap = finding[1]
        certain = gap.leading.certain_size if gap.significant and gap.leading else 0.0
        return not gap.significant, -certain, gap.p or 0.0

    rows = [
        (
            level_words(result),
            with_source(view.audit, gap.attribute),
            "all" if gap.label == ALL else gap.label,
            rate(gap.difference),
            rate(gap.expected_by_chance),
            p_value(gap.p),
            p_value(gap.q),
            *extreme_words(gap),
            signed(gap.standardized.standardized if gap.standardized else None),
            p_value(gap.standardized.q if gap.standardized else None),
            ("significant" if gap.significant else "not significant") + (", borderline" if gap.borderline else ""),
        )
        for result, gap in sorted(((f.result, f.gap) for f in tested_flips(probes)), key=order)
    ]
    columns = (
        "change", "grouping", view.noun, "difference", "expected by chance", "p", "q", "highest", "lowest", "standardized",
        "its q", "result",
    )  # fmt: skip
    caption = f"Differences between groups in flip rates; standardized: highest minus lowest, for {view.strata}"
    return Table(caption, columns, tuple(rows), heads=3)


def changes_table(view: View, probes: Probes) -> Table:
    """The significant changes of rates, the largest first."""
    found = [(r, c) for r in probes.results for c in r.changes if c.q is not None and c.q < ALPHA]
    found.sort(key=lambda x: -abs(x[1].change or 0.0))
    rows = [
        (
            level_words(r),
            with_source(view.audit, c.attribute),
            group_words(c.group),
            "all" if c.label == ALL else c.label,
            c.rate,
            rate(c.base),
            rate(c.candidate),
            signed(c.change),
            f"{signed(c.low)} to {signed(c.high)}",
            p_value(c.q),
        )
        for r, c in found[:_MOST_CHANGES]
    ]
    shown = f"; the first {len(rows)} of {many(len(found), 'change')}" if len(rows) < len(found) else ""
    columns = ("change", "grouping", "group", view.noun, "rate", "original", "changed", "change of rate", "interval", "q")
    return Table(f"Significant changes of rates, the largest first{shown}", columns, tuple(rows), heads=5)
