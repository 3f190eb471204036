"""Raters' votes and soft labels in a table: one column per label, or one column with a JSON list per face.

Whole numbers are numbers of votes and become `Dataset.votes`. Shares that sum to 1 are soft labels: they give the label and the
vote entropy, but not what needs numbers of raters (agreement of one rater with the others, rates weighted by votes).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairfer.datasets.dataset import Dataset, Step
from fairfer.datasets.label_columns import TRUTH, label_space
from fairfer.datasets.missing_values import is_missing_word
from fairfer.datasets.tables import SourceTable, find_column, is_pattern, match_columns
from fairfer.errors import DataError, UsageError
from fairfer.labels import canonical

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLURALITY = "plurality of votes"
"""Column of labels that follow from votes."""

VOTE_ENTROPY = "vote_entropy"
_ROUNDED = 0.01
_PERCENT = 100


@dataclass(frozen=True)
class Votes:
    """Votes of a table.

    Attributes
    ----------
    frame
        (rows, answers), columns by label; missing where a row has no votes.
    counts
        Whether they are numbers of votes, not shares.
    used
        The columns of the table.
    """

    frame: pd.DataFrame
    counts: bool
    used: tuple[str, ...]

    @property
    def ties(self) -> pd.Series:
        """Rows in which several answers have the most votes."""
        values = self.frame.to_numpy(float)
        highest = np.isclose(values, np.nan_to_num(values, nan=-1).max(axis=1, keepdims=True), rtol=0, atol=1e-9)
        return pd.Series((highest.sum(axis=1) > 1) & self.frame.notna().all(axis=1).to_numpy(), index=self.frame.index)

    @property
    def plurality(self) -> pd.Series:
        """The answer with the most votes; missing on a tie, without votes, and where it is a word such as ``unknown``."""
        values = self.frame.fillna(-1.0).to_numpy(float)
        best = pd.Series(np.array(self.frame.columns, dtype=object)[values.argmax(axis=1)], index=self.frame.index, dtype="str")
        answered = self.frame.notna().all(axis=1) & ~self.ties & ~best.map(lambda n: is_missing_word(str(n)))
        return best.where(answered)

    @property
    def entropy(self) -> pd.Series:
        """Entropy of the votes in bits."""
        shares = self.frame.div(self.frame.sum(axis=1), axis=0).to_numpy(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = np.where(shares > 0, -shares * np.log2(shares), np.where(np.isnan(shares), np.nan, 0.0))
        return pd.Series(np.round(parts.sum(axis=1), 9) + 0.0, index=self.frame.index)


def read_votes(table: SourceTable, requested: str, labels: str | None) -> Votes:
    """Read votes.

    Parameters
    ----------
    table
        Any table.
    requested
        A pattern for one column per label (``votes_*``), or one column of JSON lists.
    labels
        The labels, which a column of lists needs for the order of its numbers.

    Raises
    ------
    DataError
        If a value is no number or negative, a row is incomplete, or the numbers are neither whole nor shares of 1.
    UsageError
        If there is no such column, or a column of lists has no `labels`.
    """
    if is_pattern(table, requested):
        columns = match_columns(table, requested, "--votes")
        names = [canonical(n) or n for n in columns]
        if len(set(names)) < len(names):
            message = f"{table.source}: two columns of --votes {requested!r} are the same label; rename one"
            raise DataError(message)
        frame = pd.DataFrame({n: _numbers(table, c) for n, c in zip(names, columns.values(), strict=True)})
        used = tuple(columns.values())
    else:
        column = str(find_column(table, requested, (), "the votes; name it, or a pattern such as 'votes_*', with --votes"))
        frame, used = _lists(table, column, labels), (column,)
    missing = frame.isna()
    partly = missing.any(axis=1) & ~missing.all(axis=1)
    if partly.any():
        row = table.row(int(partly.to_numpy().argmax()))
        message = f"{table.source}, row {row}: some votes are missing; write 0, or leave all empty"
        raise DataError(message)
    if bool((frame < 0).any(axis=None)):
        message = f"{table.source}: a number of --votes {requested!r} is negative; correct it"
        raise DataError(message)
    total = frame.sum(axis=1)
    frame = frame.where(total > 0)
    if not bool(frame.notna().any(axis=None)):
        message = f"{table.source}: no row has votes (--votes {requested!r}); name other columns"
        raise DataError(message)
    values: NDArray[np.float64] = frame.dropna().to_numpy(float)
    whole = bool((values % 1 == 0).all()) and bool((values.sum(axis=1) > 1).any())
    shares = np.isclose(total, 1, rtol=0, atol=_ROUNDED) | ~(total > 0)
    if not whole and not shares.all():
        row = int((~shares).argmax())
        message = (
            f"{table.source}, row {table.row(row)}: the votes are neither whole numbers nor shares that sum to 1 "
            f"(sum {total.iloc[row]:g}); give numbers of raters, or shares"
        )
        raise DataError(message)
    return Votes(frame, whole, used)


def _numbers(table: SourceTable, column: str) -> pd.Series:
    numbers = pd.to_numeric(table.frame[column], errors="coerce").astype(float)
    wrong = (numbers.isna() | np.isinf(numbers)) & table.frame[column].notna()
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        value = table.frame[column].iloc[row]
        message = f"{table.column(column)}, row {table.row(row)}: {value!r} is not a number of votes; correct it"
        raise DataError(message)
    return numbers


def _lists(table: SourceTable, column: str, labels: str | None) -> pd.DataFrame:
    if labels is None:
        message = f"{table.column(column)} holds lists; state the order of their labels with --labels, as in happy,sad,angry"
        raise UsageError(message)
    names: tuple[str, ...] = label_space(labels, pd.Series(dtype="str"), table.source).labels
    rows: list[list[float]] = []
    for i, text in enumerate(table.frame[column]):
        if pd.isna(text):
            rows.append([np.nan] * len(names))
            continue
        try:
            row = [float(v) for v in json.loads(str(text))]
        except (ValueError, TypeError):
            row = []
        if len(row) != len(names):
            where = f"{table.column(column)}, row {table.row(i)}"
            message = f"{where}: {text!r} is not a list of {len(names)} numbers (--labels); correct it"
            raise DataError(message)
        rows.append(row)
    return pd.DataFrame(rows, columns=list(names), index=table.frame.index)


def add_plurality(table: SourceTable, votes: Votes, truth: str | None) -> tuple[SourceTable, str]:
    """Name the column of true labels; without one, add the plurality of the votes.

    Parameters
    ----------
    table, votes
        The table and its votes.
    truth
        The column that was asked for.

    Returns
    -------
    table, truth
        With a column `PLURALITY` if there is no column of true labels, and the name of the column to use.
    """
    column = truth or find_column(table, None, TRUTH, "")
    if column is not None:
        return table, column
    return SourceTable(table.frame.assign(**{PLURALITY: votes.plurality}), table.path), PLURALITY


def with_votes(dataset: Dataset, votes: Votes, truth: str) -> Dataset:
    """The dataset with its votes, or, for shares, with the vote entropy.

    Parameters
    ----------
    dataset
        Samples of the same table, by the same ids.
    votes
        The votes, indexed by sample id.
    truth
        The column of true labels; `PLURALITY` if they follow from the votes.

    Raises
    ------
    DataError
        If the dataset is multi-label, or a sample has no votes although they are numbers of votes.
    """
    if dataset.task == "multi-label":
        message = f"{dataset.name}: --votes is for one label per face, not for one column per label; remove one of them"
        raise DataError(message)
    rows = votes.frame.loc[dataset.samples.index]
    ties = int(votes.ties.sum())
    tied = Step(f"rows in which several labels have the most votes (ties), which have no label: {ties:,}")
    steps = [*dataset.steps, *([tied] if ties and truth == PLURALITY else [])]
    card = {**dataset.card, "votes": "numbers of votes" if votes.counts else "shares (soft labels)"}
    if votes.counts:
        if rows.isna().any(axis=None):
            name = rows.index[rows.isna().any(axis=1)][0]
            message = f"{dataset.name}, sample {name!r} has a true label but no votes; remove it, or give shares for all"
            raise DataError(message)
        if bool((rows.sum(axis=1) == _PERCENT).all()):
            steps.append(Step("every face has 100 votes, read as 100 raters; if these are percentages, divide them by 100"))
        return dataset.replace(votes=rows.astype(np.int64), steps=tuple(steps), card=card)
    if VOTE_ENTROPY in dataset.samples:
        message = f"{dataset.name} has a column {VOTE_ENTROPY!r} beside --votes; rename it"
        raise DataError(message)
    remark = Step("votes are shares, not numbers of raters: agreement between raters is not computed")
    samples = dataset.samples.assign(**{VOTE_ENTROPY: votes.entropy.loc[rows.index]})
    return dataset.replace(samples=samples, steps=(*steps, remark), card=card)
