"""Policies: what is read, and that nothing unknown, empty or senseless is."""

from __future__ import annotations

import datetime as dt

import pytest

from fairfer.errors import UsageError
from fairfer.gate.policy import Policy, Rule, read_policy

GOOD = """
confidence = 0.9

[[rules]]
name = "smiles"
rate = "TPR"
label = "happiness"
attribute = ["gender", "gender,race"]
max_gap = 0.1
require = ["female", "male"]
minimum = 50

[[rules]]
name = "everyone"
rate = "accuracy"
attribute = "gender"
min_worst = 1

[[waivers]]
rule = "smiles"
attribute = "gender"
reason = "ticket 123"
expires = 2027-03-01
"""


@pytest.fixture
def read(tmp_path):
    def go(text: str, name: str = "fairfer.toml") -> Policy:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return read_policy(path)

    return go


def test_a_policy_is_read(read):
    """Names may be one or a list; a whole number is a limit; what is left out has its default."""
    policy = read(GOOD)
    smiles, everyone = policy.rules
    assert (smiles.kind, smiles.limit, smiles.label, smiles.attribute) == (
        "max_gap",
        0.1,
        ["happiness"],
        ["gender", "gender,race"],
    )
    assert (everyone.kind, everyone.limit, everyone.label, everyone.require, everyone.minimum) == (
        "min_worst",
        1.0,
        ["*"],
        [],
        None,
    )
    assert policy.confidence == 0.9
    assert policy.waivers[0].expires == dt.date(2027, 3, 1)
    assert policy.waivers[0].covers("smiles", "happiness", "gender")
    assert not policy.waivers[0].covers("smiles", "happiness", "gender,race")
    assert not policy.waivers[0].covers("everyone", "*", "gender")


def test_a_policy_in_pyproject_is_the_same(read):
    """Under [tool.fairfer]; other tools' settings are none of our business."""
    inner = GOOD.replace("[[rules]]", "[[tool.fairfer.rules]]").replace("[[waivers]]", "[[tool.fairfer.waivers]]")
    text = "[tool.other]\nx = 1\n[tool.fairfer]" + inner
    assert read(text, "pyproject.toml") == read(GOOD)


def test_a_policy_is_looked_for(tmp_path):
    """fairfer.toml first, then pyproject.toml if it says anything for fairfer; nothing is never an empty policy."""
    with pytest.raises(UsageError, match=r"there is no fairfer\.toml here"):
        read_policy(folder=tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.other]\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"there is no fairfer\.toml here"):
        read_policy(folder=tmp_path)
    rule = '[[tool.fairfer.rules]]\nname = "a"\nrate = "TPR"\nattribute = "g"\nmax_gap = 0.5\n'
    (tmp_path / "pyproject.toml").write_text(rule, encoding="utf-8")
    assert read_policy(folder=tmp_path).rules[0].name == "a"
    (tmp_path / "fairfer.toml").write_text(GOOD, encoding="utf-8")
    assert read_policy(folder=tmp_path).rules[0].name == "smiles"
    (tmp_path / "fairfer.toml").unlink()
    (tmp_path / "pyproject.toml").write_text("no toml [", encoding="utf-8")
    with pytest.raises(UsageError, match=r"there is no fairfer\.toml here"):
        read_policy(folder=tmp_path)


RULE = '[[rules]]\nname = "a"\nrate = "TPR"\nattribute = "g"\n'
WAIVER = '[[waivers]]\nrule = "a"\nreason = "why"\nexpires = 2027-01-01\n'


@pytest.mark.parametrize(
    ("text", "model_labels"),
    [
        ("", "holds no rule"),
        ("rules = []\n", "rules: list should have at least 1 item"),
        ("confidence = 0.9\n", "'rules' is missing"),
        (RULE, "rule 'a': needs exactly one of max_gap, min_ratio, min_worst, max_regression, not 0"),
        (RULE + "max_gap = 0.1\nmin_ratio = 0.8\n", "rule 'a': needs exactly one of .*, not 2"),
        (RULE + "max_gap = 0.1\nmin_rate = 1\n", "rule 'a': unknown key 'min_rate'; did you mean 'min_ratio'"),
        (RULE + "max_gap = 0.1\nmax_gpa = 1\n", "rule 'a': unknown key 'max_gpa'; did you mean 'max_gap'"),
        (RULE + "max_gap = 0.1\n[limits]\n", "unknown key 'limits'"),
        (RULE + "max_gap = nan\n", r"rule 'a': max_gap: .*\(it is nan\)"),
        (RULE + "max_gap = inf\n", "rule 'a': max_gap: "),
        (RULE + "max_gap = -0.1\n", r"rule 'a': max_gap: input should be greater than or equal to 0 \(it is -0.1\)"),
        (RULE + "max_gap = 10\n", r"rule 'a': max_gap: input should be less than or equal to 1 \(it is 10"),
        (RULE + 'max_gap = "0.1"\n', "rule 'a': max_gap: "),
        (RULE + "max_gap = true\n", "rule 'a': max_gap: "),
        (RULE + "max_gap = 0.1\nminimum = 0\n", "rule 'a': minimum: "),
        (RULE + "max_gap = 0.1\nlabel = []\n", "rule 'a': label: "),
        (RULE.replace("TPR", "TRP") + "max_gap = 0.1\n", "rule 'a': rate 'TRP' cannot be judged; did you mean 'TPR'"),
        (RULE.replace("TPR", "FPR") + "min_worst = 0.1\n", "min_worst of FPR would ask for errors; limit TNR instead"),
        (RULE.replace("TPR", "FNR") + "min_worst = 0.1\n", "limit TPR instead"),
        (RULE.replace("TPR", "accuracy") + 'label = "fear"\nmax_gap = 0.1\n', "accuracy is over all labels; leave label out"),
        (RULE.replace('name = "a"\n', "") + "max_gap = 0.1\n", "rule number 1: 'name' is missing"),
        (RULE.replace('attribute = "g"\n', "") + "max_gap = 0.1\n", "rule 'a': 'attribute' is missing"),
        ((RULE + "max_gap = 0.1\n") * 2, "two rules are called 'a'"),
        (RULE + "max_gap = 0.1\n" + WAIVER.replace('"a"', '"b"'), "a waiver is for rule 'b', which there is not"),
        (RULE + "max_gap = 0.1\n" + WAIVER.replace('reason = "why"\n', ""), "waiver 'a': 'reason' is missing"),
        (RULE + "max_gap = 0.1\n" + WAIVER.replace('"why"', '""'), "waiver 'a': reason: "),
        (RULE + "max_gap = 0.1\n" + WAIVER.replace("2027-01-01", '"soon"'), "waiver 'a': expires: "),
        ("confidence = 1.0\n" + RULE + "max_gap = 0.1\n", "confidence: "),
        ("rules = 3\n", "rules: "),
        ("rules [", "is no TOML"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused_by_name(read, text, model_labels):
    """One line: the file, the rule and the key; nothing is judged by a policy that was half understood."""
    with pytest.raises(UsageError, match=model_labels) as refused:
        read(text)
    assert "fairfer.toml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_policy_that_is_not_there_is_named(tmp_path):
    """And one in another encoding is no traceback."""
    with pytest.raises(UsageError, match="cannot be read"):
        read_policy(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe4"')
    with pytest.raises(UsageError, match="cannot be read"):
        read_policy(tmp_path / "latin.toml")
    (tmp_path / "pyproject.toml").write_text("[tool.other]\n", encoding="utf-8")
    with pytest.raises(UsageError, match="holds no rule"):
        read_policy(tmp_path / "pyproject.toml")


def test_a_waiver_holds_until_its_day_and_then_must_go():
    """Its last day counts; the next one refuses, so that nobody passes by what was forgotten."""
    policy = Policy.model_validate(
        {
            "rules": [{"name": "a", "rate": "TPR", "attribute": "g", "max_gap": 0.1}],
            "waivers": [{"rule": "a", "reason": "why", "expires": dt.date(2026, 5, 1)}],
        }
    )
    policy.check_waivers(dt.date(2026, 5, 1))
    with pytest.raises(UsageError, match=r"the waiver of rule 'a' expired on 2026-05-01 \(why\)"):
        policy.check_waivers(dt.date(2026, 5, 2))


def test_a_rule_never_changes():
    """What was judged is what was read."""
    rule = Rule(name="a", rate="TPR", attribute=["g"], max_gap=0.1)
    with pytest.raises(ValueError, match="frozen"):
        rule.max_gap = 0.5
