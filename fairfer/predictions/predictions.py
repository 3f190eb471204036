"""A model's answers for the images of one dataset.

Predictions hold only the model's answers. Truth and groups are joined at audit, so a corrected annotation needs no new
inference. They belong to the images (digest) and to the model (name, version, options).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from fairfer.datasets.dataset import Dataset, digest_lines
from fairfer.errors import DataError, ModelError, RunError
from fairfer.predictions import run_folder
from fairfer.predictions.run_folder import RunInfo
from fairfer.predictions.times import read_times
from fairfer.vocabulary import PREDICTED_PREFIX, SCORE_PREFIX

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.labels import LabelSpace
    from fairfer.vocabulary import Task


@dataclass(frozen=True)
class Predictions:
    """A model's answers for the images of one dataset.

    Attributes
    ----------
    model, version, options
        Name, version and options of the model.
    labels
        The model's output classes.
    images_digest
        Identity of the images (`fairfer.datasets.dataset.Dataset.images_digest`).
    frame
        Indexed by ``sample_id``; columns as in `fairfer.predictions.run_folder`.
    task
        ``single-label`` or ``multi-label``.
    times
        Seconds per image and images per call, indexed by ``sample_id``, where a model was asked; see
        `fairfer.predictions.times`. They are not part of the identity.
    """

    model: str
    version: str
    labels: LabelSpace
    options: dict[str, str]
    images_digest: str
    frame: pd.DataFrame
    task: Task = "single-label"
    times: pd.DataFrame | None = None

    @property
    def digest(self) -> str:
        """Identity of the answers: model, images and every row."""
        rows = pd.util.hash_pandas_object(self.frame, index=True).to_numpy()
        return digest_lines([self.info.to_json_line(), rows.tobytes().hex()])

    @property
    def info(self) -> RunInfo:
        """The content of ``run.json`` for these predictions."""
        return RunInfo(
            model=self.model,
            version=self.version,
            options=dict(sorted(self.options.items())),
            task=self.task,
            label_space=self.labels.name,
            labels=list(self.labels.labels),
            spellings=list(self.labels.spellings),
            images_digest=self.images_digest,
            samples=len(self.frame),
        )

    def scores(self) -> NDArray[np.float32]:
        """Scores of shape (n, labels), in the order of `labels`; NaN where there is no answer.

        Raises
        ------
        RunError
            When there are no scores, because a table recorded only labels.
        """
        columns = [f"{SCORE_PREFIX}{n}" for n in self.labels.labels]
        if not set(columns) <= set(self.frame.columns):
            message = (
                f"the predictions of {self.model} have no scores, only labels; name the score columns of the table (--scores)"
            )
            raise RunError(message)
        return self.frame[columns].to_numpy(np.float32, na_value=np.nan)

    @classmethod
    def read(cls, run: str | os.PathLike[str]) -> Predictions:
        """Read a finished run folder.

        Raises
        ------
        RunError
            When the folder is not a run folder, or is unfinished, damaged or of another format version.
        """
        folder = Path(run)
        info = RunInfo.read(folder)
        parts = [run_folder.part_path(folder, i) for i in range(run_folder.part_count(info.samples))]
        missing = [p for p in parts if not p.is_file()]
        if missing:
            message = f"{folder} is unfinished: {len(missing)} of {len(parts)} parts are missing; run the same predict again"
            raise RunError(message)
        digest = info.digest
        tables = []
        for part in parts:
            table = run_folder.read_part(part, digest)
            if table is None:
                message = f"{part} is damaged or belongs to another run; delete it and run the same predict again"
                raise RunError(message)
            tables.append(table)
        return cls.from_parts(info, tables, read_times(folder, len(parts)))

    @classmethod
    def from_parts(
        cls, info: RunInfo, tables: Sequence[pa.Table], times: pd.DataFrame | None = None, *, need_answers: bool = True
    ) -> Predictions:
        """Join the parts of a run.

        Raises
        ------
        ModelError
            When no sample has an answer and `need_answers` is true.
        """
        # Recorded decisions are 1, 0 or unknown; as floats they would differ from what was stored.
        frame = pa.concat_tables(tables).to_pandas(types_mapper={pa.int8(): pd.Int8Dtype()}.get).set_index("sample_id")
        if need_answers and not bool((frame["status"] == "ok").any()):
            reason = str(frame["detail"].iloc[0]) or "no reason given"
            message = (
                f"model {info.model} has no answer for any of {len(frame):,} images (the first: {reason}); fix the cause, then "
                "run again with --overwrite"
            )
            raise ModelError(message)
        return cls(info.model, info.version, info.space, dict(info.options), info.images_digest, frame, info.task, times)

    @classmethod
    def from_recorded(cls, dataset: Dataset) -> Predictions:
        """The predictions that a dataset's table recorded.

        Raises
        ------
        DataError
            When it recorded none.
        """
        recorded = dataset.recorded
        if recorded is None:
            message = f"{dataset.name} has no predictions; name their column (--predicted) or give a --model"
            raise DataError(message)
        frame = recorded.frame.assign(image=dataset.image_digests)
        first = [c for c in ("image", "status", "predicted", "detail") if c in frame]
        frame = frame[[*first, *(c for c in frame if str(c).startswith((PREDICTED_PREFIX, SCORE_PREFIX)))]]
        options = {"answers": "from the table"}
        return cls(recorded.model, recorded.version, recorded.labels, options, dataset.images_digest, frame, recorded.task)

    def write(self, run: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Store these predictions as a run folder, as `fairfer.predict` does.

        Raises
        ------
        RunError
            When the folder holds another run and `overwrite` is false.
        """
        folder, info = Path(run), self.info
        run_folder.open_run(folder, info, overwrite=overwrite)
        for index, start in enumerate(range(0, len(self.frame), run_folder.PART_SIZE)):
            rows = self.frame.iloc[start : start + run_folder.PART_SIZE].reset_index()
            table = pa.Table.from_pandas(rows, preserve_index=False)
            run_folder.write_part(run_folder.part_path(folder, index), table, info.digest)
