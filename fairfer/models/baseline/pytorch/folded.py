"""The bundled graph's network again as a PyTorch module, from the weights in the graph, for attribution methods.

The modules are those of the graph: convolutions with their batch norm folded in, sums of residual paths, pooling. What the
graph does before (standardizing the face) is part of the input, and what it does after (softmax, and the mean over the face and
its mirror image) is left to the caller.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from fairfer.errors import ModelError
from fairfer.models.baseline.pytorch.network import Network, Plain, Separable
from fairfer.models.pytorch.layers import Residual

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_network(path: Path) -> nn.Sequential:
    """Read the graph's weights into a network: (n, 1, 48, 48) standardized faces to (n, 8) logits.

    Parameters
    ----------
    path
        The graph that `fairfer.models.baseline.pytorch.graph` wrote.

    Raises
    ------
    ModelError
        When the weights are not those of the bundled network.
    """
    stored = (numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer)
    weights = [array.astype(np.float32) for array in stored if array.dtype == np.float16]
    plan = Network()
    remaining = iter(weights)
    layers: list[nn.Module] = []
    try:
        for i, stage in enumerate(plan.stages):
            layers += [nn.MaxPool2d(2)] if i else []
            for block in stage.children():
                layers += _block(block, remaining)
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        head = nn.Linear(plan.head.in_features, plan.head.out_features)
        _fill(head, remaining)
        layers.append(head)
    except (StopIteration, RuntimeError) as error:
        message = f"{path} does not have the weights of fairfer's bundled network; install fairfer again"
        raise ModelError(message) from error
    return nn.Sequential(*layers).eval()


def _block(block: nn.Module, weights: Iterator[NDArray[np.float32]]) -> list[nn.Module]:
    """The layers of one block of `Network`, up to and with its last activation."""
    if isinstance(block, Separable):
        branch: list[nn.Module] = [_convolution(block.depth, weights), nn.ReLU(), _convolution(block.point, weights)]
        residual = block.residual
    else:
        assert isinstance(block, Plain)
        branch, residual = [_convolution(block.conv, weights)], block.residual
    return [*([Residual(nn.Sequential(*branch))] if residual else branch), nn.ReLU()]


def _convolution(like: nn.Conv2d, weights: Iterator[NDArray[np.float32]]) -> nn.Conv2d:
    side, padding = like.kernel_size[0], int(like.padding[0])
    layer = nn.Conv2d(like.in_channels, like.out_channels, side, padding=padding, groups=like.groups)
    _fill(layer, weights)
    return layer


def _fill(layer: nn.Conv2d | nn.Linear, weights: Iterator[NDArray[np.float32]]) -> None:
    layer.load_state_dict({"weight": torch.from_numpy(next(weights)), "bias": torch.from_numpy(next(weights))})


def standardized(faces: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, 1, 48, 48) gray levels to mean 0 and standard deviation 1 per face, as the graph does."""
    x = np.asarray(faces, np.float32)
    centered = x - x.mean((1, 2, 3), keepdims=True)
    variance = np.square(centered).mean((1, 2, 3), keepdims=True)
    return np.asarray(centered / np.sqrt(variance + np.float32(1)), np.float32)
