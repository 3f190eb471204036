"""A comparison of two models on the same faces, and a leaderboard of several runs, in words."""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import TYPE_CHECKING

from fairfer.report.text.extremes import smallest
from fairfer.report.text.groups import EVERYONE, group_words, people, with_inferred
from fairfer.report.text.markup import plain
from fairfer.report.text.numbers import DASH, interval, listed, many, rate, signed, whole
from fairfer.report.view import ALPHA
from fairfer.vocabulary import ALL, LOWER_IS_BETTER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairfer.audits.comparison import Change, Comparison, GapChange
    from fairfer.audits.leaderboard import Standing

_WIDTH = 100
_ARROW = "\N{RIGHTWARDS ARROW}"
_PLACES = {
    "base": "only in the base",
    "candidate": "only in the candidate",
    "neither": "merged into another label for one model",
}


def comparison_title(comparison: Comparison) -> str:
    """``candidate deepface 1 vs. base baseline 1 on FER+ test, 3,122 faces``."""
    candidate, base = (f"{s.model} {s.version}" for s in (comparison.candidate, comparison.base))
    return f"candidate {candidate} vs. base {base} on {comparison.data}, {many(comparison.samples, 'face')}"


def is_significant_change(change: Change) -> bool:
    """Whether a change is statistically significant."""
    return change.q is not None and change.q < ALPHA


def improvement(change: Change) -> float:
    """A change, positive when the rate got better."""
    return (change.change or 0.0) * (-1 if change.rate in LOWER_IS_BETTER else 1)


def is_worse(change: Change) -> bool:
    """Whether a rate got significantly worse."""
    return is_significant_change(change) and improvement(change) < 0


def is_better(change: Change) -> bool:
    """Whether a rate got significantly better."""
    return is_significant_change(change) and improvement(change) > 0


def change_words(change: Change | GapChange) -> str:
    """A change with its interval."""
    if change.change is None:
        return DASH
    return f"{signed(change.change)} [{signed(change.low)} to {signed(change.high)}]"


def _before_and_after(change: Change) -> str:
    return f"{rate(change.base)} {_ARROW} {rate(change.candidate)} ({change_words(change)})"


def lines(comparison: Comparison) -> list[str]:
    """The changes, as sentences."""
    overall = next(c for c in comparison.changes if c.attribute == EVERYONE and c.label == ALL and c.rate != "coverage")
    texts = [
        f"{overall.rate[:1].upper()}{overall.rate[1:]}: {_before_and_after(overall)}.",
        f"The models disagree on {whole(len(comparison.flips))} of {many(comparison.samples, 'face')}.",
    ]
    tested = [c for c in comparison.changes if c.p is not None and c.attribute != EVERYONE]
    worse, better = [c for c in tested if is_worse(c)], [c for c in tested if is_better(c)]
    texts.append(
        f"Of {many(len(tested), 'rate')} of groups, {whole(len(worse))} got significantly worse and {whole(len(better))} "
        "significantly better (FDR-adjusted p < 0.05)."
    )
    if worse:
        most = smallest(worse, improvement)
        equal = f" (one of {len(most)} equal ones)" if len(most) > 1 else ""
        texts.append(
            f"Largest significant change for the worse{equal}: {_change_name(comparison, most[0])}: "
            f"{_before_and_after(most[0])}."
        )
    wider = sum(g.low is not None and g.low > 0 for g in comparison.gaps)
    narrower = sum(g.high is not None and g.high < 0 for g in comparison.gaps)
    gaps = many(sum(g.change is not None for g in comparison.gaps), "gap")
    confidence = f"{100 * comparison.confidence:g} %"
    texts.append(f"Of {gaps}, {wider} became wider and {narrower} narrower (the {confidence} interval excludes 0).")
    if comparison.missing:
        places = Counter(m.only_in for m in comparison.missing)
        parts = " and ".join(f"{n:,} {_PLACES[place]}" for place, n in sorted(places.items()))
        texts.append(f"Not compared: {many(len(comparison.missing), 'face')} ({parts}); listed in comparison.json.")
    if comparison.base.labels != comparison.candidate.labels:
        texts.append(f"Only labels in both audits are compared: {', '.join(comparison.labels)}.")
    for change in comparison.other_labels:
        if change.attribute == EVERYONE:
            role = "base" if change.label in comparison.base.labels else "candidate"
            texts.append(f"Only the {role} can output {change.label}: TPR {_before_and_after(change)}.")
    return texts


def _change_name(comparison: Comparison, change: Change) -> str:
    name = change.rate if change.label == ALL else f"{change.label} {change.rate}"
    inferred = [n for n in change.attribute if n in comparison.inferred]
    note = f" ({listed(inferred)} inferred)" if inferred else ""
    return f"{name} of {people(change.attribute, change.group).plural}{note}"


def comparison_summary(comparison: Comparison) -> str:
    """The comparison as text for a terminal."""
    text = [f"fairfer compare \N{MIDDLE DOT} {plain(comparison_title(comparison))}", ""]
    for line in lines(comparison):
        text += textwrap.wrap(plain(line), _WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(text) + "\n"


def leaderboard_text(standings: Sequence[Standing]) -> str:
    """Runs in a table for a terminal."""
    head = ("model", "faces", "accuracy", "interval", "lowest group", "its accuracy", "largest gap vs. chance", "q")
    table = [head, *(tuple(map(plain, _standing(s))) for s in standings)]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    return "".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() + "\n" for row in table)


def _standing(standing: Standing) -> tuple[str, ...]:
    worst, gap = DASH, DASH
    if standing.worst and standing.worst_attribute:
        worst = f"{group_words(standing.worst)}, by {with_inferred(standing.worst_attribute, standing.inferred)}"
    if standing.gap_label and standing.gap_attribute:
        by = with_inferred(standing.gap_attribute, standing.inferred)
        by_chance = rate(standing.gap_expected_by_chance)
        gap = f"{standing.gap_label} {standing.gap_rate} by {by}: {rate(standing.gap)} (by chance {by_chance})"
    return (
        standing.model,
        whole(standing.samples),
        rate(standing.accuracy, 3),
        interval(standing.low, standing.high),
        worst,
        rate(standing.worst_accuracy, 3),
        gap,
        rate(standing.gap_q, 3),
    )
