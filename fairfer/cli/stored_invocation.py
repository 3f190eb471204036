"""Dataset and model of a finished run, loaded again as its command loaded them."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fairfer.cli.options import LoadOptions, ModelOptions, TableOptions, chosen_dataset, chosen_model
from fairfer.errors import RunError

if TYPE_CHECKING:
    from fairfer.datasets.dataset import Dataset
    from fairfer.models.model import Model

Options = TypeVar("Options", LoadOptions, TableOptions, ModelOptions)


def load_again(run: Path, config: str, dataset: str | None, model: ModelOptions, images_digest: str) -> tuple[Dataset, Model]:
    """Load the dataset and the model of a run.

    Parameters
    ----------
    run
        Folder of the run, for messages.
    config
        The ``[audit]`` table that its audit stored.
    dataset
        Where the dataset is now; where it was when ``None``.
    model
        The model; that of the run where nothing is given.
    images_digest
        Digest of the run's images.

    Raises
    ------
    RunError
        When the run has no stored options, is of a table of predictions, or the images are others.
    """
    stored: dict[str, Any] = tomllib.loads(config).get("audit", {}) if config else {}
    if not config and dataset is None:
        message = f"{run} was not made by fairfer audit, so its images are unknown; name them with --dataset"
        raise RunError(message)
    load, tables = _options(LoadOptions, stored), _options(TableOptions, stored)
    if dataset is not None:
        load = dataclasses.replace(load, dataset=dataset)
    of_run = _options(ModelOptions, stored)
    chosen = ModelOptions(model.model or of_run.model, model.option if model.model or model.option else of_run.option)
    data = chosen_dataset(load, dataclasses.replace(tables, predictions=None))
    if data.recorded is not None or data.images is None:
        message = f"{run} is an audit of a table of predictions; pictures and a model are needed: audit a dataset of images"
        raise RunError(message)
    if data.images_digest != images_digest:
        message = (
            f"{load.dataset} holds other images than {run} was made from; name the folder with the same images with --dataset, "
            "or audit again"
        )
        raise RunError(message)
    asked = chosen_model(chosen, data)
    if asked is None:  # `chosen_dataset` has images, so there is a model
        raise AssertionError
    return data, asked


def _options(kind: type[Options], stored: dict[str, Any]) -> Options:
    names = {f.name for f in dataclasses.fields(kind)}
    return kind(**{name: value for key, value in stored.items() if (name := key.replace("-", "_")) in names})
