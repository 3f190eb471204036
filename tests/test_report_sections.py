"""What a report says of power, mixes, raters, doubtful groups and composition: the audit's own numbers, and no others."""

from __future__ import annotations

import csv
import io
import re

import pytest

from fairfer.metrics.results import AdditionalSamples, CorrectedGap, ExcludedGroup, ProbabilisticGap, StandardizedGap
from fairfer.report import write_report
from fairfer.report.figures import draw
from fairfer.report.html import page
from fairfer.report.tables import evidence
from fairfer.report.text.caveats import (
    about_findings,
    ambiguity_words,
    doubt_words,
    least_shown,
    pairing_words,
    people_said,
    rater_words,
)
from fairfer.report.text.findings import care, headline
from fairfer.report.view import View, is_found


@pytest.fixture(scope="module")
def found(toy_factory):
    """Votes, people, probabilities and a column to adjust for; women are read better than men."""
    import numpy as np
    import pandas as pd

    from fairfer import audit, predict
    from fairfer.datasets.dataset import DUPLICATE_GROUP, Attribute
    from fairfer.labels import LabelSpace
    from fairfer.testing import FakeModel

    labels = LabelSpace.of("three", ["neutral", "happiness", "fear"])
    generator = np.random.default_rng(4)
    n = 600
    truth = generator.integers(0, 3, n)
    women = generator.random(n) < 0.5
    right = generator.random(n) < np.where(women, 0.95, 0.6)
    said = np.where(right, truth, (truth + 1) % 3)
    data = toy_factory(
        [labels.labels[t] for t in truth], {"gender": ["fm"[not w] for w in women]}, said=list(said), labels=labels
    )
    sharp = generator.uniform(0.4, 1, (n, 1))
    votes = pd.DataFrame(
        [generator.multinomial(10, p) for p in sharp * np.eye(3)[truth] + (1 - sharp) / 3], columns=list(labels.labels)
    ).set_index(data.samples.index)
    more = {
        "actor": [f"p{i}" for i in generator.integers(0, 200, n)],
        "p_f": np.where(women, 0.9, 0.2),
        DUPLICATE_GROUP: [f"t{i // 2}" if i < 200 else "" for i in range(n)],
    }
    data = data.replace(
        samples=data.samples.assign(**more),
        votes=votes,
        attributes=(Attribute("gender", ("f", "m"), "inferred", "a net", probabilities={"f": "p_f"}),),
    )
    return audit(
        data, predict(data, FakeModel(labels)), ["gender"], standardize=["vote_entropy"], subject="actor", permutations=300
    )


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def models(audit):
    votes, annotation, composition = audit.votes, audit.annotation, audit.composition
    return {
        "adjusted.csv": audit.standardized,
        "votes.csv": [*votes.weighted, *votes.human],
        "ambiguity.csv": votes.ambiguity,
        "retest.csv": votes.duplicate_consistency,
        "sensitivity.csv": annotation.corrected,
        "fuzzy_rates.csv": annotation.rates,
        "fuzzy_gaps.csv": annotation.gaps,
        "composition.csv": composition.pairing,
        "representation.csv": composition.representation,
        "association.csv": composition.association,
    }


def test_every_table_holds_the_audits_numbers_in_full(found):
    """Cell by cell: what reads back is what audit.json has, and nothing estimable is left blank."""
    files = evidence.csv_files(found)
    assert set(files) == evidence.ALL
    for name, wanted in models(found).items():
        rows = rows_of(files[name])
        assert len(rows) == len(wanted) > 0
        for row, model in zip(rows, wanted, strict=True):
            for column in row.keys() & type(model).model_fields.keys():
                value = getattr(model, column)
                assert row[column] == ("" if value is None else str(value))
    assert [r["who"] for r in rows_of(files["votes.csv"])].count("rater") == len(found.votes.human)
    groups = [(a.label, a.rate, g.group, g.value) for a in found.standardized for g in a.groups]
    assert [(r["label"], r["rate"], r["group"], float(r["value"])) for r in rows_of(files["adjusted_rates.csv"])] == groups


def test_power_says_what_would_settle_a_gap_and_who_was_left_out(found):
    """Groups with their numbers; ``enough`` where nothing more is needed, empty where nothing settles it."""
    gap = found.gaps[0].model_copy(
        update={"additional_samples": [AdditionalSamples(group="f", images=120), AdditionalSamples(group="m", images=120)]}
    )
    left = ExcludedGroup(group="x", reason="small", denominator=3)
    enough, never = (gap.model_copy(update={"additional_samples": s, "excluded": [left]}) for s in ([], None))
    audit = found.model_copy(update={"gaps": [gap, enough, never]})
    rows = rows_of(evidence.csv_files(audit)["power.csv"])
    assert [r["additional_samples"] for r in rows] == ["f: 120; m: 120", "enough", ""]
    assert [r["excluded"] for r in rows] == ["", "x (small, 3)", "x (small, 3)"]
    assert rows[0]["groups"] == "f; m"
    shown = evidence.power_table(View(audit)).rows
    assert [r[-2] for r in shown] == ["f 120; m 120", "enough", "\N{EN DASH}"]
    assert shown[1][-1] == "x (too few)"


def test_tables_of_an_earlier_report_do_not_stay(found, tmp_path):
    """An audit without votes in the same folder: tables about votes would be another audit's."""
    write_report(found, tmp_path)
    assert (tmp_path / "tables" / "votes.csv").is_file()
    mine = tmp_path / "tables" / "notes.csv"
    mine.write_text("mine", encoding="utf-8")
    bare = found.model_copy(update={"votes": None, "standardized": [], "annotation": None})
    write_report(bare, tmp_path)
    kept = {p.name for p in (tmp_path / "tables").iterdir()}
    assert "votes.csv" not in kept
    assert {"power.csv", "composition.csv", "notes.csv"} <= kept
    assert not (tmp_path / "figures" / "raters-gender.svg").exists()


def test_the_page_has_a_chapter_for_each_only_where_there_is_something_to_say(found):
    """Adjusted gaps, raters, doubt: there, linked from the contents; without them neither chapter nor link."""
    chapters = ("adjusting", "raters", "inferred")
    whole = page(found, draw(found))
    assert all(f'href="#{c}"' in whole and f'id="{c}"' in whole for c in chapters)
    bare = found.model_copy(update={"votes": None, "standardized": [], "annotation": None})
    text = page(bare, draw(bare))
    assert not any(f'href="#{c}"' in text or f'id="{c}"' in text for c in chapters)
    assert "Rated twice" in whole
    copied = found.model_copy(
        update={"votes": found.votes.model_copy(update={"duplicate_consistency": [], "independent": False})}
    )
    assert "very same votes both times" in page(copied, draw(copied))


def test_how_many_people_there_are_is_said(found):
    """With --subject, on the first screen and under limits; without it, that every face is taken for another person."""
    view = View(found)
    assert re.search(r"^The 600 faces are of \d+ people \(by actor\)", people_said(view))
    assert people_said(view) in care(view)
    assert "take every face to be another person" not in page(found, draw(found))
    strangers = found.model_copy(
        update={
            "plan": found.plan.model_copy(update={"subject": ""}),
            "data": found.data.model_copy(update={"people": None}),
        }
    )
    assert people_said(View(strangers)) == ""
    assert "take every face to be another person" in page(strangers, draw(strangers))


def test_a_finding_that_the_mix_made_is_said_to_vanish(found):
    """Beyond chance as it is, within it once the mix is alike."""
    gap = next(g for g in View(found).found)
    [same] = [a for a in found.standardized if (a.rate, a.label, a.attribute) == (gap.rate, gap.label, gap.attribute)]
    gone = same.model_copy(update={"difference": 0.01, "expected_by_chance": 0.05, "q": 0.9})
    audit = found.model_copy(update={"standardized": [gone]})
    assert not is_found(gone)
    [line] = [x for x in about_findings(View(audit), [gap]) if "same mix" in x]
    assert line.startswith("Once all groups have the same mix of emotion and vote_entropy, no longer beyond chance: ")
    assert ".01 after" in line
    kept = found.model_copy(
        update={"standardized": [same.model_copy(update={"difference": 0.3, "expected_by_chance": 0.05, "q": 0.001})]}
    )
    assert not [x for x in about_findings(View(kept), [gap]) if "same mix" in x]
    none = StandardizedGap.model_validate(
        {
            **same.model_dump(),
            **dict.fromkeys(("difference", "plain", "expected_by_chance", "q"), None),
            "status": "no_common_strata",
        }
    )
    lacking = found.model_copy(update={"standardized": [none]})
    assert not [x for x in about_findings(View(lacking), [gap]) if "same mix" in x]
    assert evidence.adjusted_table(View(lacking)).rows[0][-1] == "nothing in common"


def curve(gap, lows):
    about = {"label": gap.label, "attribute": gap.attribute, "rate": gap.rate, "worst": gap.worst, "best": gap.best}
    rows = []
    for error, low in zip((0.0, 0.01, 0.05, 0.1, 0.2), lows, strict=True):
        values = dict.fromkeys(("difference", "low", "high"))
        if low is not None:
            values = {"difference": low + 0.1, "low": low, "high": low + 0.2}
        rows.append(CorrectedGap(**about, error=error, **values, status="not_estimable" if low is None else "ok"))
    return rows


@pytest.mark.parametrize(
    ("lows", "said"),
    [
        ([0.1, 0.1, 0.1, 0.05, 0.01], None),
        ([0.1, 0.1, -0.05, -0.1, -0.1], "(5 % wrong)"),
        ([0.1, 0.1, 0.1, 0.1, None], "(20 % wrong)"),
        ([-0.05, -0.05, -0.05, -0.05, -0.05], "(even as annotated)"),
    ],
)
def test_a_finding_that_leans_on_the_annotation_says_so(found, lows, said):
    """The smallest assumed share of wrong annotations at which the sign of the gap is no longer sure."""
    gap = next(g for g in View(found).found)
    annotation = found.annotation.model_copy(update={"corrected": curve(gap, lows), "gaps": []})
    lines = about_findings(View(found.model_copy(update={"annotation": annotation})), [gap])
    doubtful = [x for x in lines if "inferred" in x]
    assert len(doubtful) == (said is not None)
    assert said is None or said in doubtful[0]


def test_a_gap_of_a_lower_rate_is_turned_so_that_it_is_above_0(found):
    """For an FPR best minus worst is negative; the picture shows it above 0, and below where the order turns round."""
    gap = next(g for g in View(found).tested if g.rate == "FPR" and g.difference)
    turned = [c.model_copy(update={"difference": -0.2, "low": -0.3, "high": 0.1}) for c in curve(gap, [0.1] * 5)]
    probabilistic = ProbabilisticGap(
        label=gap.label, attribute=gap.attribute, rate="FPR", worst="m", best="f", most_likely=-0.2, probabilistic=-0.05,
        worst_value=0.3, best_value=0.1,
    )  # fmt: skip
    annotation = found.annotation.model_copy(update={"corrected": turned, "gaps": [probabilistic]})
    view = View(found.model_copy(update={"annotation": annotation}))
    [(_, shown)] = view.sensitivity
    assert {(c.difference, c.low, c.high) for c in shown} == {(0.2, -0.1, 0.3)}
    assert (view.probabilistic(gap).most_likely, view.probabilistic(gap).probabilistic) == (0.2, 0.05)
    [line] = [x for x in about_findings(view, [gap]) if "far smaller" in x]
    assert "(.20 by the likeliest, +.05 by probability)" in line


def test_titles_are_true(found):
    """Counted again from the audit."""
    view = View(found)
    rater = {r.label: r.value for r in found.votes.human if (r.attribute, r.rate) == ("*", "TPR")}
    above = sum(view.rate("TPR", label).value > rater[label] for label in view.labels)
    how = "every" if above == 3 else "none" if above == 0 else str(above)
    assert f"for {how} of 3 emotions" in rater_words(view, "gender")
    strata = [a for a in found.votes.ambiguity if a.attribute == "*" and a.status == "ok"]
    assert ambiguity_words(view).startswith("Accuracy is ")
    assert f"where they are {strata[-1].stratum}" in ambiguity_words(view)
    most = max(found.composition.pairing, key=lambda p: p.ducher_z)
    assert most.label in pairing_words(view).casefold()
    assert "one annotation in ten" in doubt_words(view)
    smallest = min(g.minimum_detectable for g in found.gaps if g.rate == "TPR" and g.minimum_detectable is not None)
    assert f" {smallest:.2f}".replace(" 0", " ") in least_shown(view)
    assert least_shown(view) in headline(view)


def test_titles_where_there_is_nothing_to_say(found):
    """Too few faces, nothing corrected, no gap detectable: said so, and no number made up."""
    votes = found.votes.model_copy(update={"human": [], "ambiguity": []})
    gaps = [g.model_copy(update={"minimum_detectable": None}) for g in found.gaps]
    view = View(found.model_copy(update={"votes": votes, "annotation": None, "composition": None, "gaps": gaps}))
    assert rater_words(view, "*") == "A rater beside the model: too few faces of every emotion"
    assert ambiguity_words(view) == "Too few faces to compare by how far raters agree"
    assert doubt_words(view) == "How gaps depend on inferred groups"
    assert pairing_words(view) == "Which emotion goes with which group"
    assert least_shown(view) == ""
    only = [g for g in found.gaps if g.rate == "FPR"]
    assert least_shown(View(found.model_copy(update={"gaps": only}))).startswith("The smallest gap these data could show is ")
    lost = found.annotation.model_copy(
        update={"corrected": [c.model_copy(update={"difference": None, "low": None, "high": None, "status": "not_estimable"})
                              if c.error == 0.1 else c for c in found.annotation.corrected]}
    )  # fmt: skip
    assert "nothing could be said" in doubt_words(View(found.model_copy(update={"annotation": lost})))
    assert "\N{EN DASH}" in {
        c for r in evidence.sensitivity_table(View(found.model_copy(update={"annotation": lost}))).rows for c in r
    }


def test_the_example_in_the_repository_is_what_this_version_writes():
    """Its audit.json reads back, and its tables are those made of it: an example that nobody could make again is none."""
    from pathlib import Path

    from fairfer.audits.result import Audit
    from fairfer.report.tables import rates as tables

    folder = Path(__file__).parents[1] / "reports" / "example"
    if not folder.is_dir():  # a source distribution comes without reports
        pytest.skip("reports/example is not here")
    audit = Audit.read(folder)
    texts = {**tables.csv_files(audit), **evidence.csv_files(audit)}
    assert {p.name for p in (folder / "tables").iterdir()} == set(texts)
    for name, text in texts.items():
        assert (folder / "tables" / name).read_text(encoding="utf-8") == text
