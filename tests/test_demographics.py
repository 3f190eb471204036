"""Attributes of people have provenance; samples without an annotation are counted as unannotated."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairfer.audits.arrays import audit
from fairfer.datasets.attributes import Attribute
from fairfer.datasets.demographics import annotate, apply_bands
from fairfer.datasets.tables import list_some
from fairfer.errors import DataError, UsageError
from fairfer.predictions.inference import predict
from fairfer.testing import FakeModel, check_loader
from fairfer.vocabulary import UNANNOTATED


def put(folder, table, provenance=None, name="people"):
    """A table, and its provenance beside it."""
    (folder / f"{name}.csv").write_text(table)
    if provenance is not None:
        (folder / f"{name}.toml").write_text(provenance)
    return folder / f"{name}.csv"


TABLE = "image,gender,p_f\na.png,f,0.9\nb.png,m,0.2\nz.png,m,0.1\n"
TOML = """
[gender]
source = "inferred"
by = "a network, version 3"
levels = ["m", "f"]
note = "weak"
probabilities = { f = "p_f" }
"""


def faces(toy, ids=("a.png", "b.png", "c.png")):
    """A dataset with these ids, all neutral."""
    return toy(["neutral"] * len(ids), ids=list(ids))


def test_attributes_are_joined_by_image_name_with_their_provenance(tmp_path, toy):
    """The TOML file has the order of levels, source, author, note and probabilities; unannotated samples are counted."""
    data = annotate(faces(toy), put(tmp_path, TABLE, TOML))
    assert dict(data.samples["gender"]) == {"a.png": "f", "b.png": "m", "c.png": UNANNOTATED}
    assert data.attributes == (
        Attribute("gender", ("m", "f", UNANNOTATED), "inferred", "a network, version 3", "weak", {"f": "p_f"}),
    )
    assert data.samples["p_f"].tolist()[:2] == [0.9, 0.2]
    assert data.steps[-1].what == "not in people.csv, therefore unannotated in all of its attributes: 1"
    assert data.card["demographics"] == "people.csv"
    check_loader(data)


def test_unannotated_samples_are_a_group_that_takes_no_part_in_gaps(tmp_path, toy):
    """They are in counts and rates, so that sums agree, but are not compared with other groups."""
    ids = [f"{i}.png" for i in range(9)]
    table = "image,gender\n" + "".join(f"{i}.png,{'f' if i < 3 else 'm'}\n" for i in range(6))
    data = annotate(toy(["anger"] * 9, ids=ids, said=[4] * 6 + [5] * 3), put(tmp_path, table))
    result = audit(data, predict(data, FakeModel()), minimum=1, permutations=100)
    assert result.groups("gender") == [("f",), ("m",), (UNANNOTATED,)]
    assert result.size("gender", UNANNOTATED) == 3
    assert sum(result.size("gender", g) for g in result.groups("gender")) == result.size() == 9
    assert result.rate("accuracy", attribute="gender", group=UNANNOTATED).value == 0
    [gap] = [g for g in result.gaps if g.rate == "accuracy"]
    assert (gap.groups, gap.difference) == ([("f",), ("m",)], 0)
    assert [(o.group, o.reason) for o in gap.excluded] == [((UNANNOTATED,), "unannotated")]


def test_without_provenance_an_attribute_is_unstated(tmp_path, toy):
    """Its source is unstated."""
    data = annotate(faces(toy), put(tmp_path, TABLE))
    assert [a.source for a in data.attributes] == ["unstated", "unstated"]


def test_one_provenance_file_serves_all_tables_of_a_folder(tmp_path, toy):
    """``attributes.toml`` is read if the table has no file of its own name."""
    (tmp_path / "attributes.toml").write_text("\ufeff" + TOML)
    assert annotate(faces(toy), put(tmp_path, TABLE)).attribute("gender").source == "inferred"


@pytest.mark.parametrize("key", ["image", "File_Name", "SAMPLE_ID", "path", "Image name"])
def test_the_column_of_image_names_has_one_of_several_names(tmp_path, toy, key):
    """In any case."""
    data = annotate(faces(toy), put(tmp_path, TABLE.replace("image", key, 1)))
    assert data.samples["gender"].iloc[0] == "f"


@pytest.mark.parametrize(
    ("ids", "names", "groups"),
    [
        (("a.png", "a.png#2"), ("a.png", "x"), "ff"),
        (("a#1.png", "a#2.png"), ("a#1.png", "a#2.png"), "fm"),
        (("train/a.png", "test/b.png"), ("a.png", "b.png"), "fm"),
        (("train/a.png", "test/a.png"), ("train/a.png", "test/a.png"), "fm"),
        (("007", "7"), ("7", "007"), "mf"),
        (("1e3", "x"), ("1e3", "1000"), "f-"),
    ],
)
def test_a_name_identifies_one_image(tmp_path, toy, ids, names, groups):
    """The id is tried first, then the id without ``#2``, then the last part of its path; names are compared as text."""
    table = f"image,gender\n{names[0]},f\n{names[1]},m\n"
    data = annotate(toy(["anger"] * 2, ids=list(ids)), put(tmp_path, table))
    assert list(data.samples["gender"]) == [{"-": UNANNOTATED}.get(g, g) for g in groups]


def test_one_row_does_not_match_two_images_of_the_same_file_name(tmp_path, toy):
    """``train/a.png`` and ``test/a.png`` may show two people."""
    data = toy(["anger"] * 2, ids=["train/a.png", "test/a.png"])
    with pytest.raises(DataError, match=r"several images are called 'a\.png'; give paths as in 'train/a\.png'"):
        annotate(data, put(tmp_path, "image,gender\na.png,f\n"))


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("face,gender\na.png,f\n", "has no column of image names; call it one of image, file_name"),
        ("image,gender\na.png,f\na.png,m\n", r"several different rows for one image \(a.png\); keep one row per image"),
        ("image,gender\na.png,f\n,m\n", "row 3: image is empty; name the image or remove the row"),
        ("image,label\na.png,f\n", "and toy both have a column 'label'; rename one"),
        ("image,gender\nx.jpg,f\n", "has no image of toy: .*names such as 'x.jpg', the dataset has 'a.png'"),
        ("image,gender\na.png\n", "line 2 has 1 cells, the header 2"),
    ],
)
def test_an_invalid_table_is_refused_in_one_line(tmp_path, toy, table, complaint):
    """The message says what is wrong, where, and how to fix it."""
    with pytest.raises(DataError, match=complaint) as caught:
        annotate(faces(toy), put(tmp_path, table))
    assert "\n" not in str(caught.value)


def test_the_same_row_twice_is_one_row(tmp_path, toy):
    """Only different rows for one image are refused."""
    assert annotate(faces(toy), put(tmp_path, TABLE + "a.png,f,0.9\n")).samples["gender"].iloc[0] == "f"


@pytest.mark.parametrize(
    ("provenance", "complaint"),
    [
        ("[gender", "people.toml cannot be read as TOML"),
        ('source = "inferred"', "'source' is outside of any section; write \\[ATTRIBUTE\\] above it"),
        ('[gendr]\nsource = "inferred"', "has a section \\[gendr\\], but people.csv has no such column; did you mean 'gender'"),
        ('[gender]\nsource = "inferred"\nlevel = []', r"\[gender\]: unknown key 'level'; did you mean 'levels'"),
        ('[gender]\nsource = "guessed"', "source is 'guessed'; write one of self-reported, annotated, inferred"),
        ("[gender]\nlevels = []", "source is None; write one of"),
        ('[gender]\nsource = "inferred"\nlevels = ["f"]', "column 'gender' has m, but its levels are f; correct"),
        ('[gender]\nsource = "inferred"\nlevels = "fm"', "levels must be a list without repetition"),
        ('[gender]\nsource = "inferred"\nlevels = ["f", "m", "f"]', "levels must be a list without repetition"),
        ('[gender]\nsource = "inferred"\nprobabilities = "p_f"', "probabilities must name a column for each level"),
        ('[gender]\nsource = "inferred"\nprobabilities = {f = "p_m"}', "no column 'p_m' for 'f'; did you mean 'p_f'"),
        ('[gender]\nsource = "inferred"\nprobabilities = {f = 3}', "no column 3 for 'f'"),
        (
            '[gender]\nsource = "inferred"\nlevels = ["f", "m"]\nprobabilities = {x = "p_f"}',
            "probabilities of the unknown level 'x'; available: f, m",
        ),
    ],
)
def test_invalid_provenance_is_refused_in_one_line(tmp_path, toy, provenance, complaint):
    """An attribute is never audited with a source or levels that are not in the file."""
    with pytest.raises(DataError, match=complaint) as caught:
        annotate(faces(toy), put(tmp_path, TABLE, provenance))
    assert "\n" not in str(caught.value)


def test_declared_levels_set_the_order_with_unannotated_last(tmp_path, toy):
    """Also if it is declared; levels may be numbers."""
    table = "image,gender,tone\na.png,f,1\nb.png,,2\nc.png,m,2\n"
    provenance = (
        f'[gender]\nsource = "annotated"\nlevels = ["{UNANNOTATED}", "m", "f"]\n[tone]\nsource = "annotated"\nlevels = [2, 1]\n'
    )
    data = annotate(faces(toy), put(tmp_path, table, provenance))
    assert data.attribute("gender").levels == ("m", "f", UNANNOTATED)
    assert data.attribute("tone").levels == ("2", "1")


def test_a_column_with_ten_thousand_values_is_refused_only_when_requested(tmp_path, toy):
    """The other columns can be audited; the message for this one says how to cut it."""
    ids = [f"{i}.png" for i in range(10_000)]
    table = "image,age,gender\n" + "".join(f"{i},{n},f\n" for n, i in enumerate(ids))
    data = annotate(toy(["anger"] * 10_000, ids=ids), put(tmp_path, table, '[age]\nsource = "inferred"\nby = "a network"\n'))
    assert [a.name for a in data.attributes] == ["gender"]
    with pytest.raises(DataError, match=r"people\.csv, column 'age' has 10,000 different values.*--bands"):
        data.attribute("age")
    banded = apply_bands(data, {"age": [100, 5000]})
    assert banded.attribute("age") == Attribute(
        "age", ("under 100", "100 to 4999", "5000 and over"), "inferred", "a network", "", {}
    )
    assert banded.samples["age"].value_counts().to_dict() == {"under 100": 100, "100 to 4999": 4900, "5000 and over": 5000}
    assert banded.refused == {}
    check_loader(banded)


def test_bands_can_be_cut_from_a_column_that_is_an_attribute(tmp_path, toy):
    """Its levels are numbers; unannotated samples stay unannotated."""
    data = annotate(faces(toy), put(tmp_path, "image,age\na.png,31\nb.png,60\n"))
    assert data.attribute("age").levels == ("31", "60", UNANNOTATED)
    banded = apply_bands(data, {"age": [40]})
    assert list(banded.samples["age"]) == ["under 40", "40 and over", UNANNOTATED]
    assert banded.attribute("age").levels == ("under 40", "40 and over", UNANNOTATED)


def test_bands_of_text_or_of_a_missing_column_are_refused(tmp_path, toy):
    """The message names the nearest column."""
    data = annotate(faces(toy), put(tmp_path, TABLE))
    with pytest.raises(DataError, match="toy, column 'gender' is not numeric and cannot be cut into bands"):
        apply_bands(data, {"gender": [1]})
    with pytest.raises(UsageError, match="--bands gendr: toy has no such column; did you mean 'gender'"):
        apply_bands(data, {"gendr": [1]})


@given(st.lists(st.sampled_from(["f", "m", "x", ""]), min_size=1, max_size=12), st.integers(0, 3))
def test_a_join_keeps_every_sample_and_its_order(tmp_path_factory, toy, groups, strangers):
    """Each sample has the level of its row, or is unannotated."""
    folder = tmp_path_factory.mktemp("join")
    ids = [f"{i}.png" for i in range(len(groups) + strangers)]
    order = np.random.default_rng(len(groups)).permutation(len(groups))
    rows = "".join(f"{i}.png,{groups[i]}\n" for i in order)
    data = annotate(toy(["anger"] * len(ids), ids=ids), put(folder, "image,gender\n" + rows))
    expected = pd.Series([g or UNANNOTATED for g in groups] + [UNANNOTATED] * strangers, index=ids)
    assert dict(data.samples["gender"]) == dict(expected)


def test_the_first_values_are_listed_and_the_others_counted():
    """An error message stays short."""
    assert list_some(range(3)) == "0, 1, 2"
    assert list_some(range(7)) == "0, 1, 2, 3, 4 and 2 more"
