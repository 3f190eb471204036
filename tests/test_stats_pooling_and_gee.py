"""Partial pooling against numerical integration, and the GEE model against statsmodels and the plain rates."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy import integrate, special

from fairfer.stats.beta_binomial import partial_pooling
from fairfer.stats.gee import marginal_rates

# Partial pooling


def test_pooled_means_are_those_of_the_posterior():
    """Numerical integration over the mean and the relative standard deviation, with the documented priors."""
    hits, trials = np.array([3, 9, 5]), np.array([4, 20, 6])

    def density(mean, spread, extra=lambda a, b: 1.0):
        size = 1 / spread**2 - 1
        a, b = mean * size, (1 - mean) * size
        like = np.prod(np.exp(special.betaln(hits + a, trials - hits + b) - special.betaln(a, b)))
        return like / np.sqrt(mean * (1 - mean)) * extra(a, b)

    box = ((1e-4, 1 - 1e-4), (1e-3, 0.995))
    options = {"epsabs": 1e-12, "epsrel": 1e-4}
    total = integrate.nquad(density, box, opts=options)[0]
    first = integrate.nquad(lambda m, s: density(m, s, lambda a, b: (3 + a) / (4 + a + b)), box, opts=options)[0]
    assert partial_pooling(hits, trials).rate[0] == pytest.approx(first / total, abs=0.004)


def test_small_groups_are_drawn_further():
    trials = np.array([5, 50, 500, 500])
    pooled = partial_pooling(trials * np.array([0, 0.6, 0.8, 0.8]), trials)
    assert (np.diff(pooled.own_weight[:3]) > 0).all()
    assert pooled.rate[0] > 0.15
    assert pooled.rate[2] == pytest.approx(0.8, abs=0.02)
    assert (pooled.low < pooled.rate).all()
    assert (pooled.rate < pooled.high).all()
    assert 0.4 < pooled.common < 0.85


def test_rates_of_zero_and_one_have_intervals():
    trials = np.array([10, 20, 1000])
    zero, one = partial_pooling(np.zeros(3), trials), partial_pooling(trials, trials)
    assert (zero.low >= 0).all()
    assert 0 < zero.high[0] < 0.1
    assert one.low == pytest.approx(1 - zero.high, abs=1e-4)


# GEE


def simulated(effect=0.0, subjects=50, seed=0):
    generator = np.random.default_rng(seed)
    subject = np.repeat(np.arange(subjects), 8)
    group = subject % 2
    light = generator.integers(0, 3, len(subject))
    logit = 0.3 + effect * group + 0.5 * light + generator.normal(0, 0.7, subjects)[subject]
    return generator.random(len(subject)) < special.expit(logit), group, light[:, None], subject


def test_without_covariates_the_rates_are_the_plain_ones():
    """Balanced subjects: the estimating equations are solved by the observed rates."""
    outcome, group, light, subject = simulated()
    model = marginal_rates(outcome, group, light[:, :0], subject)
    assert model.status == "ok"
    assert model.rate == pytest.approx([outcome[group == g].mean() for g in (0, 1)], abs=1e-6)
    assert model.degrees_of_freedom == 48


def test_the_covariance_is_the_derivative_times_that_of_the_coefficients():
    """Numerically, from statsmodels' own fit."""
    import statsmodels.api as sm

    outcome, group, light, subject = simulated(1.5)
    columns = np.column_stack([np.ones(len(group)), group, light[:, 0] == 1, light[:, 0] == 2]).astype(float)
    fit = sm.GEE(
        outcome.astype(float), columns, groups=subject, family=sm.families.Binomial(), cov_struct=sm.cov_struct.Exchangeable()
    ).fit(cov_type="bias_reduced")

    def rates(beta):
        moved = [np.column_stack([columns[:, 0], np.full(len(group), g), columns[:, 2:]]) for g in (0, 1)]
        return np.array([special.expit(m @ beta).mean() for m in moved])

    jacobian = np.stack([(rates(fit.params + d) - rates(fit.params - d)) / 2e-5 for d in np.eye(4) * 1e-5], axis=1)
    model = marginal_rates(outcome, group, light, subject)
    assert model.rate == pytest.approx(rates(fit.params))
    assert model.covariance == pytest.approx(jacobian @ fit.cov_robust_bc @ jacobian.T, rel=1e-4)
    assert model.p < 0.05
    assert 0 < model.correlation < 0.3


@pytest.mark.filterwarnings("error")
def test_what_cannot_be_fitted_is_a_status():
    outcome, group, light, subject = simulated()
    assert marginal_rates(outcome | (group == 1), group, light, subject).status == "separated"
    assert marginal_rates(outcome, group, np.column_stack([light, light]), subject).status == "not_estimable"
    few = subject < 4
    assert marginal_rates(outcome[few], group[few], light[few], subject[few]).status in ("not_estimable", "separated")


def test_a_failure_of_the_library_is_a_status(monkeypatch):
    """Warnings and numerical errors of statsmodels do not reach the user."""
    import statsmodels.api as sm

    def fails(*args, **options):
        raise np.linalg.LinAlgError

    data = simulated()
    monkeypatch.setattr(sm.GEE, "fit", fails)
    assert marginal_rates(*data).status == "not_converged"


def test_statsmodels_is_not_imported_before_it_is_needed():
    import subprocess

    code = "import sys, fairfer.audits.audit; assert 'statsmodels' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
