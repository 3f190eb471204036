"""Which groups differ: true hypotheses beside false ones, power beside small groups, and bounds of selected differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from rows import Row, at_least, at_most, share, sizes_name, stream
from subjects import subject_rates

from fairfer.metrics.gaps import compute_gaps
from fairfer.metrics.metric_settings import MetricSettings
from fairfer.metrics.results import Gap, Rate
from fairfer.stats import PermutationTest, SampleTest, SubjectTest, resolve

NULL_PAIR = "groups with the same rate are reported as different in at most 5 %, whatever other groups do"
NULL_SUBJECTS = "the same, of groups of subjects"
POWER = "a difference of 0.10 between two groups of 1000 is significant beside small groups"
NAMED = "the named difference exists and has this direction in 99 % of findings"
ONE_GROUP = "one group that differs from 13 others is significant"
COVERED = "bounds of significant differences exclude the true value in at most 5 % of findings, on average"
NULL_BOUND = "an audit without any difference has a bound that excludes 0 in at most 5 %"

PARTIAL = (
    ((30, 1000, 1000), (0.95, 0.95, 0.6)),
    ((25, 1000, 1000), (0.98, 0.98, 0.6)),
    ((25, 25, 1000), (0.6, 0.6, 0.98)),
    ((25, 25, 3000), (0.95, 0.95, 0.5)),
    ((50, 50, 200, 200), (0.9, 0.9, 0.6, 0.6)),
    ((20, 20, 20, 2000), (0.5, 0.5, 0.5, 0.95)),
    ((100, 100, 100), (0.99, 0.99, 0.8)),
    ((20, 40, 80, 160, 20, 40, 80, 160), (0.9, 0.9, 0.9, 0.9, 0.7, 0.7, 0.7, 0.7)),
)
SUBJECT_SHAPES = (
    (((20, 5), (20, 5), (60, 10)), (0.9, 0.9, 0.6)),
    (((10, 10), (100, 10), (100, 10)), (0.95, 0.95, 0.6)),
    (((10, 20), (10, 20), (100, 5)), (0.6, 0.6, 0.95)),
)
"""Subjects and samples of each, and rates, by group."""

PERMUTATIONS, MAXIMUM = 399, 4000
"""Fewer than in an audit, so that there can be more repetitions; errors are the same."""


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Partial null hypotheses, power, and bounds."""
    repetitions = 60 if short else 1500
    for sizes, rates in PARTIAL:
        setting = f"{sizes_name(sizes)}, rates {', '.join(f'{r:g}' for r in rates)}"
        generator = stream(seed, "partial", setting)
        rejected = np.array([_null_rejected(_sample_test(sizes, rates, generator), rates) for _ in range(repetitions)])
        yield at_most(NULL_PAIR, f"{len(sizes)} groups", setting, *share(rejected))
    for shape, rates in SUBJECT_SHAPES:
        for correlation in (0.0, 0.2, 0.5):
            name = " vs. ".join(f"{subjects} subjects x {samples}" for subjects, samples in shape)
            setting = f"{name}, rates {', '.join(f'{r:g}' for r in rates)}, correlation {correlation:g}"
            generator = stream(seed, "partial", setting)
            rejected = np.array(
                [
                    _null_rejected(_subject_test(shape, rates, correlation, generator), rates)
                    for _ in range(20 if short else 500)
                ]
            )
            yield at_most(NULL_SUBJECTS, f"{len(shape)} groups", setting, *share(rejected))
    yield from _planted(seed, 60 if short else 600)
    yield from _bounds(seed, 8 if short else 120)


def _sample_test(sizes: Sequence[int], rates: Sequence[float], generator: np.random.Generator) -> SampleTest:
    return SampleTest(generator.binomial(sizes, rates), sizes, generator)


def _subject_test(
    shape: Sequence[tuple[int, int]], rates: Sequence[float], correlation: float, generator: np.random.Generator
) -> SubjectTest:
    subjects = [n for n, _ in shape]
    group = np.repeat(np.arange(len(shape)), subjects)
    trials = np.repeat([n for _, n in shape], subjects)
    own = np.concatenate([subject_rates(r, correlation, n, generator) for r, n in zip(rates, subjects, strict=True)])
    return SubjectTest(group, np.arange(len(group)), generator.binomial(trials, own), trials, generator)


def _null_rejected(test: PermutationTest, rates: Sequence[float]) -> bool:
    """Whether a pair of groups with the same rate is reported as different."""
    [resolved] = resolve([test], permutations=PERMUTATIONS, maximum=MAXIMUM)
    pairs = [
        rates[one] == rates[other]
        for one, other in zip(test.comparisons.one, test.comparisons.other, strict=True)
        if other < len(rates)
    ]
    return bool(resolved.significant_comparisons[: len(pairs)][pairs].any())


def _planted(seed: int, repetitions: int) -> Iterator[Row]:
    sizes, rates = (1000, 1000, 25, 25), (0.85, 0.75, 0.8, 0.8)
    setting = f"{sizes_name(sizes)}, rates {', '.join(f'{r:g}' for r in rates)}"
    generator = stream(seed, "planted", setting)
    gaps = [_audit([(sizes, rates)], generator)[0] for _ in range(repetitions)]
    significant = np.array([g.significant for g in gaps])
    yield at_least(POWER, "beside small groups", setting, 0.95, *share(significant))
    right = np.array([_is_right(g, sizes, rates) for g in gaps if g.significant])
    yield at_least(NAMED, "beside small groups", setting, 0.99, *share(right))
    sizes, rates = (278,) * 14, (0.58, *(0.73,) * 13)
    setting = "278 at 0.58, 13 x 278 at 0.73, one of 41 tests"
    generator = stream(seed, "planted", setting)
    # Alone among 41 tests, a p-value below 0.05 / 41 is significant.
    found = [
        resolve([_sample_test(sizes, rates, generator)], permutations=PERMUTATIONS, level=0.05 / 41, maximum=40_000)[
            0
        ].significant
        for _ in range(max(repetitions // 10, 20))
    ]
    yield at_least(ONE_GROUP, "14 groups", setting, 0.7, *share(np.array(found)))


def _is_right(gap: Gap, sizes: Sequence[int], rates: Sequence[float]) -> bool:
    leading = gap.leading
    return leading is not None and leading.difference * _true_difference(gap, sizes, rates) > 0


def _true_difference(gap: Gap, sizes: Sequence[int], rates: Sequence[float]) -> float:
    """Of the two sides of the leading difference."""
    leading = gap.leading
    if leading is None:
        return 0.0
    one = int(leading.group[0])
    others = [i for i in range(len(sizes)) if i != one] if leading.reference is None else [int(leading.reference[0])]
    rest = sum(sizes[i] * rates[i] for i in others) / sum(sizes[i] for i in others)
    return float(rates[one] - rest)


def _audit(groups: Sequence[tuple[Sequence[int], Sequence[float]]], generator: np.random.Generator) -> list[Gap]:
    """Gaps of an audit with one grouping per entry."""
    rates, groupings = [], []
    for i, (sizes, truth) in enumerate(groups):
        groupings.append((f"attribute {i}",))
        for g, (n, k) in enumerate(zip(sizes, generator.binomial(sizes, truth), strict=True)):
            rates.append(
                Rate(
                    label="happiness", attribute=groupings[-1], group=(str(g),), rate="TPR", value=k / n, numerator=int(k),
                    denominator=int(n), low=None, high=None, status="ok",
                )
            )  # fmt: skip
    settings = MetricSettings(20, 0.95, 1999, int(generator.integers(2**31)))
    return compute_gaps(rates, groupings, settings, power=False)


def _bounds(seed: int, repetitions: int) -> Iterator[Row]:
    """Audits of 20 gaps: none real, or some with small, medium and large differences."""
    sizes = ((200, 200), (60, 300), (100, 100, 400), (50, 80, 200, 300))
    null = [(s, (0.8,) * len(s)) for s in sizes] * 5
    for name, shifts in (("4 of 20 differ", (0.12, 0.2)), ("12 of 20 differ", (0.05, 0.1, 0.2))):
        generator = stream(seed, "bounds", name)
        number = int(name.split()[0])
        entries = [(s, (0.8 - shifts[i % len(shifts)], *r[1:])) if i < number else (s, r) for i, (s, r) in enumerate(null)]
        shares = []
        for _ in range(repetitions):
            gaps = _audit(entries, generator)
            wrong = [
                not (leading.low or 0) <= _true_difference(g, s, r) <= (leading.high or 0)
                for g, (s, r) in zip(gaps, entries, strict=True)
                if g.significant and (leading := g.leading) is not None
            ]
            shares.append(np.mean(wrong) if wrong else 0.0)
        error = float(np.std(shares) / np.sqrt(len(shares)))
        yield at_most(COVERED, "20 gaps", name, float(np.mean(shares)), max(error, 0.5 / repetitions), repetitions)
    generator = stream(seed, "bounds", "none")
    found = np.array([any(g.significant for g in _audit(null, generator)) for _ in range(repetitions)])
    yield at_most(NULL_BOUND, "20 gaps", "no group differs", *share(found))
