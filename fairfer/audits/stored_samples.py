"""Truth and groups as audited, stored in a run beside the predictions.

With ``samples.parquet`` a run can be audited again, and its report rebuilt, without the dataset and its images. It holds
labels, the attributes grouped by, and votes and action units where there are any, per sample: rows about people. A run folder
is shared with the same care as the dataset. ``report.html``, ``audit.json`` and the tables hold counts only.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from fairfer.audits.plan import AuditPlan
from fairfer.datasets.action_unit_tables import ActionUnitTable
from fairfer.datasets.attributes import Attribute
from fairfer.datasets.dataset import DUPLICATE_GROUP, Dataset, Step, UnselectedFaces
from fairfer.errors import RunError
from fairfer.files import check_finished, write_into_place
from fairfer.labels import LabelSpace

if TYPE_CHECKING:
    import pandas as pd

    from fairfer.audits.plan import Design

SAMPLES = "samples.parquet"
UNSELECTED = "unselected.parquet"
"""Votes and groups of rated faces without a label, where the data have votes."""

FORMAT = 4
"""Version of the file."""

_VOTES = "votes:"
_TRUTH = "truth:"
_UNIT = "action_unit:"


@dataclass(frozen=True)
class Invocation:
    """Command and configuration that reproduce an audit.

    Attributes
    ----------
    command
        Command line.
    config
        The same as the ``[audit]`` table of a configuration file.
    """

    command: str = ""
    config: str = ""


@dataclass(frozen=True)
class StoredSamples:
    """Contents of ``samples.parquet``."""

    dataset: Dataset
    plan: AuditPlan
    date: str
    invocation: Invocation


def store_samples(run: Path, design: Design, date: str, invocation: Invocation) -> None:
    """Write ``samples.parquet``.

    Parameters
    ----------
    run
        Folder of the run.
    design
        Dataset and plan. Kept are labels, votes, action units, attributes that were grouped by or standardized over with
        their probabilities, and the column of subjects.
    date, invocation
        Date and invocation of the audit.
    """
    dataset, plan = design.dataset, design.plan
    names = list(dict.fromkeys([*design.attributes, *plan.standardize]))
    attributes = [dataset.attribute(n) for n in names]
    metadata = {
        "format": FORMAT,
        "name": dataset.name,
        "task": dataset.task,
        "labels": dataclasses.asdict(dataset.labels),
        "attributes": [dataclasses.asdict(a) for a in attributes],
        "steps": [dataclasses.asdict(s) for s in dataset.steps],
        "card": dict(dataset.card),
        "identity": {
            "digest": dataset.digest,
            "images_digest": dataset.images_digest,
            "test_set_digest": dataset.test_set_digest,
        },
        "plan": plan.model_dump(mode="json"),
        "date": date,
        "invocation": dataclasses.asdict(invocation),
        "votes": [] if dataset.votes is None else [str(c) for c in dataset.votes.columns],
    }
    truth = ["label"] if dataset.task == "single-label" else [_TRUTH + n for n in dataset.labels.labels]
    probabilities = [c for a in attributes for c in a.probabilities.values()]
    duplicates = [DUPLICATE_GROUP] if DUPLICATE_GROUP in dataset.samples else []
    subject = [plan.subject] if plan.subject else []
    rows = dataset.samples[list(dict.fromkeys([*truth, *names, *probabilities, *duplicates, *subject]))]
    if dataset.votes is not None:
        rows = rows.join(dataset.votes.add_prefix(_VOTES))
    units = dataset.action_units
    if units is not None:
        metadata["action_units"] = {"source": units.source, "kind": units.kind, "notes": units.notes}
        rows = rows.join(units.units.add_prefix(_UNIT))
    table = pa.Table.from_pandas(rows.reset_index(), preserve_index=False)
    marked = table.replace_schema_metadata({"fairfer": json.dumps(metadata)})
    _store_unselected(run, dataset, [*names, *subject])
    write_into_place(run / SAMPLES, lambda temporary: pq.write_table(marked, temporary, compression="zstd"))


def _store_unselected(run: Path, dataset: Dataset, names: Sequence[str]) -> None:
    faces = dataset.unselected
    if faces is None:
        (run / UNSELECTED).unlink(missing_ok=True)
        return
    rows = faces.samples[[n for n in dict.fromkeys(names) if n in faces.samples]].join(faces.votes.add_prefix(_VOTES))
    table = pa.Table.from_pandas(rows.rename_axis(index="sample_id").reset_index(), preserve_index=False)
    marked = table.replace_schema_metadata({"fairfer": json.dumps({"rule": faces.rule})})
    write_into_place(run / UNSELECTED, lambda temporary: pq.write_table(marked, temporary, compression="zstd"))


def _read_unselected(run: Path) -> UnselectedFaces | None:
    path = run / UNSELECTED
    if not path.is_file():
        return None
    try:
        table = pq.read_table(path, partitioning=None)
        rule = json.loads((table.schema.metadata or {})[b"fairfer"])["rule"]
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        message = f"{path} is damaged ({type(error).__name__}); run fairfer audit again"
        raise RunError(message) from error
    rows = table.replace_schema_metadata().to_pandas().set_index("sample_id")
    votes = rows[[c for c in rows.columns if str(c).startswith(_VOTES)]]
    return UnselectedFaces(rule, votes.rename(columns=lambda c: c.removeprefix(_VOTES)), rows.drop(columns=votes.columns))


def read_samples(run: Path) -> StoredSamples:
    """Read ``samples.parquet``.

    Raises
    ------
    RunError
        When it is missing, damaged, or of another format version.
    """
    path = run / SAMPLES
    check_finished(run)
    try:
        table = pq.read_table(path, partitioning=None)
        metadata = json.loads((table.schema.metadata or {})[b"fairfer"])
    except FileNotFoundError as error:
        if not run.is_dir():
            message = f"{run} is not a folder; give a folder that fairfer audit wrote"
            raise RunError(message) from error
        message = f"{run} holds no {SAMPLES}: it was predicted but not audited; run fairfer audit with the same --out"
        raise RunError(message) from error
    except (OSError, pa.ArrowException, KeyError, ValueError, RecursionError) as error:
        message = f"{path} is damaged ({type(error).__name__}); run fairfer audit again"
        raise RunError(message) from error
    if metadata.get("format") != FORMAT:
        message = (
            f"{path} has format {metadata.get('format')!r}, this version of fairfer reads {FORMAT}; run fairfer audit again"
        )
        raise RunError(message)
    labels = metadata["labels"]
    rows = table.replace_schema_metadata().to_pandas().set_index("sample_id")
    truth = [c for c in rows.columns if str(c).startswith(_TRUTH)] if metadata["task"] == "multi-label" else []
    rows = rows.astype(dict.fromkeys(truth, "Int8"))
    votes = rows[[_VOTES + c for c in metadata["votes"]]]
    units = _units(rows, metadata.get("action_units"))
    of_units = [] if units is None else [_UNIT + str(c) for c in units.units.columns]
    dataset = Dataset(
        name=metadata["name"],
        task=metadata["task"],
        labels=LabelSpace(labels["name"], tuple(labels["labels"]), tuple(labels["spellings"])),
        samples=rows.drop(columns=[*votes.columns, *of_units]),
        votes=votes.rename(columns=lambda c: c.removeprefix(_VOTES)) if metadata["votes"] else None,
        attributes=tuple(
            Attribute(**{**a, "levels": tuple(a["levels"]), "not_missing": tuple(a["not_missing"])})
            for a in metadata["attributes"]
        ),
        steps=tuple(Step(**s) for s in metadata["steps"]),
        card=metadata["card"],
        identity=metadata["identity"],
        unselected=_read_unselected(run) if metadata["votes"] else None,
        action_units=units,
    )
    return StoredSamples(dataset, AuditPlan.of(metadata["plan"]), metadata["date"], Invocation(**metadata["invocation"]))


def _units(rows: pd.DataFrame, provenance: Mapping[str, Any] | None) -> ActionUnitTable | None:
    """The action units; ``None`` in a run without them."""
    if provenance is None:
        return None
    columns = [c for c in map(str, rows.columns) if c.startswith(_UNIT)]
    units = rows[columns].rename(columns=lambda c: c.removeprefix(_UNIT)).astype("Int8")
    return ActionUnitTable(units, provenance["source"], provenance["kind"], tuple(provenance["notes"]))
