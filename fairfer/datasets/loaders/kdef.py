"""KDEF: the name of each picture has the session, gender and number of the person, the expression and the angle.

::

    ROOT/AF01/AF01ANS.JPG       session A, female, person 01, angry, straight

Only the names count: the folder is read with all its subfolders.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from fairfer.datasets.cards import DatasetCard
from fairfer.datasets.dataset import Dataset, Step
from fairfer.datasets.images import FileImages
from fairfer.datasets.layout_files import PICTURES, annotated, check_choice, first_names, has_metadata, subfolders
from fairfer.datasets.loaders import Loader
from fairfer.errors import DataError
from fairfer.labels import LabelSpace

CODES = {"AF": "afraid", "AN": "angry", "DI": "disgusted", "HA": "happy", "NE": "neutral", "SA": "sad", "SU": "surprised"}
KDEF = LabelSpace.of("KDEF 7", CODES.values())
GENDERS = {"F": "female", "M": "male"}
ANGLES = {"FL": "full left", "HL": "half left", "S": "straight", "HR": "half right", "FR": "full right"}
FRONTAL = "straight"
_NAME = re.compile(r"([AB])([FM])(\d\d)(AF|AN|DI|HA|NE|SA|SU)(S|HL|HR|FL|FR)\.(?:jpe?g|png)", re.IGNORECASE)
_FOLDER = re.compile(r"[AB][FM]\d\d", re.IGNORECASE)

CARD = DatasetCard(
    title="KDEF",
    content="4,900 photographs of 70 amateur actors who posed seven expressions, each in two sessions and from five angles",
    license="KDEF terms of use",
    permitted_use="Non-commercial research; the terms list the pictures that may be printed.",
    obtain="Register on the page; a link follows.",
    url="https://kdef.se",
    citation=(
        "Lundqvist, Flykt, Öhman: The Karolinska Directed Emotional Faces (KDEF). Department of Clinical Neuroscience, "
        "Psychology section, Karolinska Institutet, 1998."
    ),
    people="70 subjects (column subject), 35 women and 35 men of 20 to 30 years; gender from the file names",
    audit_options="--subject subject",
)


def _matches(path: Path) -> bool:
    if not path.is_dir() or has_metadata(path):
        return False
    people = [p for p in subfolders(path) if _FOLDER.fullmatch(p.name)]
    return any(_NAME.fullmatch(name) for folder in (path, *people[:1]) for name in first_names(folder))


def load(path: Path, *, angle: str = FRONTAL) -> Dataset:
    """Read KDEF. It has no official split; audits should use ``--subject subject``.

    Parameters
    ----------
    path
        The folder of the pictures.
    angle
        ``straight`` (default), ``half left``, ``half right``, ``full left``, ``full right``, or ``all``.

    Raises
    ------
    DataError
        If there is no picture with a name of KDEF.
    UsageError
        If there is no such angle.
    """
    check_choice("--angle", angle, [*ANGLES.values(), "all"], "KDEF")
    files = sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.suffix.lower() in PICTURES)
    names = {f: m for f in files if (m := _NAME.fullmatch(f.rpartition("/")[2]))}
    kept = {f: m for f, m in names.items() if angle in ("all", ANGLES[m[5].upper()])}
    if not kept:
        message = f"{path} has no picture with a name such as AF01ANS.JPG of angle {angle!r}; see `fairfer datasets kdef`"
        raise DataError(message)
    gender, gender_attribute = annotated(
        "gender",
        {f: GENDERS[m[2].upper()] for f, m in kept.items()},
        tuple(GENDERS.values()),
        "the authors of KDEF (letter in the file name)",
        "the documentation does not say whether the actors were asked",
    )
    view, view_attribute = annotated(
        "angle",
        {f: ANGLES[m[5].upper()] for f, m in kept.items()},
        tuple(ANGLES.values()),
        "the authors of KDEF (letters in the file name)",
        "position of the camera, not an attribute of the person",
    )
    samples = pd.DataFrame(
        {
            "label": [KDEF.canonical(CODES[m[4].upper()]) for m in kept.values()],
            "subject": [f"{m[2]}{m[3]}".upper() for m in kept.values()],
            "session": [m[1].upper() for m in kept.values()],
        },
        index=pd.Index(list(kept), name="sample_id", dtype="str"),
        dtype="str",
    )
    others, angles = len(files) - len(names), len(names) - len(kept)
    return Dataset(
        name="KDEF" if angle == FRONTAL else f"KDEF {angle}",
        labels=KDEF,
        samples=samples.join([gender, view]),
        attributes=(gender_attribute, view_attribute) if len(view_attribute.levels) > 1 else (gender_attribute,),
        images=FileImages(path, {f: f for f in kept}),
        steps=(
            Step(f"pictures: {len(files):,}"),
            *([Step("pictures whose name is not one of KDEF", others, unlabeled=True)] if others else []),
            *([Step(f"pictures from another angle than {angle} (--angle)", angles)] if angles else []),
        ),
        card={"layout": "kdef", "angle": angle, "source": path.resolve().name},
    )


LOADER = Loader("kdef", "KDEF (pictures with names such as AF01ANS.JPG)", _matches, load, CARD)
