"""From the numbers that a network returns to scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fairfer.errors import ModelError

if TYPE_CHECKING:
    from fairfer.vocabulary import Task

Output = Literal["logits", "probabilities"]
OUTPUTS: tuple[Output, ...] = get_args(Output)

PROBABILITY_TOLERANCE = 1e-3
"""How far outside of 0..1 a probability may lie: room for half precision."""

SUM_TOLERANCE = 1e-4
"""How close to 1 the sum of nonnegative outputs must be to count as probabilities."""

Scores = NDArray[np.float64]


def softmax(logits: Scores) -> Scores:
    """Probabilities of exclusive labels, over the last axis."""
    with np.errstate(invalid="ignore"):  # infinities become NaN, which the caller reports
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def sigmoid(logits: Scores) -> Scores:
    """Probability of each label independently of the others.

    >>> sigmoid(np.array([0.0, -800.0, 800.0])).tolist()
    [0.5, 0.0, 1.0]
    """
    powers = np.exp(-np.abs(logits))  # never overflows
    return np.asarray(np.where(logits >= 0, 1, powers) / (1 + powers))


ACTIVATIONS: Mapping[Task, Callable[[Scores], Scores]] = {"single-label": softmax, "multi-label": sigmoid}
"""What turns logits into scores, by task."""


def to_scores(outputs: Scores, output: Output, task: Task) -> Scores:
    """Scores of shape (n, labels): probabilities as they are; logits through a softmax, or a sigmoid per label."""
    return ACTIVATIONS[task](outputs) if output == "logits" else outputs


def check_output(outputs: Scores, output: Output, task: Task) -> None:
    """Compare what a network returns with what it is said to return.

    Parameters
    ----------
    outputs
        (n, labels), of any image.
    output, task
        As declared.

    Raises
    ------
    ModelError
        If probabilities are outside of 0..1, or logits of exclusive labels already sum to 1.
    """
    low, high = float(outputs.min()), float(outputs.max())
    if output == "probabilities" and (low < -PROBABILITY_TOLERANCE or high > 1 + PROBABILITY_TOLERANCE):
        message = f'the output is declared as "probabilities", but is {low:.3g} to {high:.3g}; write "logits"'
        raise ModelError(message)
    exclusive = task == "single-label" and low >= 0 and bool((np.abs(outputs.sum(axis=-1) - 1) < SUM_TOLERANCE).all())
    if output == "logits" and exclusive:
        message = 'the output is declared as "logits", but already sums to 1; write "probabilities"'
        raise ModelError(message)
