"""DeepFace's networks for gender, race and age as one `fairfer.Model`, whose scores are the probabilities of all three.

They are separate networks of the VGG-Face architecture, each with its own weights file. Faces are prepared as
``DeepFace.analyze`` prepares them (224 pixels a side, black borders, blue first, 0 to 1), and each network answers a batch.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fairfer.downloads import fetch
from fairfer.errors import DataError, ModelError, did_you_mean
from fairfer.labels import LabelSpace
from fairfer.models.adapters.deepface.engines import BACKENDS, Engine, build_detector, check_detector, choose_backend
from fairfer.models.adapters.deepface.isolation import first_line, isolated
from fairfer.models.adapters.deepface.loading import _import_deepface
from fairfer.models.model import Prediction

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.vocabulary import Task

SIDE = 224
"""Height and width of the networks' input."""

BATCH_SIZE = 16
"""Faces per call: the first layer of such a network holds 13 MB for each."""

AGES = tuple(str(age) for age in range(101))
"""Classes of the age network: whole years."""


OnDownload = Callable[[str, int, "int | None"], object]
"""Called with the name of a file, the bytes of it that are stored, and those of the whole file if they are known."""


class Head(NamedTuple):
    """One of the networks: DeepFace's name for it, its weights file without the suffix, and its classes in order."""

    deepface: str
    weights: str
    levels: tuple[str, ...]


HEADS: Mapping[str, Head] = {
    "gender": Head("Gender", "gender_model_weights", ("Woman", "Man")),
    "race": Head("Race", "race_model_single_batch", ("asian", "indian", "black", "white", "middle eastern", "latino hispanic")),
    "age": Head("Age", "age_model_weights", AGES),
}
"""Networks by the attribute that they infer, with DeepFace's own names of the classes."""


@dataclass(frozen=True)
class Part:
    """One network that was built.

    Attributes
    ----------
    client
        DeepFace's own model object.
    digest
        SHA-256 of the weights, hexadecimal.
    """

    client: Any
    digest: str


def label(attribute: str, level: str) -> str:
    """Name of the score of one level."""
    return f"{attribute}={level}"


class AttributeModel:
    """DeepFace's attribute networks; `load_attributes` makes one.

    Parameters
    ----------
    parts
        The networks by attribute.
    release
        DeepFace's version.
    options
        Back end and detector.
    download
        Whether DeepFace may download files that a detector lacks.
    """

    name = "deepface-attributes"
    task: Task = "multi-label"
    batch_size = BATCH_SIZE

    def __init__(self, parts: Mapping[str, Part], *, release: str, options: Mapping[str, str], download: bool) -> None:
        self.attributes = tuple(parts)
        self.labels = LabelSpace("DeepFace attributes", tuple(label(a, n) for a in parts for n in HEADS[a].levels))
        self.options = {**options, "attributes": ",".join(parts)}
        self.version = f"{release} (weights sha256 {', '.join(f'{a} {p.digest[:16]}' for a, p in parts.items())})"
        self.files = [Path(__file__)]
        self.release = release
        self.digests = {attribute: part.digest for attribute, part in parts.items()}
        self._parts = parts
        self._download = download

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """Answer for each (height, width, 3) RGB image, in order: the probabilities of each attribute sum to 1.

        An image without a face has the status ``no_face`` (only with a detector); one for which DeepFace fails has the status
        ``error``, and its neighbors are answered. Of several faces the largest is used, and ``detail`` says so.
        """
        answers: dict[int, Prediction] = {}
        faces: dict[int, NDArray[np.float32]] = {}
        details: dict[int, str] = {}
        for i, image in enumerate(images):
            answer = self._prepare(image)
            if isinstance(answer, Prediction):
                answers[i] = answer
            else:
                faces[i], details[i] = answer
        if faces:
            rows = self._run(np.stack(list(faces.values())))
            answers.update({i: _answer(row, details[i]) for i, row in zip(faces, rows, strict=True)})
        return [answers[i] for i in range(len(images))]

    def _prepare(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], str] | Prediction:
        """The networks' input of one face and a remark, or why there is none."""
        from deepface.modules import preprocessing

        face: NDArray[Any] = image[:, :, ::-1]
        detail = ""
        if self.options["detector"] == "skip":
            # DeepFace divides by 255 only what exceeds 1, here and in `resize_image`.
            face = face / 255 if face.size and face.max() > 1 else face
        else:
            found = self._detect(face)
            if isinstance(found, Prediction):
                return found
            face, detail = found
        try:
            return np.asarray(preprocessing.resize_image(np.ascontiguousarray(face), (SIDE, SIDE))[0], np.float32), detail
        except Exception as error:
            return Prediction("error", detail=f"DeepFace could not resize the image ({first_line(error)})")

    def _detect(self, image: NDArray[np.uint8]) -> tuple[NDArray[Any], str] | Prediction:
        from deepface.modules import detection
        from deepface.modules.exceptions import FaceNotDetected, ImgNotFound

        detector = self.options["detector"]
        try:
            with isolated(network=self._download):
                faces = detection.extract_faces(np.ascontiguousarray(image), detector_backend=detector)
        except (FaceNotDetected, ImgNotFound):  # ImgNotFound: only faces of size 0 were found
            return Prediction("no_face", detail=f"DeepFace's detector {detector} found no face")
        except Exception as error:
            return Prediction("error", detail=f"DeepFace's detector {detector} failed ({first_line(error)})")
        largest = max(faces, key=lambda face: face["facial_area"]["w"] * face["facial_area"]["h"])
        detail = f"{len(faces)} faces were found; the largest was read" if len(faces) > 1 else ""
        return largest["face"][:, :, ::-1], detail

    def _run(self, batch: NDArray[np.float32]) -> list[NDArray[np.float64] | Prediction]:
        """Scores of all networks for each face."""
        try:
            # A graph that was exported for one face at a time fails here, and answers below.
            return list(np.concatenate([answer(p.client, batch, len(HEADS[a].levels)) for a, p in self._parts.items()], axis=1))
        except Exception as error:
            if len(batch) == 1:
                return [Prediction("error", detail=f"the network failed ({first_line(error)})")]
            # One image must not cost its neighbors their answers.
            return [row for i in range(len(batch)) for row in self._run(batch[i : i + 1])]


def answer(client: Any, batch: NDArray[np.float32], levels: int) -> NDArray[np.float64]:
    """(n, levels) probabilities of one network for (n, 224, 224, 3) faces."""
    rows: NDArray[np.float64] = np.asarray(client._predict_internal(batch), np.float64).reshape(len(batch), levels)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled: NDArray[np.float64] = rows / rows.sum(axis=1, keepdims=True)
    return scaled


def _answer(row: NDArray[np.float64] | Prediction, detail: str) -> Prediction:
    if isinstance(row, Prediction):
        return row
    if not np.isfinite(row).all():
        return Prediction("error", detail="the network's output is not finite")
    return Prediction("ok", row, detail)


def load_attributes(
    attributes: Sequence[str] = tuple(HEADS),
    *,
    backend: str = "",
    detector: str = "skip",
    download: str = "no",
    on_download: OnDownload | None = None,
) -> AttributeModel:
    """DeepFace's networks for gender, race and age.

    Parameters
    ----------
    attributes
        Names in `HEADS`.
    backend
        ``onnx``, ``torch`` or ``tensorflow``. By default DeepFace's own choice.
    detector
        ``skip`` (default): the images are face crops. Otherwise one of DeepFace's detectors.
    download
        ``yes``: missing weights are downloaded; by default nothing is downloaded.
    on_download
        Called while that happens.

    Raises
    ------
    ModelError
        When the back end is not installed, the weights are missing or damaged, or an option is wrong.
    """
    for name in attributes:
        if name not in HEADS:
            message = f"DeepFace infers no attribute {name!r}; {did_you_mean(name, HEADS)}"
            raise ModelError(message)
    if download not in ("yes", "no"):
        message = f"option download={download!r} is not a choice; use yes or no"
        raise ModelError(message)
    release = _import_deepface()
    chosen = choose_backend(backend)
    check_detector(detector)
    engine = BACKENDS[chosen]
    if find_spec(engine.package) is None:
        message = (
            f"DeepFace's back end {chosen} needs the package {engine.package}, which is not installed; run: {engine.install}"
        )
        raise ModelError(message)
    ordered = [name for name in HEADS if name in attributes]
    files = {name: _weights_file(HEADS[name], engine) for name in ordered}
    missing = [path for path in files.values() if not path.is_file()]
    if missing and download != "yes":
        message = (
            f"DeepFace's attribute weights are missing: put {', '.join(p.name for p in missing)} into {missing[0].parent} "
            "(under DEEPFACE_HOME), or let fairfer download them with --option download=yes"
        )
        raise ModelError(message)
    parts = {name: _build(name, engine, path, on_download) for name, path in files.items()}
    if detector != "skip":
        build_detector(detector, download=download == "yes")
    return AttributeModel(parts, release=release, options={"backend": chosen, "detector": detector}, download=download == "yes")


def _weights_file(head: Head, engine: Engine) -> Path:
    """Where DeepFace looks for the weights."""
    from deepface.commons import folder_utils

    return Path(folder_utils.get_deepface_home()) / ".deepface" / "weights" / f"{head.weights}.{engine.suffix}"


def _build(attribute: str, engine: Engine, weights: Path, on_download: OnDownload | None = None) -> Part:
    """One network, after a trial run: a file can be a valid network and yet not this one."""
    head = HEADS[attribute]
    try:
        client = _client(head, engine, weights, on_download)
        trial = answer(client, np.full((1, SIDE, SIDE, 3), 0.5, np.float32), len(head.levels))
    except (ModelError, DataError):
        raise
    except ImportError as error:
        message = f"DeepFace's back end {engine.package} cannot be imported ({first_line(error)}); run: {engine.install}"
        raise ModelError(message) from error
    except Exception as error:
        if "tf-keras" in str(error):
            message = (
                f"DeepFace's back end tensorflow needs the package tf-keras, which is not installed; run: {engine.install}"
            )
            raise ModelError(message) from error
        raise _damaged(attribute, weights) from error
    if not np.isfinite(trial).all():
        raise _damaged(attribute, weights)
    try:
        with weights.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        message = f"DeepFace's weights {weights} cannot be read ({error.strerror}); check the permissions of the file"
        raise ModelError(message) from error
    return Part(client, digest)


def _damaged(attribute: str, weights: Path) -> ModelError:
    return ModelError(
        f"{weights} is not DeepFace's {attribute} network (a damaged download, or a web page saved in its place?); remove it "
        "and download it again"
    )


def _client(head: Head, engine: Engine, weights: Path, on_download: OnDownload | None) -> Any:
    """DeepFace's own object, built from its class: `modeling.build_model` would return what this process built before."""
    from deepface.commons import package_utils
    from deepface.modules import modeling

    module, _, name = modeling.AVAILABLE_MODELS["facial_attribute"][head.deepface][engine.deepface].rpartition(".")
    with isolated(network=False):
        if engine.package == "tensorflow":
            package_utils.validate_for_keras3()
            package_utils.configure_tensorflow_logging()
        imported = importlib.import_module(module)
    if not weights.is_file():
        _download(imported, weights, on_download)
    with isolated(network=False):
        return getattr(imported, name)()


def _download(module: ModuleType, weights: Path, on_download: OnDownload | None) -> None:
    """Download weights from DeepFace's addresses, in order: several hundred megabytes, so it is continued after a break."""
    progress = functools.partial(on_download, weights.name) if on_download else None
    errors: list[Exception] = []
    for address in module.WEIGHTS_URL:
        try:
            fetch(address, weights, progress=progress)
        except DataError as error:
            errors.append(error)
        else:
            return
    message = f"{weights.name} cannot be downloaded: {errors[-1]}; or put the file into {weights.parent}"
    raise ModelError(message) from errors[-1]
