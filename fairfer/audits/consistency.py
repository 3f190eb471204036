"""Whether the numbers of an audit agree with each other.

A checksum shows that a file was edited, not that its numbers were ever right: anybody can compute it anew. Rates follow from
counts, so they are computed again.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from fairfer.errors import RunError
from fairfer.metrics.rate_definitions import LABEL_PROPORTIONS, LABEL_RATES
from fairfer.vocabulary import ALL, EVERYONE, Group, Grouping, group_name, grouping_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairfer.audits.result import Audit
    from fairfer.metrics.results import Rate

_OVERALL = ("accuracy", "subset accuracy", "coverage")
_TOLERANCE = 1e-9
_Key = tuple[Grouping, Group, str, str]


def check_consistent(audit: Audit, where: str) -> None:
    """Refuse an audit whose rates, counts, sizes, confusions or gaps contradict each other.

    Parameters
    ----------
    audit
        The audit, as it was read.
    where
        Its file, for the message.

    Raises
    ------
    RunError
        Naming the first contradiction.
    """
    for problem in _problems(audit):
        message = f"{where} contradicts itself: {problem}; it was edited or damaged, make the audit again"
        raise RunError(message)


def _problems(audit: Audit) -> Iterator[str]:
    yield from _size_problems(audit)
    yield from _count_problems(audit)
    fractions = _fractions(audit)
    for rate in audit.rates:
        key = (rate.attribute, rate.group, rate.label, rate.rate)
        if rate.rate not in (*LABEL_PROPORTIONS, *_OVERALL):
            continue
        if key not in fractions:
            yield f"there is a {_place(rate.label, rate.rate, rate.attribute, rate.group)} without counts"
        elif problem := _rate_problem(rate, fractions[key], audit.plan.minimum):
            yield f"{problem} ({_place(rate.label, rate.rate, rate.attribute, rate.group)})"
    yield from _missing_rates(audit)
    yield from _gap_problems(audit)
    yield from _action_unit_problems(audit)


def _place(label: str, rate: str, grouping: Grouping, group: Group) -> str:
    return f"{rate} of {label} by {grouping_name(grouping)}, {group_name(group)}"


def _fractions(audit: Audit) -> dict[_Key, tuple[int, int]]:
    """Numerator and denominator of every rate, from the counts."""
    fractions = {}
    for count in audit.counts:
        for rate in LABEL_PROPORTIONS:
            above, below = LABEL_RATES[rate]
            fraction = (sum(getattr(count, n) for n in above), sum(getattr(count, n) for n in below))
            fractions[count.attribute, count.group, count.label, rate] = fraction
    for size in audit.sizes:
        for rate in _OVERALL:
            fraction = (size.answered, size.total) if rate == "coverage" else (size.correct, size.judged)
            fractions[size.attribute, size.group, ALL, rate] = fraction
    return fractions


def _rate_problem(rate: Rate, fraction: tuple[int, int], minimum: int) -> str:
    """What contradicts the counts in one rate; empty if nothing does."""
    numerator, denominator = fraction
    if (rate.numerator, rate.denominator) != fraction:
        return f"{rate.numerator} of {rate.denominator} is not {numerator} of {denominator}, as counted"
    expected = numerator / denominator if denominator else None
    if (rate.value is None) != (expected is None) or abs((rate.value or 0.0) - (expected or 0.0)) > _TOLERANCE:
        return f"the value {rate.value} is not {numerator} of {denominator}"
    if rate.effective_size is not None and not 0 < rate.effective_size <= denominator + _TOLERANCE:
        return f"the effective sample size {rate.effective_size:g} is not between 0 and {denominator}"
    if (rate.status == "ok" and denominator < minimum) or (rate.status == "small" and not 0 < denominator < minimum):
        return f"the status {rate.status} does not fit a denominator of {denominator} and a minimum of {minimum}"
    return ""


def _size_problems(audit: Audit) -> Iterator[str]:
    totals: dict[Grouping, int] = defaultdict(int)
    for size in audit.sizes:
        totals[size.attribute] += size.total
        where = f"{grouping_name(size.attribute)}, {group_name(size.group)}"
        if sum(size.statuses.values()) != size.total:
            yield f"the statuses of {where} do not add up to {size.total}"
        if not 0 <= size.correct <= size.judged <= size.total or any(n < 0 for n in size.statuses.values()):
            yield f"the sizes of {where} are impossible"
    if totals[EVERYONE] + audit.labels.excluded != audit.data.samples:
        yield f"{totals[EVERYONE]} samples were audited and {audit.labels.excluded} excluded, of {audit.data.samples}"
    for grouping, total in totals.items():
        if total != totals[EVERYONE]:
            yield f"the groups by {grouping_name(grouping)} have {total} samples, all together {totals[EVERYONE]}"


def _count_problems(audit: Audit) -> Iterator[str]:
    sizes = {(s.attribute, s.group): s for s in audit.sizes}
    hits: dict[tuple[Grouping, Group], int] = defaultdict(int)
    sums: dict[tuple[Grouping, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for count in audit.counts:
        cells = (count.tp, count.fn, count.fp, count.tn)
        key = (count.attribute, count.group)
        hits[key] += count.tp
        sums[count.attribute, count.label] = [a + b for a, b in zip(sums[count.attribute, count.label], cells, strict=True)]
        where = _place(count.label, "counts", count.attribute, count.group)
        if key not in sizes or min(cells) < 0 or sum(cells) > sizes[key].total:
            yield f"the {where} do not fit the size of the group"
        elif audit.task == "single-label" and sum(cells) != sizes[key].judged:
            yield f"the {where} do not add up to {sizes[key].judged}"
    for (grouping, label), cells_of in sums.items():
        if cells_of != sums[EVERYONE, label]:
            yield f"the counts of {label} by {grouping_name(grouping)} do not add up to those of everyone"
    if audit.task == "single-label":
        yield from (
            f"{sizes[key].correct} samples of {group_name(key[1])} are correct, but {n} are true positives"
            for key, n in hits.items()
            if sizes[key].correct != n
        )
        yield from _confusion_problems(audit)


def _confusion_problems(audit: Audit) -> Iterator[str]:
    counts = {(c.attribute, c.group, c.label): c for c in audit.counts}
    support: dict[tuple[Grouping, Group, str], int] = defaultdict(int)
    for row in audit.confusions:
        support[row.attribute, row.group, row.truth] += row.count
        count = counts.get((row.attribute, row.group, row.truth))
        if count is None or (row.truth == row.predicted and row.count != count.tp):
            yield f"the {_place(row.truth, 'confusions', row.attribute, row.group)} contradict the counts"
    for key, n in support.items():
        if key in counts and counts[key].tp + counts[key].fn != n:
            yield f"the {_place(key[2], 'confusions', key[0], key[1])} contradict the counts"


def _missing_rates(audit: Audit) -> Iterator[str]:
    """A group or label whose rates were deleted would not be judged."""
    stored = {(r.attribute, r.group, r.label, r.rate) for r in audit.rates}
    for count in audit.counts:
        for rate in LABEL_PROPORTIONS:
            if (count.attribute, count.group, count.label, rate) not in stored:
                yield f"there is no {_place(count.label, rate, count.attribute, count.group)}"
    groups = {(s.attribute, s.group) for s in audit.sizes}
    for grouping, group in groups:
        for label in audit.labels.audited:
            if (grouping, group, label, "TPR") not in stored:
                yield f"there is no {_place(label, 'TPR', grouping, group)}"
    excluded = sum(u.count for u in audit.unsupported if u.attribute == EVERYONE and u.counted_as is None)
    if audit.task == "single-label" and excluded != audit.labels.excluded and audit.unsupported:
        yield f"{audit.labels.excluded} samples were excluded for their label, but {excluded} are counted"


def _gap_problems(audit: Audit) -> Iterator[str]:
    values = {(r.attribute, r.group, r.label, r.rate): r.value for r in audit.rates}
    for gap in audit.gaps:
        if gap.worst is None or gap.best is None or gap.difference is None:
            continue
        worst, best = (values.get((gap.attribute, g, gap.label, gap.rate)) for g in (gap.worst, gap.best))
        if worst is None or best is None or not math.isclose(gap.difference, abs(best - worst), abs_tol=_TOLERANCE):
            yield f"the gap of {gap.label} {gap.rate} by {grouping_name(gap.attribute)} is not that of its rates"


def _action_unit_problems(audit: Audit) -> Iterator[str]:
    """Shares that do not follow from their counts, and gaps that do not follow from their rates."""
    for share in audit.action_unit_shares:
        present, known = share.present or 0, share.known or 0
        if not present <= known <= share.faces or (share.value is not None and not _equal(share.value, present, known)):
            yield f"{share.unit} of {share.truth} predicted as {share.predicted} does not follow from its counts"
    for gap in audit.pattern_gaps:
        sides = (
            (gap.value, gap.numerator, gap.denominator),
            (gap.reference_value, gap.reference_numerator, gap.reference_denominator),
        )
        if any(value is not None and not _equal(value, above, below) for value, above, below in sides):
            yield f"{gap.outcome} of {gap.label} in pattern {gap.pattern} do not follow from their counts"
    for row in audit.conditioned_gaps:
        if row.value is None or row.rate is None or row.reference_rate is None:
            continue
        if not math.isclose(row.value, row.rate - row.reference_rate, abs_tol=_TOLERANCE):
            yield f"the gap of {row.outcome} of {row.label} at equal action units is not the difference of its rates"


def _equal(value: float, numerator: int, denominator: int) -> bool:
    return denominator > 0 and math.isclose(value, numerator / denominator, abs_tol=_TOLERANCE)
