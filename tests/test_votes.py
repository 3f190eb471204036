"""Votes: each vote counted one by one, rater by rater, is the oracle of what is computed by pattern."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairfer import audit, predict, rebuild
from fairfer.datasets.dataset import DUPLICATE_GROUP
from fairfer.datasets.loading import load_dataset
from fairfer.errors import FairferError, UsageError
from fairfer.labels import LabelSpace
from fairfer.metrics.human_agreement import STRATA, VOTE_ENTROPY, Patterns, strata_of, vote_entropy
from fairfer.testing import FakeModel

LABELS = LabelSpace.of("three", ["anger", "fear", "neutral"])
ANSWERS = ("anger", "fear", "neutral", "unknown")

faces = st.lists(
    st.tuples(
        st.lists(st.integers(0, 3), min_size=4, max_size=4).filter(lambda v: sum(v[:3]) > 0),
        st.integers(0, 2),
        st.sampled_from("fm"),
    ),
    min_size=1,
    max_size=8,
)


@pytest.fixture
def rated(toy):
    """A data set whose faces have these votes, answers and groups; the label is the first with most votes."""

    def make(found, **more):
        votes = pd.DataFrame([v for v, _, _ in found], columns=list(ANSWERS))
        truth = [LABELS.labels[int(np.argmax(v[:3]))] for v, _, _ in found]
        data = toy(truth, {"g": [g for _, _, g in found]}, said=[s for _, s, _ in found], labels=LABELS, **more)
        return data.replace(votes=votes.set_index(data.samples.index))

    return make


def measured(data, **more):
    return audit(data, predict(data, FakeModel(LABELS)), minimum=1, permutations=100, **more)


def pick(rows, **wanted):
    [found] = [r for r in rows if all(getattr(r, k) == v for k, v in wanted.items())]
    return found


@settings(max_examples=6)
@given(found=faces)
def test_vote_weighted_rates_are_votes_counted_one_by_one(found, rated):
    """Of all votes for a label, the share on faces that the model reads so; of all other votes, the share read so wrongly."""
    votes = measured(rated(found)).votes
    for group, (j, label) in itertools.product("fm", enumerate(LABELS.labels)):
        mine = [(v, s) for v, s, g in found if g == group]
        heard = sum(v[j] for v, _ in mine)
        others = sum(sum(v[:3]) - v[j] for v, _ in mine)
        if not mine:
            continue
        tpr, fpr = (pick(votes.weighted, label=label, group=group, rate=r) for r in ("TPR", "FPR"))
        assert (tpr.weight, fpr.weight) == (heard, others)
        assert tpr.value == (pytest.approx(sum(v[j] for v, s in mine if s == j) / heard) if heard else None)
        assert fpr.value == (pytest.approx(sum(sum(v[:3]) - v[j] for v, s in mine if s == j) / others) if others else None)
        if heard:
            assert tpr.effective_size == pytest.approx(heard**2 / sum(v[j] ** 2 for v, _ in mine))
            assert tpr.low <= tpr.value <= tpr.high


def raters_one_by_one(found):
    """(truth, answer, weight) for each rater of each face, held against the plurality of the others."""
    for votes in found:
        raters = [a for a, n in enumerate(votes) for _ in range(n)]
        for i, said in enumerate(raters):
            rest = raters[:i] + raters[i + 1 :]
            most = max((rest.count(a) for a in set(rest)), default=0)
            winners = [a for a in set(rest) if rest.count(a) == most]
            for truth in winners:
                if truth < 3:
                    yield truth, said, 1 / len(winners)


@settings(max_examples=6)
@given(found=faces)
def test_the_human_ceiling_is_each_rater_held_against_the_others(found, rated):
    """Rater by rater, ties shared out; a plurality for *unknown* is no truth, an answer *unknown* is a miss."""
    votes = measured(rated(found)).votes
    for group in "fm":
        mine = [v for v, _, g in found if g == group]
        if not mine:
            continue
        pairs = list(raters_one_by_one(mine))
        total = sum(w for *_, w in pairs)
        whole = pick(votes.human, label="*", group=group)
        assert whole.weight == pytest.approx(total)
        assert whole.value == (pytest.approx(sum(w for t, s, w in pairs if t == s) / total) if total else None)
        for j, label in enumerate(LABELS.labels):
            below = sum(w for t, _, w in pairs if t == j)
            found_rate = pick(votes.human, label=label, group=group, rate="TPR")
            assert found_rate.value == (pytest.approx(sum(w for t, s, w in pairs if t == s == j) / below) if below else None)
            wrong = sum(w for t, _, w in pairs if t != j)
            false = pick(votes.human, label=label, group=group, rate="FPR")
            hits = sum(w for t, s, w in pairs if t != j and s == j)
            assert false.value == (pytest.approx(hits / wrong, abs=1e-12) if wrong else None)


def test_a_face_counts_once_however_many_raters_it_has(rated):
    """The interval of the human ceiling is that of faces: ten raters who all agree are not ten independent faces."""
    found = [([10, 0, 0, 0], 0, "f")] * 30 + [([5, 5, 0, 0], 0, "f")] * 10
    row = pick(measured(rated(found)).votes.human, label="*", group="f")
    assert row.weight == pytest.approx(400)
    assert row.effective_size < 120
    alike = pick(measured(rated([([10, 0, 0, 0], 0, "f")] * 30)).votes.human, label="*", group="f")
    assert (alike.value, alike.effective_size) == (1, 30)
    assert alike.low < 0.9


def test_copies_of_a_persons_face_make_no_number_surer(rated):
    """Four copies of each of fifty people: with people named, every interval stays about as wide; as strangers it halves."""
    generator = np.random.default_rng(2)
    found = [
        (generator.multinomial(10, generator.dirichlet([2, 1, 1, 0.5])).tolist(), int(generator.integers(0, 3)), "fm"[i % 2])
        for i in range(100)
    ]
    found = [(v if sum(v[:3]) else [1, 0, 0, 9], s, g) for v, s, g in found]

    def shown(copies, subject):
        data = rated([face for face in found for _ in range(copies)])
        who = np.repeat([f"p{i}" for i in range(len(found))], copies)
        data = data.replace(samples=data.samples.assign(actor=who))
        return measured(data, by=["g"], subject=subject).votes

    once, people, strangers = shown(1, ""), shown(4, "actor"), shown(4, "")
    for name in ("weighted", "human", "ambiguity"):
        for one, four, many in zip(*(getattr(v, name) for v in (once, people, strangers)), strict=True):
            width = [r.high - r.low if r.low is not None else None for r in (one, four, many)]
            if None in width or min(width) == 0:
                continue
            enough = one.effective_size >= 20 if name != "ambiguity" else one.faces >= 20
            if enough:
                assert width[1] == pytest.approx(width[0], rel=0.12)
                assert width[2] < 0.7 * width[1]


@given(st.lists(st.lists(st.integers(0, 10), min_size=4, max_size=4), min_size=1, max_size=5))
def test_entropy_is_its_definition(rows):
    """In bits; 0 when all agree, and the order of the answers does not matter."""
    votes = np.array(rows)
    for row, found in zip(rows, vote_entropy(votes), strict=True):
        p = [v / sum(row) for v in row if v]
        assert found == pytest.approx(-sum(x * math.log2(x) for x in p), abs=1e-8)
    assert (vote_entropy(votes[:, ::-1]) == vote_entropy(votes)).all()


@pytest.mark.parametrize(
    ("votes", "stratum"),
    [
        ((10, 0, 0), "unanimous"),
        ((9, 1, 0), "clear"),
        ((8, 2, 0), "clear"),
        ((7, 3, 0), "mixed"),
        ((5, 5, 0), "mixed"),
        ((6, 3, 1), "split"),
        ((4, 3, 3), "split"),
    ],
)
def test_faces_are_sorted_by_how_far_their_raters_agree(votes, stratum):
    """The examples that the strata are explained with."""
    assert STRATA[strata_of(vote_entropy(np.array([votes])))[0]] == stratum


def test_ambiguity_shows_the_model_beside_a_rater(rated):
    """By group and stratum: faces, how often the model has the label, how often a rater agrees with the others."""
    found = [([10, 0, 0, 0], 0, "f"), ([10, 0, 0, 0], 1, "f"), ([7, 3, 0, 0], 0, "f"), ([0, 10, 0, 0], 1, "m")]
    rows = measured(rated(found)).votes.ambiguity
    clear = pick(rows, stratum="unanimous", group="f")
    assert (clear.faces, clear.model, clear.human) == (2, 0.5, 1)
    mixed = pick(rows, stratum="mixed", group="f")
    assert (mixed.faces, mixed.model) == (1, 1)
    assert mixed.human == pytest.approx(0.7)
    nobody = pick(rows, stratum="split", group="m")
    assert (nobody.faces, nobody.model, nobody.human, nobody.status) == (0, None, None, "not_estimable")
    assert pick(rows, stratum="unanimous", group="*").faces == 3


def test_answers_that_mean_one_label_are_added_up():
    """When contempt is merged into anger, its votes are votes for anger; others stay apart from one another."""
    votes = pd.DataFrame([[3, 2, 1, 1], [3, 2, 1, 1]], columns=["anger", "contempt", "unknown", "NF"])
    patterns, number = Patterns.of(votes, ["anger"], {"anger": "anger", "contempt": "anger"})
    assert patterns.votes.tolist() == [[5]]
    assert patterns.others.tolist() == [[1, 1]]
    assert number.tolist() == [0, 0]


def test_twins_that_were_rated_apart_tell_how_far_labels_repeat(rated):
    """One pair per picture, the first two; per label of the pairs in which either has it."""
    found = [
        ([9, 1, 0, 0], 0, "f"),
        ([8, 2, 0, 0], 0, "f"),
        ([1, 9, 0, 0], 1, "m"),
        ([7, 2, 1, 0], 1, "m"),
        ([0, 0, 9, 1], 2, "m"),
    ]
    data = rated(found)
    twins = ["x", "x", "y", "y", ""]
    data = data.replace(
        samples=data.samples.assign(**{DUPLICATE_GROUP: pd.Series(twins, index=data.samples.index, dtype="str")})
    )
    votes = measured(data).votes
    assert votes.independent
    everything = pick(votes.duplicate_consistency, label="*")
    assert (everything.pairs, everything.agree, everything.value) == (2, 1, 0.5)
    assert (pick(votes.duplicate_consistency, label="anger").pairs, pick(votes.duplicate_consistency, label="anger").agree) == (
        2,
        1,
    )
    assert (pick(votes.duplicate_consistency, label="fear").pairs, pick(votes.duplicate_consistency, label="fear").agree) == (
        1,
        0,
    )
    assert pick(votes.duplicate_consistency, label="neutral").value is None


def test_copied_votes_prove_nothing(rated):
    """``fer2013new.csv`` repeats one twin's votes for every twin: perfect agreement that is none."""
    data = rated([([9, 1, 0, 0], 0, "f"), ([9, 1, 0, 0], 0, "f"), ([1, 9, 0, 0], 1, "m")])
    data = data.replace(
        samples=data.samples.assign(**{DUPLICATE_GROUP: pd.Series(["x", "x", ""], index=data.samples.index, dtype="str")})
    )
    votes = measured(data).votes
    assert (votes.independent, votes.duplicate_consistency) == (False, [])
    assert measured(rated([([9, 1, 0, 0], 0, "f")])).votes.independent is None


def test_twins_are_marked_where_faces_were_rated(tmp_path, write_ferplus):
    """The FER+ loader says which pictures are the same, so that an audit can compare their votes."""
    votes = {f"fer000000{i}.png": (9 - i, 1 + i, 0, 0, 0, 0, 0, 0, 0, 0) for i in range(3)}
    root = write_ferplus(tmp_path / "ferplus", {"Test": votes})
    folder = root / "data" / "FER2013Test"
    (folder / "fer0000001.png").write_bytes((folder / "fer0000000.png").read_bytes())
    data = load_dataset(str(root))
    twin = data.samples[DUPLICATE_GROUP]
    assert twin.iloc[0] == twin.iloc[1] != ""
    assert twin.iloc[2] == ""


def test_by_vote_entropy_the_strata_are_groups(rated):
    """A grouping like any other, once it is asked for."""
    found = [([10, 0, 0, 0], 0, "f"), ([4, 3, 3, 0], 0, "m")]
    shown = measured(rated(found), by=[VOTE_ENTROPY, f"g,{VOTE_ENTROPY}"])
    assert shown.groups(VOTE_ENTROPY) == list(STRATA)
    assert shown.size(VOTE_ENTROPY, "split") == 1
    assert "m,split" in shown.groups(f"g,{VOTE_ENTROPY}")


def test_without_votes_there_is_nothing_to_say(toy):
    """No chapter, and asking for it is an error that says so."""
    data = toy(["anger"] * 2, {"g": ["f", "m"]}, labels=LABELS)
    assert measured(data).votes is None
    with pytest.raises(UsageError, match="--standardize vote_entropy: toy has no raters' votes, only labels"):
        measured(data, standardize=[VOTE_ENTROPY])
    with pytest.raises(FairferError, match="has no attribute 'vote_entropy'"):
        measured(data, by=[VOTE_ENTROPY])


def test_votes_survive_a_run(tmp_path, rated):
    """``fairfer report`` makes the same audit again, votes, strata and all."""
    data = rated([([9, 1, 0, 0], 0, "f"), ([4, 3, 3, 0], 1, "m"), ([0, 0, 9, 1], 2, "m")])
    found = audit(
        data,
        predict(data, FakeModel(LABELS), tmp_path),
        ["g"],
        standardize=[VOTE_ENTROPY],
        minimum=1,
        permutations=100,
        run=tmp_path,
    )
    assert rebuild(tmp_path).to_json() == found.to_json()
    assert found.data.digest == data.digest


def test_ferplus_twins_agree_about_as_often_as_was_found(shared):
    """Domain knowledge: 92.1 % of 1,219 pairs by strict majority; Train and Test alone have most of those pairs."""
    data = load_dataset(str(shared / "data" / "ferplus"), split="all")
    from fairfer.metrics.human_agreement import _retest

    rows, independent = _retest(data, 0.95)
    assert independent
    everything = pick(rows, label="*")
    assert everything.pairs > 900
    assert everything.value == pytest.approx(0.921, abs=0.015)
    by_label = {r.label: r.value for r in rows}
    assert by_label["happiness"] > by_label["sadness"] > by_label["disgust"]
    copied, independent = _retest(load_dataset(str(shared / "data" / "ferplus"), votes_from="fer2013new.csv"), 0.95)
    assert (copied, independent) == ([], False)
