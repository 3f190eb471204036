"""Inferred gender, race and age: DeepFace's real classes with tiny random networks of the right shapes, and the command."""

from __future__ import annotations

import importlib
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import fairfer
from fairfer.annotation.infer import annotate
from fairfer.cli.main import main
from fairfer.datasets.demographics import annotate as join_table
from fairfer.errors import DataError, FairferError, ModelError, RunError, UsageError
from fairfer.models.adapters.deepface import attributes as networks
from fairfer.models.adapters.deepface.attributes import HEADS, load_attributes

onnx = pytest.importorskip("onnx", reason="the package onnx builds the networks of these tests")

FACES = 60
NETWORKS = {"gender_model_weights": 2, "race_model_single_batch": 6, "age_model_weights": 101}

COMPARE = """
import json, sys
import numpy as np
rng = np.random.default_rng(3)
shapes = [(48, 48, 3), (60, 41, 3), (224, 224, 3), (300, 200, 3), (1, 1, 3), (90, 37, 3)]
images = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]
images += [images[0] // 128, images[0] * 0, rng.integers(0, 256, (300, 1, 3), dtype=np.uint8)]
from fairfer.models.adapters.deepface.attributes import HEADS, load_attributes
actions = sys.argv[2].split(",")
model = load_attributes(actions, backend=sys.argv[1])
ours = model.predict(images)
alone = [model.predict([image])[0] for image in images]
from deepface import DeepFace
difference, batch, statuses, age = 0.0, 0.0, [], 0.0
for image, answer, single in zip(images, ours, alone):
    try:
        theirs = DeepFace.analyze(
            image[:, :, ::-1], actions=actions, detector_backend="skip", enforce_detection=False, silent=True
        )[0]
    except Exception:
        statuses.append([answer.status, "error"])
        continue
    statuses.append([answer.status, "ok"])
    scores = dict(zip(model.labels.labels, answer.scores))
    batch = max(batch, float(np.abs(answer.scores - single.scores).max()))
    for name in ("gender", "race"):
        for level, percent in theirs.get(name, {}).items():
            difference = max(difference, abs(float(scores[f"{name}={level}"]) - float(percent) / 100))
    if "age" in theirs:
        years = sum(k * float(scores[f"age={k}"]) for k in range(101))
        assert int(years + 1e-4) >= theirs["age"] >= int(years - 1e-4)
        age = max(age, float(years - theirs["age"]))
print(json.dumps({"difference": difference, "batch": batch, "statuses": statuses, "age": age}))
"""


def network(classes, seed=0, side=224, batch="n"):
    """(n, 224, 224, 3) to (n, classes): 4 x 4 of the pixels have weights."""
    node, tensor, array = onnx.helper.make_node, onnx.TensorProto, onnx.numpy_helper.from_array
    weights = np.random.default_rng(seed).normal(size=(48, classes)).astype(np.float32)
    made = onnx.helper.make_graph(
        [
            node("Slice", ["x", "first", "last", "axes", "steps"], ["few"]),
            node("Flatten", ["few"], ["flat"]),
            node("MatMul", ["flat", "w"], ["z"]),
            node("Softmax", ["z"], ["y"], axis=1),
        ],
        "attribute",
        [onnx.helper.make_tensor_value_info("x", tensor.FLOAT, [batch, side, side, 3])],
        [onnx.helper.make_tensor_value_info("y", tensor.FLOAT, [batch, classes])],
        [
            array(weights - weights.mean(axis=0), "w"),
            array(np.array([28, 28]), "first"),
            array(np.array([224, 224]), "last"),
            array(np.array([1, 2]), "axes"),
            array(np.array([56, 56]), "steps"),
        ],
    )
    return onnx.helper.make_model(made, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 18)]).SerializeToString()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A DEEPFACE_HOME with random networks."""
    folder = tmp_path / "home" / ".deepface" / "weights"
    folder.mkdir(parents=True)
    for name, classes in NETWORKS.items():
        (folder / f"{name}.onnx").write_bytes(network(classes))
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DEEPFACE_BACKEND_ENGINE", "onnx")
    monkeypatch.setattr("deepface.commons.backend_utils._backend_engine", None)  # DeepFace keeps its first choice
    return folder


@pytest.fixture
def faces(tmp_path):
    """A folder of faces by emotion; one file is no image."""
    rng = np.random.default_rng(1)
    for i in range(FACES):
        path = tmp_path / "faces" / ("happy", "sad")[i % 2] / f"{i:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8)).save(path)
    (tmp_path / "faces" / "sad" / "bad.png").write_bytes(b"no image")
    return tmp_path / "faces"


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run the command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def go(*arguments):
        monkeypatch.setattr(sys, "argv", ["fairfer", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        return stop.value.code, printed.out, printed.err

    return go


def refused(call, kind=FairferError):
    with pytest.raises(kind) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    return text


def checked_table(path, frame, **columns):
    """A table of checked faces, true values by column."""
    table = pd.DataFrame(columns, index=pd.Index(frame.index, name="image"))
    table.to_csv(path)
    return path


# ---- the networks


def compare(backend, attributes):
    """What differs from DeepFace's own loop. In a process of its own: importing DeepFace changes the process."""
    done = subprocess.run([sys.executable, "-c", COMPARE, backend, attributes], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["difference"] < 1e-5
    assert result["batch"] < 1e-5
    assert all(ours == theirs for ours, theirs in result["statuses"])
    assert [s for s, _ in result["statuses"]].count("error") == 1
    return result


def test_answers_of_every_kind_of_image_are_those_of_analyze(home):
    result = compare("onnx", "gender,race,age")
    assert result["age"] < 1.001  # DeepFace cuts the age to a whole number
    assert result["age"] > 0


@pytest.mark.slow
def test_answers_on_pytorch_are_those_of_analyze(home, monkeypatch):
    """One network of the real size: random weights of 0.5 GB."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from deepface.models.demography.pytorch.Gender import GenderModel

    torch.manual_seed(0)
    torch.save(GenderModel().state_dict(), home / "gender_model_weights.pth")
    monkeypatch.setenv("DEEPFACE_BACKEND_ENGINE", "pytorch")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    compare("torch", "gender")
    (home / "gender_model_weights.pth").unlink()


def test_missing_weights_are_named_with_their_folder(home):
    (home / "race_model_single_batch.onnx").unlink()
    (home / "age_model_weights.onnx").unlink()
    text = refused(load_attributes, ModelError)
    assert f"put race_model_single_batch.onnx, age_model_weights.onnx into {home}" in text
    assert load_attributes(["gender"]).labels.labels == ("gender=Woman", "gender=Man")


@pytest.mark.parametrize("raw", [b"<html>", network(7), network(6, side=48)], ids=["page", "classes", "side"])
def test_a_file_that_is_another_network_is_named(home, raw):
    (home / "race_model_single_batch.onnx").write_bytes(raw)
    text = refused(load_attributes, ModelError)
    assert str(home / "race_model_single_batch.onnx") in text
    assert "is not DeepFace's race network" in text


def test_wrong_options_are_named(home, monkeypatch):
    assert "did you mean 'gender'" in refused(lambda: load_attributes(["gendre"]), ModelError)
    assert "use yes or no" in refused(lambda: load_attributes(download="maybe"), ModelError)
    assert "no such detector" in refused(lambda: load_attributes(detector="eyes"), ModelError)
    monkeypatch.setattr(networks, "find_spec", lambda _: None)
    assert "pip install onnxruntime" in refused(load_attributes, ModelError)


def test_a_graph_for_one_face_at_a_time_answers_several(home):
    images = list(np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8))
    expected = [a.scores for a in load_attributes().predict(images)]
    for name, classes in NETWORKS.items():
        (home / f"{name}.onnx").write_bytes(network(classes, batch=1))
    np.testing.assert_allclose([a.scores for a in load_attributes().predict(images)], expected, atol=1e-6)


def test_a_network_that_fails_on_one_face_answers_the_others(home, monkeypatch):
    model = load_attributes(["gender"])
    client, images = model._parts["gender"].client, list(np.full((3, 48, 48, 3), 200, np.uint8))
    images[1] = images[1] // 2
    inner = client._predict_internal

    def fail(batch):
        if (abs(batch.mean(axis=(1, 2, 3)) - 100 / 255) < 0.01).any():
            message = "out of luck\nsecond line"
            raise RuntimeError(message)
        return inner(batch)

    client._predict_internal = fail
    answers = model.predict(images)
    assert [a.status for a in answers] == ["ok", "error", "ok"]
    assert answers[1].detail == "the network failed (out of luck)"
    client._predict_internal = lambda batch: np.full((len(batch), 2), np.nan)
    assert [a.detail for a in model.predict(images[:1])] == ["the network's output is not finite"]


def test_an_image_that_cannot_be_resized_is_an_error(home):
    (answer,) = load_attributes(["gender"]).predict([np.full((300, 1, 3), 9, np.uint8)])
    assert answer.status == "error"
    assert "could not resize" in answer.detail


def test_a_back_end_that_cannot_be_imported_and_weights_that_cannot_be_read_are_named(home, monkeypatch):
    read = networks.hashlib.file_digest

    def deny(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(networks.hashlib, "file_digest", deny)
    assert "cannot be read (Permission denied)" in refused(load_attributes, ModelError)
    monkeypatch.setattr(networks.hashlib, "file_digest", read)

    def build(error):
        def lack(*_):
            raise error

        monkeypatch.setattr(networks.importlib, "import_module", lack)
        onnx_weights = home / "gender_model_weights.onnx"
        return refused(lambda: networks._build("gender", networks.BACKENDS["onnx"], onnx_weights), ModelError)

    assert "onnxruntime cannot be imported (DLL load failed); run: pip install" in build(ImportError("DLL load failed"))
    assert "needs the package tf-keras" in build(ValueError("install tf-keras"))


def test_a_detector_reads_the_largest_face_and_no_face_is_a_status(home, monkeypatch):
    from deepface.modules import detection
    from deepface.modules.exceptions import FaceNotDetected

    image = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    outcomes = []

    def extract(img, detector_backend):
        assert detector_backend == "opencv"
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        rgb = img[:, :, ::-1] / 255
        return [{"face": rgb[:s, :s], "facial_area": {"w": s, "h": s}} for s in outcome]

    monkeypatch.setattr(detection, "extract_faces", extract)
    monkeypatch.setattr(networks, "build_detector", lambda *_, **__: None)
    model = load_attributes(detector="opencv")
    outcomes += [[10, 60], FaceNotDetected("none"), RuntimeError("broken"), [100]]
    answers = model.predict([image] * 4)
    assert [a.status for a in answers] == ["ok", "no_face", "error", "ok"]
    assert answers[0].detail == "2 faces were found; the largest was read"
    skip = load_attributes()
    np.testing.assert_allclose(answers[0].scores, skip.predict([image[:60, :60]])[0].scores, atol=1e-6)
    np.testing.assert_allclose(answers[3].scores, skip.predict([image])[0].scores, atol=1e-6)


def test_a_detector_that_lacks_a_file_downloads_nothing(home):
    """DeepFace reads the cascade of its detector opencv from OpenCV, whose usual wheel has none, or from its own folder."""
    import cv2

    if list(Path(cv2.__file__).parent.glob("data/*.xml")):
        pytest.skip("this build of OpenCV has the cascades")
    text = refused(lambda: load_attributes(["gender"], detector="opencv"), ModelError)
    assert "detector opencv lacks a file" in text
    assert "download=yes" in text


def test_weights_are_downloaded_on_request_only(home, run, tmp_path, monkeypatch):
    raw = (home / "gender_model_weights.onnx").read_bytes()
    (tmp_path / "web").mkdir()
    (home / "gender_model_weights.onnx").rename(tmp_path / "web" / "weights.onnx")

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path / "web"))

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    module = importlib.import_module("deepface.models.demography.onnx.Gender")
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(module, "WEIGHTS_URL", [f"{address}/none.onnx", f"{address}/none.onnx"])
    try:
        assert "HTTP 404" in refused(lambda: load_attributes(["gender"], download="yes"), ModelError)
        monkeypatch.setattr(module, "WEIGHTS_URL", [f"{address}/none.onnx", f"{address}/weights.onnx"])
        assert "are missing" in refused(lambda: load_attributes(["gender"]), ModelError)
        seen = []
        load_attributes(["gender"], download="yes", on_download=lambda *event: seen.append(event))
        assert seen[-1] == ("gender_model_weights.onnx", len(raw), len(raw))
        (home / "gender_model_weights.onnx").unlink()
        images = fairfer.load_dataset("sample")
        annotate(images.replace(samples=images.samples.iloc[:5]), attributes=["gender"], download="yes")
        (home / "gender_model_weights.onnx").unlink()
        code, _, err = run("annotate", "sample", "--attributes", "gender", "--option", "download=yes")
        assert code == 0, err
    finally:
        server.shutdown()
        server.server_close()
    assert (home / "gender_model_weights.onnx").read_bytes() == raw


# ---- the table


def test_the_table_has_levels_probabilities_and_provenance(home, faces, tmp_path):
    out = tmp_path / "out" / "demo.csv"
    annotation = annotate(fairfer.load_dataset(faces), out)
    frame = pd.read_csv(out, index_col="sample_id")
    assert len(frame) == FACES + 1
    assert list(frame.columns[:3]) == ["gender", "gender_p_Woman", "gender_p_Man"]
    assert annotation.statuses == {"ok": FACES, "unreadable": 1}
    assert frame.loc["sad/bad.png"].isna().all()
    whole = frame.drop("sad/bad.png")
    probabilities = whole[["gender_p_Woman", "gender_p_Man"]]
    assert (probabilities.sum(axis=1) - 1).abs().max() < 1e-5
    best = probabilities.idxmax(axis=1).str.removeprefix("gender_p_")
    assert (best == whole["gender"]).all()
    assert set(whole["gender"]) == {"Woman", "Man"}
    assert whole["age"].between(0, 100).all()
    stored = tomllib.loads(out.with_suffix(".toml").read_text())
    assert list(stored) == ["gender", "race", "age"]
    assert stored["race"]["probabilities"]["latino hispanic"] == "race_p_latino hispanic"
    assert stored["race"]["source"] == "inferred"
    assert stored["race"]["levels"] == list(HEADS["race"].levels)
    assert "levels" not in stored["age"]
    assert "DeepFace 0." in stored["age"]["by"]
    assert "(age weights sha256 " in stored["age"]["by"]
    assert "Nothing was inferred for 1 of 61 faces (1 unreadable)" in stored["gender"]["note"]
    joined = join_table(fairfer.load_dataset(faces), out)
    assert [a.source for a in joined.attributes] == ["inferred"] * len(joined.attributes)
    assert joined.attribute("gender").levels == ("Woman", "Man", "unannotated")


def test_ages_become_bands_whose_probabilities_are_sums_of_years(home, faces, tmp_path):
    dataset = fairfer.load_dataset(faces)
    years = annotate(dataset, attributes=["age"]).frame["age"]
    frame = annotate(dataset, attributes=["age"], bands={"age": [40, 60]}).frame
    assert set(frame["age"].dropna()) == {"under 40", "40 to 59", "60 and over"} & set(frame["age"].dropna())
    assert ((years < 40) == (frame["age"] == "under 40")).all()
    assert frame["age"].isna().sum() == 1
    columns = ["age_p_under 40", "age_p_40 to 59", "age_p_60 and over"]
    model = load_attributes(["age"])
    first = model.predict([dataset.image(frame.index[0])])[0].scores
    np.testing.assert_allclose(frame[columns].iloc[0], [first[:40].sum(), first[40:60].sum(), first[60:].sum()], atol=2e-6)


def test_a_name_that_the_dataset_uses_is_not_taken(home):
    annotation = annotate(fairfer.load_dataset("sample"), attributes=["gender", "age"])
    assert annotation.renamed == {"gender": "inferred_gender"}
    assert list(annotation.frame.columns) == ["inferred_gender", "inferred_gender_p_Woman", "inferred_gender_p_Man", "age"]
    assert "[inferred_gender]" in annotation.provenance


def test_the_same_command_gives_the_same_bytes_and_asks_once(home, faces, tmp_path, monkeypatch):
    dataset, out = fairfer.load_dataset(faces), tmp_path / "demo.csv"
    annotate(dataset, out)
    before = [out.read_bytes(), out.with_suffix(".toml").read_bytes()]
    reused = []
    with monkeypatch.context() as patch:
        patch.setattr(networks.AttributeModel, "predict", lambda *_: pytest.fail("asked again"))
        annotate(dataset, out, on_reuse=lambda *numbers: reused.append(numbers))
    assert reused == [(FACES + 1, FACES + 1)]
    assert [out.read_bytes(), out.with_suffix(".toml").read_bytes()] == before
    shutil.rmtree(tmp_path / "demo.answers")
    annotate(dataset, out, overwrite=True)
    assert [out.read_bytes(), out.with_suffix(".toml").read_bytes()] == before


def test_other_weights_or_a_table_of_the_user_are_not_overwritten(home, faces, tmp_path):
    dataset, out = fairfer.load_dataset(faces), tmp_path / "demo.csv"
    annotate(dataset, out)
    (home / "gender_model_weights.onnx").write_bytes(network(2, seed=9))
    assert "another version" in refused(lambda: annotate(dataset, out), RunError)
    before = out.read_bytes()
    annotate(dataset, out, overwrite=True)
    assert out.read_bytes() != before
    mine = tmp_path / "mine.csv"
    mine.write_text("image,gender\na,f\n")
    assert "was not written by fairfer annotate" in refused(lambda: annotate(dataset, mine), UsageError)
    assert mine.read_text() == "image,gender\na,f\n"
    (tmp_path / "fairfer.toml").write_text("[audit]")
    text = refused(lambda: annotate(dataset, tmp_path / "fairfer.csv"), UsageError)
    assert "fairfer.toml exists and was not written by fairfer annotate" in text
    assert "ends in .csv" in refused(lambda: annotate(dataset, tmp_path / "a.parquet"), UsageError)


def test_what_cannot_be_annotated_is_named(home, faces, tmp_path):
    dataset = fairfer.load_dataset(faces)
    table = fairfer.load_dataset(pd.DataFrame({"label": ["happy"], "predicted": ["happy"]}))
    assert "has no images" in refused(lambda: annotate(table), UsageError)
    assert "did you mean 'race'" in refused(lambda: annotate(dataset, attributes=["rase"]), UsageError)
    assert "no such attribute" in refused(lambda: annotate(dataset, attributes=[]), UsageError)
    for bands, names in (({"gender": [1]}, ["gender", "age"]), ({"age": [20]}, ["gender"])):
        assert "only an inferred age" in refused(lambda b=bands, n=names: annotate(dataset, attributes=n, bands=b), UsageError)


# ---- checked faces


def test_checked_faces_give_the_confusion_matrix(home, faces, tmp_path):
    dataset, out = fairfer.load_dataset(faces), tmp_path / "demo.csv"
    frame = annotate(dataset).frame.dropna()
    true = frame["gender"].replace({"Woman": "woman"}).to_numpy(dtype=object)
    wrong = np.flatnonzero(true == "Man")[:2]
    true[wrong] = "woman"
    table = checked_table(tmp_path / "checked.csv", frame.iloc[:40], gender=true[:40], comment=["x"] * 40)
    annotation = annotate(dataset, out, validated=table)
    (check,) = annotation.checks
    errors = int((wrong < 40).sum())
    assert check.total.faces == 40
    assert check.total.hits == 40 - errors
    assert check.confusion["Woman"]["Man"] == errors
    assert check.confusion["Man"]["Woman"] == 0
    assert check.of_level("Woman").low < check.of_level("Woman").hits / check.of_level("Woman").faces < 1
    stored = tomllib.loads(out.with_suffix(".toml").read_text())
    assert stored["gender"]["confusion"] == check.confusion
    assert "40 faces were checked" in stored["gender"]["note"]
    assert "confusion" not in stored["race"]
    assert join_table(dataset, out).attribute("gender").confusion == check.confusion


def test_checked_ages_are_numbers_or_bands(home, faces, tmp_path):
    dataset = fairfer.load_dataset(faces)
    bands = {"age": [50]}
    frame = annotate(dataset, attributes=["age"], bands=bands).frame.dropna()
    years = np.where(frame["age"] == "under 50", 20, 70)
    for name, values in (("numbers", years), ("bands", frame["age"])):
        table = checked_table(tmp_path / f"{name}.csv", frame, age=values)
        (check,) = annotate(dataset, attributes=["age"], bands=bands, validated=table).checks
        assert check.total.hits == check.total.faces == len(frame)
    text = refused(lambda: annotate(dataset, attributes=["age"], validated=tmp_path / "numbers.csv"), UsageError)
    assert "give --bands age=20,40,60" in text


def test_a_level_that_neither_occurs_nor_was_checked_is_left_out(home, faces, tmp_path):
    weights = network(6)
    (home / "race_model_single_batch.onnx").write_bytes(weights)
    dataset = fairfer.load_dataset(faces)
    frame = annotate(dataset, attributes=["race"]).frame.dropna()
    absent = [n for n in HEADS["race"].levels if n not in set(frame["race"])]
    table = checked_table(tmp_path / "checked.csv", frame, race=frame["race"])
    annotation = annotate(dataset, tmp_path / "demo.csv", attributes=["race"], validated=table)
    assert annotation.sections[0].levels == tuple(n for n in HEADS["race"].levels if n not in absent)
    assert all(f"race_p_{n}" not in annotation.frame for n in absent)
    assert ("No face was inferred or checked as" in annotation.sections[0].note) == bool(absent)
    join_table(dataset, tmp_path / "demo.csv")


def test_a_table_of_checked_faces_that_does_not_fit_is_refused(home, faces, tmp_path):
    dataset = fairfer.load_dataset(faces)
    frame = annotate(dataset).frame.dropna()
    inferred = frame["gender"]
    path = tmp_path / "checked.csv"

    def says(kind=DataError, index=frame.index, **columns):
        pd.DataFrame(columns, index=pd.Index(index, name="image")).to_csv(path)
        return refused(lambda: annotate(dataset, validated=path), kind)

    assert "gender has female" in says(gender=["female"] * len(frame))
    assert "the levels are Woman, Man" in says(gender=["female"] * len(frame))
    assert "none of the columns gender, race, age" in says(sex=inferred)
    assert "has no image of" in says(gender=["Man"], index=["other.png"])
    assert "both a checked and an inferred gender" in says(gender=["Man"], index=["sad/bad.png"])
    assert "no checked face truly is Woman" in says(gender=["Man"] * len(frame))
    assert "none.csv" in refused(lambda: annotate(dataset, validated=tmp_path / "none.csv"), DataError)


# ---- the command


@pytest.mark.slow
def test_annotate_then_audit_says_inferred_and_corrects(home, run, tmp_path):
    code, out, err = run("annotate", "sample", "--attributes", "gender", "--out", "demo.csv")
    assert code == 0, err
    assert "460 of 460 faces have inferred attributes" in out
    assert "fairfer audit sample --demographics demo.csv" in out
    assert "'inferred_gender'" in err
    frame = pd.read_csv("demo.csv", index_col="sample_id")
    true = frame["inferred_gender"].to_numpy(dtype=object)[:200]
    true[::7] = np.where(true[::7] == "Man", "Woman", "Man")
    checked_table(tmp_path / "checked.csv", frame.iloc[:200], gender=true)
    code, out, err = run("annotate", "sample", "--attributes", "gender", "--out", "demo.csv", "--validated", "checked.csv")
    assert code == 0, err
    assert "460 of 460 answers reused" in err
    assert "gender: 171/200 = 0.855 (95 % CI 0.8" in out
    assert "random sample" in out
    audit = [
        "audit",
        "sample",
        "--demographics",
        "demo.csv",
        "--by",
        "inferred_gender",
        "--permutations",
        "200",
        "--out",
        "run",
    ]
    code, _, err = run(*audit)
    assert code == 0, err
    result = json.loads(Path("run/audit.json").read_text())
    text = json.dumps(result["annotation_sensitivity"])
    assert '"scenario": "validation"' in text
    report = Path("run/report.html").read_text()
    assert "inferred" in report
    assert "DeepFace 0." in report


def test_the_command_names_wrong_options(home, faces, run):
    assert run("annotate", faces, "--option", "bakend=onnx")[0] == 2
    assert "did you mean 'backend'" in run("annotate", faces, "--option", "bakend=onnx")[2]
    code, out, err = run("annotate", faces, "--option", "backend=onnx", "--bands", "age=50", "--dedupe", "--name", "faces")
    assert code == 0, err
    assert f"Audit: fairfer audit {faces} --name faces --dedupe --demographics reports/faces/demographics.csv" in out
    assert "unreadable: 1" in out
    assert "--bands" not in out
    assert Path("reports/faces/demographics.csv").is_file()
    assert "--bands age=20,40,60" in run("annotate", faces, "--attributes", "age", "--out", "other.csv")[1]


@pytest.mark.slow
def test_a_killed_run_is_resumed_with_the_same_bytes(home, tmp_path, monkeypatch):
    """Two parts: the process is killed while it makes the second."""
    rng = np.random.default_rng(0)
    (tmp_path / "faces" / "happy").mkdir(parents=True)
    for i in range(520):
        Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(tmp_path / "faces" / "happy" / f"{i:04}.png")
    code = (
        "import sys, time, fairfer\n"
        "def slow(parts):\n"
        "    for index in parts:\n"
        "        if index == 1 and sys.argv[2] == 'slow':\n"
        "            time.sleep(60)\n"
        "        yield index\n"
        f"dataset = fairfer.load_dataset({str(tmp_path / 'faces')!r})\n"
        "fairfer.annotate(dataset, sys.argv[1], attributes=['gender'], progress=slow)"
    )
    whole, killed = tmp_path / "whole.csv", tmp_path / "killed.csv"
    subprocess.run([sys.executable, "-c", code, str(whole), "fast"], check=True)
    process = subprocess.Popen([sys.executable, "-c", code, str(killed), "slow"])
    while not (tmp_path / "killed.answers" / "predictions" / "part-00000.parquet").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not killed.exists()
    reused = []
    annotate(fairfer.load_dataset(tmp_path / "faces"), killed, attributes=["gender"], on_reuse=lambda *n: reused.append(n))
    assert reused == [(512, 520)]
    assert killed.read_bytes() == whole.read_bytes()
    assert killed.with_suffix(".toml").read_bytes() == whole.with_suffix(".toml").read_bytes()


def test_networks_and_apparent_skin_tone_are_one_table(home, faces, tmp_path, run):
    """Columns of both, each with its provenance and its own statuses; the answers of each are reused."""
    rng = np.random.default_rng(2)
    for path in sorted((faces / "happy").iterdir()):
        skin = np.clip(rng.normal((198, 150, 115), 4, (48, 48, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(skin).save(path)
    out = tmp_path / "demo.csv"
    annotation = annotate(fairfer.load_dataset(faces), out, attributes=["ita", "gender"])
    assert [s.column for s in annotation.sections] == ["gender", "apparent_skin_tone", "apparent_ita"]
    frame = pd.read_csv(out, index_col="sample_id")
    assert list(frame.columns) == ["gender", "gender_p_Woman", "gender_p_Man", "apparent_skin_tone", "apparent_ita"]
    alone = annotate(fairfer.load_dataset(faces), attributes=["ita"]).frame
    pd.testing.assert_frame_equal(annotation.frame[list(alone.columns)], alone)
    assert len(set(frame.loc[frame.index.str.startswith("happy"), "apparent_skin_tone"])) == 1
    assert annotation.statuses == {"ok": FACES, "unreadable": 1}
    assert sum(annotation.measured.values()) == FACES + 1
    reused = []
    annotate(fairfer.load_dataset(faces), out, attributes=["ita", "gender"], on_reuse=lambda *numbers: reused.append(numbers))
    assert reused == [(FACES + 1, FACES + 1)] * 2
    code, printed, err = run("annotate", faces, "--attributes", "age,ita", "--out", "both.csv")
    assert code == 0, err
    assert "--bands age=20,40,60 --by age --by apparent_skin_tone" in printed
