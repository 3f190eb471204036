"""Ask a model about every image of a dataset, and store the answers.

A run folder holds ``run.json`` and parts of `fairfer.predictions.run_folder.PART_SIZE` samples each. Every part is moved into
place as a whole. A run that was killed is therefore resumed with at most one part repeated, and ends in the same bytes as a
run that was never interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from fairfer.datasets.dataset import Dataset, digest_lines
from fairfer.datasets.images import Picture, UnreadableImageError, digest_bytes
from fairfer.errors import ModelError, UsageError
from fairfer.models.model import BATCH_SIZE, Model, Prediction, model_task
from fairfer.predictions import run_folder
from fairfer.predictions.predictions import Predictions
from fairfer.predictions.run_folder import RunInfo
from fairfer.vocabulary import SCORE_PREFIX, STATUSES


def predict(
    dataset: Dataset,
    model: Model | None = None,
    run: str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
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
        When the model returns a wrong number of answers or scores, or has no answer for any image.
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
    info = _run_info(model, dataset)
    if folder is not None:
        run_folder.open_run(folder, info, overwrite=overwrite)
    tables = []
    ids = [str(i) for i in dataset.samples.index]
    size = run_folder.PART_SIZE
    for index in progress(range(run_folder.part_count(len(dataset)))):
        part_ids = ids[index * size : (index + 1) * size]
        path = None if folder is None else run_folder.part_path(folder, index)
        table = None if path is None else run_folder.read_part(path, info.digest)
        if table is None or table.column("sample_id").to_pylist() != part_ids:
            table = _predict_part(dataset, model, part_ids)
            if path is not None:
                run_folder.write_part(path, table, info.digest)
        tables.append(table)
    return Predictions.from_parts(info, tables)


def _store_recorded(dataset: Dataset, run: Path | None, *, overwrite: bool) -> Predictions:
    """The recorded predictions of a table, written to the run folder if there is one."""
    recorded = Predictions.from_recorded(dataset)
    if run is None:
        return recorded
    # Storing a table again costs nothing, so a corrected table replaces the predictions that it gave before.
    replaceable = (run / run_folder.RUN_FILE).exists() and RunInfo.read(run).options == recorded.options
    recorded.write(run, overwrite=overwrite or (replaceable and RunInfo.read(run) != recorded.info))
    return Predictions.read(run)


def _run_info(model: Model, dataset: Dataset) -> RunInfo:
    options = {str(k): str(v) for k, v in dict(getattr(model, "options", {})).items()} | _code_digest(model)
    return RunInfo(
        model=model.name,
        version=model.version,
        options=dict(sorted(options.items())),
        task=model_task(model),
        label_space=model.labels.name,
        labels=list(model.labels.labels),
        spellings=list(model.labels.spellings),
        images_digest=dataset.images_digest,
        samples=len(dataset),
    )


def _code_digest(model: Model) -> dict[str, str]:
    """Digest of the files that define the model, so that answers of code that has changed since are not reused."""
    file = getattr(sys.modules.get(type(model).__module__), "__file__", None)
    files = getattr(model, "files", [file] if file else [])
    try:
        digests = [digest_bytes(Path(f).read_bytes()) for f in files]
    except OSError:  # for example a module in a zip archive: only the model's own version is left
        return {}
    if len(digests) > 1:
        digests = [digest_lines(digests)]
    return {"code": digests[0][:16]} if digests else {}


@dataclass(frozen=True)
class _Image:
    """One image as read: the digest of its stored bytes, its pixels, and why there are none."""

    digest: str
    pixels: Picture | None
    reason: str = ""


def _predict_part(dataset: Dataset, model: Model, ids: Sequence[str]) -> pa.Table:
    size = max(1, int(getattr(model, "batch_size", BATCH_SIZE)))
    batches = [ids[start : start + size] for start in range(0, len(ids), size)]
    digests: list[str] = []
    answers: list[Prediction] = []
    with ThreadPoolExecutor(1) as executor:  # reads the next batch while the model answers this one
        future = executor.submit(_read_images, dataset, batches[0])
        for following in [*batches[1:], None]:
            images = future.result()
            if following is not None:
                future = executor.submit(_read_images, dataset, following)
            readable = [image.pixels for image in images if image.pixels is not None]
            predictions = _ask(model, readable) if readable else iter(())
            for image in images:
                digests.append(image.digest)
                answers.append(Prediction("unreadable", detail=image.reason) if image.pixels is None else next(predictions))
    return _part_table(ids, digests, answers, model)


def _read_images(dataset: Dataset, ids: Sequence[str]) -> list[_Image]:
    images = []
    for sample_id in ids:
        digest = ""
        try:
            raw = dataset.raw(sample_id)
            digest = digest_bytes(raw)
            images.append(_Image(digest, dataset.decode(raw, sample_id)))
        except UnreadableImageError as error:
            images.append(_Image(digest, None, str(error)))
    return images


def _ask(model: Model, images: Sequence[Picture]) -> Iterator[Prediction]:
    """The model's answers, validated, with float32 scores."""
    answers = model.predict(images)
    if not isinstance(answers, Sequence) or not all(isinstance(a, Prediction) for a in answers):
        message = f"model {model.name} returned a {type(answers).__name__}; predict must return a list of fairfer.Prediction"
        raise ModelError(message)
    if len(answers) != len(images):
        message = (
            f"model {model.name} returned {len(answers)} answers for {len(images)} images; predict must return one for each"
        )
        raise ModelError(message)
    for answer in answers:
        yield _validated(model, answer)


def _validated(model: Model, answer: Prediction) -> Prediction:
    """One answer with float32 scores; one with scores that are not finite becomes an error of its image."""
    if answer.status not in STATUSES:
        message = f"model {model.name} returned the status {answer.status!r}; use one of {', '.join(STATUSES)}"
        raise ModelError(message)
    if answer.status != "ok":
        return Prediction(answer.status, None, answer.detail or answer.status)
    try:
        with np.errstate(over="ignore"):  # a number too large for float32 becomes infinite, which is refused below
            scores = np.asarray(answer.scores if answer.scores is not None else [], dtype=np.float32)
    except (TypeError, ValueError) as error:
        message = f"model {model.name} returned scores that are not numbers ({error}); return one number for each label"
        raise ModelError(message) from error
    if scores.shape != (len(model.labels),):
        message = (
            f"model {model.name} returned scores of shape {scores.shape}, but it has {len(model.labels)} labels "
            f"({', '.join(model.labels.labels)}); return one score for each"
        )
        raise ModelError(message)
    if np.isfinite(scores).all():
        return Prediction("ok", scores, answer.detail)
    return Prediction("error", None, "the model's scores are not finite numbers")


def _part_table(ids: Sequence[str], digests: Sequence[str], answers: Sequence[Prediction], model: Model) -> pa.Table:
    """The columns that `fairfer.predictions.run_folder` describes."""
    names = model.labels.labels
    columns: dict[str, pa.Array] = {
        "sample_id": pa.array(list(ids), pa.string()),
        "image": pa.array(list(digests), pa.string()),
        "status": pa.array([a.status for a in answers], pa.string()),
    }
    if model_task(model) == "single-label":
        predicted = [None if a.scores is None else names[int(np.argmax(a.scores))] for a in answers]
        columns["predicted"] = pa.array(predicted, pa.string())
    columns["detail"] = pa.array([a.detail for a in answers], pa.string())
    for i, name in enumerate(names):
        scores = [None if a.scores is None else float(a.scores[i]) for a in answers]
        columns[f"{SCORE_PREFIX}{name}"] = pa.array(scores, pa.float32())
    return pa.table(columns)
