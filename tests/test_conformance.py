"""Every registered model, loader and format is run through the checks of `fairfer.testing` somewhere in these tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fairfer import plugins
from fairfer.models.registry import MODELS, SCHEMES, load_model
from fairfer.testing import check_model

TESTS = Path(__file__).parent

CHECKED = {
    MODELS: {
        "baseline": "test_conformance.py",
        "deepface": "test_adapter_deepface.py",
        "emotiefflib": "adapters/test_adapter_affectnet_networks.py",
        "fer": "adapters/test_adapter_fer.py",
        "hsemotion": "adapters/test_adapter_affectnet_networks.py",
        "py-feat": "adapters/test_adapter_pyfeat.py",
        "py-feat-aus": "adapters/test_adapter_pyfeat.py",
    },
    SCHEMES: {
        "hf": "adapters/test_huggingface.py",
        "http": "test_models_elsewhere.py",
        "https": "test_models_elsewhere.py",
        "keras": "adapters/test_keras.py",
        "onnx": "test_adapter_onnx.py",
        "openai": "test_models_elsewhere.py",
        "process": "test_models_elsewhere.py",
        "sklearn": "adapters/test_sklearn.py",
        "torch": "adapters/test_torch.py",
    },
    "fairfer.loaders": {
        **dict.fromkeys(
            ("affectnet", "bp4d", "ck+", "disfa", "expw", "fer2013", "ferplus", "folder", "jaffe", "kdef", "raf-db", "table"),
            "loaders/test_detection.py",
        ),
        "cremad": "test_loaders_cremad.py",
        "fiftyone": "test_loaders_fiftyone.py",
        "huggingface": "test_loaders_huggingface.py",
    },
    "fairfer.dataset_schemes": {"hf-dataset": "test_loaders_huggingface.py"},
    "fairfer.prediction_formats": dict.fromkeys(
        ("deepface", "facepp", "openface", "py-feat", "rekognition", "transformers"), "test_prediction_formats.py"
    ),
}
"""For each group of entry points the file in which each of its own is checked."""


@pytest.mark.parametrize("group", CHECKED)
def test_everything_that_is_registered_is_checked(group):
    """A new adapter, loader or format needs a test that runs the kit."""
    registered = {name for name, point in plugins.registered(group).items() if point.value.startswith("fairfer.")}
    assert registered == set(CHECKED[group])
    for file in set(CHECKED[group].values()):
        assert re.search(r"check_(model|layout|loader)\(", (TESTS / file).read_text(encoding="utf-8")), file


def test_the_bundled_model_keeps_the_contract():
    """Alone and in batches, gray, tiny and huge images."""
    check_model(load_model("baseline"))
