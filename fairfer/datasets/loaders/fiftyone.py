"""Exports of FiftyOne: ``FiftyOneDataset`` and ``FiftyOneImageClassificationDataset``. FiftyOne itself is not needed.

The first has ``samples.json`` (or a folder ``samples``), ``metadata.json`` and ``data/``. Labels are in fields: ``--truth``
names the field of the true labels (``ground_truth`` when not given), ``--predicted`` the field of a model's answers, which are
then audited without running a model. The second has ``labels.json`` and ``data/``, with one label per image.
"""

from __future__ import annotations

import base64
import io
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from fairfer.datasets.dataset import Dataset, RecordedPredictions, Step
from fairfer.datasets.demographics import read_attributes
from fairfer.datasets.images import FileImages
from fairfer.datasets.label_columns import TRUTH, Truth, single_label_truth
from fairfer.datasets.loaders import Loader
from fairfer.datasets.prediction_columns import read_predictions
from fairfer.datasets.prediction_search import PredictionColumns
from fairfer.datasets.tables import SourceTable, from_frame, list_some
from fairfer.errors import DataError, UsageError, did_you_mean
from fairfer.files import read_text

_SAMPLES, _METADATA, _LABELS, _DATA = "samples.json", "metadata.json", "labels.json", "data"
_CLASSIFICATION = "Classification"
_OWN = frozenset({"id", "filepath", "tags", "metadata", "created_at", "last_modified_at"})
"""Fields of every sample that describe the file, not the person."""

_SCORE = "score "


@dataclass
class _Export:
    """What an export holds.

    Attributes
    ----------
    source
        The file of labels.
    files
        For each sample id its image, relative to `root`.
    root
        Folder of the images.
    labels
        For each field of labels, the label of each sample or ``None``.
    scores
        For each field of labels, the scores of each sample by class; empty where there are none.
    others
        Values of the other fields by sample id.
    skipped
        Fields that are neither labels nor single values.
    """

    source: Path
    root: Path
    files: dict[str, str]
    labels: dict[str, dict[str, str | None]]
    scores: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    others: dict[str, dict[str, object]] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)


def _matches(path: Path) -> bool:
    if not path.is_dir():
        return False
    whole = (path / _METADATA).is_file() and _samples_place(path).exists()
    return whole or ((path / _LABELS).is_file() and (path / _DATA).is_dir())


def load(
    path: Path,
    *,
    truth: str | None = None,
    predicted: str | None = None,
    labels: str | None = None,
    model_labels: str | None = None,
    not_missing: Mapping[str, Sequence[str]] | None = None,
) -> Dataset:
    """Read an export.

    Parameters
    ----------
    path
        The folder.
    truth
        Field of true labels, a ``Classification``; ``ground_truth`` or a usual name by default.
    predicted
        Field of predictions, a ``Classification``; none by default.
    labels
        Label space: ``ferplus``, ``fer2013``, ``affectnet``, or a list separated by commas. By default the labels in the data.
    model_labels
        Output classes of the model, separated by commas. By default the labels of the truth and of the predictions.
    not_missing
        For each attribute the values that look like a word for a missing value and are none.

    Raises
    ------
    DataError
        If a file is missing or damaged, or an image has several labels.
    UsageError
        If a field does not exist.
    """
    export = _read_dataset(path) if (path / _METADATA).is_file() else _read_labels(path)
    chosen = _field(export, truth, ("ground_truth", *TRUTH), "--truth")
    answers = None if predicted is None else _field(export, predicted, (), "--predicted")
    if answers == chosen:
        message = f"{export.source}: --truth and --predicted are both the field {chosen!r}; name two fields"
        raise UsageError(message)
    index = pd.Index(list(export.files), name="sample_id", dtype="str")
    where = f"{export.source}, field {chosen!r}"
    values = pd.Series([export.labels[chosen].get(i) for i in index], index=index, dtype="str")
    target = single_label_truth(values, labels, where)
    labeled = target.columns.index
    table = _other_fields(export, labeled, chosen)
    groups = read_attributes(table, table.columns, not_missing)
    unread = sorted(set(export.labels) - {chosen, answers})
    unlabeled = len(index) - len(labeled)
    return Dataset(
        name=path.resolve().name,
        labels=target.labels,
        samples=target.columns.join(groups.frame),
        attributes=groups.attributes,
        refused=groups.refused,
        images=FileImages(export.root, {str(i): export.files[str(i)] for i in labeled}),
        recorded=None if answers is None else _predictions(export, answers, target, model_labels),
        steps=(
            Step(f"samples in {export.source.name}: {len(index):,}"),
            *([Step(f"fields of labels that are not read: {list_some(unread)}")] if unread else []),
            *([Step(f"fields without single values, not read: {list_some(sorted(export.skipped))}")] if export.skipped else []),
            *([Step("samples without a true label", unlabeled, unlabeled=True)] if unlabeled else []),
        ),
        card={
            "layout": "fiftyone",
            "source": path.resolve().name,
            "truth": chosen,
            **({"predicted": answers} if answers else {}),
        },
    )


def _field(export: _Export, requested: str | None, usual: Sequence[str], option: str) -> str:
    fields = sorted(export.labels)
    if requested is None:
        chosen = next((n for n in usual if n in export.labels), fields[0] if len(fields) == 1 else None)
        if chosen is None:
            message = (
                f"{export.source} has no field ground_truth; name the field of true labels with {option} ({list_some(fields)})"
            )
            raise UsageError(message)
        return chosen
    if requested not in export.labels:
        message = (
            f"{export.source} has no field {requested!r} of type Classification ({option}); {did_you_mean(requested, fields)}"
        )
        raise UsageError(message)
    return requested


def _other_fields(export: _Export, labeled: pd.Index, truth: str) -> SourceTable:
    """Other fields of the samples with a true label, as a table."""
    frame = pd.DataFrame([export.others.get(str(i), {}) for i in labeled], index=labeled)
    frame = frame[[c for c in frame.columns if c not in {truth, "label"}]]
    clean = from_frame(frame.reset_index(drop=True)).frame.set_axis(labeled, axis=0) if len(frame.columns) else frame
    return SourceTable(clean, export.source)


def _predictions(export: _Export, name: str, truth: Truth, model_labels: str | None) -> RecordedPredictions:
    index = truth.columns.index
    scored = export.scores.get(name, {})
    classes = sorted({c for row in scored.values() for c in row})
    frame = pd.DataFrame({"predicted": pd.Series([export.labels[name].get(str(i)) for i in index], index=index, dtype="str")})
    for label in classes:
        frame[_SCORE + label] = [scored.get(str(i), {}).get(label, np.nan) for i in index]
    columns = PredictionColumns("predicted", {}, {c: _SCORE + c for c in classes}, name)
    return read_predictions(SourceTable(frame, export.source), columns, truth, model_labels)


# FiftyOneImageClassificationDataset


def _read_labels(path: Path) -> _Export:
    source = path / _LABELS
    content = _read_json(source)
    targets, classes = content.get("labels"), content.get("classes")
    if not isinstance(targets, dict) or not (classes is None or isinstance(classes, list)):
        message = f"{source} has no map 'labels' from image to label; export it as FiftyOneImageClassificationDataset"
        raise DataError(message)
    data = path / _DATA
    stored = {p.relative_to(data).with_suffix("").as_posix(): p for p in sorted(data.rglob("*")) if p.is_file()}
    export = _Export(source, data, {}, {"ground_truth": {}})
    for name, target in targets.items():
        relative = (
            Path(name).relative_to(data).as_posix() if Path(name).is_absolute() and Path(name).is_relative_to(data) else name
        )
        file = stored.get(str(relative), data / str(relative)).relative_to(data).as_posix()
        if ".." in PurePosixPath(file).parts:
            message = f"{source}: the image {name!r} is outside of {data}; export the images with the labels"
            raise DataError(message)
        export.files[file] = file
        value = target.get("label") if isinstance(target, dict) else target
        export.labels["ground_truth"][file] = _class_name(value, classes, f"{source}, image {name!r}")
        attributes = target.get("attributes") if isinstance(target, dict) else None
        export.others[file] = dict(attributes) if isinstance(attributes, dict) else {}
    return export


def _class_name(value: object, classes: Sequence[object] | None, where: str) -> str | None:
    if value is None or (isinstance(value, str) and classes is None):
        return value
    if isinstance(value, list):
        message = f"{where} has several labels; export a field with one label per image"
        raise DataError(message)
    if isinstance(value, int) and classes is not None and 0 <= value < len(classes):
        return str(classes[value])
    message = f"{where}: label {value!r} is not one of the classes 0 to {len(classes or ()) - 1}; export the data set again"
    raise DataError(message)


# FiftyOneDataset


def _samples_place(path: Path) -> Path:
    return path / _SAMPLES if (path / _SAMPLES).exists() else path / "samples"


def _read_dataset(path: Path) -> _Export:
    metadata, source = _read_json(path / _METADATA), _samples_place(path)
    if source.is_dir():
        samples: Any = [_read_json(p) for p in sorted(source.glob("*.json"))]
    else:
        samples = _read_json(source).get("samples")
    if not isinstance(samples, list) or not samples or not all(isinstance(s, dict) and s.get("filepath") for s in samples):
        message = f"{source} has no samples with a filepath; export the data set as FiftyOneDataset"
        raise DataError(message)
    root, files = _files(path, [str(s["filepath"]) for s in samples])
    if len(set(files)) < len(files):
        message = f"{source} has one image in several samples; export each image once"
        raise DataError(message)
    export = _Export(source, root, dict(zip(files, files, strict=True)), {})
    for name, sample in zip(files, samples, strict=True):
        for key, value in sample.items():
            if not key.startswith("_") and key not in _OWN and value is not None:
                _take(export, name, key, value, metadata)
    if not export.labels:
        message = f"{source} has no field of type Classification; export a data set with labels"
        raise DataError(message)
    return export


def _files(path: Path, names: Sequence[str]) -> tuple[Path, list[str]]:
    """Folder of the images and their paths below it. Where the images were not exported, their paths are absolute."""
    whole = [path.resolve() / n for n in names]  # an absolute path stays as it is
    exported = not any(Path(n).is_absolute() for n in names)
    root = path.resolve() if exported else Path(os.path.commonpath([n.parent for n in whole]))
    return root, [Path(os.path.relpath(n, root)).as_posix() for n in whole]


def _take(export: _Export, name: str, key: str, value: Any, metadata: Mapping[str, Any]) -> None:
    """Take one field of one sample."""
    if isinstance(value, dict) and value.get("_cls") == _CLASSIFICATION:
        label = value.get("label")
        export.labels.setdefault(key, {})[name] = None if label is None else str(label)
        if value.get("logits") is not None:
            export.scores.setdefault(key, {})[name] = _scores(value["logits"], key, metadata, f"{export.source}, {name}")
    elif isinstance(value, str | int | float | bool):
        export.others.setdefault(name, {})[key] = value
    else:
        export.skipped.add(key)


def _scores(logits: Any, key: str, metadata: Mapping[str, Any], where: str) -> dict[str, float]:
    """Probabilities from logits, by the classes that the data set states for the field."""
    by_field = metadata.get("classes")
    classes = (by_field.get(key) if isinstance(by_field, dict) else None) or metadata.get("default_classes") or []
    try:
        if isinstance(logits, dict):  # a compressed array, as MongoDB's binary
            binary = logits["$binary"]
            text = binary["base64"] if isinstance(binary, dict) else binary
            logits = np.load(io.BytesIO(zlib.decompress(base64.b64decode(text))), allow_pickle=False)
        values = np.asarray(logits, float).ravel()
    except (KeyError, TypeError, ValueError, zlib.error, OSError, EOFError) as error:
        message = f"{where}: the logits of {key} cannot be read ({error}); export the data set again"
        raise DataError(message) from error
    if len(values) != len(classes):
        message = (
            f"{where}: {len(values)} logits of {key}, but {len(classes)} classes are stated in {_METADATA}; "
            f"set dataset.classes[{key!r}] before the export"
        )
        raise DataError(message)
    shares = np.exp(values - values.max())
    return {str(c): float(s) for c, s in zip(classes, shares / shares.sum(), strict=True)}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path, "utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        message = f"{path} cannot be read ({str(error).partition(chr(10))[0]}); export the data set again"
        raise DataError(message) from error
    if not isinstance(content, dict):
        message = f"{path} is not a JSON object; export the data set again"
        raise DataError(message)
    return content


LOADER = Loader("fiftyone", "an export of FiftyOne (samples.json and metadata.json, or labels.json and data/)", _matches, load)
