"""Two runs on the same faces, paired face by face.

What one model reads of a face the other reads of the same face, so what changed is counted on the faces that changed: a
comparison sees far smaller differences than two audits side by side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from fairfer.audits.audit import rebuild
from fairfer.audits.comparison import Change, Comparison, Flip, GapChange, Missing, Side, Standing
from fairfer.audits.join import Rows, prepare
from fairfer.audits.result import Audit
from fairfer.audits.stored_samples import read_samples
from fairfer.errors import RunError, UsageError
from fairfer.labels import reconcile
from fairfer.metrics.counts import EVERYONE
from fairfer.metrics.gaps import GAP_RATES, annotated, stream
from fairfer.predictions.inference import Predictions
from fairfer.stats import benjamini_hochberg, change_of_gap, mcnemar, paired_difference, variance_by_subjects

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.audits.result import AuditPlan
    from fairfer.metrics.results import RateStatus

Texts = np.ndarray
_MOST_SHOWN = 3
"""Samples named in a refusal."""


def compare(base: Path, candidate: Path) -> Comparison:
    """Compare two runs face by face.

    Parameters
    ----------
    base, candidate
        Folders that `fairfer audit` wrote, of the same data: the model there is, and the one that may take its place.

    Returns
    -------
    Comparison

    Raises
    ------
    RunError
        When a folder is no audited run, or the runs cannot be compared: other data, labels, pictures, groups or plan. The
        message names the field that differs.
    """
    one, other = _Side.read(base), _Side.read(candidate)
    _check(one, other)
    table, missing, labels = _join(one, other)
    plan = one.audit.plan
    groupings = [EVERYONE, *one.audit.groupings]
    changes = [c for a in groupings for c in _changes(table, a, one.audit, labels)]
    tested = [i for i, c in enumerate(changes) if c.p is not None]
    q = benjamini_hochberg([p for c in changes if (p := c.p) is not None])
    for i, value in zip(tested, q, strict=True):
        changes[i] = changes[i].model_copy(update={"q": float(value)})
    said = np.flatnonzero(table.base != table.candidate)
    return Comparison(
        base=one.about(),
        candidate=other.about(),
        data=one.audit.data.name,
        date=max(one.audit.date, other.audit.date),
        labels=labels,
        by=plan.by,
        inferred=_inferred(one.audit),
        minimum=plan.minimum,
        confidence=plan.confidence,
        subject=plan.subject,
        samples=len(table.ids),
        missing=missing,
        changes=changes,
        gaps=[g for a in groupings[1:] for g in _gap_changes(table, a, changes, plan)],
        flips=[
            Flip(
                sample_id=table.ids[i],
                truth=str(table.truth[i]),
                base=str(table.base[i]),
                candidate=str(table.candidate[i]),
            )
            for i in said
        ],
    )


def rank(runs: Sequence[Path]) -> list[Standing]:
    """Runs beside each other, the most accurate first: accuracy, worst group, largest gap.

    Raises
    ------
    UsageError
        When fewer than two runs are given.
    RunError
        When the runs are of other data or plan than the first.
    """
    if len(runs) < 2:  # noqa: PLR2004 - one is no comparison
        message = "give at least two runs to compare"
        raise UsageError(message)
    sides = [_Side.read(r) for r in runs]
    for side in sides[1:]:
        _check(sides[0], side)
    return sorted((_standing(s.run, s.audit) for s in sides), key=lambda s: -(s.accuracy or 0.0))


@dataclass(frozen=True)
class _Side:
    run: Path
    audit: Audit
    rows: Rows
    truth: pd.Series
    images: pd.Series

    @classmethod
    def read(cls, run: Path) -> _Side:
        dataset, _ = read_samples(run)
        predictions = Predictions.read(run)
        audit = Audit.read(run) if (run / "audit.json").is_file() else rebuild(run)
        if (audit.model.predictions_digest, audit.data.digest) != (predictions.digest, dataset.digest):
            message = f"{run}: audit.json is not that of its predictions and samples; run fairfer report {run}"
            raise RunError(message)
        plan = audit.plan
        prepared = prepare(dataset, plan.by, plan.standardize)
        labels = reconcile(prepared.labels, predictions.labels, plan.unsupported_labels)
        rows = Rows.join(prepared, predictions, labels, [tuple(by) for by in plan.by])
        return cls(run, audit, rows, dataset.samples["label"], predictions.frame["image"].reindex(dataset.samples.index))

    def about(self) -> Side:
        model = self.audit.model
        return Side(
            run=self.run.resolve().name,
            model=model.name,
            version=model.version,
            options=model.options,
            labels=self.audit.labels.audited,
            predictions_digest=model.predictions_digest,
        )


def _check(one: _Side, other: _Side) -> None:
    """Refuse what cannot be compared, by the field that differs."""
    a, b = one.audit, other.audit
    fields: list[tuple[str, Any, Any]] = [
        ("data set", a.data.name, b.data.name),
        ("labels of the data", a.data.labels, b.data.labels),
        ("--by", a.groupings, b.groupings),
        ("--unsupported-labels", a.plan.unsupported_labels, b.plan.unsupported_labels),
        ("--minimum", a.plan.minimum, b.plan.minimum),
        ("--confidence", a.plan.confidence, b.plan.confidence),
        ("--subject", a.plan.subject, b.plan.subject),
    ]
    # A file may have another name and hold the same: what it holds is compared below, sample by sample.
    keys = (a.data.card.keys() & b.data.card.keys()) - {"source", "demographics"}
    fields += [(f"{k} of the data", a.data.card[k], b.data.card[k]) for k in sorted(keys)]
    for what, then, now in sorted(fields, key=lambda f: f[0].startswith("--")):
        if then != now:
            message = f"{one.run} and {other.run} cannot be compared: {what} is {then!r} in the one and {now!r} in the other"
            message += "; where it is the same data, audit both with the same --name" if what == "data set" else ""
            raise RunError(message)
    common = one.truth.index.intersection(other.truth.index)
    if common.empty:
        message = f"{one.run} and {other.run} cannot be compared: they have no sample in common; give two runs of one data set"
        raise RunError(message)
    pairs = [("label", one.truth, other.truth), ("picture", one.images.fillna(""), other.images.fillna(""))]
    if a.plan.subject:
        name = a.plan.subject
        pairs.append((name, one.rows.dataset.samples[name].astype("str"), other.rows.dataset.samples[name].astype("str")))
    pairs += [(c, one.rows.dataset.samples[c], other.rows.dataset.samples[c]) for c in one.rows.columns]
    for what, then, now in pairs:
        left, right = then.loc[common], now.loc[common]
        differing = common[(left != right).to_numpy()]
        if len(differing):
            some = ", ".join(map(str, differing[:_MOST_SHOWN]))
            message = (
                f"{one.run} and {other.run} cannot be compared: the {what} differs for {len(differing):,} of "
                f"{len(common):,} samples (the first: {some}); audit both with the same data, rule and annotations"
            )
            raise RunError(message)


def _join(one: _Side, other: _Side) -> tuple[_Paired, list[Missing], list[str]]:
    """Truth, both answers, groups and people of the samples in both runs; and which are in one only."""
    labels = [n for n in one.audit.labels.audited if n in other.audit.labels.audited]
    if not labels:
        message = (
            f"{one.run} and {other.run} cannot be compared: they have no audited label in common; see --unsupported-labels"
        )
        raise RunError(message)
    left, right = one.rows.table, other.rows.table
    missing = []
    for run, mine, theirs, all_of_theirs in (("base", left, right, other.truth), ("candidate", right, left, one.truth)):
        for sample in mine.index.difference(theirs.index, sort=True):
            why = "label not audited in the other" if sample in all_of_theirs.index else "not in the other"
            missing.append(Missing(sample_id=str(sample), only_in=run, why=why))
    common = left.index.intersection(right.index)
    alike = (left.loc[common, "truth"] == right.loc[common, "truth"]).to_numpy()
    why = "counted as another label for one of the models (--unsupported-labels merge)"
    missing += [Missing(sample_id=str(s), only_in="neither", why=why) for s in common[~alike]]
    common = common[alike]
    if common.empty:
        message = (
            f"{one.run} and {other.run} cannot be compared: no sample has the same label in both; see --unsupported-labels"
        )
        raise RunError(message)
    groups = {EVERYONE: np.full(len(common), EVERYONE, dtype=object)}
    for by in one.audit.plan.by:
        parts = [left.loc[common, one.rows.columns[n]].astype("str") for n in by]
        joined = parts[0].str.cat(parts[1:], sep=",") if len(parts) > 1 else parts[0]
        groups[",".join(by)] = joined.to_numpy(object)
    truth, base, candidate = (s.loc[common].to_numpy(object) for s in (left["truth"], left["said"], right["said"]))
    subject = one.audit.plan.subject
    person = pd.Series(one.rows.persons(subject), index=left.index).loc[common].to_numpy(np.int64) if subject else None
    return _Paired(list(map(str, common)), truth, base, candidate, groups, person), missing, labels


@dataclass(frozen=True)
class _Paired:
    """(samples,) ids, truth, both answers, the group in each grouping, and the person where several samples show one."""

    ids: list[str]
    truth: Texts
    base: Texts
    candidate: Texts
    groups: dict[str, Texts]
    person: NDArray[np.int64] | None


def _hits(table: _Paired, rate: str, label: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which samples are trials of a rate, and which of them are hits of the base and of the candidate."""
    truth, base, candidate = table.truth, table.base, table.candidate
    everything = np.full(len(truth), fill_value=True)
    if rate == "coverage":
        spoken = [np.array([not str(s).startswith("(") for s in said], bool) for said in (base, candidate)]
        return everything, spoken[0], spoken[1]
    if rate == "accuracy":
        return everything, base == truth, candidate == truth
    trials = (truth == label) if rate == "TPR" else (truth != label)
    return trials, base == label, candidate == label


def _changes(table: _Paired, attribute: str, audit: Audit, labels: Sequence[str]) -> Iterator[Change]:
    plan = audit.plan
    wanted = [(rate, label) for label in labels for rate in ("TPR", "FPR")] + [(r, EVERYONE) for r in ("accuracy", "coverage")]
    for rate, label in wanted:
        trials, base, candidate = _hits(table, rate, label)
        for group in audit.groups(attribute):
            mine = trials & (table.groups[attribute] == group)
            person = None if table.person is None else table.person[mine]
            yield _change((label, attribute, group, rate), base[mine], candidate[mine], person, plan)


def _change(
    about: tuple[str, str, str, str], base: np.ndarray, candidate: np.ndarray, person: np.ndarray | None, plan: AuditPlan
) -> Change:
    label, attribute, group, rate = about
    n = len(base)
    gained, lost = int((candidate & ~base).sum()), int((base & ~candidate).sum())
    status: RateStatus = "ok" if n >= plan.minimum else "small" if n else "not_estimable"
    low = high = p = None
    if n:
        bounds = paired_difference(gained, lost, n, plan.confidence)
        low, high, p = float(bounds[0]), float(bounds[1]), float(mcnemar(gained, lost))
        if person is not None:
            low, high, p = _of_people(candidate & ~base, base & ~candidate, person, p, plan.confidence)
    return Change(
        label=label,
        attribute=attribute,
        group=group,
        rate=rate,
        trials=n,
        both=int((base & candidate).sum()),
        gained=gained,
        lost=lost,
        base=float(base.mean()) if n else None,
        candidate=float(candidate.mean()) if n else None,
        change=(gained - lost) / n if n else None,
        low=low,
        high=high,
        p=p if status == "ok" else None,
        q=None,
        status=status,
    )


def _of_people(
    gained: np.ndarray, lost: np.ndarray, person: np.ndarray, p: float, confidence: float
) -> tuple[float, float, float]:
    """Interval and p of a change where several samples show one person; never surer than if all were strangers.

    As `paired_difference`, of as many samples as would tell as much: the variance of independent ones over that of people.
    Where no two people differ, each of them is one sample.
    """
    n, more, less = len(person), float(gained.sum()), float(lost.sum())
    changed = gained.astype(float) - lost
    variance, people = variance_by_subjects((changed - changed.mean()) / n, person)
    each = np.bincount(np.unique(person, return_inverse=True)[1])
    degrees_of_freedom = max(float(each.sum() ** 2 / (each**2).sum()) - 1, 1.0)
    spread = (more + less) / n - ((more - less) / n) ** 2
    effective_size = min(max(spread / variance, 1.0), float(n)) if variance > 0 else float(people)
    share = effective_size / n
    b, c = (more * share + 1) / (effective_size + 2), (less * share + 1) / (effective_size + 2)
    error = math.sqrt(max(b + c - (b - c) ** 2, 0) / (effective_size + 2))
    half = float(special.stdtrit(degrees_of_freedom, (1 + confidence) / 2)) * error
    seen = (more - less) / n
    by_people = 2 * float(special.stdtr(degrees_of_freedom, -abs(b - c) / error)) if people > 1 else 1.0
    as_many = float(mcnemar(int(more * share), int(less * share)))
    return max(min(b - c - half, seen), -1.0), min(max(b - c + half, seen), 1.0), max(p, by_people, as_many)


def _gap_changes(table: _Paired, attribute: str, changes: Sequence[Change], plan: AuditPlan) -> Iterator[GapChange]:
    """The change of each gap, between the groups that are large enough in what both runs have."""
    mine: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        if change.attribute == attribute:
            mine.setdefault((change.rate, change.label), []).append(change)
    for (rate, label), members in mine.items():
        usable = [c for c in members if c.status == "ok" and annotated(c.group)]
        about: dict[str, Any] = {
            "label": label,
            "attribute": attribute,
            "rate": rate,
            "groups": [c.group for c in usable],
            "excluded": [c.group for c in members if c not in usable],
        }
        if len(usable) < 2:  # noqa: PLR2004 - a gap is between two
            nothing = dict.fromkeys(("base", "candidate", "change", "low", "high", "worst_base", "worst_candidate"))
            yield GapChange.model_validate({**about, **nothing, "status": "too_few_groups"})
            continue
        sign = GAP_RATES[rate]
        values = np.array([[c.base or 0.0, c.candidate or 0.0] for c in usable])
        worst = [usable[int(np.argmin(sign * values[:, i]))].group for i in (0, 1)]
        low, high = _interval(table, usable, plan)
        base, candidate = (float(np.ptp(values[:, i])) for i in (0, 1))
        yield GapChange(
            **about,
            base=base,
            candidate=candidate,
            change=candidate - base,
            low=low,
            high=high,
            worst_base=worst[0],
            worst_candidate=worst[1],
            status="ok",
        )


def _interval(table: _Paired, usable: Sequence[Change], plan: AuditPlan) -> tuple[float, float]:
    generator = stream(plan, usable[0].attribute, usable[0].label, usable[0].rate, "compared")
    cells = np.array([[c.both, c.gained, c.lost, c.trials - c.both - c.gained - c.lost] for c in usable])
    if table.person is None:
        return change_of_gap(cells, generator=generator, confidence=plan.confidence)
    trials, base, candidate = _hits(table, usable[0].rate, usable[0].label)
    kind = np.where(base, np.where(candidate, 0, 2), np.where(candidate, 1, 3))
    member = np.full(len(trials), -1)
    for i, c in enumerate(usable):
        member[(table.groups[c.attribute] == c.group) & trials] = i
    use = member >= 0
    person = np.unique(table.person[use], return_inverse=True)[1]
    rows = np.zeros((int(person.max()) + 1, len(usable), 4))
    np.add.at(rows, (person, member[use], kind[use]), 1)
    return change_of_gap(cells, generator=generator, confidence=plan.confidence, subjects=rows)


def _inferred(audit: Audit) -> list[str]:
    return sorted(a.name for a in audit.data.attributes if a.source == "inferred")


def _standing(run: Path, audit: Audit) -> Standing:
    accuracy = audit.rate("accuracy")
    groups = [
        r
        for r in audit.rates
        if r.rate == "accuracy" and r.attribute != EVERYONE and r.status == "ok" and annotated(r.group) and r.value is not None
    ]
    worst = min(groups, key=lambda r: r.value or 0.0, default=None)
    gaps = [g for g in audit.gaps if g.difference and g.rate in ("TPR", "FPR")]
    widest = max(gaps, key=lambda g: (g.difference or 0.0) - (g.expected_by_chance or 0.0), default=None)
    return Standing(
        run=str(run),
        model=audit.model.name,
        faces=audit.size(),
        accuracy=accuracy.value,
        low=accuracy.low,
        high=accuracy.high,
        worst=None if worst is None else worst.group,
        worst_attribute=None if worst is None else worst.attribute,
        worst_accuracy=None if worst is None else worst.value,
        gap=None if widest is None else widest.difference,
        gap_expected_by_chance=None if widest is None else widest.expected_by_chance,
        gap_q=None if widest is None else widest.q,
        gap_of=None if widest is None else f"{widest.label} {widest.rate}",
        gap_attribute=None if widest is None else widest.attribute,
        inferred=_inferred(audit),
    )
