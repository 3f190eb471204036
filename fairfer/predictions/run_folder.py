"""A run folder on disk: ``run.json`` and the parts of the predictions.

``run.json`` says who was asked about which pictures; its digest is in every part, so a part that belongs to another run, or was
damaged, is never taken for one of this run's. Parts are moved into place whole.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fairfer.datasets.dataset import digest_lines
from fairfer.errors import RunError
from fairfer.files import dump_json, write_into_place, write_text

PART = 512
"""Samples per part. Part boundaries are part of the result's bytes, so this is a constant and no option."""

FORMAT = 1
"""Version of the run folder. 1: the first."""

_KINDS: dict[str, type] = {
    "model": str,
    "version": str,
    "options": dict,
    "label_space": str,
    "labels": list,
    "spellings": list,
    "images_digest": str,
    "samples": int,
}


def read_about(run: Path) -> dict[str, Any]:
    """What ``run.json`` of a run folder says, checked.

    Raises
    ------
    RunError
        When there is none, or it is damaged or of another format version.
    """
    path = run / "run.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        message = f"{run} holds no run.json, so it is no run; give the folder that fairfer predict or audit wrote"
        raise RunError(message) from error
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read ({error}); delete the folder and predict again"
        raise RunError(message) from error
    version = about.get("format") if isinstance(about, dict) else None
    if version != FORMAT:
        message = f"{path} has format {version!r}, this fairfer reads {FORMAT}; predict again, or use the fairfer that wrote it"
        raise RunError(message)
    wrong = [k for k, kind in _KINDS.items() if not isinstance(about.get(k), kind)]
    if wrong:
        message = f"{path} does not say its {wrong[0]!r}; it was damaged or edited, delete the folder and predict again"
        raise RunError(message)
    return dict(about)


def identity(about: dict[str, Any]) -> str:
    """Digest of what ``run.json`` says, which every part carries."""
    return digest_lines([json.dumps(about, sort_keys=True)])


def open_run(run: Path, about: dict[str, Any], *, overwrite: bool) -> None:
    """Make a folder ready for a run, or see that it holds this very run already.

    Raises
    ------
    RunError
        When it holds another run and `overwrite` is not given; the message names the field that differs.
    """
    path = run / "run.json"
    for half_written in (run / "predictions").glob(".part-*.parquet"):  # by a process that was killed
        half_written.unlink(missing_ok=True)
    if path.exists() and not overwrite:
        try:
            found = read_about(run)
        except RunError as error:
            message = f"{error} (or discard it with --overwrite)"
            raise RunError(message) from error
        differing = [k for k in about if found.get(k) != about[k]]
        if differing:
            field = differing[0]
            what, then, now = field.replace("_", " "), found[field], about[field]
            if field == "options":
                option = min(k for k in {**then, **now} if then.get(k) != now.get(k))
                what, then, now = f"option {option}", then.get(option), now.get(option)
            message = (
                f"{run} holds predictions with another {what} ({_short(then)}, now {_short(now)}); "
                "choose another --out, or discard them with --overwrite"
            )
            raise RunError(message)
        return
    # The order matters to a kill between the steps: parts of another run must be gone before run.json names this one.
    for stale in sorted((run / "predictions").glob("part-*.parquet")):
        stale.unlink()
    write_text(path, dump_json(about))


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:12] + "…"  # noqa: PLR2004 - a digest is shown by its beginning


def part_count(samples: int) -> int:
    """How many parts so many samples make."""
    return math.ceil(samples / PART)


def part_path(run: Path, index: int) -> Path:
    """File of one part."""
    return run / "predictions" / f"part-{index:05d}.parquet"


def read_part(path: Path, identity: str) -> pa.Table | None:
    """A part that is whole and belongs to this run, else nothing: it is then made again."""
    try:
        table = pq.read_table(path, partitioning=None, page_checksum_verification=True)
    except (OSError, pa.ArrowException):
        return None
    metadata = table.schema.metadata or {}
    return table.replace_schema_metadata() if metadata.get(b"fairfer") == identity.encode() else None


def write_part(path: Path, table: pa.Table, identity: str) -> None:
    """Write one part in one step, marked as belonging to a run."""
    marked = table.replace_schema_metadata({"fairfer": identity})
    write_into_place(path, lambda temporary: _write_table(marked, temporary))


def _write_table(table: pa.Table, path: Path) -> None:
    """With a checksum per page, so that a flipped bit is a damaged part and not another answer."""
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)
