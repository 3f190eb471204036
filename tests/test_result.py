"""audit.json: everything a report needs, the same bytes each time, and nothing that is not trusted."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from fairfer import audit
from fairfer.audits.result import SCHEMA_VERSION, Audit
from fairfer.errors import RunError, UsageError
from fairfer.predictions.inference import predict
from fairfer.testing import FakeModel


@pytest.fixture(scope="module")
def toy_audit(toy_factory) -> Audit:
    """Twelve faces of two emotions and two groups, one of them not answered."""
    truth = ["anger"] * 6 + ["fear"] * 6
    said = [4, 4, 5, 4, 4, 4, 6, 6, 6, 4, 4, 250]
    data = toy_factory(truth, {"gender": ["f", "m"] * 6, "<b>": ["x & y"] * 12}, said=said)
    return audit(
        data, predict(data, FakeModel(no_face=[250])), ["gender", "<b>"], minimum=3, permutations=100, command="fairfer audit"
    )


def test_an_audit_reads_back_as_it_was_written(toy_audit, tmp_path):
    """Every field, and the very bytes; by file or by folder."""
    toy_audit.write(tmp_path / "run" / "audit.json")
    for place in (tmp_path / "run", tmp_path / "run" / "audit.json", str(tmp_path / "run")):
        assert Audit.read(place) == toy_audit
    assert Audit.read(tmp_path / "run").to_json() == toy_audit.to_json()


def test_the_file_is_plain_json_with_a_line_per_number(toy_audit):
    """Two audits can be compared line by line; what is not estimable is null with a status."""
    text = toy_audit.to_json()
    value = json.loads(text, parse_constant=pytest.fail)
    assert value["schema_version"] == SCHEMA_VERSION
    for name in ("counts", "rates", "gaps"):
        for row in value[name]:
            assert json.dumps(row, ensure_ascii=False) in text
    undefined = [r for r in value["rates"] if r["status"] in ("not_estimable", "empty")]
    assert undefined
    assert all(r["value"] is None for r in undefined)
    assert all(r["value"] is not None for r in value["rates"] if r["status"] in ("ok", "small"))
    assert text.endswith("}\n")


def test_rates_groups_and_sizes_are_found_by_name(toy_audit):
    """Everyone together is ``*``, and so is the rate over all labels."""
    assert toy_audit.rate("accuracy").value == pytest.approx(8 / 12)
    assert toy_audit.rate("coverage", attribute="gender", group="m").value == pytest.approx(5 / 6)
    tpr = toy_audit.rate("TPR", label="anger", attribute="gender", group="f")
    assert (tpr.numerator, tpr.denominator) == (2, 3)
    assert toy_audit.groups("gender") == ["f", "m"]
    assert toy_audit.groupings == ["gender", "<b>"]
    assert toy_audit.size() == 12
    assert toy_audit.size("gender", "f") == 6
    assert toy_audit.support("anger", "gender", "m") == 3
    with pytest.raises(UsageError, match=r"has no TPR of 'anger' for gender=x; see Audit\.frame\('rates'\)"):
        toy_audit.rate("TPR", label="anger", attribute="gender", group="x")


def test_tables_are_data_frames_by_name(toy_audit):
    """Counts stay whole numbers where some are missing; a name that does not exist is answered with the nearest."""
    rates = toy_audit.frame()
    assert str(rates["numerator"].dtype) == "Int64"
    assert len(rates) == len(toy_audit.rates)
    assert list(toy_audit.frame("counts").columns) == ["attribute", "group", "truth", "predicted", "n"]
    assert toy_audit.frame("counts").query("attribute == '*'")["n"].sum() == 12
    gaps = toy_audit.frame("gaps")
    assert gaps[["groups", "excluded", "additional_samples"]].map(type).eq(str).all(axis=None)
    with pytest.raises(UsageError, match="no table 'rate'; did you mean 'rates'"):
        toy_audit.frame("rate")


def test_a_notebook_shows_it_with_every_name_escaped(toy_audit):
    """Names come from people's files and are no markup."""
    shown = toy_audit._repr_html_()
    assert "&lt;b&gt;" in shown
    assert "x &amp; y" in shown
    assert "<b>fairfer audit</b>" in shown
    assert ".667" in shown
    empty = toy_audit.model_copy(update={"rates": [toy_audit.rate("accuracy").model_copy(update={"value": None, "low": None})]})
    assert "not estimable" in empty._repr_html_()


def change(**fields):
    """Change fields of the JSON; ``None`` removes one."""

    def apply(text: str) -> str:
        value = {**json.loads(text), **fields}
        return json.dumps({k: v for k, v in value.items() if v is not None})

    return apply


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda text: text[: len(text) // 2], r"audit\.json is no JSON"),
        (lambda text: "[1]", "has schema version None, this fairfer reads 2; make the audit again"),
        (change(schema_version=1), "has schema version 1, this fairfer reads 2"),
        (change(schema_version=None), "has schema version None"),
        (change(counts=None), "counts: field required; it was damaged or edited, make the audit again"),
        (change(verdict="fair"), "verdict: extra inputs are not permitted"),
        (change(gaps=[{"label": 3}]), r"gaps\.0\.label: input should be a valid string"),
        (lambda text: text.replace('"value": 0.', '"value": NaN, "x": 0.', 1), "rates"),
    ],
)
def test_a_file_that_was_damaged_or_edited_is_refused_naming_the_field(toy_audit, tmp_path, damage, complaint):
    """No report is made of numbers that no audit wrote."""
    (tmp_path / "audit.json").write_text(damage(toy_audit.to_json()))
    with pytest.raises(RunError, match=complaint) as caught:
        Audit.read(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path, content):
    """With what to do first."""
    if content is not None:
        (tmp_path / "audit.json").write_bytes(content)
    with pytest.raises(RunError, match=r"audit\.json cannot be read \(.+\); make the audit first"):
        Audit.read(tmp_path)


def test_an_audit_cannot_be_changed(toy_audit):
    """Whoever shows or judges it shows and judges what was measured."""
    with pytest.raises(ValueError, match="frozen"):
        toy_audit.date = "2000-01-01"


def test_reading_one_needs_no_model_picture_or_table_library(toy_audit, tmp_path):
    """Reports and gates read ``audit.json`` where none of these is installed."""
    toy_audit.write(tmp_path / "audit.json")
    code = (
        "import sys; from fairfer.audits.result import Audit; Audit.read(sys.argv[1]).rate('accuracy'); "
        "print(sorted({'pandas', 'numpy', 'duckdb', 'PIL', 'fairlearn', 'pyarrow', 'scipy'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
