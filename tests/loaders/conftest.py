"""Small trees in the official layout of every public dataset."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Tree = Callable[[Path], Path]
RAF_CODES = (1, 2, 3, 4, 5, 6, 7)


def picture(path: Path, level: int = 0, size: tuple[int, int] = (8, 6)) -> None:
    """Write a gray picture of (width, height) whose columns differ."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = (np.arange(size[0]) * 10 + level) % 256
    Image.fromarray(np.tile(columns.astype(np.uint8), (size[1], 1))).save(path)


def attributes(gender: int, race: int, age: int) -> str:
    """An attribute file of RAF-DB: five landmarks, gender, race and age."""
    return "\n".join([*(f"{i}.5\t{i}.25" for i in range(5)), str(gender), str(race), str(age)]) + "\n"


def raf_db(root: Path) -> Path:
    """Seven train and seven test faces, one of each label, aligned and original, with attributes."""
    lines = []
    for split, digits in (("train", 5), ("test", 4)):
        for i, code in enumerate(RAF_CODES, 1):
            stem = f"{split}_{i:0{digits}d}"
            lines.append(f"{stem}.jpg {code}")
            picture(root / "basic" / "Image" / "aligned" / f"{stem}_aligned.jpg", i)
            picture(root / "basic" / "Image" / "original" / f"{stem}.jpg", i, (20, 20))
            file = root / "basic" / "Annotation" / "manual" / f"{stem}_manu_attri.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(attributes(i % 3, i % 3, i % 5))
    (root / "basic" / "EmoLabel").mkdir()
    (root / "basic" / "EmoLabel" / "list_patition_label.txt").write_text("\n".join(lines) + "\n")
    return root


def raf_db_compound(root: Path) -> Path:
    """Eleven test faces, one of each compound label."""
    names = [f"test_{i:04d}" for i in range(1, 12)]
    for i, name in enumerate(names):
        picture(root / "compound" / "Image" / "aligned" / f"{name}_aligned.jpg", i)
    (root / "compound" / "EmoLabel").mkdir()
    lines = [f"{name}.jpg {i}" for i, name in enumerate(names, 1)]
    (root / "compound" / "EmoLabel" / "list_patition_label.txt").write_text("\n".join(lines) + "\n")
    return root


def raf_db_kaggle(root: Path) -> Path:
    """Kaggle's copy: label folders 1 to 7 below DATASET, and tables of labels."""
    for split, digits in (("train", 5), ("test", 4)):
        rows = ["image,label"]
        for i, code in enumerate(RAF_CODES, 1):
            name = f"{split}_{i:0{digits}d}_aligned.jpg"
            picture(root / "DATASET" / split / str(code) / name, i)
            rows.append(f"{name},{code}")
        (root / f"{split}_labels.csv").write_text("\n".join(rows) + "\n")
    return root


AFFECTNET_HEADER = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"


def affectnet(root: Path) -> Path:
    """Eleven validation and eleven training faces, one of each code."""
    for name in ("training", "validation"):
        rows = [AFFECTNET_HEADER]
        for code in range(11):
            file = f"{code}/{name}{code}.jpg"
            picture(root / "Manually_Annotated_Images" / file, code, (20, 10))
            affect = "-2,-2" if code > 8 else f"0.{code},-0.{code}"
            rows.append(f"{file},{code},2,6,5,1.5;2.5;3;4,{code},{affect}")
        folder = root / "Manually_Annotated_file_lists"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.csv").write_text("\n".join(rows) + "\n")
    return root


def affectnet_arrays(root: Path) -> Path:
    """The layout with cropped faces: numbers as arrays of text without a dimension."""
    for folder in ("val_set", "train_set"):
        (root / folder / "annotations").mkdir(parents=True)
        for code in range(11):
            picture(root / folder / "images" / f"{code}.jpg", code)
            for kind, value in (("exp", str(code)), ("val", f"0.{code}" if code < 8 else "-2"), ("aro", "-0.5")):
                np.save(root / folder / "annotations" / f"{code}_{kind}.npy", np.array(value))
    return root


def expw(root: Path) -> Path:
    """Four pictures with seven faces, one of each label; the first two pictures have several."""
    lines = [
        "angry_actor_1.jpg 0 2 1 7 9 40.5 0",
        "angry_actor_1.jpg 1 0 10 20 9 12.25 1",
        "awe_2.jpg 0 0 0 5 5 50 2",
        "awe_2.jpg 1 0 5 10 5 50 3",
        "awe_2.jpg 2 5 0 5 10 50 4",
        "calm_3.png 0 -5 -5 40 40 30 5",
        "calm_4.png 0 0 0 20 10 30 6",
    ]
    for name in ("angry_actor_1.jpg", "awe_2.jpg", "calm_3.png", "calm_4.png"):
        picture(root / "image" / "origin" / name, len(name), (20, 10))
    (root / "label").mkdir(parents=True)
    (root / "label" / "label.lst").write_text("\n".join(lines) + "\n")
    return root


def ck_plus(root: Path) -> Path:
    """Seven labeled sequences of four people, one of each expression, and one without a label."""
    for i, code in enumerate((1, 2, 3, 4, 5, 6, 7, None)):
        subject, sequence = f"S{i // 2 + 5:03d}", f"{i % 2 + 1:03d}"
        frames = [f"{subject}_{sequence}_{k:08d}" for k in range(1, 5)]
        for k, frame in enumerate(frames):
            picture(root / "cohn-kanade-images" / subject / sequence / f"{frame}.png", 10 * i + k)
        folder = root / "Emotion" / subject / sequence
        folder.mkdir(parents=True)
        if code is not None:
            (folder / f"{frames[-1]}_emotion.txt").write_text(f"   {code}.0000000e+00\n")
    (root / "cohn-kanade-images" / ".DS_Store").write_bytes(b"\0")
    return root


def ck_plus_facs(root: Path) -> Path:
    """`ck_plus` with FACS codes of the peak frames; one sequence has none, and one has an empty file."""
    ck_plus(root)
    codes = ("4 3\n7 0\n", "14 2\n", "9 5\n17 1\n", "", "6 4\n12 5\n25 0\n", "1 2\n15 3\n", None, "1 4\n2 4\n25 5\n")
    for i, text in enumerate(codes):
        subject, sequence = f"S{i // 2 + 5:03d}", f"{i % 2 + 1:03d}"
        if text is not None:
            file = root / "FACS" / subject / sequence / f"{subject}_{sequence}_00000004_facs.txt"
            file.parent.mkdir(parents=True)
            file.write_text(re.sub(r"\d+", lambda m: f"   {float(m[0]):.7e}", text))
    return root


DISFA_UNITS = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)


def disfa(root: Path) -> Path:
    """Two subjects of folds 1 and 2 with six frames; the intensity of a unit is (frame + its number) modulo 6."""
    for k, subject in enumerate(("SN001", "SN013")):
        for unit in DISFA_UNITS:
            file = root / "ActionUnit_Labels" / subject / f"{subject}_au{unit}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(f"{frame},{(frame + unit) % 6}\n" for frame in range(1, 7)))
        for frame in range(1, 7):
            picture(root / "Images" / subject / f"{frame:05d}.png", 40 * k + frame)
    return root


def bp4d(root: Path) -> Path:
    """A woman and a man in two tasks: three coded frames, one with a hidden unit; AU39 is never visible."""
    for k, (subject, task) in enumerate((s, t) for s in ("F001", "M002") for t in ("T1", "T8")):
        file = root / "AUCoding" / "AU_OCC" / f"{subject}_{task}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("0,1,2,12,39\n100,1,0,1,9\n101,0,9,1,9\n102,0,0,0,9\n")
        for frame in (99, 100, 101, 102):
            picture(root / "BP4D-training" / subject / task / f"{frame:04d}.jpg", 40 * k + frame)
    return root


def kdef(root: Path) -> Path:
    """Two people in two sessions: seven expressions from the front, one from all angles."""
    for person in ("F01", "M02"):
        for session in "AB":
            folder = root / f"{session}{person}"
            for i, code in enumerate(("AF", "AN", "DI", "HA", "NE", "SA", "SU")):
                picture(folder / f"{session}{person}{code}S.JPG", i)
            for angle in ("FL", "HL", "HR", "FR"):
                picture(folder / f"{session}{person}NE{angle}.JPG")
    return root


def jaffe(root: Path) -> Path:
    """Two women with all expressions."""
    for k, person in enumerate(("KA", "YM")):
        for i, code in enumerate(("AN", "DI", "FE", "HA", "NE", "SA", "SU")):
            picture(root / f"{person}.{code}1.{i + 10 * k + 1}.tiff", i + k)
    (root / "README_FIRST.txt").write_text("terms")
    return root


def fer2013_folders(root: Path) -> Path:
    """Kaggle's folders: two training faces per label, one of the public and one of the private test set."""
    for i, label in enumerate(("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")):
        for k, name in enumerate(("train/{}/Training_{}.jpg", "test/{}/PublicTest_{}.jpg", "test/{}/PrivateTest_{}.jpg")):
            picture(root / name.format(label, 1000 + i), 30 * k + i)
    return root


def fer2013_table(root: Path) -> Path:
    """The table."""
    root.mkdir(parents=True, exist_ok=True)
    row = " ".join(["7"] * 2304)
    (root / "fer2013.csv").write_text(f"emotion,pixels,Usage\n0,{row},PrivateTest\n")
    return root / "fer2013.csv"


def ferplus(root: Path) -> Path:
    """The official folder with one face."""
    folder = root / "data" / "FER2013Test"
    picture(folder / "fer0032220.png", 3)
    (folder / "label.csv").write_text('fer0032220.png,"(0, 0, 48, 48)",10,0,0,0,0,0,0,0,0,0\n')
    return root


def folder(root: Path) -> Path:
    """Label folders."""
    for label in ("happy", "sad"):
        picture(root / label / "1.png")
    return root


def table(root: Path) -> Path:
    """A table of predictions."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "t.csv").write_text("label,predicted\nhappy,happy\nsad,happy\n")
    return root / "t.csv"


TREES: dict[str, tuple[str, Tree]] = {
    "raf-db": ("raf-db", raf_db),
    "raf-db compound": ("raf-db", raf_db_compound),
    "raf-db kaggle": ("raf-db", raf_db_kaggle),
    "affectnet": ("affectnet", affectnet),
    "affectnet arrays": ("affectnet", affectnet_arrays),
    "expw": ("expw", expw),
    "ck+": ("ck+", ck_plus),
    "disfa": ("disfa", disfa),
    "bp4d": ("bp4d", bp4d),
    "kdef": ("kdef", kdef),
    "jaffe": ("jaffe", jaffe),
    "fer2013 folders": ("fer2013", fer2013_folders),
    "fer2013": ("fer2013", fer2013_table),
    "ferplus": ("ferplus", ferplus),
    "folder": ("folder", folder),
    "table": ("table", table),
}
"""For each tree the loader that reads it, and what writes it."""


@pytest.fixture
def plant(tmp_path) -> Callable[[str], Path]:
    """Write the tree of that name, and return what a user gives to ``fairfer audit``."""
    return lambda name: TREES[name][1](tmp_path / name.replace(" ", "-"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with the argument `tree` runs for every tree."""
    if "tree" in metafunc.fixturenames:
        metafunc.parametrize("tree", sorted(TREES))


@pytest.fixture
def reader(tree: str) -> str:
    """The loader that reads the tree."""
    return TREES[tree][0]


@pytest.fixture
def write_picture() -> Callable[..., None]:
    """`picture`."""
    return picture


@pytest.fixture
def write_facs() -> Tree:
    """`ck_plus_facs`."""
    return ck_plus_facs
