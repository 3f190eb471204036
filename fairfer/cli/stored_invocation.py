"""Dataset and model of a finished run, loaded again as its command loaded them."""

from __future__ import annotations

import dataclasses
import tomllib
from typing import TYPE_CHECKING, Any, TypeVar

from fairfer.cli.options import BASELINE, LoadOptions, ModelOptions, TableOptions, chosen_dataset, chosen_model
from fairfer.errors import DataError, ModelError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from fairfer.datasets.dataset import Dataset
    from fairfer.models.model import Model

Options = TypeVar("Options", LoadOptions, TableOptions, ModelOptions)


def dataset_again(run: Path, data: str | None) -> Dataset:
    """Load the dataset of a run, from where it was or from another place.

    Parameters
    ----------
    run
        Folder of an audited run.
    data
        Where the dataset is now; where it was when ``None``.

    Raises
    ------
    UsageError, DataError
        When it is not stored how the data were read, or they cannot be read; names ``--data``.
    """
    stored = _stored(run)
    if not stored and data is None:
        message = (
            f"{run} was audited in Python, so that it is not stored how its data were read; name the dataset with --data, or "
            "use the functions of fairfer.audits"
        )
        raise UsageError(message)
    options = _options(LoadOptions, stored)
    if data is not None:
        return chosen_dataset(dataclasses.replace(options, dataset=data), _options(TableOptions, stored))
    try:
        return chosen_dataset(options, _options(TableOptions, stored))
    except (DataError, UsageError) as error:
        message = f"the data of {run} cannot be read as they were ({error}); if they have moved, name their place with --data"
        raise type(error)(message) from error


def model_again(run: Path, dataset: Dataset, model: str | None, option: list[str] | None) -> Model:
    """Load the model of a run, as it was named or as it is named now.

    Parameters
    ----------
    run
        Folder of an audited run.
    dataset
        Its dataset.
    model, option
        Name and options of the model now; those of the run when ``None``.

    Raises
    ------
    ModelError
        When the run has predictions from a table.
    """
    stored = _options(ModelOptions, _stored(run))
    if model is not None:
        stored = ModelOptions(model, option)
    elif option:
        stored = ModelOptions(stored.model, option)
    if dataset.recorded is None:
        loaded = chosen_model(dataclasses.replace(stored, model=stored.model or BASELINE), dataset)
        if loaded is not None:
            return loaded
    message = f"{run} has predictions from a table, so there is no model to ask; audit a model with --model first"
    raise ModelError(message)


def _stored(run: Path) -> dict[str, Any]:
    """Options of the audit by name; empty for an audit that was not made on the command line."""
    from fairfer.audits.stored_samples import read_samples

    config = read_samples(run).invocation.config
    table: dict[str, Any] = tomllib.loads(config).get("audit", {}) if config else {}
    return {name.replace("-", "_"): value for name, value in table.items()}


def _options(kind: type[Options], stored: dict[str, Any]) -> Options:
    """One group of options, with the values of the run."""
    names = {field.name for field in dataclasses.fields(kind)}
    values = {name: value for name, value in stored.items() if name in names}
    return dataclasses.replace(kind(), **values)
