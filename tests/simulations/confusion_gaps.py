"""Confusion gaps: false alarms of a random attribute, by the decision that the report shows, and a planted gap."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rows import Row, about, at_most, share, stream
from subjects import subject_rates

from fairfer.stats import benjamini_hochberg
from fairfer.stats.groups_vs_rest import groups_vs_rest, subjects_vs_rest

FALSE = "confusions of a random attribute: some q < 0.05 in at most 5 % of audits"
SUBJECTS = "confusions of a random attribute of subjects: some p < 0.05 of a confusion in at most 5 %"
FOUND = "confusions: a planted ratio of 3 is found, and names the group, in at least 75 %"
CONFUSIONS = np.array([0.12, 0.06, 0.03, 0.02, 0.01, 0.005])
"""Rates at which a label is predicted as each of six others."""

SIZES = ((150, 150), (20, 400), (30, 60, 120, 600))


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Seven labels of one grouping each, then subjects."""
    for sizes in SIZES:
        name = " vs. ".join(map(str, sizes))
        generator = stream(seed, "confusions", name)
        alarms = np.array([min(_q_values(sizes, CONFUSIONS, generator)[0]) < 0.05 for _ in range(100 if short else 3000)])
        yield at_most(FALSE, "7 labels", f"{name} faces of each label", *share(alarms))
    generator = stream(seed, "confusions planted")
    found = np.array([_planted((300, 300, 600), generator) for _ in range(60 if short else 1500)])
    yield about(FOUND, "7 labels", "300 vs. 300 vs. 600 faces of each label, 0.12 vs. 0.36", *share(found))
    for correlation in (0.1, 0.4):
        for shape in (((20, 5), (20, 5)), ((12, 3), (60, 12)), ((12, 20), (12, 2), (40, 5)), ((12, 12), (60, 3))):
            name = " vs. ".join(f"{s} subjects x {n}" for s, n in shape)
            generator = stream(seed, "confusions of subjects", name, correlation)
            significant = np.array([_subjects(shape, correlation, generator) for _ in range(40 if short else 2000)])
            yield at_most(SUBJECTS, name, f"{name}, correlation {correlation:g}", *share(significant))


def _q_values(sizes: tuple[int, ...], rates: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, list[int]]:
    """q-values of all confusions of seven labels, and the group that each names."""
    p, named = [1.0], [-1]
    for _ in range(7):
        table = np.stack([generator.multinomial(n, [*rates, 1 - rates.sum()])[:-1] for n in sizes])
        for hits in table.T:
            test = groups_vs_rest(hits, sizes)
            if test.least_p <= 0.05:
                p.append(test.p)
                named.append(int(np.argmax(np.abs(test.statistic))))
    return benjamini_hochberg(p[1:] or p), named[1:] or named


def _planted(sizes: tuple[int, ...], generator: np.random.Generator) -> bool:
    """Whether the first confusion, three times as frequent in the first group, is found among those of seven labels."""
    rates = CONFUSIONS
    hits = generator.binomial(sizes, [3 * rates[0], *[rates[0]] * (len(sizes) - 1)])
    test = groups_vs_rest(hits, sizes)
    others, _ = _q_values(sizes, rates, generator)
    # The family has as many more tests, whose p-values are at least as large as their q-values times rank / number.
    q = float(benjamini_hochberg([test.p, *np.maximum(others, 1e-9)])[0])
    return q < 0.05 and int(np.argmax(np.abs(test.statistic))) == 0


def _subjects(shape: tuple[tuple[int, int], ...], correlation: float, generator: np.random.Generator) -> bool:
    group = np.repeat(np.arange(len(shape)), [s for s, _ in shape])
    trials = np.repeat([n for _, n in shape], [s for s, _ in shape])
    hits = generator.binomial(trials, subject_rates(0.2, correlation, len(group), generator))
    return subjects_vs_rest(group, hits[:, None], trials, permutations=199, generator=generator)[0].p <= 0.05
