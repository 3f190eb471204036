"""How much faster fairfer asks DeepFace than a plain loop over ``DeepFace.analyze`` does, and whether the answers agree.

``FAIRFER_SHARED=FOLDER python tests/bench/bench_deepface.py [--faces N] [--backends onnx,torch,tensorflow]``

Each back end runs in its own process (DeepFace keeps one per process); a back end that is not installed is said to be
missing. The two ways take turns over pieces of the same faces, so that whatever else the machine does falls on both. fairfer's
time is all of `fairfer.predictions.inference.predict`: reading, hashing and decoding the files, and the answers.
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
from fairfer.predictions import inference as predictions

GOALS = {"onnx": 3, "tensorflow": 25}
PIECES = 4


def bench(backend: str, shared: Path, faces: int) -> None:
    """Print one line for one back end."""
    os.environ["DEEPFACE_HOME"] = str(shared / "data" / "deepface")
    os.environ["DEEPFACE_BACKEND_ENGINE"] = adapter.BACKENDS[backend].deepface
    from deepface import DeepFace

    folder = shared / "data" / "ferplus" / "data" / "FER2013Test"
    files = sorted(p.name for p in folder.glob("*.png"))[:faces]
    model = adapter.load(backend=backend)

    def ours(names: list[str]) -> np.ndarray:
        samples = pd.DataFrame({"label": "neutral"}, index=pd.Index(names, name="sample_id"))
        dataset = Dataset("bench", FERPLUS, samples, images=FileImages(folder, {n: n for n in names}))
        return predictions.predict(dataset, model).scores()

    def theirs(names: list[str]) -> np.ndarray:
        scores = []
        for name in names:
            answer = DeepFace.analyze(
                str(folder / name), actions=["emotion"], detector_backend="skip", enforce_detection=False, silent=True
            )
            scores.append(list(answer[0]["emotion"].values()))
        return np.array(scores) / 100

    ours(files[:256])
    theirs(files[:8])
    seconds = {"ours": 0.0, "theirs": 0.0}
    largest, differing = 0.0, 0
    for piece in np.array_split(files, PIECES):
        started = time.perf_counter()
        a = theirs(list(piece))
        between = time.perf_counter()
        b = ours(list(piece))
        seconds["theirs"] += between - started
        seconds["ours"] += time.perf_counter() - between
        largest = max(largest, float(np.abs(a - b).max()))
        differing += int((a.argmax(1) != b.argmax(1)).sum())
    goal = f" (goal {GOALS[backend]})" if backend in GOALS else ""
    slow, fast = len(files) / seconds["theirs"], len(files) / seconds["ours"]
    sys.stdout.write(
        f"{backend:10}  analyze {slow:7.1f} faces/s   fairfer {fast:7.1f} faces/s   {fast / slow:5.1f} times as fast{goal}   "
        f"{len(files)} faces: largest difference {largest:.1e}, other top label {differing}\n"
    )


def main() -> None:
    """Bench each back end that is installed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--faces", type=int, default=1000)
    parser.add_argument("--backends", default=",".join(adapter.BACKENDS))
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    shared = os.environ.get("FAIRFER_SHARED")
    if not shared:
        sys.exit("set FAIRFER_SHARED to the folder that holds data/ferplus and data/deepface")
    for backend in given.backends.split(","):
        if given.here:
            bench(backend, Path(shared).resolve(), given.faces)
        elif importlib.util.find_spec(adapter.BACKENDS[backend].package) is None:
            sys.stdout.write(f"{backend:10}  not installed\n")
        else:
            command = [sys.executable, __file__, "--here", "--backends", backend, "--faces", str(given.faces)]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
