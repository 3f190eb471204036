"""Data and policies with which nothing may pass: each through ``fairfer audit`` and ``fairfer gate``, as a user would run them.

The table of cases is also in ``.github/docs/gate.md``.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import fairfer.cli.main
from fairfer.audits.result import _checksum

EMOTIONS = ("happy", "sad", "fear")
Run = Callable[..., tuple[int, str, str]]

TPR = '[[rules]]\nname = "t"\nrate = "TPR"\nattribute = "g"\nmin_worst = 0.5\n'
ACCURACY = '[[rules]]\nname = "t"\nrate = "accuracy"\nattribute = "g"\nmin_worst = 0.3\n'
GAP = '[[rules]]\nname = "t"\nrate = "TPR"\nattribute = "g"\nmax_gap = 0.3\n'
FPR = '[[rules]]\nname = "t"\nrate = "FPR"\nattribute = "g"\nmax_gap = 0.3\n'
RATIO = '[[rules]]\nname = "t"\nrate = "FPR"\nattribute = "g"\nmin_ratio = 0.5\n'
COVERAGE = '[[rules]]\nname = "t"\nrate = "coverage"\nattribute = "g"\nmin_worst = 0.5\n'
ONLY_HAPPY = TPR.replace('attribute = "g"', 'label = "happiness"\nattribute = "g"')


def table(
    answer: Callable[[str, str, int], str], truth: Callable[[str, str, int], str] = lambda t, g, i: t, n: int = 100
) -> str:
    """A CSV with n faces per emotion and group; the columns as functions of truth, group and number."""
    rows = [(t, g, i) for t, g, i in itertools.product(EMOTIONS, "fm", range(n))]
    return "label,predicted,g\n" + "".join(f"{truth(*r)},{answer(*r)},{r[1]}\n" for r in rows)


def mostly(truth: str, group: str, i: int) -> str:
    """Nine of ten answers are correct, and errors of one label are spread over the others."""
    del group
    return EMOTIONS[(EMOTIONS.index(truth) + 1 + i // 10 % 2) % 3] if i % 10 == 0 else truth


def without_fear(truth: str, group: str, i: int) -> str:
    """A model that never says fear."""
    answer = mostly(truth, group, i)
    return "sad" if answer == "fear" else answer


def scored(columns: str, row: Callable[[str, int], str], n: int = 100) -> str:
    """A CSV with scores instead of answers."""
    rows = itertools.product(EMOTIONS, "fm", range(n))
    return f"label,{columns},g\n" + "".join(f"{t},{row(t, i)},{g}\n" for t, g, i in rows)


def scores_of(truth: str, i: int, labels: Sequence[str] = EMOTIONS) -> str:
    answer = mostly(truth, "f", i)
    return ",".join("0.8" if n == answer else "0.1" for n in labels)


def refused_with_scores(truth: str, i: int) -> str:
    """Half of the faces have no answer, although the model's scores of them are known."""
    return f"{mostly(truth, 'f', i) if i % 2 else ''},{scores_of(truth, i)}"


def own(csv: str) -> str:
    """The same with labels that are no emotions."""
    return csv.replace("happy", "bored").replace("sad", "engaged").replace("fear", "tired")


def subjects(name: Callable[[str, int], str], n: int = 100) -> str:
    """A CSV with a column of subjects."""
    rows = itertools.product(EMOTIONS, "fm", range(n))
    return "label,predicted,g,s\n" + "".join(f"{t},{mostly(t, g, i)},{g},{name(g, i)}\n" for t, g, i in rows)


SUBJECT = ("--subject", "s", "--by", "g")
GOOD = table(mostly)
NO_FEAR = ("--model-labels", "happy,sad")
SMALL_WRONG = GOOD + "happy,sad,x\n" * 19
SMALL_RIGHT = GOOD + "".join(f"{e},{e},x\n" for e in EMOTIONS) * 5
REFUSES = table(lambda t, g, i: "" if g == "m" else mostly(t, g, i))
PARTLY = table(lambda t, g, i: "" if g == "m" and i % 2 else mostly(t, g, i))
MULTI = "id,truth_A,truth_B,pred_A,pred_B,g\n"
STARS = ("--truth", "truth_*", "--predicted", "pred_*")


def multi(row: Callable[[int], str]) -> str:
    return MULTI + "".join(f"{i},{row(i)},{'fm'[i % 2]}\n" for i in range(400))


WITHOUT_B = multi(lambda i: f"{i // 2 % 2},{i // 4 % 2},{i // 2 % 2}").replace(",pred_B", "")
"""The model has a column of predictions for one of two labels."""


@dataclass(frozen=True)
class Case:
    """One table and policy, and the exit code of the gate; with `word` in its output."""

    code: int
    csv: str
    policy: str = TPR
    audit: Sequence[str] = ()
    word: str = ""
    files: dict[str, str] = field(default_factory=dict)


CASES = {
    "nothing is wrong": Case(0, GOOD, word="600 of 600 faces judged"),
    # labels that the model cannot output
    "a label that the model cannot output, minimum of its TPR": Case(
        1, table(without_fear), audit=NO_FEAR, word="not among the model's output classes"
    ),
    "the same, kept by the audit": Case(1, table(without_fear), audit=(*NO_FEAR, "--unsupported-labels", "keep")),
    "the same, merged by the audit": Case(1, table(without_fear), audit=(*NO_FEAR, "--unsupported-labels", "merge=fear:sad")),
    "the same, from the columns of scores": Case(
        1, scored("score_happy,score_sad", lambda t, i: scores_of(t, i, EMOTIONS[:2]))
    ),
    "a label that the model cannot output, any other rule": Case(3, table(without_fear), GAP, NO_FEAR, "200 with the label"),
    "the same, a rule on accuracy": Case(3, table(without_fear), ACCURACY, NO_FEAR, "200 with the label fear"),
    "the same, merged, a rule on accuracy": Case(
        3, table(without_fear), ACCURACY, (*NO_FEAR, "--unsupported-labels", "merge=fear:sad")
    ),
    "the same, kept, a rule on accuracy": Case(3, table(without_fear), ACCURACY, (*NO_FEAR, "--unsupported-labels", "keep")),
    "the same, a rule on another label": Case(3, table(without_fear), ONLY_HAPPY, NO_FEAR),
    "the same, accuracy certainly violated with these faces": Case(
        1, table(without_fear), ACCURACY.replace("0.3", "0.8"), NO_FEAR, "accuracy of the worst group"
    ),
    'the same, `unsupported_labels = "ignore"`': Case(
        0, table(without_fear), 'unsupported_labels = "ignore"\n' + TPR, NO_FEAR, "ignored by the policy: unsupported_labels"
    ),
    # rows and faces that are not judged
    "rows without a true label": Case(
        3, table(mostly, lambda t, g, i: "" if t == "fear" else t), word="200 without a true label"
    ),
    'the same, `unlabeled = "ignore"`': Case(
        0, table(mostly, lambda t, g, i: "" if t == "fear" else t), 'unlabeled = "ignore"\n' + TPR, word="200 rows without"
    ),
    "faces without a group": Case(3, GOOD + "happy,sad,\n" * 100, word="100 without g"),
    'the same, `unannotated = "ignore"`': Case(0, GOOD + "happy,sad,\n" * 100, 'unannotated = "ignore"\n' + TPR),
    "every face without a group but one": Case(3, GOOD.replace(",m\n", ",\n"), GAP),
    "unknown labels in multi-label data": Case(
        3, multi(lambda i: f"{i // 2 % 2},{9 if i % 4 == 0 else i // 2 % 2},{i // 2 % 2},{i // 2 % 2}"), TPR, STARS
    ),
    "true labels unknown everywhere": Case(2, multi(lambda i: "9,9,1,0"), TPR, STARS),
    "a multi-label model without one label": Case(
        1, WITHOUT_B, TPR, STARS,
        "B is not among the model's output classes",
    ),
    # groups
    "a small group misread 19 of 19 times": Case(1, SMALL_WRONG, word="happiness TPR of the worst group, x, is 0.000"),
    "the same, a rule on gaps": Case(1, SMALL_WRONG, GAP, word="gap between x"),
    "a small group without errors": Case(3, SMALL_RIGHT, word="in groups that are too small (x)"),
    'the same, `small_groups = "ignore"`': Case(
        0, SMALL_RIGHT, 'small_groups = "ignore"\n' + TPR, word="ignored by the policy: small_groups: x"
    ),
    "a group without a face of a label": Case(3, GOOD + "happy,happy,x\n" * 100),
    "a declared group without faces": Case(
        3, GOOD, files={"t.toml": '[g]\nsource = "annotated"\nby = "us"\nlevels = ["f", "m", "x"]\n'}, word="too small"
    ),
    # answers
    "a model that refuses a whole group, a rule on FPR": Case(3, REFUSES, FPR, word="faces without an answer"),
    "the same, a rule on TPR": Case(1, REFUSES),
    "the same, a rule on coverage": Case(1, REFUSES, COVERAGE),
    "a model that refuses half of a group, a rule on FPR": Case(3, PARTLY, FPR.replace("0.3", "0.25")),
    "a model that refuses half of a group, a rule on PPV": Case(
        3, PARTLY, FPR.replace("FPR", "PPV").replace("max_gap = 0.3", "min_worst = 0.75")
    ),
    "a model that refuses half of the faces but gives scores, a rule on coverage": Case(
        3, scored("predicted,score_happy,score_sad,score_fear", refused_with_scores), COVERAGE
    ),
    "faces without a subject": Case(3, subjects(lambda g, i: "" if i % 2 else f"{g}{i // 4}"), audit=SUBJECT, word="have no s"),
    'the same subjects, `unannotated = "ignore"`': Case(
        0, subjects(lambda g, i: "" if i % 2 else f"{g}{i // 4}"), 'unannotated = "ignore"\n' + TPR, SUBJECT
    ),
    "a label without any answer": Case(1, table(lambda t, g, i: "" if t == "fear" else mostly(t, g, i))),
    "a label that is never predicted, a rule on FPR": Case(
        3, table(lambda t, g, i: "sad" if t == "fear" else "happy" if i == 0 else t), FPR, word="never predicts fear"
    ),
    "a group answered with a label that the data lack, a rule on FPR": Case(
        3, table(lambda t, g, i: "anger" if g == "m" else mostly(t, g, i)), FPR
    ),
    "a ratio of zero to zero": Case(3, table(lambda t, g, i: t), RATIO),
    # what makes no sense
    "answers in another vocabulary": Case(2, table(lambda t, g, i: f"LABEL_{i % 3}"), ACCURACY),
    "codes instead of words": Case(2, table(lambda t, g, i: str(i % 3)), ACCURACY),
    "codes of another order": Case(
        2, table(lambda t, g, i: str(EMOTIONS.index(t))), ACCURACY, ("--labels", "ferplus"), "no face of t is"
    ),
    "no face classified correctly": Case(2, table(lambda t, g, i: EMOTIONS[(EMOTIONS.index(t) + 1) % 3]), GAP),
    "one column as truth and prediction": Case(2, GOOD, ACCURACY, ("--truth", "label", "--predicted", "label")),
    "a copy of the true labels as prediction": Case(
        2, table(lambda t, g, i: t).replace("predicted", "emotion"), ACCURACY, ("--truth", "label", "--predicted", "emotion")
    ),
    "truth and prediction exchanged": Case(2, GOOD, ACCURACY, ("--truth", "predicted", "--predicted", "label"), "exchange"),
    "a column of scores that is no label": Case(
        2, scored("score_happy,score_sad,score_fear,score_quality", lambda t, i: f"{scores_of(t, i)},{i % 100}"), ACCURACY
    ),
    "the text None as an answer": Case(2, table(lambda t, g, i: "None" if i % 10 == 0 else t), ACCURACY, word="not a label"),
    "the same, with a line break": Case(2, table(lambda t, g, i: '"\nNone"' if i % 10 == 0 else t), ACCURACY),
    "the same, with own labels": Case(
        2, table(lambda t, g, i: "None" if i % 10 == 0 else f"x{t}", lambda t, g, i: f"x{t}"), ACCURACY
    ),
    "a word for a refusal as an answer": Case(2, own(table(lambda t, g, i: "no_face" if g == "m" else t)), COVERAGE),
    "a word for a missing value as a true label": Case(
        2, own(GOOD) + "Unknown,bored,f\n" * 50, ONLY_HAPPY.replace("happiness", "bored"), word="'Unknown' is not a label"
    ),
    "labels that differ in case only": Case(2, table(lambda t, g, i: "Bored", lambda t, g, i: "Bored" if i % 2 else "bored ")),
    "scores that are no numbers": Case(2, scored("score_happy,score_sad,score_fear", lambda t, i: "nan,0.1,0.2"), ACCURACY),
    # policies
    "a limit that every model satisfies": Case(2, GOOD, GAP.replace("0.3", "1"), word="is satisfied by every model"),
    "a confidence near one half": Case(2, GOOD, "confidence = 0.51\n" + TPR, word="confidence"),
}  # fmt: skip


@pytest.fixture
def run(monkeypatch, capsys, tmp_path) -> Run:
    """The command line, in the process of the test and in an empty folder, without figures."""
    from fairfer.report import figures

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    draw = figures.draw
    monkeypatch.setattr(figures, "draw", lambda audit: draw(audit, ["overview"]))
    (tmp_path / "run" / "figures").mkdir(parents=True)

    def run_command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fairfer", *arguments])
        code = 0
        try:
            fairfer.cli.main.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = capsys.readouterr()
        return code, " ".join(printed.out.split()), printed.err

    return run_command


def audited(run: Run, csv: str, *options: str, out: str = "run") -> tuple[int, str, str]:
    """Audit a table."""
    Path("t.csv").write_text(csv, encoding="utf-8")
    (Path(out) / "figures").mkdir(parents=True, exist_ok=True)
    return run("audit", "t.csv", "--permutations", "100", "--out", out, *options)


@pytest.mark.parametrize("name", CASES)
def test_exit_code(run, name):
    """Of the audit if that refuses the data, else of the gate."""
    case = CASES[name]
    for file, text in case.files.items():
        Path(file).write_text(text, encoding="utf-8")
    Path("p.toml").write_text(case.policy, encoding="utf-8")
    code, out, err = audited(run, case.csv, *case.audit)
    if code == 0:
        code, out, err = run("gate", "run", "--policy", "p.toml")
    assert code == case.code, out + err
    assert case.word in out + err
    if code == 2:
        assert len(err.splitlines()) == 1
        assert "Traceback" not in err
        assert not Path("run/verdict.json").exists()
    else:
        assert "p.toml" in out
        assert re.search(r"\d+ of \d+ faces judged", out)


def test_the_documentation_has_the_same_table():
    """Every case and its exit code."""
    text = (Path(__file__).parents[1] / ".github" / "docs" / "gate.md").read_text(encoding="utf-8")
    section = text.partition("## What never passes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| (\d) \|", section, re.MULTILINE)
    assert dict(rows) == {name: str(case.code) for name, case in CASES.items()}


@pytest.fixture
def judged(run) -> Callable[..., tuple[int, str, str]]:
    """Judge the folder ``run`` by a policy."""

    def judge_it(policy: str = TPR, *options: str, folder: str = "run") -> tuple[int, str, str]:
        Path("p.toml").write_text(policy, encoding="utf-8")
        return run("gate", folder, "--policy", "p.toml", *options)

    return judge_it


def edited(change: Callable[[dict], object], folder: str = "run") -> None:
    """Change ``audit.json`` and compute its checksum anew."""
    path = Path(folder) / "audit.json"
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    value["checksum"] = _checksum(value)
    path.write_text(json.dumps(value), encoding="utf-8")


def first(value: dict, table: str, **wanted: object) -> dict:
    """The first row of a table of ``audit.json`` with these values."""
    return next(r for r in value[table] if all(r[k] == v for k, v in wanted.items()))


EDITS: dict[str, Callable[[dict], object]] = {
    "a rate": lambda v: first(v, "rates", rate="TPR", group=["f"]).update(numerator=100, value=1.0),
    "only its value": lambda v: first(v, "rates", rate="TPR", group=["f"]).update(value=1.0),
    "an accuracy": lambda v: first(v, "rates", rate="accuracy", group=["f"]).update(numerator=300, value=1.0),
    "an effective size": lambda v: first(v, "rates", rate="TPR", group=["f"]).update(effective_size=5000.0),
    "a status": lambda v: first(v, "rates", rate="TPR", group=["f"]).update(status="small"),
    "counts": lambda v: first(v, "counts", group=["f"]).update(tp=100, fn=0),
    "a deleted rate": lambda v: v["rates"].remove(first(v, "rates", rate="TPR", group=["f"])),
    "a deleted group": lambda v: v.update({t: [r for r in v[t] if r["group"] != ["f"]] for t in ("rates", "counts", "sizes")}),
    "a deleted label": lambda v: v.update({t: [r for r in v[t] if r["label"] != "fear"] for t in ("rates", "counts")}),
    "a size": lambda v: first(v, "sizes", group=["f"]).update(correct=300),
    "statuses": lambda v: first(v, "sizes", group=["f"])["statuses"].update(ok=299),
    "a number of samples": lambda v: v["data"].update(samples=500),
    "confusions": lambda v: first(v, "confusions", group=["f"], truth="fear", predicted="fear").update(count=99),
    "a gap": lambda v: first(v, "gaps", rate="TPR").update(difference=0.0),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_audit_that_contradicts_itself_is_refused(run, judged, edit):
    """Whatever its checksum says."""
    csv = table(lambda t, g, i: "" if g == "f" and i % 9 == 0 else mostly(t, g, i))
    assert audited(run, csv)[0] == 0
    assert judged()[0] == 0
    edited(EDITS[edit])
    code, _, err = judged()
    assert code == 2
    assert "contradicts itself" in err
    assert not Path("run/verdict.json").exists()


def test_hidden_faces_of_unsupported_labels_are_noticed(run, judged):
    """An audit that does not list the excluded faces, as earlier versions wrote it, does not pass."""
    assert audited(run, table(without_fear), *NO_FEAR)[0] == 0

    def forget(value: dict) -> None:
        value.pop("unsupported")

    edited(forget)
    code, out, _ = judged()
    assert code == 3
    assert "200 faces were excluded for their label" in out


def test_a_verdict_does_not_outlive_its_audit(run, judged):
    """A gate that cannot run, and a new audit, remove verdict.json and the banner; a rebuilt report keeps them."""
    assert audited(run, GOOD)[0] == 0
    verdict, report = Path("run/verdict.json"), Path("run/report.html")

    def is_shown() -> bool:
        return verdict.exists() and 'class="verdict"' in report.read_text(encoding="utf-8")

    def is_gone() -> bool:
        return not verdict.exists() and 'class="verdict"' not in report.read_text(encoding="utf-8")

    assert judged()[0] == 0
    assert is_shown()
    assert run("report", "run")[0] == 0
    assert is_shown()
    assert judged("max_gpa = 1\n")[0] == 2
    assert is_gone()
    assert judged()[0] == 0
    assert is_shown()
    assert audited(run, GOOD)[0] == 0
    assert is_gone()


def test_two_policies_at_once_are_refused(run, monkeypatch):
    """Unless one is named; the verdict names the file."""
    assert audited(run, GOOD)[0] == 0
    Path("fairfer.toml").write_text(TPR, encoding="utf-8")
    code, out, _ = run("gate", "run")
    assert code == 0
    assert "Policy fairfer.toml" in out
    Path("pyproject.toml").write_text(TPR.replace("[[rules]]", "[[tool.fairfer.rules]]"), encoding="utf-8")
    code, _, err = run("gate", "run")
    assert code == 2
    assert "both have rules" in err
    assert run("gate", "run", "--policy", "pyproject.toml")[0] == 0


WARNINGS = {
    "confidence = 0.85\n" + TPR: "confidence is 0.85: one of 7 models at a limit passes",
    GAP.replace("0.3", "0.6"): "max_gap 0.6 is satisfied by almost every model",
    TPR.replace("0.5", "0.05"): "min_worst 0.05 is satisfied by almost every model",
    TPR
    + '[[waivers]]\nrule = "t"\nreason = "later"\nexpires = 2999-01-01\n': "the waiver of rule t is valid for more than a year",
    TPR.replace("0.5", "0.99")
    + '[[waivers]]\nrule = "t"\nreason = "later"\nexpires = 2027-06-01\n': "every check is waived, so no limit counts",
}


@pytest.mark.parametrize("policy", WARNINGS)
def test_suspicious_policies_are_said_to_be(run, judged, policy):
    """In the text, in Markdown, JUnit, JSON and the banner."""
    assert audited(run, GOOD)[0] == 0
    code, out, _ = judged(policy, "--markdown", "m.md", "--junit", "j.xml")
    assert code == 0
    assert WARNINGS[policy] in out
    for file in ("m.md", "j.xml", "run/verdict.json", "run/report.html"):
        assert WARNINGS[policy] in Path(file).read_text(encoding="utf-8").replace("\\", ""), file


@pytest.mark.parametrize(
    ("csv", "word"),
    [
        (table(lambda t, g, i: t), "all 600 answers equal the true labels"),
        (table(lambda t, g, i: t if i % 10 == 0 else EMOTIONS[(EMOTIONS.index(t) + 1) % 3]), "less often than by chance"),
    ],
)
def test_suspicious_answers_are_said_to_be(run, judged, csv, word):
    """A copy of the labels, and labels in another order."""
    assert audited(run, csv)[0] == 0
    assert word in judged(GAP)[1]


def test_a_model_is_not_its_own_baseline(run, judged):
    """The same folder is refused; the same predictions in another one are said to be the same."""
    policy = '[[rules]]\nname = "t"\nrate = "accuracy"\nattribute = "g"\nmax_regression = 0.1\n'
    assert audited(run, GOOD)[0] == 0
    assert audited(run, GOOD, out="again")[0] == 0
    for same in ("run", "run/audit.json", "./run"):
        code, _, err = judged(policy, "--baseline", same)
        assert code == 2
        assert "is the run itself" in err
    code, out, _ = judged(policy, "--baseline", "again")
    assert code == 0
    assert "max_regression compares the model with itself" in out


def test_every_rendering_says_what_was_judged_and_ignored(run, judged):
    """Text, Markdown, JUnit, JSON and the banner."""
    assert audited(run, table(without_fear) + "happy,happy,x\n" * 5, *NO_FEAR)[0] == 0
    policy = 'unsupported_labels = "ignore"\nsmall_groups = "ignore"\n' + TPR
    code, out, _ = judged(policy, "--markdown", "m.md", "--junit", "j.xml")
    assert code == 0
    texts = [out, *(Path(f).read_text(encoding="utf-8").replace("\\", "") for f in ("m.md", "j.xml", "run/report.html"))]
    for text in texts:
        words = " ".join(text.replace("&#x27;", "'").split())
        assert "400 of 605 faces judged (by g)" in words
        assert "200 with the label fear, which is not among the model's output classes" in words
        assert "5 in groups that are too small (x)" in words
        assert "ignored by the policy: unsupported_labels" in words
        assert "ignored by the policy: small_groups: x" in words
        assert "looks are not counted" in words
    verdict = json.loads(Path("run/verdict.json").read_text(encoding="utf-8"))
    faces = verdict["faces"]
    assert (faces["judged"], faces["total"]) == (400, 605)
    assert faces["judged"] + sum(n["faces"] for n in faces["not_judged"]) == faces["total"]
    assert len(verdict["ignored"]) == 2


def test_faces_of_labels_that_no_rule_limits_are_not_judged(run, judged):
    """A rule on one label judges the faces with this label."""
    assert audited(run, GOOD)[0] == 0
    code, out, _ = judged(ONLY_HAPPY)
    assert code == 0
    assert "200 of 600 faces judged" in out
    assert "200 with the label fear, which no rule limits" in out
    assert "200 with the label sadness, which no rule limits" in out


def test_a_gate_and_a_comparison_agree(run, judged):
    """On the labels that both models can output, and on those of one of them."""
    assert audited(run, GOOD, out="before")[0] == 0
    assert audited(run, table(without_fear), *NO_FEAR, out="after")[0] == 0
    assert run("compare", "before", "after", "--out", "c")[0] == 0
    comparison = json.loads(Path("c/comparison.json").read_text(encoding="utf-8"))
    regression = '[[rules]]\nname = "t"\nrate = "{}"\nattribute = "g"\nmax_regression = 0.1\n'
    code, _, _ = judged(regression.format("TPR"), "--baseline", "before", folder="after")
    assert code == 1
    checks = {c["label"]: c for c in json.loads(Path("after/verdict.json").read_text(encoding="utf-8"))["checks"]}
    lost = [c for c in comparison["other_labels"] if c["attribute"] == ["g"]]
    assert {c["label"] for c in lost} == {"fear"}
    assert all(c["candidate"] == 0 and c["trials"] == 100 for c in lost)
    assert checks["fear"]["outcome"] == "fail"
    assert checks["fear"]["observed"] == pytest.approx(max(-c["change"] for c in lost))
    code, out, _ = judged(regression.format("accuracy"), "--baseline", "before", folder="after")
    assert code == 3
    assert "over the faces whose label both models can output" in out
    [check] = json.loads(Path("after/verdict.json").read_text(encoding="utf-8"))["checks"]
    changes = [c for c in comparison["changes"] if c["rate"] == "accuracy" and c["attribute"] == ["g"]]
    assert check["observed"] == pytest.approx(max(-c["change"] for c in changes))
    code, out, _ = run("compare", "before", "after", "--out", "c")
    assert "Only the base can output fear: TPR" in out
    assert judged(regression.format("TPR").replace("0.1", "0.25"), "--baseline", "after", folder="before")[0] == 0


def test_looks_are_counted(run, judged):
    """The same predictions once, other faces apart; the chance of a wrong pass grows, and the policy's number is a limit."""
    policy = "[looks]\ncandidates = 2\n" + TPR
    looks = ("--looks", "looks.json")

    def candidate(number: int) -> str:
        return table(lambda t, g, i: EMOTIONS[(EMOTIONS.index(t) + 1) % 3] if i == number else mostly(t, g, i))

    assert audited(run, candidate(1))[0] == 0
    code, out, _ = judged(TPR, *looks)
    assert code == 0
    assert "look 1 on these faces: the chance that any of 1 model passes wrongly is at most 5 % (5 %" in out
    _, out, _ = judged(TPR, *looks)
    assert "look 1 on these faces" in out
    assert audited(run, candidate(2))[0] == 0
    _, out, _ = judged(TPR, *looks)
    assert "look 2 on these faces: the chance that any of 2 models passes wrongly is at most 10 % (9.75 %" in out
    assert judged(policy, *looks)[0] == 0
    assert audited(run, candidate(3))[0] == 0
    code, out, _ = judged(policy, *looks)
    assert code == 3
    assert "this is model number 3 on the same faces, and the policy divides its error among 2" in out
    assert audited(run, GOOD + "happy,happy,f\n")[0] == 0
    code, out, _ = judged(policy, *looks)
    assert code == 0
    assert "look 1 of 2 allowed on these faces: the chance that any of 1 model passes wrongly is at most 2.5 %" in out
    ledger = json.loads(Path("looks.json").read_text(encoding="utf-8"))
    assert [len(s["candidates"]) for s in ledger["series"]] == [3, 1]
    assert [c["looks"] for c in ledger["series"][0]["candidates"]] == [2, 2, 1]
    assert [c["outcome"] for c in ledger["series"][0]["candidates"]] == ["pass", "pass", "inconclusive"]
    Path("looks.json").write_text("{", encoding="utf-8")
    code, _, err = judged(policy, *looks)
    assert code == 2
    assert "looks.json" in err
    assert Path("looks.json").read_text(encoding="utf-8") == "{"


def test_a_violation_fails_at_any_look(run, judged):
    """Only a pass is limited."""
    policy = "[looks]\ncandidates = 1\n" + TPR
    for number in (1, 2):
        assert audited(run, table(lambda t, g, i, n=number: "sad" if i % (n + 1) == 0 or i < 60 else t))[0] == 0
        code, out, _ = judged(policy, "--looks", "looks.json")
    assert code == 1
    assert "look 2 of 1 allowed" in out


def test_a_suggested_policy_is_judged(run):
    """It is valid, passes on its own audit, and each rule has a limit that decides and a reason."""
    assert (
        audited(
            run,
            SMALL_RIGHT.replace("g\n", "g,h\n", 1)
            .replace(",x\n", ",f,x\n")
            .replace(",f\n", ",f,a\n")
            .replace(",m\n", ",m,b\n"),
        )[0]
        == 0
    )
    code, out, _ = run("gate", "run", "--suggest")
    assert code == 0
    assert "[[rules]]" in out
    assert "groups are too small to pass: x" in out
    code, out, _ = run("gate", "run", "--suggest", "--out", "fairfer.toml")
    assert code == 0
    text = Path("fairfer.toml").read_text(encoding="utf-8")
    for rule in text.split("[[rules]]\n")[1:]:
        assert rule.startswith("# ")
        assert "observed" in rule.split("\n")[0]
    code, out, err = run("gate", "run")
    assert code == 0, out + err
    assert "warning" not in out
    checks = json.loads(Path("run/verdict.json").read_text(encoding="utf-8"))["checks"]
    assert {c["outcome"] for c in checks} == {"pass"}
    assert all(0.05 <= c["limit"] <= 0.95 for c in checks)
    code, _, err = run("gate", "run", "--suggest", "--out", "fairfer.toml")
    assert code == 2
    assert "exists" in err
    assert run("gate", "run", "--suggest", "--looks", "l.json")[0] == 2
    assert run("gate", "run", "--out", "x.toml")[0] == 2


def test_nothing_is_suggested_for_too_few_faces(run):
    """One line, not an empty policy."""
    assert audited(run, table(mostly, n=3))[0] == 0
    code, _, err = run("gate", "run", "--suggest")
    assert code == 2
    assert "no limit can be suggested" in err


def test_a_suggestion_names_what_stands_in_the_way(run):
    """Faces of labels that the model cannot output."""
    assert audited(run, table(without_fear), *NO_FEAR)[0] == 0
    _, out, _ = run("gate", "run", "--suggest")
    assert "# This audit cannot pass while faces have labels that are not among the model's output classes: fear (200)." in out
    assert "fear TPR" not in out


def test_subjects_keep_unsupported_labels_in_view(run, judged):
    """Rates that cannot be computed from counts are judged as audited, and nothing passes."""
    rows = table(without_fear).splitlines()
    csv = "\n".join([rows[0] + ",who", *(f"{r},p{i // 2}" for i, r in enumerate(rows[1:]))]) + "\n"
    assert audited(run, csv, *NO_FEAR, "--subject", "who")[0] == 0
    assert judged()[0] == 1
    assert judged(ACCURACY)[0] == 3
    assert judged('unsupported_labels = "ignore"\n' + ACCURACY)[0] == 0


def test_kept_faces_can_be_ignored(run, judged):
    """The policy decides whether they count, not the audit."""
    ignore = 'unsupported_labels = "ignore"\n'
    assert audited(run, table(without_fear), *NO_FEAR, "--unsupported-labels", "keep")[0] == 0
    code, out, _ = judged(ignore + ACCURACY.replace("0.3", "0.8"))
    assert code == 0
    kept = re.search(r"accuracy of the worst group, \w, is ([\d.]+)", out)
    assert audited(run, table(without_fear), *NO_FEAR)[0] == 0
    code, out, _ = judged(ignore + ACCURACY.replace("0.3", "0.8"))
    dropped = re.search(r"accuracy of the worst group, \w, is ([\d.]+)", out)
    assert kept
    assert dropped
    assert kept[1] == dropped[1]
    assert judged(ignore + TPR)[0] == 0
    assert judged(ignore + TPR.replace('attribute = "g"', 'label = "fear"\nattribute = "g"'))[0] == 1
