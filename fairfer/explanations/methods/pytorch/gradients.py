"""Integrated gradients and Grad-CAM of a batch, by captum."""

from __future__ import annotations

import torch
from captum.attr import IntegratedGradients, LayerGradCam
from torch import Tensor, nn

from fairfer.errors import ModelError, did_you_mean
from fairfer.explanations.methods.pytorch.network import selected
from fairfer.models.pytorch.layers import Sum

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Mish, nn.PReLU)
NORMS = (nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d, Sum)
"""What may lie between a convolution and its activation."""

SPATIAL = 4
"""Axes of activations that have a height and a width."""


class Path:
    """Integrated gradients from a plain baseline.

    Parameters
    ----------
    module
        The network.
    steps
        Points on the way.
    level
        Value of the baseline; ``None`` for the mean of each channel of each input.
    """

    def __init__(self, module: nn.Module, steps: int, level: float | None) -> None:
        self.module = module
        self.steps = steps
        self.level = level

    def __call__(self, x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Attributions, logits, and the differences from the logits of the baselines."""
        baseline = x.mean((2, 3), keepdim=True).expand_as(x) if self.level is None else torch.full_like(x, self.level)
        with torch.no_grad():
            outputs = selected(self.module(x), targets)
            start = selected(self.module(baseline), targets)
        attributions: Tensor = IntegratedGradients(self.module).attribute(
            x.requires_grad_(), baselines=baseline, target=targets, n_steps=self.steps
        )
        return attributions, outputs, outputs - start


class Activations:
    """Grad-CAM at one layer.

    Parameters
    ----------
    module, layer
        The network, and a layer in it.
    name
        Of the layer, for the error message.
    """

    def __init__(self, module: nn.Module, layer: nn.Module, name: str) -> None:
        self.module = module
        self.layer = layer
        self.name = name

    def __call__(self, x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Enlarged maps, logits, and no promised sum.

        Raises
        ------
        ModelError
            When the activations of the layer have no height and width.
        """
        with torch.no_grad():
            outputs = selected(self.module(x), targets)
        coarse = LayerGradCam(self.module, self.layer).attribute(x.requires_grad_(), targets)
        if coarse.ndim != SPATIAL:
            message = (
                f"method grad-cam: the activations of the layer {self.name} have no height and width; choose another layer"
            )
            raise ModelError(message)
        size = (x.shape[2], x.shape[3])
        fine = nn.functional.interpolate(coarse.detach(), size=size, mode="bilinear", align_corners=False)
        return fine, outputs, torch.full_like(outputs, torch.nan)


def find_layer(module: nn.Module, wanted: str, model: str) -> tuple[str, nn.Module]:
    """A layer by its name; by default the last convolution, with the activation that follows it.

    Parameters
    ----------
    module
        The network.
    wanted
        A name; empty for the default.
    model
        Name of the model, for error messages.

    Raises
    ------
    ModelError
        When there is no such layer, or no convolution with a map of the image.
    """
    layers = {name: layer for name, layer in module.named_modules() if name}
    if wanted:
        if wanted not in layers:
            message = f"method grad-cam: the model {model} has no layer {wanted!r}; {did_you_mean(wanted, layers)}"
            raise ModelError(message)
        return wanted, layers[wanted]
    leaves = [(name, layer) for name, layer in layers.items() if not any(True for _ in layer.children())]
    convolutions = [i for i, (_, layer) in enumerate(leaves) if isinstance(layer, CONVOLUTIONS)]
    if not convolutions or _cuts_patches(leaves, convolutions):
        message = (
            f"method grad-cam: the model {model} has no convolution with a map of the image; name a layer with the option "
            "layer, or use integrated-gradients"
        )
        raise ModelError(message)
    chosen = convolutions[-1]
    for i in range(chosen + 1, len(leaves)):
        if isinstance(leaves[i][1], ACTIVATIONS):
            chosen = i
        if not isinstance(leaves[i][1], NORMS):
            break
    return leaves[chosen]


def _cuts_patches(leaves: list[tuple[str, nn.Module]], convolutions: list[int]) -> bool:
    """Whether the only convolution cuts the image into patches, as in vision transformers."""
    only = leaves[convolutions[0]][1]
    return len(convolutions) == 1 and isinstance(only, nn.Conv2d) and only.stride == only.kernel_size and only.stride != (1, 1)
