"""DeepFace's emotion network in batches: the scores of `DeepFace.analyze`, without its side effects.

The core of these tests needs no weights: a random network with DeepFace's shapes is put into a temporary DEEPFACE_HOME. With
FAIRFER_SHARED, real faces are read with a trained network on each installed back end. What imports ``deepface.DeepFace`` runs
in a process of its own: that import changes the process that it happens in.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from fairfer.errors import ModelError
from fairfer.labels import DEEPFACE
from fairfer.models.adapters import deepface as adapter
from fairfer.models.adapters.deepface import loading
from fairfer.models.model import Model
from fairfer.testing import check_model

onnx = pytest.importorskip("onnx", reason="the package onnx builds the network of these tests")

SHARED = os.environ.get("FAIRFER_SHARED")
FILE = "facial_expression_model_weights.onnx"
HTML = b"<!DOCTYPE html><html><body>Not Found</body></html>"

COMPARE = """
import json, os, sys
import numpy as np
backend, files, shapes = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
if files:
    from fairfer.datasets.images import decode_picture
    images = [decode_picture(open(f, "rb").read(), f) for f in files]
else:
    rng = np.random.default_rng(3)
    images = []
    for height, width, channels, top in shapes:
        image = rng.integers(0, top + 1, (height, width, channels), dtype=np.uint8)
        images.append(np.repeat(image, 3, axis=2) if channels == 1 else image)
from fairfer.models.adapters import deepface as adapter
from fairfer.models.adapters.deepface import loading
from fairfer.testing import check_model
os.environ["DEEPFACE_BACKEND_ENGINE"] = adapter.BACKENDS[backend].deepface
model = adapter.load(backend=backend)
ours = model.predict(images)
alone = [model.predict([p])[0] for p in images]
from deepface import DeepFace
statuses, difference, differing, batch = [], 0.0, 0, 0.0
for image, answer, single in zip(images, ours, alone):
    try:
        emotions = DeepFace.analyze(
            image[:, :, ::-1], actions=["emotion"], detector_backend="skip", enforce_detection=False, silent=True
        )[0]["emotion"]
    except Exception:
        statuses.append([answer.status, "error"])
        continue
    statuses.append([answer.status, "ok"])
    if answer.status == "ok":
        theirs = np.array(list(emotions.values())) / 100
        difference = max(difference, float(np.abs(answer.scores - theirs).max()))
        batch = max(batch, float(np.abs(answer.scores - single.scores).max()))
        differing += int(np.argmax(answer.scores) != np.argmax(theirs))
print(json.dumps({
    "difference": difference, "differing": differing, "batch": batch, "statuses": statuses, "options": model.options
}))
"""


def network(classes=7, seed=0):
    """(n, 48, 48, 1) to (n, classes): every pixel has a weight."""
    node, tensor = onnx.helper.make_node, onnx.TensorProto
    weights = np.random.default_rng(seed).normal(size=(48 * 48, classes)).astype(np.float32) / 6
    made = onnx.helper.make_graph(
        [node("Flatten", ["x"], ["flat"]), node("MatMul", ["flat", "w"], ["z"]), node("Softmax", ["z"], ["y"], axis=1)],
        "emotion",
        [onnx.helper.make_tensor_value_info("x", tensor.FLOAT, ["n", 48, 48, 1])],
        [onnx.helper.make_tensor_value_info("y", tensor.FLOAT, ["n", classes])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    return onnx.helper.make_model(made, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 18)]).SerializeToString()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A DEEPFACE_HOME with a random network."""
    folder = tmp_path / ".deepface" / "weights"
    folder.mkdir(parents=True)
    (folder / FILE).write_bytes(network())
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    monkeypatch.delenv("DEEPFACE_BACKEND_ENGINE", raising=False)
    return tmp_path


@pytest.fixture
def model(home):
    assert home
    return adapter.load(backend="onnx")


@pytest.fixture
def serve(monkeypatch):
    """Serve bytes under the address from which DeepFace would download its network."""
    from deepface.models.demography.onnx import Emotion

    servers = []

    def serve(raw):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if raw is not None else 404)
                self.send_header("Content-Length", str(len(raw or b"")))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(raw or b"")

            do_HEAD = do_GET  # noqa: N815 - the base class's name

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        address = f"http://127.0.0.1:{server.server_port}/{FILE}"
        # The list is a default argument of DeepFace's function, so it is changed in place.
        monkeypatch.setattr(Emotion.load_model, "__defaults__", ([address],))
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def refused(call):
    with pytest.raises(ModelError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    return text


def random_images(count=6, shape=(48, 48, 3), seed=5):
    return list(np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8))


def compare(backend, home, *, files=(), shapes=()):
    environment = {**os.environ, "DEEPFACE_HOME": str(home), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", COMPARE, backend, json.dumps([str(f) for f in files]), json.dumps(shapes)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


SHAPES = [
    (48, 48, 1, 255), (48, 48, 3, 255), (48, 48, 1, 2), (48, 48, 1, 1), (48, 48, 3, 1), (48, 48, 1, 0),
    (100, 100, 3, 255), (60, 41, 1, 255), (37, 90, 3, 255), (224, 224, 3, 255), (448, 448, 1, 255), (96, 96, 3, 255),
    (640, 480, 3, 255), (700, 700, 1, 255), (1, 1, 3, 255), (2, 3, 3, 255),
    (300, 1, 3, 255), (1, 300, 3, 255), (300, 2, 1, 255),
]  # fmt: skip
"""Height, width, channels and brightest value: gray and coloured, dark and black, square and not, tiny and too narrow."""


@pytest.mark.parametrize("backend", ["onnx", "torch"])
def test_scores_of_every_kind_of_image_are_those_of_analyze(home, backend):
    if backend == "torch":
        torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        from deepface.models.demography.pytorch.Emotion import EmotionModel

        torch.manual_seed(0)
        torch.save(EmotionModel().state_dict(), home / ".deepface" / "weights" / FILE.replace(".onnx", ".pth"))
    comparison = compare(backend, home, shapes=SHAPES)
    assert comparison["options"]["backend"] == backend
    assert comparison["difference"] < 1e-5
    assert comparison["differing"] == 0
    assert comparison["batch"] < 1e-5
    assert all(ours == theirs for ours, theirs in comparison["statuses"])
    assert [s for s, _ in comparison["statuses"]].count("error") == 2  # those too narrow for DeepFace


@pytest.mark.skipif(not SHARED, reason="FAIRFER_SHARED is not set: no real faces")
@pytest.mark.parametrize("backend", list(adapter.BACKENDS))
def test_scores_of_real_faces_are_those_of_analyze(backend):
    if importlib.util.find_spec(adapter.BACKENDS[backend].package) is None:
        pytest.skip(f"{adapter.BACKENDS[backend].package} is not installed")
    shared = Path(SHARED).resolve()
    files = sorted((shared / "data" / "ferplus" / "data" / "FER2013Test").glob("*.png"))[:50]
    comparison = compare(backend, shared / "data" / "deepface", files=files)
    assert comparison["difference"] < 1e-5
    assert comparison["differing"] == 0
    assert comparison["batch"] < 1e-5
    assert all(pair == ["ok", "ok"] for pair in comparison["statuses"])


@pytest.mark.slow
def test_it_keeps_the_contract(model):
    """Alone and in batches, gray, tiny and huge images."""
    check_model(model)


def test_it_is_a_model(model, home):
    assert isinstance(model, Model)
    assert (model.name, model.labels) == ("deepface", DEEPFACE)
    assert model.options == {"backend": "onnx", "device": "cpu", "detector": "skip"}
    assert list(model.predict([])) == []
    scores = np.stack([p.scores for p in model.predict(random_images())])
    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-6)
    (home / ".deepface" / "weights" / FILE).write_bytes(network(seed=1))
    other = adapter.load(backend="onnx")
    assert other.version != model.version  # and it is not the network that DeepFace made before in this process
    assert not np.allclose(np.stack([p.scores for p in other.predict(random_images())]), scores)


def test_answers_are_in_the_order_of_the_images(model):
    mixed = [
        *random_images(2),
        *random_images(2, (30, 60, 3)),
        np.zeros((48, 48, 3), np.uint8),
        *random_images(1, (900, 20, 3)),
    ]
    together = model.predict(mixed)
    for image, answer in zip(mixed, together, strict=True):
        np.testing.assert_allclose(answer.scores, model.predict([image])[0].scores, atol=1e-6)


def test_an_image_that_the_network_fails_on_does_not_affect_its_neighbors(model):
    whole = model._network

    def network(batch):
        if (batch.mean(axis=(1, 2, 3)) > 0.9).any():
            message = "too bright\nand more"
            raise RuntimeError(message)
        return whole(batch)

    model._network = network
    answers = model.predict([*random_images(2), np.full((48, 48, 3), 255, np.uint8), *random_images(1)])
    assert [a.status for a in answers] == ["ok", "ok", "error", "ok"]
    assert answers[2].detail == "the network failed (too bright)"


def test_numbers_that_are_not_finite_are_an_error_of_that_image_only(model):
    model._network = lambda batch: np.stack([np.full(7, np.nan if b.max() > 0.9 else 0.2, np.float32) for b in batch])
    answers = model.predict([np.full((48, 48, 3), v, np.uint8) for v in (100, 255, 90)])
    assert [a.status for a in answers] == ["ok", "error", "ok"]


def test_loading_has_no_side_effects(home, monkeypatch, capsys):
    filters, before = list(warnings.filters), dict(os.environ)
    resolve = socket.getaddrinfo
    adapter.load(backend="onnx")
    assert warnings.filters == filters
    assert dict(os.environ) == before
    assert socket.getaddrinfo is resolve
    empty = home / "empty"
    empty.mkdir()
    monkeypatch.setenv("DEEPFACE_HOME", str(empty))
    refused(lambda: adapter.load(backend="onnx"))
    assert list(empty.iterdir()) == []
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("home")
def test_loading_in_a_fresh_process_has_no_side_effects():
    code = (
        "import os, sys, warnings\n"
        "import fairfer.models.adapters.deepface as adapter\n"
        "assert not {'deepface', 'cv2', 'onnxruntime'} & set(sys.modules), 'imported too early'\n"
        "before, filters = dict(os.environ), list(warnings.filters)\n"
        "adapter.load(backend='onnx')\n"
        "changed = {k for k, v in os.environ.items() if before.get(k) != v} - {'LD_LIBRARY_PATH'}  # OpenCV's own\n"
        "assert not changed, changed\n"
        "assert warnings.filters == filters\n"
        "assert 'deepface.DeepFace' not in sys.modules and 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


@pytest.mark.usefixtures("home")
def test_the_default_back_end_is_deepfaces_own(monkeypatch):
    from deepface.commons import backend_utils

    monkeypatch.setattr(backend_utils, "_backend_engine", None)
    monkeypatch.setenv("DEEPFACE_BACKEND_ENGINE", "onnx")
    assert adapter.load().options["backend"] == "onnx"
    monkeypatch.setattr(backend_utils, "_backend_engine", None)
    monkeypatch.setenv("DEEPFACE_BACKEND_ENGINE", "jax")
    assert "DeepFace finds no back end (Unimplemented backend engine - jax." in refused(adapter.load)
    assert adapter.load(backend="ONNX").options["backend"] == "onnx"


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"backend": "tensorflo"}, "option backend='tensorflo' is not a choice; did you mean 'tensorflow'?"),
        ({"detector": "opencvv"}, "DeepFace has no such detector; did you mean 'opencv'?"),
        ({"download": "true"}, "option download='true' is not a choice; use yes or no"),
    ],
)
def test_wrong_options(options, complaint):
    assert complaint in refused(lambda: adapter.load(**{"backend": "onnx", **options}))


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("backend", "install"), [("torch", "fairfer[torch]"), ("tensorflow", "fairfer[tensorflow]")])
def test_a_back_end_that_is_not_installed(monkeypatch, backend, install):
    monkeypatch.setattr(loading, "find_spec", lambda _: None)
    assert install in refused(lambda: adapter.load(backend=backend))


@pytest.mark.usefixtures("home")
def test_a_missing_deepface_is_one_line_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "deepface", None)
    assert "pip install deepface" in refused(lambda: adapter.load(backend="onnx"))


def test_the_message_for_missing_weights_has_file_and_folder(home):
    weights = home / ".deepface" / "weights" / FILE
    weights.unlink()
    text = refused(lambda: adapter.load(backend="onnx"))
    assert f"put {FILE} into {weights.parent}" in text
    assert "download=yes" in text


@pytest.mark.parametrize("raw", [b"", HTML, network()[:500], network(classes=8)])
def test_a_damaged_file_of_weights(home, raw):
    weights = home / ".deepface" / "weights" / FILE
    weights.write_bytes(raw)
    text = refused(lambda: adapter.load(backend="onnx"))
    assert text.startswith(f"{weights} is not DeepFace's emotion network")
    assert weights.exists()


def test_a_damaged_file_of_pytorch_weights(home):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    weights = home / ".deepface" / "weights" / FILE.replace(".onnx", ".pth")
    weights.write_bytes(HTML)
    assert "is not DeepFace's emotion network" in refused(lambda: adapter.load(backend="torch"))


def test_weights_are_downloaded_on_request(home, serve, capsys):
    weights = home / ".deepface" / "weights" / FILE
    weights.unlink()
    weights.parent.rmdir()
    serve(network())
    model = adapter.load(backend="onnx", download="yes")
    assert weights.read_bytes() == network()
    assert [p.status for p in model.predict(random_images())] == ["ok"] * 6
    assert capsys.readouterr().out == ""  # DeepFace's log is no result


def test_nothing_is_downloaded_by_default(home, serve):
    (home / ".deepface" / "weights" / FILE).unlink()
    serve(network())
    refused(lambda: adapter.load(backend="onnx"))
    assert not (home / ".deepface" / "weights" / FILE).exists()


def test_a_web_page_in_place_of_the_weights_is_not_kept(home, serve):
    weights = home / ".deepface" / "weights" / FILE
    weights.unlink()
    serve(HTML)
    assert "it was removed;" in refused(lambda: adapter.load(backend="onnx", download="yes"))
    assert not weights.exists()


def test_a_failed_download_is_one_line(home, serve):
    weights = home / ".deepface" / "weights" / FILE
    weights.unlink()
    serve(None)
    text = refused(lambda: adapter.load(backend="onnx", download="yes"))
    assert text.startswith(f"DeepFace could not download {FILE}; check the network")
    assert not weights.exists()


def test_a_home_that_cannot_be_written(home, monkeypatch, serve):
    (home / "file").touch()
    monkeypatch.setenv("DEEPFACE_HOME", str(home / "file"))
    serve(network())
    assert "cannot be made" in refused(lambda: adapter.load(backend="onnx", download="yes"))


class Detector:
    """Finds fixed regions, in coordinates of the image (DeepFace adds a border of half its size on every side)."""

    def __init__(self, *regions, fails=""):
        self.regions, self.fails = regions, fails

    def detect_faces(self, img):
        from deepface.models.Detector import FacialAreaRegion

        if self.fails:
            raise ValueError(self.fails)
        top, left = img.shape[0] // 4, img.shape[1] // 4
        return [FacialAreaRegion(x=x + left, y=y + top, w=w, h=h, confidence=0.9) for x, y, w, h in self.regions]


@pytest.fixture
def detecting(home, monkeypatch):
    assert home

    def load(*regions, **options):
        from deepface.modules import modeling

        detectors = {"face_detector": {"opencv": Detector(*regions, **options)}}
        monkeypatch.setattr(modeling, "cached_models", detectors, raising=False)
        return adapter.load(backend="onnx", detector="opencv")

    return load


def test_the_largest_face_is_read(detecting, model):
    image = random_images(1, (100, 120, 3))[0]
    model_with_detector = detecting((5, 6, 20, 20), (40, 30, 50, 60), (0, 0, 30, 40))
    assert model_with_detector.options["detector"] == "opencv"
    answer = model_with_detector.predict([image])[0]
    assert (answer.status, answer.detail) == ("ok", "3 faces were found; the largest was read")
    np.testing.assert_allclose(answer.scores, model.predict([image[30:90, 40:90]])[0].scores, atol=1e-5)
    assert detecting((40, 30, 50, 60)).predict([image])[0].detail == ""


def test_no_face_is_a_status(detecting):
    answers = detecting().predict(random_images(2))
    assert [(a.status, a.scores) for a in answers] == [("no_face", None)] * 2
    assert answers[0].detail == "DeepFace's detector opencv found no face"


def test_a_detector_that_fails_on_an_image_is_an_error_of_that_image(detecting):
    answer = detecting(fails="cascade broke\nat line 3").predict(random_images(1))[0]
    assert (answer.status, answer.detail) == ("error", "DeepFace's detector opencv failed (cascade broke)")


@pytest.mark.usefixtures("home")
def test_a_detector_downloads_nothing_by_default(monkeypatch):
    from deepface.modules import modeling

    def fetch(**_):
        return socket.create_connection(("detector.example", 443))

    monkeypatch.setattr(modeling, "build_model", fetch)
    text = refused(lambda: adapter.load(backend="onnx", detector="opencv"))
    assert text == "DeepFace's detector opencv lacks a file; the model option download=yes lets DeepFace download it"


@pytest.mark.usefixtures("home")
def test_a_detector_that_is_not_installed_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "mtcnn", None)
    assert "DeepFace's detector mtcnn cannot be built" in refused(lambda: adapter.load(backend="onnx", detector="mtcnn"))


def test_readiness_names_the_back_ends_with_weights(tmp_path, monkeypatch):
    """Without importing anything heavy."""
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    missing = adapter.readiness()
    assert missing.state == "needs weights"
    assert f"into {tmp_path}/.deepface/weights, or add --option download=yes" in missing.detail
    weights = tmp_path / ".deepface" / "weights"
    weights.mkdir(parents=True)
    (weights / "facial_expression_model_weights.onnx").write_bytes(b"x")
    assert str(adapter.readiness()) == "ready: back ends with weights: onnx"
