"""DeepFace's emotion network, in batches.

`DeepFace.analyze` answers one face at a time, most of which is not the network: it enlarges each face to 224 pixels a side in
double precision and shrinks it to the network's 48 again. Here the same two bilinear steps are one matrix per axis
(interpolation is linear), applied to a batch, and the network that DeepFace built answers the batch. Scores agree with
``analyze(..., actions=["emotion"], detector_backend="skip")`` to within 1e-5 and name the same top emotion; pictures for
which the short way does not hold (nearly black ones, which DeepFace scales otherwise, and very large ones) go through
DeepFace's own steps.

Only DeepFace's inner modules are imported: importing ``deepface.DeepFace`` would set environment variables, silence every
warning of the process and make folders in the user's home.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
import socket
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from fairfer.errors import ModelError, did_you_mean
from fairfer.labels import DEEPFACE, LabelSpace
from fairfer.models.model import Prediction


class _Engine(NamedTuple):
    """One of DeepFace's back ends: its own name for it, what must be installed, how, and the ending of its weights file."""

    deepface: str
    package: str
    install: str
    ending: str


BACKENDS: Mapping[str, _Engine] = {
    "onnx": _Engine("onnx", "onnxruntime", "pip install onnxruntime", "onnx"),
    "torch": _Engine("pytorch", "torch", "pip install 'fairfer[torch]'", "pth"),
    "tensorflow": _Engine("tensorflow", "tensorflow", "pip install 'fairfer[tensorflow]'", "h5"),
}
"""Back ends by the name that the ``backend`` option takes."""

WEIGHTS = "facial_expression_model_weights"
SIDE = 48
ENLARGED = 224
"""DeepFace brings every face to this many pixels a side before it shrinks it to `SIDE`."""

MAX_SIDE = 512
"""Pictures with a longer side go through DeepFace's own steps: their matrices would cost more than they save."""

LUMA = np.array([0.299, 0.587, 0.114], np.float32)

Network = Callable[[NDArray[np.float32]], NDArray[Any]]
"""(n, 48, 48, 1) grey 0..1 to (n, 7)."""


class DeepFaceModel:
    """DeepFace's emotion network as a `fairfer.Model`. Made by `load`.

    Parameters
    ----------
    client
        DeepFace's own model object.
    network
        What answers a batch.
    version
        DeepFace's release and the digest of the weights.
    options
        Back end, device and detector.
    download
        Whether DeepFace may fetch what a detector lacks.
    """

    name = "deepface"
    labels: LabelSpace = DEEPFACE

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - DeepFace publishes no types
        network: Network,
        *,
        version: str,
        options: Mapping[str, str],
        download: bool,
    ) -> None:
        self.version = version
        self.options = options
        # A detector reads whole photographs one by one; crops are small and the network likes them many at a time,
        # TensorFlow's graph, which costs more to enter, more of them than the others.
        crops = 256 if options["backend"] == "tensorflow" else 128
        self.batch_size = crops if options["detector"] == "skip" else 16
        self._client = client
        self._network = network
        self._download = download

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """Answer for each (height, width, 3) RGB picture, in order.

        A picture without a face has the status ``no_face`` (only with a detector); one that DeepFace fails on has the
        status ``error``, and its neighbours are answered all the same. Of several faces the largest is read, and
        ``detail`` says so.
        """
        answers: dict[int, Prediction] = {}
        planes: dict[int, NDArray[np.float32]] = {}
        details: dict[int, str] = {}
        if self.options["detector"] == "skip":
            self._shrink(images, planes, answers)
        else:
            for i, image in enumerate(images):
                self._detect(i, image, planes, answers, details)
        order = sorted(planes)
        if order:
            batch = np.stack([planes[i] for i in order])[..., None]
            for i, row in zip(order, self._run(batch), strict=True):
                answers[i] = row if isinstance(row, Prediction) else _answer(row, details.get(i, ""))
        return [answers[i] for i in range(len(images))]

    def _shrink(
        self, images: Sequence[NDArray[np.uint8]], planes: dict[int, NDArray[np.float32]], answers: dict[int, Prediction]
    ) -> None:
        """Fill `planes` with the network's input for each face crop, or `answers` where there can be none."""
        sizes: dict[tuple[int, ...], list[int]] = {}
        for i, image in enumerate(images):
            sizes.setdefault(image.shape, []).append(i)
        for (height, width, *_), rows in sizes.items():
            operators = _operators(height, width) if max(height, width) <= MAX_SIDE else None
            if operators is None:
                exact = rows
            else:
                stack = np.stack([images[i] for i in rows])
                bright = stack.reshape(len(stack), -1).max(axis=1) > 1
                down, across = operators
                shrunk = down @ _grey(stack) @ across
                planes.update((i, plane) for i, plane, ok in zip(rows, shrunk, bright, strict=True) if ok)
                exact = [i for i, ok in zip(rows, bright, strict=True) if not ok]
            for i in exact:
                # DeepFace divides by 255 only what exceeds 1, as `analyze` does before it resizes.
                face: NDArray[Any] = images[i][:, :, ::-1]
                self._exactly(i, face / 255 if face.size and face.max() > 1 else face, planes, answers)

    def _exactly(
        self, i: int, face: NDArray[Any], planes: dict[int, NDArray[np.float32]], answers: dict[int, Prediction]
    ) -> None:
        """DeepFace's own steps from a BGR face to the network's input."""
        from deepface.modules import preprocessing  # noqa: PLC0415 - heavy, and its one home

        try:
            enlarged = preprocessing.resize_image(np.ascontiguousarray(face), (ENLARGED, ENLARGED))[0]
            planes[i] = self._client._preprocess_image(enlarged)  # noqa: SLF001 - DeepFace offers it nowhere else
        except Exception as error:  # noqa: BLE001 - whatever OpenCV says of this one picture
            answers[i] = Prediction("error", detail=f"DeepFace could not resize the picture ({_first_line(error)})")

    def _detect(
        self,
        i: int,
        image: NDArray[np.uint8],
        planes: dict[int, NDArray[np.float32]],
        answers: dict[int, Prediction],
        details: dict[int, str],
    ) -> None:
        from deepface.modules import detection  # noqa: PLC0415 - heavy, and its one home
        from deepface.modules.exceptions import FaceNotDetected, ImgNotFound  # noqa: PLC0415

        detector = self.options["detector"]
        try:
            with _guarded(network=self._download):
                faces = detection.extract_faces(np.ascontiguousarray(image[:, :, ::-1]), detector_backend=detector)
        except (FaceNotDetected, ImgNotFound):  # the second: only faces of no size were found
            answers[i] = Prediction("no_face", detail=f"DeepFace's detector {detector} found no face")
            return
        except Exception as error:  # noqa: BLE001 - the detectors come from many libraries
            answers[i] = Prediction("error", detail=f"DeepFace's detector {detector} failed ({_first_line(error)})")
            return
        largest = max(faces, key=lambda face: face["facial_area"]["w"] * face["facial_area"]["h"])
        if len(faces) > 1:
            details[i] = f"{len(faces)} faces were found; the largest was read"
        self._exactly(i, largest["face"][:, :, ::-1], planes, answers)

    def _run(self, batch: NDArray[np.float32]) -> list[NDArray[Any] | Prediction]:
        try:
            return list(self._network(batch))
        except Exception as error:  # noqa: BLE001 - three libraries, no common base
            if len(batch) == 1:
                return [Prediction("error", detail=f"the network failed ({_first_line(error)})")]
            # Whichever picture was at fault, its neighbours are not.
            return [row for i in range(len(batch)) for row in self._run(batch[i : i + 1])]


def load(*, backend: str = "", detector: str = "skip", download: str = "no") -> DeepFaceModel:
    """DeepFace's emotion network, on ONNX, PyTorch or TensorFlow (--option backend=onnx).

    Parameters
    ----------
    backend
        ``onnx``, ``torch`` or ``tensorflow``; by default DeepFace's own choice: what ``DEEPFACE_BACKEND_ENGINE`` says, or the
        first installed of TensorFlow, PyTorch and onnxruntime.
    detector
        ``skip`` (default): the pictures are face crops. Otherwise a detector that DeepFace knows: ``opencv``,
        ``retinaface``, ...
    download
        ``yes`` lets DeepFace fetch weights that are missing; by default nothing is fetched.

    Raises
    ------
    ModelError
        When the back end is not installed, the weights are missing or damaged, or an option cannot be meant.
    """
    if download not in ("yes", "no"):
        message = f"option download={download!r} is not a choice; use yes or no"
        raise ModelError(message)
    deepface = _import_deepface()
    name = _backend(backend)
    _check_detector(detector)
    engine = BACKENDS[name]
    if find_spec(engine.package) is None:
        message = f"DeepFace's back end {name} needs the package {engine.package}, which is missing; run: {engine.install}"
        raise ModelError(message)
    weights = _weights_file(engine)
    fetched = not weights.is_file()
    if fetched and download != "yes":
        message = (
            f"DeepFace's weights are missing: put {weights.name} into {weights.parent} (DEEPFACE_HOME says where that is), "
            "or let DeepFace download it with the model option download=yes"
        )
        raise ModelError(message)
    client = _build(engine, weights, fetched=fetched)
    network, device = _network(name, client)
    _check_network(network, weights, fetched=fetched)
    if detector != "skip":
        _build_detector(detector, network=download == "yes")
    try:
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    except OSError as error:
        message = f"DeepFace's weights {weights} cannot be read ({error.strerror})"
        raise ModelError(message) from error
    options = {"backend": name, "device": device, "detector": detector}
    version = f"{deepface.__version__} (weights sha256 {digest[:16]})"
    return DeepFaceModel(client, network, version=version, options=options, download=download == "yes")


def _import_deepface() -> Any:  # noqa: ANN401 - DeepFace publishes no types
    try:
        with _guarded(network=False):
            import deepface  # noqa: PLC0415 - heavy, and its one home
            from deepface.modules import detection, modeling, preprocessing  # noqa: F401, PLC0415 - to see that they are there
    except ImportError as error:
        what = f"the package {error.name!r}" if error.name else "a package that cannot be loaded"
        message = f"deepface needs {what} ({_first_line(error)}); run: pip install deepface werkzeug"
        raise ModelError(message) from error
    return deepface


def _backend(asked: str) -> str:
    from deepface.commons import backend_utils  # noqa: PLC0415 - heavy, and its one home

    names = {engine.deepface: name for name, engine in BACKENDS.items()}
    if asked:
        wanted = names.get(asked.casefold(), asked.casefold())
        if wanted not in BACKENDS:
            message = f"option backend={asked!r} is not a choice; {did_you_mean(asked, BACKENDS)}"
            raise ModelError(message)
        return wanted
    try:
        return names[backend_utils.get_backend_engine()]
    except ValueError as error:
        message = f"DeepFace finds no back end: {_first_line(error)}"
        raise ModelError(message) from error


def _check_detector(detector: str) -> None:
    from deepface.modules import modeling  # noqa: PLC0415 - heavy, and its one home

    known = ["skip", *modeling.AVAILABLE_MODELS["face_detector"]]
    if detector not in known:
        message = f"option detector={detector!r}: DeepFace has no such detector; {did_you_mean(detector, known)}"
        raise ModelError(message)


def _weights_file(engine: _Engine) -> Path:
    from deepface.commons import folder_utils  # noqa: PLC0415 - heavy, and its one home

    return Path(folder_utils.get_deepface_home()) / ".deepface" / "weights" / f"{WEIGHTS}.{engine.ending}"


def readiness() -> str:
    """Which back ends could answer here and now, for ``fairfer models``; imports neither DeepFace nor any of them."""
    folder = Path(os.environ.get("DEEPFACE_HOME", str(Path.home()))) / ".deepface" / "weights"
    able = [
        name
        for name, engine in BACKENDS.items()
        if find_spec(engine.package) is not None and (folder / f"{WEIGHTS}.{engine.ending}").is_file()
    ]
    if able:
        return f"ready: {', '.join(able)}"
    return f"not ready: no weights in {folder}; put them there, or add --option download=yes"


def _build(engine: _Engine, weights: Path, *, fetched: bool) -> Any:  # noqa: ANN401 - DeepFace publishes no types
    """DeepFace's emotion model on one back end.

    `modeling.build_model` would hand out what it built before in this process, be it from other weights or for another
    back end; so the class that it would use is called here.
    """
    import importlib  # noqa: PLC0415 - needed only here

    from deepface.commons import package_utils  # noqa: PLC0415 - heavy, and its one home
    from deepface.modules import modeling  # noqa: PLC0415

    if fetched:
        try:
            weights.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"DeepFace's folder {weights.parent} cannot be made ({error.strerror}); set DEEPFACE_HOME to one that can"
            raise ModelError(message) from error
    module, _, name = modeling.AVAILABLE_MODELS["facial_attribute"]["Emotion"][engine.deepface].rpartition(".")
    try:
        with _guarded(network=fetched):
            if engine.package == "tensorflow":
                package_utils.validate_for_keras3()
                package_utils.configure_tensorflow_logging()
            return getattr(importlib.import_module(module), name)()
    except ImportError as error:
        message = f"DeepFace's back end {engine.package} cannot be imported ({_first_line(error)}); run: {engine.install}"
        raise ModelError(message) from error
    except Exception as error:
        if fetched and not weights.is_file():
            message = (
                f"DeepFace could not download {weights.name}; check the network, or put the file into {weights.parent} yourself"
            )
            raise ModelError(message) from error
        if "tf-keras" in str(error):
            message = f"DeepFace's back end tensorflow needs the package tf-keras, which is missing; run: {engine.install}"
            raise ModelError(message) from error
        _damaged(weights, fetched=fetched, cause=error)


def _check_network(network: Network, weights: Path, *, fetched: bool) -> None:
    """One trial run: a file can be a whole network and yet not this one."""
    try:
        answers = network(np.full((2, SIDE, SIDE, 1), 0.5, np.float32))
    except Exception as error:  # noqa: BLE001 - three libraries, no common base
        _damaged(weights, fetched=fetched, cause=error)
    if answers.shape != (2, len(DEEPFACE)) or not np.isfinite(answers).all():
        _damaged(weights, fetched=fetched, cause=None)


def _damaged(weights: Path, *, fetched: bool, cause: Exception | None) -> NoReturn:
    how = "fetch it again"
    if fetched:  # what this very call has fetched is of no use to anyone, and would block the next attempt
        weights.unlink(missing_ok=True)
        how = "it was removed again; try later, or fetch it by hand"
    message = f"{weights} is not DeepFace's emotion network (a damaged download, or a web page saved in its place?); {how}"
    raise ModelError(message) from cause


def _network(backend: str, client: Any) -> tuple[Network, str]:  # noqa: ANN401 - DeepFace publishes no types
    """Make what answers a batch, and tell on which device."""
    if backend == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415 - heavy, and its one home

        # Keras called layer by layer spends most of its time in Python; a graph with a free batch size is built once.
        signature = [tf.TensorSpec((None, SIDE, SIDE, 1), tf.float32)]
        graph = tf.function(functools.partial(client.model, training=False), input_signature=signature)
        return lambda batch: np.asarray(graph(batch).numpy()), "gpu" if tf.config.list_physical_devices("GPU") else "cpu"

    def answer(batch: NDArray[np.float32]) -> NDArray[Any]:
        return np.reshape(client._predict_internal(batch), (len(batch), -1))  # noqa: SLF001 - DeepFace's only way to a batch

    if backend == "torch":
        return answer, str(client.device.type)
    first = client.model.get_providers()[0]
    return answer, first.removesuffix("ExecutionProvider").casefold()


def _build_detector(detector: str, *, network: bool) -> None:
    """Make a detector now, so that what it lacks is told before the first picture."""
    from deepface.modules import modeling  # noqa: PLC0415 - heavy, and its one home

    try:
        with _guarded(network=network) as refused:
            modeling.build_model(task="face_detector", model_name=detector)
    except Exception as error:
        message = f"DeepFace's detector {detector} cannot be made ({_first_line(error)})"
        if refused:
            message = f"DeepFace's detector {detector} lacks a file; the model option download=yes lets DeepFace fetch it"
        raise ModelError(message) from error


@contextlib.contextmanager
def _guarded(*, network: bool) -> Iterator[list[object]]:
    """Run DeepFace's code without its side effects.

    Its log, which would go to stdout among the results, and the warnings of the libraries that it imports are dropped;
    TensorFlow is told to use the Keras that DeepFace is written for; and unless `network` nothing can be fetched: each
    detector has its own way of downloading, so names are simply not resolved meanwhile.

    Yields
    ------
    list
        The hosts that were asked for and refused.
    """
    refused: list[object] = []

    def refuse(host: object, *_: object, **__: object) -> NoReturn:
        refused.append(host)
        message = f"fairfer does not let DeepFace fetch from {host} unless asked"
        raise OSError(message)

    resolve = socket.getaddrinfo
    before = {key: os.environ.get(key) for key in ("TF_USE_LEGACY_KERAS", "TF_CPP_MIN_LOG_LEVEL")}
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        if not network:
            socket.getaddrinfo = refuse
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield refused
    finally:
        socket.getaddrinfo = resolve
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def _grey(stack: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, h, w, 3) RGB 0..255 to (n, h, w) grey 0..1 with OpenCV's weights."""
    red, green, blue = stack[..., 0], stack[..., 1], stack[..., 2]
    grey: NDArray[Any] = red if np.array_equal(red, green) and np.array_equal(red, blue) else stack @ LUMA
    return np.asarray(grey.astype(np.float32) / np.float32(255))


@functools.lru_cache(maxsize=256)
def _operators(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Matrices ``down`` (48, height) and ``across`` (width, 48): DeepFace's two resizings as ``down @ x @ across``.

    ``None`` for a picture so narrow that DeepFace cannot enlarge it.
    """
    if not height or not width:
        return None
    factor = min(ENLARGED / height, ENLARGED / width)
    tall, wide = int(height * factor), int(width * factor)
    if not tall or not wide:
        return None
    return _axis(height, tall), np.ascontiguousarray(_axis(width, wide).T)


def _axis(size: int, enlarged: int) -> NDArray[np.float32]:
    """(48, size): what enlarging, black borders and shrinking do to one column of pixels; asked of OpenCV itself."""
    import cv2  # noqa: PLC0415 - heavy, and its one home

    column = np.zeros((ENLARGED, size))
    top = (ENLARGED - enlarged) // 2
    column[top : top + enlarged] = cv2.resize(np.eye(size), (size, enlarged))
    shrink = cv2.resize(np.eye(ENLARGED), (ENLARGED, SIDE))
    return np.asarray(shrink @ column, np.float32)


def _answer(row: NDArray[Any], detail: str) -> Prediction:
    total = row.sum()
    if not np.isfinite(row).all() or not total > 0:
        return Prediction("error", detail="the network answered with numbers that are not finite")
    return Prediction("ok", row / total, detail)


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].strip().rstrip(".")[:200]
