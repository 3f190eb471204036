"""Interaction of two attributes: whether rates by gender and race differ from what gender and race add up to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fairfer.metrics.option_results import Interaction, InteractionStatus
from fairfer.stats import benjamini_hochberg
from fairfer.stats.additivity import additivity_test
from fairfer.vocabulary import Grouping, is_annotated

if TYPE_CHECKING:
    from fairfer.metrics.metric_settings import MetricSettings
    from fairfer.metrics.results import Rate

TESTED_RATES = ("TPR", "FPR", "accuracy", "subset accuracy")
_TWO = 2


def interaction_tests(rates: Sequence[Rate], settings: MetricSettings, *, subjects: bool) -> list[Interaction]:
    """Test of additivity for TPR, FPR and accuracy over every grouping of two attributes.

    Parameters
    ----------
    rates
        All rates of an audit. Every annotated group with a denominator takes part: the test is exact in small cells.
    settings
        Largest number of random tables, and seed.
    subjects
        Whether several samples show one subject; the test is then not available, because its cells are not binomial.

    Returns
    -------
    list of Interaction
        With p-values adjusted over all of them.
    """
    members: dict[tuple[Grouping, str, str], list[Rate]] = {}
    for rate in rates:
        if len(rate.attribute) == _TWO and rate.rate in TESTED_RATES:
            members.setdefault((rate.attribute, rate.label, rate.rate), []).append(rate)
    rows = [_tested(of_key, settings, subjects=subjects) for of_key in members.values()]
    tested = [i for i, r in enumerate(rows) if r.p is not None]
    adjusted = benjamini_hochberg([r.p for r in rows if r.p is not None])
    for i, q in zip(tested, adjusted, strict=True):
        rows[i] = rows[i].model_copy(update={"q": float(q)})
    return rows


def _tested(members: Sequence[Rate], settings: MetricSettings, *, subjects: bool) -> Interaction:
    first = members[0]
    if subjects:
        return _none(first, "subjects")
    usable = [m for m in members if m.denominator and is_annotated(m.group)]
    hits, trials = (np.array([getattr(m, n) for m in usable], np.int64) for n in ("numerator", "denominator"))
    one, other = (np.unique([m.group[i] for m in usable], return_inverse=True)[1] for i in range(_TWO))
    if usable and not 0 < hits.sum() < trials.sum():
        return _none(first, "no_variation")
    generator = settings.stream(first.attribute, first.label, first.rate, "interaction")
    test = (
        additivity_test(one, other, hits, trials, permutations=settings.permutations, generator=generator) if usable else None
    )
    if test is None:
        return _none(first, "too_few_groups")
    most = int(np.argmax(np.abs(test.residual)))
    return Interaction(
        label=first.label,
        attribute=first.attribute,
        rate=first.rate,
        group=usable[most].group,
        value=float(hits[most] / trials[most]),
        additive=float(test.fitted[most]),
        statistic=test.statistic,
        degrees_of_freedom=test.degrees_of_freedom,
        p=test.p,
        q=None,
        status="ok",
    )


def _none(first: Rate, status: InteractionStatus) -> Interaction:
    return Interaction(
        label=first.label,
        attribute=first.attribute,
        rate=first.rate,
        group=None,
        value=None,
        additive=None,
        statistic=None,
        degrees_of_freedom=None,
        p=None,
        q=None,
        status=status,
    )
