"""``fairfer datasets``: what is known, what is here, and cards that a reader can act on."""

from __future__ import annotations

import dataclasses
import json
import re
import sys

import pytest

from fairfer.cli.main import main
from fairfer.datasets.catalog import find_known, known_datasets, present_datasets
from fairfer.datasets.loaders import Loader
from fairfer.errors import DataError, UsageError

PUBLIC = ["affectnet", "bp4d", "ck+", "disfa", "expw", "fer2013", "ferplus", "jaffe", "kdef", "raf-db"]


@pytest.fixture(autouse=True)
def _empty_working_directory(monkeypatch, tmp_path):
    """The project's own folder datasets is not looked at."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.fixture
def run(monkeypatch, capsys):
    """Run ``fairfer`` in an empty folder; its exit code, output and errors."""

    def call(*arguments: str):
        monkeypatch.setattr(sys, "argv", ["fairfer", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        text = capsys.readouterr()
        return stop.value.code or 0, text.out, text.err

    return call


def test_every_public_dataset_has_a_card():
    """Each field has text, a year in the citation, and an address."""
    cards = {one.name: one.card for one in known_datasets() if one.card}
    assert set(PUBLIC) <= set(cards)
    for name, card in cards.items():
        assert all(str(v).strip() for k, v in dataclasses.asdict(card).items() if k != "audit_options"), name
        assert re.search(r"\b(19|20)\d\d\b", card.citation), name
        assert re.match(r"https?://\S+$", card.url), name


def test_known_datasets_come_before_layouts():
    """Layouts without a card are those of the user's own data."""
    cards = [one.card is not None for one in known_datasets()]
    assert cards == sorted(cards, reverse=True)
    assert find_known("table").card is None
    assert "--images" in find_known("raf-db").options


def test_present_datasets_are_detected_with_their_sizes(plant, tmp_path, write_picture):
    """Below the given folder and one level deeper; a damaged one is listed with the reason."""
    for name in ("raf-db", "raf-db kaggle", "expw", "ck+", "fer2013", "ferplus"):
        plant(name)
    (tmp_path / "bad" / "label").mkdir(parents=True)
    (tmp_path / "bad" / "label" / "label.lst").write_bytes(b"\xff")
    write_picture(tmp_path / "own" / "a.png")
    (tmp_path / "own" / "metadata.csv").write_text("file_name,label\na.png,happy\n")
    write_picture(tmp_path / "holiday" / "b.png")
    (tmp_path / "t.csv").write_text("label,predicted\nhappy,sad\n")
    present = {p.path.relative_to(tmp_path).as_posix(): (p.loader, dict(p.sizes)) for p in present_datasets([tmp_path])}
    assert present.pop("bad") == ("expw", {})
    assert {k: v for k, v in present.items() if v[0] in {*PUBLIC, "folder"}} == {
        "raf-db": ("raf-db", {"train": 7, "test": 7}),
        "raf-db-kaggle": ("raf-db", {"train": 7, "test": 7}),
        "expw": ("expw", {"all": 7}),
        "ck+": ("ck+", {}),
        "fer2013": ("fer2013", {}),
        "ferplus": ("ferplus", {"test": 1}),
        "own": ("folder", {}),
    }
    [damaged] = [p for p in present_datasets([tmp_path]) if p.problem]
    assert "label.lst cannot be read" in damaged.problem


def test_a_folder_that_is_a_dataset_and_one_that_is_absent(plant, tmp_path):
    """The folder itself is one dataset, also if it is named twice; a missing folder is an error."""
    root = plant("jaffe")
    assert [p.title for p in present_datasets([root, root, tmp_path])] == ["JAFFE"]
    with pytest.raises(DataError, match="absent does not exist"):
        present_datasets([tmp_path / "absent"])
    with pytest.raises(UsageError, match="'kdeff' is neither a dataset that fairfer knows nor a folder; did you mean 'kdef'"):
        find_known("kdeff")


def test_listing_says_how_to_get_each(run):
    """Known, layouts, and what is here."""
    code, out, _ = run("datasets")
    assert code == 0
    for name in (*PUBLIC, "folder", "table", "sample"):
        assert re.search(rf"^  {re.escape(name)}\b", out, re.MULTILINE) or f"  {name} " in out, name
    assert "fairfer download ferplus" in out
    assert "no other dataset in datasets" in out


def test_datasets_of_the_working_directory_are_listed(run, plant, tmp_path):
    """./datasets is searched without asking; a damaged dataset shows why."""
    (tmp_path / "work" / "datasets" / "bad" / "label").mkdir(parents=True)
    (tmp_path / "work" / "datasets" / "bad" / "label" / "label.lst").write_bytes(b"\xff")
    plant("kdef").rename(tmp_path / "work" / "datasets" / "kdef")
    _, out, _ = run("datasets")
    assert "  datasets/kdef: KDEF (--loader kdef)" in out
    assert "    damaged: datasets/bad/label/label.lst cannot be read" in out
    _, out, _ = run("datasets", str(plant("raf-db")))
    assert "RAF-DB (--loader raf-db): train 7, test 7" in out
    assert "Layouts of your own data" not in out


def test_card_of_one_dataset(run):
    """With citation, license, way to obtain and options; nothing else."""
    code, out, _ = run("datasets", "raf-db")
    assert code == 0
    for text in ("RAF-DB", "by agreement", "whdeng", "CVPR 2017", "--labels", "permitted use"):
        assert text in out
    assert "On this machine" not in out
    assert "fairfer download ferplus" in run("datasets", "ferplus")[1]
    assert "options        none" in run("datasets", "jaffe")[1]
    assert run("datasets", "table")[1].startswith("table: a CSV")


def test_json(run, plant):
    """For programs: all that the text has."""
    document = json.loads(run("datasets", "--json")[1])
    assert {one["name"] for one in document["known"]} >= {*PUBLIC, "folder"}
    assert document["here"] == []
    one = json.loads(run("datasets", "ferplus", "--json")[1])
    assert one["known"][0]["downloadable"] is True
    assert one["known"][0]["card"]["license"] == "MIT (labels)"
    here = json.loads(run("datasets", str(plant("expw")), "--json")[1])
    assert (here["known"], here["here"][0]["sizes"]) == ([], {"all": 7})


def test_unknown_name_is_one_line(run):
    """Exit code 2."""
    code, out, err = run("datasets", "rafdb")
    assert (code, out) == (2, "")
    assert err == "fairfer: 'rafdb' is neither a dataset that fairfer knows nor a folder; did you mean 'raf-db'?\n"


def test_loader_without_sizes_is_listed(tmp_path, monkeypatch):
    """A third-party loader needs no function that counts."""
    from fairfer.datasets import catalog

    card = find_known("jaffe").card
    mine = Loader("mine", "my layout", lambda path: (path / "mine.txt").is_file(), lambda path: None, card)
    monkeypatch.setattr(catalog, "loaders", lambda: {"mine": mine})
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "mine.txt").write_text("")
    [one] = present_datasets([tmp_path])
    assert (one.loader, dict(one.sizes)) == ("mine", {})
