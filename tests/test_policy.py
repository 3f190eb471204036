"""Policies: reading them, and refusing what is unknown, empty or invalid."""

from __future__ import annotations

import datetime as dt

import pytest

from fairfer.errors import UsageError
from fairfer.gate.policy import JUDGED_OVERALL_RATES, Policy, Rule, read_policy

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
name = "overall"
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
    def read_text(text: str, name: str = "fairfer.toml") -> Policy:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return read_policy(path)

    return read_text


def test_a_policy_is_read(read):
    """Names may be text or a list, limits may be integers, and omitted keys have defaults."""
    policy = read(GOOD)
    smiles, overall = policy.rules
    assert (smiles.kind, smiles.limit, smiles.label, smiles.attribute) == (
        "max_gap",
        0.1,
        ["happiness"],
        ["gender", "gender,race"],
    )
    assert (overall.kind, overall.limit, overall.label, overall.require, overall.minimum) == (
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
    assert not policy.waivers[0].covers("overall", "*", "gender")


def test_a_policy_in_pyproject_is_the_same(read):
    """Under [tool.fairfer]; tables of other tools are ignored."""
    inner = GOOD.replace("[[rules]]", "[[tool.fairfer.rules]]").replace("[[waivers]]", "[[tool.fairfer.waivers]]")
    text = "[tool.other]\nx = 1\n[tool.fairfer]" + inner
    assert read(text, "pyproject.toml") == read(GOOD)


def test_the_default_policy_file(tmp_path):
    """fairfer.toml, else pyproject.toml if it has [tool.fairfer]; without either, or with both, an error."""
    with pytest.raises(UsageError, match=r"no fairfer\.toml here"):
        read_policy(folder=tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.other]\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"no fairfer\.toml here"):
        read_policy(folder=tmp_path)
    rule = '[[tool.fairfer.rules]]\nname = "a"\nrate = "TPR"\nattribute = "g"\nmax_gap = 0.5\n'
    (tmp_path / "pyproject.toml").write_text(rule, encoding="utf-8")
    assert read_policy(folder=tmp_path).rules[0].name == "a"
    (tmp_path / "fairfer.toml").write_text(GOOD, encoding="utf-8")
    with pytest.raises(UsageError, match=r"fairfer\.toml and \[tool\.fairfer\] in .* both have rules; keep one policy"):
        read_policy(folder=tmp_path)
    assert read_policy(tmp_path / "fairfer.toml").rules[0].name == "smiles"
    (tmp_path / "pyproject.toml").write_text("[tool.fairfer.audit]\nby = ['g']\n", encoding="utf-8")
    assert read_policy(folder=tmp_path).rules[0].name == "smiles"
    (tmp_path / "fairfer.toml").unlink()
    (tmp_path / "pyproject.toml").write_text("no toml [", encoding="utf-8")
    with pytest.raises(UsageError, match=r"no fairfer\.toml here"):
        read_policy(folder=tmp_path)


RULE = '[[rules]]\nname = "a"\nrate = "TPR"\nattribute = "g"\n'
WAIVER = '[[waivers]]\nrule = "a"\nreason = "why"\nexpires = 2027-01-01\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rule"),
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
        (RULE + "max_gap = 1\n", r"rule 'a': max_gap = 1 is satisfied by every model; set a limit"),
        (RULE + "max_regression = 1.0\n", r"rule 'a': max_regression = 1 is satisfied by every model"),
        (RULE + "min_worst = 0\n", r"rule 'a': min_worst = 0 is satisfied by every model"),
        (RULE + "min_ratio = 0.0\n", r"rule 'a': min_ratio = 0 is satisfied by every model"),
        ("confidence = 0.51\n" + RULE + "max_gap = 0.1\n", r"confidence: .*0\.8 \(it is 0\.51\)"),
        ('unlabeled = "skip"\n' + RULE + "max_gap = 0.1\n", "unlabeled: .*'inconclusive' or 'ignore'"),
        ('unlabelled = "ignore"\n' + RULE + "max_gap = 0.1\n", "unknown key 'unlabelled'; did you mean 'unlabeled'"),
        (RULE + "max_gap = 0.1\n[looks]\ncandidates = 0\n", "looks: candidates: "),
        (RULE + "max_gap = 0.1\n[looks]\ncandidate = 5\n", "looks: unknown key 'candidate'; did you mean 'candidates'"),
        (RULE + "max_gap = 0.1\nminimum = 0\n", "rule 'a': minimum: "),
        (RULE + "max_gap = 0.1\nlabel = []\n", "rule 'a': label: "),
        (RULE.replace("TPR", "TRP") + "max_gap = 0.1\n", "rule 'a': rate 'TRP' cannot be judged; did you mean 'TPR'"),
        (RULE.replace("TPR", "FPR") + "min_worst = 0.1\n", "min_worst of FPR would require errors; limit TNR instead"),
        (RULE.replace("TPR", "FNR") + "min_worst = 0.1\n", "limit TPR instead"),
        (RULE.replace("TPR", "accuracy") + 'label = "fear"\nmax_gap = 0.1\n', "accuracy is over all labels; omit label"),
        (RULE.replace('name = "a"\n', "") + "max_gap = 0.1\n", "rule number 1: 'name' is missing"),
        (RULE.replace('attribute = "g"\n', "") + "max_gap = 0.1\n", "rule 'a': 'attribute' is missing"),
        ((RULE + "max_gap = 0.1\n") * 2, "two rules have the name 'a'"),
        (RULE + "max_gap = 0.1\n" + WAIVER.replace('"a"', '"b"'), "a waiver names rule 'b', which does not exist"),
        (RULE + "max_gap = 0.1\n" + WAIVER.replace('reason = "why"\n', ""), "waiver 'a': 'reason' is missing"),
        (RULE + "max_gap = 0.1\n" + WAIVER.replace('"why"', '""'), "waiver 'a': reason: "),
        (RULE + "max_gap = 0.1\n" + WAIVER.replace("2027-01-01", '"soon"'), "waiver 'a': expires: "),
        ("confidence = 1.0\n" + RULE + "max_gap = 0.1\n", "confidence: "),
        ("rules = 3\n", "rules must be a list of tables"),
        ("rules [", "is not valid TOML"),
    ],
)
def test_an_invalid_policy_is_refused_by_name(read, text, message):
    """The message is one line and names the file, the rule and the key."""
    with pytest.raises(UsageError, match=message) as refused:
        read(text)
    assert "fairfer.toml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_policy_that_cannot_be_read_is_named(tmp_path):
    """Missing, in another encoding, or without a table for fairfer."""
    with pytest.raises(UsageError, match="cannot be read"):
        read_policy(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe4"')
    with pytest.raises(UsageError, match="cannot be read"):
        read_policy(tmp_path / "latin.toml")
    (tmp_path / "pyproject.toml").write_text("[tool.other]\n", encoding="utf-8")
    with pytest.raises(UsageError, match="has no rule"):
        read_policy(tmp_path / "pyproject.toml")


def test_a_waiver_holds_until_its_expiry_date():
    """It is valid on that day and an error on the next, so that no forgotten waiver hides a failure."""
    policy = Policy.model_validate(
        {
            "rules": [{"name": "a", "rate": "TPR", "attribute": "g", "max_gap": 0.1}],
            "waivers": [{"rule": "a", "reason": "why", "expires": dt.date(2026, 5, 1)}],
        }
    )
    policy.check_waivers(dt.date(2026, 5, 1))
    with pytest.raises(UsageError, match=r"the waiver of rule 'a' expired on 2026-05-01 \(why\)"):
        policy.check_waivers(dt.date(2026, 5, 2))


def test_rules_are_immutable():
    """The rules that are judged are those that were read."""
    rule = Rule(name="a", rate="TPR", attribute=["g"], max_gap=0.1)
    with pytest.raises(ValueError, match="frozen"):
        rule.max_gap = 0.5


def test_paths_are_text_or_pathlike(tmp_path, monkeypatch):
    """For the file and for the folder."""
    path = tmp_path / "fairfer.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert read_policy(str(path)) == read_policy(path) == read_policy(folder=str(tmp_path)) == read_policy(folder=tmp_path)
    monkeypatch.chdir(tmp_path)
    assert read_policy() == read_policy("fairfer.toml") == read_policy(path)


def test_groupings_are_spelled_as_by(read):
    """Spaces after commas and repetitions make no difference, in rules and in waivers."""
    text = GOOD.replace('["gender", "gender,race"]', '["gender", "gender, race", "gender,race"]')
    policy = read(text.replace('attribute = "gender"\nreason', 'attribute = "gender, race"\nreason'))
    assert policy.rules[0].groupings == [("gender",), ("gender", "race")]
    assert policy.rules[0].attribute == ["gender", "gender,race", "gender,race"]
    assert policy.waivers[0].covers("smiles", "happiness", "gender,race")


@pytest.mark.parametrize("rate", JUDGED_OVERALL_RATES)
def test_rates_over_all_labels_take_no_label(read, rate):
    """Accuracy, subset accuracy and coverage."""
    text = RULE.replace("TPR", rate) + "max_gap = 0.1\n"
    assert read(text).rules[0].label == ["*"]
    with pytest.raises(UsageError, match=f"{rate} is over all labels; omit label"):
        read(text + 'label = "fear"\n')


@pytest.mark.parametrize("rate", ["macro-F1", "weighted macro-F1", "Hamming loss", "F1", "prevalence"])
def test_rates_without_confidence_bounds_cannot_be_limited(read, rate):
    """Means of several rates are not proportions, and prevalence does not depend on the model."""
    with pytest.raises(UsageError, match=f"rule 'a': rate '{rate}' cannot be judged; "):
        read(RULE.replace("TPR", rate) + "max_gap = 0.1\n")


def test_a_file_with_only_an_audit_table_leaves_the_rules_to_the_project_file(tmp_path):
    """A damaged or empty fairfer.toml is still an error: rules are never looked for behind it."""
    rule = '[[tool.fairfer.rules]]\nname = "gap"\nrate = "TPR"\nattribute = "g"\nmax_gap = 0.1\n'
    (tmp_path / "pyproject.toml").write_text(rule, encoding="utf-8")
    (tmp_path / "fairfer.toml").write_text('[audit]\nby = ["g"]\n', encoding="utf-8")
    assert read_policy(folder=tmp_path) == read_policy(tmp_path / "pyproject.toml")
    for text, message in (("no toml [", "not valid TOML"), ("", "no rule")):
        (tmp_path / "fairfer.toml").write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match=message):
            read_policy(folder=tmp_path)
    (tmp_path / "pyproject.toml").unlink()
    (tmp_path / "fairfer.toml").write_text('[audit]\nby = ["g"]\n', encoding="utf-8")
    with pytest.raises(UsageError, match="no rule"):
        read_policy(folder=tmp_path)
