"""The description of an ONNX graph: a TOML file, validated key by key."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fairfer.errors import FairferError, ModelError, did_you_mean
from fairfer.files import read_text
from fairfer.labels import LabelSpace
from fairfer.vocabulary import Task

MAX_SIDE = 4096
"""Largest height or width that a graph may take."""

MAX_TEXT = 60
"""Longest value that an error message shows."""

Numbers = float | list[float]


class TomlTable(BaseModel):
    """A table of the file: known keys only, no conversion of types."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Input(TomlTable):
    """What the graph takes: the table ``[input]``."""

    name: str | None = Field(default=None, min_length=1)
    layout: Literal["NCHW", "NHWC"]
    size: list[int] = Field(min_length=2, max_length=2)
    color: Literal["gray", "rgb", "bgr"]
    scale: float = 1.0
    mean: Numbers = 0.0
    std: Numbers = 1.0
    resample: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"
    antialias: bool = True
    crop: Literal["none", "center"] = "none"
    pad: int | None = Field(default=None, ge=0, le=255)

    @property
    def resizing(self) -> dict[str, str]:
        """How an image of another size is resized, as options of the model."""
        return {
            "resample": self.resample,
            "antialias": "yes" if self.antialias else "no",
            "crop": self.crop,
            "pad": "none" if self.pad is None else str(self.pad),
        }

    @property
    def channels(self) -> int:
        """Number of color channels."""
        return 1 if self.color == "gray" else 3


class Output(TomlTable):
    """What the graph returns: the table ``[output]``."""

    name: str | None = Field(default=None, min_length=1)
    kind: Literal["logits", "probabilities"]


class Description(TomlTable):
    """The whole file."""

    name: str = Field(min_length=1)
    version: str | None = Field(default=None, min_length=1)
    graph: str = Field(min_length=1)
    labels: list[str] = Field(min_length=1)
    task: Task = "single-label"
    input: Input
    output: Output

    @property
    def digest(self) -> str:
        """Identity of all keys that can change an answer; names of the model, its input and its output cannot.

        The keys of `Input.resizing` are options of their own.
        """
        input_keys = {"name", *self.input.resizing}
        content = self.model_dump(include={"labels", "input", "output"}, exclude={"input": input_keys, "output": {"name"}})
        if self.task != "single-label":  # left out by default, so that descriptions without the key keep their digest
            content["task"] = self.task
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


_TABLES: Mapping[str, type[TomlTable]] = {"": Description, "input": Input, "output": Output}


def read_description(path: Path) -> Description:
    """Read and validate a description.

    Raises
    ------
    ModelError
        When the file cannot be read or a key is wrong; the message names the file and the key.
    """
    if path.suffix == ".onnx":
        message = f"{path} is a graph; give its description, a TOML file with labels, input and output (onnx:model.toml)"
        raise ModelError(message)
    try:
        content = tomllib.loads(read_text(path))
    except OSError as error:
        message = f"{path} cannot be opened ({error.strerror}); give the TOML file that describes the graph"
        raise ModelError(message) from error
    except (ValueError, RecursionError) as error:  # TOML syntax, or bytes that are not UTF-8
        reason = str(error).splitlines()[0].rstrip(".")
        message = f"{path} is not valid TOML ({reason}); correct that line"
        raise ModelError(message) from error
    try:
        description = Description.model_validate(content)
    except ValidationError as error:
        message = f"{path}: {_explain(error)}"
        raise ModelError(message) from error
    _check_input(path, description.input)
    if description.task == "single-label" and len(description.labels) == 1:
        message = (
            f'{path}: labels: a single-label model needs at least two labels; add the others, or write task = "multi-label"'
        )
        raise ModelError(message)
    return description


def declared_labels(path: Path, description: Description) -> LabelSpace:
    """The label space of a description.

    Raises
    ------
    ModelError
        When the labels are not distinct.
    """
    try:
        return LabelSpace.of(description.name, description.labels)
    except FairferError as error:
        message = f"{path}: labels: {error}"
        raise ModelError(message) from error


def _explain(error: ValidationError) -> str:
    """The first fault, in one line."""
    first = error.errors()[0]
    parts = [str(part) for part in first["loc"] if not str(part).startswith(("list[", "float"))]
    key = ".".join(parts)
    if first["type"] == "extra_forbidden":
        table = _TABLES.get(".".join(parts[:-1]), Description)
        return f"unknown key {key!r}; {did_you_mean(parts[-1], table.model_fields)}"
    if first["type"] == "missing":
        return f"the key {key!r} is missing; add it"
    reason = first["msg"][0].lower() + first["msg"][1:]
    return f"{key}: {reason}, but it is {json.dumps(first['input'], default=str)[:MAX_TEXT]}"


def _check_input(path: Path, table: Input) -> None:
    if table.crop != "none" and table.pad is not None:
        message = f"{path}: input.crop and input.pad both keep the aspect ratio; keep one of them"
        raise ModelError(message)
    if not all(1 <= side <= MAX_SIDE for side in table.size):
        message = f"{path}: input.size: height and width must be 1 to {MAX_SIDE}, not {table.size}"
        raise ModelError(message)
    for key, value in (("mean", table.mean), ("std", table.std)):
        if isinstance(value, list) and len(value) != table.channels:
            plural = "s" if table.channels > 1 else ""
            message = f"{path}: input.{key}: {len(value)} numbers for {table.channels} channel{plural} ({table.color})"
            raise ModelError(message)
    std = table.std if isinstance(table.std, list) else [table.std]
    for key, numbers in (("scale", [table.scale]), ("std", std)):
        if 0 in numbers:
            message = f"{path}: input.{key} must not be 0"
            raise ModelError(message)
