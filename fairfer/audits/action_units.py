"""Action units beside an audit of emotions: whether they can be used, and the results on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairfer.errors import UsageError, did_you_mean
from fairfer.metrics.action_unit_counts import UNKNOWN, UnitFaces
from fairfer.metrics.action_unit_gaps import conditioned_gaps
from fairfer.metrics.action_unit_results import ActionUnitInfo, ActionUnitShare, ConditionedGap, PatternGap
from fairfer.metrics.action_units import compute_unit_shares
from fairfer.vocabulary import EVERYONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.audits.join import JoinedSamples
    from fairfer.audits.plan import AuditPlan
    from fairfer.datasets.action_unit_tables import ActionUnitTable
    from fairfer.datasets.dataset import Dataset
    from fairfer.labels import Reconciliation
    from fairfer.vocabulary import Grouping, Task


def check_action_units(plan: AuditPlan, dataset: Dataset, labels: Reconciliation, task: Task) -> None:
    """Refuse a plan with which action units could have no result, before any model runs.

    Raises
    ------
    UsageError
        When the audit is multi-label, or the plan names a label or a unit that does not exist.
    """
    table = dataset.action_units
    if table is None:
        if plan.condition_on:
            message = "--condition-on needs action units of the faces; add a table of them with --action-units"
            raise UsageError(message)
        return
    if task == "multi-label":
        message = (
            "--action-units: this audit is multi-label; action units are compared with one label per face, so leave them out"
        )
        raise UsageError(message)
    available = [str(c) for c in table.units.columns]
    for label, units in plan.condition_on.items():
        if label not in labels.labels:
            message = f"--condition-on {label}: not among the audited labels; {did_you_mean(label, labels.labels)}"
            raise UsageError(message)
        for unit in units:
            if unit not in available:
                message = f"--condition-on {label}: {table.source} has no {unit}; {did_you_mean(unit, available)}"
                raise UsageError(message)


def action_unit_results(
    samples: JoinedSamples, groups: Mapping[Grouping, NDArray[np.int64]]
) -> dict[str, ActionUnitInfo | list[ActionUnitShare] | list[ConditionedGap] | list[PatternGap]]:
    """Fields of `fairfer.audits.result.Audit`; empty without action units.

    Parameters
    ----------
    samples
        Samples of the audit.
    groups
        (samples,) by grouping: number of the group of each sample.
    """
    table = samples.design.dataset.action_units
    if table is None:
        return {}
    faces = _faces(samples, groups, table)
    settings = samples.design.plan.metrics
    gaps, patterns = conditioned_gaps(faces, samples.design.labels.labels, samples.design.plan.condition_on, settings)
    known = (faces.present != UNKNOWN).sum(axis=0)
    return {
        "action_units": ActionUnitInfo(
            source=table.source,
            kind=table.kind,
            notes=list(table.notes),
            known={unit: int(n) for unit, n in zip(faces.units, known, strict=True)},
        ),
        "action_unit_shares": compute_unit_shares(faces, settings),
        "conditioned_gaps": gaps,
        "pattern_gaps": patterns,
    }


def _faces(samples: JoinedSamples, groups: Mapping[Grouping, NDArray[np.int64]], table: ActionUnitTable) -> UnitFaces:
    rows, design = samples.table, samples.design
    predicted = rows["predicted"].where(rows["status"] == "ok")
    others = sorted(set(predicted.dropna()) - set(design.labels.labels))
    labels = (*design.labels.labels, *others)
    numbered = pd.Index(labels)
    units = table.units.reindex(rows.index).fillna(UNKNOWN).astype("int8")
    return UnitFaces(
        labels,
        numbered.get_indexer(rows["truth"]).astype(np.int64),
        numbered.get_indexer(predicted).astype(np.int64),
        {EVERYONE: [EVERYONE], **{g: design.groups[g] for g in groups}},
        {EVERYONE: np.zeros(len(rows), np.int64), **groups},
        tuple(map(str, units.columns)),
        units.to_numpy(),
        samples.subjects if design.plan.subject else None,
    )
