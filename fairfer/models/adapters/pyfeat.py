"""Emotions and action units of py-feat's detectors ``Detectorv1`` and ``Detectorv2``.

Each image is analyzed alone. In batches, py-feat pads images of different sizes, which changes its answers.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
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

    from fairfer.vocabulary import Task

EXTRA = "py-feat"

FACE = "retinaface_r34"
MULTITASK = "face_multitask_v2"

WEIGHTS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    FACE: (("model.safetensors", "retinaface_r34.safetensors"),),
    MULTITASK: (("*.safetensors",),),
    "mobilefacenet": (("mobilefacenet_model_best.pth.tar",),),
    "resmasknet": (("config.json",), ("ResMaskNet_Z_resmasking_dropout1_rot30.pth",)),
    "svm_emo": (("svm_emo_classifier.skops",),),
    "xgb_au": (("xgb_au_classifier_v2.skops", "xgb_au_classifier.skops"),),
    "svm_au": (("svm_au_classifier_v2.skops", "svm_au_classifier.skops"),),
}
"""Files of each Hugging Face repository ``py-feat/NAME``; of several alternatives, py-feat takes the first that exists."""

EMOTION_MODELS: Mapping[str, tuple[str, ...]] = {"resmasknet": ("resmasknet",), "svm": ("mobilefacenet", "svm_emo")}
AU_MODELS: Mapping[str, tuple[str, ...]] = {"xgb": ("mobilefacenet", "xgb_au"), "svm": ("mobilefacenet", "svm_au")}
"""Repositories that each model of `Detectorv1` needs beside the face detector."""

PIPELINES = ("v1", "v2")
DETECTORS = ("retinaface", "skip")


@dataclass(frozen=True)
class _Settings:
    """What to build: the name of the model, py-feat's parameter for it, and the options."""

    name: str
    part: str
    model: str
    pipeline: str
    detector: str
    device: str
    weights: str
    download: str

    @property
    def repositories(self) -> tuple[str, ...]:
        """Hugging Face repositories whose files are needed."""
        if self.pipeline == "v2":
            return (FACE,) if self.weights else (FACE, MULTITASK)
        return (FACE, *(EMOTION_MODELS if self.part == "emotion_model" else AU_MODELS)[self.model])


def load(
    *,
    pipeline: str = "v1",
    emotion_model: str = "",
    detector: str = "retinaface",
    device: str = "cpu",
    weights: str = "",
    download: str = "no",
) -> LibraryModel:
    """The emotions of py-feat (--option pipeline=v2 for Detectorv2).

    Parameters
    ----------
    pipeline
        ``v1`` (default): `feat.Detectorv1`. ``v2``: `feat.Detectorv2`, one network for all tasks.
    emotion_model
        Of `Detectorv1`: ``resmasknet`` (its default) or ``svm``.
    detector
        ``retinaface`` (default): the largest face that py-feat finds. ``skip``: the images are face crops.
    device
        ``cpu`` (default), or a device of PyTorch such as ``cuda``.
    weights
        Of `Detectorv2`: a local file of its network.
    download
        ``yes`` lets py-feat download missing weights; by default nothing is downloaded.

    Raises
    ------
    ModelError
        If py-feat is not installed, weights are missing or damaged, or an option is wrong.
    """
    _check_part("emotion_model", emotion_model, pipeline, EMOTION_MODELS)
    model = emotion_model or "resmasknet"
    return _load(_Settings("py-feat", "emotion_model", model, pipeline, detector, device, weights, download))


def load_aus(
    *,
    pipeline: str = "v1",
    au_model: str = "",
    detector: str = "retinaface",
    device: str = "cpu",
    weights: str = "",
    download: str = "no",
) -> LibraryModel:
    """The action units of py-feat, multi-label (--option pipeline=v2 for Detectorv2).

    Parameters
    ----------
    pipeline
        ``v1`` (default): `feat.Detectorv1`. ``v2``: `feat.Detectorv2`, one network for all tasks.
    au_model
        Of `Detectorv1`: ``xgb`` (its default; probabilities) or ``svm`` (decisions, 0 or 1).
    detector, device, weights, download
        As of `load`.

    Raises
    ------
    ModelError
        As `load`.
    """
    _check_part("au_model", au_model, pipeline, AU_MODELS)
    return _load(_Settings("py-feat-aus", "au_model", au_model or "xgb", pipeline, detector, device, weights, download))


def readiness() -> Readiness:
    """Whether py-feat is installed and which weights are in its folder; imports nothing."""
    state = packages_readiness(EXTRA, "feat")
    if state.state != "ready":
        return state
    ready = [name for name in WEIGHTS if _files((name,), _folder())]
    if FACE not in ready or len(ready) == 1:
        return Readiness(
            "needs weights", f"of the Hugging Face repositories py-feat/NAME in {_folder()}, or --option download=yes"
        )
    return Readiness("ready", ", ".join(ready))


def _check_part(option: str, value: str, pipeline: str, models: Mapping[str, object]) -> None:
    check_choice("pipeline", pipeline, PIPELINES)
    if value:
        check_choice(option, value, tuple(models))
        if pipeline == "v2":
            message = f"option {option}={value!r}: Detectorv2 has one network for all tasks; remove it, or use pipeline=v1"
            raise ModelError(message)


def _load(settings: _Settings) -> LibraryModel:
    check_choice("detector", settings.detector, DETECTORS)
    check_choice("download", settings.download, ("yes", "no"))
    if settings.weights and settings.pipeline == "v1":
        message = "option weights is for pipeline=v2; Detectorv1 reads its weights from the folder of py-feat"
        raise ModelError(message)
    if settings.weights and not Path(settings.weights).is_file():
        message = f"option weights={settings.weights!r}: there is no such file; check the path"
        raise ModelError(message)
    with isolated("py-feat"), _kept_gradients():
        check_torchvision(f"model {settings.name!r}")
        module = require("feat", what=f"model {settings.name!r}", extra=EXTRA)
    folder = _folder()
    if settings.download == "no":
        _check_weights(settings, folder)
    network = _build(module, settings, folder)
    columns = _columns(network, settings)
    spellings = [f"AU{int(c[2:])}" for c in columns] if settings.part == "au_model" else columns
    labels = LabelSpace.of(f"py-feat {len(columns)}", spellings)
    weights = [*_files(settings.repositories, folder), *([Path(settings.weights)] if settings.weights else [])]
    task: Task = "multi-label" if settings.part == "au_model" else "single-label"
    parts = {settings.part: settings.model} if settings.pipeline == "v1" else {}
    return LibraryModel(
        name=settings.name,
        version=f"py-feat {module.__version__} (weights sha256 {weights_digest(weights)})",
        labels=labels,
        library="py-feat",
        answer=_answer(network, columns, settings.detector),
        options={
            "pipeline": settings.pipeline,
            **parts,
            "detector": settings.detector,
            "device": settings.device,
            "color": "rgb",
            "size": "py-feat's own crop of the face",
            "images_per_call": "1",
        },
        files=[Path(__file__)],
        task=task,
    )


def _folder() -> Path:
    """The folder in which py-feat keeps its weights; nothing is imported."""
    places = getattr(find_spec("feat"), "submodule_search_locations", None) or [""]
    return Path(places[0]) / "resources"


def _files(repositories: Sequence[str], folder: Path) -> list[Path]:
    """The files of repositories in a folder of the Hugging Face hub; none if one is missing."""
    files: list[Path] = []
    for name in repositories:
        place = folder / f"models--py-feat--{name}"
        try:
            snapshot = place / "snapshots" / (place / "refs" / "main").read_text(encoding="utf-8").strip()
        except OSError:
            return []
        for alternatives in WEIGHTS[name]:
            present = [path for pattern in alternatives for path in sorted(snapshot.glob(pattern))]
            if not present:
                return []
            files.append(present[0])
    return files


def _check_weights(settings: _Settings, folder: Path) -> None:
    missing = [name for name in settings.repositories if not _files((name,), folder)]
    if missing:
        message = (
            "py-feat: weights of the Hugging Face repositories "
            f"{', '.join(f'py-feat/{name}' for name in missing)} are missing; "
            "let py-feat download them with the model option download=yes, or copy the folders "
            f"{', '.join(f'models--py-feat--{name}' for name in missing)} of another installation into {folder}"
        )
        raise ModelError(message)


def _build(module: ModuleType, settings: _Settings, folder: Path) -> Any:
    """py-feat's detector."""
    online = settings.download == "yes"
    try:
        with isolated("py-feat", network=online), _offline(active=not online), _kept_gradients():
            if settings.pipeline == "v2":
                weights = settings.weights or next(iter(_files((MULTITASK,), folder)), None)
                path = str(weights) if weights else None
                network = module.Detectorv2(device=settings.device, identity_model=None, multitask_weights=path)
            else:
                parts: dict[str, str | None] = {"au_model": None, "emotion_model": None, settings.part: settings.model}
                needs_landmarks = "mobilefacenet" in settings.repositories
                network = module.Detectorv1(
                    landmark_model="mobilefacenet" if needs_landmarks else None,
                    identity_model=None,
                    gaze_model=None,
                    device=settings.device,
                    **parts,
                )
    except Exception as error:
        advice = "check the network" if online else f"replace the damaged file in {folder}"
        message = f"py-feat cannot build its detector ({first_line(error)}); {advice}"
        raise ModelError(message) from error
    if settings.detector == "skip":
        setattr(network, "face_detector" if settings.pipeline == "v2" else "facepose_detector", _whole_image)
    return network


def _columns(network: Any, settings: _Settings) -> list[str]:
    """py-feat's names of the emotions or action units."""
    if settings.pipeline == "v2":
        names = network.multitask.emotion_names if settings.part == "emotion_model" else network.multitask.au_names
        return [str(name) for name in names]
    from feat.pretrained import AU_LANDMARK_MAP
    from feat.utils import FEAT_EMOTION_COLUMNS

    return list(FEAT_EMOTION_COLUMNS if settings.part == "emotion_model" else AU_LANDMARK_MAP["Feat"])


def _whole_image(frames: Any) -> list[list[list[float]]]:
    """In place of the face detector: one box around each whole image, as (left, top, right, bottom, score)."""
    height, width = frames.shape[-2:]
    return [[[0.0, 0.0, float(width), float(height), 1.0]] for _ in range(len(frames))]


def _answer(network: Any, columns: Sequence[str], detector: str) -> Callable[[Sequence[NDArray[np.uint8]]], list[Prediction]]:
    def one(image: NDArray[np.uint8]) -> Prediction:
        import torch

        tensor = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]
        with contextlib.redirect_stderr(io.StringIO()), _offline():  # a progress bar per image
            rows = network.detect(tensor, data_type="tensor", batch_size=1, progress_bar=False)
        rows = rows[rows["FaceRectWidth"].notna()]
        if not len(rows):
            return Prediction("no_face", detail=f"py-feat's detector {detector} found no face")
        largest = int(np.argmax((rows["FaceRectWidth"] * rows["FaceRectHeight"]).to_numpy()))
        detail = f"{len(rows)} faces were found; the largest was read" if len(rows) > 1 else ""
        return Prediction("ok", rows[list(columns)].to_numpy(dtype=np.float64)[largest], detail)

    return lambda images: [one(image) for image in images]


@contextlib.contextmanager
def _offline(*, active: bool = True) -> Iterator[None]:
    """Tell the client of the Hugging Face hub that there is no network; it would retry for seconds, for each image.

    `Detectorv1` asks for a network for head poses whenever it has landmarks; without it poses are missing, which are not used.
    """
    constants: Any = sys.modules.get("huggingface_hub.constants")
    if constants is None or not active:
        yield
        return
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


@contextlib.contextmanager
def _kept_gradients() -> Iterator[None]:
    """Restore what py-feat switches off for the whole process when it builds its face detector."""
    enabled = sys.modules["torch"].is_grad_enabled() if "torch" in sys.modules else True
    try:
        yield
    finally:
        if "torch" in sys.modules:
            sys.modules["torch"].set_grad_enabled(enabled)
