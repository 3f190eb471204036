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
from fairfer.models.preprocessing import Preprocessing
from fairfer.vocabulary import Task

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
    def preprocessing(self) -> Preprocessing:
        """The same choices as a `Preprocessing`.

        Raises
        ------
        ModelError
            If they contradict each other.
        """

        def numbers(value: Numbers) -> tuple[float, ...]:
            return tuple(value) if isinstance(value, list) else (value,)

        return Preprocessing(
            size=(self.size[0], self.size[1]),
            color=self.color,
            layout=self.layout,
            scale=self.scale,
            mean=numbers(self.mean),
            std=numbers(self.std),
            resample=self.resample,
            antialias=self.antialias,
            crop=self.crop,
            pad=self.pad,
        )


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
        """Identity of the keys that can change an answer and are not options of their own (`Input.preprocessing`)."""
        content: dict[str, list[str] | str] = {"labels": self.labels, "output": self.output.kind}
        if self.task != "single-label":
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
    try:
        _ = table.preprocessing
    except ModelError as error:
        message = f"{path}: input.{error}"
        raise ModelError(message) from error
