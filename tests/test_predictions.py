"""Inference: every image has a row, no image is asked about twice, and no outdated answer is used."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fairfer import audit
from fairfer.datasets.attributes import Attribute
from fairfer.datasets.dataset import Dataset, RecordedPredictions
from fairfer.datasets.images import FileImages
from fairfer.datasets.loading import load_dataset
from fairfer.errors import DataError, FairferError, ModelError, RunError, UsageError
from fairfer.labels import FERPLUS, LabelSpace
from fairfer.models.registry import load_model
from fairfer.predictions import run_folder
from fairfer.predictions.inference import predict
from fairfer.predictions.predictions import Predictions
from fairfer.predictions.run_folder import PART_SIZE, RunInfo
from fairfer.testing import FakeModel

LABELS = FERPLUS.labels


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of four samples, so that a handful of pictures makes several."""
    monkeypatch.setattr(run_folder, "PART_SIZE", 4)


def files(run: Path) -> dict[str, bytes]:
    """Every file of a run folder, hidden ones too, by its path."""
    return {p.relative_to(run).as_posix(): p.read_bytes() for p in sorted(run.rglob("*")) if p.is_file()}


def test_every_image_has_one_row_in_order(toy):
    """The predicted label has the highest score; scores are stored as float32 per label, by name."""
    data = toy(["anger", "fear", "neutral"], said=[4, 5, 0])
    predictions = predict(data, FakeModel())
    assert list(predictions.frame.index) == list(data.samples.index)
    assert list(predictions.frame["predicted"]) == ["anger", "disgust", "neutral"]
    assert list(predictions.frame["status"]) == ["ok"] * 3
    assert [c for c in predictions.frame if c.startswith("score:")] == [f"score:{n}" for n in LABELS]
    assert predictions.scores().dtype == np.float32
    assert np.allclose(predictions.scores().sum(axis=1), 1)
    asked = FakeModel().predict([data.image(i) for i in data.samples.index])
    assert np.array_equal(predictions.scores(), np.array([a.scores for a in asked], np.float32))


def test_a_tie_goes_to_the_models_first_label(toy):
    """The rule is fixed, so that the same scores always give the same label."""

    class Undecided(FakeModel):
        def _answer(self, image):
            return type(super()._answer(image))("ok", np.ones(8))

    assert list(predict(toy(["fear"]), Undecided()).frame["predicted"]) == ["neutral"]


def test_a_missing_answer_is_a_row_with_a_status(toy):
    """No face, a failure, scores that are NaN or too large: each has a row, without a predicted label or scores."""

    class Large(FakeModel):
        def _answer(self, image):
            answer = super()._answer(image)
            return answer if int(image[0, 0, 0]) else type(answer)("ok", np.full(8, 1e300))

    data = toy(["anger"] * 5, said=[4, 250, 251, 252, 0])
    predictions = predict(data, Large(no_face=[250], error=[251], nan=[252]))
    assert list(predictions.frame["status"]) == ["ok", "no_face", "error", "error", "error"]
    assert list(predictions.frame["predicted"].isna()) == [False, True, True, True, True]
    assert np.isnan(predictions.scores()[1:]).all()
    assert predictions.frame["detail"].iloc[1] == "the fake model sees no face"
    assert "not finite" in predictions.frame["detail"].iloc[3]
    assert "not finite" in predictions.frame["detail"].iloc[4]


def test_a_status_without_a_detail_is_its_own_detail(toy):
    """The detail is never empty where there is no answer."""

    class Terse(FakeModel):
        def _answer(self, image):
            answer = super()._answer(image)
            return answer if answer.status == "ok" else type(answer)(answer.status)

    predictions = predict(toy(["anger"] * 2, said=[4, 250]), Terse(no_face=[250]))
    assert list(predictions.frame["detail"]) == ["", "no_face"]


@pytest.fixture
def folder_data(tmp_path, write_pictures):
    """Six image files of which one is truncated, one empty, one missing and one not an image."""
    names = [f"{i}.png" for i in range(6)]
    write_pictures(tmp_path / "faces", names, [4] * 6)
    (tmp_path / "faces" / "1.png").write_bytes((tmp_path / "faces" / "1.png").read_bytes()[:50])
    (tmp_path / "faces" / "2.png").write_bytes(b"")
    (tmp_path / "faces" / "3.png").unlink()
    (tmp_path / "faces" / "4.png").write_text("no image")
    samples = pd.DataFrame({"label": "anger"}, index=pd.Index(names, name="sample_id"), dtype="str")
    return Dataset("faces", FERPLUS, samples, images=FileImages(tmp_path / "faces", {n: n for n in names}))


def test_an_unreadable_image_is_a_row_and_does_not_end_the_run(folder_data, tmp_path):
    """Truncated, empty, missing or not an image: unreadable, with the file's name and the reason; the others are answered."""
    predictions = predict(folder_data, FakeModel(), tmp_path / "run")
    assert list(predictions.frame["status"]) == ["ok", "unreadable", "unreadable", "unreadable", "unreadable", "ok"]
    for i, why in ((1, "cannot be decoded"), (2, "is empty"), (3, "is missing"), (4, "cannot be decoded")):
        assert f"{i}.png {why}" in predictions.frame["detail"].iloc[i]
    assert predictions.frame["image"].iloc[3] == ""
    assert list(predictions.frame["image"]) == list(folder_data.image_digests)
    model = FakeModel()
    again = predict(folder_data, model, tmp_path / "run")
    assert model.calls == []
    assert again.digest == predictions.digest


def test_the_detail_of_an_unreadable_image_is_reproducible(folder_data, tmp_path):
    """It is stored, so it has no memory address and no folder of this machine."""
    details = predict(folder_data, FakeModel()).frame["detail"]
    assert not details.str.contains("0x|object at", regex=True).any()
    assert not details.str.contains(str(tmp_path), regex=False).any()


def test_answers_stay_with_their_images(folder_data):
    """Whatever lies between them and however they are batched."""
    alone = predict(folder_data, FakeModel(batch_size=1))
    together = predict(folder_data, FakeModel(batch_size=100))
    assert alone.digest == together.digest


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("fewer", "returned 2 answers for 3 images; predict must return one for each"),
        ("more", "returned 4 answers for 3 images; predict must return one for each"),
        ("short", r"returned scores of shape \(7,\), but it has 8 labels \(neutral, .*contempt\); return one score for each"),
        ("unscored", r"returned scores of shape \(0,\)"),
        ("flat", "returned a ndarray; predict must return a list of fairfer.Prediction"),
        ("type", "returned a list with a dict at position 2; predict must return a list of fairfer.Prediction"),
        ("status", "returned the status 'fine'; use one of ok, no_face, refused, unreadable, error"),
        ("text", "returned scores that are not numbers"),
    ],
)
def test_a_model_that_breaks_its_contract_ends_the_run_with_one_line(toy, tmp_path, fault, complaint):
    """Nothing of that part is stored."""
    with pytest.raises(ModelError, match=f"model fake {complaint}") as caught:
        predict(toy(["anger"] * 3), FakeModel(fault=fault), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert list(files(tmp_path / "run")) == ["run.json", "unfinished"]


@pytest.mark.usefixtures("small_parts")
def test_a_model_that_raises_keeps_its_traceback_and_the_finished_parts(toy, tmp_path):
    """A bug is not bad input; the finished parts are not computed again."""
    data = toy(["anger"] * 10)
    with pytest.raises(RuntimeError, match="fails on purpose"):
        predict(data, FakeModel(fault="raise", after=8, batch_size=4), tmp_path / "run")
    model = FakeModel()
    predict(data, model, tmp_path / "run")
    assert model.calls == [2]


def test_a_model_without_any_answer_is_an_error(toy):
    """The message has the first reason."""
    with pytest.raises(ModelError, match=r"has no answer for any of 2 images \(the first: the fake model sees no face\)"):
        predict(toy(["anger"] * 2, said=[250, 250]), FakeModel(no_face=[250]))


def test_a_data_set_without_any_readable_image_is_an_error(folder_data):
    """The message has the reason of the first."""
    only_bad = folder_data.replace(samples=folder_data.samples.iloc[1:5])
    with pytest.raises(ModelError, match=r"any of 4 images \(the first: .*1\.png cannot be decoded"):
        predict(only_bad, FakeModel())


# --- resuming -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_parts")
def test_a_finished_run_does_not_call_the_model(toy, tmp_path):
    """The second time, answers are read; memory and disk agree."""
    data, model = toy([*LABELS, "anger"]), FakeModel()
    first = predict(data, model, tmp_path / "run")
    asked = list(model.calls)
    second = predict(data, model, tmp_path / "run")
    assert model.calls == asked == [4, 4, 1]
    assert first.digest == second.digest == Predictions.read(tmp_path / "run").digest == predict(data, FakeModel()).digest


@pytest.mark.usefixtures("small_parts")
def test_only_missing_damaged_and_foreign_parts_are_made_again(toy, tmp_path):
    """A part is used only when it is complete, of this run, and of these samples."""
    data = toy(["anger"] * 20)
    run = tmp_path / "run"
    predict(data, FakeModel(), run)
    whole = files(run)
    parts = sorted((run / "predictions").iterdir())
    predict(toy(["fear"] * 20), FakeModel(), tmp_path / "other")
    parts[0].unlink()
    parts[1].write_bytes(parts[1].read_bytes()[:-20])
    parts[2].write_bytes((tmp_path / "other" / "predictions" / parts[2].name).read_bytes())
    parts[3].write_bytes(parts[4].read_bytes())  # of this run, but about other samples
    model = FakeModel()
    predict(data, model, run)
    assert model.calls == [4, 4, 4, 4]
    assert files(run) == whole


@pytest.mark.usefixtures("small_parts")
def test_images_read_ahead_for_a_stored_part_are_not_used_for_another(toy, tmp_path):
    """While one part is answered, the images of the next are read; that part may turn out to be stored."""
    labels = [LABELS[i % len(LABELS)] for i in range(20)]
    run = tmp_path / "run"
    predict(toy(labels), FakeModel(), run)
    whole = files(run)
    parts = sorted((run / "predictions").iterdir())
    for index in (0, 2, 4):
        parts[index].unlink()
    model = FakeModel()
    predict(toy(labels), model, run)
    assert model.calls == [4, 4, 4]
    assert files(run) == whole


def test_a_flipped_bit_never_changes_an_answer(toy, tmp_path):
    """Either the part reads as it was written, or it is refused."""
    data = toy(list(LABELS) * 4)
    run = tmp_path / "run"
    predictions = predict(data, FakeModel(), run)
    part = run / "predictions" / "part-00000.parquet"
    raw = part.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(raw), 150):
        damaged = bytearray(raw)
        damaged[place] ^= 4
        part.write_bytes(bytes(damaged))
        try:
            assert Predictions.read(run).digest == predictions.digest
        except RunError as error:
            assert "part-00000.parquet is damaged" in str(error)  # noqa: PT017 - either outcome is right


SLOW_RUN = """
import sys
from pathlib import Path
from fairfer.predictions import run_folder
from fairfer.predictions.inference import predict
from fairfer.datasets.loading import load_dataset
from fairfer.testing import FakeModel
run_folder.PART_SIZE = 4
predict(load_dataset(sys.argv[1]), FakeModel(delay=0.02), Path(sys.argv[2]))
"""


@pytest.mark.usefixtures("small_parts")
def test_a_killed_run_is_resumed_with_at_most_one_part_repeated(tmp_path, write_pictures):
    """After SIGKILL every part on disk is kept, and the files end in the bytes of an uninterrupted run."""
    faces = tmp_path / "faces"
    write_pictures(faces, [f"anger/{i:02}.png" for i in range(40)])
    run = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", SLOW_RUN, str(faces), str(run)])
    deadline = time.monotonic() + 60
    while len(list(run.glob("predictions/part-*.parquet"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = len(list(run.glob("predictions/part-*.parquet")))
    assert 3 <= done < 10
    (run / "predictions" / ".part-00003-abc.parquet").write_bytes(b"half")  # what a kill within a write leaves
    data = load_dataset(faces)
    model = FakeModel(delay=0)
    predict(data, model, run)
    assert model.calls == [4] * (10 - done)
    predict(data, FakeModel(), tmp_path / "whole")
    assert files(run) == files(tmp_path / "whole")


def test_the_part_size_is_part_of_the_format():
    """Another size gives other bytes; it changes only with the format."""
    assert PART_SIZE == 512
    assert run_folder.FORMAT == 2


@pytest.mark.usefixtures("small_parts")
def test_progress_is_reported_per_part(toy):
    """Any function that wraps an iterable can show the progress."""
    seen = []

    def bar(parts):
        for part in parts:
            seen.append(part)
            yield part

    predict(toy(["anger"] * 9), FakeModel(), progress=bar)
    assert seen == [0, 1, 2]


# --- identity --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ({"version": "2"}, "version"),
        ({"name": "other"}, "model"),
        ({"options": {"backend": "onnx"}}, "option backend"),
        ({"task": "multi-label"}, "task"),
        ({"labels": FERPLUS.labels[::-1]}, "label space|labels"),
        ({"labels": LabelSpace("FER+ 8", FERPLUS.labels[::-1])}, "labels"),
        ({"labels": LabelSpace("FER+ 8", FERPLUS.labels, ("calm", *FERPLUS.labels[1:]))}, "spellings"),
    ],
)
def test_answers_of_another_model_are_refused_and_named(toy, tmp_path, model, field):
    """Model, version, options, labels and task are the run's identity; the message names the field that differs."""
    data, run = toy(["anger"] * 3), tmp_path / "run"
    predict(data, FakeModel(), run)
    before = files(run)
    with pytest.raises(RunError, match=f"another ({field}) .*choose another --out, or discard them with --overwrite"):
        predict(data, FakeModel(**model), run)
    assert files(run) == before
    predict(data, FakeModel(**model), run, overwrite=True)
    assert Predictions.read(run).info == RunInfo.read(run)


@pytest.mark.parametrize("first", ["", "# edited\n"])
def test_answers_of_code_that_has_changed_since_are_refused(toy, tmp_path, monkeypatch, first):
    """A user's own model often keeps its name and version while its code changes."""
    source = "from fairfer.testing import FakeModel\nclass Own(FakeModel):\n    pass\n"
    (tmp_path / "own_code.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "own_code", raising=False)
    model = load_model("own_code:Own")
    predict(toy(["anger"]), model, tmp_path / "run")
    (tmp_path / "own_code.py").write_text(first + source)
    if first:
        with pytest.raises(RunError, match="another option code"):
            predict(toy(["anger"]), model, tmp_path / "run")
    else:
        predict(toy(["anger"]), model, tmp_path / "run")
    (tmp_path / "own_code.py").unlink()
    assert "code" not in predict(toy(["anger"]), model).options


def test_a_model_may_name_the_files_that_its_answers_depend_on(toy, tmp_path):
    """A change of any of them makes its answers those of another model."""
    model = FakeModel()
    model.files = [tmp_path / "a.py", tmp_path / "b.py"]
    for file in model.files:
        file.write_text("x = 1\n")
    first = predict(toy(["anger"]), model, tmp_path / "run").options["code"]
    assert first != predict(toy(["anger"]), FakeModel()).options["code"]
    assert predict(toy(["anger"]), model, tmp_path / "run").options["code"] == first
    model.files[1].write_text("x = 2\n")
    with pytest.raises(RunError, match="another option code"):
        predict(toy(["anger"]), model, tmp_path / "run")


@pytest.mark.parametrize("how", ["another image", "another id", "another order", "fewer"])
def test_answers_for_other_images_are_refused(toy, tmp_path, how):
    """Images are identified by content and id."""
    data, run = toy(["anger"] * 3), tmp_path / "run"
    predict(data, FakeModel(), run)
    other = {
        "another image": lambda: toy(["anger"] * 3, said=[4, 4, 3]),
        "another id": lambda: toy(["anger"] * 3, ids=["a", "b", "c"]),
        "another order": lambda: data.replace(samples=data.samples[::-1]),
        "fewer": lambda: data.replace(samples=data.samples[:2]),
    }[how]()
    with pytest.raises(RunError, match="another images digest"):
        predict(other, FakeModel(), run)


def test_truth_and_groups_are_not_part_of_predictions(toy, tmp_path):
    """A corrected annotation needs no new inference: the second audit does not call the model."""
    data, run = toy(["anger", "fear", "anger", "fear"], {"gender": ["f", "f", "m", "m"]}), tmp_path / "run"
    first = audit(data, predict(data, FakeModel(), run), minimum=1, permutations=100)
    corrected = data.replace(
        samples=data.samples.assign(label=["anger", "anger", "anger", "fear"], gender=["f", "m", "m", "m"]),
        attributes=(Attribute("gender", ("f", "m"), "self-reported", "the people"),),
    )
    model = FakeModel(fault="raise")
    second = audit(corrected, predict(corrected, model, run), minimum=1, permutations=100)
    assert model.calls == []
    assert first.rate("accuracy").value == 1
    assert second.rate("accuracy").value == 0.75
    assert first.model == second.model
    assert first.data.digest != second.data.digest


def test_a_run_of_another_image_cannot_be_audited(toy):
    """The message names the image that has changed."""
    data = toy(["anger"] * 3)
    predictions = predict(data, FakeModel())
    with pytest.raises(RunError, match=r"image face0001\.png has changed since fake was run; predict again"):
        audit(toy(["anger"] * 3, said=[4, 3, 4]), predictions)
    with pytest.raises(RunError, match=r"lack 1 of 3 samples of toy \(the first is b\); predict again"):
        audit(toy(["anger"] * 3, ids=["face0000.png", "b", "face0002.png"]), predictions)


def test_rows_in_another_order_are_the_same_answers(toy):
    """An audit joins by id, so the order of the dataset changes no number."""
    data = toy(["anger", "fear", "neutral"], {"g": ["x", "y", "x"]}, said=[4, 5, 0])
    predictions = predict(data, FakeModel())
    one = audit(data, predictions, minimum=1, permutations=100)
    other = audit(data.replace(samples=data.samples[::-1]), predictions, minimum=1, permutations=100)
    assert one.rates == other.rates
    assert one.counts == other.counts


# --- reading back ----------------------------------------------------------------------------------------------------


def spoil(run: Path, **changes) -> None:
    """Change fields of run.json; ``None`` removes one."""
    about = {**json.loads((run / "run.json").read_text()), **changes}
    (run / "run.json").write_text(json.dumps({k: v for k, v in about.items() if v is not None}))


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda run: (run / "run.json").unlink(), "is not a run folder: it has no run.json"),
        (lambda run: (run / "run.json").write_text("{"), "run.json cannot be read"),
        (lambda run: (run / "run.json").write_bytes(bytes(range(256))), "run.json cannot be read"),
        (lambda run: (run / "run.json").write_text("[1]"), "has format None, but this fairfer reads format 2"),
        (lambda run: spoil(run, format=1), "has format 1, but this fairfer reads format 2; predict again"),
        (lambda run: spoil(run, labels=None), "run.json: labels: field required; delete the folder and predict again"),
        (lambda run: spoil(run, samples="3"), "run.json: samples: input should be a valid integer"),
        (lambda run: spoil(run, task="regression"), "run.json: task: input should be 'single-label' or 'multi-label'"),
        (lambda run: spoil(run, truth="label"), "run.json: truth: extra inputs are not permitted"),
        (lambda run: spoil(run, version="edited"), "is damaged or belongs to another run"),
        (lambda run: next((run / "predictions").iterdir()).unlink(), "unfinished: 1 of 1 parts are missing"),
        (lambda run: next((run / "predictions").iterdir()).write_bytes(b"x"), "is damaged or belongs to another run"),
    ],
)
def test_a_damaged_run_is_refused(toy, tmp_path, damage, complaint):
    """Missing, damaged, edited or of another format: what is wrong, where, and how to fix it."""
    run = tmp_path / "run"
    predict(toy(["anger"] * 3), FakeModel(), run)
    damage(run)
    with pytest.raises(RunError, match=complaint) as caught:
        Predictions.read(run)
    assert str(run) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["{", '{"format": 9}'])
def test_a_damaged_run_is_overwritten_only_on_request(toy, tmp_path, content):
    """It may be of value to its owner."""
    run, data = tmp_path / "run", toy(["anger"] * 3)
    predict(data, FakeModel(), run)
    (run / "run.json").write_text(content)
    with pytest.raises(RunError, match=r"\(or discard it with --overwrite\)"):
        predict(data, FakeModel(), run)
    predict(data, FakeModel(), run, overwrite=True)
    assert len(Predictions.read(run).frame) == 3


@pytest.mark.parametrize("content", [None, "{", '{"format": 9}'])
@pytest.mark.parametrize("leftover", [None, "predictions/.part-00000.parquet"])
def test_a_folder_without_answers_blocks_nothing(toy, tmp_path, content, leftover):
    """A model that failed on the first image leaves run.json; another model, or another option, may be tried at once."""
    run, data = tmp_path / "run", toy(["anger"] * 3)
    with pytest.raises(RuntimeError):
        predict(data, FakeModel(name="failing", fault="raise"), run)
    assert (run / "run.json").is_file()
    if content is not None:
        (run / "run.json").write_text(content)
    if leftover is not None:
        (run / leftover).parent.mkdir(exist_ok=True)
        (run / leftover).touch()
    predict(data, FakeModel(name="another"), run)
    assert Predictions.read(run).model == "another"


@pytest.mark.usefixtures("small_parts")
def test_overwriting_leaves_nothing_of_the_other_run(toy, tmp_path):
    """A longer run's later parts are gone too."""
    run = tmp_path / "run"
    predict(toy(["anger"] * 20), FakeModel(), run)
    predict(toy(["anger"] * 3), FakeModel(), run, overwrite=True)
    assert list(files(run)) == ["predictions/part-00000.parquet", "run.json"]


def test_a_folder_that_cannot_be_written_is_reported_before_inference(toy, tmp_path):
    """The model is not called."""
    (tmp_path / "file").write_text("in the way")
    model = FakeModel()
    with pytest.raises(UsageError, match="cannot be written"):
        predict(toy(["anger"]), model, tmp_path / "file" / "run")
    assert model.calls == []


def test_a_runs_identity_has_no_time_and_no_path(toy, tmp_path):
    """The same run in another folder has the same bytes."""
    for place in ("a", "b"):
        predict(toy(["anger", "fear"]), FakeModel(options={"z": "1", "a": "2"}), tmp_path / place)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    info = RunInfo.read(tmp_path / "a")
    assert list(info.options) == ["a", "code", "z"]
    assert info.labels == list(LABELS)


# --- multi-label -----------------------------------------------------------------------------------------------------

UNITS = ("AU1", "AU4", "AU12")


@pytest.fixture
def unit_images(toy):
    """Five images whose gray levels are the bits of the action units that a multi-label `FakeModel` reads."""
    return toy(["anger"] * 5, said=[0b000, 0b101, 0b111, 250, 0b010])


@pytest.mark.usefixtures("small_parts")
def test_a_multi_label_model_stores_scores_and_no_decisions(unit_images, tmp_path):
    """Thresholds belong to the audit; the part files have no column ``predicted``."""
    model = FakeModel(UNITS, task="multi-label", no_face=[250])
    predictions = predict(unit_images, model, tmp_path / "run")
    assert predictions.task == "multi-label"
    assert list(predictions.frame.columns) == ["image", "status", "detail", *(f"score:{u}" for u in UNITS)]
    assert predictions.scores().dtype == np.float32
    answered = predictions.scores()[[0, 1, 2, 4]] > 0.5
    assert answered.tolist() == [[False] * 3, [True, False, True], [True] * 3, [False, True, False]]
    assert predictions.frame["status"].iloc[3] == "no_face"
    assert np.isnan(predictions.scores()[3]).all()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["task"] == "multi-label"
    again = FakeModel(UNITS, task="multi-label", no_face=[250])
    assert predict(unit_images, again, tmp_path / "run").digest == predictions.digest
    assert again.calls == []
    assert Predictions.read(tmp_path / "run").digest == predictions.digest


def test_a_model_with_an_unknown_task_is_refused(toy):
    """Before any image is read."""
    model = FakeModel(task="regression")
    with pytest.raises(ModelError, match="task 'regression'; its task must be one of single-label, multi-label"):
        predict(toy(["anger"]), model)
    assert model.calls == []


def multi_label_table(toy, decisions, scores) -> Dataset:
    """A dataset with recorded multi-label predictions: decisions and scores of (n, labels), None where missing."""
    data = toy(["anger"] * len(decisions))
    status = ["error" if row is None else "ok" for row in decisions]
    frame = pd.DataFrame(
        {"status": status, "detail": ["" if s == "ok" else "no answer" for s in status]}, index=data.samples.index
    )
    for i, unit in enumerate(UNITS):
        frame[f"predicted:{unit}"] = pd.array([None if row is None else row[i] for row in decisions], "Int8")
    for i, unit in enumerate(UNITS if scores else ()):
        frame[f"score:{unit}"] = np.array([np.nan if row is None else row[i] / 2 for row in decisions], np.float32)
    recorded = RecordedPredictions("table", LabelSpace("AUs", UNITS), frame, "1", task="multi-label")
    return data.replace(images=None, recorded=recorded)


@given(
    decisions=st.lists(st.none() | st.tuples(*[st.sampled_from([0, 1])] * len(UNITS)), min_size=1, max_size=9).filter(any),
    scores=st.booleans(),
)
def test_recorded_multi_label_decisions_are_stored_exactly(toy, decisions, scores, tmp_path_factory):
    """Whatever is missing, and wherever parts begin: what is read is what was recorded, type and all."""
    folder = tmp_path_factory.mktemp("multi") / "run"
    data = multi_label_table(toy, decisions, scores)
    recorded = Predictions.from_recorded(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_folder, "PART_SIZE", 4)
        stored = predict(data, None, folder)
        again = Predictions.read(folder)
    assert recorded.task == stored.task == again.task == "multi-label"
    assert recorded.digest == stored.digest == again.digest
    assert list(stored.frame.columns) == ["image", "status", "detail", *data.recorded.frame.columns[2:]]
    for column in data.recorded.frame.columns:
        pd.testing.assert_series_equal(again.frame[column], data.recorded.frame[column], check_index_type=False)


# --- paths -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [str, Path, os.fspath])
def test_paths_are_text_or_path_objects(toy, tmp_path, kind):
    """In every function that takes a run folder."""
    data = toy(["anger", "fear"])
    predictions = predict(data, FakeModel(), kind(tmp_path / "run"))
    predictions.write(kind(tmp_path / "copy"))
    assert Predictions.read(kind(tmp_path / "copy")).digest == predictions.digest
    assert list(files(tmp_path / "copy")) == list(files(tmp_path / "run"))


# --- recorded predictions --------------------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path) -> Path:
    """A table of stored predictions, one of which is missing."""
    path = tmp_path / "t.csv"
    path.write_text("id,label,predicted,gender\n1,happy,happy,f\n2,sad,,m\n3,sad,happy,m\n")
    return path


@pytest.mark.usefixtures("small_parts")
def test_recorded_predictions_can_be_stored_and_read(table, tmp_path):
    """Like those of a model."""
    data = load_dataset(table)
    predictions = predict(data, None, tmp_path / "run")
    assert predictions.digest == Predictions.from_recorded(data).digest == Predictions.read(tmp_path / "run").digest
    assert list(predictions.frame["status"]) == ["ok", "error", "ok"]
    before = files(tmp_path / "run")
    predict(data, None, tmp_path / "run")
    assert files(tmp_path / "run") == before


def test_a_corrected_table_replaces_its_own_run_but_not_a_models(table, tmp_path, toy):
    """Storing a table again costs nothing; running a model does."""
    predict(load_dataset(table), None, tmp_path / "run")
    table.write_text(table.read_text().replace("2,sad,,", "2,sad,sad,"))
    assert list(predict(load_dataset(table), None, tmp_path / "run").frame["status"]) == ["ok"] * 3
    predict(toy(["anger"]), FakeModel(), tmp_path / "model")
    with pytest.raises(RunError, match="choose another --out, or discard them with --overwrite"):
        predict(load_dataset(table), None, tmp_path / "model")
    predict(load_dataset(table), None, tmp_path / "model", overwrite=True)


def test_a_table_takes_no_model_and_images_need_one(table, toy):
    """A model for a table would not be audited, so it is refused; so are images without a model."""
    with pytest.raises(UsageError, match="t is a table without images, so model fake cannot be used"):
        predict(load_dataset(table), FakeModel())
    with pytest.raises(UsageError, match="toy has images and no predictions; give a model"):
        predict(toy(["anger"]))
    with pytest.raises(DataError, match="toy has no predictions"):
        Predictions.from_recorded(toy(["anger"]))


def test_a_table_of_labels_has_no_scores(table):
    """The message says which option adds them."""
    with pytest.raises(RunError, match="have no scores, only labels"):
        predict(load_dataset(table)).scores()


def test_the_digest_of_answers_covers_model_and_rows(toy):
    """Two sets of predictions have the same digest only when everything in them is the same."""
    data = toy(["anger", "fear"])
    one = predict(data, FakeModel())
    assert one.digest == predict(data, FakeModel()).digest
    assert one.digest != predict(data, FakeModel(version="2")).digest
    assert one.digest != predict(data, FakeModel(no_face=[6])).digest
    changed = one.frame.assign(detail="x")
    assert Predictions(one.model, one.version, one.labels, {}, one.images_digest, changed).digest != one.digest


def test_images_are_decoded_as_they_were_hashed(tmp_path, write_pictures):
    """The digest in a row is of the bytes that the model saw."""
    write_pictures(tmp_path / "f", ["anger/0.png"], [4])
    data = load_dataset(tmp_path / "f")
    predictions = predict(data, FakeModel())
    raw = (tmp_path / "f" / "anger" / "0.png").read_bytes()
    assert predictions.frame["image"].iloc[0] == hashlib.sha256(raw).hexdigest()
    assert np.array_equal(data.image("anger/0.png")[:, :, 0], np.asarray(Image.open(tmp_path / "f" / "anger" / "0.png")))
    assert issubclass(RunError, FairferError)
