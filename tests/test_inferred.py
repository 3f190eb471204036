"""Inferred attributes: expected counts face by face, errors planted and taken out again, and bad probabilities."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from fairfer import audit, predict, rebuild
from fairfer.datasets.attributes import Attribute
from fairfer.errors import DataError
from fairfer.labels import LabelSpace
from fairfer.metrics.inferred_groups import ERRORS, membership, mixture, unmixed
from fairfer.testing import FakeModel
from fairfer.vocabulary import UNANNOTATED

LABELS = LabelSpace.of("two", ["anger", "fear"])


def measured(data, by=("g",), **more):
    return audit(data, predict(data, FakeModel(LABELS)), list(by), **{"minimum": 1, "permutations": 100, **more})


def inferred(toy, rows, *, source="inferred", both=False):
    """Rows of (truth, answer, probability of f); the group is the likelier one."""
    truth, said, p = zip(*rows, strict=True)
    group = ["f" if x >= 0.5 else "m" for x in p]
    data = toy([LABELS.labels[t] for t in truth], {"g": group}, said=list(said), labels=LABELS)
    columns = {"p_f": np.array(p)} | ({"p_m": 1 - np.array(p)} if both else {})
    probabilities = {"f": "p_f"} | ({"m": "p_m"} if both else {})
    return data.replace(
        samples=data.samples.assign(**columns),
        attributes=(Attribute("g", ("f", "m"), source, "a net", probabilities=probabilities),),
    )


ROWS = [
    (int(t), int(s), float(p))
    for t, s, p in zip(
        *(np.random.default_rng(0).integers(0, 2, (2, 60)).tolist()), np.random.default_rng(1).random(60).tolist(), strict=True
    )
]


@pytest.mark.parametrize("both", [False, True])
def test_fuzzy_rates_are_expected_counts_face_by_face(toy, both):
    """Each face counts p for one group and 1 - p for the other; also where one level has what is left."""
    shown = measured(inferred(toy, ROWS, both=both)).annotation
    for group, weight in (("f", [p for *_, p in ROWS]), ("m", [1 - p for *_, p in ROWS])):
        weighted = list(zip(ROWS, weight, strict=True))
        for j, label in enumerate(LABELS.labels):
            below = sum(w for (t, _, _), w in weighted if t == j)
            hits = sum(w for (t, s, _), w in weighted if t == j == s)
            [row] = [r for r in shown.rates if (r.group, r.label, r.rate) == (group, label, "TPR")]
            assert row.weight == pytest.approx(below, abs=1e-6)
            assert row.value == pytest.approx(hits / below, abs=1e-6)
            squares = sum(w * w for (t, _, _), w in weighted if t == j)
            assert row.effective_size == pytest.approx(below**2 / squares, rel=1e-5)
            assert row.low <= row.value <= row.high
        [whole] = [r for r in shown.rates if (r.group, r.rate) == (group, "accuracy")]
        assert whole.value == pytest.approx(sum(w for (t, s, _), w in weighted if t == s) / sum(weight), abs=1e-6)
        [answered] = [r for r in shown.rates if (r.group, r.rate) == (group, "coverage")]
        assert answered.value == 1


def test_a_fuzzy_gap_stands_beside_the_hard_one(toy):
    """Best minus worst of the plain gap, so that it may turn negative; with certain probabilities both are the same."""
    shown = measured(inferred(toy, ROWS))
    values = {(r.group, r.label, r.rate): r.value for r in shown.annotation.rates}
    for gap in shown.annotation.gaps:
        [plain] = [g for g in shown.gaps if (g.label, g.rate) == (gap.label, gap.rate)]
        assert plain.difference == 0 or (gap.worst, gap.best) == (plain.worst, plain.best)
        assert abs(gap.most_likely) == pytest.approx(plain.difference)
        assert gap.probabilistic == pytest.approx(
            values[gap.best, gap.label, gap.rate] - values[gap.worst, gap.label, gap.rate]
        )
    certain = measured(inferred(toy, [(t, s, float(p >= 0.5)) for t, s, p in ROWS])).annotation
    assert all(g.probabilistic == pytest.approx(g.most_likely, abs=1e-9) for g in certain.gaps)


def test_crossed_with_a_plain_attribute(toy):
    """A face counts for (f, tall) as much as it is probably f, if it is tall."""
    data = inferred(toy, ROWS)
    tall = pd.Series(["tall", "short"] * 30, index=data.samples.index, dtype="str")
    data = data.replace(
        samples=data.samples.assign(h=tall), attributes=(*data.attributes, Attribute("h", ("tall", "short"), "self-reported"))
    )
    shown = measured(data, by=["g,h", "h"]).annotation
    [row] = [r for r in shown.rates if (r.attribute, r.group, r.rate) == ("g,h", "f,tall", "accuracy")]
    mine = ROWS[::2]
    assert row.value == pytest.approx(sum(p for t, s, p in mine if t == s) / sum(p for *_, p in mine), abs=1e-6)
    assert {c.attribute for c in shown.corrected} == {"g,h"}


def test_without_probabilities_a_face_counts_for_its_annotated_group(toy):
    """And the unannotated for none; how many had no probabilities is told."""
    data = inferred(toy, ROWS)
    samples = data.samples.copy()
    samples.loc[samples.index[:3], "p_f"] = np.nan
    samples.loc[samples.index[3], ["g", "p_f"]] = [UNANNOTATED, np.nan]
    data = data.replace(samples=samples, attributes=(dataclasses.replace(data.attributes[0], levels=("f", "m", UNANNOTATED)),))
    weights, without = membership(data.samples, data.attributes[0])
    assert without.tolist() == [True] * 3 + [False] * 57
    assert weights[3].tolist() == [0, 0]
    assert weights[:3].max(axis=1).tolist() == [1, 1, 1]
    assert measured(data).annotation.without == 3


def test_stated_attributes_are_not_doubted(toy):
    """Self-reported and annotated ones have no such chapter, even with probabilities."""
    assert measured(inferred(toy, ROWS, source="self-reported")).annotation is None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"p_f": "x"}, r"probabilities of g, sample '.*': not numbers from 0 to 1; mend p_f"),
        ({"p_f": -0.1}, "not numbers from 0 to 1"),
        ({"p_f": 1.5}, "not numbers from 0 to 1"),
        ({"p_f": 0.9, "p_m": 0.5}, r"they sum to 1\.4, not 1; mend the table"),
    ],
)
def test_probabilities_that_are_none_are_refused(toy, change, complaint):
    """Before a model is asked about a single picture."""
    data = inferred(toy, ROWS, both="p_m" in change)
    samples = data.samples.astype({"p_f": object})
    for column, value in change.items():
        samples.loc[samples.index[0], column] = value
    with pytest.raises(DataError, match=complaint):
        measured(data.replace(samples=samples))


def test_only_one_level_may_be_the_rest(toy):
    """Of three levels two need a column."""
    data = inferred(toy, ROWS)
    about = dataclasses.replace(data.attributes[0], levels=("f", "m", "x"))
    with pytest.raises(DataError, match="no column for 'm' and 'x'; at most one level may be left to be the rest"):
        measured(data.replace(attributes=(about,)))


@pytest.mark.parametrize("levels", [1, 2, 4])
@pytest.mark.parametrize("error", [0.0, 0.1, 0.2])
def test_mixing_and_unmixing_cancel(levels, error):
    """Rows are probabilities, and the inverse gives the counts back."""
    mixing = mixture(error, levels)
    assert mixing.sum(axis=1) == pytest.approx(np.ones(levels))
    counts = np.arange(1.0, levels + 1)
    assert unmixed(counts @ mixing, mixing) == pytest.approx(counts)


def noisy(toy, error, seed, n=3000):
    """True rates .9 and .6; a share of annotations is wrong, whatever the face."""
    generator = np.random.default_rng(seed)
    group = generator.integers(0, 2, n)
    right = generator.random(n) < np.where(group == 0, 0.9, 0.6)
    said_group = np.where(generator.random(n) < error, 1 - group, group)
    data = toy(["anger"] * n, {"g": [["f", "m"][g] for g in said_group]}, said=[0 if r else 1 for r in right], labels=LABELS)
    return data.replace(attributes=(Attribute("g", ("f", "m"), "inferred", "a net"),))


@pytest.mark.parametrize("error", [0.05, 0.2])
def test_a_planted_error_is_taken_out_again(toy, error):
    """The annotated gap is blurred; corrected for the right error it is the true one, within its interval."""
    shown = measured(noisy(toy, error, 1))
    rows = {c.error: c for c in shown.annotation.corrected if (c.label, c.rate) == ("anger", "TPR")}
    assert set(rows) == set(ERRORS)
    assert rows[0.0].difference == pytest.approx(0.3 * (1 - 2 * error), abs=0.06)
    assert rows[error].difference == pytest.approx(0.3, abs=0.06)
    assert rows[error].low < 0.3 < rows[error].high
    assert shown.annotation.gaps == []  # no probabilities, no fuzzy groups


def test_a_group_that_may_be_all_mistakes_cannot_be_corrected(toy):
    """Thirty faces of one group among thousands: at one error in five they may all be wrong."""
    data = toy(["anger"] * 1030, {"g": ["f"] * 1000 + ["m"] * 30}, said=[0] * 900 + [1] * 100 + [0, 1] * 15, labels=LABELS)
    data = data.replace(attributes=(Attribute("g", ("f", "m"), "inferred", "a net"),))
    rows = {c.error: c for c in measured(data).annotation.corrected if (c.label, c.rate) == ("anger", "TPR")}
    assert rows[0.01].status == "ok"
    assert (rows[0.2].status, rows[0.2].difference) == ("not_estimable", None)


def test_a_group_without_a_miss_is_not_known_for_certain(toy):
    """Everyone is read rightly: no resample of such faces shows a miss, but the next face may."""
    data = toy(["anger"] * 60, {"g": ["f", "m"] * 30}, said=[0] * 59 + [1], labels=LABELS)
    data = data.replace(attributes=(Attribute("g", ("f", "m"), "inferred", "a net"),))
    [plain] = [c for c in measured(data).annotation.corrected if (c.label, c.rate, c.error) == ("anger", "TPR", 0.0)]
    assert plain.low < plain.difference < plain.high
    right = toy(["anger"] * 60, {"g": ["f", "m"] * 30}, said=[0] * 60, labels=LABELS).replace(attributes=data.attributes)
    shown = measured(right).annotation
    assert all(c.low < c.difference < c.high for c in shown.corrected if c.rate == "TPR" and c.label == "anger")


def test_copies_of_a_persons_face_make_nothing_surer(toy):
    """Four copies of each person: with people named, the intervals stay about as wide; as strangers they halve."""
    generator = np.random.default_rng(3)
    rows = [(0, int(s), float(p)) for s, p in zip(generator.integers(0, 2, 120), generator.random(120), strict=True)]

    def shown(copies, subject):
        data = inferred(toy, [row for row in rows for _ in range(copies)], both=True)
        who = np.repeat([f"p{i}" for i in range(len(rows))], copies)
        return measured(data.replace(samples=data.samples.assign(actor=who)), subject=subject).annotation

    once, people, strangers = shown(1, ""), shown(4, "actor"), shown(4, "")
    compared = 0
    for name in ("rates", "corrected"):
        for one, four, many in zip(*(getattr(a, name) for a in (once, people, strangers)), strict=True):
            if (one.label, one.rate) == ("anger", "TPR") and one.low is not None:
                width = [r.high - r.low for r in (one, four, many)]
                assert width[1] == pytest.approx(width[0], rel=0.15)
                assert width[2] < 0.7 * width[1]
                compared += 1
    assert compared == 2 + len(ERRORS)


def test_a_run_with_probabilities_is_rebuilt(tmp_path, toy):
    """They are kept in the run."""
    data = inferred(toy, ROWS, both=True)
    found = audit(data, predict(data, FakeModel(LABELS), tmp_path), ["g"], minimum=1, permutations=100, run=tmp_path)
    assert rebuild(tmp_path).to_json() == found.to_json()


def test_everyone_unannotated_is_no_crash(toy):
    """An inferred attribute that nobody has."""
    data = toy(["anger", "fear"], {"g": [None, None]}, labels=LABELS)
    data = data.replace(
        samples=data.samples.assign(p=0.5), attributes=(Attribute("g", (UNANNOTATED,), "inferred", "a net", probabilities={}),)
    )
    shown = measured(data).annotation
    assert (shown.rates, shown.gaps, shown.corrected) == ([], [], [])
