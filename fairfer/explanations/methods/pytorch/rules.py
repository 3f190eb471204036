"""Rules of layer-wise relevance propagation (Bach et al. 2015) by zennit, and the layers that each rule is for.

After a ReLU no activation is negative. The half of a rule that is for negative activations then has no part in the result, and
leaving it out halves the time. Biases take part in no rule (``zero_params="bias"``), so that no relevance is lost to them.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.composites import LayerMapComposite, SpecialFirstLayerMapComposite
from zennit.core import BasicHook, Stabilizer
from zennit.layer import Sum as ZennitSum
from zennit.rules import AlphaBeta, ClampMod, Epsilon, Gamma, Norm, Pass, ZBox, ZPlus
from zennit.types import Activation, AvgPool, BatchNorm, Convolution

from fairfer.errors import ModelError
from fairfer.models.pytorch.layers import Sum

BIAS = "bias"
STABILIZER = 1e-6
ALPHA, BETA = 2.0, 1.0
GAMMA = 0.25

PARAMETERS = (Convolution, nn.Linear, BatchNorm)
"""Layers with weights that have a rule."""


def _same(x: Tensor) -> Tensor:
    return x


def _own(x: Tensor) -> Tensor:
    """A copy, so that the gradient of each part of a rule is computed alone."""
    return x.clone()


def _part(*, positive: bool) -> ClampMod:
    """Positive or negative weights, without the bias."""
    return ClampMod(min=0.0, zero_params=BIAS) if positive else ClampMod(max=0.0, zero_params=BIAS)


def _positive_z_plus() -> BasicHook:
    """`ZPlus` for activations that are not negative."""
    stabilizer = Stabilizer.ensure(STABILIZER)
    return BasicHook(
        input_modifiers=[_same],
        param_modifiers=[_part(positive=True)],
        output_modifiers=[_same],
        gradient_mapper=lambda relevance, outputs: [relevance / stabilizer(outputs[0])],
        reducer=lambda inputs, gradients: inputs[0] * gradients[0],
    )


def _positive_alpha_beta() -> BasicHook:
    """`AlphaBeta` for activations that are not negative."""
    stabilizer = Stabilizer.ensure(STABILIZER)
    return BasicHook(
        input_modifiers=[_own, _own],
        param_modifiers=[_part(positive=True), _part(positive=False)],
        output_modifiers=[_same, _same],
        gradient_mapper=lambda relevance, outputs: [relevance / stabilizer(output) for output in outputs],
        reducer=lambda inputs, gradients: ALPHA * inputs[0] * gradients[0] - BETA * inputs[1] * gradients[1],
    )


class _Shortcut(torch.autograd.Function):
    """The output of a layer without the layer's gradient, which the rule replaces: computing it would be in vain."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, output: Tensor) -> Tensor:
        """The output."""
        ctx.shape = x.shape
        return output.view_as(output)

    @staticmethod
    def backward(ctx: Any, relevance: Tensor) -> tuple[Tensor, None]:
        """Zeros in the place of the gradient."""
        return relevance.new_zeros(()).expand(ctx.shape), None


def _without_gradient(inputs: Any, output: Tensor) -> Tensor:
    """The output of a layer as `_Shortcut` makes it, where gradients are computed."""
    x: Tensor = inputs[0]
    return _Shortcut.apply(x, output.detach()) if x.requires_grad else output  # type: ignore[no-untyped-call] # PyTorch's stub lacks it


class FastZPlus(ZPlus):  # type: ignore[misc] # zennit publishes no types
    """`zennit.rules.ZPlus` without needless work: the layer's gradient, and the half for negative activations if none is."""

    def post_forward(self, module: nn.Module, inputs: Any, output: Tensor) -> Any:
        """Register the rule on the output."""
        return super().post_forward(module, inputs, _without_gradient(inputs, output))

    def backward(self, module: nn.Module, grad_input: Any, grad_output: Any) -> Any:
        """Relevance of the layer's input."""
        return _shortened(self, _positive_z_plus, super().backward)(module, grad_input, grad_output)


class FastAlphaBeta(AlphaBeta):  # type: ignore[misc] # zennit publishes no types
    """`zennit.rules.AlphaBeta` without needless work, like `FastZPlus`."""

    def post_forward(self, module: nn.Module, inputs: Any, output: Tensor) -> Any:
        """Register the rule on the output."""
        return super().post_forward(module, inputs, _without_gradient(inputs, output))

    def backward(self, module: nn.Module, grad_input: Any, grad_output: Any) -> Any:
        """Relevance of the layer's input."""
        return _shortened(self, _positive_alpha_beta, super().backward)(module, grad_input, grad_output)


def _shortened(hook: BasicHook, short: Any, full: Any) -> Any:
    """The backward function of the short rule where the stored input is not negative, else of the full rule."""
    if bool((hook.stored_tensors["input"][0] < 0).any()):
        return full
    rule = short()
    rule.stored_tensors = hook.stored_tensors
    return rule.backward


def composite(rule: str, epsilon: float, limits: tuple[float, float] | None) -> LayerMapComposite:
    """Which rule each layer has.

    Parameters
    ----------
    rule
        ``epsilon-plus``, ``epsilon-alpha2-beta1`` or ``epsilon-gamma-box``: the first word is the rule of linear layers, the
        others are those of convolutions, and ``box`` is the rule of the first one.
    epsilon
        Added to the denominators of linear layers, as a share of the root mean square of the layer's outputs.
    limits
        Lowest and highest value of the input; only for ``epsilon-gamma-box``.
    """
    layers = [
        (Activation, Pass()),
        ((Sum, ZennitSum), Norm(stabilizer=STABILIZER)),
        (AvgPool, Norm(stabilizer=STABILIZER)),
        (BatchNorm, Pass()),
    ]
    linear = (nn.Linear, Epsilon(epsilon=Stabilizer(epsilon, norm_scale=True), zero_params=BIAS))
    canonizers = [SequentialMergeBatchNorm()]
    if rule == "epsilon-plus":
        plus = FastZPlus(stabilizer=STABILIZER, zero_params=BIAS)
        return LayerMapComposite([*layers, (Convolution, plus), linear], canonizers)
    if rule == "epsilon-alpha2-beta1":
        both = FastAlphaBeta(alpha=ALPHA, beta=BETA, stabilizer=STABILIZER, zero_params=BIAS)
        return LayerMapComposite([*layers, (Convolution, both), linear], canonizers)
    low, high = limits or (0.0, 1.0)
    gamma = Gamma(gamma=GAMMA, stabilizer=STABILIZER, zero_params=BIAS)
    box = ZBox(low=low, high=high, stabilizer=STABILIZER, zero_params=BIAS)
    return SpecialFirstLayerMapComposite([*layers, (Convolution, gamma), linear], [(Convolution, box)], canonizers)


def without_rule(module: nn.Module) -> list[str]:
    """Names of the layers with weights that have no rule."""
    return [
        f"{name or 'the network'} ({type(layer).__name__})"
        for name, layer in module.named_modules()
        if any(True for _ in layer.parameters(recurse=False)) and not isinstance(layer, PARAMETERS)
    ]


def check_used_once(module: nn.Module, x: Tensor) -> None:
    """Check that no layer with a rule of its own is used twice: zennit keeps the activations of the last use only.

    Raises
    ------
    ModelError
        When one is.
    """
    uses: Counter[str] = Counter()
    handles = [
        layer.register_forward_hook(lambda *_, name=name: uses.update([name]))
        for name, layer in module.named_modules()
        if isinstance(layer, (*PARAMETERS, AvgPool, Sum, ZennitSum))
    ]
    try:
        with torch.inference_mode():
            module(x)
    finally:
        for handle in handles:
            handle.remove()
    if repeated := [name for name, times in uses.items() if times > 1]:
        message = (
            f"method lrp: the layer {repeated[0]} is used more than once; make a layer for each use, or use "
            "integrated-gradients"
        )
        raise ModelError(message)


class Propagation:
    """Relevance propagation through one network.

    Parameters
    ----------
    module
        The network; hooks are attached to it while relevance is computed.
    rules
        As `composite` returns them.
    """

    def __init__(self, module: nn.Module, rules: LayerMapComposite) -> None:
        self.module = module
        self.rules = rules
        self._checked = False

    def __call__(self, x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Relevance of the inputs, and the logit of each target twice: as the output, and as what relevance sums to."""
        if not self._checked:
            check_used_once(self.module, x[:1])
            self._checked = True
        with self.rules.context(self.module) as hooked:
            leaf = x.requires_grad_()
            logits = hooked(leaf)
            start = torch.zeros_like(logits).scatter_(1, targets[:, None], logits.detach().gather(1, targets[:, None]))
            (relevance,) = torch.autograd.grad(logits, leaf, start)
        outputs = logits.detach().gather(1, targets[:, None])[:, 0]
        return relevance, outputs, outputs
