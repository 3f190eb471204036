"""The checks of all methods on the same faces, as rows of ``explanations.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.explanations import faithfulness
from fairfer.explanations.explanation_results import Agreement, Checks, MeanValue
from fairfer.models.differentiable import HasGradients

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fairfer.explanations.attribution import Method

    Images = Sequence[NDArray[np.uint8]]


def check_methods(
    methods: Sequence[Method], images: Images, targets: Sequence[int], seed: int
) -> tuple[dict[str, Checks], list[Agreement]]:
    """Check every method, and compare every two.

    Parameters
    ----------
    methods
        For one model.
    images, targets
        Faces, and the label of each that is explained.
    seed
        Of random orders and random weights.

    Returns
    -------
    checks, agreement
        By the name of the method; rows of pairs.
    """
    maps = {method.name: method.maps(images, targets) for method in methods}
    checks = {}
    for method in methods:
        curves = faithfulness.perturbation(method, images, targets, maps=maps[method.name], seed=seed)
        randomization = None
        if method.needs_gradients and isinstance(method.model, HasGradients):
            found = faithfulness.randomization(method, images, targets, maps=maps[method.name], seed=seed)
            randomization = _mean(found.final)
        checks[method.name] = Checks(
            faces=len(images),
            randomization=randomization,
            deletion_gain=_mean(curves.deletion_gain),
            insertion_gain=_mean(curves.insertion_gain),
        )
    agreement = [
        Agreement(method=one.methods[0], other=one.methods[1], correlation=_mean(one.mean))
        for one in faithfulness.agreement(maps, images)
    ]
    return checks, agreement


def _mean(mean: faithfulness.Mean) -> MeanValue:
    return MeanValue(value=mean.value, low=mean.low, high=mean.high, faces=mean.n)
