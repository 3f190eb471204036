"""Results beside rates and gaps: confusion gaps, summary indices, action units, and the analyses that a plan asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fairfer.audits.action_units import action_unit_results
from fairfer.errors import UsageError
from fairfer.metrics.answer_times import answer_times
from fairfer.metrics.confusion_gaps import compute_confusion_gaps
from fairfer.metrics.f1 import compute_f1_gaps, fair_f1
from fairfer.metrics.impact_ratios import compute_impact_ratios
from fairfer.metrics.indices import compute_indices
from fairfer.metrics.interactions import interaction_tests
from fairfer.metrics.pooling import pooled_rates
from fairfer.metrics.regression import Outcomes, gee_differences
from fairfer.vocabulary import EVERYONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.audits.join import JoinedSamples
    from fairfer.metrics.counts import Counts
    from fairfer.metrics.f1 import F1Units
    from fairfer.metrics.option_results import AnswerTime
    from fairfer.metrics.results import Rate, StandardizedGap
    from fairfer.vocabulary import Grouping


def further_results(
    samples: JoinedSamples,
    counts: Mapping[Grouping, Counts],
    rates: Sequence[Rate],
    by_subject: Mapping[Grouping, Counts] | None,
    standardized: Sequence[StandardizedGap],
    times: pd.DataFrame | None,
    f1_units: F1Units,
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
    standardized
        Directly standardized gaps.
    times
        Seconds and images per call by sample, where they were recorded.
    f1_units
        What varies independently, for averaged F1.

    Raises
    ------
    UsageError
        When the plan asks for answer times and there are none.
    """
    plan = samples.design.plan
    settings = plan.metrics
    impact_ratios, impact_indices = compute_impact_ratios(rates, counts, settings, by_subject)
    return {
        "confusion_gaps": compute_confusion_gaps(counts, rates, settings, by_subject),
        "indices": [
            *compute_indices(rates, counts, settings, by_subject),
            *impact_indices,
            *fair_f1(rates, f1_units, settings),
        ],
        "f1_gaps": compute_f1_gaps(rates, f1_units, settings),
        "impact_ratios": impact_ratios,
        "pooled": pooled_rates(rates, settings) if plan.pool else [],
        "interactions": interaction_tests(rates, settings, subjects=bool(plan.subject)) if plan.interaction else [],
        "gee": gee_differences(_outcomes(samples), rates, standardized, settings) if plan.gee else [],
        "answer_times": _answer_times(samples, times) if plan.answer_times else [],
        **action_unit_results(samples, _group_codes(samples)),
    }


def _answer_times(samples: JoinedSamples, times: pd.DataFrame | None) -> list[AnswerTime]:
    if times is None:
        message = (
            "--answer-times: these predictions have no times, because they come from a table or were made without the option; "
            "ask a model with the option, or leave it out"
        )
        raise UsageError(message)
    found = times.reindex(samples.table.index)
    members = {EVERYONE: ([()], np.zeros(len(found), np.int64))} | {
        grouping: (samples.design.groups[grouping], codes) for grouping, codes in _group_codes(samples).items()
    }
    images = found["images"].fillna(0).to_numpy(np.int64)
    return answer_times(found["seconds"].to_numpy(np.float64), images, members, samples.design.plan.confidence)


def _group_codes(samples: JoinedSamples) -> dict[Grouping, NDArray[np.int64]]:
    """For each grouping the number of the group of each sample."""
    design, table = samples.design, samples.table
    codes = {}
    for grouping in design.groupings:
        levels = [table[samples.columns[a]].astype("str") for a in grouping]
        groups = pd.MultiIndex.from_tuples(list(design.groups[grouping]))
        codes[grouping] = groups.get_indexer(pd.MultiIndex.from_arrays(levels)).astype(np.int64)
    return codes


def _outcomes(samples: JoinedSamples) -> Outcomes:
    """The samples as a regression takes them."""
    design, table = samples.design, samples.table
    labels = design.labels.labels
    answered = (table["status"] == "ok").to_numpy(bool)
    truth, correct = None, None
    if design.task == "single-label":
        truth = pd.factorize(table["truth"])[0].astype(np.int64)
        correct = answered & (table["truth"] == table["predicted"]).fillna(value=False).to_numpy(bool)
        has = {label: (table["truth"] == label).to_numpy(bool) for label in labels}
        recognized = dict.fromkeys(labels, correct)
    else:
        has = {label: (table[f"truth:{i}"] == 1).fillna(value=False).to_numpy(bool) for i, label in enumerate(labels)}
        recognized = {
            label: answered & (table[f"predicted:{i}"] == 1).fillna(value=False).to_numpy(bool)
            for i, label in enumerate(labels)
        }
    group = _group_codes(samples)
    mix = design.dataset.samples.loc[table.index, list(design.plan.standardize)]
    # Levels are numbered by their names, so that the order of the samples changes nothing.
    covariates = np.column_stack([pd.factorize(mix[c].astype("str"), sort=True)[0] for c in mix.columns]).astype(np.int64)
    return Outcomes(has, recognized, truth, correct, group, design.groups, covariates, samples.subjects)
