"""Export the trained network: ``python -m fairfer.models.baseline.export --checkpoint FILE --out FOLDER``.

The graph is written node by node rather than traced: batch norm is folded into the convolutions, standardisation and the
mean of the face's and its mirror image's probabilities are part of it, and weights are stored in half precision (a Cast
makes them float32; onnxruntime folds it away at load). Same checkpoint, same bytes.

Needs the ``torch`` extra and the package ``onnx``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from fairfer.errors import FairferError, ModelError
from fairfer.models.baseline.train import EMOTIONS, SIDE, Network, Plain, Separable, probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import NodeProto
    from torch import nn

GRAPH = "baseline.onnx"
OPSET = 18
IR_VERSION = 10
"""The oldest that holds what is used, so that older onnxruntimes load the graph."""


class _Builder:
    """Nodes and half-precision weights in order; each method adds to the graph and returns the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.initialisers: list[TensorProto] = []

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:  # noqa: ANN401 - whatever the operator takes
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(self, value: NDArray[Any]) -> str:
        name = f"constant_{len(self.initialisers)}"
        self.initialisers.append(numpy_helper.from_array(value, name))
        return name

    def weight(self, value: NDArray[np.float64]) -> str:
        half = value.astype(np.float16)
        if not np.isfinite(half).all():
            message = f"a weight of {np.abs(value).max():.3g} does not fit half precision"
            raise ValueError(message)
        return self.node("Cast", [self.constant(half)], to=TensorProto.FLOAT)

    def convolve(self, x: str, layer: nn.Conv2d, norm: nn.BatchNorm2d) -> str:
        """Convolution with its batch norm folded in: ``(w * x) * g + (b - mean * g)`` where ``g = gamma / std``."""
        assert norm.running_mean is not None  # noqa: S101 - for the type checker: ours keep running statistics
        assert norm.running_var is not None  # noqa: S101
        gain = _array(norm.weight) / np.sqrt(_array(norm.running_var) + norm.eps)
        kernel = _array(layer.weight) * gain[:, None, None, None]
        bias = _array(norm.bias) - _array(norm.running_mean) * gain
        side, pad = layer.kernel_size[0], int(layer.padding[0])
        return self.node(
            "Conv",
            [x, self.weight(kernel), self.weight(bias)],
            kernel_shape=[side, side],
            pads=[pad] * 4,
            group=layer.groups,
        )

    def relu(self, x: str) -> str:
        return self.node("Relu", [x])

    def block(self, x: str, block: nn.Module) -> str:
        if isinstance(block, Separable):
            y = self.relu(self.convolve(x, block.depth, block.depth_norm))
            y = self.convolve(y, block.point, block.point_norm)
        elif isinstance(block, Plain):
            y = self.convolve(x, block.conv, block.norm)
        else:
            message = f"no export for {type(block).__name__}"
            raise TypeError(message)
        return self.relu(self.node("Add", [y, x]) if block.residual else y)

    def standardise(self, x: str) -> str:
        axes = self.constant(np.array([1, 2, 3], np.int64))
        centred = self.node("Sub", [x, self.node("ReduceMean", [x, axes])])
        variance = self.node("ReduceMean", [self.node("Mul", [centred, centred]), axes])
        one = self.constant(np.array(1, np.float32))
        return self.node("Div", [centred, self.node("Sqrt", [self.node("Add", [variance, one])])])

    def mirror(self, x: str) -> str:
        at = [self.constant(np.array([v], np.int64)) for v in (-1, np.iinfo(np.int64).min, 3, -1)]
        return self.node("Slice", [x, *at])


def build(network: Network) -> onnx.ModelProto:
    """Build the graph of a trained network: (n, 1, 48, 48) grey levels 0..255 to (n, 8) probabilities."""
    graph = _Builder()
    x = graph.standardise("faces")
    x = graph.node("Concat", [x, graph.mirror(x)], axis=0)  # one pass over both, which keeps the cores busy
    for i, stage in enumerate(network.stages):
        if i:
            x = graph.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
        assert isinstance(stage, torch.nn.Sequential)  # noqa: S101 - for the type checker: that is how Network is made
        for block in stage:
            x = graph.block(x, block)
    x = graph.node("Flatten", [graph.node("GlobalAveragePool", [x])])
    x = graph.node("Gemm", [x, graph.weight(_array(network.head.weight)), graph.weight(_array(network.head.bias))], transB=1)
    x = graph.node("Softmax", [x], axis=1)
    graph.nodes.append(helper.make_node("Split", [x], ["face", "mirrored"], name="split", axis=0, num_outputs=2))
    half = graph.constant(np.array(0.5, np.float32))
    graph.nodes.append(helper.make_node("Mul", [graph.node("Add", ["face", "mirrored"]), half], ["probabilities"], name="mean"))
    made = helper.make_graph(
        graph.nodes,
        "fairfer baseline",
        [helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["n", 1, SIDE, SIDE])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", EMOTIONS])],
        graph.initialisers,
    )
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(made, producer_name="fairfer", producer_version="", ir_version=IR_VERSION, opset_imports=opset)
    onnx.checker.check_model(model, full_check=True)
    return model


def export(network: Network, out: Path) -> Path:
    """Write the graph into a folder and return its path; it is moved into place only when whole."""
    path = out / GRAPH
    part = path.with_suffix(".part")
    part.write_bytes(build(network.eval()).SerializeToString(deterministic=True))
    part.replace(path)
    return path


def compare(network: Network, path: Path, faces: NDArray[np.uint8]) -> tuple[float, float]:
    """How far the exported graph is from the network.

    Parameters
    ----------
    network
        What was exported.
    path
        The graph.
    faces
        (n, 48, 48) grey.

    Returns
    -------
    difference, agreement
        The largest difference of a probability, and the share of faces with the same top label.
    """
    import onnxruntime  # noqa: PLC0415 - only a check needs it

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = faces[:, None].astype(np.float32)
    ours, theirs = [], []
    with torch.inference_mode():
        for start in range(0, len(x), 256):
            batch = x[start : start + 256]
            ours.append(session.run(None, {"faces": batch})[0])
            theirs.append(probabilities(network.eval(), torch.from_numpy(batch)).numpy())
    a, b = np.concatenate(ours), np.concatenate(theirs)
    return float(np.abs(a - b).max()), float((a.argmax(1) == b.argmax(1)).mean())


def read_checkpoint(path: Path) -> Network:
    """Read the network whose weights `fairfer.models.baseline.train` wrote.

    Raises
    ------
    ModelError
        When the file cannot be read or holds something else.
    """
    network = Network()
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except OSError as error:
        message = f"{path} cannot be opened ({error.strerror}); give the checkpoint.pt that fairfer.models.baseline.train wrote"
        raise ModelError(message) from error
    except (UnpicklingError, RuntimeError, EOFError, TypeError, AttributeError) as error:
        message = (
            f"{path} holds no weights of the bundled network; give the checkpoint.pt that fairfer.models.baseline.train wrote"
        )
        raise ModelError(message) from error
    return network.eval()


def _array(x: torch.Tensor) -> NDArray[np.float64]:
    return x.detach().double().numpy()


def main(arguments: list[str] | None = None) -> None:
    """Export a checkpoint, compare the graph with the network on random faces, and print what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for baseline.onnx")
    given = parser.parse_args(arguments)
    try:
        network = read_checkpoint(given.checkpoint)
        path = export(network, given.out)
    except (FairferError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    faces = np.random.default_rng(0).integers(0, 256, (256, SIDE, SIDE), dtype=np.uint8)
    difference, agreement = compare(network, path, faces)
    sys.stdout.write(f"{path}: {path.stat().st_size:,} bytes; on 256 random faces {difference:.1e} from the network, ")
    sys.stdout.write(f"same top label {agreement:.1%}\n")


if __name__ == "__main__":
    main()
