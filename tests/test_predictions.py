"""Asking a model: every picture has a row, nothing is asked twice, and nothing stale is ever used."""

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
from PIL import Image

from fairfer.audits.audit import audit
from fairfer.datasets.attributes import Attribute
from fairfer.datasets.dataset import Dataset
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
    monkeypatch.setattr(module, "PART", 4)


def files(run: Path) -> dict[str, bytes]:
    """Every file below a run, hidden ones too, by its path."""
    return {p.relative_to(run).as_posix(): p.read_bytes() for p in sorted(run.rglob("*")) if p.is_file()}


def test_every_picture_has_one_row_in_order(toy):
    """The answer is the label with the highest score; scores are stored as float32 per label, by name."""
    data = toy(["anger", "fear", "neutral"], said=[4, 5, 0])
    found = predict(data, FakeModel())
    assert list(found.frame.index) == list(data.samples.index)
    assert list(found.frame["predicted"]) == ["anger", "disgust", "neutral"]
    assert list(found.frame["status"]) == ["ok"] * 3
    assert [c for c in found.frame if c.startswith("score:")] == [f"score:{n}" for n in LABELS]
    assert found.scores().dtype == np.float32
    assert np.allclose(found.scores().sum(axis=1), 1)
    asked = FakeModel().predict([data.image(i) for i in data.samples.index])
    assert np.array_equal(found.scores(), np.array([a.scores for a in asked], np.float32))


def test_a_tie_goes_to_the_models_first_label(toy):
    """The rule is fixed, so that the same scores always mean the same answer."""

    class Undecided(FakeModel):
        def _answer(self, image):
            return type(super()._answer(image))("ok", np.ones(8))

    assert list(predict(toy(["fear"]), Undecided()).frame["predicted"]) == ["neutral"]


def test_answers_not_given_are_rows_with_a_status(toy):
    """No face, a failure, scores that are no numbers or too large: each keeps its row, without a prediction or scores."""

    class Large(FakeModel):
        def _answer(self, image):
            found = super()._answer(image)
            return found if int(image[0, 0, 0]) else type(found)("ok", np.full(8, 1e300))

    data = toy(["anger"] * 5, said=[4, 250, 251, 252, 0])
    found = predict(data, Large(no_face=[250], error=[251], nan=[252]))
    assert list(found.frame["status"]) == ["ok", "no_face", "error", "error", "error"]
    assert list(found.frame["predicted"].isna()) == [False, True, True, True, True]
    assert np.isnan(found.scores()[1:]).all()
    assert found.frame["detail"].iloc[1] == "the fake model sees no face"
    assert "not finite" in found.frame["detail"].iloc[3]
    assert "not finite" in found.frame["detail"].iloc[4]


def test_a_status_without_a_reason_is_its_own_reason(toy):
    """The detail is never empty where there is no answer."""

    class Terse(FakeModel):
        def _answer(self, image):
            found = super()._answer(image)
            return found if found.status == "ok" else type(found)(found.status)

    found = predict(toy(["anger"] * 2, said=[4, 250]), Terse(no_face=[250]))
    assert list(found.frame["detail"]) == ["", "no_face"]


@pytest.fixture
def folder_data(tmp_path, write_pictures):
    """Six picture files of which one is cut short, one empty, one missing and one no picture."""
    names = [f"{i}.png" for i in range(6)]
    write_pictures(tmp_path / "faces", names, [4] * 6)
    (tmp_path / "faces" / "1.png").write_bytes((tmp_path / "faces" / "1.png").read_bytes()[:50])
    (tmp_path / "faces" / "2.png").write_bytes(b"")
    (tmp_path / "faces" / "3.png").unlink()
    (tmp_path / "faces" / "4.png").write_text("no picture")
    samples = pd.DataFrame({"label": "anger"}, index=pd.Index(names, name="sample_id"), dtype="str")
    return Dataset("faces", FERPLUS, samples, images=FileImages(tmp_path / "faces", {n: n for n in names}))


def test_a_bad_photo_is_a_row_and_never_the_end_of_a_run(folder_data, tmp_path):
    """Cut short, empty, missing or no picture: unreadable, with the file's name and the reason; its neighbours are answered."""
    found = predict(folder_data, FakeModel(), tmp_path / "run")
    assert list(found.frame["status"]) == ["ok", "unreadable", "unreadable", "unreadable", "unreadable", "ok"]
    for i, why in ((1, "cannot be decoded"), (2, "is empty"), (3, "is missing"), (4, "cannot be decoded")):
        assert f"{i}.png {why}" in found.frame["detail"].iloc[i]
    assert found.frame["image"].iloc[3] == ""
    assert list(found.frame["image"]) == list(folder_data.image_digests)
    model = FakeModel()
    again = predict(folder_data, model, tmp_path / "run")
    assert model.calls == []
    assert again.digest == found.digest


def test_what_is_said_of_a_bad_photo_depends_on_neither_time_nor_place(folder_data, tmp_path):
    """The reason is stored, so it holds no memory address and no folder of the machine it was found on."""
    details = predict(folder_data, FakeModel()).frame["detail"]
    assert not details.str.contains("0x|object at", regex=True).any()
    assert not details.str.contains(str(tmp_path), regex=False).any()


def test_one_unreadable_picture_moves_no_answer_to_its_neighbour(folder_data):
    """Answers stay with their pictures whatever lies between them and however they are batched."""
    alone = predict(folder_data, FakeModel(batch_size=1))
    together = predict(folder_data, FakeModel(batch_size=100))
    assert alone.digest == together.digest


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("fewer", "gave 2 answers for 3 pictures; it must give one for each"),
        ("more", "gave 4 answers for 3 pictures; it must give one for each"),
        ("short", r"gave scores of shape \(7,\), but it names 8 labels \(neutral, .*contempt\); give one score for each"),
        ("unscored", r"gave scores of shape \(0,\)"),
        ("flat", "answered with a ndarray; it must give a list of fairfer.Prediction"),
        ("type", "answered with a list; it must give a list of fairfer.Prediction"),
        ("status", "answered with status 'fine'; use one of ok, no_face, unreadable, error"),
        ("text", "gave scores that are no numbers"),
    ],
)
def test_a_model_that_breaks_its_contract_ends_the_run_with_one_line(toy, tmp_path, fault, complaint):
    """Wrong answers cannot be stored as if they were some picture's; nothing of that part is."""
    with pytest.raises(ModelError, match=f"model fake {complaint}") as caught:
        predict(toy(["anger"] * 3), FakeModel(fault=fault), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert list(files(tmp_path / "run")) == ["run.json"]


@pytest.mark.usefixtures("small_parts")
def test_a_model_that_raises_shows_its_own_traceback_and_keeps_what_was_done(toy, tmp_path):
    """A bad program is no bad input; the parts before it are not asked again."""
    data = toy(["anger"] * 10)
    with pytest.raises(RuntimeError, match="told to fail"):
        predict(data, FakeModel(fault="raise", after=8, batch_size=4), tmp_path / "run")
    model = FakeModel()
    predict(data, model, tmp_path / "run")
    assert model.calls == [2]


def test_a_model_that_can_answer_nothing_is_an_error(toy):
    """An audit of no answers would show a coverage of 0 and nothing else; the first reason is told."""
    with pytest.raises(ModelError, match=r"could answer for none of 2 pictures \(the first: the fake model sees no face\)"):
        predict(toy(["anger"] * 2, said=[250, 250]), FakeModel(no_face=[250]))


def test_a_data_set_of_which_nothing_can_be_read_is_an_error(folder_data):
    """So is a model that was shown nothing."""
    only_bad = folder_data.replace(samples=folder_data.samples.iloc[1:5])
    with pytest.raises(ModelError, match=r"none of 4 pictures \(the first: .*1\.png cannot be decoded"):
        predict(only_bad, FakeModel())


# --- taking up again -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_parts")
def test_a_finished_run_asks_the_model_nothing(toy, tmp_path):
    """The second time, answers are read; memory, disk and a fresh reading agree."""
    data, model = toy([*LABELS, "anger"]), FakeModel()
    first = predict(data, model, tmp_path / "run")
    asked = list(model.calls)
    second = predict(data, model, tmp_path / "run")
    assert model.calls == asked == [4, 4, 1]
    assert first.digest == second.digest == Predictions.read(tmp_path / "run").digest == predict(data, FakeModel()).digest


@pytest.mark.usefixtures("small_parts")
def test_parts_missing_damaged_or_of_another_run_are_made_again_and_no_others(toy, tmp_path):
    """A part is used only when it is whole, of this run, and about these samples."""
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


def test_a_flipped_bit_anywhere_in_a_part_is_never_another_answer(toy, tmp_path):
    """Either the part reads as it was written, or it is refused."""
    data = toy(list(LABELS) * 4)
    run = tmp_path / "run"
    found = predict(data, FakeModel(), run)
    part = run / "predictions" / "part-00000.parquet"
    raw = part.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(raw), 150):
        damaged = bytearray(raw)
        damaged[place] ^= 4
        part.write_bytes(bytes(damaged))
        try:
            assert Predictions.read(run).digest == found.digest
        except RunError as error:
            assert "part-00000.parquet is damaged" in str(error)  # noqa: PT017 - either outcome is right


SLOW_RUN = """
import sys
from pathlib import Path
from fairfer.predictions import inference as predictions, run_folder as runs
from fairfer.datasets.loading import load_dataset
from fairfer.testing import FakeModel
runs.PART = 4
predictions.predict(load_dataset(sys.argv[1]), FakeModel(delay=0.02), Path(sys.argv[2]))
"""


@pytest.mark.usefixtures("small_parts")
def test_a_run_killed_at_any_moment_is_taken_up_with_at_most_one_part_redone(tmp_path, write_pictures):
    """SIGKILL in the middle; then every part on disk is kept, and the files end in the bytes of an uninterrupted run."""
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
    """Another size would give other bytes and ask everything again; it is changed only with the format."""
    assert PART == 512
    assert module.FORMAT == 1


@pytest.mark.usefixtures("small_parts")
def test_progress_is_told_per_part(toy):
    """Whatever wraps an iterable can show how far the run is."""
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
        ({"labels": FERPLUS.labels[::-1]}, "label space|labels"),
        ({"labels": LabelSpace("FER+ 8", FERPLUS.labels[::-1])}, "labels"),
        ({"labels": LabelSpace("FER+ 8", FERPLUS.labels, ("calm", *FERPLUS.labels[1:]))}, "spellings"),
    ],
)
def test_answers_of_another_model_are_refused_and_named(toy, tmp_path, model, field):
    """Model, version, options and labels are the run's identity; what differs is said, and how to go on."""
    data, run = toy(["anger"] * 3), tmp_path / "run"
    predict(data, FakeModel(), run)
    before = files(run)
    with pytest.raises(RunError, match=f"another ({field}) .*choose another --out, or discard them with --overwrite"):
        predict(data, FakeModel(**model), run)
    assert files(run) == before
    predict(data, FakeModel(**model), run, overwrite=True)
    assert Predictions.read(run).about() == {**read_about(run)}


@pytest.mark.parametrize("first", ["", "# edited\n"])
def test_answers_of_code_that_was_edited_since_are_refused(toy, tmp_path, monkeypatch, first):
    """A model of one's own often keeps its name and version while its code changes."""
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


@pytest.mark.parametrize("how", ["another picture", "another id", "another order", "fewer"])
def test_answers_about_other_pictures_are_refused(toy, tmp_path, how):
    """Pictures are known by their content and id."""
    data, run = toy(["anger"] * 3), tmp_path / "run"
    predict(data, FakeModel(), run)
    other = {
        "another picture": lambda: toy(["anger"] * 3, said=[4, 4, 3]),
        "another id": lambda: toy(["anger"] * 3, ids=["a", "b", "c"]),
        "another order": lambda: data.replace(samples=data.samples[::-1]),
        "fewer": lambda: data.replace(samples=data.samples[:2]),
    }[how]()
    with pytest.raises(RunError, match="another images digest"):
        predict(other, FakeModel(), run)


def test_truth_and_groups_are_no_part_of_what_was_asked(toy, tmp_path):
    """A corrected annotation needs no new inference: the second audit asks the model nothing."""
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


def test_a_run_of_another_picture_cannot_be_audited(toy):
    """A picture that changed after it was asked about is named."""
    data = toy(["anger"] * 3)
    found = predict(data, FakeModel())
    with pytest.raises(RunError, match=r"picture face0001\.png changed since fake saw it; predict again"):
        audit(toy(["anger"] * 3, said=[4, 3, 4]), found)
    with pytest.raises(RunError, match=r"lack 1 of 3 samples of toy \(the first: b\); predict again"):
        audit(toy(["anger"] * 3, ids=["face0000.png", "b", "face0002.png"]), found)


def test_rows_in_another_order_are_the_same_answers(toy):
    """An audit joins by id, so the order of the data set changes no number."""
    data = toy(["anger", "fear", "neutral"], {"g": ["x", "y", "x"]}, said=[4, 5, 0])
    found = predict(data, FakeModel())
    one = audit(data, found, minimum=1, permutations=100)
    other = audit(data.replace(samples=data.samples[::-1]), found, minimum=1, permutations=100)
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
        (lambda run: (run / "run.json").unlink(), "holds no run.json, so it is no run"),
        (lambda run: (run / "run.json").write_text("{"), "run.json cannot be read"),
        (lambda run: (run / "run.json").write_bytes(bytes(range(256))), "run.json cannot be read"),
        (lambda run: (run / "run.json").write_text("[1]"), "has format None, this fairfer reads 1"),
        (lambda run: spoil(run, format=2), "has format 2, this fairfer reads 1"),
        (lambda run: spoil(run, labels=None), "does not say its 'labels'; it was damaged or edited"),
        (lambda run: spoil(run, samples="3"), "does not say its 'samples'"),
        (lambda run: spoil(run, version="edited"), "is damaged or belongs to another run"),
        (lambda run: next((run / "predictions").iterdir()).unlink(), "unfinished: 1 of 1 parts are missing"),
        (lambda run: next((run / "predictions").iterdir()).write_bytes(b"x"), "is damaged or belongs to another run"),
    ],
)
def test_a_run_that_cannot_be_trusted_is_refused(toy, tmp_path, damage, complaint):
    """Missing, damaged, edited or of another format: what, where, and how to mend it."""
    run = tmp_path / "run"
    predict(toy(["anger"] * 3), FakeModel(), run)
    damage(run)
    with pytest.raises(RunError, match=complaint) as caught:
        Predictions.read(run)
    assert str(run) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["{", '{"format": 9}'])
def test_a_damaged_run_is_overwritten_only_when_asked(toy, tmp_path, content):
    """What cannot be read may be worth something to its owner."""
    run, data = tmp_path / "run", toy(["anger"] * 3)
    run.mkdir()
    (run / "run.json").write_text(content)
    with pytest.raises(RunError, match=r"\(or discard it with --overwrite\)"):
        predict(data, FakeModel(), run)
    predict(data, FakeModel(), run, overwrite=True)
    assert len(Predictions.read(run).frame) == 3


@pytest.mark.usefixtures("small_parts")
def test_overwriting_leaves_nothing_of_the_other_run(toy, tmp_path):
    """A longer run's later parts are gone too."""
    run = tmp_path / "run"
    predict(toy(["anger"] * 20), FakeModel(), run)
    predict(toy(["anger"] * 3), FakeModel(), run, overwrite=True)
    assert list(files(run)) == ["predictions/part-00000.parquet", "run.json"]


def test_a_place_that_cannot_be_written_to_is_the_users_to_mend(toy, tmp_path):
    """Before any picture is asked about."""
    (tmp_path / "file").write_text("in the way")
    model = FakeModel()
    with pytest.raises(UsageError, match="cannot be written"):
        predict(toy(["anger"]), model, tmp_path / "file" / "run")
    assert model.calls == []


def test_a_runs_identity_holds_no_time_and_no_place(toy, tmp_path):
    """The same question asked elsewhere gives the same bytes."""
    for place in ("a", "b"):
        predict(toy(["anger", "fear"]), FakeModel(options={"z": "1", "a": "2"}), tmp_path / place)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    about = read_about(tmp_path / "a")
    assert list(about["options"]) == ["a", "code", "z"]
    assert about["labels"] == list(LABELS)


# --- answers that came with the data ---------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path) -> Path:
    """A table of stored predictions, one of which is missing."""
    path = tmp_path / "t.csv"
    path.write_text("id,label,predicted,gender\n1,happy,happy,f\n2,sad,,m\n3,sad,happy,m\n")
    return path


@pytest.mark.usefixtures("small_parts")
def test_a_tables_answers_can_be_stored_and_read_like_a_models(table, tmp_path):
    """Nothing right of the predictions can tell where they came from."""
    data = load_dataset(table)
    found = predict(data, None, tmp_path / "run")
    assert found.digest == Predictions.from_recorded(data).digest == Predictions.read(tmp_path / "run").digest
    assert list(found.frame["status"]) == ["ok", "error", "ok"]
    before = files(tmp_path / "run")
    predict(data, None, tmp_path / "run")
    assert files(tmp_path / "run") == before


def test_a_corrected_table_replaces_what_it_gave_before_but_not_a_models_run(table, tmp_path, toy):
    """Answers from a table cost nothing to store again; a model's do."""
    predict(load_dataset(table), None, tmp_path / "run")
    table.write_text(table.read_text().replace("2,sad,,", "2,sad,sad,"))
    assert list(predict(load_dataset(table), None, tmp_path / "run").frame["status"]) == ["ok"] * 3
    predict(toy(["anger"]), FakeModel(), tmp_path / "model")
    with pytest.raises(RunError, match="choose another --out, or discard them with --overwrite"):
        predict(load_dataset(table), None, tmp_path / "model")
    predict(load_dataset(table), None, tmp_path / "model", overwrite=True)


def test_a_table_is_not_asked_and_pictures_need_a_model(table, toy):
    """A model given for a table would not be audited, so it is refused; so is a picture set without one."""
    with pytest.raises(UsageError, match="t is a table without pictures, so fake cannot be asked"):
        predict(load_dataset(table), FakeModel())
    with pytest.raises(UsageError, match="toy holds pictures and no predictions; name a model"):
        predict(toy(["anger"]))
    with pytest.raises(DataError, match="toy holds no predictions"):
        Predictions.from_recorded(toy(["anger"]))


def test_a_table_of_labels_has_no_scores(table):
    """What was not recorded is not made up."""
    with pytest.raises(RunError, match="only labels were recorded, no scores"):
        predict(load_dataset(table)).scores()


def test_the_digest_of_answers_covers_model_and_rows(toy):
    """Two runs are the same exactly when everything they say is."""
    data = toy(["anger", "fear"])
    one = predict(data, FakeModel())
    assert one.digest == predict(data, FakeModel()).digest
    assert one.digest != predict(data, FakeModel(version="2")).digest
    assert one.digest != predict(data, FakeModel(no_face=[6])).digest
    changed = one.frame.assign(detail="x")
    assert Predictions(one.model, one.version, one.labels, {}, one.images_digest, changed).digest != one.digest


def test_pictures_are_decoded_as_they_were_hashed(tmp_path, write_pictures):
    """The digest in a row is of the very bytes that were shown to the model."""
    write_pictures(tmp_path / "f", ["anger/0.png"], [4])
    data = load_dataset(tmp_path / "f")
    found = predict(data, FakeModel())
    raw = (tmp_path / "f" / "anger" / "0.png").read_bytes()
    assert found.frame["image"].iloc[0] == hashlib.sha256(raw).hexdigest()
    assert np.array_equal(data.image("anger/0.png")[:, :, 0], np.asarray(Image.open(tmp_path / "f" / "anger" / "0.png")))
    assert issubclass(RunError, FairferError)
