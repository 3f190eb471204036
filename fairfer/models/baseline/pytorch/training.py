"""The training loop of the bundled model."""

from __future__ import annotations

import hashlib
import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fairfer.errors import DataError
from fairfer.models.baseline.options import CHECKPOINT, TrainingOptions
from fairfer.models.baseline.pytorch.network import Network, batches, probabilities
from fairfer.models.baseline.votes import EMOTIONS, SIDE, official_majority, read_split, vote_targets

if TYPE_CHECKING:
    from numpy.typing import NDArray

HALF = 0.5
"""Probability that a face is flipped, and that it is partly covered."""

DECAY = 0.998
"""Highest decay of the average of the weights; lower in the first steps, so that the initial weights are forgotten."""


@dataclass(frozen=True)
class Faces:
    """Training and held-out faces.

    Attributes
    ----------
    images, targets
        (n, 1, 48, 48) uint8 images and (n, 8) distributions of votes to train on.
    held_images, held_truth
        Held-out images, and the index of each one's majority label.
    """

    images: Tensor
    targets: Tensor
    held_images: Tensor
    held_truth: NDArray[np.int_]


def load_faces(root: Path, options: TrainingOptions) -> Faces:
    """FER+ Train without faces that also occur in Test, with a part held out.

    Parameters
    ----------
    root
        Folder of the official FER+ layout.
    options
        Seed, share held out, and faces per step.

    Raises
    ------
    DataError
        When the folder cannot be read, or has fewer faces than one step takes.
    """
    images, votes = read_split(root, "Train")
    targets, usable = vote_targets(votes)
    test = {hashlib.sha256(p.tobytes()).digest() for p in read_split(root, "Test")[0]}
    usable &= np.array([hashlib.sha256(p.tobytes()).digest() not in test for p in images])
    order = np.random.default_rng(options.seed).permutation(np.flatnonzero(usable))
    held, used = np.split(order, [round(options.holdout * len(order))])
    pixels = {images[i].tobytes() for i in used}
    held = np.array([i for i in held if images[i].tobytes() not in pixels], dtype=int)
    if len(used) < options.batch:
        message = f"{root}: {len(used)} usable training faces are fewer than one batch of {options.batch}; lower --batch"
        raise DataError(message)
    truth = official_majority(votes[held])
    held, truth = held[truth < EMOTIONS], truth[truth < EMOTIONS]
    return Faces(
        torch.from_numpy(images[used])[:, None],
        torch.from_numpy(targets[used]).float(),
        torch.from_numpy(images[held])[:, None],
        truth,
    )


def augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """Random flip, rotation (+-20 degrees), scale, shear, shift, gain and one erased patch for each (n, 1, 48, 48) face."""
    n = len(x)

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(n, generator=generator) * (high - low) + low

    angle, scale = uniform(-20, 20) * math.pi / 180, uniform(0.82, 1.15)
    flip = (torch.rand(n, generator=generator) < HALF) * -2.0 + 1.0
    shear = uniform(-0.12, 0.12)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    theta = torch.stack(
        [
            torch.stack([cos * flip, -sin + shear, uniform(-0.14, 0.14)], 1),
            torch.stack([sin * flip, cos, uniform(-0.14, 0.14)], 1),
        ],
        1,
    )
    grid = functional.affine_grid(theta, list(x.shape), align_corners=False)
    x = functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
    gamma = torch.exp(uniform(-0.35, 0.35))[:, None, None, None]
    x = 255.0 * (x / 255.0).clamp(1e-4, 1) ** gamma
    rows, columns = torch.arange(SIDE)[None, :, None], torch.arange(SIDE)[None, None, :]
    top, left = uniform(-8, SIDE)[:, None, None], uniform(-8, SIDE)[:, None, None]
    height, width = uniform(4, 18)[:, None, None], uniform(4, 18)[:, None, None]
    use = (torch.rand(n, generator=generator) < HALF)[:, None, None]
    patch = use & (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)
    return torch.where(patch[:, None], x.mean((2, 3), keepdim=True), x)


def accuracy(model: nn.Module, images: Tensor, truth: NDArray[np.int_]) -> float:
    """Share of faces whose most probable emotion is the true one."""
    model.eval()
    with torch.inference_mode():
        predicted = torch.cat([probabilities(model, b.float()).argmax(1) for b in batches(images, 256)]).numpy()
    return float((predicted == truth).mean())


class Trainer:
    """A network in training, with the moving average of its weights.

    Parameters
    ----------
    faces
        Faces to train on.
    options
        How.
    """

    def __init__(self, faces: Faces, options: TrainingOptions) -> None:
        torch.manual_seed(options.seed)
        self.generator = torch.Generator().manual_seed(options.seed)
        self.faces = faces
        self.options = options
        self.step = 0
        self.steps_per_epoch = len(faces.images) // options.batch
        self.model = Network().to(memory_format=torch.channels_last)  # type: ignore[call-overload] # PyTorch's stub lacks it
        self.average = Network()
        self.average.load_state_dict(self.model.state_dict())
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        others = [p for p in self.model.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=options.rate)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, max_lr=options.rate, total_steps=options.epochs * self.steps_per_epoch, pct_start=0.2
        )

    def epoch(self) -> float:
        """Train on every face once, in random order; the last incomplete batch is skipped. Returns the mean loss."""
        self.model.train()
        total = 0.0
        order = torch.randperm(len(self.faces.images), generator=self.generator)
        for rows in batches(order, self.options.batch):
            if len(rows) == self.options.batch:
                total += self._train_on(rows)
        return total / max(1, self.steps_per_epoch)

    def _train_on(self, rows: Tensor) -> float:
        """One step; returns the loss."""
        faces = augment(self.faces.images[rows].float(), self.generator).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.options.bf16):
            logits = self.model(faces)
        loss = functional.cross_entropy(logits.float(), self.faces.targets[rows])
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call] # PyTorch's stub lacks it
        nn.utils.clip_grad_norm_(self.model.parameters(), 2.0)
        self.optimizer.step()
        self.schedule.step()
        self.step += 1
        self._update_average()
        return float(loss.detach())

    def _update_average(self) -> None:
        decay = min(DECAY, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, now in zip(self.average.state_dict().values(), self.model.state_dict().values(), strict=True):
                if mean.dtype.is_floating_point:
                    mean.lerp_(now, 1 - decay)
                else:
                    mean.copy_(now)


def train(root: Path, out: Path, options: TrainingOptions) -> Network:
    """Train on FER+ Train without the faces that also occur in Test.

    Parameters
    ----------
    root
        Folder of the official FER+ layout.
    out
        Folder for the checkpoint, which is written after every epoch, as is a log line to stdout.
    options
        How.

    Returns
    -------
    Network
        The network with its averaged weights.
    """
    faces = load_faces(root, options)
    trainer = Trainer(faces, options)
    for epoch in range(min(options.epochs, options.stop)):
        started = time.perf_counter()
        line: dict[str, float] = {"epoch": epoch + 1, "loss": round(trainer.epoch(), 4)}
        if len(faces.held_truth):
            line["held_out"] = len(faces.held_truth)
            line["accuracy"] = round(accuracy(trainer.average, faces.held_images, faces.held_truth), 4)
        line["seconds"] = round(time.perf_counter() - started, 1)
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        temporary = out / f"{CHECKPOINT}.part"
        torch.save(trainer.average.state_dict(), temporary)
        temporary.replace(out / CHECKPOINT)
    return trainer.average
