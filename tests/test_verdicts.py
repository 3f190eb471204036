"""One verdict, many faces: all say the same; and other people's tools are told in their own words."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

import fairfer.cli.main
from fairfer.cli.judging import decide
from fairfer.errors import RunError, UsageError
from fairfer.gate.judge import judge
from fairfer.gate.policy import Policy
from fairfer.gate.verdict import Verdict
from fairfer.report.write import write_report
from fairfer.report.verdicts import (
    MARKER,
    banner,
    headline,
    junit,
    markdown,
    standing,
    tallies,
    terminal,
    workflow_commands,
)

ROOT = Path(__file__).parent.parent
TODAY = dt.date(2026, 1, 1)
EVIL = "a|b <script>`*_[x](http://evil) @all ::error::%0A"


@pytest.fixture
def audit(toy):
    """Women are read rightly, men less so, a third group hardly is there."""
    from fairfer import audit, predict
    from fairfer.labels import LabelSpace
    from fairfer.testing import FakeModel

    labels = LabelSpace.of("two", ["anger", "fear"])
    groups = ["f"] * 300 + ["m"] * 300 + ["x"] * 5
    said = [0] * 280 + [1] * 20 + [0] * 190 + [1] * 110 + [0] * 5
    data = toy(["anger"] * len(said), {"g": groups}, said=said, labels=labels)
    return audit(data, predict(data, FakeModel(labels)), ["g"], permutations=100)


def rules(name="r", **more):
    plain = {"rate": "TPR", "label": ["anger"], "attribute": ["g"]}
    waiver = {"rule": "waived", "reason": f"ticket {EVIL}", "expires": dt.date(2999, 1, 1)}
    return Policy.model_validate(
        {
            "rules": [
                {**plain, "name": f"fails {EVIL}", "max_gap": 0.05},
                {**plain, "name": "waived", "max_gap": 0.06},
                {**plain, "name": "open", "max_gap": 0.3},
                {**plain, "name": "passes", "max_gap": 0.6},
                {**plain, "name": name, **(more or {"min_worst": 0.2})},
            ],
            "waivers": [waiver],
        }
    )


@pytest.fixture
def verdict(audit):
    return judge(rules(), audit, today=TODAY)


def test_the_verdict_holds_one_of_each(verdict):
    """What the faces are compared on: a failure, a waived one, an open one and passes."""
    assert tallies(verdict) == {"pass": 2, "fail": 1, "inconclusive": 1, "waived": 1}
    assert (verdict.outcome, verdict.exit_code) == ("fail", 1)


def test_every_face_says_the_same(verdict):
    """Terminal, Markdown, JUnit, annotations, banner and JSON: as many of each standing, and each check's own sentence."""
    counts = tallies(verdict)
    shown = terminal(verdict).splitlines()
    signs = Counter(line[0] for line in shown[shown.index(headline(verdict)) + 2 :] if not line.startswith("  "))
    assert all(any(f"{r['name']}"[:5] in line for line in shown) for r in verdict.policy["rules"])
    assert (signs["✓"], signs["✗"], signs["?"], signs["-"]) == tuple(
        counts[k] for k in ("pass", "fail", "inconclusive", "waived")
    )
    rows = [line.split(" | ")[0].strip("| ") for line in markdown(verdict).splitlines() if line.startswith("| ")][1:]
    assert Counter(rows) == {k: n for k, n in counts.items() if n}
    suite = ET.fromstring(junit(verdict))  # noqa: S314 - our own
    cases = list(suite.iter("testcase"))
    assert len(cases) == len(verdict.findings) == int(suite.get("tests"))
    failures = [c.find("failure").get("type") for c in cases if c.find("failure") is not None]
    assert Counter(failures) == {"fail": 1, "inconclusive": 1}
    assert int(suite.get("failures")) == 2
    assert sum(c.find("skipped") is not None for c in cases) == int(suite.get("skipped")) == 1
    levels = Counter(line.split()[0] for line in workflow_commands(verdict).splitlines())
    assert levels == {"::error": 2, "::notice": 2}
    items = re.findall(r"<li>(\w+): ", banner(verdict))
    assert Counter(items) == {"fail": 1, "inconclusive": 1, "waived": 1}
    assert Counter(standing(f) for f in Verdict.model_validate_json(verdict.to_json()).findings) == {
        k: n for k, n in counts.items() if n
    }
    for face in (terminal(verdict), markdown(verdict), banner(verdict), workflow_commands(verdict)):
        assert "FAILED" in face
    plain = " ".join(terminal(verdict).split())
    assert all(f.why.split(";")[0] in plain for f in verdict.findings)


def test_inconclusive_that_is_allowed_is_told_but_stops_nobody(audit):
    """Skipped in JUnit, a warning in a workflow, a question mark everywhere."""
    policy = Policy.model_validate(
        {"rules": [{"name": "open", "rate": "TPR", "label": "anger", "attribute": "g", "max_gap": 0.3}]}
    )
    found = judge(policy, audit, allow_inconclusive=True, today=TODAY)
    assert headline(found).startswith("INCONCLUSIVE (allowed): 1 of 1 check could not be judged")
    suite = ET.fromstring(junit(found))  # noqa: S314 - our own
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "1")
    assert workflow_commands(found).startswith("::warning ")


def test_names_do_nothing_to_any_face(verdict):
    """A rule's name is data: no tag, table edge, link, mention, nor a second command."""
    comment = markdown(verdict)
    assert comment.startswith(MARKER + "\n")
    assert "<script" not in comment + banner(verdict)
    assert "://" not in comment
    assert not re.search(r"[@#](?!\N{ZERO WIDTH SPACE}|#| )", comment)
    assert "::" not in terminal(verdict)
    for row in (line for line in comment.splitlines() if line.startswith("| ")):
        assert len(re.findall(r"(?<!\\)\|", row)) == 8
    for line in workflow_commands(verdict).splitlines():
        assert re.match(r"::(error|warning|notice) title=[^:,]*::", line)
    ET.fromstring(junit(verdict))  # noqa: S314 - our own


def test_the_schema_is_published_and_true(verdict):
    """The JSON schema in the repository is that of the model; a verdict reads back as it was."""
    path = ROOT / "fairfer" / "schemas" / "verdict.json"
    assert json.loads(path.read_text(encoding="utf-8")) == Verdict.model_json_schema()
    assert Verdict.model_validate_json(verdict.to_json()) == verdict


@pytest.fixture
def run(audit, tmp_path):
    """A run folder with a report, as ``fairfer audit`` leaves one; without rows, so audits are compared as they are."""
    folder = tmp_path / "run"
    write_report(audit, folder)
    return folder


def test_the_page_shows_the_verdict_and_a_rebuilt_page_keeps_it(run, audit):
    """The banner is put in place; writing the report again gives the same page; another verdict replaces it."""
    before = (run / "report.html").read_text(encoding="utf-8")
    assert "<!--verdict--><!--/verdict-->" in before
    decided = decide(run, policy=rules())
    page = (run / "report.html").read_text(encoding="utf-8")
    assert headline(decided.verdict) in page
    assert Verdict.read(run / "verdict.json") == decided.verdict
    write_report(audit, run)
    assert (run / "report.html").read_text(encoding="utf-8") == page
    write_report(audit.model_copy(update={"command": "another"}), run)
    assert 'class="verdict"' not in (run / "report.html").read_text(encoding="utf-8")


def test_a_verdict_that_is_damaged_is_refused(run):
    """By name, when a report is written beside it."""
    (run / "verdict.json").write_text('{"outcome": "pass"}', encoding="utf-8")
    with pytest.raises(RunError, match=r"verdict\.json: .*run fairfer gate again"):
        Verdict.read(run / "verdict.json")
    with pytest.raises(RunError, match="cannot be read"):
        Verdict.read(run / "none.json")


POLICY = '[[rules]]\nname = "a"\nrate = "TPR"\nlabel = "anger"\nattribute = "g"\n'
LIMITS = {"pass": "max_gap = 0.6", "fail": "max_gap = 0.05", "inconclusive": "max_gap = 0.3", "broken": "max_gpa = 0.3"}


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Run ``fairfer gate`` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)

    def go(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fairfer", "gate", *arguments])
        code = 0
        try:
            fairfer.cli.main.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return go


@pytest.mark.parametrize(("limit", "code"), [("pass", 0), ("fail", 1), ("broken", 2), ("inconclusive", 3)])
def test_exit_codes(command, run, tmp_path, limit, code):
    """0 pass, 1 fail, 2 could not run, 3 inconclusive; nothing is written when it could not run."""
    (tmp_path / "fairfer.toml").write_text(POLICY + LIMITS[limit], encoding="utf-8")
    found, out, err = command(str(run), "--markdown", "m.md", "--junit", "j.xml")
    assert found == code
    assert (run / "verdict.json").exists() == (tmp_path / "m.md").exists() == (tmp_path / "j.xml").exists() == (code != 2)
    assert out.startswith("fairfer gate") == (code != 2)
    assert (len(err.splitlines()) == 1) == (code == 2)
    if limit == "inconclusive":
        assert command(str(run), "--allow-inconclusive")[0] == 0
    if limit == "pass":
        shown = command(str(run), "--json")[1]
        assert json.loads(shown)["outcome"] == "pass"
        assert command(str(run / "audit.json"))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "model_labels"),
    [
        (["nowhere"], "does not exist"),
        (["run", "--policy", "none.toml"], "cannot be read"),
        (["run", "--baseline", "nowhere"], "cannot be read"),
        (["empty"], "cannot be read"),
    ],
)
@pytest.mark.usefixtures("run")
def test_what_is_not_there_is_one_line_and_exit_2(command, tmp_path, arguments, model_labels):
    """Never 0: a gate that found nothing to judge has judged nothing."""
    (tmp_path / "fairfer.toml").write_text(POLICY + LIMITS["pass"], encoding="utf-8")
    (tmp_path / "empty").mkdir()
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert model_labels in err
    assert len(err.splitlines()) == 1


def test_a_workflow_is_told_in_its_own_words(run, tmp_path, monkeypatch):
    """Annotations on the log, Markdown in the job's summary, the outcome among the step's outputs; outside of one, nothing."""
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert "::error" not in decide(run, policy=rules()).text
    assert not (tmp_path / "GITHUB_OUTPUT").exists()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert "::error" in decide(run, policy=rules()).text
    assert (tmp_path / "GITHUB_STEP_SUMMARY").read_text(encoding="utf-8").startswith(MARKER)
    assert (tmp_path / "GITHUB_OUTPUT").read_text(encoding="utf-8") == "outcome=fail\n"


def test_a_run_whose_predictions_are_newer_than_its_audit_is_refused(command, run, tmp_path):
    """The audit says who was asked; run.json says whose answers lie there now."""
    (tmp_path / "fairfer.toml").write_text(POLICY + LIMITS["pass"], encoding="utf-8")
    about = {"model": "fake", "version": "1", "options": {}}
    (run / "run.json").write_text(json.dumps({**about, "model": "another"}), encoding="utf-8")
    code, _, err = command(str(run))
    assert code == 2
    assert "audit.json is of fake, the predictions are of another 1; audit again" in err
    (run / "run.json").write_text("{}", encoding="utf-8")
    assert command(str(run))[0] == 2


def test_nothing_is_half_written(command, run, tmp_path):
    """Where one file cannot be written none of the others stays, and what is no plain file is written to, not replaced."""
    (tmp_path / "fairfer.toml").write_text(POLICY + LIMITS["pass"], encoding="utf-8")
    (tmp_path / "folder").mkdir()
    code, _, err = command(str(run), "--markdown", "m.md", "--junit", "folder")
    assert (code, "cannot be written" in err) == (2, True)
    assert not (tmp_path / "m.md").exists()
    assert not (run / "verdict.json").exists()
    (tmp_path / "real.md").write_text("", encoding="utf-8")
    (tmp_path / "link.md").symlink_to(tmp_path / "real.md")
    assert command(str(run), "--markdown", "link.md")[0] == 0
    assert (tmp_path / "link.md").is_symlink()
    assert (tmp_path / "real.md").read_text(encoding="utf-8").startswith(MARKER)
    (run / "report.html").write_bytes(b"\xff\xfe")
    assert command(str(run))[0] == 2


def test_a_summary_that_cannot_be_written_is_one_line(run, monkeypatch):
    """The runner's own files may be missing when its variables are set by hand."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "/nonexistent/x")
    with pytest.raises(UsageError, match="GITHUB_STEP_SUMMARY names it"):
        decide(run, policy=rules())


def test_the_actions_words_are_a_shells(tmp_path):
    """Several lines, quotes and all; a quote that is not closed is an error and not half of the arguments."""
    if not SCRIPT.is_file():
        pytest.skip("a source distribution comes without workflows")
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "fairfer").write_text('#!/bin/sh\nprintf "%s\\n" "$@" >> calls\nexit 2\n', encoding="utf-8")
    (fake / "fairfer").chmod(0o755)
    environment = {
        "PATH": f"{fake}:{Path(sys.executable).parent}:/usr/bin:/bin",
        "GITHUB_OUTPUT": str(tmp_path / "out"),
        "RUNNER_TEMP": str(tmp_path),
        "FAIRFER_RUN": "run",
        "FAIRFER_ARGUMENTS": 'data\n--model a:b\n--name "my data"',
    }
    done = subprocess.run(["bash", str(SCRIPT)], check=False, env=environment, cwd=tmp_path, capture_output=True)  # noqa: S607
    assert done.returncode == 2
    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert calls == ["audit", "data", "--model", "a:b", "--name", "my data", "--out", "run"]
    (tmp_path / "calls").unlink()
    broken = {**environment, "FAIRFER_ARGUMENTS": 'data --name "my'}
    assert subprocess.run(["bash", str(SCRIPT)], check=False, env=broken, cwd=tmp_path, capture_output=True).returncode == 2  # noqa: S607
    assert not (tmp_path / "calls").exists()


@pytest.mark.usefixtures("run")
def test_the_gate_imports_nothing_heavy(tmp_path):
    """No table library, model, plot or server: it must start in a blink."""
    (tmp_path / "fairfer.toml").write_text(POLICY + LIMITS["pass"], encoding="utf-8")
    code = (
        "import sys, fairfer.cli; sys.argv = ['fairfer', 'gate', 'run']\n"
        "try:\n    fairfer.cli.main.main()\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "print(sorted(set(sys.modules) & set('pandas fairlearn sklearn duckdb pyarrow matplotlib PIL jinja2 deepface "
        "onnxruntime scipy'.split())))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


SCRIPT = ROOT / ".github" / "actions" / "gate" / "gate.sh"


@pytest.mark.skipif(not SCRIPT.is_file(), reason="a source distribution comes without workflows")
@pytest.mark.parametrize(
    ("limit", "code", "outcome"),
    [("pass", 0, "pass"), ("fail", 1, "fail"), ("broken", 2, "error"), ("inconclusive", 3, "inconclusive")],
)
def test_the_actions_shell_as_a_runner_calls_it(run, tmp_path, limit, code, outcome):
    """Outputs and exit code; inputs are never executed."""
    (tmp_path / "policy.toml").write_text(POLICY + LIMITS[limit], encoding="utf-8")
    bin_folder = Path(sys.executable).parent
    environment = {
        "PATH": f"{bin_folder}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(tmp_path / "out"),
        "RUNNER_TEMP": str(tmp_path),
        "FAIRFER_RUN": str(run),
        "FAIRFER_POLICY": str(tmp_path / "policy.toml"),
        "FAIRFER_INSTALL": "",
        "FAIRFER_ARGUMENTS": "",
        "FAIRFER_BASELINE": "",
        "FAIRFER_ALLOW": "false",
    }
    done = subprocess.run(["bash", str(SCRIPT)], check=False, env=environment, capture_output=True, text=True)  # noqa: S607
    assert done.returncode == code, done.stderr
    told = dict(line.split("=", 1) for line in (tmp_path / "out").read_text(encoding="utf-8").splitlines())
    assert told["outcome"] == outcome
    assert ("comment" in told) == (code != 2)
    if code != 2:
        assert Path(told["comment"]).read_text(encoding="utf-8").startswith(MARKER)
        assert (tmp_path / "fairfer-junit.xml").is_file()
    evil = {**environment, "FAIRFER_RUN": "$(touch pwned)`touch pwned`; touch pwned"}
    assert subprocess.run(["bash", str(SCRIPT)], check=False, env=evil, cwd=tmp_path, capture_output=True).returncode == 2  # noqa: S607
    assert not (tmp_path / "pwned").exists()


def test_the_projects_own_policies_are_what_they_say():
    """Three can be read, and one cannot; the continuous integration expects their exit codes."""
    from fairfer.gate.policy import read_policy

    for name in ("pass", "fail", "inconclusive"):
        assert read_policy(ROOT / "tests" / "policies" / f"{name}.toml").rules
    with pytest.raises(UsageError, match="unknown key 'max_gpa'"):
        read_policy(ROOT / "tests" / "policies" / "broken.toml")


PLUGIN_TEST = """
import pytest
from fairfer.pytest_plugin import assert_fair

WOMEN = "happy,happy,f\\n" * 90 + "happy,sad,f\\n" * 10
ROWS = "label,predicted,g\\n" + WOMEN + "happy,happy,m\\n" * {men} + "happy,sad,m\\n" * {missed}

def test_fair(fairfer_audit, tmp_path):
    (tmp_path / "rows.csv").write_text(ROWS)
    audit = fairfer_audit(tmp_path / "rows.csv", by=["g"], draws=100)
    found = assert_fair(audit, "fairfer.toml", allow_inconclusive={allow})
    assert found.outcome in ("pass", "inconclusive")
"""


@pytest.mark.parametrize(
    ("men", "missed", "allow", "passed"),
    [(88, 12, False, True), (40, 60, False, False), (78, 22, False, False), (78, 22, True, True)],
)
def test_the_plugin_judges_as_the_gate_does(tmp_path, men, missed, allow, passed):
    """In a pytest of its own, as a user has it: the same verdict, its text in the failure."""
    rule = '[[rules]]\nname = "a"\nrate = "TPR"\nlabel = "happy"\nattribute = "g"\nmax_gap = 0.2\n'
    (tmp_path / "fairfer.toml").write_text(rule, encoding="utf-8")
    (tmp_path / "test_it.py").write_text(PLUGIN_TEST.format(men=men, missed=missed, allow=allow), encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"],
        check=False, cwd=tmp_path, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert (done.returncode == 0) == passed, done.stdout
    if not passed:
        word = "FAILED" if men == 40 else "INCONCLUSIVE"
        assert f"{word}: 1 of 1 check" in done.stdout
        assert "Traceback" not in done.stdout


def test_assert_fair_here(audit):
    """The same in this process: a pass gives the verdict, a failure fails the test."""
    from fairfer.pytest_plugin import assert_fair

    kinds = {k: Policy.model_validate(tomllib.loads(POLICY + v)) for k, v in LIMITS.items() if k != "broken"}
    assert assert_fair(audit, kinds["pass"]).outcome == "pass"
    with pytest.raises(pytest.fail.Exception, match="FAILED"):
        assert_fair(audit, kinds["fail"])
    with pytest.raises(pytest.fail.Exception, match="INCONCLUSIVE"):
        assert_fair(audit, kinds["inconclusive"])
    regression = Policy.model_validate(tomllib.loads(POLICY + "max_regression = 0.1"))
    assert assert_fair(audit, regression, baseline=audit).paired is False
