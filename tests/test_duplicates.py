"""Twins: pictures that occur more than once, whatever file they are stored in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fairfer.datasets.dataset import Dataset
from fairfer.datasets.duplicates import pixel_digests, report_twins
from fairfer.datasets.images import FileImages, PixelImages
from fairfer.labels import FERPLUS


def dataset(contents, votes=None) -> Dataset:
    """One sample per content; equal contents are equal pictures."""
    ids = [f"{i}" for i in range(len(contents))]
    pixels = np.array([[[c, 0], [0, 0]] for c in contents], np.uint8)
    samples = pd.DataFrame({"label": "anger"}, index=ids, dtype="str")
    return Dataset("toy", FERPLUS, samples, images=PixelImages(ids, pixels), votes=votes)


def remarks(data) -> list[tuple[str, int]]:
    """Every step as (words, left out)."""
    return [(s.what, s.excluded) for s in data.steps]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=10), st.lists(st.integers(0, 4), max_size=5))
def test_what_is_left_is_each_picture_once_and_none_from_elsewhere(contents, outside):
    """The first of each kind stays, unless it also lies elsewhere; everyone left out is counted once."""
    ids = [f"x{i}" for i in range(len(outside))]
    elsewhere = PixelImages(ids, np.array([[[c, 0], [0, 0]] for c in outside], np.uint8).reshape(-1, 2, 2))
    wanted = [str(i) for i, c in enumerate(contents) if c not in contents[:i] and c not in outside]
    data = dataset(contents)
    if not wanted:
        return
    kept = report_twins(data, elsewhere, ids, "train", dedupe=True)
    assert list(kept.samples.index) == wanted
    assert sum(left for _, left in remarks(kept)) == len(contents) - len(wanted)


def test_twins_are_told_without_being_asked_and_nobody_is_left_out_then():
    """The remark counts repeats and groups of them."""
    told = report_twins(dataset([1, 1, 1, 2, 2, 3]), None, (), "", dedupe=False)
    assert len(told) == 6
    assert remarks(told) == [("pictures that repeat an earlier one pixel for pixel: 3 in 2 groups", 0)]
    assert report_twins(dataset([1, 2]), None, (), "", dedupe=False).steps == ()


def test_twins_elsewhere_are_told_too():
    """The remark names where."""
    elsewhere = PixelImages(["x"], np.array([[[2, 0], [0, 0]]], np.uint8))
    told = report_twins(dataset([1, 2]), elsewhere, ["x"], "train", dedupe=False)
    [(what, excluded)] = remarks(told)
    assert "train: 1" in what
    assert excluded == 0
    assert report_twins(dataset([1, 3]), elsewhere, ["x"], "train", dedupe=False).steps == ()


def test_votes_go_with_their_pictures():
    """Rows of votes and samples stay together."""
    votes = pd.DataFrame({"anger": [1, 2, 3]}, index=["0", "1", "2"])
    kept = report_twins(dataset([1, 1, 2], votes), None, (), "", dedupe=True)
    assert list(kept.votes["anger"]) == [1, 3]


def test_pixels_count_and_not_the_file(tmp_path):
    """The same picture as PNG and BMP is one; the same bytes in another shape are not; what cannot be read is no twin."""
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    Image.fromarray(picture).save(tmp_path / "a.png")
    Image.fromarray(picture).save(tmp_path / "b.bmp")
    Image.fromarray(picture.reshape(4, 3)).save(tmp_path / "c.png")
    (tmp_path / "d.png").write_bytes(b"")
    (tmp_path / "e.png").write_bytes(b"")
    names = ["a.png", "b.bmp", "c.png", "d.png", "e.png"]
    images = FileImages(tmp_path, {n: n for n in names})
    found = pixel_digests(images, names)
    assert found[0] == found[1] != found[2]
    assert found[3] == found[4] == b""
    data = Dataset("toy", FERPLUS, pd.DataFrame({"label": "anger"}, index=names, dtype="str"), images=images)
    assert list(report_twins(data, None, (), "", dedupe=True).samples.index) == ["a.png", "c.png", "d.png", "e.png"]
    unreadable = report_twins(data, images, ["d.png"], "train", dedupe=True)
    assert {"d.png", "e.png"} <= set(unreadable.samples.index)


@pytest.mark.parametrize("dedupe", [True, False])
def test_a_table_has_no_twins(dedupe):
    """Nothing is looked for where there are no pictures."""
    data = Dataset("toy", FERPLUS, pd.DataFrame({"label": ["anger"]}, index=["a"]))
    assert report_twins(data, None, (), "", dedupe=dedupe) is data
