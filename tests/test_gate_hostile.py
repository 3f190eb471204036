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
from fairfer.audits.result import Audit, _checksum

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
    "a label that the model cannot output, any other rule": Case(3, table(without_fear), GAP, NO_FEAR, "200 with the label fear"),
    "the same, a rule on accuracy": Case(3, table(without_fear), ACCURACY, NO_FEAR, "200 with the label fear"),
    "the same, merged, a rule on accuracy": Case(
        3, table(without_fear), ACCURACY, (*NO_FEAR, "--unsupported-labels", "merge=fear:sad")
    ),
    "the same, kept, a rule on accuracy": Case(3, table(without_fear), ACCURACY, (*NO_FEAR, "--unsupported-labels", "keep")),
    "the same, a rule on another label": Case(3, table(without_fear), ONLY_HAPPY, NO_FEAR),
    "the same, accuracy certainly violated with these faces": Case(
        1, table(without_fear), ACCURACY.replace("0.3", "0.8"), NO_FEAR, "accuracy of the worst group"
    ),
    "the same, `unsupported_labels = \"ignore\"`": Case(
        0, table(without_fear), 'unsupported_labels = "ignore"\n' + TPR, NO_FEAR, "ignored by the policy: unsupported_labels"
    ),
    # rows and faces that are not judged
    "rows without a true label": Case(
        3, table(mostly, lambda t, g, i: "" if t == "fear" else t), word="200 without a true label"
    ),
    "the same, `unlabeled = \"ignore\"`": Case(
        0, table(mostly, lambda t, g, i: "" if t == "fear" else t), 'unlabeled = "ignore"\n' + TPR, word="200 rows without"
    ),
    "faces without a group": Case(3, GOOD + "happy,sad,\n" * 100, word="100 without g"),
    "the same, `unannotated = \"ignore\"`": Case(0, GOOD + "happy,sad,\n" * 100, 'unannotated = "ignore"\n' + TPR),
    "every face without a group but one": Case(3, GOOD.replace(",m\n", ",\n"), GAP),
    "unknown labels in multi-label data": Case(
        3, multi(lambda i: f"{i // 2 % 2},{9 if i % 4 == 0 else i // 2 % 2},{i // 2 % 2},{i // 2 % 2}"), TPR, STARS
    ),
    "true labels unknown everywhere": Case(2, multi(lambda i: "9,9,1,0"), TPR, STARS),
    "a multi-label model without one label": Case(
        1, multi(lambda i: f"{i // 2 % 2},{i // 4 % 2},{i // 2 % 2},").replace(",pred_B", "").replace(",,f", ",f").replace(",,m", ",m"), TPR, STARS,
        "B is not among the model's output classes",
    ),
    # groups
    "a small group misread 19 of 19 times": Case(1, SMALL_WRONG, word="happiness TPR of the worst group, x, is 0.000"),
    "the same, a rule on gaps": Case(1, SMALL_WRONG, GAP, word="gap between x"),
    "a small group without errors": Case(3, SMALL_RIGHT, word="in groups that are too small (x)"),
    "the same, `small_groups = \"ignore\"`": Case(
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
        2, table(lambda t, g, i: str(EMOTIONS.index(t))), ACCURACY, ("--labels", "ferplus"), "no face of t is classified correctly"
    ),
    "no face classified correctly": Case(2, table(lambda t, g, i: EMOTIONS[(EMOTIONS.index(t) + 1) % 3]), GAP),
    "one column as truth and prediction": Case(2, GOOD, ACCURACY, ("--truth", "label", "--predicted", "label")),
    "a copy of the true labels as prediction": Case(
        2, table(lambda t, g, i: t).replace("predicted", "emotion"), ACCURACY, ("--truth", "label", "--predicted", "emotion")
    ),
    "truth and prediction exchanged": Case(2, GOOD, ACCURACY, ("--truth", "predicted", "--predicted", "label"), "exchange them"),
    "a column of scores that is no label": Case(
        2, scored("score_happy,score_sad,score_fear,score_quality", lambda t, i: f"{scores_of(t, i)},{i % 100}"), ACCURACY
    ),
    "the text None as an answer": Case(2, table(lambda t, g, i: "None" if i % 10 == 0 else t), ACCURACY, word="'None' is not a label"),
    "the same, with a line break": Case(2, table(lambda t, g, i: '"\nNone"' if i % 10 == 0 else t), ACCURACY),
    "the same, with own labels": Case(
        2, table(lambda t, g, i: "None" if i % 10 == 0 else f"x{t}", lambda t, g, i: f"x{t}"), ACCURACY
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
