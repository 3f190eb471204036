"""Infer attributes of every face: gender, race and age by DeepFace's networks, and the apparent skin tone from colors.

The answers become a table of attributes with provenance.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairfer.annotation.checked import Check, compare_checked
from fairfer.annotation.provenance import Section, to_toml
from fairfer.annotation.tones import ITA, Tones, measure_tones
from fairfer.datasets.attributes import cut_bands
from fairfer.errors import UsageError, did_you_mean
from fairfer.files import write_into_place, write_text
from fairfer.models.adapters.deepface.attributes import AGES, HEADS, AttributeModel, label, load_attributes
from fairfer.predictions.inference import predict
from fairfer.predictions.run_folder import RUN_FILE
from fairfer.vocabulary import SCORE_PREFIX

if TYPE_CHECKING:
    from fairfer.datasets.dataset import Dataset
    from fairfer.models.adapters.deepface.attributes import OnDownload

AGE = "age"
"""The attribute in years."""

DEEPFACE_NAMES = "levels as DeepFace names them"
AGES_MEAN = "age is the mean of its distribution over 0 to 100 years"
"""What the provenance says about the values."""

DECIMALS = 6
"""Of probabilities in the table: more than float32 has would differ between machines."""


@dataclass(frozen=True)
class Annotation:
    """Inferred attributes of a dataset.

    Attributes
    ----------
    frame
        Indexed by sample id: one column per attribute (a level, or years), and one column per level with its probability.
        Missing where nothing could be inferred.
    sections
        Provenance of each attribute.
    statuses
        Number of faces by status of the networks' answer; details are in the stored answers. Empty if none was asked.
    measured
        Number of images by whether the apparent skin tone was measured (``ok``), or the reason why not; empty if it was not
        asked for.
    checks
        Comparison with checked faces, for each attribute that was checked.
    renamed
        New names of attributes whose name the dataset uses already.
    path
        The table on disk; ``None`` if it was not written.
    """

    frame: pd.DataFrame
    sections: tuple[Section, ...]
    statuses: Mapping[str, int] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    path: Path | None = None
    measured: Mapping[str, int] = field(default_factory=dict)

    @property
    def provenance(self) -> str:
        """Provenance of the attributes as TOML."""
        return to_toml(self.sections)


def annotate(
    dataset: Dataset,
    out: str | os.PathLike[str] | None = None,
    *,
    attributes: Sequence[str] = tuple(HEADS),
    bands: Mapping[str, Sequence[float]] | None = None,
    validated: str | os.PathLike[str] | None = None,
    landmarks: str | os.PathLike[str] | None = None,
    backend: str = "",
    detector: str = "skip",
    download: str = "no",
    overwrite: bool = False,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
    on_reuse: Callable[[int, int], object] | None = None,
    on_download: OnDownload | None = None,
) -> Annotation:
    """Infer gender, race, age or apparent skin tone of the faces of a dataset, as a table for ``demographics``.

    The answers are a model's guesses from pixels. They are marked as inferred wherever fairfer uses them.

    Parameters
    ----------
    dataset
        A dataset with images.
    out
        The table, ``NAME.csv``; ``NAME.toml`` beside it has the provenance, and the folder ``NAME.answers`` the answers, which
        are not computed again. In memory only by default.
    attributes
        Of ``gender``, ``race`` and ``age``, which DeepFace's networks infer, and ``ita``: the apparent skin tone of color
        images, by the individual typology angle (see `fairfer.annotation.skin_tone`).
    bands
        ``{"age": [20, 40, 60]}``: the lowest age of each band except the first. Otherwise age is in years.
    validated
        A table of checked faces: image name, and the true value of each attribute that was checked. The confusion matrix of
        the attribute is estimated from it and becomes part of the provenance.
    landmarks
        With ``ita``: a table of landmarks (see `fairfer.datasets.landmarks`), on whose cheeks the skin tone is measured. By
        default boxes are used that fit tightly cropped faces.
    backend, detector, download
        See `fairfer.models.adapters.deepface.attributes.load_attributes`.
    overwrite
        Discard answers of other networks or images, or a table that fairfer did not write.
    progress, on_reuse
        See `fairfer.predict`.
    on_download
        Called with the name of a weights file, the bytes of it that are stored, and those of the whole file or ``None``.

    Raises
    ------
    UsageError
        When the dataset has no images, an option is wrong, or `out` is not to be overwritten.
    ModelError
        When the networks cannot be loaded.
    DataError
        When the table of checked faces does not fit.
    RunError
        When the folder has answers of other networks or images and `overwrite` is false.
    """
    table = None if out is None else _table_path(out, overwrite=overwrite)
    edges = dict(bands or {})
    chosen = _chosen(attributes, edges)
    if dataset.images is None:
        message = f"{dataset.name} has no images from which attributes could be inferred; give a folder of images"
        raise UsageError(message)
    _check_options([n for n in chosen if n != ITA], validated, landmarks, with_tone=ITA in chosen)
    ask = functools.partial(predict, overwrite=overwrite, progress=progress, on_reuse=on_reuse)
    annotation = Annotation(pd.DataFrame(index=dataset.samples.index), ())
    if heads := [n for n in chosen if n != ITA]:
        model = load_attributes(heads, backend=backend, detector=detector, download=download, on_download=on_download)
        answers = ask(dataset, model, None if table is None else answers_folder(table)).frame
        annotation = _annotation(dataset, model, answers, edges, validated)
    if ITA in chosen:
        keep = functools.partial(ask, run=None if table is None else tones_folder(table))
        annotation = _joined(annotation, measure_tones(dataset, dataset.images, landmarks, keep))
    if table is None:
        return annotation
    _write(annotation, table)
    return replace(annotation, path=table)


def _check_options(
    heads: Sequence[str],
    validated: str | os.PathLike[str] | None,
    landmarks: str | os.PathLike[str] | None,
    *,
    with_tone: bool,
) -> None:
    """Refuse options without the attribute that they are for."""
    if validated is not None and not heads:
        message = (
            f"--validated is for attributes that DeepFace infers, not for {ITA} alone; remove it, or add gender, race or age"
        )
        raise UsageError(message)
    if landmarks is not None and not with_tone:
        message = f"--landmarks is for the apparent skin tone; add {ITA} to --attributes, or remove it"
        raise UsageError(message)


def _joined(annotation: Annotation, tones: Tones) -> Annotation:
    """The attributes of the networks and the apparent skin tone in one table."""
    return replace(
        annotation,
        frame=annotation.frame.join(tones.frame),
        sections=(*annotation.sections, *tones.sections),
        renamed={**annotation.renamed, **tones.renamed},
        measured=tones.reasons,
    )


def _chosen(attributes: Sequence[str], bands: Mapping[str, Sequence[float]]) -> list[str]:
    """The attributes in the order of `HEADS` with the apparent skin tone last, each once."""
    known = (*HEADS, ITA)
    unknown = next((name for name in attributes if name not in known), None)
    if unknown is not None or not attributes:
        message = f"--attributes {unknown or ''}: no such attribute is inferred; {did_you_mean(unknown or '', known)}"
        raise UsageError(message)
    for column in bands:
        if column != AGE or AGE not in attributes:
            message = f"--bands {column}: only an inferred {AGE} is cut into bands; remove the option"
            raise UsageError(message)
    return [name for name in known if name in attributes]


def _table_path(out: str | os.PathLike[str], *, overwrite: bool) -> Path:
    path = Path(out).expanduser()
    if path.suffix.casefold() != ".csv":
        message = f"--out {path}: the table is a CSV file; give a name that ends in .csv"
        raise UsageError(message)
    other = next((p for p in (path, path.with_suffix(".toml")) if p.exists()), None)
    own = any((folder / RUN_FILE).exists() for folder in (answers_folder(path), tones_folder(path)))
    if other is not None and not own and not overwrite:
        message = (
            f"{other} exists and was not written by fairfer annotate; choose another --out, or replace it with --overwrite"
        )
        raise UsageError(message)
    return path


def answers_folder(table: Path) -> Path:
    """Where the answers are kept. The name of the table alone may be that of the folder of images."""
    return table.with_suffix(".answers")


def tones_folder(table: Path) -> Path:
    """Where the measured skin tones are kept."""
    return table.with_suffix(".tones")


def _write(annotation: Annotation, table: Path) -> None:
    """The provenance first: a table without it would be read as one of unstated source."""
    table.unlink(missing_ok=True)
    write_text(table.with_suffix(".toml"), annotation.provenance)
    write_into_place(table, lambda path: annotation.frame.to_csv(path, lineterminator="\n"))


def _annotation(
    dataset: Dataset,
    model: AttributeModel,
    answers: pd.DataFrame,
    bands: Mapping[str, Sequence[float]],
    validated: str | os.PathLike[str] | None,
) -> Annotation:
    names = {a: f"inferred_{a}" if a in dataset.samples.columns else a for a in model.attributes}
    inferred = {a: _Inferred.of(a, _scores(answers, a), bands.get(a)) for a in model.attributes}
    checks: tuple[Check, ...] = ()
    if validated is not None:
        values = {a: i.best for a, i in inferred.items()}
        checks = compare_checked(dataset, validated, values, {a: i.levels for a, i in inferred.items()}, bands)
    counts = {str(status): int(n) for status, n in answers["status"].value_counts().items()}
    check_of = {c.attribute: c for c in checks}
    columns: dict[str, pd.Series] = {}
    sections = []
    for attribute, answer in inferred.items():
        column, check = names[attribute], check_of.get(attribute)
        levels = answer.levels if check is None else check.levels
        own = {level: f"{column}_p_{level}" for level in levels}
        columns[column] = answer.best
        columns |= {own[level]: answer.probabilities[level] for level in levels}
        by = f"{_source(model, attribute)}; {AGES_MEAN if attribute == AGE else DEEPFACE_NAMES}"
        excluded = [level for level in answer.levels if level not in levels]
        note = _note(counts, check, excluded)
        sections.append(Section(column, by, note, levels, own, {} if check is None else check.confusion))
    renamed = {a: n for a, n in names.items() if a != n}
    return Annotation(pd.DataFrame(columns), tuple(sections), counts, checks, renamed)


def _source(model: AttributeModel, attribute: str) -> str:
    options = model.options
    return (
        f"DeepFace {model.release} ({attribute} weights sha256 {model.digests[attribute][:16]}), "
        f"detector {options['detector']}, back end {options['backend']}"
    )


def _note(statuses: Mapping[str, int], check: Check | None, excluded: Sequence[str]) -> str:
    """What a reader of the report has to know."""
    sentences = ["Inferred by a model from the image; not stated by the person."]
    without = {status: n for status, n in statuses.items() if status != "ok"}
    if without:
        parts = ", ".join(f"{n:,} {status}" for status, n in sorted(without.items()))
        sentences.append(f"Nothing was inferred for {sum(without.values()):,} of {sum(statuses.values()):,} faces ({parts}).")
    if check is not None:
        total = check.total
        sentences.append(f"{total.faces:,} faces were checked, of which {total.hits:,} were inferred correctly.")
    if excluded:
        sentences.append(f"No face was inferred or checked as: {', '.join(excluded)}.")
    return " ".join(sentences)


def _scores(answers: pd.DataFrame, attribute: str) -> pd.DataFrame:
    """(n, classes) probabilities of one network, columns by class, rescaled to a sum of 1; missing without an answer."""
    levels = HEADS[attribute].levels
    scores = answers[[f"{SCORE_PREFIX}{label(attribute, level)}" for level in levels]].astype("float64")
    scores = scores.set_axis(list(levels), axis=1)
    return scores.div(scores.sum(axis=1, skipna=False), axis=0)


@dataclass(frozen=True)
class _Inferred:
    """One attribute: the best levels, or years; all levels; and the probability of each."""

    best: pd.Series
    levels: tuple[str, ...]
    probabilities: pd.DataFrame

    @classmethod
    def of(cls, attribute: str, scores: pd.DataFrame, edges: Sequence[float] | None) -> _Inferred:
        """From the probabilities of the classes. The age is their mean, as DeepFace computes it."""
        if attribute != AGE:
            known = scores.notna().all(axis=1)
            best = pd.Series(pd.NA, index=scores.index, dtype="str")
            best[known] = scores[known].idxmax(axis=1)
            return cls(best, HEADS[attribute].levels, scores.round(DECIMALS))
        years = (scores * np.arange(len(AGES))).sum(axis=1, skipna=False).round(1)
        if edges is None:
            return cls(years, (), pd.DataFrame(index=scores.index))
        bands, names = cut_bands(years.dropna(), edges, "the inferred age")
        of_class, _ = cut_bands(pd.Series(np.arange(len(AGES)), index=list(AGES)), edges, "the inferred age")
        shares = pd.DataFrame({n: scores[list(of_class.index[of_class == n])].sum(axis=1, skipna=False) for n in names})
        return cls(bands.reindex(scores.index), names, shares.round(DECIMALS))
