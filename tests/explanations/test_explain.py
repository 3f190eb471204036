"""``fairfer explain`` over a whole run, with models that need nothing but NumPy."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

import fairfer
from fairfer.audits.audit import audit_predictions
from fairfer.audits.explain import ExplainSettings, default_methods, explain
from fairfer.audits.plan import AuditPlan
from fairfer.audits.probe_identity import belongs_to
from fairfer.datasets.attributes import Attribute
from fairfer.datasets.dataset import Dataset
from fairfer.datasets.images import PixelImages
from fairfer.datasets.landmarks import Landmarks
from fairfer.errors import ModelError, RunError, UsageError
from fairfer.explanations.explanation_results import Explanations
from fairfer.explanations.face_shape import template_shape
from fairfer.files import mark_finished
from fairfer.labels import LabelSpace
from fairfer.models.model import PredictionBatch
from fairfer.report.attachments import not_shown
from fairfer.report.view import View
from fairfer.report.write import write_report
from fairfer.vocabulary import UNANNOTATED

SIDE = 24
LABELS = LabelSpace.of("two", ["happiness", "neutral"])
MOUTH, HAIR = (slice(16, 20), slice(8, 16)), (slice(0, 3), slice(0, SIDE))


class Places:
    """A model that reads the brightness of one place of the picture; of another where the hair is bright."""

    name, version, labels, batch_size = "places", "1", LABELS, 256

    def __init__(self, *, hair=False, mouth=True) -> None:
        self.hair, self.mouth, self.options = hair, mouth, {"hair": str(hair), "mouth": str(mouth)}

    def predict(self, images):
        gray = np.stack([image[:, :, 0] for image in images]).astype(float) / 255
        read = gray[:, *MOUTH].mean(axis=(1, 2)) if self.mouth else gray.mean(axis=(1, 2))
        if self.hair:
            bright = gray[:, *HAIR].mean(axis=(1, 2))
            read = np.where(bright > 0.6, bright - 0.25, read)
        score = 1 / (1 + np.exp(-12 * (read - 0.5)))
        return PredictionBatch(np.stack([score, 1 - score], axis=1))


def faces(n=120, seed=0, *, bright_hair=False):
    """Pictures of noise; happy ones have a bright mouth. Of women, half have bright hair, if wanted, and so are happy."""
    generator = np.random.default_rng(seed)
    pixels = generator.integers(90, 130, (n, SIDE, SIDE), dtype=np.uint8)
    happy, women = np.arange(n) % 2 == 0, np.arange(n) // 2 % 2 == 0
    pixels[happy, *MOUTH] = generator.integers(180, 250, (happy.sum(), 4, 8), dtype=np.uint8)
    if bright_hair:
        pixels[women & happy, *HAIR] = 240
    ids = [f"face{i:03d}.png" for i in range(n)]
    samples = pd.DataFrame(
        {
            "label": np.where(happy, "happiness", "neutral"),
            "gender": np.where(women, "female", "male"),
            "person": np.arange(n) // 4,
        },
        index=pd.Index(ids, name="sample_id", dtype="str"),
    ).astype({"label": "str", "gender": "str"})
    samples["person"] = [f"p{i // 2}{'fm'[i // 2 % 2]}{i % 3}" for i in range(n)]
    attribute = Attribute("gender", ("female", "male"), "annotated", "the test")
    return Dataset("planted", LABELS, samples, (attribute,), PixelImages(ids, pixels))


def audited(run, data, model, **plan):
    predictions = fairfer.predict(data, model, run)
    audit = audit_predictions(data, predictions, AuditPlan.of({"by": "gender", "permutations": 200, **plan}), run=run)
    (run / "audit.json").write_text(audit.to_json())
    mark_finished(run)
    return audit


SETTINGS = ExplainSettings(
    permutations=200, checked_faces=40, options={"occlusion": {"side": "24", "patch": "4", "stride": "4"}}
)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A run of a model that looks at the mouth, and at the hair of some women; and its explanations."""
    run = tmp_path_factory.mktemp("planted")
    data, model = faces(bright_hair=True), Places(hair=True)
    audit = audited(run, data, model)
    return run, audit, data, model, explain(run, data, model, SETTINGS)


def region(method, label, name, group=(), outcome="TP", attribute=None):
    attribute = ("gender",) if group and attribute is None else (attribute or ())
    [row] = [
        r
        for r in method.regions
        if (r.label, r.region, r.group, r.outcome, r.attribute) == (label, name, group, outcome, attribute)
    ]
    return row


def test_a_model_that_looks_only_at_the_mouth_is_exposed(tmp_path):
    data, model = faces(), Places()
    audited(tmp_path, data, model)
    [method] = explain(tmp_path, data, model, SETTINGS).methods
    mouth, background = region(method, "happiness", "mouth"), region(method, "happiness", "background")
    chin = region(method, "happiness", "chin")
    assert mouth.mass + chin.mass > 0.8  # the template's mouth and chin share the place
    assert background.mass == 0
    assert mouth.density > 5
    assert not any(c.significant for c in method.comparisons)
    assert not any(d.significant for d in method.map_differences)


def test_a_model_that_looks_at_the_hair_of_one_group_is_exposed(planted):
    *_, explanations = planted
    [method] = explanations.methods
    women, men = (region(method, "happiness", "background", (g,)) for g in ("female", "male"))
    assert women.mass > 0.5
    assert men.mass < 0.05
    [comparison] = method.comparisons
    assert comparison.significant
    found = [d for d in comparison.differences if d.significant and d.region == "background" and d.label == "happiness"]
    assert any(d.measure == "mass" and abs(d.difference) > 0.5 for d in found)
    [pixels] = [d for d in method.map_differences if d.label == "happiness"]
    assert pixels.p < 0.05
    changed = pixels.map.unpack()
    assert np.abs(changed[:10]).sum() > 0.9 * np.abs(changed[:14]).sum() > 0  # patches of four rows, enlarged twofold
    assert not changed[10:14].any()


def test_the_explanations_say_what_they_are_of(planted):
    run, audit, data, model, explanations = planted
    assert belongs_to(explanations, audit)
    assert (explanations.model, explanations.landmarks, explanations.on_landmarks) == (model.name, "", 0)
    assert explanations.faces == len(data)
    assert Explanations.read(run / "explanations.json") == explanations
    [method] = explanations.methods
    assert (method.name, method.trusted, method.explained, method.unreadable) == ("occlusion", True, explanations.pairs, 0)
    assert method.checks.faces == 40
    assert method.checks.randomization is None
    assert method.checks.insertion_gain.low > 0


def test_the_same_run_gives_the_same_bytes_and_does_not_ask_again(planted, monkeypatch):
    run, _, data, model, _ = planted
    before = (run / "explanations.json").read_bytes()
    asked = []
    real = Places.predict
    monkeypatch.setattr(Places, "predict", lambda self, images: asked.append(len(images)) or real(self, images))
    explain(run, data, model, ExplainSettings(permutations=200, checked_faces=0, options=SETTINGS.options))
    assert sum(asked) <= 32  # only to see that it is the same model
    explain(run, data, model, SETTINGS)
    assert (run / "explanations.json").read_bytes() == before


def test_a_killed_run_goes_on_with_the_parts_that_it_has(tmp_path, monkeypatch):
    from fairfer.explanations import stored_maps

    monkeypatch.setattr(stored_maps, "PART_SIZE", 16)
    data, model = faces(64), Places()
    audited(tmp_path, data, model, minimum=5)

    def killed(name, parts):
        for i, part in enumerate(parts):
            if i == 2:
                raise KeyboardInterrupt
            yield part

    with pytest.raises(KeyboardInterrupt):
        explain(tmp_path, data, model, SETTINGS, killed)
    assert len(list((tmp_path / "explanations" / "occlusion").iterdir())) == 2
    assert not (tmp_path / "explanations.json").exists()
    resumed = explain(tmp_path, data, model, SETTINGS)
    other = tmp_path / "other"
    audited(other, data, model, minimum=5)
    assert explain(other, data, model, SETTINGS) == resumed


def test_faces_without_an_annotation_are_in_no_group(tmp_path):
    data, model = faces(), Places()
    gender = data.samples["gender"].mask(np.arange(len(data)) % 3 == 0, UNANNOTATED)
    attribute = dataclasses.replace(data.attributes[0], levels=("female", "male", UNANNOTATED))
    data = data.replace(samples=data.samples.assign(gender=gender), attributes=(attribute,))
    audited(tmp_path, data, model)
    [method] = explain(tmp_path, data, model, dataclasses.replace(SETTINGS, checked_faces=0)).methods
    assert {m.group for m in method.mean_maps} == {(), ("female",), ("male",)}
    [row] = [d for d in method.map_differences if d.label == "happiness"]
    known = (gender != UNANNOTATED).to_numpy() & (data.samples["label"] == "happiness").to_numpy()
    assert row.faces + row.others == known.sum()


def test_subjects_are_counted_and_groups_with_few_of_them_are_not_compared(tmp_path):
    data, model = faces(bright_hair=True), Places(hair=True)
    audited(tmp_path, data, model, subject="person", minimum_subjects=500)
    [method] = explain(tmp_path, data, model, SETTINGS).methods
    assert all(r.subjects is not None for r in method.regions)
    assert not any(c.significant for c in method.comparisons)
    assert {d.status for d in method.map_differences} == {"few_subjects"}


def test_landmarks_give_each_face_its_own_regions(tmp_path):
    """Faces in the lower half of the picture; with their landmarks, what is read there is the mouth, not the chin."""
    data, model = faces(), Places()
    audited(tmp_path, data, model)
    points = template_shape(0, 2, SIDE, SIDE).points[:68]
    known = dict.fromkeys(data.samples.index[:-2], points)
    known[data.samples.index[-2]] = np.ones((68, 2))  # not a face
    landmarks = Landmarks(68, known, "points.csv")
    result = explain(tmp_path, data, model, dataclasses.replace(SETTINGS, landmarks=landmarks))
    assert (result.landmarks, result.on_landmarks) == ("points.csv", len(data) - 2)
    [method] = result.methods
    shifted = region(method, "happiness", "mouth").mass
    [method] = explain(tmp_path, data, model, SETTINGS).methods
    assert shifted != region(method, "happiness", "mouth").mass


# ---- what is refused


def test_another_model_is_refused(planted):
    run, _, data, *_ = planted
    with pytest.raises(ModelError, match=r"the scores of places differ by up to .* from those of the run in "):
        explain(run, data, Places(mouth=False), SETTINGS)


def test_other_images_and_unused_options_are_refused(planted):
    run, _, data, model, _ = planted
    with pytest.raises(RunError, match="the images of planted are not those of the run"):
        explain(run, faces(seed=1), model, SETTINGS)
    with pytest.raises(UsageError, match="options are set for the method rise, which is not among occlusion"):
        explain(run, data, model, ExplainSettings(options={"rise": {"masks": "8"}}))
    with pytest.raises(UsageError, match="there is no method 'oclusion'; did you mean 'occlusion'"):
        explain(run, data, model, ExplainSettings(methods=["oclusion"]))
    with pytest.raises(ModelError, match="grad-cam"):
        explain(run, data, model, ExplainSettings(methods=["grad-cam"]))


@pytest.mark.parametrize(("setting", "value"), [("permutations", 99), ("checked_faces", -1), ("shown_faces", -1)])
def test_settings_with_which_nothing_could_be_shown_are_refused(setting, value):
    with pytest.raises(UsageError, match=f" {value}: give at least"):
        ExplainSettings(**{setting: value})


@pytest.mark.parametrize("change", ["shares", "outside", "upside down", "exchanged"])
def test_landmarks_that_are_not_of_the_pictures_are_refused(planted, change):
    run, _, data, model, _ = planted
    points = template_shape(0, 0, SIDE, SIDE).points[:68]
    wrong = {"shares": points / SIDE, "outside": points + 99, "upside down": SIDE - points, "exchanged": points[:, ::-1]}
    landmarks = Landmarks(68, dict.fromkeys(data.samples.index, wrong[change]), "points.csv")
    with pytest.raises(UsageError, match=r"points.csv: no face has landmarks that lie upright in its image"):
        explain(run, data, model, dataclasses.replace(SETTINGS, landmarks=landmarks))


def test_a_model_whose_network_cannot_be_had_is_explained_by_occlusion(toy):
    class Without(Places):
        def differentiable(self):
            message = "it runs elsewhere"
            raise ModelError(message)

    class With(Places):
        def differentiable(self):
            return None

    assert default_methods(Without()) == (("occlusion",), "it runs elsewhere")
    assert default_methods(Places()) == (("occlusion",), "model places offers no network")
    assert default_methods(With()) == (("lrp", "integrated-gradients"), "")


# ---- the report


def test_the_report_has_the_section_only_with_explanations_of_this_audit(planted, tmp_path):
    run, audit, *_ = planted
    write_report(audit, run)
    page = (run / "report.html").read_text()
    assert 'id="relevance"' in page
    assert "Where the model looked" in page
    assert "for women" in page
    assert (run / "tables" / "relevance.csv").read_text().startswith("method,label,outcome,")
    assert list((run / "figures").glob("relevance-map-occlusion-gender.svg"))
    stored = json.loads((run / "explanations.json").read_text())
    assert not_shown(run, audit) == []
    for change in ({"predictions_digest": "another"}, {"plan_digest": "another"}, {"schema_version": 0}):
        (tmp_path / "explanations.json").write_text(json.dumps({**stored, **change}))
        assert "run fairfer explain again" in not_shown(tmp_path, audit)[0]
    write_report(audit, tmp_path)
    assert "Where the model looked" not in (tmp_path / "report.html").read_text()
    assert not (tmp_path / "tables" / "relevance.csv").exists()


def test_a_report_in_another_folder_has_the_section_too(planted, tmp_path):
    run, audit, *_ = planted
    page = write_report(audit, tmp_path / "elsewhere", attached=run)
    assert "Where the model looked" in page.read_text()


def test_no_picture_of_a_face_is_in_the_result(planted):
    """A mean of fewer faces than the minimum is left out; maps of single faces are in the folder of parts only."""
    run, *_ = planted
    stored = Explanations.read(run / "explanations.json")
    [method] = stored.methods
    assert all((m.map is None) == (m.faces < stored.minimum) for m in method.mean_maps)
    assert any(m.map is None for m in method.mean_maps) or min(m.faces for m in method.mean_maps) >= stored.minimum


def test_maps_are_means_of_at_least_twenty_faces_whatever_the_minimum(tmp_path):
    data, model = faces(64), Places()
    audited(tmp_path, data, model, minimum=5)
    [method] = explain(tmp_path, data, model, dataclasses.replace(SETTINGS, checked_faces=0)).methods
    assert {m.status for m in method.mean_maps if m.faces < 20} == {"small"}
    assert any(r.status == "ok" for r in method.regions if r.faces < 20)


def test_single_faces_are_shown_only_on_request(planted, tmp_path):
    run, audit, data, model, without = planted
    write_report(audit, run)
    assert without.methods[0].examples == []
    assert not list((run / "figures").glob("relevance-faces-*"))
    audited(tmp_path, data, model)
    result = explain(tmp_path, data, model, dataclasses.replace(SETTINGS, shown_faces=2))
    examples = result.methods[0].examples
    cells = [(e.label, e.group) for e in examples]
    assert sorted(set(cells)) == [(n, (g,)) for n in ("happiness", "neutral") for g in ("female", "male")]
    assert all(cells.count(cell) <= 2 for cell in cells)
    assert examples[0].levels().shape == (48, 48)
    page = write_report(audit, tmp_path)
    assert list((tmp_path / "figures").glob("relevance-faces-occlusion-gender.png"))
    text = page.read_text()
    assert "no single face is shown" not in text
    assert "contains images of single faces, which were asked for, and loads" in text
    assert "contains no image of a face" in (run / "report.html").read_text()


def test_a_finding_rests_only_on_maps_that_can_be_believed(planted):
    from fairfer.report.text.explanations import explanation_findings

    *_, explanations = planted
    [finding] = explanation_findings(explanations)
    assert finding.statement.startswith("In recognized happy faces, the share of the relevance on")
    [method] = explanations.methods
    below = method.checks.deletion_gain.model_copy(update={"low": -0.2, "high": -0.1})
    unsure = method.checks.insertion_gain.model_copy(update={"low": -0.1, "high": 0.1})
    useless = method.checks.model_copy(update={"deletion_gain": unsure, "insertion_gain": unsure})
    harmful = method.checks.model_copy(update={"deletion_gain": below})
    for change in ({"trusted": False}, {"checks": None}, {"checks": useless}, {"checks": harmful}):
        doubtful = explanations.model_copy(update={"methods": [method.model_copy(update=change)]})
        assert explanation_findings(doubtful) == []


def test_what_limits_a_method_is_shown(planted, tmp_path):
    from fairfer.explanations.methods.gradients import GradCAM
    from fairfer.report.text.explanations import explanation_summary

    _, audit, *_, explanations = planted
    [method] = explanations.methods
    limited = explanations.model_copy(update={"methods": [method.model_copy(update={"warning": GradCAM.warning})]})
    limited.write(tmp_path / "explanations.json")
    page = write_report(audit, tmp_path).read_text()
    assert GradCAM.warning in page
    assert GradCAM.warning in explanation_summary(View(audit), limited)
    assert "the resolution of one layer" in GradCAM.warning


def test_sentences_are_grammatical(planted):
    from fairfer.report.text.explanations import explanation_summary

    _, audit, *_, explanations = planted
    text = explanation_summary(View(audit), explanations)
    assert "Happy faces: " in text
    for line in filter(None, text.splitlines()):
        assert "  " not in line.strip()
        assert ".." not in line
        assert line.strip()[0].isupper() or line.strip()[0].isdigit()
        assert "()" not in line
