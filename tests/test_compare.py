"""Two runs paired face by face: every number from the rows by hand, mirrored runs, and what cannot be compared."""

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
from fairfer.audits.audit import rebuild
from fairfer.audits.result import Audit
from fairfer.errors import RunError, UsageError
from fairfer.labels import LabelSpace
from fairfer.models.model import Prediction

LABELS = LabelSpace.of("three", ["anger", "fear", "sadness"])
TWO = LabelSpace.of("two", ["anger", "fear"])
SILENT = "(no_face)"
SAYS = [*LABELS.labels, SILENT]
Z = NormalDist().inv_cdf(0.975)


@pytest.fixture(autouse=True)
def _read_audits(monkeypatch):
    """An audit is read where it is written, far quicker than it is made again; that both agree is protected once here."""
    kept = "audit.json"
    monkeypatch.setattr(
        "fairfer.audits.compare.rebuild", lambda run: Audit.read(run / kept) if (run / kept).is_file() else rebuild(run)
    )


class Reader:
    """Reads one base-4 digit of a picture's level: a label, or for 3 no face. What it cannot say it calls its first label."""

    version = "1"

    def __init__(self, place, labels=LABELS, name=""):
        self.place, self.labels, self.name = place, labels, name or f"reader{place}"

    def predict(self, images):
        return [self._answer(int(image[0, 0, 0]) // 4**self.place % 4) for image in images]

    def _answer(self, digit):
        if digit == 3:
            return Prediction("no_face", None, "told so")
        said = SAYS[digit] if SAYS[digit] in self.labels else self.labels.labels[0]
        return Prediction("ok", np.array([float(n == said) for n in self.labels.labels]))


def faces(toy, rows, **more):
    """Rows of (truth, what reader 0 says, what reader 1 says, group)."""
    truth, base, candidate, group = zip(*rows, strict=True)
    level = [b + 4 * c for b, c in zip(base, candidate, strict=True)]
    return toy([LABELS.labels[t] for t in truth], {"g": group}, said=level, labels=LABELS, **more)


def audited(data, model, folder, by=("g",), **more):
    """A run folder as ``fairfer audit`` leaves it."""
    predictions = fairfer.predict(data, model, run=folder)
    found = fairfer.audit(data, predictions, by, run=folder, **{"minimum": 1, "permutations": 100, **more})
    found.write(folder / "audit.json")
    return folder


def pair(data, tmp_path, **more):
    """Reader 0's run and reader 1's, in a new folder."""
    place = Path(tempfile.mkdtemp(dir=tmp_path))
    return [audited(data, Reader(i), place / name, **more) for i, name in enumerate(("one", "two"))]


def table_of(rows):
    frame = pd.DataFrame(rows, columns=["truth", "base", "candidate", "g"])
    frame["truth"] = [LABELS.labels[t] for t in frame["truth"]]
    for column in ("base", "candidate"):
        frame[column] = [SAYS[s] for s in frame[column]]
    return frame.assign(g=frame["g"].fillna("unannotated"))


def random_rows(seed, number, groups="fm", agree=0.7):
    """Both readers right in two of three cases, and mostly alike."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 3, number)
    base = np.where(generator.random(number) < 0.65, truth, generator.integers(0, 4, number))
    other = np.where(generator.random(number) < 0.65, truth, generator.integers(0, 4, number))
    candidate = np.where(generator.random(number) < agree, base, other)
    group = generator.choice(list(groups), number)
    return [(int(t), int(b), int(c), str(g)) for t, b, c, g in zip(truth, base, candidate, group, strict=True)]


def hits_of(frame, rate, label):
    """Samples that count for a rate, and whether each model has a hit there: written apart from the package."""
    if rate == "TPR":
        frame = frame[frame["truth"] == label]
    if rate == "FPR":
        frame = frame[frame["truth"] != label]
    hits = {
        "TPR": lambda row, who: row[who] == label,
        "FPR": lambda row, who: row[who] == label,
        "accuracy": lambda row, who: row[who] == row["truth"],
        "coverage": lambda row, who: row[who] != SILENT,
    }[rate]
    found = [(hits(row, "base"), hits(row, "candidate")) for row in frame.to_dict("records")]
    return [b for b, _ in found], [c for _, c in found]


def mid_p(b, c):
    n = b + c
    beyond = sum(math.comb(n, k) for k in range(min(b, c)))
    return 1.0 if b == c else (2 * beyond + math.comb(n, min(b, c))) / 2**n


def bonett_price(b, c, n):
    p, q = (b + 1) / (n + 2), (c + 1) / (n + 2)
    half = Z * math.sqrt((p + q - (p - q) ** 2) / (n + 2))
    return min(max(p - q - half, -1), (b - c) / n), max(min(p - q + half, 1), (b - c) / n)


def by_name(found):
    return {(x.attribute, getattr(x, "group", ""), x.label, x.rate): x for x in found}


def check_by_hand(found, frame, minimum):
    """Every change and every gap of a comparison, from the rows."""
    wanted = {("*", "*"), *(("g", g) for g in frame["g"])}
    changes = by_name(found.changes)
    assert wanted <= {(c.attribute, c.group) for c in found.changes}
    assert len(changes) == len(found.changes)
    for (attribute, group, label, rate), c in changes.items():
        base, candidate = hits_of(frame if attribute == "*" else frame[frame["g"] == group], rate, label)
        n = len(base)
        assert c.trials == n
        assert c.both == sum(x and y for x, y in zip(base, candidate, strict=True))
        assert c.gained == sum(y and not x for x, y in zip(base, candidate, strict=True))
        assert c.lost == sum(x and not y for x, y in zip(base, candidate, strict=True))
        assert c.status == ("not_estimable" if not n else "small" if n < minimum else "ok")
        if not n:
            assert (c.base, c.candidate, c.change, c.low, c.high, c.p, c.q) == (None,) * 7
            continue
        assert (c.base, c.candidate) == pytest.approx((sum(base) / n, sum(candidate) / n))
        assert c.change == pytest.approx(c.candidate - c.base)
        assert (c.low, c.high) == pytest.approx(bonett_price(c.gained, c.lost, n))
        assert c.low <= c.change <= c.high
        assert c.p == (pytest.approx(mid_p(c.gained, c.lost)) if n >= minimum else None)
        assert (c.q is None) == (c.p is None)
    tested = [c for c in found.changes if c.p is not None]
    if tested:
        assert [c.q for c in tested] == pytest.approx(list(stats.false_discovery_control([c.p for c in tested])))
    for (_, _, label, rate), gap in by_name(found.gaps).items():
        members = [c for c in found.changes if (c.attribute, c.label, c.rate) == ("g", label, rate)]
        usable = {c.group: (c.base, c.candidate) for c in members if c.status == "ok" and c.group != "unannotated"}
        assert set(gap.groups) == set(usable)
        assert set(gap.excluded) == {c.group for c in members} - set(usable)
        if len(usable) < 2:
            assert gap.status == "too_few_groups"
            assert (gap.base, gap.candidate, gap.change, gap.low, gap.high, gap.worst_base) == (None,) * 6
            continue
        first, second = ([v[i] for v in usable.values()] for i in (0, 1))
        assert (gap.base, gap.candidate) == pytest.approx((max(first) - min(first), max(second) - min(second)))
        assert gap.change == pytest.approx(gap.candidate - gap.base)
        assert gap.low <= gap.change <= gap.high
        unfavourable = max if rate == "FPR" else min
        assert usable[gap.worst_base][0] == unfavourable(first)
        assert usable[gap.worst_candidate][1] == unfavourable(second)
    assert {(g.label, g.rate) for g in found.gaps} == {(c.label, c.rate) for c in found.changes}


some_rows = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 3), st.sampled_from(["f", "m", "x", None])),
    min_size=1,
    max_size=30,
).filter(lambda rows: {b for _, b, _, _ in rows} != {3} and {c for _, _, c, _ in rows} != {3})


@settings(max_examples=6)
@given(rows=some_rows, minimum=st.integers(1, 4))
def test_every_change_is_that_of_the_rows(rows, minimum, toy, tmp_path):
    """Trials, hits, interval, p and q of each change, each gap before and after, and the flips, row by row; silence counts."""
    one, two = pair(faces(toy, rows), tmp_path, minimum=minimum)
    found = fairfer.compare(one, two)
    frame = table_of(rows)
    assert found.samples == len(rows)
    assert found.missing == []
    check_by_hand(found, frame, minimum)
    differ = [(f"face{i:04d}.png", r.truth, r.base, r.candidate) for i, r in frame.iterrows() if r.base != r.candidate]
    assert [(f.sample_id, f.truth, f.base, f.candidate) for f in found.flips] == differ


def test_every_change_is_that_of_the_rows_in_a_large_table(toy, tmp_path):
    """The same with some hundred faces and three groups, where intervals and q-values are not all alike."""
    rows = random_rows(1, 400, "fmx")
    found = fairfer.compare(*pair(faces(toy, rows), tmp_path, minimum=20))
    check_by_hand(found, table_of(rows), 20)
    assert len({c.q for c in found.changes}) > 3


def test_an_intersection_is_compared_by_its_pairs(toy, tmp_path):
    """Groups of two attributes together: the faces of both levels, and no others."""
    rows = random_rows(2, 120)
    data = faces(toy, rows)
    light = ["dim" if i % 3 else "lit" for i in range(len(rows))]
    both = toy(list(data.samples["label"]), {"g": [r[3] for r in rows], "h": light}, said=[b + 4 * c for _, b, c, _ in rows],
               labels=LABELS)  # fmt: skip
    one, two = pair(both, tmp_path, by=("g,h",))
    found = fairfer.compare(one, two)
    frame = table_of(rows).assign(h=light)
    for group in ("f,dim", "f,lit", "m,dim", "m,lit"):
        [c] = [c for c in found.changes if (c.attribute, c.group, c.rate) == ("g,h", group, "accuracy")]
        part = frame[(frame["g"] + "," + frame["h"]) == group]
        assert (c.trials, c.gained) == (len(part), ((part.base != part.truth) & (part.candidate == part.truth)).sum())


def test_runs_in_each_others_place_mirror(toy, tmp_path):
    """What one way is gained the other way is lost, with the same p and q; nothing depends on which run is called the base."""
    one, two = pair(faces(toy, random_rows(3, 500)), tmp_path, minimum=20)
    there, back = fairfer.compare(one, two), fairfer.compare(two, one)
    assert (there.base, there.candidate) == (back.candidate, back.base)
    for key, a in by_name(there.changes).items():
        b = by_name(back.changes)[key]
        assert (a.trials, a.both, a.gained, a.lost, a.base, a.candidate, a.p, a.q, a.status) == (
            b.trials, b.both, b.lost, b.gained, b.candidate, b.base, b.p, b.q, b.status,
        )  # fmt: skip
        assert (a.change, a.low, a.high) == pytest.approx((-b.change, -b.high, -b.low))
    for key, a in by_name(there.gaps).items():
        b = by_name(back.gaps)[key]
        assert (a.base, a.candidate, a.worst_base, a.worst_candidate) == (b.candidate, b.base, b.worst_candidate, b.worst_base)
        assert (a.change, a.low, a.high) == pytest.approx((-b.change, -b.high, -b.low), abs=0.02)
    assert [(f.sample_id, f.base, f.candidate) for f in there.flips] == [(f.sample_id, f.candidate, f.base) for f in back.flips]


def test_a_run_compared_with_itself_changed_nothing(runs):
    """No flip, no change, p 1; but intervals that do not claim to know that nothing ever would change."""
    one, _ = runs
    found = fairfer.compare(one, one)
    assert found.flips == []
    assert all((c.gained, c.lost, c.change, c.p, c.q) == (0, 0, 0, 1, 1) for c in found.changes if c.trials)
    assert all(c.low < 0 < c.high for c in found.changes if c.trials)
    assert all(g.change == 0 and g.low <= 0 <= g.high for g in found.gaps)


def test_twice_the_same(runs, monkeypatch, tmp_path):
    """Chance is seeded: the same runs give the same comparison to the last digit, with or without their audit.json."""
    first = fairfer.compare(*runs).to_json()
    assert fairfer.compare(*runs).to_json() == first
    monkeypatch.setattr("fairfer.audits.compare.rebuild", rebuild)
    bare = [Path(shutil.copytree(run, tmp_path / run.name)) for run in runs]
    for run in bare:
        (run / "audit.json").unlink()
    assert fairfer.compare(*bare).to_json() == first


def test_faces_of_one_run_only_are_listed(toy, tmp_path):
    """What is not in both is in no number, and is named with the run that has it; the numbers are those of the rest."""
    rows = random_rows(6, 60)
    data = faces(toy, rows)
    one = audited(data.replace(samples=data.samples.iloc[:50]), Reader(0), tmp_path / "one")
    two = audited(data.replace(samples=data.samples.iloc[10:]), Reader(1), tmp_path / "two")
    found = fairfer.compare(one, two)
    ids = list(data.samples.index)
    expected = {(i, "base", "not in the other") for i in ids[:10]} | {(i, "candidate", "not in the other") for i in ids[50:]}
    assert {(m.sample_id, m.only_in, m.why) for m in found.missing} == expected
    assert len(found.missing) == 20
    assert found.samples == 40
    check_by_hand(found, table_of(rows[10:50]), 1)


@pytest.mark.parametrize("turned", [False, True])
def test_faces_of_a_label_that_one_model_cannot_say_are_listed(turned, toy, tmp_path):
    """With ``drop`` they are audited in one run only: not compared, and listed with the reason, whichever run is the base."""
    rows = random_rows(7, 90)
    data = faces(toy, rows)
    runs = [audited(data, Reader(0), tmp_path / "one"), audited(data, Reader(1, TWO), tmp_path / "two")]
    found = fairfer.compare(*(runs[::-1] if turned else runs))
    sad = {i for i, label in data.samples["label"].items() if label == "sadness"}
    side = "candidate" if turned else "base"
    assert {(m.sample_id, m.only_in, m.why) for m in found.missing} == {
        (i, side, "label not audited in the other") for i in sad
    }
    assert found.labels == ["anger", "fear"]
    rest = [(t, b, 0 if c == 2 else c, g) for t, b, c, g in rows if t != 2]  # reader 1 says its first label for sadness
    if turned:
        rest = [(t, c, b, g) for t, b, c, g in rest]
    assert found.samples == len(rest)
    check_by_hand(found, table_of(rest), 1)


@pytest.mark.parametrize("unsupported_labels", ["keep", "merge=sadness:fear"])
def test_a_label_that_one_model_cannot_say_is_treated_alike_both_ways(unsupported_labels, toy, tmp_path):
    """Every face is compared or listed, and with the runs in each other's place the same faces are, with mirrored changes."""
    data = faces(toy, random_rows(8, 90))
    one = audited(data, Reader(0), tmp_path / "one", unsupported_labels=unsupported_labels)
    two = audited(data, Reader(1, TWO), tmp_path / "two", unsupported_labels=unsupported_labels)
    there, back = fairfer.compare(one, two), fairfer.compare(two, one)
    assert there.samples + len(there.missing) == 90
    assert there.samples == back.samples
    assert [(c.label, c.group, c.rate, c.trials, c.gained, c.lost) for c in there.changes] == [
        (c.label, c.group, c.rate, c.trials, c.lost, c.gained) for c in back.changes
    ]


def test_pairing_is_surer_than_two_audits_side_by_side(toy, tmp_path):
    """Of models that mostly agree the change is known far better than Newcombe's interval of two separate samples says."""
    found = fairfer.compare(*pair(faces(toy, random_rows(9, 600, agree=0.95)), tmp_path, minimum=20))
    for c in found.changes:
        if c.rate in ("accuracy", "TPR"):
            hits = [c.both + c.gained, c.both + c.lost]
            low, high = confint_proportions_2indep(hits[0], c.trials, hits[1], c.trials, method="newcomb", compare="diff")
            assert c.high - c.low < 0.75 * (high - low)


ROWS = random_rows(10, 30)


def of_rows(toy):
    """The data of `ROWS`, with a second attribute and a card."""
    return toy(
        [LABELS.labels[r[0]] for r in ROWS],
        {"g": [r[3] for r in ROWS], "h": [r[3].upper() for r in ROWS]},
        said=[r[1] + 4 * r[2] for r in ROWS],
        labels=LABELS,
    ).replace(card={"rule": "majority"})


@pytest.fixture(scope="module")
def runs(toy_factory, tmp_path_factory):
    """Reader 0's run and reader 1's of `ROWS`."""
    return pair(of_rows(toy_factory), tmp_path_factory.mktemp("runs"))


def other_label(data):
    label = data.samples["label"].copy()
    label.iloc[3] = "fear" if label.iloc[3] == "anger" else "anger"
    return data.replace(samples=data.samples.assign(label=label))


def other_group(data):
    group = data.samples["g"].copy()
    group.iloc[3] = "f" if group.iloc[3] == "m" else "m"
    return data.replace(samples=data.samples.assign(g=group))


REFUSALS = {
    "name": (lambda d: d.replace(name="else"), {}, "data set is 'toy' in the one and 'else' in the other"),
    "labels": (
        lambda d: d.replace(labels=LabelSpace.of("more", [*LABELS.labels, "joy"])), {}, "labels of the data is",
    ),
    "card": (lambda d: d.replace(card={"rule": "crossentropy"}), {}, "rule of the data is 'majority'"),
    "by": (lambda d: d, {"by": ("h",)}, r"--by is \['g'\] in the one and \['h'\] in the other"),
    "unsupported_labels": (lambda d: d, {"unsupported_labels": "keep"}, "--unsupported-labels is 'drop' in the one and 'keep' in the other"),
    "minimum": (lambda d: d, {"minimum": 2}, "--minimum is 1 in the one and 2 in the other"),
    "confidence": (lambda d: d, {"confidence": 0.9}, r"--confidence is 0\.95 in the one and 0\.9 in the other"),
    "subject": (lambda d: d, {"subject": "h"}, "--subject is '' in the one and 'h' in the other"),
    "label": (other_label, {}, r"the label differs for 1 of \d+ samples \(the first: face0003\.png\)"),
    "group": (other_group, {}, r"the g differs for 1 of \d+ samples \(the first: face0003\.png\)"),
}  # fmt: skip


@pytest.mark.parametrize("field", REFUSALS)
def test_what_differs_is_named(field, runs, toy, tmp_path):
    """Runs of other data or settings are refused in one line that names both runs and the field that differs."""
    change, more, words = REFUSALS[field]
    one, _ = runs
    two = audited(change(of_rows(toy)), Reader(1), tmp_path / "two", **more)
    for function in (lambda: fairfer.compare(one, two), lambda: fairfer.rank([one, two])):
        with pytest.raises(RunError, match=words) as refused:
            function()
        assert "\n" not in str(refused.value)
        assert str(one) in str(refused.value)
        assert str(two) in str(refused.value)


def test_another_picture_is_refused(runs, toy, tmp_path):
    """A picture that is not the same in both runs is no pair: refused, by its id."""
    other = [(t, b, (c + 1) % 3, g) if i == 5 else (t, b, c, g) for i, (t, b, c, g) in enumerate(ROWS)]
    one, _ = runs
    two = audited(faces(toy, other), Reader(1), tmp_path / "two")
    with pytest.raises(RunError, match=r"^[^\n]*the picture differs for 1 of \d+ samples \(the first: face0005\.png\)[^\n]*$"):
        fairfer.compare(one, two)


def test_another_person_is_refused(toy, tmp_path):
    """Where a column names people, it must name the same ones."""
    one = audited(of_people(toy, 6, 2), Reader(0), tmp_path / "one", subject="actor")
    data = of_people(toy, 6, 2)
    who = data.samples["actor"].copy()
    who.iloc[0] = "nobody"
    two = audited(data.replace(samples=data.samples.assign(actor=who)), Reader(1), tmp_path / "two", subject="actor")
    with pytest.raises(RunError, match=r"^[^\n]*the actor differs for 1 of \d+ samples[^\n]*$"):
        fairfer.compare(one, two)


def test_runs_with_nothing_in_common_are_refused(runs, toy, tmp_path):
    """No sample in both: nothing to compare, in one line."""
    one, _ = runs
    two = audited(faces(toy, ROWS, ids=[f"else{i}" for i in range(len(ROWS))]), Reader(1), tmp_path / "two")
    with pytest.raises(RunError, match=r"^[^\n]*they have no sample in common; give two runs of one data set$"):
        fairfer.compare(one, two)


def test_runs_with_no_label_in_common_are_refused(toy, tmp_path):
    """Each model can say what the other cannot: nothing to compare, in one line."""
    one = audited(faces(toy, ROWS), Reader(0, LabelSpace.of("one", ["anger"])), tmp_path / "one")
    two = audited(faces(toy, ROWS), Reader(1, LabelSpace.of("other", ["fear"])), tmp_path / "two")
    with pytest.raises(RunError, match=r"^[^\n]*they have no audited label in common; see --unsupported-labels$"):
        fairfer.compare(one, two)


@pytest.mark.parametrize("turned", [False, True])
def test_a_folder_that_is_no_run_is_refused(turned, runs, tmp_path):
    """An empty folder, on either side: one line that names it."""
    one, _ = runs
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(RunError, match=r"^[^\n]*empty holds no [^\n]*$"):
        fairfer.compare(*((empty, one) if turned else (one, empty)))


def test_a_folder_without_an_audit_is_refused(runs, toy, tmp_path):
    """Predicted and never audited: one line that says so. So is an audit.json alone, which has no rows to pair."""
    one, two = runs
    fairfer.predict(faces(toy, ROWS), Reader(1), run=tmp_path / "predicted")
    with pytest.raises(RunError, match=r"^[^\n]*predicted but not audited[^\n]*$"):
        fairfer.compare(one, tmp_path / "predicted")
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(two / "audit.json", alone)
    with pytest.raises(RunError, match=r"^[^\n]*alone[^\n]*$"):
        fairfer.compare(one, alone)


def of_people(toy, people, copies, seed=21):
    """Each person is read by both readers in the same way in every picture."""
    rows = [r for r in random_rows(seed, people, agree=0.2) for _ in range(copies)]
    data = faces(toy, [(0, min(b, 2), min(c, 2), g) for _, b, c, g in rows])
    who = np.repeat([f"p{i:03d}" for i in range(people)], copies)
    return data.replace(samples=data.samples.assign(actor=pd.Series(who, index=data.samples.index, dtype="str")))


def test_more_pictures_of_the_same_people_prove_no_more(toy, tmp_path):
    """Ten pictures of each of 50 people: changes and gaps are as sure as of one picture each, and less than of strangers."""
    one = fairfer.compare(*pair(of_people(toy, 50, 1), tmp_path, subject="actor"))
    ten = fairfer.compare(*pair(of_people(toy, 50, 10), tmp_path, subject="actor"))
    strangers = fairfer.compare(*pair(of_people(toy, 50, 10), tmp_path))
    for rate in ("accuracy", "TPR"):
        label = "*" if rate == "accuracy" else "anger"
        a, b, c = (by_name(x.changes)["*", "*", label, rate] for x in (one, ten, strangers))
        assert a.change == pytest.approx(b.change)
        assert b.change == pytest.approx(c.change)
        assert b.high - b.low == pytest.approx(a.high - a.low, rel=0.1)
        assert c.high - c.low < 0.5 * (b.high - b.low)
        assert b.p == pytest.approx(a.p, abs=0.1)
        assert a.change
        assert c.p < b.p
        a, b, c = (by_name(x.gaps)["g", "", label, rate] for x in (one, ten, strangers))
        assert b.high - b.low == pytest.approx(a.high - a.low, rel=0.15)
        assert c.high - c.low < 0.6 * (b.high - b.low)


KINDS = {"40 still": (40, 0), "5 still": (5, 0), "40 gained": (40, 1), "5 gained": (5, 1), "1 gained": (1, 1)}
"""Groups of people who are all alike: how many, and what the first reader says of them; the second is always right."""


@pytest.fixture(scope="module")
def alike(toy_factory, tmp_path_factory):
    """Comparisons of the `KINDS` with one picture of each person, and with ten."""
    found = []
    for copies in (1, 10):
        people = [(said, g, f"{g} {i}") for g, (n, said) in KINDS.items() for i in range(n)]
        data = faces(toy_factory, [(0, said, 0, g) for said, g, _ in people for _ in range(copies)])
        who = pd.Series([name for _, _, name in people for _ in range(copies)], index=data.samples.index, dtype="str")
        data = data.replace(samples=data.samples.assign(actor=who))
        found.append(fairfer.compare(*pair(data, tmp_path_factory.mktemp("alike"), subject="actor")))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_people_who_are_all_alike_prove_no_more_by_more_pictures(kind, alike):
    """That nobody differs is seen of so many people, not of so many pictures: no surer than one picture of each."""
    one, ten = (by_name(found.changes)["g", kind, "*", "accuracy"] for found in alike)
    assert ten.trials == 10 * one.trials
    assert ten.change == one.change
    assert ten.high - ten.low >= 0.8 * (one.high - one.low)
    assert ten.p >= 0.5 * one.p


def test_people_mirror_too(toy, tmp_path):
    """With people named, runs in each other's place give mirrored changes."""
    one, two = pair(of_people(toy, 30, 3), tmp_path, subject="actor")
    there, back = (by_name(fairfer.compare(*r).changes) for r in ((one, two), (two, one)))
    for key, a in there.items():
        b = back[key]
        if a.trials:
            assert (a.change, a.low, a.high) == pytest.approx((-b.change, -b.high, -b.low))
            assert (a.p, a.q) == pytest.approx((b.p, b.q))


def test_two_tables_of_predictions_are_compared(tmp_path):
    """Answers recorded in tables, one file per model: the same faces and truth, so they can be paired."""
    runs = []
    for name, third in (("one", "sad"), ("two", "happy")):
        path = tmp_path / f"{name}.csv"
        path.write_text(f"id,label,predicted,g\n1,happy,happy,f\n2,sad,sad,m\n3,sad,{third},f\n", encoding="utf-8")
        data = fairfer.load_dataset(str(path), name="same")
        found = fairfer.audit(
            data, fairfer.predict(data, run=tmp_path / name), ["g"], minimum=1, permutations=100, run=tmp_path / name
        )
        found.write(tmp_path / name / "audit.json")
        runs.append(tmp_path / name)
    found = fairfer.compare(*runs)
    assert [(f.sample_id, f.base, f.candidate) for f in found.flips] == [("3", "sadness", "happiness")]


def test_runs_are_ranked_by_accuracy(toy, tmp_path):
    """The most accurate first, whatever the order given, with the accuracy of its worst group: recomputed from the rows."""
    rows = random_rows(12, 200, "fmx")
    frame = table_of(rows)
    expected = []
    one, two = pair(faces(toy, rows), tmp_path, minimum=20)
    for run, said in ((one, "base"), (two, "candidate")):
        right = frame[said] == frame["truth"]
        groups = right.groupby(frame["g"]).mean()
        expected.append((str(run), right.mean(), groups.idxmin(), groups.min()))
    expected.sort(key=lambda r: -r[1])
    for order in ([one, two], [two, one]):
        found = fairfer.rank(order)
        assert [(s.run, s.worst) for s in found] == [(r, w) for r, _, w, _ in expected]
        assert [s.accuracy for s in found] == pytest.approx([a for _, a, _, _ in expected])
        assert [s.worst_accuracy for s in found] == pytest.approx([w for _, _, _, w in expected])
        assert all(s.low <= s.accuracy <= s.high and s.faces == 200 for s in found)


def test_a_ranked_run_shows_its_gap_farthest_beyond_chance(toy, tmp_path):
    """The gap shown is one of TPR or FPR in the run's own audit, and no other exceeds its chance gap by more."""
    for run, standing in zip(
        runs := pair(faces(toy, random_rows(13, 200, "fmx")), tmp_path, minimum=10),
        sorted(fairfer.rank(runs), key=lambda s: s.run),
        strict=True,
    ):
        gaps = [g for g in fairfer.rebuild(run).gaps if g.rate in ("TPR", "FPR") and g.difference is not None]
        excess = {(f"{g.label} {g.rate}", g.attribute): g.difference - g.expected_by_chance for g in gaps}
        assert (standing.gap_of, standing.gap_attribute) == max(excess, key=excess.get)
        assert standing.gap - standing.gap_expected_by_chance == pytest.approx(max(excess.values()))


def test_a_ranking_needs_two_runs_of_the_same_data(runs, toy, tmp_path):
    """One run is no comparison, and other data no competition: one line each."""
    one, two = runs
    for few in ([], [one]):
        with pytest.raises(UsageError, match=r"^give at least two runs to compare$"):
            fairfer.rank(few)
    other = audited(faces(toy, ROWS, name="else"), Reader(0), tmp_path / "else")
    with pytest.raises(RunError, match=r"^[^\n]*data set is 'toy' in the one and 'else' in the other[^\n]*$"):
        fairfer.rank([one, two, other])
