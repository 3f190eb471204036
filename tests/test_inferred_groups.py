"""Inferred attributes: probabilistic groups sample by sample, planted annotation errors, and invalid probabilities."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import fairfer
from fairfer.audits.audit import audit_predictions, rebuild
from fairfer.audits.plan import AuditPlan
from fairfer.cli.main import app
from fairfer.datasets.attributes import Attribute
from fairfer.errors import DataError, FairferError
from fairfer.labels import LabelSpace
from fairfer.metrics.annotation_error import ERROR_RATES, correct_counts, error_matrix
from fairfer.metrics.inferred_groups import membership
from fairfer.predictions.inference import predict
from fairfer.testing import FakeModel
from fairfer.vocabulary import UNANNOTATED

LABELS = LabelSpace.of("two", ["anger", "fear"])
BY_MODEL = (Attribute("g", ("f", "m"), "inferred", "a model"),)

_GENERATOR = np.random.default_rng(0)
ROWS = list(zip(*_GENERATOR.integers(0, 2, (2, 60)).tolist(), _GENERATOR.random(60).tolist(), strict=True))
"""(number of the true label, of the predicted label, probability of group f)."""


def audited(dataset, by=("g",), **options):
    return fairfer.audit(
        dataset, predict(dataset, FakeModel(LABELS)), **{"by": by, "minimum": 1, "permutations": 100, **options}
    )


def inferred(toy, rows, *, source="inferred", both=False):
    """A dataset whose attribute g has probabilities; the annotated group is the most likely one.

    With `both` there is a column for each level, otherwise one level is the remainder to 1.
    """
    truth, predicted, p = zip(*rows, strict=True)
    group = ["f" if x >= 0.5 else "m" for x in p]
    dataset = toy([LABELS.labels[t] for t in truth], {"g": group}, said=list(predicted), labels=LABELS)
    columns = {"p_f": np.array(p)} | ({"p_m": 1 - np.array(p)} if both else {})
    probabilities = {"f": "p_f"} | ({"m": "p_m"} if both else {})
    return dataset.replace(
        samples=dataset.samples.assign(**columns),
        attributes=(Attribute("g", ("f", "m"), source, "a model", probabilities=probabilities),),
    )


@pytest.mark.parametrize("both", [False, True])
def test_rates_of_probabilistic_groups_are_expected_counts(toy, both):
    """Each sample counts p for one group and 1 - p for the other."""
    sensitivity = audited(inferred(toy, ROWS, both=both)).annotation_sensitivity
    rows = {(r.group, r.label, r.rate): r for r in sensitivity.rates}
    for group, weights in ((("f",), [p for *_, p in ROWS]), (("m",), [1 - p for *_, p in ROWS])):
        weighted = [(t, s, w) for (t, s, _), w in zip(ROWS, weights, strict=True)]
        for j, label in enumerate(LABELS.labels):
            row = rows[group, label, "TPR"]
            positives = sum(w for t, _, w in weighted if t == j)
            assert row.weight == pytest.approx(positives, abs=1e-6)
            assert row.value == pytest.approx(sum(w for t, s, w in weighted if t == s == j) / positives, abs=1e-6)
            squares = sum(w * w for t, _, w in weighted if t == j)
            assert row.effective_size == pytest.approx(positives**2 / squares, rel=1e-5)
            assert row.low <= row.value <= row.high
        accuracy = rows[group, "*", "accuracy"]
        assert accuracy.value == pytest.approx(sum(w for t, s, w in weighted if t == s) / sum(weights), abs=1e-6)
        assert rows[group, "*", "coverage"].value == 1


def test_a_probabilistic_gap_has_the_sign_of_the_most_likely_one(toy):
    """Both are positive like the plain gap, or negative where the order reverses; with certain probabilities they are equal."""
    audit = audited(inferred(toy, ROWS))
    values = {(r.group, r.label, r.rate): r.value for r in audit.annotation_sensitivity.rates}
    assert audit.annotation_sensitivity.gaps
    for gap in audit.annotation_sensitivity.gaps:
        [plain] = [g for g in audit.gaps if (g.label, g.rate) == (gap.label, gap.rate)]
        assert plain.difference == 0 or (gap.worst, gap.best) == (plain.worst, plain.best)
        assert gap.most_likely == pytest.approx(plain.difference)
        expected = values[gap.best, gap.label, gap.rate] - values[gap.worst, gap.label, gap.rate]
        assert gap.probabilistic == pytest.approx(-expected if gap.rate == "FPR" else expected)
    certain = audited(inferred(toy, [(t, s, float(p >= 0.5)) for t, s, p in ROWS])).annotation_sensitivity
    assert all(g.probabilistic == pytest.approx(g.most_likely, abs=1e-9) for g in certain.gaps)


def test_probabilities_are_multiplied_in_intersections(toy):
    """A sample counts for (f, tall) with its probability of f, if it is tall."""
    dataset = inferred(toy, ROWS)
    height = pd.Series(["tall", "short"] * 30, index=dataset.samples.index, dtype="str")
    stated = Attribute("h", ("tall", "short"), "self-reported")
    dataset = dataset.replace(samples=dataset.samples.assign(h=height), attributes=(*dataset.attributes, stated))
    sensitivity = audited(dataset, by=["g,h", "h"]).annotation_sensitivity
    [row] = [r for r in sensitivity.rates if (r.group, r.rate) == (("f", "tall"), "accuracy")]
    tall = ROWS[::2]
    assert row.value == pytest.approx(sum(p for t, s, p in tall if t == s) / sum(p for *_, p in tall), abs=1e-6)
    assert {c.attribute for c in sensitivity.corrected} == {("g", "h")}


def test_samples_without_probabilities_count_for_their_annotated_group(toy):
    """Unannotated samples count for none; the number of samples without probabilities is reported."""
    dataset = inferred(toy, ROWS)
    samples = dataset.samples.copy()
    samples.loc[samples.index[:3], "p_f"] = np.nan
    samples.loc[samples.index[3], ["g", "p_f"]] = [UNANNOTATED, np.nan]
    attribute = dataclasses.replace(dataset.attributes[0], levels=("f", "m", UNANNOTATED))
    dataset = dataset.replace(samples=samples, attributes=(attribute,))
    weights, without = membership(dataset.samples, attribute)
    assert without.tolist() == [True] * 3 + [False] * 57
    assert weights[3].tolist() == [0, 0]
    assert weights[:3].max(axis=1).tolist() == [1, 1, 1]
    assert audited(dataset).annotation_sensitivity.without_probabilities == 3


def test_attributes_that_are_not_inferred_have_no_sensitivity_analysis(toy):
    """Not even where they have probabilities."""
    assert audited(inferred(toy, ROWS, source="self-reported")).annotation_sensitivity is None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"p_f": "x"}, r"probabilities of g, sample '.*': not a number from 0 to 1; correct p_f"),
        ({"p_f": -0.1}, "not a number from 0 to 1"),
        ({"p_f": 1.5}, "not a number from 0 to 1"),
        ({"p_f": 0.9, "p_m": 0.5}, r"they sum to 1\.4, not 1; correct the table"),
    ],
)
def test_invalid_probabilities_are_refused(toy, change, complaint):
    """Before the model runs."""
    dataset = inferred(toy, ROWS, both="p_m" in change)
    samples = dataset.samples.astype({"p_f": object})
    for column, value in change.items():
        samples.loc[samples.index[0], column] = value
    with pytest.raises(DataError, match=complaint):
        fairfer.check_plan(AuditPlan(), dataset.replace(samples=samples), LABELS)


def test_only_one_level_may_lack_probabilities(toy):
    """Of three levels, two need a column."""
    dataset = inferred(toy, ROWS)
    attribute = dataclasses.replace(dataset.attributes[0], levels=("f", "m", "x"))
    with pytest.raises(DataError, match="no column for 'm' and 'x'; at most one level may be the remainder"):
        fairfer.check_plan(AuditPlan(), dataset.replace(attributes=(attribute,)), LABELS)


@pytest.mark.parametrize("levels", [1, 2, 4])
@pytest.mark.parametrize("error", [0.0, 0.1, 0.2])
def test_correct_counts_inverts_the_error_matrix(levels, error):
    """Rows of the matrix are probabilities, and the inverse restores the counts."""
    matrix = error_matrix(error, levels)
    assert matrix.sum(axis=1) == pytest.approx(np.ones(levels))
    counts = np.arange(1.0, levels + 1)
    assert correct_counts(counts @ matrix, matrix) == pytest.approx(counts)


def scenario(sensitivity, name):
    """Corrected TPR gaps of anger by assumed error, with the gap as annotated at 0."""
    rows = [c for c in sensitivity.corrected if (c.label, c.rate) == ("anger", "TPR")]
    return {c.error: c for c in rows if c.scenario in ("as_annotated", name)}


@pytest.mark.parametrize("error", [0.05, 0.2])
def test_the_correction_restores_a_planted_gap(toy, error):
    """True rates are 0.9 and 0.6; a share of the annotations is wrong, regardless of the image.

    The annotated gap is diluted; corrected for the right error, it is the true one within its interval.
    """
    generator = np.random.default_rng(1)
    n = 3000
    group = generator.integers(0, 2, n)
    correct = generator.random(n) < np.where(group == 0, 0.9, 0.6)
    annotated = np.where(generator.random(n) < error, 1 - group, group)
    groups = {"g": [("f", "m")[g] for g in annotated]}
    dataset = toy(["anger"] * n, groups, said=[0 if c else 1 for c in correct], labels=LABELS).replace(attributes=BY_MODEL)
    sensitivity = audited(dataset).annotation_sensitivity
    rows = scenario(sensitivity, "all_groups")
    assert set(rows) == {0.0, *ERROR_RATES}
    assert rows[0.0].difference == pytest.approx(0.3 * (1 - 2 * error), abs=0.06)
    assert rows[error].difference == pytest.approx(0.3, abs=0.06)
    assert rows[error].low < 0.3 < rows[error].high
    assert sensitivity.gaps == []  # without probabilities there are no probabilistic groups


def test_a_group_that_may_consist_of_errors_has_no_corrected_gap(toy):
    """30 samples of one group among 1,030: at an error rate of 0.2 all of them may be errors."""
    groups = {"g": ["f"] * 1000 + ["m"] * 30}
    dataset = toy(["anger"] * 1030, groups, said=[0] * 900 + [1] * 100 + [0, 1] * 15, labels=LABELS)
    sensitivity = audited(dataset.replace(attributes=BY_MODEL)).annotation_sensitivity
    rows = scenario(sensitivity, "all_groups")
    assert rows[0.01].status == "ok"
    assert (rows[0.2].status, rows[0.2].difference) == ("not_estimable", None)


@pytest.mark.parametrize("misses", [0, 1])
def test_a_group_without_a_miss_has_an_interval_of_positive_width(toy, misses):
    """No resample of such samples has a miss, but further samples may."""
    dataset = toy(["anger"] * 60, {"g": ["f", "m"] * 30}, said=[0] * (60 - misses) + [1] * misses, labels=LABELS)
    rows = audited(dataset.replace(attributes=BY_MODEL)).annotation_sensitivity.corrected
    rows = [c for c in rows if (c.label, c.rate) == ("anger", "TPR") and (c.error == 0 or not misses)]
    assert rows
    assert all(c.low < c.difference < c.high for c in rows)


def test_copies_of_a_subjects_sample_do_not_narrow_intervals(toy):
    """Four copies of each subject: with subjects, intervals stay about as wide; without, they are half as wide."""
    generator = np.random.default_rng(3)
    rows = [(0, int(s), float(p)) for s, p in zip(generator.integers(0, 2, 120), generator.random(120), strict=True)]

    def sensitivity(copies, subject):
        dataset = inferred(toy, [row for row in rows for _ in range(copies)], both=True)
        actor = np.repeat([f"p{i}" for i in range(len(rows))], copies)
        return audited(dataset.replace(samples=dataset.samples.assign(actor=actor)), subject=subject).annotation_sensitivity

    once, by_subject, independent = sensitivity(1, ""), sensitivity(4, "actor"), sensitivity(4, "")
    compared = 0
    for name in ("rates", "corrected"):
        for several in zip(*(getattr(a, name) for a in (once, by_subject, independent)), strict=True):
            if (several[0].label, several[0].rate) == ("anger", "TPR") and several[0].low is not None:
                width = [r.high - r.low for r in several]
                assert width[1] == pytest.approx(width[0], rel=0.15)
                assert width[2] < 0.7 * width[1]
                compared += 1
    assert compared == 2 + 1 + 3 * len(ERROR_RATES)


def test_a_run_with_probabilities_is_rebuilt(tmp_path, toy):
    """Byte for byte: the run keeps the probabilities."""
    dataset = inferred(toy, ROWS, both=True)
    plan = AuditPlan(by=["g"], minimum=1, permutations=100)
    audit = audit_predictions(dataset, predict(dataset, FakeModel(LABELS), tmp_path), plan, run=tmp_path)
    assert rebuild(tmp_path).to_json() == audit.to_json()


def test_an_inferred_attribute_without_values_has_empty_tables(toy):
    """All samples are unannotated."""
    dataset = toy(["anger", "fear"], {"g": [None, None]}, labels=LABELS)
    dataset = dataset.replace(attributes=(Attribute("g", (UNANNOTATED,), "inferred", "a model"),))
    sensitivity = audited(dataset).annotation_sensitivity
    assert (sensitivity.rates, sensitivity.gaps, sensitivity.corrected) == ([], [], [])


VALIDATION = {"f": {"f": 90, "m": 10}, "m": {"f": 40, "m": 160}}


def test_the_validation_sample_gives_the_estimate_of_rogan_and_gladen(toy):
    """Two groups: the true share of each group among hits and among all, by their formula, for TPR and for FPR."""
    counts = {("f", 1): 300, ("f", 0): 100, ("m", 1): 200, ("m", 0): 300}
    rows = [(g, hit) for (g, hit), n in counts.items() for _ in range(n)]
    sensitivity, specificity = 90 / 100, 160 / 200

    def rogan_gladen(annotated_f, total):
        return (annotated_f - (1 - specificity) * total) / (sensitivity + specificity - 1)

    hits, faces = rogan_gladen(300, 500), rogan_gladen(400, 900)
    expected = hits / faces - (500 - hits) / (900 - faces)
    for truth, rate, sign in (("anger", "TPR", 1), ("fear", "FPR", 1)):
        dataset = toy([truth] * 900, {"g": [g for g, _ in rows]}, said=[0 if hit else 1 for _, hit in rows], labels=LABELS)
        attribute = dataclasses.replace(BY_MODEL[0], confusion=VALIDATION)
        corrected = audited(dataset.replace(attributes=(attribute,))).annotation_sensitivity.corrected
        as_annotated, validated = [c for c in corrected if (c.label, c.rate) == ("anger", rate)]
        assert (as_annotated.scenario, validated.scenario, validated.error) == ("as_annotated", "validation", None)
        assert as_annotated.difference == pytest.approx(300 / 400 - 200 / 500)  # positive for FPR too
        assert validated.difference == pytest.approx(sign * expected)
        assert validated.low < validated.difference < validated.high


def test_a_small_validation_sample_widens_the_interval(toy):
    """Its sampling error belongs in the interval; with a tenth of the faces it dominates."""
    rows = [("f", 1)] * 3000 + [("f", 0)] * 1000 + [("m", 1)] * 2000 + [("m", 0)] * 3000
    dataset = toy(["anger"] * 9000, {"g": [g for g, _ in rows]}, said=[1 - hit for _, hit in rows], labels=LABELS)
    width = {}
    for factor in (1, 100):
        confusion = {true: {k: n * factor for k, n in row.items()} for true, row in VALIDATION.items()}
        attribute = dataclasses.replace(BY_MODEL[0], confusion=confusion)
        corrected = audited(dataset.replace(attributes=(attribute,))).annotation_sensitivity.corrected
        [row] = [c for c in corrected if (c.label, c.rate, c.scenario) == ("anger", "TPR", "validation")]
        width[factor] = row.high - row.low
    assert width[1] > 2 * width[100]


def test_an_annotator_at_chance_leaves_everything_open(toy):
    """Its matrix has no inverse."""
    dataset = toy(["anger"] * 200, {"g": ["f", "m"] * 100}, said=[0, 1] * 100, labels=LABELS)
    attribute = dataclasses.replace(BY_MODEL[0], confusion={"f": {"f": 5, "m": 5}, "m": {"f": 5, "m": 5}})
    corrected = audited(dataset.replace(attributes=(attribute,))).annotation_sensitivity.corrected
    assert {c.status for c in corrected if c.scenario == "validation"} == {"not_estimable"}


def test_scenarios_are_asymmetric(toy):
    """If only one group is mislabeled, the gap changes in another way than if both are; each restores its own planted gap."""
    generator = np.random.default_rng(7)
    n, error = 40_000, 0.2
    group = generator.integers(0, 2, n)
    correct = generator.random(n) < np.where(group == 0, 0.9, 0.6)
    for name, wrong in (("all_groups", group >= 0), ("worst_only", group == 1), ("best_only", group == 0)):
        annotated = np.where(wrong & (generator.random(n) < error), 1 - group, group)
        dataset = toy(
            ["anger"] * n, {"g": [("f", "m")[g] for g in annotated]}, said=[0 if c else 1 for c in correct], labels=LABELS
        )
        sensitivity = audited(dataset.replace(attributes=BY_MODEL)).annotation_sensitivity
        rows = scenario(sensitivity, name)
        assert rows[0.0].difference < 0.27
        assert rows[error].difference == pytest.approx(0.3, abs=0.02)


def test_a_validated_attribute_in_an_intersection(toy):
    """The other inferred attribute has no validation sample: the scenarios are about that one."""
    groups = {"g": ["f", "m"] * 100, "h": ["a", "a", "b", "b"] * 50}
    dataset = toy(["anger"] * 200, groups, said=[0, 1, 1, 0, 0] * 40, labels=LABELS)
    one = dataclasses.replace(BY_MODEL[0], confusion=VALIDATION)
    two = Attribute("h", ("a", "b"), "inferred", "a model")
    corrected = audited(dataset.replace(attributes=(one, two)), by=["g,h"]).annotation_sensitivity.corrected
    rows = [c for c in corrected if (c.label, c.rate) == ("anger", "TPR")]
    assert [c.scenario for c in rows[:2]] == ["as_annotated", "validation"]
    assert len(rows) == 2 + 3 * len(ERROR_RATES)


def test_probabilistic_membership_dilutes_a_gap_by_itself(toy):
    """Calibrated probabilities and a true gap of 0.20: 0.12 between most likely groups, 0.09 between probabilistic ones."""
    generator = np.random.default_rng(2)
    n = 60_000
    p = generator.beta(0.61, 0.61, n)
    women = generator.random(n) < p
    correct = generator.random(n) < np.where(women, 0.8, 0.6)
    rows = list(zip([0] * n, np.where(correct, 0, 1).tolist(), p.tolist(), strict=True))
    [gap] = [g for g in audited(inferred(toy, rows)).annotation_sensitivity.gaps if (g.label, g.rate) == ("anger", "TPR")]
    assert gap.most_likely == pytest.approx(0.12, abs=0.012)
    assert gap.probabilistic == pytest.approx(0.09, abs=0.012)


PEOPLE = pd.DataFrame(
    {
        "label": ["anger", "fear"] * 100,
        "predicted": ["anger", "anger", "fear", "fear"] * 50,
        "g": ["f", "m", "m"] * 66 + ["f"] * 2,
    }
)


def test_a_validation_sample_is_given_in_every_way(tmp_path):
    """As a table of faces or of counts, as a data frame, as counts, for arrays, in the provenance file, on the command line."""
    faces = pd.DataFrame(
        [(true, level) for true, row in VALIDATION.items() for level, n in row.items() for _ in range(n)],
        columns=["true", "inferred"],
    )
    counted = faces.groupby(["true", "inferred"]).size().reset_index(name="count")
    faces.to_csv(tmp_path / "faces.csv", index=False)
    for source in (faces, counted, tmp_path / "faces.csv", str(tmp_path / "faces.csv"), VALIDATION):
        attribute = fairfer.load_dataset(PEOPLE, validation={"g": source}).attribute("g")
        assert (attribute.source, attribute.confusion) == ("inferred", VALIDATION)
    audit = fairfer.audit(PEOPLE["label"], PEOPLE["predicted"], groups=PEOPLE[["g"]], validation={"g": faces}, permutations=100)
    assert "validation" in {c.scenario for c in audit.annotation_sensitivity.corrected}
    assert audit.data.attributes[0].confusion == VALIDATION
    PEOPLE.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "t.toml").write_text(
        '[g]\nsource = "inferred"\n[g.confusion]\nf = { f = 90, m = 10 }\nm = { f = 40, m = 160 }\n'
    )
    assert fairfer.load_dataset(tmp_path / "t.csv").attribute("g").confusion == VALIDATION
    (tmp_path / "t.toml").unlink()
    run = ["audit", str(tmp_path / "t.csv"), "--by", "g", "--out", str(tmp_path / "run"), "--permutations", "100"]
    result = CliRunner().invoke(app, [*run, "--validation", f"g={tmp_path / 'faces.csv'}"], catch_exceptions=False)
    assert result.exit_code == 0
    assert rebuild(tmp_path / "run").annotation_sensitivity == audit.annotation_sensitivity
    assert "validation sample" in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize(
    ("validation", "complaint"),
    [
        ({"x": VALIDATION}, "--validation x: data frame has no such attribute"),
        ({"g": {"f": {"f": 3}}}, "no face that truly is m; validate some of each level"),
        ({"g": {"f": {"f": 3}, "m": {"m": 3}, "x": {"x": 1}}}, "has the level 'x', which the attribute has not"),
        ({"g": {"f": {"f": 0.9}, "m": {"m": 0.8}}}, "give counts, not shares"),
        ({"g": {"f": 3}}, "must have one row of counts per true level"),
        ({"g": pd.DataFrame({"a": [1]})}, "needs the columns true and inferred"),
        ({"g": pd.DataFrame({"true": ["f", None], "inferred": ["f", "m"]})}, "row 1: true or inferred is empty"),
        ({"g": pd.DataFrame({"true": ["f"], "inferred": ["f"], "count": ["many"]})}, "row 0: count is not a number of faces"),
    ],
)
def test_an_invalid_validation_sample_is_refused(validation, complaint):
    with pytest.raises(FairferError, match=complaint) as caught:
        fairfer.load_dataset(PEOPLE, name="data frame", validation=validation)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("provenance", "complaint"),
    [
        ('source = "self-reported"\nconfusion = { f = { f = 1 }, m = { m = 1 } }', "belongs to an inferred attribute"),
        ('source = "inferred"\nconfusion = 3', "must have one row of counts per true level"),
        ('source = "inferred"\nconfusion = { f = { f = 1 } }', "no face that truly is m"),
    ],
)
def test_an_invalid_matrix_in_the_provenance_file_is_refused(tmp_path, provenance, complaint):
    PEOPLE.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "t.toml").write_text(f"[g]\n{provenance}\n")
    with pytest.raises(DataError, match=complaint):
        fairfer.load_dataset(tmp_path / "t.csv")
