"""Explain the answers of a run: relevance maps, their regions, and the differences between groups."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from fairfer.audits.explained_pairs import explained_pairs
from fairfer.audits.stored_run import StoredRun
from fairfer.datasets.images import UnreadableImageError
from fairfer.errors import DataError, ModelError, RunError, UsageError
from fairfer.explanations.alignment import align
from fairfer.explanations.explanation_results import EXPLANATIONS, GRID, Agreement, Explanations, MethodResult
from fairfer.explanations.face_shape import face_shape
from fairfer.explanations.mean_maps import AlignedMaps, MapSettings
from fairfer.explanations.method_checks import check_methods
from fairfer.explanations.methods import make_method
from fairfer.explanations.own_units import own_units
from fairfer.explanations.region_comparison import compare_regions
from fairfer.explanations.region_table import region_relevance
from fairfer.explanations.regions import own_region, region_masks
from fairfer.explanations.relevance import measures
from fairfer.explanations.results import RegionComparison, RegionDifference, RegionRelevance
from fairfer.explanations.stored_maps import MapPart, make_maps
from fairfer.models.differentiable import HasGradients
from fairfer.vocabulary import EVERYONE

Row = TypeVar("Row", RegionRelevance, RegionComparison, RegionDifference)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from fairfer.audits.join import JoinedSamples
    from fairfer.datasets.dataset import Dataset
    from fairfer.datasets.landmarks import Landmarks
    from fairfer.explanations.attribution import Method
    from fairfer.models.model import Model

DEFAULT_METHODS = ("lrp", "grad-cam")
"""For a model that offers its network: the method of paper 001, and one that passes the randomization check."""

BLACK_BOX_METHODS = ("occlusion",)
"""For a model that only answers."""

_TRIED = 32
"""Answers that are asked for again before a run is explained."""

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
    """

    methods: Sequence[str] = ()
    options: Mapping[str, Mapping[str, str]] | None = None
    landmarks: Landmarks | None = None
    permutations: int = 2_000
    checked_faces: int = 64


def explain_run(
    run: Path,
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
    settings = settings or ExplainSettings()
    settings = dataclasses.replace(settings, landmarks=_usable_landmarks(settings.landmarks))
    stored = StoredRun.read(run)
    if dataset.images_digest != stored.audit.data.images_digest:
        message = f"{run} was made from other images than {dataset.name} holds; give the dataset of the run"
        raise RunError(message)
    names = list(settings.methods) or list(DEFAULT_METHODS if isinstance(model, HasGradients) else BLACK_BOX_METHODS)
    options = settings.options or {}
    for name in options:
        if name not in names:
            message = f"there are options for the method {name}, which is not used; add it to the methods: {', '.join(names)}"
            raise UsageError(message)
    made = [make_method(name, model, **options.get(name, {})) for name in names]
    check_same_answers(stored, dataset, model)
    samples = stored.samples
    pairs = explained_pairs(samples, model.labels.labels)
    if pairs.empty:
        message = f"{run} has no answer that can be explained; audit a run with predictions"
        raise RunError(message)
    explained = [_explain(stored, dataset, method, pairs, settings, progress) for method in made]
    agreement: list[Agreement] = []
    if settings.checked_faces:
        faces = _some_faces(dataset, pairs, model, settings.checked_faces, stored.audit.plan.seed)
        checks, agreement = check_methods(made, *faces, stored.audit.plan.seed)
        explained = [row.model_copy(update={"checks": checks[row.name]}) for row in explained]
    result = Explanations(
        predictions_digest=stored.audit.model.predictions_digest,
        data_digest=stored.audit.data.digest,
        model=model.name,
        model_version=model.version,
        pairs=len(pairs),
        faces=int(pairs["sample_id"].nunique()),
        unanswered=int((samples.table["status"] != "ok").sum()),
        landmarks="" if settings.landmarks is None else settings.landmarks.source,
        on_landmarks=int(pairs["sample_id"].drop_duplicates().isin(_points(settings)).sum()),
        minimum=stored.audit.plan.minimum,
        permutations=settings.permutations,
        seed=stored.audit.plan.seed,
        methods=explained,
        agreement=agreement,
    )
    result.write(run / EXPLANATIONS)
    return result


def check_same_answers(stored: StoredRun, dataset: Dataset, model: Model) -> None:
    """Ask the model about a few faces of a run again.

    Raises
    ------
    ModelError
        When it is another model: it has other labels, or scores that differ.
    """
    frame = stored.predictions.frame
    answered = frame.index[frame["status"] == "ok"]
    columns = [f"score:{label}" for label in model.labels.labels]
    if list(model.labels.labels) != list(stored.predictions.labels.labels):
        message = f"{model.name} has other labels than the model of {stored.folder}; give the model of the run"
        raise ModelError(message)
    ids = [str(i) for i in answered[:: max(1, len(answered) // _TRIED)][:_TRIED]]
    before = frame.loc[ids, columns].to_numpy(float)
    answers = model.predict([dataset.image(i) for i in ids])
    now = np.array([np.full(len(columns), np.nan) if a.scores is None else np.asarray(a.scores, float) for a in answers])
    difference = np.abs(before - now).max(initial=0)
    if not difference <= _TOLERANCE:
        message = (
            f"{model.name} answers differently from the run in {stored.folder} (scores differ by up to {difference:.2g}); "
            "give the model and the options of the run, or audit again"
        )
        raise ModelError(message)


def _usable_landmarks(landmarks: Landmarks | None) -> Landmarks | None:
    """Landmarks without those that are not a face, such as points that coincide: these faces get the template's regions."""
    if landmarks is None:
        return None
    points = {}
    for name, of_face in landmarks.points.items():
        with contextlib.suppress(DataError):
            face_shape(of_face, landmarks.scheme)
            points[name] = of_face
    return dataclasses.replace(landmarks, points=points)


def _points(settings: ExplainSettings) -> Mapping[str, Any]:
    return {} if settings.landmarks is None else settings.landmarks.points


def _explain(
    stored: StoredRun,
    dataset: Dataset,
    method: Method,
    pairs: pd.DataFrame,
    settings: ExplainSettings,
    progress: Callable[[str, Iterable[int]], Iterable[int]] | None,
) -> MethodResult:
    samples, plan = stored.samples, stored.audit.plan
    labels = method.model.labels.labels
    targets = [labels.index(name) for name in pairs["label"]]
    identity = json.dumps([method.model.name, method.model.version, dict(sorted(getattr(method.model, "options", {}).items()))])
    wrap = iter if progress is None else lambda parts: progress(method.name, parts)
    parts = make_maps(dataset, method, pairs, targets, stored.folder / "explanations" / method.name, identity, wrap)
    map_settings = _map_settings(samples, settings.permutations)
    aligned = AlignedMaps(pairs, map_settings)
    tables, conserved, first, maps = [], [], 0, 0
    for part in parts:
        rows = pairs.iloc[first : first + len(part.readable)]
        tables.append(_measured(part, rows, settings))
        positions = aligned.wanted(first, len(rows))
        aligned.add(first, positions, _aligned(part, rows, positions, settings))
        conserved.append(part.conserved)
        first += len(rows)
        maps += int(np.isfinite(part.outputs).sum())
    table = pd.concat([pairs.reset_index(drop=True), pd.concat(tables, ignore_index=True)], axis=1)
    shares = np.concatenate(conserved)
    groupings = [tuple(samples.columns[name] for name in grouping) for grouping in map_settings.groups]
    metrics = plan.metrics
    tested = dataclasses.replace(metrics, permutations=settings.permutations)
    table = table if plan.subject else table.drop(columns="subject")
    audited = [n for n in samples.design.labels.labels if n in set(pairs["label"])]
    return MethodResult(
        name=method.name,
        options=dict(method.options),
        trusted=method.trusted,
        warning=method.warning,
        explained=maps,
        unreadable=int(table["unreadable"].sum()),
        conserved=float(np.nanmean(shares)) if np.isfinite(shares).any() else None,
        regions=[_renamed(row, samples) for row in region_relevance(table, groupings, metrics)],
        comparisons=[_renamed(row, samples) for row in compare_regions(table, groupings[1:], tested)],
        mean_maps=aligned.mean_maps(audited),
        map_differences=aligned.differences(audited),
        checks=None,
    )


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
        groups={EVERYONE: [()], **{g: list(members) for g, members in groups.items() if g}},
        columns=samples.columns,
        minimum=plan.minimum,
        minimum_subjects=plan.minimum_subjects,
        permutations=permutations,
        seed=plan.seed,
        by_subject=bool(plan.subject),
    )


def _measured(part: MapPart, rows: pd.DataFrame, settings: ExplainSettings) -> pd.DataFrame:
    """Measures of the maps of a part; not a number for maps that are not defined."""
    points, scheme = _points(settings), None if settings.landmarks is None else settings.landmarks.scheme
    shape = part.maps.shape[1:]
    usable = np.flatnonzero(np.isfinite(part.maps).all(axis=(1, 2)))
    masks, own = [], []
    for i in usable:
        of_face = points.get(str(rows["sample_id"].iloc[i]))
        frame = tuple(part.frames[i])
        masks.append(region_masks(of_face, scheme, frame, shape).masks)
        own.append(own_region(own_units(str(rows["label"].iloc[i])), of_face, scheme, frame, shape))
    if not len(usable):
        return pd.DataFrame({"unreadable": ~part.readable})
    table = measures(part.maps[usable], np.stack(masks), np.stack(own))
    return table.set_axis(usable).reindex(range(len(rows))).assign(unreadable=~part.readable)


def _aligned(part: MapPart, rows: pd.DataFrame, positions: np.ndarray, settings: ExplainSettings) -> np.ndarray:
    points, scheme = _points(settings), None if settings.landmarks is None else settings.landmarks.scheme
    maps = np.full((len(positions), GRID, GRID), np.nan, np.float32)
    for k, i in enumerate(positions):
        if np.isfinite(part.maps[i]).all():
            of_face = points.get(str(rows["sample_id"].iloc[i]))
            maps[k] = align(part.maps[i], of_face, scheme, tuple(part.frames[i]), size=GRID)
    return maps


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
