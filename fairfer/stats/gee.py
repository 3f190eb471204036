"""Logistic regression of outcomes that share subjects: generalized estimating equations, by statsmodels.

statsmodels is optional; nothing here is imported before a plan asks for it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.stats.intervals import Floats

GeeStatus = Literal["ok", "separated", "not_converged", "not_estimable"]
"""``separated``: the outcome is the same for all with some level; ``not_estimable``: too few subjects, or collinear columns."""

_LARGEST_LOGIT = 15.0


@dataclass(frozen=True)
class MarginalRates:
    """Result of `marginal_rates`.

    Attributes
    ----------
    status
        Why there is no estimate; all others are empty unless it is ``ok``.
    rate
        (groups,) mean of the predicted rates if all samples belonged to the group.
    covariance
        (groups, groups) of these.
    degrees_of_freedom
        Of Student's t.
    correlation
        Of two outcomes of one subject.
    p
        Of the hypothesis that all groups have the same odds, given the covariates.
    """

    status: GeeStatus
    rate: Floats
    covariance: Floats
    degrees_of_freedom: float
    correlation: float
    p: float


def marginal_rates(
    outcome: NDArray[np.bool_], group: NDArray[np.int64], covariates: NDArray[np.int64], subject: NDArray[np.int64]
) -> MarginalRates:
    """Covariate-standardized rates of groups, from a logistic model of outcomes that share subjects.

    Parameters
    ----------
    outcome
        (samples,) whether each sample is a hit.
    group
        (samples,) number of its group, from 0.
    covariates
        (samples, covariates) number of its level of each covariate.
    subject
        (samples,) number of its subject.

    Notes
    -----
    Liang and Zeger (1986, Biometrika 73) with an exchangeable working correlation, and the bias-reduced robust covariance of
    Mancl and DeRouen (2001, Biometrics 57), as the plain sandwich is too small with few subjects. Degrees of freedom are the
    subjects minus the coefficients. The rate of a group is the mean prediction over all samples as if they belonged to it; its
    covariance is that of the coefficients (delta method), with the covariates of the samples taken as given.
    """
    columns = _columns(group, covariates)
    subjects = len(np.unique(subject))
    if any(outcome[c > 0].all() or not outcome[c > 0].any() for c in _every_level(group, covariates)):
        return _none("separated")
    if subjects <= columns.shape[1] or np.linalg.matrix_rank(columns) < columns.shape[1]:
        return _none("not_estimable")
    return _fitted(outcome, group, columns, subject, subjects - columns.shape[1])


def _every_level(group: NDArray[np.int64], covariates: NDArray[np.int64]) -> list[Floats]:
    return [(v == level).astype(float) for v in (group, *covariates.T) for level in np.unique(v)]


def _columns(group: NDArray[np.int64], covariates: NDArray[np.int64]) -> Floats:
    """Intercept, groups but the first, and levels of each covariate but the first."""
    parts = [np.ones(len(group))]
    parts += [(v == level).astype(float) for v in (group, *covariates.T) for level in np.unique(v)[1:]]
    return np.stack(parts, axis=1)


def _fitted(
    outcome: NDArray[np.bool_], group: NDArray[np.int64], columns: Floats, subject: NDArray[np.int64], degrees: int
) -> MarginalRates:
    import statsmodels.api as sm  # optional, and slow to import
    from scipy import stats

    order = np.argsort(subject, kind="stable")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = sm.GEE(
                outcome[order].astype(float),
                columns[order],
                groups=subject[order],
                family=sm.families.Binomial(),
                cov_struct=sm.cov_struct.Exchangeable(),
            )
            result = model.fit(cov_type="bias_reduced")
        except (np.linalg.LinAlgError, ValueError, ZeroDivisionError):
            return _none("not_converged")
    coefficients, covariance = np.asarray(result.params, float), np.asarray(result.cov_robust_bc, float)
    numerical = [w for w in caught if not issubclass(w.category, DeprecationWarning | FutureWarning)]
    if not np.isfinite(coefficients).all() or np.abs(coefficients).max() > _LARGEST_LOGIT:
        return _none("separated")
    if numerical or not result.converged or not np.isfinite(covariance).all() or (np.diag(covariance) <= 0).any():
        return _none("not_converged")
    groups = int(group.max()) + 1
    rate, gradient = np.empty(groups), np.empty((groups, len(coefficients)))
    for g in range(groups):
        moved = columns.copy()
        moved[:, 1:groups] = np.arange(1, groups) == g
        predicted = 1 / (1 + np.exp(-(moved @ coefficients)))
        rate[g], gradient[g] = predicted.mean(), (predicted * (1 - predicted)) @ moved / len(moved)
    effects = coefficients[1:groups]
    wald = effects @ np.linalg.solve(covariance[1:groups, 1:groups], effects) / len(effects)
    return MarginalRates(
        "ok",
        rate,
        gradient @ covariance @ gradient.T,
        float(degrees),
        float(model.cov_struct.dep_params),
        float(stats.f.sf(wald, len(effects), degrees)),
    )


def _none(status: GeeStatus) -> MarginalRates:
    return MarginalRates(status, np.empty(0), np.empty((0, 0)), np.nan, np.nan, np.nan)
