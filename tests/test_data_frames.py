"""Data frames in memory give the dataset that the same table gives as a file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairfer.datasets.loading import load_dataset
from fairfer.errors import DataError, UsageError
from fairfer.testing import check_loader

if TYPE_CHECKING:
    from fairfer.datasets.dataset import Dataset

FRAME = pd.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "label": ["happy", "sad", None, "sad"],
        "predicted": ["happy", "happy", "sad", None],
        "gender": ["f", "m", "m", None],
        "age": [31, 45, 20, 60],
        "weight": [1.5, None, 2.0, 2.5],
        "glasses": [True, False, True, False],
    }
)
MULTI = pd.DataFrame(
    {
        "truth_AU6": [1, 0, None],
        "truth_AU12": [True, False, True],
        "pred_AU6": [1, 1, None],
        "pred_AU12": [0, 1, None],
        "g": ["x", "", "y"],
    }
)


def same(one: Dataset, other: Dataset) -> bool:
    """Whether two datasets are equal in all that an audit reads."""
    pd.testing.assert_frame_equal(one.recorded.frame, other.recorded.frame)
    return (one.digest, one.attributes, one.labels, one.task) == (other.digest, other.attributes, other.labels, other.task)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize(
    ("frame", "options"), [(FRAME, {}), (MULTI, {"truth": "truth_*", "predicted": "pred_*"})], ids=["single", "multi"]
)
def test_a_frame_equals_its_csv(tmp_path, library, frame, options):
    """In samples, predictions and attributes."""
    frame.to_csv(tmp_path / "t.csv", index=False)
    native = frame
    if library == "polars":
        native = pytest.importorskip("polars").from_pandas(frame)
    if library == "pyarrow":
        native = pa.Table.from_pandas(frame)
    data = load_dataset(native, **options)
    assert same(data, load_dataset(tmp_path / "t.csv", **options))
    assert data.name == data.card["source"] == "data frame"
    assert data.steps[0].what == f"rows in data frame: {len(frame)}"
    check_loader(data)


@settings(max_examples=20)
@given(st.lists(st.sampled_from(["happy", "sad", None]), min_size=2, max_size=9), st.integers(0, 5))
def test_any_frame_equals_its_csv(tmp_path_factory, labels, seed):
    """With scores as predictions."""
    rng = np.random.default_rng(seed)
    if not any(labels):
        return
    scores = rng.random((len(labels), 2)).round(3)
    frame = pd.DataFrame(
        {"label": labels, "score_happy": scores[:, 0], "score_sad": scores[:, 1], "g": rng.integers(0, 3, len(labels))}
    )
    path = tmp_path_factory.mktemp("t") / "t.csv"
    frame.to_csv(path, index=False)
    assert same(load_dataset(frame), load_dataset(path))


def test_options_are_those_of_a_table():
    """Columns, label space, names and bands."""
    frame = FRAME.rename(columns={"id": "who", "label": "mood", "predicted": "guess"})
    data = load_dataset(
        frame, truth="mood", predicted="guess", sample_id="who", labels="ferplus", name="mine", bands={"age": [40]}, scores=None
    )
    assert list(data.samples.index) == ["a", "b", "d"]
    assert (data.name, data.recorded.model, len(data.labels)) == ("mine", "guess", 8)
    assert data.attribute("age").levels == ("under 40", "40 and over")


def test_a_named_index_is_a_column():
    """As pandas stores it in Parquet files; an index without a name is ignored."""
    assert list(load_dataset(FRAME.set_index("id")).samples.index) == ["a", "b", "d"]
    assert list(load_dataset(FRAME.drop(columns="id").iloc[[3, 0]]).samples.index) == ["1", "2"]


def test_the_frame_is_not_changed():
    """It belongs to the caller."""
    frame = FRAME.copy()
    load_dataset(frame)
    pd.testing.assert_frame_equal(frame, FRAME)


def test_demographics_may_be_joined(tmp_path):
    """From any kind of path."""
    (tmp_path / "people.csv").write_text("sample_id,race\na,x\nb,y\n")

    class Place(os.PathLike):
        def __fspath__(self) -> str:
            return str(tmp_path / "people.csv")

    assert load_dataset(FRAME, demographics=Place()).attribute("race").levels == ("x", "y", "unannotated")
    FRAME.to_csv(tmp_path / "people.csv", index=False)
    assert same(load_dataset(Place()), load_dataset(str(tmp_path / "people.csv")))


@pytest.mark.parametrize(
    ("frame", "options", "kind", "complaint"),
    [
        (
            [1, 2],
            {},
            UsageError,
            r"a path or a data frame \(pandas, polars or another eager one\), not list; pass a data frame",
        ),
        (FRAME["label"], {}, UsageError, "not Series; pass a data frame"),
        (None, {}, UsageError, "not NoneType"),
        (FRAME.iloc[:0], {}, DataError, "data frame has no rows; give a table with at least one"),
        (FRAME, {"truth": "lable"}, UsageError, r"data frame has no column 'lable' \(the true labels.*did you mean 'label'"),
        (
            FRAME,
            {"rule": "majority"},
            UsageError,
            r"--rule is not an option of a table dataset \(data frame\); .*option of ferplus",
        ),
        (FRAME, {"loader": "folder"}, UsageError, "--loader folder reads files, not a data frame; remove it"),
        (FRAME.assign(id=["a", None, "b", "c"]), {}, DataError, "data frame, column 'id', row 1: the id is empty"),
        (FRAME.assign(id="a"), {}, DataError, "data frame, column 'id': the id 'a' occurs more than once"),
        (FRAME.assign(g=[[1]] * 4), {}, DataError, "data frame, column 'g' holds a list; split it into columns"),
        (
            FRAME.assign(label=["happy", "rage", "sad", "sad"]),
            {},
            DataError,
            "data frame, column 'label' mixes emotions with rage",
        ),
        (
            FRAME.set_axis(["id", "label", "predicted", "x", "x", "y", "z"], axis=1),
            {},
            DataError,
            "has two columns 'x'; rename one",
        ),
    ],
)
def test_invalid_frames_are_refused_in_one_line(frame, options, kind, complaint):
    """With the messages of files, and ``data frame`` in place of the path."""
    with pytest.raises(kind, match=complaint) as caught:
        load_dataset(frame, **options)
    assert "\n" not in str(caught.value)


def test_an_arrow_table_with_repeated_names_is_refused():
    """Narwhals cannot convert it."""
    table = pa.table([pa.array(["happy"]), pa.array(["sad"])], names=["label", "label"])
    with pytest.raises(DataError, match=r"data frame cannot be converted \(Expected unique column names"):
        load_dataset(table)


def test_a_lazy_frame_is_refused():
    """Its rows have to be collected by the caller."""
    polars = pytest.importorskip("polars")
    with pytest.raises(UsageError, match="not LazyFrame; pass a data frame"):
        load_dataset(polars.from_pandas(FRAME).lazy())
