"""Train the bundled model: ``python -m fairfer.baseline.train --data FERPLUS --out FOLDER``.

A compact convolutional network (plain 3x3 convolutions, then depthwise-separable ones) learns the *distribution* of the
ten FER+ votes rather than one label per face. It sees FER+ Train only: Test is opened for one purpose, to leave out of
training every Train picture whose pixels also occur in Test (FER2013 holds many such twins).

The last tenth of Train (by a seeded shuffle) is held out while choosing settings (``--holdout 0.1``); the published model
is trained on all of Train with the settings so chosen (``--holdout 0``), and Test is scored once, by ``fairfer audit``.

Needs the ``torch`` extra. Same seed, same thread count, same PyTorch build: same weights.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

EMOTIONS = 8
SIDE = 48


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
        x = standardise(x)
        for i, stage in enumerate(self.stages):
            x = stage(x if i == 0 else F.max_pool2d(x, 2))
        return self.head(self.drop(x.mean((2, 3))))


def standardise(x: Tensor) -> Tensor:
    """Each picture to mean 0 and standard deviation 1, so that exposure matters less."""
    mean = x.mean((1, 2, 3), keepdim=True)
    var = ((x - mean) ** 2).mean((1, 2, 3), keepdim=True)
    return (x - mean) / torch.sqrt(var + 1.0)


def read_split(root: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """(n, 48, 48) uint8 pictures and (n, 10) integer votes of one official FER+ split."""
    folder = root / "data" / f"FER2013{split}"
    with (folder / "label.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    pictures = np.stack([np.asarray(Image.open(folder / row[0]).convert("L")) for row in rows])
    return pictures, np.array([[int(v) for v in row[2:12]] for row in rows])


def vote_targets(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The training target of each face and whether it has one.

    Votes of a single rater are dropped as outliers (the FER+ rule); a face is used when at least half of what remains is
    for one of the eight emotions. The target is the distribution of those votes.
    """
    kept = np.where(votes <= 1, 0, votes)
    emotion, everything = kept[:, :EMOTIONS].sum(1), kept.sum(1)
    usable = (emotion > 0) & (2 * emotion >= everything)
    return kept[:, :EMOTIONS] / np.maximum(emotion, 1)[:, None], usable


def official_majority(votes: np.ndarray) -> np.ndarray:
    """FER+'s official majority label of each row; 8 where it is unknown or not a face."""
    kept = np.where(votes <= 1, 0, votes)
    top = kept.argmax(1)
    return np.where((2 * kept.max(1) > kept.sum(1)) & (top < EMOTIONS), top, EMOTIONS)


def augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """Random flip, rotation (+-20 degrees), scale, shear, shift, gain and one erased patch for each (n, 1, 48, 48) face."""
    n = len(x)

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(n, generator=generator) * (high - low) + low

    angle, scale = uniform(-20, 20) * math.pi / 180, uniform(0.82, 1.15)
    flip = (torch.rand(n, generator=generator) < 0.5) * -2.0 + 1.0
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
    use = (torch.rand(n, generator=generator) < 0.5)[:, None, None]
    patch = use & (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)
    return torch.where(patch[:, None], x.mean((2, 3), keepdim=True), x)


def probabilities(model: nn.Module, x: Tensor) -> Tensor:
    """Mean of the network's answers to a face and to its mirror image; what the exported graph computes."""
    return (F.softmax(model(x), 1) + F.softmax(model(x.flip(3)), 1)) / 2


def batches(x: Tensor, size: int) -> Iterator[Tensor]:
    for start in range(0, len(x), size):
        yield x[start : start + size]


def accuracy(model: nn.Module, pictures: Tensor, truth: np.ndarray) -> float:
    model.eval()
    with torch.inference_mode():
        guess = torch.cat([probabilities(model, b.float()).argmax(1) for b in batches(pictures, 256)]).numpy()
    return float((guess == truth).mean())


def train(  # noqa: PLR0915 - one loop, read top to bottom
    root: Path, out: Path, *, epochs: int, holdout: float, seed: int, rate: float, batch: int, bf16: bool, exclude: bool
) -> Network:
    """Train and return the averaged network; a checkpoint and a log line are written after every epoch."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    pictures, votes = read_split(root, "Train")
    targets, usable = vote_targets(votes)
    if exclude:
        test = {hashlib.sha256(p.tobytes()).digest() for p in read_split(root, "Test")[0]}
        usable &= np.array([hashlib.sha256(p.tobytes()).digest() not in test for p in pictures])
    order = np.random.default_rng(seed).permutation(np.flatnonzero(usable))
    held, used = np.split(order, [round(holdout * len(order))])
    seen = {pictures[i].tobytes() for i in used}
    held = np.array([i for i in held if pictures[i].tobytes() not in seen], dtype=int)
    x = torch.from_numpy(pictures[used])[:, None]
    y = torch.from_numpy(targets[used]).float()
    truth = official_majority(votes[held])
    held = held[truth < EMOTIONS]
    truth = truth[truth < EMOTIONS]
    x_held = torch.from_numpy(pictures[held])[:, None]

    model = Network().to(memory_format=torch.channels_last)
    average = Network()
    average.load_state_dict(model.state_dict())
    decay = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=rate)
    steps = epochs * (len(x) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=rate, total_steps=steps, pct_start=0.2)
    step = 0
    for epoch in range(epochs):
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
            loss.backward()
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
        print(json.dumps(line), flush=True)
        torch.save(average.state_dict(), out / "checkpoint.pt")
    return average


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the official FER+ layout")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=45)
    parser.add_argument("--holdout", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    train(
        arguments.data, arguments.out, epochs=arguments.epochs, holdout=arguments.holdout, seed=arguments.seed,
        rate=arguments.rate, batch=arguments.batch, bf16=arguments.bf16, exclude=True,
    )


if __name__ == "__main__":
    main()
