"""The bundled model's network: plain 3x3 convolutions, then depthwise-separable ones."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from fairfer.models.baseline.votes import EMOTIONS


class Separable(nn.Module):
    """Depthwise 3x3 then pointwise 1x1 convolution, each with batch norm; a residual path where the width allows."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.depth = nn.Conv2d(width_in, width_in, 3, padding=1, groups=width_in, bias=False)
        self.depth_norm = nn.BatchNorm2d(width_in)
        self.point = nn.Conv2d(width_in, width_out, 1, bias=False)
        self.point_norm = nn.BatchNorm2d(width_out)
        self.residual = width_in == width_out

    def forward(self, x: Tensor) -> Tensor:
        """(n, width_in, h, w) to (n, width_out, h, w)."""
        y = functional.relu(self.depth_norm(self.depth(x)))
        y = self.point_norm(self.point(y))
        return functional.relu(x + y if self.residual else y)


class Plain(nn.Module):
    """3x3 convolution with batch norm; a residual path where the width allows."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width_in, width_out, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width_out)
        self.residual = width_in == width_out

    def forward(self, x: Tensor) -> Tensor:
        """(n, width_in, h, w) to (n, width_out, h, w)."""
        y = self.norm(self.conv(x))
        return functional.relu(x + y if self.residual else y)


class Network(nn.Module):
    """(n, 1, 48, 48) gray levels 0..255 to (n, 8) logits in the order of FER+."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            [
                nn.Sequential(Plain(1, 16), Plain(16, 16)),
                nn.Sequential(Plain(16, 48), Plain(48, 48)),
                nn.Sequential(Plain(48, 128), Plain(128, 128)),
                nn.Sequential(Separable(128, 256), Separable(256, 256), Separable(256, 256)),
            ]
        )
        self.drop = nn.Dropout(0.4)
        self.head = nn.Linear(256, EMOTIONS)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 8) logits."""
        x = standardize(x)
        for i, stage in enumerate(self.stages):
            x = stage(x if i == 0 else functional.max_pool2d(x, 2))
        logits: Tensor = self.head(self.drop(x.mean((2, 3))))
        return logits


def standardize(x: Tensor) -> Tensor:
    """Each image to mean 0 and standard deviation 1, which removes differences of exposure."""
    mean = x.mean((1, 2, 3), keepdim=True)
    var = ((x - mean) ** 2).mean((1, 2, 3), keepdim=True)
    return (x - mean) / torch.sqrt(var + 1.0)


def probabilities(model: nn.Module, x: Tensor) -> Tensor:
    """Mean of the network's probabilities for a face and its mirror image, which is what the exported graph computes."""
    return (functional.softmax(model(x), 1) + functional.softmax(model(x.flip(3)), 1)) / 2


def batches(x: Tensor, size: int) -> Iterator[Tensor]:
    """Cut `x` into pieces of `size`; the last may be shorter."""
    for start in range(0, len(x), size):
        yield x[start : start + size]
