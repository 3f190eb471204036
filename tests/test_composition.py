"""Composition: the published golden values, the definitions written out, and what is not defined."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fairfer.metrics.dataset_bias import (
    association,
    compose,
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

tables = st.lists(st.lists(st.integers(0, 30), min_size=3, max_size=3), min_size=2, max_size=4).filter(
    lambda rows: sum(map(sum, rows)) > 0
)


@pytest.fixture(scope="module")
def example(shared):
    """One of the published example tables by name."""

    def read(name: str) -> pd.DataFrame:
        return pd.read_csv(shared / "data" / "composition" / f"{name}.csv")

    return read


def shares(frame: pd.DataFrame, *names: str) -> dict[str, float]:
    return representation(frame.groupby(list(names)).size())


GOLDEN = {
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
TOGETHER = {
    "gender": {"cramers_v": 0.170962, "nmi": 0.006582, "tschuprow": 0.109235, "pearson": 0.168517},
    "race": {"cramers_v": 0.067681, "nmi": 0.005526, "tschuprow": 0.067681, "pearson": 0.163552},
    "age": {"cramers_v": 0.104578, "nmi": 0.009951, "tschuprow": 0.097321, "pearson": 0.248151},
}


@pytest.mark.parametrize("attribute", GOLDEN)
def test_representation_is_the_published_one(example, attribute):
    """FER+ as labelled by FairFace, 32,673 rows: the values of the reference package."""
    found = shares(example("ferplus"), attribute)
    assert {k: found[k] for k in GOLDEN[attribute]} == pytest.approx(GOLDEN[attribute], abs=5e-7)


@pytest.mark.parametrize("attribute", TOGETHER)
def test_association_is_the_published_one(example, attribute):
    """Cramér's V, NMI over the joint entropy, Tschuprow's T, Pearson's C."""
    frame = example("ferplus")
    found = association(pd.crosstab(frame[attribute], frame["label"]))
    assert {k: found[k] for k in TOGETHER[attribute]} == pytest.approx(TOGETHER[attribute], abs=5e-7)


def test_theils_u_is_the_published_one_in_both_directions(example):
    """U for gender: .021255 and .009445."""
    frame = example("ferplus")
    found = association(pd.crosstab(frame["gender"], frame["label"]))
    assert sorted((found["theil_u"], found["theil_u_reverse"])) == pytest.approx([0.009445, 0.021255], abs=5e-7)


def test_the_reference_packages_own_examples(example):
    """Those of its README, to the last digit given."""
    adfes, expw = example("adfes"), example("expw")
    assert shares(adfes, "race")["ens"] == pytest.approx(2.478206948646503, abs=1e-12)
    assert shares(adfes, "age", "race")["ens"] == pytest.approx(3.0404964294246533, abs=1e-12)
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
def test_cramers_v_of_other_sets(example, name, attribute, value):
    """A single group is associated with nothing, and that is not 0."""
    frame = example(name)
    found = association(pd.crosstab(frame[attribute], frame["label"]))["cramers_v"]
    assert found == pytest.approx(value, abs=5e-6, nan_ok=True)


PUBLISHED = pd.DataFrame(
    {
        "angry": (1002, 1772), "disgust": (125, 105), "fear": (444, 298), "happy": (5498, 3479), "neutral": (5225, 6940),
        "sad": (2002, 1784), "surprise": (2048, 1951),
    },
    index=["Female", "Male"],
)  # fmt: skip
"""Gender by emotion in FER+ as labelled by FairFace: the figures that the measures below were published for."""


def test_local_measures_are_the_published_ones():
    """Ducher's Z and NPMI of women and each emotion; Z of men is its mirror."""
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
    found = association(PUBLISHED)
    assert {k: found[k] for k in TOGETHER["gender"]} == pytest.approx(TOGETHER["gender"], abs=5e-7)
    assert representation(PUBLISHED.sum(axis=1))["nsd"] == pytest.approx(0.000459, abs=5e-7)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(any))
def test_representation_is_its_definition(counts):
    """Written out; empty groups are no part of it."""
    found = representation(counts)
    p = [c / sum(counts) for c in counts if c]
    entropy = stats.entropy(p)
    assert found["richness"] == len(p)
    assert found["shannon"] == pytest.approx(entropy)
    assert found["ens"] == pytest.approx(math.exp(entropy))
    assert found["simpson"] == pytest.approx(sum(x * x for x in p))
    assert found["gini_simpson"] == pytest.approx(1 - found["simpson"])
    assert found["inverse_simpson"] * found["simpson"] == pytest.approx(1)
    assert found["imbalance"] == pytest.approx(max(p) / min(p))
    assert found["berger_parker"] == max(p)
    if len(p) == 1:
        assert math.isnan(found["evenness"])
        assert math.isnan(found["nsd"])
    else:
        assert found["evenness"] == pytest.approx(entropy / math.log(len(p)))
        assert found["nsd"] == pytest.approx(np.std(p) * len(p) / math.sqrt(len(p) - 1))
        assert -1e-12 <= found["nsd"] <= 1 + 1e-12


@given(tables)
def test_association_is_its_definition(rows):
    """Mutual information by its sum; chi-squared by scipy's own test, with Yates only for two by two."""
    table = pd.DataFrame(rows)
    found = association(table)
    dense = table.loc[table.sum(axis=1) > 0, table.sum(axis=0) > 0]
    if min(dense.shape) < 2:
        assert all(map(math.isnan, found.values()))
        return
    n = dense.to_numpy().sum()
    chi2 = stats.chi2_contingency(dense, correction=True)[0]
    assert found["cramers_v"] == pytest.approx(math.sqrt(chi2 / n / (min(dense.shape) - 1)), abs=1e-9)
    p = dense.to_numpy() / n
    mutual = sum(
        p[i, j] * math.log(p[i, j] / (p[i].sum() * p[:, j].sum())) for i in range(len(p)) for j in range(p.shape[1]) if p[i, j]
    )
    assert found["nmi"] == pytest.approx(mutual / stats.entropy(p.ravel()), abs=1e-9)
    assert found["theil_u"] == pytest.approx(mutual / stats.entropy(p.sum(0)), abs=1e-9)
    assert found["theil_u_reverse"] == pytest.approx(mutual / stats.entropy(p.sum(1)), abs=1e-9)


@given(tables)
def test_local_measures_keep_their_range(rows):
    """From -1 (never together) to 1 (never apart), 0 in every cell of an independent table."""
    table = pd.DataFrame(rows)
    assert ducher_z(table).to_numpy().min() >= -1 - 1e-9
    assert ducher_z(table).to_numpy().max() <= 1 + 1e-9
    assert lewontin_d(table).to_numpy().sum() == pytest.approx(0, abs=1e-9)
    independent = pd.DataFrame([[10, 20], [30, 60]])
    assert np.allclose(ducher_z(independent), 0)
    assert np.allclose(npmi(independent), 0)


def test_never_apart_is_1_and_never_together_is_minus_1():
    """The ends of both scales."""
    table = pd.DataFrame([[50, 0], [0, 50]])
    assert ducher_z(table).to_numpy().tolist() == [[1, -1], [-1, 1]]
    assert npmi(table).to_numpy() == pytest.approx(np.array([[1, -1], [-1, 1]]))


def test_one_cell_alone_has_no_information():
    """One group and one label: Z is 0, NPMI does not exist."""
    table = pd.DataFrame([[7]])
    assert ducher_z(table).iloc[0, 0] == 0
    assert math.isnan(npmi(table).iloc[0, 0])


def test_dsap_compares_profiles():
    """Half the summed differences, from 1; uniform over all groups, over those present, and label by label."""
    assert similarity([1, 1], [1, 1]) == 1
    assert similarity([1, 0], [0, 1]) == 0
    assert similarity([3, 1], [1, 1]) == 0.75
    found = dsap(pd.DataFrame([[30, 10], [10, 10], [0, 0]]))
    assert found["representational"] == pytest.approx(1 - (abs(2 / 3 - 1 / 3) + 0 + 1 / 3) / 2)
    assert found["evenness"] == pytest.approx(1 - 2 * abs(2 / 3 - 1 / 2) / 2)
    assert found["stereotypical"] == pytest.approx(0.75)
    assert math.isnan(dsap(pd.DataFrame([[3], [4]]))["stereotypical"])


@given(st.lists(st.integers(1, 999), min_size=2, max_size=8))
def test_a_group_that_is_everyone_goes_with_no_label_more_than_with_another(faces):
    """Independence exactly; rounding once made -1 or 1 of it."""
    assert (ducher_z(pd.DataFrame([faces], index=["everyone"])) == 0).all(axis=None)
    assert (ducher_z(pd.DataFrame([faces], index=["everyone"]).T) == 0).all(axis=None)


def test_overall_disparity_and_xus_ratio_by_hand():
    """Two labels and two groups; what no group ever finds, and what one group lacks, is left out."""
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
    value = hits / trials if trials else None
    return Rate(
        label=label, attribute="g", group=group, rate=name, value=value, numerator=hits, denominator=trials,
        low=None, high=None, status=status,
    )  # fmt: skip


def test_a_pairing_stands_beside_the_models_gap_for_it():
    """A group's rate minus that of everyone else annotated, where there are enough faces; the unannotated are counted apart."""
    counts = pd.DataFrame(
        [
            ("g", "f", "happy", 30),
            ("g", "f", "sad", 10),
            ("g", "m", "happy", 20),
            ("g", "m", "sad", 20),
            ("g", "unannotated", "sad", 7),
        ],
        columns=["attribute", "group", "truth", "n"],
    )
    rates = [rate("f", "happy", "TPR", 27, 30), rate("m", "happy", "TPR", 10, 20), rate("f", "sad", "TPR", 1, 10, "small")]
    found = compose(counts, rates, ["happy", "sad", "fear"], {"*": ["*"], "g": ["f", "m", "unannotated"]})
    [shown] = found.representation
    assert (shown.faces, shown.unannotated, shown.richness) == (80, 7, 2)
    by_key = {(p.group, p.label): p for p in found.pairing}
    assert set(by_key) == {("f", "happy"), ("f", "sad"), ("m", "happy"), ("m", "sad")}
    assert by_key["f", "happy"].tpr_excess == pytest.approx(0.9 - 0.5)
    assert by_key["m", "happy"].tpr_excess == pytest.approx(0.5 - 0.9)
    assert by_key["f", "sad"].tpr_excess is None
    assert by_key["f", "happy"].ducher_z > 0 > by_key["m", "happy"].ducher_z
    [together] = found.association
    assert together.overall_disparity == pytest.approx(1 - 0.5 / 0.9)
