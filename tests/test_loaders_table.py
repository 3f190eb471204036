"""Tables of predictions: files and data frames, single-label and multi-label."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairfer.audits.arrays import audit
from fairfer.datasets.loading import load_dataset
from fairfer.datasets.tables import read_table
from fairfer.errors import DataError, FairferError, LabelError, UsageError
from fairfer.predictions.predictions import Predictions
from fairfer.testing import check_loader
from fairfer.vocabulary import UNANNOTATED

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "id,label,predicted,gender\n"
ROWS = "1,happy,happy,f\n2,sad,happy,m\n3,sad,,m\n"


def put(path: Path, content: str | bytes) -> Path:
    """Write a file."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def accuracy(data) -> float:
    """Accuracy, from an audit."""
    return audit(data, Predictions.from_recorded(data), minimum=1, permutations=100).rate("accuracy").value


def levels(data, name="gender") -> tuple[str, ...]:
    """The levels of an attribute."""
    return data.attribute(name).levels


# --- what is accepted ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.csv", HEADER + ROWS),
        ("bom.csv", "\ufeff" + HEADER + ROWS),
        ("semicolon.csv", (HEADER + ROWS).replace(",", ";")),
        ("tab.tsv", (HEADER + ROWS).replace(",", "\t")),
        ("windows.csv", (HEADER + ROWS).replace("\n", "\r\n")),
        ("blank_lines.csv", HEADER + "\n" + ROWS + "\n\n"),
        ("spaces.csv", " id , label ,predicted , gender\n" + ROWS),
        ("quoted.csv", 'id,label,predicted,gender\n"1","happy","happy","f"\n2,sad,happy,m\n3,sad,"",m\n'),
        ("index.csv", "," + HEADER + "".join(f"{i},{row}\n" for i, row in enumerate(ROWS.split()))),
        ("upper.csv", HEADER.upper() + ROWS),
        (
            "lines.jsonl",
            (
                '{"id": "1", "label": "happy", "predicted": "happy", "gender": "f"}\n\n'
                '{"id": "2", "label": "sad", "predicted": "happy", "gender": "m"}\n'
                '{"id": "3", "label": "sad", "predicted": null, "gender": "m"}\n'
            ),
        ),
        (
            "sparse.ndjson",
            (
                '{"id": 1, "label": "happy", "predicted": "happy", "gender": "f"}\n'
                '{"id": 2, "label": "sad", "predicted": "happy", "gender": "m"}\n'
                '{"id": 3, "label": "sad", "predicted": "", "gender": "m"}\n'
            ),
        ),
    ],
)
def test_the_format_of_the_file_does_not_matter(tmp_path, name, content):
    """Byte-order marks, separators, line ends, quotes, index columns and JSON change nothing."""
    data = load_dataset(put(tmp_path / name, content))
    assert list(data.samples.index) == ["1", "2", "3"]
    assert data.labels.labels == ("happiness", "sadness")
    gender = "GENDER" if name == "upper.csv" else "gender"
    assert [a.name for a in data.attributes] == [gender]
    assert levels(data, gender) == ("f", "m")
    assert list(data.recorded.frame["status"]) == ["ok", "ok", "error"]
    assert data.recorded.frame["detail"].iloc[2] == "no prediction in the table"
    assert accuracy(data) == pytest.approx(1 / 3)
    check_loader(data)


@pytest.mark.parametrize("form", ["plain", "index", "categories"])
def test_parquet_is_read_however_pandas_wrote_it(tmp_path, form):
    """A named index is a column, and categories are their values."""
    frame = pd.DataFrame(
        {"id": ["a", "b"], "label": ["happy", None], "predicted": ["happy", "sad"], "g": ["x", None], "born": [1.0, None]}
    )
    if form == "index":
        frame = frame.set_index("id")
    if form == "categories":
        frame = frame.astype({"label": "category", "predicted": "category", "g": "category", "born": "category"})
    frame.to_parquet(tmp_path / "t.parquet")
    data = load_dataset(tmp_path / "t.parquet")
    assert list(data.samples.index) == ["a"]
    assert levels(data, "g") == ("x",)
    assert levels(data, "born") == ("1",)
    assert data.steps[1].excluded == 1


def test_ids_are_text(tmp_path):
    """``007``, ``1e3`` and ``1.10`` keep their spelling."""
    data = load_dataset(
        put(tmp_path / "t.csv", HEADER + "".join(f"{i},sad,sad,f\n" for i in ("007", "7", "1e3", "1000", "1.10", "1.1")))
    )
    assert list(data.samples.index) == ["007", "7", "1e3", "1000", "1.10", "1.1"]
    own = put(tmp_path / "u.csv", "who,label,predicted\n1e3,sad,sad\n1000,sad,sad\n")
    assert list(load_dataset(own, sample_id="who").samples.index) == ["1e3", "1000"]


def test_rows_without_ids_are_numbered(tmp_path):
    """Counting starts at 1."""
    data = load_dataset(put(tmp_path / "t.csv", "label,predicted\nsad,sad\nhappy,sad\n"))
    assert list(data.samples.index) == ["1", "2"]


@pytest.mark.parametrize(
    ("cells", "groups"),
    [
        (["NA", "nan", ""], (UNANNOTATED,)),
        (["1.0", "2.0", ""], ("1", "2", UNANNOTATED)),
        (["1", "2", "2"], ("1", "2")),
        (["01", "1", "1"], ("01", "1")),
        (["None", "null", "N/A"], (UNANNOTATED,)),
        (["  f ", "f", "m"], ("f", "m")),
        (["(no_face)", "other", "x"], ("(no_face)", "other", "x")),
    ],
)
def test_levels_are_the_text_of_the_cells(tmp_path, cells, groups):
    """Empty cells and words for a missing value are missing; whole numbers have no ``.0``."""
    rows = "".join(f"{i},sad,sad,{c}\n" for i, c in enumerate(cells))
    assert levels(load_dataset(put(tmp_path / "t.csv", HEADER + rows))) == groups


@pytest.mark.parametrize(
    ("labels", "codes", "names"),
    [
        ("fer2013", ["0", "3", "6"], ["anger", "happiness", "neutral"]),
        ("ferplus", ["0", "3", "6"], ["neutral", "sadness", "fear"]),
        ("affectnet", ["0", "3", "6"], ["neutral", "surprise", "anger"]),
        (None, ["0", "3", "6"], ["0", "3", "6"]),
        ("calm,happy", ["calm", "happy", "calm"], ["neutral", "happiness", "neutral"]),
    ],
)
def test_codes_mean_what_the_named_space_says_and_nothing_is_guessed(tmp_path, labels, codes, names):
    """The same number is another emotion in another dataset; without a space numbers stay numbers."""
    rows = "".join(f"{i},{c},{c},f\n" for i, c in enumerate(codes))
    data = load_dataset(put(tmp_path / "t.csv", HEADER + rows), labels=labels)
    assert list(data.samples["label"]) == names
    assert list(data.recorded.frame["predicted"]) == names


def test_labels_that_are_numbers_have_no_decimals(tmp_path):
    """Pandas converts 1 to 1.0 if a value is missing; the label is still 1. The model may predict others."""
    data = load_dataset(put(tmp_path / "t.csv", HEADER + "1,0,0,f\n2,1,2,f\n3,,1,m\n4,1,,m\n"))
    assert data.labels.labels == ("0", "1")
    assert data.recorded.labels.labels == ("0", "1", "2")
    assert list(data.samples["label"]) == ["0", "1", "1"]
    assert [s.excluded for s in data.steps if s.excluded] == [1]
    assert accuracy(data) == pytest.approx(1 / 3)


def test_a_model_may_predict_labels_that_are_not_in_the_truth(tmp_path):
    """Such a prediction is wrong. Another spelling of a label is the same label."""
    data = load_dataset(put(tmp_path / "t.csv", HEADER + "1,a,A,f\n2,a,c,f\n3,b,b,m\n"))
    assert data.recorded.labels.labels == ("a", "b", "c")
    assert accuracy(data) == pytest.approx(2 / 3)
    emotions = load_dataset(put(tmp_path / "u.csv", HEADER + "1,happy,Joy,f\n2,sad,fearful,f\n"))
    assert emotions.recorded.labels.labels == ("happiness", "sadness", "fear")


def test_model_labels_can_be_given(tmp_path):
    """An emotion that is not among them is unsupported."""
    path = put(tmp_path / "t.csv", HEADER + "1,happy,happy,f\n2,contempt,happy,f\n")
    data = load_dataset(path, model_labels="happy,sad,neutral")
    assert data.recorded.labels.labels == ("happiness", "sadness", "neutral")
    assert audit(data, Predictions.from_recorded(data), permutations=100).labels.unsupported_labels == ["contempt"]
    with pytest.raises(DataError, match="column 'predicted', row '1': label 'happy' is not one of labels in t"):
        load_dataset(path, model_labels="sad,neutral")


def test_the_highest_score_is_the_prediction(tmp_path):
    """The first of several; a row without scores has no prediction."""
    rows = "1,happy,.2,.8\n2,sad,.9,.1\n3,sad,,\n4,sad,.5,.5\n"
    data = load_dataset(put(tmp_path / "t.csv", "id,label,score_sad,score:happy\n" + rows))
    assert list(data.recorded.frame["predicted"].fillna("-")) == ["happiness", "sadness", "-", "sadness"]
    result = Predictions.from_recorded(data)
    assert result.labels.labels == ("sadness", "happiness")
    assert np.allclose(result.scores()[:2], [[0.2, 0.8], [0.9, 0.1]])
    assert np.isnan(result.scores()[2]).all()
    check_loader(data)
    own = put(tmp_path / "u.csv", "id,label,p_sad,p_happy\n" + rows)
    assert list(load_dataset(own, scores="p_").recorded.frame["status"]) == ["ok", "ok", "error", "ok"]


@pytest.mark.parametrize("named", ["a", "b"])
def test_on_a_tie_either_label_may_be_predicted(tmp_path, named):
    """Both have the highest score."""
    path = put(tmp_path / "t.csv", f"id,label,predicted,score_a,score_b\n1,a,{named},0.5,0.5\n2,b,,.1,.9\n3,a,a,,\n")
    assert list(load_dataset(path).recorded.frame["predicted"].fillna("-")) == [named, "-", "a"]  # an empty cell is a refusal


def test_a_status_column_has_the_reason_for_a_missing_prediction(tmp_path):
    """Predictions and scores of a row whose status is not ok are ignored."""
    rows = "1,sad,sad,ok,\n2,sad,sad,no_face,looked away\n3,sad,,,\n4,sad,sad,,\n"
    data = load_dataset(put(tmp_path / "t.csv", "id,label,predicted,status,detail\n" + rows))
    frame = data.recorded.frame
    assert list(frame["status"]) == ["ok", "no_face", "error", "ok"]
    assert list(frame["detail"]) == ["", "looked away", "no prediction in the table", ""]
    assert list(frame["predicted"].isna()) == [False, True, True, False]
    scored = put(tmp_path / "u.csv", "id,label,status,score_sad,score_happy\n1,sad,ok,1,0\n2,sad,no_face,1,0\n")
    assert np.isnan(Predictions.from_recorded(load_dataset(scored)).scores()[1]).all()


@pytest.mark.parametrize("column", ["truth", "said", "n", "level0", "without gender", "Gender", "by0", "image", "group", 'a"b'])
def test_a_group_column_may_have_any_name(tmp_path, column):
    """Also names that are used internally, and names that differ only in case."""
    quoted = column.replace('"', '""')
    path = put(tmp_path / "t.csv", f'id,label,predicted,gender,"{quoted}"\n1,sad,sad,f,x\n2,sad,happy,m,y\n3,happy,happy,f,y\n')
    data = load_dataset(path, truth="label", sample_id="id")
    result = audit(
        data, Predictions.from_recorded(data), by=[column, "gender", ["gender", column]], minimum=1, permutations=100
    )
    assert result.rate("accuracy", attribute=column, group="x").value == 1
    assert result.rate("accuracy", attribute=column, group="y").value == 0.5
    assert result.rate("accuracy", attribute="gender", group="f").value == 1
    assert result.rate("accuracy", attribute=f"gender,{column}", group="m,y").value == 0
    assert result.rate("accuracy").value == pytest.approx(2 / 3)


@pytest.mark.parametrize("column", ["*", "sample_id", "a,b"])
def test_a_column_with_a_reserved_name_is_not_an_attribute(tmp_path, column):
    """It is not an attribute, and the message says to rename it."""
    path = put(tmp_path / "t.csv", f'id,label,predicted,"{column}"\n1,sad,sad,x\n2,sad,happy,y\n')
    data = load_dataset(path, sample_id="id")
    assert accuracy(data) == 0.5
    with pytest.raises(DataError, match="the name is reserved or has a comma, so it cannot group faces; rename the column"):
        data.attribute(column)


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "options", "kind", "complaint"),
    [
        ("", {}, DataError, "t.csv has no rows"),
        (HEADER, {}, DataError, "t.csv has no rows; give a table with at least one"),
        (HEADER + "1,sad,sad,f\n2,sad\n", {}, DataError, "line 3 has 2 cells, the header 4"),
        (HEADER + "1,sad,sad,f,x\n", {}, DataError, "line 2 has 5 cells, the header 4"),
        (HEADER + "1,sad,sad,f,\n2,sad,sad,m,\n", {}, DataError, "line 2 has 5 cells"),
        (HEADER + '1,"sad,sad,f\n2,sad,sad,m\n', {}, DataError, "cannot be read as csv"),
        (HEADER + "1,sad\0,sad,f\n", {}, DataError, "cannot be read as csv"),
        (bytes(range(256)), {}, DataError, "t.csv cannot be read as csv .*save the table again"),
        ("id,label,predicted\n1,sad,sad\n".encode("utf-16"), {}, DataError, "cannot be read as csv"),
        ("id,label,predicted,gender,gender\n1,sad,sad,f,f\n", {}, DataError, "has two columns 'gender'; rename one"),
        ("id,label,predicted,gender, gender\n1,sad,sad,f,f\n", {}, DataError, "has two columns 'gender'; rename one"),
        (
            HEADER + "1,sad,sad,f\n1,sad,sad,f\n",
            {},
            DataError,
            "column 'id': the id '1' occurs more than once; make",
        ),
        (HEADER + "1,sad,sad,f\n,sad,sad,f\n", {}, DataError, "column 'id', row 3: the id is empty; give every row an id"),
        (HEADER + "1,,sad,f\n", {}, DataError, "column 'label' is empty; name the column"),
        (HEADER + "1,sad,,f\n", {}, DataError, "has no prediction in any row"),
        (HEADER + "1,sad,sad,f\n2,rage,sad,f\n", {}, DataError, "column 'label' mixes emotions with rage"),
        (HEADER + "1,sad,sad,f\n2,sad,rage,f\n", {}, DataError, "column 'predicted' mixes emotions with rage"),
        (HEADER + "1,contempt,sad,f\n", {"labels": "fer2013"}, DataError, "row '1': label 'contempt' is not one of FER2013 7"),
        (HEADER + "a,7,1,f\n", {"labels": "fer2013"}, DataError, "row 'a': code 7 is not one of the codes 0 to 6 of FER2013 7"),
        (HEADER + "a,1.5,1,f\n", {"labels": "fer2013"}, DataError, "code 1.5 is not one of the codes"),
        (
            HEADER + "a,1,-1,f\n",
            {"labels": "fer2013"},
            DataError,
            "column 'predicted', row 'a': code -1 is not one of the codes",
        ),
        (
            HEADER + "1,sad,sad,f\n",
            {"labels": "ferpls"},
            UsageError,
            "--labels 'ferpls' is not a label space; did you mean 'ferplus'",
        ),
        (HEADER + "1,sad,sad,f\n", {"labels": "sad,SAD"}, LabelError, "more than once"),
        (HEADER + "1,no answer,b,f\n", {}, LabelError, "'no answer' cannot be a label"),
        (HEADER + "1,*,b,f\n", {}, LabelError, r"'\*' cannot be a label"),
        (HEADER + "1,a,b,f\n2,A,b,f\n", {}, LabelError, "more than once; give each label one spelling"),
        (
            HEADER + "".join(f"{i},x{i},x{i},f\n" for i in range(51)),
            {},
            DataError,
            "has 51 different values \\(such as x0, x1, x10 and 48 more\\), too many",
        ),
        (HEADER + "1,sad,sad,f\n", {"truth": "lable"}, UsageError, "no column 'lable' .*did you mean 'label'"),
        (HEADER + "1,sad,sad,f\n", {"predicted": "predictd"}, UsageError, "no column 'predictd'.*did you mean 'predicted'"),
        (HEADER + "1,sad,sad,f\n", {"sample_id": "idd"}, UsageError, "no column 'idd'.*did you mean 'id'"),
        (HEADER + "1,sad,sad,f\n", {"scores": "p_"}, UsageError, "has no column that matches --scores 'p_\\*'"),
        (HEADER + "1,sad,sad,f\n", {"split": "test"}, UsageError, "--split is not an option of a table dataset"),
        (
            HEADER + "1,sad,sad,f\n",
            {"rule": "majority"},
            UsageError,
            "--rule is not an option of a table .*an option of ferplus",
        ),
        (HEADER + "1,sad,sad,f\n", {"sampleid": "x"}, UsageError, "--sampleid is not an option .*did you mean 'sample_id'"),
        (
            "id,what,predicted\n1,sad,sad\n",
            {},
            UsageError,
            "no column called label, emotion.*with --truth",
        ),
        (
            "id,label,said\n1,sad,sad\n",
            {},
            UsageError,
            "has no column called predicted.* and no scores",
        ),
        (
            "id,label,predicted,status\n1,a,a,married\n",
            {},
            DataError,
            "row '1': 'married' is not a status; write one of ok, no_face",
        ),
        ("id,label,predicted,status\n1,a,,ok\n", {}, DataError, "row '1': the status is ok but there is no prediction"),
    ],
)
def test_an_invalid_table_is_refused_in_one_line(tmp_path, content, options, kind, complaint):
    """The message says what is wrong, in which file, column or row, and how to fix it."""
    with pytest.raises(kind, match=complaint) as caught:
        load_dataset(put(tmp_path / "t.csv", content), loader="table", **options)
    assert "\n" not in str(caught.value)
    assert "t.csv" in str(caught.value) or isinstance(caught.value, LabelError) or "--labels" in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ("1,a,,.1,nan\n", "column 'score_b', row '1': the score 'nan' is not a finite number"),
        ("1,a,,.1,inf\n", "column 'score_b', row '1': the score 'inf' is not a finite number"),
        ("1,a,,.1,high\n", "the score 'high' is not a finite number; correct it, or empty all scores of the row"),
        ("1,a,,.1,\n2,a,,.1,.2\n", "row '1': some scores are missing; give all scores of a row or none"),
        ("1,a,a,.1,.2\n", r"row '1': the predicted label is a, but b has the highest score \(1 such rows\); give only"),
        ("1,a,c,,\n2,a,a,.2,.1\n", r"row '1': the predicted label is c, which has no column of scores \(1 such rows\)"),
        ("1,a,,,\n", "has no prediction in any row"),
    ],
)
def test_invalid_scores_are_refused(tmp_path, rows, complaint):
    """NaN, infinite, partly missing, or in contradiction to the predicted label."""
    with pytest.raises(DataError, match=complaint):
        load_dataset(put(tmp_path / "t.csv", "id,label,predicted,score_a,score_b\n" + rows))


def test_two_columns_of_scores_for_one_label_are_refused(tmp_path):
    """The message names both."""
    path = put(tmp_path / "t.csv", "id,label,score_a,score:a,score_b\n1,a,.5,.6,.1\n")
    with pytest.raises(DataError, match=r"two columns for 'a' \(--scores\): 'score_a' and 'score:a'; rename one"):
        load_dataset(path)
    with pytest.raises(LabelError, match="has happiness more than once"):
        load_dataset(put(tmp_path / "u.csv", "id,label,score_happy,score_joy\n1,happy,.5,.6\n"))


def test_scores_are_not_searched_for_with_predicted(tmp_path):
    """With ``--predicted``, a column that starts with score is an attribute."""
    path = put(tmp_path / "t.csv", "id,label,pred2,score_group\n1,a,a,x\n2,b,a,y\n")
    assert levels(load_dataset(path, predicted="pred2"), "score_group") == ("x", "y")


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("t.jsonl", b"[1, 2]\n", "line 1 is not a JSON object"),
        ("t.jsonl", b'{"a": 1}\n{"a": \n', "line 2: "),
        ("t.jsonl", b'{"a": 1, "a": 2}\n', "line 1: a key occurs twice"),
        ("t.jsonl", bytes(range(256)), "cannot be read as jsonl"),
        ("t.jsonl", b"", "has no rows"),
        ("t.jsonl", b'{"id": 1, "label": "sad", "predicted": "sad", "g": [1]}\n', "column 'g' holds a list; split it"),
        ("t.jsonl", b'{"id": 1, "label": "sad", "predicted": "sad", "g": {"a": 1}}\n', "column 'g' holds a dict"),
        ("t.parquet", bytes(range(256)), "cannot be read as parquet"),
        ("t.parquet", b"", "cannot be read as parquet"),
        ("t.xlsx", b"", "is not a table file; give one of .csv, .tsv, .parquet, .jsonl, .ndjson"),
    ],
)
def test_invalid_files_are_refused_in_one_line(tmp_path, name, content, complaint):
    """Damaged, nested, or not a table."""
    with pytest.raises(DataError, match=complaint) as caught:
        load_dataset(put(tmp_path / name, content), loader="table")
    assert "\n" not in str(caught.value)


def test_dates_and_decimals_are_values(tmp_path):
    """Lists are not."""
    frame = pd.DataFrame({"day": [dt.date(2020, 1, 2)] * 2, "much": [decimal.Decimal("1.50")] * 2, "flag": [True, False]})
    frame.to_parquet(tmp_path / "t.parquet")
    assert list(read_table(tmp_path / "t.parquet").columns) == ["day", "much", "flag"]
    pd.DataFrame({"g": [[1], [2]]}).to_parquet(tmp_path / "u.parquet")
    with pytest.raises(DataError, match="holds a ndarray"):
        read_table(tmp_path / "u.parquet")


def test_a_missing_file_is_refused(tmp_path):
    """The message differs from that for a damaged file."""
    with pytest.raises(DataError, match=r"t\.csv does not exist; check the path"):
        read_table(tmp_path / "t.csv")


@given(st.binary(max_size=200), st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet"]))
def test_any_file_is_read_or_refused_in_one_line(tmp_path_factory, content, suffix):
    """Whatever its bytes are."""
    path = put(tmp_path_factory.mktemp("any") / f"t{suffix}", content)
    message = ""
    try:
        load_dataset(path, loader="table")
    except FairferError as error:
        message = str(error)
    assert "\n" not in message


cell = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n", exclude_categories=["Cs"]), max_size=6)


@given(st.lists(st.tuples(cell, cell), min_size=1, max_size=8), st.sampled_from([",", ";", "\t"]))
def test_text_cells_round_trip(tmp_path_factory, rows, separator):
    """Any text, quoted as CSV requires; a cell that is empty or holds only spaces is missing."""
    path = tmp_path_factory.mktemp("cells") / "t.csv"
    frame = pd.DataFrame(rows, columns=["id", "text"])
    frame.to_csv(path, index=False, sep=separator)
    result = read_table(path, text=("id", "TEXT")).frame
    frame = frame.map(lambda cell: cell if cell.strip() else "")
    assert result["id"].fillna("").tolist() == frame["id"].tolist()
    assert result["text"].fillna("").tolist() == frame["text"].tolist()


def test_other_columns_do_not_interfere(tmp_path):
    """A ``label`` that is not the truth is ignored, and ``score_quality`` is not the score of a label."""
    path = tmp_path / "t.csv"
    path.write_text(
        "id,label,emotion,predicted,score_quality,gender\n1,7,happy,happy,.9,f\n2,8,sad,happy,.8,m\n", encoding="utf-8"
    )
    result = load_dataset(path, truth="emotion")
    assert result.samples["label"].tolist() == ["happiness", "sadness"]
    assert [a.name for a in result.attributes] == ["score_quality", "gender"]
    assert result.recorded is not None
    assert result.recorded.frame["predicted"].tolist() == ["happiness", "happiness"]


def test_a_table_in_another_encoding_says_which_to_use(tmp_path):
    """Spreadsheet programs on Windows write such files."""
    path = put(tmp_path / "t.csv", "label,predicted,gender\nhappy,happy,mü\n".encode("latin-1"))
    with pytest.raises(DataError, match="save the table again, as UTF-8"):
        load_dataset(path)


def test_an_empty_name_is_not_the_working_directory():
    """``fairfer audit "$DATA"`` with an unset variable."""
    with pytest.raises(UsageError, match="the name of the dataset is empty"):
        load_dataset("")
