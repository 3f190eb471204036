"""Exact duplicates: images with the same pixels, in any file format."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fairfer.datasets.dataset import Dataset
from fairfer.datasets.duplicates import OtherImages, check_duplicates, pixel_digests
from fairfer.datasets.images import FileImages, PixelImages
from fairfer.labels import FERPLUS


def dataset(contents, votes=None) -> Dataset:
    """One sample per content; equal contents are equal images."""
    ids = [f"{i}" for i in range(len(contents))]
    pixels = np.array([[[c, 0], [0, 0]] for c in contents], np.uint8)
    samples = pd.DataFrame({"label": "anger"}, index=ids, dtype="str")
    return Dataset("toy", FERPLUS, samples, images=PixelImages(ids, pixels), votes=votes)


def remarks(data) -> list[tuple[str, int]]:
    """Every step as (what, excluded)."""
    return [(s.what, s.excluded) for s in data.steps]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=10), st.lists(st.integers(0, 4), max_size=5))
def test_dedupe_keeps_each_image_once_and_none_of_other_splits(contents, outside):
    """The first of each group is kept unless it is in another split; every excluded image is counted once."""
    ids = [f"x{i}" for i in range(len(outside))]
    elsewhere = PixelImages(ids, np.array([[[c, 0], [0, 0]] for c in outside], np.uint8).reshape(-1, 2, 2))
    expected = [str(i) for i, c in enumerate(contents) if c not in contents[:i] and c not in outside]
    data = dataset(contents)
    if not expected:
        return
    kept = check_duplicates(data, OtherImages(elsewhere, ids, "train"), dedupe=True)
    assert list(kept.samples.index) == expected
    assert sum(left for _, left in remarks(kept)) == len(contents) - len(expected)


def test_duplicates_are_counted_without_dedupe():
    """The remark counts repeated images and groups."""
    counted = check_duplicates(dataset([1, 1, 1, 2, 2, 3]), dedupe=False)
    assert len(counted) == 6
    assert remarks(counted) == [("images that are exact duplicates of an earlier one: 3 in 2 groups (kept)", 0)]
    assert check_duplicates(dataset([1, 2]), dedupe=False).steps == ()


def test_duplicates_in_other_splits_are_counted():
    """The remark names the split."""
    elsewhere = PixelImages(["x"], np.array([[[2, 0], [0, 0]]], np.uint8))
    counted = check_duplicates(dataset([1, 2]), OtherImages(elsewhere, ["x"], "train"), dedupe=False)
    [(what, excluded)] = remarks(counted)
    assert "train: 1" in what
    assert excluded == 0
    assert check_duplicates(dataset([1, 3]), OtherImages(elsewhere, ["x"], "train"), dedupe=False).steps == ()


def test_votes_are_excluded_with_their_images():
    """Votes and samples keep the same rows."""
    votes = pd.DataFrame({"anger": [1, 2, 3]}, index=["0", "1", "2"])
    kept = check_duplicates(dataset([1, 1, 2], votes), dedupe=True)
    assert list(kept.votes["anger"]) == [1, 3]


def test_pixels_are_compared_and_not_files(tmp_path):
    """PNG and BMP can be duplicates; the same bytes in another shape are not; an unreadable image has no duplicate."""
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    Image.fromarray(picture).save(tmp_path / "a.png")
    Image.fromarray(picture).save(tmp_path / "b.bmp")
    Image.fromarray(picture.reshape(4, 3)).save(tmp_path / "c.png")
    (tmp_path / "d.png").write_bytes(b"")
    (tmp_path / "e.png").write_bytes(b"")
    names = ["a.png", "b.bmp", "c.png", "d.png", "e.png"]
    images = FileImages(tmp_path, {n: n for n in names})
    digests = pixel_digests(images, names)
    assert digests[0] == digests[1] != digests[2]
    assert digests[3] == digests[4] == b""
    data = Dataset("toy", FERPLUS, pd.DataFrame({"label": "anger"}, index=names, dtype="str"), images=images)
    assert list(check_duplicates(data, dedupe=True).samples.index) == ["a.png", "c.png", "d.png", "e.png"]
    unreadable = check_duplicates(data, OtherImages(images, ["d.png"], "train"), dedupe=True)
    assert {"d.png", "e.png"} <= set(unreadable.samples.index)


@pytest.mark.parametrize("dedupe", [True, False])
def test_a_table_without_images_is_unchanged(dedupe):
    """There is nothing to compare."""
    data = Dataset("toy", FERPLUS, pd.DataFrame({"label": ["anger"]}, index=["a"]))
    assert check_duplicates(data, dedupe=dedupe) is data
