"""How the bundled model is trained."""

from __future__ import annotations

from dataclasses import dataclass

CHECKPOINT = "checkpoint.pt"
"""File of the averaged weights."""


@dataclass(frozen=True)
class TrainingOptions:
    """How the bundled model is trained; the defaults are those of the published model.

    Attributes
    ----------
    epochs, batch, rate, seed
        Epochs of the learning-rate schedule, faces per step, highest learning rate, and the seed of all random numbers.
    holdout
        Share of Train that is held out to measure the accuracy.
    bf16
        Compute in bfloat16 where PyTorch's autocast allows it.
    stop
        Epoch of the schedule after which training ends.
    """

    epochs: int = 45
    batch: int = 128
    rate: float = 3e-3
    seed: int = 0
    holdout: float = 0.05
    bf16: bool = False
    stop: int = 27
