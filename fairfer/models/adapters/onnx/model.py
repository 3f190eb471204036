"""An ONNX graph as a `fairfer.Model`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fairfer.errors import ModelError
from fairfer.models.adapters.onnx.preprocessing import prepare
from fairfer.models.adapters.onnx.session import Port, Session, error_text, label_count_error
from fairfer.models.model import BATCH_SIZE, Prediction

if TYPE_CHECKING:
    from fairfer.labels import LabelSpace
    from fairfer.models.adapters.onnx.description import Description
    from fairfer.vocabulary import Task

GRAY = 128
"""Gray level of the image of the trial run."""

PROBABILITY_TOLERANCE = 1e-3
"""How far outside of 0..1 a probability may lie: room for half precision."""

SUM_TOLERANCE = 1e-4
"""How close to 1 the sum of nonnegative outputs must be to count as probabilities."""

Scores = NDArray[np.float64]


def softmax(logits: Scores) -> Scores:
    """Probabilities of exclusive labels, over the last axis."""
    with np.errstate(invalid="ignore"):  # infinities become NaN, which the caller reports
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def sigmoid(logits: Scores) -> Scores:
    """Probability of each label independently of the others.

    >>> sigmoid(np.array([0.0, -800.0, 800.0])).tolist()
    [0.5, 0.0, 1.0]
    """
    powers = np.exp(-np.abs(logits))  # never overflows
    return np.asarray(np.where(logits >= 0, 1, powers) / (1 + powers))


ACTIVATIONS: Mapping[Task, Callable[[Scores], Scores]] = {"single-label": softmax, "multi-label": sigmoid}
"""What turns logits into scores, by task."""


class OnnxModel:
    """An ONNX graph that can be audited; `fairfer.models.adapters.onnx.load` makes one.

    Parameters
    ----------
    path
        The description's file.
    description
        Its content.
    session
        onnxruntime's session on the graph.
    port
        Input and output of the session.
    labels
        The output classes.
    version
        Version in the description and digest of the graph.
    options
        Whatever else may change an answer.
    """

    def __init__(
        self,
        *,
        path: Path,
        description: Description,
        session: Session,
        port: Port,
        labels: LabelSpace,
        version: str,
        options: Mapping[str, str],
    ) -> None:
        self.path = path
        self.name = description.name
        self.version = version
        self.labels = labels
        self.task: Task = description.task
        self.options = options
        self.batch_size = BATCH_SIZE
        self.files = sorted(Path(__file__).parent.glob("*.py"))
        self._input = description.input
        self._logits = description.output.kind == "logits"
        self._session = session
        self._port = port

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """Answer for each (height, width, 3) RGB image, in order.

        An image for which the graph fails or returns NaN or infinity has the status ``error``; the others are answered.
        """
        if not len(images):
            return []
        try:
            outputs = self._run(self.prepare(images))
        except ModelError as error:
            if len(images) == 1:
                return [Prediction("error", detail=str(error))]
            # One image must not cost its neighbors their answers.
            return [p for image in images for p in self.predict([image])]
        return [self._prediction(row) for row in outputs]

    def prepare(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[Any]:
        """Make the batch that the graph takes."""
        return prepare(images, self._input, self._port.dtype)

    def _run(self, x: NDArray[Any]) -> Scores:
        """(n, labels) outputs of the graph."""
        size = self._port.batch or len(x)
        parts = []
        for start in range(0, len(x), size):
            part = x[start : start + size]
            padding = size - len(part)
            if padding:  # a graph with a fixed batch size gets the last image repeatedly
                part = np.concatenate([part, np.repeat(part[-1:], padding, axis=0)])
            try:
                outputs = self._session.run([self._port.output], {self._port.input: part})[0]
            except Exception as error:  # onnxruntime's errors have no narrower common base
                message = f"{self.path}: the graph failed ({error_text(error)})"
                raise ModelError(message) from error
            if np.shape(outputs) != (size, len(self.labels)):
                raise label_count_error(self.path, np.shape(outputs), len(self.labels))
            parts.append(np.asarray(outputs, dtype=np.float64)[: size - padding])
        return np.concatenate(parts)

    def _prediction(self, row: Scores) -> Prediction:
        scores = ACTIVATIONS[self.task](row) if self._logits else row
        if np.isfinite(scores).all():
            return Prediction("ok", scores)
        return Prediction("error", detail="the graph's output is not finite")

    def check(self) -> None:
        """Make one trial run on a plain gray image, for faults that the graph's declarations do not show.

        Raises
        ------
        ModelError
            When the output's width is not the number of labels, or its values contradict ``output.kind``.
        """
        height, width = self._input.size
        outputs = self._run(self.prepare([np.full((height, width, 3), GRAY, np.uint8)]))
        low, high, total = float(outputs.min()), float(outputs.max()), float(outputs.sum())
        if not self._logits and (low < -PROBABILITY_TOLERANCE or high > 1 + PROBABILITY_TOLERANCE):
            message = f'{self.path}: output.kind is "probabilities", but outputs are {low:.3g} to {high:.3g}; write "logits"'
            raise ModelError(message)
        exclusive = self.task == "single-label" and low >= 0 and abs(total - 1) < SUM_TOLERANCE
        if self._logits and exclusive:
            message = f'{self.path}: output.kind is "logits", but the outputs already sum to 1; write "probabilities"'
            raise ModelError(message)
