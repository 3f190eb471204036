"""Load an ONNX graph from its description."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from fairfer.models.adapters.onnx.description import declared_labels, read_description
from fairfer.models.adapters.onnx.model import onnx_model
from fairfer.models.adapters.onnx.session import connect, graph_digest, open_session, short_names
from fairfer.models.requirements import Readiness

if TYPE_CHECKING:
    from fairfer.models.network import NetworkModel


def load(target: str | os.PathLike[str], *, providers: str = "cpu", threads: str = "0") -> NetworkModel:
    """Any ONNX graph, described by a few lines of TOML: onnx:model.toml.

    Parameters
    ----------
    target
        Path of the description (TOML; see `fairfer.models.adapters.onnx`).
    providers
        Where to compute, in order of preference: ``cpu`` (default), or a list such as ``cuda,cpu``. Each must be available.
    threads
        Number of threads per operator; ``0`` (default) for one per core.

    Raises
    ------
    ModelError
        When the description, its graph or an option is wrong; the message names the file and the key.
    """
    path = Path(target)
    description = read_description(path)
    graph = path.parent / description.graph
    digest = graph_digest(path, graph)
    session = open_session(path, graph, providers, threads)
    version = f"sha256 {digest[:16]}" if description.version is None else f"{description.version} (sha256 {digest[:16]})"
    model = onnx_model(
        path,
        description,
        session,
        connect(path, description, session),
        labels=declared_labels(path, description),
        version=version,
        providers=",".join(short_names(session.get_providers())),
    )
    model.check()
    return model


def readiness() -> Readiness:
    """Always ready: onnxruntime is a dependency of fairfer."""
    return Readiness("ready")
