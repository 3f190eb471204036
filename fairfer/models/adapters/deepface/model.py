"""DeepFace's emotion network as a `fairfer.Model`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fairfer.errors import ModelError
from fairfer.labels import DEEPFACE, LabelSpace
from fairfer.models.adapters.deepface import gradients
from fairfer.models.adapters.deepface.isolation import first_line, isolated
from fairfer.models.adapters.deepface.resizing import ENLARGED, gray, operators
from fairfer.models.model import PredictionBatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.models.adapters.deepface.engines import Client, Network
    from fairfer.models.differentiable import Differentiable
    from fairfer.vocabulary import Status

BATCH_SIZE = 128
"""Face crops are small, so the network takes many at a time."""

TENSORFLOW_BATCH_SIZE = 256
"""TensorFlow's graph costs more to enter than the other networks."""

DETECTOR_BATCH_SIZE = 16
"""A detector reads whole photographs one by one."""


@dataclass
class _Batch:
    """Work on one batch, by position of the image: the network's input planes, and statuses and details so far."""

    planes: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    statuses: dict[int, Status] = field(default_factory=dict)
    details: dict[int, str] = field(default_factory=dict)

    def fail(self, position: int, status: Status, detail: str) -> None:
        """Give an image another status than ``ok``."""
        self.statuses[position], self.details[position] = status, detail


class DeepFaceModel:
    """DeepFace's emotion network; `fairfer.models.adapters.deepface.load` makes one.

    Parameters
    ----------
    client
        DeepFace's own model object.
    network
        The function that answers a batch.
    version
        DeepFace's release and the digest of the weights.
    options
        Back end, device and detector.
    download
        Whether DeepFace may download files that a detector lacks.
    """

    name = "deepface"
    labels: LabelSpace = DEEPFACE

    def __init__(self, client: Client, network: Network, *, version: str, options: Mapping[str, str], download: bool) -> None:
        self.version = version
        self.options = options
        crops = TENSORFLOW_BATCH_SIZE if options["backend"] == "tensorflow" else BATCH_SIZE
        self.batch_size = crops if options["detector"] == "skip" else DETECTOR_BATCH_SIZE
        self.files = sorted(Path(__file__).parent.glob("*.py"))
        self._client = client
        self._network = network
        self._download = download

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> PredictionBatch:
        """Answer for each (height, width, 3) RGB image, in order.

        An image without a face has the status ``no_face`` (only with a detector); one for which DeepFace fails has the status
        ``error``, and its neighbors are answered nevertheless. Of several faces the largest is used, and ``detail`` says so.
        """
        batch = _Batch()
        if self.options["detector"] == "skip":
            self._shrink(images, batch)
        else:
            for i, image in enumerate(images):
                self._detect(i, image, batch)
        scores = np.full((len(images), len(self.labels)), np.nan)
        order = sorted(batch.planes)
        if order:
            rows, reasons = self._run(np.stack([batch.planes[i] for i in order])[..., None])
            with np.errstate(invalid="ignore", divide="ignore"):
                scores[order] = rows / rows.sum(axis=1, keepdims=True)
            for position, reason in reasons.items():
                batch.fail(order[position], "error", reason)
        for i in map(int, np.flatnonzero(~np.isfinite(scores).all(axis=1))):
            if i not in batch.statuses:
                batch.fail(i, "error", "the network's output is not finite")
        return PredictionBatch(scores, batch.statuses, batch.details)

    def differentiable(self) -> Differentiable:
        """DeepFace's PyTorch network up to its logits, as a sequence of its own layers.

        Raises
        ------
        ModelError
            When the model was loaded on another back end, or with a detector.
        """
        if self.options["backend"] != "torch":
            message = (
                f"model deepface on {self.options['backend']} has no gradients; load it with --option backend=torch, or use "
                "the method occlusion or rise"
            )
            raise ModelError(message)
        if self.options["detector"] != "skip":
            message = (
                f"model deepface with the detector {self.options['detector']} has no gradients, because the detector turns "
                "faces; give face crops and --option detector=skip, or use the method occlusion or rise"
            )
            raise ModelError(message)
        return gradients.differentiable(self._client, self._inputs, self.version)

    def _inputs(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """(n, 48, 48) gray 0..1: the network's input of face crops."""
        batch = _Batch()
        self._shrink(images, batch)
        for i, detail in batch.details.items():
            message = f"model deepface: image {i} of the batch has no input ({detail}); explain only images that have an answer"
            raise ModelError(message)
        return np.stack([batch.planes[i] for i in range(len(images))])

    def _shrink(self, images: Sequence[NDArray[np.uint8]], batch: _Batch) -> None:
        """Make the network's input of each face crop."""
        sizes: dict[tuple[int, ...], list[int]] = {}
        for i, image in enumerate(images):
            sizes.setdefault(image.shape, []).append(i)
        for (height, width, *_), rows in sizes.items():
            matrices = operators(height, width)
            remaining = rows
            if matrices is not None:
                stack = np.stack([images[i] for i in rows])
                bright = stack.reshape(len(stack), -1).max(axis=1) > 1
                down, across = matrices
                shrunk = down @ gray(stack) @ across
                batch.planes.update((i, plane) for i, plane, ok in zip(rows, shrunk, bright, strict=True) if ok)
                remaining = [i for i, ok in zip(rows, bright, strict=True) if not ok]
            for i in remaining:
                # DeepFace divides by 255 only what exceeds 1, as `analyze` does before it resizes.
                face: NDArray[Any] = images[i][:, :, ::-1]
                self._preprocess(i, face / 255 if face.size and face.max() > 1 else face, batch)

    def _preprocess(self, i: int, face: NDArray[Any], batch: _Batch) -> None:
        """DeepFace's own steps from a BGR face to the network's input."""
        from deepface.modules import preprocessing

        try:
            enlarged = preprocessing.resize_image(np.ascontiguousarray(face), (ENLARGED, ENLARGED))[0]
            batch.planes[i] = self._client._preprocess_image(enlarged)
        except Exception as error:
            batch.fail(i, "error", f"DeepFace could not resize the image ({first_line(error)})")

    def _detect(self, i: int, image: NDArray[np.uint8], batch: _Batch) -> None:
        """Make the network's input of the largest face that the detector finds."""
        from deepface.modules import detection
        from deepface.modules.exceptions import FaceNotDetected, ImgNotFound

        detector = self.options["detector"]
        try:
            with isolated(network=self._download):
                faces = detection.extract_faces(np.ascontiguousarray(image[:, :, ::-1]), detector_backend=detector)
        except (FaceNotDetected, ImgNotFound):  # ImgNotFound: only faces of size 0 were found
            batch.fail(i, "no_face", f"DeepFace's detector {detector} found no face")
            return
        except Exception as error:
            batch.fail(i, "error", f"DeepFace's detector {detector} failed ({first_line(error)})")
            return
        largest = max(faces, key=lambda face: face["facial_area"]["w"] * face["facial_area"]["h"])
        if len(faces) > 1:
            batch.details[i] = f"{len(faces)} faces were found; the largest was read"
        self._preprocess(i, largest["face"][:, :, ::-1], batch)

    def _run(self, batch: NDArray[np.float32]) -> tuple[NDArray[Any], dict[int, str]]:
        """(n, 7) outputs, not a number where the network fails, and why it fails."""
        try:
            return np.asarray(self._network(batch)), {}
        except Exception as error:
            if len(batch) == 1:
                return np.full((1, len(self.labels)), np.nan), {0: f"the network failed ({first_line(error)})"}
        parts = [self._run(batch[i : i + 1]) for i in range(len(batch))]  # one image must not cost its neighbors their answers
        return np.concatenate([rows for rows, _ in parts]), {i: r[0] for i, (_, r) in enumerate(parts) if r}
