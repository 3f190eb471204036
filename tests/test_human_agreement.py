"""Human agreement: computed by vote pattern, tested vote by vote and rater by rater."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fairfer
from fairfer.audits.audit import audit_predictions, rebuild
from fairfer.audits.derived_columns import VOTE_ENTROPY
from fairfer.audits.plan import AuditPlan
from fairfer.datasets.dataset import DUPLICATE_GROUP
from fairfer.datasets.loaders.ferplus import labels_of
from fairfer.datasets.loading import load_dataset
from fairfer.errors import FairferError, UsageError
from fairfer.labels import LabelSpace
from fairfer.metrics.human_agreement import VotePatterns, duplicate_consistency
from fairfer.metrics.rater_agreement import AGREEMENT_LEVELS, agreement_levels, vote_entropy
from fairfer.predictions.inference import predict
from fairfer.testing import FakeModel
from fairfer.vocabulary import ALL, EVERYONE

LABELS = LabelSpace.of("three", ["anger", "fear", "neutral"])
ANSWERS = ("anger", "fear", "neutral", "unknown")

rated_samples = st.lists(
    st.tuples(
        st.lists(st.integers(0, 3), min_size=4, max_size=4).filter(lambda votes: sum(votes[:3]) > 0),
        st.integers(0, 2),
        st.sampled_from("fm"),
    ),
    min_size=1,
    max_size=8,
)
"""Votes, predicted label and group of each sample."""


@pytest.fixture
def rated(toy):
    """A dataset with these votes, predictions and groups; the label is the first with most votes."""

    def make(samples):
        votes = pd.DataFrame([v for v, _, _ in samples], columns=list(ANSWERS))
        truth = [LABELS.labels[int(np.argmax(v[:3]))] for v, _, _ in samples]
        dataset = toy(truth, {"g": [g for _, _, g in samples]}, said=[p for _, p, _ in samples], labels=LABELS)
        return dataset.replace(votes=votes.set_index(dataset.samples.index))

    return make


def audited(dataset, **options):
    return fairfer.audit(dataset, predict(dataset, FakeModel(LABELS)), **{"minimum": 1, "permutations": 100, **options})


def only(rows, **fields):
    """The one row with these fields; a group as text."""
    if "group" in fields:
        fields["group"] = EVERYONE if fields["group"] == ALL else (fields["group"],)
    [row] = [r for r in rows if all(getattr(r, name) == value for name, value in fields.items())]
    return row


def rater_by_rater(votes_of_samples):
    """(truth, answer, weight) of each rater of each sample, with the plurality of the others as the truth."""
    for votes in votes_of_samples:
        raters = [answer for answer, n in enumerate(votes) for _ in range(n)]
        for i, answer in enumerate(raters):
            rest = raters[:i] + raters[i + 1 :]
            most = max((rest.count(a) for a in set(rest)), default=0)
            winners = [a for a in set(rest) if rest.count(a) == most]
            for truth in winners:
                if truth < 3:
                    yield truth, answer, 1 / len(winners)


@settings(max_examples=6)
@given(samples=rated_samples)
def test_rates_agree_with_counting_single_votes(samples, rated):
    """Vote-weighted rates vote by vote; human agreement rater by rater, where ties share the truth.

    A plurality for *unknown* is no truth, and an answer *unknown* is a false negative.
    """
    agreement = audited(rated(samples)).human_agreement
    for group in {g for *_, g in samples}:
        members = [(v, p) for v, p, g in samples if g == group]
        pairs = list(rater_by_rater([v for v, _ in members]))
        total = sum(w for *_, w in pairs)
        accuracy = only(agreement.human, label=ALL, group=group)
        assert accuracy.weight == pytest.approx(total)
        assert accuracy.value == (pytest.approx(sum(w for t, a, w in pairs if t == a) / total) if total else None)
        for j, label in enumerate(LABELS.labels):
            of_label, others = sum(v[j] for v, _ in members), sum(sum(v[:3]) - v[j] for v, _ in members)
            tpr, fpr = (only(agreement.weighted, label=label, group=group, rate=r) for r in ("TPR", "FPR"))
            assert (tpr.weight, fpr.weight) == (of_label, others)
            hits = sum(v[j] for v, p in members if p == j)
            false = sum(sum(v[:3]) - v[j] for v, p in members if p == j)
            assert tpr.value == (pytest.approx(hits / of_label) if of_label else None)
            assert fpr.value == (pytest.approx(false / others) if others else None)
            if of_label:
                assert tpr.effective_size == pytest.approx(of_label**2 / sum(v[j] ** 2 for v, _ in members))
                assert tpr.low <= tpr.value <= tpr.high
            true, untrue = (sum(w for t, _, w in pairs if (t == j) is same) for same in (True, False))
            tpr, fpr = (only(agreement.human, label=label, group=group, rate=r) for r in ("TPR", "FPR"))
            assert tpr.value == (pytest.approx(sum(w for t, a, w in pairs if t == a == j) / true) if true else None)
            hits = sum(w for t, a, w in pairs if t != j and a == j)
            assert fpr.value == (pytest.approx(hits / untrue, abs=1e-12) if untrue else None)


def test_the_interval_of_human_agreement_is_that_of_samples(rated):
    """Ten raters who agree on a sample are not ten independent samples."""
    samples = [([10, 0, 0, 0], 0, "f")] * 30 + [([5, 5, 0, 0], 0, "f")] * 10
    row = only(audited(rated(samples)).human_agreement.human, label=ALL, group="f")
    assert row.weight == pytest.approx(400)
    assert row.effective_size < 120
    row = only(audited(rated(samples[:30])).human_agreement.human, label=ALL, group="f")
    assert (row.value, row.effective_size) == (1, 30)
    assert row.low < 0.9


def test_copies_of_a_subjects_sample_do_not_narrow_intervals(rated):
    """Four copies of each of 100 subjects: with subjects, intervals stay about as wide; without, they are half as wide."""
    generator = np.random.default_rng(2)
    samples = [
        (generator.multinomial(10, generator.dirichlet([2, 1, 1, 0.5])).tolist(), int(generator.integers(0, 3)), "fm"[i % 2])
        for i in range(100)
    ]
    samples = [(v if sum(v[:3]) else [1, 0, 0, 9], p, g) for v, p, g in samples]

    def agreement(copies, subject):
        dataset = rated([sample for sample in samples for _ in range(copies)])
        actor = np.repeat([f"p{i}" for i in range(len(samples))], copies)
        dataset = dataset.replace(samples=dataset.samples.assign(actor=actor))
        return audited(dataset, by=["g"], subject=subject).human_agreement

    once, by_subject, independent = agreement(1, ""), agreement(4, "actor"), agreement(4, "")
    compared = 0
    for name in ("weighted", "human", "ambiguity"):
        for rows in zip(*(getattr(a, name) for a in (once, by_subject, independent)), strict=True):
            if any(r.low is None or r.high == r.low for r in rows):
                continue
            if (rows[0].effective_size if name != "ambiguity" else rows[0].samples) < 20:
                continue
            width = [r.high - r.low for r in rows]
            assert width[1] == pytest.approx(width[0], rel=0.12)
            assert width[2] < 0.7 * width[1]
            compared += 1
    assert compared > 20


@given(st.lists(st.lists(st.integers(0, 10), min_size=4, max_size=4), min_size=1, max_size=5))
def test_vote_entropy_agrees_with_its_definition(rows):
    """In bits; 0 when all raters agree, and independent of the order of the answers."""
    votes = np.array(rows)
    for row, entropy in zip(rows, vote_entropy(votes), strict=True):
        shares = [v / sum(row) for v in row if v]
        assert entropy == pytest.approx(-sum(x * math.log2(x) for x in shares), abs=1e-8)
    assert (vote_entropy(votes[:, ::-1]) == vote_entropy(votes)).all()


@pytest.mark.parametrize(
    ("votes", "level"),
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
def test_levels_of_agreement(votes, level):
    """The examples with which the levels are documented."""
    assert AGREEMENT_LEVELS[agreement_levels(vote_entropy(np.array([votes])))[0]] == level


def test_ambiguity_has_the_accuracy_of_the_model_and_of_a_rater(rated):
    """By group and level of agreement."""
    samples = [([10, 0, 0, 0], 0, "f"), ([10, 0, 0, 0], 1, "f"), ([7, 3, 0, 0], 0, "f"), ([0, 10, 0, 0], 1, "m")]
    rows = audited(rated(samples)).human_agreement.ambiguity
    unanimous = only(rows, stratum="unanimous", group="f")
    assert (unanimous.samples, unanimous.model, unanimous.human) == (2, 0.5, 1)
    mixed = only(rows, stratum="mixed", group="f")
    assert (mixed.samples, mixed.model) == (1, 1)
    assert mixed.human == pytest.approx(0.7)
    empty = only(rows, stratum="split", group="m")
    assert (empty.samples, empty.model, empty.human, empty.status) == (0, None, None, "not_estimable")
    assert only(rows, stratum="unanimous", group=ALL).samples == 3


def test_votes_for_merged_labels_are_added():
    """When contempt is merged into anger, its votes count for anger; votes for other answers stay separate."""
    votes = pd.DataFrame([[3, 2, 1, 1], [3, 2, 1, 1]], columns=["anger", "contempt", "unknown", "NF"])
    patterns, number = VotePatterns.of(votes, ["anger"], {"anger": "anger", "contempt": "anger"})
    assert patterns.votes.tolist() == [[5]]
    assert patterns.others.tolist() == [[1, 1]]
    assert number.tolist() == [0, 0]


def with_duplicates(dataset, names):
    column = pd.Series(names, index=dataset.samples.index, dtype="str")
    return dataset.replace(samples=dataset.samples.assign(**{DUPLICATE_GROUP: column}))


def test_duplicates_with_independent_votes_show_label_consistency(rated):
    """One pair per image, its first two samples; for a label, the pairs in which either sample has it."""
    samples = [
        ([9, 1, 0, 0], 0, "f"),
        ([8, 2, 0, 0], 0, "f"),
        ([1, 9, 0, 0], 1, "m"),
        ([7, 2, 1, 0], 1, "m"),
        ([0, 0, 9, 1], 2, "m"),
    ]
    agreement = audited(with_duplicates(rated(samples), ["x", "x", "y", "y", ""])).human_agreement
    assert agreement.independent
    rows = {r.label: r for r in agreement.duplicate_consistency}
    assert (rows[ALL].pairs, rows[ALL].agree, rows[ALL].value) == (2, 1, 0.5)
    assert (rows["anger"].pairs, rows["anger"].agree) == (2, 1)
    assert (rows["fear"].pairs, rows["fear"].agree) == (1, 0)
    assert rows["neutral"].value is None


def test_copied_votes_show_no_label_consistency(rated):
    """``fer2013new.csv`` repeats the votes of one duplicate for all of them: their agreement is no evidence."""
    samples = [([9, 1, 0, 0], 0, "f"), ([9, 1, 0, 0], 0, "f"), ([1, 9, 0, 0], 1, "m")]
    agreement = audited(with_duplicates(rated(samples), ["x", "x", ""])).human_agreement
    assert (agreement.independent, agreement.duplicate_consistency) == (False, [])
    assert audited(rated(samples[:1])).human_agreement.independent is None


def test_the_ferplus_loader_marks_duplicates(tmp_path, write_ferplus):
    """An audit compares the votes of images with the same pixels."""
    votes = {f"fer000000{i}.png": (9 - i, 1 + i, 0, 0, 0, 0, 0, 0, 0, 0) for i in range(3)}
    root = write_ferplus(tmp_path / "ferplus", {"Test": votes})
    folder = root / "data" / "FER2013Test"
    (folder / "fer0000001.png").write_bytes((folder / "fer0000000.png").read_bytes())
    duplicates = load_dataset(str(root)).samples[DUPLICATE_GROUP]
    assert duplicates.iloc[0] == duplicates.iloc[1] != ""
    assert duplicates.iloc[2] == ""


def test_levels_of_agreement_can_be_groups(rated):
    """A grouping like any other, on request."""
    audit = audited(rated([([10, 0, 0, 0], 0, "f"), ([4, 3, 3, 0], 0, "m")]), by=[VOTE_ENTROPY, f"g,{VOTE_ENTROPY}"])
    assert audit.groups(VOTE_ENTROPY) == [(level,) for level in AGREEMENT_LEVELS]
    assert audit.size(VOTE_ENTROPY, "split") == 1
    assert audit.groups(f"g,{VOTE_ENTROPY}") == list(itertools.product("fm", AGREEMENT_LEVELS))


def test_a_data_set_without_votes_has_no_human_agreement(toy):
    """Standardizing over the entropy of votes, or grouping by it, is refused."""
    dataset = toy(["anger"] * 2, {"g": ["f", "m"]}, labels=LABELS)
    assert audited(dataset).human_agreement is None
    with pytest.raises(UsageError, match="--standardize vote_entropy: toy has labels but no votes of raters"):
        audited(dataset, standardize=[VOTE_ENTROPY])
    with pytest.raises(FairferError, match="has no attribute 'vote_entropy'"):
        audited(dataset, by=[VOTE_ENTROPY])


def test_a_run_with_votes_is_rebuilt(tmp_path, rated):
    """Byte for byte, including standardization over the entropy of the votes."""
    dataset = rated([([9, 1, 0, 0], 0, "f"), ([4, 3, 3, 0], 1, "m"), ([0, 0, 9, 1], 2, "m")])
    plan = AuditPlan(by=["g"], standardize=[VOTE_ENTROPY], minimum=1, permutations=100)
    audit = audit_predictions(dataset, predict(dataset, FakeModel(LABELS), tmp_path), plan, run=tmp_path)
    assert audit.human_agreement is not None
    assert rebuild(tmp_path).to_json() == audit.to_json()
    assert audit.data.digest == dataset.digest


@pytest.mark.slow
def test_labels_of_ferplus_duplicates_are_about_as_consistent_as_published(shared):
    """92.1 % of 1,219 pairs by strict majority; Train and Test alone have most of these pairs."""

    def consistency(**options):
        dataset = load_dataset(str(shared / "data" / "ferplus"), **options)
        labels, duplicates = dataset.samples["label"], dataset.samples[DUPLICATE_GROUP]
        return duplicate_consistency(labels, dataset.votes, duplicates, dataset.labels.labels, 0.95)

    rows, independent = consistency(split="all")
    assert independent
    by_label = {r.label: r for r in rows}
    assert by_label[ALL].pairs > 900
    assert by_label[ALL].value == pytest.approx(0.921, abs=0.015)
    assert by_label["happiness"].value > by_label["sadness"].value > by_label["disgust"].value
    assert consistency(votes_from="fer2013new.csv") == ([], False)


def selected_without(votes, rule):
    """(truth, answer, weight) of each rater, on faces that the rule selects by the votes of the others."""
    for row in votes:
        for answer, n in enumerate(row):
            rest = [v - (a == answer) for a, v in enumerate(row)]
            if not n or not labels_of(np.array([rest]), rule)[1][0]:
                continue
            winners = [a for a, v in enumerate(rest) if v == max(rest)]
            for truth in winners:
                if truth < 8:
                    yield truth, answer, n / len(winners)


@pytest.mark.parametrize("rule", ["majority", "crossentropy", "plurality", "multi_target"])
def test_the_votes_of_the_other_raters_select_the_faces(tmp_path, write_ferplus, rule):
    """Also faces that the rule did not select with all votes: that rater may be the reason. By group, with demographics."""
    generator = np.random.default_rng(3)
    shares = generator.dirichlet([0.5] * 10, 60)
    votes = {f"fer{i:07d}.png": tuple(generator.multinomial(10, p).tolist()) for i, p in enumerate(shares)}
    root = write_ferplus(tmp_path / "ferplus", {"Test": votes})
    group = {name: "fm"[i % 2] for i, name in enumerate(votes)}
    (tmp_path / "people.csv").write_text("image,gender\n" + "".join(f"{n},{g}\n" for n, g in group.items()))
    dataset = load_dataset(root, rule=rule, demographics=tmp_path / "people.csv")
    assert len(dataset) + len(dataset.unselected.votes) == 60
    model = FakeModel(dataset.labels)
    plan = AuditPlan(by=["gender"], minimum=1, permutations=100, unsupported_labels="keep")
    audit = audit_predictions(dataset, predict(dataset, model, tmp_path / "run"), plan, run=tmp_path / "run")
    agreement = audit.human_agreement
    assert agreement.leave_one_out == [EVERYONE, ("gender",)]
    for name in (ALL, "f", "m"):
        pairs = list(selected_without([v for n, v in votes.items() if name in (ALL, group[n])], rule))
        row = only(agreement.human, label=ALL, group=name)
        assert row.weight == pytest.approx(sum(w for *_, w in pairs))
        assert row.value == pytest.approx(sum(w for t, a, w in pairs if t == a) / row.weight)
    assert rebuild(tmp_path / "run").to_json() == audit.to_json()


def test_without_the_unselected_faces_the_selection_is_named(rated):
    """A dataset that keeps only its faces with a label: agreement is overestimated, and the audit says so."""
    audit = audited(rated([([9, 1, 0, 0], 0, "f"), ([8, 2, 0, 0], 0, "m")] * 30))
    assert audit.human_agreement.leave_one_out == []


@pytest.mark.slow
def test_agreement_on_ferplus_test_is_that_of_all_faces(shared):
    """0.77 on the selected faces, 0.71 on all with plurality; 0.743 on those that the votes of the others select."""
    dataset = load_dataset(str(shared / "data" / "ferplus"))
    predictions = predict(dataset, FakeModel(dataset.labels))
    row = only(fairfer.audit(dataset, predictions, permutations=100).human_agreement.human, label=ALL, group=ALL)
    assert row.value == pytest.approx(0.7425, abs=0.0005)
