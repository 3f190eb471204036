"""Tables that pages make of the registry: they are as ``datasets/update_tables.py`` writes them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from fairfer.datasets.catalog import known_datasets

PROJECT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def script():
    """The script, as a module."""
    spec = importlib.util.spec_from_file_location("update_tables", PROJECT / "datasets" / "update_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_are_up_to_date(script, capsys):
    """If this fails: python datasets/update_tables.py."""
    assert script.main(["--check"]) == 0, capsys.readouterr().out


def test_every_dataset_with_a_card_is_in_both_tables(script):
    """A new loader appears without editing a page."""
    for table in (script.public_datasets(), script.datasets_with_source()):
        for one in known_datasets():
            assert (one.card is not None) == (f"datasets/{one.name}" in table or f"`{one.name}`" in table)


def test_outdated_pages_are_found_and_written(script, tmp_path, capsys):
    """--check changes nothing; without it, the text around the table stays."""
    page = tmp_path / "a.md"
    page.write_text("before\n<!-- table: public datasets -->\nold\n<!-- end of table -->\nafter\n")
    assert script.main(["--check"], tmp_path, ["a.md"]) == 1
    assert "a.md is outdated" in capsys.readouterr().out
    assert "old" in page.read_text()
    assert script.main([], tmp_path, ["a.md"]) == 0
    text = page.read_text()
    assert text.startswith("before\n<!-- table: public datasets -->\n| dataset |")
    assert text.endswith("<!-- end of table -->\nafter\n")
    assert script.main(["--check"], tmp_path, ["a.md"]) == 0


def test_marks_without_a_table_are_refused(script):
    """A misspelled name is not left alone silently."""
    with pytest.raises(ValueError, match=r"p.md: no table 'modles'; there are public datasets"):
        script.update("<!-- table: modles -->\n<!-- end of table -->\n", script.TABLES, "p.md")
    with pytest.raises(ValueError, match=r"p.md: no marks of a table"):
        script.update("text", script.TABLES, "p.md")


def test_bars_in_cells_are_escaped(script):
    """Otherwise a row has a cell too many."""
    assert script.markdown_table(("a",), [("x|y",)]) == "| a |\n| --- |\n| x\\|y |\n"
