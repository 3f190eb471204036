"""Coverage of intervals, by enumeration of all outcomes: without Monte-Carlo error."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rows import Row, covered_share, share, shown, sizes_name, stream
from scipy import stats

from fairfer.stats import newcombe, wilson

RATES = (0.02, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.98)
SIZES = (20, 50, 100, 200, 500, 1000, 2000)
GRID = np.arange(2, 99) / 100
WILSON = "Wilson: the 95 % interval of a rate covers it"
WILSON_MEAN = "Wilson, mean over rates 0.02 to 0.98"
NEWCOMBE = "Newcombe: the 95 % interval of a difference covers it"
NEWCOMBE_MEAN = "Newcombe, mean over rates 0.02 to 0.98"
PAIRS = ((20, 20), (20, 200), (20, 1000), (50, 50), (100, 100), (200, 200), (500, 500), (1000, 1000))
HIGHER = (0.5, 0.8, 0.95, 0.98)


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Wilson, Newcombe and, for comparison, bootstraps."""
    for n in SIZES:
        yield covered_share(WILSON_MEAN, "n = 20 to 2000", f"n={n}", float(wilson_coverage(n, GRID).mean()))
        for rate, found in zip(RATES, wilson_coverage(n, np.array(RATES)), strict=True):
            yield covered_share(WILSON, f"n = {n}, single rates", f"n={n}, rate {rate:g}", float(found))
    for one, other in [p for p in PAIRS if not short or max(p) <= 200]:
        yield from _newcombe(one, other)
    yield from _bootstraps(seed, short=short)


def wilson_coverage(n: int, rates: np.ndarray) -> np.ndarray:
    """(rates,) exact coverage."""
    k = np.arange(n + 1)
    low, high = wilson(k, n)
    return np.where((low <= rates[:, None]) & (rates[:, None] <= high), outcomes(n, rates), 0).sum(axis=1)


def outcomes(n: int, rates: np.ndarray) -> np.ndarray:
    """(rates, hits) probability of each number of hits."""
    return stats.binom.pmf(np.arange(n + 1), n, rates[:, None])


def _newcombe(one: int, other: int) -> Iterator[Row]:
    low, high = newcombe(np.arange(one + 1)[:, None], one, np.arange(other + 1)[None, :], other)
    name = sizes_name((one, other))
    for difference in (0.0, 0.1, 0.2):
        covered = ((low <= difference + 1e-12) & (difference - 1e-12 <= high)).astype(float)

        def coverage(rates: np.ndarray, covered: np.ndarray = covered, difference: float = difference) -> np.ndarray:
            return ((outcomes(one, rates) @ covered) * outcomes(other, rates - difference)).sum(axis=1)

        mean = float(coverage(GRID[GRID - difference > 0.019]).mean())
        yield covered_share(NEWCOMBE_MEAN, "20 vs. 20 to 1000 vs. 1000", f"{name}, difference {difference:g}", mean)
        for rate, found in zip(HIGHER, coverage(np.array(HIGHER)), strict=True):
            setting = f"{name}, {rate:g} vs. {rate - difference:g}"
            yield covered_share(NEWCOMBE, f"{name}, single rates", setting, float(found))


def _bootstraps(seed: int, *, short: bool) -> Iterator[Row]:
    n, rates = 20, np.array([0.5, 0.95, 0.98])
    k = np.arange(n + 1)
    # Resampling n rows of which k are hits gives binomial counts, so that the bootstrap's percentiles are known exactly.
    low, high = (stats.binom.ppf(tail, n, k / n) / n for tail in (0.025, 0.975))
    covered = (low <= rates[:, None]) & (rates[:, None] <= high)
    for rate, found in zip(rates, np.where(covered, outcomes(n, rates), 0).sum(axis=1), strict=True):
        yield shown("bootstrap percentiles of a rate", "n = 20", f"n=20, rate {rate:g}", 0.95, float(found))
    for sizes in ((100, 100), (1000, 1000), (100, 100, 100), (100,) * 8):
        generator = stream(seed, "bootstrap of a gap", sizes)
        covered = []
        for _ in range(40 if short else 400):
            seen = generator.binomial(sizes, 0.8) / sizes
            # Rows are resampled, as in Fairlearn, so the sizes of the groups vary too.
            drawn = generator.multinomial(sum(sizes), np.array(sizes) / sum(sizes), size=1000)
            gaps = np.ptp(generator.binomial(drawn, seen) / drawn, axis=1)
            covered.append(np.quantile(gaps, 0.025) <= 0)
        setting = f"{sizes_name(sizes)}, equal groups at 0.8: a gap of 0 is covered"
        yield shown("bootstrap percentiles of a gap", "equal groups", setting, 0.95, *share(np.array(covered)))
