"""Integrated gradients and Grad-CAM by captum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.errors import ModelError
from fairfer.explanations.methods.options import choice, whole_number
from fairfer.models.requirements import require

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fairfer.explanations.attribution import Maps
    from fairfer.models.model import Model

BASELINES = ("mean", "black")
"""Baseline images of integrated gradients by name: plain, with the mean of each channel of the image, or its lowest value."""


class IntegratedGradients:
    """Integrated gradients (Sundararajan et al. 2017): the gradient along the way from a baseline image to the image.

    A map sums to the difference of the logits of the image and of the baseline, up to the error of the sum over the steps.

    Parameters
    ----------
    model
        A model that offers its network.
    baseline
        ``mean``: a plain image with the mean of each channel of the image's input; ``black``: the lowest value of the input.
    steps
        Points at which the gradient is computed (Gauss–Legendre).
    batch_size
        Network inputs at a time; each image needs as many as there are steps.
    device
        ``cpu``, ``cuda``, …; by default where the model's network is.

    Raises
    ------
    ModelError
        When captum is missing, or the model offers no network or no lowest value.
    UsageError
        When an option is wrong.
    """

    name = "integrated-gradients"
    needs_gradients = True
    explains = "logit"
    trusted = True
    warning = ""

    def __init__(
        self, model: Model, *, baseline: str = "mean", steps: str = "32", batch_size: str = "64", device: str = ""
    ) -> None:
        choice(self.name, "baseline", baseline, BASELINES)
        points = whole_number(self.name, "steps", steps, least=2)
        self._images = max(1, whole_number(self.name, "batch_size", batch_size) // points)
        _require_captum(self.name)
        from fairfer.explanations.methods.pytorch.gradients import Path
        from fairfer.explanations.methods.pytorch.network import PlacedNetwork

        self.model = model
        self._network = PlacedNetwork(model, self.name, device)
        limits = self._network.source.limits
        if baseline == "black" and limits is None:
            message = (
                f"method {self.name}: baseline=black needs the lowest value of the input, which the model {model.name} does "
                "not have; use baseline=mean"
            )
            raise ModelError(message)
        self.options = {"baseline": baseline, "steps": str(points), "device": self._network.device}
        self._explain = Path(self._network.module, points, limits[0] if limits and baseline == "black" else None)

    def maps(self, images: Sequence[NDArray[np.uint8]], targets: Sequence[int]) -> Maps:
        """Explain the logit of one label of each image; see `fairfer.explanations.attribution.Method.maps`."""
        return self._network.maps(images, targets, self._explain, self._images)


class GradCAM:
    """Grad-CAM (Selvaraju et al. 2017): activations of the last convolution, weighted by their mean gradients.

    The map has the resolution of that layer and is enlarged bilinearly to the size of the input. Negative values are kept.

    Parameters
    ----------
    model
        A model that offers its network.
    layer
        Name of a layer in the network; by default the last convolution, with the activation that follows it.
    batch_size
        Images at a time.
    device
        ``cpu``, ``cuda``, …; by default where the model's network is.

    Raises
    ------
    ModelError
        When captum is missing, the model offers no network, or it has no such layer.
    UsageError
        When an option is wrong.
    """

    name = "grad-cam"
    needs_gradients = True
    explains = "logit"
    trusted = True
    warning = (
        "These maps have the resolution of one layer. Where its cells are as large as a region of the face, they do not "
        "separate neighboring regions, and a difference between groups can be missed."
    )

    def __init__(self, model: Model, *, layer: str = "", batch_size: str = "32", device: str = "") -> None:
        self._batch_size = whole_number(self.name, "batch_size", batch_size)
        _require_captum(self.name)
        from fairfer.explanations.methods.pytorch.gradients import Activations, find_layer
        from fairfer.explanations.methods.pytorch.network import PlacedNetwork

        self.model = model
        self._network = PlacedNetwork(model, self.name, device)
        found, chosen = find_layer(self._network.module, layer, model.name)
        self.options = {"layer": found, "device": self._network.device}
        self._explain = Activations(self._network.module, chosen, found)

    def maps(self, images: Sequence[NDArray[np.uint8]], targets: Sequence[int]) -> Maps:
        """Explain the logit of one label of each image; see `fairfer.explanations.attribution.Method.maps`."""
        return self._network.maps(images, targets, self._explain, self._batch_size)


def _require_captum(method: str) -> None:
    for package in ("torch", "captum"):
        require(package, what=f"method {method}", extra="explain")
