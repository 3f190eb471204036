"""Key findings of an audit, in sentences.

A finding is a statistically significant gap. Its sentence says which group has the better or worse rate, by how much, and how
certain that is. Nothing is decided here: `fairfer.report.view.is_significant` is the only criterion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairfer.report.text.groups import (
    adjective,
    capital,
    faces,
    group_words,
    grouping_words,
    inferred_note,
    people,
)
from fairfer.report.text.numbers import DASH, day, distinct_rates, interval, listed, many, probability, rate, share, whole
from fairfer.report.view import View, higher_and_lower
from fairfer.vocabulary import ALL, is_annotated

if TYPE_CHECKING:
    from fairfer.audits.result import Audit
    from fairfer.metrics.results import Gap, Rate

MAX_FINDINGS = 3
"""Number of key findings in a summary."""

_PAIR = 2


@dataclass(frozen=True)
class KeyFinding:
    """A row of the key findings.

    Attributes
    ----------
    statement
        The finding as a sentence, without its full stop.
    rates
        Label and rate with the values of both groups.
    counts
        Numerators and denominators of both.
    certainty
        Significance, confidence bounds and the gap expected by chance.
    gap
        The gap behind the finding; ``None`` for a finding without one, such as *no gap is statistically significant*.
    """

    statement: str
    rates: str = ""
    counts: str = ""
    certainty: str = ""
    gap: Gap | None = None


def title(audit: Audit) -> str:
    """``baseline on FER+ test · 3,137 faces · November 22, 2026``."""
    return f"{audit.model.name} on {audit.data.name} · {many(View(audit).size(), 'face')} · {day(audit.date)}"


def gap_findings(view: View) -> list[KeyFinding]:
    """The key findings about gaps, or one that says why there is none."""
    return [_finding(view, gap) for gap in key_gaps(view)] or [_no_finding(view)]


def key_gaps(view: View) -> list[Gap]:
    """The gaps of the key findings: the significant gaps with the largest margins, at most `MAX_FINDINGS`.

    A gap by gender usually appears again by gender and race. Only the one with the larger margin is listed.
    """
    kept: list[Gap] = []
    for gap in view.significant:
        if not any(_repeats(gap, other) for other in kept):
            kept.append(gap)
    return kept[:MAX_FINDINGS]


def _repeats(gap: Gap, other: Gap) -> bool:
    names, other_names = set(gap.attribute), set(other.attribute)
    return (gap.label, gap.rate) == (other.label, other.rate) and (names <= other_names or other_names <= names)


def gap_name(gap: Gap) -> str:
    """``happiness TPR by gender``."""
    return f"{rate_name(gap)} by {grouping_words(gap.attribute)}"


def rate_name(gap: Gap) -> str:
    """``happiness TPR``; ``accuracy`` over all labels."""
    return gap.rate if gap.label == ALL else f"{gap.label} {gap.rate}"


def sentence(view: View, gap: Gap) -> str:
    """A gap as a sentence without its full stop: ``Women's happy faces are recognized more often than men's``."""
    return capital(_clause(view, gap))


def _clause(view: View, gap: Gap) -> str:
    higher, lower = (people(gap.attribute, group) for group in higher_and_lower(gap))
    if gap.rate == "FPR":
        text = f"{higher.plural} are misclassified as {adjective(gap.label)} more often than {lower.short}"
    elif gap.rate == "TPR" and higher.possessive and lower.possessive:
        text = f"{higher.possessive} {faces(gap.label)} are recognized more often than {lower.possessive}"
    elif gap.rate == "TPR":
        text = f"{faces(gap.label)} of {higher.plural} are recognized more often than those of {lower.short}"
    elif gap.rate == "coverage":
        text = f"the model returns a prediction more often for {higher.plural} than for {lower.short}"
    elif gap.rate == "accuracy":
        text = f"{higher.plural} are classified correctly more often than {lower.short}"
    else:
        text = f"{rate_name(gap)} is higher for {higher.plural} than for {lower.short}"
    return text + inferred_note(view.audit, gap.attribute)


def _finding(view: View, gap: Gap) -> KeyFinding:
    leading = gap.leading
    bounds = interval(leading.low, leading.high) if leading else ""
    if bounds:
        bounds = f" ({100 * view.audit.plan.confidence:g} % confidence bounds {bounds})"
    return KeyFinding(
        statement=sentence(view, gap),
        rates=_rates(view, gap),
        counts=_counts(view, gap),
        certainty=(
            f"statistically significant ({probability('q', gap.q)}): gap {rate(gap.difference)}"
            f"{bounds}, expected by chance {rate(gap.expected_by_chance)}"
        ),
        gap=gap,
    )


def _compared(view: View, gap: Gap) -> tuple[Rate, Rate]:
    higher, lower = (view.rate(gap.rate, gap.label, gap.attribute, g) for g in higher_and_lower(gap))
    return higher, lower


def _rates(view: View, gap: Gap) -> str:
    texts = distinct_rates([r.value or 0.0 for r in _compared(view, gap)])
    text = f"{rate_name(gap)} {' vs. '.join(texts)}"
    return f"{text} (highest and lowest of {len(gap.groups)} groups)" if len(gap.groups) > _PAIR else text


def _counts(view: View, gap: Gap) -> str:
    rows = _compared(view, gap)
    if any(r.numerator is None or r.denominator is None for r in rows):
        return ""
    return " vs. ".join(f"{whole(r.numerator)} of {whole(r.denominator)}" for r in rows)


def _no_finding(view: View) -> KeyFinding:
    """Why there is no finding: no groups, no gap that could be tested, no difference, or no significant gap."""
    if not view.groupings:
        return KeyFinding("No groups were compared: no attribute was selected, or the dataset has none")
    if not view.tested:
        minimum = view.minimum.replace(" or ", " and ")
        return KeyFinding(f"No gap could be tested: no rate has two groups with at least {minimum}")
    nearest = next((g for g in view.tested if g.difference), None)
    if nearest is None:
        return KeyFinding("No gap: all groups that could be compared have the same rates")
    return KeyFinding(
        statement=f"No gap is statistically significant among the {len(view.tested):,} tested",
        rates=f"closest to significance: {_clause(view, nearest)}, {_rates(view, nearest)}",
        counts=_counts(view, nearest),
        certainty=f"{probability('q', nearest.q)}",
    )


def headline(view: View) -> str:
    """How many gaps were tested and are significant; when none is, how large gaps are by chance."""
    tested, significant = len(view.tested), len(view.significant)
    if not tested:
        return ""
    if not significant:
        return f"{chance_sizes(view)} {minimum_detectable(view)}".strip()
    verb = "is" if significant == 1 else "are"
    text = f"{significant:,} of {many(tested, 'tested gap')} {verb} statistically significant (FDR-adjusted p < 0.05)."
    return f"{text} {minimum_detectable(view)}".strip()


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
    worst = min(rows, key=lambda r: r.value or 0.0)
    name = f"{grouping_words(worst.attribute)}: {group_words(worst.group)}"
    return f"Lowest group {rate(worst.value)} ({name}; {many(view.size(worst.attribute, worst.group), 'face')})"
