"""Label spaces: which emotions a data set or a model can name, and translation between them by name.

Orders and spellings differ between libraries (DeepFace ends with ``surprise, neutral``, AffectNet starts with ``Neutral``),
so nothing in fairfer travels by position: a label is its canonical name, and a `LabelSpace` knows the library's own
spelling and order only at the door.

A model may be unable to say an emotion that the data set holds (DeepFace has no contempt). What then happens to those
faces is an explicit, reported choice, made by `reconcile`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fairfer.errors import LabelError, UsageError, did_you_mean

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
"""Spellings accepted for each emotion, besides the name itself (any case; domain facts: FER2013, AffectNet, KDEF, CREMA-D)."""

_CANONICAL = {s: name for name, also in SYNONYMS.items() for s in (name, *also)}


def fold(spelling: str) -> str:
    """Lower case, trimmed, with ``_`` and ``-`` as spaces: how spellings are compared."""
    return spelling.strip().casefold().replace("_", " ").replace("-", " ")


def canonical(spelling: str) -> str | None:
    """The canonical name of an emotion's spelling, or ``None`` when no emotion is spelled so.

    >>> canonical("Angry"), canonical("happy"), canonical("bored")
    ('anger', 'happiness', None)
    """
    return _CANONICAL.get(fold(spelling))


@dataclass(frozen=True)
class LabelSpace:
    """The labels one data set or model can give.

    Attributes
    ----------
    name
        What the space is called in reports.
    labels
        Canonical names in the owner's order.
    spellings
        The owner's own spelling of each label, in the same order; the canonical names when not given.
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
        strange = [n for n in self.labels if not n.strip() or n.startswith("(") or n == "*"]
        if strange:
            message = f"label space {self.name!r}: no label can be called {strange[0]!r}; rename it, without brackets"
            raise LabelError(message)
        folded = [fold(n) for n in self.labels]
        twice = sorted({n for n, f in zip(self.labels, folded, strict=True) if folded.count(f) > 1})
        if twice:
            message = f"label space {self.name!r} names {', '.join(twice)} more than once; give each label one spelling"
            raise LabelError(message)

    @classmethod
    def of(cls, name: str, spellings: Iterable[str]) -> LabelSpace:
        """A space from a library's own spellings; one that is no known emotion stays as it is spelled."""
        own = tuple(str(s) for s in spellings)
        return cls(name, tuple(canonical(s) or s.strip() for s in own), own)

    def canonical(self, spelling: str) -> str:
        """The canonical name of a spelling in this space.

        Raises
        ------
        LabelError
            When the space has no such label.
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
"""Known spaces by the name that a configuration file may use."""


def order_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """Labels in the one order used everywhere: FER+'s, then any others alphabetically."""
    present = set(labels)
    return tuple(n for n in FERPLUS_ORDER if n in present) + tuple(sorted(present - set(FERPLUS_ORDER)))


@dataclass(frozen=True)
class Reconciliation:
    """How the labels of a data set meet those of a model.

    Attributes
    ----------
    labels
        The labels audited, in the one order used everywhere.
    truth
        For each label of the data set the label it is audited as, or ``None`` when its faces are left out.
    policy
        ``drop``, ``keep`` or ``merge=a:b,...`` as it was decided.
    unsayable
        Labels of the data set that the model cannot say.
    extra
        Labels that the model can say and the data set never holds; saying one is always an error.
    """

    labels: tuple[str, ...]
    truth: Mapping[str, str | None]
    policy: str
    unsupported_labels: tuple[str, ...]
    extra: tuple[str, ...]


def reconcile(data: LabelSpace, model: LabelSpace, policy: str = "drop") -> Reconciliation:
    """Decide which labels an audit of `model` on `data` has.

    Parameters
    ----------
    data, model
        The two label spaces.
    policy
        What becomes of faces whose true label the model cannot say: ``drop`` leaves them out (as the 7-class literature
        does), ``keep`` keeps them (always missed, and a false positive for whatever the model says instead),
        ``merge=contempt:disgust`` counts them as another label (``merge=disgust`` when only one label is unsayable).

    Raises
    ------
    UsageError
        When the policy is unknown, or merges from or to a label that is not there.
    LabelError
        When the two spaces share no label.
    """
    unsupported_labels = tuple(n for n in data.labels if n not in model)
    extra = order_labels(n for n in model.labels if n not in data)
    shared = tuple(n for n in data.labels if n in model)
    if not shared:
        message = (
            f"{data.name} ({', '.join(data.labels)}) and {model.name} ({', '.join(model.labels)}) share no label; "
            "give the model's labels in the data set's words"
        )
        raise LabelError(message)
    truth: dict[str, str | None] = {n: n for n in data.labels}
    if policy == "keep":
        pass
    elif policy == "drop":
        truth |= dict.fromkeys(unsupported_labels)
    elif policy.startswith("merge="):
        merges = _merges(policy.removeprefix("merge="), data, unsupported_labels, shared)
        truth |= merges
    else:
        message = f"--unsupported-labels {policy!r} is not a choice; use drop, keep or merge=FROM:TO"
        raise UsageError(message)
    labels = order_labels(n for n in truth.values() if n is not None)
    return Reconciliation(labels, truth, policy, unsupported_labels, extra)


def _merges(text: str, data: LabelSpace, unsupported_labels: tuple[str, ...], shared: tuple[str, ...]) -> dict[str, str]:
    merges: dict[str, str] = {}
    for pair in text.split(","):
        source, colon, target = pair.partition(":")
        if not colon:
            if len(unsupported_labels) > 1:
                message = f"--unsupported-labels merge={text}: the model lacks {', '.join(unsupported_labels)}; write FROM:TO for each"
                raise UsageError(message)
            source, target = (unsupported_labels[0] if unsupported_labels else target), source
        if not unsupported_labels:
            continue
        source, target = data.canonical(source), data.canonical(target)
        if source not in unsupported_labels:
            message = f"--unsupported-labels merge={text}: the model can say {source!r}; only {', '.join(unsupported_labels)} can be merged"
            raise UsageError(message)
        if target not in shared:
            message = (
                f"--unsupported-labels merge={text}: the model cannot say {target!r} either; {did_you_mean(target, shared)}"
            )
            raise UsageError(message)
        merges[source] = target
    unsaid = [n for n in unsupported_labels if n not in merges]
    if unsaid:
        message = f"--unsupported-labels merge={text} does not say what becomes of {', '.join(unsaid)}; write FROM:TO for each"
        raise UsageError(message)
    return merges
