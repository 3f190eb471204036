"""Verdict renderers and files: all show the same verdict, in the format of each tool; the command, the action, the plugin."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

import fairfer.cli.main
from fairfer.errors import RunError, UsageError
from fairfer.gate.judge import judge
from fairfer.gate.policy import Policy
from fairfer.gate.run import judge_run
from fairfer.gate.verdict import Verdict
from fairfer.report.verdict_files import annotate_workflow, write_verdict
from fairfer.report.verdict_renderers import (
    MARKER,
    banner,
    check_status,
    count_statuses,
    headline,
    junit,
    markdown,
    terminal,
    workflow_commands,
)
from fairfer.report.write import write_report

ROOT = Path(__file__).parent.parent
TODAY = dt.date(2026, 1, 1)
EVIL = "a|b <script>`*_[x](http://evil) @all ::error::%0A"


@pytest.fixture(scope="module")
def audit(toy_factory):
    """Three groups: high TPR, lower TPR, and too few faces."""
    from fairfer import audit, predict
    from fairfer.labels import LabelSpace
    from fairfer.testing import FakeModel

    labels = LabelSpace.of("two", ["anger", "fear"])
    groups = ["f"] * 300 + ["m"] * 300 + ["x"] * 5
    predicted = [0] * 280 + [1] * 20 + [0] * 190 + [1] * 110 + [0] * 5
    data = toy_factory(["anger"] * len(predicted), {"g": groups}, said=predicted, labels=labels)
    return audit(data, predict(data, FakeModel(labels)), by=["g"], permutations=100, date="2026-01-01")


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
            "small_groups": "ignore",
        }
    )


@pytest.fixture(scope="module")
def verdict(audit):
    return judge(rules(), audit, today=TODAY)


def test_the_verdict_has_every_status(verdict):
    """The renderers are compared on a failure, a waived failure, an inconclusive check and passes."""
    assert count_statuses(verdict) == {"pass": 2, "fail": 1, "inconclusive": 1, "waived": 1}
    assert (verdict.outcome, verdict.exit_code) == ("fail", 1)


def test_every_renderer_shows_the_same(verdict):
    """Terminal, Markdown, JUnit, annotations, banner and JSON: the same number of checks per status, and each reason."""
    counts = count_statuses(verdict)
    shown = terminal(verdict).splitlines()
    signs = Counter(line[0] for line in shown[shown.index(headline(verdict)) + 1 :] if line and not line.startswith("  "))
    assert all(any(f"{r.name}"[:5] in line for line in shown) for r in verdict.policy.rules)
    assert (signs["✓"], signs["✗"], signs["?"], signs["-"]) == tuple(
        counts[k] for k in ("pass", "fail", "inconclusive", "waived")
    )
    rows = [line.split(" | ")[0].strip("| ") for line in markdown(verdict).splitlines() if line.startswith("| ")][1:]
    assert Counter(rows) == {k: n for k, n in counts.items() if n}
    suite = ET.fromstring(junit(verdict))
    cases = list(suite.iter("testcase"))
    assert len(cases) == len(verdict.checks) == int(suite.get("tests"))
    failures = [c.find("failure").get("type") for c in cases if c.find("failure") is not None]
    assert Counter(failures) == {"fail": 1, "inconclusive": 1}
    assert int(suite.get("failures")) == 2
    assert sum(c.find("skipped") is not None for c in cases) == int(suite.get("skipped")) == 1
    levels = Counter(line.split()[0] for line in workflow_commands(verdict).splitlines())
    assert levels == {"::error": 2, "::notice": 2}
    items = re.findall(r"<li>(fail|inconclusive|waived|pass): ", banner(verdict))
    assert Counter(items) == {"fail": 1, "inconclusive": 1, "waived": 1}
    assert Counter(check_status(f) for f in Verdict.model_validate_json(verdict.to_json()).checks) == {
        k: n for k, n in counts.items() if n
    }
    for text in (terminal(verdict), markdown(verdict), banner(verdict), workflow_commands(verdict)):
        assert "FAILED" in text
    plain = " ".join(terminal(verdict).split())
    assert all(f.reason.split(";")[0] in plain for f in verdict.checks)


def test_an_allowed_inconclusive_verdict_is_shown_as_such(audit):
    """Skipped in JUnit, a warning in a workflow."""
    policy = Policy.model_validate(
        {"rules": [{"name": "open", "rate": "TPR", "label": "anger", "attribute": "g", "max_gap": 0.3}]}
    )
    result = judge(policy, audit, allow_inconclusive=True, today=TODAY)
    assert headline(result).startswith("INCONCLUSIVE (allowed): 1 of 1 check inconclusive")
    suite = ET.fromstring(junit(result))
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "1")
    assert workflow_commands(result).startswith("::warning ")


def test_names_are_escaped_by_every_renderer(verdict):
    """The name of a rule adds no tag, table cell, link, mention or workflow command."""
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
    ET.fromstring(junit(verdict))


def test_the_published_schema_is_current(verdict):
    """``gate/schemas/verdict.json`` is ``Verdict.model_json_schema()``; a verdict is read back unchanged."""
    path = ROOT / "fairfer" / "gate" / "schemas" / "verdict.json"
    assert json.loads(path.read_text(encoding="utf-8")) == Verdict.model_json_schema()
    assert Verdict.model_validate_json(verdict.to_json()) == verdict


@pytest.fixture(scope="module")
def reported(audit, tmp_path_factory):
    """A report with one figure, because drawing them all takes seconds."""
    from fairfer.report import figures

    folder = tmp_path_factory.mktemp("reported") / "run"
    draw = figures.draw
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "draw", lambda audit: draw(audit, ["overview"]))
        write_report(audit, folder)
    return folder


@pytest.fixture
def run(reported, tmp_path):
    """A run folder with a report and without predictions, so that audits are compared unpaired."""
    return shutil.copytree(reported, tmp_path / "run")


@pytest.mark.usefixtures("few_figures")
def test_the_report_shows_the_verdict_of_its_audit(run, audit):
    """A rebuilt report keeps the banner; the report of another audit has none."""
    before = (run / "report.html").read_text(encoding="utf-8")
    assert "<!--verdict--><!--/verdict-->" in before
    verdict = judge_run(str(run), policy=rules())
    write_verdict(verdict, str(run))
    page = (run / "report.html").read_text(encoding="utf-8")
    assert headline(verdict) in page
    assert Verdict.read(run / "verdict.json") == verdict
    write_report(audit, run)
    assert (run / "report.html").read_text(encoding="utf-8") == page
    write_report(audit.model_copy(update={"command": "another"}), run)
    assert 'class="verdict"' not in (run / "report.html").read_text(encoding="utf-8")


def test_a_damaged_verdict_is_refused(run):
    """The message names the file and the command that writes it again."""
    (run / "verdict.json").write_text('{"outcome": "pass"}', encoding="utf-8")
    with pytest.raises(RunError, match=r"verdict\.json: .*run fairfer gate again"):
        Verdict.read(run / "verdict.json")
    with pytest.raises(RunError, match="cannot be read"):
        Verdict.read(run / "none.json")


POLICY = 'small_groups = "ignore"\n[[rules]]\nname = "a"\nrate = "TPR"\nlabel = "anger"\nattribute = "g"\n'
LIMITS = {"pass": "max_gap = 0.6", "fail": "max_gap = 0.05", "inconclusive": "max_gap = 0.3", "broken": "max_gpa = 0.3"}


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Run ``fairfer gate`` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)

    def run_command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fairfer", "gate", *arguments])
        code = 0
        try:
            fairfer.cli.main.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run_command


@pytest.mark.parametrize(("limit", "code"), [("pass", 0), ("fail", 1), ("broken", 2), ("inconclusive", 3)])
def test_exit_codes(command, run, tmp_path, limit, code):
    """0 pass, 1 fail, 2 could not run, 3 inconclusive; with 2 nothing is written."""
    (tmp_path / "fairfer.toml").write_text(POLICY + LIMITS[limit], encoding="utf-8")
    status, out, err = command(str(run), "--markdown", "m.md", "--junit", "j.xml")
    assert status == code
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
    ("arguments", "message"),
    [
        (["nowhere"], "does not exist"),
        (["run", "--policy", "none.toml"], "cannot be read"),
        (["run", "--baseline", "nowhere"], "cannot be read"),
        (["empty"], "cannot be read"),
    ],
)
@pytest.mark.usefixtures("run")
def test_missing_files_exit_with_2_and_one_line(command, tmp_path, arguments, message):
    """Run, policy and baseline."""
    (tmp_path / "fairfer.toml").write_text(POLICY + LIMITS["pass"], encoding="utf-8")
    (tmp_path / "empty").mkdir()
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_github_workflows_are_annotated(verdict, tmp_path, monkeypatch):
    """Annotations in the log, Markdown in the job summary, the outcome in the outputs; outside of a workflow nothing."""
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert annotate_workflow(verdict) == ""
    assert not (tmp_path / "GITHUB_OUTPUT").exists()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert "::error" in annotate_workflow(verdict)
    assert (tmp_path / "GITHUB_STEP_SUMMARY").read_text(encoding="utf-8").startswith(MARKER)
    assert (tmp_path / "GITHUB_OUTPUT").read_text(encoding="utf-8") == "outcome=fail\n"


def test_a_run_with_predictions_of_another_model_is_refused(command, run, tmp_path):
    """The predictions were replaced after the audit."""
    (tmp_path / "fairfer.toml").write_text(POLICY + LIMITS["pass"], encoding="utf-8")
    description = {"model": "fake", "version": "1", "options": {}}
    (run / "run.json").write_text(json.dumps({**description, "model": "another"}), encoding="utf-8")
    code, _, err = command(str(run))
    assert code == 2
    assert "audit.json is from fake 1, but the predictions are from another 1" in err
    (run / "run.json").write_text("{}", encoding="utf-8")
    assert command(str(run))[0] == 2


def test_all_files_are_written_or_none(command, run, tmp_path):
    """An error removes the other new files; symbolic links are followed, not replaced."""
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


def test_a_summary_that_cannot_be_written_is_an_error(verdict, monkeypatch):
    """The variables of the runner may name files that do not exist."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "/nonexistent/x")
    with pytest.raises(UsageError, match="correct the environment variable GITHUB_STEP_SUMMARY"):
        annotate_workflow(verdict)


@pytest.mark.usefixtures("run")
def test_the_gate_imports_nothing_heavy(tmp_path):
    """No library for tables, models or figures, so that it starts quickly."""
    (tmp_path / "fairfer.toml").write_text(POLICY + LIMITS["pass"], encoding="utf-8")
    code = (
        "import sys, fairfer.cli.main; sys.argv = ['fairfer', 'gate', 'run']\n"
        "try:\n    fairfer.cli.main.main()\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "print(sorted(set(sys.modules) & set('pandas fairlearn sklearn duckdb pyarrow matplotlib PIL jinja2 deepface "
        "onnxruntime scipy'.split())))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


SCRIPT = ROOT / ".github" / "actions" / "gate" / "gate.sh"
needs_script = pytest.mark.skipif(not SCRIPT.is_file(), reason="a source distribution has no workflows")


@pytest.fixture
def action(run, tmp_path):
    """Run the script of the action as a runner does, with its inputs as environment variables."""

    def run_script(**inputs: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{tmp_path / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
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
            **inputs,
        }
        command = ["bash", str(SCRIPT)]
        return subprocess.run(command, check=False, env=environment, cwd=tmp_path, capture_output=True, text=True)

    return run_script


@needs_script
@pytest.mark.parametrize(
    ("limit", "code", "outcome"),
    [
        ("pass", 0, "pass"),
        pytest.param("fail", 1, "fail", marks=pytest.mark.slow),
        ("broken", 2, "error"),
        pytest.param("inconclusive", 3, "inconclusive", marks=pytest.mark.slow),
    ],
)
def test_the_action_as_a_runner_calls_it(action, tmp_path, limit, code, outcome):
    """Exit code, outputs and files."""
    (tmp_path / "policy.toml").write_text(POLICY + LIMITS[limit], encoding="utf-8")
    done = action()
    assert done.returncode == code, done.stderr
    outputs = dict(line.split("=", 1) for line in (tmp_path / "out").read_text(encoding="utf-8").splitlines())
    assert outputs["outcome"] == outcome
    assert ("comment" in outputs) == (code != 2)
    if code != 2:
        assert Path(outputs["comment"]).read_text(encoding="utf-8").startswith(MARKER)
        assert (tmp_path / "fairfer-junit.xml").is_file()


@needs_script
def test_inputs_of_the_action_are_not_executed(action, tmp_path):
    """Command substitutions and separators in an input are part of a name."""
    assert action(FAIRFER_RUN="$(touch created)`touch created`; touch created").returncode == 2
    assert not (tmp_path / "created").exists()


@needs_script
def test_the_action_splits_arguments_as_a_shell_does(action, tmp_path):
    """Line breaks and quotes; an unclosed quote is an error."""
    program = tmp_path / "bin" / "fairfer"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >> calls\nexit 2\n', encoding="utf-8")
    program.chmod(0o755)
    assert action(FAIRFER_RUN="run", FAIRFER_ARGUMENTS='data\n--model a:b\n--name "my data"').returncode == 2
    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert calls == ["audit", "data", "--model", "a:b", "--name", "my data", "--out", "run"]
    (tmp_path / "calls").unlink()
    assert action(FAIRFER_ARGUMENTS='data --name "my').returncode == 2
    assert not (tmp_path / "calls").exists()


def test_the_policies_of_the_projects_own_gate():
    """Three are valid and one is not; .ci/run expects their exit codes."""
    from fairfer.gate.policy import read_policy

    for name in ("pass", "fail", "inconclusive"):
        assert read_policy(ROOT / "tests" / "policies" / f"{name}.toml").rules
    with pytest.raises(UsageError, match="unknown key 'max_gpa'"):
        read_policy(ROOT / "tests" / "policies" / "broken.toml")


PLUGIN_TEST = """
import pytest
from fairfer.pytest_plugin import assert_fair

HEADER = "label,predicted,g\\n" + "happy,happy,f\\n" * 90 + "happy,sad,f\\n" * 10
POLICY = '[[rules]]\\nname = "a"\\nrate = "TPR"\\nlabel = "happy"\\nattribute = "g"\\nmax_gap = 0.2\\n'

@pytest.mark.parametrize(
    ("hits", "allow"), [(88, False), (40, False), (78, False), (78, True)], ids=["pass", "fail", "open", "allowed"]
)
def test_fair(fairfer_audit, tmp_path, hits, allow):
    rows = HEADER + "happy,happy,m\\n" * hits + "happy,sad,m\\n" * (100 - hits)
    (tmp_path / "rows.csv").write_text(rows)
    (tmp_path / "fairfer.toml").write_text(POLICY)
    audit = fairfer_audit(tmp_path / "rows.csv", by=["g"], permutations=100)
    verdict = assert_fair(audit, str(tmp_path / "fairfer.toml"), allow_inconclusive=allow)
    assert verdict.outcome in ("pass", "inconclusive")
"""


@pytest.mark.slow
def test_the_plugin_fails_tests_as_the_gate_fails_builds(tmp_path):
    """In a pytest process of its own: the same verdicts, with the gate's text and no traceback."""
    (tmp_path / "test_it.py").write_text(PLUGIN_TEST, encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "test_it.py"],
        check=False, cwd=tmp_path, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    results = dict(re.findall(r"test_fair\[(\w+)\] (PASSED|FAILED)", done.stdout))
    assert results == {"pass": "PASSED", "fail": "FAILED", "open": "FAILED", "allowed": "PASSED"}, done.stdout
    assert "FAILED: 1 of 1 check failed" in done.stdout
    assert "INCONCLUSIVE: 1 of 1 check inconclusive" in done.stdout
    assert "Traceback" not in done.stdout


TABLE = "truth,model,g\n" + "happy,happy,f\n" * 30 + "sad,sad,m\n" * 20 + "happy,sad,m\n" * 10


def test_the_fixture_passes_options_on(fairfer_audit, tmp_path):
    """Options of loaders go to the dataset, those of the audit to the audit; paths are text or PathLike."""
    path = tmp_path / "rows.csv"
    path.write_text(TABLE, encoding="utf-8")
    options = {"truth": "truth", "predicted": "model", "name": "ours", "minimum": 25, "permutations": 100}
    audit = fairfer_audit(str(path), by=["g"], run=str(tmp_path / "run"), **options)
    assert (audit.data.name, audit.plan.minimum, audit.data.samples) == ("ours", 25, 60)
    assert (tmp_path / "run" / "run.json").is_file()
    again = fairfer_audit(path, by=["g"], **options)
    assert again.rates == audit.rates


def test_the_fixture_refuses_unknown_options(fairfer_audit, tmp_path, toy):
    """By name, with the nearest option; and options of a loader for a dataset that is loaded."""
    with pytest.raises(UsageError, match="fairfer_audit has no option 'minimun'; did you mean 'minimum'"):
        fairfer_audit(tmp_path / "rows.csv", minimun=5)
    with pytest.raises(UsageError, match="truth cannot be applied to a Dataset; pass them to load_dataset"):
        fairfer_audit(toy(["anger"]), truth="label")
    with pytest.raises(UsageError, match=r"contains images but no predictions; name the model: fairfer_audit\(\.\.\., model="):
        fairfer_audit(toy(["anger"]))


def test_the_plugin_imports_no_other_module():
    """Every run of pytest imports the plugin, so it must not import fairfer's modules until it is used."""
    code = "import sys, fairfer.pytest_plugin; print(sorted(m for m in sys.modules if m.startswith('fairfer')))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "['fairfer', 'fairfer.pytest_plugin']"


def test_assert_fair_returns_the_verdict_or_fails(audit):
    """With and without a baseline."""
    from fairfer.pytest_plugin import assert_fair

    kinds = {k: Policy.model_validate(tomllib.loads(POLICY + v)) for k, v in LIMITS.items() if k != "broken"}
    assert assert_fair(audit, kinds["pass"]).outcome == "pass"
    with pytest.raises(pytest.fail.Exception, match="FAILED"):
        assert_fair(audit, kinds["fail"])
    with pytest.raises(pytest.fail.Exception, match="INCONCLUSIVE"):
        assert_fair(audit, kinds["inconclusive"])
    regression = Policy.model_validate(tomllib.loads(POLICY + "max_regression = 0.1"))
    assert assert_fair(audit, regression, baseline=audit).paired is False
