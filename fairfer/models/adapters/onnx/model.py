"""An ONNX graph as a `fairfer.Model`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fairfer.errors import ModelError
from fairfer.models.adapters.onnx.session import Port, Session, error_text
from fairfer.models.network import Network, NetworkModel, fixed_batch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.labels import LabelSpace
    from fairfer.models.adapters.onnx.description import Description


def network(session: Session, port: Port) -> Network:
    """The function that answers a batch."""

    def answer(batch: NDArray[Any]) -> NDArray[Any]:
        try:
            return np.asarray(session.run([port.output], {port.input: batch})[0])
        except Exception as error:  # onnxruntime's errors have no narrower common base
            raise ModelError(error_text(error)) from error

    return answer if port.batch is None else fixed_batch(answer, port.batch)


def onnx_model(
    path: Path, description: Description, session: Session, port: Port, *, labels: LabelSpace, version: str, providers: str
) -> NetworkModel:
    """Make the model of a graph.

    Parameters
    ----------
    path
        The description's file.
    description
        Its content.
    session, port
        onnxruntime's session on the graph, and its input and output.
    labels
        The output classes.
    version
        Version in the description and digest of the graph.
    providers
        Execution providers in use.
    """
    return NetworkModel(
        name=description.name,
        version=version,
        labels=labels,
        task=description.task,
        network=network(session, port),
        preprocessing=description.input.preprocessing,
        output=description.output.kind,
        options={"description": description.digest, "providers": providers},
        files=sorted(Path(__file__).parent.glob("*.py")),
        dtype=port.dtype,
        where=str(path),
    )
