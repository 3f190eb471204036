"""`load_dataset`: read a dataset by path or from a data frame, with the loader for its layout; the bundled sample."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairfer import plugins
from fairfer.errors import DataError, UsageError, did_you_mean

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame

    from fairfer.datasets.action_unit_tables import ActionUnitTable
    from fairfer.datasets.dataset import Dataset
    from fairfer.datasets.loaders import Loader

GROUP = "fairfer.loaders"
"""Entry-point group of loaders."""
SCHEMES = "fairfer.dataset_schemes"
"""Entry-point group of schemes: ``SCHEME:ADDRESS`` names a dataset that is not a path."""
SAMPLE = "sample"
"""Name of the bundled, de-identified sample."""
TABLE = "table"
"""Name of the loader that also reads data frames."""


def loaders() -> dict[str, Loader]:
    """Return the installed loaders by name, in the order in which they are tried: ``folder`` last, as it takes any images.

    Raises
    ------
    PluginError
        If an installed package registers a loader that cannot be imported, or two packages register the same name.
    """
    installed: dict[str, Loader] = {n: plugins.load(point, "loader") for n, point in plugins.registered(GROUP).items()}
    return dict(sorted(installed.items(), key=lambda item: (item[0] == "folder", item[0])))


def schemes() -> dict[str, Loader]:
    """Return the installed schemes by name. A scheme is a loader whose `load` takes the text after the colon.

    Raises
    ------
    PluginError
        If an installed package registers a scheme that cannot be imported, or two packages register the same name.
    """
    return {n: plugins.load(point, "dataset scheme") for n, point in plugins.registered(SCHEMES).items()}


def sample_path() -> Path:
    """Return the folder of the bundled sample: in the installed package, or in the project if installed for development.

    Raises
    ------
    DataError
        If it is missing.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_sample", package.parent / "datasets" / "sample"):
        if (folder / "metadata.csv").is_file():
            return folder
    message = f"the bundled sample is missing from {package}; install fairfer again"
    raise DataError(message)


def load_dataset(
    source: str | os.PathLike[str] | IntoDataFrame = SAMPLE,
    *,
    loader: str | None = None,
    name: str | None = None,
    demographics: str | os.PathLike[str] | None = None,
    bands: Mapping[str, Sequence[float]] | None = None,
    not_missing: Mapping[str, Sequence[str]] | None = None,
    validation: Mapping[str, Any] | None = None,
    action_units: str | os.PathLike[str] | ActionUnitTable | None = None,
    action_unit_threshold: float | None = None,
    predictions: str | os.PathLike[str] | None = None,
    format: str | None = None,
    map: Mapping[str, str] | None = None,
    **options: object,
) -> Dataset:
    """Read a dataset.

    Parameters
    ----------
    source
        A folder or file in the layout of a loader; ``"sample"`` for the bundled sample; an address such as
        ``"hf-dataset:org/name@test"``; or a data frame with true labels and
        predictions (pandas, polars, or another library that narwhals supports), which is read like a table file.
    loader
        Name of the loader; by default the first whose layout matches.
    name
        Name of the dataset; by default chosen by the loader.
    demographics
        A table of attributes by image name, with their provenance in a ``.toml`` file of the same name beside it; FairFace's
        tables need none. A relative path is looked up in the working directory, then in the folder of the data, then beside
        that folder. ``"utkface"`` takes them from file names as in UTKFace.
    bands
        For each numeric column to group by, the lowest value of each band except the first: ``{"age": [20, 40, 60]}``.
    not_missing
        For each attribute the values that look like a word for a missing value and are none: ``{"country": ["NA"]}``, where NA
        is Namibia. All others, such as ``Unknown`` or ``prefer not to say``, are missing.
    validation
        For each inferred attribute a validation sample: a table (path or data frame) with the columns ``true``, ``inferred``
        and optionally ``count``, or counts by true level and level as inferred.
    action_units
        Action units of the same faces, beside their emotions: a table by image name (labels of coders, output of py-feat or
        OpenFace, or landmarks, from which they are estimated; see `fairfer.datasets.action_unit_tables`). A relative path is
        looked up as that of `demographics`. Or an `ActionUnitTable`, indexed by sample id.
    action_unit_threshold
        The smallest intensity or probability in that table that counts as present.
    predictions
        A file with the answers of a model to the images, joined by their names, so that no model runs: a table of predictions,
        or a file of another tool.
    format
        The tool that wrote the answers: ``deepface``, ``transformers``, ``py-feat``, ``openface``, ``rekognition``, ``facepp``.
        By default found by the content.
    map
        Labels of the predictions that are renamed, such as ``{"CALM": "neutral"}``.
    **options
        Options of the loader, such as ``split="test"`` and ``rule="majority"`` for FER+, or ``truth``, ``predicted``,
        ``scores``, ``sample_id``, ``labels`` and ``model_labels`` for a table or data frame. An option that is ``None`` is
        ignored.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If there is nothing at `source`, no layout matches, or the content is invalid.
    UsageError
        If the loader or an option does not exist.

    Examples
    --------
    >>> import fairfer
    >>> fairfer.load_dataset("sample").labels.labels[:3]
    ('neutral', 'happiness', 'surprise')

    >>> import pandas as pd
    >>> df = pd.DataFrame({"label": ["happy", "sad"], "predicted": ["happy", "happy"], "gender": ["f", "m"]})
    >>> fairfer.load_dataset(df).attribute("gender").levels
    ('f', 'm')
    """
    from fairfer.datasets.answers import AnswerOptions, join_answers
    from fairfer.datasets.demographics import apply_bands, words_as_missing
    from fairfer.datasets.missing_values import check_not_missing
    from fairfer.datasets.validation import apply_validation

    settings = {k: v for k, v in options.items() if v is not None}
    if predictions is None:
        settings |= {k: v for k, v in (("format", format), ("map", map)) if v}
    else:
        columns = [settings.pop(k, None) for k in ("predicted", "scores", "sample_id", "model_labels")]
        read_as = AnswerOptions(format, map or {}, *(None if c is None else str(c) for c in columns))
    real = check_not_missing(not_missing or {})
    if (
        isinstance(source, str) and not source
    ):  # Path("") would be the working directory; a variable of a CI script may be empty
        message = "the name of the dataset is empty; give a folder, a table of predictions or 'sample'"
        raise UsageError(message)
    dataset = _read(source, loader, name, settings, real, answered=predictions is None)
    if name is not None:
        dataset = dataset.replace(name=name)
    if predictions is not None:
        dataset = join_answers(dataset, Path(predictions).expanduser(), read_as)
    if demographics is not None:
        dataset = _with_attributes(dataset, demographics, source, real)
    dataset = _with_action_units(dataset, action_units, action_unit_threshold, source)
    dataset = apply_bands(words_as_missing(dataset, real), bands or {})
    return apply_validation(dataset, validation or {})


def _read(
    source: str | os.PathLike[str] | IntoDataFrame,
    loader: str | None,
    name: str | None,
    settings: Mapping[str, object],
    real: Mapping[str, Sequence[str]],
    *,
    answered: bool,
) -> Dataset:
    """Read an address, a path or a data frame with its loader; a table need not have predictions unless it is `answered`."""
    from fairfer.datasets.loaders.table import load_truth

    scheme = _scheme(source)
    if scheme is not None:
        chosen, address = scheme
        return _load_scheme(chosen, address, loader, name, settings, real)
    if isinstance(source, str | os.PathLike):
        path, loader, settings = _locate(source, loader, settings)
        chosen = _choose(path, loader)
        if name is not None and "name" in chosen.options:
            settings["name"] = name
        _check_options(chosen, settings, str(path))
        load: Callable[..., Dataset] = load_truth if chosen.name == TABLE and not answered else chosen.load
        return load(path, **settings, **_accepted(chosen, real))
    if loader not in (None, TABLE):
        message = f"--loader {loader} reads files, not a data frame; remove it"
        raise UsageError(message)
    chosen = loaders()[TABLE]
    _check_options(chosen, settings, "data frame")
    read: Callable[..., Dataset] = chosen.load if answered else load_truth
    return read(source, **settings, **_accepted(chosen, real))


def _with_attributes(
    dataset: Dataset,
    demographics: str | os.PathLike[str],
    source: str | os.PathLike[str] | IntoDataFrame,
    real: Mapping[str, Sequence[str]],
) -> Dataset:
    """Add the attributes of a table, or of file names."""
    from fairfer.datasets.attribute_sources import UTKFACE, annotate_from_names
    from fairfer.datasets.demographics import annotate

    if os.fspath(demographics) == UTKFACE and not Path(UTKFACE).exists():
        return annotate_from_names(dataset)
    folder = Path(source).expanduser() if isinstance(source, str | os.PathLike) else Path()
    return annotate(dataset, _beside(Path(demographics).expanduser(), folder), real)


def _with_action_units(
    dataset: Dataset,
    units: str | os.PathLike[str] | ActionUnitTable | None,
    threshold: float | None,
    source: str | os.PathLike[str] | IntoDataFrame,
) -> Dataset:
    from fairfer.datasets.action_unit_tables import ActionUnitTable, read_action_units

    if threshold is not None and not isinstance(units, str | os.PathLike):
        message = f"--action-unit-threshold {threshold:g}: there is no file of action units; add it with --action-units"
        raise UsageError(message)
    if units is None:
        return dataset
    if isinstance(units, ActionUnitTable):
        table = units
    else:
        folder = Path(source).expanduser() if isinstance(source, str | os.PathLike) else Path()
        path = _beside(Path(units).expanduser(), folder)
        table = read_action_units(path, dataset.samples.index, threshold=threshold)
    return dataset.replace(action_units=table, card={**dataset.card, "action_units": f"{table.source} ({table.kind})"})


def _scheme(source: object) -> tuple[Loader, str] | None:
    """The scheme that an address names, and the rest of the address; ``None`` for a path and for a data frame."""
    if not isinstance(source, str) or ":" not in source or Path(source).exists():
        return None
    prefix, _, address = source.partition(":")
    chosen = schemes().get(prefix) if prefix in plugins.registered(SCHEMES) else None
    return None if chosen is None else (chosen, address)


def _load_scheme(
    chosen: Loader,
    address: str,
    loader: str | None,
    name: str | None,
    settings: Mapping[str, object],
    real: Mapping[str, Sequence[str]],
) -> Dataset:
    if loader not in (None, chosen.name):
        message = f"--loader {loader} reads files, not {chosen.name}:{address}; remove it"
        raise UsageError(message)
    options = {**settings, **({"name": name} if name is not None and "name" in chosen.options else {})}
    _check_options(chosen, options, f"{chosen.name}:{address}")
    return chosen.load(address, **options, **_accepted(chosen, real))


def _accepted(loader: Loader, not_missing: Mapping[str, Sequence[str]]) -> dict[str, object]:
    """Declared values, for a loader that makes attributes of columns."""
    return {"not_missing": not_missing} if not_missing and "not_missing" in loader.options else {}


def _beside(path: Path, data: Path) -> Path:
    """The path of a table of attributes: as it is, else relative to the data or to the folder that holds the data."""
    places = [path] if path.is_absolute() else [path, data / path, data.parent / path]
    return next((place for place in places if place.exists()), path)


def _locate(
    source: str | os.PathLike[str], loader: str | None, options: Mapping[str, object]
) -> tuple[Path, str | None, dict[str, object]]:
    """Path of the dataset, with the loader and options that the bundled sample needs."""
    path = Path(source).expanduser()
    if os.fspath(source) == SAMPLE and not path.exists():
        return sample_path(), loader or "folder", {"name": SAMPLE, **options}
    if not path.exists():
        prefix, colon, _ = os.fspath(source).partition(":")
        if close := difflib.get_close_matches(prefix, plugins.registered(SCHEMES)) if colon else []:
            message = f"{source} is neither a path nor an address with a known scheme; did you mean {close[0]}:…?"
            raise DataError(message)
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        choices = [*beside, SAMPLE] if path.parent == Path() else beside
        message = f"{path} does not exist; {did_you_mean(path.name, choices)}"
        raise DataError(message)
    return path, loader, dict(options)


def _check_options(loader: Loader, options: Mapping[str, object], source: str) -> None:
    for option in options:
        if option not in loader.options:
            flag = "--" + option.replace("_", "-")
            owners = [n for n, other in {**loaders(), **schemes()}.items() if option in other.options]
            advice = f"it is an option of {', '.join(owners)}" if owners else did_you_mean(option, loader.options)
            message = f"{flag} is not an option of a {loader.name} dataset ({source}); {advice}"
            raise UsageError(message)


def _choose(path: Path, name: str | None) -> Loader:
    installed = loaders()
    if name is not None:
        if name not in installed:
            message = f"--loader {name!r} does not exist; {did_you_mean(name, installed)}"
            raise UsageError(message)
        return installed[name]
    for loader in installed.values():
        if loader.matches(path):
            return loader
    layouts = "; ".join(f"{n}: {other.layout}" for n, other in installed.items())
    message = f"{path} has none of the layouts that fairfer reads ({layouts}); name one with --loader"
    raise DataError(message)
