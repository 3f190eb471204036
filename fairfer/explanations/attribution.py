"""What an attribution method is: a map per image of how much each pixel speaks for or against a label.

`fairfer.explanations.methods` has the methods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from fairfer.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.models.differentiable import Frames
    from fairfer.models.model import Model


@dataclass(frozen=True, eq=False)
class Maps:
    """Maps of several images.

    Attributes
    ----------
    values
        (n, height, width) float32: signed relevance, positive where a pixel speaks for the label; NaN where it is not defined,
        for instance of an image without an answer. The sum over the channels of the input.
    frames
        (n, 4): left, top, width and height, in pixels of each image, of the area that the map covers.
    outputs
        (n,): the logit or score that is explained; NaN where there is none.
    conserved
        (n,): the sum of a map divided by what its method distributes over the pixels: the logit for relevance propagation, the
        difference from the logit of the baseline image for integrated gradients. 1 is exact. NaN for other methods.
    """

    values: NDArray[np.float32]
    frames: Frames
    outputs: NDArray[np.float64]
    conserved: NDArray[np.float64]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.values)


class Method(Protocol):
    """An attribution method for one model."""

    @property
    def name(self) -> str:
        """As `fairfer.explanations.methods.make_method` takes it."""
        ...

    @property
    def model(self) -> Model:
        """The model that is explained."""
        ...

    @property
    def options(self) -> Mapping[str, str]:
        """Every choice that changes the maps as text, with the defaults written out; part of the identity of stored maps."""
        ...

    @property
    def needs_gradients(self) -> bool:
        """Whether the method needs a model that offers its network; otherwise it only asks for answers."""
        ...

    @property
    def trusted(self) -> bool:
        """Whether a finding may rest on its maps alone.

        False for rules that are known to give nearly the same map when the weights of the network are random.
        """
        ...

    @property
    def warning(self) -> str:
        """What limits its maps, or why it is not trusted, in sentences for readers; empty without such a reason."""
        ...

    @property
    def explains(self) -> str:
        """What `Maps.outputs` is: ``logit`` or ``score``."""
        ...

    def maps(self, images: Sequence[NDArray[np.uint8]], targets: Sequence[int]) -> Maps:
        """Explain one label of each image.

        Parameters
        ----------
        images
            (height, width, 3) RGB each.
        targets
            For each image, the position of a label in the model's labels.

        Raises
        ------
        UsageError
            When a target is not a label of the model, or their number is not that of the images.
        ModelError
            When the network fails.
        """
        ...


def join(parts: Sequence[Maps]) -> Maps:
    """The maps of several batches as one.

    Parameters
    ----------
    parts
        At least one; maps of one height and width.
    """
    return Maps(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.frames for part in parts]),
        np.concatenate([part.outputs for part in parts]),
        np.concatenate([part.conserved for part in parts]),
    )


def check_targets(images: Sequence[NDArray[np.uint8]], targets: Sequence[int], labels: int) -> NDArray[np.int64]:
    """Targets as an array.

    Raises
    ------
    UsageError
        When there is no image, one is not a label, or their number is not that of the images.
    """
    positions = np.asarray(targets)
    if not len(images):
        message = "there is no image to explain; give at least one"
        raise UsageError(message)
    if positions.shape != (len(images),):
        message = f"{len(images)} images have targets of the shape {positions.shape}; give one label per image"
        raise UsageError(message)
    if positions.dtype.kind not in "iu" or positions.min() < 0 or positions.max() >= labels:
        message = f"targets are positions of the model's labels, whole numbers from 0 to {labels - 1}; correct them"
        raise UsageError(message)
    return positions.astype(np.int64)
