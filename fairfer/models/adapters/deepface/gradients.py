"""DeepFace's emotion network on PyTorch for attribution methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fairfer.errors import ModelError
from fairfer.labels import DEEPFACE
from fairfer.models.adapters.deepface.isolation import first_line
from fairfer.models.adapters.deepface.resizing import ENLARGED, SIDE
from fairfer.models.differentiable import Differentiable, Frames
from fairfer.models.outputs import to_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.models.adapters.deepface.engines import Client

LIMITS = (0.0, 1.0)
"""Gray levels of the network's input."""

SAME = 1e-5
"""Largest difference between the probabilities of DeepFace's network and of its layers in sequence."""


def differentiable(
    client: Client, planes: Callable[[Sequence[NDArray[np.uint8]]], NDArray[np.float32]], version: str
) -> Differentiable:
    """DeepFace's layers in the order of its ``forward``, up to the logits.

    Parameters
    ----------
    client
        DeepFace's model object on PyTorch.
    planes
        From face crops to (n, 48, 48), the gray levels that the network takes.
    version
        Of the model.

    Raises
    ------
    ModelError
        When this release of DeepFace has other layers.
    """
    module = _sequence(client.model)

    def inputs(images: Sequence[NDArray[np.uint8]]) -> tuple[NDArray[np.float32], Frames]:
        return np.ascontiguousarray(planes(images)[:, None], np.float32), np.array([_frame(image.shape) for image in images])

    return Differentiable(module, DEEPFACE, inputs, _scores, LIMITS, version)


def _scores(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(to_scores(logits.astype(np.float64), "logits", "single-label"), np.float32)


def _frame(shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    """Left, top, width and height of the area that the input shows: DeepFace pads a face to a square with black."""
    height, width = shape[:2]
    factor = min(ENLARGED / height, ENLARGED / width)
    enlarged_h, enlarged_w = int(height * factor), int(width * factor)
    down, across = height / enlarged_h, width / enlarged_w
    top, left = (ENLARGED - enlarged_h) // 2, (ENLARGED - enlarged_w) // 2
    return -left * across, -top * down, ENLARGED * across, ENLARGED * down


def _sequence(network: Any) -> Any:
    """The layers as ``nn.Sequential``, compared with the network itself: a new release may have others."""
    import torch
    from torch import nn

    try:
        n = network
        layers = [
            *(n.conv_1, nn.ReLU(), n.pool_1),
            *(n.conv_2, nn.ReLU(), n.conv_3, nn.ReLU(), n.pool_2),
            *(n.conv_4, nn.ReLU(), n.conv_5, nn.ReLU(), n.pool_3),
            *(nn.Flatten(), n.fc_1, nn.ReLU(), n.dropout_1, n.fc_2, nn.ReLU(), n.dropout_2, n.fc_3),
        ]
        module = nn.Sequential(*layers).eval()
        device = next(module.parameters()).device
        trial = torch.rand((4, 1, SIDE, SIDE), generator=torch.Generator().manual_seed(0)).to(device)
        with torch.inference_mode():
            difference = float((torch.softmax(module(trial), 1) - network(trial)).abs().max())
    except Exception as error:
        message = f"this release of DeepFace has another emotion network ({first_line(error)}); {_ADVICE}"
        raise ModelError(message) from error
    if not difference <= SAME:
        message = f"this release of DeepFace has another emotion network (outputs differ by {difference:.2g}); {_ADVICE}"
        raise ModelError(message)
    return module


_ADVICE = "use the method occlusion or rise, or DeepFace 0.0.103"
