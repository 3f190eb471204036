"""Words for a missing value: missing in every loader, listed in the report, and declared as values where they are."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import fairfer
from fairfer.audits.audit import audit_predictions, rebuild
from fairfer.cli.main import app
from fairfer.datasets.missing_values import is_missing_word, mask_missing
from fairfer.errors import DataError, UsageError
from fairfer.predictions.predictions import Predictions
from fairfer.report.text import caveats
from fairfer.report.view import View
from fairfer.vocabulary import UNANNOTATED

MISSING = (
    "Unknown", "unknown", " UNKNOWN ", "NA", "na", "N/A", "n.a.", "<NA>", "None", "none", "null", "NULL", "nan", "not stated",
    "Not_Stated", "not  stated", "prefer not to say", "Prefer Not To Say", "prefer-not-to-say", "Prefer not to answer", "?",
    "??", "-", "--", "\N{EN DASH}", "\N{EM DASH}", "missing", "Missing", "", "   ", ".", "(unknown)", "[missing]",
    "don\N{RIGHT SINGLE QUOTATION MARK}t know", "not reported", "declined to answer",
)  # fmt: skip
REAL = ("other", "Other", "Nan Li", "no", "mixed", "unknown soldier", "F", "0", "-1", "Namibia", "non-binary", "noneya", "a?")


@pytest.mark.parametrize("word", MISSING)
def test_words_for_a_missing_value(word):
    """In any case and spacing."""
    assert is_missing_word(word)


@pytest.mark.parametrize("word", REAL)
def test_words_that_are_values(word):
    """``other`` is a level like any."""
    assert not is_missing_word(word)


def test_a_column_of_numbers_stays_one():
    """One word among ages neither makes text of them nor sorts them as text."""
    values, words = mask_missing(pd.Series(["31", "8", "unknown", "100"]))
    assert pd.api.types.is_numeric_dtype(values)
    assert words == {"unknown": 1}
    values, _ = mask_missing(pd.Series([31, "unknown", 8], dtype=object))
    assert pd.api.types.is_numeric_dtype(values)
    values, _ = mask_missing(pd.Series(["007", "NA"]))
    assert list(values.dropna()) == ["007"]


def crema_d(seed=0):
    """A table of CREMA-D's shape: 91 actors x 12 sentences x 6 emotions; one actor of unknown race, who is often misread."""
    generator = np.random.default_rng(seed)
    emotions = np.array(["anger", "disgust", "fear", "happiness", "neutral", "sadness"])
    actors = pd.DataFrame(
        {
            "ActorID": np.arange(1001, 1092),
            "Age": generator.integers(20, 75, 91).astype(str),
            "Sex": np.where(np.arange(91) < 48, "Male", "Female"),
            "Race": ["Caucasian"] * 61 + ["African American"] * 22 + ["Asian"] * 7 + ["Unknown"],
            "Ethnicity": ["Not Hispanic"] * 81 + ["Hispanic"] * 10,
        }
    )
    actors.loc[3, "Age"] = "N/A"
    rows = actors.loc[np.repeat(np.arange(91), 72)].reset_index(drop=True)
    truth = np.tile(np.repeat(emotions, 12), 91)
    correct = generator.random(len(rows)) < np.where(rows["Race"] == "Unknown", 0.3, 0.8)
    other = emotions[generator.integers(0, 6, len(rows))]
    return rows.assign(label=truth, predicted=np.where(correct, truth, other))


GROUPS = ["Age", "Sex", "Race", "Ethnicity"]


def audits_of(table, tmp_path, **options):
    """The same table as arrays, as a data frame and as files."""
    csv, parquet, lines = (tmp_path / f"crema.{suffix}" for suffix in ("csv", "parquet", "jsonl"))
    table.to_csv(csv, index=False)
    table.to_parquet(parquet)
    table.to_json(lines, orient="records", lines=True)
    plan = {"by": ["Sex", "Race"], "permutations": 200, "subject": "ActorID", **options}
    for source in (table, csv, parquet, lines):
        dataset = fairfer.load_dataset(source, truth="label", predicted="predicted", bands={"Age": [40]})
        yield fairfer.audit(dataset, Predictions.from_recorded(dataset), **plan)
    arrays = {"groups": table[GROUPS], "subjects": table["ActorID"], "by": ["Sex", "Race"], "permutations": 200}
    yield fairfer.audit(table["label"], table["predicted"], **arrays)


def test_one_actor_of_unknown_race_is_no_group(tmp_path):
    """CREMA-D's headline was "Unknown" with one actor. Seven Asian actors are too few subjects; both are listed as such."""
    for audit in audits_of(crema_d(), tmp_path):
        assert audit.groups("Race") == [("African American",), ("Asian",), ("Caucasian",), (UNANNOTATED,)]
        assert not any("Unknown" in g for gap in audit.gaps for g in gap.groups)
        race = next(a for a in audit.data.attributes if a.name == "Race")
        assert race.missing_words == {"Unknown": 72}
        assert "‘Unknown’ (72 rows) in race" in caveats.missing_words(View(audit)).replace("Race", "race")
        asian = audit.rate("accuracy", attribute="Race", group="Asian")
        assert (asian.status, asian.subjects, asian.denominator) == ("few_subjects", 7, 504)
        [gap] = [g for g in audit.gaps if (g.rate, g.attribute) == ("accuracy", ("Race",))]
        assert gap.groups == [("African American",), ("Caucasian",)]
        assert {(e.group, e.reason) for e in gap.excluded} == {(("Asian",), "few_subjects"), ((UNANNOTATED,), "unannotated")}


def test_ages_with_a_missing_word_can_be_cut_into_bands(tmp_path):
    """Before, one ``N/A`` made a column of ages text that could not be cut."""
    crema_d().to_csv(tmp_path / "crema.csv", index=False)
    dataset = fairfer.load_dataset(tmp_path / "crema.csv", truth="label", predicted="predicted", bands={"Age": [40]})
    assert dataset.attribute("Age").levels == ("under 40", "40 and over", UNANNOTATED)
    assert (dataset.samples["Age"] == UNANNOTATED).sum() == 72
    assert dataset.attribute("Age").missing_words == {"N/A": 72}


COUNTRIES = pd.DataFrame(
    {
        "label": ["anger", "fear"] * 4,
        "predicted": ["anger", "fear"] * 4,
        "country": ["NA", "ZA", "?", "ZA", "NA", "DE", "none", "DE"],
    }
)


def test_namibia_is_declared(tmp_path):
    """In Python, for arrays, on the command line, in a configuration file, and in the provenance file by two keys."""
    expected = {"NA": 2, UNANNOTATED: 2}

    def check(audit):
        assert {g: audit.size("country", g) for g in expected} == expected
        assert audit.data.attributes[0].missing_words == {"?": 1, "none": 1}

    assert fairfer.load_dataset(COUNTRIES).attribute("country").levels == ("DE", "ZA", UNANNOTATED)
    dataset = fairfer.load_dataset(COUNTRIES, not_missing={"country": ["NA"]})
    check(audit_predictions(dataset, Predictions.from_recorded(dataset)))
    arrays = {"groups": COUNTRIES[["country"]], "not_missing": {"country": ["NA"]}}
    check(fairfer.audit(COUNTRIES["label"], COUNTRIES["predicted"], **arrays))
    COUNTRIES.to_csv(tmp_path / "t.csv", index=False)
    run = ["audit", str(tmp_path / "t.csv"), "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(app, [*run, "--not-missing", "country=NA"], catch_exceptions=False)
    assert result.exit_code == 0
    check(rebuild(tmp_path / "run"))
    assert 'not-missing = ["country=NA"]' in json.loads((tmp_path / "run" / "audit.json").read_text())["config"]
    for line in ('not_missing = ["NA"]', 'levels = ["NA", "ZA", "DE"]'):
        (tmp_path / "t.toml").write_text(f'[country]\nsource = "annotated"\n{line}\n')
        dataset = fairfer.load_dataset(tmp_path / "t.csv")
        check(audit_predictions(dataset, Predictions.from_recorded(dataset)))


def test_invalid_declarations_are_refused(tmp_path):
    """In one line."""
    with pytest.raises(UsageError, match="--not-missing contry: data frame has no such attribute; did you mean 'country'"):
        fairfer.load_dataset(COUNTRIES, not_missing={"contry": ["NA"]}, name="data frame")
    for wrong in ("NA", {"country": "NA"}, {"country": 3}):
        with pytest.raises(UsageError, match="give a list of values for each column"):
            fairfer.load_dataset(COUNTRIES, not_missing=wrong)
    result = CliRunner().invoke(app, ["audit", "t.csv", "--not-missing", "NA"])
    assert str(result.exception) == "--not-missing 'NA': write COLUMN=VALUE, as in country=NA"
    COUNTRIES.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "t.toml").write_text('[country]\nsource = "annotated"\nnot_missing = "NA"\n')
    with pytest.raises(DataError, match="not_missing must be a list of values"):
        fairfer.load_dataset(tmp_path / "t.csv")


def test_a_loader_of_another_package_is_no_exception(toy, monkeypatch):
    """Its attributes are treated alike, although it never called `read_attributes`."""
    from fairfer.datasets import loading
    from fairfer.datasets.loaders import Loader

    dataset = toy(["anger"] * 6, {"g": ["f", "Unknown", "m", None, "N/A", "NA"]})
    mine = Loader("mine", "mine", lambda path: True, lambda path: dataset)
    monkeypatch.setattr(loading, "loaders", lambda: {"mine": mine})
    loaded = fairfer.load_dataset(".", loader="mine", not_missing={"g": ["NA"]})
    assert loaded.attribute("g").levels == ("NA", "f", "m", UNANNOTATED)
    assert loaded.attribute("g").missing_words == {"N/A": 1, "Unknown": 1}
    assert (loaded.samples["g"] == UNANNOTATED).sum() == 3


def test_an_unknown_subject_is_a_subject_of_its_own():
    """Faces whose subject is ``?`` do not show one person, however many there are."""
    names = [f"p{i}" for i in range(150)] + ["?"] * 10
    n = len(names)
    arrays = {"groups": {"g": ["f", "m"] * (n // 2)}, "subjects": names, "permutations": 100}
    assert fairfer.audit(["anger"] * n, ["anger"] * n, **arrays).data.subjects == n
    table = pd.DataFrame({"label": ["anger"] * n, "predicted": ["anger"] * n, "actor": names, "g": ["f", "m"] * (n // 2)})
    dataset = fairfer.load_dataset(table)
    audit = fairfer.audit(dataset, Predictions.from_recorded(dataset), by=["g"], subject="actor", permutations=100)
    assert audit.data.subjects == n


@pytest.mark.parametrize(("minimum", "status"), [(5, "ok"), (6, "few_subjects")])
def test_the_minimum_number_of_subjects(minimum, status):
    """By the denominator of each rate: five subjects of group m show anger, ten show fear."""
    rows = [("f", "anger", i) for i in range(20)] * 3 + [("m", "anger", 20 + i % 5) for i in range(60)]
    rows += [("m", "fear", 20 + i % 10) for i in range(60)] + [("f", "fear", i % 20) for i in range(60)]
    group, truth, subject = zip(*rows, strict=True)
    audit = fairfer.audit(
        list(truth), list(truth), groups={"g": group}, subjects=[f"s{s}" for s in subject], minimum_subjects=minimum,
        permutations=100,
    )  # fmt: skip
    rate = audit.rate("TPR", label="anger", attribute="g", group="m")
    assert (rate.subjects, rate.denominator, rate.status) == (5, 60, status)
    assert audit.rate("TPR", label="fear", attribute="g", group="m").subjects == 10
    assert audit.rate("accuracy", attribute="g", group="m").subjects == 10
    assert audit.rate("macro-F1", attribute="g", group="m").subjects == 10
    [gap] = [g for g in audit.gaps if (g.label, g.rate) == ("anger", "TPR")]
    assert (("m",) in gap.groups) == (status == "ok")
    cell = next(c for c in audit.confusions if (c.group, c.truth) == (("m",), "anger"))
    assert cell.status == status
    table = audit.frame("rates")
    assert "subjects" in table.columns


def test_without_subjects_there_is_no_minimum_of_them(toy):
    with pytest.raises(UsageError, match="--minimum-subjects 0: give at least 1"):
        fairfer.audit(["anger"] * 2, ["anger"] * 2, minimum_subjects=0)
    audit = fairfer.audit(["anger"] * 40, ["anger"] * 40, groups={"g": ["f", "m"] * 20}, minimum_subjects=10**6)
    assert {r.subjects for r in audit.rates} == {None}
    assert all(r.status != "few_subjects" for r in audit.rates)
