"""Faces that are not judged: how many, why, and what they mean for a check.

A check cannot pass while faces that it is about are not judged, unless the policy says to ignore them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from fairfer.gate.treatment import unsupported_faces
from fairfer.gate.verdict import JudgedFaces, NotJudged
from fairfer.vocabulary import ALL, EVERYONE, Group, Grouping, group_name, grouping_name, is_annotated

if TYPE_CHECKING:
    from fairfer.audits.result import Audit
    from fairfer.gate.checks import Check
    from fairfer.gate.policy import Policy

_UNLABELED = "rows without a true label"
"""How earlier versions of fairfer described rows that are unlabeled, without marking them."""

_OF_LABEL = ("TPR", "FNR")
"""Rates over the faces that have the label; all others are over all faces."""


def unlabeled_rows(audit: Audit) -> int:
    """Rows of the data without a true label. Rows that the data's own protocol excludes are not counted."""
    return sum(s.excluded for s in audit.data.steps if s.unlabeled or s.what == _UNLABELED)


def data_obstacles(policy: Policy, audit: Audit) -> list[str]:
    """Why no check can pass: faces of the data that none of them judges, unless the policy ignores them."""
    obstacles = []
    faces = unsupported_faces(audit)
    if faces and policy.unsupported_labels != "ignore":
        names = ", ".join(f"{n} ({k:,})" for n, k in faces.items())
        obstacles.append(f"faces have labels that are not among the model's output classes: {names}")
    elif audit.labels.excluded and policy.unsupported_labels != "ignore":
        obstacles.append(f"{audit.labels.excluded:,} faces were excluded for their label, and the audit does not say which")
    if audit.labels.rare and policy.small_groups != "ignore":
        names = ", ".join(f"{n} ({k:,})" for n, k in audit.labels.rare.items())
        obstacles.append(f"labels were not audited, because fewer faces have them than --minimum-occurrences: {names}")
    if (rows := unlabeled_rows(audit)) and policy.unlabeled != "ignore":
        obstacles.append(f"{rows:,} rows have no true label")
    if (cells := _unknown_labels(audit)) and policy.unlabeled != "ignore":
        names = ", ".join(f"{n} ({k:,})" for n, k in cells.items())
        obstacles.append(f"labels are unknown for some faces: {names}")
    if audit.data.without_subject and policy.unannotated != "ignore":
        obstacles.append(f"{audit.data.without_subject:,} faces have no {audit.plan.subject}, and may show one person")
    return obstacles


def _unknown_labels(audit: Audit) -> dict[str, int]:
    """Number of faces by label for which it is unknown whether they have it; in multi-label data."""
    if audit.task == "single-label":
        return {}
    total = audit.size()
    unknown = {c.label: total - (c.tp + c.fn + c.fp + c.tn) for c in audit.counts if c.attribute == EVERYONE}
    return {n: k for n, k in unknown.items() if k and n in audit.labels.audited}


def ignored(policy: Policy, audit: Audit, checks: Sequence[Check]) -> list[str]:
    """Faces that the policy ignores, as ``key = "ignore"`` with their number."""
    found = []
    faces = unsupported_faces(audit)
    if policy.unsupported_labels == "ignore" and faces:
        treatment = audit.plan.unsupported_labels
        how = f", counted as another label ({treatment})" if treatment.startswith("merge") else ""
        names = ", ".join(f"{n} ({k:,})" for n, k in faces.items())
        found.append(f"unsupported_labels: faces with labels that are not among the model's output classes{how}: {names}")
    if policy.small_groups == "ignore":
        small = dict.fromkeys(e.group for c in checks for e in c.excluded if e.reason != "unannotated")
        found += [f"small_groups: {', '.join(small)}"] if small else []
        rare = ", ".join(f"{n} ({k:,})" for n, k in audit.labels.rare.items())
        found += [f"small_groups: labels that too few faces have: {rare}"] if rare else []
    if policy.unlabeled == "ignore" and (rows := unlabeled_rows(audit)):
        found.append(f"unlabeled: {rows:,} rows without a true label")
    if policy.unlabeled == "ignore" and (cells := _unknown_labels(audit)):
        found.append(f"unlabeled: {', '.join(f'{k:,} faces without {n}' for n, k in cells.items())}")
    if policy.unannotated == "ignore":
        for grouping in dict.fromkeys(c.target.grouping for c in checks):
            if faces_of := unannotated_faces(audit, grouping):
                found.append(f"unannotated: {faces_of:,} faces without {grouping_name(grouping)}")
        if faces_of := audit.data.without_subject:
            found.append(f"unannotated: {faces_of:,} faces without {audit.plan.subject}, each counted as another person")
    return found


def unannotated_faces(audit: Audit, grouping: Grouping) -> int:
    """Faces without a value of some attribute of a grouping."""
    return sum(s.total for s in audit.sizes if s.attribute == grouping and not is_annotated(s.group))


def judged_faces(audit: Audit, checks: Sequence[Check]) -> JudgedFaces:
    """How many faces at least one check judges, by the grouping with the fewest.

    Parameters
    ----------
    audit
        As it was made.
    checks
        All checks of the policy.
    """
    groupings = list(dict.fromkeys(c.target.grouping for c in checks))
    counts = [_of_grouping(audit, g, [c for c in checks if c.target.grouping == g]) for g in groupings]
    return min(counts, key=lambda c: c.judged)


def _of_grouping(audit: Audit, grouping: Grouping, checks: Sequence[Check]) -> JudgedFaces:
    unlabeled = unlabeled_rows(audit)
    not_judged = [NotJudged(reason="without a true label", faces=unlabeled)] if unlabeled else []
    kept = set(audit.labels.audited) - set(audit.labels.unsupported_labels)
    if audit.task == "single-label":
        for label, faces in unsupported_faces(audit).items():
            text = f"with the label {label}, which is not among the model's output classes"
            not_judged.append(NotJudged(reason=text, faces=faces))
        cells = {(c.group, c.label): c.tp + c.fn for c in audit.counts if c.attribute == grouping and c.label in kept}
    else:
        if audit.labels.excluded:
            text = "with labels that are not among the model's output classes"
            not_judged.append(NotJudged(reason=text, faces=audit.labels.excluded))
        cells = {(s.group, ALL): s.total for s in audit.sizes if s.attribute == grouping}
    reasons = dict(_reasons(grouping, cells, checks))
    judged = 0
    by_reason: dict[str, int] = {}
    for cell, faces in cells.items():
        if cell in reasons:
            by_reason[reasons[cell]] = by_reason.get(reasons[cell], 0) + faces
        else:
            judged += faces
    not_judged += [NotJudged(reason=r, faces=n) for r, n in by_reason.items() if n]
    total = judged + sum(n.faces for n in not_judged)
    return JudgedFaces(judged=judged, total=total, attribute=grouping_name(grouping), not_judged=not_judged)


def _reasons(
    grouping: Grouping, cells: Mapping[tuple[Group, str], int], checks: Sequence[Check]
) -> Iterator[tuple[tuple[Group, str], str]]:
    """Why faces of a group with a label are judged by no check."""
    for group, label in cells:
        concerned = [c for c in checks if label == ALL or c.target.rule.rate not in _OF_LABEL or c.target.label == label]
        name = group_name(group)
        if not is_annotated(group):
            yield (group, label), f"without {grouping_name(grouping)}"
        elif not concerned:
            yield (group, label), f"with the label {label}, which no rule limits"
        elif not any(name in c.sizes and c.measurement is not None for c in concerned):
            small = any(e.group == name for c in concerned for e in c.excluded)
            where = f"in groups that are too small ({name})" if small else "in checks without groups to compare"
            yield (group, label), where
