"""Predictions as other tools write them: each file as the tool writes it, through the command line a user would type."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import fairfer
from fairfer.cli.main import app
from fairfer.datasets.prediction_formats import detect, formats, read_answers
from fairfer.errors import DataError, FairferError, UsageError
from fairfer.labels import canonical
from fairfer.testing import check_loader

RNG = np.random.default_rng(5)
ROWS = 60
SEVEN = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
TRUTH = [SEVEN[i % 7] for i in range(ROWS)]
SCORES = RNG.dirichlet(np.ones(7) / 2, ROWS)
GENDER = ["female" if i % 2 else "male" for i in range(ROWS)]
NAMES = [f"face{i:02d}.png" for i in range(ROWS)]
UNITS = ("AU01", "AU12", "AU43")


def faces(row: int, *, factor: float = 100) -> dict:
    return {label: float(value) * factor for label, value in zip(SEVEN, SCORES[row], strict=True)}


def deepface(row: int) -> dict:
    emotion = faces(row)
    return {
        "emotion": emotion, "dominant_emotion": max(emotion, key=emotion.get), "region": {"x": 0, "y": 0, "w": 40, "h": 40},
        "face_confidence": 0.9, "age": 31, "gender": {"Woman": 10.0, "Man": 90.0}, "dominant_gender": "Man",
        "race": {"asian": 1.0}, "dominant_race": "asian",
    }  # fmt: skip


def person(row: int) -> dict:
    return {"image": NAMES[row], "label": TRUTH[row], "sex": GENDER[row]}


def rekognition(row: int) -> dict:
    types = ("ANGRY", "DISGUSTED", "FEAR", "HAPPY", "SAD", "SURPRISED", "CALM")
    emotions = [{"Type": t, "Confidence": float(s) * 99} for t, s in zip(types, SCORES[row], strict=True)]
    return {
        "FaceDetails": [
            {"BoundingBox": {"Width": 0.5, "Height": 0.5}, "Emotions": [*emotions, {"Type": "CONFUSED", "Confidence": 1.0}]}
        ]
    }


def facepp(row: int) -> dict:
    names = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    emotion = dict(zip(names, (float(s) * 100 for s in SCORES[row]), strict=True))
    return {"faces": [{"face_token": "x", "attributes": {"emotion": emotion}, "face_rectangle": {"width": 9, "height": 9}}]}


def pipeline(row: int) -> list:
    scored = [{"label": n, "score": float(s)} for n, s in zip(SEVEN, SCORES[row], strict=True)]
    return sorted(scored, key=lambda part: -part["score"])


WRITTEN = {
    "deepface": lambda i: {**person(i), "result": [deepface(i)]},
    "deepface flat": lambda i: {**person(i), "emotion": faces(i)},
    "transformers": lambda i: {**person(i), "predictions": pipeline(i)},
    "rekognition": lambda i: {**person(i), **rekognition(i)},
    "facepp": lambda i: {**person(i), **facepp(i), "request_id": "1", "time_used": 3},
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, rows) -> None:
    lines = path.suffix == ".jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) if lines else json.dumps(rows), encoding="utf-8")


def run(command: str) -> str:
    """Run a command that works, and return what it prints."""
    result = CliRunner().invoke(app, shlex.split(command))
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
@pytest.mark.parametrize("kind", WRITTEN)
def test_answers_with_truth_are_audited_in_one_line(folder, kind, suffix):
    """The file has labels and attributes beside the answers; the format is found by the content."""
    write(folder / f"answers{suffix}", [WRITTEN[kind](i) for i in range(ROWS)])
    run(f"audit answers{suffix} --truth label --by sex --out out --permutations 200")
    audit = fairfer.Audit.read("out")
    expected = np.mean([canonical(SEVEN[int(s.argmax())]) == canonical(t) for s, t in zip(SCORES, TRUTH, strict=True)])
    assert audit.rate("accuracy").value == pytest.approx(expected)


@pytest.mark.parametrize("kind", WRITTEN)
def test_the_scores_are_those_of_the_tool(folder, kind):
    """As probabilities, under canonical names; values of the people stay, DeepFace's inferences do not."""
    write(folder / "answers.json", [WRITTEN[kind](i) for i in range(ROWS)])
    dataset = fairfer.load_dataset("answers.json", truth="label")
    check_loader(dataset)
    assert list(dataset.samples.index) == NAMES
    assert [a.name for a in dataset.attributes] == ["sex"]
    recorded = dataset.recorded
    factor = 0.99 if kind == "rekognition" else 1
    for position, label in enumerate(SEVEN):
        stored = recorded.frame[f"score:{canonical(label)}"].to_numpy()
        assert np.allclose(stored, SCORES[:, position] * factor, atol=1e-6)
    assert ("CONFUSED" in recorded.labels.labels) == (kind == "rekognition")
    assert dataset.card["format"] == kind.split()[0]


def test_several_faces_no_face_and_no_answer(folder):
    """The largest face counts; a missing face is a status; the neighbors are answered."""
    small = {**deepface(1), "region": {"w": 10, "h": 10}}
    rows = [
        {**person(0), "result": [small, deepface(0)]}, {**person(1), "result": []}, {**person(2), "error": "no such file"},
        {**person(3), "result": deepface(3)},
    ]  # fmt: skip
    write(folder / "a.json", rows)
    dataset = fairfer.load_dataset("a.json", truth="label")
    frame = dataset.recorded.frame
    assert frame["status"].tolist() == ["ok", "no_face", "error", "ok"]
    assert frame["detail"].tolist() == [
        "2 faces were found; the largest was read", "DeepFace found no face", "no answer of DeepFace", "",
    ]  # fmt: skip
    assert frame["score:happiness"].iloc[0] == pytest.approx(SCORES[0][3], abs=1e-6)
    assert "in 1 images with several faces, the largest was read" in [s.what for s in dataset.steps]


def test_pyfeats_table(folder):
    """Emotions for single-label truth, action units for multi-label truth; empty rows have no face."""
    frame = pd.DataFrame({"FaceRectX": 1.0, "FaceRectWidth": 9.0, "FaceRectHeight": 9.0, "input": NAMES, "frame": range(ROWS)})
    for name, column in zip(("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"), SCORES.T, strict=True):
        frame[name] = column
    units = RNG.random((ROWS, 3))
    for position, name in enumerate(UNITS):
        frame[name] = units[:, position]
    frame.loc[3, [*frame.columns[5:], "FaceRectX", "FaceRectWidth", "FaceRectHeight"]] = None
    twice = frame.iloc[[5]].assign(FaceRectWidth=90.0, happiness=0.0, neutral=lambda f: f.neutral + f.happiness)
    frame = pd.concat([frame, twice])
    emotions = frame.assign(label=[*TRUTH, TRUTH[5]])
    emotions.to_csv("fex.csv", index=False)
    dataset = fairfer.load_dataset("fex.csv", truth="label")
    check_loader(dataset)
    assert len(dataset) == ROWS
    assert dataset.recorded.frame["status"].value_counts().to_dict() == {"ok": ROWS - 1, "no_face": 1}
    happy = dataset.recorded.frame["score:happiness"]
    assert happy.iloc[5] == 0
    assert happy.iloc[6] == pytest.approx(SCORES[6][3], abs=1e-6)
    present = RNG.integers(0, 2, (ROWS + 1, 3))
    for position, name in enumerate(("AU1", "AU12", "AU43")):
        frame[f"truth_{name}"] = present[:, position]
    frame.to_csv("aus.csv", index=False)
    dataset = fairfer.load_dataset("aus.csv", truth="truth_*")
    assert dataset.recorded.labels.labels == ("AU1", "AU12", "AU43")
    assert dataset.recorded.frame["score:AU12"].iloc[6] == pytest.approx(units[6, 1], abs=1e-6)


def test_frames_of_a_video_are_samples_of_their_own(folder):
    columns = {"FaceRectX": 1.0, "input": "a.mp4", "frame": [0, 1, 2], "anger": 0.5, "happiness": 0.5, "label": "happy"}
    pd.DataFrame(columns).to_csv("fex.csv", index=False)
    assert list(fairfer.load_dataset("fex.csv", truth="label").samples.index) == ["a.mp4#0", "a.mp4#1", "a.mp4#2"]


def test_openfaces_table(folder):
    """Columns have spaces before their names; AU01_c is the decision; a row without success has no face."""
    present = RNG.integers(0, 2, (ROWS, 3))
    frame = pd.DataFrame({"frame": range(1, ROWS + 1), " face_id": 0, " timestamp": 0.1, " confidence": 0.9, " success": 1})
    for position, name in enumerate(UNITS):
        frame[f" {name}_r"] = present[:, position] * 2.5
        frame[f" {name}_c"] = present[:, position]
        frame[f"truth_{name}"] = present[:, position]
    frame["sex"] = GENDER
    frame.loc[4, " success"] = 0
    frame.to_csv("of.csv", index=False)
    dataset = fairfer.load_dataset("of.csv", truth="truth_*")
    check_loader(dataset)
    assert dataset.labels.labels == ("AU1", "AU12", "AU43")
    assert [a.name for a in dataset.attributes] == ["sex"]
    assert dataset.recorded.frame["status"].iloc[4] == "no_face"
    audit = fairfer.audit(dataset, fairfer.predict(dataset), by=["sex"])
    assert audit.rate("TPR", label="AU1").value == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("rows", "arguments", "complaint"),
    [
        ([{"emotion": {"happy": 60.0, "sad": 20.0}}], {}, "answer 1: emotion: the scores sum to 80, not 100"),
        ([{"emotion": {"happy": "high", "sad": 20.0}}], {}, "the score of 'happy' is 'high', not a number from 0 to 100"),
        ([{"emotion": {"happy": float("nan"), "sad": 20.0}}], {}, "the score of 'happy' is nan"),
        ([{"emotion": {"happy": -1.0, "sad": 101.0}}], {}, "the score of 'happy' is -1.0"),
        ([{"emotion": {"happy": True, "sad": 99.0}}], {}, "the score of 'happy' is True"),
        (
            [{"emotion": {"happy": 60.0, "sad": 40.0}}, {"emotion": {"happy": 60.0, "fear": 40.0}}],
            {},
            "answer 2: its labels differ",
        ),
        ([pipeline(0)[:5], pipeline(1)[:5]], {}, "ask the pipeline with top_k set to the number of classes"),
        ([pipeline(0)[:5]] * 2, {}, "ask the pipeline with top_k set to the number of classes"),
        ([[{"label": "a", "score": 0.5}, {"label": "a", "score": 0.5}]], {}, "a label occurs twice"),
        ([{"FaceDetails": [{"BoundingBox": {}}]}], {}, "Emotions is missing; ask Rekognition for emotions"),
        ([{"faces": [{"face_token": "a"}]}], {"format": "facepp"}, "attributes.emotion is missing"),
        ([{"a": 1}], {}, "has no format that fairfer knows"),
        ([{"a": 1}], {"format": "deepface"}, "has no answer with scores"),
        ([], {}, "has no answers"),
        (
            [{"emotion": {"happy": 100.0}}],
            {"format": "deepfaces"},
            "--format 'deepfaces' does not exist; did you mean 'deepface'?",
        ),
    ],
)
def test_a_damaged_file_is_one_line(folder, rows, arguments, complaint):
    """The message names the file, the answer and the key."""
    labelled = [{"label": "happy", "result": row} if isinstance(row, list) else {"label": "happy", **row} for row in rows]
    (folder / "a.json").write_text(json.dumps(labelled), encoding="utf-8")
    with pytest.raises(FairferError) as caught:
        fairfer.load_dataset("a.json", truth="label", **arguments)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_that_is_no_json_is_one_line(folder):
    for name, content, complaint in (
        ("a.json", "{", "is not valid JSON"),
        ("b.jsonl", '{"emotion": {}}\n{', "is not valid JSON (line 2"),
        ("c.json", "", "is not valid JSON"),
    ):
        (folder / name).write_text(content, encoding="utf-8")
        with pytest.raises(DataError) as caught:
            fairfer.load_dataset(name, format="deepface")
        assert complaint in str(caught.value)
        assert "\n" not in str(caught.value)
    (folder / "d.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read"):
        fairfer.load_dataset("d.json", format="deepface")
    with pytest.raises(DataError, match="is not a file of answers"):
        read_answers(folder / "e.xml", "deepface")


@pytest.mark.parametrize("name", ["py-feat", "openface", "deepface"])
def test_a_file_of_another_tool_is_refused(folder, name):
    pd.DataFrame({"label": ["happy"], "pred": ["happy"]}).to_csv("t.csv", index=False)
    with pytest.raises(DataError) as caught:
        fairfer.load_dataset("t.csv", format=name)
    assert "t.csv" in str(caught.value)


def test_only_files_have_a_format():
    with pytest.raises(UsageError, match="--format deepface is for files, not for a data frame"):
        fairfer.load_dataset(pd.DataFrame({"label": ["happy"], "pred": ["happy"]}), format="deepface")


def test_a_plain_table_is_not_taken_for_a_tools(folder):
    """A JSON Lines table of flat objects, and a CSV without the columns of a tool."""
    write(folder / "t.jsonl", [{"label": "happy", "pred": "sad"}, {"label": "sad", "pred": "sad"}])
    pd.DataFrame({"label": ["happy", "sad"], "pred": ["happy", "sad"]}).to_csv("t.csv", index=False)
    for name in ("t.jsonl", "t.csv"):
        assert detect(folder / name) is None
        assert "format" not in fairfer.load_dataset(name).card


def test_every_format_says_what_it_is():
    assert set(formats()) == {"deepface", "facepp", "openface", "py-feat", "rekognition", "transformers"}
    assert all(f.description and f.name == name for name, f in formats().items())


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), min_size=1, max_size=6),
    st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8), min_size=6, max_size=6, unique=True),
)
def test_any_answers_are_read_as_written(tmp_path_factory, weights, names):
    """Round trip through DeepFace's layout, with any names."""
    shares = np.array(weights) / np.sum(weights, axis=1, keepdims=True)
    rows = [
        {"image": name, "label": "happy", "emotion": dict(zip(("angry", "happy", "sad"), (share * 100).tolist(), strict=True))}
        for name, share in zip(names, shares, strict=False)
    ]
    path = tmp_path_factory.mktemp("answers") / "a.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    dataset = fairfer.load_dataset(path, truth="label")
    stored = dataset.recorded.frame[["score:anger", "score:happiness", "score:sadness"]].to_numpy(float)
    assert np.allclose(stored, shares, atol=1e-6)


# ---- answers joined with a dataset


@pytest.fixture
def tree(folder, toy):
    """A folder of images with metadata."""
    from PIL import Image

    (folder / "faces" / "sub").mkdir(parents=True)
    rows = []
    for i in range(ROWS):
        Image.new("RGB", (8, 8), (i, i, i)).save(folder / "faces" / "sub" / NAMES[i])
        rows.append({"file_name": f"sub/{NAMES[i]}", "label": TRUTH[i], "sex": GENDER[i]})
    pd.DataFrame(rows).to_csv(folder / "faces" / "metadata.csv", index=False)
    return folder


@pytest.mark.parametrize(
    ("rename", "how"),
    [
        (lambda name: f"sub/{name}", "name"),
        (lambda name: f"/home/me/{name}", "file name"),
        (lambda name: f"C:\\faces\\{name}", "file name"),
        (lambda name: name.replace(".png", ".jpg"), "file name without suffix"),
    ],
)
def test_answers_are_joined_by_the_names_of_images(tree, rename, how):
    """Truth and groups are the dataset's; the order of the answers does not matter; a missing answer is a status."""
    rows = [{"image": rename(NAMES[i]), "result": [deepface(i)]} for i in reversed(range(1, ROWS))]
    write(tree / "answers.json", [*rows, {"image": "another.png", "result": [deepface(0)]}])
    dataset = fairfer.load_dataset("faces", predictions="answers.json")
    check_loader(dataset)
    frame = dataset.recorded.frame
    assert frame["status"].tolist() == ["error", *["ok"] * (ROWS - 1)]
    assert np.allclose(frame["score:fear"].iloc[1:].to_numpy(float), SCORES[1:, 2], atol=1e-6)
    text = f"answers in answers.json, matched by {how}: 59 of 60 images have one; 1 of other images are not used"
    assert text in [s.what for s in dataset.steps]


@pytest.mark.slow
def test_joined_answers_are_audited_in_one_line(tree):
    write(tree / "answers.json", [{"image": NAMES[i], "result": [deepface(i)]} for i in range(ROWS)])
    run("audit faces --predictions answers.json --format deepface --by sex --out out --permutations 200")
    expected = np.mean([canonical(SEVEN[int(s.argmax())]) == canonical(t) for s, t in zip(SCORES, TRUTH, strict=True)])
    assert fairfer.Audit.read("out").rate("accuracy").value == pytest.approx(expected)


def test_a_table_of_predictions_is_joined_too(tree):
    pd.DataFrame({"picture": NAMES, "guess": TRUTH}).to_csv("guesses.csv", index=False)
    dataset = fairfer.load_dataset("faces", predictions="guesses.csv", sample_id="picture", predicted="guess")
    assert (dataset.recorded.frame["predicted"] == dataset.samples["label"]).all()


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (
            ["x.png", "y.png"],
            "no answer belongs to an image of faces: names there are such as x.png, y.png, in the dataset sub/face00",
        ),
        (["a/face01.png", "b/face01.png"], "'face01.png' stands for several answers (matched by file name)"),
        (["face01.png", ""], "row 3: the name of the image is empty"),
    ],
)
def test_names_that_do_not_fit_are_one_line(tree, names, complaint):
    pd.DataFrame({"image": names, "pred": "happy"}).to_csv("p.csv", index=False)
    with pytest.raises(DataError) as caught:
        fairfer.load_dataset("faces", predictions="p.csv")
    assert complaint in str(caught.value)


def test_one_answer_for_several_images_is_refused(tree):
    from PIL import Image

    (tree / "faces" / "other").mkdir()
    Image.new("RGB", (8, 8)).save(tree / "faces" / "other" / NAMES[1])
    table = pd.read_csv("faces/metadata.csv")
    table = pd.concat([table, table.iloc[[1]].assign(file_name=f"other/{NAMES[1]}")])
    table.to_csv("faces/metadata.csv", index=False)
    pd.DataFrame({"image": NAMES, "pred": TRUTH}).to_csv("p.csv", index=False)
    with pytest.raises(DataError, match=r"'face01\.png' stands for several images of the dataset"):
        fairfer.load_dataset("faces", predictions="p.csv")


def test_what_cannot_be_joined_is_one_line(tree):
    write(tree / "nameless.json", [[deepface(0)]])
    with pytest.raises(DataError, match="has no names of images; add them as 'image'"):
        fairfer.load_dataset("faces", predictions="nameless.json")
    pd.DataFrame({"label": TRUTH, "pred": TRUTH}).to_csv("t.csv", index=False)
    with pytest.raises(UsageError, match="has predictions of its own"):
        fairfer.load_dataset("t.csv", predictions="t.csv")
    present = pd.DataFrame({" AU01_c": [1], " success": [1], "image": NAMES[0]})
    present.to_csv("of.csv", index=False)
    with pytest.raises(UsageError, match=r"has action units \(openface\), but the true labels are one label per face"):
        fairfer.load_dataset("faces", predictions="of.csv")
    write(tree / "d.json", [{"image": "a", "truth_happy": 1, "emotion": {"happy": 100.0}}])
    with pytest.raises(UsageError, match=r"has one label per face \(deepface\), but the true labels are several"):
        fairfer.load_dataset("d.json", truth="truth_*")


# ---- codes, bare columns of scores, renamed labels


def table(**columns) -> pd.DataFrame:
    return pd.DataFrame({"label": TRUTH, "sex": GENDER, **columns})


CODES = [SEVEN.index(t) for t in TRUTH]
ORDER = ",".join(SEVEN)


@pytest.mark.parametrize(
    ("columns", "options"),
    [
        ({"pred": CODES}, {"model_labels": ORDER}),
        ({"pred": [f"LABEL_{c}" for c in CODES]}, {"model_labels": ORDER}),
        ({"pred": [c + 1 for c in CODES]}, {"model_labels": ",".join(f"{i}={n}" for i, n in enumerate(SEVEN, 1))}),
        ({"pred": CODES}, {"labels": "fer2013"}),
        ({"label": CODES, "pred": CODES}, {"labels": ORDER}),
        ({"label": [c + 1 for c in CODES], "pred": TRUTH}, {"labels": ",".join(f"{i}={n}" for i, n in enumerate(SEVEN, 1))}),
        ({"pred": [t.upper() for t in TRUTH]}, {}),
        ({"pred": [{"neutral": "CALM"}.get(t, t) for t in TRUTH]}, {"map": {"CALM": "neutral"}}),
        ({"pred": [{"neutral": "serene"}.get(t, t) for t in TRUTH]}, {"map": {"serene": "neutral"}}),
    ],
)
def test_codes_and_renamed_labels_are_the_labels(columns, options):
    dataset = fairfer.load_dataset(table(**columns), predicted="pred", truth="label", **options)
    assert (dataset.recorded.frame["predicted"] == dataset.samples["label"]).all()
    assert set(dataset.samples["label"]) == {canonical(t) for t in SEVEN}


@pytest.mark.parametrize(
    ("columns", "options", "complaint"),
    [
        ({"pred": CODES}, {}, "if they are codes, name the labels in the order of the codes with --model-labels"),
        ({"pred": [f"LABEL_{c}" for c in CODES]}, {}, "if they are codes, name the labels in the order of the codes"),
        ({"pred": [c + 1 for c in CODES]}, {"model_labels": ORDER}, "code 7 is not one of the codes 0 to 6"),
        ({"pred": CODES}, {"model_labels": "0=happy,sad"}, "write CODE=LABEL for every label"),
        ({"pred": CODES}, {"model_labels": "0=happy,0=sad"}, "a code occurs twice"),
        ({"pred": TRUTH}, {"map": {"CALM": "neutral"}}, "--map CALM=neutral: no prediction has this label"),
        ({"pred": ["serene"] * ROWS}, {}, "spell them alike, or rename them with --map"),
    ],
)
def test_codes_are_never_guessed(columns, options, complaint):
    """Words against codes would be an accuracy of 0."""
    with pytest.raises(FairferError) as caught:
        fairfer.load_dataset(table(**columns), predicted="pred", **options)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


BARE = {name: SCORES[:, i] for i, name in enumerate(SEVEN)}


@pytest.mark.parametrize(
    ("columns", "options"),
    [
        (BARE, {}),
        (BARE, {"scores": ORDER}),
        ({f"LABEL_{i}": SCORES[:, i] for i in range(7)}, {"scores": "LABEL_*", "model_labels": ORDER}),
        ({**BARE, "status": "ok"}, {}),
    ],
)
def test_bare_columns_of_scores_are_found(columns, options):
    """Columns that are named like all labels and hold numbers; or those that are listed."""
    dataset = fairfer.load_dataset(table(**columns), truth="label", **options)
    assert dataset.recorded.frame["predicted"].tolist() == [canonical(SEVEN[i]) for i in SCORES.argmax(axis=1)]
    assert [a.name for a in dataset.attributes] == ["sex"]
    assert "highest of" in dataset.card["predicted"]


@pytest.mark.parametrize(
    ("columns", "options", "complaint"),
    [
        ({k: v for k, v in BARE.items() if k != "fear"}, {}, "no scores; name them with --predicted or --scores"),
        ({**BARE, "happy": ["a"] * ROWS}, {}, "no scores; name them with --predicted or --scores"),
        (BARE, {"scores": ""}, "--scores is empty"),
        (BARE, {"scores": "happy,sadd"}, "has no column 'sadd'"),
        (BARE, {"scores": "happy,happy"}, "names a column twice"),
        ({**BARE, "joy": SCORES[:, 0]}, {}, "no scores; name them with --predicted or --scores"),
        (BARE, {"map": {"fear": "anger"}}, "two columns of data frame get the label"),
    ],
)
def test_columns_of_scores_are_never_guessed(columns, options, complaint):
    """A missing label, text, or two columns of one emotion: the user has to say what is meant."""
    with pytest.raises(FairferError) as caught:
        fairfer.load_dataset(table(**columns), truth="label", **options)
    assert complaint in str(caught.value)


def test_a_predicted_label_precedes_bare_scores():
    """A table that names its predictions has attributes that happen to be named like emotions."""
    dataset = fairfer.load_dataset(table(pred=TRUTH, **BARE), truth="label")
    assert (dataset.recorded.frame["predicted"] == dataset.samples["label"]).all()


@pytest.mark.slow
def test_the_options_work_on_the_command_line(folder):
    table(**BARE).rename(columns={"neutral": "CALM"}).to_csv("bare.csv", index=False)
    run("audit bare.csv --truth label --by sex --map CALM=neutral --out out --permutations 200")
    table(pred=CODES).to_csv("codes.csv", index=False)
    run(f"audit codes.csv --predicted pred --model-labels {ORDER} --by sex --out out2 --permutations 200")
    assert fairfer.Audit.read("out2").rate("accuracy").value == 1
    for option in ("--map CALM", "--map =neutral", "--map CALM="):
        result = CliRunner().invoke(app, shlex.split(f"audit bare.csv {option}"))
        assert "write LABEL=LABEL" in str(result.exception)


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        (["LABEL_1", "LABEL_0", "LABEL_2"], "1=happy,0=sad,2=fear"),
        (["LABEL_1", "LABEL_2", "LABEL_3"], "1=happy,2=sad,3=fear"),
        ([3, 1, 2], "1=sad,2=fear,3=happy"),
    ],
)
@pytest.mark.parametrize("side", ["predicted", "label"])
def test_stated_codes_are_not_positions(values, codes, side):
    """``LABEL_1`` is the label with code 1, wherever it stands in the list."""
    frame = pd.DataFrame({"label": ["happy", "sad", "fear"], "predicted": ["happy", "sad", "fear"]}).assign(**{side: values})
    dataset = fairfer.load_dataset(frame, **{"labels" if side == "label" else "model_labels": codes})
    assert dataset.samples["label"].tolist() == ["happiness", "sadness", "fear"]
    assert dataset.recorded.frame["predicted"].tolist() == ["happiness", "sadness", "fear"]


def test_columns_of_scores_have_the_stated_codes():
    scores = {"LABEL_0": [0.1, 0.8], "LABEL_1": [0.9, 0.2]}
    frame = pd.DataFrame({"label": ["happy", "sad"], **scores})
    dataset = fairfer.load_dataset(frame, scores="LABEL_*", model_labels="1=happy,0=sad")
    assert dataset.recorded.frame["predicted"].tolist() == ["happiness", "sadness"]
    frame = frame.rename(columns={"LABEL_0": "LABEL_2"})
    with pytest.raises(UsageError, match="has columns of scores only for"):
        fairfer.load_dataset(frame, scores="LABEL_*", model_labels="1=happy,0=sad")


@pytest.mark.parametrize(
    ("columns", "options", "complaint"),
    [
        (
            {"pred": [0, 1, 2]},
            {"model_labels": "1=happy,2=sad,3=fear"},
            "code 0 is not one of the codes of labels in data frame",
        ),
        ({"pred": ["happy"] * 3, "label": [0, 1, 2]}, {}, "if the true labels are codes, name the labels in the order"),
        ({"pred": ["happy", "CONFUSED", "sad"]}, {}, "list all labels with --model-labels"),
    ],
)
def test_the_advice_is_the_option_that_helps(columns, options, complaint):
    frame = pd.DataFrame({"label": ["happy", "sad", "fear"], **columns})
    with pytest.raises(FairferError) as caught:
        fairfer.load_dataset(frame, predicted="pred", **options)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_order_of_codes_may_be_a_named_space():
    dataset = fairfer.load_dataset(table(pred=CODES), predicted="pred", truth="label", model_labels="fer2013")
    assert (dataset.recorded.frame["predicted"] == dataset.samples["label"]).all()
    numbered = {f"LABEL_{i}": SCORES[:, i] for i in range(7)}
    dataset = fairfer.load_dataset(table(**numbered), truth="label", scores="LABEL_*", model_labels="deepface")
    assert dataset.recorded.frame["predicted"].tolist() == [canonical(SEVEN[i]) for i in SCORES.argmax(axis=1)]


def test_an_empty_list_beside_the_answer_is_no_missing_face(folder):
    """DeepFace's answer for an image without a face is an empty list; so are other values."""
    rows = [{"image": NAMES[i], "label": TRUTH[i], "tags": [], "result": [deepface(i)] if i else []} for i in range(ROWS)]
    write(folder / "a.json", rows)
    status = fairfer.load_dataset("a.json").recorded.frame["status"]
    assert status.tolist() == ["no_face", *["ok"] * (ROWS - 1)]


@pytest.mark.parametrize("answer", [pipeline, lambda i: [deepface(i)], rekognition], ids=["transformers", "deepface", "aws"])
def test_answers_of_two_models_are_refused(folder, answer):
    write(folder / "a.json", [{"image": NAMES[i], "label": TRUTH[i], "old": answer(i), "new": answer(i)} for i in range(ROWS)])
    with pytest.raises(DataError, match=r"answer 1: 'old' and 'new' are both answers; keep one") as caught:
        fairfer.load_dataset("a.json")
    assert "\n" not in str(caught.value)


def test_the_first_answers_may_be_empty(tree):
    lines = [{"image": NAMES[i], "result": [deepface(i)] if i > 2 else None} for i in range(ROWS)]
    (tree / "a.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    status = fairfer.load_dataset("faces", predictions="a.jsonl").recorded.frame["status"]
    assert (status == "error").sum() == 3


@pytest.mark.parametrize("answer", [pipeline, lambda i: [deepface(i)], deepface, rekognition, facepp])
def test_answers_by_the_names_of_images(tree, answer):
    """One object, as ``json.dump({path: DeepFace.analyze(path) for path in paths})`` writes it."""
    write(tree / "a.json", {NAMES[i]: answer(i) for i in range(ROWS)})
    recorded = fairfer.load_dataset("faces", predictions="a.json").recorded.frame
    assert (recorded["status"] == "ok").all()
    assert recorded["predicted"].tolist() == [canonical(SEVEN[i]) for i in SCORES[: len(recorded)].argmax(axis=1)]


def test_answers_are_joined_with_a_table_of_true_labels(folder):
    """No images are needed: the table has their names, the true labels and the attributes."""
    truth = pd.DataFrame({"image": NAMES, "label": TRUTH, "sex": GENDER})
    truth.sample(frac=1, random_state=2).to_csv("labels.csv", index=False)
    write(folder / "d.json", [{"img_path": f"faces/{NAMES[i]}", "result": [deepface(i)]} for i in range(1, ROWS)])
    for source in ("labels.csv", truth):
        dataset = fairfer.load_dataset(source, predictions="d.json")
        recorded = dataset.recorded.frame
        assert [a.name for a in dataset.attributes] == ["sex"]
        for i, name in enumerate(NAMES):
            assert dataset.samples.loc[name, "label"] == canonical(TRUTH[i])
            expected = canonical(SEVEN[SCORES[i].argmax()]) if i else None
            assert recorded.loc[name, "predicted"] == expected or (not i and recorded.loc[name, "status"] == "error")
    truth.assign(pred=TRUTH).to_csv("both.csv", index=False)
    with pytest.raises(UsageError, match="the table has predictions of its own; leave --predictions out"):
        fairfer.load_dataset("both.csv", predictions="d.json")
    with pytest.raises(UsageError, match="--split is not an option of a table dataset"):
        fairfer.load_dataset("labels.csv", predictions="d.json", split="test")


@pytest.mark.parametrize(
    "kept", [("dominant_gender", "age"), ("gender", "age"), ("race", "age"), ("region", "age", "dominant_race")]
)
def test_what_deepface_inferred_is_no_attribute(folder, kept):
    """Also where only a part of DeepFace's object was kept; the report names what was left out."""
    rows = [{**person(i), **{k: deepface(i)[k] for k in ("emotion", *kept)}} for i in range(ROWS)]
    write(folder / "a.json", rows)
    dataset = fairfer.load_dataset("a.json", truth="label")
    assert [a.name for a in dataset.attributes] == ["sex"]
    assert "age" not in dataset.samples
    assert any("because DeepFace infers them: age" in step.what for step in dataset.steps)


@pytest.mark.parametrize(
    ("answered", "own", "refused"),
    [
        ("/data/affectnet/train_set/images/{}", "val_set/images/{}", True),
        ("train\\{}", "test/happy/{}", True),
        ("/test/affectnet/val_set/images/{}", "Validation/{}", False),
        ("/home/me/crops/{}", "test/{}", False),
        ("train/{}", "{}", False),
    ],
)
def test_answers_for_another_split_are_refused(folder, answered, own, refused):
    """``train_set/images/0.jpg`` and ``val_set/images/0.jpg`` are two images with one file name."""
    truth = pd.DataFrame({"image": [own.format(n) for n in NAMES], "label": TRUTH})
    pd.DataFrame({"image": [answered.format(n) for n in NAMES], "predicted": TRUTH}).to_csv("a.csv", index=False)
    if not refused:
        assert (fairfer.load_dataset(truth, predictions="a.csv").recorded.frame["status"] == "ok").all()
        return
    with pytest.raises(DataError, match="is of another split than") as caught:
        fairfer.load_dataset(truth, predictions="a.csv")
    assert "\n" not in str(caught.value)
