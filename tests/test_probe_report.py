"""`fairfer probe` as its users see it: the command, its messages, and the section of the report."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys

import pytest
from probe_faces import PlantedModel, faces, write_folder

import fairfer.cli.main
from fairfer.audits.audit import audit_predictions
from fairfer.audits.plan import AuditPlan
from fairfer.audits.probe import probe
from fairfer.explanations.probes.answers import folder_of
from fairfer.explanations.probes.perturbations import PERTURBATIONS, parse_probes
from fairfer.explanations.probes.results import PROBES, Probes
from fairfer.files import mark_finished
from fairfer.predictions.predictions import Predictions
from fairfer.report.attachments import Attachments
from fairfer.report.blocks import Bullets, Paragraph, TableBlock
from fairfer.report.figures import draw_kinds
from fairfer.report.sections import csv_files, key_findings
from fairfer.report.sections.probes import ProbesSection
from fairfer.report.tables.probes import changes_csv
from fairfer.report.text.probes import level_words, probe_summary, same_mix, significant_flips, what_happens
from fairfer.report.view import View

MANY = ("one", "two", "three", "four", "five")


def probed(run, dataset, model, probes, **plan):
    predictions = fairfer.predict(dataset, model, run)
    options = {"by": ["gender"], "permutations": 1000, "minimum": 10, **plan}
    audit = audit_predictions(dataset, predictions, AuditPlan.of(options), run=run)
    (run / "audit.json").write_text(audit.to_json())
    mark_finished(run)
    probe(run, dataset, model, probes)
    return View(audit, Attachments.read(run, audit))


def text_of(view):
    blocks = ProbesSection().blocks(view, [])
    texts = [list(b.items) if isinstance(b, Bullets) else [b.text] for b in blocks if isinstance(b, Bullets | Paragraph)]
    return "\n".join(text for some in texts for text in some if isinstance(text, str))


@pytest.fixture(scope="module")
def two_groups(tmp_path_factory):
    run = tmp_path_factory.mktemp("two")
    return run, probed(run, faces(), PlantedModel((0,)), ["brightness=-60,40", "mirror", "gray", "occlusion=chin"])


def test_two_groups_in_words(two_groups):
    _, view = two_groups
    text = text_of(view)
    assert (
        "When pictures are made darker by 60 gray levels, the predicted emotion changes more often for women than for men: "
        "flip rate 1.00 vs. 0.00 (120 of 120 vs. 0 of 120), statistically significant (q < 0.001); difference 1.00 (" in text
    )
    assert "Standardized for emotion, the difference between female and male is 1.00, and still statistically" in text
    assert "the same 240 faces, after each of 5 changes of their pictures" in text
    assert "not skin tone" in text
    assert "template for tightly cropped, upright faces" in text
    assert "keep the answer to the original: gray (240)" in text
    assert "Flip rate over all faces: from 0.00 (brightness 40 gray levels) to" in text


def test_a_finding_is_among_the_key_findings(two_groups):
    _, view = two_groups
    assert any(f.statement.startswith("When pictures are made darker") for f in key_findings(view))
    assert not any(f.statement.startswith("When") for f in key_findings(View(view.audit)))


def test_a_difference_that_follows_from_the_emotions_is_no_key_finding(two_groups):
    """It is in the section, which says so, after those that remain."""
    _, view = two_groups
    probes = view.attachments.probes
    dark = probes.results[0]
    [gap] = dark.gaps
    same = gap.standardized.model_copy(update={"standardized": -0.001, "q": 0.9})
    explained = dark.model_copy(
        update={"perturbation": "noise", "level": "20", "gaps": [gap.model_copy(update={"standardized": same})]}
    )
    shown = View(view.audit, Attachments(probes=probes.model_copy(update={"results": [explained, dark]})))
    first, second = significant_flips(shown.attachments.probes)
    assert (first.result.perturbation, second.result.perturbation) == ("brightness", "noise")
    assert len(ProbesSection().findings(shown)) == 1
    assert "female and male is −0.001, and not statistically significant (q = 0.90)." in text_of(shown)
    [picture] = draw_kinds(shown, ["probes"])["probes"]
    assert "darker" in picture.title
    untested = same.model_copy(update={"status": "no_variation", "q": None, "p": None})
    assert same_mix(view, gap.model_copy(update={"standardized": untested})).endswith("the difference could not be tested")


def test_many_groups_in_words(tmp_path):
    view = probed(tmp_path, faces(300, MANY), PlantedModel((2,)), ["brightness=-60"])
    text = text_of(view)
    assert "changes more often for people in group ‘three’ (gender) than for all other groups together" in text
    assert "flip rate 1.00 vs. 0.00 (60 of 60 vs. 0 of 240)" in text
    assert "Covered regions" not in text


def test_one_group_has_no_difference(tmp_path):
    view = probed(tmp_path, faces(60, ("female",)), PlantedModel((0,)), ["brightness=-60"])
    text = text_of(view)
    assert "could be tested: no two groups have at least 10 faces" in text
    assert "Flip rate over all faces: 1.00." in text
    assert key_findings(view)[0].statement.startswith("No gap could be tested")


def test_without_groups_the_figure_is_of_everyone(tmp_path):
    dataset = faces(60)
    dataset = dataset.replace(samples=dataset.samples.drop(columns="gender"), attributes=())
    view = probed(tmp_path, dataset, PlantedModel((0,)), ["brightness=-60,0"], by=())
    assert "No groups were compared." in text_of(view)
    [picture] = draw_kinds(view, ["probes"])["probes"]
    assert picture.name == "probes-everyone"
    assert picture.title == "Flip rate over all faces: 0.50"


def test_a_model_that_ignores_the_change_has_no_finding(tmp_path):
    view = probed(tmp_path, faces(), PlantedModel(), ["brightness=-60,40"])
    assert "No difference between groups in flip rates could be tested: almost no prediction changes" in text_of(view)
    assert not ProbesSection().findings(view)


def test_tested_and_not_significant(tmp_path):
    """Both groups depend on brightness, for half of their faces."""
    dataset = faces()
    dataset.images.pixels[: len(dataset) // 2] += 60
    view = probed(tmp_path, dataset, PlantedModel((0, 1)), ["brightness=-60"])
    assert "The one tested difference between groups in flip rates is not statistically significant." in text_of(view)
    [picture] = draw_kinds(view, ["probes"])["probes"]
    assert picture.title == "By gender, no difference in flip rates is statistically significant"


def test_lost_answers_are_named(tmp_path):
    dataset = faces()
    dataset.images.pixels[1] = 20
    dataset.images.pixels[1, :, 5] = 60
    view = probed(tmp_path, dataset, PlantedModel(blind=(1,)), ["brightness=-60"])
    text = text_of(view)
    assert (
        "Faces without a prediction for the changed picture count as flips: at most 119 faces (brightness −60 gray levels)."
        in text
    )
    assert "Flip rates leave out 1 face without a prediction for the original picture." in text


def test_multi_label_section(tmp_path):
    view = probed(tmp_path, faces(multi_label=True), PlantedModel((0,), task="multi-label"), ["brightness=-60", "mirror"])
    text = text_of(view)
    assert "the set of predicted emotions changes more often for women than for men" in text
    tables = [b.table for b in ProbesSection().blocks(view, []) if isinstance(b, TableBlock)]
    assert {row[2] for row in tables[0].rows} >= {"all", "anger"}
    [picture] = draw_kinds(view, ["probes"])["probes"]
    assert picture.table.columns[1] == "emotion"


def test_the_figure_shows_every_change_and_group(two_groups):
    _, view = two_groups
    [picture] = draw_kinds(view, ["probes"])["probes"]
    svg = picture.svg.decode()
    for text in ("brightness", "occlusion", "mirror and gray", "chin", "gray levels", "female", "male", "−60"):
        assert f">{text}<" in svg, text
    assert picture.title.startswith("When pictures are made darker by 60 gray levels")
    rows = {row[:2]: row for row in picture.table.rows}
    assert rows["brightness −60 gray levels", "female"][2:5] == ("1.00", "0.97–1.00", "120/120")
    assert [p.svg for p in draw_kinds(view, ["probes"])["probes"]] == [picture.svg]


def test_tables_have_all_rates_and_agree_with_the_stored_answers(two_groups):
    """FNR and TNR, which are derived, are counted again from the answers."""
    run, view = two_groups
    rows = list(csv.DictReader(io.StringIO(changes_csv(view.attachments.probes))))
    assert {r["rate"] for r in rows} == {"TPR", "FNR", "FPR", "TNR", "accuracy", "coverage"}
    original = Predictions.read(run).frame["predicted"]
    samples = faces().samples
    women = (samples["gender"] == "female").to_numpy()
    [dark, *_] = parse_probes(["brightness=-60,40"])
    changed = Predictions.read(folder_of(run, dark)).frame["predicted"]
    chosen = {"probe": "brightness", "level": "-60", "group": "female", "label": "anger"}
    for name, positive in (("FNR", True), ("TNR", False)):
        [row] = [r for r in rows if r["rate"] == name and chosen.items() <= r.items()]
        of_rate = women & ((samples["label"] == "anger") == positive).to_numpy()
        before, after = (x.to_numpy()[of_rate] != "anger" for x in (original, changed))
        assert int(row["trials"]) == of_rate.sum()
        assert int(row["gained"]) == (after & ~before).sum()
        assert int(row["lost"]) == (before & ~after).sum()
        assert int(row["both"]) == (before & after).sum()
        assert float(row["base"]) == pytest.approx(before.mean())
        assert float(row["change"]) == pytest.approx(after.mean() - before.mean())
        assert float(row["low"]) <= float(row["change"]) <= float(row["high"])


def test_csv_files_have_every_group_and_the_leading_difference(two_groups):
    _, view = two_groups
    files = csv_files(view)
    flips = list(csv.DictReader(io.StringIO(files["probe_flips.csv"])))
    assert len(flips) == 5 * 3
    gaps = list(csv.DictReader(io.StringIO(files["probe_gaps.csv"])))
    assert (gaps[0]["highest"], gaps[0]["lowest"], gaps[0]["group"]) == ("female", "male", "female")
    assert gaps[-1]["p"] == ""


def test_an_undefined_change_stays_undefined(two_groups):
    _, view = two_groups
    probes = view.attachments.probes
    empty = (
        probes.results[0]
        .changes[2]
        .model_copy(
            update=dict.fromkeys(("base", "candidate", "change", "low", "high", "p", "q"))
            | {"trials": 0, "status": "not_estimable"}
        )
    )
    result = probes.results[0].model_copy(update={"changes": [empty]})
    rows = list(csv.DictReader(io.StringIO(changes_csv(probes.model_copy(update={"results": [result]})))))
    assert [(r["rate"], r["base"], r["change"], r["low"]) for r in rows] == [("TPR", "", "", ""), ("FNR", "", "", "")]


def test_a_result_of_another_audit_is_not_shown(two_groups, tmp_path):
    run, view = two_groups
    for name in ("predictions_digest", "data_digest", "plan_digest"):
        view.attachments.probes.model_copy(update={name: "0"}).write(tmp_path / PROBES)
        assert Attachments.read(tmp_path, view.audit).probes is None
    (tmp_path / PROBES).write_text("{}")
    assert Attachments.read(tmp_path, view.audit).probes is None
    assert Attachments.read(run, view.audit).probes == Probes.read(run / PROBES)


@pytest.mark.parametrize("perturbation", PERTURBATIONS)
def test_every_change_has_words(two_groups, perturbation):
    _, view = two_groups
    result = view.attachments.probes.results[0]
    for one in parse_probes([perturbation]):
        words = result.model_copy(
            update={"perturbation": perturbation, "level": one.level, "position": one.perturbation.position(one.level)}
        )
        assert what_happens(words).split()[0] in ("are", "get", "lose", "have")
        assert level_words(words).startswith(perturbation)
        if one.level != "on":
            assert one.level.removeprefix("-") in what_happens(words)
    stranger = result.model_copy(update={"perturbation": "hue", "level": "3"})
    assert what_happens(stranger) == "are changed (hue=3)"


def test_the_summary_of_the_terminal(two_groups):
    _, view = two_groups
    lines = probe_summary(view.audit, view.attachments.probes).splitlines()
    assert lines[0] == "planted on planted: 5 changes of 240 pictures"
    assert lines[-1].startswith("- When pictures are made darker by 60 gray levels, the predicted emotion changes more often")


# ---- the command


class Command:
    """Runs ``fairfer`` in a folder with a dataset; ``out`` and ``err`` are what it printed last."""

    def __init__(self, monkeypatch, capsys):
        self.monkeypatch, self.capsys = monkeypatch, capsys
        self.out = self.err = ""

    def __call__(self, *arguments):
        self.monkeypatch.setattr(sys, "argv", ["fairfer", *map(str, arguments)])
        try:
            fairfer.cli.main.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = self.capsys.readouterr()
        self.out, self.err = printed.out, printed.err
        return code


@pytest.fixture
def command(monkeypatch, capsys, tmp_path, few_figures):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "faces", faces(120))
    return Command(monkeypatch, capsys)


AUDIT = ("audit", "faces", "--demographics", "people.csv", "--by", "gender", "--model", "probe_faces:load", "--minimum", 10)


def test_the_command_adds_a_section_to_the_report(command, tmp_path):
    assert command(*AUDIT, "--option", "sensitive=0", "--out", "run") == 0, command.err
    assert "Changed pictures" not in (tmp_path / "run/report.html").read_text()
    assert command("probe", "run", "--probe", "brightness=-60", "--probe", "gray") == 0, command.err
    assert "more often for women than for men" in command.out
    assert command.out.endswith("Probes: run/probes.json\nReport: run/report.html\n")
    assert "gray=on: 120 of 120 pictures unchanged" in command.err
    page = (tmp_path / "run/report.html").read_text()
    assert "Changed pictures" in page
    assert "When pictures are made darker by 60 gray levels" in page
    assert (tmp_path / "run/tables/probes.csv").is_file()
    first = (tmp_path / "run/probes.json").read_bytes()
    assert command("probe", "run", "--probe", "gray", "--probe", "brightness=-60") == 0
    assert "brightness=-60: 120 of 120 answers reused" in command.err
    assert (tmp_path / "run/probes.json").read_bytes() == first
    assert command("report", "run") == 0
    assert (tmp_path / "run/report.html").read_text() == page
    assert command(*AUDIT, "--option", "sensitive=0", "--out", "run", "--seed", 5) == 0, command.err
    assert "Changed pictures" not in (tmp_path / "run/report.html").read_text()
    assert not (tmp_path / "run/tables/probes.csv").exists()


def test_the_command_writes_elsewhere_and_finds_moved_data(command, tmp_path):
    assert command(*AUDIT, "--out", "run") == 0, command.err
    shutil.move(tmp_path / "faces", tmp_path / "moved")
    assert command("probe", "run", "--probe", "gray") == 2
    assert command.err.startswith("fairfer: the data of run cannot be read as they were (")
    assert command.err.endswith("if they have moved, name their place with --data\n")
    assert command("probe", "run", "--probe", "gray", "--data", "moved", "--out", "other") == 0, command.err
    assert json.loads((tmp_path / "other/probes.json").read_text())["samples"] == 120
    assert (tmp_path / "other/probes/gray/on/run.json").is_file()
    assert "Changed pictures" in (tmp_path / "other/report.html").read_text()
    assert not (tmp_path / "run/probes.json").exists()


def test_the_model_can_be_named_anew_but_must_be_the_same(command):
    assert command(*AUDIT, "--option", "sensitive=0", "--out", "run") == 0, command.err
    assert command("probe", "run", "--probe", "gray", "--option", "sensitive=1") == 2
    assert "run was made with another option sensitive (0, now 1); use the model and the images of the run" in command.err
    named = ("--model", "probe_faces:load", "--option", "sensitive=0")
    assert command("probe", "run", "--probe", "gray", *named) == 0, command.err
    assert command("probe", "run", "--probe", "gray", "--model", "deepfake") == 2
    assert command.err.count("\n") == 1


def test_a_wrong_probe_is_told_before_anything_is_loaded(command):
    assert command("probe", "nowhere", "--probe", "brigthness") == 2
    assert command.err == "fairfer: --probe brigthness: there is no probe 'brigthness'; did you mean 'brightness'?\n"
    assert command("probe", "nowhere") == 2
    assert command.err == "fairfer: nowhere is not a folder; give a folder that fairfer audit wrote\n"


def test_a_table_of_predictions_has_no_model(command, tmp_path):
    (tmp_path / "table.csv").write_text("id,label,predicted\n" + "".join(f"{i},happy,sad\n" for i in range(30)))
    assert command("audit", "table.csv", "--out", "run") == 0, command.err
    assert command("probe", "run") == 2
    assert command.err == (
        "fairfer: run has predictions from a table, so there is no model to ask; audit a model with --model first\n"
    )


def test_a_run_made_in_python_needs_its_dataset(command, tmp_path):
    dataset = fairfer.load_dataset("faces", demographics="people.csv")
    model = fairfer.load_model("probe_faces:load")
    predictions = fairfer.predict(dataset, model, tmp_path / "run")
    audit = audit_predictions(dataset, predictions, AuditPlan.of({"by": ["gender"]}), run=tmp_path / "run")
    fairfer.write_report(audit, tmp_path / "run")
    assert command("probe", "run") == 2
    assert "run was audited in Python" in command.err
    assert "name the dataset with --data" in command.err
    assert command("probe", "run", "--data", "faces", "--model", "probe_faces:load", "--probe", "mirror") == 0, command.err


def test_the_help_names_every_change(command):
    assert command("probe", "--help") == 0
    words = " ".join(command.out.split())
    assert all(name in words for name in PERTURBATIONS)
