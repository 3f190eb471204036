"""Caveats: what limits the findings of an audit, in sentences.

Each function returns one sentence or an empty string when the caveat does not apply.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.labels import canonical
from fairfer.report.text.extremes import names, smallest
from fairfer.report.text.finding_caveats import is_sign_open, open_from
from fairfer.report.text.findings import gap_name
from fairfer.report.text.groups import Grouping, capital, group_words, grouping_words, is_common_attribute, quoted
from fairfer.report.text.numbers import list_some, listed, many, rate, share, signed
from fairfer.report.view import View, is_changed, is_significant
from fairfer.vocabulary import is_annotated

if TYPE_CHECKING:
    from fairfer.audits.result import AttributeInfo, Audit
    from fairfer.metrics.results import Gap

NO_CAVEATS = "No caveats were recorded for this dataset. Others may exist."

_SOURCES = {
    "self-reported": "self-reported",
    "annotated": "annotated by others, not self-reported",
    "inferred": "inferred by a model, not self-reported",
    "unstated": "of unstated source",
}
_SHORT_SOURCES = {**_SOURCES, "annotated": "annotated by others", "inferred": "inferred by a model"}


def compared_attributes(view: View) -> list[AttributeInfo]:
    """Attributes that define compared groups."""
    names = {n for by in view.audit.plan.by for n in by}
    return [a for a in view.audit.data.attributes if a.name in names]


def _attribute_name(name: str) -> str:
    return name if is_common_attribute(name) else quoted(name)


def provenance(attribute: AttributeInfo) -> str:
    """Where an attribute comes from, with its note."""
    name = _attribute_name(attribute.name)
    text = capital(f"{name} is {_SOURCES[attribute.source]}" + (f": {attribute.by}" if attribute.by else "")).rstrip(".") + "."
    return f"{text} {capital(attribute.note.strip())}" if attribute.note else text


def provenance_in_short(view: View) -> list[str]:
    """The sources of all attributes, as clauses for a terminal."""
    by_source: dict[str, list[str]] = {}
    for attribute in compared_attributes(view):
        by_source.setdefault(attribute.source, []).append(_attribute_name(attribute.name))
    return [f"{listed(names)} {'is' if len(names) == 1 else 'are'} {_SHORT_SOURCES[s]}" for s, names in by_source.items()]


def subjects(view: View) -> str:
    """How many subjects the faces show, where a column names them."""
    number = view.audit.data.subjects
    if number is None:
        return ""
    return (
        f"The {view.size():,} faces show {many(number, 'subject')} (column {view.audit.plan.subject}); intervals and tests "
        "treat the subject as the independent unit."
    )


def standardization(view: View, gaps: Sequence[Gap]) -> str:
    """How standardization changes the gaps of the key findings: share of faces, before, after, change with its interval."""
    standardized = {(a.rate, a.label, a.attribute): a for a in view.audit.standardized}
    texts = []
    for gap in gaps:
        a = standardized.get((gap.rate, gap.label, gap.attribute))
        if a is None:
            continue
        if a.change is None:
            texts.append(f"{gap_name(gap)} (cannot be compared: no faces of every group have the same {view.strata})")
            continue
        change = f"{signed(a.change)} ({signed(a.change_low)} to {signed(a.change_high)})"
        before, after = (rate(x) if (x or 0.0) >= 0 else signed(x) for x in (a.unstandardized, a.standardized))
        clause = "" if is_changed(a) else ", not distinguishable from 0"
        texts.append(
            f"{gap_name(gap)} ({share(a.covered_share)} of the faces compared; {before} before, {after} after, "
            f"change {change}{clause})"
        )
    return f"Directly standardized for {view.strata}: {'; '.join(texts)}." if texts else ""


def significance_after_standardization(view: View) -> str:
    """Which gaps are statistically significant only before or only after standardization, and what that does not show."""
    pairs = [(g, a) for a in view.standardized if a.change is not None and (g := view.gap(a.rate, a.label, a.attribute))]
    only_before = [gap_name(g) for g, a in pairs if is_significant(g) and not is_significant(a)]
    only_after = [gap_name(g) for g, a in pairs if is_significant(a) and not is_significant(g)]
    texts = [
        f"statistically significant only {when} standardization: {list_some(names)}"
        for when, names in (("after", only_after), ("before", only_before))
        if names
    ]
    if not texts:
        return ""
    return (
        f"{capital('; '.join(texts))}. This alone does not show that standardization changes a gap: other faces are compared. "
        "The confidence interval of the change does."
    )


def annotation_error(view: View, gaps: Sequence[Gap]) -> str:
    """Which gaps may have either sign when corrected by a validation sample, or for an assumed share of annotation errors."""
    texts = []
    for gap in gaps:
        curve = view.corrections(gap)
        validated = [c for c in curve if c.scenario == "validation"]
        error = open_from(curve)
        if validated and is_sign_open(validated[0]):
            texts.append(f"{gap_name(gap)} (by the validation sample)")
        elif curve and is_sign_open(curve[0]):
            texts.append(f"{gap_name(gap)} (even without error)")
        elif error is not None:
            texts.append(f"{gap_name(gap)} (at {100 * error:g} % error)")
    if not texts:
        return ""
    return f"Groups are inferred. When corrected for annotation error, the sign of these gaps is uncertain: {listed(texts)}."


def missing_words(view: View) -> str:
    """Which words were taken for a missing value, in how many rows of each attribute."""
    texts = []
    for attribute in view.audit.data.attributes:
        words = [f"{quoted(word)} ({many(n, 'row')})" for word, n in attribute.missing_words.items()]
        if words:
            texts.append(f"{listed(words)} in {_attribute_name(attribute.name)}")
    if not texts:
        return ""
    return (
        f"Counted as a missing value, not as a group: {'; '.join(texts)}. Declare a value that is a group with --not-missing "
        "COLUMN=VALUE."
    )


def small_groups(view: View) -> str:
    """How many TPR values have too small a denominator."""
    texts: list[str] = []
    for grouping in view.groupings:
        statuses = _tpr_statuses(view, grouping)
        few = sum(s != "ok" for s in statuses)
        zero = sum(s in ("not_estimable", "empty") for s in statuses)
        if few:
            count = f"{few} of {len(statuses)}" + ("" if texts else " TPR values")
            texts.append(f"{count} by {grouping_words(grouping)}" + (f" ({zero} with no faces)" if zero else ""))
    if not texts:
        return ""
    return f"Fewer than {view.minimum} in the denominator: {listed(texts)}. These are not compared."


def small_groups_in_short(view: View) -> str:
    """The same over all groupings, as a clause for a terminal."""
    statuses = [s for a in view.groupings for s in _tpr_statuses(view, a)]
    few = sum(s != "ok" for s in statuses)
    return f"{few} of {len(statuses)} TPR values of groups are based on fewer than {view.minimum}" if few else ""


def _tpr_statuses(view: View, grouping: Grouping) -> list[str]:
    return [view.rate("TPR", label, grouping, g).status for g in view.groups(grouping) for label in view.labels]


def labels(view: View) -> list[str]:
    """How labels were treated that only the dataset or only the model has."""
    audit, lines = view.audit, []
    merged = dict(_merges(audit))
    unsupported = "not among the model's output classes"
    dropped = [n for n in audit.labels.unsupported_labels if n not in view.labels and n not in merged]
    for name in audit.labels.unsupported_labels:
        if name in merged:
            lines.append(f"{capital(name)} is {unsupported}; its faces count as {merged[name]}.")
        elif name in view.labels:
            count = view.support(name)
            verb = "is" if count == 1 else "are"
            lines.append(f"{capital(name)} is {unsupported}; its {many(count, 'face')} {verb} kept and counted as missed.")
    if dropped:
        count = audit.labels.excluded
        one = len(dropped) == 1
        consequence = f"{many(count, 'face')} {'was' if count == 1 else 'were'} excluded"
        if audit.task == "multi-label" and not count:  # the faces have other labels
            consequence = f"{'the label was' if one else 'these labels were'} excluded"
        lines.append(f"{capital(listed(dropped))} {'is' if one else 'are'} {unsupported}; {consequence}.")
    lines += _rare(view)
    if audit.labels.extra:
        verb = "is" if len(audit.labels.extra) == 1 else "are"
        consequence = "each such prediction is an error" if view.single_label else "these predictions are ignored"
        lines.append(
            f"{capital(listed(audit.labels.extra))} {verb} among the model's output classes but not in the dataset; "
            f"{consequence}."
        )
    return lines


def _rare(view: View) -> list[str]:
    """Labels that are not audited, because too few faces have them."""
    rare, plan = view.audit.labels.rare, view.audit.plan
    if not rare:
        return []
    least = plan.minimum if plan.minimum_occurrences is None else plan.minimum_occurrences
    names = listed([f"{n} ({many(k, 'face')})" for n, k in rare.items()])
    verb = "is" if len(rare) == 1 else "are"
    return [f"{capital(names)} {verb} not audited, because fewer than {many(least, 'face')} have the label."]


def thresholds(view: View) -> list[str]:
    """Labels whose threshold could not be chosen, and subjects on whom thresholds were chosen and tested."""
    chosen, lines = view.audit.plan.thresholds_from, []
    if chosen is None:
        return []
    kept = [n for n in chosen.without_positives() if n in view.labels]
    if kept:
        verb = "keeps" if len(kept) == 1 else "keep"
        lines.append(f"{capital(listed(kept))} {verb} the threshold 0.5, because no face of {chosen.dataset} has the label.")
    if chosen.shared_subjects:
        lines.append(
            f"Thresholds were chosen on {chosen.dataset}, which shows {many(chosen.shared_subjects, 'subject')} who "
            f"{'is' if chosen.shared_subjects == 1 else 'are'} also audited: F1 may be too high."
        )
    return lines


def _merges(audit: Audit) -> list[tuple[str, str]]:
    """Merged labels and their targets, from ``merge=contempt:disgust`` or ``merge=disgust``."""
    policy = audit.plan.unsupported_labels
    if not policy.startswith("merge=") or not audit.labels.unsupported_labels:
        return []
    pairs = []
    for part in policy.removeprefix("merge=").split(","):
        source, colon, target = part.partition(":")
        source, target = (source, target) if colon else (audit.labels.unsupported_labels[0], source)
        pairs.append((canonical(source) or source, canonical(target) or target))
    return pairs


def coverage(view: View) -> str:
    """How many faces have no prediction, why, and in which groups their share is highest."""
    total = sum(view.unanswered.values())
    if not total:
        return ""
    reasons = listed([f"{reason}: {n:,}" for reason, n in sorted(view.unanswered.items())])
    text = (
        f"{total:,} of {view.size():,} faces {'has' if total == 1 else 'have'} no prediction ({reasons}) and "
        f"{'counts' if total == 1 else 'count'} as missed."
    )
    shares = []
    for grouping in view.groupings:
        rows = [view.rate("coverage", grouping=grouping, group=g) for g in view.groups(grouping)]
        usable = [r for r in rows if r.status == "ok" and r.value is not None and is_annotated(r.group)]
        lowest = smallest(usable, lambda r: r.value or 0.0)
        if len(lowest) < len(usable):
            shares.append(f"{names([group_words(r.group) for r in lowest], 'group')} ({share(1 - (lowest[0].value or 0.0))})")
    return f"{text} Highest share without a prediction: {'; '.join(shares)}." if shares else text


def selection(view: View) -> str:
    """How samples were selected: the steps that excluded any, or that state a number."""
    texts = []
    for step in view.audit.data.steps:
        if step.excluded:
            texts.append(f"{step.excluded:,} excluded ({step.what})")
        elif re.search(r"\d", step.what):
            texts.append(step.what)
    return f"Sample selection: {'; '.join(texts)}." if texts else ""
