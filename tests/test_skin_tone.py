"""Skin tone: columns of Fitzpatrick and Monk in their order and groups; the apparent skin tone of color images."""

from __future__ import annotations

import itertools
import math
import sys
import tomllib
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import fairfer
from fairfer.annotation import skin_tone
from fairfer.annotation.infer import annotate
from fairfer.annotation.skin_tone import TEMPLATE, SkinImages, measure, template_boxes, to_lab
from fairfer.cli.main import main
from fairfer.datasets.skin_tone import FITZPATRICK, ITA_CLASSES, MONK, ita_class, scale_of
from fairfer.errors import FairferError, ModelError, UsageError

RNG = np.random.default_rng(5)
TONES = {"light": (240, 205, 180), "mid": (198, 150, 115), "dark": (80, 55, 45)}
"""Colors of skin, without over- or underexposed channels."""


# Columns of tables


def table(**columns) -> pd.DataFrame:
    """Predictions with attributes."""
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"label": ["happy", "sad"] * (n // 2), "predicted": ["happy"] * n, **columns})


@pytest.mark.parametrize(
    ("name", "values", "levels", "groups"),
    [
        ("Fitzpatrick", ["VI", "I", "III", "II"], ("I", "II", "III", "VI"), ["dark", "light", "medium", "light"]),
        ("fitzpatrick_type", [6, 1, 3, 4], ("I", "III", "IV", "VI"), ["dark", "light", "medium", "medium"]),
        (
            "fitzpatrick skin type",
            ["Type v", "type I", None, "unknown"],
            ("I", "V", "unannotated"),
            ["dark", "light", None, None],
        ),
        ("monk", [10, 3, 4, 6], ("3", "4", "6", "10"), ["dark", "light", "medium", "medium"]),
        ("monk_skin_tone", ["scale 7", "Scale 1", "mst 3", "MST10"], ("1", "3", "7", "10"), ["dark", "light", "light", "dark"]),
        ("MST", [7.0, 2.0, np.nan, 5.0], ("2", "5", "7", "unannotated"), ["dark", "light", None, "medium"]),
    ],
)
def test_scales_have_their_order_and_groups(name, values, levels, groups):
    """From the lightest to the darkest; missing values stay missing."""
    data = fairfer.load_dataset(table(**{name: values}))
    assert data.attribute(name).levels == levels
    grouped = data.attribute(f"{name}_group")
    assert grouped.levels == tuple(
        n for n in ("light", "medium", "dark", "unannotated") if n in [g or "unannotated" for g in groups]
    )
    assert list(data.samples[f"{name}_group"]) == [g or "unannotated" for g in groups]
    assert ("light: I to II" if "itz" in name else "light: 1 to 3, medium: 4 to 6, dark: 7 to 10") in grouped.note


@pytest.mark.parametrize(
    ("name", "values"),
    [("fitzpatrick", ["light", "dark"]), ("fitzpatrick", [0, 3]), ("monk", [11, 1]), ("skin", [1, 2]), ("monks", [1, 2])],
)
def test_other_values_and_names_are_left_as_they_are(name, values):
    """A value outside of the scale means another scale."""
    data = fairfer.load_dataset(table(**{name: values}))
    assert [a.name for a in data.attributes] == [name]
    assert set(data.attribute(name).levels) == set(map(str, values))


def test_levels_that_the_user_declares_and_groups_that_exist_are_kept(tmp_path):
    """The provenance file and the table come first; the source is that of the scale."""
    frame = table(fitzpatrick=["I", "VI"] * 2, monk=[1, 10] * 2, monk_group=["a", "b"] * 2)
    frame.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "t.toml").write_text(
        '[fitzpatrick]\nsource = "annotated"\nlevels = ["VI", "I"]\n'
        '[monk]\nsource = "annotated"\nby = "three raters"\nnote = "Daylight."\n'
    )
    data = fairfer.load_dataset(tmp_path / "t.csv")
    assert [a.name for a in data.attributes] == ["fitzpatrick", "monk", "monk_group"]
    assert data.attribute("fitzpatrick").levels == ("VI", "I")
    assert data.attribute("monk_group").levels == ("a", "b")
    frame.drop(columns="monk_group").to_csv(tmp_path / "t.csv", index=False)
    group = fairfer.load_dataset(tmp_path / "t.csv").attribute("monk_group")
    assert (group.source, group.by) == ("annotated", "three raters")
    assert group.note.startswith("Daylight. Monk scale in groups: light: 1 to 3")


def test_groups_of_skin_tone_are_audited(tmp_path):
    """From a table of attributes beside the data; a face without a tone is unannotated."""
    frame = table(image=[f"{i}.png" for i in range(80)])
    frame.to_csv(tmp_path / "t.csv", index=False)
    pd.DataFrame({"image": [f"{i}.png" for i in range(72)], "fitzpatrick": [1 + i % 6 for i in range(72)]}).to_csv(
        tmp_path / "d.csv", index=False
    )
    data = fairfer.load_dataset(tmp_path / "t.csv", demographics=tmp_path / "d.csv")
    audit = fairfer.audit(data, fairfer.predict(data), by=["fitzpatrick_group"], permutations=100)
    assert {g: audit.size("fitzpatrick_group", g) for g in audit.groups("fitzpatrick_group")} == {
        ("light",): 24,
        ("medium",): 24,
        ("dark",): 24,
        ("unannotated",): 8,
    }


@given(st.sampled_from([FITZPATRICK, MONK]), st.data())
def test_every_spelling_of_a_level_is_that_level(scale, data):
    """Prefixes, cases and numbers."""
    position = data.draw(st.integers(1, len(scale.levels)))
    level = scale.levels[position - 1]
    prefix = data.draw(st.sampled_from(["", "Type ", "type_", "Scale ", "MST-", "monk "]))
    for text in (f"{prefix}{level}", f"{prefix}{level}".lower(), f"{prefix}{position}", f"{position}.0"):
        assert scale.level(text) == level
    assert scale.level(f"{prefix}{len(scale.levels) + 1}") is None
    assert scale_of("fitzpatrick", pd.Series([None, None], dtype="str")) is None


# CIELAB and the angle


@pytest.mark.parametrize(
    ("color", "expected"),
    [  # published values of the primaries for D65 (Lindbloom; scikit-image gives the same)
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.2408, 80.0925, 67.2032)),
        ((0, 255, 0), (87.7347, -86.1827, 83.1793)),
        ((0, 0, 255), (32.2970, 79.1875, -107.8602)),
        ((128, 128, 128), (53.585, 0, 0)),
    ],
)
def test_lab_has_the_published_values(color, expected):
    """To a hundredth."""
    np.testing.assert_allclose(to_lab(np.array([color], np.uint8))[0], expected, atol=0.02)


def test_lab_agrees_with_opencv():
    """On random colors; OpenCV interpolates in a table, which is good to a few tenths."""
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    pixels = RNG.integers(0, 256, (500, 3), np.uint8)
    theirs = cv2.cvtColor((pixels / 255).astype(np.float32)[:, None], cv2.COLOR_RGB2LAB)[:, 0]
    np.testing.assert_allclose(to_lab(pixels), theirs, atol=0.5)


def lab_by_hand(color) -> tuple[float, float, float]:
    """CIELAB of one color, channel by channel, without arrays, with the rounded constants of textbooks."""
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in color]
    x = (0.4124564 * linear[0] + 0.3575761 * linear[1] + 0.1804375 * linear[2]) / 0.95047
    y = 0.2126729 * linear[0] + 0.7151522 * linear[1] + 0.0721750 * linear[2]
    z = (0.0193339 * linear[0] + 0.1191920 * linear[1] + 0.9503041 * linear[2]) / 1.08883
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def by_hand(color) -> float:
    """ITA of one color."""
    lightness, _, b = lab_by_hand(color)
    return math.degrees(math.atan((lightness - 50) / b))


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_lab_agrees_with_an_independent_implementation(color):
    """For any color."""
    np.testing.assert_allclose(to_lab(np.array([color], np.uint8))[0], lab_by_hand(color), atol=0.01)


@pytest.mark.parametrize("name", TONES)
def test_the_angle_is_that_of_the_median_color(name):
    """A minority of other pixels does not matter."""
    pixels = np.tile(np.array(TONES[name], np.uint8), (101, 1))
    pixels[:30] = (30, 160, 40)
    tone = measure(pixels)
    assert tone.ita == pytest.approx(by_hand(TONES[name]), abs=0.1)
    assert tone.usable == 1
    assert tone.lightness == pytest.approx(float(to_lab(pixels[-1:])[0, 0]))


def test_over_and_underexposed_pixels_are_left_out():
    """Up to half of the region; beyond that nothing is measured."""
    pixels = np.tile(np.array(TONES["mid"], np.uint8), (100, 1))
    pixels[:20], pixels[20:45] = (255, 250, 240), (9, 5, 3)
    tone = measure(pixels)
    assert tone.ita == pytest.approx(by_hand(TONES["mid"]), abs=0.1)
    assert tone.usable == 0.55
    pixels[45:60] = (255, 255, 200)
    assert measure(pixels) == "not measurable: over- or underexposed"


def test_gray_and_bluish_regions_are_not_measured():
    """A gray picture has no hue; equal channels may differ by rounding."""
    gray = np.repeat(RNG.integers(20, 230, (50, 1)), 3, axis=1).astype(np.uint8)
    assert measure(gray) == "not measurable: gray image"
    assert measure(gray + np.array([0, 1, 2], np.uint8)) == "not measurable: gray image"
    assert measure(np.tile(np.array([100, 120, 200], np.uint8), (9, 1))) == "not measurable: bluish light"


def test_classes_have_the_published_cut_points():
    """Above 55, 41, 28, 10 and -30 degrees; a cut point belongs to the darker class."""
    names = [name for name, _ in ITA_CLASSES]
    assert names == ["very light", "light", "intermediate", "tan", "brown", "dark"]
    for cut, (lighter, darker) in zip((55, 41, 28, 10, -30), itertools.pairwise(names), strict=True):
        assert (ita_class(cut + 0.1), ita_class(cut)) == (lighter, darker)


# Regions


def face(color, side=100, background=(20, 90, 200), boxes=TEMPLATE) -> np.ndarray:
    """A picture whose skin region has a color."""
    pixels = np.empty((side, side, 3), np.uint8)
    pixels[:] = background
    for left, top, right, bottom in np.asarray(boxes) * side:
        pixels[round(top) : round(bottom), round(left) : round(right)] = color
    return pixels


@pytest.mark.parametrize("shape", [(100, 100), (48, 48), (200, 120), (7, 9), (1, 1)])
def test_template_boxes_lie_in_the_picture_and_are_symmetric(shape):
    """Also in tiny pictures, where each box has at least one pixel."""

    class One:
        def raw(self, sample_id):
            return b""

        def decode(self, raw, sample_id):
            return RNG.integers(0, 256, (*shape, 3), np.uint8)

    pixels = SkinImages(One(), template_boxes).decode(b"", "a")
    assert pixels.shape[1:] == (1, 3)
    assert len(pixels) >= 3
    left, right, forehead = TEMPLATE
    np.testing.assert_allclose([left[0], left[2]], [1 - right[2], 1 - right[0]])
    assert forehead[0] == pytest.approx(1 - forehead[2])


@pytest.fixture
def faces(tmp_path):
    """Faces of three tones, a gray one, and a file that is no image."""
    (tmp_path / "faces").mkdir()
    rows = ["file_name,label"]
    for i in range(24):
        name = list(TONES)[i % 3]
        Image.fromarray(face(TONES[name])).save(tmp_path / "faces" / f"{name}{i}.png")
        rows.append(f"{name}{i}.png,happy")
    Image.fromarray(RNG.integers(0, 256, (48, 48), np.uint8)).save(tmp_path / "faces" / "gray.png")
    (tmp_path / "faces" / "bad.png").write_bytes(b"no image")
    (tmp_path / "faces" / "metadata.csv").write_text("\n".join([*rows, "gray.png,sad", "bad.png,sad"]) + "\n")
    return tmp_path / "faces"


def test_the_table_of_apparent_tones(faces, tmp_path):
    """Angles by hand, classes, provenance as inferred with the caveat of lighting, and missing values with reasons."""
    out = tmp_path / "tones.csv"
    annotation = annotate(fairfer.load_dataset(faces), out, attributes=["ita"])
    frame = pd.read_csv(out, index_col="sample_id")
    assert list(frame.columns) == ["apparent_skin_tone", "apparent_ita"]
    for name, color in TONES.items():
        angle = by_hand(color)
        rows = frame[frame.index.str.startswith(name)]
        np.testing.assert_allclose(rows["apparent_ita"], angle, atol=0.1)
        assert set(rows["apparent_skin_tone"]) == {ita_class(angle)}
    assert frame.loc[["gray.png", "bad.png"]].isna().all(axis=None)
    assert annotation.measured == {"ok": 24, "not measurable: gray image": 1, "unreadable": 1}
    assert annotation.statuses == {}
    stored = tomllib.loads(out.with_suffix(".toml").read_text())
    assert {s["source"] for s in stored.values()} == {"inferred"}
    note = stored["apparent_skin_tone"]["note"]
    assert "lighting, camera, make-up and image processing change it" in note
    assert "Not measurable in 2 of 26 images (gray image: 1; unreadable: 1)." in note
    assert "template boxes on cheeks and forehead" in stored["apparent_skin_tone"]["by"]
    data = fairfer.load_dataset(faces, demographics=out)
    assert data.attribute("apparent_skin_tone").source == "inferred"
    order = [name for name, _ in ITA_CLASSES]
    levels = [n for n in data.attribute("apparent_skin_tone").levels if n != "unannotated"]
    assert levels == sorted(levels, key=order.index)


def test_the_note_of_images_that_are_all_measured_has_no_number(faces):
    """Only the caveat."""
    dataset = fairfer.load_dataset(faces)
    annotation = annotate(dataset.replace(samples=dataset.samples.iloc[:24]), attributes=["ita"])
    assert annotation.measured == {"ok": 24}
    assert annotation.sections[0].note.endswith("a difference between its groups may be one of lighting.")


def test_an_interrupted_run_is_continued_and_gives_the_same_bytes(faces, tmp_path, monkeypatch):
    """Stored answers are not computed again, unless the region is another."""
    out = tmp_path / "tones.csv"
    dataset = fairfer.load_dataset(faces)
    annotate(dataset, out, attributes=["ita"])
    before = (out.read_bytes(), out.with_suffix(".toml").read_bytes())
    with monkeypatch.context() as patch:
        patch.setattr(skin_tone.ToneModel, "predict", lambda *_: pytest.fail("measured again"))
        annotate(dataset, out, attributes=["ita"])
    assert (out.read_bytes(), out.with_suffix(".toml").read_bytes()) == before
    mine = tmp_path / "mine.csv"
    mine.write_text("image,a\n1,2\n")
    with pytest.raises(UsageError, match="was not written by fairfer annotate"):
        annotate(dataset, mine, attributes=["ita"])


@pytest.mark.parametrize("scheme", [68, 478])
def test_landmarks_place_the_boxes(tmp_path, scheme):
    """A face in a corner of the picture, whose template boxes show the background; a face without landmarks is none."""
    (tmp_path / "f").mkdir()
    spots = [(22, 26), (38, 26), (30, 14)] if scheme == 478 else [(22, 26), (38, 26)]
    points = np.full((scheme, 2), 30.0)
    if scheme == 478:
        points[[33, 263]] = (20, 20), (40, 20)
        points[[50, 280, 151]] = spots
    else:
        points[[36, 45]] = (20, 20), (40, 20)
        points[[41, 31, 48, 2]], points[[46, 35, 54, 14]] = spots[0], spots[1]
    picture = face((1, 2, 250), boxes=[])
    for x, y in spots:
        picture[y - 4 : y + 4, x - 4 : x + 4] = TONES["mid"]
    for name in ("a.png", "b.png", "c.png"):
        Image.fromarray(picture).save(tmp_path / "f" / name)
    (tmp_path / "f" / "metadata.csv").write_text("file_name,label\na.png,happy\nb.png,sad\nc.png,sad\n")
    xs, ys = (" ".join(map(str, points[:, k])) for k in (0, 1))
    away = " ".join(map(str, points[:, 0] + 500))
    (tmp_path / "l.csv").write_text(f"image,x,y\na.png,{xs},{ys}\nb.png,,\nc.png,{away},{ys}\n")
    annotation = annotate(fairfer.load_dataset(tmp_path / "f"), attributes=["ita"], landmarks=tmp_path / "l.csv")
    assert annotation.frame["apparent_ita"]["a.png"] == pytest.approx(by_hand(TONES["mid"]), abs=0.1)
    assert annotation.frame["apparent_ita"].isna().tolist() == [False, True, True]
    assert annotation.measured == {"ok": 1, "the table of landmarks has no face inside the image": 2}
    assert f"boxes on cheeks{' and forehead' if scheme == 478 else ''} by the landmarks of l.csv" in annotation.sections[0].by


def test_mesh_boxes_lie_on_the_cheeks_of_real_faces(shared):
    """Below the eyes, above the mouth, and inside the face, on every face of FER+ Test with landmarks."""
    from fairfer.annotation.skin_tone import landmark_boxes
    from fairfer.datasets.landmarks import read_landmarks

    path = shared / "data" / "ferplus" / "landmarks_test.parquet"
    names = pd.read_parquet(path, columns=["image"])["image"]
    landmarks = read_landmarks(path, names)
    boxes = landmark_boxes(landmarks)
    inside = []
    for name, points in landmarks.points.items():
        left, right, forehead = boxes(name, 48, 48).reshape(3, 2, 2).mean(axis=1)
        eyes, mouth = points[[33, 263], 1].mean(), points[[61, 291], 1].mean()
        low, high = points[:, 0].min(), points[:, 0].max()
        inside.append(
            eyes < left[1] < mouth and eyes < right[1] < mouth and forehead[1] < eyes and low < left[0] < right[0] < high
        )
    assert np.mean(inside) > 0.97


def test_gray_datasets_are_refused_in_one_line(tmp_path):
    """FER2013, FER+ and CK+ are gray: no class is invented."""
    (tmp_path / "f" / "happy").mkdir(parents=True)
    for i in range(3):
        Image.fromarray(RNG.integers(0, 256, (48, 48), np.uint8)).save(tmp_path / "f" / "happy" / f"{i}.png")
    with pytest.raises(ModelError, match=r"no answer for any of 3 images .*not measurable: gray image") as caught:
        annotate(fairfer.load_dataset(tmp_path / "f"), attributes=["ita"])
    assert "\n" not in str(caught.value)


def test_options_without_their_attribute_are_refused(faces):
    """One line each."""
    dataset = fairfer.load_dataset(faces)
    for options, complaint in (
        ({"attributes": ["itta"]}, "--attributes itta: no such attribute is inferred; did you mean 'ita'"),
        (
            {"attributes": ["ita"], "validated": "x.csv"},
            "--validated is for attributes that DeepFace infers, not for ita alone",
        ),
        (
            {"attributes": ["gender"], "landmarks": "x.csv"},
            "--landmarks is for the apparent skin tone; add ita to --attributes",
        ),
        ({"attributes": ["ita"], "bands": {"ita": [1]}}, "--bands ita: only an inferred age is cut into bands"),
        ({"attributes": ["ita"], "landmarks": "x.csv"}, "x.csv"),
    ):
        with pytest.raises(FairferError, match=complaint) as caught:
            annotate(dataset, **options)
        assert "\n" not in str(caught.value)


def test_a_name_that_the_dataset_uses_is_not_taken(faces):
    """As of the networks' attributes."""
    dataset = fairfer.load_dataset(faces)
    dataset = dataset.replace(samples=dataset.samples.assign(apparent_skin_tone="x"))
    annotation = annotate(dataset, attributes=["ita"])
    assert list(annotation.frame.columns) == ["inferred_apparent_skin_tone", "apparent_ita"]
    assert annotation.renamed == {"apparent_skin_tone": "inferred_apparent_skin_tone"}


def test_the_command_and_the_report_call_it_apparent(faces, tmp_path, monkeypatch, capsys, few_figures):
    """From pictures to the caveats of a report, with the commands that the first one proposes."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["fairfer", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        text = capsys.readouterr()
        assert not stop.value.code, text.err
        return text.out

    out = run("annotate", "faces", "--attributes", "ita", "--out", "tones.csv")
    assert "apparent skin tone measured in 24 of 26 images" in out
    assert "not measurable: gray image: 1 (empty in the table)" in out
    assert "Audit: fairfer audit faces --demographics tones.csv --by apparent_skin_tone" in out
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run("audit", "faces", "--demographics", "tones.csv", "--by", "apparent_skin_tone", "--permutations", 100, "--out", "r")
    page = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    assert "inferred by a model, not self-reported" in page
    assert "lighting, camera, make-up and image processing change it" in page
