"""Rates of groups under random reassignment: the values of a summary index that are expected by chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairfer.stats.chance import permuted_rates, permuted_sums
from fairfer.vocabulary import Group, Grouping, is_annotated

if TYPE_CHECKING:
    from fairfer.metrics.counts import Counts
    from fairfer.metrics.metric_settings import MetricSettings
    from fairfer.metrics.results import Rate
    from fairfer.stats.intervals import Floats

PERMUTATIONS = 2000
"""Largest number of permutations: enough for a median and a 95th percentile."""


@dataclass(frozen=True)
class RatesByChance:
    """Rates of the groups of one grouping after random reassignment of samples, or of subjects where given.

    Attributes
    ----------
    grouping, settings
        Of the audit; the settings name the random streams.
    groups
        All groups.
    by_subject
        (permutations, groups) of each rate and label; ``None`` where every sample is a subject of its own.
    """

    grouping: Grouping
    settings: MetricSettings
    groups: tuple[Group, ...]
    by_subject: Mapping[tuple[str, str], Floats] | None = None

    @classmethod
    def of(
        cls, counts: Counts, settings: MetricSettings, subjects: Counts | None, names: Sequence[tuple[str, str]]
    ) -> RatesByChance:
        """Prepare the rates and labels `names`.

        Subjects are reassigned with all of their samples, in all rates and labels at once, among the annotated groups.
        """
        if subjects is None:
            return cls(counts.grouping, settings, counts.groups)
        annotated = np.array([is_annotated(g) for g in counts.groups], bool)
        used = annotated[subjects.group]
        parts = [part[used] for rate, label in names for part in subjects.fraction(rate, label)]
        sums = permuted_sums(
            subjects.group[used],
            np.stack(parts, axis=1),
            len(counts.groups),
            settings.stream(counts.grouping, "indices"),
            min(settings.permutations, PERMUTATIONS),
        )
        hits, trials = sums[..., ::2], sums[..., 1::2]
        rates = np.divide(hits, trials, out=np.full(hits.shape, np.nan), where=trials > 0)
        return cls(counts.grouping, settings, counts.groups, {name: rates[..., i] for i, name in enumerate(names)})

    def of_rates(self, rates: Sequence[Rate]) -> Floats:
        """(permutations, groups) of one rate of some of the groups."""
        first = rates[0]
        if self.by_subject is not None:
            return self.by_subject[first.rate, first.label][:, [self.groups.index(r.group) for r in rates]]
        hits, trials = (np.array([getattr(r, n) for r in rates], np.int64) for n in ("numerator", "denominator"))
        generator = self.settings.stream(self.grouping, first.label, first.rate, "indices")
        return permuted_rates(hits, trials, min(self.settings.permutations, PERMUTATIONS), generator)


def by_chance(values: Floats, confidence: float, *, lower_is_unequal: bool) -> tuple[float | None, float | None]:
    """Median of an index under random reassignment, and the value that it exceeds with one minus the confidence.

    Parameters
    ----------
    values
        (permutations,) values; NaN where the index is not defined.
    confidence
        Confidence of the audit.
    lower_is_unequal
        Whether a lower value of the index means less equality; it then is the value that the index falls below.
    """
    defined = values[~np.isnan(values)]
    if 2 * len(defined) < len(values):
        return None, None
    limit = np.quantile(defined, 1 - confidence if lower_is_unequal else confidence, method="inverted_cdf")
    median = np.quantile(defined, 0.5, method="inverted_cdf")
    return _finite(float(median)), _finite(float(limit))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
