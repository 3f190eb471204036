"""The bundled sample: its metadata, pictures and README agree, and excluded sources stay excluded."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

SAMPLE = Path(__file__).parent.parent / "datasets" / "sample"


@pytest.fixture(scope="module")
def metadata() -> pd.DataFrame:
    return pd.read_csv(SAMPLE / "metadata.csv")


@pytest.fixture(scope="module")
def make_sample():
    """The script that made the sample, as a module."""
    spec = importlib.util.spec_from_file_location("make_sample", SAMPLE / "make_sample.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_metadata_lists_the_pictures(metadata):
    """Every row has a 48x48 gray picture, and every picture has a row."""
    pictures = sorted(f"images/{path.name}" for path in (SAMPLE / "images").iterdir())
    assert sorted(metadata["file_name"]) == pictures
    for name in pictures:
        with Image.open(SAMPLE / name) as picture:
            assert (picture.size, picture.mode) == ((48, 48), "L")


def test_the_readme_states_the_composition(metadata):
    """The table of the README has the counts of the metadata."""
    text = (SAMPLE / "README.md").read_text(encoding="utf-8").split("## Composition")[1].split("##")[0]
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.strip().splitlines()]
    cells = Counter(zip(metadata["label"], metadata["gender"] + " " + metadata["race"], strict=True))
    for label, *counts in rows[:-1]:
        assert [int(n) for n in counts[:-1]] == [cells[label, column] for column in header[1:-1]]
        assert int(counts[-1]) == (metadata["label"] == label).sum()
    assert int(rows[-1][-1]) == len(metadata)


def test_the_readme_states_the_exclusions(make_sample):
    """The numbers of pictures with overlays and of drawings are those of the script's lists."""
    text = (SAMPLE / "README.md").read_text(encoding="utf-8")
    assert re.search(r"Exclude (\d+) pictures with an overlay", text)[1] == str(len(make_sample.OVERLAYS))
    assert re.search(r"and (\d+) drawings", text)[1] == str(len(make_sample.DRAWINGS))
    assert not make_sample.OVERLAYS & make_sample.DRAWINGS


def test_no_excluded_picture_is_a_source(make_sample, shared):
    """The lists name pictures of Test that exist, and reading by name selects exactly those."""
    faces = make_sample.read_test(shared / "data" / "ferplus")
    listed = make_sample.OVERLAYS | make_sample.DRAWINGS
    excluded = make_sample.listed(faces, listed)
    assert excluded.sum() == len(listed)
    kept = faces[~excluded]
    assert len(kept.names) == len(faces.names) - len(listed)
    assert not {int(name[3:10]) for name in kept.names} & listed
