"""``keras:``: files of Keras models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fairfer.errors import ModelError
from fairfer.models.adapters import keras as adapter
from fairfer.models.registry import load_model
from fairfer.testing import check_loading, check_model

if find_spec("keras") is None:  # importing it here would fix its back end
    pytest.skip("Keras is not installed", allow_module_level=True)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")

OPTIONS = {"labels": "happy,sad,angry", "scaling": "-1..1"}


@pytest.fixture(scope="module")
def keras():
    return adapter._import_keras("the tests")


@pytest.fixture
def save(keras, tmp_path):
    """Write a network with random weights, and return its file and its weights."""

    def save(name="mini.keras", shape=(8, 6, 1), last="softmax", units=3, *, weights_only=False, extra=None):
        keras.utils.set_random_seed(1)
        layers = [keras.layers.Input(shape), keras.layers.Flatten(), *(extra or [])]
        network = keras.Sequential([*layers, keras.layers.Dense(units, activation=last)])
        (tmp_path / "saved").mkdir(exist_ok=True)
        path = tmp_path / "saved" / name
        network.save_weights(path) if weights_only else network.save(path)
        return path, [np.asarray(keras.ops.convert_to_numpy(w)) for w in network.layers[-1].weights]

    return save


@pytest.mark.filterwarnings("ignore")  # HDF5 is Keras' old format
@pytest.mark.parametrize("name", ["mini.keras", "mini.h5", "mini.hdf5"])
def test_a_file_is_a_model_in_one_line(save, name):
    """Size, color and layout are those of the input; the softmax at the end is known from the layer."""
    path, (kernel, bias) = save(name)

    def by_hand(picture):
        image = Image.open(picture)
        gray = np.asarray((image.resize((6, 8), Image.Resampling.BILINEAR) if image.size != (6, 8) else image).convert("L"))
        logits = (gray.astype(float).ravel() / 127.5 - 1) @ kernel + bias
        powers = np.exp(logits - logits.max())
        return powers / powers.sum()

    model = load_model(f"keras:{path}", **OPTIONS)
    assert model.options.items() >= {"size": "8x6", "color": "gray", "layout": "NHWC", "output": "probabilities"}.items()
    check_model(model, reference=by_hand)
    check_loading(lambda target: load_model(f"keras:{target}", **OPTIONS), path)


def test_logits_become_probabilities(save, images):
    model = load_model(f"keras:{save(last=None)[0]}", **OPTIONS)
    assert model.options["output"] == "logits"
    check_model(model, images)


def test_a_sigmoid_needs_a_task(save, images):
    path = save(last="sigmoid")[0]
    with pytest.raises(ModelError, match=r"its last layer is a sigmoid, .*; add --option task=multi-label"):
        load_model(f"keras:{path}", **OPTIONS)
    model = load_model(f"keras:{path}", task="multi-label", **OPTIONS)
    check_model(model, images)


def test_an_unknown_last_layer_needs_a_kind_of_output(keras, save, images):
    path = save(last="relu")[0]
    with pytest.raises(ModelError, match="does not show whether it returns probabilities"):
        load_model(f"keras:{path}", **OPTIONS)
    check_model(load_model(f"keras:{path}", output="logits", **OPTIONS), images)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((3, 8, 6), {"layout": "NCHW", "color": "rgb", "size": "8x6"}),
        ((8, 6, 3), {"layout": "NHWC", "color": "rgb", "size": "8x6"}),
    ],
)
def test_the_layout_follows_the_input(save, images, shape, expected):
    model = load_model(f"keras:{save(shape=shape)[0]}", **OPTIONS)
    assert model.options.items() >= expected.items()
    check_model(model, images)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"scaling": None}, "does not say how pixels are scaled"),
        ({"labels": None}, "does not name its labels"),
        ({"labels": "happy,sad"}, "labels: 2 labels, but the network's output has the shape 1 x 3"),
        ({"size": "9"}, "the network fails on a plain gray image"),
        ({"output": "logits"}, 'is declared as "logits", but already sums to 1'),
        ({"batch": "3"}, "has no option 'batch'"),
    ],
)
def test_a_wrong_option_is_one_line(save, change, complaint):
    path = save()[0]
    options = {k: v for k, v in {**OPTIONS, **change}.items() if v is not None}
    with pytest.raises(ModelError) as caught:
        load_model(f"keras:{path}", **options)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore")
def test_a_file_of_something_else_is_one_line(keras, save, tmp_path):
    lambda_layer = keras.layers.Lambda(lambda x: x * 2)
    cases = {
        save("lambda.keras", extra=[lambda_layer])[0]: "holds Python code of a Lambda layer, which is not run",
        save("w.weights.h5", weights_only=True)[0]: "holds weights without a model",
        tmp_path / "missing.keras": "does not exist",
        save("table.keras", shape=(5,))[0]: r"its input has the shape \(None, 5\), not that of images",
    }
    for path, complaint in cases.items():
        with pytest.raises(ModelError, match=complaint) as caught:
            load_model(f"keras:{path}", **OPTIONS)
        assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["torch", "tensorflow"])
def test_the_back_end_is_chosen_and_recorded(save, tmp_path, backend):
    """Keras reads the variable when it is imported; without it, an installed one is used."""
    pytest.importorskip(backend)
    path = save()[0]
    code = f"""
import json, os
from fairfer.models.registry import load_model
model = load_model("keras:{path}", labels="happy,sad,angry", scaling="0..1")
import numpy as np
[answer] = model.predict([np.full((8, 6, 3), 77, np.uint8)])
print(json.dumps([model.options["backend"], os.environ.get("KERAS_BACKEND"), answer.scores.tolist()]))
"""
    answers = []
    for variable in ({"KERAS_BACKEND": backend}, {}):
        environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"} | {"HOME": str(tmp_path)} | variable
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        used, left, scores = json.loads(done.stdout.splitlines()[-1])
        assert left == variable.get("KERAS_BACKEND")
        assert not variable or used == backend
        answers.append(scores)
    assert np.allclose(*answers, atol=1e-5)


def test_readiness(monkeypatch):
    """Keras needs a back end beside it."""
    assert adapter.readiness().state == "ready"
    monkeypatch.setattr(adapter, "find_spec", lambda name: None)
    assert adapter.readiness().state == "needs an extra"
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(Path("nowhere")))
    with pytest.raises(ModelError, match="Keras has no back end here"), adapter._default_backend("model"):
        pass


def test_a_configured_back_end_that_is_missing_is_named(tmp_path):
    """Keras writes ``keras.json`` with TensorFlow when it is first imported: it is used only if it is installed.

    A back end that the user named in the environment, and that is missing, is named with what to do.
    """
    installed = [name for name in adapter.BACKENDS if find_spec(name)]
    absent = [name for name in adapter.BACKENDS if not find_spec(name)]
    if not installed or not absent:
        pytest.skip("needs one back end that is installed and one that is not")
    (tmp_path / "keras.json").write_text(json.dumps({"backend": absent[0]}))
    (tmp_path / "net.keras").touch()
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"} | {"KERAS_HOME": str(tmp_path)}
    code = "import sys; from fairfer.models.registry import load_model; load_model(sys.argv[1])"
    command = [sys.executable, "-c", code, f"keras:{tmp_path / 'net.keras'}"]
    for variable, complaint in (
        ({}, "net.keras is not a Keras model that can be loaded"),
        ({"KERAS_BACKEND": absent[0]}, f"Keras is configured for {absent[0]}, which is not installed"),
    ):
        done = subprocess.run(command, env=environment | variable, capture_output=True, text=True, check=False)
        assert complaint in done.stderr.strip().splitlines()[-1]


def test_a_missing_file_is_reported_before_keras_is_imported(monkeypatch, tmp_path):
    """A wrong path is not answered with a command that installs something."""
    monkeypatch.setattr(adapter, "_import_keras", lambda where: pytest.fail(f"Keras was imported for {where}"))
    with pytest.raises(ModelError, match="does not exist"):
        adapter.load(str(tmp_path / "nothing.keras"), **OPTIONS)
