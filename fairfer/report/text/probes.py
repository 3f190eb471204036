"""Answers to changed pictures in sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairfer.report.text.findings import KeyFinding
from fairfer.report.text.groups import EVERYONE, capital, group_words, inferred_note, people, quoted
from fairfer.report.text.numbers import distinct_rates, listed, many, probability, rate, signed, whole
from fairfer.report.text.sentences import size_with_bounds
from fairfer.report.view import View, is_significant
from fairfer.vocabulary import ALL, is_annotated

if TYPE_CHECKING:
    from fairfer.audits.result import Audit
    from fairfer.explanations.probes.results import FlipGap, FlipRate, ProbeResult, Probes
    from fairfer.metrics.results import GroupDifference
    from fairfer.vocabulary import Group, Grouping

_UNITS = {"brightness": " gray levels", "contrast": " %", "blur": " %", "noise": " gray levels", "crop": " %"}


def _stronger(text: str) -> str:
    """A level without its sign."""
    return text.removeprefix("-")


_WORDS: Mapping[str, Callable[[str], str]] = {
    "brightness": lambda x: f"are made {'darker' if x.startswith('-') else 'brighter'} by {_stronger(x)} gray levels",
    "contrast": lambda x: f"get {'less' if x.startswith('-') else 'more'} contrast ({_stronger(x)} %)",
    "blur": lambda x: f"are blurred (standard deviation {x} % of the shorter side)",
    "noise": lambda x: f"get noise (standard deviation {x} gray levels)",
    "crop": lambda x: f"are enlarged by {x} % and cropped",
    "mirror": lambda _: "are mirrored",
    "gray": lambda _: "lose their color",
    "jpeg": lambda x: f"are stored as JPEG of quality {x}",
    "occlusion": lambda x: f"have the {x} covered",
}
"""What happens to pictures, after *when pictures*."""


def what_happens(result: ProbeResult) -> str:
    """``are made darker by 60 gray levels``."""
    words = _WORDS.get(result.perturbation)
    return words(result.level) if words else f"are changed ({result.name})"


def level_words(result: ProbeResult) -> str:
    """A change and its level for a table: ``brightness -60 gray levels``, ``occlusion mouth``, ``mirror``."""
    if result.position is None:
        return result.perturbation if result.level == "on" else f"{result.perturbation} {result.level}"
    number = result.level.replace("-", "\N{MINUS SIGN}")
    return f"{result.perturbation} {number}{_UNITS.get(result.perturbation, '')}"


@dataclass(frozen=True)
class FlipFinding:
    """A difference between groups in a flip rate.

    Attributes
    ----------
    result
        The change.
    gap
        Of the groups.
    """

    result: ProbeResult
    gap: FlipGap


def tested_flips(probes: Probes) -> list[FlipFinding]:
    """Flip gaps that were tested."""
    return [FlipFinding(r, g) for r in probes.results for g in r.gaps if g.p is not None]


def significant_flips(probes: Probes) -> list[FlipFinding]:
    """Significant flip gaps, by the certain size of their leading difference.

    Those that remain between groups with the same mix of labels come first. A gap by gender usually appears again by gender and
    race, and at one level as at the next. Of each change, only the first gap among groupings that contain one another is
    listed.
    """
    found = [f for f in tested_flips(probes) if f.gap.significant]
    kept: list[FlipFinding] = []
    for one in sorted(found, key=_rank):
        if not any(_repeats(one, other) for other in kept):
            kept.append(one)
    return kept


def _rank(finding: FlipFinding) -> tuple[bool, float, float, bool]:
    gap = finding.gap
    return not remains(gap), -_certain(gap), gap.q or 0.0, gap.label != ALL


def remains(gap: FlipGap) -> bool:
    """Whether a significant difference is also significant between groups with the same mix of labels, where that is known."""
    return gap.standardized is None or is_significant(gap.standardized)


def _certain(gap: FlipGap) -> float:
    return gap.leading.certain_size if gap.leading else 0.0


def _repeats(one: FlipFinding, other: FlipFinding) -> bool:
    names, other_names = set(one.gap.attribute), set(other.gap.attribute)
    return one.result.perturbation == other.result.perturbation and (names <= other_names or other_names <= names)


def flip_sentence(view: View, finding: FlipFinding) -> str:
    """``When pictures are mirrored, the predicted emotion changes more often for women than for men``."""
    gap = finding.gap
    difference = gap.leading
    if difference is None:
        return ""
    one = people(gap.attribute, difference.group)
    other = _rest(gap) if difference.reference is None else people(gap.attribute, difference.reference).short
    order = "more" if difference.difference >= 0 else "less"
    return (
        f"When pictures {what_happens(finding.result)}, {_what_changes(view, gap.label)} {order} often for {one.plural} than "
        f"for {other}{inferred_note(view.audit, gap.attribute)}"
    )


def _what_changes(view: View, label: str) -> str:
    if label != ALL:
        return f"the decision on {quoted(label)} changes"
    return f"the predicted {view.noun} changes" if view.single_label else f"the set of predicted {view.noun}s changes"


def _rest(gap: FlipGap) -> str:
    left_out = any(is_annotated(e.group) and e.denominator for e in gap.excluded)
    return f"all other {'compared ' if left_out else ''}groups together"


def flip_of(result: ProbeResult, label: str, grouping: Grouping = EVERYONE, group: Group = EVERYONE) -> FlipRate | None:
    """The flip rate of one group."""
    return next((f for f in result.flips if (f.label, f.attribute, f.group) == (label, grouping, group)), None)


def _side(finding: FlipFinding, groups: list[Group]) -> tuple[int, int]:
    rows = [f for g in groups if (f := flip_of(finding.result, finding.gap.label, finding.gap.attribute, g))]
    return sum(r.flips for r in rows), sum(r.answered for r in rows)


def sides(finding: FlipFinding, difference: GroupDifference) -> tuple[tuple[int, int], tuple[int, int]]:
    """Flips and faces of the group of a difference, and of its reference."""
    others = [g for g in finding.gap.groups if g != difference.group]
    return _side(finding, [difference.group]), _side(
        finding, others if difference.reference is None else [difference.reference]
    )


def flip_finding(view: View, finding: FlipFinding) -> KeyFinding:
    """A row of the key findings."""
    difference = finding.gap.leading
    if difference is None:
        return KeyFinding(flip_sentence(view, finding))
    both = sides(finding, difference)
    borderline = "; borderline: more permutations could change the result" if finding.gap.borderline else ""
    return KeyFinding(
        statement=flip_sentence(view, finding),
        rates=f"flip rate {' vs. '.join(distinct_rates([k / n for k, n in both]))}",
        counts=" vs. ".join(f"{whole(k)} of {whole(n)}" for k, n in both),
        certainty=(
            f"statistically significant ({probability('q', finding.gap.q)}{borderline}); difference "
            f"{size_with_bounds(difference)}"
        ),
        caveat=same_mix(view, finding.gap),
    )


def same_mix(view: View, gap: FlipGap) -> str:
    """Whether a difference remains between groups with the same mix of labels, as a sentence without its full stop."""
    row = gap.standardized
    if row is None or row.standardized is None:
        return f"Groups may differ in their {view.noun}s, and some {view.noun}s change more easily than others"
    if row.status != "ok":
        return f"Standardized for {view.strata}, the difference could not be tested"
    text = f"Standardized for {view.strata}, the difference between {group_words(gap.highest or ())} and "
    text += f"{group_words(gap.lowest or ())} is {signed(row.standardized).removeprefix('+')}"
    if is_significant(row):
        return f"{text}, and still statistically significant ({probability('q', row.q)})"
    return f"{text}, and not statistically significant ({probability('q', row.q)})"


def no_flip_finding(view: View, probes: Probes) -> str:
    """One line when no flip gap is significant."""
    tested = len(tested_flips(probes))
    if tested:
        if tested == 1:
            return "The one tested difference between groups in flip rates is not statistically significant."
        return f"None of {many(tested, 'tested difference')} between groups in flip rates is statistically significant."
    if not view.groupings:
        return "No groups were compared."
    if any(g.status == "no_variation" for r in probes.results for g in r.gaps):
        return (
            "No difference between groups in flip rates could be tested: almost no prediction changes, almost all do, or the "
            "groups are too small."
        )
    return f"No difference between groups in flip rates could be tested: no two groups have at least {view.minimum}."


def flip_range(probes: Probes) -> str:
    """The changes with the lowest and the highest flip rate over all faces."""
    changed = [r for r in probes.results if r.unchanged < probes.samples] or probes.results
    rates = [(f.rate, r) for r in changed if (f := flip_of(r, ALL)) and f.rate is not None]
    if not rates:
        return "No face has an answer for its original picture."
    (low, least), (high, most) = min(rates, key=lambda x: x[0]), max(rates, key=lambda x: x[0])
    texts = distinct_rates([low, high])
    if len(rates) == 1 or low == high:
        return f"Flip rate over all faces: {texts[0]}."
    return f"Flip rate over all faces: from {texts[0]} ({level_words(least)}) to {texts[1]} ({level_words(most)})."


def lost_answers(probes: Probes) -> str:
    """How many faces lose or lack an answer; empty when none do."""
    rows = [(f, r) for r in probes.results if (f := flip_of(r, ALL))]
    texts = []
    lost = [(f.lost, r) for f, r in rows if f.lost]
    if lost:
        number, most = max(lost, key=lambda x: x[0])
        texts.append(
            "Faces without a prediction for the changed picture count as flips: at most "
            f"{many(number, 'face')} ({level_words(most)})."
        )
    unanswered = max((f.unanswered for f, _ in rows), default=0)
    if unanswered:
        texts.append(f"Flip rates leave out {many(unanswered, 'face')} without a prediction for the original picture.")
    return " ".join(texts)


def unchanged_words(probes: Probes) -> str:
    """Which changes leave pictures as they are; empty when none do."""
    texts = [f"{level_words(r)} ({r.unchanged:,})" for r in probes.results if r.unchanged]
    if not texts:
        return ""
    return f"Pictures that a change leaves as they are keep the answer to the original: {listed(texts)}."


def probe_summary(audit: Audit, probes: Probes) -> str:
    """The result for a terminal."""
    view = View(audit)
    number = many(len(probes.results), "change")
    lines = [f"{audit.model.name} on {audit.data.name}: {number} of {many(probes.samples, 'picture')}", flip_range(probes)]
    lines += filter(None, (lost_answers(probes), unchanged_words(probes)))
    found = significant_flips(probes)
    for one in found:
        finding = flip_finding(view, one)
        lines.append(f"- {finding.statement}: {finding.rates} ({finding.counts}), {finding.certainty}. {finding.caveat}.")
    if not found:
        lines.append(no_flip_finding(view, probes))
    return "\n".join(lines) + "\n"


def figure_title(view: View, grouping: Grouping, probes: Probes) -> str:
    """The main result about a grouping."""
    of_grouping = [f for f in tested_flips(probes) if f.gap.attribute == grouping]
    found = sorted((f for f in of_grouping if f.gap.significant), key=_rank)
    if found:
        return flip_sentence(view, found[0])
    if not grouping:
        return flip_range(probes).removesuffix(".")
    heading = capital(f"by {listed(grouping)}")
    if of_grouping:
        return f"{heading}, no difference in flip rates is statistically significant"
    return f"{heading}, no difference in flip rates could be tested"


def extreme_words(gap: FlipGap) -> tuple[str, str]:
    """The groups with the highest and the lowest flip rate; dashes when the rates are equal."""
    if not gap.difference or gap.highest is None or gap.lowest is None:
        return rate(None), rate(None)
    return group_words(gap.highest), group_words(gap.lowest)
