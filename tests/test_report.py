"""Reports: what they say, what they draw, what they write, and that data can do nothing to them."""

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

from fairfer.audits.audit import audit
from fairfer.datasets.attributes import Attribute
from fairfer.datasets.dataset import DUPLICATE_GROUP, Dataset, Step
from fairfer.errors import UsageError
from fairfer.labels import FERPLUS, LabelSpace
from fairfer.predictions.predictions import Predictions
from fairfer.report import write_report
from fairfer.report.figures import draw, heatmap
from fairfer.report.figures.lettering import NAME, short
from fairfer.report.figures.selection import MOST_GROUPS, shown_groups
from fairfer.report.figures.style import COLOURS, looks_of
from fairfer.report.html import page
from fairfer.report.tables import evidence
from fairfer.report.tables import rates as tables
from fairfer.report.text.findings import NO_CARE, care, findings, headline, overall, sentence, summary
from fairfer.report.text.numbers import rate
from fairfer.report.view import RATES, View, is_found
from fairfer.vocabulary import UNANNOTATED

EN = "\N{EN DASH}"
EMOTIONS = FERPLUS.labels
THREE = ("neutral", "happiness", "fear")
GENDER = {"gender": ["female", "male"]}
RACE = {"race": ["white", "black"]}
EVIL = '<script>alert("x")</script>'


def made(
    attributes=None,
    *,
    n=400,
    labels=THREE,
    model_labels=None,
    by=(),
    hits=0.75,
    worse=None,
    silent=0.0,
    source="inferred",
    whom="",
    note="",
    steps=(),
    name="made",
    command="fairfer audit made",
    nobody=(),
    votes=False,
    people=0,
    probabilities=False,
    **settings,
):
    """An audit of random answers; `worse` gives the share of hits for (attribute, level, label)."""
    attributes = GENDER if attributes is None else attributes
    draw_from = np.random.default_rng(1)
    space, said_space = LabelSpace.of("own", labels), LabelSpace.of("model", model_labels or labels)
    frame = pd.DataFrame(
        {"label": draw_from.choice(space.labels, n)}, index=pd.Index([f"s{i}" for i in range(n)], name="sample_id")
    )
    for attribute, levels in attributes.items():
        frame[attribute] = draw_from.choice([v for v in levels if v not in nobody], n)
    hit = np.full(n, hits)
    for (attribute, level, label), share in (worse or {}).items():
        hit[(frame[attribute] == level) & (frame["label"] == label)] = share
    said = np.where(draw_from.random(n) < hit, frame["label"], draw_from.choice(said_space.labels, n)).astype(object)
    said[~np.isin(said, said_space.labels)] = said_space.labels[0]
    status = np.where(draw_from.random(n) < silent, draw_from.choice(["no_face", "error"], n), "ok")
    said[status != "ok"] = None
    text = frame.astype("str")
    columns = {}
    if people:
        text["actor"] = [f"p{i}" for i in draw_from.integers(0, people, n)]
        settings["subject"] = "actor"
    if probabilities:
        for attribute, levels in attributes.items():
            columns[attribute] = {levels[0]: f"p_{attribute}"}
            likely = np.where(frame[attribute] == levels[0], 0.9, 0.2)
            text[f"p_{attribute}"] = np.clip(likely + draw_from.uniform(-0.1, 0.1, n), 0, 1)
    cast = None
    if votes:
        sharp = draw_from.uniform(0.3, 1, n)[:, None]
        expected_by_chance = sharp * np.eye(len(space.labels))[[space.labels.index(v) for v in frame["label"]]] + (
            1 - sharp
        ) / len(labels)
        cast = pd.DataFrame(
            draw_from.multinomial(10, expected_by_chance / expected_by_chance.sum(axis=1, keepdims=True)),
            index=frame.index,
            columns=list(space.labels),
        )
        text[DUPLICATE_GROUP] = [f"t{i // 2}" if i < n // 4 else "" for i in range(n)]
    dataset = Dataset(
        name=name,
        labels=space,
        samples=text,
        attributes=tuple(
            Attribute(a, tuple(v), source, whom, note, probabilities=columns.get(a, {})) for a, v in attributes.items()
        ),
        steps=tuple(steps),
        card={"layout": name},
    )
    dataset = dataset if cast is None else dataset.replace(votes=cast)
    rows = pd.DataFrame({"status": status, "predicted": said, "detail": "", "image": ""}, index=frame.index)
    predictions = Predictions(name, "1", said_space, {"kind": name}, dataset.images_digest, rows)
    return audit(dataset, predictions, by, date="2026-11-22", command=command, **{"permutations": 300, **settings})


BOTH = ["gender", "race", "gender,race"]
AUDITS = {
    "two groupings and their intersection": lambda: made(
        {**GENDER, **RACE}, by=BOTH, n=900, worse={("gender", "male", "happiness"): 0.2}
    ),
    "votes, people and doubt": lambda: made(
        {**GENDER, **RACE},
        by=BOTH,
        n=900,
        worse={("gender", "male", "happiness"): 0.2},
        votes=True,
        people=150,
        probabilities=True,
        standardize=["vote_entropy"],
    ),
    "votes and few faces": lambda: made(by=["gender"], n=40, votes=True, standardize=["vote_entropy"]),
    "two labels": lambda: made({**GENDER, **RACE}, by=BOTH, labels=THREE[:2], silent=0.05),
    "no attributes": lambda: made({}),
    "one group": lambda: made({"gender": ["female"]}),
    "twelve groups": lambda: made(
        {"age": [f"{10 * i}-{10 * i + 9}" for i in range(12)]}, n=1500, worse={("age", "0-9", "fear"): 0}, nobody=("110-119",)
    ),
    "own labels": lambda: made({"hand": ["left", "right"]}, labels=("bored", "eager"), source="unstated"),
    "many labels": lambda: made({"hand": ["left", "right"]}, labels=[f"label {i} of them" for i in range(12)], n=600),
    "labels kept": lambda: made(labels=EMOTIONS, model_labels=EMOTIONS[:7], unsupported_labels="keep"),
    "long names": lambda: made({"a " * 60: ["b" * 80 + "1", "b" * 80 + "2"]}, labels=("c" * 90, "d e " * 20, "x")),
    "evil names": lambda: made(
        {EVIL: [EVIL, "$x^2$ & 'y'"]},
        labels=(EVIL, "$\\frac", "</title>"),
        name=EVIL,
        note=EVIL,
        whom=EVIL,
        command=EVIL,
        steps=[Step(f"{EVIL} 3", 3)],
    ),
    "other scripts": lambda: made({"\u6027\u522b": ["\u5973", "\u7537"]}, labels=("\u6012\u308a", "\u559c\u3073", "a\x07b")),
    "small and empty cells": lambda: made(
        {"gender": ["female", "male", "non-binary"], **RACE}, by=BOTH, n=70, silent=0.2, nobody=("non-binary",)
    ),
    "very many groups": lambda: made(
        {"a": [f"a{i}" for i in range(6)], "b": [f"b{i}" for i in range(8)]}, by=["a", "a,b"], n=2000, labels=THREE[:2]
    ),
    "some unannotated": lambda: made({"gender": ["female", "male", UNANNOTATED]}, source="self-reported"),
    "three faces": lambda: made(n=3),
    "no answers": lambda: made(n=90, silent=1.0),
}
TOLD = {
    "labels dropped": lambda: made(labels=EMOTIONS, model_labels=EMOTIONS[:7]),
    "labels merged": lambda: made(labels=EMOTIONS, model_labels=EMOTIONS[:7], unsupported_labels="merge=contempt:disgust"),
}
"""Audits that only the words are tested on."""


@cache
def of(case):
    return (AUDITS | TOLD)[case]()


@cache
def drawn(case):
    """Pictures of an audit; any warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return draw(of(case))


class Page(html.parser.HTMLParser):
    """Everything a page holds: elements with their attributes, and the text."""

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
def shown(case):
    return page(of(case), drawn(case))


FIRST = "two groupings and their intersection"


def _every_figure_has_its_table_and_says_what_it_shows(case):
    pictures = drawn(case)
    for picture in pictures:
        assert picture.title
        assert picture.caption.endswith(".")
        assert picture.table.rows
        assert {len(row) for row in picture.table.rows} == {len(picture.table.columns)}
        assert picture.table.heads < len(picture.table.columns)
    names = [q.name for p in pictures for q in (p, p.slim) if q]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]+", n) for n in names)
    view = View(of(case))
    sections = [p.section for p in pictures]
    groupings = max(1, len(view.groupings))
    assert sections.count("overview") == sections.count("bars") == groupings
    assert sections.count("rate") % len(RATES) == 0
    assert sections.count("emotion") >= len(view.labels)
    assert "faces" in sections


def _pictures_are_whole_and_hold_no_date(case):
    for picture in drawn(case):
        ET.fromstring(picture.svg)  # noqa: S314 - our own
        assert b"date" not in picture.svg
        assert b"Matplotlib" not in picture.svg
        image = Image.open(io.BytesIO(picture.png))
        image.verify()
        assert "Software" not in image.info
        assert max(image.size) < 8000, "a picture must be one that can be looked at"


def _the_page_is_sound_and_loads_nothing(case):
    found = Page(shown(case))
    assert len(found.all("h1")) == 1
    assert found.all("html") == [{"lang": "en-GB"}]
    assert {t for t, _ in found.elements} >= {"header", "main", "nav", "footer"}
    assert not found.all("script", "iframe", "object", "embed", "link", "form", "base")
    policy = next(a["content"] for a in found.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    for attributes in (a for _, a in found.elements):
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "srcset"):
            assert attributes.get(name, "data:image/svg+xml;base64,").startswith("data:image/svg+xml;base64,")
        assert re.match(r"#|(figures|tables)/[\w.-]+$|audit\.json$", attributes.get("href", "#")), attributes
    assert not re.search(r"url\(|@import", shown(case).partition("</style>")[0])
    ids = [a["id"] for _, a in found.elements if "id" in a]
    assert len(set(ids)) == len(ids)
    assert {a["href"][1:] for a in found.all("a") if a["href"].startswith("#")} <= set(ids)


def _the_page_can_be_heard(case):
    found = Page(shown(case))
    assert all(a["alt"] for a in found.all("img"))
    assert len(found.all("table")) == len(found.all("caption"))
    assert all(a.get("scope") in ("row", "col") for a in found.all("th"))
    levels = [int(t[1]) for t, _ in found.elements if re.fullmatch("h[1-6]", t)]
    assert all(deeper - level <= 1 for level, deeper in itertools.pairwise(levels))


def _every_figure_stands_on_the_page_with_its_caption_and_file(case):
    text = shown(case)
    for picture in drawn(case):
        assert text.count(f'<figure id="figure-{picture.name}">') == 1
        assert f'href="figures/{picture.name}.svg"' in text
    found = Page(text)
    assert len(found.all("figure")) == len(found.all("figcaption")) == len(drawn(case))


def _the_first_screen_comes_first(case):
    text = Page(shown(case)).text
    told = findings(View(of(case)))
    places = [text.index("What we found"), text.index("Read with care"), text.index("Overall accuracy"), text.index("Glossary")]
    assert places == sorted(places)
    flat = text.replace("\N{NO-BREAK SPACE}", " ")
    assert places[0] < flat.index(told[0].what) < places[1]
    assert flat.index(overall(View(of(case)))) < flat.index("Versions and digests")


def _the_summary_fits_a_terminal(case):
    text = summary(of(case))
    assert text.startswith("fairfer audit")
    assert text.endswith("\n")
    assert "Read with care" in text
    assert "Overall accuracy" in text
    assert all(len(line) <= 100 for line in text.splitlines() if " " in line.strip()) or case in ("long names", "evil names")
    assert not re.search(r"None|nan\b|  \w+\(", text)


CHECKS = (
    _every_figure_has_its_table_and_says_what_it_shows,
    _pictures_are_whole_and_hold_no_date,
    _the_page_is_sound_and_loads_nothing,
    _the_page_can_be_heard,
    _every_figure_stands_on_the_page_with_its_caption_and_file,
    _the_first_screen_comes_first,
    _the_summary_fits_a_terminal,
)


@pytest.mark.parametrize("case", AUDITS)
def test_any_audit_makes_a_sound_report(case):
    """One test for each audit, not one for each check of each: drawing takes longest, and is done once."""
    for check in CHECKS:
        check(case)


def test_names_from_data_are_inert():
    text = shown("evil names")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert text.count("</title>") == 1
    for picture in drawn("evil names"):
        assert b"<script" not in picture.svg
        assert b"$" in b"".join(p.svg for p in drawn("evil names")), "no mathematics is made of a name"
        assert re.fullmatch(r"[a-z0-9-]+", picture.name)


def test_long_names_stay_apart_in_pictures():
    names = ["b" * 80 + "1", "b" * 80 + "2"]
    assert len({short(n) for n in names}) == 2
    assert all(len(short(n)) <= NAME for n in names)
    assert short("as it is") == "as it is"


# What is written


def test_a_report_is_written_whole_and_the_same_every_time(tmp_path):
    found = of("two labels")
    first = write_report(found, tmp_path / "one" / "deep")
    assert first == tmp_path / "one" / "deep" / "report.html"
    again = (
        "import sys, pathlib, fairfer; a, b = map(pathlib.Path, sys.argv[1:]); fairfer.write_report(fairfer.Audit.read(a), b)"
    )
    arguments = [sys.executable, "-W", "error", "-c", again, str(first.parent), str(tmp_path / "two")]
    # Another process with another hash seed: no order of a set may show.
    subprocess.run(arguments, check=True, env={**os.environ, "PYTHONHASHSEED": "7", "MPLBACKEND": "svg"})
    one, two = (
        {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        for root in (first.parent, tmp_path / "two")
    )
    assert one == two
    names = {str(n.as_posix()) for n in one}
    assert {"audit.json", "report.html", *(f"tables/{n}.csv" for n in ("rates", "gaps", "counts", "faces"))} <= names
    pictures = {n for n in names if n.startswith("figures/")}
    assert pictures == {
        f"figures/{q.name}.{kind}" for p in drawn("two labels") for q in (p, p.slim) if q for kind in ("svg", "png")
    }
    written = {n for n in names if n.startswith("tables/")}
    assert len(one) == 2 + len(written) + len(pictures)
    assert {n.removeprefix("tables/") for n in written} == {
        *tables.csv_files(of("two labels")),
        *evidence.csv_files(of("two labels")),
    }
    assert type(found).read(tmp_path / "two") == found


def test_figures_of_an_earlier_report_go_and_other_files_stay(tmp_path):
    write_report(of("own labels"), tmp_path)
    (tmp_path / "figures" / "my-own.png").write_bytes(b"")
    (tmp_path / "figures" / "overview-of-mine.txt").write_bytes(b"")
    write_report(of("no attributes"), tmp_path)
    left = {p.name for p in (tmp_path / "figures").iterdir()}
    assert "overview-hand.svg" not in left
    assert "label-bored.png" not in left
    assert {"my-own.png", "overview-of-mine.txt", "overview-everyone.svg"} <= left


def test_settings_of_the_users_matplotlib_change_nothing():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "red", "svg.hashsalt": "mine", "text.parse_math": True}):
        again = draw(of("three faces"))
    assert [p.svg for p in again] == [p.svg for p in drawn("three faces")]
    assert dict(mpl.rcParams) == before


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_report(of("three faces"), tmp_path / "file")


def test_a_failed_page_leaves_the_folder_alone(tmp_path, monkeypatch):
    write_report(of("three faces"), tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    monkeypatch.setattr("fairfer.report.html.narrative.care", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(of("no attributes"), tmp_path)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


# Tables


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_rates_csv_has_exactly_these_columns_and_reads_back():
    found = of("small and empty cells")
    text = tables.csv_files(found)["rates.csv"]
    assert text.splitlines()[0] == "label,attribute,group,rate,value,numerator,denominator,low,high,status"
    rows = rows_of(text)
    assert len(rows) == len(found.rates)
    for row, held in zip(rows, found.rates, strict=True):
        for name, value in held.model_dump(include=set(row)).items():
            assert row[name] == ("" if value is None else str(value))
    empty = [r for r in rows if r["status"] == "empty"]
    assert empty
    assert {r["value"] for r in empty} == {""}


def test_counts_faces_and_gaps_csv_agree_with_the_audit():
    found = of(FIRST)
    files = tables.csv_files(found)
    assert [{**r, "n": int(r["n"])} for r in rows_of(files["counts.csv"])] == [c.model_dump() for c in found.counts]
    gaps = rows_of(files["gaps.csv"])
    assert [r["difference"] for r in gaps] == ["" if g.difference is None else repr(g.difference) for g in found.gaps]
    faces = rows_of(files["faces.csv"])
    assert list(faces[0]) == ["attribute", "group", "label", "faces", "share_of_group", "share_of_label"]
    for row in faces:
        assert int(row["faces"]) == found.support(row["label"], row["attribute"], row["group"])
    everyone = [r for r in faces if r["attribute"] == "*"]
    assert sum(int(r["faces"]) for r in everyone) == found.size()
    assert {r["share_of_label"] for r in everyone} == {"1.0"}


def test_faces_of_nobody_have_no_share():
    rows = rows_of(tables.csv_files(of("small and empty cells"))["faces.csv"])
    nobody = [r for r in rows if r["group"] == "non-binary"]
    assert {r["faces"] for r in nobody} == {"0"}
    assert {r["share_of_group"] for r in nobody} == {""}


def test_a_cell_says_what_it_rests_on():
    view = View(of("small and empty cells"))
    by_status = {r.status: tables.cell(r) for r in of("small and empty cells").rates if r.rate == "TPR"}
    assert by_status["empty"] == "nobody"
    assert by_status["small"].endswith("too few")
    assert "/" in by_status["ok"]
    assert tables.cell(view.rate("TPR", "no such label")) == "nobody"
    unknown = view.rate("TPR", "happiness").model_copy(update={"value": None, "denominator": 0, "status": "not_estimable"})
    assert tables.cell(unknown) == f"{EN} (0 faces)"
    assert tables.cell(unknown.model_copy(update={"denominator": None})) == EN


def test_unanswered_faces_stand_in_the_counts():
    table = tables.confusion_table(View(of("no answers")))
    assert {"(error)", "(no_face)"} < set(table.columns)


# Pictures


def test_cells_without_enough_faces_are_never_coloured(monkeypatch):
    seen = []
    original = heatmap.sns.heatmap
    monkeypatch.setattr(
        heatmap.sns, "heatmap", lambda frame, **style: (seen.append((frame, style)), original(frame, **style))[1]
    )
    found = of("small and empty cells")
    view = View(found)
    draw(found)
    assert len(seen) == 4 + 3
    assert {(s["vmin"], s["vmax"], s["cmap"]) for _, s in seen} == {(0, 1, "cividis")}, "one scale in all heatmaps"
    coloured = sum(int(frame.notna().to_numpy().sum()) for frame, _ in seen)
    good = [
        r
        for a in ("*", *view.groupings)
        for g in view.groups(a)
        for label in view.labels
        for name in RATES
        if (r := view.rate(name, label, a, g)).status == "ok"
    ]
    assert coloured == 2 * len(good), "each rate stands in one heatmap by rate and one by label"
    assert len(good) < len([r for r in found.rates if r.rate in RATES])


@pytest.mark.parametrize(("status", "value"), [("small", 0.0), ("small", 0.7), ("not_estimable", None), ("empty", None)])
def test_what_is_not_compared_has_no_shade(status, value):
    rate = View(of(FIRST)).rate("TPR", "fear").model_copy(update={"status": status, "value": value})
    assert np.isnan(heatmap._shade(rate))


def test_a_group_looks_the_same_everywhere_and_no_two_groups_look_alike():
    view = View(of(FIRST))
    gender, crossed = looks_of(view, "gender"), looks_of(view, "gender,race")
    race = looks_of(view, "race")
    assert len({look.colour for look in (*gender.values(), *race.values())}) == 4
    assert crossed["female,white"].marker == gender["female"].marker
    assert crossed["female,white"].colour == race["white"].colour
    assert len({look.colour for look in crossed.values()}) == 4, "bars have no markers, so colours alone must do"
    many = looks_of(View(of("twelve groups")), "age")
    assert len(set(many.values())) == 12


def test_no_group_is_red_where_another_is_green():
    reds = [c for c in COLOURS if int(c[1:3], 16) > 0xC0 and int(c[3:5], 16) < 0x70]
    assert not reds


def test_up_to_eight_groups_have_a_picture_for_telephones():
    assert [bool(p.slim) for p in drawn(FIRST) if p.section == "overview"] == [True, True, True]
    slim = next(p.slim for p in drawn(FIRST) if p.slim)
    assert slim.size[0] < 270
    assert [p.slim for p in drawn("twelve groups") if p.section == "overview"] == [None]
    assert shown(FIRST).count("<source") == 3


def test_the_first_screen_shows_the_groups_of_the_first_finding():
    found = made({**RACE, **GENDER}, by=["race", "gender"], n=900, worse={("gender", "male", "happiness"): 0.2})
    assert View(found).found[0].attribute == "gender"
    text = page(found, draw(found))
    assert text.index('id="figure-overview-gender"') < text.index("Read with care") < text.index('id="figure-overview-race"')


def test_of_very_many_groups_the_largest_are_drawn_and_said():
    case = "very many groups"
    view = View(of(case))
    assert len(view.groups("a,b")) == 48
    largest = shown_groups(view, "a,b")
    assert len(largest) == MOST_GROUPS
    assert min(view.size("a,b", g) for g in largest) >= max(view.size("a,b", g) for g in view.groups("a,b") if g not in largest)
    overview = next(p for p in drawn(case) if p.section == "overview" and p.attribute == "a,b")
    assert "Of 48 groups by a,b the 36 largest are shown" in overview.caption
    pages = [p for p in drawn(case) if p.name.startswith("rate-tpr")]
    assert sum(len(p.table.rows) for p in pages) == 1 + 6 + 48, "the tables have everyone"


# Sentences


def test_findings_stand_in_order_of_how_far_they_are_beyond_chance():
    view = View(of(FIRST))
    told = findings(view)
    gaps = [f.gap for f in told]
    assert 1 <= len(told) <= 3
    assert all(is_found(g) for g in gaps)
    margins = [g.difference - g.expected_by_chance for g in gaps]
    assert margins == sorted(margins, reverse=True)
    assert told[0].what.startswith("Women's smiles are found more often than men's")
    assert re.fullmatch(r"happiness TPR \.\d\d v \.\d\d", told[0].where)
    assert re.fullmatch(r"beyond chance \(\.\d\d\), q \.\d+", told[0].sure)
    assert re.fullmatch(r"\d+ of \d+ v \d+ of \d+", told[0].counts)
    assert len({(g.label, g.rate) for g in gaps}) == len(gaps), "an intersection does not say the same again"


def gap_of(view, **changes):
    return view.tested[0].model_copy(update=changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"label": "happiness", "rate": "TPR", "attribute": "gender", "worst": "male", "best": "female"},
            "Women's smiles are found more often than men's (gender inferred)",
        ),
        (
            {"label": "anger", "rate": "FPR", "attribute": "gender", "worst": "male", "best": "female"},
            "Men are wrongly read as angry more often than women (gender inferred)",
        ),
        (
            {"label": "neutral", "rate": "TPR", "attribute": "gender,race", "worst": "female,black", "best": "male,white"},
            "White men's neutral faces are found more often than Black women's (gender and race inferred)",
        ),
        (
            {"label": "*", "rate": "accuracy", "attribute": "race", "worst": "black", "best": "white"},
            "White people are read rightly more often than Black people (race inferred)",
        ),
        (
            {"label": "*", "rate": "coverage", "attribute": "gender", "worst": "female", "best": "male"},
            "Men get an answer more often than women (gender inferred)",
        ),
        (
            {"label": "bored", "rate": "TPR", "attribute": "hand", "worst": "left", "best": "right"},
            (
                "Faces labelled 'bored' of people in group 'right' (hand) are found more often "
                "than those of people in group 'left'"
            ),
        ),
        (
            {"label": "bored", "rate": "FPR", "attribute": "hand", "worst": "left", "best": "right"},
            "People in group 'left' (hand) are wrongly read as 'bored' more often than people in group 'right'",
        ),
    ],
)
def test_a_gap_as_a_sentence(changes, expected):
    view = View(of(FIRST))
    found = sentence(view, gap_of(view, **changes))
    assert found.replace("\N{LEFT SINGLE QUOTATION MARK}", "'").replace("\N{RIGHT SINGLE QUOTATION MARK}", "'") == expected


@pytest.mark.parametrize("source", ["self-reported", "annotated", "unstated"])
def test_only_what_a_model_inferred_is_called_inferred(source):
    found = made({**GENDER, **RACE}, by=["gender,race"], n=900, worse={("gender", "male", "happiness"): 0.2}, source=source)
    text = summary(found) + page(found, draw(found))
    assert not re.search(r"\binferred\b", text.partition('id="glossary"')[0])
    assert re.search({"unstated": "not stated"}.get(source, source), text)


def test_what_a_model_inferred_is_called_inferred_everywhere():
    view = View(of(FIRST))
    assert all("inferred" in f.what for f in findings(view))
    assert sum("is inferred by a model" in line for line in care(view)) == 2
    for picture in drawn(FIRST):
        if picture.section in ("overview", "bars"):
            assert "inferred" in picture.title
        if picture.section not in ("gaps", "standardized", "ambiguity"):
            assert b"(inferred)" in picture.svg


def test_mixed_sources_are_told_apart():
    found = of(FIRST)
    gender = found.data.attributes[0].model_copy(update={"source": "self-reported"})
    data = found.data.model_copy(update={"attributes": [gender, found.data.attributes[1]]})
    view = View(found.model_copy(update={"data": data}))
    changes = {"label": "fear", "rate": "FPR", "attribute": "gender,race", "worst": "female,black", "best": "male,white"}
    assert sentence(view, gap_of(view, **changes)).endswith("(race inferred)")
    assert ("gender (self-reported) and race (inferred)", "all", "accuracy") in {
        row[:3] for row in tables.gaps_table(view).rows
    }


def test_nothing_found_is_said_with_how_wide_chance_gaps_are():
    view = View(of("labels dropped"))
    (told,) = findings(view)
    assert told.gap is None
    assert told.what.startswith("No gap beyond what chance gives")
    assert told.where.startswith("the nearest: ")
    assert re.match(r"chance alone makes \.\d\d, q ", told.sure)
    assert re.match(
        r"With groups of these sizes chance alone makes TPR gaps as wide as \.\d\d to \.\d\d and FPR gaps", headline(view)
    )


@pytest.mark.parametrize(
    ("case", "what"),
    [
        ("no attributes", "No groups were compared"),
        ("one group", "No gap could be tested"),
        ("three faces", "No gap could be tested"),
        ("no answers", "No gap at all"),
    ],
)
def test_why_nothing_was_found(case, what):
    view = View(of(case))
    (told,) = findings(view)
    assert told.what.startswith(what)
    assert told.where == told.sure == ""
    assert f"{what}" in summary(of(case))


def test_how_many_findings_there_are_is_said():
    view = View(of(FIRST))
    count = len(view.found)
    assert f"{count} are beyond chance" in headline(view)
    one = made(worse={("gender", "male", "happiness"): 0.2}, n=900)
    only = one.model_copy(update={"gaps": [g for g in one.gaps if g.rate == "TPR" and g.label == "happiness"]})
    assert headline(View(only)) == (
        "Of 1 gap tested, one is beyond chance; q allows for the number tested. The smallest TPR gap these data could show is "
        f"{rate(only.gaps[0].minimum_detectable)} (happiness TPR by gender)."
    )


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("labels kept", r"Contempt cannot be said by this model; its \d+ faces are kept and always missed\."),
        ("labels dropped", r"Contempt cannot be said by this model; \d+ faces were left out for that\."),
        ("labels merged", r"Contempt cannot be said by this model; its faces are counted as disgust\."),
        ("small and empty cells", r"Fewer than 20 faces stand behind \d+ of 9 TPR by gender \(3 with none\), \d+ of 6 by race"),
        ("small and empty cells", r"Of 70 faces \d+ got no answer \(error \d+ and no face found \d+\); they count as missed"),
        ("small and empty cells", r"Most often without an answer: (fe)?male \(\d+\.\d %\)"),
        ("no answers", r"Of 90 faces 90 got no answer \(.*\); they count as missed\.$"),
        ("own labels", r"hand.*: it is not stated who put people into these groups, or how\."),
        ("some unannotated", r"Gender is self-reported\."),
        ("no attributes", r"^$"),
    ],
)
def test_what_is_to_be_read_with_care(case, said):
    assert any(re.search(said, line) for line in care(View(of(case))) or [""])


def test_a_model_that_says_more_than_the_data_hold():
    view = View(made(model_labels=(*THREE, "anger")))
    assert "The data never hold anger, which the model can say; every such answer is an error." in care(view)


def test_a_merge_without_a_source_is_understood():
    view = View(made(labels=EMOTIONS, model_labels=EMOTIONS[:7], unsupported_labels="merge=Disgusted"))
    assert any("counted as disgust" in line for line in care(view))


def test_a_merge_with_nothing_to_merge_is_not_mentioned():
    assert not any("cannot be said" in line for line in care(View(made(unsupported_labels="merge=neutral"))))


def test_a_note_is_whole_on_the_page_and_named_on_the_terminal():
    found = made(whom="a network", note="weak: a third is wrong. Do not conclude anything from it.")
    said = "Gender is inferred by a model, not said by the people themselves: a network. Weak: a third is wrong."
    assert care(View(found))[0] == f"{said} Do not conclude anything from it."
    assert "gender is inferred by a model" in " ".join(summary(found).split())
    assert "Do not conclude" not in summary(found)


def test_how_faces_were_chosen():
    steps = [Step("rows in label.csv: 3,573"), Step("unknown by the rule 'majority'", 436), Step("voted not a face", 0)]
    (line,) = [s for s in care(View(made(steps=steps))) if s.startswith("How")]
    assert line == "How the faces were chosen: rows in label.csv: 3,573; 436 left out (unknown by the rule 'majority')."


def test_too_few_draws_for_so_many_gaps_are_said():
    found = of(FIRST)
    few = found.model_copy(update={"plan": found.plan.model_copy(update={"permutations": 100})})
    tested = len(View(found).tested)
    assert tested / 101 > 0.05 > tested / 1001
    (line,) = [s for s in care(View(few)) if "permutations" in s]
    assert line.endswith(f"Audit again with at least {20 * tested} draws.")
    enough = found.model_copy(update={"plan": found.plan.model_copy(update={"permutations": 20 * tested})})
    assert not any("permutations" in s for s in care(View(enough)))


def test_no_remark_is_no_proof():
    assert NO_CARE in " ".join(summary(of("no attributes")).split())
    assert NO_CARE in Page(shown("no attributes")).text


def test_the_worst_group_is_never_the_unannotated_one():
    found = of("some unannotated")
    worse = [r.model_copy(update={"value": 0.0}) if r.group == UNANNOTATED else r for r in found.rates]
    line = overall(View(found.model_copy(update={"rates": worse})))
    assert "worst group" in line
    assert UNANNOTATED not in line
    assert "worst group" not in overall(View(of("one group"))), "of one group there is no worst"


def test_an_audit_without_an_interval_or_command_still_reads():
    found = of("no attributes")
    bare = [r.model_copy(update={"low": None, "high": None}) if r.rate == "accuracy" else r for r in found.rates]
    found = found.model_copy(update={"command": "", "rates": bare})
    assert re.match(r"Overall accuracy \.\d\d · answered", overall(View(found)))
    assert "was not recorded" in page(found, drawn("no attributes"))


def test_terms_are_linked_to_the_glossary_once():
    found = Page(shown(FIRST))
    links = [a["href"] for a in found.all("a")]
    for target in ("#tpr", "#q", "#not-estimable"):
        assert links.count(target) == 1
    text = shown(FIRST)
    assert text.index('href="#tpr"') < text.index("Read with care")


def test_a_page_of_three_groupings_is_small_enough_to_send():
    assert len(shown(FIRST).encode()) < 3_000_000
