"""Key findings of an audit, in sentences.

A finding is a statistically significant gap. Its sentence names the difference behind it: two groups, or one group vs. the
rest. Nothing is decided here: `fairfer.report.view.is_significant` is the only criterion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairfer.report.text.finding_caveats import finding_caveats
from fairfer.report.text.groups import capital, group_words, grouping_words
from fairfer.report.text.numbers import DASH, day, distinct_rates, interval, listed, many, probability, rate, share, whole
from fairfer.report.text.sentences import clause, gap_name, rate_name, sentence, size_with_bounds
from fairfer.report.view import View
from fairfer.vocabulary import ALL, is_annotated

if TYPE_CHECKING:
    from fairfer.audits.result import Audit
    from fairfer.metrics.results import Gap, GroupDifference

__all__ = [
    "MAX_FINDINGS",
    "KeyFinding",
    "chance_sizes",
    "gap_findings",
    "gap_name",
    "headline",
    "key_gaps",
    "minimum_detectable",
    "overall",
    "rate_name",
    "sentence",
    "title",
]

MAX_FINDINGS = 3
"""Number of key findings in a summary."""

BOUNDS = "In parentheses: 95 % confidence bounds that allow for the selection of significant gaps (FCR-adjusted)."
"""What the bounds of all findings are."""

BORDERLINE = "borderline: more permutations could change the result"

_PAIR = 2


@dataclass(frozen=True)
class KeyFinding:
    """A row of the key findings.

    Attributes
    ----------
    statement
        The finding as a sentence, without its full stop.
    rates
        Label and rate with the values of both sides of the difference.
    counts
        Numerators and denominators of both.
    certainty
        Significance, and the difference with its confidence bounds.
    caveat
        What makes the finding hard to interpret, as a sentence without its full stop; empty without such a reason.
    gap
        The gap behind the finding; ``None`` for a finding without one, such as *no gap is statistically significant*.
    """

    statement: str
    rates: str = ""
    counts: str = ""
    certainty: str = ""
    caveat: str = ""
    gap: Gap | None = None


def title(audit: Audit) -> str:
    """``baseline on FER+ test · 3,137 faces · November 22, 2026``."""
    return f"{audit.model.name} on {audit.data.name} · {many(View(audit).size(), 'face')} · {day(audit.date)}"


def gap_findings(view: View) -> list[KeyFinding]:
    """The key findings about gaps, or one that says why there is none."""
    return [_finding(view, gap, gap.leading) for gap in key_gaps(view) if gap.leading] or [_no_finding(view)]


def key_gaps(view: View) -> list[Gap]:
    """The gaps of the key findings: the significant gaps with the largest certain sizes, at most `MAX_FINDINGS`.

    A gap by gender usually appears again by gender and race. Only the first of them is listed.
    """
    kept: list[Gap] = []
    for gap in view.significant:
        if not any(_repeats(gap, other) for other in kept):
            kept.append(gap)
    return kept[:MAX_FINDINGS]


def _repeats(gap: Gap, other: Gap) -> bool:
    names, other_names = set(gap.attribute), set(other.attribute)
    return (gap.label, gap.rate) == (other.label, other.rate) and (names <= other_names or other_names <= names)


def _finding(view: View, gap: Gap, difference: GroupDifference) -> KeyFinding:
    borderline = f"; {BORDERLINE}" if gap.borderline else ""
    return KeyFinding(
        statement=sentence(view, gap, difference),
        rates=_rates(view, gap, difference),
        counts=_counts(view, gap, difference),
        certainty=(
            f"statistically significant ({probability('q', gap.q)}{borderline}); difference {size_with_bounds(difference)}"
        ),
        caveat=finding_caveats(view, gap).removesuffix("."),
        gap=gap,
    )


def _rates(view: View, gap: Gap, difference: GroupDifference) -> str:
    texts = distinct_rates([side.value for side in view.sides(gap, difference)])
    text = f"{rate_name(gap)} {' vs. '.join(texts)}"
    if not gap.significant or len(gap.groups) <= _PAIR:
        return text
    number = sum(d.significant for d in gap.differences)
    return f"{text} ({many(number, 'significant difference')} among {len(gap.groups)} groups)"


def _counts(view: View, gap: Gap, difference: GroupDifference) -> str:
    return " vs. ".join(f"{whole(s.numerator)} of {whole(s.denominator)}" for s in view.sides(gap, difference))


def _no_finding(view: View) -> KeyFinding:
    """Why there is no finding: no groups, no gap that could be tested, no difference, or no significant gap."""
    if not view.groupings:
        return KeyFinding("No groups were compared: no attribute was selected, or the dataset has none")
    if not view.tested:
        if view.untestable:
            return KeyFinding("No gap could be tested: in no rate could a difference between groups be significant")
        minimum = view.minimum.replace(" or ", " and ")
        return KeyFinding(f"No gap could be tested: no rate has two groups with at least {minimum}")
    nearest = next((g for g in view.tested if g.leading and g.leading.difference), None)
    if nearest is None or nearest.leading is None:
        return KeyFinding("No gap: in every rate that could be tested, all compared groups are equal")
    certainty = probability("q", nearest.q)
    if nearest.borderline:
        certainty += f"; {BORDERLINE}"
    if nearest.high is not None:
        certainty += f"; no two groups differ by more than {rate(nearest.high)} ({view.confidence} upper bound)"
    return KeyFinding(
        statement=f"No gap is statistically significant among the {len(view.tested):,} tested",
        rates=f"closest to significance: {clause(view, nearest, nearest.leading)}, {_rates(view, nearest, nearest.leading)}",
        counts=_counts(view, nearest, nearest.leading),
        certainty=certainty,
    )


def headline(view: View) -> str:
    """How many gaps were tested and are significant, and what their bounds are; when none is, how large gaps are by chance."""
    tested, significant = len(view.tested), len(view.significant)
    if not tested:
        return ""
    number = sum(g.borderline for g in view.tested)
    borderline = f"{many(number, 'gap')} {'is' if number == 1 else 'are'} {BORDERLINE}." if number else ""
    if not significant:
        return " ".join(filter(None, (borderline, chance_sizes(view), minimum_detectable(view))))
    verb = "is" if significant == 1 else "are"
    text = f"{significant:,} of {many(tested, 'tested gap')} {verb} statistically significant (FDR-adjusted p < 0.05)."
    return " ".join(filter(None, (text, borderline, BOUNDS, minimum_detectable(view))))


def chance_sizes(view: View) -> str:
    """How large gaps are by chance, by rate."""
    texts = []
    for name in ("TPR", "FPR"):
        sizes = [g.expected_by_chance for g in view.tested if g.rate == name and g.expected_by_chance]
        if sizes:
            low, high = rate(min(sizes)), rate(max(sizes))
            texts.append(f"{high if low == high else f'{low}{DASH}{high}'} for {name}")
    if not texts:
        return ""
    return f"Gaps expected by chance, depending on {view.noun} and grouping: {listed(texts)}."


def minimum_detectable(view: View) -> str:
    """The smallest minimum detectable difference: of TPR gaps, where any was tested."""
    gaps = [(g.minimum_detectable, g) for g in view.tested if g.minimum_detectable is not None and g.label != ALL]
    if not gaps:
        return ""
    tpr_gaps = [pair for pair in gaps if pair[1].rate == "TPR"]
    size, gap = min(tpr_gaps or gaps, key=lambda pair: pair[0])
    return f"The minimum detectable difference (80 % power) is smallest for {gap_name(gap)}: {rate(size)}."


def overall(view: View) -> str:
    """Rates over all labels, the worst group and coverage, on one line."""
    texts = []
    for name in view.overall_rates:
        if name == "coverage":
            continue
        row = view.rate(name)
        bounds = interval(row.low, row.high)
        texts.append(f"{capital(name)} {rate(row.value)}{f' ({bounds})' if bounds else ''}")
        if name == view.accuracy and (worst := _worst_group(view)):
            texts.append(worst)
    return " · ".join([*texts, f"Coverage {share(view.rate('coverage').value)}"])


def _worst_group(view: View) -> str:
    rows = [
        r
        for a in view.groupings
        for g in view.groups(a)
        if (r := view.rate(view.accuracy, grouping=a, group=g)).status == "ok" and is_annotated(g)
    ]
    if len(rows) < _PAIR:
        return ""
    lowest = [r for r in rows if r.value == min(r.value or 0.0 for r in rows)]
    if len(lowest) > 1:
        return f"Lowest group {rate(lowest[0].value)} ({len(lowest)} groups are equal)"
    [worst] = lowest
    name = f"{grouping_words(worst.attribute)}: {group_words(worst.group)}"
    return f"Lowest group {rate(worst.value)} ({name}; {many(view.size(worst.attribute, worst.group), 'face')})"
