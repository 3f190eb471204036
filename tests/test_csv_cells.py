"""CSV files: no cell is run by a spreadsheet, numbers stay numbers, and no two groups are written alike."""

from __future__ import annotations

import csv
import io

import pytest

from fairfer.report.tables.table import as_csv
from fairfer.report.text.groups import csv_groups
from fairfer.vocabulary import group_name


def cells(columns, *rows):
    return list(csv.reader(io.StringIO(as_csv(columns, rows))))


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\tx", "\rx", "\nx", " =1", "-cmd|' /C calc'!A0", "\N{FULLWIDTH EQUALS SIGN}1"],
)
def test_text_that_would_be_run_gets_an_apostrophe(text):
    """Also in a heading and in a group."""
    heading, row = cells([text, "group"], {text: text, "group": (text,)})
    assert heading == [f"'{text}", "group"]
    assert row == [f"'{text}", f"'{text}"]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a;=1+1", "a;'=1+1"),
        ("a\t@x", "a\t'@x"),
        ("a\n=1", "a\n'=1"),
        ("a\r =1", "a\r '=1"),
        ('a;"=1', "a;\"'=1"),
        ("a; -5; +b", "a; -5; '+b"),
        ("=1;=2", "'=1;'=2"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
    ],
)
def test_text_that_is_run_after_another_separator_gets_an_apostrophe(text, written):
    """A spreadsheet may be set to split at semicolons or tabs; a number in a list stays."""
    assert cells(["x", "y"], {"x": text, "y": 1})[1] == [written, "1"]


@pytest.mark.parametrize("value", [-0.25, -3, 1e-300, "-5", "+1.5", "-1e-05", "20 to 29", "*", "a=b", "a-b", "", None])
def test_numbers_and_ordinary_text_stay(value):
    assert cells(["x", "y"], {"x": value, "y": 1})[1] == ["" if value is None else str(value), "1"]


GROUPS = [("a,b", "c"), ("a", "b,c"), ('"a', 'b"'), ('"a,b"', "c"), ("a", "b"), ("a,b",), ('a"', ",b")]


def test_no_two_groups_are_written_alike():
    """An intersection can be read back as a row of a CSV file."""
    names = [group_name(g) for g in GROUPS if len(g) > 1]
    assert len(set(names)) == len(names)
    assert [tuple(next(csv.reader([n]))) for n in names] == [g for g in GROUPS if len(g) > 1]


def test_lists_of_groups_are_unambiguous():
    assert csv_groups(["a; b", "c"]) == '"a; b"; c'
    assert csv_groups(["a", "b", "c"]) == "a; b; c"
