"""A data set holds together, is identified by its content, and loses nobody."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairfer.datasets.dataset import MAX_LEVELS, UNANNOTATED, Attribute, Dataset, Step, as_groups, cut_bands, digest_lines
from fairfer.datasets.images import FileImages, PixelImages
from fairfer.errors import DataError
from fairfer.labels import FERPLUS


def frame(**columns) -> pd.DataFrame:
    """Samples called a, b, … with these columns."""
    n = len(next(iter(columns.values())))
    return pd.DataFrame(columns, index=pd.Index([chr(97 + i) for i in range(n)], dtype="str"))


def test_an_empty_selection_is_refused_and_says_what_emptied_it():
    """Nothing to audit is an error, not an audit of nothing."""
    with pytest.raises(DataError, match="toy: no samples are left; check the split"):
        Dataset("toy", FERPLUS, frame(label=[]))
    steps = (Step("rows: 2"), Step("voted unknown", 2))
    with pytest.raises(DataError, match=r"no samples are left \(2 voted unknown\); check the split"):
        Dataset("toy", FERPLUS, frame(label=[]), steps=steps)


def test_ids_name_one_sample_each():
    """Two rows of one name could not be told apart when predictions are joined."""
    with pytest.raises(DataError, match=r"1 sample ids occur more than once.*'a'.*make each id unique"):
        Dataset("toy", FERPLUS, pd.DataFrame({"label": ["anger"] * 2}, index=["a", "a"]))


def test_ids_are_text():
    """Predictions are stored by the text of an id, so 1 and "1" must not both be one."""
    with pytest.raises(DataError, match="sample ids must be text, not integer"):
        Dataset("toy", FERPLUS, pd.DataFrame({"label": ["anger"]}, index=[1]))


def test_the_index_is_called_sample_id_however_it_came():
    """Stored tables and joins go by that name."""
    assert Dataset("toy", FERPLUS, frame(label=["anger"])).samples.index.name == "sample_id"


@pytest.mark.parametrize(
    ("samples", "complaint"),
    [
        (frame(label=["anger", "rage"], sex=["f", "m"]), "sample 'b': label is 'rage', which its label space FER\\+ 8"),
        (frame(label=["anger", None], sex=["f", "m"]), "sample 'b': label is"),
        (frame(label=["anger", "fear"], sex=["f", "x"]), "sample 'b': sex is 'x', which its levels do not name"),
        (frame(label=["anger", "fear"], sex=["f", None]), "sample 'b': sex is"),
        (frame(label=["anger", "fear"], sexes=["f", "m"]), "no column 'sex' in the samples; did you mean 'sexes'"),
    ],
    ids=["unknown label", "missing label", "unknown level", "missing level", "no column"],
)
def test_nobody_vanishes_into_a_value_that_is_no_group(samples, complaint):
    """A value outside of the stated ones, and a missing one, would be in no group's counts, so it is refused."""
    with pytest.raises(DataError, match=complaint):
        Dataset("toy", FERPLUS, samples, (Attribute("sex", ("f", "m")),))


def test_an_attribute_that_does_not_exist_is_answered_with_the_nearest(toy):
    """So is one that exists but cannot group people: with its own reason."""
    data = toy(["anger"], {"gender": ["f"]})
    assert data.attribute("gender").levels == ("f",)
    with pytest.raises(DataError, match="toy has no attribute 'gendr'; did you mean 'gender'"):
        data.attribute("gendr")
    with pytest.raises(DataError, match="give a table of them with --demographics"):
        toy(["anger"]).attribute("gender")
    refused = data.replace(refused={"age": (Attribute("age", ()), "age has 3,000 values")})
    with pytest.raises(DataError, match="age has 3,000 values"):
        refused.attribute("age")


def test_a_table_has_no_pictures_to_give():
    """Asking one for a picture says what can be done instead."""
    data = Dataset("toy", FERPLUS, frame(label=["anger"]))
    with pytest.raises(DataError, match="has no pictures, only a table"):
        data.image("a")
    assert list(data.image_digests) == [""]


def test_pictures_are_digested_as_stored_and_an_unreadable_one_counts_as_itself(tmp_path):
    """A picture that is missing has no digest, and the data set's digest changes when it appears."""
    (tmp_path / "a.png").write_bytes(b"one")
    data = Dataset("toy", FERPLUS, frame(label=["anger"] * 2), images=FileImages(tmp_path, {"a": "a.png", "b": "b.png"}))
    assert list(data.image_digests) == [hashlib.sha256(b"one").hexdigest(), ""]
    (tmp_path / "b.png").write_bytes(b"two")
    assert data.replace(name="again").images_digest != data.images_digest


def base() -> Dataset:
    """A data set with every part that a digest covers."""
    pixels = np.arange(2 * 4, dtype=np.uint8).reshape(2, 2, 2)
    return Dataset(
        "toy",
        FERPLUS,
        frame(label=["anger", "fear"], sex=["f", "m"]),
        (Attribute("sex", ("f", "m"), "annotated", "two raters"),),
        PixelImages(["a", "b"], pixels),
        votes=frame(anger=[9, 1], fear=[1, 9]),
    )


@pytest.mark.parametrize(
    ("change", "pictures_too"),
    [
        ({"name": "other"}, None),
        ({"card": {"source": "elsewhere"}}, None),
        ({"samples": frame(label=["anger", "anger"], sex=["f", "m"])}, False),
        ({"samples": frame(label=["anger", "fear"], sex=["m", "m"])}, False),
        ({"samples": frame(label=["anger", "fear"], sex=["f", "m"]).rename({"a": "c"})}, True),
        ({"samples": frame(label=["anger", "fear"], sex=["f", "m"])[::-1]}, True),
        ({"votes": frame(anger=[8, 1], fear=[2, 9])}, False),
        ({"votes": None}, False),
        ({"attributes": (Attribute("sex", ("f", "m"), "inferred", "two raters"),)}, False),
        ({"attributes": (Attribute("sex", ("m", "f"), "annotated", "two raters"),)}, False),
        ({"images": PixelImages(["a", "b"], np.ones((2, 2, 2), np.uint8))}, True),
    ],
    ids=[
        "name",
        "card",
        "truth",
        "group",
        "an id",
        "order",
        "votes",
        "no votes",
        "provenance",
        "order of levels",
        "a picture",
    ],
)
def test_identity_is_the_content(change, pictures_too):
    """What an audit reads changes the digest; only ids and pictures change what predictions belong to; names change neither."""
    if "samples" in change and "c" in change["samples"].index:
        change = {**change, "images": PixelImages(["c", "b"], base().images.pixels)}
    other = base().replace(**change)
    assert (other.digest != base().digest) == (pictures_too is not None)
    assert (other.images_digest != base().images_digest) == bool(pictures_too)


def test_a_stored_data_set_keeps_the_identity_it_was_stored_with():
    """Reopened from a run, without its pictures, it is still the same data set."""
    data = base()
    stored = data.replace(images=None, identity={"digest": data.digest, "images_digest": data.images_digest})
    assert (stored.digest, stored.images_digest) == (data.digest, data.images_digest)


def test_a_data_set_cannot_be_changed_in_place():
    """Digests are computed once, so the content must stay."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        base().name = "other"


@pytest.mark.parametrize(
    ("values", "groups", "levels"),
    [
        (["m", "f", None], ["m", "f", UNANNOTATED], ("f", "m", UNANNOTATED)),
        ([1.0, 2.0, None], ["1", "2", UNANNOTATED], ("1", "2", UNANNOTATED)),
        ([1.5, 2.0, 1.5], ["1.5", "2.0", "1.5"], ("1.5", "2.0")),
        ([True, False, True], ["True", "False", "True"], ("False", "True")),
        (["NA", " f ", ""], ["NA", "f", UNANNOTATED], ("NA", "f", UNANNOTATED)),
        (["nan", "None", "<NA>"], ["nan", "None", "<NA>"], ("<NA>", "None", "nan")),
        ([None, None, None], [UNANNOTATED] * 3, (UNANNOTATED,)),
        ([10, 8, 9], ["10", "8", "9"], ("8", "9", "10")),
    ],
)
def test_any_column_becomes_named_groups(values, groups, levels):
    """A missing value is the group `UNANNOTATED`, last; text that looks missing is a group; whole numbers lose their ``.0``."""
    found, names = as_groups(pd.Series(values), "t.csv, column 'x'")
    assert list(found) == groups
    assert names == levels


@given(st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=1, max_size=20))
def test_grouping_loses_and_invents_nobody(values):
    """Each value is in one group, and the groups' sizes add up."""
    found, levels = as_groups(pd.Series(values, dtype=object), "here")
    assert found.notna().all()
    assert set(found) == set(levels)
    assert len(levels) == len(set(levels))
    missing = sum(v is None or not v.strip() or v.strip() == UNANNOTATED for v in values)
    assert (found == UNANNOTATED).sum() == missing


@pytest.mark.parametrize(("values", "how"), [(range(10_000), "--bands COLUMN="), (map(str, range(10_000)), "group it first")])
def test_a_column_with_ten_thousand_values_does_not_group_people(values, how):
    """Ages and ids are refused with what to do about it."""
    with pytest.raises(DataError, match=f"has 10,000 different values, more than {MAX_LEVELS}; .*{how}"):
        as_groups(pd.Series(list(values)), "t.csv, column 'age'")


@pytest.mark.parametrize(
    ("edges", "names"),
    [
        ([20], ("under 20", "20 and over")),
        ([20, 40, 60], ("under 20", "20 to 39", "40 to 59", "60 and over")),
        ([20, 21], ("under 20", "20", "21 and over")),
        ([0.5, 1.5], ("under 0.5", "0.5 to under 1.5", "1.5 and over")),
        ([1234567, 1234569], ("under 1234567", "1234567 to 1234568", "1234569 and over")),
    ],
)
def test_bands_are_named_by_what_they_hold(edges, names):
    """Whole edges are named by whole numbers, others by where they end."""
    assert cut_bands(pd.Series([1.0]), edges, "here")[1] == names


@given(
    st.lists(st.one_of(st.none(), st.floats(-100, 100)), min_size=1),
    st.sets(st.integers(-50, 50), min_size=1, max_size=5),
)
def test_a_value_is_in_the_band_whose_edges_hold_it(values, edges):
    """An edge belongs to the band above it; a missing value stays missing, as a group."""
    edges = sorted(edges)
    text, levels = cut_bands(pd.Series(values, dtype=float), edges, "here")
    for value, band in zip(values, text, strict=True):
        wanted = UNANNOTATED if value is None else levels[sum(value >= e for e in edges)]
        assert band == wanted
    assert (levels[-1] == UNANNOTATED) == (None in values)


@pytest.mark.parametrize("edges", [[], [40, 20], [20, 20], [float("nan")], [20, float("inf")]])
def test_bands_ascend(edges):
    """Edges that make no bands are refused."""
    with pytest.raises(DataError, match="edges must ascend"):
        cut_bands(pd.Series([1.0]), edges, "here")


def test_only_numbers_are_cut_into_bands():
    """Text has no order to cut."""
    with pytest.raises(DataError, match="not a column of numbers"):
        cut_bands(pd.Series(["old"]), [20], "here")


def test_a_digest_of_lines_is_sha256_of_them():
    """Any tool can compute it."""
    assert digest_lines(["a", "b"]) == hashlib.sha256(b"a\nb\n").hexdigest()
