"""Tables of F1: per group over all labels, per label and group, and the differences between groups.

The layout is that of tables 1 and 2 of Deuschel, Finzel and Rieger ("Uncovering the Bias in Facial Expressions", arXiv
2011.11311): for each group that the model was tested on, macro-F1 and weighted macro-F1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fairfer.report.tables.rates import cell, too_few
from fairfer.report.tables.table import Table, as_csv
from fairfer.report.text.groups import EVERYONE, Group, Grouping, csv_group, csv_groups, group_words, with_source
from fairfer.report.text.numbers import DASH, interval, listed, p_value, rate, signed, whole
from fairfer.report.view import RATES, View

if TYPE_CHECKING:
    from fairfer.metrics.f1_results import F1Gap
    from fairfer.metrics.results import GroupDifference, Rate

MEASURES = ("macro-F1", "weighted macro-F1")

_OVERALL = {"macro_f1": "macro-F1", "weighted_macro_f1": "weighted macro-F1"}
_OF_LABEL = {"f1": "F1", "precision": "PPV", "tpr": "TPR", "fpr": "FPR", "tnr": "TNR", "fnr": "FNR"}
_RESULTS = {
    "too_few_groups": "not tested: too few groups",
    "no_variation": "cannot be significant",
    "shared_subjects": "not tested: some subjects are in several groups",
}


def f1_csv(view: View) -> str:
    """``f1.csv``: macro-F1, weighted macro-F1 and accuracy of every group."""
    names = {**_OVERALL, "accuracy": view.accuracy}
    measures = [c for name in names for c in (name, f"{name}_low", f"{name}_high", f"{name}_status")]
    columns = ("model", "attribute", "group", "faces", *measures, "labels_without_faces")
    rows = []
    for grouping, group in _groups(view):
        row: dict[str, object] = {"model": view.audit.model.name, "attribute": grouping, "group": group}
        row["faces"] = view.size(grouping, group)
        for name, measure in names.items():
            found = view.rate(measure, grouping=grouping, group=group)
            row |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high, f"{name}_status": found.status}
        rows.append({**row, "labels_without_faces": "; ".join(without_positives(view, grouping, group))})
    return as_csv(columns, rows)


def f1_labels_csv(view: View) -> str:
    """``f1_labels.csv``: F1, precision and the four rates of every label in every group; the TPR is the recall."""
    columns = (
        "model",
        "attribute",
        "group",
        "label",
        "positives",
        "f1",
        "f1_low",
        "f1_high",
        "f1_status",
        *list(_OF_LABEL)[1:],
    )
    rows = []
    for grouping, group in _groups(view):
        for label in view.labels:
            score = view.rate("F1", label, grouping, group)
            row: dict[str, object] = {"model": view.audit.model.name, "attribute": grouping, "group": group, "label": label}
            row |= {"positives": view.support(label, grouping, group), "f1_status": score.status}
            row |= {"f1_low": score.low, "f1_high": score.high}
            rows.append(row | {name: view.rate(r, label, grouping, group).value for name, r in _OF_LABEL.items()})
    return as_csv(columns, rows)


def f1_gaps_csv(view: View) -> str:
    """``f1_gaps.csv``: the largest difference of each measure between the groups of each grouping."""
    columns = (
        "attribute", "measure", "worst", "best", "difference", "expected_by_chance", "p", "q", "significant", "borderline",
        "critical_value", "status", "groups", "excluded",
    )  # fmt: skip
    return as_csv(columns, map(_gap, view.audit.f1_gaps))


def _gap(gap: F1Gap) -> dict[str, object]:
    excluded = [f"{csv_group(o.group)} ({o.reason}, {o.denominator})" for o in gap.excluded]
    return {**dict(gap), "groups": csv_groups(map(csv_group, gap.groups)), "excluded": csv_groups(excluded)}


def f1_differences_csv(view: View) -> str:
    """``f1_differences.csv``: every difference between two groups, and between a group and the rest."""
    columns = ("attribute", "measure", "group", "reference", "difference", "low", "high", "p", "significant")
    rows = [{"attribute": g.attribute, "measure": g.measure, **dict(d)} for g in view.audit.f1_gaps for d in g.differences]
    return as_csv(columns, rows)


def without_positives(view: View, grouping: Grouping, group: Group) -> list[str]:
    """Labels that no face of a group has: its macro-F1 is undefined."""
    return [n for n in view.labels if not view.support(n, grouping, group)]


def _groups(view: View) -> Iterator[tuple[Grouping, Group]]:
    for grouping in (EVERYONE, *view.groupings):
        for group in view.groups(grouping):
            yield grouping, group


def f1_table(view: View, grouping: Grouping) -> Table:
    """Macro-F1, weighted macro-F1 and accuracy by the group that the model was tested on."""
    names = (*MEASURES, view.accuracy)
    rows = []
    for attribute, group in [(EVERYONE, EVERYONE), *((grouping, g) for g in view.groups(grouping) if grouping)]:
        missing = without_positives(view, attribute, group)
        note = f"no face with {listed(missing)}" if missing else ""
        values = [_value(view.rate(n, grouping=attribute, group=group)) for n in names]
        rows.append((view.audit.model.name, group_words(group), whole(view.size(attribute, group)), *values, note))
    columns = ("model", "tested on", "faces", *names, "undefined because of")
    return Table(f"Macro-F1 and accuracy: {with_source(view.audit, grouping)}", columns, tuple(rows), heads=2)


def _value(row: Rate) -> str:
    if row.value is None:
        return DASH
    limits = interval(row.low, row.high)
    return rate(row.value) + (f" [{limits}]" if limits else "") + too_few(row.status)


def f1_labels_table(view: View, grouping: Grouping) -> Table:
    """F1, precision and the four rates of each label, by group."""
    rows = []
    for label in view.labels:
        for group in view.groups(grouping):
            rates = [cell(view.rate(r, label, grouping, group)) for r in ("PPV", *RATES)]
            score = _value(view.rate("F1", label, grouping, group))
            rows.append((label, group_words(group), whole(view.support(label, grouping, group)), score, *rates))
    columns = (
        view.noun,
        "tested on",
        f"faces with this {view.noun}",
        "F1",
        "precision (PPV)",
        "TPR (recall)",
        *list(RATES)[1:],
    )
    return Table(f"F1 by {view.noun}: {with_source(view.audit, grouping)}", columns, tuple(rows), heads=2)


def f1_gaps_table(view: View) -> Table:
    """Every difference, and the test of it."""
    rows = []
    for gap in view.audit.f1_gaps:
        head = (with_source(view.audit, gap.attribute), gap.measure)
        expected, q = rate(gap.expected_by_chance), p_value(gap.q)
        rows += [(*head, *_difference(d), expected, q, _result(gap, d)) for d in gap.differences]
        if not gap.differences:
            groups = f"{group_words(gap.best)} vs. {group_words(gap.worst)}" if gap.best and gap.worst else DASH
            rows.append((*head, groups, signed(gap.difference), DASH, DASH, expected, q, _RESULTS.get(gap.status, DASH)))
    columns = (
        "grouping", "measure", "groups", "difference", "confidence interval", "p", "gap expected by chance", "q", "result",
    )  # fmt: skip
    return Table("Differences in macro-F1 between groups", columns, tuple(rows), heads=3)


def _difference(difference: GroupDifference) -> tuple[str, str, str, str]:
    other = group_words(difference.reference) if difference.reference is not None else "the rest"
    limits = DASH
    if difference.low is not None and difference.high is not None:
        limits = f"{signed(difference.low)} to {signed(difference.high)}"
    groups = f"{group_words(difference.group)} vs. {other}"
    return groups, signed(difference.difference), limits, p_value(difference.p)


def _result(gap: F1Gap, difference: GroupDifference) -> str:
    text = "significant" if difference.significant else "not significant"
    return f"{text}, borderline" if gap.borderline else text
