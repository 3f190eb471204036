"""Sentences about where a model looked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.report.tables.explanations import method_title
from fairfer.report.text.findings import KeyFinding
from fairfer.report.text.groups import adjective, capital, faces, grouping_words, people, quoted, with_source
from fairfer.report.text.numbers import listed, many, probability, ratio, share, signed
from fairfer.vocabulary import EVERYONE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairfer.explanations.explanation_results import Agreement, Explanations, MeanValue, MethodResult
    from fairfer.explanations.results import RegionComparison, RegionDifference, RegionRelevance
    from fairfer.report.view import View

MOST_DIFFERENCES = 5
"""Significant differences that are written out; the table has all."""

PLACES = {
    "forehead": "the forehead", "brows": "the brows", "eyes": "the eyes", "nose": "the nose", "cheeks": "the cheeks",
    "mouth": "the mouth", "chin": "the chin", "face": "the rest of the face",
    "background": "what is outside the face (hair, ears, background)",
}  # fmt: skip
"""Regions in sentences."""

MEASURES = {
    "mass": "share of the relevance",
    "density": "relevance relative to the area",
    "rank_accuracy": "share of the most relevant pixels",
}
"""Measures in sentences."""


def place(region: str, label: str) -> str:
    """A region in a sentence."""
    return PLACES.get(region, f"the own region of {quoted(label)}" if region == "own" else region)


def attention(method: MethodResult, labels: Sequence[str]) -> list[str]:
    """For each label: the region with the most relevance of recognized faces, and what is outside of the face."""
    sentences = []
    for label in labels:
        rows = [
            r
            for r in method.regions
            if (r.label, r.outcome, r.attribute, r.status) == (label, "TP", EVERYONE, "ok") and r.mass is not None
        ]
        regions = [r for r in rows if r.region not in ("own", "background", "face")]
        if not regions:
            continue
        top = max(regions, key=_mass)
        background = next((r for r in rows if r.region == "background"), None)
        text = (
            f"{capital(faces(label))}: {share(top.mass)} of the relevance is on {place(top.region, label)} "
            f"({share(top.low)} to {share(top.high)}), {ratio(top.density)} times its share of the area"
        )
        if background is not None:
            text += f"; {share(background.mass)} is outside the face ({ratio(background.density)} times its share of the area)"
        sentences.append(f"{text}. {many(top.faces, 'face')}.")
    return sentences


def _mass(row: RegionRelevance) -> float:
    return row.mass or 0.0


def comparison_sentence(view: View, tested: RegionComparison) -> str:
    """Whether the relevance differs between the groups of a grouping."""
    by = with_source(view.audit, tested.attribute)
    if tested.p is None:
        return f"By {by}: no comparison was possible; fewer than two groups have enough faces, or no measure varies."
    number = many(tested.tests, "comparison")
    if not tested.significant:
        return (
            f"By {by}: no significant difference among {number} of labels, outcomes, regions and groups (smallest adjusted "
            f"{probability('p', tested.p)})."
        )
    significant = [d for d in tested.differences if d.significant]
    return f"By {by}: {len(significant)} of {number} are significant (smallest adjusted {probability('p', tested.p)})."


def difference_sentence(difference: RegionDifference) -> str:
    """One difference between groups, in words."""
    group = people(difference.attribute, difference.group)
    reference = (
        "for all others" if difference.reference is None else f"for {people(difference.attribute, difference.reference).short}"
    )
    more = "higher" if difference.difference > 0 else "lower"
    which = {
        "TP": f"recognized {faces(difference.label)}",
        "FN": f"missed {faces(difference.label)}",
        "FP": f"faces misclassified as {adjective(difference.label)}",
    }[difference.outcome]
    return (
        f"In {which}, the {MEASURES[difference.measure]} on {place(difference.region, difference.label)} is {more} for "
        f"{group.plural} than {reference}: difference {_with_limits(difference.difference, difference.low, difference.high)}, "
        f"adjusted {probability('p', difference.p)}"
    )


def largest_differences(tested: RegionComparison) -> list[RegionDifference]:
    """Significant differences of shares of relevance, by size in standard deviations, one for each label and region."""
    kept: dict[tuple[str, str, str], RegionDifference] = {}
    for row in sorted(tested.differences, key=lambda d: -abs(d.standardized or 0.0)):
        if row.significant and row.measure == "mass":
            kept.setdefault((row.label, row.outcome, row.region), row)
    return list(kept.values())[:MOST_DIFFERENCES]


def explanation_findings(explanations: Explanations) -> list[KeyFinding]:
    """The largest significant difference between groups, from a method that can be trusted and whose maps passed the checks."""
    believable = [m for m in explanations.methods if is_believable(m)]
    return [
        KeyFinding(
            statement=difference_sentence(row).partition(": difference")[0],
            rates=f"{method_title(method)}, {grouping_words(tested.attribute)}",
            certainty=(
                f"statistically significant (adjusted {probability('p', row.p)}); difference "
                f"{_with_limits(row.difference, row.low, row.high)}"
            ),
            caveat="Relevance does not show why the model uses a region, or whether its predictions are worse",
        )
        for method in believable
        for tested in method.comparisons
        for row in largest_differences(tested)[:1]
    ]


def is_believable(method: MethodResult) -> bool:
    """Whether a finding may rest on a method.

    It must not be known to ignore the weights, and its most relevant pixels must matter here: at least one of the two gains
    over a random order is above 0, and none is below 0, as 95 % confidence intervals say.
    """
    if not method.trusted or method.checks is None:
        return False
    gains = (method.checks.deletion_gain, method.checks.insertion_gain)
    return any((g.low or 0.0) > 0 for g in gains) and all((g.high or 0.0) > 0 for g in gains)


def check_sentences(method: MethodResult) -> list[str]:
    """What the checks say, each in one sentence."""
    checks = method.checks
    if checks is None:
        return ["The maps were not checked (--checked-faces 0); no finding rests on them."]
    pixels = (
        "Check of the pixels: gain over a random order when the most relevant pixels are covered first (deletion): "
        f"{_number(checks.deletion_gain)}; when they are uncovered first (insertion): {_number(checks.insertion_gain)} "
        f"(difference of areas under the curves of the score, {many(checks.faces, 'face')}; positive: better than random)."
    )
    sentences = [pixels]
    if checks.randomization is not None:
        sentences.append(
            "Check of the weights: mean absolute rank correlation of the maps with those of the same network with random "
            f"weights: {_number(checks.randomization)} (near 0: the maps depend on the weights; near 1: they do not)."
        )
    return sentences


def _number(mean: MeanValue) -> str:
    return "unknown" if mean.value is None else _with_limits(mean.value, mean.low, mean.high)


def _with_limits(value: float, low: float | None, high: float | None) -> str:
    """A signed number with its interval, where it has one."""
    return signed(value) + ("" if low is None or high is None else f" ({signed(low)} to {signed(high)})")


def agreement_sentence(rows: Sequence[Agreement]) -> str:
    """How much the methods agree, in one sentence."""
    texts = [f"{row.method} and {row.other} {_number(row.correlation)}" for row in rows]
    return f"Agreement of methods (mean rank correlation of positive relevance, face by face): {listed(texts)}."


def basis_sentence(explanations: Explanations) -> str:
    """On what the regions are based."""
    template = explanations.faces - explanations.on_landmarks
    if not explanations.landmarks:
        return (
            "Regions are those of a template for tightly cropped faces, the same for every face; --landmarks gives each face "
            "its own regions."
        )
    text = f"Regions follow the landmarks of {explanations.landmarks} for {many(explanations.on_landmarks, 'face')}"
    if template:
        text += f"; for {many(template, 'face')} without landmarks, they are those of a template for tightly cropped faces"
    return f"{text}."


def explanation_summary(view: View, explanations: Explanations) -> str:
    """The summary on a terminal."""
    number = f"{many(explanations.pairs, 'pair')} of a face and a label explained ({many(explanations.faces, 'face')})"
    lines = [f"{number}. {basis_sentence(explanations)}"]
    for method in explanations.methods:
        lines += ["", f"{capital(method_title(method))}{'' if method.trusted else ' (no finding rests on it)'}"]
        lines += [method.warning] if method.warning else []
        lines += attention(method, view.labels)
        for tested in method.comparisons:
            lines.append(comparison_sentence(view, tested))
            lines += [f"  {difference_sentence(d)}." for d in largest_differences(tested)]
        lines += check_sentences(method)
    if explanations.agreement:
        lines += ["", agreement_sentence(explanations.agreement)]
    return "\n".join(lines)
