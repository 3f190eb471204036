"""Measure how many faces per second each attribution method explains.

``FAIRFER_SHARED=FOLDER python tests/bench/bench_explain.py [--faces N] [--threads N] [--models deepface] [--methods lrp]``

Faces of FER+ Test are in memory; the label is the own answer of the model. Beside the faces per second of the clock are those
per CPU second, which other load on the machine changes less. The project promises 40 faces per second for ``lrp`` of
DeepFace on two cores. Where torchvision does not load, the classes that zennit imports from it are replaced by empty ones.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import types
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from fairfer.explanations.methods import FACTORIES, make_method
from fairfer.models.registry import load_model

PROMISED = 40.0
"""Faces per second of relevance propagation through DeepFace's network, on two cores."""

OPTIONS = {"deepface": {"backend": "torch"}, "baseline": {}}

SHARE = {"lrp": 1, "integrated-gradients": 8, "grad-cam": 1, "occlusion": 8, "rise": 16}
"""A slow method explains one face in so many."""


def import_zennit() -> None:
    """Import zennit, with a stand-in of torchvision where that does not load."""
    try:
        import torchvision  # noqa: F401
    except Exception:  # noqa: BLE001
        resnet = types.ModuleType("torchvision.models.resnet")
        resnet.Bottleneck = resnet.BasicBlock = type("Block", (torch.nn.Module,), {})
        sys.modules.update({name: types.ModuleType(name) for name in ("torchvision", "torchvision.models")})
        sys.modules["torchvision.models.resnet"] = resnet
        import zennit.composites  # noqa: F401


def bench(model_name: str, method_name: str, images: list[np.ndarray]) -> None:
    """Print one line."""
    model = load_model(model_name, **OPTIONS[model_name])
    targets = [int(answer.scores.argmax()) for answer in model.predict(images)]
    method = make_method(method_name, model)
    method.maps(images[:32], targets[:32])
    started, used = time.perf_counter(), time.process_time()
    maps = method.maps(images, targets)
    wall, cpu = time.perf_counter() - started, time.process_time() - used
    rate = len(images) / wall
    promise = f"  promised {PROMISED:.0f}" if (model_name, method_name) == ("deepface", "lrp") else ""
    conserved = maps.conserved[np.isfinite(maps.conserved)]
    share = f"  conserved, median {np.median(conserved):.3f}" if len(conserved) else ""
    print(f"{model_name:9}{method_name:21}{rate:8.1f} faces/s{len(images) / cpu:8.1f} per CPU second{promise}{share}")


def main() -> None:
    """Read the arguments and print one line per model and method."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--faces", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--models", default=",".join(OPTIONS))
    parser.add_argument("--methods", default=",".join(FACTORIES))
    args = parser.parse_args()
    shared = Path(os.environ["FAIRFER_SHARED"])
    os.environ["DEEPFACE_HOME"] = str(shared / "data" / "deepface")
    torch.set_num_threads(args.threads)
    import_zennit()
    files = sorted((shared / "data" / "ferplus" / "data" / "FER2013Test").glob("*.png"))[: args.faces]
    images = [np.asarray(Image.open(file).convert("RGB")) for file in files]
    print(f"{len(images)} faces, {args.threads} threads, load {os.getloadavg()[0]:.1f}")
    for model in args.models.split(","):
        for method in args.methods.split(","):
            bench(model, method, images[: max(1, len(images) // SHARE[method])])


if __name__ == "__main__":
    main()
