"""What a model is: a name, a version, a label space, and `Model.predict`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, get_args, overload, runtime_checkable

from fairfer.errors import ModelError
from fairfer.vocabulary import Status, Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fairfer.labels import LabelSpace

TASKS: tuple[Task, ...] = get_args(Task)

BATCH_SIZE = 64
"""Images per call of `Model.predict` for a model without a ``batch_size``."""


@dataclass(frozen=True)
class Prediction:
    """A model's answer for one image.

    Attributes
    ----------
    status
        ``ok``, or why there is no answer: ``no_face`` (the model found no face), ``refused`` (it declined to answer),
        ``unreadable`` (the image could not be decoded), ``error`` (the model failed on this image).
    scores
        One finite number per label of the model, shape (labels,), in the model's own order; ``None`` unless the status is
        ``ok``.
    detail
        One sentence that explains a status other than ``ok``.
    """

    status: Status
    scores: NDArray[np.floating[Any]] | None = None
    detail: str = ""


@dataclass(frozen=True, eq=False)
class PredictionBatch(Sequence[Prediction]):
    """Answers for several images as arrays. It is a sequence of `Prediction`, and faster to make and to store than a list.

    Attributes
    ----------
    scores
        (n, labels); rows whose status is not ``ok`` are ignored.
    statuses
        Of the images whose status is not ``ok``, by position.
    details
        Of images that have one, by position.

    Examples
    --------
    >>> import numpy as np
    >>> batch = PredictionBatch(np.array([[0.9, 0.1], [0.0, 0.0]]), {1: "no_face"}, {1: "the detector found no face"})
    >>> len(batch), batch[0].status, batch[1].status, batch[1].scores
    (2, 'ok', 'no_face', None)
    """

    scores: NDArray[np.floating[Any]]
    statuses: Mapping[int, Status] = field(default_factory=dict)
    details: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.scores)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...

    @overload
    def __getitem__(self, index: slice) -> list[Prediction]: ...

    def __getitem__(self, index: int | slice) -> Prediction | list[Prediction]:
        """The answer for one image, or for several."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        position = range(len(self))[index]
        status = self.statuses.get(position, "ok")
        return Prediction(status, self.scores[position] if status == "ok" else None, self.details.get(position, ""))


@runtime_checkable
class Model(Protocol):
    """An object with these four members can be audited.

    Four more are used when present:

    * ``task``: ``single-label`` (the default: the label with the highest score is the predicted one) or ``multi-label`` (each
      label has an independent score; thresholds are applied at audit);
    * ``options``: a mapping of strings that is stored with the predictions and is part of their identity (back end, detector);
    * ``files``: paths of the source files on which the answers depend; their digest is part of the identity. By default the
      file that defines the model's class;
    * ``batch_size``: images per call of ``predict``; 64 by default.
    """

    @property
    def name(self) -> str:
        """Name of the model in reports and folders."""
        ...

    @property
    def version(self) -> str:
        """A text that changes whenever the answers may change: a release, or a digest of the weights."""
        ...

    @property
    def labels(self) -> LabelSpace:
        """The model's output classes, in the order of its scores."""
        ...

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> Sequence[Prediction]:
        """Answer for each (height, width, 3) RGB image, in order."""
        ...


def model_task(model: Model) -> Task:
    """The task of a model; ``single-label`` for a model without one.

    Raises
    ------
    ModelError
        When its ``task`` is neither of the two.
    """
    task = getattr(model, "task", "single-label")
    for name in TASKS:
        if task == name:
            return name
    message = f"model {model.name} has the task {task!r}; its task must be one of {', '.join(TASKS)}"
    raise ModelError(message)
