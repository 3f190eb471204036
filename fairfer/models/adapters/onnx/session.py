"""onnxruntime's session on a graph, and where images enter it and scores leave it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fairfer.errors import ModelError, did_you_mean
from fairfer.files import read_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.models.adapters.onnx.description import Description

PROVIDERS: Mapping[str, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "rocm": "ROCMExecutionProvider",
}
"""Short names of onnxruntime's execution providers, for the option ``providers``."""

DTYPES: Mapping[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
"""Element types that a graph may take."""

ERRORS_ONLY = 3
"""onnxruntime's log level: its optimizers write many harmless warnings."""

MAX_TEXT = 200
"""Longest text of another library's error in one of ours."""


class NodeArg(Protocol):
    """An input or output of a session, as onnxruntime describes it."""

    name: str
    type: str
    shape: Sequence[int | str | None]


class Session(Protocol):
    """The part of ``onnxruntime.InferenceSession`` that is used; onnxruntime has no types of its own."""

    def run(self, output_names: Sequence[str], input_feed: Mapping[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        """Values of the named outputs."""
        ...

    def get_inputs(self) -> Sequence[NodeArg]:
        """Inputs of the graph."""
        ...

    def get_outputs(self) -> Sequence[NodeArg]:
        """Outputs of the graph."""
        ...

    def get_providers(self) -> Sequence[str]:
        """Execution providers in use."""
        ...


@dataclass(frozen=True)
class Port:
    """Where images enter a session and scores leave it.

    Attributes
    ----------
    input, output
        Names.
    dtype
        Element type of the input.
    batch
        Number of images that the graph takes at a time; ``None`` for any number.
    """

    input: str
    output: str
    dtype: type[np.generic]
    batch: int | None


def graph_digest(path: Path, graph: Path) -> str:
    """SHA-256 of a graph and of the weight files that it names; `path` is its description, for the error message."""
    try:
        raw = read_bytes(graph)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        message = f"{path}: graph: {graph} cannot be opened ({getattr(error, 'strerror', error)}); correct the path"
        raise ModelError(message) from error
    if not raw:
        message = f"{path}: graph: {graph} is empty; download it again"
        raise ModelError(message)
    sha = hashlib.sha256(raw)
    # A large model keeps its weights in files beside the graph, each named in a protobuf entry {1: "location", 2: name}.
    names = {raw[m.end() : m.end() + m[1][0]] for m in re.finditer(rb"\x0a\x08location\x12([\x01-\x7f])", raw, re.DOTALL)}
    for name in sorted(names):
        weights = graph.parent / name.decode(errors="replace")
        if weights.is_file():
            sha.update(weights.read_bytes())
    return sha.hexdigest()


def open_session(path: Path, graph: Path, providers: str, threads: str) -> Session:
    """Load a graph into onnxruntime.

    Parameters
    ----------
    path
        The description, for error messages.
    graph
        The graph.
    providers, threads
        As for `fairfer.models.adapters.onnx.load`.

    Raises
    ------
    ModelError
        When onnxruntime is not installed, an option is wrong, or the graph cannot be loaded.
    """
    try:
        import onnxruntime
    except ImportError as error:
        message = f"{path} needs the package onnxruntime, which is not installed; run: pip install onnxruntime"
        raise ModelError(message) from error
    names = _provider_names(providers, onnxruntime.get_available_providers())
    if not threads.isdecimal():
        message = f"option threads={threads!r} is not a whole number; use 0 for one thread per core"
        raise ModelError(message)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    options.log_severity_level = ERRORS_ONLY
    options.use_deterministic_compute = True
    try:
        session: Session = onnxruntime.InferenceSession(graph, sess_options=options, providers=names)
    except Exception as error:
        message = (
            f"{path}: graph: {graph} is not an ONNX graph that onnxruntime can load ({error_text(error)}); export it again"
        )
        raise ModelError(message) from error
    missing = [n for n in names if n not in session.get_providers()]
    if missing:  # onnxruntime uses the CPU instead, without an error; the stored options would then be wrong
        message = (
            f"option providers={providers!r}: {', '.join(short_names(missing))} cannot be started on this machine; use cpu"
        )
        raise ModelError(message)
    return session


def _provider_names(option: str, available: Sequence[str]) -> list[str]:
    names = []
    for name in option.casefold().replace(" ", "").split(","):
        if name not in PROVIDERS:
            message = f"option providers={option!r}: no provider {name!r}; {did_you_mean(name, PROVIDERS)}"
            raise ModelError(message)
        if PROVIDERS[name] not in available:
            installed = ", ".join(short for short, long in PROVIDERS.items() if long in available)
            message = f"option providers={option!r}: the installed onnxruntime has no {name}; use {installed}"
            raise ModelError(message)
        names.append(PROVIDERS[name])
    return names


def short_names(providers: Sequence[str]) -> list[str]:
    """Execution providers by their names in `PROVIDERS`."""
    names = {long: short for short, long in PROVIDERS.items()}
    return [names.get(p, p) for p in providers]


def connect(path: Path, description: Description, session: Session) -> Port:
    """Match a description with the inputs and outputs that its graph declares.

    Raises
    ------
    ModelError
        When they contradict each other.
    """
    source = _select(path, "input", description.input.name, session.get_inputs())
    sink = _select(path, "output", description.output.name, session.get_outputs())
    if source.type not in DTYPES:
        message = f"{path}: input {source.name!r} takes {source.type}; export a graph that takes one of {', '.join(DTYPES)}"
        raise ModelError(message)
    height, width = description.input.size
    channels = description.input.preprocessing.channels
    image = [channels, height, width] if description.input.layout == "NCHW" else [height, width, channels]
    declared = list(source.shape)
    if not _compatible(declared, image):
        message = (
            f"{path}: input {source.name!r} of the graph has the shape {_shape_text(declared)}, but layout, size and color "
            f"make {_shape_text(['n', *image])}; correct them"
        )
        raise ModelError(message)
    if not _compatible(list(sink.shape), [len(description.labels)]):
        raise label_count_error(path, sink.shape, len(description.labels))
    batch = declared[0] if declared and isinstance(declared[0], int) and declared[0] > 0 else None
    return Port(source.name, sink.name, DTYPES[source.type], batch)


def _compatible(declared: Sequence[int | str | None], expected: Sequence[int]) -> bool:
    """Whether a declared shape, with any batch size, can be the expected one; a graph may declare no shape at all."""
    if not declared:
        return True
    if len(declared) != 1 + len(expected):
        return False
    return all(not isinstance(d, int) or d == e for d, e in zip(declared[1:], expected, strict=True))


def label_count_error(path: Path, shape: Sequence[int | str | None], labels: int) -> ModelError:
    """The error for an output whose width is not the number of labels."""
    return ModelError(
        f"{path}: labels: {labels} labels, but the graph's output has the shape {_shape_text(shape)}; name one label per column"
    )


def _select(path: Path, kind: str, name: str | None, ports: Sequence[NodeArg]) -> NodeArg:
    names = [p.name for p in ports]
    if name is None and len(ports) == 1:
        return ports[0]
    if name is None:
        message = f"{path}: the graph has {len(ports)} {kind}s; choose one with {kind}.name ({', '.join(names)})"
        raise ModelError(message)
    if name not in names:
        message = f"{path}: {kind}.name: the graph has no {kind} {name!r}; {did_you_mean(name, names)}"
        raise ModelError(message)
    return ports[names.index(name)]


def _shape_text(shape: Sequence[int | str | None]) -> str:
    return " x ".join(str(d) if isinstance(d, int) else "n" if i == 0 else str(d or "?") for i, d in enumerate(shape))


def error_text(error: Exception) -> str:
    """First line of an onnxruntime error, without its prefix ``[ONNXRuntimeError] : 7 : INVALID_PROTOBUF :``."""
    text = str(error).strip() or type(error).__name__
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : ", "", text).splitlines()[0].strip().rstrip(".")[:MAX_TEXT]
