"""Networks whose gradients can be computed, as attribution methods need them.

A model of an adapter that has such a network offers it with a method ``differentiable``. Models without it can be explained by
methods that only ask for answers (occlusion, RISE).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fairfer.labels import LabelSpace

Frames = NDArray[np.float64]
"""(n, 4): left, top, width and height, in pixels of each image, of the area that the network's input shows. The area may extend
beyond the image where the input is padded."""


@dataclass(frozen=True)
class Differentiable:
    """A PyTorch network up to its logits, and how images become its input.

    Attributes
    ----------
    module
        ``nn.Module`` in evaluation mode: (n, channels, height, width) float32 to (n, labels) logits. Layers are modules, each
        used once, as far as the network allows: rules of relevance propagation are attached to modules.
    labels
        Labels of the outputs, in their order.
    inputs
        From images, each (height, width, 3) RGB uint8, to the input, (n, channels, height, width) float32, and the frames.
    scores
        From logits to the scores that the model answers, both (n, labels).
    limits
        Lowest and highest value of the input, where they are known; the rule for the first layer may need them.
    version
        What the network depends on, for the identity of a run.
    mirrored
        Whether the model answers with the mean of the scores of an image and of its mirror image. `module` and `scores` are
        then those of one of the two, and a method explains both: its map is the mean of the two maps, the second mirrored back.
    """

    module: Any
    labels: LabelSpace
    inputs: Callable[[Sequence[NDArray[np.uint8]]], tuple[NDArray[np.float32], Frames]]
    scores: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    limits: tuple[float, float] | None
    version: str
    mirrored: bool = False


@runtime_checkable
class HasGradients(Protocol):
    """A model that offers its network for attribution methods."""

    def differentiable(self) -> Differentiable:
        """Return the network.

        Raises
        ------
        fairfer.errors.ModelError
            When PyTorch is missing, or the network cannot be had in PyTorch; says what to do.
        """
        ...
