"""`fairfer.wrap`: any function as a model, with stated preprocessing."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from PIL import Image

import fairfer
from fairfer.errors import LabelError, ModelError
from fairfer.testing import check_model

STATED = {"size": "8", "color": "gray", "scaling": "0..1"}


def brightness(batch):
    """Scores of two labels from the mean of an array."""
    happy = np.asarray(batch).mean(axis=(1, 2, 3))
    return np.stack([happy, 1 - happy], axis=1)


def on_images(images):
    """The same from images of any size."""
    happy = [image.mean() / 255 for image in images]
    return [[p, 1 - p] for p in happy]


def by_hand(path):
    image = Image.open(path)
    small = image.resize((8, 8), Image.Resampling.BILINEAR) if image.size != (8, 8) else image
    happy = np.asarray(small.convert("L")).mean() / 255
    return [happy, 1 - happy]


def test_a_function_is_a_model():
    """It passes the kit; name, version and preprocessing are recorded."""
    model = fairfer.wrap(brightness, labels=["happy", "sad"], preprocess=STATED)
    check_model(model, reference=by_hand)
    assert isinstance(model, fairfer.Model)
    assert model.name == "brightness"
    assert model.version.startswith("source sha256 ")
    assert model.options.items() >= {"size": "8x8", "color": "gray", "scale": repr(1 / 255), "output": "probabilities"}.items()


@pytest.mark.parametrize(
    "preprocess",
    [
        fairfer.Preprocessing(size=(8, 8), color="gray", scale=1 / 255),
        {"size": 8, "color": "gray", "scale": 1 / 255},
        {"size": (8, 8), "color": "gray", "scaling": "0..1", "mean": 0},
        {"size": [8, 8], "color": "gray", "scale": 1 / 255, "std": [1.0]},
    ],
)
def test_preprocessing_may_be_stated_in_several_ways(preprocess):
    if "mean" in getattr(preprocess, "keys", list)():
        preprocess = {k: v for k, v in preprocess.items() if k != "mean"}
    model = fairfer.wrap(brightness, labels=["happy", "sad"], preprocess=preprocess)
    stated = fairfer.wrap(brightness, labels=["happy", "sad"], preprocess=STATED)
    assert model.options == stated.options


def test_a_function_may_take_images_of_any_size():
    model = fairfer.wrap(on_images, labels=["happy", "sad"], options={"resize": "none"})
    check_model(model, extreme=False)
    assert model.options == {"output": "probabilities", "resize": "none"}


def test_an_image_for_which_the_function_fails_costs_its_neighbors_nothing():
    def fragile(images):
        if any(image[0, 0, 0] == 7 for image in images):
            message = "no face\nfor you"
            raise ValueError(message)
        return on_images(images)

    model = fairfer.wrap(fragile, labels=["happy", "sad"])
    good, bad = np.full((4, 4, 3), 200, np.uint8), np.full((4, 4, 3), 7, np.uint8)
    answers = model.predict([good, bad, good])
    assert [a.status for a in answers] == ["ok", "error", "ok"]
    assert answers[1].detail == "the network failed (no face)"


def test_tensors_are_accepted():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 2))
    model = fairfer.wrap(
        lambda x: network(torch.from_numpy(x)), labels=["happy", "sad"], preprocess=STATED, output="logits", name="net"
    )
    check_model(model, extreme=False)


def test_partial_functions_and_objects_have_names():
    class Caller:
        def __call__(self, batch):
            return brightness(batch)

    for function, name in ((functools.partial(brightness), "brightness"), (Caller(), "Caller")):
        model = fairfer.wrap(function, labels=["happy", "sad"], preprocess=STATED)
        assert model.name == name
        assert model.version


def test_a_named_label_space_and_a_space_of_ones_own():
    def eight(batch):
        return np.full((len(batch), 8), 1 / 8)

    assert fairfer.wrap(eight, labels="ferplus", preprocess=STATED).labels.name == "FER+ 8"
    own = fairfer.LabelSpace.of("mine", ["happy", "sad"])
    assert fairfer.wrap(brightness, labels=own, preprocess=STATED).labels is own


@pytest.mark.parametrize(
    ("arguments", "error", "complaint"),
    [
        ({"labels": ["happy", "sad", "angry"]}, ModelError, "labels: 3 labels, but the network's output has the shape 1 x 2"),
        ({"labels": ["happy", "joy"]}, LabelError, "more than once"),
        ({"labels": "fer2012"}, ModelError, "labels='fer2012' is not a label space"),
        ({"output": "logits"}, ModelError, 'declared as "logits", but already sums to 1'),
        ({"preprocess": 5}, ModelError, "preprocess must be a fairfer.Preprocessing, a mapping or None, not a int"),
        ({"preprocess": {"side": 5}}, ModelError, "preprocess has no 'side'; it has size"),
        ({"preprocess": {"size": "8", "colour": "gray"}}, ModelError, "there is no option 'colour'"),
        ({"preprocess": None}, ModelError, 'declared as "probabilities", but is -127 to 128'),
    ],
)
def test_a_wrong_argument_is_one_line(arguments, error, complaint):
    with pytest.raises(error) as caught:
        fairfer.wrap(brightness, **{"labels": ["happy", "sad"], "preprocess": STATED, **arguments})
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_random_answers_are_refused():
    """Such as those of a network whose dropout is on."""
    rng = np.random.default_rng(0)
    with pytest.raises(ModelError, match="gives different answers to the same image; switch off what is random"):
        fairfer.wrap(lambda batch: rng.dirichlet([1, 1], len(batch)), labels=["happy", "sad"], preprocess=STATED)


def test_only_functions_are_wrapped():
    with pytest.raises(ModelError, match="wrap takes a function, not a int"):
        fairfer.wrap(3, labels=["happy", "sad"])


def test_the_version_follows_the_source():
    """Another function is another model; a stated version is kept."""

    def darkness(batch):
        return brightness(batch)[:, ::-1]

    versions = {fairfer.wrap(f, labels=["happy", "sad"], preprocess=STATED).version for f in (brightness, darkness)}
    assert len(versions) == 2
    assert fairfer.wrap(brightness, labels=["happy", "sad"], preprocess=STATED, version="3").version == "3"
    interactive = eval("lambda batch: brightness(batch)", {"brightness": brightness})  # noqa: S307
    assert fairfer.wrap(interactive, labels=["happy", "sad"], preprocess=STATED).version


def test_a_wrapped_function_is_audited():
    """Predictions of other preprocessing are another run."""
    dataset = fairfer.load_dataset("sample")
    model = fairfer.wrap(brightness, labels=["happy", "neutral"], preprocess=STATED)
    predictions = fairfer.predict(dataset, model)
    assert predictions.options["size"] == "8x8"
    assert fairfer.audit(dataset, predictions, by=["gender"]).rate("accuracy").value is not None
