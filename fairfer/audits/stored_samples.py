"""Truth and groups as they were audited, kept in a run beside the predictions.

With ``samples.parquet`` a run can be audited again and its report rebuilt where neither the data set nor its pictures are. It
holds the label, the attributes that were grouped by, and votes where there are any, per sample: rows about people, so a run
folder is shared with the same care as the data set. ``report.html``, ``audit.json`` and the tables hold only counts.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fairfer.datasets.attributes import Attribute
from fairfer.datasets.dataset import DUPLICATE_GROUP, Dataset, Step
from fairfer.errors import RunError
from fairfer.files import write_into_place
from fairfer.labels import LabelSpace

SAMPLES = "samples.parquet"
_VOTES = "votes:"
FORMAT = 2
"""Version of the file. 2: votes, probabilities and the column of people, where an audit used them. 1: the first."""


@dataclass(frozen=True)
class Reopened:
    """How a stored run was audited: its plan as JSON, the day, and the command."""

    plan: dict[str, Any]
    date: str
    command: str


def store_samples(run: Path, dataset: Dataset, attributes: Sequence[str], others: Sequence[str], how: Reopened) -> None:
    """Write ``samples.parquet``.

    Parameters
    ----------
    run
        Folder of the run.
    dataset
        Its label and `attributes` are kept, with everything a report says about the data set.
    attributes
        Names of those that were grouped by or adjusted for; their probabilities are kept too.
    others
        Other columns that the audit used.
    how
        The plan of the audit.
    """
    about = {
        "format": FORMAT,
        "name": dataset.name,
        "labels": dataclasses.asdict(dataset.labels),
        "attributes": [dataclasses.asdict(dataset.attribute(n)) for n in attributes],
        "steps": [dataclasses.asdict(s) for s in dataset.steps],
        "card": dict(dataset.card),
        "identity": {"digest": dataset.digest, "images_digest": dataset.images_digest},
        "how": dataclasses.asdict(how),
        "votes": [] if dataset.votes is None else [str(c) for c in dataset.votes.columns],
    }
    kept = [dataset.attribute(n) for n in attributes]
    probabilities = [c for a in kept for c in a.probabilities.values()]
    twins = [DUPLICATE_GROUP] if DUPLICATE_GROUP in dataset.samples else []
    rows = dataset.samples[list(dict.fromkeys(["label", *attributes, *probabilities, *twins, *others]))]
    if dataset.votes is not None:
        rows = rows.join(dataset.votes.add_prefix(_VOTES))
    table = pa.Table.from_pandas(rows.reset_index(), preserve_index=False)
    marked = table.replace_schema_metadata({"fairfer": json.dumps(about)})
    write_into_place(run / SAMPLES, lambda temporary: pq.write_table(marked, temporary, compression="zstd"))


def read_samples(run: Path) -> tuple[Dataset, Reopened]:
    """Read ``samples.parquet`` back.

    Raises
    ------
    RunError
        When it is missing, damaged, or of another format version.
    """
    path = run / SAMPLES
    try:
        table = pq.read_table(path, partitioning=None)
        about = json.loads((table.schema.metadata or {})[b"fairfer"])
    except FileNotFoundError as error:
        message = f"{run} holds no {SAMPLES}, so it was predicted but not audited; run fairfer audit with the same --out"
        raise RunError(message) from error
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        message = f"{path} is damaged ({type(error).__name__}); run fairfer audit again"
        raise RunError(message) from error
    if about.get("format") != FORMAT:
        message = f"{path} has format {about.get('format')!r}, this fairfer reads {FORMAT}; run fairfer audit again"
        raise RunError(message)
    labels = about["labels"]
    rows = table.replace_schema_metadata().to_pandas().set_index("sample_id")
    votes = rows[[_VOTES + c for c in about["votes"]]]
    dataset = Dataset(
        name=about["name"],
        labels=LabelSpace(labels["name"], tuple(labels["labels"]), tuple(labels["spellings"])),
        samples=rows.drop(columns=votes.columns),
        votes=votes.rename(columns=lambda c: c.removeprefix(_VOTES)) if about["votes"] else None,
        attributes=tuple(Attribute(**{**a, "levels": tuple(a["levels"])}) for a in about["attributes"]),
        steps=tuple(Step(**s) for s in about["steps"]),
        card=about["card"],
        identity=about["identity"],
    )
    return dataset, Reopened(**about["how"])
