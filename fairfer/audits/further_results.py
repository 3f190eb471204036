"""Results beside rates and gaps: confusion gaps, summary indices, and the analyses that a plan asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fairfer.metrics.confusion_gaps import compute_confusion_gaps
from fairfer.metrics.impact_ratios import compute_impact_ratios
from fairfer.metrics.indices import compute_indices

if TYPE_CHECKING:
    from fairfer.audits.join import JoinedSamples
    from fairfer.metrics.counts import Counts
    from fairfer.metrics.results import Rate
    from fairfer.vocabulary import Grouping


def further_results(
    samples: JoinedSamples,
    counts: Mapping[Grouping, Counts],
    rates: Sequence[Rate],
    by_subject: Mapping[Grouping, Counts] | None,
) -> dict[str, Any]:
    """Fields of `fairfer.audits.result.Audit`.

    Parameters
    ----------
    samples
        Samples of the audit.
    counts, rates
        Counted from them, everyone first.
    by_subject
        Counts by subject, where several samples show one.
    """
    settings = samples.design.plan.metrics
    impact_ratios, impact_indices = compute_impact_ratios(rates, counts, settings, by_subject)
    return {
        "confusion_gaps": compute_confusion_gaps(counts, rates, settings, by_subject),
        "indices": [*compute_indices(rates, counts, settings, by_subject), *impact_indices],
        "impact_ratios": impact_ratios,
    }
