"""Layer-wise relevance propagation by zennit: the logit is distributed backward over each layer's inputs, down to the pixels.

S. Bach et al., "On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance propagation", PLoS ONE
10(7), 2015. Rules per layer as in G. Montavon et al., "Layer-wise relevance propagation: an overview", 2019.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fairfer.errors import ModelError
from fairfer.explanations.methods.options import choice, number, whole_number
from fairfer.models.requirements import install_command, require

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fairfer.explanations.attribution import Maps
    from fairfer.models.model import Model

NAME = "lrp"

RULES: Mapping[str, str] = {
    "epsilon-plus": "z-plus",
    "epsilon-alpha2-beta1": "alpha-beta",
    "epsilon-gamma-box": "",
}
"""Rules by name, and the part of each that ignores the weights of deep layers; empty for none."""

WARNING = (
    "The rule {rule} in the convolutions is known to give similar maps when the weights of the deep layers are random (Sixt et "
    "al. 2020, When explanations lie). No finding rests on these maps."
)


class LRP:
    """Layer-wise relevance propagation.

    Parameters
    ----------
    model
        A model that offers its network.
    rule
        A name of `RULES`.
    epsilon
        Stabilizes the denominators of linear layers, as a share of the root mean square of a layer's outputs. A unit whose
        contributions cancel then gets little relevance instead of a very large positive and negative one. ``1e-6`` conserves
        relevance almost exactly, at the price of maps that such units dominate.
    batch_size
        Images at a time.
    device
        ``cpu``, ``cuda``, …; by default where the model's network is.

    Raises
    ------
    ModelError
        When zennit is missing, the model offers no network, or a layer has no rule.
    UsageError
        When an option is wrong.
    """

    name = NAME
    needs_gradients = True
    explains = "logit"

    def __init__(
        self, model: Model, *, rule: str = "epsilon-plus", epsilon: str = "0.05", batch_size: str = "16", device: str = ""
    ) -> None:
        choice(NAME, "rule", rule, list(RULES))
        stabilizer = number(NAME, "epsilon", epsilon, above=0, most=1e3)
        self._batch_size = whole_number(NAME, "batch_size", batch_size)
        _require_zennit()
        from fairfer.explanations.methods.pytorch.network import PlacedNetwork
        from fairfer.explanations.methods.pytorch.rules import Propagation, composite, without_rule

        self.model = model
        self._network = PlacedNetwork(model, NAME, device)
        self.options = {"rule": rule, "epsilon": f"{stabilizer:g}", "device": self._network.device}
        if missing := without_rule(self._network.module):
            message = f"method lrp has no rule for the layer {missing[0]} of the model {model.name}; use integrated-gradients"
            raise ModelError(message)
        limits = self._network.source.limits
        if rule == "epsilon-gamma-box" and limits is None:
            message = (
                f"method lrp: the rule epsilon-gamma-box needs the lowest and highest value of the input, which the model "
                f"{model.name} does not have; use epsilon-plus"
            )
            raise ModelError(message)
        self._explain = Propagation(self._network.module, composite(rule, stabilizer, limits))
        self.trusted = not RULES[rule]
        self.warning = WARNING.format(rule=RULES[rule]) if RULES[rule] else ""

    def maps(self, images: Sequence[NDArray[np.uint8]], targets: Sequence[int]) -> Maps:
        """Explain the logit of one label of each image; see `fairfer.explanations.attribution.Method.maps`."""
        return self._network.maps(images, targets, self._explain, self._batch_size)


def _require_zennit() -> None:
    """Check that zennit can be imported; it imports torchvision."""
    what = "method lrp"
    require("torch", what=what, extra="explain")
    try:
        importlib.import_module("zennit.composites")
    except ModuleNotFoundError as error:
        message = f"{what} needs the package {error.name!r}, which is not installed; run: {install_command('explain')}"
        raise ModelError(message) from error
    except Exception as error:  # RuntimeError where torchvision's operators do not fit PyTorch
        text = " ".join(str(error).split())[:200]
        message = (
            f"{what}: zennit cannot be imported ({text}); it needs a torchvision that fits PyTorch: install both from the same "
            "index, as on pytorch.org"
        )
        raise ModelError(message) from error
