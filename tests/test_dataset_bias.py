"""Dataset bias: published values, definitions, and undefined values."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fairfer.metrics.counts import Counts
from fairfer.metrics.dataset_bias import (
    association,
    dataset_bias,
    dsap,
    ducher_z,
    lewontin_d,
    npmi,
    overall_disparity,
    representation,
    similarity,
    xu_ratio,
)
from fairfer.metrics.results import Rate
from fairfer.vocabulary import STATUSES

BY = ("g",)

tables = st.lists(st.lists(st.integers(0, 30), min_size=3, max_size=3), min_size=2, max_size=4).filter(
    lambda rows: sum(map(sum, rows)) > 0
)


@pytest.fixture(scope="module")
def example(shared):
    """One of the published example tables by name."""

    def read(name: str) -> pd.DataFrame:
        return pd.read_csv(shared / "data" / "composition" / f"{name}.csv")

    return read


def representation_of(frame: pd.DataFrame, *names: str) -> dict[str, float]:
    return representation(frame.groupby(list(names)).size())


REPRESENTATION = {
    "gender": {"nsd": 0.000459, "imbalance": 1.000919},
    "race": {
        "richness": 7,
        "ens": 2.988683,
        "evenness": 0.562633,
        "nsd": 0.659093,
        "imbalance": 47.792531,
        "berger_parker": 0.705047,
    },
    "age": {
        "richness": 9,
        "ens": 5.593264,
        "evenness": 0.783517,
        "nsd": 0.396309,
        "imbalance": 33.790974,
        "berger_parker": 0.435405,
    },
}
ASSOCIATION = {
    "gender": {"cramers_v": 0.170962, "nmi": 0.006582, "tschuprow": 0.109235, "pearson": 0.168517},
    "race": {"cramers_v": 0.067681, "nmi": 0.005526, "tschuprow": 0.067681, "pearson": 0.163552},
    "age": {"cramers_v": 0.104578, "nmi": 0.009951, "tschuprow": 0.097321, "pearson": 0.248151},
}


@pytest.mark.parametrize("attribute", REPRESENTATION)
def test_representation_has_the_published_values(example, attribute):
    """FER+ with groups by FairFace, 32,673 rows: the values of the reference package."""
    measures = representation_of(example("ferplus"), attribute)
    assert {k: measures[k] for k in REPRESENTATION[attribute]} == pytest.approx(REPRESENTATION[attribute], abs=5e-7)


@pytest.mark.parametrize("attribute", ASSOCIATION)
def test_association_has_the_published_values(example, attribute):
    """Cramér's V, NMI over the joint entropy, Tschuprow's T, Pearson's C."""
    frame = example("ferplus")
    measures = association(pd.crosstab(frame[attribute], frame["label"]))
    assert {k: measures[k] for k in ASSOCIATION[attribute]} == pytest.approx(ASSOCIATION[attribute], abs=5e-7)


def test_theils_u_has_the_published_values_in_both_directions(example):
    """U for gender: 0.021255 and 0.009445."""
    frame = example("ferplus")
    measures = association(pd.crosstab(frame["gender"], frame["label"]))
    assert sorted((measures["theil_u"], measures["theil_u_reverse"])) == pytest.approx([0.009445, 0.021255], abs=5e-7)


def test_the_examples_of_the_reference_package(example):
    """Those in its README, to the last digit."""
    adfes, expw = example("adfes"), example("expw")
    assert representation_of(adfes, "race")["ens"] == pytest.approx(2.478206948646503, abs=1e-12)
    assert representation_of(adfes, "age", "race")["ens"] == pytest.approx(3.0404964294246533, abs=1e-12)
    assert association(pd.crosstab(expw["race"], expw["label"]))["cramers_v"] == pytest.approx(0.04104288518527493, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "attribute", "value"),
    [
        ("expw", "gender", 0.156955),
        ("expw", "age", 0.072153),
        ("kdef", "gender", 0.00169),
        ("kdef", "race", math.nan),
        ("jaffe", "gender", math.nan),
        ("adfes", "gender", 0.0),
    ],
)
def test_cramers_v_of_other_datasets(example, name, attribute, value):
    """Association with a single group is undefined, not 0."""
    frame = example(name)
    cramers_v = association(pd.crosstab(frame[attribute], frame["label"]))["cramers_v"]
    assert cramers_v == pytest.approx(value, abs=5e-6, nan_ok=True)


PUBLISHED = pd.DataFrame(
    {
        "angry": (1002, 1772), "disgust": (125, 105), "fear": (444, 298), "happy": (5498, 3479), "neutral": (5225, 6940),
        "sad": (2002, 1784), "surprise": (2048, 1951),
    },
    index=["Female", "Male"],
)  # fmt: skip
"""Gender by emotion in FER+ with groups by FairFace: the table for which the measures below were published."""


def test_measures_of_single_cells_have_the_published_values():
    """Ducher's Z and NPMI of women and each emotion; Z of men has the opposite sign."""
    z = ducher_z(PUBLISHED)
    assert list(z.loc["Female"]) == pytest.approx(
        [-0.277909, 0.086537, 0.196397, 0.224552, -0.141372, 0.057148, 0.023808], abs=5e-7
    )
    assert list(z.loc["Male"]) == pytest.approx(list(-z.loc["Female"]), abs=1e-9)
    information = npmi(PUBLISHED)
    assert list(information.loc["Female"]) == pytest.approx(
        [-0.093442, 0.014898, 0.041681, 0.113574, -0.083149, 0.019884, 0.008487], abs=5e-7
    )
    assert list(information.loc["Male", ["angry", "happy"]]) == pytest.approx([0.084210, -0.113543], abs=5e-7)
    measures = association(PUBLISHED)
    assert {k: measures[k] for k in ASSOCIATION["gender"]} == pytest.approx(ASSOCIATION["gender"], abs=5e-7)
    assert representation(PUBLISHED.sum(axis=1))["nsd"] == pytest.approx(0.000459, abs=5e-7)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(any))
def test_representation_agrees_with_its_definition(counts):
    """Empty groups take no part."""
    measures = representation(counts)
    p = [c / sum(counts) for c in counts if c]
    entropy = stats.entropy(p)
    assert measures["richness"] == len(p)
    assert measures["shannon"] == pytest.approx(entropy)
    assert measures["ens"] == pytest.approx(math.exp(entropy))
    assert measures["simpson"] == pytest.approx(sum(x * x for x in p))
    assert measures["gini_simpson"] == pytest.approx(1 - measures["simpson"])
    assert measures["inverse_simpson"] * measures["simpson"] == pytest.approx(1)
    assert measures["imbalance"] == pytest.approx(max(p) / min(p))
    assert measures["berger_parker"] == max(p)
    if len(p) == 1:
        assert math.isnan(measures["evenness"])
        assert math.isnan(measures["nsd"])
    else:
        assert measures["evenness"] == pytest.approx(entropy / math.log(len(p)))
        assert measures["nsd"] == pytest.approx(np.std(p) * len(p) / math.sqrt(len(p) - 1))
        assert -1e-12 <= measures["nsd"] <= 1 + 1e-12


@given(tables)
def test_association_agrees_with_its_definition(rows):
    """Mutual information as a sum; chi-squared by scipy's test, with Yates' correction for two by two tables only."""
    table = pd.DataFrame(rows)
    measures = association(table)
    dense = table.loc[table.sum(axis=1) > 0, table.sum(axis=0) > 0]
    if min(dense.shape) < 2:
        assert all(map(math.isnan, measures.values()))
        return
    n = dense.to_numpy().sum()
    chi2 = stats.chi2_contingency(dense, correction=True)[0]
    assert measures["cramers_v"] == pytest.approx(math.sqrt(chi2 / n / (min(dense.shape) - 1)), abs=1e-9)
    p = dense.to_numpy() / n
    mutual = sum(
        p[i, j] * math.log(p[i, j] / (p[i].sum() * p[:, j].sum())) for i in range(len(p)) for j in range(p.shape[1]) if p[i, j]
    )
    assert measures["nmi"] == pytest.approx(mutual / stats.entropy(p.ravel()), abs=1e-9)
    assert measures["theil_u"] == pytest.approx(mutual / stats.entropy(p.sum(0)), abs=1e-9)
    assert measures["theil_u_reverse"] == pytest.approx(mutual / stats.entropy(p.sum(1)), abs=1e-9)


@given(tables)
def test_measures_of_single_cells_have_their_range(rows):
    """From -1 (never together) to 1 (always together); 0 in every cell of an independent table."""
    table = pd.DataFrame(rows)
    assert ducher_z(table).to_numpy().min() >= -1 - 1e-9
    assert ducher_z(table).to_numpy().max() <= 1 + 1e-9
    assert lewontin_d(table).to_numpy().sum() == pytest.approx(0, abs=1e-9)
    independent = pd.DataFrame([[10, 20], [30, 60]])
    assert np.allclose(ducher_z(independent), 0)
    assert np.allclose(npmi(independent), 0)


def test_always_together_is_1_and_never_together_is_minus_1():
    """The ends of both scales."""
    table = pd.DataFrame([[50, 0], [0, 50]])
    assert ducher_z(table).to_numpy().tolist() == [[1, -1], [-1, 1]]
    assert npmi(table).to_numpy() == pytest.approx(np.array([[1, -1], [-1, 1]]))


def test_a_single_cell_has_no_information():
    """With one group and one label, Z is 0 and NPMI undefined."""
    table = pd.DataFrame([[7]])
    assert ducher_z(table).iloc[0, 0] == 0
    assert math.isnan(npmi(table).iloc[0, 0])


def test_dsap_is_the_similarity_of_profiles():
    """1 minus half of the summed differences: to a uniform profile over all groups, over those present, and by label."""
    assert similarity([1, 1], [1, 1]) == 1
    assert similarity([1, 0], [0, 1]) == 0
    assert similarity([3, 1], [1, 1]) == 0.75
    measures = dsap(pd.DataFrame([[30, 10], [10, 10], [0, 0]]))
    assert measures["representational"] == pytest.approx(1 - (abs(2 / 3 - 1 / 3) + 0 + 1 / 3) / 2)
    assert measures["evenness"] == pytest.approx(1 - 2 * abs(2 / 3 - 1 / 2) / 2)
    assert measures["stereotypical"] == pytest.approx(0.75)
    assert math.isnan(dsap(pd.DataFrame([[3], [4]]))["stereotypical"])


@given(st.lists(st.integers(1, 999), min_size=2, max_size=8))
def test_a_group_of_all_samples_is_independent_of_every_label(samples):
    """Exactly: rounding must not make -1 or 1 of it."""
    table = pd.DataFrame([samples])
    assert (ducher_z(table) == 0).all(axis=None)
    assert (ducher_z(table.T) == 0).all(axis=None)


def test_overall_disparity_and_xus_ratio_agree_with_their_definitions():
    """A label with recall 0 in all groups, and one that a group lacks, are excluded."""
    recall = {
        "happy": {"f": 0.9, "m": 0.6},
        "sad": {"f": 0.4, "m": 0.8},
        "fear": {"f": 0.0, "m": 0.0},
        "x": {"f": 0.5, "m": math.nan},
    }
    assert overall_disparity(recall) == pytest.approx(((1 - 0.6 / 0.9) + 0.5) / 2)
    assert xu_ratio(recall) == pytest.approx((0.9 + 0.4 + 0) / (0.6 + 0.8 + 0))
    assert math.isnan(overall_disparity({"x": {"f": 0.5, "m": math.nan}}))
    assert math.isnan(xu_ratio({"x": {"f": 0.5}}))
    assert math.isnan(xu_ratio({"x": {"f": 0.0, "m": 0.0}}))


def rate(group: str, label: str, name: str, hits: int, trials: int, status: str = "ok") -> Rate:
    return Rate(
        label=label,
        attribute=BY,
        group=(group,),
        rate=name,
        value=hits / trials if trials else None,
        numerator=hits,
        denominator=trials,
        low=None,
        high=None,
        status=status,
    )


def counts_of(positives, totals, groups=("f", "m", "unannotated"), labels=("happy", "sad", "fear")) -> Counts:
    """Counts with this many samples of each label in each group, all of them missed."""
    tp = np.zeros_like(positives)
    zero = np.zeros(len(totals), np.int64)
    return Counts(
        BY,
        labels,
        tuple((g,) for g in groups),
        zero,
        np.arange(len(totals)),
        tp,
        positives,
        tp,
        totals[:, None] - positives,
        correct=zero,
        judged=totals,
        total=totals,
        statuses=totals[:, None] * (np.array(STATUSES) == "ok"),
    )


def test_pairings_have_the_differences_of_the_model():
    """A group's rate minus that of all other annotated samples, if there are enough; unannotated samples are separate."""
    positives = np.array([[30, 10, 0], [20, 20, 0], [0, 7, 0]])
    rates = [rate("f", "happy", "TPR", 27, 30), rate("m", "happy", "TPR", 10, 20), rate("f", "sad", "TPR", 1, 10, "small")]
    bias = dataset_bias({BY: counts_of(positives, positives.sum(axis=1))}, rates, "single-label")
    [shares] = bias.representation
    assert (shares.attribute, shares.samples, shares.unannotated, shares.richness) == (BY, 80, 7, 2)
    by_key = {(p.group, p.label): p for p in bias.pairing}
    assert set(by_key) == {(("f",), "happy"), (("f",), "sad"), (("m",), "happy"), (("m",), "sad")}
    assert by_key[("f",), "happy"].tpr_excess == pytest.approx(0.9 - 0.5)
    assert by_key[("m",), "happy"].tpr_excess == pytest.approx(0.5 - 0.9)
    assert by_key[("f",), "sad"].tpr_excess is None
    assert by_key[("f",), "happy"].ducher_z > 0 > by_key[("m",), "happy"].ducher_z
    [association_row] = bias.association
    assert association_row.overall_disparity == pytest.approx(1 - 0.5 / 0.9)
    assert association_row.cramers_v == pytest.approx(association(pd.DataFrame(positives[:2]))["cramers_v"])


def test_multi_label_samples_are_counted_once_per_group():
    """Several labels per sample: sizes are those of the groups, and measures of exclusive labels are undefined."""
    positives = np.array([[30, 25, 10], [5, 20, 10], [0, 0, 0]])
    totals = np.array([40, 20, 0])
    bias = dataset_bias({BY: counts_of(positives, totals)}, [], "multi-label")
    [shares] = bias.representation
    assert (shares.samples, shares.imbalance) == (60, 2)
    assert {getattr(bias.association[0], n) for n in ("cramers_v", "tschuprow", "pearson", "theil_u", "nmi")} == {None}
    z = {(p.group, p.label): p.ducher_z for p in bias.pairing}
    for i, group in enumerate((("f",), ("m",))):
        for j, label in enumerate(("happy", "sad", "fear")):
            # Ducher's Z of the two by two table of group and label.
            both, row, column = positives[i, j] / 60, totals[i] / 60, positives[:2, j].sum() / 60
            excess = both - row * column
            bound = min(row, column) - row * column if excess > 0 else row * column - max(0, row + column - 1)
            assert z[group, label] == pytest.approx(excess / bound if excess else 0)


def test_an_unknown_label_is_not_counted_as_absent():
    """Measures of a label are those of the samples for which it is known; a label that is known nowhere has none."""
    known, positives = np.array([[40, 20, 0], [10, 20, 0]]), np.array([[20, 10, 0], [5, 10, 0]])
    totals = np.array([40, 20])
    counts = dataclasses.replace(counts_of(positives, totals, groups=("f", "m")), tn=known - positives)
    bias = dataset_bias({BY: counts}, [], "multi-label")
    assert {(p.group, p.label) for p in bias.pairing} == {((g,), label) for g in ("f", "m") for label in ("happy", "sad")}
    assert all(p.ducher_z == p.npmi == p.lewontin_d == 0 for p in bias.pairing)  # half of the known ones everywhere
    [row] = bias.association
    assert row.dsap_stereotypical == 1
