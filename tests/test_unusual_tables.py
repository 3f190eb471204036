"""Unusual but valid tables are read without loss; others are one line."""

from __future__ import annotations

import datetime as dt
import decimal
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairfer.datasets.loading import load_dataset
from fairfer.datasets.tables import read_table
from fairfer.errors import DataError

BASE = {"label": ["happy", "sad"], "predicted": ["happy", "sad"]}


def parquet(path, values, kind=None, metadata=None):
    table = pa.table({**{k: pa.array(v) for k, v in BASE.items()}, "x": pa.array(values, kind)})
    pq.write_table(table if metadata is None else table.replace_schema_metadata(metadata), path)
    return path


@pytest.mark.parametrize(
    ("values", "kind", "levels"),
    [
        ([b"a", b"b"], None, ("a", "b")),
        ([dt.date(2020, 1, 1), dt.date(9999, 1, 1)], None, ("2020-01-01", "9999-01-01")),
        ([decimal.Decimal("1.50"), None], None, ("1.50", "unannotated")),
        ([2**63 + 1, 5], pa.uint64(), ("5", "9223372036854775809")),
        ([True, False], None, ("False", "True")),
        ([1, 2], pa.float16(), ("1", "2")),
    ],
)
def test_values_of_any_type_are_levels(tmp_path, values, kind, levels):
    dataset = load_dataset(parquet(tmp_path / "t.parquet", values, kind))
    assert dataset.attribute("x").levels == levels


@pytest.mark.parametrize("values", [[[1], [2]], [{"a": 1}, {"a": 2}], [b"\xff", b"a"]])
def test_nested_values_and_bytes_that_are_not_text_are_one_line(tmp_path, values):
    with pytest.raises(DataError, match="column 'x' holds"):
        load_dataset(parquet(tmp_path / "t.parquet", values))


@pytest.mark.parametrize("note", [b"{not json", b"\xff", b"[]", b"[" * 100_000, json.dumps({"index_columns": ["no"]}).encode()])
def test_odd_notes_of_pandas_give_a_table_or_one_line(tmp_path, note):
    path = parquet(tmp_path / "t.parquet", ["a", "b"], metadata={b"pandas": note})
    try:
        assert list(read_table(path).frame["x"]) == ["a", "b"]
    except DataError as error:
        assert "cannot be read as parquet" in str(error)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize("sign", ["", "-"])
def test_numbers_too_long_for_a_computer_stay_text(tmp_path, sign):
    """As numbers, the last digits would be lost and two names become one."""
    numbers = [f"{sign}{12345678901234567890 + i}" for i in range(2)]
    (tmp_path / "t.csv").write_text("label,predicted,x\n" + "\n".join(f"happy,sad,{n}" for n in numbers))
    assert set(load_dataset(tmp_path / "t.csv").attribute("x").levels) == set(numbers)


@pytest.mark.parametrize(
    "line", ['{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", '{"a": "\\ud800"}', '{"a": ' + "9" * 5000 + "}", "[1]"]
)
def test_unusual_json_lines_are_one_line(tmp_path, line):
    (tmp_path / "t.jsonl").write_text(line + "\n")
    with pytest.raises(DataError, match="cannot be read as jsonl") as caught:
        read_table(tmp_path / "t.jsonl")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", [".", "faces", "data"])
def test_demographics_are_looked_up_beside_the_data(tmp_path, monkeypatch, write_pictures, place):
    """In the working directory, in the folder of the data, and beside that folder."""
    work = tmp_path / "work"
    write_pictures(tmp_path / "data" / "faces", ["happy/a.png", "sad/b.png"])
    work.mkdir()
    folder = {".": work, "faces": tmp_path / "data" / "faces", "data": tmp_path / "data"}[place]
    pd.DataFrame({"image": ["a.png", "b.png"], "gender": ["f", "m"]}).to_csv(folder / "demographics.csv", index=False)
    (folder / "demographics.toml").write_text('[gender]\nsource = "self-reported"\n')
    monkeypatch.chdir(work)
    dataset = load_dataset(tmp_path / "data" / "faces", demographics="demographics.csv")
    assert dataset.attribute("gender").source == "self-reported"
