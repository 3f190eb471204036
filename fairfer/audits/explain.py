"""Explain the answers of a run: relevance maps, their regions, and the differences between groups."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd

from fairfer.audits.explained_pairs import explained_pairs
from fairfer.audits.probe_identity import plan_digest
from fairfer.audits.stored_run import StoredRun
from fairfer.datasets.images import UnreadableImageError
from fairfer.errors import ModelError, RunError, UsageError
from fairfer.explanations.explanation_results import EXPLANATIONS, Agreement, Example, Explanations, MethodResult
from fairfer.explanations.mean_maps import AlignedMaps, MapSettings
from fairfer.explanations.measured_maps import Faces
from fairfer.explanations.method_checks import check_methods
from fairfer.explanations.methods import make_method
from fairfer.explanations.region_comparison import compare_regions
from fairfer.explanations.region_table import region_relevance
from fairfer.explanations.results import RegionComparison, RegionDifference, RegionRelevance
from fairfer.explanations.stored_maps import MapPart, make_maps
from fairfer.models.differentiable import HasGradients
from fairfer.predictions.inference import predict
from fairfer.vocabulary import Group, Grouping, is_annotated

Row = TypeVar("Row", RegionRelevance, RegionComparison, RegionDifference)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from fairfer.audits.join import JoinedSamples
    from fairfer.datasets.dataset import Dataset
    from fairfer.datasets.landmarks import Landmarks
    from fairfer.explanations.attribution import Method
    from fairfer.models.model import Model

DEFAULT_METHODS = ("lrp", "integrated-gradients")
"""For a model that offers its network: the usual method of the field, and one on which findings may rest, both with a value for
each pixel. Grad-CAM is faster, but has the resolution of one layer: 3 x 3 cells in DeepFace's network."""

BLACK_BOX_METHODS = ("occlusion",)
"""For a model that only answers."""

LEAST_FACES = 20
"""Faces behind a mean map, also where the plan compares smaller groups: a mean of few maps shows single people."""

LEAST_PERMUTATIONS = 100
"""With fewer, no difference could be significant."""

_TRIED = 32
"""Answers that are asked for again before a run is explained."""

_PAIR = 2
_TOLERANCE = 0.01
"""Largest difference of a score between two back ends of the same network."""


@dataclass(frozen=True)
class ExplainSettings:
    """How a run is explained.

    Attributes
    ----------
    methods
        Names of methods; `DEFAULT_METHODS` or `BLACK_BOX_METHODS` when empty.
    options
        Options of each method, by its name.
    landmarks
        Landmarks of the faces; without them, regions are those of a template for tightly cropped faces.
    permutations
        Of the comparisons of groups.
    checked_faces
        Faces with which each method is checked; 0 for no check.
    shown_faces
        Single faces that the result shows with their maps, for each label and group of an attribute: those with the highest
        output. None by default: the result then has means of many faces only.
    """

    methods: Sequence[str] = ()
    options: Mapping[str, Mapping[str, str]] | None = None
    landmarks: Landmarks | None = None
    permutations: int = 2_000
    checked_faces: int = 64
    shown_faces: int = 0

    def __post_init__(self) -> None:
        for option, value, least in (
            ("--map-permutations", self.permutations, LEAST_PERMUTATIONS),
            ("--checked-faces", self.checked_faces, 0),
            ("--faces", self.shown_faces, 0),
        ):
            if value < least:
                message = f"{option} {value}: give at least {least}"
                raise UsageError(message)


def explain(
    run: str | os.PathLike[str],
    dataset: Dataset,
    model: Model,
    settings: ExplainSettings | None = None,
    progress: Callable[[str, Iterable[int]], Iterable[int]] | None = None,
) -> Explanations:
    """Explain the answers of an audited run, and store the maps and ``explanations.json`` in its folder.

    Parameters
    ----------
    run
        Folder of an audited run.
    dataset
        Its images.
    model
        Its model.
    settings
        Methods and landmarks; defaults when not given.
    progress
        Wraps the parts of a method, which is named.

    Returns
    -------
    Explanations
        Also written to the folder.

    Raises
    ------
    RunError
        When the run is not finished, or of other images.
    ModelError
        When the model answers differently from the run, or does not offer what a method needs.
    UsageError
        When there is no such method or option.
    """
    settings, run = settings or ExplainSettings(), Path(run)
    stored = StoredRun.read(run)
    if dataset.images_digest != stored.audit.data.images_digest:
        message = f"the images of {dataset.name} are not those of the run {run}; give the dataset of the run"
        raise RunError(message)
    faces = Faces.of(settings.landmarks, dataset)
    names = list(settings.methods) or list(default_methods(model)[0])
    options = settings.options or {}
    for name in options:
        if name not in names:
            message = f"options are set for the method {name}, which is not among {', '.join(names)}; add it to the methods"
            raise UsageError(message)
    made = [make_method(name, model, **options.get(name, {})) for name in names]
    check_same_answers(stored, dataset, model)
    samples = stored.samples
    pairs = explained_pairs(samples, model.labels.labels)
    if pairs.empty:
        message = f"{run} has no answer that can be explained; audit a run with predictions"
        raise RunError(message)
    explained = [_explain(stored, dataset, method, pairs, faces, settings, progress) for method in made]
    agreement: list[Agreement] = []
    if settings.checked_faces:
        some = _some_faces(dataset, pairs, model, settings.checked_faces, stored.audit.plan.seed)
        checks, agreement = check_methods(made, *some, stored.audit.plan.seed)
        explained = [row.model_copy(update={"checks": checks[row.name]}) for row in explained]
    result = Explanations(
        predictions_digest=stored.audit.model.predictions_digest,
        data_digest=stored.audit.data.digest,
        plan_digest=plan_digest(stored.audit.plan),
        model=model.name,
        model_version=model.version,
        pairs=len(pairs),
        faces=int(pairs["sample_id"].nunique()),
        unanswered=int((samples.table["status"] != "ok").sum()),
        landmarks=faces.source,
        on_landmarks=int(pairs["sample_id"].drop_duplicates().isin(faces.points).sum()),
        minimum=stored.audit.plan.minimum,
        permutations=settings.permutations,
        seed=stored.audit.plan.seed,
        methods=explained,
        agreement=agreement,
    )
    result.write(run / EXPLANATIONS)
    return result


def default_methods(model: Model) -> tuple[tuple[str, ...], str]:
    """The methods that are used when none is named, and why they are not those that need a network; empty if they are."""
    if not isinstance(model, HasGradients):
        return BLACK_BOX_METHODS, f"model {model.name} offers no network"
    try:
        model.differentiable()
    except ModelError as error:
        return BLACK_BOX_METHODS, str(error)
    return DEFAULT_METHODS, ""


def check_same_answers(stored: StoredRun, dataset: Dataset, model: Model) -> None:
    """Ask the model about a few faces of a run again.

    Raises
    ------
    ModelError
        When it is another model: it has other labels, or scores that differ.
    """
    if list(model.labels.labels) != list(stored.predictions.labels.labels):
        message = f"the labels of {model.name} are not those of the model of {stored.folder}; give the model of the run"
        raise ModelError(message)
    frame = stored.predictions.frame
    answered = frame.index[frame["status"] == "ok"]
    some = answered[:: max(1, len(answered) // _TRIED)][:_TRIED]
    now = predict(dataset.replace(samples=dataset.samples.loc[some], votes=None, action_units=None), model).frame
    columns = [f"score:{label}" for label in model.labels.labels]
    difference = np.abs(frame.loc[some, columns].to_numpy(float) - now[columns].to_numpy(float)).max(initial=0)
    if not difference <= _TOLERANCE:
        message = (
            f"the scores of {model.name} differ by up to {difference:.2g} from those of the run in {stored.folder}; "
            "give the model and the options of the run, or run fairfer audit again"
        )
        raise ModelError(message)


def _explain(
    stored: StoredRun,
    dataset: Dataset,
    method: Method,
    pairs: pd.DataFrame,
    faces: Faces,
    settings: ExplainSettings,
    progress: Callable[[str, Iterable[int]], Iterable[int]] | None,
) -> MethodResult:
    samples, plan = stored.samples, stored.audit.plan
    labels = method.model.labels.labels
    targets = [labels.index(name) for name in pairs["label"]]
    identity = json.dumps([method.model.name, method.model.version, dict(sorted(getattr(method.model, "options", {}).items()))])
    wrap = iter if progress is None else lambda parts: progress(method.name, parts)
    folder = stored.folder / "explanations" / method.name
    parts = make_maps(dataset, method, pairs, targets, folder, identity, wrap)
    again = functools.partial(make_maps, dataset, method, pairs, targets, folder, identity)
    map_settings = _map_settings(samples, settings.permutations)
    aligned = AlignedMaps(pairs, map_settings)
    tables, conserved, outputs, first = [], [], [], 0
    for part in parts:
        rows = pairs.iloc[first : first + len(part.readable)]
        tables.append(faces.measure(part, rows))
        positions = aligned.wanted(first, len(rows))
        aligned.add(first, positions, faces.align(part, rows, positions))
        conserved.append(part.conserved)
        outputs.append(part.outputs)
        first += len(rows)
    table = pd.concat([pairs.reset_index(drop=True), pd.concat(tables, ignore_index=True)], axis=1)
    shares, output = np.concatenate(conserved), np.concatenate(outputs)
    groupings = [tuple(samples.columns[name] for name in grouping) for grouping in samples.design.groups]
    metrics = plan.metrics
    tested = dataclasses.replace(metrics, permutations=settings.permutations)
    table = table if plan.subject else table.drop(columns="subject")
    audited = [n for n in samples.design.labels.labels if n in set(pairs["label"])]
    return MethodResult(
        name=method.name,
        options=dict(method.options),
        trusted=method.trusted,
        warning=method.warning,
        explained=int(np.isfinite(output).sum()),
        unreadable=int(table["unreadable"].sum()),
        conserved=float(np.nanmean(shares)) if np.isfinite(shares).any() else None,
        regions=[_renamed(row, samples) for row in region_relevance(table, groupings, metrics)],
        comparisons=[_renamed(row, samples) for row in compare_regions(table, groupings, tested)],
        mean_maps=aligned.mean_maps(audited),
        map_differences=aligned.differences(audited),
        examples=_examples(dataset, again, pairs.assign(output=output), map_settings, faces, settings.shown_faces),
        checks=None,
    )


def _examples(
    dataset: Dataset,
    again: Callable[[], Iterable[MapPart]],
    pairs: pd.DataFrame,
    map_settings: MapSettings,
    faces: Faces,
    number: int,
) -> list[Example]:
    """The recognized faces of each label and group with the highest outputs, and their maps, which are stored by now."""
    if not number:
        return []
    recognized = pairs[(pairs["outcome"] == "TP") & pairs["output"].notna()].sort_values(
        "output", ascending=False, kind="stable"
    )
    chosen: dict[int, list[tuple[str, Grouping, Group]]] = {}
    for grouping, groups in map_settings.groups.items():
        for group in groups if len(grouping) == 1 else ():
            of_group = recognized[recognized[map_settings.columns[grouping[0]]] == group[0]]
            for label, rows in of_group.groupby("label", sort=False):
                for position in rows.index[:number]:
                    chosen.setdefault(int(position), []).append((str(label), grouping, group))
    examples, first = [], 0
    for part in again():
        here = np.array([p - first for p in chosen if first <= p < first + len(part.readable)], np.int64)
        rows = pairs.iloc[first : first + len(part.readable)]
        for i, values in zip(here, faces.align(part, rows, here), strict=True):
            sample_id = str(rows["sample_id"].iloc[i])
            levels = faces.align_image(sample_id, dataset.image(sample_id))
            examples += [
                Example.of(label, grouping, group, levels, values) for label, grouping, group in chosen[first + int(i)]
            ]
        first += len(part.readable)
    return examples


def _renamed(row: Row, samples: JoinedSamples) -> Row:
    """A row of a table whose columns of attributes have names of their own, with the names of the attributes."""
    names = {column: name for name, column in samples.columns.items()}
    changes: dict[str, object] = {"attribute": tuple(names[c] for c in row.attribute)}
    if isinstance(row, RegionComparison):
        changes["differences"] = [_renamed(d, samples) for d in row.differences]
    return row.model_copy(update=changes)


def _map_settings(samples: JoinedSamples, permutations: int) -> MapSettings:
    plan, groups = samples.design.plan, samples.design.groups
    return MapSettings(
        groups={g: [m for m in members if is_annotated(m)] for g, members in groups.items() if len(g) < _PAIR},
        columns=samples.columns,
        minimum=max(plan.minimum, LEAST_FACES),
        minimum_subjects=plan.minimum_subjects,
        permutations=permutations,
        seed=plan.seed,
        by_subject=bool(plan.subject),
    )


def _some_faces(
    dataset: Dataset, pairs: pd.DataFrame, model: Model, faces: int, seed: int
) -> tuple[list[np.ndarray], list[int]]:
    """Images and targets of a random choice of recognized faces."""
    recognized = pairs[pairs["outcome"] == "TP"]
    recognized = pairs if recognized.empty else recognized
    number = min(faces, len(recognized))
    chosen = recognized.sample(number, random_state=seed).sort_index()
    images, targets = [], []
    for sample_id, label in zip(chosen["sample_id"], chosen["label"], strict=True):
        try:
            images.append(dataset.image(str(sample_id)))
        except UnreadableImageError:
            continue
        targets.append(model.labels.labels.index(label))
    return images, targets
