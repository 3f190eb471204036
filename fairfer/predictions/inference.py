"""Run a model over a data set and keep what it said: the first joint of fairfer.

A run folder holds ``run.json`` (who was asked, about which pictures) and ``predictions/part-00000.parquet``, … of
`fairfer.predictions.run_folder.PART` samples each. Every part is moved into place whole, so a run killed at any moment is taken up again with
at most one part redone, and ends in the same bytes as one that was never interrupted.

Predictions hold only what the model said. Truth and groups are joined when they are audited, so a corrected annotation needs
no new inference. They belong to the pictures (digest) and to the model (name, version, options): anything else is refused.

Columns of a part::

    sample_id   text
    image       SHA-256 of the picture's stored bytes, empty where it could not be read
    status      ok, no_face, unreadable or error
    predicted   the label with the highest score, the model's first on a tie; null unless ok
    detail      why there is no answer
    score:LABEL one float32 column per label of the model; null unless ok
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fairfer.datasets.dataset import Dataset, digest_lines
from fairfer.datasets.images import Picture, UnreadableImageError, digest_bytes
from fairfer.errors import DataError, ModelError, RunError, UsageError
from fairfer.labels import LabelSpace
from fairfer.models.model import STATUSES, Model, Prediction
from fairfer.predictions import run_folder as runs

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Predictions:
    """What one model said of one data set's pictures.

    Attributes
    ----------
    model, version, options
        Who was asked.
    labels
        What the model can say.
    images_digest
        Which pictures it was asked about (`Dataset.images_digest`).
    frame
        Indexed by ``sample_id``, columns as in the module's description.
    """

    model: str
    version: str
    labels: LabelSpace
    options: dict[str, str]
    images_digest: str
    frame: pd.DataFrame

    @property
    def digest(self) -> str:
        """Identity of the answers: model, pictures and every row."""
        about = json.dumps(self.about(), sort_keys=True)
        rows = pd.util.hash_pandas_object(self.frame, index=True).to_numpy()
        return digest_lines([about, rows.tobytes().hex()])

    def about(self) -> dict[str, Any]:
        """What ``run.json`` says of the run."""
        return _about(self, self.images_digest, len(self.frame))

    def scores(self) -> NDArray[np.float32]:
        """(n, labels) scores, NaN where there is no answer.

        Raises
        ------
        RunError
            When only labels were recorded, no scores.
        """
        columns = [f"score:{n}" for n in self.labels.labels]
        if not set(columns) <= set(self.frame.columns):
            message = f"{self.model}: only labels were recorded, no scores; give the score columns of the table"
            raise RunError(message)
        return self.frame[columns].to_numpy(np.float32, na_value=np.nan)

    @classmethod
    def read(cls, run: Path) -> Predictions:
        """Read a finished run folder.

        Raises
        ------
        RunError
            When the folder is no run, is unfinished, damaged, or of another format version.
        """
        about = runs.read_about(run)
        parts = [runs.part_path(run, i) for i in range(runs.part_count(about["samples"]))]
        missing = [p.name for p in parts if not p.is_file()]
        if missing:
            message = f"{run} is unfinished: {len(missing)} of {len(parts)} parts are missing; run the same predict again"
            raise RunError(message)
        identity = runs.identity(about)
        tables = []
        for part in parts:
            table = runs.read_part(part, identity)
            if table is None:
                message = f"{part} is damaged or belongs to another run; delete it and run the same predict again"
                raise RunError(message)
            tables.append(table)
        return _assemble(about, tables)

    @classmethod
    def from_recorded(cls, dataset: Dataset) -> Predictions:
        """The answers that came with a data set (see `fairfer.datasets.dataset.RecordedPredictions`).

        Raises
        ------
        DataError
            When none came with it.
        """
        recorded = dataset.recorded
        if recorded is None:
            message = f"{dataset.name} holds no predictions; name their column (--predicted) or give a --model"
            raise DataError(message)
        frame = recorded.frame.copy()
        frame["image"] = dataset.image_digests
        frame = frame[["image", "status", "predicted", "detail", *(c for c in frame if str(c).startswith("score:"))]]
        options = {"answers": "from the table"}
        return cls(recorded.model, recorded.version, recorded.labels, options, dataset.images_digest, frame)

    def write(self, run: Path, *, overwrite: bool = False) -> None:
        """Store these predictions as a run folder, as `predict` would have.

        Raises
        ------
        RunError
            When the folder holds another run and `overwrite` is not given.
        """
        about = self.about()
        runs.open_run(run, about, overwrite=overwrite)
        identity = runs.identity(about)
        for index, start in enumerate(range(0, len(self.frame), runs.PART)):
            rows = self.frame.iloc[start : start + runs.PART]
            runs.write_part(
                runs.part_path(run, index), pa.Table.from_pandas(rows.reset_index(), preserve_index=False), identity
            )


def predict(
    dataset: Dataset,
    model: Model | None = None,
    run: Path | None = None,
    *,
    overwrite: bool = False,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Predictions:
    """Ask a model about every picture of a data set.

    Parameters
    ----------
    dataset
        Has pictures, or the answers themselves (a table of predictions).
    model
        Asked in batches of its ``batch_size`` (64 when it has none); ``None`` for a table of predictions.
    run
        Folder to keep the answers in and to take up from when they are partly there; kept in memory only when not given.
    overwrite
        Discard what another model or other pictures left in `run`, instead of refusing.
    progress
        Wraps the iterable of parts, such as ``tqdm.tqdm``.

    Returns
    -------
    Predictions
        One row per sample, in the order of ``dataset.samples``.

    Raises
    ------
    RunError
        When `run` holds predictions of another model or of other pictures and `overwrite` is not given.
    UsageError
        When there are pictures and no model, or a model and no pictures.
    ModelError
        When the model answers with the wrong number of answers or scores, or could answer for no picture at all.
    """
    if dataset.recorded is not None and model is None:
        return _from_table(dataset, run, overwrite=overwrite)
    if model is None:
        message = f"{dataset.name} holds pictures and no predictions; name a model to ask"
        raise UsageError(message)
    if dataset.images is None:
        message = f"{dataset.name} is a table without pictures, so {model.name} cannot be asked; leave the model out"
        raise UsageError(message)
    about = _about(model, dataset.images_digest, len(dataset))
    identity = runs.identity(about)
    if run is not None:
        runs.open_run(run, about, overwrite=overwrite)
    tables = []
    ids = [str(i) for i in dataset.samples.index]
    for index in progress(range(runs.part_count(len(dataset)))):
        wanted = ids[index * runs.PART : (index + 1) * runs.PART]
        path = None if run is None else runs.part_path(run, index)
        table = None if path is None else runs.read_part(path, identity)
        if table is None or table.column("sample_id").to_pylist() != wanted:
            table = _predict_part(dataset, model, wanted)
            if path is not None:
                runs.write_part(path, table, identity)
        tables.append(table)
    return _assemble(about, tables)


def _from_table(dataset: Dataset, run: Path | None, *, overwrite: bool) -> Predictions:
    found = Predictions.from_recorded(dataset)
    if run is None:
        return found
    # What came from a table costs nothing to store again, so a table that was corrected simply replaces what it gave before.
    path = run / "run.json"
    again = path.exists() and runs.read_about(run).get("options") == found.options
    found.write(run, overwrite=overwrite or (again and runs.read_about(run) != found.about()))
    return Predictions.read(run)


def _about(model: Model | Predictions, images_digest: str, samples: int) -> dict[str, Any]:
    name = model.model if isinstance(model, Predictions) else model.name
    options = {str(k): str(v) for k, v in dict(getattr(model, "options", {})).items()}
    if not isinstance(model, Predictions):
        options |= _code(model)
    return {
        "format": runs.FORMAT,
        "model": name,
        "version": model.version,
        "options": dict(sorted(options.items())),
        "label_space": model.labels.name,
        "labels": list(model.labels.labels),
        "spellings": list(model.labels.spellings),
        "images_digest": images_digest,
        "samples": samples,
    }


def _code(model: Model) -> dict[str, str]:
    """Digest of the file that defines the model, so that answers of code edited since are not taken for the code's own."""
    file = getattr(sys.modules.get(type(model).__module__), "__file__", None)
    try:
        return {"code": digest_bytes(Path(file).read_bytes())[:16]} if file else {}
    except OSError:  # a module from a zip archive, say: then the model's own version has to do
        return {}


def _predict_part(dataset: Dataset, model: Model, ids: Sequence[str]) -> pa.Table:
    size = max(1, int(getattr(model, "batch_size", 64)))
    batches = [ids[start : start + size] for start in range(0, len(ids), size)]
    digests: list[str] = []
    answers: list[Prediction] = []
    with ThreadPoolExecutor(1) as ahead:  # the next pictures are read while the model looks at these
        coming = ahead.submit(_read_pictures, dataset, batches[0])
        for following in [*batches[1:], None]:
            read = coming.result()
            if following is not None:
                coming = ahead.submit(_read_pictures, dataset, following)
            seen = [picture for _, picture, _ in read if picture is not None]
            said = _ask(model, seen) if seen else iter(())
            for digest, picture, trouble in read:
                digests.append(digest)
                answers.append(Prediction("unreadable", detail=trouble) if picture is None else next(said))
    return _table(ids, digests, answers, model.labels)


def _read_pictures(dataset: Dataset, ids: Sequence[str]) -> list[tuple[str, Picture | None, str]]:
    """For each sample the digest of its stored bytes, its pixels, and why there are none."""
    found: list[tuple[str, Picture | None, str]] = []
    for sample_id in ids:
        digest = ""
        try:
            raw = dataset.raw(sample_id)
            digest = digest_bytes(raw)
            found.append((digest, dataset.decode(raw, sample_id), ""))
        except UnreadableImageError as error:
            found.append((digest, None, str(error)))
    return found


def _ask(model: Model, pictures: Sequence[Picture]) -> Iterator[Prediction]:
    answers = model.predict(pictures)
    if not isinstance(answers, Sequence) or not all(isinstance(a, Prediction) for a in answers):
        message = f"model {model.name} answered with a {type(answers).__name__}; it must give a list of fairfer.Prediction"
        raise ModelError(message)
    if len(answers) != len(pictures):
        message = f"model {model.name} gave {len(answers)} answers for {len(pictures)} pictures; it must give one for each"
        raise ModelError(message)
    for answer in answers:
        if answer.status not in STATUSES:
            message = f"model {model.name} answered with status {answer.status!r}; use one of {', '.join(STATUSES)}"
            raise ModelError(message)
        if answer.status != "ok":
            yield Prediction(answer.status, None, answer.detail or answer.status)
            continue
        try:
            with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and that is refused below
                scores = np.asarray(answer.scores if answer.scores is not None else [], dtype=np.float32)
        except (TypeError, ValueError) as error:
            message = f"model {model.name} gave scores that are no numbers ({error}); give one number for each label"
            raise ModelError(message) from error
        if scores.shape != (len(model.labels),):
            message = (
                f"model {model.name} gave scores of shape {scores.shape}, but it names {len(model.labels)} labels "
                f"({', '.join(model.labels.labels)}); give one score for each"
            )
            raise ModelError(message)
        if np.isfinite(scores).all():
            yield Prediction("ok", scores, answer.detail)
        else:
            yield Prediction("error", None, "the model's scores are not finite numbers")


def _table(ids: Sequence[str], digests: Sequence[str], answers: Sequence[Prediction], labels: LabelSpace) -> pa.Table:
    said = [None if a.scores is None else labels.labels[int(np.argmax(a.scores))] for a in answers]
    columns: dict[str, pa.Array] = {
        "sample_id": pa.array(list(ids), pa.string()),
        "image": pa.array(list(digests), pa.string()),
        "status": pa.array([a.status for a in answers], pa.string()),
        "predicted": pa.array(said, pa.string()),
        "detail": pa.array([a.detail for a in answers], pa.string()),
    }
    for i, name in enumerate(labels.labels):
        values = [None if a.scores is None else float(a.scores[i]) for a in answers]
        columns[f"score:{name}"] = pa.array(values, pa.float32())
    return pa.table(columns)


def _assemble(about: dict[str, Any], tables: Sequence[pa.Table]) -> Predictions:
    frame = pa.concat_tables(tables).to_pandas().set_index("sample_id")
    if not bool((frame["status"] == "ok").any()):
        first = str(frame["detail"].iloc[0]) or "no reason given"
        message = (
            f"model {about['model']} could answer for none of {len(frame):,} pictures (the first: {first}); see to that, then "
            "run again with --overwrite"
        )
        raise ModelError(message)
    labels = LabelSpace(about["label_space"], tuple(about["labels"]), tuple(about["spellings"]))
    return Predictions(about["model"], about["version"], labels, dict(about["options"]), about["images_digest"], frame)
