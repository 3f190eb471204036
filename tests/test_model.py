"""Models are found by name, scheme or import path, and one that cannot be a model is refused before it is asked."""

from __future__ import annotations

import re
import sys
from importlib.metadata import EntryPoint

import pytest

from fairfer.errors import ModelError, UsageError
from fairfer import plugins
from fairfer.models.model import Model, model_task
from fairfer.models.registry import MODELS, SCHEMES, describe_models, load_model
from fairfer.testing import FakeModel

SOURCE = '''
"""A user's own models."""
from fairfer.testing import FakeModel
from fairfer.labels import FERPLUS
from fairfer.errors import UsageError

ready = FakeModel(name="ready")
number = 3

def make(size: str = "1", *, colour: str = "grey"):
    """Make one."""
    return FakeModel(name=f"made {size} {colour}")

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
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module of the user's in the current folder; gives its name."""
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
    """The protocol can be checked at run time, and the fake fulfils it."""
    assert isinstance(FakeModel(), Model)
    assert not isinstance(3, Model)


@pytest.mark.parametrize(
    ("spec", "options", "name"),
    [
        ("own_models:ready", {}, "ready"),
        ("own_models:make", {}, "made 1 grey"),
        ("own_models:make", {"size": "2", "colour": "rgb"}, "made 2 rgb"),
        ("own_models:anything", {"b": "1", "a": "2"}, "any a,b"),
        ("own_models:needy", {"weights": "w.h5"}, "fake"),
    ],
)
@pytest.mark.usefixtures("own")
def test_a_model_of_ones_own_is_given_as_module_and_attribute(spec, options, name):
    """A ready model, or something that makes one, with its options; modules in the current folder are found."""
    assert load_model(spec, **options).name == name


@pytest.mark.parametrize(
    ("spec", "options", "complaint"),
    [
        ("own_models:ready", {"size": "2"}, "is ready made and takes no options; remove size"),
        ("own_models:make", {"siz": "2"}, "has no option 'siz'; did you mean 'size'"),
        ("own_models:mke", {}, "has no 'mke'; did you mean 'make'"),
        ("own_models:number", {}, "is a int, neither a model nor something that makes one"),
        ("own_models:Partial", {}, "is a Partial without version, labels, predict; see fairfer.Model"),
        ("own_models:Listed", {}, "labels must be a fairfer.LabelSpace"),
        ("own_models:Nameless", {}, "its name must be text, not ''"),
        ("own_models:Numbered", {}, "its version must be text, not 3"),
        ("own_models:needy", {}, "needs the option 'weights'; give it as --option weights=VALUE"),
        ("own_models:lacking", {}, "needs a package that is not installed.*not_installed_anywhere"),
        ("own_model:ready", {}, "there is no module 'own_model' here or installed"),
        ("own_models.sub:ready", {}, "there is no module 'own_models.sub'|not a package"),
        ("needs_more:ready", {}, "importing needs_more needs the missing package 'not_installed_anywhere'"),
        ("basline", {}, "no model 'basline'; did you mean 'baseline'"),
        ("onnx:", {}, "nothing after the colon; write onnx:TARGET"),
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
def test_a_model_that_cannot_be_had_says_why_in_one_line(spec, options, complaint):
    """Misspelled, incomplete, lacking a package or an option: what, where, and how to mend it."""
    with pytest.raises(ModelError, match=complaint) as caught:
        load_model(spec, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("own")
def test_a_factorys_own_error_is_passed_on():
    """An adapter's `FairferError` says it best itself."""
    with pytest.raises(UsageError, match="own words"):
        load_model("own_models:refusing")


@pytest.mark.usefixtures("own")
def test_registered_names_and_schemes_come_first(monkeypatch):
    """Built-in models and anyone's plugins come through the same door."""
    fake_points(
        monkeypatch,
        [
            (MODELS, "mine", "own_models:make"),
            (SCHEMES, "sized", "own_models:make"),
            (MODELS, "broken", "own_models:nothing"),
            (MODELS, "absent", "not_installed_anywhere:load"),
        ],
    )
    assert load_model("mine").name == "made 1 grey"
    assert load_model("sized:9", colour="rgb").name == "made 9 rgb"
    assert list(registered_models()) == ["absent", "broken", "mine", "sized:"]
    with pytest.raises(ModelError, match="has no option 'size'"):
        load_model("sized:9", size="3")
    for name in ("broken", "absent"):
        with pytest.raises(ModelError, match=f"model '{name}' .* cannot be imported: .*; install what it needs"):
            load_model(name)


@pytest.mark.usefixtures("own")
def test_a_registered_model_is_described_by_its_factorys_first_line(monkeypatch):
    """``fairfer models`` needs no list of its own."""
    fake_points(monkeypatch, [(MODELS, "mine", "own_models:make"), (SCHEMES, "bare", "own_models:needy")])
    assert describe_models() == {"mine": "Make one.", "bare:": "own_models:needy"}


@pytest.mark.usefixtures("own")
def test_a_broken_plugin_does_not_hide_the_other_models(monkeypatch):
    """It is listed with what it lacks."""
    fake_points(monkeypatch, [(MODELS, "absent", "not_here:load"), (MODELS, "mine", "own_models:make")])
    found = describe_models()
    assert found["mine"] == "Make one."
    assert "cannot be imported" in found["absent"]


@pytest.mark.usefixtures("own")
def test_two_packages_cannot_register_the_same_name(monkeypatch):
    """Which of the two would answer must not depend on the order of installation."""
    same = [(MODELS, "m", "a:load"), (MODELS, "m", "a:load")]
    fake_points(monkeypatch, same)
    assert registered_models() == {"m": "a:load"}
    fake_points(monkeypatch, [*same, (MODELS, "m", "b:load")])
    with pytest.raises(
        ModelError, match=re.escape("two installed packages register the model 'm': a:load and b:load; remove one")
    ):
        registered_models()


def test_a_factorys_module_says_whether_it_is_ready(monkeypatch, tmp_path):
    """``fairfer models`` shows what a module's ``readiness`` says of this machine."""
    (tmp_path / "own_ready.py").write_text(
        'def make():\n    """Make one."""\n\ndef readiness():\n    return "not ready: no weights"\n', encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "own_ready", raising=False)
    fake_points(monkeypatch, [(MODELS, "mine", "own_ready:make")])
    assert describe_models() == {"mine": "Make one. (not ready: no weights)"}
