"""Layers that make a network fit for attribution: everything that mixes activations is a module of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Sum(nn.Module):
    """Sum of two branches as a module, so that a rule of relevance propagation can be attached to it."""

    def forward(self, branches: Tensor) -> Tensor:
        """(..., 2), the branches along the last axis, to (...)."""
        return branches.sum(-1)


class Residual(nn.Module):
    """A branch whose result is added to its input.

    Parameters
    ----------
    branch
        A module that keeps the shape of its input.
    """

    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch
        self.sum = Sum()

    def forward(self, x: Tensor) -> Tensor:
        """The sum, in the shape of the input."""
        added: Tensor = self.sum(torch.stack([x, self.branch(x)], dim=-1))
        return added


class ChannelsLast(nn.Module):
    """A network that takes (n, height, width, channels), called with (n, channels, height, width).

    Parameters
    ----------
    network
        The network.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.training = False  # `eval` would call that of the network, which an exported program refuses

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of the network."""
        outputs: Tensor = self.network(x.permute(0, 2, 3, 1))
        return outputs


class Logits(nn.Module):
    """A network whose output is a tensor, or an object with an attribute ``logits`` (as in transformers).

    Parameters
    ----------
    network
        The network.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.training = False  # `eval` would call that of the network, which an exported program refuses

    def forward(self, x: Tensor) -> Tensor:
        """(n, labels) float32."""
        outputs = self.network(x)
        logits: Tensor = getattr(outputs, "logits", outputs)
        return logits.float()
