"""Settings that metrics share; `fairfer.audits.plan.AuditPlan` has them all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairfer.vocabulary import Grouping, grouping_name

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class MetricSettings:
    """Settings of rates, intervals and tests.

    Attributes
    ----------
    minimum
        A rate with a smaller denominator is ``small`` and takes part in no comparison.
    confidence
        Confidence level of every interval and bound.
    permutations, seed
        Number of permutations of each test, and random seed.
    minimum_subjects
        Where several samples show one subject: a rate with fewer subjects in its denominator takes part in no comparison.
    """

    minimum: int
    confidence: float
    permutations: int
    seed: int
    minimum_subjects: int = 10

    @property
    def tail(self) -> float:
        """Error of each limit of a two-sided interval."""
        return (1 - self.confidence) / 2

    def stream(self, grouping: Grouping, *names: str) -> np.random.Generator:
        """A random stream of its own for each difference, so that adding a grouping or a label changes no other."""
        import numpy as np

        name = "/".join([str(self.seed), grouping_name(grouping), *names])
        return np.random.default_rng(list(name.encode()))
