"""Answers to changed pictures compared with those to the original ones, face by face.

A flip is a face whose answer changes. It is counted as a positive of a label of its own, one per change and level, so that flip
rates, their intervals and the tests of differences between groups are those of any rate of an audit (`fairfer.metrics`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from fairfer.explanations.probes.results import FlipGap, FlipRate, ProbeResult
from fairfer.metrics.counts import ACCURACY, Counts, Integers, Source, count
from fairfer.metrics.gaps import compute_gaps
from fairfer.metrics.paired_rates import PairedCounts, changes_of
from fairfer.metrics.results import Gap, Rate, RateStatus, StandardizedGap
from fairfer.metrics.standardization import Strata, standardized_gaps
from fairfer.metrics.subjects import SubjectEstimates
from fairfer.stats import benjamini_hochberg, wilson
from fairfer.vocabulary import ALL, EVERYONE, Group, Grouping, Task

if TYPE_CHECKING:
    from fairfer.explanations.probes.perturbations import Probe
    from fairfer.metrics.change_results import Change
    from fairfer.metrics.metric_settings import MetricSettings

_UNIT = "unit"
_RATE = "TPR"
"""Of the faces that may flip, those that do: the TPR of the label that stands for a flip."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Faces:
    """The faces of an audit with the answers to their original pictures.

    Attributes
    ----------
    task, labels, columns
        As of `fairfer.metrics.counts.Source`.
    groups
        Groups of each grouping, everyone first.
    answers
        One row per face, columns as `fairfer.metrics.counts.Source` describes.
    subjects
        (faces,) number of each face's subject; ``None`` where every face is a subject of its own.
    settings
        Minimum, confidence, permutations and seed.
    strata
        (faces,) number of each face's true label, or combination of it and of other columns, for flip rates of groups with the
        same mix of them; ``None`` without such a comparison.
    """

    task: Task
    labels: tuple[str, ...]
    columns: Mapping[str, str]
    groups: Mapping[Grouping, Sequence[Group]]
    answers: pd.DataFrame
    subjects: Integers | None
    settings: MetricSettings
    strata: Integers | None = None


@dataclass(frozen=True)
class ChangedAnswers:
    """Answers to pictures changed in one way.

    Attributes
    ----------
    probe
        The change.
    answers
        One row per face, in the order and with the columns of `Faces.answers`.
    unchanged
        Number of pictures that the change left as they are.
    """

    probe: Probe
    answers: pd.DataFrame
    unchanged: int


@dataclass(frozen=True)
class _Flips:
    """Which faces flip; (faces,) each.

    Attributes
    ----------
    name
        Of the label that stands for these flips.
    probe, label
        The change, and the label whose decision flips; ``*`` for the whole answer.
    answered, flipped, lost, gained
        Whether there was an answer for the original picture, whether there is another one or none for the changed one, whether
        there is none any more, and whether only the changed picture has one.
    """

    name: str
    probe: Probe
    label: str
    answered: Flags
    flipped: Flags
    lost: Flags
    gained: Flags


def compare_answers(faces: Faces, changed: Sequence[ChangedAnswers]) -> list[ProbeResult]:
    """Compare the answers to changed pictures with those to the original ones.

    Parameters
    ----------
    faces
        The faces, with the answers to the original pictures.
    changed
        Answers to changed pictures, at least of one probe.

    Returns
    -------
    list of ProbeResult
        In the order of `changed`. The tests of all flip gaps are one family, and so are those of all changes of rates.
    """
    flips = [f for c in changed for f in _flips(faces, c)]
    rates, gaps = _flip_rates(faces, flips)
    changes = _with_q([_changes(faces, c) for c in changed])
    return [
        ProbeResult(
            perturbation=c.probe.perturbation.name,
            level=c.probe.level,
            position=c.probe.perturbation.position(c.probe.level),
            unchanged=c.unchanged,
            flips=[row for f in flips if f.probe == c.probe for row in rates[f.name]],
            gaps=[row for f in flips if f.probe == c.probe for row in gaps[f.name]],
            changes=of_probe,
        )
        for c, of_probe in zip(changed, changes, strict=True)
    ]


def _flips(faces: Faces, changed: ChangedAnswers) -> Iterator[_Flips]:
    """Flips of the whole answer; for multi-label answers also of the decision on each label."""
    before, after = faces.answers, changed.answers
    had, has = ((t["status"] == "ok").to_numpy(bool) for t in (before, after))
    columns = ["predicted"] if faces.task == "single-label" else [f"predicted:{i}" for i in range(len(faces.labels))]
    differs = np.stack([(before[c] != after[c]).fillna(value=True).to_numpy(bool) for c in columns], axis=1)
    kinds = [(ALL, differs.any(axis=1))]
    if faces.task == "multi-label":
        kinds += [(label, differs[:, i]) for i, label in enumerate(faces.labels)]
    for label, other in kinds:
        name = f"{changed.probe.name}/{label}"
        yield _Flips(name, changed.probe, label, had, had & (~has | other), had & ~has, ~had & has)


def _flip_rates(faces: Faces, flips: Sequence[_Flips]) -> tuple[dict[str, list[FlipRate]], dict[str, list[FlipGap]]]:
    """Flip rates and their gaps, by the names of the flips."""
    source = _source(faces, {f.name: (f.answered, f.flipped) for f in flips})
    counts = count(source, faces.groups)
    others = count(_source(faces, {f"{f.name}{kind}": pair for f in flips for kind, pair in _kinds(f).items()}), faces.groups)
    rates = [r for f in flips for grouping, c in counts.items() for r in _rates(c, grouping, f.name, faces.settings)]
    subjects = None
    if faces.subjects is not None:
        by_subject = count(_by(source, faces.subjects), faces.groups, unit=_UNIT)
        subjects = SubjectEstimates.of(by_subject, "multi-label", faces.settings.seed)
        rates = subjects.applied(rates, faces.settings.confidence, faces.settings.minimum_subjects)
    groupings = [g for g in counts if g != EVERYONE]
    found = compute_gaps(rates, groupings, faces.settings, subjects, power=False)
    labels = {f.name: f.label for f in flips}
    rows: dict[str, list[FlipRate]] = {f.name: [] for f in flips}
    gaps: dict[str, list[FlipGap]] = {f.name: [] for f in flips}
    for rate in rates:
        i = list(faces.groups[rate.attribute]).index(rate.group)
        lost, gained = (others[rate.attribute].fraction(_RATE, f"{rate.label}{kind}") for kind in (" lost", " gained"))
        rows[rate.label].append(_row(labels[rate.label], rate, int(lost[0][i]), int(gained[1][i]), int(gained[0][i])))
    standardized = _standardized(faces, source, found)
    for gap in found:
        gaps[gap.label].append(_gap(labels[gap.label], gap, standardized.get((gap.label, gap.attribute))))
    return rows, gaps


def _kinds(flips: _Flips) -> dict[str, tuple[Flags, Flags]]:
    """Faces that may lose or gain an answer, and those that do."""
    return {" lost": (flips.answered, flips.lost), " gained": (~flips.answered, flips.gained)}


def _source(faces: Faces, kinds: Mapping[str, tuple[Flags, Flags]]) -> Source:
    """Samples in which each kind is a label: of the faces of its first flags, those of its second are hits."""
    table = faces.answers[list(faces.columns.values())].assign(status="ok")
    columns = {}
    for i, (possible, occurs) in enumerate(kinds.values()):
        columns[f"truth:{i}"] = pd.Series(possible, table.index).astype("Int8").mask(~possible)
        columns[f"predicted:{i}"] = pd.Series(occurs, table.index).astype("Int8")
    relation = pa.Table.from_pandas(table.join(pd.DataFrame(columns)), preserve_index=False)
    return Source(relation, "multi-label", tuple(kinds), faces.columns)


def _by(source: Source, unit: Integers) -> Source:
    """The same samples with the number of each one's unit."""
    relation: pa.Table = source.relation
    return replace(source, relation=relation.append_column(_UNIT, pa.array(unit)))


def _standardized(faces: Faces, source: Source, gaps: Sequence[Gap]) -> dict[tuple[str, Grouping], StandardizedGap]:
    """The tested gaps between groups with the same mix of strata, by label and grouping."""
    if faces.strata is None:
        return {}
    unit, stratum, subject = faces.strata, np.arange(int(faces.strata.max()) + 1), None
    if faces.subjects is not None:
        pairs, number = np.unique(np.stack([faces.strata, faces.subjects], axis=1), axis=0, return_inverse=True)
        unit, stratum, subject = number.ravel().astype(np.int64), pairs[:, 0], pairs[:, 1]
    strata = Strata(count(_by(source, unit), faces.groups, unit=_UNIT), stratum, subject)
    tested = [g for g in gaps if g.p is not None]
    return {(g.label, g.attribute): g for g in standardized_gaps(tested, strata, faces.settings)}


def _rates(counts: Counts, grouping: Grouping, name: str, settings: MetricSettings) -> Iterator[Rate]:
    hits, trials = counts.fraction(_RATE, name)
    low, high = wilson(hits, trials, settings.confidence)
    for i, group in enumerate(counts.groups):
        k, n = int(hits[i]), int(trials[i])
        status: RateStatus = "ok" if n >= settings.minimum else "small" if n else "not_estimable"
        if not counts.total[i]:
            status = "empty"
        yield Rate(
            label=name,
            attribute=grouping,
            group=group,
            rate=_RATE,
            value=k / n if n else None,
            numerator=k,
            denominator=n,
            low=float(low[i]) if n else None,
            high=float(high[i]) if n else None,
            status=status,
        )


def _row(label: str, rate: Rate, lost: int, unanswered: int, gained: int) -> FlipRate:
    return FlipRate(
        label=label,
        attribute=rate.attribute,
        group=rate.group,
        answered=rate.denominator or 0,
        flips=rate.numerator or 0,
        lost=lost,
        unanswered=unanswered,
        gained=gained,
        rate=rate.value,
        low=rate.low,
        high=rate.high,
        status=rate.status,
        effective_size=rate.effective_size,
    )


def _gap(label: str, gap: Gap, standardized: StandardizedGap | None) -> FlipGap:
    return FlipGap(
        label=label,
        attribute=gap.attribute,
        highest=gap.best,  # of the rate whose place a flip rate takes, the highest is the best
        lowest=gap.worst,
        difference=gap.difference,
        expected_by_chance=gap.expected_by_chance,
        p=gap.p,
        q=gap.q,
        significant=gap.significant,
        borderline=gap.borderline,
        status=gap.status,
        differences=gap.differences,
        groups=gap.groups,
        excluded=gap.excluded,
        standardized=None if standardized is None else standardized.model_copy(update={"label": label, "rate": "flip rate"}),
    )


def _changes(faces: Faces, changed: ChangedAnswers) -> list[Change]:
    """Changes of the rates of every group."""
    counts = PairedCounts.of(
        faces.answers, changed.answers, faces.task, faces.labels, faces.columns, faces.groups, faces.subjects
    )
    rates = [(r, ALL) for r in (ACCURACY[faces.task], "coverage")]
    rates += [(rate, label) for label in faces.labels for rate in ("TPR", "FPR")]
    return [c for grouping in faces.groups for c in changes_of(counts, grouping, rates, faces.settings)]


def _with_q(changes: Sequence[Sequence[Change]]) -> list[list[Change]]:
    """The changes with p-values that are FDR-adjusted over all of them."""
    tested = [p for of_probe in changes for c in of_probe if (p := c.p) is not None]
    adjusted = iter(benjamini_hochberg(tested))
    return [[c if c.p is None else c.model_copy(update={"q": float(next(adjusted))}) for c in of_probe] for of_probe in changes]
