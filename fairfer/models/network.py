"""`NetworkModel`: a model made of preprocessing and a function that takes a batch of arrays and returns a matrix of scores.

Adapters of libraries whose networks take arrays differ only in how they load that function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fairfer.errors import ModelError
from fairfer.models.model import BATCH_SIZE, PredictionBatch
from fairfer.models.outputs import Output, Scores, check_output, to_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.labels import LabelSpace
    from fairfer.models.differentiable import Differentiable
    from fairfer.models.preprocessing import Preprocessing
    from fairfer.vocabulary import Status, Task

GRAY = 128
"""Gray level of the image of the trial run."""

TRIAL_SIDE = 64
"""Height and width of the image of the trial run, for a network that takes images of any size."""

SAME = 1e-4
"""Largest difference between two answers to the same image."""

MAX_TEXT = 200
"""Longest text of another library's error in one of ours."""

Network = Callable[[Any], "NDArray[Any]"]
"""(n, ...) batch as `Preprocessing.batch` makes it, or a list of images, to (n, labels) logits or probabilities."""


class NetworkModel:
    """A network that takes arrays.

    Parameters
    ----------
    name, version, labels, task, options, batch_size
        As of `fairfer.Model`.
    network
        The function. If it raises an exception for an image, that image has the status ``error``; the others have predictions.
    preprocessing
        Preprocessing of an image. Its settings become options of the model. ``None``: the function takes a list of
        (height, width, 3) RGB images, and `options` should say what it does with them.
    output
        Whether the function returns logits or probabilities.
    dtype
        Type of the batch.
    files
        Files on which the answers depend, such as weights.
    where
        Start of error messages about the network: its file or specification.

    Attributes
    ----------
    gradients
        Makes the network for `differentiable`; ``None`` where there is none in PyTorch. An adapter sets it.
    """

    def __init__(
        self,
        *,
        name: str,
        version: str,
        labels: LabelSpace,
        network: Network,
        preprocessing: Preprocessing | None,
        output: Output,
        task: Task = "single-label",
        options: Mapping[str, str] | None = None,
        files: Sequence[Path] = (),
        batch_size: int = BATCH_SIZE,
        dtype: type[np.generic] = np.float32,
        where: str = "",
    ) -> None:
        self.name = name
        self.version = version
        self.labels = labels
        self.task: Task = task
        self.preprocessing = preprocessing
        self.options = {**(preprocessing.options if preprocessing else {}), "output": output, **(options or {})}
        self.batch_size = batch_size
        self.files = [*sorted(Path(__file__).parent.glob("*.py")), *files]
        self.gradients: Callable[[], Differentiable] | None = None
        self._network = network
        self._output: Output = output
        self._dtype = dtype
        self._where = where or name

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> PredictionBatch:
        """Answer for each (height, width, 3) RGB image, in order.

        An image for which the network fails or returns NaN or infinity has the status ``error``; the others are answered.
        """
        scores = np.full((len(images), len(self.labels)), np.nan)
        details: dict[int, str] = {}
        for positions in self._batches(images):
            self._fill(images, positions, scores, details)
        for position in np.flatnonzero(~np.isfinite(scores).all(axis=1)):
            details.setdefault(int(position), "the network's output is not finite")
        statuses: dict[int, Status] = dict.fromkeys(details, "error")
        return PredictionBatch(scores, statuses, details)

    def differentiable(self) -> Differentiable:
        """Return the network for attribution methods that compute gradients.

        Raises
        ------
        ModelError
            When the network cannot be had in PyTorch.
        """
        if self.gradients is None:
            message = (
                f"{self._where} has no network in PyTorch, so its gradients cannot be computed; use the method occlusion or "
                "rise, or load the network as torch:package.module:attribute"
            )
            raise ModelError(message)
        return self.gradients()

    def _batches(self, images: Sequence[NDArray[np.uint8]]) -> list[list[int]]:
        """Positions of images that fit into one call: all of them, or those of one size."""
        if self.preprocessing is None or self.preprocessing.size is not None:
            return [list(range(len(images)))] if len(images) else []
        sizes: dict[tuple[int, ...], list[int]] = {}
        for position, image in enumerate(images):
            sizes.setdefault(image.shape, []).append(position)
        return list(sizes.values())

    def _fill(
        self, images: Sequence[NDArray[np.uint8]], positions: Sequence[int], scores: Scores, details: dict[int, str]
    ) -> None:
        """Write the scores of some images, or why there are none."""
        try:
            scores[positions] = to_scores(self._run([images[i] for i in positions]), self._output, self.task)
        except Exception as error:
            if len(positions) == 1:
                details[positions[0]] = f"the network failed ({first_line(error)})"
                return
            for position in positions:  # one image must not cost its neighbors their answers
                self._fill(images, [position], scores, details)

    def _run(self, images: Sequence[NDArray[np.uint8]]) -> Scores:
        """(n, labels) outputs of the network."""
        batch: Any = list(images) if self.preprocessing is None else self.preprocessing.batch(images, self._dtype)
        outputs = np.asarray(self._network(batch), dtype=np.float64)
        if outputs.shape != (len(images), len(self.labels)):
            message = (
                f"{self._where}: labels: {len(self.labels)} labels, but the network's output has the shape "
                f"{' x '.join(map(str, outputs.shape))} for {len(images)} images; name one label per column"
            )
            raise ModelError(message)
        return outputs

    def check(self) -> None:
        """Run the network on a plain gray image, so that faults are reported before any predictions are made.

        Raises
        ------
        ModelError
            If the network fails, its output is not one column per label, its answers differ, or its values contradict the kind
            of output.
        """
        size = None if self.preprocessing is None else self.preprocessing.size
        height, width = size or (TRIAL_SIDE, TRIAL_SIDE)
        plain = np.full((height, width, 3), GRAY, np.uint8)
        try:
            outputs, again = self._run([plain]), self._run([plain])
        except ModelError:
            raise
        except Exception as error:
            message = (
                f"{self._where}: the network fails on a plain gray image ({first_line(error)}); correct size, color, layout "
                "or the network"
            )
            raise ModelError(message) from error
        if not np.allclose(outputs, again, rtol=0, atol=SAME, equal_nan=True):
            message = (
                f"{self._where} gives different answers to the same image; switch off what is random in it, such as dropout"
            )
            raise ModelError(message)
        try:
            check_output(outputs, self._output, self.task)
        except ModelError as error:
            message = f"{self._where}: {error}"
            raise ModelError(message) from error


def fixed_batch(network: Network, size: int) -> Network:
    """Make a function for any number of images from one for exactly `size`: the last batch is padded with the last image."""

    def answer(batch: NDArray[Any]) -> NDArray[Any]:
        parts = []
        for start in range(0, len(batch), size):
            part = batch[start : start + size]
            padding = size - len(part)
            if padding:
                part = np.concatenate([part, np.repeat(part[-1:], padding, axis=0)])
            parts.append(np.asarray(network(part))[: size - padding])
        return np.concatenate(parts)

    return answer


def first_line(error: BaseException) -> str:
    """First line of another library's error, without a trailing period; the name of its type if it has no text."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].strip().rstrip(".")[:MAX_TEXT]
