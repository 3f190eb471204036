"""Compare the speed and the scores of fairfer's DeepFace adapter with a plain loop over ``DeepFace.analyze``.

``FAIRFER_SHARED=FOLDER python tests/bench/bench_deepface.py [--faces N] [--backends onnx,torch,tensorflow]``

Each back end runs in its own process (DeepFace keeps one per process); one that is not installed is listed as missing. The two
ways alternate over pieces of the same faces, so that other load on the machine affects both. fairfer's time is that of
`fairfer.predict`: reading, hashing and decoding the files, and inference. On ONNX the bare graph is timed as well: the same
session on as many faces that are in memory, in batches of the same size.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from fairfer.datasets.dataset import Dataset
from fairfer.datasets.images import FileImages
from fairfer.labels import FERPLUS
from fairfer.models.adapters import deepface as adapter
from fairfer.models.adapters.deepface.resizing import SIDE
from fairfer.predictions.inference import predict

TARGETS = {"onnx": 3, "tensorflow": 25}
"""Speed relative to ``analyze`` that the project promises."""

OF_BARE_GRAPH = 0.9
"""Speed on ONNX relative to the session alone that the project promises."""

PIECES = 4


def bench(backend: str, shared: Path, faces: int) -> None:
    """Print one line for one back end."""
    os.environ["DEEPFACE_HOME"] = str(shared / "data" / "deepface")
    os.environ["DEEPFACE_BACKEND_ENGINE"] = adapter.BACKENDS[backend].deepface
    from deepface import DeepFace

    folder = shared / "data" / "ferplus" / "data" / "FER2013Test"
    files = sorted(p.name for p in folder.glob("*.png"))[:faces]
    model = adapter.load(backend=backend)

    def fairfer_scores(names: list[str]) -> np.ndarray:
        samples = pd.DataFrame({"label": "neutral"}, index=pd.Index(names, name="sample_id"))
        dataset = Dataset("bench", FERPLUS, samples, images=FileImages(folder, {n: n for n in names}))
        return predict(dataset, model).scores()

    def analyze_scores(names: list[str]) -> np.ndarray:
        scores = []
        for name in names:
            answer = DeepFace.analyze(
                str(folder / name), actions=["emotion"], detector_backend="skip", enforce_detection=False, silent=True
            )
            scores.append(list(answer[0]["emotion"].values()))
        return np.array(scores) / 100

    planes = np.random.default_rng(0).random((model.batch_size, SIDE, SIDE, 1), np.float32)

    def bare_graph(names: list[str]) -> None:
        for start in range(0, len(names), len(planes)):
            model._network(planes[: len(names) - start])

    fairfer_scores(files[:256])
    analyze_scores(files[:8])
    seconds = {"fairfer": 0.0, "analyze": 0.0, "bare graph": 0.0}
    largest, differing = 0.0, 0
    for piece in np.array_split(files, PIECES):
        started = time.perf_counter()
        a = analyze_scores(list(piece))
        between = time.perf_counter()
        b = fairfer_scores(list(piece))
        seconds["analyze"] += between - started
        after = time.perf_counter()
        seconds["fairfer"] += after - between
        bare_graph(list(piece))
        seconds["bare graph"] += time.perf_counter() - after
        largest = max(largest, float(np.abs(a - b).max()))
        differing += int((a.argmax(1) != b.argmax(1)).sum())
    target = f" (target {TARGETS[backend]})" if backend in TARGETS else ""
    slow, fast = len(files) / seconds["analyze"], len(files) / seconds["fairfer"]
    sys.stdout.write(
        f"{backend:10}  analyze {slow:7.1f} faces/s   fairfer {fast:7.1f} faces/s   {fast / slow:5.1f} times as fast{target}   "
        f"{len(files)} faces: largest difference {largest:.1e}, different top label {differing}\n"
    )
    if backend == "onnx":
        bare = len(files) / seconds["bare graph"]
        sys.stdout.write(
            f"{'':10}  bare graph {bare:7.1f} faces/s   fairfer at {fast / bare:.2f} of it (target {OF_BARE_GRAPH})\n"
        )


def main() -> None:
    """Bench each back end that is installed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--faces", type=int, default=1000)
    parser.add_argument("--backends", default=",".join(adapter.BACKENDS))
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    shared = os.environ.get("FAIRFER_SHARED")
    if not shared:
        sys.exit("FAIRFER_SHARED is not set; set it to the folder that has data/ferplus and data/deepface")
    for backend in args.backends.split(","):
        if args.here:
            bench(backend, Path(shared).resolve(), args.faces)
        elif importlib.util.find_spec(adapter.BACKENDS[backend].package) is None:
            sys.stdout.write(f"{backend:10}  not installed\n")
        else:
            command = [sys.executable, __file__, "--here", "--backends", backend, "--faces", str(args.faces)]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
