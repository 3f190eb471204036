"""A user's own model can neither end nor change the audit, and every fault of it is one line that names the model."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from fairfer import FairferError, LabelSpace, Prediction, rebuild
from fairfer.errors import ModelError, RunError
from fairfer.files import UNFINISHED, mark_unfinished
from fairfer.models.boundary import CheckedModel, declaration
from fairfer.models.foreign_code import foreign_code
from fairfer.models.registry import load_model
from fairfer.predictions.inference import predict
from fairfer.testing import FakeModel

IMAGES = [np.full((4, 4, 3), level, np.uint8) for level in (1, 2, 3)]
IDS = ["a.png", "b.png", "c.png"]


def asked(answer, **members):
    """What fairfer makes of a model whose `predict` returns `answer(images)`."""
    model = FakeModel(("happy", "sad"))
    vars(model).update(members)
    model.predict = answer
    return CheckedModel(model).predict(IMAGES, IDS)


def ok(*scores):
    return Prediction("ok", np.array(scores))


def raising(error):
    def answer(images):
        raise error

    return answer


@pytest.mark.parametrize(
    "error", [SystemExit(0), SystemExit("bye"), KeyboardInterrupt(), GeneratorExit(), BaseException("x")], ids=repr
)
def test_a_model_cannot_end_the_program(error):
    with pytest.raises(ModelError, match=r"model fake tried to end the program .*\(on image a.png\)"):
        asked(raising(error))


@pytest.mark.parametrize("where", [2, 3])
def test_an_exception_names_the_image(where):
    """Its type stays; the image is found by asking one by one."""

    def answer(images):
        if any(int(image[0, 0, 0]) == where for image in images):
            message = "boom"
            raise ZeroDivisionError(message)
        return [ok(1, 2) for _ in images]

    with pytest.raises(ZeroDivisionError) as caught:
        asked(answer)
    assert caught.value.__notes__ == [f"model fake failed on image {IDS[where - 1]}"]


def test_an_exception_on_a_whole_batch_names_its_ends():
    def answer(images):
        if len(images) > 1:
            message = "too many"
            raise ValueError(message)
        return [ok(1, 2)]

    with pytest.raises(ValueError, match="too many") as caught:
        asked(answer)
    assert "the 3 images a.png to c.png, but on none of them alone" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (lambda images: None, "returned a NoneType; predict must return a list"),
        (lambda images: {"happy": 1}, "returned a dict; predict must return a list"),
        (lambda images: "abc", "returned a str; predict must return a list"),
        (lambda images: (ok(1, 2) for _ in images[1:]), "returned a generator; predict must return a list"),
        (lambda images: [ok(1, 2)] * 2, "returned 2 answers for 3 images"),
        (lambda images: [], "returned 0 answers for 3 images"),
        (lambda images: [ok(1, 2), None, ok(1, 2)], "returned a list with a NoneType at position 1"),
        (
            lambda images: [ok("0.1", "0.9")] * 3,
            r"returned scores that are not numbers \(they are of type str_\).*\(image a.png\)",
        ),
        (lambda images: [ok(1j, 2)] * 3, "returned scores that are not numbers"),
        (lambda images: [Prediction("ok", [[1], [1, 2]])] * 3, "returned scores that are not numbers"),
        (lambda images: [Prediction("ok", [None, 1])] * 3, "returned scores that are not numbers"),
        (lambda images: [ok(1, 2), ok(1, 2, 3), ok(1, 2)], r"returned scores of shape \(3,\).*\(image b.png\)"),
        (lambda images: [Prediction("ok", np.ones((1, 2)))] * 3, r"returned scores of shape \(1, 2\)"),
        (lambda images: [Prediction(["ok"], np.ones(2))] * 3, r"returned the status \['ok'\]"),
        (lambda images: [Prediction(None, np.ones(2))] * 3, "returned the status None"),
        (lambda images: [Prediction("error", detail=3)] * 3, "returned a detail that is not text: 3"),
    ],
)
def test_a_wrong_answer_is_one_line(answer, complaint):
    with pytest.raises(ModelError, match=f"model fake {complaint}") as caught:
        asked(answer)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("scores", [[True, False], [1, 0], np.array([0.5, 0.5], np.float16), (0.1, 0.9)])
def test_any_numbers_are_scores(scores):
    answers = asked(lambda images: [Prediction("ok", scores) for _ in images])
    assert answers[0].scores.dtype == np.float32
    assert np.allclose(answers[0].scores, np.asarray(scores, float), atol=1e-3)


def test_details_are_cleaned():
    """A text that UTF-8 cannot express would end the run when it is stored."""
    answers = asked(lambda images: [Prediction("error", detail="a\nb \ud800")] * 3)
    assert answers[0].detail == "a b ?"


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ({"batch_size": None}, "its batch_size must be a whole number of at least 1, not None"),
        ({"batch_size": 0}, "its batch_size must be"),
        ({"batch_size": "8"}, "its batch_size must be"),
        ({"batch_size": 8.0}, "its batch_size must be"),
        ({"batch_size": True}, "its batch_size must be"),
        ({"options": ["a"]}, "its options must be a mapping"),
        ({"options": None}, "its options must be a mapping"),
        ({"files": "weights.bin"}, "its files must be a list of paths"),
        ({"files": [3]}, "its files must be a list of paths"),
        ({"files": None}, "its files must be a list of paths"),
        ({"files": ["/nowhere/w.bin"]}, r"depends on /nowhere/w.bin, which cannot be read \(No such file"),
        ({"labels": ["happy", "sad"]}, "its labels must be a fairfer.LabelSpace"),
        ({"version": 3}, "its version must be text, not 3"),
        ({"version": "\ud800"}, "its version must be text that can be written as UTF-8"),
        ({"name": " "}, "its name must be text"),
        ({"predict": 3}, "its predict must be a method"),
        ({"task": "regression"}, "has the task 'regression'"),
    ],
)
def test_a_wrong_declaration_is_one_line(members, complaint):
    model = FakeModel()
    vars(model).update(members)
    with pytest.raises(ModelError, match=complaint) as caught:
        declaration(model)
    assert "\n" not in str(caught.value)


def test_a_model_without_a_version_is_named(toy):
    class Partial:
        name = "partial"

    with pytest.raises(ModelError, match="of type Partial and has no version, labels, predict"):
        predict(toy(["fear"]), Partial())


def test_labels_that_change_are_refused():
    model = FakeModel(("happy", "sad"))

    def answer(images):
        model.labels = LabelSpace.of("other", ["sad", "happy"])
        return [ok(1, 2) for _ in images]

    model.predict = answer
    with pytest.raises(ModelError, match="changed its labels while it was asked, from happiness, sadness to"):
        CheckedModel(model).predict(IMAGES, IDS)


def test_a_model_changes_nothing_of_the_process(tmp_path, monkeypatch, capsys):
    """Streams, signals, warning filters, NumPy's error handling and the working directory are restored."""
    monkeypatch.chdir(Path.cwd())
    before = (list(warnings.filters), np.geterr(), Path.cwd(), sys.stdout, sys.stderr, signal.getsignal(signal.SIGTERM))
    with foreign_code("model x"):
        warnings.simplefilter("ignore")
        np.seterr(all="raise")
        os.chdir(tmp_path)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.stdout.write("from the model\n")
        sys.stdout = sys.stderr = None
    after = (list(warnings.filters), np.geterr(), Path.cwd(), sys.stdout, sys.stderr, signal.getsignal(signal.SIGTERM))
    assert after == before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    out = capsys.readouterr()
    assert (out.out, out.err) == ("", "from the model\n")


def test_the_keyboard_interrupts_a_model_that_catches_everything():
    def swallow():
        with contextlib.suppress(BaseException):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), foreign_code("model x"):
        swallow()


# ---- identity


OWN = """
import fairfer, helper
from parts import inner
from fairfer.testing import FakeModel
class Mine(FakeModel):
    files = {files}
    def predict(self, images):
        import lazy
        return super().predict(images)
class Other(Mine):
    pass
def make(size="1"):
    return Mine()
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A model with helper modules, one of them imported late, a weights file and a folder of files."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "data").mkdir()
    for name, text in {
        "own_model_x.py": OWN.format(files=["weights.bin", "data"]),
        "helper.py": "import importlib\nimportlib.import_module('deep_x')\n",
        "deep_x.py": "",
        "parts/__init__.py": "",
        "parts/inner.py": "from . import sibling\n",
        "parts/sibling.py": "",
        "lazy.py": "",
        "unrelated.py": "",
        "weights.bin": "1",
        "data/vocabulary.txt": "a",
    }.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    names = ("own_model_x", "helper", "deep_x", "parts", "parts.inner", "parts.sibling", "lazy")
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield tmp_path
    for name in names:
        sys.modules.pop(name, None)


def code(spec="own_model_x:Mine", **options):
    return declaration(load_model(spec, **options)).options["code"]


@pytest.mark.parametrize(
    "file",
    ["own_model_x.py", "helper.py", "deep_x.py", "parts/__init__.py", "parts/inner.py", "parts/sibling.py", "lazy.py",
     "weights.bin", "data/vocabulary.txt"],
)  # fmt: skip
def test_an_edited_file_changes_the_identity(own, file):
    before = code()
    assert code() == before
    (own / file).write_text((own / file).read_text() + "\n# edited\n")
    assert code() != before


def test_an_edited_helper_in_another_folder_changes_the_identity(own, tmp_path_factory, monkeypatch):
    """As where the model is in the working directory and its helpers in a folder of PYTHONPATH; they import each other."""
    library = tmp_path_factory.mktemp("library")
    (library / "elsewhere_x").mkdir()
    for name, text in {"__init__": "", "top": "from . import inner", "inner": "SIZE = 1"}.items():
        (library / "elsewhere_x" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(library))
    (own / "own_model_x.py").write_text("import elsewhere_x.top\n" + (own / "own_model_x.py").read_text())
    before = code()
    (library / "elsewhere_x" / "inner.py").write_text("SIZE = 2")
    assert code() != before


def test_an_unrelated_file_does_not_change_the_identity(own):
    before = code()
    (own / "unrelated.py").write_text("# edited")
    assert code() == before


@pytest.mark.usefixtures("own")
def test_the_class_and_the_options_of_a_factory_are_part_of_the_identity():
    """Two models of one module may have the same name and version."""
    assert code("own_model_x:Mine") != code("own_model_x:Other")
    assert declaration(load_model("own_model_x:make", size="2")).options["size"] == "2"


def test_the_content_of_a_file_given_as_an_option_is_part_of_the_identity(own):
    before = code("own_model_x:make", size="weights.bin")
    (own / "weights.bin").write_text("2")
    assert code("own_model_x:make", size="weights.bin") != before


def test_the_number_of_reused_answers_is_known(toy, tmp_path):
    calls = []
    for _ in range(2):
        predict(toy(["fear"] * 3), FakeModel(), tmp_path / "run", on_reuse=lambda *counts: calls.append(counts))
    assert calls == [(0, 3), (3, 3)]


# ---- the command line

MODELS = """
import atexit, os, sys, threading, time
import numpy as np, fairfer
class Base:
    name, version = "base", "1"
    labels = fairfer.LabelSpace.of("two", ["happy", "neutral"])
    def predict(self, images):
        self.act()
        return [fairfer.Prediction("ok", np.array([i.std(), 50.0])) for i in images]
    def act(self): pass
class Exits(Base):
    def act(self): sys.exit(0)
class Vanishes(Base):
    version = "2"
    def act(self): os._exit(0)
class Prints(Base):
    def act(self):
        print("::error::injected"); print("##[error]injected"); os.system("echo native"); os.chdir("/")
class Slow(Base):
    def act(self): time.sleep(30)
def leave(): sys.exit(0)
def vanish(): os._exit(0)
"""


@pytest.fixture
def folder(tmp_path, write_pictures):
    """A folder of faces and a module of models."""
    write_pictures(tmp_path / "faces", [f"{n}/{i}.png" for n in ("happy", "neutral") for i in range(30)])
    (tmp_path / "robust_models.py").write_text(MODELS)
    return tmp_path


def fairfer(*arguments, cwd, **options):
    command = [sys.executable, "-m", "fairfer", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, **options)


@pytest.mark.parametrize("attribute", ["Exits", "leave"])
def test_sys_exit_in_a_model_is_exit_code_2(folder, attribute):
    done = fairfer("audit", "faces", "--model", f"robust_models:{attribute}", "--out", "run", cwd=folder)
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = [line for line in done.stderr.splitlines() if line.startswith("fairfer:")]
    assert "tried to end the program (sys.exit(0))" in line


@pytest.mark.slow
@pytest.mark.parametrize("attribute", ["Vanishes", "vanish"])
def test_an_audit_that_os_exit_ended_leaves_nothing_to_judge(folder, attribute):
    """`os._exit` cannot be caught, so the folder is marked before any code of the model runs."""
    (folder / "policy.toml").write_text("[[rules]]\nname='a'\nrate='coverage'\nattribute='split'\nmin_worst=0.1\n")
    first = fairfer("audit", "faces", "--model", "robust_models:Base", "--out", "run", "--permutations", "100", cwd=folder)
    assert first.returncode == 0, first.stderr
    fairfer("audit", "faces", "--model", f"robust_models:{attribute}", "--out", "run", "--overwrite", cwd=folder)
    assert (folder / "run" / UNFINISHED).exists()
    for command in (["gate", "run", "--policy", "policy.toml"], ["report", "run"], ["compare", "run", "run"]):
        done = fairfer(*command, cwd=folder)
        assert done.returncode == 2
        assert "run is unfinished" in done.stderr
        assert "Traceback" not in done.stderr
    again = fairfer("audit", "faces", "--model", "robust_models:Base", "--out", "run", "--permutations", "100",
                    "--overwrite", cwd=folder)  # fmt: skip
    assert again.returncode == 0
    assert not (folder / "run" / UNFINISHED).exists()


@pytest.mark.slow
def test_a_refused_command_does_not_mark_the_audit(folder):
    """The predictions of the other model are still there, and so is their audit."""
    fairfer("audit", "faces", "--model", "robust_models:Base", "--out", "run", "--permutations", "100", cwd=folder)
    done = fairfer("audit", "faces", "--model", "robust_models:Vanishes", "--out", "run", cwd=folder)
    assert done.returncode == 2
    assert "holds predictions with another" in done.stderr
    assert not (folder / "run" / UNFINISHED).exists()
    rebuild(folder / "run")


def test_a_marked_run_is_refused_in_python(tmp_path):
    from fairfer import Audit
    from fairfer.audits.stored_samples import read_samples

    mark_unfinished(tmp_path)
    for call in (Audit.read, read_samples):
        with pytest.raises(RunError, match="is unfinished"):
            call(tmp_path)


def test_a_model_cannot_print_among_the_results(folder):
    """Its output goes to stderr, without commands for a runner; a relative run folder stays where it was."""
    done = fairfer("predict", "faces", "--model", "robust_models:Prints", "--out", "run", cwd=folder)
    assert done.returncode == 0
    assert "injected" not in done.stdout
    assert "native" not in done.stdout
    assert "native" in done.stderr
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in done.stderr.splitlines())
    assert (folder / "run" / "run.json").is_file()
    again = fairfer("predict", "faces", "--model", "robust_models:Prints", "--out", "run", cwd=folder)
    assert "60 of 60 answers reused" in again.stderr


def test_ctrl_c_says_how_to_resume(folder):
    command = [sys.executable, "-m", "fairfer", "predict", "faces", "--model", "robust_models:Slow", "--out", "run"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (folder / "run" / UNFINISHED).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    [line] = err.splitlines()
    assert line.endswith("run the same command again: fairfer predict faces --model robust_models:Slow --out run")


def test_errors_of_models_are_errors_of_fairfer():
    assert issubclass(ModelError, FairferError)
