"""Standardised gaps: stratum by stratum on the rows, Simpson's paradox, and what cannot be standardised."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairfer import audit, predict
from fairfer.errors import UsageError
from fairfer.labels import LabelSpace
from fairfer.testing import FakeModel
from fairfer.vocabulary import UNANNOTATED

LABELS = LabelSpace.of("two", ["anger", "fear"])


def measured(data, **more):
    return audit(data, predict(data, FakeModel(LABELS)), **{"minimum": 1, "permutations": 200, **more})


def dataset(toy, rows):
    """Rows of (truth, answer, group, stratum)."""
    truth, said, group, stratum = zip(*rows, strict=True)
    return toy([LABELS.labels[t] for t in truth], {"g": group, "light": stratum}, said=list(said), labels=LABELS)


def by_hand(frame, gap):
    """Standardised rate of each group: strata of label and light that every group has, weighted by all faces in them."""
    groups = gap.groups
    if gap.rate == "TPR":
        frame = frame[frame["truth"] == gap.label]
        hit = frame["said"] == gap.label
    elif gap.rate == "FPR":
        frame = frame[frame["truth"] != gap.label]
        hit = frame["said"] == gap.label
    else:
        hit = frame["said"] == frame["truth"]
    frame = frame.assign(hit=hit)[frame["g"].isin(groups)]
    parts = [part for _, part in frame.groupby(["truth", "light"]) if set(part["g"]) == set(groups)]
    whole = sum(len(p) for p in parts)
    if not whole:
        return None, 0.0
    rates = {g: sum(len(p) / whole * p[p["g"] == g]["hit"].mean() for p in parts) for g in groups}
    return rates, whole / len(frame)


rows = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 1), st.sampled_from("fm"), st.sampled_from(["dim", "lit", "sun"])),
    min_size=2,
    max_size=40,
)


@settings(max_examples=5)
@given(found=rows)
def test_a_standardised_gap_is_made_stratum_by_stratum(found, toy):
    """Every value, the share of faces covered, and the plain gap over the same faces."""
    data = dataset(toy, found)
    shown = measured(data, by=["g"], standardize=["light"])
    frame = pd.DataFrame(
        [(LABELS.labels[t], LABELS.labels[s], g, x) for t, s, g, x in found], columns=["truth", "said", "g", "light"]
    )
    plain = {(g.label, g.rate): g for g in shown.gaps}
    for gap in shown.standardized:
        of = plain[gap.label, gap.rate]
        if of.status != "ok":
            assert gap.status == "too_few_groups"
            continue
        rates, covered_share = by_hand(frame, of)
        if rates is None:
            assert (gap.status, gap.difference, gap.covered_share) == ("no_common_strata", None, 0)
            continue
        assert {g.group: g.value for g in gap.groups} == pytest.approx(rates)
        assert gap.difference == pytest.approx(max(rates.values()) - min(rates.values()))
        assert gap.covered_share == pytest.approx(covered_share)
        assert gap.low <= gap.difference + 1e-9
        assert gap.difference <= gap.high + 1e-9
        for g in gap.groups:
            assert g.low - 1e-9 <= g.value <= g.high + 1e-9


def test_a_gap_that_the_mix_alone_makes_goes_away(toy):
    """Women photographed in the dark: the plain gap is far beyond chance, the standardised one within it."""
    counts = {("f", "dim"): (40, 160), ("f", "sun"): (45, 5), ("m", "dim"): (10, 40), ("m", "sun"): (180, 20)}
    found = [(0, said, g, x) for (g, x), n in counts.items() for said, k in zip((0, 1), n, strict=True) for _ in range(k)]
    shown = measured(dataset(toy, found), by=["g"], standardize=["light"])
    [plain] = [g for g in shown.gaps if (g.rate, g.label) == ("TPR", "anger")]
    [fair] = [g for g in shown.standardized if (g.rate, g.label) == ("TPR", "anger")]
    assert plain.difference > 0.4
    assert plain.q < 0.05
    assert fair.difference == pytest.approx(0)
    assert fair.p == 1
    assert fair.low == 0
    assert fair.plain == pytest.approx(plain.difference)


def test_a_gap_that_the_mix_hides_comes_out(toy):
    """Equal overall, worse in every light."""
    counts = {("f", "dim"): (10, 40), ("f", "sun"): (140, 60), ("m", "dim"): (80, 120), ("m", "sun"): (70, 0)}
    found = [(0, said, g, x) for (g, x), n in counts.items() for said, k in zip((0, 1), n, strict=True) for _ in range(k)]
    shown = measured(dataset(toy, found), by=["g"], standardize=["light"])
    [plain] = [g for g in shown.gaps if (g.rate, g.label) == ("TPR", "anger")]
    [fair] = [g for g in shown.standardized if (g.rate, g.label) == ("TPR", "anger")]
    assert plain.difference < 0.05
    assert fair.worst == "f"
    assert fair.difference > 0.2
    assert fair.q < 0.05
    assert fair.low > 0


@pytest.mark.parametrize("strata", [1, 4])
def test_intervals_of_standardised_rates_hold_what_they_say(strata):
    """A planted rate per stratum; the interval of the standardised rate covers the truth in about 95 of a hundred audits."""
    from fairfer.metrics.standardization import _estimates

    generator = np.random.default_rng(3)
    trials = generator.integers(5, 60, size=(strata, 2))
    truth = np.linspace(0.3, 0.95, strata)[:, None] * np.ones(2) if strata > 1 else np.full((1, 2), 0.8)
    weights = trials.sum(axis=1) / trials.sum()
    inside = 0
    for _ in range(1500):
        low, high = _estimates(generator.binomial(trials, truth), trials, weights)[0].limits(0.025)
        inside += (low <= weights @ truth) & (weights @ truth <= high)
    assert (inside / 1500 > 0.925).all()
    assert (inside / 1500 < 0.99).all()


def test_a_small_group_is_known_by_its_own_rates():
    """A large group whose rates are other than a small one's says nothing of how the small one's vary: it was once drawn in."""
    from fairfer.metrics.standardization import _estimates

    generator = np.random.default_rng(5)
    trials = np.array([[30, 3000], [30, 3000]])
    truth = np.array([[0.5, 0.99], [0.4, 0.98]])
    inside = 0
    for _ in range(1500):
        low, high = _estimates(generator.binomial(trials, truth), trials, np.array([0.5, 0.5]))[0].limits(0.025)
        inside += (low <= 0.5 * truth.sum(axis=0)) & (0.5 * truth.sum(axis=0) <= high)
    assert (inside / 1500 > 0.93).all()


def people(toy, seed, *, pictures=8, number=40):
    """Each person is read rightly more or less often; light and group are of the person, and no group fares worse."""
    generator = np.random.default_rng(seed)
    skill = np.repeat(generator.beta(2, 1, number), pictures)
    right = generator.random(number * pictures) < skill
    who = np.repeat(np.arange(number), pictures)
    rows = [(0, int(not r), "fm"[w % 2], ["dim", "lit"][w // 2 % 2]) for r, w in zip(right, who, strict=True)]
    data = dataset(toy, rows)
    return data.replace(samples=data.samples.assign(actor=[f"p{w}" for w in who]))


@pytest.mark.slow
def test_gaps_between_people_who_are_alike_seldom_show_after_adjusting(toy):
    """Pictures of one person hang together: as strangers, equal groups would look unequal in most audits."""
    found = {"": 0, "actor": 0}
    times = 40
    for seed in range(times):
        data = people(toy, seed)
        predictions = predict(data, FakeModel(LABELS))
        for subject in found:
            shown = audit(data, predictions, ["g"], standardize=["light"], subject=subject, minimum=1, permutations=400)
            [gap] = [a for a in shown.standardized if a.rate == "accuracy"]
            found[subject] += gap.p <= 0.05
    assert found["actor"] / times <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / times)
    assert found[""] / times > 0.2


def test_adjusted_rates_are_the_same_with_people_and_less_sure(toy):
    """Only how sure they are changes; one picture each tells as much as strangers do."""
    data = people(toy, 1)
    predictions = predict(data, FakeModel(LABELS))
    plain, by_people = (
        audit(data, predictions, ["g"], standardize=["light"], subject=s, minimum=1, permutations=200).standardized
        for s in ("", "actor")
    )
    for one, other in zip(plain, by_people, strict=True):
        assert (one.worst, one.difference, one.plain, one.strata) == (other.worst, other.difference, other.plain, other.strata)
    [one], [other] = ([a for a in found if a.rate == "accuracy"] for found in (plain, by_people))
    assert other.groups[0].high - other.groups[0].low > 1.2 * (one.groups[0].high - one.groups[0].low)
    alone = people(toy, 1, pictures=1, number=200)
    predictions = predict(alone, FakeModel(LABELS))
    one, other = (
        audit(alone, predictions, ["g"], standardize=["light"], subject=s, minimum=1, permutations=200)
        .standardized[0]
        .groups[0]
        for s in ("", "actor")
    )
    assert other.high - other.low == pytest.approx(one.high - one.low, rel=0.05)


def test_one_stratum_gives_back_the_counts():
    """Nothing to adjust for: the rate and its interval are the plain ones."""
    from fairfer.metrics.standardization import _estimates
    from fairfer.stats import wilson

    known, _ = _estimates(np.array([[16, 30]]), np.array([[20, 60]]), np.ones(1))
    assert known.size == pytest.approx([20, 60])
    low, high = known.limits(0.025)
    assert list(zip(low, high, strict=True)) == [
        pytest.approx([float(x) for x in wilson(k, n)]) for k, n in ((16, 20), (30, 60))
    ]


def test_an_empty_column_is_no_mix(toy):
    """Refused in one line; it once gave numpy's warning of an empty slice."""
    data = toy(["anger"] * 4, {"g": ["f", "m"] * 2}, labels=LABELS)
    data = data.replace(samples=data.samples.assign(age=np.nan))
    with pytest.raises(UsageError, match="--standardize age: the column is empty in toy"):
        measured(data, by=["g"], standardize=["age"])


def test_numbers_are_cut_into_fifths(toy):
    """``--standardize age``: five bands of about the same size, ties and missing values included, named by their edges."""
    n = 200
    data = toy(["anger"] * n, {"g": ["f", "m"] * (n // 2)}, labels=LABELS)
    age = pd.Series([np.nan, *np.arange(1.0, n)], index=data.samples.index)
    data = data.replace(samples=data.samples.assign(age=age))
    shown = measured(data, by=["g"], standardize=["age"])
    [about] = [a for a in shown.data.attributes if a.name == "age"]
    assert len(about.levels) == 6
    assert about.levels[0].startswith("up to 40")
    assert about.levels[-1] == UNANNOTATED
    assert shown.groupings == ["g"]
    [whole] = [g for g in shown.standardized if g.rate == "accuracy"]
    assert whole.strata == 5  # the one face without an age is one group's alone
    assert whole.covered_share == pytest.approx(199 / 200)


def test_adjusting_changes_neither_the_plain_gaps_nor_the_identity_of_the_data(toy):
    """What is measured besides leaves everything else as it was."""
    data = dataset(toy, list(itertools.product((0, 1), (0, 1), "fm", ("dim", "sun"))))
    plain, also = measured(data, by=["g"]), measured(data, by=["g"], standardize=["light"])
    assert also.gaps == plain.gaps
    assert also.rates == plain.rates
    assert also.data.digest == plain.data.digest == data.digest
    assert plain.standardized == []
    assert {g.rate for g in also.standardized} == {"TPR", "FPR", "accuracy"}


@pytest.mark.parametrize(
    ("column", "complaint"),
    [
        ("lihgt", "--standardize lihgt: toy has no such column; did you mean 'light'"),
        ("label", "--standardize label: labels are always adjusted for"),
    ],
)
def test_a_column_that_is_not_there_is_named(toy, column, complaint):
    """One line that says what there is."""
    with pytest.raises(UsageError, match=complaint):
        measured(dataset(toy, [(0, 0, "f", "dim"), (0, 0, "m", "sun")]), by=["g"], standardize=[column])
