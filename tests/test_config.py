"""Settings of ``fairfer audit`` in fairfer.toml or pyproject.toml."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from fairfer.audits.result import Audit
from fairfer.cli.config import to_toml

ROWS = "id,label,pred,gender\n" + "\n".join(
    f"{i},{('fear', 'anger')[i % 2]},{('fear', 'anger')[(i + (i % 7 == 0)) % 2]},{('f', 'm')[i % 3 == 0]}" for i in range(80)
)
AUDIT = '[audit]\ndataset = "t.csv"\npredicted = "pred"\nby = ["gender"]\nminimum = 5\npermutations = 200\nout = "run"\n'


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(ROWS)
    return tmp_path


def fairfer(*arguments):
    return subprocess.run([sys.executable, "-m", "fairfer", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("file", ["fairfer.toml", "pyproject.toml", "other.toml"])
def test_an_audit_needs_no_flags(here, file):
    """The table is found here, or named with --config; the command line overrides it."""
    table = AUDIT.replace("[audit]", "[tool.fairfer.audit]") if file == "pyproject.toml" else AUDIT
    (here / file).write_text(table)
    named = ["--config", file] if file == "other.toml" else []
    done = fairfer("audit", *named, "--minimum", "7")
    assert done.returncode == 0, done.stderr
    assert f"settings from {file}" in done.stderr
    audit = Audit.read(here / "run")
    assert audit.plan.by == (("gender",),)
    assert (audit.plan.minimum, audit.plan.permutations) == (7, 200)


def test_the_stored_configuration_reproduces_the_audit(here):
    """`Audit.config` is a file with which the same command without flags gives the same numbers."""
    done = fairfer(
        "audit", "t.csv", "--predicted", "pred", "--by", "gender", "--minimum", "5", "--permutations", "200", "--out", "run"
    )
    assert done.returncode == 0, done.stderr
    first = Audit.read(here / "run")
    (here / "fairfer.toml").write_text(first.config)
    (here / "run" / "audit.json").unlink()
    assert fairfer("audit").returncode == 0
    assert Audit.read(here / "run").model_copy(update={"command": ""}) == first.model_copy(update={"command": ""})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[audit]\nminimun = 5\n", "unknown key 'minimun'; did you mean 'minimum'"),
        ("[audit]\nby = 3\n", "by is 3; give a list of strings"),
        ("[audit]\nby = [3]\n", "give a list of strings"),
        ('[audit]\ndedupe = "yes"\n', "dedupe is 'yes'; give true or false"),
        ("[audit]\nminimum = true\n", "minimum is True"),
        ("[audit]\nminimum = [5]\n", "minimum is [5]"),
        ('[audit]\nminimum-occurrences = "5"\n', "minimum-occurrences is '5'; give a whole number"),
        ('audit = "x"\n', "audit must be a table"),
        ("[audit\n", "not valid TOML"),
        ('[audit]\nconfig = "x.toml"\n', "unknown key 'config'"),
    ],
)
def test_a_slip_is_refused_by_its_key(here, text, message):
    """Exit 2, one line that names file and key, and nothing written."""
    (here / "fairfer.toml").write_text(text)
    done = fairfer("audit", "t.csv", "--predicted", "pred", "--out", "run")
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (here / "run").exists()


def test_two_files_with_settings_are_refused(here):
    (here / "fairfer.toml").write_text(AUDIT)
    (here / "pyproject.toml").write_text(AUDIT.replace("[audit]", "[tool.fairfer.audit]"))
    done = fairfer("audit")
    assert done.returncode == 2
    assert "both fairfer.toml and pyproject.toml" in done.stderr


def test_other_tables_are_left_alone(here):
    """A policy, or a project file of another tool, gives no settings."""
    (here / "fairfer.toml").write_text('[[rules]]\nname = "a"\nrate = "TPR"\nattribute = "gender"\nmax_gap = 0.9\n')
    (here / "pyproject.toml").write_text("[tool.ruff]\nline-length = 100\n")
    done = fairfer("audit", "t.csv", "--predicted", "pred", "--out", "run", "--permutations", "200")
    assert done.returncode == 0, done.stderr
    assert "settings from" not in done.stderr


def test_a_named_file_must_have_the_table(here):
    (here / "other.toml").write_text("[other]\n")
    done = fairfer("audit", "t.csv", "--config", "other.toml")
    assert done.returncode == 2
    assert "has no table [audit]" in done.stderr


def test_values_survive_toml():
    """What is written is read back, with quotes, backslashes and other scripts."""
    import tomllib

    values = {"by": ['a"b', "c\\d", "年齢"], "minimum": 5, "confidence": 0.9, "dedupe": True, "sample_id": "x y"}
    read = tomllib.loads(to_toml(values))["audit"]
    assert read == {name.replace("_", "-"): value for name, value in values.items()}
    assert json.loads(json.dumps(read)) == read


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("minimum = 20.5", "minimum is 20.5; give a whole number"),
        ('minimum = "20"', "minimum is '20'; give a whole number"),
        ("seed = nan", "seed is nan; give a whole number"),
        ('confidence = "high"', "confidence is 'high'; give a number"),
        ("truth = 3", "truth is 3; give a string"),
        ("truth = 2026-01-01", "truth is datetime.date(2026, 1, 1); give a string"),
    ],
)
def test_a_value_of_another_type_is_refused_by_its_key(here, text, message):
    (here / "fairfer.toml").write_text(f"[audit]\n{text}\n")
    done = fairfer("audit", "t.csv", "--out", "run")
    assert (done.returncode, done.stderr) == (2, f"fairfer: fairfer.toml, [audit]: {message}\n")


def test_a_misspelled_table_is_not_ignored(here):
    """Without its settings another dataset would be audited."""
    (here / "fairfer.toml").write_text(AUDIT.replace("[audit]", "[audti]"))
    done = fairfer("audit")
    assert (done.returncode, done.stderr) == (2, "fairfer: fairfer.toml has a table 'audti'; did you mean 'audit'?\n")


def test_a_byte_order_mark_is_no_error(here):
    """Windows editors write one."""
    (here / "fairfer.toml").write_text(AUDIT, encoding="utf-8-sig")
    assert fairfer("audit").returncode == 0


@pytest.mark.parametrize("option", ["--threshold=AU6=0.4", "--bands=age=20", "--option=a=b"])
def test_a_name_given_twice_is_refused(here, option):
    """The last value would win silently."""
    data = [] if option.startswith("--option") else ["t.csv", "--predicted", "pred"]
    done = fairfer("audit", *data, option, f"{option}0", "--out", "run")
    assert done.returncode == 2
    assert "more than once" in done.stderr
