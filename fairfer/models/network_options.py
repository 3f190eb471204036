"""Options of a network that is stored in a file: labels, task, output and preprocessing of images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from fairfer.errors import LabelError, ModelError, did_you_mean
from fairfer.labels import SPACES, LabelSpace
from fairfer.models.model import TASKS
from fairfer.models.outputs import OUTPUTS, Output
from fairfer.models.preprocessing import OPTIONS, SCALINGS, Preprocessing

if TYPE_CHECKING:
    from fairfer.vocabulary import Task

OWN = ("labels", "name", "output", "task")
"""Options beside those of `Preprocessing`."""


@dataclass(frozen=True)
class NetworkOptions:
    """What a user states about a network.

    Attributes
    ----------
    name
        Name of the model in reports.
    labels
        Output classes, in the order of the output.
    task
        ``single-label`` or ``multi-label``.
    output
        Whether the network returns logits or probabilities.
    preprocessing
        Preprocessing of an image.
    """

    name: str
    labels: LabelSpace
    task: Task
    output: Output
    preprocessing: Preprocessing

    @property
    def arguments(self) -> dict[str, Any]:
        """As arguments of `fairfer.models.network.NetworkModel`."""
        return {
            "name": self.name,
            "labels": self.labels,
            "task": self.task,
            "output": self.output,
            "preprocessing": self.preprocessing,
        }


def parse_labels(text: str, name: str) -> LabelSpace:
    """The label space that an option names: one of `fairfer.labels.SPACES`, or labels separated by commas.

    Raises
    ------
    ModelError
        If a label occurs twice or is reserved, or there is only a word that is no label space.
    """
    if text.strip().casefold() in SPACES:
        return SPACES[text.strip().casefold()]
    labels = [part.strip() for part in text.split(",")]
    if len(labels) == 1:
        message = (
            f"option labels={text!r} is neither a list nor a label space; write the labels with commas, in the order of the "
            f"output, or one of {', '.join(SPACES)}"
        )
        raise ModelError(message)
    try:
        return LabelSpace.of(name, labels)
    except LabelError as error:
        message = f"option labels: {error}"
        raise ModelError(message) from error


def read_options(
    options: Mapping[str, str],
    where: str,
    *,
    name: str,
    output: str = "logits",
    task: str = "single-label",
    **defaults: Any,
) -> NetworkOptions:
    """Read the options of a network. Size and scaling have no default, because they change the predictions.

    Parameters
    ----------
    options
        As given on the command line.
    where
        The model, for error messages.
    name, output, task
        For options that are not given.
    **defaults
        Attributes of `Preprocessing`, likewise.

    Raises
    ------
    ModelError
        If an option does not exist, a value is not valid, or the labels are missing.
    """
    own = {key: options[key] for key in OWN if key in options}
    others = {key: value for key, value in options.items() if key not in own}
    unknown = sorted(set(others) - set(OPTIONS))
    if unknown:
        message = f"{where} has no option {unknown[0]!r}; {did_you_mean(unknown[0], [*OWN, *OPTIONS])}"
        raise ModelError(message)
    if "labels" not in own:
        message = (
            f"{where} does not name its labels; add --option labels=happy,sad,… in the order of the output, or one of "
            f"{', '.join(SPACES)}"
        )
        raise ModelError(message)
    if "scaling" not in others and "scale" not in others:
        message = (
            f"{where} does not say how pixels are scaled; add --option scaling=… as in training ({', '.join(SCALINGS)}), or "
            "scale, mean and std"
        )
        raise ModelError(message)
    if "size" not in others and "size" not in defaults:
        message = f"{where} does not say which size images have; add --option size=64 (or 48x64), as in training"
        raise ModelError(message)
    chosen = {"name": name, "output": output, "task": task, **own}
    for key, choices in (("output", OUTPUTS), ("task", TASKS)):
        if chosen[key] not in choices:
            message = f"{where}: option {key}={chosen[key]!r} is not a choice; {did_you_mean(chosen[key], choices)}"
            raise ModelError(message)
    try:
        preprocessing = Preprocessing.from_options(others, **defaults)
        labels = parse_labels(own["labels"], chosen["name"])
    except ModelError as error:
        message = f"{where}: {error}"
        raise ModelError(message) from error
    return NetworkOptions(chosen["name"], labels, cast("Task", chosen["task"]), cast("Output", chosen["output"]), preprocessing)
