"""The bundled model's network as an ONNX graph.

The graph is written node by node rather than traced. Batch norm is folded into the convolutions; standardization and the mean
of the probabilities for the face and its mirror image are part of the graph. Weights are stored in half precision (a Cast makes
them float32; onnxruntime folds it at load). Same weights, same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fairfer.models.baseline.pytorch.network import Network, Plain, Separable
from fairfer.models.baseline.votes import EMOTIONS, SIDE

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from onnx import NodeProto
    from torch import nn

OPSET = 18

IR_VERSION = 10
"""The oldest version that has all that is used, so that older onnxruntimes load the graph."""


class _Builder:
    """Nodes and half-precision weights in order. Each method adds to the graph and returns the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(self, value: NDArray[Any]) -> str:
        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def weight(self, value: NDArray[np.float64]) -> str:
        half = value.astype(np.float16)
        if not np.isfinite(half).all():
            message = f"a weight of {np.abs(value).max():.3g} does not fit half precision"
            raise ValueError(message)
        return self.node("Cast", [self.constant(half)], to=TensorProto.FLOAT)

    def convolve(self, x: str, layer: nn.Conv2d, norm: nn.BatchNorm2d) -> str:
        """Convolution with its batch norm folded in: ``(w * x) * g + (b - mean * g)`` where ``g = gamma / std``."""
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

    def standardize(self, x: str) -> str:
        axes = self.constant(np.array([1, 2, 3], np.int64))
        centered = self.node("Sub", [x, self.node("ReduceMean", [x, axes])])
        variance = self.node("ReduceMean", [self.node("Mul", [centered, centered]), axes])
        one = self.constant(np.array(1, np.float32))
        return self.node("Div", [centered, self.node("Sqrt", [self.node("Add", [variance, one])])])

    def mirror(self, x: str) -> str:
        at = [self.constant(np.array([v], np.int64)) for v in (-1, np.iinfo(np.int64).min, 3, -1)]
        return self.node("Slice", [x, *at])


def build(network: Network) -> onnx.ModelProto:
    """Build the graph of a trained network: (n, 1, 48, 48) gray levels 0..255 to (n, 8) probabilities."""
    graph = _Builder()
    x = graph.standardize("faces")
    x = graph.node("Concat", [x, graph.mirror(x)], axis=0)  # one pass over both, which keeps the cores busy
    for i, stage in enumerate(network.stages):
        if i:
            x = graph.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
        for block in stage.children():
            x = graph.block(x, block)
    x = graph.node("Flatten", [graph.node("GlobalAveragePool", [x])])
    x = graph.node("Gemm", [x, graph.weight(_array(network.head.weight)), graph.weight(_array(network.head.bias))], transB=1)
    x = graph.node("Softmax", [x], axis=1)
    graph.nodes.append(helper.make_node("Split", [x], ["face", "mirrored"], name="split", axis=0, num_outputs=2))
    half = graph.constant(np.array(0.5, np.float32))
    graph.nodes.append(helper.make_node("Mul", [graph.node("Add", ["face", "mirrored"]), half], ["probabilities"], name="mean"))
    built = helper.make_graph(
        graph.nodes,
        "fairfer baseline",
        [helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["n", 1, SIDE, SIDE])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", EMOTIONS])],
        graph.initializers,
    )
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(built, producer_name="fairfer", producer_version="", ir_version=IR_VERSION, opset_imports=opset)
    onnx.checker.check_model(model, full_check=True)
    return model


def _array(x: torch.Tensor | None) -> NDArray[np.float64]:
    if x is None:
        message = "a batch norm without running statistics cannot be exported"
        raise TypeError(message)
    return x.detach().double().numpy()
