"""``--choose-thresholds``: the samples on which thresholds are chosen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fairfer.cli.options import chosen_dataset
from fairfer.cli.running import ask
from fairfer.errors import FairferError, UsageError

if TYPE_CHECKING:
    from fairfer.audits.plan import Design
    from fairfer.audits.threshold_choice import Validation
    from fairfer.cli.options import LoadOptions, TableOptions
    from fairfer.datasets.dataset import Dataset
    from fairfer.models.model import Model

FOLDER = "thresholds"
"""Folder of a run with the answers for another split."""


@dataclass(frozen=True)
class OtherSamples:
    """Samples on which thresholds are chosen.

    Attributes
    ----------
    source
        What the user named.
    samples
        A split, or a stored run with its answers.
    """

    source: str
    samples: Dataset | Validation

    def answered(self, model: Model | None, run: Path, *, overwrite: bool) -> Validation:
        """The samples with the answers of the model, which are stored below the run and reused."""
        from fairfer.audits.threshold_choice import Validation

        if isinstance(self.samples, Validation):
            return self.samples
        return Validation(self.source, self.samples, ask(self.samples, model, run / FOLDER, overwrite=overwrite))


def find_validation(
    name: str | None, design: Design, data: LoadOptions, tables: TableOptions, out: Path | None = None
) -> OtherSamples | None:
    """The samples that ``--choose-thresholds`` names, before any model runs.

    Parameters
    ----------
    name
        A folder of a run, else a split.
    design
        What is audited.
    data, tables
        Options with which the audited samples were read.
    out
        Folder of the audit, if it was given.

    Raises
    ------
    UsageError, DataError, RunError
        When the audit is single-label, the samples cannot be read, or some of them are audited too.
    """
    from fairfer.audits.threshold_choice import Validation, check_apart, check_multi_label
    from fairfer.predictions.run_folder import RUN_FILE

    if name is None:
        return None
    check_multi_label(design.task)
    if out is not None and Path(name).resolve() == out.resolve():
        message = f"--choose-thresholds {name} is the folder of this audit; name the run of other samples, or a split"
        raise UsageError(message)
    if (Path(name) / RUN_FILE).is_file():
        validation = Validation.of_run(name)
        check_apart(design.dataset.image_digests, validation.predictions.frame["image"], validation.dataset.name)
        return OtherSamples(name, validation)
    if Path(name).exists() or len(Path(name).parts) > 1:
        message = f"--choose-thresholds {name}: neither a folder that fairfer audit wrote nor a split; name one of the two"
        raise UsageError(message)
    dataset = _read_split(name, data, tables)
    check_apart(design.dataset.image_digests, dataset.image_digests, dataset.name)
    return OtherSamples(name, dataset)


def _read_split(name: str, data: LoadOptions, tables: TableOptions) -> Dataset:
    """A split by the name that the loader knows it by; ``validation`` is also called ``valid``."""
    title = f"{data.name} {name}" if data.name else None
    try:
        return chosen_dataset(replace(data, split=name, name=title), tables)
    except FairferError:
        if name != "validation":
            raise
        return chosen_dataset(replace(data, split="valid", name=title), tables)
