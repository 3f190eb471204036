"""Action units of an emotion audit on the command line, in a run folder and in the report."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fairfer
import fairfer.cli.main
from fairfer.datasets.action_unit_tables import ActionUnitTable
from fairfer.metrics.action_unit_results import ConditionedGap
from fairfer.report.sections import caveats, key_findings, short_caveats
from fairfer.report.sections.action_units import ActionUnitsSection
from fairfer.report.text.action_units import (
    GapTriple,
    error_caveat,
    gap_reading,
    gap_statement,
    no_gap,
    no_share,
    provenance_sentence,
    share_sentence,
    significant_shares,
    significant_triples,
    triples,
    unit_name,
)
from fairfer.report.view import View

FACES = 1200


def people(seed: int = 0, bias: float = 0.15) -> pd.DataFrame:
    """Labels follow from the smile, and women's more often are happy; the model is unbiased and reads smiles only."""
    rng = np.random.default_rng(seed)
    female = rng.random(FACES) < 0.5
    smile = rng.random(FACES) < 0.5
    cheeks = np.where(rng.random(FACES) < 0.8, smile, ~smile)
    label = rng.random(FACES) < 0.15 + 0.6 * smile + bias * female
    predicted = rng.random(FACES) < 0.15 + 0.6 * smile
    return pd.DataFrame(
        {
            "id": [f"{i}.png" for i in range(FACES)],
            "label": np.where(label, "happy", "neutral"),
            "predicted": np.where(predicted, "happy", "neutral"),
            "gender": np.where(female, "female", "male"),
            "AU6": cheeks.astype(int),
            "AU12": smile.astype(int),
        }
    )


@pytest.fixture
def files(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    frame = people()
    frame.drop(columns=["AU6", "AU12"]).to_csv("faces.csv", index=False)
    units = frame[["id", "AU6", "AU12"]].rename(columns={"id": "image"})
    units[10:].sample(frac=1, random_state=0).to_csv("units.csv", index=False)
    graded = units.assign(AU6=units["AU6"] * 2.5, AU12=units["AU12"] * 3.5)
    graded.to_csv("intensities.csv", index=False)
    return tmp_path


@pytest.fixture
def run(files, monkeypatch, capsys):
    def go(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fairfer", *arguments])
        code = 0
        try:
            fairfer.cli.main.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return go


AUDIT = ("audit", "faces.csv", "--sample-id", "id", "--by", "gender", "--permutations", "100", "--out", "run")


@pytest.mark.slow
def test_command_line_and_stored_run(run, files) -> None:
    """The audit finds the bias of the labels; the report of the stored run, and an audit of it, are the same bytes."""
    code, out, err = run(*AUDIT, "--action-units", "units.csv")
    assert code == 0, err
    assert "At equal action units (AU6 and AU12), women are labeled happy more often than men." in " ".join(out.split())
    folder = files / "run"
    audit = fairfer.Audit.read(folder)
    assert audit.action_units is not None
    assert (audit.action_units.source, audit.action_units.kind) == ("units.csv", "labels")
    assert audit.action_units.known == {"AU6": FACES - 10, "AU12": FACES - 10}
    assert audit.data.card["action_units"] == "units.csv (labels)"
    before = {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.suffix in (".json", ".csv", ".html")}
    assert {"action_units.csv", "conditioned_gaps.csv", "action_unit_patterns.csv"} <= {p.name for p in before}
    for p in (folder / "tables").iterdir():
        p.unlink()
    assert run("report", "run")[0] == 0
    assert {p: (folder / p).read_bytes() for p in before} == before
    assert fairfer.rebuild(folder).to_json() == audit.to_json()
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert 'id="action-units"' in page
    assert "the labels differ; the predictions do not differ significantly, and the model reduces the difference" in page
    assert "labels differ between groups in 1 of 1 comparison" in page  # the figure


def test_a_run_without_units_has_none(files) -> None:
    """Nor has one that is audited again without them: no result and no column is left."""
    dataset = fairfer.load_dataset("faces.csv", sample_id="id", action_units="units.csv")
    predictions = fairfer.predict(dataset, None, "run")
    first = fairfer.audit(dataset, predictions, by=["gender"], permutations=100, run="run")
    assert fairfer.rebuild("run").to_json() == first.to_json()
    assert pd.read_parquet(files / "run" / "samples.parquet")["action_unit:AU12"].isna().sum() == 10
    audit = fairfer.audit(dataset.replace(action_units=None), predictions, by=["gender"], permutations=100, run="run")
    assert (audit.action_units, audit.conditioned_gaps, audit.action_unit_shares, audit.pattern_gaps) == (None, [], [], [])
    assert fairfer.rebuild("run").to_json() == audit.to_json()
    assert not [c for c in pd.read_parquet(files / "run" / "samples.parquet").columns if "action_unit" in c]
    view = View(audit)
    assert not ActionUnitsSection().applies(view)
    assert (provenance_sentence(view), error_caveat(view)) == ("", "")


def test_intensities_need_a_threshold(run, files) -> None:
    """With one, a unit is present from it on."""
    code, _, err = run(*AUDIT, "--action-units", "intensities.csv")
    assert code == 2
    assert "threshold" in err
    for threshold, cheeks in ((2, True), (3, False)):  # AU6 is 2.5 at most
        options = {"action_units": files / "intensities.csv", "action_unit_threshold": threshold}
        units = fairfer.load_dataset("faces.csv", sample_id="id", **options).action_units
        assert units is not None
        assert (units.kind, bool(units.units["AU6"].any())) == ("detected", cheeks)
        assert units.units["AU12"].tolist() == people()["AU12"].tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--condition-on", "happy=AU12"), "--condition-on needs action units of the faces"),
        (("--action-units", "units.csv", "--condition-on", "happy"), "--condition-on 'happy': write LABEL=AU,"),
        (("--action-units", "units.csv", "--condition-on", "happy="), "write LABEL=AU,"),
        (("--action-units", "units.csv", "--condition-on", "happy=AU1"), "units.csv has no AU1; did you mean 'AU12' or 'AU6'?"),
        (("--action-unit-threshold", "2"), "there is no file of action units; add it with --action-units"),
        (("--action-units", "nothing.csv"), "nothing.csv"),
    ],
)
def test_refused_options_are_one_line(run, options, message) -> None:
    """Before any model runs."""
    code, out, err = run(*AUDIT, *options)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_condition_on_and_configuration(run, files) -> None:
    """The option is repeatable, a key of the file, stored in the plan, and reproduced."""
    settings = ('action-units = "intensities.csv"', "action-unit-threshold = 2", 'condition-on = ["neutral=AU6", "happy=au12"]')
    (files / "fairfer.toml").write_text("\n".join(("[audit]", *settings)))
    assert run(*AUDIT)[0] == 0
    audit = fairfer.Audit.read(files / "run")
    assert audit.plan.condition_on == {"neutral": ("AU6",), "happiness": ("AU12",)}
    assert {g.label: g.units for g in audit.conditioned_gaps} == {"neutral": ["AU6"], "happiness": ["AU12"]}
    assert 'condition-on = ["neutral=AU6", "happy=au12"]' in audit.config
    (files / "fairfer.toml").write_text(audit.config)
    assert run("audit")[0] == 0
    assert fairfer.Audit.read(files / "run").conditioned_gaps == audit.conditioned_gaps
    (files / "fairfer.toml").write_text('[audit]\naction-unit-threshold = "2"\n')
    code, _, err = run(*AUDIT)
    assert (code, "action-unit-threshold is '2'; give a number" in err) == (2, True)


# ---- sentences


def audited(kind="estimated", frame: pd.DataFrame | None = None, **options) -> View:
    frame = people() if frame is None else frame
    units = ActionUnitTable(frame[["AU6", "AU12"]].astype("Int8"), "units.csv", kind, ("Read with care.",))
    groups = options.pop("groups", {"gender": frame["gender"]})
    options = {"permutations": 100, **options}
    audit = fairfer.audit(frame["label"], frame["predicted"], groups=groups, action_units=units, **options)
    return View(audit)


@pytest.mark.parametrize("kind", ["labels", "detected", "estimated"])
def test_estimated_units_are_called_estimated(kind) -> None:
    """In every finding, in the caveats, in the figure, and in the sentences of the section."""
    view = audited(kind)
    texts = {
        "finding": " ".join(f"{f.statement} {f.caveat}" for f in key_findings(view) if "equal action units" in f.statement),
        "gap": gap_statement(view, significant_triples(view)[0]),
        "share": share_sentence(view, significant_shares(view)[0]),
        "caveats": " ".join(caveats(view)),
        "short": " ".join(short_caveats(view)),
        "provenance": provenance_sentence(view),
    }
    for name, text in texts.items():
        assert ("estimated" in text) == (kind == "estimated"), name
    assert ("detected by a model" in texts["finding"]) == (kind == "detected")
    assert "Read with care." in texts["provenance"]
    from fairfer.report.figures import draw

    [picture] = draw(view, ["conditioned_gaps"])
    assert ("estimated" in picture.caption) == (kind == "estimated")
    assert picture.title.startswith("At equal action units, labels differ between groups in 1 of 1 comparison")


def test_page_has_sentences_tables_and_more(tmp_path) -> None:
    """The section of an audit with many significant units: twelve sentences, and the number of the others."""
    rng = np.random.default_rng(0)
    frame = people()
    groups = {"gender": frame["gender"], "age": rng.choice(["young", "old", "middle"], FACES)}
    wide = pd.concat([frame] * 4, ignore_index=True)
    groups = {k: np.tile(v, 4) for k, v in groups.items()}
    view = audited(frame=wide, groups=groups, by=["gender", "age", "gender,age"], minimum=5)
    page = fairfer.write_report(view.audit, tmp_path).read_text(encoding="utf-8")
    assert len(significant_shares(view)) > 12
    assert f"{len(significant_shares(view)) - 12} more significant unit" in page
    assert "all other compared groups" not in page or "is not compared" in page
    assert "Neutral is not compared: there are no default units" in page
    kept = {(t.labels.label, t.labels.attribute) for t in significant_triples(view)}
    assert ("happiness", ("gender",)) in kept
    assert ("happiness", ("gender", "age")) not in kept  # the same, repeated


def test_nothing_significant_or_nothing_to_test() -> None:
    """One line each."""
    rng = np.random.default_rng(4)
    frame = people(bias=0.0).assign(AU6=rng.integers(0, 2, FACES), AU12=rng.integers(0, 2, FACES))
    view = audited(frame=frame)
    assert significant_triples(view) == []
    assert no_gap(view) == "None of 3 tested differences at equal action units is statistically significant."
    assert re.fullmatch(r"None of \d+ tested shares differs significantly .*", no_share(view))
    empty = audited(frame=frame, minimum=2000)
    assert no_gap(empty).startswith("No emotion could be compared at equal action units")
    assert no_share(empty).startswith("No unit could be compared")
    assert triples(empty) == []
    from fairfer.report.figures import draw

    assert draw(empty, ["conditioned_gaps"]) == []


def gap(outcome, value, low, high, q=0.01) -> ConditionedGap:
    empty = dict.fromkeys(("rate", "reference_rate", "unconditioned", "covered_share", "statistic", "p"))
    fields = {"label": "happiness", "attribute": ("gender",), "group": ("female",), "reference": ("male",)}
    more = {"units": ["AU12"], "lacking": [], "faces": 100, "left_out": 0, "patterns": 2, "status": "ok"}
    return ConditionedGap.model_validate(
        {**empty, **fields, **more, "outcome": outcome, "value": value, "low": low, "high": high, "q": q}
    )


def test_sentences_of_rare_cases() -> None:
    """Only what the model adds is significant; and the predictions are, but what the model adds is not."""
    view = audited()
    neither = [gap(o, 0.03, -0.01, 0.07, 0.2) for o in ("labels", "predictions")]
    added = GapTriple(*neither, gap("difference", -0.06, -0.1, -0.02))
    assert gap_statement(view, added) == (
        "At equal action units (AU12, estimated), the share predicted as happy minus the share labeled so is lower for women "
        "than for men"
    )
    assert gap_reading(added).startswith("only what the model adds is significant, neither")
    predicted = GapTriple(neither[0], gap("predictions", 0.05, 0.01, 0.09), gap("difference", 0.02, -0.01, 0.05, 0.3))
    assert gap_reading(predicted).endswith("nor is what the model adds significant")
    assert "are predicted to be happy more often than men" in gap_statement(view, predicted)
    labeled = GapTriple(gap("labels", -0.05, -0.09, -0.01), neither[1], gap("difference", 0.08, -0.01, 0.05, 0.3))
    assert gap_reading(labeled) == "the labels differ; the predictions do not differ significantly"
    assert "are labeled happy less often than men" in gap_statement(view, labeled)
    inside = GapTriple(gap("labels", 0.05, -0.01, 0.1), *(gap(o, 0.0, -0.1, 0.1) for o in ("predictions", "difference")))
    assert not inside.significant  # a small q with an interval that includes 0
    untested = gap("labels", 0.05, 0.01, 0.1, None)
    assert not GapTriple(untested, untested, untested).significant


def test_a_finding_names_the_units_that_are_lacking() -> None:
    """Happiness without AU6, coded by people: the one caveat of the finding."""
    frame = people()
    units = ActionUnitTable(frame[["AU12"]].astype("Int8"), "units.csv", "labels")
    groups = {"gender": frame["gender"]}
    audit = fairfer.audit(frame["label"], frame["predicted"], groups=groups, action_units=units, permutations=100)
    [finding] = [f for f in key_findings(View(audit)) if "equal action units" in f.statement]
    assert finding.caveat == "The units are without AU6, which the table lacks"
    assert "The table of action units lacks units of these patterns: happiness (AU6)." in caveats(View(audit))


def test_names_of_units() -> None:
    """With what one sees; an unknown code as it is."""
    assert unit_name("AU12") == "AU12 (lip corner puller)"
    assert unit_name("AU99") == "AU99"


@pytest.mark.slow
def test_ferplus_repeats_the_gap_of_its_labels(shared, tmp_path) -> None:
    """FER+ Test, landmarks, bundled model: at equal AU12 women are labeled happy more often, and predicted so as often."""
    data = shared / "data" / "ferplus"
    dataset = fairfer.load_dataset(
        data, split="test", demographics=data / "demographics.csv", action_units=data / "landmarks_test.parquet"
    )
    audit = fairfer.audit(dataset, fairfer.predict(dataset, fairfer.load_model("baseline")), by=["gender"], permutations=100)
    rows = {g.outcome: g for g in audit.conditioned_gaps if g.label == "happiness"}
    assert audit.action_units is not None
    assert audit.action_units.kind == "estimated"
    assert (rows["labels"].units, rows["labels"].lacking) == (["AU12"], ["AU6"])
    assert 0.01 < (rows["labels"].low or 0) < (rows["labels"].value or 0) < 0.09
    assert (rows["predictions"].q or 1) < 0.05
    assert rows["difference"].value == pytest.approx(0, abs=0.01)
    assert (rows["difference"].q or 0) > 0.2
