"""Ask a model about every image of a dataset, and store the answers.

A run folder holds ``run.json`` and parts of `fairfer.predictions.run_folder.PART_SIZE` samples each. Every part is moved into
place as a whole. A run that was killed is therefore resumed with at most one part repeated, and ends in the same bytes as a
run that was never interrupted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from fairfer.datasets.dataset import Dataset
from fairfer.datasets.images import Picture, UnreadableImageError, digest_bytes
from fairfer.errors import UsageError
from fairfer.files import mark_finished, mark_unfinished
from fairfer.models.boundary import CheckedModel, Declaration
from fairfer.models.model import Model, Prediction
from fairfer.predictions import run_folder
from fairfer.predictions.predictions import Predictions
from fairfer.predictions.run_folder import RunInfo
from fairfer.vocabulary import SCORE_PREFIX


def predict(
    dataset: Dataset,
    model: Model | None = None,
    run: str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
    on_reuse: Callable[[int, int], object] | None = None,
) -> Predictions:
    """Ask a model about every image of a dataset.

    Parameters
    ----------
    dataset
        A dataset with images, or a table of recorded predictions.
    model
        Called with batches of its ``batch_size`` (64 by default); ``None`` for a table of recorded predictions.
    run
        Folder for the answers. Answers that it already holds are not computed again. In memory only by default.
    overwrite
        Discard predictions of another model or of other images in `run` instead of refusing.
    progress
        Wraps the iterable of parts, for example ``tqdm.tqdm``.
    on_reuse
        Called with the number of answers that `run` already held, and the number of samples.

    Returns
    -------
    Predictions
        One row per sample, in the order of ``dataset.samples``.

    Raises
    ------
    RunError
        When `run` holds predictions of another model or of other images and `overwrite` is false.
    UsageError
        When there are images and no model, or a model and no images.
    ModelError
        When the model breaks its contract, tries to end the program, or has no answer for any image.
    """
    argument: object = dataset
    if not isinstance(argument, Dataset):
        message = f"predict takes a Dataset, not {type(argument).__name__}; read one with fairfer.load_dataset"
        raise UsageError(message)
    folder = None if run is None else Path(run)
    if dataset.recorded is not None and model is None:
        return _store_recorded(dataset, folder, overwrite=overwrite)
    if model is None:
        message = f"{dataset.name} has images and no predictions; give a model (--model)"
        raise UsageError(message)
    if dataset.images is None:
        message = f"{dataset.name} is a table without images, so model {model.name} cannot be used; leave the model out"
        raise UsageError(message)
    checked = CheckedModel(model)
    info = _run_info(checked.declared, dataset)
    if folder is not None:
        run_folder.open_run(folder, info, overwrite=overwrite)
    stored = _Stored(folder, info)
    tables = []
    ids = [str(i) for i in dataset.samples.index]
    size = run_folder.PART_SIZE
    for index in progress(range(run_folder.part_count(len(dataset)))):
        part_ids = ids[index * size : (index + 1) * size]
        table = stored.read(index, part_ids)
        if table is None:
            stored.mark()
            table = _predict_part(dataset, checked, part_ids)
            stored.write(index, table)
        tables.append(table)
    stored.close()
    if folder is not None and on_reuse is not None:
        on_reuse(stored.reused, len(dataset))
    return Predictions.from_parts(info, tables)


@dataclass
class _Stored:
    """Answers in a run folder; nothing without a folder.

    Attributes
    ----------
    folder, info
        The run.
    reused
        Number of answers that were read.
    """

    folder: Path | None
    info: RunInfo
    reused: int = 0

    def read(self, index: int, ids: Sequence[str]) -> pa.Table | None:
        """The answers of a part, if they are those for these samples."""
        if self.folder is None:
            return None
        table = run_folder.read_part(run_folder.part_path(self.folder, index), self.info.digest)
        if table is None or table.column("sample_id").to_pylist() != list(ids):
            return None
        self.reused += len(ids)
        return table

    def mark(self) -> None:
        """Mark the run as unfinished before the model is asked: it may end this process."""
        if self.folder is not None:
            mark_unfinished(self.folder)

    def write(self, index: int, table: pa.Table) -> None:
        """Store the answers of a part."""
        if self.folder is not None:
            run_folder.write_part(run_folder.part_path(self.folder, index), table, self.info.digest)

    def close(self) -> None:
        """Remove the mark, unless the folder has an audit: that one is not of these answers."""
        if self.folder is not None and not (self.folder / "audit.json").exists():
            mark_finished(self.folder)


def _store_recorded(dataset: Dataset, run: Path | None, *, overwrite: bool) -> Predictions:
    """The recorded predictions of a table, written to the run folder if there is one."""
    recorded = Predictions.from_recorded(dataset)
    if run is None:
        return recorded
    # Storing a table again costs nothing, so a corrected table replaces the predictions that it gave before.
    replaceable = (run / run_folder.RUN_FILE).exists() and RunInfo.read(run).options == recorded.options
    recorded.write(run, overwrite=overwrite or (replaceable and RunInfo.read(run) != recorded.info))
    return Predictions.read(run)


def _run_info(model: Declaration, dataset: Dataset) -> RunInfo:
    return RunInfo(
        model=model.name,
        version=model.version,
        options=dict(sorted(model.options.items())),
        task=model.task,
        label_space=model.labels.name,
        labels=list(model.labels.labels),
        spellings=list(model.labels.spellings),
        images_digest=dataset.images_digest,
        samples=len(dataset),
    )


@dataclass(frozen=True)
class _Image:
    """One image as read: its name, the digest of its stored bytes, its pixels, and why there are none."""

    sample_id: str
    digest: str
    pixels: Picture | None
    reason: str = ""


def _predict_part(dataset: Dataset, model: CheckedModel, ids: Sequence[str]) -> pa.Table:
    size = model.declared.batch_size
    batches = [ids[start : start + size] for start in range(0, len(ids), size)]
    digests: list[str] = []
    answers: list[Prediction] = []
    with ThreadPoolExecutor(1) as executor:  # reads the next batch while the model answers this one
        future = executor.submit(_read_images, dataset, batches[0])
        for following in [*batches[1:], None]:
            images = future.result()
            if following is not None:
                future = executor.submit(_read_images, dataset, following)
            readable = {image.sample_id: image.pixels for image in images if image.pixels is not None}
            predictions = iter(model.predict(list(readable.values()), list(readable)) if readable else ())
            for image in images:
                digests.append(image.digest)
                answers.append(Prediction("unreadable", detail=image.reason) if image.pixels is None else next(predictions))
    return _part_table(ids, digests, answers, model.declared)


def _read_images(dataset: Dataset, ids: Sequence[str]) -> list[_Image]:
    images = []
    for sample_id in ids:
        digest = ""
        try:
            raw = dataset.raw(sample_id)
            digest = digest_bytes(raw)
            images.append(_Image(sample_id, digest, dataset.decode(raw, sample_id)))
        except UnreadableImageError as error:
            images.append(_Image(sample_id, digest, None, str(error)))
    return images


def _part_table(ids: Sequence[str], digests: Sequence[str], answers: Sequence[Prediction], model: Declaration) -> pa.Table:
    """The columns that `fairfer.predictions.run_folder` describes."""
    names = model.labels.labels
    columns: dict[str, pa.Array] = {
        "sample_id": pa.array(list(ids), pa.string()),
        "image": pa.array(list(digests), pa.string()),
        "status": pa.array([a.status for a in answers], pa.string()),
    }
    if model.task == "single-label":
        predicted = [None if a.scores is None else names[int(np.argmax(a.scores))] for a in answers]
        columns["predicted"] = pa.array(predicted, pa.string())
    columns["detail"] = pa.array([a.detail for a in answers], pa.string())
    for i, name in enumerate(names):
        scores = [None if a.scores is None else float(a.scores[i]) for a in answers]
        columns[f"{SCORE_PREFIX}{name}"] = pa.array(scores, pa.float32())
    return pa.table(columns)
