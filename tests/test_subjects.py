"""Subjects: where several samples show one, intervals and tests are by subject."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import fairfer
from fairfer.audits.audit import audit_predictions, rebuild
from fairfer.audits.plan import AuditPlan
from fairfer.datasets.attributes import Attribute
from fairfer.errors import UsageError
from fairfer.labels import LabelSpace
from fairfer.metrics.counts import Source, count
from fairfer.metrics.rate_definitions import LABEL_RATES
from fairfer.metrics.subjects import SubjectEstimates, likely_subject_column, number_subjects
from fairfer.predictions.inference import predict
from fairfer.stats.permutation import run_test
from fairfer.testing import FakeModel
from fairfer.vocabulary import EVERYONE, STATUSES

LABELS = LabelSpace.of("two", ["anger", "fear"])
BY = ("g",)
GROUPS = {EVERYONE: [EVERYONE], BY: [("f",), ("m",)]}


def audited(dataset, **options):
    return fairfer.audit(dataset, predict(dataset, FakeModel(LABELS)), **{"minimum": 1, "permutations": 400, **options})


def subjects_table(subjects, copies, *, seed=0) -> pd.DataFrame:
    """Samples of subjects who are always classified correctly or never, with probability one half in both groups."""
    correct = np.random.default_rng(seed).random(subjects) < 0.5
    number = np.repeat(np.arange(subjects), copies)
    return pd.DataFrame(
        {
            "truth": "anger",
            "predicted": np.where(correct, "anger", "fear")[number],
            "status": "ok",
            "g": np.where(number % 2 == 0, "f", "m"),
            "unit": number,
        }
    )


def subjects_dataset(toy, subjects, copies):
    table = subjects_table(subjects, copies)
    predicted = [LABELS.labels.index(p) for p in table["predicted"]]
    dataset = toy(["anger"] * len(table), {"g": list(table["g"])}, said=predicted, labels=LABELS)
    actor = [f"p{i:03d}" for i in table["unit"]]
    return dataset.replace(samples=dataset.samples.assign(actor=pd.Series(actor, index=dataset.samples.index)))


def test_more_samples_of_the_same_subjects_do_not_narrow_intervals(toy):
    """Ten samples of each of 40 subjects give the interval of one each; as independent samples they would not."""
    one, ten = (audited(subjects_dataset(toy, 40, n), by=["g"], subject="actor").rate("accuracy") for n in (1, 10))
    assert one.value == ten.value
    assert ten.high - ten.low == pytest.approx(one.high - one.low, rel=0.1)
    independent = audited(subjects_dataset(toy, 40, 10), by=["g"]).rate("accuracy")
    assert independent.high - independent.low < 0.5 * (ten.high - ten.low)


def p_values(seed) -> tuple[float, float]:
    """P-values by subject and of independent samples (Fisher's exact test), of the accuracy of two equal groups.

    20 subjects have ten samples each.
    """
    table = subjects_table(20, 10, seed=seed)
    counts = count(Source(table, "single-label", LABELS.labels, {"g": "g"}), GROUPS, unit="unit")
    test = SubjectEstimates(counts, {}).test(BY, GROUPS[BY], "accuracy", "*", np.random.default_rng(seed))
    by_subject = run_test(test, 99)
    return by_subject.p, stats.fisher_exact(pd.crosstab(table["g"], table["predicted"])).pvalue


@pytest.mark.slow
def test_equal_groups_are_rarely_significant_by_subject():
    """As independent samples, most of them would be."""
    repetitions = 40
    by_subject, independent = (np.array([p_values(seed) for seed in range(repetitions)]) <= 0.05).mean(axis=0)
    assert by_subject <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repetitions)
    assert independent > 0.4


def test_the_audit_tests_by_subject(toy):
    """Its p-value is that of the permutation of subjects."""
    dataset = subjects_dataset(toy, 20, 10)
    plan = AuditPlan(by=["g"], subject="actor", minimum=1, minimum_subjects=1, permutations=200)
    audit = audit_predictions(dataset, predict(dataset, FakeModel(LABELS)), plan)
    [gap] = [g for g in audit.gaps if g.rate == "accuracy"]
    counts = count(Source(subjects_table(20, 10), "single-label", LABELS.labels, {"g": "g"}), GROUPS, unit="unit")
    test = SubjectEstimates(counts, {}).test(BY, GROUPS[BY], "accuracy", "*", plan.metrics.stream(BY, "*", "accuracy"))
    expected = run_test(test, 20_000)
    assert gap.p == pytest.approx(expected.p, abs=0.15)
    assert gap.expected_by_chance == pytest.approx(expected.expected, rel=0.2)


def test_rates_do_not_depend_on_subjects(toy):
    """Only intervals do. The number of subjects is reported; a sample without a name is a subject of its own."""
    dataset = subjects_dataset(toy, 10, 4)
    independent, by_subject = audited(dataset, by=["g"]), audited(dataset, by=["g"], subject="actor")
    assert independent.data.subjects is None
    assert by_subject.data.subjects == 10
    assert by_subject.plan.subject == "actor"
    numbers = [[(r.value, r.numerator, r.denominator, r.status) for r in a.rates] for a in (independent, by_subject)]
    assert [n[:3] for n in numbers[0]] == [n[:3] for n in numbers[1]]
    assert {(one[3], other[3]) for one, other in zip(*numbers, strict=True) if one[3] != other[3]} == {("ok", "few_subjects")}
    some = dataset.samples["actor"].mask(dataset.samples["actor"] == "p003")
    unnamed = dataset.replace(samples=dataset.samples.assign(actor=some))
    assert audited(unnamed, by=["g"], subject="actor").data.subjects == 9 + 4


def test_a_run_with_subjects_is_rebuilt(tmp_path, toy):
    """Byte for byte: the run keeps the column."""
    dataset = subjects_dataset(toy, 8, 3)
    plan = AuditPlan(by=["g"], subject="actor", minimum=1, permutations=100)
    audit = audit_predictions(dataset, predict(dataset, FakeModel(LABELS), tmp_path), plan, run=tmp_path)
    assert rebuild(tmp_path).to_json() == audit.to_json()


def test_the_subject_column_is_not_a_default_grouping(toy):
    """By default every attribute is audited except the one that names subjects."""
    dataset = subjects_dataset(toy, 6, 2)
    actor = Attribute("actor", tuple(sorted(set(dataset.samples["actor"]))))
    assert audited(dataset.replace(attributes=(*dataset.attributes, actor)), subject="actor").groupings == [BY]


def test_a_missing_subject_column_is_refused(toy):
    """One line with the nearest name."""
    with pytest.raises(UsageError, match="--subject actr: toy has no such column; did you mean 'actor'"):
        audited(subjects_dataset(toy, 4, 2), by=["g"], subject="actr")


def test_a_subject_may_be_in_several_groups(toy):
    """With and without glasses: rates are those of all samples, and the gap is tested within subjects."""
    dataset = subjects_dataset(toy, 10, 4)
    alternating = pd.Series(["f", "m"] * 20, index=dataset.samples.index, dtype="str")
    audit = audited(dataset.replace(samples=dataset.samples.assign(g=alternating)), by=["g"], subject="actor")
    assert audit.rate("accuracy", attribute="g", group="f").denominator == 20
    [gap] = [g for g in audit.gaps if g.rate == "accuracy"]
    # Each subject's samples are all right or all wrong, so no permutation within subjects has a difference.
    assert (gap.status, gap.difference, gap.p) == ("no_variation", 0, None)


def test_counts_by_subject_agree_with_masks():
    """TP, FN, FP and TN per subject, group and label, with missing answers and predictions that are not audited."""
    generator = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "truth": generator.choice(["anger", "fear"], 60),
            "predicted": generator.choice(["anger", "fear", "joy", "no_face"], 60),
            "g": generator.choice(["f", "m"], 60),
            "unit": generator.integers(0, 7, 60),
        }
    )
    frame["status"] = np.where(frame["predicted"] == "no_face", "no_face", "ok")
    counts = count(Source(frame, "single-label", LABELS.labels, {"g": "g"}), {BY: [("f",), ("m",), ("x",)]}, unit="unit")[BY]
    assert counts.total.sum() == 60
    assert len(counts.total) == len(frame.groupby(["unit", "g"]))
    for i in range(len(counts.total)):
        part = frame[(frame["unit"] == counts.unit[i]) & (frame["g"] == counts.groups[counts.group[i]][0])]
        assert counts.total[i] == counts.judged[i] == len(part)
        assert counts.correct[i] == (part["truth"] == part["predicted"]).sum()
        assert list(counts.statuses[i]) == [(part["status"] == status).sum() for status in STATUSES]
        for j, label in enumerate(counts.labels):
            true, predicted = part["truth"] == label, part["predicted"] == label
            assert counts.tp[i, j] == (true & predicted).sum()
            assert counts.fn[i, j] == (true & ~predicted).sum()
            assert counts.fp[i, j] == (~true & predicted).sum()
            assert counts.tn[i, j] == (~true & ~predicted).sum()
            for rate in LABEL_RATES:
                numerator, denominator = counts.fraction(rate, label)
                assert numerator[i] <= denominator[i]


def test_subjects_are_numbered_by_name():
    """Samples without a name get numbers of their own."""
    number = number_subjects(pd.Series(["b", None, "a", "b", None]))
    assert number[0] == number[3]
    assert sorted(set(number)) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"actor_id": ["1", "1", "2"]}, ("actor_id", 2)),
        ({"Participant": ["a", "a", "b"], "age": [1, 2, 3]}, ("Participant", 2)),
        ({"actor": ["1", "2", "3"]}, None),  # one sample each
        ({"gender": ["f", "f", "m"]}, None),
    ],
)
def test_a_column_that_names_subjects_is_recognized(columns, expected):
    """By its name, and only if some subjects have several samples."""
    assert likely_subject_column(pd.DataFrame(columns)) == expected
