"""One-sentence statements about an audit's further results: titles of their figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.report.text.extremes import largest
from fairfer.report.text.findings import gap_name
from fairfer.report.text.groups import EVERYONE, Grouping, capital, people, with_source
from fairfer.report.text.numbers import distinct_rates, rate, signed

if TYPE_CHECKING:
    from fairfer.report.view import View

_TENTH = 0.1
"""Share of wrong annotations that the statement about annotation error assumes."""
_PAIR = 2
_ROUNDING_ERROR = 1e-9


def human_agreement_statement(view: View, grouping: Grouping) -> str:
    """For how many labels the model's TPR is above human agreement, over everyone."""
    pairs = []
    for label in view.labels:
        model, rater = view.rate("TPR", label), view.weighted("rater", "TPR", label)
        if model.status == "ok" and rater and rater.status == "ok":
            pairs.append((model.value or 0.0, rater.value or 0.0))
    if not pairs:
        return f"Model and human agreement: too few faces of every {view.noun}"
    above = sum(model > rater for model, rater in pairs)
    by = "" if grouping == EVERYONE else f"; shown by {with_source(view.audit, grouping)}"
    number = f"all {len(pairs)}" if above == len(pairs) > 1 else f"{above or 'none'} of {len(pairs)}"
    return f"The model's TPR is higher than human agreement for {number} compared {view.noun}{'s' * (len(pairs) > 1)}{by}"


def ambiguity_statement(view: View) -> str:
    """Accuracy on the faces with the most and the least agreement among raters."""
    rows = view.human_agreement.ambiguity if view.human_agreement else ()
    rows = [a for a in rows if a.attribute == EVERYONE and a.status == "ok"]
    if len(rows) < _PAIR:
        return "Too few faces to compare accuracy by agreement among raters"
    first, last = rows[0], rows[-1]
    texts = distinct_rates([first.model or 0.0, last.model or 0.0])
    return f"Accuracy is {texts[0]} where raters are {first.stratum}, {texts[1]} where they are {last.stratum}"


def annotation_error_statement(view: View) -> str:
    """The first gap, corrected by a validation sample, or as it could be if 10 % of the annotations were wrong."""
    for gap, curve in view.sensitivity:
        as_is = curve[0].difference
        if not gap.difference or as_is is None:
            continue
        validated = [c.difference for c in curve if c.scenario == "validation"]
        values = validated or [c.difference for c in curve if c.error == _TENTH]
        if not values:
            continue
        premise = "Corrected by the validation sample" if validated else "If 10 % of the annotations were wrong"
        known = [v for v in values if v is not None]
        if len(known) < len(values):
            return f"{premise}, the gap in {gap_name(gap)} would not be estimable"
        texts = [_gap_text(v) for v in (min(known), max(known))]
        span = texts[0] if texts[0] == texts[1] else f"between {texts[0]} and {texts[1]}"
        order = ", in the opposite direction" if max(known) < 0 else ""
        return f"{premise}, the gap in {gap_name(gap)} would be {span} instead of {_gap_text(as_is)}{order}"
    return "Sensitivity of gaps to annotation error"


def _gap_text(value: float) -> str:
    return signed(value) if value < 0 else rate(value)


def association_statement(view: View) -> str:
    """The strongest positive association of a label with a group, among pairs with enough faces."""
    rows = view.audit.dataset_bias.pairing if view.audit.dataset_bias else ()
    rows = [p for p in rows if p.samples >= view.audit.plan.minimum]
    if not rows:
        return f"Association of {view.noun} and group"
    strongest = largest(rows, lambda p: p.ducher_z)
    value = strongest[0].ducher_z
    if value <= _ROUNDING_ERROR:
        return f"No {view.noun} with enough faces is over-represented in a group"
    if len(strongest) > 1:
        return f"{len(strongest)} pairs of {view.noun} and group are equally associated (Ducher's Z {signed(value)}), none more"
    [first] = strongest
    group = people(first.attribute, first.group).plural
    return f"{capital(first.label)} is most over-represented among {group} (Ducher's Z {signed(value)})"
