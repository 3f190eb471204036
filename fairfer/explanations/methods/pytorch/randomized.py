"""A network with random weights, for the sanity check of Adebayo et al. (2018)."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from fairfer.explanations.methods.pytorch.network import answers
from fairfer.models.model import PredictionBatch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fairfer.labels import LabelSpace
    from fairfer.models.differentiable import Differentiable
    from fairfer.models.model import Model
    from fairfer.vocabulary import Task


def weight_layers(module: nn.Module) -> list[str]:
    """Names of the layers with weights, from the output to the input."""
    own = [name for name, layer in module.named_modules() if any(True for _ in layer.parameters(recurse=False))]
    return own[::-1]


def randomize(network: Differentiable, layers: Sequence[str], seed: int) -> Differentiable:
    """A copy of a network in which some layers have random weights.

    A layer is initialized as PyTorch does before training (``reset_parameters``); the weights of a layer that cannot do this
    are shuffled.

    Parameters
    ----------
    network
        The network.
    layers
        Names, as `weight_layers` returns them.
    seed
        Of the weights. A layer gets the same weights whichever others are randomized too.
    """
    first = next(network.module.parameters(), None)
    module = copy.deepcopy(network.module).cpu()  # random numbers of a GPU are others
    named = dict(module.named_modules())
    order = weight_layers(module)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        for name in layers:
            torch.manual_seed(seed * len(order) + order.index(name))
            layer = named[name]
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
                continue
            for weights in layer.parameters(recurse=False):
                shuffled = weights.flatten()[torch.randperm(weights.numel()).to(weights.device)]
                weights.copy_(shuffled.reshape(weights.shape))
    module = module if first is None else module.to(first.device)
    return dataclasses.replace(network, module=module, version=f"{network.version}, random weights {seed}: {len(layers)}")


class RandomModel:
    """A model that answers with another network.

    Parameters
    ----------
    model
        The model whose name and task it has.
    network
        The network.
    """

    def __init__(self, model: Model, network: Differentiable) -> None:
        self.name = model.name
        self.version = network.version
        self.labels: LabelSpace = model.labels
        self.task: Task = getattr(model, "task", "single-label")
        self.options: Mapping[str, str] = {}
        self._network = network

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> PredictionBatch:
        """Answer with the network."""
        return PredictionBatch(answers(self._network, images))

    def differentiable(self) -> Differentiable:
        """Return the network."""
        return self._network
