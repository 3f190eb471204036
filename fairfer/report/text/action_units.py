"""Action units in sentences: which accompany misclassifications, and differences between groups at equal units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairfer.facs.action_units import ACTION_UNITS
from fairfer.report.text.findings import KeyFinding
from fairfer.report.text.groups import adjective, capital, faces, inferred_note, people
from fairfer.report.text.numbers import listed, many, probability, rate, share, signed, whole
from fairfer.report.view import ALPHA

if TYPE_CHECKING:
    from fairfer.metrics.action_unit_results import ActionUnitShare, ConditionedGap
    from fairfer.report.text.groups import People
    from fairfer.report.view import View

KINDS = {
    "labels": "taken as human labels",
    "detected": "detected by a model",
    "estimated": "estimated from landmarks, not coded or detected",
}
"""Where action units come from, in words."""


@dataclass(frozen=True)
class GapTriple:
    """One comparison of two groups: in the labels, in the predictions, and what the model adds."""

    labels: ConditionedGap
    predictions: ConditionedGap
    added: ConditionedGap

    @property
    def rows(self) -> tuple[ConditionedGap, ConditionedGap, ConditionedGap]:
        """All three."""
        return self.labels, self.predictions, self.added

    @property
    def significant(self) -> bool:
        """Whether any of the three is."""
        return any(is_significant_at_equal_units(r) for r in self.rows)


def is_significant_at_equal_units(row: ConditionedGap) -> bool:
    """Whether a gap is significant after adjustment, and its interval excludes 0: the test weights patterns in another way."""
    if row.q is None or row.low is None or row.high is None:
        return False
    return row.q < ALPHA and (row.low > 0 or row.high < 0)


def triples(view: View) -> list[GapTriple]:
    """The comparisons that have numbers, in the order of the audit."""
    rows = [r for r in view.audit.conditioned_gaps if r.value is not None]
    by_key: dict[tuple[object, ...], dict[str, ConditionedGap]] = {}
    for row in rows:
        by_key.setdefault((row.label, row.attribute, row.group, row.reference), {})[row.outcome] = row
    return [GapTriple(d["labels"], d["predictions"], d["difference"]) for d in by_key.values()]


def significant_triples(view: View) -> list[GapTriple]:
    """Comparisons with a significant gap, the smallest q first; a repeated one, by more attributes, is left out."""
    found = [t for t in triples(view) if t.significant]
    kept: list[GapTriple] = []
    for triple in sorted(found, key=lambda t: min(r.q if r.q is not None else 1.0 for r in t.rows)):
        if not any(_repeats(triple, other) for other in kept):
            kept.append(triple)
    return kept


def _repeats(triple: GapTriple, other: GapTriple) -> bool:
    names, other_names = set(triple.labels.attribute), set(other.labels.attribute)
    nested = names < other_names or other_names < names
    return triple.labels.label == other.labels.label and nested


def provenance_sentence(view: View) -> str:
    """Where the action units come from."""
    info = view.audit.action_units
    if info is None:
        return ""
    most = max(info.known.values(), default=0)
    text = f"The action units are {KINDS[info.kind]} ({info.source})."
    known = f"They are known for {whole(most)} of {many(view.size(), 'audited face')}."
    return " ".join([text, known, *(f"{note.rstrip('.')}." for note in info.notes)])


def error_caveat(view: View) -> str:
    """How errors of the units limit findings; empty where people coded them."""
    info = view.audit.action_units
    if info is None:
        return ""
    return {
        "labels": "",
        "detected": "Action units were detected by a model. If it errs more for one group, a difference at equal units is "
        "partly its error.",
        "estimated": "Action units were estimated from landmarks. They are uncalibrated on stills, and the shape of a face "
        "differs between groups, so a difference at equal units can be an error of the estimates.",
    }[info.kind]


def lacking_caveat(view: View) -> str:
    """Units of the default patterns that the table lacks; empty when it has all."""
    lacking = dict.fromkeys((r.label, *r.lacking) for r in view.audit.conditioned_gaps if r.units and r.lacking)
    names = listed([f"{label} ({', '.join(units)})" for label, *units in lacking])
    return f"The table of action units lacks units of these patterns: {names}." if lacking else ""


def _units(view: View, units: Sequence[str]) -> str:
    info = view.audit.action_units
    return f"{listed(units)}{', estimated' if info and info.kind == 'estimated' else ''}"


def unit_name(unit: str) -> str:
    """``AU12 (lip corner puller)``."""
    name = ACTION_UNITS[unit].name if unit in ACTION_UNITS else ""
    return f"{unit} ({name[:1].lower()}{name[1:]})" if name else unit


# ---- units that accompany misclassifications


def significant_shares(view: View) -> list[ActionUnitShare]:
    """Units that are significantly more or less frequent in misclassified faces, the smallest q first."""
    found = [s for s in view.audit.action_unit_shares if s.q is not None and s.q < ALPHA]
    return sorted(found, key=lambda s: (s.q or 0.0, s.p or 0.0))


def share_sentence(view: View, row: ActionUnitShare) -> str:
    """``Women's neutral faces misclassified as happy: AU12 (lip corner puller) in 61 % …``."""
    owner = faces(row.truth)
    if row.group:
        group = people(row.attribute, row.group)
        owner = f"{group.possessive} {owner}" if group.possessive else f"{owner} of {group.plural}"
    bounds = f"{share(row.low)} to {share(row.high)}"
    estimated = "estimated " if view.audit.action_units and view.audit.action_units.kind == "estimated" else ""
    return (
        f"{capital(owner)} misclassified as {adjective(row.predicted)}: {estimated}{unit_name(row.unit)} in {share(row.value)} "
        f"({bounds}; {whole(row.present)} of {whole(row.known)}), in {share(row.correct_value)} of those classified correctly "
        f"({whole(row.correct_present)} of {whole(row.correct_known)}), {probability('q', row.q)}"
        f"{inferred_note(view.audit, row.attribute)}"
    )


def no_share(view: View) -> str:
    """One line where no unit is significant."""
    tested = sum(s.q is not None for s in view.audit.action_unit_shares)
    if not tested:
        return (
            "No unit could be compared: no group has enough faces of one true and one predicted "
            f"{view.noun}, and of those classified correctly."
        )
    return f"None of {many(tested, 'tested share')} differs significantly from that of faces classified correctly."


# ---- differences at equal units


def gap_statement(view: View, triple: GapTriple) -> str:
    """What differs at equal units, as a sentence without its full stop."""
    lead = _lead(triple)
    group, other = _sides(triple)
    verb = {"labels": "are labeled", "predictions": "are predicted to be"}.get(lead.outcome, "")
    direction = "more" if (lead.value or 0.0) > 0 else "less"
    start = f"At equal action units ({_units(view, lead.units)}), {group.plural}"
    if not verb:
        order = "higher" if direction == "more" else "lower"
        text = (
            f"At equal action units ({_units(view, lead.units)}), the share predicted as {adjective(lead.label)} minus the "
            f"share labeled so is {order} for {group.plural} than for {other}"
        )
    else:
        text = f"{start} {verb} {adjective(lead.label)} {direction} often than {other}"
    return f"{text}{inferred_note(view.audit, lead.attribute)}"


def _lead(triple: GapTriple) -> ConditionedGap:
    """The gap that the sentence is about: of the labels, else of the predictions, else what the model adds."""
    return next(r for r in triple.rows if is_significant_at_equal_units(r))


def _sides(triple: GapTriple) -> tuple[People, str]:
    row = triple.labels
    group = people(row.attribute, row.group or ())
    other = "all other compared groups together" if row.reference is None else people(row.attribute, row.reference).short
    return group, other


def gap_reading(triple: GapTriple) -> str:
    """Whose difference it is: that of the labels, of the model, or of both; without a full stop."""
    labels, predictions, added = (is_significant_at_equal_units(r) for r in triple.rows)
    if labels and predictions:
        if not added:
            return "the model repeats the difference in the labels; what it adds is not significant"
        larger = abs(triple.predictions.value or 0.0) > abs(triple.labels.value or 0.0)
        same = (triple.predictions.value or 0.0) * (triple.labels.value or 0.0) > 0
        if not same:
            return "the difference in the predictions has the opposite direction"
        return f"the model makes the difference in the labels {'larger' if larger else 'smaller'}"
    if labels:
        text = "the labels differ; the predictions do not differ significantly"
        return f"{text}, and the model reduces the difference" if added else text
    if predictions:
        text = "the predictions differ; the labels do not differ significantly"
        return f"{text}, so the model adds the difference" if added else f"{text}, nor is what the model adds significant"
    return "only what the model adds is significant, neither the labels nor the predictions by themselves"


def gap_numbers(triple: GapTriple) -> str:
    """The three gaps with intervals and q."""
    names = ("labels", "predictions", "added by the model")
    return ", ".join(f"{name} {_number(row)}" for name, row in zip(names, triple.rows, strict=True))


def _number(row: ConditionedGap) -> str:
    bounds = f"{signed(row.low)} to {signed(row.high)}"
    q = "" if row.q is None else f"; {probability('q', row.q)}"
    return f"{signed(row.value)} ({bounds}{q})"


def no_gap(view: View) -> str:
    """One line where no gap at equal units is significant."""
    tested = sum(r.q is not None for r in view.audit.conditioned_gaps)
    if not tested:
        return (
            f"No {view.noun} could be compared at equal action units: no two groups have enough faces with known units in a "
            "common pattern."
        )
    return f"None of {many(tested, 'tested difference')} at equal action units is statistically significant."


def not_conditioned(view: View) -> str:
    """Labels that have no units to be compared at; empty without any."""
    names = list(dict.fromkeys(r.label for r in view.audit.conditioned_gaps if r.status == "no_units"))
    if not names:
        return ""
    verb = "is" if len(names) == 1 else "are"
    return (
        f"{capital(listed(names))} {verb} not compared: there are no default units, or the table has none of them. "
        "--condition-on chooses units."
    )


def gap_findings(view: View, most: int) -> list[KeyFinding]:
    """The most significant differences at equal units, as key findings."""
    return [_finding(view, triple) for triple in significant_triples(view)[:most]]


def _finding(view: View, triple: GapTriple) -> KeyFinding:
    lead = _lead(triple)
    labels, predictions = triple.labels, triple.predictions
    rates = (
        f"labeled {rate(labels.rate)} vs. {rate(labels.reference_rate)}, predicted {rate(predictions.rate)} vs. "
        f"{rate(predictions.reference_rate)}, standardized to the same patterns"
    )
    return KeyFinding(
        statement=gap_statement(view, triple),
        rates=rates,
        counts=f"{many(lead.faces, 'face')} with known units",
        certainty=f"{gap_reading(triple)} ({gap_numbers(triple)})",
        caveat=_finding_caveat(view, lead),
    )


def _finding_caveat(view: View, row: ConditionedGap) -> str:
    """Errors and gaps of the units behind one finding, without a full stop."""
    info = view.audit.action_units
    texts = []
    if info and info.kind != "labels":
        texts.append(f"The units are {KINDS[info.kind]}, so the difference can be due to their errors")
    if row.lacking:
        texts.append(f"{'they are' if texts else 'The units are'} without {listed(row.lacking)}, which the table lacks")
    return "; ".join(texts)
