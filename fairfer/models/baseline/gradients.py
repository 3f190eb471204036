"""The bundled model's network for attribution methods."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, cast

import numpy as np

from fairfer.models.baseline.votes import SIDE
from fairfer.models.differentiable import Differentiable, Frames
from fairfer.models.outputs import to_scores
from fairfer.models.requirements import require
from fairfer.models.resizing import frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.models.network import NetworkModel
    from fairfer.models.preprocessing import Preprocessing


def differentiable(model: NetworkModel) -> Differentiable:
    """The network of one view of a face, after standardization; the model averages over the face and its mirror image.

    Parameters
    ----------
    model
        The model that `fairfer.models.baseline.load` returns.

    Raises
    ------
    ModelError
        When PyTorch or the package ``onnx``, which reads the weights, is missing.
    """
    for package in ("torch", "onnx"):
        require(package, what="gradients of the model baseline", extra="explain")
    from fairfer.models.baseline.pytorch.folded import read_network, standardized

    preprocessing = cast("Preprocessing", model.preprocessing)  # its description states one

    def inputs(images: Sequence[NDArray[np.uint8]]) -> tuple[NDArray[np.float32], Frames]:
        frames = [frame(image.shape, SIDE, SIDE, preprocessing) for image in images]
        return standardized(preprocessing.batch(images)), np.array(frames)

    def scores(logits: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(to_scores(logits.astype(np.float64), "logits", "single-label"), np.float32)

    with as_file(files("fairfer.models.baseline")) as folder:
        network = read_network(folder / "baseline.onnx")
    return Differentiable(network, model.labels, inputs, scores, None, model.version, mirrored=True)
