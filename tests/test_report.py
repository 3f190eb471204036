"""Reports of many kinds of audits: text, figures, files, and safety against markup in names."""

from __future__ import annotations

import csv
import html.parser
import io
import itertools
import os
import re
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ET
from functools import cache

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import fairfer
from fairfer.datasets.action_unit_tables import ActionUnitTable
from fairfer.datasets.attributes import Attribute
from fairfer.datasets.dataset import DUPLICATE_GROUP, Dataset, Step
from fairfer.errors import UsageError
from fairfer.labels import FERPLUS, LabelSpace
from fairfer.metrics.results import ExcludedGroup, GroupDifference
from fairfer.predictions.predictions import Predictions
from fairfer.report import sections
from fairfer.report.figures import FIGURES, draw, rate_heatmaps
from fairfer.report.figures.group_selection import MAX_DISPLAYED_GROUPS, displayed_groups, omission_note
from fairfer.report.html import fragment, page
from fairfer.report.summary import summary
from fairfer.report.tables.counts import confusion_table
from fairfer.report.tables.gaps import differences_table, gaps_table
from fairfer.report.tables.rates import cell, overall_table
from fairfer.report.text.caveats import NO_CAVEATS
from fairfer.report.text.findings import KeyFinding, gap_findings, headline, overall, sentence
from fairfer.report.text.numbers import probability, rate
from fairfer.report.text.sentences import size_with_bounds
from fairfer.report.view import RATES, View, is_significant
from fairfer.report.write import write_report
from fairfer.vocabulary import EVERYONE, NO_ANSWER, UNANNOTATED, group_name, grouping_name

EN = "\N{EN DASH}"
EMOTIONS = FERPLUS.labels
THREE = ("neutral", "happiness", "fear")
GENDER = {"gender": ["female", "male"]}
RACE = {"race": ["white", "black"]}
MARKUP = '<script>alert("x")</script>'


def random_audit(
    attributes=None,
    *,
    n=400,
    labels=THREE,
    model_labels=None,
    by=(),
    accuracy=0.75,
    group_accuracy=None,
    unanswered=0.0,
    source="inferred",
    annotator="",
    note="",
    steps=(),
    name="random",
    command="fairfer audit random",
    empty_levels=(),
    votes=False,
    subjects=0,
    probabilities=False,
    scores=False,
    units=False,
    **settings,
):
    """An audit of random predictions; `group_accuracy` sets the share of correct ones for (attribute, level, label)."""
    attributes = GENDER if attributes is None else attributes
    generator = np.random.default_rng(1)
    space, output_space = LabelSpace.of("own", labels), LabelSpace.of("model", model_labels or labels)
    frame = pd.DataFrame(
        {"label": generator.choice(space.labels, n)}, index=pd.Index([f"s{i}" for i in range(n)], name="sample_id")
    )
    for attribute, levels in attributes.items():
        frame[attribute] = generator.choice([v for v in levels if v not in empty_levels], n)
    share = np.full(n, accuracy)
    for (attribute, level, label), value in (group_accuracy or {}).items():
        share[(frame[attribute] == level) & (frame["label"] == label)] = value
    correct = generator.random(n) < share
    predicted = np.where(correct, frame["label"], generator.choice(output_space.labels, n)).astype(object)
    predicted[~np.isin(predicted, output_space.labels)] = output_space.labels[0]
    status = np.where(generator.random(n) < unanswered, generator.choice(["no_face", "error"], n), "ok")
    predicted[status != "ok"] = None
    text = frame.astype("str")
    columns = {}
    if subjects:
        text["actor"] = [f"p{i}" for i in generator.integers(0, subjects, n)]
        settings["subject"] = "actor"
    if probabilities:
        for attribute, levels in attributes.items():
            columns[attribute] = {levels[0]: f"p_{attribute}"}
            likely = np.where(frame[attribute] == levels[0], 0.9, 0.2)
            text[f"p_{attribute}"] = np.clip(likely + generator.uniform(-0.1, 0.1, n), 0, 1)
    cast = None
    if votes:
        clarity = generator.uniform(0.3, 1, n)[:, None]
        truth = np.eye(len(space.labels))[[space.labels.index(v) for v in frame["label"]]]
        probability = clarity * truth + (1 - clarity) / len(labels)
        counts = generator.multinomial(10, probability / probability.sum(axis=1, keepdims=True))
        cast = pd.DataFrame(counts, index=frame.index, columns=list(space.labels))
        text[DUPLICATE_GROUP] = [f"t{i // 2}" if i < n // 4 else "" for i in range(n)]
    dataset = Dataset(
        name=name,
        labels=space,
        samples=text,
        attributes=tuple(
            Attribute(a, tuple(v), source, annotator, note, probabilities=columns.get(a, {})) for a, v in attributes.items()
        ),
        steps=tuple(steps),
        card={"layout": name},
    )
    dataset = dataset if cast is None else dataset.replace(votes=cast)
    if units:
        shown = np.random.default_rng(3).random((n, 4)) < 0.4
        table = pd.DataFrame(shown, index=frame.index, columns=["AU4", "AU5", "AU6", "AU12"]).astype("Int8")
        dataset = dataset.replace(action_units=ActionUnitTable(table, "units.csv", "estimated"))
    rows = pd.DataFrame({"status": status, "predicted": predicted, "detail": "", "image": ""}, index=frame.index)
    if scores:
        sure = (
            generator.uniform(0.4, 1, n)[:, None]
            * np.eye(len(output_space.labels))[[output_space.labels.index(v) if v is not None else 0 for v in predicted]]
        )
        for i, label in enumerate(output_space.labels):
            rows[f"score:{label}"] = np.where(status == "ok", sure[:, i], np.nan)
    predictions = Predictions(name, "1", output_space, {"kind": name}, dataset.images_digest, rows)
    audit = fairfer.audit(dataset, predictions, by=by, date="2026-11-22", **{"permutations": 300, **settings})
    return audit.model_copy(update={"command": command})


def multi_label_audit(n=300):
    """An audit of random decisions on three action units, some truths unknown."""
    generator = np.random.default_rng(2)
    truth = pd.DataFrame(generator.random((n, 3)) < 0.4, columns=["AU4", "AU6", "AU12"]).astype("Int8")
    decisions = truth.where(generator.random((n, 3)) < 0.8, 1 - truth)
    truth = truth.mask(generator.random((n, 3)) < 0.05)
    return fairfer.audit(
        truth, decisions, groups={"gender": generator.choice(["female", "male"], n)}, permutations=300, date="2026-11-22"
    )


BOTH = ["gender", "race", "gender,race"]
AUDITS = {
    "two groupings and their intersection": lambda: random_audit(
        {**GENDER, **RACE}, by=BOTH, n=900, group_accuracy={("gender", "male", "happiness"): 0.2}
    ),
    "scores, votes, subjects and inferred groups": lambda: random_audit(
        GENDER,
        by=["gender"],
        n=900,
        group_accuracy={("gender", "male", "happiness"): 0.2},
        votes=True,
        subjects=150,
        probabilities=True,
        scores=True,
        units=True,
        standardize=["vote_entropy"],
    ),
    "votes and few faces": lambda: random_audit(by=["gender"], n=40, votes=True, standardize=["vote_entropy"]),
    "two labels": lambda: random_audit({**GENDER, **RACE}, by=BOTH, labels=THREE[:2], unanswered=0.05),
    "no attributes": lambda: random_audit({}),
    "one group": lambda: random_audit({"gender": ["female"]}),
    "twelve groups": lambda: random_audit(
        {"age": [f"{10 * i}-{10 * i + 9}" for i in range(12)]},
        n=1500,
        group_accuracy={("age", "0-9", "fear"): 0},
        empty_levels=("110-119",),
    ),
    "own labels": lambda: random_audit({"hand": ["left", "right"]}, labels=("bored", "eager"), source="unstated"),
    "many labels": lambda: random_audit({"hand": ["left", "right"]}, labels=[f"label {i} of them" for i in range(12)], n=600),
    "labels kept": lambda: random_audit(labels=EMOTIONS, model_labels=EMOTIONS[:7], unsupported_labels="keep"),
    "long names": lambda: random_audit({"a " * 60: ["b" * 80 + "1", "b" * 80 + "2"]}, labels=("c" * 90, "d e " * 20, "x")),
    "markup in names": lambda: random_audit(
        {MARKUP: [MARKUP, "$x^2$ & 'y'"]},
        labels=(MARKUP, "$\\frac", "</title>"),
        name=MARKUP,
        note=MARKUP,
        annotator=MARKUP,
        command=MARKUP,
        steps=[Step(f"{MARKUP} 3", 3)],
    ),
    "other scripts": lambda: random_audit(
        {"\u6027\u522b": ["\u5973", "\u7537"]}, labels=("\u6012\u308a", "\u559c\u3073", "a\x07b")
    ),
    "small and empty cells": lambda: random_audit(
        {"gender": ["female", "male", "non-binary"], **RACE}, by=BOTH, n=70, unanswered=0.2, empty_levels=("non-binary",)
    ),
    "very many groups": lambda: random_audit(
        {"a": [f"a{i}" for i in range(6)], "b": [f"b{i}" for i in range(8)]},
        by=["a", "a,b"],
        n=2000,
        labels=THREE[:2],
        permutations=100,
    ),
    "some unannotated": lambda: random_audit({"gender": ["female", "male", UNANNOTATED]}, source="self-reported"),
    "three faces": lambda: random_audit(n=3),
    "several labels per face": multi_label_audit,
    "no predictions": lambda: random_audit(n=90, unanswered=1.0),
}
TEXT_AUDITS = {
    "labels dropped": lambda: random_audit(labels=EMOTIONS, model_labels=EMOTIONS[:7]),
    "labels merged": lambda: random_audit(
        labels=EMOTIONS, model_labels=EMOTIONS[:7], unsupported_labels="merge=contempt:disgust"
    ),
}
"""Audits of which only the text is tested."""


@cache
def audit_of(case):
    return (AUDITS | TEXT_AUDITS)[case]()


@cache
def figures_of(case, kinds=tuple(FIGURES)):
    """Figures of an audit; any warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return draw(audit_of(case), kinds)


class Page(html.parser.HTMLParser):
    """Elements of a page with their attributes, and its text."""

    VOID = frozenset({"meta", "img", "source", "link", "br"})

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.text = [], [], ""
        self.feed(text)
        self.close()
        assert not self.open, "every element is closed"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data

    def all(self, *tags):
        return [a for t, a in self.elements if t in tags]


@cache
def page_of(case, kinds=tuple(FIGURES)):
    return page(audit_of(case), figures_of(case, kinds))


OVERVIEW = ("overview",)
"""The figure that every page needs; drawing them all takes seconds."""


FIRST = "two groupings and their intersection"


def check_figures_are_complete(case):
    pictures = figures_of(case)
    for picture in pictures:
        assert picture.title
        assert picture.caption.endswith(".")
        assert picture.table.rows
        assert {len(row) for row in picture.table.rows} == {len(picture.table.columns)}
        assert picture.table.heads < len(picture.table.columns)
    names = [q.name for p in pictures for q in (p, p.narrow) if q]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]+", n) for n in names)
    view = View(audit_of(case))
    kinds = [p.kind for p in pictures]
    groupings = max(1, len(view.groupings))
    assert kinds.count("overview") == kinds.count("bars") == groupings
    assert kinds.count("rate") % len(RATES) == 0
    assert kinds.count("label") >= len(view.labels)
    assert "composition" in kinds


def check_figure_files_are_valid_and_undated(case):
    for picture in figures_of(case):
        ET.fromstring(picture.svg)
        assert b"date" not in picture.svg
        assert b"Matplotlib" not in picture.svg
        image = Image.open(io.BytesIO(picture.png))
        image.verify()
        assert "Software" not in image.info
        assert max(image.size) < 8000, "viewers can show it"


def check_page_is_valid_and_self_contained(case):
    text = page_of(case)
    assert text.startswith("<!doctype html>")
    content = Page(text)
    assert len(content.all("h1")) == 1
    assert content.all("html") == [{"lang": "en-US"}]
    assert {t for t, _ in content.elements} >= {"header", "main", "nav", "footer"}
    assert not content.all("script", "iframe", "object", "embed", "link", "form", "base")
    policy = next(a["content"] for a in content.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    for attributes in (a for _, a in content.elements):
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "srcset"):
            assert attributes.get(name, "data:image/svg+xml;base64,").startswith("data:image/svg+xml;base64,")
        assert re.match(r"#|(figures|tables)/[\w.-]+$|audit\.json$", attributes.get("href", "#")), attributes
    assert not re.search(r"url\(|@import", text.partition("</style>")[0])
    ids = [a["id"] for _, a in content.elements if "id" in a]
    assert len(set(ids)) == len(ids)
    assert {a["href"][1:] for a in content.all("a") if a["href"].startswith("#")} <= set(ids)


def check_links_lead_to_files_of_the_report(case):
    links = {a["href"] for a in Page(page_of(case)).all("a") if a["href"].startswith("tables/")}
    assert links == {f"tables/{name}" for name in sections.csv_files(View(audit_of(case)))}


def check_page_is_accessible(case):
    content = Page(page_of(case))
    assert all(a["alt"] for a in content.all("img"))
    assert len(content.all("table")) == len(content.all("caption"))
    assert all(a.get("scope") in ("row", "col") for a in content.all("th"))
    levels = [int(t[1]) for t, _ in content.elements if re.fullmatch("h[1-6]", t)]
    assert all(deeper - level <= 1 for level, deeper in itertools.pairwise(levels))


def check_page_has_every_figure_once(case):
    text = page_of(case)
    for picture in figures_of(case):
        assert text.count(f'<figure id="figure-{picture.name}">') == 1
        assert f'href="figures/{picture.name}.svg"' in text
    content = Page(text)
    assert len(content.all("figure")) == len(content.all("figcaption")) == len(figures_of(case))


def check_page_starts_with_the_summary(case):
    view = View(audit_of(case))
    text = Page(page_of(case)).text.replace("\N{NO-BREAK SPACE}", " ")
    places = [text.index(f"\n{heading}\n") for heading in ("Key findings", "Caveats", "Gaps between groups", "Glossary")]
    assert places == sorted(places)
    assert places[0] < text.index(gap_findings(view)[0].statement) < places[1]
    assert places[0] < text.index(overall(view)) < places[1]
    assert all(caveat.replace("\N{NO-BREAK SPACE}", " ") in text for caveat in sections.caveats(view))


def check_summary_fits_a_terminal(case):
    text = summary(audit_of(case))
    assert text.startswith("fairfer audit")
    assert text.endswith("\n")
    assert "Key findings" in text
    assert "Caveats: " in text
    assert "Accuracy" in text or "Subset accuracy" in text
    assert "Coverage" in text
    lines = [line for line in text.splitlines() if " " in line.strip()][1:]
    assert all(len(line) <= 100 for line in lines) or case in ("long names", "markup in names")
    assert not re.search(r"None|nan\b|  \w+\(", text)


CHECKS = (
    check_figures_are_complete,
    check_figure_files_are_valid_and_undated,
    check_page_is_valid_and_self_contained,
    check_links_lead_to_files_of_the_report,
    check_page_is_accessible,
    check_page_has_every_figure_once,
    check_page_starts_with_the_summary,
    check_summary_fits_a_terminal,
)


COMPLETE = "scores, votes, subjects and inferred groups"
"""An audit with every kind of figure, except those of other commands."""
QUICK = (
    COMPLETE,
    "no attributes",
    "markup in names",
    "three faces",
    "several labels per face",
)
"""The audits whose reports are tested in every run of the suite."""


@pytest.mark.parametrize("case", [c if c in QUICK else pytest.param(c, marks=pytest.mark.slow) for c in AUDITS])
def test_every_audit_has_a_valid_report(case):
    """One test per audit: its figures are drawn once for all checks."""
    for check in CHECKS:
        check(case)
    if case == COMPLETE:
        of_other_commands = {"probes", "relevance_map", "relevance_faces"}
        assert {p.kind for p in figures_of(case)} == set(FIGURES) - of_other_commands


def test_markup_in_names_is_escaped():
    text = page_of("markup in names")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert text.count("</title>") == 1
    for picture in figures_of("markup in names"):
        assert b"<script" not in picture.svg
        assert re.fullmatch(r"[a-z0-9-]+", picture.name)
    assert any(b"$" in p.svg for p in figures_of("markup in names")), "names are not typeset as mathematics"


def test_control_characters_in_names_do_not_reach_the_terminal():
    found = audit_of("three faces")
    audit = found.model_copy(update={"model": found.model.model_copy(update={"name": "a\x1b[31m\n::stop-commands::x"})})
    text = summary(audit)
    assert "\x1b" not in text
    assert "::" not in text


# Files


@pytest.mark.parametrize("case", ["no attributes", pytest.param(COMPLETE, marks=pytest.mark.slow)])
def test_a_report_is_complete_and_reproducible(case, tmp_path):
    audit = audit_of(case)
    first = write_report(audit, str(tmp_path / "one" / "deep"))
    assert first == tmp_path / "one" / "deep" / "report.html"
    code = "import sys, fairfer; fairfer.write_report(fairfer.Audit.read(sys.argv[1]), sys.argv[2])"
    arguments = [sys.executable, "-W", "error", "-c", code, str(first.parent), str(tmp_path / "two")]
    # Another process with another hash seed: the order of sets must not matter.
    subprocess.run(arguments, check=True, env={**os.environ, "PYTHONHASHSEED": "7", "MPLBACKEND": "svg"})
    one, two = (
        {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        for root in (first.parent, tmp_path / "two")
    )
    assert one == two
    names = {n.as_posix() for n in one}
    figures = {f"figures/{q.name}.{suffix}" for p in figures_of(case) for q in (p, p.narrow) if q for suffix in ("svg", "png")}
    tables = {f"tables/{name}" for name in sections.csv_files(View(audit))}
    assert names == {"audit.json", "report.html"} | figures | tables
    assert type(audit).read(tmp_path / "two") == audit


@pytest.mark.usefixtures("few_figures")
def test_figures_of_an_earlier_report_are_removed_and_other_files_kept(tmp_path):
    write_report(audit_of("own labels"), tmp_path)
    assert (tmp_path / "figures" / "overview-hand.svg").is_file()
    (tmp_path / "figures" / "emotion-bored.png").write_bytes(b"")
    (tmp_path / "figures" / "my-own.png").write_bytes(b"")
    (tmp_path / "figures" / "overview-of-mine.txt").write_bytes(b"")
    write_report(audit_of("no attributes"), tmp_path)
    names = {p.name for p in (tmp_path / "figures").iterdir()}
    assert "overview-hand.svg" not in names
    assert "emotion-bored.png" not in names
    assert {"my-own.png", "overview-of-mine.txt", "overview-everyone.svg"} <= names


def test_settings_of_the_users_matplotlib_have_no_effect():
    import matplotlib as mpl

    kinds = ("overview", "composition")
    before = dict(mpl.rcParams)
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "red", "svg.hashsalt": "mine", "text.parse_math": True}):
        again = draw(audit_of("three faces"), kinds)
    assert [p.svg for p in again] == [p.svg for p in figures_of("three faces", kinds)]
    assert dict(mpl.rcParams) == before


@pytest.mark.usefixtures("few_figures")
def test_a_folder_that_cannot_be_written_is_a_usage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_report(audit_of("three faces"), tmp_path / "file")


@pytest.mark.usefixtures("few_figures")
def test_an_error_while_rendering_leaves_the_folder_unchanged(tmp_path, monkeypatch):
    write_report(audit_of("three faces"), tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    monkeypatch.setattr("fairfer.report.sections.caveats", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(audit_of("no attributes"), tmp_path)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


# Tables


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def tables_of(audit):
    return sections.csv_files(View(audit))


def test_rates_csv_has_exactly_these_columns_and_reads_back():
    audit = audit_of("small and empty cells")
    table = tables_of(audit)["rates.csv"]
    assert table.splitlines()[0] == "label,attribute,group,rate,value,numerator,denominator,low,high,status,subjects"
    rows = rows_of(table)
    assert len(rows) == len(audit.rates)
    for row, expected in zip(rows, audit.rates, strict=True):
        for name, value in expected.model_dump(include=set(row)).items():
            text = group_name(value) if isinstance(value, tuple) else "" if value is None else str(value)
            assert row[name] == text
    empty = [r for r in rows if r["status"] == "empty"]
    assert empty
    assert {r["value"] for r in empty} == {""}


def test_counts_composition_and_gaps_csv_agree_with_the_audit():
    audit = audit_of(FIRST)
    files = tables_of(audit)
    counts = [(grouping_name(c.attribute), group_name(c.group), c.label, c.tp, c.fn, c.fp, c.tn) for c in audit.counts]
    assert [(*list(r.values())[:3], *map(int, list(r.values())[3:])) for r in rows_of(files["counts.csv"])] == counts
    gaps = rows_of(files["gaps.csv"])
    assert [r["difference"] for r in gaps] == ["" if g.difference is None else repr(g.difference) for g in audit.gaps]
    composition = rows_of(files["dataset_composition.csv"])
    assert list(composition[0]) == ["attribute", "group", "label", "samples", "share_of_group", "share_of_label"]
    for row in composition:
        assert int(row["samples"]) == audit.support(row["label"], row["attribute"], row["group"])
    everyone = [r for r in composition if r["attribute"] == "*"]
    assert sum(int(r["samples"]) for r in everyone) == audit.size()
    assert {r["share_of_label"] for r in everyone} == {"1.0"}


def test_sizes_and_supports_agree_with_the_counts():
    """They come from the denominators of coverage and TPR, which audits of both tasks have."""
    for case in (FIRST, "small and empty cells", "no predictions", "labels kept", "labels merged"):
        audit, view = audit_of(case), View(audit_of(case))
        for grouping in (EVERYONE, *view.groupings):
            for group in view.groups(grouping):
                assert view.size(grouping, group) == audit.size(grouping, group)
                for label in view.labels:
                    assert view.support(label, grouping, group) == audit.support(label, grouping, group)


def test_an_empty_group_has_no_share():
    rows = rows_of(tables_of(audit_of("small and empty cells"))["dataset_composition.csv"])
    empty = [r for r in rows if r["group"] == "non-binary"]
    assert {r["samples"] for r in empty} == {"0"}
    assert {r["share_of_group"] for r in empty} == {""}


def test_a_cell_shows_its_denominator_and_status():
    audit = audit_of("small and empty cells")
    view = View(audit)
    by_status = {r.status: cell(r) for r in audit.rates if r.rate == "TPR"}
    assert by_status["empty"] == "no faces"
    assert by_status["small"].endswith(" (too few)")
    assert "/" in by_status["ok"]
    assert cell(view.rate("TPR", "no such label")) == "no faces"
    row = view.rate("TPR", "happiness").model_copy(update={"value": None, "denominator": 0, "status": "not_estimable"})
    assert cell(row) == f"{EN} (0 faces)"
    assert cell(row.model_copy(update={"denominator": None})) == EN


def test_faces_without_a_prediction_are_in_the_counts():
    table = confusion_table(View(audit_of("no predictions")))
    assert table.columns[-2:] == (NO_ANSWER, "all")
    assert all(row[-2] == row[-1] for row in table.rows)


# Figures


def test_cells_with_too_few_faces_have_no_color(monkeypatch):
    calls = []
    original = rate_heatmaps.sns.heatmap
    monkeypatch.setattr(
        rate_heatmaps.sns, "heatmap", lambda frame, **style: (calls.append((frame, style)), original(frame, **style))[1]
    )
    audit = audit_of("small and empty cells")
    view = View(audit)
    draw(audit, ["rate", "label"])
    assert len(calls) == 4 + 3
    assert {(s["vmin"], s["vmax"], s["cmap"]) for _, s in calls} == {(0, 1, "cividis")}, "one scale in all heat maps"
    colored = sum(int(frame.notna().to_numpy().sum()) for frame, _ in calls)
    comparable = [
        r
        for a in (EVERYONE, *view.groupings)
        for g in view.groups(a)
        for label in view.labels
        for name in RATES
        if (r := view.rate(name, label, a, g)).status == "ok"
    ]
    assert colored == 2 * len(comparable), "each rate is in one heat map by rate and one by label"
    assert len(comparable) < len([r for r in audit.rates if r.rate in RATES])


def test_up_to_eight_groups_have_a_figure_for_narrow_screens():
    overviews = figures_of(FIRST, OVERVIEW)
    assert all(p.narrow and p.narrow.size[0] < 270 for p in overviews)
    assert len(overviews) == page_of(FIRST, OVERVIEW).count("<source") == 3


@pytest.mark.slow
def test_more_than_eight_groups_have_no_figure_for_narrow_screens():
    assert [p.narrow for p in figures_of("twelve groups", OVERVIEW)] == [None]


def test_the_summary_shows_the_groups_of_the_first_finding():
    audit = random_audit(
        {**RACE, **GENDER}, by=["race", "gender"], n=900, group_accuracy={("gender", "male", "happiness"): 0.2}
    )
    assert View(audit).significant[0].attribute == ("gender",)
    text = page(audit, draw(audit, ["overview"]))
    assert text.index('id="figure-overview-gender"') < text.index("<h2>Caveats</h2>") < text.index('id="figure-overview-race"')


def test_of_many_groups_the_largest_are_drawn():
    case = "very many groups"
    view = View(audit_of(case))
    assert len(view.groups(("a", "b"))) == 48
    largest = displayed_groups(view, ("a", "b"))
    assert len(largest) == MAX_DISPLAYED_GROUPS
    others = [g for g in view.groups(("a", "b")) if g not in largest]
    assert min(view.size(("a", "b"), g) for g in largest) >= max(view.size(("a", "b"), g) for g in others)
    assert omission_note(view, [(("a", "b"), largest)]) == " Of 48 groups by a and b, the 36 largest are shown."


@pytest.mark.slow
def test_figures_of_many_groups_say_so_and_their_tables_have_all():
    overview = next(p for p in figures_of("very many groups", OVERVIEW) if p.grouping == ("a", "b"))
    assert "Of 48 groups by a and b, the 36 largest are shown" in overview.caption
    pages = [p for p in figures_of("very many groups", ("rate",)) if p.name.startswith("rate-tpr")]
    assert sum(len(p.table.rows) for p in pages) == 1 + 6 + 48


# Findings


def test_findings_are_ordered_by_their_certain_size():
    view = View(audit_of(FIRST))
    findings = gap_findings(view)
    gaps = [f.gap for f in findings]
    assert 1 <= len(findings) <= 3
    assert all(is_significant(g) for g in gaps)
    sizes = [g.leading.certain_size for g in gaps]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == max(g.leading.certain_size for g in audit_of(FIRST).gaps if g.significant) > 0
    first = findings[0]
    assert first.statement.startswith("Women's happy faces are recognized more often than men's")
    assert re.fullmatch(r"happiness TPR 0\.\d\d vs\. 0\.\d\d", first.rates)
    assert re.fullmatch(
        rf"statistically significant \(q [=<] 0\.\d+\); difference 0\.\d\d \(0\.\d\d{EN}0\.\d\d\)", first.certainty
    )
    assert headline(view).count("95 % confidence bounds") == 1
    assert re.fullmatch(r"\d+ of \d+ vs\. \d+ of \d+", first.counts)
    assert len({(g.label, g.rate) for g in gaps}) == len(gaps), "an intersection does not repeat a finding"


def test_the_numbers_of_a_finding_are_those_of_the_audit():
    """Recomputed from the counts."""
    audit = audit_of(FIRST)
    finding = gap_findings(View(audit))[0]
    values, counts = [], []
    for group in (("female",), ("male",)):
        [row] = [c for c in audit.counts if (c.attribute, c.group, c.label) == (finding.gap.attribute, group, "happiness")]
        hits, total = row.tp, row.tp + row.fn
        values.append(f"{hits / total:.2f}")
        counts.append(f"{hits} of {total}")
    assert finding.rates == f"happiness TPR {' vs. '.join(values)}"
    assert finding.counts == " vs. ".join(counts)


@cache
def one_against_all():
    """Ten groups; in one of them happiness is recognized less often than in all others."""
    races = [f"race {i}" for i in range(4)] + ["black"]
    return random_audit(
        {"race": races, "gender": ["female", "male"]},
        by=["race"],
        n=3000,
        labels=THREE[:2],
        accuracy=0.8,
        group_accuracy={("race", "black", "happiness"): 0.45},
        source="annotated",
    )


def with_leading(audit, difference):
    """The same audit with only this difference in its first gap, and that gap alone."""
    gap = View(audit).tested[0].model_copy(update={"differences": [difference]})
    return audit.model_copy(update={"gaps": [gap]})


def test_a_group_and_the_rest_are_named_with_the_sums_of_the_rest():
    """Rates and counts are those of the group and of all other compared groups, which are summed."""
    audit = one_against_all()
    gap = View(audit).tested[0]
    assert (gap.label, gap.rate) == ("happiness", "TPR")
    [rest] = [d for d in gap.differences if d.reference is None and d.group == ("black",)]
    assert rest.significant
    assert rest.difference < 0
    audit = with_leading(audit, rest)
    [finding] = gap_findings(View(audit))
    assert finding.statement == "Black people's happy faces are recognized less often than those of all other groups together"
    rows = {c.group: c for c in audit.counts if (c.attribute, c.label) == (("race",), "happiness")}
    black = rows.pop(("black",))
    hits, trials = sum(c.tp for c in rows.values()), sum(c.tp + c.fn for c in rows.values())
    assert finding.counts == f"{black.tp} of {black.tp + black.fn} vs. {hits:,} of {trials:,}"
    assert finding.rates == (
        f"happiness TPR {rate(black.tp / (black.tp + black.fn))} vs. {rate(hits / trials)} "
        "(1 significant difference among 5 groups)"
    )
    assert rest.difference == pytest.approx(black.tp / (black.tp + black.fn) - hits / trials)
    size = f"{rate(-rest.difference)} ({rate(-rest.high)}{EN}{rate(-rest.low)})"
    assert finding.certainty == f"statistically significant ({probability('q', gap.q)}); difference {size}"
    [row] = differences_table(View(audit)).rows
    assert row[3:5] == ("black", "the rest")
    [line] = rows_of(tables_of(audit)["differences.csv"])
    assert (line["group"], line["reference"], line["significant"]) == ("black", "", "True")
    assert float(line["low"]) == rest.low


def test_groups_that_are_not_compared_are_no_part_of_the_rest():
    audit = one_against_all()
    gap = View(audit).tested[0]
    [rest] = [d for d in gap.differences if d.reference is None and d.group == ("black",)]
    groups = [g for g in gap.groups if g != ("race 0",)]
    excluded = [ExcludedGroup(group=("race 0",), reason="small", denominator=3)]
    gap = gap.model_copy(update={"differences": [rest], "groups": groups, "excluded": excluded})
    view = View(audit.model_copy(update={"gaps": [gap]}))
    assert sentence(view, gap, rest).endswith("than those of all other compared groups together")
    assert ("race 0",) not in view.sides(gap, rest)[1].groups


def test_the_number_of_significant_differences_is_stated():
    gap = View(one_against_all()).tested[0]
    number = sum(d.significant for d in gap.differences)
    assert number > 1
    assert f"({number} significant differences among 5 groups)" in gap_findings(View(one_against_all()))[0].rates


def test_a_borderline_gap_is_said_to_be_borderline():
    """In the finding, the headline, the title of the figure and the table; also where it is not significant."""
    for changes in ({"borderline": True}, {"borderline": True, "significant": False, "q": 0.051}):
        audit = audit_of(FIRST)
        gap = View(audit).tested[0].model_copy(update=changes)
        audit = audit.model_copy(update={"gaps": [gap]})
        view = View(audit)
        assert "borderline: more permutations could change the result" in gap_findings(view)[0].certainty
        assert "1 gap is borderline" in headline(view)
        assert gaps_table(view).rows[0][-1] == ("significant" if gap.significant else "not significant") + ", borderline"
        [picture] = draw(audit, ["gaps"])
        assert picture.title.endswith("1 is borderline")


def test_a_gap_that_cannot_be_significant_is_not_among_the_tested():
    audit = random_audit(GENDER, n=300, accuracy=1.0)
    view = View(audit)
    assert not view.tested
    assert {g.status for g in audit.gaps} == {"no_variation"}
    cells = {row[-1] for row in gaps_table(view).rows}
    assert "cannot be significant: 300 of 300 in all groups" in cells
    [finding] = gap_findings(view)
    assert finding.statement.startswith("No gap could be tested: in no rate could a difference")
    text = Page(page(audit, draw(audit, ["overview"]))).text
    assert f"{len(audit.gaps)} gaps cannot be significant: nearly all faces" in text


def test_bounds_are_shown_for_significant_gaps_only():
    """A gap that is not significant has an upper bound, of any pair of groups."""
    view = View(audit_of("labels dropped"))
    [finding] = gap_findings(view)
    nearest = view.tested[0]
    assert finding.certainty.endswith(f"no two groups differ by more than {rate(nearest.high)} (95 % upper bound)")
    assert all(d.low is None and d.high is None for g in view.tested for d in g.differences)
    assert "confidence bounds" not in summary(view.audit)
    assert differences_table(view).rows == ()


def test_bounds_of_the_other_sign_have_signs():
    difference = View(audit_of(FIRST)).tested[0].leading
    crossing = difference.model_copy(update={"difference": -0.2, "low": -0.41, "high": 0.012})
    assert size_with_bounds(crossing) == "0.20 (\N{MINUS SIGN}0.01 to +0.41)"


def test_a_caveat_of_a_finding_is_shown_everywhere(monkeypatch):
    audit = audit_of("own labels")
    finding = KeyFinding("A statement", rates="fear TPR 0.10 vs. 0.20", certainty="q = 0.01", caveat="Only one actor")
    monkeypatch.setattr(sections, "key_findings", lambda _: [finding])
    monkeypatch.setattr("fairfer.report.summary.key_findings", lambda _: [finding])
    pictures = draw(audit, ["overview"])
    for text in (page(audit, pictures), fragment(audit, pictures), summary(audit)):
        assert text.count("Only one actor") == 1
        assert text.index("A statement") < text.index("Only one actor")


def pair(group, reference):
    return GroupDifference(group=group, reference=reference, difference=0.1, low=None, high=None, p=0.5, significant=False)


def gap_of(view, **changes):
    return view.tested[0].model_copy(update=changes)


def unquoted(text):
    return text.replace("\N{LEFT SINGLE QUOTATION MARK}", "'").replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")


@pytest.mark.parametrize(
    ("label", "name", "grouping", "group", "reference", "expected"),
    [
        (
            "happiness", "TPR", ("gender",), ("female",), ("male",),
            "Women's happy faces are recognized more often than men's (gender inferred)",
        ),
        (
            "anger", "FPR", ("gender",), ("male",), ("female",),
            "Men are misclassified as angry more often than women (gender inferred)",
        ),
        (
            "neutral", "TPR", ("gender", "race"), ("male", "white"), ("female", "black"),
            "White men's neutral faces are recognized more often than Black women's (gender and race inferred)",
        ),
        (
            "*", "accuracy", ("race",), ("white",), ("black",),
            "White people are classified correctly more often than Black people (race inferred)",
        ),
        (
            "*", "coverage", ("gender",), ("male",), ("female",),
            "The model returns a prediction more often for men than for women (gender inferred)",
        ),
        (
            "*", "subset accuracy", ("gender",), ("male",), ("female",),
            "Subset accuracy is higher for men than for women (gender inferred)",
        ),
        (
            "*", "Hamming loss", ("gender",), ("female",), ("male",),
            "Hamming loss is higher for women than for men (gender inferred)",
        ),
        (
            "bored", "TPR", ("hand",), ("right",), ("left",),
            ("Faces labeled 'bored' of people in group 'right' (hand) are recognized more often "
            "than those of people in group 'left'"),
        ),
        (
            "bored", "FPR", ("hand",), ("left",), ("right",),
            "People in group 'left' (hand) are misclassified as 'bored' more often than people in group 'right'",
        ),
        (
            "anger", "TPR", ("gender", "race"), ("female", "black"), None,
            ("Black women's angry faces are recognized {} often than those of all other groups together "
            "(gender and race inferred)"),
        ),
        (
            "bored", "TPR", ("hand",), ("left",), None,
            ("Faces labeled 'bored' of people in group 'left' (hand) are recognized {} often than those of all other groups "
            "together"),
        ),
        (
            "anger", "FPR", ("race",), ("other",), None,
            ("People in group 'other' (race) are misclassified as angry {} often than all other groups together "
            "(race inferred)"),
        ),
        (
            "*", "accuracy", ("race",), ("black",), None,
            "Black people are classified correctly {} often than all other groups together (race inferred)",
        ),
        (
            "*", "coverage", ("race",), ("black",), None,
            "The model returns a prediction {} often for Black people than for all other groups together (race inferred)",
        ),
    ],
)  # fmt: skip
def test_a_difference_as_a_sentence(label, name, grouping, group, reference, expected):
    view = View(audit_of(FIRST))
    gap = gap_of(view, label=label, rate=name, attribute=grouping, excluded=[])
    difference = pair(group, reference)
    assert unquoted(sentence(view, gap, difference)) == expected.format("more")
    if reference is None:
        less = difference.model_copy(update={"difference": -0.1})
        assert unquoted(sentence(view, gap, less)) == expected.format("less")


@pytest.mark.parametrize("source", ["self-reported", "annotated", "unstated"])
def test_only_inferred_attributes_are_called_inferred(source):
    audit = random_audit(
        {**GENDER, **RACE}, by=["gender,race"], n=900, group_accuracy={("gender", "male", "happiness"): 0.2}, source=source
    )
    text = summary(audit) + page(audit, draw(audit, ["overview"]))
    assert not re.search(r"\binferred\b", text.partition('id="glossary"')[0])
    assert re.search({"unstated": "of unstated source"}.get(source, source), text)


def test_inferred_attributes_are_always_marked():
    view = View(audit_of(FIRST))
    assert all("inferred" in f.statement for f in gap_findings(view))
    assert sum("is inferred by a model" in line for line in sections.caveats(view)) == 2
    for picture in figures_of(FIRST, OVERVIEW):
        assert "inferred" in picture.title


def test_sources_are_marked_per_attribute_when_they_differ():
    audit = audit_of(FIRST)
    gender = audit.data.attributes[0].model_copy(update={"source": "self-reported"})
    data = audit.data.model_copy(update={"attributes": [gender, audit.data.attributes[1]]})
    view = View(audit.model_copy(update={"data": data}))
    gap = gap_of(view, label="fear", rate="FPR", attribute=("gender", "race"))
    assert sentence(view, gap, pair(("female", "black"), ("male", "white"))).endswith("(race inferred)")
    assert ("gender (self-reported) and race (inferred)", "all", "accuracy") in {row[:3] for row in gaps_table(view).rows}


def test_without_a_significant_gap_the_closest_is_reported():
    view = View(audit_of("labels dropped"))
    [finding] = gap_findings(view)
    assert finding.gap is None
    assert finding.statement == f"No gap is statistically significant among the {len(view.tested)} tested"
    assert finding.rates.startswith("closest to significance: ")
    assert re.fullmatch(r"(q = \d(\.\d+)?|q > 0\.99); no two groups differ by more than .*", finding.certainty)
    assert re.match(
        rf"Gaps expected by chance, depending on emotion and grouping: 0\.\d\d{EN}0\.\d\d for TPR and ",
        headline(view),
    )


@pytest.mark.parametrize(
    ("case", "statement"),
    [
        ("no attributes", "No groups were compared"),
        ("one group", "No gap could be tested"),
        ("three faces", "No gap could be tested"),
        ("no predictions", "No gap could be tested: in no rate"),
    ],
)
def test_the_reason_for_no_finding_is_stated(case, statement):
    [finding] = gap_findings(View(audit_of(case)))
    assert finding.statement.startswith(statement)
    assert finding.rates == finding.certainty == ""
    assert statement in summary(audit_of(case))


def test_the_number_of_significant_gaps_is_stated():
    view = View(audit_of(FIRST))
    significant = [g for g in audit_of(FIRST).gaps if g.q is not None and g.q < 0.05]
    assert f"{len(significant)} of {len(view.tested)} tested gaps are statistically significant" in headline(view)
    audit = random_audit(group_accuracy={("gender", "male", "happiness"): 0.2}, n=900)
    [gap] = [g for g in audit.gaps if g.rate == "TPR" and g.label == "happiness"]
    assert headline(View(audit.model_copy(update={"gaps": [gap]}))).startswith(
        "1 of 1 tested gap is statistically significant (FDR-adjusted p < 0.05). In parentheses: 95 % confidence bounds that "
        "allow for the selection of significant gaps (FCR-adjusted)."
    )


# Caveats


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("labels kept", r"Contempt is not among the model's output classes; its \d+ faces are kept and counted as missed\."),
        ("labels dropped", r"Contempt is not among the model's output classes; \d+ faces were excluded\."),
        ("labels merged", r"Contempt is not among the model's output classes; its faces count as disgust\."),
        (
            "small and empty cells",
            r"Fewer than 20 faces in the denominator: \d+ of 9 TPR values by gender \(3 with no faces\), \d+ of 6 by race",
        ),
        (
            "small and empty cells",
            r"\d+ of 70 faces have no prediction \(error: \d+ and no face detected: \d+\) and count as missed\.",
        ),
        ("small and empty cells", r"Highest share without a prediction: (fe)?male \(\d+\.\d %\)"),
        ("no predictions", r"90 of 90 faces have no prediction \(.*\) and count as missed\.$"),
        ("own labels", r"hand.* is of unstated source\."),
        ("some unannotated", r"Gender is self-reported\."),
        ("no attributes", NO_CAVEATS),
    ],
)
def test_caveats(case, expected):
    assert any(re.search(expected, line) for line in sections.caveats(View(audit_of(case))))


def test_output_classes_without_data_are_reported():
    view = View(random_audit(model_labels=(*THREE, "anger")))
    text = "Anger is among the model's output classes but not in the dataset; each such prediction is an error."
    assert text in sections.caveats(view)


def test_a_merge_without_a_source_is_reported():
    view = View(random_audit(labels=EMOTIONS, model_labels=EMOTIONS[:7], unsupported_labels="merge=Disgusted"))
    assert any("count as disgust" in line for line in sections.caveats(view))


def test_a_merge_without_effect_is_not_reported():
    view = View(random_audit(unsupported_labels="merge=neutral"))
    assert not any("output classes" in line for line in sections.caveats(view))


def test_notes_are_on_the_page_but_not_on_the_terminal():
    audit = random_audit(annotator="a network", note="weak: a third is wrong. Do not conclude anything from it.")
    text = "Gender is inferred by a model, not self-reported: a network. Weak: a third is wrong."
    assert sections.caveats(View(audit))[0] == f"{text} Do not conclude anything from it."
    assert "gender is inferred by a model" in " ".join(summary(audit).split())
    assert "Do not conclude" not in summary(audit)


def test_sample_selection_is_reported():
    steps = [Step("rows in label.csv: 3,573"), Step("unknown by the rule 'majority'", 436), Step("voted not a face", 0)]
    [line] = [s for s in sections.caveats(View(random_audit(steps=steps))) if s.startswith("Sample")]
    assert line == "Sample selection: rows in label.csv: 3,573; 436 excluded (unknown by the rule 'majority')."


def test_without_caveats_the_page_does_not_imply_that_there_are_none():
    assert NO_CAVEATS in " ".join(summary(audit_of("no attributes")).split())
    assert NO_CAVEATS in Page(page_of("no attributes", OVERVIEW)).text


# Overall rates


def test_the_lowest_group_is_an_annotated_one():
    audit = audit_of("some unannotated")
    rates = [r.model_copy(update={"value": 0.0}) if r.group == (UNANNOTATED,) else r for r in audit.rates]
    line = overall(View(audit.model_copy(update={"rates": rates})))
    assert "Lowest group" in line
    assert UNANNOTATED not in line
    assert "Lowest group" not in overall(View(audit_of("one group"))), "with one group there is no comparison"


def test_missing_intervals_and_commands_are_omitted():
    audit = audit_of("no attributes")
    rates = [r.model_copy(update={"low": None, "high": None}) if r.rate == "accuracy" else r for r in audit.rates]
    audit = audit.model_copy(update={"command": "", "rates": rates})
    assert re.match(r"Accuracy 0\.\d\d · Macro-F1", overall(View(audit)))
    assert "was not recorded" in page(audit, figures_of("no attributes", OVERVIEW))


def test_a_multi_label_audit_has_its_own_overall_rates_and_no_confusions():
    case = "several labels per face"
    audit, view = audit_of(case), View(audit_of(case))
    assert view.overall_rates == ["subset accuracy", "macro-F1", "weighted macro-F1", "Hamming loss", "coverage"]
    assert re.match(
        rf"Subset accuracy 0\.\d\d \(0\.\d\d{EN}0\.\d\d\) · Lowest group 0\.\d\d \(.*\) · Macro-F1 0\.\d\d "
        rf"\(0\.\d\d{EN}0\.\d\d\) · Weighted macro-F1 0\.\d\d \(0\.\d\d{EN}0\.\d\d\) · Hamming loss 0\.\d\d · Coverage 100 %",
        overall(view),
    )
    assert overall_table(view).columns == (
        "grouping", "group", "faces", "subset accuracy", "confidence interval", "macro-F1", "weighted macro-F1", "Hamming loss",
        "coverage",
    )  # fmt: skip
    files = sections.csv_files(view)
    assert "counts.csv" in files
    assert "confusions.csv" not in files
    assert "confusions.csv" in sections.csv_files(View(audit_of("three faces")))
    text = page_of(case, OVERVIEW)
    assert 'id="confusions"' not in text
    assert "Subset accuracy" in text
    assert view.size(("gender",), ("female",)) == audit.size("gender", "female")


# The page


def test_terms_are_linked_to_the_glossary_once():
    links = [a["href"] for a in Page(page_of(FIRST, OVERVIEW)).all("a")]
    for target in ("#tpr", "#q", "#not-estimable"):
        assert links.count(target) == 1
    text = page_of(FIRST, OVERVIEW)
    assert text.index('href="#tpr"') < text.index("<h2>Caveats</h2>")


@pytest.mark.slow
def test_a_page_of_three_groupings_is_below_3_megabytes():
    assert len(page_of(FIRST).encode()) < 3_000_000
