"""The network of a model as attribution methods take it: up to its logits, with the channels first."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from fairfer.errors import ModelError
from fairfer.models.differentiable import Differentiable, Frames
from fairfer.models.outputs import to_scores
from fairfer.models.preprocessing import MAX_LEVEL, Preprocessing
from fairfer.models.pytorch.layers import ChannelsLast, Logits
from fairfer.models.resizing import frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.models.network import NetworkModel


def offered(
    model: NetworkModel, module: nn.Module, preprocessing: Preprocessing, where: str, *, batch: int | None
) -> Differentiable:
    """The network of a model with stated preprocessing.

    Parameters
    ----------
    model
        The model.
    module
        Its network.
    preprocessing
        Its preprocessing.
    where
        Start of error messages.
    batch
        Number of images that the network takes at a time; ``None`` for any number.

    Raises
    ------
    ModelError
        When the network takes a fixed number of images, or its logits cannot be had.
    """
    if batch is not None:
        message = f"{where} takes exactly {batch} images at a time; export it with a dynamic batch, or use occlusion or rise"
        raise ModelError(message)
    network = Logits(_up_to_logits(module, model, where))
    channels_first = dataclasses.replace(preprocessing, layout="NCHW")

    def inputs(images: Sequence[NDArray[np.uint8]]) -> tuple[NDArray[np.float32], Frames]:
        if preprocessing.size is None and len({image.shape for image in images}) > 1:
            message = f"{where} takes images of any size, but those of one batch must have one; add --option size=…"
            raise ModelError(message)
        frames = []
        for image in images:
            height, width = preprocessing.size or (image.shape[0], image.shape[1])
            frames.append(frame(image.shape, height, width, preprocessing))
        return channels_first.batch(images), np.array(frames)

    return Differentiable(
        ChannelsLast(network) if preprocessing.layout == "NHWC" else network,
        model.labels,
        inputs,
        scores_of(model),
        _limits(preprocessing),
        model.version,
    )


class _Scores:
    """Scores of logits, by the task of a model."""

    def __init__(self, model: NetworkModel) -> None:
        self._task = model.task

    def __call__(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(to_scores(logits.astype(np.float64), "logits", self._task), np.float32)


def scores_of(model: NetworkModel) -> _Scores:
    """The function from logits to the scores of a model: softmax, or a sigmoid per label."""
    return _Scores(model)


def _up_to_logits(module: nn.Module, model: NetworkModel, where: str) -> nn.Module:
    """The network without a last layer that turns logits into probabilities."""
    if model.options["output"] == "logits":
        return module
    last = nn.Softmax if model.task == "single-label" else nn.Sigmoid
    if isinstance(module, nn.Sequential) and len(module) > 1 and isinstance(module[-1], last):
        return module[:-1]
    message = (
        f"{where} returns probabilities, and gradients of logits are needed; return logits and add --option output=logits, end "
        f"an nn.Sequential in nn.{last.__name__}, or use the method occlusion or rise"
    )
    raise ModelError(message)


def _limits(preprocessing: Preprocessing) -> tuple[float, float] | None:
    """Lowest and highest value of the input, if they are the same for every channel."""
    mean, std = np.asarray(preprocessing.mean, np.float64), np.asarray(preprocessing.std, np.float64)
    ends = np.sort(np.stack([-mean / std, (MAX_LEVEL * preprocessing.scale - mean) / std]), axis=0)
    return (float(ends[0].flat[0]), float(ends[1].flat[0])) if np.ptp(ends, axis=1).max() == 0 else None
