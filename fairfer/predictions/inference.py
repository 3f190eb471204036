"""Ask a model about every image of a dataset, and store the answers.

A run folder holds ``run.json`` and parts of `fairfer.predictions.run_folder.PART_SIZE` samples each. Every part is moved into
place as a whole. A run that was killed is therefore resumed with at most one part repeated, and ends in the same bytes as a
run that was never interrupted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from fairfer.datasets.dataset import Dataset
from fairfer.datasets.images import Picture, UnreadableImageError, digest_bytes
from fairfer.errors import UsageError
from fairfer.files import mark_finished, mark_unfinished
from fairfer.models.boundary import CheckedModel, Declaration
from fairfer.predictions import run_folder
from fairfer.predictions.predictions import Predictions
from fairfer.predictions.run_folder import RunInfo
from fairfer.predictions.times import read_times, times_path, write_times
from fairfer.vocabulary import SCORE_PREFIX, Status

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.models.model import Model, Prediction, PredictionBatch


def predict(
    dataset: Dataset,
    model: Model | None = None,
    run: str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
    answer_times: bool = False,
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
    answer_times
        Ask for one image at a time, and record how long each answer takes. Answers that `run` holds without times are made
        again.
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
    return ask_model(
        dataset, model, folder, overwrite=overwrite, answer_times=answer_times, progress=progress, on_reuse=on_reuse
    )


def ask_model(
    dataset: Dataset,
    model: Model,
    folder: Path | None,
    *,
    overwrite: bool = False,
    answer_times: bool = False,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
    on_reuse: Callable[[int, int], object] | None = None,
    known: Callable[[str], Prediction | None] | None = None,
    need_answers: bool = True,
) -> Predictions:
    """Ask a model about images, some of whose answers may be known.

    Parameters
    ----------
    dataset
        With images.
    model, folder, overwrite, answer_times, progress, on_reuse
        As of `predict`.
    known
        Called with the id of each sample whose image was read: its answer, if it is known without asking the model.
    need_answers
        Whether it is an error when the model has no answer for any image.

    Returns
    -------
    Predictions
        One row per sample.
    """
    checked = CheckedModel(model)
    info = run_info(checked.declared, dataset)
    if folder is not None:
        run_folder.open_run(folder, info, overwrite=overwrite)
    stored = _Stored(folder, info)
    tables, times = [], []
    ids = [str(i) for i in dataset.samples.index]
    size = 1 if answer_times else checked.declared.batch_size
    parts = run_folder.part_count(len(dataset))
    with _Reader(dataset) as reader:
        for index in progress(range(parts)):
            part_ids, following = (ids[i * run_folder.PART_SIZE : (i + 1) * run_folder.PART_SIZE] for i in (index, index + 1))
            table = stored.read(index, part_ids, with_times=answer_times)
            if table is None:
                stored.mark()
                table, part_times = _predict_part(reader, checked, part_ids, size, following[:size], known)
                stored.write(index, table, part_times if answer_times else None)
                times.append(part_times)
            tables.append(table)
    stored.close()
    if folder is not None and on_reuse is not None:
        on_reuse(stored.reused, len(dataset))
    recorded = pd.concat(times) if folder is None else read_times(folder, len(tables))
    return Predictions.from_parts(info, tables, recorded if answer_times else None, need_answers=need_answers)


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

    def read(self, index: int, ids: Sequence[str], *, with_times: bool) -> pa.Table | None:
        """The answers of a part, if they are those for these samples and have times where these are needed."""
        if self.folder is None or (with_times and not times_path(self.folder, index).is_file()):
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

    def write(self, index: int, table: pa.Table, times: pd.DataFrame | None) -> None:
        """Store the answers of a part, and its times if there are any."""
        if self.folder is not None and times is not None:
            write_times(times_path(self.folder, index), times)
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


def run_info(model: Declaration, dataset: Dataset) -> RunInfo:
    """What the answers of a model for the images of a dataset depend on."""
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


@dataclass
class _Answers:
    """Answers for the samples of a part.

    Attributes
    ----------
    scores
        (n, labels) float32; not a number where there is no answer.
    digests
        Of the stored bytes of each image; empty where it could not be read.
    statuses, details
        Of the samples that have another status than ``ok``, or a detail, by position.
    seconds
        Seconds per image, and images in the call, by position.
    """

    scores: NDArray[np.float32]
    digests: list[str]
    statuses: dict[int, Status] = field(default_factory=dict)
    details: dict[int, str] = field(default_factory=dict)
    seconds: dict[int, tuple[float, int]] = field(default_factory=dict)

    def times(self, ids: Sequence[str]) -> pd.DataFrame:
        """Seconds per image and images per call, by sample."""
        index = pd.Index([ids[i] for i in self.seconds], name="sample_id", dtype="str")
        columns = {"seconds": [s for s, _ in self.seconds.values()], "images": [n for _, n in self.seconds.values()]}
        return pd.DataFrame(columns, index=index).astype({"seconds": "float64", "images": "int64"})

    def add(self, positions: Sequence[int], batch: PredictionBatch, seconds: float) -> None:
        """Write the answers of the images at some positions, which took some seconds together."""
        self.seconds.update(dict.fromkeys(positions, (seconds / len(positions), len(positions))))
        self.scores[positions] = batch.scores
        self.statuses.update((positions[i], status) for i, status in batch.statuses.items())
        self.details.update((positions[i], detail) for i, detail in batch.details.items())

    def add_known(self, position: int, answer: Prediction) -> None:
        """Write the answer of one image that the model was not asked about."""
        if answer.scores is not None:
            self.scores[position] = answer.scores
        if answer.status != "ok":
            self.statuses[position] = answer.status
        if answer.detail:
            self.details[position] = answer.detail


@dataclass(frozen=True)
class _Images:
    """Images of consecutive samples as read: digests of their stored bytes, pixels of those that can be read, and why not."""

    digests: list[str]
    pixels: dict[int, Picture]
    reasons: dict[int, str]


class _Reader:
    """Reads the images that are needed next while the model answers others; a context manager.

    Parameters
    ----------
    dataset
        Where the images are.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._executor = ThreadPoolExecutor(1)
        self._ahead: tuple[Sequence[str], Future[_Images]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(cancel_futures=True)

    def read(self, ids: Sequence[str], following: Sequence[str]) -> _Images:
        """Return the images of some samples, and begin to read those that follow."""
        ahead = self._ahead
        future = ahead[1] if ahead and ahead[0] == ids else self._executor.submit(_read_images, self._dataset, ids)
        images = future.result()
        self._ahead = (following, self._executor.submit(_read_images, self._dataset, following)) if following else None
        return images


def _predict_part(
    reader: _Reader,
    model: CheckedModel,
    ids: Sequence[str],
    size: int,
    following: Sequence[str],
    known: Callable[[str], Prediction | None] | None = None,
) -> tuple[pa.Table, pd.DataFrame]:
    """The answers of a part, and their times; `following` are the first samples of the next part."""
    answers = _Answers(np.full((len(ids), len(model.declared.labels)), np.nan, np.float32), [])
    for start in range(0, len(ids), size):
        end = start + size
        images = reader.read(ids[start:end], ids[end : end + size] or following)
        answers.digests += images.digests
        for i, reason in images.reasons.items():
            answers.statuses[start + i], answers.details[start + i] = "unreadable", reason
        asked = dict(images.pixels)
        for i in images.pixels:
            answer = None if known is None else known(ids[start + i])
            if answer is not None:
                answers.add_known(start + i, answer)
                del asked[i]
        if asked:
            before = time.perf_counter()
            batch = model.predict(list(asked.values()), [ids[start + i] for i in asked])
            answers.add([start + i for i in asked], batch, time.perf_counter() - before)
    return _part_table(ids, answers, model.declared), answers.times(ids)


def _read_images(dataset: Dataset, ids: Sequence[str]) -> _Images:
    images = _Images([], {}, {})
    for i, sample_id in enumerate(ids):
        digest = ""
        try:
            raw = dataset.raw(sample_id)
            digest = digest_bytes(raw)
            images.pixels[i] = dataset.decode(raw, sample_id)
        except UnreadableImageError as error:
            images.reasons[i] = str(error)
        images.digests.append(digest)
    return images


def _part_table(ids: Sequence[str], answers: _Answers, model: Declaration) -> pa.Table:
    """The columns that `fairfer.predictions.run_folder` describes."""
    names = model.labels.labels
    unanswered = np.zeros(len(ids), bool)
    unanswered[list(answers.statuses)] = True
    status = np.full(len(ids), "ok", object)
    detail = np.full(len(ids), "", object)
    status[list(answers.statuses)] = list(answers.statuses.values())
    detail[list(answers.details)] = list(answers.details.values())
    columns: dict[str, pa.Array] = {
        "sample_id": pa.array(list(ids), pa.string()),
        "image": pa.array(answers.digests, pa.string()),
        "status": pa.array(status, pa.string()),
    }
    if model.task == "single-label":
        highest = np.where(unanswered[:, None], 0, answers.scores).argmax(axis=1)
        columns["predicted"] = pa.array(np.array(names, object)[highest], pa.string(), mask=unanswered)
    columns["detail"] = pa.array(detail, pa.string())
    for i, name in enumerate(names):
        scores = np.where(unanswered, np.float32(0), answers.scores[:, i])  # what the mask hides is stored nevertheless
        columns[f"{SCORE_PREFIX}{name}"] = pa.array(scores, pa.float32(), mask=unanswered)
    return pa.table(columns)
