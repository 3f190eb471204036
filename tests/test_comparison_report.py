"""Report of a comparison: text, Markdown, page and figures are complete, correct, safe and reproducible."""

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
from fairfer.audits.comparison import Change, Comparison, GapChange, MissingSample, Side
from fairfer.errors import RunError
from fairfer.labels import LabelSpace
from fairfer.models.model import Prediction
from fairfer.report.figures.model_comparison import draw_changes
from fairfer.report.markdown import comparison_markdown
from fairfer.report.tables.comparison import changes_table, gap_changes_table, missing_table
from fairfer.report.text.comparison import comparison_summary, is_better, is_worse, leaderboard_text, lines
from fairfer.report.text.numbers import rate
from fairfer.report.write import write_comparison

LABELS = LabelSpace.of("two", ["anger", "fear"])
EVIL = "<script>alert(1)</script>|x"


class DigitModel:
    """Predicts one binary digit of an image's gray level as a label."""

    def __init__(self, place, labels=LABELS, name="", version="1"):
        self.place, self.labels, self.version, self.name = place, labels, version, name or f"reader{place}"

    def predict(self, images):
        digits = [int(image[0, 0, 0]) // 2**self.place % 2 for image in images]
        return [Prediction("ok", np.eye(len(self.labels))[d]) for d in digits]


COUNTS = {
    # truth, base, candidate, group: number. Only 4 predictions change for women; 40 more angry faces of men are missed.
    (0, 0, 0, "female"): 76, (0, 1, 0, "female"): 4, (0, 1, 1, "female"): 20,
    (1, 1, 1, "female"): 90, (1, 0, 0, "female"): 10,
    (0, 0, 0, "male"): 40, (0, 0, 1, "male"): 42, (0, 1, 0, "male"): 2, (0, 1, 1, "male"): 16,
    (1, 1, 1, "male"): 90, (1, 0, 0, "male"): 10,
}  # fmt: skip


def audited(data, model, folder, **more):
    predictions = fairfer.predict(data, model, run=folder)
    audit = fairfer.audit(data, predictions, by=["gender"], run=folder, **{"minimum": 1, "permutations": 100, **more})
    audit.write(folder / "audit.json")
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
    """Runs of two models on `COUNTS`, and of a third that predicts the same as the second."""
    folder = tmp_path_factory.mktemp("runs")
    data = faces_of(toy_factory, COUNTS)
    return [audited(data, DigitModel(i, name=f"reader{i}{n}"), folder / f"{i}{n}") for i, n in ((0, ""), (1, ""), (1, "b"))]


@pytest.fixture(scope="module")
def comparison(runs):
    """The first two runs, compared."""
    return fairfer.compare(*runs[:2])


@pytest.fixture(scope="module")
def evil(toy_factory, tmp_path_factory):
    """A comparison in which every name contains markup."""
    folder = tmp_path_factory.mktemp("evil")
    labels = LabelSpace(EVIL, (f"anger{EVIL}", "fear"))
    counts = {(t, b, c, f"{g}{EVIL}"): n for (t, b, c, g), n in COUNTS.items()}
    data = faces_of(toy_factory, counts, labels=labels, name=f"data{EVIL}")
    return fairfer.compare(*(audited(data, DigitModel(i, labels, f"model{EVIL}", EVIL), folder / f"run{i}") for i in (0, 1)))


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


def test_sentences_agree_with_the_rows(comparison):
    """Accuracy, disagreements, numbers of changed rates, the worst change and the gaps follow from `COUNTS`."""
    sentences = lines(comparison)
    right = [sum(n for k, n in COUNTS.items() if k[0] == k[i]) / 400 for i in (1, 2)]
    assert right == [0.845, 0.755]
    assert sentences[0].startswith(f"Accuracy: {rate(right[0])} {ARROW} {rate(right[1])} ({MINUS}0.09 [{MINUS}0.")
    assert sentences[1] == f"The models disagree on {sum(n for k, n in COUNTS.items() if k[1] != k[2])} of 400 faces."
    # Men's anger is missed, so fear is predicted instead and accuracy falls. Women's 4 changes are not significant.
    assert (
        sentences[2] == "Of 12 rates of groups, 3 got significantly worse and 0 significantly better (FDR-adjusted p < 0.05)."
    )
    assert "anger TPR of " in sentences[3] or "fear FPR of " in sentences[3]
    assert " of men: " in sentences[3]
    assert f"{MINUS}0.40 [" in sentences[3] or "+0.40 [" in sentences[3]
    surely = [g for g in comparison.gaps if g.low > 0]
    assert {(g.label, g.rate) for g in surely} == {("anger", "TPR"), ("fear", "FPR"), ("*", "accuracy")}
    assert sentences[4] == "Of 6 gaps, 3 became wider and 0 narrower (the 95 % interval excludes 0)."
    assert len(sentences) == 5


def test_sentences_of_the_reversed_comparison_are_reversed(runs):
    """Rates that got worse get better, and gaps that widened become narrower."""
    sentences = lines(fairfer.compare(runs[1], runs[0]))
    assert (
        sentences[2] == "Of 12 rates of groups, 0 got significantly worse and 3 significantly better (FDR-adjusted p < 0.05)."
    )
    assert sentences[3] == "Of 6 gaps, 0 became wider and 3 narrower (the 95 % interval excludes 0)."


def test_the_direction_of_a_rate_decides_what_is_worse(comparison):
    """A higher FPR is worse, and only significant changes count; recomputed without the package."""
    for c in comparison.changes:
        sure = c.q is not None and c.q < 0.05
        fallen = c.candidate > c.base if c.rate == "FPR" else c.candidate < c.base
        assert is_worse(c) == (sure and fallen)
        assert is_better(c) == (sure and not fallen and c.candidate != c.base)
        assert not is_worse(c.model_copy(update={"q": None}))
    assert sum(is_worse(c) for c in comparison.changes) == 6


def test_faces_and_labels_that_are_not_compared_are_reported(comparison):
    """Faces in one run only are counted by run; the compared labels are listed when the runs differ in them."""
    missing = [MissingSample(sample_id=f"s{i}", only_in="base", reason="not in the other") for i in range(2)]
    missing.append(MissingSample(sample_id="s9", only_in="candidate", reason="label not audited in the other"))
    shown = comparison.model_copy(
        update={"missing": missing, "base": comparison.base.model_copy(update={"labels": ["anger", "fear", "sadness"]})}
    )
    sentences = lines(shown)
    assert "Not compared: 3 faces (2 only in the base and 1 only in the candidate); listed in comparison.json." in sentences
    assert "Only labels in both audits are compared: anger, fear." in sentences
    assert missing_table(shown).rows == (
        ("base", "not in the other", "2"),
        ("candidate", "label not audited in the other", "1"),
    )
    assert "s9" not in comparison_markdown(shown)


def test_the_tables_have_every_change_and_gap_once(comparison):
    """Sorting loses no row; significant changes for the worse come first, and gaps by decreasing change."""
    rows = changes_table(comparison).rows
    assert len(rows) == len(comparison.changes)
    assert len({r[:4] for r in rows}) == len(rows)
    worse = [
        ({"everyone": ()}.get(r[0], (r[0],)), {"all": "*"}.get(r[2], r[2]), r[3])
        for r in rows[: sum(map(is_worse, comparison.changes))]
    ]
    assert Counter(worse) == Counter((c.attribute, c.label, c.rate) for c in comparison.changes if is_worse(c))
    gaps = gap_changes_table(comparison).rows
    assert len(gaps) == len(comparison.gaps)
    assert [r[5].split(" ")[0] for r in gaps] == ["+0.32", "+0.32", "+0.16", "0.00", "0.00", "0.00"]


def test_a_gap_of_0_names_no_group(comparison):
    """All groups have the same rate, so none is the least favorable."""
    for row in gap_changes_table(comparison).rows:
        base, candidate, worst_base, worst_candidate = row[3], row[4], row[6], row[7]
        assert (base == "0.00") == (worst_base == "\N{EN DASH}")
        assert (candidate == "0.00") == (worst_candidate == "\N{EN DASH}")


def test_an_interval_shows_on_which_side_of_0_its_limits_are(comparison):
    """A limit slightly below 0 is not rounded to 0."""
    rows = {r[:4]: r[7] for r in changes_table(comparison).rows}
    [women] = [c for c in comparison.changes if (c.attribute, c.group, c.rate) == (("gender",), ("female",), "accuracy")]
    assert -0.005 < women.low < 0
    shown = rows["gender", "female", "all", "accuracy"]
    assert shown.split("[")[1].startswith(MINUS)


def cells(line):
    """The cells of a Markdown row: GitHub splits it at bars without a backslash before them."""
    return re.split(r"(?<!\\)\|", line.strip())[1:-1]


def check_tables(text):
    """Check that all rows of each Markdown table have the same number of cells; return the total number of rows."""
    number, width = 0, None
    for line in text.splitlines():
        if not line.startswith("|"):
            width = None
        elif width is None:
            width = len(cells(line))
        else:
            number += 1
            assert len(cells(line)) == width, line
    return number


def test_markdown_tables_have_complete_rows(comparison, evil):
    """Every row has one cell per column, for any names of groups and labels."""
    for one in (comparison, evil):
        number = len(one.changes) + len(one.gaps) + 2  # and the line below each head
        assert check_tables(comparison_markdown(one)) == number


def test_markup_in_names_is_escaped_in_markdown(evil):
    """Names of dataset, model, labels and groups."""
    text = comparison_markdown(evil)
    assert "&lt;script&gt;" in text
    assert [line for line in text.splitlines() if "<script" in line] == []


def test_markup_in_names_is_escaped_on_the_page(evil, tmp_path):
    """And in its figures, which stay well-formed."""
    write_comparison(evil, tmp_path)
    page = (tmp_path / "comparison.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    inlined = [base64.b64decode(x).decode() for x in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", page)]
    pictures = [p.read_text(encoding="utf-8") for p in tmp_path.glob("*.svg")]
    assert inlined
    assert pictures
    for svg in inlined + pictures:
        assert "<script" not in svg
        ET.fromstring(svg)


def test_a_comparison_is_complete_and_reproducible(comparison, tmp_path):
    """JSON, Markdown, page and one figure per grouping as SVG and PNG, with the same bytes each time."""
    folders = [tmp_path / "one", tmp_path / "two"]
    written = []
    for folder in folders:
        assert write_comparison(comparison, folder) == folder / "comparison.html"
        written.append({p.name: p.read_bytes() for p in folder.iterdir()})
    assert written[0] == written[1]
    pictures = {f"changes-gender.{kind}" for kind in ("svg", "png")}
    assert set(written[0]) == {"comparison.json", "comparison.md", "comparison.html"} | pictures
    assert Comparison.read(tmp_path / "one" / "comparison.json") == comparison
    assert written[0]["comparison.md"].decode() == comparison_markdown(comparison)


def test_pages_contain_no_sample_ids(comparison, tmp_path):
    """Only ``comparison.json`` lists individual faces."""
    write_comparison(comparison, tmp_path)
    assert len(comparison.flips) == 48
    for path in tmp_path.iterdir():
        assert (b"secret-" in path.read_bytes()) == (path.name == "comparison.json"), path.name


def test_the_page_is_self_contained(comparison, tmp_path):
    """The content security policy allows only inlined images and styles; there are no external links; all text is there."""
    page = write_comparison(comparison, tmp_path).read_text(encoding="utf-8")
    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert re.findall(r"https?:|(?:src|href)=\"(?!data:|#)", page) == []
    for line in lines(comparison):
        assert line.replace("<", "&lt;") in page
    for table in (changes_table(comparison), gap_changes_table(comparison)):
        for row in table.rows:
            assert all(cell.replace("<", "&lt;") in page for cell in row)
    assert page.count("<tr>") == len(comparison.changes) + len(comparison.gaps) + 2


def test_a_figure_title_counts_the_changes_that_it_shows(comparison):
    """TPR and FPR of its grouping, without accuracy."""
    [picture] = draw_changes(comparison)
    drawn = [c for c in comparison.changes if c.attribute == ("gender",) and c.rate in ("TPR", "FPR")]
    bad, good = (sum(map(judge, drawn)) for judge in (is_worse, is_better))
    assert (bad, good) == (2, 0)
    assert picture.title.startswith(
        f"By gender: of {len(drawn)} tested rates (TPR and FPR), {bad} significantly worse and {good} significantly better"
    )


def test_a_grouping_with_many_groups_has_no_figure(comparison):
    """Twelve groups are drawn, thirteen are not."""
    [one] = [c for c in comparison.changes if (c.group, c.label, c.rate) == (("male",), "anger", "TPR")]
    for number in (12, 13):
        many = [
            one.model_copy(update={"group": (f"g{i}",), "label": label, "rate": rate})
            for i in range(number)
            for label in ("anger", "fear")
            for rate in ("TPR", "FPR")
        ]
        pictures = draw_changes(comparison.model_copy(update={"changes": many}))
        assert len(pictures) == (number == 12)


def test_values_that_are_not_estimable_are_dashes(comparison, tmp_path):
    """In the tables; the figure omits them."""
    nothing = dict.fromkeys(("base", "candidate", "change", "low", "high", "p", "q"))
    changes = [
        c.model_copy(update={**nothing, "trials": 0, "both": 0, "gained": 0, "lost": 0, "status": "not_estimable"})
        if c.attribute == ("gender",)
        else c
        for c in comparison.changes
    ]
    empty = dict.fromkeys(("base", "candidate", "change", "low", "high", "worst_base", "worst_candidate"))
    gaps = [g.model_copy(update={**empty, "status": "too_few_groups"}) for g in comparison.gaps]
    shown = comparison.model_copy(update={"changes": changes, "gaps": gaps})
    write_comparison(shown, tmp_path)
    assert "nan" not in (tmp_path / "comparison.md").read_text(encoding="utf-8").casefold()
    assert "None" not in (tmp_path / "comparison.md").read_text(encoding="utf-8")
    assert lines(shown)[-1].startswith("Of 0 gaps, 0 became wider")
    assert all(r[5] == "\N{EN DASH}" for r in gap_changes_table(shown).rows)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text[:100], "comparison.json"),
        (lambda text: text.replace('"schema_version": 2', '"schema_version": 9'), "schema_version"),
        (lambda text: text.replace('"samples": 400', '"samples": "many"'), "samples"),
        (lambda text: text.replace('"minimum"', '"minimal"'), "minim"),
        (lambda _: "", "comparison.json"),
    ],
)
def test_a_damaged_comparison_is_refused(damage, words, comparison, tmp_path):
    """One line with the file and the problem."""
    path = tmp_path / "comparison.json"
    comparison.write(path)
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(RunError, match=words) as refused:
        Comparison.read(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unreadable_comparison_is_refused(tmp_path):
    """A missing file, or bytes that are not text: one line."""
    for path in (tmp_path / "none.json", tmp_path / "bytes.json"):
        (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(RunError, match=r"cannot be read .*compare again") as refused:
            Comparison.read(path)
        assert "\n" not in str(refused.value)


def test_reading_returns_what_was_written():
    """Reading returns every field that was written, also values that are not estimable."""
    side = Side(run="r", model="m", version="1", options={"a": "b"}, labels=["anger"], predictions_digest="d")
    change = Change(
        label="anger", attribute=("g",), group=("f",), rate="TPR", trials=0,
        both=0, gained=0, lost=0, base=None, candidate=None,
        change=None, low=None, high=None, p=None, q=None, status="not_estimable",
    )  # fmt: skip
    gap = GapChange(
        label="anger", attribute=("g",), rate="TPR", base=0.1, candidate=0.2, change=0.1, low=-0.1, high=0.3, worst_base=("f",),
        worst_candidate=("m",), groups=[("f",), ("m",)], excluded=[("x",)], status="ok",
    )  # fmt: skip
    made = Comparison(
        base=side, candidate=side, task="single-label",
        data="d", date="2026-01-01", labels=["anger"], by=[("g",)], minimum=1, confidence=0.95,
        subject="", samples=1, missing=[], changes=[change], gaps=[gap],
    )  # fmt: skip
    assert Comparison.model_validate_json(made.to_json()) == made


def test_the_command_prints_the_summary_and_writes_the_page(run, runs, comparison, tmp_path):
    """``fairfer compare A B`` exits 0 and prints the changes and the path of the page."""
    code, out, err = run("compare", *runs[:2], "--out", "out")
    assert (code, err) == (0, "")
    assert out == comparison_summary(comparison) + "Comparison: out/comparison.html\n"
    assert Comparison.read(tmp_path / "out" / "comparison.json") == comparison
    words = " ".join(out.split())
    assert all(" ".join(line.split()) in words for line in lines(comparison))


def test_a_comparison_is_written_into_the_candidate_by_default(run, runs):
    """Without --out; repeating the command gives the same output."""
    first = run("compare", *runs[:2])
    assert first[0] == 0
    assert (runs[1] / "comparison" / "comparison.html").is_file()
    assert run("compare", *runs[:2]) == first


def test_three_runs_are_a_leaderboard(run, runs):
    """A table with one line per run, by decreasing accuracy, with aligned columns."""
    code, out, err = run("compare", *runs[::-1])
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("reader0 ")
    assert [line.split()[0] for line in lines[1:]] == ["reader0", "reader1b", "reader1"]
    assert [line[lines[0].index("accuracy") :][:5] for line in lines[1:]] == ["0.845", "0.755", "0.755"]


@pytest.mark.parametrize("kind", ["missing", "file", "alone", "empty"])
def test_invalid_runs_exit_2_with_one_line(kind, run, runs, tmp_path):
    """A missing folder, a file, one run alone or an empty folder: exit code 2, one line on stderr, nothing else."""
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    arguments = {"missing": [runs[0], "nowhere"], "file": ["file", runs[0]], "alone": [runs[0]], "empty": [runs[0], "empty"]}
    code, out, err = run("compare", *arguments[kind])
    assert (code, out) == (2, "")
    assert err.startswith("fairfer: ")
    assert err.count("\n") == 1
    assert {"missing": "nowhere", "file": "file", "alone": "two runs", "empty": "empty"}[kind] in err


def test_the_current_folder_has_a_run_name(runs, monkeypatch):
    """``fairfer compare . other`` reports the folder's name."""
    monkeypatch.chdir(runs[0])
    assert fairfer.compare(type(runs[0])(), runs[1]).base.run == runs[0].name


def test_a_leaderboard_marks_inferred_groups_and_escapes_names():
    """Inferred groups are marked, and a name with line ends or workflow commands is one plain cell."""
    from fairfer.audits.leaderboard import Standing

    row = Standing(
        run="r", model="a\n::stop-commands::x", samples=9, accuracy=0.5, low=0.4, high=0.6,
        worst=("f",), worst_attribute=("gender",),
        worst_accuracy=0.4, gap=0.2, gap_expected_by_chance=0.1, gap_q=0.01, gap_label="fear", gap_rate="TPR",
        gap_attribute=("gender",),
        inferred=["gender"],
    )  # fmt: skip
    text = leaderboard_text([row, row])
    assert len(text.splitlines()) == 3
    assert "::" not in text
    assert "f, by gender (inferred)" in text
    assert "fear TPR by gender (inferred): 0.20 (by chance 0.10)" in text


def test_faces_merged_for_one_model_are_counted(comparison):
    """``--unsupported-labels merge`` with models that have different output classes."""
    missing = [MissingSample(sample_id="s", only_in="neither", reason="merged")]
    sentences = lines(comparison.model_copy(update={"missing": missing}))
    assert "Not compared: 1 face (1 merged into another label for one model); listed in comparison.json." in sentences
