"""Models are found by name, scheme or import path, and what is not a model is refused before it is used."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from fairfer import plugins
from fairfer.errors import FairferError, ModelError, UsageError
from fairfer.models.boundary import CheckedModel
from fairfer.models.model import Model, PredictionBatch, model_task
from fairfer.models.registry import MODELS, SCHEMES, list_models, load_model
from fairfer.plugins import PluginError
from fairfer.testing import FakeModel

SOURCE = '''
"""A user's own models."""
from fairfer.testing import FakeModel
from fairfer.labels import FERPLUS
from fairfer.errors import UsageError

ready = FakeModel(name="ready")
number = 3

def make(size: str = "1", *, color: str = "gray"):
    """Make one."""
    return FakeModel(name=f"made {size} {color}")

def needy(weights):
    return FakeModel()

def anything(**options):
    return FakeModel(name="any " + ",".join(sorted(options)))

def refusing():
    raise UsageError("own words")

def lacking():
    import not_installed_anywhere

class Partial:
    name = "partial"

class Listed(FakeModel):
    def __init__(self):
        super().__init__()
        self.labels = ["happy", "sad"]

class Nameless(FakeModel):
    def __init__(self):
        super().__init__(name="")

class Numbered(FakeModel):
    def __init__(self):
        super().__init__()
        self.version = 3

class Flat(FakeModel):
    def __init__(self):
        super().__init__()
        self.predict = 3

class Regressor(FakeModel):
    def __init__(self):
        super().__init__(task="regression")
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module of the user's in the current folder."""
    (tmp_path / "own_models.py").write_text(SOURCE)
    (tmp_path / "needs_more.py").write_text("import not_installed_anywhere\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("own_models", "needs_more"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def fake_points(monkeypatch, points) -> None:
    """Replace what is installed: (group, name, value); modules of the current folder count as installed."""
    sys.path.append("")
    every = [EntryPoint(name, value, group) for group, name, value in points]
    monkeypatch.setattr(plugins, "entry_points", lambda group: [p for p in every if p.group == group])


def test_a_fake_model_is_a_model():
    """The protocol can be checked at run time."""
    assert isinstance(FakeModel(), Model)
    assert not isinstance(3, Model)


@pytest.mark.parametrize(
    ("spec", "options", "name"),
    [
        ("own_models:ready", {}, "ready"),
        ("own_models:make", {}, "made 1 gray"),
        ("own_models:make", {"size": "2", "color": "rgb"}, "made 2 rgb"),
        ("own_models:anything", {"b": "1", "a": "2"}, "any a,b"),
        ("own_models:needy", {"weights": "w.h5"}, "fake"),
    ],
)
@pytest.mark.usefixtures("own")
def test_a_model_of_ones_own_is_named_by_module_and_attribute(spec, options, name):
    """A model, or a function or class that returns one, with its options; modules in the current folder are found."""
    assert load_model(spec, **options).name == name


@pytest.mark.parametrize(
    ("spec", "options", "complaint"),
    [
        ("own_models:ready", {"size": "2"}, "is already a model and takes no options; remove size"),
        ("own_models:make", {"siz": "2"}, "has no option 'siz'; did you mean 'size'"),
        ("own_models:mke", {}, "has no 'mke'; did you mean 'make'"),
        ("own_models:number", {}, "is of type int, neither a model nor a function or class that returns one"),
        ("own_models:Partial", {}, "is of type Partial and has no version, labels, predict; see fairfer.Model"),
        ("own_models:Listed", {}, "its labels must be a fairfer.LabelSpace, not"),
        ("own_models:Nameless", {}, "its name must be text, not ''"),
        ("own_models:Numbered", {}, "its version must be text, not 3"),
        ("own_models:Flat", {}, "its predict must be a method, not 3"),
        ("own_models:Regressor", {}, "has the task 'regression'; its task must be one of single-label, multi-label"),
        ("own_models:needy", {}, "needs the option 'weights'; add --option weights=VALUE"),
        ("own_models:lacking", {}, "needs a package that is not installed.*not_installed_anywhere"),
        ("own_model:ready", {}, "no module 'own_model' in this folder or installed"),
        ("own_models.sub:ready", {}, "no module 'own_models.sub' in this folder"),
        ("needs_more:ready", {}, "needs_more needs the package 'not_installed_anywhere', which is not installed"),
        ("basline", {}, "no model 'basline'; did you mean 'baseline'"),
        ("onnx:", {}, "nothing follows the colon; write onnx:TARGET"),
        ("model.toml", {}, "write onnx:model.toml"),
        ("C:\\models\\model.toml", {}, "write onnx:C:"),
        ("a/b:c", {}, "no model 'a/b:c'"),
        (":x", {}, "write package.module:attribute"),
        (".x:y", {}, "write package.module:attribute"),
        ("own_models:", {}, "write package.module:attribute"),
        ("builtins:int", {}, "see fairfer.Model"),
        ("", {}, "no model ''"),
    ],
)
@pytest.mark.usefixtures("own")
def test_a_model_that_cannot_be_loaded_is_one_line(spec, options, complaint):
    """Misspelled, incomplete, without a package or an option: what is wrong, where, and how to fix it."""
    with pytest.raises(ModelError, match=complaint) as caught:
        load_model(spec, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("own")
def test_a_factorys_own_error_is_passed_on():
    """A `FairferError` of an adapter keeps its text."""
    with pytest.raises(UsageError, match="own words"):
        load_model("own_models:refusing")


@pytest.mark.usefixtures("own")
def test_registered_names_and_schemes_come_first(monkeypatch):
    """Fairfer's own models and plug-ins are found in the same way."""
    fake_points(
        monkeypatch,
        [
            (MODELS, "mine", "own_models:make"),
            (SCHEMES, "sized", "own_models:make"),
            (MODELS, "broken", "own_models:nothing"),
            (MODELS, "absent", "not_installed_anywhere:load"),
        ],
    )
    assert load_model("mine").name == "made 1 gray"
    assert load_model("sized:9", color="rgb").name == "made 9 rgb"
    with pytest.raises(ModelError, match="has no option 'size'"):
        load_model("sized:9", size="3")
    for name in ("broken", "absent"):
        with pytest.raises(PluginError, match=f"model '{name}' .* cannot be imported: .*; install what it needs"):
            load_model(name)


def listed() -> dict[str, tuple[str, str, str]]:
    return {e.name: (e.readiness.state, e.readiness.detail, e.summary) for e in list_models()}


@pytest.mark.usefixtures("own")
def test_a_registered_model_is_described_by_its_factorys_first_line(monkeypatch):
    """``fairfer models`` has no list of its own."""
    fake_points(monkeypatch, [(MODELS, "mine", "own_models:make"), (SCHEMES, "bare", "own_models:needy")])
    assert listed() == {"mine": ("unknown", "", "Make one."), "bare:": ("unknown", "", "own_models:needy")}


@pytest.mark.usefixtures("own")
def test_a_broken_plugin_does_not_hide_the_other_models(monkeypatch):
    """It is listed with its error."""
    fake_points(monkeypatch, [(MODELS, "absent", "not_here:load"), (MODELS, "mine", "own_models:make")])
    assert listed()["mine"][2] == "Make one."
    state, detail, _ = listed()["absent"]
    assert state == "broken"
    assert "cannot be imported" in detail


def test_a_model_without_a_task_is_single_label():
    """``task`` is optional, so that models written for one label per face need no change."""

    class Plain:
        name = "plain"

    assert model_task(Plain()) == "single-label"
    assert model_task(FakeModel(task="multi-label")) == "multi-label"
    with pytest.raises(FairferError, match="model fake has the task 'regression'"):
        model_task(FakeModel(task="regression"))


@pytest.mark.parametrize(
    ("body", "state", "detail"),
    [
        ('return Readiness("needs weights", "put w.onnx into /models")', "needs weights", "put w.onnx into /models"),
        ('return "ready"', "broken", "its readiness() returns a str instead of a Readiness"),
        ('raise RuntimeError("no driver")', "broken", "its readiness() raises RuntimeError: no driver"),
        (
            "raise SystemExit(3)",
            "broken",
            "its readiness() raises ModelError: model mine tried to end the program (sys.exit(3))",
        ),
    ],
)
def test_a_factorys_module_reports_its_readiness(monkeypatch, tmp_path, body, state, detail):
    """``fairfer models`` shows the answer of a module's function ``readiness``, or why there is none."""
    source = f"""
from fairfer.models.requirements import Readiness

def make():
    "Make one."

def readiness():
    {body}
"""
    (tmp_path / "own_ready.py").write_text(source, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "own_ready", raising=False)
    fake_points(monkeypatch, [(MODELS, "mine", "own_ready:make")])
    found = listed()["mine"]
    assert found[0] == state
    assert found[1].startswith(detail)
    assert found[2] == "Make one."


class Batches(FakeModel):
    """A model that returns one batch."""

    def __init__(self, **batch) -> None:
        super().__init__(("happy", "sad"))
        self.batch = batch

    def predict(self, images):
        """The same batch for any images."""
        return PredictionBatch(**{"scores": np.array([[0.9, 0.1], [0.2, 0.8], [np.nan, 0.5]]), **self.batch})


def test_a_batch_is_checked_like_a_list():
    """Statuses and details of a batch count, whatever its scores; a row that is not finite is an error."""
    model = CheckedModel(Batches(statuses={0: "no_face"}, details={0: "nobody\nthere", 1: "two faces"}))
    answers = model.predict([np.zeros((2, 2, 3), np.uint8)] * 3, ["a", "b", "c"])
    assert [a.status for a in answers] == ["no_face", "ok", "error"]
    assert [a.detail for a in answers] == ["nobody there", "two faces", "the model's scores are not finite numbers"]
    assert answers[0].scores is None
    assert answers.scores.dtype == np.float32


@pytest.mark.parametrize(
    ("batch", "complaint"),
    [
        ({"statuses": {1: "fine"}}, r"returned the status 'fine'; use one of .* \(image b\)"),
        ({"details": {1: 3}}, r"returned a detail that is not text: 3; .* \(image b\)"),
        ({"scores": np.ones((3, 4))}, r"returned scores of shape \(4,\), but it has 2 labels"),
        ({"scores": np.ones((2, 2))}, "returned 2 answers for 3 images"),
        ({"scores": np.array([["a", "b"]] * 3)}, "returned scores that are not numbers"),
    ],
)
def test_a_batch_that_breaks_the_contract_is_one_line(batch, complaint):
    with pytest.raises(ModelError, match=complaint):
        CheckedModel(Batches(**batch)).predict([np.zeros((2, 2, 3), np.uint8)] * 3, ["a", "b", "c"])
