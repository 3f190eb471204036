"""What is said of people comes with who said it, and everyone of whom nothing is said is counted as such."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairfer.audits.audit import audit
from fairfer.datasets.annotations import annotate, apply_bands
from fairfer.datasets.dataset import UNANNOTATED, Attribute
from fairfer.datasets.table_files import show
from fairfer.errors import DataError, UsageError
from fairfer.predictions.inference import predict
from fairfer.testing import FakeModel, check_loader


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
    """A data set with these ids, all neutral."""
    return toy(["neutral"] * len(ids), ids=list(ids))


def test_attributes_are_joined_by_picture_name_with_their_provenance(tmp_path, toy):
    """Order of levels, source, by whom, a note and probabilities stand in the TOML file; the unannotated are counted."""
    data = annotate(faces(toy), put(tmp_path, TABLE, TOML))
    assert dict(data.samples["gender"]) == {"a.png": "f", "b.png": "m", "c.png": UNANNOTATED}
    assert data.attributes == (
        Attribute("gender", ("m", "f", UNANNOTATED), "inferred", "a network, version 3", "weak", {"f": "p_f"}),
    )
    assert data.samples["p_f"].tolist()[:2] == [0.9, 0.2]
    assert data.steps[-1].what == "not in people.csv, so unannotated in all of its attributes: 1"
    assert data.card["demographics"] == "people.csv"
    check_loader(data)


def test_the_unannotated_are_a_group_of_their_own_and_no_gap_is_read_against_them(tmp_path, toy):
    """They are in the counts and rates, so that sums add up, and compared with nobody."""
    ids = [f"{i}.png" for i in range(9)]
    table = "image,gender\n" + "".join(f"{i}.png,{'f' if i < 3 else 'm'}\n" for i in range(6))
    data = annotate(toy(["anger"] * 9, ids=ids, said=[4] * 6 + [5] * 3), put(tmp_path, table))
    found = audit(data, predict(data, FakeModel()), minimum=1, permutations=100)
    assert found.groups("gender") == ["f", "m", UNANNOTATED]
    assert found.size("gender", UNANNOTATED) == 3
    assert sum(found.size("gender", g) for g in found.groups("gender")) == found.size() == 9
    assert found.rate("accuracy", attribute="gender", group=UNANNOTATED).value == 0
    [gap] = [g for g in found.gaps if g.rate == "accuracy"]
    assert (gap.groups, gap.difference) == (["f", "m"], 0)
    assert [(o.group, o.reason) for o in gap.excluded] == [(UNANNOTATED, "unannotated")]


def test_without_provenance_an_attribute_is_unstated(tmp_path, toy):
    """And reports say so."""
    data = annotate(faces(toy), put(tmp_path, TABLE))
    assert [a.source for a in data.attributes] == ["unstated", "unstated"]


def test_one_provenance_file_may_serve_the_whole_folder(tmp_path, toy):
    """``attributes.toml`` is read where the table has none of its own name."""
    (tmp_path / "attributes.toml").write_text("\ufeff" + TOML)
    assert annotate(faces(toy), put(tmp_path, TABLE)).attribute("gender").source == "inferred"


@pytest.mark.parametrize("key", ["image", "File_Name", "SAMPLE_ID", "path", "Image name"])
def test_the_column_of_names_goes_by_several_names(tmp_path, toy, key):
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
def test_a_name_means_one_picture(tmp_path, toy, ids, names, groups):
    """The whole id first, then without ``#2``, then its last part; text is compared as text."""
    table = f"image,gender\n{names[0]},f\n{names[1]},m\n"
    data = annotate(toy(["anger"] * 2, ids=list(ids)), put(tmp_path, table))
    assert list(data.samples["gender"]) == [{"-": UNANNOTATED}.get(g, g) for g in groups]


def test_one_row_is_not_taken_for_two_pictures_of_the_same_file_name(tmp_path, toy):
    """``train/a.png`` and ``test/a.png`` are two people until somebody says otherwise."""
    data = toy(["anger"] * 2, ids=["train/a.png", "test/a.png"])
    with pytest.raises(DataError, match=r"one row 'a\.png' for several pictures of that name; give paths as in 'train/a\.png'"):
        annotate(data, put(tmp_path, "image,gender\na.png,f\n"))


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("face,gender\na.png,f\n", "names no pictures; call the column with their names one of image, file_name"),
        ("image,gender\na.png,f\na.png,m\n", r"different rows for the same picture \(a.png\); keep one"),
        ("image,gender\na.png,f\n,m\n", "row 3: no image; name the picture or remove the row"),
        ("image,label\na.png,f\n", "and toy both have a column 'label'; rename one"),
        ("image,gender\nx.jpg,f\n", "annotates none of the pictures of toy: .*names like 'x.jpg', .*are like 'a.png'"),
        ("image,gender\na.png\n", "line 2 has 1 cells, the header 2"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_in_one_line(tmp_path, toy, table, complaint):
    """What, where, and how to mend it."""
    with pytest.raises(DataError, match=complaint) as caught:
        annotate(faces(toy), put(tmp_path, table))
    assert "\n" not in str(caught.value)


def test_the_same_row_twice_is_one_row(tmp_path, toy):
    """Only rows that differ contradict each other."""
    assert annotate(faces(toy), put(tmp_path, TABLE + "a.png,f,0.9\n")).samples["gender"].iloc[0] == "f"


@pytest.mark.parametrize(
    ("provenance", "complaint"),
    [
        ("[gender", "people.toml cannot be read as TOML"),
        ('source = "inferred"', "'source' stands outside of any section; write \\[ATTRIBUTE\\] above it"),
        ('[gendr]\nsource = "inferred"', "speaks of 'gendr', which is no column of people.csv; did you mean 'gender'"),
        ('[gender]\nsource = "inferred"\nlevel = []', r"\[gender\]: unknown key 'level'; did you mean 'levels'"),
        ('[gender]\nsource = "guessed"', "source is 'guessed'; write one of self-reported, annotated, inferred"),
        ("[gender]\nlevels = []", "source is None; write one of"),
        ('[gender]\nsource = "inferred"\nlevels = ["f"]', "column 'gender' holds m, but its levels are stated as f; mend"),
        ('[gender]\nsource = "inferred"\nlevels = "fm"', "levels must be a list that names each once"),
        ('[gender]\nsource = "inferred"\nlevels = ["f", "m", "f"]', "levels must be a list that names each once"),
        ('[gender]\nsource = "inferred"\nprobabilities = "p_f"', "probabilities must name a column for each level"),
        ('[gender]\nsource = "inferred"\nprobabilities = {f = "p_m"}', "no column 'p_m' for 'f'; did you mean 'p_f'"),
        ('[gender]\nsource = "inferred"\nprobabilities = {f = 3}', "no column 3 for 'f'"),
        (
            '[gender]\nsource = "inferred"\nlevels = ["f", "m"]\nprobabilities = {x = "p_f"}',
            "probabilities name 'x'; there are: f, m",
        ),
    ],
)
def test_provenance_that_cannot_be_meant_is_refused_in_one_line(tmp_path, toy, provenance, complaint):
    """An attribute is never audited under a source or levels that nobody stated."""
    with pytest.raises(DataError, match=complaint) as caught:
        annotate(faces(toy), put(tmp_path, TABLE, provenance))
    assert "\n" not in str(caught.value)


def test_stated_levels_say_the_order_and_unannotated_stays_last(tmp_path, toy):
    """Even when it is stated itself; levels may be written as numbers."""
    table = "image,gender,tone\na.png,f,1\nb.png,,2\nc.png,m,2\n"
    provenance = (
        f'[gender]\nsource = "annotated"\nlevels = ["{UNANNOTATED}", "m", "f"]\n[tone]\nsource = "annotated"\nlevels = [2, 1]\n'
    )
    data = annotate(faces(toy), put(tmp_path, table, provenance))
    assert data.attribute("gender").levels == ("m", "f", UNANNOTATED)
    assert data.attribute("tone").levels == ("2", "1")


def test_a_column_with_ten_thousand_levels_is_set_aside_and_not_the_end(tmp_path, toy):
    """The others can be audited; asking for this one says how to cut it."""
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


def test_bands_can_be_cut_from_few_values_too(tmp_path, toy):
    """A column that was already taken as groups is still numbers; the unannotated stay so."""
    data = annotate(faces(toy), put(tmp_path, "image,age\na.png,31\nb.png,60\n"))
    assert data.attribute("age").levels == ("31", "60", UNANNOTATED)
    banded = apply_bands(data, {"age": [40]})
    assert list(banded.samples["age"]) == ["under 40", "40 and over", UNANNOTATED]
    assert banded.attribute("age").levels == ("under 40", "40 and over", UNANNOTATED)


def test_bands_of_what_is_no_number_or_not_there_are_refused(tmp_path, toy):
    """The message says which columns there are."""
    data = annotate(faces(toy), put(tmp_path, TABLE))
    with pytest.raises(DataError, match="toy, column 'gender' is not a column of numbers"):
        apply_bands(data, {"gender": [1]})
    with pytest.raises(UsageError, match="--bands gendr: toy has no such column; did you mean 'gender'"):
        apply_bands(data, {"gendr": [1]})


@given(st.lists(st.sampled_from(["f", "m", "x", ""]), min_size=1, max_size=12), st.integers(0, 3))
def test_nobody_is_lost_by_a_join(tmp_path_factory, toy, groups, strangers):
    """Each sample keeps its place and is in exactly the group its row says, or among the unannotated."""
    folder = tmp_path_factory.mktemp("join")
    ids = [f"{i}.png" for i in range(len(groups) + strangers)]
    order = np.random.default_rng(len(groups)).permutation(len(groups))
    rows = "".join(f"{i}.png,{groups[i]}\n" for i in order)
    data = annotate(toy(["anger"] * len(ids), ids=ids), put(folder, "image,gender\n" + rows))
    wanted = pd.Series([g or UNANNOTATED for g in groups] + [UNANNOTATED] * strangers, index=ids)
    assert dict(data.samples["gender"]) == dict(wanted)


def test_a_few_values_are_shown_and_the_others_counted():
    """An error message stays a line."""
    assert show(range(3)) == "0, 1, 2"
    assert show(range(7)) == "0, 1, 2, 3, 4 and 2 more"
