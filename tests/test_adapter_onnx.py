"""ONNX graphs described in TOML: scores, and error messages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.special import expit

from fairfer.errors import ModelError
from fairfer.models.adapters import onnx as adapter
from fairfer.models.model import Model
from fairfer.models.outputs import sigmoid
from fairfer.testing import check_loading, check_model

onnx = pytest.importorskip("onnx", reason="the package onnx builds the graphs of these tests")

LABELS = ["Happy", "sad", "NEUTRAL"]
RNG = np.random.default_rng(7)

DESCRIPTION = """
name = "tiny"
graph = "tiny.onnx"
labels = ["Happy", "sad", "NEUTRAL"]
[input]
layout = "NCHW"
size = [6, 4]
color = "rgb"
scale = 0.01
mean = [0.1, 0.2, 0.3]
std = [0.5, 1, 2]
[output]
kind = "logits"
"""


def weights(channels, height=6, width=4):
    return np.random.default_rng(1).normal(size=(channels * height * width, len(LABELS))).astype(np.float32)


def graph(nodes, shape, *, kind="FLOAT", output=("n", 3), constants=()):
    tensor = onnx.TensorProto
    made = onnx.helper.make_graph(
        nodes,
        "tiny",
        [onnx.helper.make_tensor_value_info("x", getattr(tensor, kind), shape)],
        [onnx.helper.make_tensor_value_info("y", tensor.FLOAT, output)],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants],
    )
    return onnx.helper.make_model(made, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 18)]).SerializeToString()


def linear(shape, *, kind="FLOAT"):
    """Pixels, flattened, times weights: every pixel and channel has a weight."""
    channels = min(shape[1], shape[3]) if all(isinstance(d, int) for d in shape[1:]) else 3
    node = onnx.helper.make_node
    nodes = [
        node("Cast", ["x"], ["f"], to=onnx.TensorProto.FLOAT),
        node("Flatten", ["f"], ["flat"], axis=1),
        node("MatMul", ["flat", "w"], ["y"]),
    ]
    return graph(nodes, shape, kind=kind, constants=[("w", weights(channels))])


def constant(rows, *, output=("n", 3)):
    """The same answer for every image."""
    node = onnx.helper.make_node
    nodes = [
        node("ReduceMean", ["x", "axes"], ["m"], keepdims=0),
        node("Unsqueeze", ["m", "one"], ["column"]),
        node("Mul", ["column", "zero"], ["none"]),
        node("Add", ["none", "row"], ["y"]),
    ]
    constants = [
        ("axes", np.array([1, 2, 3])),
        ("one", np.array([1])),
        ("zero", np.float32(0)),
        ("row", np.array([rows], np.float32)),
    ]
    return graph(nodes, ["n", 3, 6, 4], output=output, constants=constants)


@pytest.fixture
def write(tmp_path):
    def write(description=DESCRIPTION, raw=None):
        if raw is None:
            raw = linear(["n", 3, 6, 4])
        (tmp_path / "tiny.onnx").write_bytes(raw)
        path = tmp_path / "tiny.toml"
        path.write_text(description)
        return str(path)

    return write


def test_it_keeps_the_contract(write):
    """Alone and in batches, gray, tiny and huge images; from another folder; and one line for what is no description."""
    path = write()
    check_model(adapter.load(path))
    check_loading(adapter.load, Path(path))


def random_images(count=5, shape=(6, 4, 3)):
    return [RNG.integers(0, 256, shape, dtype=np.uint8) for _ in range(count)]


def expected(images, *, bgr=False, w=None):
    x = np.stack(images).astype(np.float64)[..., :: -1 if bgr else 1]
    x = (x * 0.01 - [0.1, 0.2, 0.3]) / [0.5, 1, 2]
    z = x.transpose(0, 3, 1, 2).reshape(len(x), -1) @ (weights(3) if w is None else w)
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def scores(model, images):
    answers = model.predict(images)
    assert [a.status for a in answers] == ["ok"] * len(images)
    return np.stack([a.scores for a in answers])


def test_scores_are_the_softmax_of_the_described_arithmetic(write):
    model = adapter.load(write())
    images = random_images()
    assert isinstance(model, Model)
    assert model.labels.labels == ("happiness", "sadness", "neutral")
    assert model.labels.spellings == tuple(LABELS)
    np.testing.assert_allclose(scores(model, images), expected(images), atol=1e-5)


def test_no_images_have_no_answers(write):
    assert adapter.load(write()).predict([])[:] == []


def test_bgr_reverses_the_channels_before_mean_and_std(write):
    images = random_images()
    model = adapter.load(write(DESCRIPTION.replace('"rgb"', '"bgr"')))
    np.testing.assert_allclose(scores(model, images), expected(images, bgr=True), atol=1e-5)


def test_channels_last(write):
    images = random_images()
    model = adapter.load(write(DESCRIPTION.replace("NCHW", "NHWC"), linear(["n", 6, 4, 3])))
    w = weights(3).reshape(6, 4, 3, -1).transpose(2, 0, 1, 3).reshape(72, -1)
    np.testing.assert_allclose(scores(model, images), expected(images, w=w), atol=1e-5)


@pytest.mark.parametrize("kind", ["FLOAT16", "DOUBLE"])
def test_other_floating_types(write, kind):
    images = random_images()
    model = adapter.load(write(raw=linear(["n", 3, 6, 4], kind=kind)))
    np.testing.assert_allclose(scores(model, images), expected(images), atol=2e-2)


def test_a_graph_of_bytes_takes_integer_gray_levels(write):
    plain = "\n".join(r for r in DESCRIPTION.splitlines() if not r.startswith(("scale", "mean", "std")))
    model = adapter.load(write(plain, linear(["n", 3, 6, 4], kind="UINT8")))
    assert model.preprocessing.batch(random_images(), np.uint8).dtype == np.uint8
    scores(model, random_images())


@pytest.mark.parametrize("batch", [1, 3])
def test_a_graph_may_have_a_fixed_batch_size(write, batch):
    images = random_images(7)
    model = adapter.load(write(raw=linear([batch, 3, 6, 4])))
    np.testing.assert_allclose(scores(model, images), expected(images), atol=1e-5)


def test_scores_do_not_depend_on_batch_size_or_threads(write):
    images = random_images(9)
    path = write()
    whole = scores(adapter.load(path), images)
    alone = np.concatenate([scores(adapter.load(path, threads="1"), [image]) for image in images])
    np.testing.assert_allclose(whole, alone, atol=1e-6)
    assert (whole == scores(adapter.load(path), images)).all()


def test_other_sizes_are_resized_by_pillow(write):
    image = random_images(1, (31, 17, 3))[0]
    model = adapter.load(write())
    small = np.asarray(Image.fromarray(image).resize((4, 6), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(model.preprocessing.batch([image]), model.preprocessing.batch([small]))
    np.testing.assert_allclose(scores(model, [image, small])[0], expected([small])[0], atol=1e-5)


def test_gray_is_pillows_gray(write):
    text = (
        DESCRIPTION.replace('"rgb"', '"gray"').replace("mean = [0.1, 0.2, 0.3]\nstd = [0.5, 1, 2]\n", "").replace("0.01", "1.0")
    )
    model = adapter.load(write(text, linear(["n", 1, 6, 4])))
    images = random_images()
    gray = np.stack([np.asarray(Image.fromarray(i).convert("L")) for i in images])
    np.testing.assert_array_equal(model.preprocessing.batch(images)[:, 0], gray)
    same = [np.repeat(g[..., None], 3, axis=2) for g in gray]
    np.testing.assert_array_equal(model.preprocessing.batch(same)[:, 0], gray)


def test_numbers_that_are_not_finite_are_an_error_of_that_image_only(write):
    node = onnx.helper.make_node
    nodes = [
        node("ReduceMean", ["x", "axes"], ["m"], keepdims=0),
        node("Log", ["m"], ["log"]),
        node("Unsqueeze", ["log", "one"], ["column"]),
        node("Mul", ["column", "row"], ["y"]),
    ]
    constants = [("axes", np.array([1, 2, 3])), ("one", np.array([1])), ("row", np.ones((1, 3), np.float32))]
    text = DESCRIPTION.replace("mean = [0.1, 0.2, 0.3]\nstd = [0.5, 1, 2]\n", "")
    model = adapter.load(write(text, graph(nodes, ["n", 3, 6, 4], constants=constants)))
    white, black = np.full((6, 4, 3), 255, np.uint8), np.zeros((6, 4, 3), np.uint8)
    answers = model.predict([white, black, white])
    assert [a.status for a in answers] == ["ok", "error", "ok"]
    assert "not finite" in answers[1].detail
    assert answers[1].scores is None


def test_an_image_that_the_graph_fails_on_does_not_affect_its_neighbors(write):
    node = onnx.helper.make_node
    nodes = [  # a row of the table by brightness: there are 200 rows, and white is 255
        node("ReduceMean", ["x", "axes"], ["m"], keepdims=0),
        node("Cast", ["m"], ["at"], to=onnx.TensorProto.INT64),
        node("Gather", ["table", "at"], ["y"], axis=0),
    ]
    constants = [("axes", np.array([1, 2, 3])), ("table", RNG.normal(size=(200, 3)).astype(np.float32))]
    text = DESCRIPTION.replace("mean = [0.1, 0.2, 0.3]\nstd = [0.5, 1, 2]\n", "").replace("0.01", "1.0")
    model = adapter.load(write(text, graph(nodes, ["n", 3, 6, 4], constants=constants)))
    white, gray = np.full((6, 4, 3), 255, np.uint8), np.full((6, 4, 3), 100, np.uint8)
    answers = model.predict([gray, white, gray])
    assert [a.status for a in answers] == ["ok", "error", "ok"]
    assert "the network failed" in answers[1].detail
    assert "\n" not in answers[1].detail


def refused(call):
    with pytest.raises(ModelError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"tiny"\n', '"tiny"\ntask = "multilabel"\n', "task: input should be 'single-label' or 'multi-label'"),
        ('"tiny"\n', '"tiny"\nlabel = 3\n', "unknown key 'label'; did you mean 'labels'?"),
        ("[output]", "colour = 1\n[output]", "unknown key 'input.colour'; did you mean 'color'?"),
        ('kind = "logits"', 'kind = "logits"\nunit = 1', "unknown key 'output.unit'"),
        ('kind = "logits"', "", "the key 'output.kind' is missing"),
        ('name = "tiny"', "", "the key 'name' is missing"),
        ('name = "tiny"', "name = 3", "name: input should be a valid string, but it is 3"),
        ('"logits"', '"logit"', "output.kind: input should be 'logits' or 'probabilities'"),
        ('"NCHW"', '"CHW"', "input.layout"),
        ('"rgb"', '"lab"', "input.color: input should be 'gray', 'rgb' or 'bgr'"),
        ("[6, 4]", "[6]", "input.size"),
        ("[6, 4]", "[6, 0]", "input.size: height and width must be 1 to 4096"),
        ("[6, 4]", "[6, 4.5]", "input.size"),
        ("scale = 0.01", "scale = 0", "input.scale must not be 0"),
        ("scale = 0.01", "scale = nan", "input.scale"),
        ("scale = 0.01", 'scale = "1/255"', "input.scale"),
        ("[0.5, 1, 2]", "[0.5, 0, 2]", "input.std must not be 0"),
        ("[0.1, 0.2, 0.3]", "[0.1, 0.2]", "input.mean: 2 numbers for 3 channels (rgb)"),
        ("[0.1, 0.2, 0.3]", '"no"', "input.mean"),
        ('"sad"', '"happiness"', "labels: "),
        ('["Happy", "sad", "NEUTRAL"]', '["Happy"]', "labels: "),
        ('"Happy", ', "", "labels: 2 labels, but the graph's output has the shape n x 3"),
        ('"NCHW"', '"NHWC"', "has the shape n x 3 x 6 x 4, but layout, size and color make n x 6 x 4 x 3"),
        ("[6, 4]", "[4, 6]", "has the shape n x 3 x 6 x 4"),
        ("[input]", '[input]\nname = "faces"', "input.name: the graph has no input 'faces'; available: x"),
        ('kind = "logits"', 'kind = "logits"\nname = "z"', "output.name: the graph has no output 'z'"),
        ("tiny.onnx", "other.onnx", "other.onnx cannot be opened (No such file or directory)"),
        ("tiny.onnx", "tiny\\u0000.onnx", "cannot be opened (embedded null byte)"),
        ("[input]", "[input", "is not valid TOML"),
    ],
)
def test_a_wrong_description_is_one_line_naming_the_file_and_the_key(write, old, new, complaint):
    assert DESCRIPTION.count(old) == 1
    path = write(DESCRIPTION.replace(old, new))
    text = refused(lambda: adapter.load(path))
    assert path in text
    assert complaint in text


def test_a_wrong_file_and_a_wrong_description_have_different_messages(write, tmp_path):
    path = write()
    assert "cannot be opened" in refused(lambda: adapter.load(str(tmp_path / "none.toml")))
    assert "is a graph; give its description" in refused(lambda: adapter.load(str(tmp_path / "tiny.onnx")))
    (tmp_path / "tiny.toml").write_bytes(b"name = '\xff'")
    assert "is not valid TOML" in refused(lambda: adapter.load(path))


@pytest.mark.parametrize("raw", [b"", b"<!DOCTYPE html><html>Not Found</html>", linear(["n", 3, 6, 4])[:200]])
def test_a_damaged_graph(write, raw):
    path = write(raw=raw)
    text = refused(lambda: adapter.load(path))
    assert "tiny.onnx is" in text


def test_a_graph_of_another_shape(write):
    flat = graph([onnx.helper.make_node("Identity", ["x"], ["y"])], ["n", 3])
    assert "has the shape n x 3," in refused(lambda: adapter.load(write(raw=flat)))
    integers = graph([onnx.helper.make_node("Cast", ["x"], ["y"], to=1)], ["n", 3, 6, 4], kind="INT64", output=None)
    assert "takes tensor(int64)" in refused(lambda: adapter.load(write(raw=integers)))


def test_a_width_that_only_a_run_shows(write):
    node = onnx.helper.make_node  # as many outputs as the image has bright pixels: shape inference cannot know
    nodes = [
        node("Flatten", ["x"], ["flat"], axis=1),
        node("Greater", ["flat", "zero"], ["bright"]),
        node("NonZero", ["bright"], ["where"]),
        node("Cast", ["where"], ["y"], to=onnx.TensorProto.FLOAT),
    ]
    free = graph(nodes, ["n", 3, 6, 4], output=("n", "k"), constants=[("zero", np.float32(0))])
    assert "output has the shape 2 x 72" in refused(lambda: adapter.load(write(raw=free)))


def test_a_wrong_kind_of_output_is_an_error_at_load(write):
    path = write(DESCRIPTION.replace('"logits"', '"probabilities"'), constant([3.0, -2.0, 0.5]))
    assert 'the output is declared as "probabilities", but is -2 to 3' in refused(lambda: adapter.load(path))
    path = write(raw=constant([0.25, 0.25, 0.5]))
    assert 'the output is declared as "logits", but already sums to 1' in refused(lambda: adapter.load(path))
    model = adapter.load(write(DESCRIPTION.replace('"logits"', '"probabilities"'), constant([0.25, 0.25, 0.5])))
    np.testing.assert_allclose(scores(model, random_images(2)), [[0.25, 0.25, 0.5]] * 2)


MULTI_LABEL = 'task = "multi-label"\n' + DESCRIPTION


def test_multi_label_scores_are_the_sigmoid_of_each_logit(write):
    """Oracle: the described arithmetic in double precision, and scipy's logistic function."""
    model = adapter.load(write(MULTI_LABEL))
    images = random_images()
    assert model.task == "multi-label"
    x = (np.stack(images) * 0.01 - [0.1, 0.2, 0.3]) / [0.5, 1, 2]
    logits = x.transpose(0, 3, 1, 2).reshape(len(x), -1) @ weights(3)
    np.testing.assert_allclose(scores(model, images), expit(logits), atol=1e-5)


def test_multi_label_probabilities_are_stored_as_they_are(write):
    """They need not sum to 1."""
    text = MULTI_LABEL.replace('"logits"', '"probabilities"')
    model = adapter.load(write(text, constant([0.9, 0.0, 0.75])))
    np.testing.assert_allclose(scores(model, random_images(2)), [[0.9, 0.0, 0.75]] * 2, atol=1e-7)


def test_multi_label_logits_may_sum_to_one(write):
    """The check for a softmax's output is for single-label graphs only."""
    model = adapter.load(write(MULTI_LABEL, constant([0.25, 0.25, 0.5])))
    np.testing.assert_allclose(scores(model, random_images(1)), [expit([0.25, 0.25, 0.5])], atol=1e-6)


def test_a_multi_label_model_may_have_a_single_label(write):
    """A detector of one action unit."""
    text = MULTI_LABEL.replace('["Happy", "sad", "NEUTRAL"]', '["AU12"]')
    model = adapter.load(write(text, constant([2.0], output=("n", 1))))
    np.testing.assert_allclose(scores(model, random_images(1)), [[expit(2.0)]], atol=1e-6)
    assert "a single-label model needs at least two labels" in refused(
        lambda: adapter.load(write(text.replace("multi-label", "single-label"), constant([2.0], output=("n", 1))))
    )


def test_the_task_is_part_of_the_identity(write):
    """With the default task the digest is the same as without the key."""
    first = adapter.load(write())
    assert first.task == "single-label"
    assert adapter.load(write('task = "single-label"\n' + DESCRIPTION)).options == first.options
    assert adapter.load(write(MULTI_LABEL)).options != first.options


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=5))
def test_the_sigmoid_is_exact_and_never_overflows(logits):
    """Oracle: scipy. Warnings are errors, so an overflow would fail; a masked label (-inf) is 0."""
    np.testing.assert_allclose(sigmoid(np.array(logits)), expit(logits), rtol=1e-12, atol=1e-300)


def test_one_of_several_inputs_must_be_chosen(write):
    two = onnx.load_from_string(linear(["n", 3, 6, 4]))
    two.graph.input.append(onnx.helper.make_tensor_value_info("mask", 1, ["n"]))
    text = refused(lambda: adapter.load(write(raw=two.SerializeToString())))
    assert "the graph has 2 inputs; choose one with input.name (x, mask)" in text


def test_identity_follows_content(write):
    first = adapter.load(write())
    assert first.version.startswith("sha256 ")
    assert first.options["providers"] == "cpu"
    assert adapter.load(write("# a remark\n" + DESCRIPTION)).options == first.options
    assert adapter.load(write('version = "2"\n' + DESCRIPTION)).version == f"2 ({first.version})"
    assert adapter.load(write(DESCRIPTION.replace("0.01", "0.02"))).options != first.options
    assert adapter.load(write(raw=linear(["n", 3, 6, 4], kind="DOUBLE"))).version != first.version


def test_every_module_of_the_adapter_is_part_of_the_identity(write):
    """Preprocessing changes scores as much as the graph does."""
    assert {f.name for f in adapter.load(write()).files} >= {"preprocessing.py", "session.py", "model.py", "description.py"}


def test_weights_beside_the_graph_are_part_of_its_identity(write, tmp_path):
    model = onnx.load_from_string(linear(["n", 3, 6, 4]))
    path = write()
    onnx.save(model, tmp_path / "tiny.onnx", save_as_external_data=True, location="tiny.weights", size_threshold=0)
    first = adapter.load(path)
    raw = bytearray((tmp_path / "tiny.weights").read_bytes())
    raw[0] ^= 1
    (tmp_path / "tiny.weights").write_bytes(raw)
    assert adapter.load(path).version != first.version


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"providers": "gpu"}, "no provider 'gpu'; did you mean 'cpu'?"),
        ({"providers": "openvino,cpu"}, "the installed onnxruntime has no openvino; use cpu"),
        ({"threads": "two"}, "threads='two' is not a whole number"),
    ],
)
def test_wrong_options(write, options, complaint):
    path = write()
    assert complaint in refused(lambda: adapter.load(path, **options))


def test_a_missing_onnxruntime_is_one_line_with_the_command_that_installs_it(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "pip install onnxruntime" in refused(lambda: adapter.load(write()))


def test_importing_the_adapter_imports_no_onnxruntime():
    code = "import sys, fairfer.models.adapters.onnx; sys.exit('onnxruntime' in sys.modules or 'PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
