"""What votes, mixes, doubtful annotations and the make-up of the data say of the findings, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.tables.evidence import signed
from fairfer.report.text.groups import EVERYONE, attribute_words, capital, group_words, with_source
from fairfer.report.text.numbers import listed, many, rate, rates_apart
from fairfer.report.view import View, is_found

if TYPE_CHECKING:
    from fairfer.metrics.results import Gap


def rater_words(view: View, attribute: str) -> str:
    """For how many labels the model is above a rater, over everyone."""
    pairs = []
    for label in view.labels:
        model, rater = view.rate("TPR", label), view.weighted("rater", "TPR", label)
        if model.status == "ok" and rater and rater.status == "ok":
            pairs.append(((model.value or 0.0), (rater.value or 0.0)))
    if not pairs:
        return f"A rater beside the model: too few faces of every {view.noun}"
    above = sum(model > rater for model, rater in pairs)
    by = "" if attribute == EVERYONE else f", by {with_source(view.audit, attribute)}"
    how = "every" if above == len(pairs) else "none" if above == 0 else f"{above}"
    return (
        f"The model finds the label more often than a rater agrees with the others for {how} of {len(pairs)} {view.noun}s{by}"
    )


def ambiguity_words(view: View) -> str:
    """How accuracy falls from the faces that raters agree on to those that they do not."""
    votes = view.audit.votes
    known = [a for a in (votes.ambiguity if votes else ()) if a.attribute == EVERYONE and a.status == "ok"]
    if len(known) < 2:  # noqa: PLR2004 - a fall is between two
        return "Too few faces to compare by how far raters agree"
    first, last = known[0], known[-1]
    texts = rates_apart([first.model or 0.0, last.model or 0.0])
    return f"Accuracy is {texts[0]} where raters are {first.stratum}, {texts[1]} where they are {last.stratum}"


def doubt_words(view: View) -> str:
    """What the gap farthest beyond chance would be if one annotation in ten were wrong."""
    for gap, curve in view.sensitivity:
        by_error = {c.error: c for c in curve}
        as_is, corrected = by_error.get(0.0), by_error.get(0.1)
        if not gap.difference or as_is is None or as_is.difference is None or corrected is None:
            continue
        name = _name(gap)
        if corrected.difference is None:
            return f"If one annotation in ten were wrong, nothing could be said of the gap in {name}"
        texts = rates_apart([abs(corrected.difference), abs(as_is.difference)])
        return f"If one annotation in ten were wrong, the gap in {name} would be {texts[0]} rather than {texts[1]}"
    return "How gaps depend on inferred groups"


def pairing_words(view: View) -> str:
    """The strongest association of a label with a group."""
    found = view.audit.composition
    pairs = [p for p in (found.pairing if found else ()) if p.faces >= view.audit.plan.minimum]
    if not pairs:
        return f"Which {view.noun} goes with which group"
    most = max(pairs, key=lambda p: p.ducher_z)
    return f"{capital(most.label)} goes most with {group_words(most.group)} (Ducher's Z {signed(most.ducher_z)})"


def about_findings(view: View, gaps: Sequence[Gap]) -> list[str]:
    """What a reader must know of these findings: which of them vanish when the mix is alike, or lean on who was put where."""
    return [line for line in (_mixed(view, gaps), _doubtful(view, gaps), _blurred(view, gaps)) if line]


def _mixed(view: View, gaps: Sequence[Gap]) -> str:
    standardized = {(a.rate, a.label, a.attribute): a for a in view.audit.standardized if a.difference is not None}
    gone = [(g, a) for g in gaps if (a := standardized.get((g.rate, g.label, g.attribute))) and not is_found(a)]
    if not gone:
        return ""
    parts = [f"{_name(g)} ({rate(a.plain)} before, {rate(a.difference)} after)" for g, a in gone]
    return f"Once all groups have the same mix of {view.mix}, no longer beyond chance: {listed(parts)}."


def _doubtful(view: View, gaps: Sequence[Gap]) -> str:
    parts = []
    curves = {(g.rate, g.label, g.attribute): c for g, c in view.sensitivity}
    for gap in gaps:
        curve = curves.get((gap.rate, gap.label, gap.attribute), [])
        unsure = [c.error for c in curve if c.low is None or c.high is None or c.low <= 0 <= c.high]
        if unsure and min(unsure) > 0:
            parts.append(f"{_name(gap)} ({100 * min(unsure):g} % wrong)")
        elif unsure:
            parts.append(f"{_name(gap)} (even as annotated)")
    if not parts:
        return ""
    return f"The groups are inferred; corrected for wrong annotations, the sign is no longer sure of: {listed(parts)}."


def _blurred(view: View, gaps: Sequence[Gap]) -> str:
    parts = []
    for gap in gaps:
        probabilistic = view.probabilistic(gap)
        if (
            probabilistic
            and probabilistic.probabilistic is not None
            and probabilistic.probabilistic < abs(probabilistic.most_likely) / 2
        ):
            parts.append(
                f"{_name(gap)} ({rate(abs(probabilistic.most_likely))} by the likeliest, {signed(probabilistic.probabilistic)} by probability)"
            )
    if not parts:
        return ""
    return f"With every face counted for each group as much as it probably belongs to it, far smaller: {listed(parts)}."


def least_shown(view: View) -> str:
    """The smallest gap that these data could show: of TPRs, where any was tested."""
    known = [(g.minimum_detectable, g) for g in view.tested if g.minimum_detectable is not None and g.label != EVERYONE]
    if not known:
        return ""
    tprs = [pair for pair in known if pair[1].rate == "TPR"]
    size, gap = min(tprs or known, key=lambda pair: pair[0])
    return f"The smallest {'TPR ' if tprs else ''}gap these data could show is {rate(size)} ({_name(gap)})."


def people_said(view: View) -> str:
    """How many people the faces are of, where that was counted."""
    number = view.audit.data.people
    if number is None:
        return ""
    return (
        f"The {view.size():,} faces are of {many(number, 'person', 'people')} (by {view.audit.plan.subject}); intervals "
        "and chance gaps are those of people."
    )


def _name(gap: Gap) -> str:
    label = "" if gap.label == EVERYONE else f"{gap.label} "
    return f"{label}{gap.rate} by {attribute_words(gap.attribute)}"
