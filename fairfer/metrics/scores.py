"""Score-based metrics of every label and group of an audit, from the score histograms of its counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairfer.metrics.results import ReliabilityBin, ScoreHistogram, ScoreMetric
from fairfer.metrics.score_metrics import ScoreCounts, rates_at_threshold, reliability_rows, score_rows
from fairfer.vocabulary import group_name, grouping_name

if TYPE_CHECKING:
    from fairfer.metrics.counts import BinnedScores, Counts
    from fairfer.metrics.metric_settings import MetricSettings
    from fairfer.vocabulary import Group, Grouping


_HISTOGRAM = ("bins", "positives", "negatives")


@dataclass(frozen=True)
class ScoreRows:
    """Rows about the scores of an audit; all empty where there are none."""

    histograms: list[ScoreHistogram] = field(default_factory=list)
    metrics: list[ScoreMetric] = field(default_factory=list)
    reliability: list[ReliabilityBin] = field(default_factory=list)


def compute_scores(
    counts: Mapping[Grouping, Counts], settings: MetricSettings, subjects: Mapping[Grouping, Counts] | None = None
) -> ScoreRows:
    """Histograms, metrics and reliability curves.

    Parameters
    ----------
    counts
        By grouping, with histograms.
    settings
        Minimum of positives and of negatives, confidence, seed.
    subjects
        Counts by subject, with histograms, where several samples show one: intervals are then those of subjects.
    """
    scores = ScoreRows()
    for grouping, of_grouping in counts.items():
        if of_grouping.histograms is None:
            continue
        binned = of_grouping.histograms
        pairs = _pairs(of_grouping, binned)
        clustered = None if subjects is None else subjects[grouping].histograms
        histograms = _score_counts(clustered or binned, len(of_grouping.groups), len(pairs), by_subject=clustered is not None)
        scores.histograms.extend(_rows(binned, pairs, len(of_grouping.groups)))
        scores.metrics.extend(
            score_rows(
                pairs,
                histograms,
                minimum=settings.minimum,
                generator=settings.stream(grouping, "scores"),
                scale=binned.scale,
                confidence=settings.confidence,
            )
        )
        if binned.scale == "probability":
            scores.reliability.extend(reliability_rows(pairs, histograms, settings.confidence))
    return scores


def _pairs(counts: Counts, binned: BinnedScores) -> list[tuple[str, Grouping, Group]]:
    """Every label with scores, in every group."""
    return [(counts.labels[i], counts.grouping, group) for i in binned.labels for group in counts.groups]


def _pair_number(binned: BinnedScores, groups: int) -> np.ndarray:
    position = {label: i for i, label in enumerate(binned.labels)}
    number: np.ndarray = np.array([position[i] for i in binned.label], np.int64) * groups + binned.group
    return number


def _score_counts(binned: BinnedScores, groups: int, pairs: int, *, by_subject: bool) -> ScoreCounts:
    return ScoreCounts.from_entries(
        _pair_number(binned, groups),
        binned.bin,
        binned.positives,
        binned.negatives,
        pairs=pairs,
        subject=binned.unit if by_subject else None,
    )


def _rows(binned: BinnedScores, pairs: list[tuple[str, Grouping, Group]], groups: int) -> list[ScoreHistogram]:
    number = _pair_number(binned, groups)
    order = np.lexsort((binned.bin, number))
    starts = np.searchsorted(number[order], np.arange(len(pairs) + 1))
    rows = []
    for (label, grouping, group), start, stop in zip(pairs, starts, starts[1:], strict=False):
        chosen = order[start:stop]
        rows.append(
            ScoreHistogram(
                attribute=grouping,
                group=group,
                label=label,
                bins=binned.bin[chosen].tolist(),
                positives=binned.positives[chosen].tolist(),
                negatives=binned.negatives[chosen].tolist(),
            )
        )
    return rows


def threshold_rates(histograms: Sequence[ScoreHistogram], threshold: float, confidence: float) -> pd.DataFrame:
    """TPR and FPR at a threshold, one row per rate and group.

    Parameters
    ----------
    histograms
        Of one label.
    threshold
        Scores from it on are positive.
    confidence
        Confidence of Wilson's interval.

    Returns
    -------
    DataFrame
        ``label, attribute, group, threshold, rate, value, low, high, error``; `error` bounds the effect of binning. Groupings
        and groups are written as text.
    """
    number = np.concatenate([np.full(len(h.bins), i, np.int64) for i, h in enumerate(histograms)])
    columns = (np.concatenate([np.asarray(getattr(h, name), np.int64) for h in histograms]) for name in _HISTOGRAM)
    counts = ScoreCounts.from_entries(number, *columns, pairs=len(histograms))
    rows = []
    for rate, estimates in zip(("TPR", "FPR"), rates_at_threshold(counts, threshold, confidence), strict=True):
        for i, histogram in enumerate(histograms):
            rows.append(
                {
                    "label": histogram.label,
                    "attribute": grouping_name(histogram.attribute),
                    "group": group_name(histogram.group),
                    "threshold": threshold,
                    "rate": rate,
                    "value": estimates.value[i],
                    "low": estimates.low[i],
                    "high": estimates.high[i],
                    "error": estimates.error[i],
                }
            )
    return pd.DataFrame(rows)
