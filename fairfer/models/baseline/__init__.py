"""The bundled model: a compact network trained on FER+ Train, so that an audit runs without a download. See CARD.md."""

from __future__ import annotations

import functools
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from fairfer.models.requirements import Readiness

if TYPE_CHECKING:
    from fairfer.models.network import NetworkModel


def load(*, providers: str = "cpu", threads: str = "0") -> NetworkModel:
    """The small network that comes with fairfer: the eight emotions of FER+, no download.

    Parameters
    ----------
    providers, threads
        As of `fairfer.models.adapters.onnx.load`.
    """
    from fairfer.models.adapters import onnx
    from fairfer.models.baseline.gradients import differentiable

    with as_file(files(__name__)) as folder:
        model = onnx.load(str(folder / "baseline.toml"), providers=providers, threads=threads)
    model.gradients = functools.partial(differentiable, model)
    return model


def readiness() -> Readiness:
    """Always ready: its weights are part of fairfer."""
    return Readiness("ready")
