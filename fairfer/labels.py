"""Label spaces: the labels of a dataset or a model, and translation between them by name.

Orders and spellings differ between libraries (DeepFace ends with ``surprise, neutral``, AffectNet starts with ``Neutral``).
fairfer therefore identifies a label by its canonical name, never by its position. A `LabelSpace` keeps the library's own
spelling and order for reading and writing.

A dataset may have labels that are not among the model's output classes (DeepFace has no contempt). What happens to them is an
explicit choice that the report states; see `reconcile`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fairfer.errors import LabelError, UsageError, did_you_mean
from fairfer.vocabulary import ALL, NO_ANSWER

FERPLUS_ORDER = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "neutral": ("calm", "natural", "ne", "neu"),
    "happiness": ("happy", "joy", "smile", "smiling", "ha", "hap"),
    "surprise": ("surprised", "suprise", "su", "sur"),
    "sadness": ("sad", "sa"),
    "anger": ("angry", "an", "ang"),
    "disgust": ("disgusted", "disgusting", "di", "dis"),
    "fear": ("fearful", "afraid", "scared", "af", "fea"),
    "contempt": ("contemptuous", "con"),
}
"""Other spellings of each emotion, in any case, as used by FER2013, AffectNet, KDEF, CREMA-D and others."""

_UNIT = re.compile(r"au ?0*([1-9]\d?)")

_CANONICAL = {spelling: name for name, synonyms in SYNONYMS.items() for spelling in (name, *synonyms)}


def fold(spelling: str) -> str:
    """Normalize a spelling for comparison: lower case, trimmed, ``_`` and ``-`` as spaces, accents composed, AU01 as AU1."""
    folded = unicodedata.normalize("NFC", spelling).strip().casefold().replace("_", " ").replace("-", " ")
    return _UNIT.sub(r"au\1", folded)


def action_unit(spelling: str) -> str | None:
    """Return the usual name of an action unit, or ``None`` if the spelling is not that of one.

    >>> action_unit("AU06"), action_unit("au 12"), action_unit("happy")
    ('AU6', 'AU12', None)
    """
    match = _UNIT.fullmatch(fold(spelling))
    return f"AU{match[1]}" if match else None


def canonical(spelling: str) -> str | None:
    """Return the canonical name of an emotion, or ``None`` if the spelling is not that of an emotion.

    >>> canonical("Angry"), canonical("happy"), canonical("bored")
    ('anger', 'happiness', None)
    """
    return _CANONICAL.get(fold(spelling))


@dataclass(frozen=True)
class LabelSpace:
    """The labels of one dataset or model.

    Attributes
    ----------
    name
        Name of the space in reports and messages.
    labels
        Canonical names, in the order of the library that the space belongs to.
    spellings
        The library's own spelling of each label, in the same order; the canonical names by default.

    Raises
    ------
    LabelError
        If there are no labels, a label is reserved or occurs twice, or the number of spellings differs.
    """

    name: str
    labels: tuple[str, ...]
    spellings: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.spellings:
            object.__setattr__(self, "spellings", self.labels)
        if len(self.spellings) != len(self.labels):
            message = f"label space {self.name!r}: {len(self.spellings)} spellings for {len(self.labels)} labels"
            raise LabelError(message)
        if not self.labels:
            message = f"label space {self.name!r} has no labels"
            raise LabelError(message)
        reserved = [n for n in self.labels if not n.strip() or n in (ALL, NO_ANSWER)]
        if reserved:
            message = f"label space {self.name!r}: {reserved[0]!r} cannot be a label; rename it"
            raise LabelError(message)
        folded = [fold(n) for n in self.labels]
        repeated = sorted({n for n, f in zip(self.labels, folded, strict=True) if folded.count(f) > 1})
        if repeated:
            message = f"label space {self.name!r} has {', '.join(repeated)} more than once; give each label one spelling"
            raise LabelError(message)

    @classmethod
    def of(cls, name: str, spellings: Iterable[str]) -> LabelSpace:
        """Make a space from a library's own spellings.

        Emotions get their canonical names and action units are called ``AU1``; other labels keep their spelling.
        """
        own = tuple(str(s) for s in spellings)
        return cls(name, tuple(canonical(s) or action_unit(s) or s.strip() for s in own), own)

    def canonical(self, spelling: str) -> str:
        """Return the canonical name of a spelling.

        Raises
        ------
        LabelError
            If the space has no such label.
        """
        for name, own in zip(self.labels, self.spellings, strict=True):
            if fold(spelling) in (fold(own), fold(name)):
                return name
        name = canonical(spelling) or ""
        if name in self.labels:
            return name
        message = f"label {spelling!r} is not one of {self.name}; {did_you_mean(spelling, self.labels)}"
        raise LabelError(message)

    def __contains__(self, label: object) -> bool:
        return label in self.labels

    def __len__(self) -> int:
        return len(self.labels)


FERPLUS = LabelSpace("FER+ 8", FERPLUS_ORDER)
DEEPFACE = LabelSpace.of("DeepFace 7", ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"))
FER2013 = LabelSpace("FER2013 7", DEEPFACE.labels, DEEPFACE.spellings)
AFFECTNET = LabelSpace.of("AffectNet 8", ("Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Anger", "Contempt"))
SPACES: Mapping[str, LabelSpace] = {"ferplus": FERPLUS, "fer2013": FER2013, "deepface": DEEPFACE, "affectnet": AFFECTNET}
"""Label spaces by the name that options and configuration files use."""


def order_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """Sort labels into the order of every table and figure.

    The eight emotions of FER+ come first, then action units by number, then all others alphabetically.
    """
    present = set(labels)
    return tuple(n for n in FERPLUS_ORDER if n in present) + tuple(sorted(present - set(FERPLUS_ORDER), key=_place))


def _place(label: str) -> tuple[bool, int, str]:
    """AU2 before AU12, both before other labels."""
    unit = action_unit(label)
    return (unit is None, int(unit.removeprefix("AU")) if unit else 0, label)


@dataclass(frozen=True)
class Reconciliation:
    """How the labels of a dataset are audited against those of a model.

    In single-label data a label is excluded with its faces (rows). In multi-label data only the label itself (its column) is
    excluded: the face has other labels.

    Attributes
    ----------
    labels
        The audited labels, in the order of `order_labels`.
    truth
        For each label of the dataset the label it is audited as, or ``None`` if it is excluded.
    policy
        ``drop``, ``keep`` or ``merge=FROM:TO,...``.
    unsupported_labels
        Labels of the dataset that are not among the model's output classes.
    extra
        Output classes of the model that are not labels of the dataset. Predicting one is an error in single-label data and is
        ignored in multi-label data, which have no truth for it.
    """

    labels: tuple[str, ...]
    truth: Mapping[str, str | None]
    policy: str
    unsupported_labels: tuple[str, ...]
    extra: tuple[str, ...]

    def sources(self, label: str) -> list[str]:
        """Return the labels of the dataset that are audited as `label`: more than one where labels are merged."""
        return [source for source, target in self.truth.items() if target == label]


def reconcile(data: LabelSpace, model: LabelSpace, policy: str = "drop") -> Reconciliation:
    """Decide which labels an audit of `model` on `data` has.

    Parameters
    ----------
    data, model
        The two label spaces.
    policy
        What happens to labels that are not among the model's output classes.

        * ``drop`` excludes them, as studies with seven emotions do;
        * ``keep`` keeps them: they are never recognized, and in single-label data their faces are false positives of the label
          that the model predicts instead;
        * ``merge=contempt:disgust`` counts them as another label (``merge=disgust`` if only one label is unsupported).

    Raises
    ------
    UsageError
        If the policy does not exist, or merges a label that is not unsupported, or into one that is.
    LabelError
        If the two spaces have no label in common.
    """
    unsupported = tuple(n for n in data.labels if n not in model)
    extra = order_labels(n for n in model.labels if n not in data)
    shared = tuple(n for n in data.labels if n in model)
    if not shared:
        message = (
            f"{data.name} ({', '.join(data.labels)}) and {model.name} ({', '.join(model.labels)}) have no label in common; "
            "spell the labels alike"
        )
        raise LabelError(message)
    truth: dict[str, str | None] = {n: n for n in data.labels}
    if policy == "drop":
        truth |= dict.fromkeys(unsupported)
    elif policy.startswith("merge="):
        truth |= _merges(policy.removeprefix("merge="), data, unsupported, shared)
    elif policy != "keep":
        message = f"--unsupported-labels {policy!r} is not a policy; use drop, keep or merge=FROM:TO"
        raise UsageError(message)
    labels = order_labels(n for n in truth.values() if n is not None)
    return Reconciliation(labels, truth, policy, unsupported, extra)


def _merges(text: str, data: LabelSpace, unsupported: tuple[str, ...], shared: tuple[str, ...]) -> dict[str, str]:
    option = f"--unsupported-labels merge={text}"
    merges: dict[str, str] = {}
    if not unsupported:  # as for one of several models that are compared; a misspelled label is still an error
        for name in text.replace(":", ",").split(","):
            data.canonical(name)
        return merges
    for pair in text.split(","):
        source, colon, target = pair.partition(":")
        if not colon:
            if len(unsupported) > 1:
                message = f"{option}: {', '.join(unsupported)} are unsupported; write FROM:TO for each"
                raise UsageError(message)
            source, target = unsupported[0], source
        source, target = data.canonical(source), data.canonical(target)
        if source not in unsupported:
            message = f"{option}: {source!r} is an output class of the model; merge only {', '.join(unsupported)}"
            raise UsageError(message)
        if target not in shared:
            message = f"{option}: {target!r} is not an output class of the model; {did_you_mean(target, shared)}"
            raise UsageError(message)
        merges[source] = target
    missing = [n for n in unsupported if n not in merges]
    if missing:
        message = f"{option} leaves {', '.join(missing)} unmerged; write FROM:TO for each, with commas"
        raise UsageError(message)
    return merges
