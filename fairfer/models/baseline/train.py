"""Train the bundled model and export it.

From a checkout with FER+ in ``datasets/ferplus``, one command replaces the bundled graph::

    python -m fairfer.models.baseline.train --data datasets/ferplus --out build/baseline --export fairfer/models/baseline

A compact convolutional network (plain 3x3 convolutions, then depthwise-separable ones) learns the distribution of the ten FER+
votes rather than one label per face. It is trained on FER+ Train only. Test is read for one purpose: to leave out of training
every Train image whose pixels also occur in Test (FER2013 has many such duplicates).

A twentieth of Train (by a seeded shuffle) is held out to measure the accuracy; no setting was chosen on Test. The published
weights are those after epoch 27 of a schedule of 45 (``--stop 27``): training ended there for lack of time, when the averaged
weights had not improved on the held-out faces for two epochs.

``--out`` receives ``checkpoint.pt``, the averaged weights, after every epoch; ``--export`` (by default the same folder)
receives ``baseline.onnx`` at the end. `fairfer.models.baseline.export` exports a checkpoint alone.

Needs the ``torch`` extra. Same seed, same number of threads, same PyTorch build: same weights.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fairfer.errors import FairferError
from fairfer.models.baseline import export
from fairfer.models.baseline.options import CHECKPOINT, TrainingOptions


def main(arguments: list[str] | None = None) -> None:
    """Train, then export."""
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
    args = parser.parse_args(arguments)
    options = TrainingOptions(args.epochs, args.batch, args.rate, args.seed, args.holdout, args.bf16, args.stop)
    try:
        export.require_packages()
        import torch

        from fairfer.models.baseline.pytorch.training import train

        torch.set_num_threads(args.threads)
        args.out.mkdir(parents=True, exist_ok=True)
        train(args.data, args.out, options)
    except FairferError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    export.main(["--checkpoint", str(args.out / CHECKPOINT), "--out", str(args.export or args.out)])


if __name__ == "__main__":
    main()
