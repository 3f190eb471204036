"""A run folder on disk: ``run.json`` and the parts of the predictions.

``run.json`` names the model, its options and the images. Its digest is stored in every part, so that a damaged part or a part
of another run is never used. Each part is moved into place as a whole.

Columns of a part::

    sample_id       text
    image           SHA-256 of the image's stored bytes; empty where it could not be read
    status          ok, no_face, refused, unreadable or error
    predicted       the label with the highest score, the model's first on a tie; null unless ok; single-label runs only
    detail          why there is no answer
    predicted:LABEL 1 or 0 for each label, null where unknown; only where a table recorded multi-label decisions
    score:LABEL     one float32 column per label of the model; null unless ok
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Literal, Self

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ConfigDict, ValidationError

from fairfer.datasets.dataset import digest_lines
from fairfer.errors import RunError
from fairfer.files import dump_json, read_text, write_into_place, write_text
from fairfer.labels import LabelSpace
from fairfer.schema import Strict
from fairfer.vocabulary import Task

PART_SIZE = 512
"""Samples per part. Part boundaries change the bytes of a run, so this is a constant and not an option."""

FORMAT: Literal[2] = 2
"""Version of the run folder. 1: single-label only. 2: `RunInfo.task`."""

RUN_FILE = "run.json"

MAX_TEXT = 40
"""Longest value that an error message shows in full."""


class RunInfo(Strict):
    """The content of ``run.json``: everything that the answers depend on.

    Attributes
    ----------
    format
        Version of the run folder.
    model, version, options, task
        Of the model.
    label_space, labels, spellings
        The model's output classes: name of the label space, canonical names, and the model's own spellings.
    images_digest
        Identity of the images (`fairfer.datasets.dataset.Dataset.images_digest`).
    samples
        Number of samples.
    """

    model_config = ConfigDict(strict=True)

    format: Literal[2] = FORMAT
    model: str
    version: str
    options: dict[str, str]
    task: Task
    label_space: str
    labels: list[str]
    spellings: list[str]
    images_digest: str
    samples: int

    @property
    def space(self) -> LabelSpace:
        """The model's label space."""
        return LabelSpace(self.label_space, tuple(self.labels), tuple(self.spellings))

    @property
    def digest(self) -> str:
        """Identity of the run, which every part carries."""
        return digest_lines([self.to_json_line()])

    def to_json_line(self) -> str:
        """The content as one line with sorted keys, for digests."""
        return json.dumps(self.model_dump(), sort_keys=True)

    @classmethod
    def read(cls, run: Path) -> Self:
        """Read ``run.json`` of a run folder.

        Raises
        ------
        RunError
            When it is missing, damaged or of another format version.
        """
        path = run / RUN_FILE
        try:
            content = json.loads(read_text(path))
        except FileNotFoundError as error:
            message = f"{run} is not a run folder: it has no {RUN_FILE}; give a folder that fairfer predict or audit wrote"
            raise RunError(message) from error
        except (OSError, ValueError, RecursionError) as error:
            message = f"{path} cannot be read ({error}); delete the folder and predict again"
            raise RunError(message) from error
        version = content.get("format") if isinstance(content, dict) else None
        if version != FORMAT:
            message = f"{path} has format {version!r}, but this fairfer reads format {FORMAT}; predict again"
            raise RunError(message)
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            message = f"{path}: {field}: {first['msg'].lower()}; delete the folder and predict again"
            raise RunError(message) from error

    def difference(self, other: RunInfo) -> tuple[str, object, object] | None:
        """The first field in which two runs differ, with its two values; ``None`` for the same run."""
        for name in type(self).model_fields:
            one, two = getattr(self, name), getattr(other, name)
            if one == two:
                continue
            if name == "options":
                option = min(k for k in {**one, **two} if one.get(k) != two.get(k))
                return f"option {option}", one.get(option), two.get(option)
            return name.replace("_", " "), one, two
        return None


def open_run(run: Path, info: RunInfo, *, overwrite: bool) -> None:
    """Prepare a folder for a run, or confirm that it already holds this run.

    Raises
    ------
    RunError
        When it holds another run and `overwrite` is false; the message names the field that differs.
    """
    path = run / RUN_FILE
    for temporary in (run / "predictions").glob(".part-*.parquet"):  # left by a process that was killed
        temporary.unlink(missing_ok=True)
    if path.exists() and not overwrite and any((run / "predictions").glob("part-*.parquet")):  # run.json alone holds no answers
        try:
            stored = RunInfo.read(run)
        except RunError as error:
            message = f"{error} (or discard it with --overwrite)"
            raise RunError(message) from error
        difference = stored.difference(info)
        if difference is not None:
            field, before, now = difference
            message = (
                f"{run} holds predictions with another {field} ({_short(before)}, now {_short(now)}); "
                "choose another --out, or discard them with --overwrite"
            )
            raise RunError(message)
        return
    # The order matters if the process is killed in between: parts of another run must be gone before run.json names this one.
    for part in [*sorted((run / "predictions").glob("part-*.parquet")), *sorted((run / "times").glob("part-*.parquet"))]:
        part.unlink()
    write_text(path, dump_json(info.model_dump()))


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_TEXT else text[:12] + "…"


def part_count(samples: int) -> int:
    """Number of parts for a number of samples."""
    return math.ceil(samples / PART_SIZE)


def part_path(run: Path, index: int) -> Path:
    """File of one part."""
    return run / "predictions" / f"part-{index:05d}.parquet"


def read_part(path: Path, run_digest: str) -> pa.Table | None:
    """Read a part; ``None`` when it is missing, damaged or of another run, and must be made again."""
    if not path.is_file():
        return None
    try:
        table = pq.read_table(path, partitioning=None, page_checksum_verification=True)
    except (OSError, pa.ArrowException):
        return None
    metadata = table.schema.metadata or {}
    return table.replace_schema_metadata() if metadata.get(b"fairfer") == run_digest.encode() else None


def write_part(path: Path, table: pa.Table, run_digest: str) -> None:
    """Write one part in one step, with the digest of its run."""
    marked = table.replace_schema_metadata({"fairfer": run_digest})
    write_into_place(path, lambda temporary: _write_table(marked, temporary))


def _write_table(table: pa.Table, path: Path) -> None:
    """With a checksum per page, so that a flipped bit makes a damaged part and not another answer."""
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)
