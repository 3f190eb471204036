"""CREMA-D: ratings of 7,442 clips by people, audited as if the raters were a model.

The official repository has ``VideoDemographics.csv`` (self-reported attributes of the 91 actors),
``processedResults/summaryTable.csv`` (the answer that most raters gave, by voice, face or both) and
``processedResults/tabulatedVotes.csv`` (number of raters per answer). The truth is the emotion that the actor was asked
to show. Where several answers have the most votes (``A:D``), the raters gave no single answer: the clip has the status
``refused``, counts as not recognized, and shows in the coverage of its group.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from fairfer.datasets.attributes import Attribute, to_levels
from fairfer.datasets.cards import DatasetCard
from fairfer.datasets.dataset import Dataset, RecordedPredictions, Step, digest_lines
from fairfer.datasets.loaders import Loader
from fairfer.datasets.missing_values import mask_missing
from fairfer.datasets.tables import list_some, read_table
from fairfer.errors import DataError, UsageError, did_you_mean
from fairfer.labels import LabelSpace
from fairfer.vocabulary import SCORE_PREFIX

ACTORS = "VideoDemographics.csv"
SUMMARY = "processedResults/summaryTable.csv"
TABULATED = "processedResults/tabulatedVotes.csv"
MODALITIES = {"voice": ("VoiceVote", 1), "face": ("FaceVote", 2), "multimodal": ("MultiModalVote", 3)}
"""For each kind of rating its column in the summary, and the first digit of its rows in the table of votes."""

ANSWERS = {"A": "anger", "D": "disgust", "F": "fear", "H": "happiness", "N": "neutral", "S": "sadness"}
LABELS = LabelSpace.of("CREMA-D", list(ANSWERS.values()))
EMOTIONS = {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness"}
LEVELS = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified"}
SUBJECT = "ActorID"

_CLIP = re.compile(rf"(\d{{4}})_([A-Z]{{3}})_({'|'.join(EMOTIONS)})_({'|'.join(LEVELS)})")
_BY = "the actors' own statements (VideoDemographics.csv)"

CARD = DatasetCard(
    title="CREMA-D",
    content="7,442 clips of 91 actors who speak twelve sentences with six emotions; people rated voice, face and both.",
    license="ODbL 1.0 (database), DbCL 1.0 (contents)",
    permitted_use="Any use with attribution (Open Database License); a database derived from it stays under the same license.",
    obtain="Clone the repository. The tables are enough; they need none of the recordings.",
    url="https://github.com/CheyneyComputerScience/CREMA-D",
    citation=(
        "Cao, Cooper, Keutmann, Gur, Nenkova, Verma: CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset. "
        "IEEE Transactions on Affective Computing 5(4), 377-390, 2014"
    ),
    people="91 actors, 48 male and 43 female, 20 to 74 years old; sex, age, race and ethnicity are self-reported.",
    audit_options="--votes face --subject ActorID",
)


def _matches(path: Path) -> bool:
    return (path / ACTORS).is_file() and (path / SUMMARY).is_file()


def load(path: Path, *, votes: str | None = None) -> Dataset:
    """Read the ratings.

    Parameters
    ----------
    path
        The repository.
    votes
        Which ratings: ``face`` (without sound), ``voice`` (without picture) or ``multimodal`` (both).

    Raises
    ------
    DataError
        If a file is missing or damaged, or a name or answer does not follow the codes of CREMA-D.
    UsageError
        If `votes` is missing or none of these.
    """
    if votes not in MODALITIES:
        stated = f"--votes {votes!r} is not a kind of rating" if votes else "CREMA-D has three kinds of ratings"
        hint = did_you_mean(votes, MODALITIES) if votes else "choose one with --votes face, --votes voice or --votes multimodal"
        message = f"{path}: {stated}; {hint}"
        raise UsageError(message)
    column, digit = MODALITIES[votes]
    summary = _read(path / SUMMARY, ("FileName", column), key="FileName")
    clips = _clips(summary.index, path / SUMMARY)
    actors = _read(path / ACTORS, (SUBJECT, "Age", "Sex", "Race", "Ethnicity"), key=SUBJECT)
    unknown = sorted(set(clips[SUBJECT]) - set(actors.index))
    if unknown:
        message = f"{path / ACTORS} has no actor {unknown[0]}, who is in {path / SUMMARY}; download both files again"
        raise DataError(message)
    answers = _answers(summary[column], path / SUMMARY)
    shares = _shares(path / TABULATED, digit, clips.index)
    samples, attributes, ages = _attributes(clips, actors)
    ties = int((answers["status"] == "refused").sum())
    missing = int((answers["status"] == "error").sum())
    frame = answers if shares is None else answers.join(shares.where(answers["status"] == "ok"))
    rows = pd.util.hash_pandas_object(frame, index=True).to_numpy()
    name = f"human raters ({votes})"
    return Dataset(
        name=f"CREMA-D {votes}",
        labels=LABELS,
        samples=samples,
        attributes=attributes,
        refused=ages,
        steps=(
            Step(f"clips in {Path(SUMMARY).name}: {len(clips):,}"),
            Step(f"clips with several most frequent answers, kept without an answer: {ties:,}"),
            *([Step(f"clips without ratings, kept without an answer: {missing:,}")] if missing else []),
            *([Step(f"no {Path(TABULATED).name}: shares of raters are not read")] if shares is None else []),
        ),
        card={
            "layout": "cremad",
            "source": path.resolve().name,
            "votes": votes,
            "truth": "emotion that the actor was asked to show",
        },
        recorded=RecordedPredictions(name, LABELS, frame, digest_lines([name, rows.tobytes().hex()])[:12]),
    )


def _read(path: Path, columns: tuple[str, ...], *, key: str) -> pd.DataFrame:
    """A table indexed by a column; the names of columns are compared without case, as the documentation writes ``fileName``."""
    table = read_table(path, text=columns)
    folded = {c.casefold(): c for c in table.columns}
    absent = [c for c in columns if c.casefold() not in folded]
    if absent:
        message = f"{path} has no column {absent[0]!r}; download the file again from {CARD.url}"
        raise DataError(message)
    frame = table.frame[[folded[c.casefold()] for c in columns]].set_axis(list(columns), axis=1)
    names = frame[key].astype("str").str.strip()
    if frame[key].isna().any() or names.duplicated().any():
        message = f"{path}, column {key!r} has an empty or repeated name; download the file again from {CARD.url}"
        raise DataError(message)
    return frame.drop(columns=key).set_index(pd.Index(names, name="sample_id"))


def _clips(names: pd.Index, path: Path) -> pd.DataFrame:
    """Actor, sentence, emotion and level from the names of the clips."""
    parts = [_CLIP.fullmatch(str(n)) for n in names]
    wrong = [n for n, part in zip(names, parts, strict=True) if part is None]
    if wrong:
        message = f"{path}: {wrong[0]!r} is not a name such as 1001_IEO_ANG_HI (actor, sentence, emotion, level); correct it"
        raise DataError(message)
    rows = [(p[1], p[2], EMOTIONS[p[3]], LEVELS[p[4]]) for p in parts if p]
    return pd.DataFrame(rows, columns=[SUBJECT, "sentence", "label", "level"], index=names, dtype="str")


def _answers(values: pd.Series, path: Path) -> pd.DataFrame:
    """Status and answer of each clip; several answers with the most votes are none."""
    rows: list[tuple[str, str | None, str]] = []
    for clip, value in values.items():
        letters = [] if pd.isna(value) else [v.strip() for v in str(value).split(":")]
        wrong = [v for v in letters if v not in ANSWERS]
        if wrong:
            message = (
                f"{path}, clip {clip}: {values.name} has {wrong[0]!r}, which is none of {list_some(ANSWERS, 6)}; correct it"
            )
            raise DataError(message)
        if len(letters) == 1:
            rows.append(("ok", ANSWERS[letters[0]], ""))
        elif letters:
            rows.append(("refused", None, f"as many raters said {' as '.join(ANSWERS[v] for v in letters)}"))
        else:
            rows.append(("error", None, "the clip was not rated"))
    return pd.DataFrame(rows, columns=["status", "predicted", "detail"], index=values.index).astype(
        {"status": "str", "predicted": "str", "detail": "str"}
    )


def _shares(path: Path, digit: int, clips: pd.Index) -> pd.DataFrame | None:
    """Share of raters per answer; ``None`` without the file, or where it lacks a clip."""
    if not path.is_file():
        return None
    try:
        table = pd.read_csv(path, dtype={0: "str"})
        kind = table[table.iloc[:, 0].str.startswith(str(digit))]
        counts = kind.set_index(kind["fileName"].astype("str"))[list(ANSWERS)].astype(float)
        total = counts.sum(axis=1)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = (str(error).strip() or type(error).__name__).partition("\n")[0]
        message = f"{path} cannot be read ({reason}); download it again from {CARD.url}"
        raise DataError(message) from error
    if counts.index.has_duplicates or not (counts >= 0).all(axis=None):
        message = f"{path} has a clip twice or a negative number of votes; download it again from {CARD.url}"
        raise DataError(message)
    shares = counts.div(total.where(total > 0), axis=0).reindex(clips)
    if shares.isna().any(axis=None):
        return None
    return shares.set_axis([f"{SCORE_PREFIX}{n}" for n in ANSWERS.values()], axis=1).astype(np.float32)


def _attributes(
    clips: pd.DataFrame, actors: pd.DataFrame
) -> tuple[pd.DataFrame, tuple[Attribute, ...], dict[str, tuple[Attribute, str]]]:
    """Samples, their attributes, and the age, which has to be cut into bands."""
    people = actors.rename(columns=str.casefold).loc[clips[SUBJECT]].set_axis(clips.index, axis=0)
    samples = clips.assign(age=pd.to_numeric(people["age"], errors="coerce"))
    attributes = []
    for name in ("sex", "race", "ethnicity"):
        values, words = mask_missing(people[name])
        samples[name], levels = to_levels(values, f"{ACTORS}, column {name!r}")
        attributes.append(Attribute(name, levels, "self-reported", _BY, missing_words=words))
    note = "How strongly the actor was asked to show the emotion; unspecified for most sentences."
    shown = tuple(n for n in LEVELS.values() if n in set(samples["level"]))
    attributes.append(Attribute("level", shown, "annotated", "instructions to the actors", note, not_missing=("unspecified",)))
    reason = f"{ACTORS}, column 'age' has years; cut it into bands (--bands age=30,50)"
    ages = {"age": (Attribute("age", (), "self-reported", _BY), reason)}
    return samples, tuple(attributes), ages


LOADER = Loader(
    "cremad", "CREMA-D's repository (VideoDemographics.csv, processedResults/summaryTable.csv)", _matches, load, CARD
)
