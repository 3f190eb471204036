"""Probing a run: planted models, resumption, unchanged pictures, subjects, bad input."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from probe_faces import PlantedModel, faces

import fairfer
from fairfer.audits.audit import audit_predictions
from fairfer.audits.plan import AuditPlan
from fairfer.audits.probe import probe
from fairfer.audits.probe_identity import belongs_to
from fairfer.errors import RunError, UsageError
from fairfer.explanations.probes.answers import UNCHANGED, ChangedImages, folder_of
from fairfer.explanations.probes.comparison import ChangedAnswers, Faces, compare_answers
from fairfer.explanations.probes.perturbations import parse_probes
from fairfer.explanations.probes.results import PROBES, Probes
from fairfer.files import mark_finished
from fairfer.metrics.metric_settings import MetricSettings
from fairfer.models.model import Prediction
from fairfer.predictions.predictions import Predictions


def audited(run, dataset, model, **plan):
    predictions = fairfer.predict(dataset, model, run)
    options = {"by": ["gender"], "permutations": 1000, **plan}
    audit = audit_predictions(dataset, predictions, AuditPlan.of(options), run=run)
    (run / "audit.json").write_text(audit.to_json())
    mark_finished(run)
    return audit


def flips_of(result, group, label="*"):
    [row] = [f for f in result.flips if (f.group, f.label) == (group, label)]
    return row


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A run of a model whose answers depend on brightness for women only, with its probes."""
    run = tmp_path_factory.mktemp("planted")
    dataset, model = faces(), PlantedModel(sensitive=(0,))
    audit = audited(run, dataset, model)
    return run, audit, probe(run, dataset, model, ["brightness=-60,-20,0,40", "gray", "mirror"])


def test_a_model_that_depends_on_brightness_for_one_group_is_found(planted):
    _, _, probes = planted
    dark = probes.results[0]
    assert dark.name == "brightness=-60"
    women, men, everyone = (flips_of(dark, g) for g in (("female",), ("male",), ()))
    assert (women.flips, women.answered, women.rate) == (120, 120, 1.0)
    assert (men.flips, men.answered, men.rate) == (0, 120, 0.0)
    assert (everyone.flips, everyone.answered) == (120, 240)
    [gap] = dark.gaps
    assert gap.significant
    assert (gap.highest, gap.lowest, gap.difference) == (("female",), ("male",), 1.0)
    assert gap.leading.group == ("female",)
    assert gap.leading.low > 0.9


def test_levels_that_change_no_answer_have_no_finding(planted):
    _, _, probes = planted
    for result in probes.results[1:]:
        if result.perturbation != "mirror":
            assert not any(g.significant for g in result.gaps)
            assert all(f.flips == 0 for f in result.flips)


def test_changes_of_rates_are_those_of_the_counted_answers(planted):
    """Every woman's answer becomes another one: TPR falls from 1 to 0, FPR rises from 0 to the share with the label before."""
    _, _, probes = planted
    changes = {(c.rate, c.label, c.group): c for c in probes.results[0].changes}
    tpr = changes["TPR", "happiness", ("female",)]
    assert (tpr.base, tpr.candidate, tpr.change, tpr.lost) == (1.0, 0.0, -1.0, tpr.trials)
    assert tpr.high < -0.8
    assert tpr.q < 1e-6
    men = changes["TPR", "happiness", ("male",)]
    assert (men.change, men.p) == (0.0, 1.0)
    assert changes["accuracy", "*", ("female",)].change == -1.0
    assert changes["accuracy", "*", ()].change == -0.5
    truth = faces().samples.query("gender == 'female'")["label"]
    expected = (truth == "anger").sum() / (truth != "happiness").sum()
    assert changes["FPR", "happiness", ("female",)].change == pytest.approx(expected)


def test_flips_and_rates_agree_with_a_count_of_the_stored_answers(planted):
    run, _, probes = planted
    original = Predictions.read(run).frame
    gender = faces().samples["gender"]
    for result, one in zip(probes.results, parse_probes(["brightness=-60,-20,0,40", "gray", "mirror"]), strict=True):
        changed = Predictions.read(folder_of(run, one)).frame
        different = changed["predicted"] != original["predicted"]
        for level in ("female", "male"):
            assert flips_of(result, (level,)).flips == int(different[gender == level].sum())


def test_the_model_is_not_asked_about_unchanged_pictures(tmp_path):
    dataset, model = faces(60), PlantedModel()
    audited(tmp_path, dataset, model)
    model.asked = 0
    seen = []
    probes = probe(tmp_path, dataset, model, ["gray", "brightness=0"], on_answers=lambda *a: seen.append(a))
    assert model.asked == 0
    assert [(r.name, r.unchanged) for r in probes.results] == [("brightness=0", 60), ("gray=on", 60)]
    assert seen == [("brightness=0", 0, 60, 60), ("gray=on", 0, 60, 60)]
    stored = Predictions.read(tmp_path / "probes/gray/on").frame
    original = Predictions.read(tmp_path).frame
    assert (stored["detail"] == UNCHANGED).all()
    assert stored["predicted"].tolist() == original["predicted"].tolist()
    assert stored["score:anger"].tolist() == original["score:anger"].tolist()


def test_some_pictures_may_be_unchanged(tmp_path):
    """A black picture stays black; unreadable and unanswered faces keep their status and their detail."""
    dataset, model = faces(60), PlantedModel(blind=(0, 1))
    dataset.images.pixels[:10] = 0
    audited(tmp_path, dataset, model)
    model.asked = 0
    probes = probe(tmp_path, dataset, model, ["brightness=-5"])
    assert (model.asked, probes.results[0].unchanged) == (50, 10)
    stored = Predictions.read(tmp_path / "probes/brightness/-5").frame
    assert stored["status"].tolist()[:10] == ["no_face"] * 10
    assert stored["detail"].tolist()[0] == f"{UNCHANGED}; too dark"


def test_answers_are_reused_and_the_result_is_the_same_bytes(planted, tmp_path):
    source, _, _ = planted
    run = tmp_path / "run"
    shutil.copytree(source, run)
    dataset, model = faces(), PlantedModel(sensitive=(0,))
    seen = []
    again = probe(run, dataset, model, ["brightness=-60,-20,0,40", "gray", "mirror"], on_answers=lambda *a: seen.append(a[1]))
    assert model.asked == 0
    assert seen == [240] * 6
    assert (run / PROBES).read_bytes() == (source / PROBES).read_bytes()
    assert Probes.read(run / PROBES) == again


def test_answers_of_another_model_are_not_reused(tmp_path):
    dataset = faces(60)
    audited(tmp_path, dataset, PlantedModel(options={"a": "1"}))
    probe(tmp_path, dataset, PlantedModel(options={"a": "1"}), ["brightness=-60"])
    fairfer.predict(dataset, PlantedModel((0,), options={"a": "2"}), tmp_path, overwrite=True)
    audited(tmp_path, dataset, PlantedModel((0,), options={"a": "2"}))
    probes = probe(tmp_path, dataset, PlantedModel((0,), options={"a": "2"}), ["brightness=-60"])
    assert flips_of(probes.results[0], ("female",)).rate == 1.0


def test_a_damaged_part_is_asked_for_again(tmp_path):
    dataset, model = faces(60), PlantedModel((0,))
    audited(tmp_path, dataset, model)
    before = probe(tmp_path, dataset, model, ["brightness=-60"])
    [part] = (tmp_path / "probes/brightness/-60/predictions").iterdir()
    part.write_bytes(part.read_bytes()[:-50])
    model.asked = 0
    assert probe(tmp_path, dataset, model, ["brightness=-60"]) == before
    assert model.asked == 60


def test_faces_that_lose_their_answer_are_flips_and_are_counted(tmp_path):
    dataset, model = faces(60), PlantedModel(blind=(1,))
    dataset.images.pixels[1::2][:5] = 60  # men whose original is too dark
    dataset.images.pixels[1::2][:5, :, 5] = 140
    audited(tmp_path, dataset, model)
    dark, bright = probe(tmp_path, dataset, model, ["brightness=-60,90"]).results
    men = flips_of(dark, ("male",))
    assert (men.answered, men.flips, men.lost, men.unanswered, men.gained) == (25, 25, 25, 5, 0)
    women = flips_of(dark, ("female",))
    assert (women.answered, women.flips, women.lost, women.unanswered) == (30, 0, 0, 0)
    men = flips_of(bright, ("male",))
    assert (men.answered, men.flips, men.lost, men.unanswered, men.gained) == (25, 0, 0, 5, 5)
    coverage = {c.group: c for c in dark.changes if c.rate == "coverage"}
    assert coverage["male",].change == pytest.approx(-25 / 30)


def test_a_change_after_which_no_face_has_an_answer_is_a_result(tmp_path):
    dataset, model = faces(60), PlantedModel(blind=(0, 1))
    audited(tmp_path, dataset, model)
    [result] = probe(tmp_path, dataset, model, ["brightness=-60"]).results
    everyone = flips_of(result, ())
    assert (everyone.flips, everyone.lost, everyone.rate) == (60, 60, 1.0)
    assert [g.status for g in result.gaps] == ["no_variation"]
    assert probe(tmp_path, dataset, model, ["brightness=-60"]).results == [result]


def test_small_and_empty_groups_are_undefined_not_zero(tmp_path):
    dataset = faces(30, ("female", "male", "diverse"))
    model = PlantedModel((0, 1, 2))
    audited(tmp_path, dataset, model, minimum=15)
    [result] = probe(tmp_path, dataset, model, ["brightness=-60"]).results
    assert {f.status for f in result.flips if f.group} == {"small"}
    [gap] = result.gaps
    assert (gap.status, gap.difference, gap.p) == ("too_few_groups", None, None)
    assert not any(c.q is not None for c in result.changes if c.group)


def test_multi_label_decisions_flip_by_label(tmp_path):
    dataset, model = faces(multi_label=True), PlantedModel((0,), task="multi-label")
    audited(tmp_path, dataset, model)
    [result] = probe(tmp_path, dataset, model, ["brightness=-60"]).results
    truth = dataset.truth[(dataset.samples["gender"] == "female").to_numpy()]
    assert flips_of(result, ("female",)).rate == 1.0
    # The true label is not predicted any more, the next one is.
    for label, before in (("anger", "sadness"), ("happiness", "anger"), ("sadness", "happiness")):
        assert flips_of(result, ("female",), label).flips == int(truth[label].sum() + truth[before].sum())
        assert flips_of(result, ("male",), label).flips == 0
    assert {g.label for g in result.gaps if g.significant} == {"*", "anger", "happiness", "sadness"}
    assert {c.rate for c in result.changes} == {"TPR", "FPR", "subset accuracy", "coverage"}


def test_subjects_widen_intervals_and_are_permuted(tmp_path):
    dataset, model = faces(240, subjects=24), PlantedModel((0,))
    dataset.images.pixels[np.arange(240) % 24 < 12] += 60  # the faces of half the subjects are bright enough
    for name, plan in (("one", {}), ("two", {"subject": "subject"})):
        audited(tmp_path / name, dataset, model, **plan)
    one, two = (probe(tmp_path / n, dataset, model, ["brightness=-60"]).results[0] for n in ("one", "two"))
    alone, shared = (flips_of(r, ("female",)) for r in (one, two))
    assert alone.rate == shared.rate == 0.5
    assert shared.effective_size < 20
    assert shared.high - shared.low > 2 * (alone.high - alone.low)
    assert two.gaps[0].p > one.gaps[0].p
    [a], [b] = ([c for c in r.changes if c.rate == "accuracy" and c.group == ("female",)] for r in (one, two))
    assert b.high - b.low > a.high - a.low
    assert b.effective_size < 20


def test_answers_and_result_can_be_written_elsewhere(planted, tmp_path):
    run, _, _ = planted
    dataset, model = faces(), PlantedModel((0,))
    probe(run, dataset, model, "brightness=-60", out=tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["probes", PROBES]
    assert model.asked == 240


def test_the_result_belongs_to_one_audit(planted):
    _, audit, probes = planted
    assert belongs_to(probes, audit)
    other = audit.model_copy(update={"plan": audit.plan.model_copy(update={"minimum": 5})})
    assert not belongs_to(probes, other)


def test_another_model_or_other_images_are_refused(planted):
    run, _, _ = planted
    with pytest.raises(RunError, match="was made with another option a \\(None, now 1\\); use the model"):
        probe(run, faces(), PlantedModel((0,), options={"a": "1"}))
    with pytest.raises(RunError, match="was made with another images digest"):
        probe(run, faces(seed=1), PlantedModel((0,)))
    with pytest.raises(UsageError, match="no probe 'brigthness'; did you mean 'brightness'"):
        probe(run, faces(), PlantedModel((0,)), ["brigthness"])
    with pytest.raises(RunError, match="not a folder"):
        probe(run / "missing", faces(), PlantedModel())


def test_a_table_without_images_is_refused(planted):
    run, _, _ = planted
    dataset = faces()
    table = dataset.replace(images=None, identity={"images_digest": dataset.images_digest})
    with pytest.raises(RunError, match="has no images that could be changed"):
        probe(run, table, PlantedModel((0,)))


def test_digests_depend_on_change_level_and_image():
    images = faces(4).images
    raws = [ChangedImages(images, p).raw(i) for p in parse_probes(["blur=1,2", "noise=1"]) for i in ("face0000", "face0001")]
    assert len(set(raws)) == 6
    assert raws[0].startswith(b"fairfer probe 1 blur=1\n")


@pytest.mark.slow
def test_an_interrupted_probe_continues(tmp_path):
    """The process is killed while the model answers; the next one repeats at most one part and has the same result."""
    code = textwrap.dedent(
        """
        import sys, time
        sys.path.insert(0, sys.argv[2])
        from pathlib import Path
        import fairfer
        from probe_faces import PlantedModel, faces
        class Slow(PlantedModel):
            def predict(self, images):
                if Path(sys.argv[3]).exists():
                    time.sleep(0.02)
                    print("asked", flush=True)
                return super().predict(images)
        Slow.__module__, Slow.__qualname__ = PlantedModel.__module__, PlantedModel.__qualname__
        model = Slow((0,), options={"code": "x"})
        model.files = ()
        fairfer.probe(sys.argv[1], faces(1200), model, ["brightness=-60,-59"])
        """
    )
    dataset, model = faces(1200), PlantedModel((0,), options={"code": "x"})
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    audited(whole, dataset, model)
    shutil.copytree(whole, killed)
    expected = probe(whole, dataset, model, ["brightness=-60,-59"])
    slow = tmp_path / "slow"
    slow.touch()
    command = [sys.executable, "-c", code, str(killed), str(Path(__file__).parent / "helpers"), str(slow)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ) as process:
        for _ in range(40):  # 32 calls of 16 images are the first part
            assert process.stderr.readline() == "asked\n"  # what a model prints goes to stderr
        process.send_signal(signal.SIGKILL)
    parts = sorted((killed / "probes/brightness/-60/predictions").glob("part-*.parquet"))
    assert len(parts) == 1
    assert not (killed / PROBES).exists()
    model.asked = 0
    assert probe(killed, dataset, model, ["brightness=-60,-59"]) == expected
    assert model.asked == 2400 - 512
    assert (killed / PROBES).read_bytes() == (whole / PROBES).read_bytes()


def test_a_difference_of_emotions_is_not_a_difference_of_groups(tmp_path):
    """The answers of happy faces change, whatever the group; more of the women are happy."""

    class Moody(PlantedModel):
        def _answer(self, image):
            label = int(image[:3].mean(axis=1).argmax())
            flips = label == 1 and image.mean() < 80 and int(image.sum()) % 2  # half of the happy faces
            scores = np.full(3, 0.1)
            scores[2 if flips else label] = 0.8
            return Prediction("ok", scores)

    dataset = faces(1200)
    label, gender = dataset.samples["label"], dataset.samples["gender"]
    kept = (gender == "female") | (label != "happiness") | (np.arange(1200) % 5 == 0)
    kept &= (gender == "male") | (label == "happiness") | (np.arange(1200) % 5 == 0)
    dataset = dataset.replace(samples=dataset.samples[kept])
    audited(tmp_path, dataset, Moody())
    [result] = probe(tmp_path, dataset, Moody(), ["brightness=-60"]).results
    [gap] = result.gaps
    assert gap.significant
    assert gap.highest == ("female",)
    same_mix = gap.standardized
    assert (same_mix.strata, same_mix.covered_share) == (3, 1.0)
    assert same_mix.q > 0.05
    # Directly standardized by hand: flip rates within labels, weighted by the labels of both groups together.
    original = Predictions.read(tmp_path).frame["predicted"]
    changed = Predictions.read(tmp_path / "probes/brightness/-60").frame["predicted"]
    rows = dataset.samples.assign(flip=original != changed)
    rates = rows.pivot_table("flip", "gender", "label", aggfunc="mean")
    weights = rows["label"].value_counts(normalize=True)
    by_hand = (rates * weights).sum(axis=1)
    assert same_mix.standardized == pytest.approx(by_hand["female"] - by_hand["male"])
    assert same_mix.unstandardized == pytest.approx(gap.difference)


def test_a_difference_of_groups_remains_with_the_same_emotions(planted):
    _, _, probes = planted
    assert probes.results[0].gaps[0].standardized.standardized == pytest.approx(1.0)
    assert probes.results[0].gaps[0].standardized.q < 0.05


def findings_of_equal_groups(runs, levels):
    """Number of runs with a finding, where answers flip at random and at one rate for both groups."""
    generator = np.random.default_rng(0)
    probes = parse_probes(levels)
    groups = {(): ((),), ("g",): (("a",), ("b",))}
    table = pd.DataFrame({"by0": ["a", "b"] * 60, "status": "ok", "truth": "anger", "predicted": "anger"})
    found = 0
    for run in range(runs):
        settings = MetricSettings(minimum=20, confidence=0.95, permutations=500, seed=run)
        faces_of_run = Faces("single-label", ("anger", "fear"), {"g": "by0"}, groups, table, None, settings)
        flips = [np.where(generator.random(len(table)) < 0.3, "fear", "anger") for _ in probes]
        answers = [ChangedAnswers(p, table.assign(predicted=f), 0) for p, f in zip(probes, flips, strict=True)]
        found += any(g.significant for r in compare_answers(faces_of_run, answers) for g in r.gaps)
    return found


@pytest.mark.slow
def test_groups_that_do_not_differ_rarely_have_a_finding():
    """At 5 %, more would be found in 1 % of all repetitions of this test."""
    assert findings_of_equal_groups(20, ["brightness=-60,60"]) <= 4
