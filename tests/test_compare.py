"""Comparison of two runs sample by sample: every number from the rows, swapped runs, refusals, and the leaderboard."""

from __future__ import annotations

import math
import shutil
import tempfile
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

import fairfer
from fairfer.audits.audit import audit_predictions
from fairfer.audits.plan import AuditPlan
from fairfer.errors import RunError, UsageError
from fairfer.labels import LabelSpace
from fairfer.models.model import Prediction
from fairfer.vocabulary import ALL, EVERYONE, UNANNOTATED

LABELS = LabelSpace.of("three", ["anger", "fear", "sadness"])
TWO = LabelSpace.of("two", ["anger", "fear"])
NO_FACE = "no_face"
ANSWERS = [*LABELS.labels, NO_FACE]
BY = ("g",)
Z = NormalDist().inv_cdf(0.975)


class DigitModel:
    """Predicts one base-4 digit of an image's gray level: a label, or for 3 no face. Labels it lacks become its first label."""

    version = "1"

    def __init__(self, place, labels=LABELS, name=""):
        self.place, self.labels, self.name = place, labels, name or f"digit {place}"

    def predict(self, images):
        return [self._answer(int(image[0, 0, 0]) // 4**self.place % 4) for image in images]

    def _answer(self, digit):
        if digit == 3:
            return Prediction("no_face", None, "digit 3")
        predicted = ANSWERS[digit] if ANSWERS[digit] in self.labels else self.labels.labels[0]
        return Prediction("ok", np.array([float(n == predicted) for n in self.labels.labels]))


def dataset_of(toy, rows, **options):
    """Rows of (truth, answer of model 0, answer of model 1, group), as numbers of `ANSWERS`."""
    truth, base, candidate, group = zip(*rows, strict=True)
    level = [b + 4 * c for b, c in zip(base, candidate, strict=True)]
    return toy([LABELS.labels[t] for t in truth], {"g": group}, said=level, labels=LABELS, **options)


def run_of(dataset, model, folder, **options):
    """A run folder as ``fairfer audit`` leaves it."""
    plan = AuditPlan.of({"by": BY, "minimum": 1, "minimum_subjects": 1, "permutations": 100, **options})
    audit = audit_predictions(dataset, fairfer.predict(dataset, model, run=folder), plan, run=folder)
    audit.write(folder / "audit.json")
    return folder


def runs_of(dataset, tmp_path, **options):
    """Runs of model 0 and of model 1, in a new folder."""
    place = Path(tempfile.mkdtemp(dir=tmp_path))
    return [run_of(dataset, DigitModel(i), place / name, **options) for i, name in enumerate(("one", "two"))]


def frame_of(rows):
    frame = pd.DataFrame(rows, columns=["truth", "base", "candidate", "g"])
    for column in ("truth", "base", "candidate"):
        frame[column] = [ANSWERS[i] for i in frame[column]]
    return frame.assign(g=frame["g"].fillna(UNANNOTATED))


def random_rows(seed, number, groups="fm", agree=0.7):
    """Both models are correct in about two of three samples, and mostly give the same answer."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 3, number)
    base = np.where(generator.random(number) < 0.65, truth, generator.integers(0, 4, number))
    other = np.where(generator.random(number) < 0.65, truth, generator.integers(0, 4, number))
    candidate = np.where(generator.random(number) < agree, base, other)
    group = generator.choice(list(groups), number)
    return [(int(t), int(b), int(c), str(g)) for t, b, c, g in zip(truth, base, candidate, group, strict=True)]


def hits_of(frame, rate, label):
    """For each trial of a rate, whether each model has a hit; written independently of the package."""
    if rate == "TPR":
        frame = frame[frame["truth"] == label]
    if rate == "FPR":
        frame = frame[frame["truth"] != label]

    def hits(model):
        if rate == "coverage":
            return frame[model] != NO_FACE
        return frame[model] == (frame["truth"] if rate == "accuracy" else label)

    return hits("base").to_numpy(bool), hits("candidate").to_numpy(bool)


def mcnemar_mid_p(b, c):
    n = b + c
    beyond = sum(math.comb(n, k) for k in range(min(b, c)))
    return 1.0 if b == c else (2 * beyond + math.comb(n, min(b, c))) / 2**n


def bonett_price(b, c, n):
    p, q = (b + 1) / (n + 2), (c + 1) / (n + 2)
    half = Z * math.sqrt((p + q - (p - q) ** 2) / (n + 2))
    return min(max(p - q - half, -1), (b - c) / n), max(min(p - q + half, 1), (b - c) / n)


def by_key(rows):
    """Changes, or gap changes with an empty group, by grouping, group, label and rate."""
    return {(row.attribute, getattr(row, "group", EVERYONE), row.label, row.rate): row for row in rows}


def check_changes(comparison, frame, minimum):
    """Every change from the rows."""
    changes = by_key(comparison.changes)
    assert {(EVERYONE, EVERYONE), *((BY, (g,)) for g in frame["g"])} <= {(c.attribute, c.group) for c in comparison.changes}
    assert len(changes) == len(comparison.changes)
    for (grouping, group, label, rate), c in changes.items():
        base, candidate = hits_of(frame if grouping == EVERYONE else frame[frame["g"] == group[0]], rate, label)
        n = len(base)
        assert (c.trials, c.both) == (n, (base & candidate).sum())
        assert (c.gained, c.lost) == ((candidate & ~base).sum(), (base & ~candidate).sum())
        assert c.status == ("not_estimable" if not n else "small" if n < minimum else "ok")
        if not n:
            assert (c.base, c.candidate, c.change, c.low, c.high, c.p, c.q) == (None,) * 7
            continue
        assert (c.base, c.candidate) == pytest.approx((base.mean(), candidate.mean()))
        assert c.change == pytest.approx(c.candidate - c.base)
        assert (c.low, c.high) == pytest.approx(bonett_price(c.gained, c.lost, n))
        assert c.low <= c.change <= c.high
        assert c.p == (pytest.approx(mcnemar_mid_p(c.gained, c.lost)) if n >= minimum else None)
        assert (c.q is None) == (c.p is None)
    tested = [c for c in comparison.changes if c.p is not None]
    if tested:
        assert [c.q for c in tested] == pytest.approx(list(stats.false_discovery_control([c.p for c in tested])))


def check_gaps(comparison):
    """Every gap change from the changes of its groups."""
    for (_, _, label, rate), gap in by_key(comparison.gaps).items():
        members = [c for c in comparison.changes if (c.attribute, c.label, c.rate) == (BY, label, rate)]
        values = {c.group: (c.base, c.candidate) for c in members if c.status == "ok" and c.group != (UNANNOTATED,)}
        assert set(gap.groups) == set(values)
        assert set(gap.excluded) == {c.group for c in members} - set(values)
        if len(values) < 2:
            assert gap.status == "too_few_groups"
            assert (gap.base, gap.candidate, gap.change, gap.low, gap.high, gap.worst_base) == (None,) * 6
            continue
        first, second = ([v[i] for v in values.values()] for i in (0, 1))
        assert (gap.base, gap.candidate) == pytest.approx((max(first) - min(first), max(second) - min(second)))
        assert gap.change == pytest.approx(gap.candidate - gap.base)
        assert gap.low <= gap.change <= gap.high
        unfavorable = max if rate == "FPR" else min
        assert values[gap.worst_base][0] == unfavorable(first)
        assert values[gap.worst_candidate][1] == unfavorable(second)
    assert {(g.label, g.rate) for g in comparison.gaps} == {(c.label, c.rate) for c in comparison.changes}


some_rows = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 3), st.sampled_from(["f", "m", "x", None])),
    min_size=1,
    max_size=30,
).filter(lambda rows: {b for _, b, _, _ in rows} != {3} and {c for _, _, c, _ in rows} != {3})


@settings(max_examples=4)
@given(rows=some_rows, minimum=st.integers(1, 4))
def test_changes_agree_with_the_rows(rows, minimum, toy, tmp_path):
    """Trials, hits, interval, p and q of each change, each gap before and after, and the flips, including missing answers."""
    comparison = fairfer.compare(*runs_of(dataset_of(toy, rows), tmp_path, minimum=minimum))
    frame = frame_of(rows)
    assert comparison.samples == len(rows)
    assert comparison.missing == []
    check_changes(comparison, frame, minimum)
    check_gaps(comparison)
    flips = [(f"face{i:04d}.png", r.truth, r.base, r.candidate) for i, r in frame.iterrows() if r.base != r.candidate]
    assert [(f.sample_id, f.truth, f.base, f.candidate) for f in comparison.flips] == flips


def test_changes_agree_with_the_rows_of_a_larger_table(toy, tmp_path):
    """400 samples and three groups, where intervals and q-values differ."""
    rows = random_rows(1, 400, "fmx")
    comparison = fairfer.compare(*runs_of(dataset_of(toy, rows), tmp_path, minimum=20))
    check_changes(comparison, frame_of(rows), 20)
    check_gaps(comparison)
    assert len({c.q for c in comparison.changes}) > 3


def test_an_intersection_is_compared_within_its_groups(toy, tmp_path):
    """A group of two attributes holds the samples with both levels."""
    rows = random_rows(2, 120)
    light = ["dim" if i % 3 else "lit" for i in range(len(rows))]
    groups = {"g": [r[3] for r in rows], "h": light}
    truth = [LABELS.labels[r[0]] for r in rows]
    dataset = toy(truth, groups, said=[b + 4 * c for _, b, c, _ in rows], labels=LABELS)
    comparison = fairfer.compare(*runs_of(dataset, tmp_path, by=["g,h"]))
    frame = frame_of(rows).assign(h=light)
    changes = by_key(comparison.changes)
    for (g, h), part in frame.groupby(["g", "h"]):
        change = changes[("g", "h"), (g, h), ALL, "accuracy"]
        gained = (part["base"] != part["truth"]) & (part["candidate"] == part["truth"])
        assert (change.trials, change.gained) == (len(part), gained.sum())


def test_swapped_runs_have_opposite_changes(toy, tmp_path):
    """With the same p and q: the result does not depend on which run is the base, apart from the sign."""
    one, two = runs_of(dataset_of(toy, random_rows(3, 500)), tmp_path, minimum=20)
    forward, backward = fairfer.compare(one, two), fairfer.compare(two, one)
    assert (forward.base, forward.candidate) == (backward.candidate, backward.base)
    for key, a in by_key(forward.changes).items():
        b = by_key(backward.changes)[key]
        assert (a.trials, a.both, a.gained, a.lost) == (b.trials, b.both, b.lost, b.gained)
        assert (a.base, a.candidate, a.p, a.q, a.status) == (b.candidate, b.base, b.p, b.q, b.status)
        assert (a.change, a.low, a.high) == pytest.approx((-b.change, -b.high, -b.low))
    for key, a in by_key(forward.gaps).items():
        b = by_key(backward.gaps)[key]
        assert (a.base, a.candidate, a.worst_base, a.worst_candidate) == (b.candidate, b.base, b.worst_candidate, b.worst_base)
        assert (a.change, a.low, a.high) == pytest.approx((-b.change, -b.high, -b.low), abs=0.02)
    flips = [(f.sample_id, f.candidate, f.base) for f in backward.flips]
    assert [(f.sample_id, f.base, f.candidate) for f in forward.flips] == flips


def test_a_run_compared_with_itself_has_no_change(runs):
    """No flip and p = 1; intervals still have a width."""
    comparison = fairfer.compare(runs[0], runs[0])
    assert comparison.flips == []
    changes = [c for c in comparison.changes if c.trials]
    assert all((c.gained, c.lost, c.change, c.p, c.q) == (0, 0, 0, 1, 1) for c in changes)
    assert all(c.low < 0 < c.high for c in changes)
    assert all(g.change == 0 and g.low <= 0 <= g.high for g in comparison.gaps)


def test_a_comparison_is_reproducible(runs, tmp_path):
    """The same bytes, with and without ``audit.json``, and after a round trip through a file."""
    comparison = fairfer.compare(*runs)
    copies = [Path(shutil.copytree(run, tmp_path / run.name)) for run in runs]
    for run in copies:
        (run / "audit.json").unlink()
    assert fairfer.compare(*copies).to_json() == comparison.to_json()
    comparison.write(tmp_path / "comparison.json")
    assert type(comparison).read(tmp_path / "comparison.json") == comparison


def test_samples_of_one_run_only_are_listed(toy, tmp_path):
    """They are part of no number, and are listed with their run; all other numbers are those of the common samples."""
    rows = random_rows(6, 60)
    dataset = dataset_of(toy, rows)
    one = run_of(dataset.replace(samples=dataset.samples.iloc[:50]), DigitModel(0), tmp_path / "one")
    two = run_of(dataset.replace(samples=dataset.samples.iloc[10:]), DigitModel(1), tmp_path / "two")
    comparison = fairfer.compare(one, two)
    ids = list(dataset.samples.index)
    expected = {(i, "base", "not in the other") for i in ids[:10]} | {(i, "candidate", "not in the other") for i in ids[50:]}
    assert {(m.sample_id, m.only_in, m.reason) for m in comparison.missing} == expected
    assert len(comparison.missing) == 20
    assert comparison.samples == 40
    check_changes(comparison, frame_of(rows[10:50]), 1)
    check_gaps(comparison)


@pytest.mark.parametrize("swapped", [False, True])
def test_samples_with_a_label_that_one_model_lacks_are_listed(swapped, toy, tmp_path):
    """With ``drop`` they are audited in one run only, so they are not compared, whichever run is the base."""
    rows = random_rows(7, 90)
    dataset = dataset_of(toy, rows)
    runs = [run_of(dataset, DigitModel(0), tmp_path / "one"), run_of(dataset, DigitModel(1, TWO), tmp_path / "two")]
    comparison = fairfer.compare(*(runs[::-1] if swapped else runs))
    run = "candidate" if swapped else "base"
    sad = [i for i, label in dataset.samples["label"].items() if label == "sadness"]
    assert {(m.sample_id, m.only_in, m.reason) for m in comparison.missing} == {
        (i, run, "label not audited in the other") for i in sad
    }
    assert comparison.labels == ["anger", "fear"]
    rest = [(t, b, 0 if c == 2 else c, g) for t, b, c, g in rows if t != 2]  # the second model predicts its first label
    if swapped:
        rest = [(t, c, b, g) for t, b, c, g in rest]
    assert comparison.samples == len(rest)
    check_changes(comparison, frame_of(rest), 1)
    check_gaps(comparison)


@pytest.mark.parametrize("policy", ["keep", "merge=sadness:fear"])
def test_an_unsupported_label_is_treated_alike_in_both_directions(policy, toy, tmp_path):
    """Every sample is compared or listed; swapped runs compare the same samples and have opposite changes."""
    dataset = dataset_of(toy, random_rows(8, 90))
    one = run_of(dataset, DigitModel(0), tmp_path / "one", unsupported_labels=policy)
    two = run_of(dataset, DigitModel(1, TWO), tmp_path / "two", unsupported_labels=policy)
    forward, backward = fairfer.compare(one, two), fairfer.compare(two, one)
    assert forward.samples + len(forward.missing) == 90
    assert forward.samples == backward.samples
    assert [(c.label, c.group, c.rate, c.trials, c.gained, c.lost) for c in forward.changes] == [
        (c.label, c.group, c.rate, c.trials, c.lost, c.gained) for c in backward.changes
    ]


def test_paired_intervals_are_narrower_than_unpaired_ones(toy, tmp_path):
    """For models that mostly agree; Newcombe's interval of two separate samples is the reference."""
    rows = random_rows(9, 600, agree=0.95)
    for c in fairfer.compare(*runs_of(dataset_of(toy, rows), tmp_path, minimum=20)).changes:
        if c.rate in ("accuracy", "TPR"):
            hits = [c.both + c.gained, c.both + c.lost]
            low, high = confint_proportions_2indep(hits[0], c.trials, hits[1], c.trials, method="newcomb", compare="diff")
            assert c.high - c.low < 0.75 * (high - low)


ROWS = random_rows(10, 30)


def dataset_of_rows(toy):
    """The data of `ROWS`, with a second attribute and a card."""
    groups = {"g": [r[3] for r in ROWS], "h": [r[3].upper() for r in ROWS]}
    truth = [LABELS.labels[r[0]] for r in ROWS]
    dataset = toy(truth, groups, said=[r[1] + 4 * r[2] for r in ROWS], labels=LABELS)
    return dataset.replace(card={"rule": "majority"})


@pytest.fixture(scope="module")
def runs(toy_factory, tmp_path_factory):
    """Runs of model 0 and model 1 on `ROWS`."""
    return runs_of(dataset_of_rows(toy_factory), tmp_path_factory.mktemp("runs"))


def other_label(dataset):
    label = dataset.samples["label"].copy()
    label.iloc[3] = "fear" if label.iloc[3] == "anger" else "anger"
    return dataset.replace(samples=dataset.samples.assign(label=label))


def other_group(dataset):
    group = dataset.samples["g"].copy()
    group.iloc[3] = "f" if group.iloc[3] == "m" else "m"
    return dataset.replace(samples=dataset.samples.assign(g=group))


def unchanged(dataset):
    return dataset


REFUSALS = {
    "name": (lambda d: d.replace(name="other"), {}, "dataset is 'toy' in one and 'other' in the other"),
    "labels": (lambda d: d.replace(labels=LabelSpace.of("more", [*LABELS.labels, "joy"])), {}, "labels of the data is"),
    "card": (lambda d: d.replace(card={"rule": "crossentropy"}), {}, "rule of the data is 'majority'"),
    "by": (unchanged, {"by": ["h"]}, r"--by is \['g'\] in one and \['h'\] in the other"),
    "unsupported_labels": (
        unchanged,
        {"unsupported_labels": "keep"},
        "--unsupported-labels is 'drop' in one and 'keep' in the other",
    ),
    "minimum": (unchanged, {"minimum": 2}, "--minimum is 1 in one and 2 in the other"),
    "confidence": (unchanged, {"confidence": 0.9}, r"--confidence is 0\.95 in one and 0\.9 in the other"),
    "subject": (unchanged, {"subject": "h"}, "--subject is '' in one and 'h' in the other"),
    "label": (other_label, {}, r"the label differs for 1 of \d+ samples \(first: face0003\.png\)"),
    "group": (other_group, {}, r"the g differs for 1 of \d+ samples \(first: face0003\.png\)"),
}
"""Change of the data, change of the plan, and message."""


@pytest.mark.parametrize("field", REFUSALS)
def test_runs_of_other_data_or_plans_are_refused(field, runs, toy, tmp_path):
    """In one line that names both runs and the first field that differs."""
    change, options, message = REFUSALS[field]
    other = run_of(change(dataset_of_rows(toy)), DigitModel(1), tmp_path / "two", **options)
    for function in (lambda: fairfer.compare(runs[0], other), lambda: fairfer.leaderboard([runs[0], other])):
        with pytest.raises(RunError, match=message) as refusal:
            function()
        assert "\n" not in str(refusal.value)
        assert str(runs[0]) in str(refusal.value)
        assert str(other) in str(refusal.value)


def test_runs_of_other_images_are_refused(runs, toy, tmp_path):
    """A sample with another image is not the same sample."""
    rows = [(t, b, (c + 1) % 3, g) if i == 5 else (t, b, c, g) for i, (t, b, c, g) in enumerate(ROWS)]
    other = run_of(dataset_of(toy, rows), DigitModel(1), tmp_path / "two")
    with pytest.raises(RunError, match=r"^[^\n]*the image differs for 1 of \d+ samples \(first: face0005\.png\)[^\n]*$"):
        fairfer.compare(runs[0], other)


def test_runs_of_other_subjects_are_refused(toy, tmp_path):
    """Where a column names subjects, both runs must name the same ones."""
    dataset = subjects_dataset(toy, 6, 2)
    one = run_of(dataset, DigitModel(0), tmp_path / "one", subject="actor")
    actor = dataset.samples["actor"].copy()
    actor.iloc[0] = "other"
    other = run_of(
        dataset.replace(samples=dataset.samples.assign(actor=actor)), DigitModel(1), tmp_path / "two", subject="actor"
    )
    with pytest.raises(RunError, match=r"^[^\n]*the actor differs for 1 of \d+ samples[^\n]*$"):
        fairfer.compare(one, other)


def test_runs_without_a_common_sample_are_refused(runs, toy, tmp_path):
    """In one line."""
    dataset = dataset_of(toy, ROWS, ids=[f"other{i}" for i in range(len(ROWS))])
    other = run_of(dataset, DigitModel(1), tmp_path / "two")
    with pytest.raises(RunError, match=r"^[^\n]*they have no sample in common; use runs of one dataset$"):
        fairfer.compare(runs[0], other)


def test_runs_without_a_common_label_are_refused(toy, tmp_path):
    """Each model has only the label that the other lacks."""
    one, other = (
        run_of(dataset_of(toy, ROWS), DigitModel(i, LabelSpace.of(label, [label])), tmp_path / label)
        for i, label in enumerate(("anger", "fear"))
    )
    with pytest.raises(RunError, match=r"^[^\n]*they have no audited label in common; see --unsupported-labels$"):
        fairfer.compare(one, other)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_folder_that_is_not_a_run_is_refused(swapped, runs, tmp_path):
    """An empty folder on either side, in one line that names it."""
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(RunError, match=r"^[^\n]*empty holds no [^\n]*$"):
        fairfer.compare(*((empty, runs[0]) if swapped else (runs[0], empty)))


def test_a_folder_without_samples_or_predictions_is_refused(runs, toy, tmp_path):
    """Predictions that were never audited, and an ``audit.json`` alone, have no samples to pair."""
    one, two = runs
    fairfer.predict(dataset_of(toy, ROWS), DigitModel(1), run=tmp_path / "predicted")
    with pytest.raises(RunError, match=r"^[^\n]*predicted but not audited[^\n]*$"):
        fairfer.compare(one, tmp_path / "predicted")
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(two / "audit.json", alone)
    with pytest.raises(RunError, match=r"^[^\n]*alone[^\n]*$"):
        fairfer.compare(one, alone)


def test_an_audit_of_other_predictions_is_refused(runs, tmp_path):
    """``audit.json`` of another run beside the predictions."""
    mixed = Path(shutil.copytree(runs[0], tmp_path / "mixed"))
    shutil.copy(runs[1] / "audit.json", mixed)
    with pytest.raises(RunError, match=r"^[^\n]*audit\.json does not belong to its predictions and samples[^\n]*$"):
        fairfer.compare(mixed, runs[1])


def subjects_dataset(toy, subjects, copies, seed=21):
    """Both models give the same answer for every sample of a subject."""
    rows = [r for r in random_rows(seed, subjects, agree=0.2) for _ in range(copies)]
    dataset = dataset_of(toy, [(0, min(b, 2), min(c, 2), g) for _, b, c, g in rows])
    actor = np.repeat([f"p{i:03d}" for i in range(subjects)], copies)
    return dataset.replace(samples=dataset.samples.assign(actor=pd.Series(actor, index=dataset.samples.index, dtype="str")))


def test_more_samples_of_the_same_subjects_do_not_narrow_intervals(toy, tmp_path):
    """Ten samples of each of 50 subjects: changes and gaps are as certain as with one, and less than with 500 subjects."""
    one = fairfer.compare(*runs_of(subjects_dataset(toy, 50, 1), tmp_path, subject="actor"))
    ten = fairfer.compare(*runs_of(subjects_dataset(toy, 50, 10), tmp_path, subject="actor"))
    independent = fairfer.compare(*runs_of(subjects_dataset(toy, 50, 10), tmp_path))
    for rate, label in (("accuracy", ALL), ("TPR", "anger")):
        a, b, c = (by_key(x.changes)[EVERYONE, EVERYONE, label, rate] for x in (one, ten, independent))
        assert a.change
        assert a.change == pytest.approx(b.change)
        assert b.change == pytest.approx(c.change)
        assert b.high - b.low == pytest.approx(a.high - a.low, rel=0.1)
        assert c.high - c.low < 0.5 * (b.high - b.low)
        assert b.p == pytest.approx(a.p, abs=0.1)
        assert c.p < b.p
        a, b, c = (by_key(x.gaps)[BY, EVERYONE, label, rate] for x in (one, ten, independent))
        assert b.high - b.low == pytest.approx(a.high - a.low, rel=0.15)
        assert c.high - c.low < 0.6 * (b.high - b.low)


UNIFORM = {"40 unchanged": (40, 0), "5 unchanged": (5, 0), "40 gained": (40, 1), "5 gained": (5, 1), "1 gained": (1, 1)}
"""Groups whose subjects are all alike: their number, and the first model's answer; the second model is always correct."""


@pytest.fixture(scope="module")
def uniform(toy_factory, tmp_path_factory):
    """Comparisons of `UNIFORM` with one sample of each subject, and with ten."""
    comparisons = []
    for copies in (1, 10):
        subjects = [(answer, g, f"{g} {i}") for g, (n, answer) in UNIFORM.items() for i in range(n)]
        dataset = dataset_of(toy_factory, [(0, answer, 0, g) for answer, g, _ in subjects for _ in range(copies)])
        actor = [name for _, _, name in subjects for _ in range(copies)]
        dataset = dataset.replace(
            samples=dataset.samples.assign(actor=pd.Series(actor, index=dataset.samples.index, dtype="str"))
        )
        comparisons.append(fairfer.compare(*runs_of(dataset, tmp_path_factory.mktemp("uniform"), subject="actor")))
    return comparisons


@pytest.mark.parametrize("group", UNIFORM)
def test_subjects_without_variance_count_once_each(group, uniform):
    """Ten samples of each are no more certain than one, although subjects do not differ in either."""
    one, ten = (by_key(comparison.changes)[BY, (group,), ALL, "accuracy"] for comparison in uniform)
    assert ten.trials == 10 * one.trials
    assert ten.change == one.change
    assert ten.high - ten.low >= 0.8 * (one.high - one.low)
    assert ten.p >= 0.5 * one.p


def test_swapped_runs_have_opposite_changes_by_subject(toy, tmp_path):
    """Intervals and p-values by subject do not depend on which run is the base, apart from the sign."""
    one, two = runs_of(subjects_dataset(toy, 30, 3), tmp_path, subject="actor")
    forward, backward = (by_key(fairfer.compare(*r).changes) for r in ((one, two), (two, one)))
    for key, a in forward.items():
        b = backward[key]
        if a.trials:
            assert (a.change, a.low, a.high) == pytest.approx((-b.change, -b.high, -b.low))
            assert (a.p, a.q) == pytest.approx((b.p, b.q))


def test_recorded_predictions_are_compared(tmp_path):
    """Two tables, one per model, with the same samples."""
    folders = []
    for name, third in (("one", "sad"), ("two", "happy")):
        path = tmp_path / f"{name}.csv"
        path.write_text(f"id,label,predicted,g\n1,happy,happy,f\n2,sad,sad,m\n3,sad,{third},f\n", encoding="utf-8")
        folders.append(run_of(fairfer.load_dataset(str(path), name="same"), None, tmp_path / name))
    flips = fairfer.compare(*folders).flips
    assert [(f.sample_id, f.base, f.candidate) for f in flips] == [("3", "sadness", "happiness")]


# --- leaderboard -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ranked(toy_factory, tmp_path_factory):
    """The rows of two runs with three groups, and their folders."""
    rows = random_rows(12, 200, "fmx")
    return frame_of(rows), runs_of(dataset_of(toy_factory, rows), tmp_path_factory.mktemp("ranked"), minimum=10)


def test_a_leaderboard_is_sorted_by_accuracy(ranked):
    """In any order of the runs, with the worst group, both computed from the rows."""
    frame, folders = ranked
    expected = []
    for run, model in zip(folders, ("base", "candidate"), strict=True):
        correct = frame[model] == frame["truth"]
        groups = correct.groupby(frame["g"]).mean()
        expected.append((str(run), correct.mean(), (groups.idxmin(),), groups.min()))
    expected.sort(key=lambda row: -row[1])
    for order in (folders, folders[::-1]):
        standings = fairfer.leaderboard(order)
        assert [(s.run, s.worst, s.worst_attribute) for s in standings] == [(run, worst, BY) for run, _, worst, _ in expected]
        assert [s.accuracy for s in standings] == pytest.approx([row[1] for row in expected])
        assert [s.worst_accuracy for s in standings] == pytest.approx([row[3] for row in expected])
        assert all(s.low <= s.accuracy <= s.high and s.samples == 200 for s in standings)


def test_a_leaderboard_has_the_clearest_gap_of_each_run(ranked):
    """Of TPR and FPR, the one with the least p-value; q allows for the gaps of all runs in the table."""
    _, folders = ranked
    gaps = {str(run): [g for g in fairfer.rebuild(run).gaps if g.rate in ("TPR", "FPR") and g.p is not None] for run in folders}
    family = [g.p for of_run in gaps.values() for g in of_run]
    q = dict(zip(family, stats.false_discovery_control(family), strict=True))
    for standing in fairfer.leaderboard(folders):
        clearest = min(gaps[standing.run], key=lambda g: g.p)
        assert (standing.gap_label, standing.gap_rate, standing.gap_attribute) == (
            clearest.label, clearest.rate, clearest.attribute,
        )  # fmt: skip
        assert standing.gap == clearest.difference
        assert standing.gap_q == pytest.approx(q[clearest.p])
        assert standing.gap_q >= clearest.p


def test_a_leaderboard_needs_two_runs_of_the_same_data(runs, toy, tmp_path):
    """One line each."""
    for few in ([], runs[:1]):
        with pytest.raises(UsageError, match=r"^give at least two runs to compare$"):
            fairfer.leaderboard(few)
    other = run_of(dataset_of(toy, ROWS, name="other"), DigitModel(0), tmp_path / "other")
    with pytest.raises(RunError, match=r"^[^\n]*dataset is 'toy' in one and 'other' in the other[^\n]*$"):
        fairfer.leaderboard([*runs, other])


# --- multi-label -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def multi_label(tmp_path_factory):
    """150 samples with unknown entries and missing answers: truth, both models' decisions, groups, and the run folders."""
    generator = np.random.default_rng(5)
    n, labels = 150, LABELS.labels
    truth = generator.integers(0, 2, (n, 3)).astype(float)
    decisions = []
    for error in (0.35, 0.2):
        decided = np.where(generator.random((n, 3)) < error, 1 - truth, truth)
        decided[generator.random(n) < 0.05] = np.nan  # no answer
        decisions.append(decided)
    truth[generator.random((n, 3)) < 0.15] = np.nan  # unknown
    group = generator.choice(["f", "m"], n)
    folders = []
    for name, decided in zip(("one", "two"), decisions, strict=True):
        columns = {f"truth_{label}": truth[:, i] for i, label in enumerate(labels)}
        columns |= {f"pred_{label}": decided[:, i] for i, label in enumerate(labels)}
        dataset = fairfer.load_dataset(pd.DataFrame({**columns, "g": group}), name="same", truth="truth_*", predicted="pred_*")
        folders.append(run_of(dataset, None, tmp_path_factory.mktemp("multi-label") / name))
    return truth, decisions, group, folders


def test_multi_label_changes_agree_with_masks(multi_label):
    """Trials, gains and losses of TPR, FPR, subset accuracy and coverage; unknown entries are part of no trial."""
    truth, decisions, group, folders = multi_label
    comparison = fairfer.compare(*folders)
    assert (comparison.task, comparison.samples, comparison.missing) == ("multi-label", len(truth), [])
    known = ~np.isnan(truth)
    answered = [~np.isnan(d).all(axis=1) for d in decisions]
    positive = [d == 1 for d in decisions]
    checked = 0
    for (grouping, of_group, label, rate), change in by_key(comparison.changes).items():
        members = np.ones(len(truth), bool) if grouping == EVERYONE else group == of_group[0]
        if rate in ("TPR", "FPR"):
            i = LABELS.labels.index(label)
            trials = truth[:, i] == (1 if rate == "TPR" else 0)
            base, candidate = (p[:, i] for p in positive)
        elif rate == "coverage":
            trials, (base, candidate) = np.ones(len(truth), bool), answered
        else:
            assert rate == "subset accuracy"
            trials = known.any(axis=1)
            base, candidate = (
                ok & ((p == (truth == 1)) | ~known).all(axis=1) for ok, p in zip(answered, positive, strict=True)
            )
        trials = trials & members
        n, gained, lost = trials.sum(), (trials & candidate & ~base).sum(), (trials & base & ~candidate).sum()
        assert (change.trials, change.both) == (n, (trials & base & candidate).sum())
        assert (change.gained, change.lost) == (gained, lost)
        assert (change.low, change.high) == pytest.approx(bonett_price(gained, lost, n))
        assert change.p == pytest.approx(mcnemar_mid_p(int(gained), int(lost)))
        checked += 1
    assert checked == 3 * (3 * 2 + 2)
    rates = {(label, rate) for label in LABELS.labels for rate in ("TPR", "FPR")}
    assert {(g.label, g.rate) for g in comparison.gaps} == rates | {(ALL, "subset accuracy"), (ALL, "coverage")}


def test_multi_label_flips_name_all_predicted_labels(multi_label):
    """Labels are joined by a plus sign; a missing answer is its status."""
    _, decisions, _, folders = multi_label

    comparison = fairfer.compare(*folders)

    def text(decided):
        if np.isnan(decided).all():
            return None
        predicted = {label for label, d in zip(LABELS.labels, decided, strict=True) if d == 1}
        return "+".join(label for label in comparison.labels if label in predicted) or "none"

    expected = [(text(b), text(c)) for b, c in zip(*decisions, strict=True) if text(b) != text(c)]
    flips = [
        tuple(None if x in ("no_face", "error", "unreadable") else x for x in (f.base, f.candidate)) for f in comparison.flips
    ]
    assert flips == expected


def test_a_multi_label_leaderboard_is_sorted_by_subset_accuracy(multi_label):
    """With the accuracy of the worst group."""
    standings = fairfer.leaderboard(multi_label[-1])
    audits = [fairfer.rebuild(s.run) for s in standings]
    assert [s.accuracy for s in standings] == sorted((a.rate("subset accuracy").value for a in audits), reverse=True)
    for standing, audit in zip(standings, audits, strict=True):
        assert standing.worst_accuracy == min(audit.rate("subset accuracy", attribute="g", group=g).value for g in "fm")
