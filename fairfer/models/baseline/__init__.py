"""The bundled model: a compact network trained on FER+ Train, so that an audit runs with nothing to fetch. See CARD.md."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairfer.models.adapters.onnx import OnnxModel


def load(*, providers: str = "cpu", threads: str = "0") -> OnnxModel:
    """The small network that comes with fairfer: the eight emotions of FER+, nothing to fetch.

    Parameters
    ----------
    providers, threads
        As for any ONNX graph: see `fairfer.models.adapters.onnx.load`.
    """
    from fairfer.models.adapters import onnx  # noqa: PLC0415 - the package must import without the adapter's libraries

    with as_file(files(__name__)) as folder:
        return onnx.load(str(folder / "baseline.toml"), providers=providers, threads=threads)
