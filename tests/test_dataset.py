"""`Dataset`: validation, digests, true labels; columns as levels of attributes."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairfer.datasets.attributes import MAX_LEVELS, Attribute, cut_bands, to_levels
from fairfer.datasets.dataset import Dataset, Step, digest_lines
from fairfer.datasets.images import FileImages, PixelImages
from fairfer.datasets.missing_values import is_missing_word
from fairfer.errors import DataError
from fairfer.labels import FERPLUS
from fairfer.vocabulary import UNANNOTATED


def frame(**columns) -> pd.DataFrame:
    """Samples called a, b, … with these columns."""
    n = len(next(iter(columns.values())))
    return pd.DataFrame(columns, index=pd.Index([chr(97 + i) for i in range(n)], dtype="str"))


def test_an_empty_selection_is_refused_with_the_steps_that_excluded_samples():
    """An audit needs samples."""
    with pytest.raises(DataError, match="toy: no samples are left; check the split"):
        Dataset("toy", FERPLUS, frame(label=[]))
    steps = (Step("rows: 2"), Step("voted unknown", 2))
    with pytest.raises(DataError, match=r"no samples are left \(2 voted unknown\); check the split"):
        Dataset("toy", FERPLUS, frame(label=[]), steps=steps)


def test_ids_are_unique():
    """Predictions are joined by id."""
    with pytest.raises(DataError, match=r"1 sample ids occur more than once.*'a'.*make each id unique"):
        Dataset("toy", FERPLUS, pd.DataFrame({"label": ["anger"] * 2}, index=["a", "a"]))


def test_ids_are_text():
    """Predictions are stored by the text of an id, so 1 and "1" must not both occur."""
    with pytest.raises(DataError, match="sample ids must be text, not integer"):
        Dataset("toy", FERPLUS, pd.DataFrame({"label": ["anger"]}, index=[1]))


def test_the_index_is_named_sample_id():
    """Stored tables and joins use that name."""
    assert Dataset("toy", FERPLUS, frame(label=["anger"])).samples.index.name == "sample_id"


@pytest.mark.parametrize(
    ("samples", "complaint"),
    [
        (
            frame(label=["anger", "rage"], sex=["f", "m"]),
            "sample 'b': label is 'rage', which is not in the label space FER\\+ 8",
        ),
        (frame(label=["anger", None], sex=["f", "m"]), "sample 'b': label is"),
        (frame(label=["anger", "fear"], sex=["f", "x"]), "sample 'b': sex is 'x', which is not in the list of levels"),
        (frame(label=["anger", "fear"], sex=["f", None]), "sample 'b': sex is"),
        (frame(label=["anger", "fear"], sexes=["f", "m"]), "the samples have no column 'sex'; did you mean 'sexes'"),
    ],
    ids=["unknown label", "missing label", "unknown level", "missing level", "no column"],
)
def test_undeclared_and_missing_values_are_refused(samples, complaint):
    """Such a sample would be in no group's counts."""
    with pytest.raises(DataError, match=complaint):
        Dataset("toy", FERPLUS, samples, (Attribute("sex", ("f", "m")),))


def test_a_missing_attribute_is_refused_with_the_nearest_name(toy):
    """A refused column is refused with its own reason."""
    data = toy(["anger"], {"gender": ["f"]})
    assert data.attribute("gender").levels == ("f",)
    with pytest.raises(DataError, match="toy has no attribute 'gendr'; did you mean 'gender'"):
        data.attribute("gendr")
    with pytest.raises(DataError, match="add a table of them with --demographics"):
        toy(["anger"]).attribute("gender")
    refused = data.replace(refused={"age": (Attribute("age", ()), "age has 3,000 values")})
    with pytest.raises(DataError, match="age has 3,000 values"):
        refused.attribute("age")


def test_a_table_has_no_images():
    """The message says what to do instead."""
    data = Dataset("toy", FERPLUS, frame(label=["anger"]))
    with pytest.raises(DataError, match="is a table without images"):
        data.image("a")
    assert list(data.image_digests) == [""]


def test_images_are_digested_as_stored_and_an_unreadable_one_has_no_digest(tmp_path):
    """The dataset's digest changes when a missing image appears."""
    (tmp_path / "a.png").write_bytes(b"one")
    data = Dataset("toy", FERPLUS, frame(label=["anger"] * 2), images=FileImages(tmp_path, {"a": "a.png", "b": "b.png"}))
    assert list(data.image_digests) == [hashlib.sha256(b"one").hexdigest(), ""]
    (tmp_path / "b.png").write_bytes(b"two")
    assert data.replace(name="again").images_digest != data.images_digest


def base() -> Dataset:
    """A dataset with every part that a digest covers."""
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
    ("change", "images_too"),
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
        "an image",
    ],
)
def test_digests_depend_on_content_only(change, images_too):
    """All that an audit reads changes the digest; only ids and images change the digest that predictions belong to."""
    if "samples" in change and "c" in change["samples"].index:
        change = {**change, "images": PixelImages(["c", "b"], base().images.pixels)}
    other = base().replace(**change)
    assert (other.digest != base().digest) == (images_too is not None)
    assert (other.images_digest != base().images_digest) == bool(images_too)


def test_a_stored_data_set_keeps_its_digests():
    """Read back from a run, without its images, it is the same dataset."""
    data = base()
    stored = data.replace(images=None, identity={"digest": data.digest, "images_digest": data.images_digest})
    assert (stored.digest, stored.images_digest) == (data.digest, data.images_digest)


def test_a_data_set_cannot_be_changed_in_place():
    """Digests are computed once, so the content must not change."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        base().name = "other"


@pytest.mark.parametrize(
    ("values", "groups", "levels"),
    [
        (["m", "f", None], ["m", "f", UNANNOTATED], ("f", "m", UNANNOTATED)),
        ([1.0, 2.0, None], ["1", "2", UNANNOTATED], ("1", "2", UNANNOTATED)),
        ([1.5, 2.0, 1.5], ["1.5", "2.0", "1.5"], ("1.5", "2.0")),
        ([True, False, True], ["True", "False", "True"], ("False", "True")),
        (["NA", " f ", ""], [UNANNOTATED, "f", UNANNOTATED], ("f", UNANNOTATED)),
        (["nan", "None", "<NA>", "other"], [*[UNANNOTATED] * 3, "other"], ("other", UNANNOTATED)),
        ([None, None, None], [UNANNOTATED] * 3, (UNANNOTATED,)),
        ([10, 8, 9], ["10", "8", "9"], ("8", "9", "10")),
    ],
)
def test_a_column_is_converted_to_levels(values, groups, levels):
    """A missing value, or a word for it, is `UNANNOTATED`, last; whole numbers lose their ``.0``."""
    text, names = to_levels(pd.Series(values), "t.csv, column 'x'")
    assert list(text) == groups
    assert names == levels


@given(st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=1, max_size=20))
def test_levels_keep_every_value(values):
    """Each value has one level, and the sizes add up."""
    text, levels = to_levels(pd.Series(values, dtype=object), "here")
    assert text.notna().all()
    assert set(text) == set(levels)
    assert len(levels) == len(set(levels))
    missing = sum(v is None or is_missing_word(v.strip()) for v in values)
    assert (text == UNANNOTATED).sum() == missing


@pytest.mark.parametrize(
    ("values", "how"), [(range(10_000), "--bands COLUMN="), (map(str, range(10_000)), "combine values into fewer groups")]
)
def test_a_column_with_ten_thousand_values_is_refused(values, how):
    """The message says how to group numbers and text."""
    with pytest.raises(DataError, match=f"has 10,000 different values, more than {MAX_LEVELS}; .*{how}"):
        to_levels(pd.Series(list(values)), "t.csv, column 'age'")


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
def test_bands_are_named_by_their_range(edges, names):
    """Whole edges give whole numbers, others the end of the band."""
    assert cut_bands(pd.Series([1.0]), edges, "here")[1] == names


@given(
    st.lists(st.one_of(st.none(), st.floats(-100, 100)), min_size=1),
    st.sets(st.integers(-50, 50), min_size=1, max_size=5),
)
def test_a_value_is_in_the_band_of_its_range(values, edges):
    """An edge belongs to the band above it; a missing value is unannotated."""
    edges = sorted(edges)
    text, levels = cut_bands(pd.Series(values, dtype=float), edges, "here")
    for value, band in zip(values, text, strict=True):
        expected = UNANNOTATED if value is None else levels[sum(value >= e for e in edges)]
        assert band == expected
    assert (levels[-1] == UNANNOTATED) == (None in values)


@pytest.mark.parametrize("edges", [[], [40, 20], [20, 20], [float("nan")], [20, float("inf")]])
def test_bands_ascend(edges):
    """Other edges are refused."""
    with pytest.raises(DataError, match="edges must ascend"):
        cut_bands(pd.Series([1.0]), edges, "here")


def test_text_cannot_be_cut_into_bands():
    """The message names the column."""
    with pytest.raises(DataError, match="is not numeric"):
        cut_bands(pd.Series(["old"]), [20], "here")


def test_a_digest_of_lines_is_sha256_of_them():
    """Other tools can compute it."""
    assert digest_lines(["a", "b"]) == hashlib.sha256(b"a\nb\n").hexdigest()
