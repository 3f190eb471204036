"""Train the bundled model and export it.

From a checkout with FER+ in ``datasets/ferplus``, one command replaces the bundled graph::

    python -m fairfer.models.baseline.train --data datasets/ferplus --out build/baseline --export fairfer/baseline

A compact convolutional network (plain 3x3 convolutions, then depthwise-separable ones) learns the *distribution* of the
ten FER+ votes rather than one label per face. It sees FER+ Train only: Test is opened for one purpose, to leave out of
training every Train picture whose pixels also occur in Test (FER2013 holds many such twins).

A twentieth of Train (by a seeded shuffle) is held out to watch the accuracy; no setting was chosen on Test. The published
weights are those after epoch 27 of a schedule laid out for 45 (``--stop 27``): training was ended there for want of time, when
the average of the weights had not gained on the held-out faces for two epochs.

``--out`` receives ``checkpoint.pt``, the averaged weights, after every epoch; ``--export`` (by default the same folder)
receives ``baseline.onnx`` at the end. A checkpoint alone is exported by `fairfer.models.baseline.export`.

Needs the ``torch`` extra and the package ``onnx``. Same seed, same thread count, same PyTorch build: same weights.
"""

from __future__ import annotations

import argparse
import csv
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
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - PyTorch's own habit

from fairfer.datasets.loaders.ferplus import majority
from fairfer.errors import DataError, FairferError

if TYPE_CHECKING:
    from collections.abc import Iterator

EMOTIONS = 8
SIDE = 48
CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class TrainingOptions:
    """How to train; the defaults are the published model's.

    Attributes
    ----------
    epochs, batch, rate, seed
        Passes over the data, faces per step, highest learning rate, and the seed of everything random.
    holdout
        Share of Train that is kept out to watch the accuracy.
    stop
        Epoch of the schedule after which training ends.
    bf16
        Compute in bfloat16 where PyTorch deems it safe.
    """

    epochs: int = 45
    batch: int = 128
    rate: float = 3e-3
    seed: int = 0
    holdout: float = 0.05
    bf16: bool = False
    stop: int = 27


class Separable(nn.Module):
    """Depthwise 3x3 then pointwise 1x1 convolution, each with batch norm; a residual path where the width allows."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.depth = nn.Conv2d(width_in, width_in, 3, padding=1, groups=width_in, bias=False)
        self.depth_norm = nn.BatchNorm2d(width_in)
        self.point = nn.Conv2d(width_in, width_out, 1, bias=False)
        self.point_norm = nn.BatchNorm2d(width_out)
        self.residual = width_in == width_out

    def forward(self, x: Tensor) -> Tensor:
        """(n, width_in, h, w) to (n, width_out, h, w)."""
        y = F.relu(self.depth_norm(self.depth(x)))
        y = self.point_norm(self.point(y))
        return F.relu(x + y if self.residual else y)


class Plain(nn.Module):
    """3x3 convolution with batch norm; a residual path where the width allows."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width_in, width_out, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width_out)
        self.residual = width_in == width_out

    def forward(self, x: Tensor) -> Tensor:
        """(n, width_in, h, w) to (n, width_out, h, w)."""
        y = self.norm(self.conv(x))
        return F.relu(x + y if self.residual else y)


class Network(nn.Module):
    """(n, 1, 48, 48) grey levels 0..255 -> (n, 8) logits in FER+ order."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            [
                nn.Sequential(Plain(1, 16), Plain(16, 16)),
                nn.Sequential(Plain(16, 48), Plain(48, 48)),
                nn.Sequential(Plain(48, 128), Plain(128, 128)),
                nn.Sequential(Separable(128, 256), Separable(256, 256), Separable(256, 256)),
            ]
        )
        self.drop = nn.Dropout(0.4)
        self.head = nn.Linear(256, EMOTIONS)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of each face, which is standardised first."""
        x = standardise(x)
        for i, stage in enumerate(self.stages):
            x = stage(x if i == 0 else F.max_pool2d(x, 2))
        logits: Tensor = self.head(self.drop(x.mean((2, 3))))
        return logits


def standardise(x: Tensor) -> Tensor:
    """Each picture to mean 0 and standard deviation 1, so that exposure matters less."""
    mean = x.mean((1, 2, 3), keepdim=True)
    var = ((x - mean) ** 2).mean((1, 2, 3), keepdim=True)
    return (x - mean) / torch.sqrt(var + 1.0)


def read_split(root: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """(n, 48, 48) uint8 pictures and (n, 10) integer votes of one official FER+ split."""
    folder = root / "data" / f"FER2013{split}"
    try:
        with (folder / "label.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        pictures = np.stack([_read_picture(folder / row[0]) for row in rows])
        return pictures, np.array([[int(v) for v in row[2:12]] for row in rows])
    except OSError as error:
        message = f"{error.filename or folder} cannot be read ({error.strerror or error}); --data is the official FER+ folder"
        raise DataError(message) from error
    except (ValueError, IndexError) as error:
        message = f"{folder}: label.csv or its pictures are not FER+'s ({error}); --data is the official FER+ folder"
        raise DataError(message) from error


def _read_picture(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L"))


def vote_targets(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Make the training target of each face, and tell whether it has one.

    Votes of a single rater are dropped as outliers (the FER+ rule); a face is used when at least half of what remains is
    for one of the eight emotions. The target is the distribution of those votes.
    """
    kept = np.where(votes <= 1, 0, votes)
    emotion, everything = kept[:, :EMOTIONS].sum(1), kept.sum(1)
    usable = (emotion > 0) & (2 * emotion >= everything)
    return kept[:, :EMOTIONS] / np.maximum(emotion, 1)[:, None], usable


def official_majority(votes: np.ndarray) -> np.ndarray:
    """FER+'s official majority label of each row; 8 where it is unknown or not a face."""
    weights = majority(votes)
    winner = weights.argmax(1)
    return np.where((weights.sum(1) > 0) & (winner < EMOTIONS), winner, EMOTIONS)


def augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """Random flip, rotation (+-20 degrees), scale, shear, shift, gain and one erased patch for each (n, 1, 48, 48) face."""
    n = len(x)

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(n, generator=generator) * (high - low) + low

    angle, scale = uniform(-20, 20) * math.pi / 180, uniform(0.82, 1.15)
    flip = (torch.rand(n, generator=generator) < 0.5) * -2.0 + 1.0  # noqa: PLR2004 - heads or tails
    shear = uniform(-0.12, 0.12)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    theta = torch.stack(
        [
            torch.stack([cos * flip, -sin + shear, uniform(-0.14, 0.14)], 1),
            torch.stack([sin * flip, cos, uniform(-0.14, 0.14)], 1),
        ],
        1,
    )
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    gamma = torch.exp(uniform(-0.35, 0.35))[:, None, None, None]
    x = 255.0 * (x / 255.0).clamp(1e-4, 1) ** gamma
    rows, columns = torch.arange(SIDE)[None, :, None], torch.arange(SIDE)[None, None, :]
    top, left = uniform(-8, SIDE)[:, None, None], uniform(-8, SIDE)[:, None, None]
    height, width = uniform(4, 18)[:, None, None], uniform(4, 18)[:, None, None]
    use = (torch.rand(n, generator=generator) < 0.5)[:, None, None]  # noqa: PLR2004 - heads or tails
    patch = use & (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)
    return torch.where(patch[:, None], x.mean((2, 3), keepdim=True), x)


def probabilities(model: nn.Module, x: Tensor) -> Tensor:
    """Mean of the network's answers to a face and to its mirror image, which is what the exported graph computes."""
    return (F.softmax(model(x), 1) + F.softmax(model(x.flip(3)), 1)) / 2


def batches(x: Tensor, size: int) -> Iterator[Tensor]:
    """Cut `x` into pieces of `size`; the last may be shorter."""
    for start in range(0, len(x), size):
        yield x[start : start + size]


def accuracy(model: nn.Module, pictures: Tensor, truth: np.ndarray) -> float:
    """Share of faces whose most probable emotion is the true one."""
    model.eval()
    with torch.inference_mode():
        guess = torch.cat([probabilities(model, b.float()).argmax(1) for b in batches(pictures, 256)]).numpy()
    return float((guess == truth).mean())


def train(root: Path, out: Path, settings: TrainingOptions) -> Network:  # noqa: PLR0915 - one loop, read top to bottom
    """Train on FER+ Train, leaving out what also occurs in Test.

    Parameters
    ----------
    root
        Folder of the official FER+ layout.
    out
        Folder for the checkpoint, which is written after every epoch, as is a log line to stdout.
    settings
        How.

    Returns
    -------
    Network
        The network with its averaged weights.
    """
    epochs, batch, rate = settings.epochs, settings.batch, settings.rate
    seed, holdout, bf16 = settings.seed, settings.holdout, settings.bf16
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    pictures, votes = read_split(root, "Train")
    targets, usable = vote_targets(votes)
    test = {hashlib.sha256(p.tobytes()).digest() for p in read_split(root, "Test")[0]}
    usable &= np.array([hashlib.sha256(p.tobytes()).digest() not in test for p in pictures])
    order = np.random.default_rng(seed).permutation(np.flatnonzero(usable))
    held, used = np.split(order, [round(holdout * len(order))])
    seen = {pictures[i].tobytes() for i in used}
    held = np.array([i for i in held if pictures[i].tobytes() not in seen], dtype=int)
    if len(used) < batch:
        message = f"{root}: {len(used)} usable training faces are fewer than one batch of {batch}"
        raise DataError(message)
    x = torch.from_numpy(pictures[used])[:, None]
    y = torch.from_numpy(targets[used]).float()
    truth = official_majority(votes[held])
    held = held[truth < EMOTIONS]
    truth = truth[truth < EMOTIONS]
    x_held = torch.from_numpy(pictures[held])[:, None]

    model = Network().to(memory_format=torch.channels_last)  # type: ignore[call-overload] # PyTorch's stub lacks it
    average = Network()
    average.load_state_dict(model.state_dict())
    decay = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=rate)
    steps = epochs * (len(x) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=rate, total_steps=steps, pct_start=0.2)
    step = 0
    for epoch in range(min(epochs, settings.stop)):
        model.train()
        started, total = time.perf_counter(), 0.0
        shuffled = torch.randperm(len(x), generator=generator)
        for rows in batches(shuffled, batch):
            if len(rows) < batch:
                continue
            faces = augment(x[rows].float(), generator).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
                logits = model(faces)
            loss = F.cross_entropy(logits.float(), y[rows])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call] # PyTorch's stub lacks it
            nn.utils.clip_grad_norm_(model.parameters(), 2.0)
            optimiser.step()
            schedule.step()
            step += 1
            keep = min(0.998, (1 + step) / (10 + step))
            with torch.no_grad():
                for mean, now in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
                    if mean.dtype.is_floating_point:
                        mean.lerp_(now, 1 - keep)
                    else:
                        mean.copy_(now)
            total += float(loss.detach())
        line = {"epoch": epoch + 1, "loss": round(total / max(1, len(x) // batch), 4)}
        if len(held):
            line |= {"held_out": len(held), "accuracy": round(accuracy(average, x_held, truth), 4)}
        line["seconds"] = round(time.perf_counter() - started, 1)
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        part = out / f"{CHECKPOINT}.part"
        torch.save(average.state_dict(), part)
        part.replace(out / CHECKPOINT)
    return average


def main(arguments: list[str] | None = None) -> None:
    """Train, then export."""
    from fairfer.models.baseline import export  # noqa: PLC0415 - it imports this module; and what it lacks is told before training

    default = TrainingOptions()
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the official FER+ layout")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint.pt")
    parser.add_argument("--export", type=Path, help="folder for baseline.onnx; by default that of the checkpoint")
    parser.add_argument("--epochs", type=int, default=default.epochs)
    parser.add_argument("--stop", type=int, default=default.stop, help="last epoch of the schedule that is run")
    parser.add_argument("--holdout", type=float, default=default.holdout)
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--rate", type=float, default=default.rate)
    parser.add_argument("--batch", type=int, default=default.batch)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    settings = TrainingOptions(given.epochs, given.batch, given.rate, given.seed, given.holdout, given.bf16, given.stop)
    try:
        given.out.mkdir(parents=True, exist_ok=True)
        train(given.data, given.out, settings)
    except FairferError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    export.main(["--checkpoint", str(given.out / CHECKPOINT), "--out", str(given.export or given.out)])


if __name__ == "__main__":
    main()
