"""Power of the decision in a family of tests: simulated decisions, exact enumeration and the usual formula."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_effectsize
from typer.testing import CliRunner

import fairfer
from fairfer.cli.main import app
from fairfer.errors import UsageError
from fairfer.stats import (
    SampleTest,
    SubjectDesign,
    SubjectTest,
    additional_sample_size,
    additional_subjects,
    minimum_detectable_difference,
    minimum_detectable_difference_of_subjects,
    planted_rates,
    power_of_groups,
    power_of_subjects,
    resolve,
)
from fairfer.stats.conditional import conditional_p
from fairfer.stats.critical_values import conditional_p_values, critical_value

LEVEL = 0.05 / 46


def exact_power(rates, sizes, level):
    """Power of two groups by enumeration of all outcomes, with scipy's probabilities and another p-value."""
    outcomes = itertools.product(*(range(n + 1) for n in sizes))
    return sum(
        stats.binom.pmf(a, sizes[0], rates[0]) * stats.binom.pmf(b, sizes[1], rates[1])
        for a, b in outcomes
        if conditional_p(a, sizes[0], b, sizes[1]) < level
    )


@pytest.mark.parametrize(("sizes", "rate"), [((20, 20), 0.9), ((25, 40), 0.5), ((20, 60), 0.95)])
def test_power_of_two_groups_is_that_of_all_outcomes(sizes, rate):
    rates = planted_rates(rate, sizes, (1, 0), 0.5)
    assert power_of_groups(rates, sizes, LEVEL) == pytest.approx(exact_power(rates, sizes, LEVEL), abs=0.01)


def test_conditional_p_values_are_those_of_single_outcomes():
    outcomes = [(3, 10, 20, 30), (10, 12, 20, 30), (0, 5, 20, 30), (20, 30, 20, 30)]
    for hits, total, one, other in outcomes:
        found = conditional_p_values(np.array([float(hits)]), np.array([float(total)]), one, other)
        assert found[0] == pytest.approx(conditional_p(hits, one, total - hits, other), abs=1e-9)
    large = conditional_p_values(np.array([1020.0]), np.array([1940.0]), 2000, 2000)
    assert large[0] == pytest.approx(conditional_p(1020, 2000, 920, 2000), rel=0.02)


@pytest.mark.parametrize(
    ("sizes", "rate", "least"),
    [((200, 200, 200), 0.85, 0.004), ((400, 100, 100), 0.7, 0.004), ((30, 500, 1000), 0.9, 0.001), ((50,) * 8, 0.8, 0.001)],
)
def test_critical_values_are_quantiles_of_permutations(sizes, rate, least):
    """In small groups, where statistics take few values, never too small."""
    hits = np.rint(np.array(sizes) * rate)
    largest = SampleTest(hits, sizes, np.random.default_rng(0)).draw(100_000)[0]
    critical = critical_value(sizes, float(hits.sum()), 0.005)
    margin = 4 * math.sqrt(0.005 / 100_000)
    assert (largest > critical + 1e-3).mean() <= 0.005 + margin
    assert (largest >= critical - 1e-3).mean() >= least


@pytest.mark.parametrize("total", range(42, 51))
def test_critical_values_of_very_small_groups_are_not_too_small(total):
    """An error of a few percent of the probability would be one of a whole step of the statistics."""
    hits = np.array([20, 20, total - 40])
    largest = SampleTest(hits, [20, 20, 20], np.random.default_rng(1)).draw(200_000)[0]
    assert (largest > critical_value([20, 20, 20], total, LEVEL) + 1e-3).mean() <= LEVEL + 3 * math.sqrt(LEVEL / 200_000)


def decisions(rates, sizes, repetitions, others, seed):
    """How often a gap with these rates is significant through `resolve`, beside unchanged gaps."""
    generator = np.random.default_rng(seed)
    family = [SampleTest([k, 80], [100, 100], generator) for k in others]
    reported = 0
    for _ in range(repetitions):
        hits = generator.binomial(sizes, rates)
        reported += resolve([SampleTest(hits, sizes, generator), *family], permutations=5000, maximum=40_000)[0].significant
    return reported / repetitions


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "rate", "others", "significant"),
    [
        ((200, 200), 0.9, [80] * 45, 0),
        ((60, 300), 0.6, [80] * 45, 0),
        ((200, 200), 0.9, [80] * 40 + [20] * 5, 5),
        ((80, 80, 200), 0.8, [80] * 19, 0),
    ],
)
def test_a_difference_of_the_minimum_detectable_size_is_reported(sizes, rate, others, significant):
    """Planted alone in a family in which none or some of the other gaps are significant."""
    level = 0.05 * (significant + 1) / (len(others) + 1)
    gap = minimum_detectable_difference(rate, sizes, level)
    found = [decisions(planted_rates(rate, sizes, pair, gap), sizes, 200, others, 1) for pair in itertools.permutations((0, 1))]
    assert min(found) >= 0.8 - 3 * math.sqrt(0.8 * 0.2 / 200)
    assert min(found) <= 0.8 + 3 * math.sqrt(0.8 * 0.2 / 200)


def test_no_difference_is_detectable_in_very_small_groups():
    assert minimum_detectable_difference(0.5, [2, 2], LEVEL) is None
    assert minimum_detectable_difference(1.0, [200, 200], LEVEL) is None
    assert 0.5 < minimum_detectable_difference(0.5, [12, 12], LEVEL) <= 1


def test_a_smaller_level_and_smaller_groups_need_a_larger_difference():
    one = minimum_detectable_difference(0.8, [200, 200], 0.05)
    assert one < minimum_detectable_difference(0.8, [200, 200], LEVEL) < minimum_detectable_difference(0.8, [100, 200], LEVEL)
    assert minimum_detectable_difference(0.8, [200, 200], LEVEL) == minimum_detectable_difference(0.8, [200, 200], LEVEL)


def test_the_additional_sample_size_gives_80_percent_power():
    more = additional_sample_size([160, 220], [200, 300], LEVEL)
    trials = np.array([200 + more.get(0, 0), 300 + more.get(1, 0)])
    hits = np.random.default_rng(12).binomial(trials, [0.8, 220 / 300], size=(1500, 2))
    found = [conditional_p(int(a), int(trials[0]), int(b), int(trials[1])) < LEVEL for a, b in hits]
    assert np.mean(found) == pytest.approx(0.8, abs=0.05)


def test_additional_sample_size_of_a_significant_and_of_no_gap():
    assert additional_sample_size([180, 120], [200, 200], LEVEL) == {}
    assert additional_sample_size([100, 100], [200, 200], LEVEL) is None
    assert additional_sample_size([100_000, 100_001], [200_000, 200_000], LEVEL) is None
    assert set(additional_sample_size([18, 1900], [30, 2500], LEVEL)) == {0}


def subject_p(rates, subjects, correlation, generator):
    """p-value of a simulated data set of subjects with ten images each."""
    size = 1 / correlation - 1
    group = np.repeat(np.arange(len(rates)), subjects)
    rate = np.asarray(rates)[group]
    own = np.where(rate < 1, generator.beta(np.maximum(rate * size, 1e-9), np.maximum((1 - rate) * size, 1e-9)), 1.0)
    test = SubjectTest(group, np.arange(len(group)), generator.binomial(10, own), np.full(len(group), 10), generator)
    return (1 + int((test.draw(4000)[0] >= test.observed.max() - 1e-9).sum())) / 4001


@pytest.mark.slow
@pytest.mark.parametrize("subjects", [(20, 20), (50, 50), (20, 60)])
def test_the_difference_between_groups_of_subjects_is_reported(subjects):
    """Never in less than 75 %."""
    design = SubjectDesign(tuple(np.full(s, 10) for s in subjects), 0.2)
    gap = minimum_detectable_difference_of_subjects(design, 0.8, 0.01)
    generator = np.random.default_rng(2)
    rates = planted_rates(0.8, design.sizes, (1, 0), gap)
    found = np.mean([subject_p(rates, subjects, 0.2, generator) < 0.01 for _ in range(150)])
    assert found >= 0.8 - 3 * math.sqrt(0.8 * 0.2 / 150)
    independent = minimum_detectable_difference(0.8, [10 * s for s in subjects], 0.01)
    assert gap > 1.3 * independent


def test_additional_subjects_reach_the_power():
    design = SubjectDesign((np.full(20, 10), np.full(30, 10)), 0.2)
    rates = np.array([0.85, 0.75])
    more = additional_subjects(design, rates, 0.01, ([0], [1]))
    larger = design.enlarged(design.subjects + np.array([more.get(0, 0), more.get(1, 0)]))
    assert power_of_subjects(larger, rates, 0.01) >= 0.8
    assert additional_subjects(design, np.array([0.8, 0.8]), 0.01, ([0], [1])) is None
    assert additional_subjects(design, np.array([0.95, 0.2]), 0.01, ([0], [1])) == {}


def test_the_planned_sample_size_is_that_of_statsmodels():
    """Normal approximation without continuity correction; the exact test needs a few more."""
    plan = fairfer.plan_sample_size(0.85, 0.05, tests=46)
    usual = NormalIndPower().solve_power(proportion_effectsize(0.875, 0.825), alpha=LEVEL, power=0.8)
    assert usual < plan.samples_per_group < 1.06 * usual
    inverse = fairfer.plan_sample_size(0.85, size=plan.samples_per_group, tests=46)
    assert inverse.difference == pytest.approx(0.05, abs=0.001)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--rate", "0.85"],
        ["--rate", "0.85", "--difference", "0.1", "--size", "100"],
        ["--rate", "1", "--difference", "0.1"],
        ["--rate", "0.85", "--difference", "0"],
        ["--rate", "0.85", "--difference", "0.1", "--groups", "1"],
        ["--rate", "0.85", "--difference", "0.1", "--tests", "0"],
        ["--rate", "0.85", "--difference", "0.1", "--power", "1"],
        ["--rate", "0.85", "--difference", "0.1", "--images-per-subject", "5"],
        ["--rate", "0.85", "--difference", "0.1", "--correlation", "0.2"],
        ["--rate", "0.85", "--size", "3", "--tests", "46"],
        ["--rate", "nan", "--difference", "0.1"],
    ],
)
def test_a_bad_plan_is_one_line(arguments):
    result = CliRunner().invoke(app, ["plan", *arguments])
    assert isinstance(result.exception, UsageError)
    assert "\n" not in str(result.exception)


def test_the_command_prints_the_plan():
    runner = CliRunner()
    options = ["plan", "--rate", "0.85", "--difference", "0.1", "--tests", "46"]
    assert "images per group" in runner.invoke(app, options).output
    subjects = [*options, "--images-per-subject", "10", "--correlation", "0.2"]
    assert "subjects per group" in runner.invoke(app, subjects).output
    row = json.loads(runner.invoke(app, [*subjects, "--json"]).output)
    assert row["samples_per_group"] == 10 * row["subjects_per_group"]
