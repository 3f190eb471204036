"""Classifiers with ``predict_proba``, as in scikit-learn: ``sklearn:package.module:attribute`` or ``sklearn:FILE``.

Each image becomes one row of features: its pixels after preprocessing, row by row. Files of skops are read safely; a pickle can
run any code when it is read, and therefore needs ``trust=yes``.
"""

from __future__ import annotations

import hashlib
import pickle
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fairfer.errors import ModelError
from fairfer.models.foreign_code import foreign_code
from fairfer.models.identity import source_files
from fairfer.models.imports import import_object
from fairfer.models.network import Network, NetworkModel, first_line
from fairfer.models.network_options import read_options
from fairfer.models.requirements import Readiness, require

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXTRA = "sklearn"
SAFE = ".skops"
PICKLES = (".joblib", ".pkl", ".pickle")
PAIR = 2
"""Columns of a label of its own: the probabilities that a face does not have it, and that it has it."""


def load(target: str, *, trust: str = "no", **options: str) -> NetworkModel:
    """A classifier with predict_proba, as in scikit-learn: sklearn:package.module:attribute, or a .skops or .joblib file.

    Parameters
    ----------
    target
        Import path of the classifier, or of a function that returns it; or a file.
    trust
        ``yes`` reads a pickle (``.joblib``, ``.pkl``), which runs the code in it. Only for files from people you trust.
    **options
        ``size``, ``color``, ``scaling`` (required: what the rows of features were made with), ``labels`` (by default the
        classifier's ``classes_``, if they are words), and the others of `fairfer.models.network_options`.

    Raises
    ------
    ModelError
        If there is no such classifier, it has no ``predict_proba``, or an option is wrong.
    """
    where = f"model sklearn:{target}"
    path = Path(target)
    with foreign_code(where), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if path.suffix in (SAFE, *PICKLES):
            classifier, files = _from_file(where, path, trust), [path]
        else:
            classifier, files = _imported(where, target)
    if not callable(getattr(classifier, "predict_proba", None)):
        message = (
            f"{where} is of type {type(classifier).__name__} and has no predict_proba; use a classifier with probabilities "
            "(SVC(probability=True), CalibratedClassifierCV), or fairfer.wrap"
        )
        raise ModelError(message)
    classes = getattr(classifier, "classes_", None)
    several = isinstance(classes, list)
    if several:
        options.setdefault("task", "multi-label")
    elif "labels" not in options and classes is not None and all(isinstance(c, str) for c in classes):
        options["labels"] = ",".join(classes)
    name = path.stem if path.suffix in (SAFE, *PICKLES) else target.rpartition(":")[2]
    stated = read_options(options, where, name=name, output="probabilities", layout="NHWC")
    version = hashlib.sha256(b"".join(hashlib.sha256(f.read_bytes()).digest() for f in files)).hexdigest()[:16]
    model = NetworkModel(
        **stated.arguments,
        version=f"sha256 {version}",
        network=_network(classifier),
        options={"library": _library(classifier)},
        files=[Path(__file__), *files],
        where=where,
    )
    model.check()
    return model


def readiness() -> Readiness:
    """Always ready: scikit-learn comes with Fairlearn."""
    return Readiness("ready")


def _imported(where: str, target: str) -> tuple[Any, list[Path]]:
    module, colon, attribute = target.rpartition(":")
    if not colon:
        message = (
            f"{where} is neither a file ({', '.join((SAFE, *PICKLES))}) nor an import path; write "
            "sklearn:package.module:attribute"
        )
        raise ModelError(message)
    value: Any = import_object(where.removeprefix("model "), module, attribute)
    if not hasattr(value, "predict_proba") and callable(value):
        try:
            value = value()
        except Exception as error:
            message = (
                f"{where}: calling {attribute} without arguments fails ({first_line(error)}); name a function that returns it"
            )
            raise ModelError(message) from error
    return value, source_files([module, type(value).__module__])


def _from_file(where: str, path: Path, trust: str) -> Any:
    if not path.is_file():
        message = f"{path} does not exist; correct the path"
        raise ModelError(message)
    if path.suffix == SAFE:
        skops = require("skops.io", what=where, extra=EXTRA)
        try:
            return skops.load(path)
        except Exception as error:
            message = (
                f"{path} is not a classifier that skops can read safely ({first_line(error)}); write it with skops.io.dump"
            )
            raise ModelError(message) from error
    if trust != "yes":
        message = (
            f"{path} is a pickle, and reading one runs the code in it; write it with skops.io.dump, or add --option trust=yes "
            "if you trust its author"
        )
        raise ModelError(message)
    joblib = require("joblib", what=where, extra=EXTRA)
    try:
        return joblib.load(path)
    except (OSError, ValueError, EOFError, ImportError, AttributeError, IndexError, KeyError, pickle.UnpicklingError) as error:
        message = (
            f"{path} is not a pickle that can be read here ({first_line(error)}); write it again with these library versions"
        )
        raise ModelError(message) from error


def _library(classifier: Any) -> str:
    """Package and version of the classifier's type."""
    from importlib.metadata import PackageNotFoundError, version

    package = type(classifier).__module__.partition(".")[0]
    distribution = {"sklearn": "scikit-learn"}.get(package, package)
    try:
        return f"{distribution} {version(distribution)}"
    except PackageNotFoundError:
        return package


def _network(classifier: Any) -> Network:
    def answer(batch: NDArray[Any]) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outputs = classifier.predict_proba(batch.reshape(len(batch), -1))
        return _per_label(outputs) if isinstance(outputs, Sequence) else np.asarray(outputs)

    return answer


def _per_label(outputs: Sequence[Any]) -> NDArray[Any]:
    """The probability of each label, from one array (images, 2) per label."""
    columns = [np.asarray(output) for output in outputs]
    if any(column.ndim != PAIR or column.shape[1] != PAIR for column in columns):
        message = "predict_proba returns a list, but not one array (images, 2) per label; each label needs both classes"
        raise ValueError(message)
    return np.stack([column[:, 1] for column in columns], axis=1)
