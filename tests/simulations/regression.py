"""The GEE model: coverage of the covariate-standardized difference, and false alarms."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rows import Row, at_most, covered_share, share, skipped, stream

from fairfer.stats.gee import marginal_rates

COVERS = "model (GEE): the 95 % interval of a difference covers it"
ALARMS = "model (GEE): equal groups are significantly different in at most 5 %"


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Two groups of subjects, a covariate that differs between them, and correlated outcomes."""
    try:
        import statsmodels.api  # noqa: F401 - the rest needs it
    except ImportError:
        yield skipped(COVERS, "GEE", "all settings", "statsmodels is not installed")
        return
    for subjects in (20, 60):
        for effect in (0.0, 0.7):
            name = f"{subjects} subjects x 10, effect {effect:g}"
            generator = stream(seed, "gee", name)
            results = [_simulated(subjects, effect, generator) for _ in range(12 if short else 500)]
            kept = np.array([r for r in results if r is not None])
            yield covered_share(COVERS, f"{subjects} subjects", name, *share(kept[:, 0]))
            if not effect:
                yield at_most(ALARMS, f"{subjects} subjects", name, *share(kept[:, 1]))


def _simulated(subjects: int, effect: float, generator: np.random.Generator) -> tuple[bool, bool] | None:
    """Whether the interval covers the true difference, and whether p < 0.05; none where there is no estimate."""
    from scipy import special

    subject = np.repeat(np.arange(subjects), 10)
    group = subject % 2
    light = (generator.random(len(subject)) < np.where(group == 1, 0.7, 0.4)).astype(int)
    # A bridge distribution would keep marginal odds logistic; a normal effect of 0.8 changes them little, and the truth is
    # computed from the marginal rates themselves.
    nodes, weights = np.polynomial.hermite_e.hermegauss(31)
    weights = weights / weights.sum()

    def marginal(g: np.ndarray) -> np.ndarray:
        logit = 0.4 + effect * g + 0.6 * light
        return special.expit(logit[:, None] + 0.8 * nodes) @ weights

    own = generator.normal(0, 0.8, subjects)[subject]
    outcome = generator.random(len(subject)) < special.expit(0.4 + effect * group + 0.6 * light + own)
    model = marginal_rates(outcome, group, light[:, None], subject)
    if model.status != "ok":
        return None
    truth = float((marginal(np.ones(len(subject))) - marginal(np.zeros(len(subject)))).mean())
    contrast = np.array([-1, 1])
    half = special.stdtrit(model.degrees_of_freedom, 0.975) * np.sqrt(contrast @ model.covariance @ contrast)
    return bool(abs(contrast @ model.rate - truth) <= half), bool(model.p < 0.05)
