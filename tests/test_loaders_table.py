"""Tables of stored predictions: every cell means what its owner meant, or the row is named."""

from __future__ import annotations

import datetime as dt
import decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairfer.audits.audit import audit
from fairfer.datasets.loading import load_dataset
from fairfer.datasets.tables import read_table
from fairfer.errors import DataError, FairferError, LabelError, UsageError
from fairfer.predictions.predictions import Predictions
from fairfer.testing import check_loader
from fairfer.vocabulary import UNANNOTATED

HEADER = "id,label,predicted,gender\n"
ROWS = "1,happy,happy,f\n2,sad,happy,m\n3,sad,,m\n"


def put(path: Path, content: str | bytes) -> Path:
    """Write a file."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def accuracy(data) -> float:
    """The share of right answers, through the whole audit."""
    return audit(data, Predictions.from_recorded(data), minimum=1, permutations=100).rate("accuracy").value


def levels(data, name="gender") -> tuple[str, ...]:
    """The groups of an attribute."""
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
def test_the_same_table_in_any_dress_is_the_same_data(tmp_path, name, content):
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


def test_ids_keep_their_spelling(tmp_path):
    """``007``, ``1e3`` and ``1.10`` are names and not numbers, and only the same text is the same name."""
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
        (["NA", "nan", ""], ("NA", "nan", UNANNOTATED)),
        (["1.0", "2.0", ""], ("1", "2", UNANNOTATED)),
        (["1", "2", "2"], ("1", "2")),
        (["01", "1", "1"], ("01", "1")),
        (["None", "null", "N/A"], ("N/A", "None", "null")),
        (["  f ", "f", "m"], ("f", "m")),
        (["*", "(no_face)", "x"], ("(no_face)", "*", "x")),
    ],
)
def test_groups_are_what_the_cells_say(tmp_path, cells, groups):
    """A group may be called NA, or ``*``; only an empty cell is missing, and whole numbers are not 1.0."""
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
    """The same number is another emotion in another data set; without a space numbers stay numbers."""
    rows = "".join(f"{i},{c},{c},f\n" for i, c in enumerate(codes))
    data = load_dataset(put(tmp_path / "t.csv", HEADER + rows), labels=labels)
    assert list(data.samples["label"]) == names
    assert list(data.recorded.frame["predicted"]) == names


def test_numbers_as_labels_survive_a_missing_cell(tmp_path):
    """A missing value makes pandas write 1 as 1.0; the label is still 1, and the model may say others."""
    data = load_dataset(put(tmp_path / "t.csv", HEADER + "1,0,0,f\n2,1,2,f\n3,,1,m\n4,1,,m\n"))
    assert data.labels.labels == ("0", "1")
    assert data.recorded.labels.labels == ("0", "1", "2")
    assert list(data.samples["label"]) == ["0", "1", "1"]
    assert [s.excluded for s in data.steps if s.excluded] == [1]
    assert accuracy(data) == pytest.approx(1 / 3)


def test_a_model_may_say_what_the_truth_never_holds(tmp_path):
    """Such an answer is wrong, and a spelling of a known label is that label."""
    data = load_dataset(put(tmp_path / "t.csv", HEADER + "1,a,A,f\n2,a,c,f\n3,b,b,m\n"))
    assert data.recorded.labels.labels == ("a", "b", "c")
    assert accuracy(data) == pytest.approx(2 / 3)
    emotions = load_dataset(put(tmp_path / "u.csv", HEADER + "1,happy,Joy,f\n2,sad,fearful,f\n"))
    assert emotions.recorded.labels.labels == ("happiness", "sadness", "fear")


def test_what_a_model_can_say_can_be_stated(tmp_path):
    """Then an emotion it cannot say is known to be unsayable, though this table would not show it."""
    path = put(tmp_path / "t.csv", HEADER + "1,happy,happy,f\n2,contempt,happy,f\n")
    data = load_dataset(path, model_labels="happy,sad,neutral")
    assert data.recorded.labels.labels == ("happiness", "sadness", "neutral")
    assert audit(data, Predictions.from_recorded(data), permutations=100).labels.unsupported_labels == ["contempt"]
    with pytest.raises(DataError, match="column 'predicted', row '1': label 'happy' is not one of labels in t"):
        load_dataset(path, model_labels="sad,neutral")


def test_scores_make_the_prediction(tmp_path):
    """The highest score's label, the first on a tie; a row without scores was not answered."""
    rows = "1,happy,.2,.8\n2,sad,.9,.1\n3,sad,,\n4,sad,.5,.5\n"
    data = load_dataset(put(tmp_path / "t.csv", "id,label,score_sad,score:happy\n" + rows))
    assert list(data.recorded.frame["predicted"].fillna("-")) == ["happiness", "sadness", "-", "sadness"]
    found = Predictions.from_recorded(data)
    assert found.labels.labels == ("sadness", "happiness")
    assert np.allclose(found.scores()[:2], [[0.2, 0.8], [0.9, 0.1]])
    assert np.isnan(found.scores()[2]).all()
    check_loader(data)
    own = put(tmp_path / "u.csv", "id,label,p_sad,p_happy\n" + rows)
    assert list(load_dataset(own, scores="p_").recorded.frame["status"]) == ["ok", "ok", "error", "ok"]


@pytest.mark.parametrize("named", ["a", "b"])
def test_on_a_tie_the_table_may_name_either_label(tmp_path, named):
    """Two highest scores agree with either prediction."""
    path = put(tmp_path / "t.csv", f"id,label,predicted,score_a,score_b\n1,a,{named},0.5,0.5\n2,b,,.1,.9\n3,a,a,,\n")
    assert list(load_dataset(path).recorded.frame["predicted"]) == [named, "b", "a"]


def test_a_status_column_says_why_there_is_no_answer(tmp_path):
    """What stands in a row that was not answered is no answer and no score."""
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
    """Also one that the machinery uses, and one that differs from another only by case."""
    quoted = column.replace('"', '""')
    path = put(tmp_path / "t.csv", f'id,label,predicted,gender,"{quoted}"\n1,sad,sad,f,x\n2,sad,happy,m,y\n3,happy,happy,f,y\n')
    data = load_dataset(path, truth="label", sample_id="id")
    found = audit(data, Predictions.from_recorded(data), [column, "gender", ["gender", column]], minimum=1, permutations=100)
    assert found.rate("accuracy", attribute=column, group="x").value == 1
    assert found.rate("accuracy", attribute=column, group="y").value == 0.5
    assert found.rate("accuracy", attribute="gender", group="f").value == 1
    assert found.rate("accuracy", attribute=f"gender,{column}", group="m,y").value == 0
    assert found.rate("accuracy").value == pytest.approx(2 / 3)


@pytest.mark.parametrize("column", ["*", "sample_id", "a,b"])
def test_a_column_named_like_the_aggregate_cannot_overwrite_it(tmp_path, column):
    """It is left ungrouped, and asking for it says to rename it."""
    path = put(tmp_path / "t.csv", f'id,label,predicted,"{column}"\n1,sad,sad,x\n2,sad,happy,y\n')
    data = load_dataset(path, sample_id="id")
    assert accuracy(data) == 0.5
    with pytest.raises(DataError, match="nothing can be grouped by a column of that name; rename it"):
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
        (bytes(range(256)), {}, DataError, "t.csv cannot be read as csv .*save it again as such a table"),
        ("id,label,predicted\n1,sad,sad\n".encode("utf-16"), {}, DataError, "cannot be read as csv"),
        ("id,label,predicted,gender,gender\n1,sad,sad,f,f\n", {}, DataError, "has two columns 'gender'; rename one"),
        ("id,label,predicted,gender, gender\n1,sad,sad,f,f\n", {}, DataError, "has two columns 'gender'; rename one"),
        (
            HEADER + "1,sad,sad,f\n1,sad,sad,f\n",
            {},
            DataError,
            "column 'id': the id '1' occurs more than once; make",
        ),
        (HEADER + "1,sad,sad,f\n,sad,sad,f\n", {}, DataError, "column 'id': row 3 has no id; give every row one"),
        (HEADER + "1,,sad,f\n", {}, DataError, "column 'label' has no value in any row; name the column"),
        (HEADER + "1,sad,,f\n", {}, DataError, "holds no prediction in any row"),
        (HEADER + "1,sad,sad,f\n2,rage,sad,f\n", {}, DataError, "column 'label' mixes emotions with rage"),
        (HEADER + "1,sad,sad,f\n2,sad,rage,f\n", {}, DataError, "column 'predicted' mixes emotions with rage"),
        (HEADER + "1,contempt,sad,f\n", {"labels": "fer2013"}, DataError, "row '1': label 'contempt' is not one of FER2013 7"),
        (HEADER + "a,7,1,f\n", {"labels": "fer2013"}, DataError, "row 'a': code 7 is none of FER2013 7's 0 to 6"),
        (HEADER + "a,1.5,1,f\n", {"labels": "fer2013"}, DataError, "code 1.5 is none of"),
        (HEADER + "a,1,-1,f\n", {"labels": "fer2013"}, DataError, "column 'predicted', row 'a': code -1 is none of"),
        (
            HEADER + "1,sad,sad,f\n",
            {"labels": "ferpls"},
            UsageError,
            "--labels 'ferpls' is no .* did you mean 'ferplus'",
        ),
        (HEADER + "1,sad,sad,f\n", {"labels": "sad,SAD"}, LabelError, "more than once"),
        (HEADER + "1,(a),b,f\n", {}, LabelError, r"no label can be called '\(a\)'"),
        (HEADER + "1,*,b,f\n", {}, LabelError, r"no label can be called '\*'"),
        (HEADER + "1,a,b,f\n2,A,b,f\n", {}, LabelError, "more than once; give each label one spelling"),
        (
            HEADER + "".join(f"{i},x{i},x{i},f\n" for i in range(51)),
            {},
            DataError,
            "has 51 different values, too many",
        ),
        (HEADER + "1,sad,sad,f\n", {"truth": "lable"}, UsageError, "no column 'lable' .*did you mean 'label'"),
        (HEADER + "1,sad,sad,f\n", {"predicted": "predictd"}, UsageError, "no column 'predictd'.*did you mean 'predicted'"),
        (HEADER + "1,sad,sad,f\n", {"sample_id": "idd"}, UsageError, "no column 'idd'.*did you mean 'id'"),
        (HEADER + "1,sad,sad,f\n", {"scores": "p_"}, UsageError, "has no column that starts with 'p_'"),
        (HEADER + "1,sad,sad,f\n", {"split": "test"}, UsageError, "--split means nothing for a table data set"),
        (HEADER + "1,sad,sad,f\n", {"rule": "majority"}, UsageError, "--rule means nothing for a table .*belongs to ferplus"),
        (HEADER + "1,sad,sad,f\n", {"sampleid": "x"}, UsageError, "--sampleid means nothing .*did you mean 'sample_id'"),
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
            "neither a column called predicted.*nor scores",
        ),
        ("id,label,predicted,status\n1,a,a,married\n", {}, DataError, "row '1': status 'married' is none of ok, no_face"),
        ("id,label,predicted,status\n1,a,,ok\n", {}, DataError, "row '1': status is ok but there is no prediction"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_in_one_line(tmp_path, content, options, kind, complaint):
    """What is wrong, in which file, column or row, and how to mend it; nothing is shifted, filled up or guessed."""
    with pytest.raises(kind, match=complaint) as caught:
        load_dataset(put(tmp_path / "t.csv", content), loader="table", **options)
    assert "\n" not in str(caught.value)
    assert "t.csv" in str(caught.value) or isinstance(caught.value, LabelError) or "--labels" in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ("1,a,,.1,nan\n", "row '1', column 'score_b': the score 'nan' is no finite number"),
        ("1,a,,.1,inf\n", "row '1', column 'score_b': the score 'inf' is no finite number"),
        ("1,a,,.1,high\n", "the score 'high' is no finite number; mend it or empty the row's scores"),
        ("1,a,,.1,\n2,a,,.1,.2\n", "row '1': some scores are missing or not a number; give all or none of a row"),
        ("1,a,a,.1,.2\n", r"row '1': the prediction is a but the highest score is b's \(1 such rows\); give one of the two"),
        ("1,a,c,,\n2,a,a,.2,.1\n", r"row '1': the prediction is c but no column holds its scores \(1 such rows\)"),
        ("1,a,,,\n", "holds no prediction in any row"),
    ],
)
def test_scores_that_contradict_themselves_are_refused(tmp_path, rows, complaint):
    """NaN, infinite, partial, or not those of the prediction beside them."""
    with pytest.raises(DataError, match=complaint):
        load_dataset(put(tmp_path / "t.csv", "id,label,predicted,score_a,score_b\n" + rows))


def test_two_columns_of_scores_for_one_label_are_refused(tmp_path):
    """Which of the two is meant is the owner's to say."""
    path = put(tmp_path / "t.csv", "id,label,score_a,score:a,score_b\n1,a,.5,.6,.1\n")
    with pytest.raises(DataError, match="two columns of scores for 'a': 'score_a' and 'score:a'; rename one"):
        load_dataset(path)
    with pytest.raises(LabelError, match="names happiness more than once"):
        load_dataset(put(tmp_path / "u.csv", "id,label,score_happy,score_joy\n1,happy,.5,.6\n"))


def test_a_named_prediction_leaves_the_scores_alone(tmp_path):
    """With ``--predicted`` columns that start with score are groups like any others."""
    path = put(tmp_path / "t.csv", "id,label,pred2,score_group\n1,a,a,x\n2,b,a,y\n")
    assert levels(load_dataset(path, predicted="pred2"), "score_group") == ("x", "y")


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("t.jsonl", b"[1, 2]\n", "line 1 is no JSON object"),
        ("t.jsonl", b'{"a": 1}\n{"a": \n', "line 2: "),
        ("t.jsonl", b'{"a": 1, "a": 2}\n', "line 1: a key occurs twice"),
        ("t.jsonl", bytes(range(256)), "cannot be read as jsonl"),
        ("t.jsonl", b"", "has no rows"),
        ("t.jsonl", b'{"id": 1, "label": "sad", "predicted": "sad", "g": [1]}\n', "column 'g' holds a list, no single value"),
        ("t.jsonl", b'{"id": 1, "label": "sad", "predicted": "sad", "g": {"a": 1}}\n', "column 'g' holds a dict"),
        ("t.parquet", bytes(range(256)), "cannot be read as parquet"),
        ("t.parquet", b"", "cannot be read as parquet"),
        ("t.xlsx", b"", "is no table that fairfer reads; give one of .csv, .tsv, .parquet, .jsonl, .ndjson"),
    ],
)
def test_other_kinds_of_file_are_refused_in_one_line_too(tmp_path, name, content, complaint):
    """Damaged, nested, or not a table at all."""
    with pytest.raises(DataError, match=complaint) as caught:
        load_dataset(put(tmp_path / name, content), loader="table")
    assert "\n" not in str(caught.value)


def test_values_that_are_single_but_no_text_are_kept(tmp_path):
    """Days and decimals are values; lists are not."""
    frame = pd.DataFrame({"day": [dt.date(2020, 1, 2)] * 2, "much": [decimal.Decimal("1.50")] * 2, "flag": [True, False]})
    frame.to_parquet(tmp_path / "t.parquet")
    assert list(read_table(tmp_path / "t.parquet").columns) == ["day", "much", "flag"]
    pd.DataFrame({"g": [[1], [2]]}).to_parquet(tmp_path / "u.parquet")
    with pytest.raises(DataError, match="holds a ndarray"):
        read_table(tmp_path / "u.parquet")


def test_a_missing_table_is_missing(tmp_path):
    """Not damaged."""
    with pytest.raises(DataError, match=r"t\.csv does not exist; check the path"):
        read_table(tmp_path / "t.csv")


@given(st.binary(max_size=200), st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet"]))
def test_no_file_whatever_raises_anything_but_a_fairfer_error(tmp_path_factory, content, suffix):
    """Any bytes under any name are a table or one line of error."""
    path = put(tmp_path_factory.mktemp("any") / f"t{suffix}", content)
    try:
        load_dataset(path, loader="table")
    except FairferError as error:
        assert "\n" not in str(error)  # noqa: PT017 - both outcomes are right


cell = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n", exclude_categories=["Cs"]), max_size=6)


@given(st.lists(st.tuples(cell, cell), min_size=1, max_size=8), st.sampled_from([",", ";", "\t"]))
def test_cells_of_text_come_back_as_they_were_written(tmp_path_factory, rows, separator):
    """Whatever stands in a cell, quoted as CSV asks; empty is missing, numbers are their value."""
    path = tmp_path_factory.mktemp("cells") / "t.csv"
    frame = pd.DataFrame(rows, columns=["id", "text"])
    frame.to_csv(path, index=False, sep=separator)
    found = read_table(path, text=("id", "TEXT"))
    assert found["id"].fillna("").tolist() == frame["id"].tolist()
    assert found["text"].fillna("").tolist() == frame["text"].tolist()


def test_columns_that_mean_something_else_stay_out_of_the_way(tmp_path):
    """A ``label`` that is not the truth groups nobody, and ``score_quality`` beside a prediction is no label's score."""
    path = tmp_path / "t.csv"
    path.write_text(
        "id,label,emotion,predicted,score_quality,gender\n1,7,happy,happy,.9,f\n2,8,sad,happy,.8,m\n", encoding="utf-8"
    )
    found = load_dataset(path, truth="emotion")
    assert found.samples["label"].tolist() == ["happiness", "sadness"]
    assert [a.name for a in found.attributes] == ["score_quality", "gender"]
    assert found.recorded is not None
    assert found.recorded.frame["predicted"].tolist() == ["happiness", "happiness"]
