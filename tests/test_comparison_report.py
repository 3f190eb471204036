"""A comparison in words, Markdown, a page and pictures: true, whole, harmless, and the same bytes each time."""

from __future__ import annotations

import base64
import re
import sys
import xml.etree.ElementTree as ET
from collections import Counter

import numpy as np
import pytest

import fairfer
import fairfer.cli.main
from fairfer.audits.comparison import Change, Comparison, GapChange, Missing, Side
from fairfer.errors import RunError
from fairfer.labels import LabelSpace
from fairfer.models.model import Prediction
from fairfer.report import comparison as versus
from fairfer.report.figures.dumbbell import draw_changes

LABELS = LabelSpace.of("two", ["anger", "fear"])
EVIL = "<script>alert(1)</script>|x"


class Reader:
    """Reads one binary digit of a picture's level as a label."""

    def __init__(self, place, labels=LABELS, name="", version="1"):
        self.place, self.labels, self.version, self.name = place, labels, version, name or f"reader{place}"

    def predict(self, images):
        said = [int(image[0, 0, 0]) // 2**self.place % 2 for image in images]
        return [Prediction("ok", np.eye(len(self.labels))[s]) for s in said]


COUNTS = {
    # truth, base, candidate, group: how many. Women are read as before but for 4, of men's anger 40 more are missed.
    (0, 0, 0, "female"): 76, (0, 1, 0, "female"): 4, (0, 1, 1, "female"): 20,
    (1, 1, 1, "female"): 90, (1, 0, 0, "female"): 10,
    (0, 0, 0, "male"): 40, (0, 0, 1, "male"): 42, (0, 1, 0, "male"): 2, (0, 1, 1, "male"): 16,
    (1, 1, 1, "male"): 90, (1, 0, 0, "male"): 10,
}  # fmt: skip


def audited(data, model, folder, **more):
    predictions = fairfer.predict(data, model, run=folder)
    found = fairfer.audit(data, predictions, ["gender"], run=folder, **{"minimum": 1, "permutations": 100, **more})
    found.write(folder / "audit.json")
    return folder


def faces_of(toy, counts, **more):
    rows = [kind for kind, n in counts.items() for _ in range(n)]
    labels = more.pop("labels", LABELS)
    ids = [f"secret-{i:04d}.png" for i in range(len(rows))]
    return toy(
        [labels.labels[t] for t, _, _, _ in rows],
        {"gender": [g for _, _, _, g in rows]},
        said=[b + 2 * c for _, b, c, _ in rows],
        labels=labels,
        ids=ids,
        **more,
    )


@pytest.fixture(scope="module")
def runs(toy_factory, tmp_path_factory):
    """Runs of two readers on `COUNTS`, and of one that reads as the second does."""
    folder = tmp_path_factory.mktemp("runs")
    data = faces_of(toy_factory, COUNTS)
    return [audited(data, Reader(i, name=f"reader{i}{n}"), folder / f"{i}{n}") for i, n in ((0, ""), (1, ""), (1, "b"))]


@pytest.fixture(scope="module")
def found(runs):
    """The first two of the runs, compared."""
    return fairfer.compare(*runs[:2])


@pytest.fixture(scope="module")
def evil(toy_factory, tmp_path_factory):
    """A comparison in which everything that has a name has one that would break a page."""
    folder = tmp_path_factory.mktemp("evil")
    labels = LabelSpace(EVIL, (f"anger{EVIL}", "fear"))
    counts = {(t, b, c, f"{g}{EVIL}"): n for (t, b, c, g), n in COUNTS.items()}
    data = faces_of(toy_factory, counts, labels=labels, name=f"data{EVIL}")
    return fairfer.compare(*(audited(data, Reader(i, labels, f"model{EVIL}", EVIL), folder / f"run{i}") for i in (0, 1)))


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run the command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def go(*arguments):
        monkeypatch.setattr(sys, "argv", ["fairfer", *map(str, arguments)])
        code = 0
        try:
            fairfer.cli.main.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return go


ARROW, MINUS = "\N{RIGHTWARDS ARROW}", "\N{MINUS SIGN}"


def test_the_lines_say_what_the_rows_say(found):
    """Accuracy, flips, how many rates changed, the worst of them and the gaps: all as planted."""
    said = versus.lines(found)
    right = [sum(n for k, n in COUNTS.items() if k[0] == k[i]) / 400 for i in (1, 2)]
    assert right == [0.845, 0.755]
    assert said[0].startswith(f"Accuracy {versus.rate(right[0])} {ARROW} {versus.rate(right[1])} ({MINUS}.09 [{MINUS}.")
    assert said[1] == f"Of 400 faces {sum(n for k, n in COUNTS.items() if k[1] != k[2])} are read differently."
    # Of men: anger is missed, so fear is said wrongly, and accuracy falls. Women's 4 changes are no more than chance.
    assert said[2] == "Of 12 rates of groups, 3 got worse and 0 better beyond chance (q below .05)."
    assert "anger TPR of " in said[3] or "fear FPR of " in said[3]
    assert ", by gender: " in said[3]
    assert f"{MINUS}.40 [" in said[3] or "+.40 [" in said[3]
    surely = [g for g in found.gaps if g.low > 0]
    assert {(g.label, g.rate) for g in surely} == {("anger", "TPR"), ("fear", "FPR"), ("*", "accuracy")}
    assert said[4] == "Of 6 gaps, 3 surely became wider and 0 narrower, each by its own interval."
    assert len(said) == 5


def test_the_lines_of_the_other_way_round_say_the_contrary(runs):
    """What got worse one way got better the other, and gaps that widened narrow."""
    said = versus.lines(fairfer.compare(runs[1], runs[0]))
    assert said[2] == "Of 12 rates of groups, 0 got worse and 3 better beyond chance (q below .05)."
    assert said[3] == "Of 6 gaps, 0 surely became wider and 3 narrower, each by its own interval."


def test_worse_and_better_know_the_direction_of_a_rate(found):
    """More hits are worse for FPR only, and nothing is either that may be chance; judged apart from the package."""
    for c in found.changes:
        sure = c.q is not None and c.q < 0.05
        fallen = c.candidate > c.base if c.rate == "FPR" else c.candidate < c.base
        assert versus.worse(c) == (sure and fallen)
        assert versus.better(c) == (sure and not fallen and c.candidate != c.base)
        assert not versus.worse(c.model_copy(update={"q": None}))
    assert sum(versus.worse(c) for c in found.changes) == 6


def test_what_was_not_compared_is_said(found):
    """Faces of one run only are counted by run, and labels of one run only bring the labels compared into the words."""
    missing = [Missing(sample_id=f"s{i}", only_in="base", why="not in the other") for i in range(2)]
    missing.append(Missing(sample_id="s9", only_in="candidate", why="label not audited in the other"))
    shown = found.model_copy(
        update={"missing": missing, "base": found.base.model_copy(update={"labels": ["anger", "fear", "sadness"]})}
    )
    said = versus.lines(shown)
    assert "Not compared: 3 faces (2 only in the base and 1 only in the candidate); comparison.json lists them." in said
    assert "Compared over the labels that both were audited in: anger, fear." in said
    assert versus.missing_table(shown).rows == (
        ("base", "not in the other", "2"),
        ("candidate", "label not audited in the other", "1"),
    )
    assert "s9" not in versus.markdown(shown)


def test_the_tables_have_every_change_and_gap_once(found):
    """No row is lost in sorting; what got worse stands first, gaps by how much wider they became."""
    rows = versus.changes_table(found).rows
    assert len(rows) == len(found.changes)
    assert len({r[:4] for r in rows}) == len(rows)
    worse = [
        ({"everyone": "*"}.get(r[0], r[0]), {"all": "*"}.get(r[2], r[2]), r[3])
        for r in rows[: sum(map(versus.worse, found.changes))]
    ]
    assert Counter(worse) == Counter((c.attribute, c.label, c.rate) for c in found.changes if versus.worse(c))
    gaps = versus.gaps_table(found).rows
    assert len(gaps) == len(found.gaps)
    assert [r[5].split(" ")[0] for r in gaps] == ["+.32", "+.32", "+.16", ".00", ".00", ".00"]


def test_no_group_is_said_to_fare_worst_where_all_fare_alike(found):
    """A gap of 0 singles out nobody, as in the report's own tables."""
    for row in versus.gaps_table(found).rows:
        base, candidate, worst_base, worst_candidate = row[3], row[4], row[6], row[7]
        assert (base == ".00") == (worst_base == "\N{EN DASH}")
        assert (candidate == ".00") == (worst_candidate == "\N{EN DASH}")


def test_an_interval_that_holds_0_looks_it(found):
    """The limits of every change are written so that a reader sees on which side of 0 they lie."""
    rows = {r[:4]: r[7] for r in versus.changes_table(found).rows}
    [women] = [c for c in found.changes if (c.attribute, c.group, c.rate) == ("gender", "female", "accuracy")]
    assert -0.005 < women.low < 0
    shown = rows["gender", "female", "all", "accuracy"]
    assert shown.split("[")[1].startswith(MINUS)


def cells(line):
    """The cells of a Markdown row, split where GitHub splits it: at bars without a backslash before them."""
    return re.split(r"(?<!\\)\|", line.strip())[1:-1]


def check_tables(text):
    """Every table of a Markdown text has as many cells in each row as in its head; how many rows there are in all."""
    found, width = 0, None
    for line in text.splitlines():
        if not line.startswith("|"):
            width = None
        elif width is None:
            width = len(cells(line))
        else:
            found += 1
            assert len(cells(line)) == width, line
    return found


def test_markdown_tables_are_whole(found, evil):
    """As many cells as columns in every row, whatever groups and labels are called."""
    for one in (found, evil):
        number = len(one.changes) + len(one.gaps) + 2  # and the line below each head
        assert check_tables(versus.markdown(one)) == number


def test_evil_names_are_text_in_markdown(evil):
    """Names of the data, the model, labels and groups cannot become markup anywhere in ``comparison.md``."""
    text = versus.markdown(evil)
    assert "&lt;script&gt;" in text
    assert [line for line in text.splitlines() if "<script" in line] == []


def test_evil_names_are_text_on_the_page(evil, tmp_path):
    """Nor on the page or in its pictures, which stay well-formed."""
    versus.write_comparison(evil, tmp_path)
    page = (tmp_path / "comparison.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    inlined = [base64.b64decode(x).decode() for x in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", page)]
    pictures = [p.read_text(encoding="utf-8") for p in tmp_path.glob("*.svg")]
    assert inlined
    assert pictures
    for svg in inlined + pictures:
        assert "<script" not in svg
        ET.fromstring(svg)  # noqa: S314 - our own picture


def test_a_comparison_is_written_whole_and_twice_the_same(found, tmp_path):
    """JSON, Markdown, page and a picture per grouping as SVG and PNG; the same bytes each time."""
    folders = [tmp_path / "one", tmp_path / "two"]
    written = []
    for folder in folders:
        assert versus.write_comparison(found, folder) == folder / "comparison.html"
        written.append({p.name: p.read_bytes() for p in folder.iterdir()})
    assert written[0] == written[1]
    pictures = {f"changes-gender.{kind}" for kind in ("svg", "png")}
    assert set(written[0]) == {"comparison.json", "comparison.md", "comparison.html"} | pictures
    assert Comparison.read(tmp_path / "one" / "comparison.json") == found
    assert written[0]["comparison.md"].decode() == versus.markdown(found)


def test_pages_name_no_face(found, tmp_path):
    """Rows about people stand in ``comparison.json`` alone."""
    versus.write_comparison(found, tmp_path)
    assert len(found.flips) == 48
    for path in tmp_path.iterdir():
        assert (b"secret-" in path.read_bytes()) == (path.name == "comparison.json"), path.name


def test_the_page_needs_and_loads_nothing(found, tmp_path):
    """A content security policy forbids everything but inlined pictures and styles; no link leads out; every line is there."""
    page = versus.write_comparison(found, tmp_path).read_text(encoding="utf-8")
    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert re.findall(r"https?:|(?:src|href)=\"(?!data:|#)", page) == []
    for line in versus.lines(found):
        assert line.replace("<", "&lt;") in page
    for table in (versus.changes_table(found), versus.gaps_table(found)):
        for row in table.rows:
            assert all(cell.replace("<", "&lt;") in page for cell in row)
    assert page.count("<tr>") == len(found.changes) + len(found.gaps) + 2


def test_pictures_say_how_many_of_their_own_rates_changed(found):
    """The title of a picture counts the dots it draws in colour: TPR and FPR of this grouping, no accuracy."""
    [picture] = draw_changes(found)
    drawn = [c for c in found.changes if c.attribute == "gender" and c.rate in ("TPR", "FPR")]
    bad, good = (sum(map(judge, drawn)) for judge in (versus.worse, versus.better))
    assert (bad, good) == (2, 0)
    assert picture.title.startswith(f"By gender, {bad} rates got worse and {good} better")


def test_a_grouping_of_too_many_groups_has_no_picture(found):
    """Twelve groups are drawn, thirteen are not; nothing fails."""
    [one] = [c for c in found.changes if (c.group, c.label, c.rate) == ("male", "anger", "TPR")]
    for number in (12, 13):
        many = [
            one.model_copy(update={"group": f"g{i}", "label": label, "rate": rate})
            for i in range(number)
            for label in ("anger", "fear")
            for rate in ("TPR", "FPR")
        ]
        pictures = draw_changes(found.model_copy(update={"changes": many}))
        assert len(pictures) == (number == 12)


def test_nothing_estimable_is_shown_as_such(found, tmp_path):
    """Rates and gaps without a number are dashes in the tables, absent in the picture, and break nothing."""
    nothing = dict.fromkeys(("base", "candidate", "change", "low", "high", "p", "q"))
    changes = [
        c.model_copy(update={**nothing, "trials": 0, "both": 0, "gained": 0, "lost": 0, "status": "not_estimable"})
        if c.attribute == "gender"
        else c
        for c in found.changes
    ]
    empty = dict.fromkeys(("base", "candidate", "change", "low", "high", "worst_base", "worst_candidate"))
    gaps = [g.model_copy(update={**empty, "status": "too_few_groups"}) for g in found.gaps]
    shown = found.model_copy(update={"changes": changes, "gaps": gaps})
    versus.write_comparison(shown, tmp_path)
    assert "nan" not in (tmp_path / "comparison.md").read_text(encoding="utf-8").casefold()
    assert "None" not in (tmp_path / "comparison.md").read_text(encoding="utf-8")
    assert versus.lines(shown)[-1].startswith("Of 0 gaps, 0 surely")
    assert all(r[5] == "\N{EN DASH}" for r in versus.gaps_table(shown).rows)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text[:100], "comparison.json"),
        (lambda text: text.replace('"schema_version": 1', '"schema_version": 9'), "schema_version"),
        (lambda text: text.replace('"samples": 400', '"samples": "many"'), "samples"),
        (lambda text: text.replace('"minimum"', '"minimal"'), "minim"),
        (lambda _: "", "comparison.json"),
    ],
)
def test_a_damaged_comparison_is_refused(damage, words, found, tmp_path):
    """One line that names the file and what is wrong with it."""
    path = tmp_path / "comparison.json"
    found.write(path)
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(RunError, match=words) as refused:
        Comparison.read(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_comparison_that_cannot_be_read_is_refused(tmp_path):
    """Missing, or no text: one line."""
    for path in (tmp_path / "none.json", tmp_path / "bytes.json"):
        (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(RunError, match=r"cannot be read .*compare again") as refused:
            Comparison.read(path)
        assert "\n" not in str(refused.value)


def test_the_schema_keeps_every_field():
    """What is written is read back equal, field by field, also where nothing could be estimated."""
    side = Side(run="r", model="m", version="1", options={"a": "b"}, labels=["anger"], predictions_digest="d")
    change = Change(
        label="anger", attribute="g", group="f", rate="TPR", trials=0, both=0, gained=0, lost=0, base=None, candidate=None,
        change=None, low=None, high=None, p=None, q=None, status="not_estimable",
    )  # fmt: skip
    gap = GapChange(
        label="anger", attribute="g", rate="TPR", base=0.1, candidate=0.2, change=0.1, low=-0.1, high=0.3, worst_base="f",
        worst_candidate="m", groups=["f", "m"], excluded=["x"], status="ok",
    )  # fmt: skip
    made = Comparison(
        base=side, candidate=side, data="d", date="2026-01-01", labels=["anger"], by=[["g"]], minimum=1, confidence=0.95,
        subject="", samples=1, missing=[], changes=[change], gaps=[gap],
    )  # fmt: skip
    assert Comparison.model_validate_json(made.to_json()) == made


def test_the_command_prints_the_summary_and_writes_the_page(run, runs, found, tmp_path):
    """``fairfer compare A B`` exits 0, says what changed, and says where the page is."""
    code, out, err = run("compare", *runs[:2], "--out", "out")
    assert (code, err) == (0, "")
    assert out == versus.summary(found) + "Comparison: out/comparison.html\n"
    assert Comparison.read(tmp_path / "out" / "comparison.json") == found
    words = " ".join(out.split())
    assert all(" ".join(line.split()) in words for line in versus.lines(found))


def test_the_comparison_goes_into_the_candidate_when_no_place_is_given(run, runs):
    """Without --out it lies in the candidate's run; comparing again afterwards gives the same."""
    first = run("compare", *runs[:2])
    assert first[0] == 0
    assert (runs[1] / "comparison" / "comparison.html").is_file()
    assert run("compare", *runs[:2]) == first


def test_three_runs_are_ranked(run, runs):
    """A table with a line for each run, the most accurate first; columns stand below each other."""
    code, out, err = run("compare", *runs[::-1])
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("reader0 ")
    assert [line.split()[0] for line in lines[1:]] == ["reader0", "reader1b", "reader1"]
    assert [line[lines[0].index("accuracy") :][:4] for line in lines[1:]] == [".845", ".755", ".755"]


@pytest.mark.parametrize("kind", ["missing", "file", "alone", "empty"])
def test_what_cannot_be_compared_exits_2_with_one_line(kind, run, runs, tmp_path):
    """A missing folder, a file, one run alone or an empty folder: exit code 2, one line on stderr, nothing else."""
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    arguments = {"missing": [runs[0], "nowhere"], "file": ["file", runs[0]], "alone": [runs[0]], "empty": [runs[0], "empty"]}
    code, out, err = run("compare", *arguments[kind])
    assert (code, out) == (2, "")
    assert err.startswith("fairfer: ")
    assert err.count("\n") == 1
    assert {"missing": "nowhere", "file": "file", "alone": "two runs", "empty": "empty"}[kind] in err


def test_a_run_that_is_named_by_a_dot_has_a_name(runs, monkeypatch):
    """``fairfer compare . other`` says which run it was."""
    monkeypatch.chdir(runs[0])
    assert fairfer.compare(type(runs[0])(), runs[1]).base.run == runs[0].name


def test_a_ranking_calls_inferred_groups_inferred_and_obeys_no_name():
    """Who put people into groups is said beside every group; a name with line ends or a runner's marks is one plain cell."""
    from fairfer.audits.comparison import Standing

    row = Standing(
        run="r", model="a\n::stop-commands::x", faces=9, accuracy=0.5, low=0.4, high=0.6, worst="f", worst_attribute="gender",
        worst_accuracy=0.4, gap=0.2, gap_expected_by_chance=0.1, gap_q=0.01, gap_of="fear TPR", gap_attribute="gender", inferred=["gender"],
    )  # fmt: skip
    text = versus.ranking([row, row])
    assert len(text.splitlines()) == 3
    assert "::" not in text
    assert "f, by gender (inferred)" in text
    assert "fear TPR by gender (inferred): .20 (chance .10)" in text


def test_faces_that_are_another_label_for_one_of_the_models_are_counted_as_such(found):
    """``--unsupported-labels merge`` with models that can say different labels."""
    missing = [Missing(sample_id="s", only_in="neither", why="merged")]
    said = versus.lines(found.model_copy(update={"missing": missing}))
    assert "Not compared: 1 face (1 counted as another label for one of them); comparison.json lists them." in said
