"""Export the trained network: ``python -m fairfer.models.baseline.export --checkpoint FILE --out FOLDER``.

Needs the ``torch`` extra. Same checkpoint, same bytes (see `fairfer.models.baseline.pytorch.graph`).
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

import numpy as np

from fairfer.errors import FairferError, ModelError, UsageError
from fairfer.models.baseline.votes import SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.models.baseline.pytorch.network import Network

GRAPH = "baseline.onnx"

FACES = 256
"""Number of random faces on which the graph is compared with the network."""


def require_packages() -> None:
    """Check that the packages for training and export are installed.

    Raises
    ------
    UsageError
        When one is missing.
    """
    for package in ("torch", "onnx"):
        if find_spec(package) is None:
            message = (
                f"training and export need the package {package}, which is not installed; run: pip install 'fairfer[torch]'"
            )
            raise UsageError(message)


def export(network: Network, out: Path) -> Path:
    """Write the graph into a folder in one step, and return its path."""
    from fairfer.models.baseline.pytorch.graph import build

    path = out / GRAPH
    part = path.with_suffix(".part")
    part.write_bytes(build(network.eval()).SerializeToString(deterministic=True))
    part.replace(path)
    return path


def compare(network: Network, path: Path, faces: NDArray[np.uint8]) -> tuple[float, float]:
    """Compare the exported graph with the network.

    Parameters
    ----------
    network
        The exported network.
    path
        The graph.
    faces
        (n, 48, 48) gray levels.

    Returns
    -------
    difference, agreement
        Largest difference of a probability, and share of faces with the same most probable label.
    """
    import onnxruntime
    import torch

    from fairfer.models.baseline.pytorch.network import batches, probabilities

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    network.eval()
    exported, original = [], []
    with torch.inference_mode():
        for batch in batches(torch.from_numpy(faces[:, None].astype(np.float32)), FACES):
            exported.append(session.run(None, {"faces": batch.numpy()})[0])
            original.append(probabilities(network, batch).numpy())
    a, b = np.concatenate(exported), np.concatenate(original)
    return float(np.abs(a - b).max()), float((a.argmax(1) == b.argmax(1)).mean())


def read_checkpoint(path: Path) -> Network:
    """Read the network whose weights `fairfer.models.baseline.train` wrote.

    Raises
    ------
    ModelError
        When the file cannot be read or has other content.
    """
    import torch

    from fairfer.models.baseline.pytorch.network import Network

    network = Network()
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except OSError as error:
        message = f"{path} cannot be opened ({error.strerror}); give the checkpoint.pt that fairfer.models.baseline.train wrote"
        raise ModelError(message) from error
    except (UnpicklingError, RuntimeError, EOFError, TypeError, AttributeError) as error:
        message = (
            f"{path} has no weights of the bundled network; give the checkpoint.pt that fairfer.models.baseline.train wrote"
        )
        raise ModelError(message) from error
    return network.eval()


def main(arguments: list[str] | None = None) -> None:
    """Export a checkpoint, compare the graph with the network on random faces, and print the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for baseline.onnx")
    args = parser.parse_args(arguments)
    try:
        require_packages()
        network = read_checkpoint(args.checkpoint)
        path = export(network, args.out)
    except (FairferError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    faces = np.random.default_rng(0).integers(0, 256, (FACES, SIDE, SIDE), dtype=np.uint8)
    difference, agreement = compare(network, path, faces)
    sys.stdout.write(f"{path}: {path.stat().st_size:,} bytes; on {FACES} random faces {difference:.1e} from the network, ")
    sys.stdout.write(f"same top label {agreement:.1%}\n")


if __name__ == "__main__":
    main()
