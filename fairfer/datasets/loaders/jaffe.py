"""JAFFE: the name of each picture has the initials of the woman, the expression and a number, such as ``KA.AN1.39.tiff``."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from fairfer.datasets.cards import DatasetCard
from fairfer.datasets.dataset import Dataset, Step
from fairfer.datasets.images import FileImages
from fairfer.datasets.layout_files import PICTURES, first_names, has_metadata
from fairfer.datasets.loaders import Loader
from fairfer.errors import DataError
from fairfer.labels import LabelSpace

CODES = {"AN": "anger", "DI": "disgust", "FE": "fear", "HA": "happiness", "NE": "neutral", "SA": "sadness", "SU": "surprise"}
JAFFE = LabelSpace("JAFFE 7", tuple(CODES.values()))
_NAME = re.compile(
    r"(KA|KL|KM|KR|MK|NA|NM|TM|UY|YM)\.(AN|DI|FE|HA|NE|SA|SU)\d\.\d{1,3}\.(?:tiff?|png|jpe?g|bmp|pgm)", re.IGNORECASE
)

CARD = DatasetCard(
    title="JAFFE",
    content="213 photographs of ten Japanese women who posed seven expressions",
    license="JAFFE terms of use",
    permitted_use="Non-commercial research; the images must not be passed on or published without permission.",
    obtain="Request access on the page and agree to the terms.",
    url="https://zenodo.org/records/3451524",
    citation="Lyons, Akamatsu, Kamachi, Gyoba: Coding Facial Expressions with Gabor Wavelets. FG 1998.",
    people="ten subjects (column subject), all of them Japanese women: no groups to compare",
    audit_options="--subject subject",
)


def _matches(path: Path) -> bool:
    if not path.is_dir() or has_metadata(path):
        return False
    return any(_NAME.fullmatch(name) for name in first_names(path))


def load(path: Path) -> Dataset:
    """Read JAFFE. It has no official split; audits should use ``--subject subject``.

    Parameters
    ----------
    path
        The folder of the pictures.

    Raises
    ------
    DataError
        If there is no picture with a name of JAFFE.
    """
    files = sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.suffix.lower() in PICTURES)
    kept = {f: m for f in files if (m := _NAME.fullmatch(f.rpartition("/")[2]))}
    if not kept:
        message = f"{path} has no picture with a name such as KA.AN1.39.tiff; see `fairfer datasets jaffe`"
        raise DataError(message)
    others = len(files) - len(kept)
    return Dataset(
        name="JAFFE",
        labels=JAFFE,
        samples=pd.DataFrame(
            {"label": [CODES[m[2].upper()] for m in kept.values()], "subject": [m[1].upper() for m in kept.values()]},
            index=pd.Index(list(kept), name="sample_id", dtype="str"),
            dtype="str",
        ),
        images=FileImages(path, {f: f for f in kept}),
        steps=(
            Step(f"pictures: {len(files):,}"),
            *([Step("pictures whose name is not one of JAFFE", others, unlabeled=True)] if others else []),
        ),
        card={"layout": "jaffe", "source": path.resolve().name},
    )


LOADER = Loader("jaffe", "JAFFE (pictures with names such as KA.AN1.39.tiff)", _matches, load, CARD)
