"""``sklearn:``: classifiers with ``predict_proba``."""

from __future__ import annotations

import sys

import joblib
import numpy as np
import pytest
from PIL import Image
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.svm import LinearSVC

from fairfer.errors import ModelError
from fairfer.models.adapters import sklearn as adapter
from fairfer.models.registry import load_model
from fairfer.testing import check_loading, check_model

OPTIONS = {"size": "4", "color": "gray", "scaling": "0..1"}
RNG = np.random.default_rng(4)
FACES = RNG.random((60, 16))
WORDS = np.array(["happy", "sad", "angry"])[RNG.integers(0, 3, 60)]


SOURCE = """
import pathlib
import joblib

number = 3

def make():
    return joblib.load(pathlib.Path(__file__).parent / "saved/faces.joblib")

def needy(x):
    return x
"""


@pytest.fixture
def put(monkeypatch, tmp_path):
    """A classifier in a file, or as an attribute of a module."""

    def put(classifier, name="faces.joblib"):
        (tmp_path / "saved").mkdir(exist_ok=True)
        path = tmp_path / "saved" / name
        if path.suffix == ".skops":
            pytest.importorskip("skops.io", reason="skops is not installed").dump(classifier, path)
        else:
            joblib.dump(classifier, path)
        return path

    (tmp_path / "own_sk.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield put
    sys.modules.pop("own_sk", None)


@pytest.fixture
def logistic():
    return LogisticRegression().fit(FACES, WORDS)


def test_a_file_is_a_model_in_one_line(put, logistic):
    """Its classes are the labels; the rows are the pixels."""
    path = put(logistic)

    def by_hand(picture):
        image = Image.open(picture)
        small = image.resize((4, 4), Image.Resampling.BILINEAR).convert("L")
        return logistic.predict_proba((np.asarray(small) / 255).reshape(1, -1))[0]

    model = load_model(f"sklearn:{path}", trust="yes", **OPTIONS)
    assert model.labels.labels == ("anger", "happiness", "sadness")
    assert model.options["library"].startswith("scikit-learn ")
    check_model(model, reference=by_hand)
    check_loading(lambda target: load_model(f"sklearn:{target}", trust="yes", **OPTIONS), path)


def test_skops_needs_no_trust(put, logistic, images):
    path = put(logistic, "faces.skops")
    check_model(load_model(f"sklearn:{path}", **OPTIONS), images)
    check_loading(lambda target: load_model(f"sklearn:{target}", **OPTIONS), path)


def test_a_pickle_needs_trust(put, logistic):
    path = put(logistic)
    with pytest.raises(ModelError, match="is a pickle, and reading one runs the code in it"):
        load_model(f"sklearn:{path}", **OPTIONS)


def test_a_function_may_return_the_classifier(put, logistic, images):
    put(logistic)
    check_model(load_model("sklearn:own_sk:make", **OPTIONS), images)


def test_codes_need_names(put, images):
    """Classes 0, 1, 2 say nothing about emotions."""
    codes = LogisticRegression().fit(FACES, RNG.integers(0, 3, 60))
    path = put(codes)
    with pytest.raises(ModelError, match="does not name its labels"):
        load_model(f"sklearn:{path}", trust="yes", **OPTIONS)
    model = load_model(f"sklearn:{path}", trust="yes", labels="happy,sad,angry", **OPTIONS)
    check_model(model, images)


def test_several_outputs_are_several_labels(put, images):
    """One pair of probabilities per label; the second is that of the label."""
    several = MultiOutputClassifier(LogisticRegression()).fit(FACES, RNG.integers(0, 2, (60, 2)))
    model = load_model(f"sklearn:{put(several)}", trust="yes", labels="AU6,AU12", **OPTIONS)
    assert model.task == "multi-label"
    check_model(model, images)
    batch = model.preprocessing.batch(images).reshape(len(images), -1)
    expected = [p[:, 1] for p in several.predict_proba(batch)]
    assert np.allclose([a.scores for a in model.predict(images)], np.transpose(expected))


def test_a_label_that_never_occurred_in_training_is_an_error(put):
    """Its array has one column, whose meaning the library does not say."""
    several = MultiOutputClassifier(DummyClassifier()).fit(FACES, np.array([[0, 1]] * 60))
    with pytest.raises(ModelError, match="each label needs both classes"):
        load_model(f"sklearn:{put(several)}", trust="yes", labels="AU6,AU12", **OPTIONS)


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("own_sk:number", "is of type int and has no predict_proba"),
        ("own_sk:needy", "calling needy without arguments fails"),
        ("own_sk", "is neither a file"),
        ("missing.pkl", "missing.pkl does not exist"),
    ],
)
@pytest.mark.usefixtures("put")
def test_a_wrong_target_is_one_line(target, complaint):
    with pytest.raises(ModelError) as caught:
        load_model(f"sklearn:{target}", **OPTIONS)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_classifier_without_probabilities_says_what_to_do(put):
    path = put(LinearSVC().fit(FACES, WORDS))
    with pytest.raises(ModelError, match=r"has no predict_proba; use .*, or fairfer.wrap"):
        load_model(f"sklearn:{path}", trust="yes", **OPTIONS)


def test_a_skops_file_with_unknown_types_is_refused(tmp_path):
    (tmp_path / "page.skops").write_text("<html>", encoding="utf-8")
    pytest.importorskip("skops.io", reason="skops is not installed")
    with pytest.raises(ModelError, match="is not a classifier that skops can read safely"):
        load_model(f"sklearn:{tmp_path / 'page.skops'}", **OPTIONS)


def test_readiness_and_library():
    assert adapter.readiness().state == "ready"

    class Own:
        pass

    assert adapter._library(Own()) == Own.__module__.partition(".")[0]
