"""A network on its device, and the maps of a batch: both views of a mirrored model, and the sum over the channels."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from fairfer.errors import ModelError
from fairfer.explanations.attribution import Maps, check_targets, join
from fairfer.models.differentiable import HasGradients

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.models.differentiable import Differentiable
    from fairfer.models.model import Model

NEGLIGIBLE = 1e-6
"""An output of a smaller size is not divided by."""

Explain = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
"""From inputs (n, channels, height, width) and targets (n,) to relevance (n, channels or 1, height, width), outputs (n,) and
what the relevance should sum to (n,), NaN where the method promises no sum."""


class PlacedNetwork:
    """A copy of a model's network on a device.

    Parameters
    ----------
    model
        The model.
    method
        Name of the method, for error messages.
    device
        ``cpu``, ``cuda``, ``cuda:1``, ``mps``; empty: where the model's network is.

    Attributes
    ----------
    source
        What the model offers.
    module
        The copy. Gradients of its weights are not computed.
    device
        Where it is, as text.

    Raises
    ------
    ModelError
        When the model offers no network, or the device cannot be used.
    """

    def __init__(self, model: Model, method: str, device: str) -> None:
        if not isinstance(model, HasGradients):
            message = (
                f"method {method} needs gradients, which the model {model.name} does not offer; use the method occlusion or "
                "rise"
            )
            raise ModelError(message)
        self.source: Differentiable = model.differentiable()
        module = copy.deepcopy(self.source.module).requires_grad_(requires_grad=False)
        first = next(module.parameters(), None)
        place = device or str("cpu" if first is None else first.device)
        try:
            self.module: nn.Module = module.to(place)
        except (RuntimeError, AssertionError, NotImplementedError) as error:  # AssertionError: PyTorch without CUDA
            text = " ".join(str(error).split())[:200]
            message = f"method {method}: option device={device!r} cannot be used here ({text}); use cpu"
            raise ModelError(message) from error
        self.device = place

    def maps(self, images: Sequence[NDArray[np.uint8]], targets: Sequence[int], explain: Explain, batch_size: int) -> Maps:
        """Explain images in batches; see `fairfer.explanations.attribution.Method.maps`."""
        positions = check_targets(images, targets, len(self.source.labels))
        starts = range(0, len(images), batch_size)
        return join([self._batch(images[s : s + batch_size], positions[s : s + batch_size], explain) for s in starts])

    def _batch(self, images: Sequence[NDArray[np.uint8]], targets: NDArray[np.int64], explain: Explain) -> Maps:
        inputs, frames = self.source.inputs(images)
        x = torch.from_numpy(np.ascontiguousarray(inputs)).to(self.device)
        labels = torch.from_numpy(targets).to(self.device)
        n = len(x)
        if self.source.mirrored:
            x, labels = torch.cat([x, x.flip(3)]), torch.cat([labels, labels])
        relevance, outputs, goal = explain(x, labels)
        values = relevance.detach().sum(1)
        if self.source.mirrored:
            values = (values[:n] + values[n:].flip(2)) / 2
            outputs, goal = (outputs[:n] + outputs[n:]) / 2, (goal[:n] + goal[n:]) / 2
        array = np.asarray(values.cpu().numpy(), np.float32)
        array[~np.isfinite(array).all(axis=(1, 2))] = np.nan
        expected = np.array(goal.detach().cpu().numpy(), np.float64)
        expected[np.abs(expected) < NEGLIGIBLE] = np.nan
        conserved = array.sum(axis=(1, 2), dtype=np.float64) / expected
        return Maps(array, frames, np.array(outputs.detach().cpu().numpy(), np.float64), conserved)


def answers(network: Differentiable, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """(n, labels) scores of the network, which are those of its model.

    Parameters
    ----------
    network
        What a model offers.
    images
        (height, width, 3) RGB each.
    """
    inputs, _ = network.inputs(images)
    first = next(network.module.parameters(), None)
    x = torch.from_numpy(np.ascontiguousarray(inputs)).to("cpu" if first is None else first.device)
    with torch.inference_mode():
        scores = network.scores(network.module(x).float().cpu().numpy())
        if network.mirrored:
            other = network.scores(network.module(x.flip(3)).float().cpu().numpy())
            scores = np.asarray((scores + other) / 2, np.float32)
    return scores


def selected(logits: Tensor, targets: Tensor) -> Tensor:
    """(n,): the logit of each target."""
    return logits.gather(1, targets[:, None])[:, 0]
