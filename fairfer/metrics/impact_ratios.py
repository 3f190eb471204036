"""Impact ratios as New York City's Local Law 144 has them: selection rates and scoring rates (6 RCNY § 5-301).

The *selection rate* of a group is the share of its faces that are classified as a label. The *scoring rate* is the share whose
score for the label is above the median score of all faces. The *impact ratio* of a group is its rate divided by the highest
rate of any group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from fairfer.metrics.index_results import FairnessIndex, ImpactRatio, ImpactStatus
from fairfer.metrics.indices import RateOfGroups, excluded_group, impact_index
from fairfer.metrics.rates_by_chance import PERMUTATIONS
from fairfer.metrics.subjects import stack
from fairfer.stats import Estimates, estimate_ratio
from fairfer.stats.chance import permuted_rates, permuted_sums
from fairfer.stats.simultaneous import simultaneous_limits
from fairfer.vocabulary import Group, Grouping, is_annotated

if TYPE_CHECKING:
    from fairfer.metrics.counts import BinnedScores, Counts
    from fairfer.metrics.metric_settings import MetricSettings
    from fairfer.metrics.results import Rate
    from fairfer.stats.intervals import Floats

SMALL_SHARE = 0.02
"""Share of the data below which a group may be left out with a justification."""

_PAIR = 2
_SELECTION: Literal["selection rate"] = "selection rate"
_SCORING: Literal["scoring rate"] = "scoring rate"


def compute_impact_ratios(
    rates: Sequence[Rate],
    counts: Mapping[Grouping, Counts],
    settings: MetricSettings,
    subjects: Mapping[Grouping, Counts] | None = None,
) -> tuple[list[ImpactRatio], list[FairnessIndex]]:
    """Impact ratios of all groups, and the impact ratio of the scoring rates as an index.

    Parameters
    ----------
    rates
        All rates of an audit.
    counts
        By grouping, everyone first, one entry per group.
    settings
        Minimum, confidence, permutations and seed.
    subjects
        Counts by subject, where several samples show one.

    Returns
    -------
    rows
        One per label, grouping, group and kind of rate; scoring rates where there are scores.
    indices
        One per label and grouping with scores.
    """
    by_key: dict[tuple[Grouping, str], list[Rate]] = {}
    for rate in rates:
        if rate.rate == _SELECTION:
            by_key.setdefault((rate.attribute, rate.label), []).append(rate)
    everyone = counts[()].histograms
    rows: list[ImpactRatio] = []
    indices: list[FairnessIndex] = []
    for grouping, of_grouping in counts.items():
        for number, label in enumerate(of_grouping.labels) if grouping else ():
            members = by_key[grouping, label]
            rows += _rows(of_grouping, _selection(members), settings)
            if everyone is None or number not in everyone.labels or of_grouping.histograms is None:
                continue
            of_units = None if subjects is None else subjects[grouping].histograms
            scoring = _scoring(members, everyone, of_grouping.histograms, of_units, number, settings)
            if scoring is not None:
                rows += _rows(of_grouping, scoring, settings)
                indices.append(impact_index(_of_groups(scoring, settings), settings))
    return rows, indices


@dataclass(frozen=True)
class _Rates:
    """A rate of all groups.

    Attributes
    ----------
    members
        Rows of the selection rate of the same groups.
    fewest, most
        Rates with the lowest and the highest value that the bins of the scores allow; the same for selection rates.
    hits, trials, binned
        (groups,) numerators, denominators and faces in the median's bin; none for selection rates.
    share
        Share of the faces in the median's bin that is above the median.
    usable
        (groups,) whether a group takes part.
    units
        Per unit: number of its group, hits and trials; ``None`` where every sample is a subject of its own.
    """

    kind: Literal["selection rate", "scoring rate"]
    members: Sequence[Rate]
    fewest: Estimates
    most: Estimates
    hits: Floats
    trials: Floats
    binned: Floats | None
    usable: np.ndarray
    units: tuple[np.ndarray, Floats, Floats] | None = None

    def limits(self, error: float) -> tuple[Floats, Floats]:
        """Simultaneous limits of the groups that take part."""
        index = np.flatnonzero(self.usable)
        low, _ = simultaneous_limits(self.fewest.of_groups(index), error)
        _, high = simultaneous_limits(self.most.of_groups(index), error)
        return low, high


def _selection(members: Sequence[Rate]) -> _Rates:
    estimates = stack([_estimate(m) for m in members])
    hits, trials = (np.array([getattr(m, n) or 0 for m in members], float) for n in ("numerator", "denominator"))
    usable = np.array([m.status == "ok" and is_annotated(m.group) for m in members], bool)
    return _Rates(_SELECTION, members, estimates, estimates, hits, trials, None, usable)


def _estimate(rate: Rate) -> Estimates:
    size = float(rate.denominator or 0) if rate.effective_size is None else rate.effective_size
    degrees = np.inf if rate.degrees_of_freedom is None else rate.degrees_of_freedom
    value = np.nan if rate.value is None else rate.value
    return Estimates(np.array(value), np.array(size), np.array(degrees))


def _scoring(
    members: Sequence[Rate],
    everyone: BinnedScores,
    histograms: BinnedScores,
    units: BinnedScores | None,
    label: int,
    settings: MetricSettings,
) -> _Rates | None:
    """Scoring rates; ``None`` when no face has a score."""
    median = _median(everyone, label)
    if median is None:
        return None
    middle, share = median
    above, binned, trials = _against_median(histograms, label, middle, len(members))
    hits = above + share * binned
    enough = trials >= settings.minimum
    usable = np.array([m.status == "ok" and is_annotated(m.group) for m in members], bool) & enough
    if units is None:
        fewest, most = (Estimates.of_counts(k, trials) for k in (above, above + binned))
        return _Rates(_SCORING, members, fewest, most, hits, trials, binned, usable)
    fewest, most = (_by_subject(units, label, middle, len(members), part) for part in (0.0, 1.0))
    of_units = _of_units(units, label, middle, share)[1:]
    return _Rates(_SCORING, members, fewest, most, hits, trials, binned, usable, of_units)


def _median(everyone: BinnedScores, label: int) -> tuple[int, float] | None:
    """Bin of the median score of all faces, and the share of the faces in it that is above the median."""
    used = everyone.label == label
    size = (everyone.positives + everyone.negatives)[used]
    if not size.sum():
        return None
    per_bin = np.bincount(everyone.bin[used], size)
    half = size.sum() / 2
    middle = int(np.searchsorted(np.cumsum(per_bin), half))
    above = per_bin[middle + 1 :].sum()
    return middle, float(min(max((half - above) / per_bin[middle], 0.0), 1.0))


def _against_median(histograms: BinnedScores, label: int, middle: int, groups: int) -> tuple[Floats, Floats, Floats]:
    """(groups,) faces above the median's bin, in it, and in all."""
    used = histograms.label == label
    size = (histograms.positives + histograms.negatives)[used].astype(float)
    group, number = histograms.group[used], histograms.bin[used]
    parts = (size * (number > middle), size * (number == middle), size)
    above, binned, trials = (np.bincount(group, part, groups).astype(np.float64) for part in parts)
    return above, binned, trials


def _of_units(units: BinnedScores, label: int, middle: int, share: float) -> tuple[np.ndarray, np.ndarray, Floats, Floats]:
    """Subject, group, faces above the median and all faces of each subject in each group."""
    used = units.label == label
    size = (units.positives + units.negatives)[used].astype(float)
    weight = np.where(units.bin[used] > middle, 1.0, np.where(units.bin[used] == middle, share, 0.0))
    pairs, row = np.unique(np.stack([units.unit[used], units.group[used]], axis=1), axis=0, return_inverse=True)
    hits, trials = (np.bincount(row.ravel(), x, len(pairs)).astype(np.float64) for x in (size * weight, size))
    return pairs[:, 0], pairs[:, 1], hits, trials


def _by_subject(units: BinnedScores, label: int, middle: int, groups: int, share: float) -> Estimates:
    subject, group, hits, trials = _of_units(units, label, middle, share)
    return stack(
        [
            estimate_ratio(hits[group == g], trials[group == g], subject[group == g], float(trials[group == g].sum()))
            for g in range(groups)
        ]
    )


def _of_groups(rates: _Rates, settings: MetricSettings) -> RateOfGroups:
    """Scoring rates as an index takes them."""
    index = np.flatnonzero(rates.usable)
    first = rates.members[0]
    groups = [m.group for m, use in zip(rates.members, rates.usable, strict=True) if use]
    hits, trials = rates.hits[index], rates.trials[index]
    return RateOfGroups(
        first.attribute,
        first.label,
        rates.kind,
        groups,
        [excluded_group(m) for m, use in zip(rates.members, rates.usable, strict=True) if not use],
        hits / trials,
        rates.limits,
        trials,
        _by_chance(rates, index, settings) if len(groups) >= _PAIR else np.empty((0, len(groups))),
    )


def _by_chance(rates: _Rates, index: np.ndarray, settings: MetricSettings) -> Floats:
    """(permutations, groups) scoring rates under random reassignment."""
    first = rates.members[0]
    generator = settings.stream(first.attribute, first.label, rates.kind, "indices")
    permutations = min(settings.permutations, PERMUTATIONS)
    if rates.units is None:
        return permuted_rates(np.rint(rates.hits[index]), rates.trials[index], permutations, generator)
    group, hits, trials = rates.units
    number = np.full(len(rates.members), -1)
    number[index] = np.arange(len(index))
    used = number[group] >= 0
    sums = permuted_sums(number[group[used]], np.stack([hits[used], trials[used]], axis=1), len(index), generator, permutations)
    rates_by_chance: Floats = np.divide(sums[..., 0], sums[..., 1], out=np.full(sums.shape[:2], np.nan), where=sums[..., 1] > 0)
    return rates_by_chance


def _rows(counts: Counts, rates: _Rates, settings: MetricSettings) -> list[ImpactRatio]:
    """One row per group."""
    annotated = np.array([is_annotated(m.group) for m in rates.members], bool)
    of_annotated = int(counts.total[annotated].sum())
    low, _ = rates.fewest.limits(settings.tail)
    _, high = rates.most.limits(settings.tail)
    ratios = _ratios(rates, settings)
    rows = []
    for i, member in enumerate(rates.members):
        total, value = int(counts.total[i]), rates.hits[i] / rates.trials[i] if rates.trials[i] else None
        share = total / of_annotated if of_annotated and annotated[i] else None
        ratio, ratio_low, ratio_high = ratios.get(member.group, (None, None, None))
        rows.append(
            ImpactRatio(
                label=member.label,
                attribute=member.attribute,
                group=member.group,
                rate=rates.kind,
                samples=total,
                share=share,
                below_2_percent=share is not None and share < SMALL_SHARE,
                median_bin=None if rates.binned is None else int(rates.binned[i]),
                value=value,
                low=None if value is None else float(low[i]),
                high=None if value is None else float(high[i]),
                impact_ratio=ratio,
                ratio_low=ratio_low,
                ratio_high=ratio_high,
                status=_status(rates, i, ratio),
            )
        )
    return rows


def _status(rates: _Rates, group: int, ratio: float | None) -> ImpactStatus:
    if not is_annotated(rates.members[group].group):
        return "unannotated"
    if not rates.trials[group]:
        return "not_estimable"
    if not rates.usable[group]:
        return "small"
    return "no_comparison" if ratio is None else "ok"


def _ratios(rates: _Rates, settings: MetricSettings) -> dict[Group, tuple[float, float, float]]:
    """Impact ratio of each group that takes part, with simultaneous limits; empty when there is none."""
    index = np.flatnonzero(rates.usable)
    if len(index) < _PAIR:
        return {}
    value = rates.hits[index] / rates.trials[index]
    if value.max() <= 0:
        return {}
    low, high = rates.limits((1 - settings.confidence) / len(index))
    found = {}
    groups = [m.group for m, use in zip(rates.members, rates.usable, strict=True) if use]
    for i, group in enumerate(groups):
        others = np.arange(len(index)) != i
        # Smallest: this group as low, another as high as can be. Largest: the reverse, at most 1 for the highest group.
        ratio_low = float(low[i] / max(low[i], high[others].max()))
        ratio_high = float(high[i] / max(high[i], low[others].max()))
        ratio = float(value[i] / value.max())
        found[group] = (ratio, min(ratio_low, ratio), max(ratio_high, ratio))
    return found
