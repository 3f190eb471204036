"""Tables of relevance by region and group, against pandas and SciPy, and on planted differences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fairfer.explanations.region_comparison import compare_regions
from fairfer.explanations.region_table import region_relevance
from fairfer.explanations.regions import REGION_NAMES
from fairfer.explanations.results import RegionComparison, RegionRelevance
from fairfer.metrics.metric_settings import MetricSettings
from fairfer.vocabulary import EVERYONE, UNANNOTATED

SETTINGS = MetricSettings(minimum=20, confidence=0.95, permutations=499, seed=0, minimum_subjects=5)
LABELS = ("happiness", "anger", "fear")
GENDER = ("gender",)


def outcome(label, truth, predicted):
    return "TP" if label == truth == predicted else "FN" if label == truth else "FP"


def table(faces=400, seed=0, levels=("female", "male"), change=None, subjects=None, chance=0.3):
    """Explained faces: the true and the predicted label of each. `change` may alter their masses before they become shares."""
    generator = np.random.default_rng(seed)
    people = pd.DataFrame({"sample_id": [f"{i}.png" for i in range(faces)], "truth": generator.choice(LABELS, faces)})
    wrong = generator.random(faces) < chance
    people["predicted"] = np.where(wrong, generator.choice(LABELS, faces), people["truth"])
    if subjects is None:
        people["gender"] = generator.choice(levels, faces)
    else:
        number = generator.integers(0, subjects, faces)
        people["subject"] = [f"s{n}" for n in number]
        people["gender"] = np.array(levels)[number % len(levels)]
    rows = [
        {**person, "label": label, "outcome": outcome(label, person["truth"], person["predicted"])}
        for person in people.to_dict("records")
        for label in dict.fromkeys((person["truth"], person["predicted"]))
    ]
    frame = pd.DataFrame(rows)
    masses = generator.gamma(2, 1, (len(frame), len(REGION_NAMES)))
    if change is not None:
        change(frame, masses)
    shares = masses / masses.sum(axis=1, keepdims=True)
    area = np.linspace(0.05, 0.2, len(REGION_NAMES))
    for i, name in enumerate(REGION_NAMES):
        frame[f"mass:{name}"], frame[f"signed:{name}"], frame[f"density:{name}"] = (
            shares[:, i],
            0.5 * shares[:, i],
            shares[:, i] / area[i],
        )
    frame["mass:own"] = frame["mass:mouth"] + frame["mass:cheeks"]
    frame["signed:own"] = 0.5 * frame["mass:own"]
    frame["density:own"] = frame["mass:own"] / 0.3
    frame["rank_accuracy:own"] = np.clip(frame["mass:own"] + generator.normal(0, 0.05, len(frame)), 0, 1)
    frame["pointing:own"] = (generator.random(len(frame)) < 0.5).astype(float)
    return frame


def more(region, group, factor=2.0, label=None):
    """Multiply the mass of a region in one group."""

    def change(frame, masses):
        where = (frame["gender"] == group) & (True if label is None else frame["label"] == label)
        masses[where.to_numpy(), REGION_NAMES.index(region)] *= factor

    return change


def row_of(rows, label, of_outcome, group, region):
    return next(r for r in rows if (r.label, r.outcome, r.group, r.region) == (label, of_outcome, group, region))


# ---- means


def test_means_are_those_of_pandas_and_intervals_those_of_scipy():
    frame = table()
    rows = region_relevance(frame, [EVERYONE, GENDER], SETTINGS)
    assert len(rows) == 3 * 3 * (1 + 2) * 10
    for key, part in frame.groupby(["label", "outcome", "gender"]):
        for region in ("mouth", "background", "own"):
            row = row_of(rows, key[0], key[1], (key[2],), region)
            values = part[f"mass:{region}"]
            assert (row.faces, row.subjects) == (len(part), None)
            assert row.mass == pytest.approx(values.mean())
            assert row.density == pytest.approx(part[f"density:{region}"].mean())
            assert row.signed == pytest.approx(part[f"signed:{region}"].mean())
            limits = stats.ttest_1samp(values, 0).confidence_interval(0.95)
            np.testing.assert_allclose([row.low, row.high], limits)
            assert row.rank_accuracy == (pytest.approx(part["rank_accuracy:own"].mean()) if region == "own" else None)
            assert row.pointing == (pytest.approx(part["pointing:own"].mean()) if region == "own" else None)
            assert row.status == ("ok" if len(part) >= 20 else "small")
    whole = [r for r in rows if r.attribute == EVERYONE and r.region == "nose"]
    assert sum(r.faces for r in whole) == len(frame)
    masses = [r.mass for r in rows if (r.label, r.outcome, r.group) == ("anger", "TP", ("male",)) and r.region != "own"]
    assert sum(masses) == pytest.approx(1)


def test_intervals_with_subjects_are_those_of_a_ratio_of_sums():
    frame = table(subjects=24, seed=3)
    rows = region_relevance(frame, [GENDER], SETTINGS)
    part = frame[(frame["label"] == "anger") & (frame["outcome"] == "TP") & (frame["gender"] == "female")]
    row = row_of(rows, "anger", "TP", ("female",), "eyes")
    mean = part["mass:eyes"].mean()
    residual = (part["mass:eyes"] - mean).groupby(part["subject"]).sum()
    error = np.sqrt((residual**2).sum() * len(residual) / (len(residual) - 1)) / len(part)
    reach = stats.t.ppf(0.975, len(residual) - 1) * error
    assert row.subjects == part["subject"].nunique() == len(residual)
    np.testing.assert_allclose([row.mass, row.low, row.high], [mean, mean - reach, mean + reach])


def test_what_is_not_defined_is_none():
    frame = table(200)
    cell = (frame["label"] == "fear") & (frame["outcome"] == "TP") & (frame["gender"] == "male")
    measures = [c for c in frame if ":" in c]
    frame.loc[cell, measures] = np.nan
    frame.loc[frame["label"] == "anger", [c for c in measures if c.endswith(":own")]] = np.nan  # a label without a region
    rows = region_relevance(frame, [GENDER], SETTINGS)
    nothing = row_of(rows, "fear", "TP", ("male",), "nose")
    assert (nothing.status, nothing.faces, nothing.mass, nothing.low, nothing.density) == ("not_estimable", 0, None, None, None)
    assert row_of(rows, "anger", "TP", ("male",), "own").status == "not_estimable"
    assert row_of(rows, "anger", "TP", ("male",), "own").rank_accuracy is None
    assert row_of(rows, "anger", "TP", ("male",), "nose").status == "ok"
    lonely = frame.drop(index=frame.index[cell.to_numpy() & ~cell.to_numpy().cumsum().__le__(1)])
    lonely.loc[(lonely["label"] == "fear") & (lonely["gender"] == "male"), measures] = 0.1
    one = row_of(region_relevance(lonely, [GENDER], SETTINGS), "fear", "TP", ("male",), "nose")
    assert (one.faces, one.mass, one.low, one.status) == (1, 0.1, None, "small")
    gone = region_relevance(frame[~cell], [GENDER], SETTINGS)
    assert row_of(gone, "fear", "TP", ("male",), "nose").status == "empty"
    few = region_relevance(table(subjects=6), [GENDER], SETTINGS)
    assert {r.status for r in few if r.faces >= 20} == {"few_subjects"}
    assert all(RegionRelevance.model_validate_json(r.model_dump_json()) == r for r in rows)


def test_intersections_and_labels_keep_their_names():
    frame = table(300)
    frame["race"] = np.where(np.arange(len(frame)) % 2, "a,b", "c")
    frame["race"] = frame.groupby("sample_id")["race"].transform("first")
    rows = region_relevance(frame, [("gender", "race")], SETTINGS)
    assert {r.group for r in rows} == {(g, r) for g in ("female", "male") for r in ("a,b", "c")}
    assert [r.label for r in rows if r.region == "own" and r.outcome == "TP"][::4] == list(pd.unique(frame["label"]))


# ---- comparisons


def test_a_planted_difference_is_found_where_it_is():
    frame = table(600, change=more("mouth", "female", 2.5, "happiness"))
    (result,) = compare_regions(frame, [EVERYONE, GENDER], SETTINGS)
    assert result.significant
    assert result.p == pytest.approx(1 / 500)
    assert (result.status, result.groups, result.permutations) == ("ok", [("female",), ("male",)], 499)
    found = {(d.label, d.region) for d in result.differences if d.significant}
    assert {label for label, _ in found} == {"happiness"}
    assert ("happiness", "mouth") in found
    mouth = next(
        d for d in result.differences if (d.label, d.outcome, d.region, d.measure) == ("happiness", "TP", "mouth", "mass")
    )
    assert (mouth.group, mouth.reference) == (("female",), ("male",))
    part = frame[(frame["label"] == "happiness") & (frame["outcome"] == "TP")]
    means = part.groupby("gender")["mass:mouth"].mean()
    assert mouth.difference == pytest.approx(means["female"] - means["male"])
    assert mouth.expected == 0
    assert 0 < mouth.low < mouth.difference < mouth.high
    assert mouth.standardized > 0.5
    assert {d.measure for d in result.differences} == {"mass", "density", "rank_accuracy"}
    assert result.tests == len(result.differences)
    assert RegionComparison.model_validate_json(result.model_dump_json()) == result


def test_the_group_with_the_higher_mean_is_named_first():
    result, other = (compare_regions(table(500, change=more("chin", g, 3)), [GENDER], SETTINGS)[0] for g in ("female", "male"))
    for group, comparison in (("female", result), ("male", other)):
        chin = [d for d in comparison.differences if d.region == "chin" and d.significant]
        assert {d.group for d in chin} == {(group,)}
        assert all(d.low <= d.difference <= d.high for d in comparison.differences)
        assert all(d.difference >= 0 for d in comparison.differences)


def test_each_of_three_groups_is_compared_with_the_rest():
    frame = table(900, levels=("a", "b", "c"), change=more("nose", "b", 3))
    (result,) = compare_regions(frame, [GENDER], SETTINGS)
    nose = [d for d in result.differences if (d.label, d.outcome, d.region, d.measure) == ("anger", "TP", "nose", "mass")]
    assert [d.group for d in nose if d.reference is None and d.significant and d.difference > 0] == [("b",)]
    assert {d.reference for d in nose if d.group == ("b",) and d.significant} == {("a",), ("c",), None}
    quiet = [d for d in result.differences if (d.label, d.outcome, d.region, d.measure) == ("anger", "TP", "chin", "mass")]
    assert sum(d.reference is not None for d in quiet if not d.significant) <= 1
    assert sum(d.reference is None for d in quiet) == 3


def test_another_mix_of_confusions_is_not_another_relevance():
    """Men are taken for angry and women for happy, and a map of fear depends on what the face is taken for."""
    generator = np.random.default_rng(4)
    frame = table(3000, chance=0)
    people = frame[frame["truth"] == "fear"].copy()
    male = people["gender"] == "male"
    people["predicted"] = np.where(generator.random(len(people)) < np.where(male, 0.8, 0.2), "anger", "happiness")
    people["outcome"] = "FN"
    mouth = np.where(people["predicted"] == "anger", 0.4, 0.1) + generator.normal(0, 0.03, len(people))
    rest = (1 - mouth) / people[[f"mass:{n}" for n in REGION_NAMES if n != "mouth"]].sum(axis=1)
    for name in REGION_NAMES:
        people[f"mass:{name}"] = mouth if name == "mouth" else people[f"mass:{name}"] * rest
    people["mass:own"] = people["density:own"] = people["rank_accuracy:own"] = mouth
    (result,) = compare_regions(people, [GENDER], SETTINGS)
    difference = next(d for d in result.differences if d.region == "mouth")
    assert not result.significant
    assert abs(difference.expected) > 0.1
    means = people.groupby("gender")["mass:mouth"].mean()
    assert abs(difference.expected + difference.difference) == pytest.approx(abs(means["male"] - means["female"]))
    people["predicted"] = "anger"
    assert compare_regions(people, [GENDER], SETTINGS)[0].significant


def test_multi_label_faces_have_several_true_labels():
    frame = table(300, change=more("brows", "male", 2.5))
    extra = frame.copy()
    extra["label"] = "surprise " + extra["label"]
    both = pd.concat([frame, extra], ignore_index=True)
    both["truth"], both["predicted"] = both["label"], both["outcome"]  # differ between the rows of a face
    (result,) = compare_regions(both, [GENDER], SETTINGS)
    assert {d.region for d in result.differences if d.significant} >= {"brows"}
    (plain,) = compare_regions(frame, [GENDER], SETTINGS)
    assert result.tests == 2 * plain.tests


def test_small_groups_and_those_without_annotation_take_no_part():
    frame = table(600, levels=("female", "male"), change=more("mouth", "male", 3))
    names = frame["sample_id"].unique()
    frame.loc[frame["sample_id"].isin(names[:15]), "gender"] = "other"
    frame.loc[frame["sample_id"].isin(names[15:60]), "gender"] = UNANNOTATED
    (result,) = compare_regions(frame, [GENDER], SETTINGS)
    assert result.groups == [("female",), ("male",)]
    assert {(e.group, e.reason, e.denominator) for e in result.excluded} == {
        ((UNANNOTATED,), "unannotated", 45),
        (("other",), "small", 15),
    }
    assert {g for d in result.differences for g in (d.group, d.reference)} <= {("female",), ("male",), None}


def test_no_comparison_without_two_groups_or_without_variation():
    one = table(100, levels=("female",))
    (result,) = compare_regions(one, [GENDER], SETTINGS)
    assert (result.status, result.p, result.significant, result.differences) == ("too_few_groups", None, False, [])
    few = table(30)
    (result,) = compare_regions(few, [GENDER], SETTINGS)
    assert (result.status, result.groups, {e.reason for e in result.excluded}) == ("too_few_groups", [], {"small"})
    same = table(300)
    same.loc[:, [c for c in same if ":" in c]] = 0.1
    (result,) = compare_regions(same, [GENDER], SETTINGS)
    assert (result.status, result.tests, len(result.groups)) == ("no_variation", 0, 2)
    (result,) = compare_regions(table(400, subjects=8), [GENDER], SETTINGS)
    assert {e.reason for e in result.excluded} == {"few_subjects"}
    assert compare_regions(one, [EVERYONE], SETTINGS) == []
    nothing = one.assign(gender=UNANNOTATED)
    assert compare_regions(nothing, [GENDER], SETTINGS)[0].status == "too_few_groups"


def test_subjects_are_compared_not_faces():
    def of_subject(frame, masses):
        own = pd.factorize(frame["subject"])[0]
        masses[:, REGION_NAMES.index("eyes")] *= np.random.default_rng(1).gamma(0.5, 1, own.max() + 1)[own]

    frame = table(1200, subjects=14, change=of_subject, seed=2)
    (clustered,) = compare_regions(frame, [GENDER], SETTINGS)
    (independent,) = compare_regions(frame.drop(columns="subject"), [GENDER], SETTINGS)
    assert independent.p < clustered.p
    assert independent.significant


def test_results_do_not_depend_on_the_order_of_rows():
    frame = table(300)
    one = compare_regions(frame, [GENDER], SETTINGS)[0]
    other = compare_regions(frame.sample(frac=1, random_state=1), [GENDER], SETTINGS)[0]
    assert [d.p for d in one.differences] == pytest.approx([d.p for d in other.differences])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="truth"), "no column truth"),
        (lambda f: f.drop(columns="gender"), "no column gender"),
        (lambda f: pd.concat([f, f.iloc[:1]]), "two rows for 0.png"),
        (lambda f: f.assign(gender=np.arange(len(f)) % 2), "several groups or subjects"),
        (lambda f: f.assign(subject=np.arange(len(f))), "several groups or subjects"),
    ],
)
def test_a_table_that_is_not_one_row_per_face_and_label_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        compare_regions(change(table(100)), [GENDER], SETTINGS)


@pytest.mark.slow
def test_equal_groups_have_a_significant_difference_in_at_most_5_percent():
    settings = MetricSettings(minimum=20, confidence=0.95, permutations=199, seed=0)
    hits = 0
    for seed in range(200):
        frame = table(400, seed=seed)
        hits += compare_regions(frame, [GENDER], settings)[0].significant
    assert hits / 200 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
