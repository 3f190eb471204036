"""DISFA, BP4D and the FACS codes of CK+: action units as true labels; what is unknown is never absent."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from fairfer.datasets.loading import load_dataset
from fairfer.errors import DataError, UsageError
from fairfer.metrics.subjects import likely_subject_column

DISFA_UNITS = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)


def values(data, sample: str) -> dict[str, int | None]:
    """Action units of one sample: 1, 0 or None."""
    return {unit: None if pd.isna(v) else int(v) for unit, v in data.truth.loc[sample].items()}


def told(data) -> dict[str, tuple[int, bool]]:
    """Steps with the number of excluded samples, and whether they lack a label."""
    return {s.what: (s.excluded, s.unlabeled) for s in data.steps}


# DISFA


@pytest.fixture
def disfa(plant):
    return plant("disfa")


@pytest.fixture
def au12(disfa):
    return disfa / "ActionUnit_Labels" / "SN001" / "SN001_au12.txt"


@pytest.mark.parametrize("threshold", [None, 1, 2, 3.5, 5])
def test_intensities_of_disfa_become_presence(disfa, threshold):
    """From 2 (B) by default; each frame has the codes of its own number."""
    data = load_dataset(disfa, au_threshold=threshold)
    assert data.task == "multi-label"
    assert data.labels.labels == tuple(f"AU{n}" for n in DISFA_UNITS)
    for subject in ("SN001", "SN013"):
        for frame in range(1, 7):
            expected = {f"AU{n}": int((frame + n) % 6 >= (threshold or 2)) for n in DISFA_UNITS}
            assert values(data, f"{subject}/{frame:05d}.png") == expected
    assert data.card["action unit present"] == f"from intensity {threshold or 2:g}"
    assert told(data) == {"subjects: 2": (0, False), "coded frames: 12": (0, False)}


def test_subjects_folds_and_frames_of_disfa_are_columns(disfa):
    """Frames of one subject are not independent."""
    data = load_dataset(disfa)
    assert data.samples["subject"].value_counts().to_dict() == {"SN001": 6, "SN013": 6}
    assert data.samples.groupby("subject")["fold"].unique().map(list).to_dict() == {"SN001": ["part1"], "SN013": ["part2"]}
    assert list(data.samples["frame"]) == [1, 2, 3, 4, 5, 6] * 2
    assert likely_subject_column(data.samples) == ("subject", 2)


def test_folds_are_splits_and_do_not_overlap(disfa):
    """27 subjects, nine per fold; a fold without subjects is an error."""
    from fairfer.datasets.loaders.disfa import FOLDS

    assert len({n for numbers in FOLDS.values() for n in numbers}) == sum(map(len, FOLDS.values())) == 27
    part = load_dataset(disfa, split="part2")
    assert (part.name, set(part.samples["subject"]), part.card["fold"]) == ("DISFA part2", {"SN013"}, "part2")
    assert list(told(part)) == ["subjects: 2", "subjects of part2 (--split): 1", "coded frames: 6"]
    with pytest.raises(DataError, match=r"--split part3: .* has no subject of this fold"):
        load_dataset(disfa, split="part3")
    with pytest.raises(UsageError, match="'part4' is not a split of DISFA"):
        load_dataset(disfa, split="part4")


def test_a_subject_of_no_fold_is_kept_with_all(disfa):
    """Such as the subjects of an extension; the fold is stated, not guessed."""
    (disfa / "ActionUnit_Labels" / "SN001").rename(disfa / "ActionUnit_Labels" / "SN099")
    for file in (disfa / "ActionUnit_Labels" / "SN099").iterdir():
        file.rename(file.with_name(file.name.replace("SN001", "SN099")))
    (disfa / "Images" / "SN001").rename(disfa / "Images" / "SN099")
    assert set(load_dataset(disfa).samples["fold"]) == {"none", "part2"}


def test_chosen_units(disfa):
    """The eight of most studies, in any order and spelling; unknown ones are refused."""
    data = load_dataset(disfa, labels="AU25,AU01,2,AU26")
    assert data.labels.labels == ("AU1", "AU2", "AU25", "AU26")
    for labels, complaint in {
        "AU7": "--labels AU7: DISFA has no such action unit; it has AU1, AU2, AU4, .*, AU26",
        "happy": "--labels happy: DISFA has no such action unit",
        "AU1,1": "AU1 is listed twice",
        ",": "--labels is empty",
    }.items():
        with pytest.raises(UsageError, match=complaint):
            load_dataset(disfa, labels=labels)


def test_frames_without_image_or_label_are_reported(disfa):
    """A subset of the frames may be extracted; files of other kinds are counted."""
    (disfa / "Images" / "SN001" / "00003.png").unlink()
    shutil.copy(disfa / "Images" / "SN001" / "00001.png", disfa / "Images" / "SN001" / "00007.png")
    shutil.copy(disfa / "Images" / "SN001" / "00001.png", disfa / "Images" / "SN001" / "cover.png")
    shutil.copy(disfa / "Images" / "SN001" / "00001.png", disfa / "Images" / "1.png")
    data = load_dataset(disfa)
    assert len(data) == 11
    assert told(data) == {
        "subjects: 2": (0, False),
        "coded frames: 12": (0, False),
        "coded frames without an image file": (1, False),
        "images of frames without codes, not used: 1": (0, False),
        "images whose name has no recording or number, not used: 2": (0, False),
    }


def test_a_frame_that_one_file_lacks_is_unknown_there(disfa, au12):
    """Neither present nor absent."""
    au12.write_text("".join(f"{frame},0\n" for frame in range(1, 6)))
    data = load_dataset(disfa)
    assert values(data, "SN001/00006.png")["AU12"] is None
    assert values(data, "SN001/00005.png")["AU12"] == 0
    assert values(data, "SN001/00006.png")["AU1"] == 0 + (7 % 6 >= 2)


@pytest.mark.parametrize(
    "name", ["SN001_{:05d}.png", "LeftVideoSN001_comp/frame_{}.png", "x/sn001/frame_det_00_{:06d}.png", "SN001/a/{}.png"]
)
def test_usual_names_of_frames_are_read(disfa, name):
    """The subject anywhere in the path, and the last number of the file's name."""
    for frame in range(1, 7):
        target = disfa / "Faces" / name.format(frame)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(disfa / "Images" / "SN001" / f"{frame:05d}.png", target)
    data = load_dataset(disfa, image_folder="Faces", labels="AU1")
    assert len(data) == 6
    assert [values(data, name.format(i))["AU1"] for i in range(1, 7)] == [1, 1, 1, 1, 0, 0]
    data.image(name.format(1))
    assert load_dataset(disfa, image_folder=str(disfa / "Faces"), labels="AU1").digest == data.digest


def test_images_that_count_from_zero_have_to_be_stated(disfa):
    """Otherwise every label would be that of the next frame."""
    for subject in ("SN001", "SN013"):
        for frame in range(1, 7):
            (disfa / "Images" / subject / f"{frame:05d}.png").rename(disfa / "Images" / subject / f"{frame - 1:05d}.png")
    with pytest.raises(DataError, match=r"has SN001/00000.png, but DISFA counts frames from 1; add --first-frame 0"):
        load_dataset(disfa)
    data = load_dataset(disfa, first_frame=0)
    assert [values(data, f"SN001/{i:05d}.png")["AU1"] for i in range(6)] == [1, 1, 1, 1, 0, 0]
    assert list(data.samples["frame"]) == [1, 2, 3, 4, 5, 6] * 2
    with pytest.raises(UsageError, match="--first-frame 2: the images of DISFA are numbered from 1, or from 0"):
        load_dataset(disfa, first_frame=2)


def test_two_cameras_are_not_mixed(disfa):
    """One image per frame."""
    shutil.copytree(disfa / "Images" / "SN001", disfa / "Images" / "RightVideoSN001_comp")
    with pytest.raises(DataError, match=r"two images of frame 1 of SN001: RightVideoSN001_comp/00001.png and SN001/00001.png"):
        load_dataset(disfa)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("1,2\n2,6\n", "SN001_au12.txt, line 2: '2,6' is not FRAME,INTENSITY with an intensity from 0 to 5"),
        ("1,2\n2\n", "line 2: '2' is not FRAME,INTENSITY"),
        ("1,-1\n", "line 1: '1,-1' is not FRAME,INTENSITY"),
        ("1,2\n1,2\n", "line 2: frame 1 occurs twice"),
        ("a,2\n", "line 1: 'a,2' is not"),
    ],
)
def test_damaged_label_files_of_disfa(disfa, au12, content, complaint):
    """File and line."""
    au12.write_text(content)
    with pytest.raises(DataError, match=complaint):
        load_dataset(disfa)


def test_missing_parts_of_disfa(disfa):
    """What is missing, and how to obtain it."""
    (disfa / "Images").rename(disfa / "Other")
    with pytest.raises(
        DataError, match=r"has no folder Images with the frames; extract the frames of one camera, as in ffmpeg"
    ):
        load_dataset(disfa)
    with pytest.raises(DataError, match="--image-folder nowhere is not a folder"):
        load_dataset(disfa, image_folder="nowhere")
    (disfa / "Empty").mkdir()
    with pytest.raises(DataError, match="has no image whose path names a recording of DISFA"):
        load_dataset(disfa, image_folder="Empty")
    (disfa / "Late").mkdir()
    shutil.copy(disfa / "Other" / "SN001" / "00001.png", disfa / "Late" / "SN001_9999.png")
    with pytest.raises(DataError, match=r"has no image of a coded frame of DISFA \(the first: frame 1 of SN001\)"):
        load_dataset(disfa, image_folder="Late")
    shutil.rmtree(disfa / "ActionUnit_Labels" / "SN001")
    (disfa / "ActionUnit_Labels" / "SN001").mkdir()
    with pytest.raises(DataError, match=r"SN001 has no file such as SN001_au1.txt"):
        load_dataset(disfa, image_folder="Other")


@pytest.mark.parametrize("threshold", [0, -1, 5.5, float("nan")])
def test_a_threshold_is_an_intensity(disfa, threshold):
    """0 would make every unit present."""
    with pytest.raises(UsageError, match=r"--au-threshold .* is no intensity; give one above 0 and up to 5"):
        load_dataset(disfa, au_threshold=threshold)


# BP4D


@pytest.fixture
def bp4d(plant):
    return plant("bp4d")


def test_nine_is_unknown_in_bp4d(bp4d):
    """A unit that is always hidden is no label; a hidden unit is neither present nor absent."""
    data = load_dataset(bp4d)
    assert data.labels.labels == ("AU1", "AU2", "AU12")
    assert values(data, "F001/T1/0100.jpg") == {"AU1": 1, "AU2": 0, "AU12": 1}
    assert values(data, "F001/T1/0101.jpg") == {"AU1": 0, "AU2": None, "AU12": 1}
    assert values(data, "M002/T8/0102.jpg") == {"AU1": 0, "AU2": 0, "AU12": 0}
    assert told(data) == {
        "coded recordings: 4": (0, False),
        "coded frames: 12": (0, False),
        "images of frames without codes, not used: 4": (0, False),
        "action units that are unknown in every frame and left out: AU39": (0, False),
    }


def test_subject_task_and_gender_of_bp4d(bp4d):
    """The letter of the subject is the gender; the source is stated."""
    data = load_dataset(bp4d)
    assert list(data.samples["subject"]) == ["F001"] * 6 + ["M002"] * 6
    assert list(data.samples["task"]) == (["T1"] * 3 + ["T8"] * 3) * 2
    assert list(data.samples["frame"]) == [100, 101, 102] * 4
    gender = data.attribute("gender")
    assert (gender.levels, gender.source) == (("female", "male"), "annotated")
    assert list(data.samples["gender"]) == ["female"] * 6 + ["male"] * 6


def test_units_of_bp4d_that_are_chosen_or_unknown(bp4d):
    """A frame in which all chosen units are hidden is excluded and counted."""
    data = load_dataset(bp4d, labels="AU2")
    assert len(data) == 8
    assert told(data)["frames in which every action unit is unknown"] == (4, True)
    with pytest.raises(DataError, match="BP4D: AU39 unknown in every frame; choose others with --labels"):
        load_dataset(bp4d, labels="AU39")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("0,1,2\n100,1,2\n", "F001_T1.csv, line 2: '2' is none of the codes 0, 1 and 9"),
        ("0,1,2\n100,1,\n", "line 2: '' is none of the codes"),
        ("0,1,2\n100,1\n", "line 2: 1 codes instead of 2"),
        ("0,1,2\nx,1,0\n", "line 2: .* or no number of the frame"),
        ("0,1,2\n1,1,0\n1,1,0\n", "line 3: frame 1 occurs twice"),
        ("0,1,1\n1,1,0\n", "line 1: '0,1,1' is no header"),
        ("0,AU1\n1,1\n", "line 1: '0,AU1' is no header"),
        ("0,1,2\n", "line 1: no coded frame follows the header"),
        ("", "line 1: '' is no header"),
    ],
)
def test_damaged_tables_of_bp4d(bp4d, content, complaint):
    """File and line."""
    (bp4d / "AUCoding" / "AU_OCC" / "F001_T1.csv").write_text(content)
    with pytest.raises(DataError, match=complaint):
        load_dataset(bp4d)


@pytest.mark.parametrize("name", ["F001_T1/0100.jpg", "2D+3D/F001/T1/100.jpg", "F001_T1_0100.jpg"])
def test_usual_names_of_bp4d(bp4d, name):
    """The recording anywhere in the path."""
    target = bp4d / "Faces" / name
    target.parent.mkdir(parents=True)
    shutil.copy(bp4d / "BP4D-training" / "F001" / "T1" / "0100.jpg", target)
    data = load_dataset(bp4d, image_folder="Faces")
    assert list(data.samples.index) == [name]
    assert told(data)["coded frames without an image file"] == (11, False)


def test_missing_image_folder_of_bp4d(bp4d):
    """The names that are tried begin with Images."""
    (bp4d / "BP4D-training").rename(bp4d / "pictures")
    with pytest.raises(DataError, match=r"has no folder Images with the frames; extract the images as F001/T1/2440.jpg"):
        load_dataset(bp4d)


# CK+ with FACS codes


@pytest.fixture
def facs(tmp_path, write_facs):
    return write_facs(tmp_path / "ck")


def peak(sequence: str) -> str:
    """The peak frame of a sequence."""
    return f"cohn-kanade-images/{sequence}/{sequence.replace('/', '_')}_00000004.png"


def test_units_of_the_peak_frame(facs):
    """Listed units are present, also those of intensity 0 (not graded); the others are absent. An empty file is no negative."""
    data = load_dataset(facs, labels="facs")
    units = ("AU1", "AU2", "AU4", "AU6", "AU7", "AU9", "AU12", "AU14", "AU15", "AU17", "AU25")
    assert (data.name, data.task, data.labels.labels) == ("CK+ FACS", "multi-label", units)
    present = {i: {u for u, v in values(data, i).items() if v} for i in data.samples.index}
    assert present == {
        peak("S005/001"): {"AU4", "AU7"},
        peak("S005/002"): {"AU14"},
        peak("S006/001"): {"AU9", "AU17"},
        peak("S007/001"): {"AU6", "AU12", "AU25"},
        peak("S007/002"): {"AU1", "AU15"},
        peak("S008/002"): {"AU1", "AU2", "AU25"},
    }
    assert data.truth.notna().all(axis=None)
    assert told(data) == {
        "sequences: 8": (0, False),
        "sequences without a FACS file": (1, True),
        "sequences whose FACS file is empty": (1, True),
    }
    assert list(data.samples["subject"]) == ["S005", "S005", "S006", "S007", "S007", "S008"]
    assert load_dataset(facs).task == "single-label"


def test_a_unit_that_was_not_graded_is_unknown_with_a_threshold(facs):
    """Its intensity may be above or below."""
    data = load_dataset(facs, labels="facs", au_threshold=3)
    assert values(data, peak("S005/001"))["AU7"] is None
    assert values(data, peak("S005/001"))["AU4"] == 1
    assert values(data, peak("S005/002"))["AU14"] == 0
    assert values(data, peak("S007/001"))["AU25"] is None
    assert values(data, peak("S006/001"))["AU25"] == 0
    assert data.card["action unit present"] == "from intensity 3; unknown if not graded"


def test_chosen_units_of_ck_plus(facs):
    """A list of units reads the FACS codes."""
    assert load_dataset(facs, labels="AU12,AU6").labels.labels == ("AU6", "AU12")
    with pytest.raises(UsageError, match="--labels AU99: CK\\+ has no such action unit"):
        load_dataset(facs, labels="AU99")


def test_options_of_emotions_and_units_are_not_mixed(facs):
    """Nobody coded the first frames, and emotions have no intensity."""
    with pytest.raises(UsageError, match="--neutral-frames is for emotions"):
        load_dataset(facs, labels="facs", neutral_frames=True)
    with pytest.raises(UsageError, match="--au-threshold is for action units; add --labels facs"):
        load_dataset(facs, au_threshold=2)


def test_folders_of_one_kind_of_labels(facs):
    """Without emotions the option is named; without FACS codes the folder; the names of the archives are read."""
    shutil.rmtree(facs / "Emotion")
    with pytest.raises(DataError, match=r"has no folder Emotion; .*; for action units add --labels facs"):
        load_dataset(facs)
    (facs / "FACS_labels").mkdir()
    (facs / "FACS").rename(facs / "FACS_labels" / "FACS")
    assert len(load_dataset(facs, labels="facs")) == 6
    for file in facs.rglob("*_facs.txt"):
        file.write_text("")
    with pytest.raises(DataError, match="has no action units of any sequence"):
        load_dataset(facs, labels="facs")
    (facs / "Emotion").mkdir()
    shutil.rmtree(facs / "FACS_labels")
    with pytest.raises(DataError, match="has no folder FACS; extract the FACS labels"):
        load_dataset(facs, labels="facs")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("4.0 6.0", "S005_001_00000004_facs.txt, line 1: '4.0 6.0' is not an action unit with an intensity from 0 to 5"),
        ("4.0", "line 1: '4.0' is not"),
        ("0 1", "line 1: '0 1' is not"),
        ("a 1", "line 1: 'a 1' is not"),
        ("4 1\n4 2", "line 2: AU4 occurs twice"),
    ],
)
def test_damaged_facs_files(facs, content, complaint):
    """File and line."""
    (facs / "FACS" / "S005" / "001" / "S005_001_00000004_facs.txt").write_text(content)
    with pytest.raises(DataError, match=complaint):
        load_dataset(facs, labels="facs")


def test_two_facs_files(facs):
    """Neither is guessed."""
    file = facs / "FACS" / "S005" / "001" / "S005_001_00000004_facs.txt"
    shutil.copy(file, file.with_name("S005_001_00000003_facs.txt"))
    with pytest.raises(DataError, match="S005/001 has 2 facs files; keep the one of the peak frame"):
        load_dataset(facs, labels="facs")
