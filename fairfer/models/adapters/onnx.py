"""ONNX graphs: ``onnx:model.toml``, a short description beside the graph.

::

    name = "my-model"
    version = "3"                    # optional; the graph's SHA-256 is always part of the version
    graph = "model.onnx"             # relative to this file
    labels = ["Neutral", "Happy"]    # the model's own spellings, in the order of its output

    [input]
    name = "faces"                   # optional; needed only when the graph has several inputs
    layout = "NCHW"                  # or "NHWC"
    size = [48, 48]                  # height, width
    colour = "grey"                  # or "rgb" or "bgr"
    scale = 0.00392156862745098      # default 1
    mean = 0.5                       # default 0; one number, or one per channel in the order of `colour`
    std = 0.5                        # default 1; likewise

    [output]
    name = "scores"                  # optional; needed only when the graph has several outputs
    kind = "logits"                  # or "probabilities"

Grey levels ``x`` of 0..255 enter the graph as ``(x * scale - mean) / std``. A picture of another size is resized by Pillow,
bilinear with antialiasing, in 8 bits, without keeping its aspect ratio; colour becomes grey by the weights of ITU-R 601 (in
8 bits, as Pillow does). Logits become probabilities by a softmax.

A description is checked against its graph at load, up to one trial run on a plain grey picture: what cannot be right is told
then and not after an hour of predictions.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fairfer.errors import FairferError, ModelError, did_you_mean
from fairfer.labels import LabelSpace
from fairfer.models.model import Prediction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

PROVIDERS: Mapping[str, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "rocm": "ROCMExecutionProvider",
}
"""Short names of onnxruntime's execution providers, as the ``providers`` option takes them."""

DTYPES: Mapping[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
"""Element types that a graph may take."""

MAX_SIDE = 4096
BATCH = 64

Numbers = float | list[float]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class _Input(_Table):
    name: str | None = Field(default=None, min_length=1)
    layout: Literal["NCHW", "NHWC"]
    size: list[int] = Field(min_length=2, max_length=2)
    colour: Literal["grey", "rgb", "bgr"]
    scale: float = 1.0
    mean: Numbers = 0.0
    std: Numbers = 1.0


class _Output(_Table):
    name: str | None = Field(default=None, min_length=1)
    kind: Literal["logits", "probabilities"]


class _Description(_Table):
    name: str = Field(min_length=1)
    version: str | None = Field(default=None, min_length=1)
    graph: str = Field(min_length=1)
    labels: list[str] = Field(min_length=2)
    input: _Input
    output: _Output


_TABLES: Mapping[str, type[_Table]] = {"": _Description, "input": _Input, "output": _Output}


@dataclass(frozen=True)
class _Port:
    """Where pictures enter and answers leave a session."""

    input: str
    output: str
    dtype: type[np.generic]
    batch: int | None
    """The number of pictures that the graph takes at a time; ``None`` for any."""


class OnnxModel:
    """An ONNX graph that can be audited. Made by `load`.

    Parameters
    ----------
    path
        The description.
    description
        Its content, validated.
    session
        onnxruntime's session on the graph.
    port
        The session's input and output.
    version
        Version in the description and digest of the graph.
    options
        What else may change an answer.
    """

    def __init__(
        self,
        *,
        path: Path,
        description: _Description,
        session: Any,  # noqa: ANN401 - onnxruntime publishes no types
        port: _Port,
        labels: LabelSpace,
        version: str,
        options: Mapping[str, str],
    ) -> None:
        self.path = path
        self.name = description.name
        self.version = version
        self.labels = labels
        self.options = options
        self.batch_size = BATCH
        self._input = description.input
        self._kind = description.output.kind
        self._session = session
        self._port = port
        self._mean = np.asarray(description.input.mean, np.float32)
        self._std = np.asarray(description.input.std, np.float32)

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """Answer for each (height, width, 3) RGB picture, in order.

        A picture that the graph fails on, or answers without finite numbers, becomes a prediction with the status
        ``error``; the others are answered.
        """
        if not len(images):
            return []
        x = self.prepare(images)
        try:
            answers = self._run(x)
        except ModelError as error:
            if len(x) == 1:
                return [Prediction("error", detail=str(error))]
            # Whichever picture was at fault, its neighbours are not.
            return [p for image in images for p in self.predict([image])]
        return [self._answer(row) for row in answers]

    def prepare(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[Any]:
        """Make the batch that the graph takes, in the layout, colours, scale and element type of the description."""
        height, width = self._input.size
        x = np.stack([_sized(image, height, width) for image in images])
        if self._input.colour == "grey":
            x = _grey(x)[..., None]
        elif self._input.colour == "bgr":
            x = x[..., ::-1]
        plain = self._input.scale == 1 and not self._mean.any() and bool((self._std == 1).all())
        y: NDArray[Any] = x if plain else (x.astype(np.float32) * np.float32(self._input.scale) - self._mean) / self._std
        if self._input.layout == "NCHW":
            y = y.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(y, dtype=self._port.dtype)

    def _run(self, x: NDArray[Any]) -> NDArray[np.float64]:
        size = self._port.batch or len(x)
        parts = []
        for start in range(0, len(x), size):
            part = x[start : start + size]
            missing = size - len(part)
            if missing:  # a graph made for a fixed number of pictures gets the last one again
                part = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])
            try:
                answers = self._session.run([self._port.output], {self._port.input: part})[0]
            except Exception as error:  # onnxruntime's errors have no common base below this
                message = f"{self.path}: the graph failed ({_first_line(error)})"
                raise ModelError(message) from error
            if np.shape(answers) != (size, len(self.labels)):
                _mislabelled(self.path, np.shape(answers), len(self.labels))
            parts.append(np.asarray(answers, dtype=np.float64)[: size - missing])
        return np.concatenate(parts)

    def _answer(self, row: NDArray[np.float64]) -> Prediction:
        scores = softmax(row) if self._kind == "logits" else row
        if not np.isfinite(scores).all():
            return Prediction("error", detail="the graph answered with numbers that are not finite")
        return Prediction("ok", scores)

    def check(self) -> None:
        """One trial run on a plain grey picture, to catch what the graph does not say of itself.

        Raises
        ------
        ModelError
            When the output has another width than there are labels, or cannot be what ``output.kind`` says.
        """
        height, width = self._input.size
        answers = self._run(self.prepare([np.full((height, width, 3), 128, np.uint8)]))
        low, high, total = float(answers.min()), float(answers.max()), float(answers.sum())
        if self._kind == "probabilities" and (low < -1e-3 or high > 1 + 1e-3):  # noqa: PLR2004 - room for half precision
            message = f'{self.path}: output.kind is "probabilities" but answers are {low:.3g} to {high:.3g}; write "logits"'
            raise ModelError(message)
        if self._kind == "logits" and low >= 0 and abs(total - 1) < 1e-4:  # noqa: PLR2004 - logits never sum to one
            message = f'{self.path}: output.kind is "logits" but the answers already sum to one; write "probabilities"'
            raise ModelError(message)


def load(target: str, *, providers: str = "cpu", threads: str = "0") -> OnnxModel:
    """Any ONNX graph, described by a few lines of TOML: onnx:model.toml.

    Parameters
    ----------
    target
        Path of the description (TOML; see the module's text).
    providers
        Where to compute, in order of preference: ``cpu`` (default) or ``cuda,cpu``, ...; each must be there.
    threads
        How many threads one picture's sums may use; ``0`` (default) for one per core.

    Raises
    ------
    ModelError
        When the description or its graph cannot be what it should be; the text names the file and the key.
    """
    path = Path(target)
    description = _read(path)
    graph = path.parent / description.graph
    digest = _graph_digest(path, graph)
    session = _session(path, graph, providers, threads)
    port = _connect(path, description, session)
    try:
        labels = LabelSpace.of(description.name, description.labels)
    except FairferError as error:
        message = f"{path}: labels: {error}"
        raise ModelError(message) from error
    about = description.model_dump(include={"labels", "input", "output"}, exclude={"input": {"name"}, "output": {"name"}})
    options = {
        "description": hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16],
        "providers": ",".join(_short(session.get_providers())),
    }
    version = f"sha256 {digest[:16]}" if description.version is None else f"{description.version} (sha256 {digest[:16]})"
    model = OnnxModel(
        path=path, description=description, session=session, port=port, labels=labels, version=version, options=options
    )
    model.check()
    return model


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities over the last axis."""
    with np.errstate(invalid="ignore"):  # infinities become NaN, which the caller reports
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _read(path: Path) -> _Description:
    if path.suffix == ".onnx":
        message = f"{path} is a graph; give its description, a TOML file that says labels, input and output (onnx:model.toml)"
        raise ModelError(message)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"{path} cannot be opened ({error.strerror}); give the TOML file that describes the graph"
        raise ModelError(message) from error
    except ValueError as error:  # TOML syntax, or bytes that are no UTF-8
        message = f"{path} is not TOML ({_first_line(error)})"
        raise ModelError(message) from error
    try:
        found = _Description.model_validate(content)
    except ValidationError as error:
        message = f"{path}: {_explain(error)}"
        raise ModelError(message) from error
    _check_numbers(path, found.input)
    return found


def _explain(error: ValidationError) -> str:
    """Tell the first thing wrong, in one line."""
    first = error.errors()[0]
    where = [str(part) for part in first["loc"] if not str(part).startswith(("list[", "float"))]
    key = ".".join(where)
    if first["type"] == "extra_forbidden":
        table = _TABLES.get(".".join(where[:-1]), _Description)
        return f"unknown key {key!r}; {did_you_mean(where[-1], table.model_fields)}"
    if first["type"] == "missing":
        return f"the key {key!r} is missing"
    said = first["msg"][0].lower() + first["msg"][1:]
    return f"{key}: {said} (it is {json.dumps(first['input'], default=str)[:60]})"


def _check_numbers(path: Path, given: _Input) -> None:
    channels = 1 if given.colour == "grey" else 3
    if not all(1 <= side <= MAX_SIDE for side in given.size):
        message = f"{path}: input.size: height and width must be 1 to {MAX_SIDE}, not {given.size}"
        raise ModelError(message)
    for key, value in (("mean", given.mean), ("std", given.std)):
        if isinstance(value, list) and len(value) != channels:
            message = f"{path}: input.{key}: {len(value)} numbers for {channels} channel{'s'[: channels > 1]} ({given.colour})"
            raise ModelError(message)
    std = given.std if isinstance(given.std, list) else [given.std]
    for key, value in (("scale", [given.scale]), ("std", std)):
        if 0 in value:
            message = f"{path}: input.{key} must not be 0"
            raise ModelError(message)


def _graph_digest(path: Path, graph: Path) -> str:
    """SHA-256 of the graph and of the weight files that it names."""
    try:
        raw = graph.read_bytes()
    except (OSError, ValueError) as error:  # the second: a name that no file can have
        message = f"{path}: graph: {graph} cannot be opened ({getattr(error, 'strerror', error)})"
        raise ModelError(message) from error
    if not raw:
        message = f"{path}: graph: {graph} is empty; fetch it again"
        raise ModelError(message)
    sha = hashlib.sha256(raw)
    # A large model keeps its weights in files beside the graph, each named in a protobuf entry {1: "location", 2: name}.
    named = {raw[m.end() : m.end() + m[1][0]] for m in re.finditer(rb"\x0a\x08location\x12([\x01-\x7f])", raw, re.DOTALL)}
    for name in sorted(named):
        weights = graph.parent / name.decode(errors="replace")
        if weights.is_file():
            sha.update(weights.read_bytes())
    return sha.hexdigest()


def _session(path: Path, graph: Path, providers: str, threads: str) -> Any:  # noqa: ANN401 - onnxruntime publishes no types
    try:
        import onnxruntime  # noqa: PLC0415 - heavy, and its one home
    except ImportError as error:
        message = f"{path} needs the package onnxruntime, which is not installed; run: pip install onnxruntime"
        raise ModelError(message) from error

    wanted = _providers(providers, onnxruntime.get_available_providers())
    if not threads.isdecimal():
        message = f"option threads={threads!r} is not a whole number; use 0 for one thread per core"
        raise ModelError(message)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    options.log_severity_level = 3  # errors only: optimisers flood stderr with harmless remarks
    options.use_deterministic_compute = True
    try:
        session = onnxruntime.InferenceSession(graph, sess_options=options, providers=wanted)
    except Exception as error:
        message = f"{path}: graph: {graph} is not an ONNX graph that onnxruntime can load ({_first_line(error)})"
        raise ModelError(message) from error
    lacking = [n for n in wanted if n not in session.get_providers()]
    if lacking:  # onnxruntime falls back to the CPU without an error, which would belie the record
        message = f"option providers={providers!r}: {', '.join(_short(lacking))} could not be started on this machine; use cpu"
        raise ModelError(message)
    return session


def _providers(asked: str, available: Sequence[str]) -> list[str]:
    wanted = []
    for name in asked.casefold().replace(" ", "").split(","):
        if name not in PROVIDERS:
            message = f"option providers={asked!r}: no provider {name!r}; {did_you_mean(name, PROVIDERS)}"
            raise ModelError(message)
        if PROVIDERS[name] not in available:
            there = ", ".join(_short(available))
            message = f"option providers={asked!r}: the installed onnxruntime has no {name}, only {there}"
            raise ModelError(message)
        wanted.append(PROVIDERS[name])
    return wanted


def _short(providers: Sequence[str]) -> list[str]:
    names = {long: short for short, long in PROVIDERS.items()}
    return [names.get(p, p) for p in providers]


def _connect(path: Path, description: _Description, session: Any) -> _Port:  # noqa: ANN401 - onnxruntime publishes no types
    """Match the description with the inputs and outputs that the graph declares."""
    source = _pick(path, "input", description.input.name, session.get_inputs())
    sink = _pick(path, "output", description.output.name, session.get_outputs())
    if source.type not in DTYPES:
        message = f"{path}: input {source.name!r} takes {source.type}; only {', '.join(DTYPES)} can be fed with pictures"
        raise ModelError(message)
    channels = 1 if description.input.colour == "grey" else 3
    height, width = description.input.size
    expected = [channels, height, width] if description.input.layout == "NCHW" else [height, width, channels]
    shape = list(source.shape)
    if shape and (len(shape) != 4 or any(isinstance(d, int) and d != e for d, e in zip(shape[1:], expected, strict=True))):  # noqa: PLR2004 - batch, and three of a picture
        message = (
            f"{path}: input {source.name!r} of the graph has the shape {_shape(shape)}, but layout, size and colour make "
            f"{_shape(['n', *expected])}"
        )
        raise ModelError(message)
    told = list(sink.shape)
    if told and (len(told) != 2 or (isinstance(told[1], int) and told[1] != len(description.labels))):  # noqa: PLR2004 - batch, labels
        _mislabelled(path, told, len(description.labels))
    batch = shape[0] if shape and isinstance(shape[0], int) and shape[0] > 0 else None
    return _Port(source.name, sink.name, DTYPES[source.type], batch)


def _mislabelled(path: Path, shape: Sequence[Any], labels: int) -> NoReturn:
    message = f"{path}: labels: {labels} are named, but the graph answers in the shape {_shape(shape)}; name one per column"
    raise ModelError(message)


def _pick(path: Path, what: str, name: str | None, ports: Sequence[Any]) -> Any:  # noqa: ANN401 - onnxruntime publishes no types
    names = [p.name for p in ports]
    if name is None and len(ports) == 1:
        return ports[0]
    if name is None:
        message = f"{path}: the graph has {len(ports)} {what}s; say which with {what}.name ({', '.join(names)})"
        raise ModelError(message)
    if name not in names:
        message = f"{path}: {what}.name: the graph has no {what} {name!r}; {did_you_mean(name, names)}"
        raise ModelError(message)
    return ports[names.index(name)]


def _shape(shape: Sequence[Any]) -> str:
    return " x ".join(str(d) if isinstance(d, int) else "n" if i == 0 else str(d or "?") for i, d in enumerate(shape))


def _sized(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    if image.shape[:2] == (height, width):
        return image
    from PIL import Image  # noqa: PLC0415 - not needed for pictures of the right size

    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def _grey(x: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, h, w, 3) RGB to (n, h, w): Pillow's integer arithmetic, which leaves grey pictures exactly as they are."""
    red, green, blue = x[..., 0], x[..., 1], x[..., 2]
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return red
    wide = x.astype(np.uint32)
    return ((wide[..., 0] * 19595 + wide[..., 1] * 38470 + wide[..., 2] * 7471 + 0x8000) >> 16).astype(np.uint8)


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    # onnxruntime starts with "[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : "; the reader needs what comes after.
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : ", "", text).splitlines()[0].strip().rstrip(".")[:200]
