"""Action units from the dataset to the report: what is unknown is counted nowhere; models and tools are audited alike."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import fairfer
from fairfer.audits.audit import audit_predictions
from fairfer.audits.plan import AuditPlan
from fairfer.cli.main import main
from fairfer.datasets.binary_columns import Coding
from fairfer.datasets.loading import load_dataset
from fairfer.errors import DataError, FairferError, UsageError
from fairfer.predictions.predictions import Predictions
from fairfer.testing import FakeModel, check_loader

RNG = np.random.default_rng(11)
UNITS = ("AU1", "AU12", "AU25")
FRAMES = 12


def audit(data, **plan):
    """An audit of the predictions that came with the data."""
    return audit_predictions(data, Predictions.from_recorded(data), AuditPlan.of({"permutations": 100, **plan}))


def counted(audit, label: str, attribute=(), group=()) -> tuple[int, int, int, int]:
    """TP, FN, FP and TN of a label, from the numerators and denominators of the rates."""
    tpr, fpr = (audit.rate(r, label=label, attribute=attribute, group=group) for r in ("TPR", "FPR"))
    return tpr.numerator, tpr.denominator - tpr.numerator, fpr.numerator, fpr.denominator - fpr.numerator


# Tables


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, content: str):
    path.write_text(content, encoding="utf-8")
    return path


def test_the_star_after_au_is_the_number_of_a_unit(folder):
    """Labels are action units in the order of their numbers; a column that begins alike is an attribute."""
    path = write(
        folder / "t.csv", "image,AU12,AU01,AU2,AUC,AU_note,age,p_AU1,p_AU02,p_AU12\na,1,0,1,x,n,3,1,1,1\nb,0,1,0,y,n,4,0,0,0\n"
    )
    data = load_dataset(path, truth="AU*", predicted="p_AU*")
    assert data.labels.labels == ("AU12", "AU1", "AU2")
    assert data.recorded.labels.labels == ("AU1", "AU2", "AU12")
    assert [a.name for a in data.attributes] == ["AUC", "AU_note", "age"]
    assert list(audit(data, by=["AUC"]).labels.audited) == ["AU1", "AU2", "AU12"]
    check_loader(data)


@pytest.mark.parametrize(
    ("columns", "pattern"), [("t_AU_12", "t_AU_*"), ("t:au12", "t:au*"), ("AU12_c", "AU*_c"), ("x.AU12.y", "x.AU*.y")]
)
def test_patterns_of_units(folder, columns, pattern):
    """Separators and endings; a word that ends in au is no action unit."""
    path = write(folder / "t.csv", f"id,{columns},predicted\na,1,AU12\nb,0,AU1\n")
    assert load_dataset(path, truth=pattern).labels.labels == ("AU12",)
    path = write(folder / "u.csv", "id,beau12,beau1,predicted\na,1,0,12\nb,0,0,1\n")
    assert load_dataset(path, truth="beau*").labels.labels == ("12", "1")


def test_a_table_of_units_without_a_pattern_says_how_to_name_them(folder):
    """Nothing is guessed: the columns may be predictions."""
    path = write(folder / "t.csv", "image,AU1,AU2\na,1,0\n")
    with pytest.raises(UsageError, match=r"such as --truth 'AU\*'"):
        load_dataset(path)


def test_unknown_units_are_in_no_count(folder):
    """9, -1, 999, NA and empty are neither present nor absent, whatever the model answers: counted by hand."""
    rows = [
        # truth of AU1 and AU2, prediction of AU1 and AU2
        ("1", "9", 1, 1),
        ("0", "-1", 1, 0),
        ("9", "1", 1, 1),
        ("9", "0", 0, 0),
        ("-1", "1", 1, 0),
        ("", "0", 0, 1),
        ("999", "1", 1, 1),
        ("1", "NA", 0, 0),
        ("9", "-1", 1, 1),  # nothing is known: the row is excluded
        ("0", "0", 0, 0),
    ]
    lines = [f"i{i},{a},{b},{p},{q}" for i, (a, b, p, q) in enumerate(rows)]
    path = write(folder / "t.csv", "\n".join(["image,AU1,AU2,p_AU1,p_AU2", *lines]) + "\n")
    data = load_dataset(path, truth="AU*", predicted="p_AU*", unknown_codes="-1,999")
    assert len(data) == 9
    result = audit(data)
    for label, column in (("AU1", 0), ("AU2", 1)):
        pairs = [(r[column], r[column + 2]) for r in rows]
        expected = tuple(pairs.count(p) for p in (("1", 1), ("1", 0), ("0", 1), ("0", 0)))
        assert counted(result, label) == expected
        assert sum(expected) == sum(r[column] in ("0", "1") for r in rows)
    assert data.card["codes for unknown"] == "9, -1, 999"


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_intensities_of_a_table_become_presence(folder, suffix):
    """With the threshold of the option, of numbers and of letters; 9 is never an intensity."""
    frame = pd.DataFrame({"image": list("abcdefg"), "AU1": [0, 1, 2, 3, 5, 9, None], "p_AU1": 1})
    path = folder / f"t.{suffix}"
    frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path, index=False)
    for threshold in (1, 2, 2.5, 5):
        data = load_dataset(path, truth="AU*", predicted="p_AU*", au_threshold=threshold)
        assert list(data.truth["AU1"]) == [int(v >= threshold) for v in (0, 1, 2, 3, 5)]
        assert data.card["action unit present"] == f"from intensity {threshold:g}"
    letters = write(folder / "l.csv", "image,AU1,p_AU1\na,A,1\nb,b,1\nc,E,1\nd,0,1\ne,9,1\n")
    assert list(load_dataset(letters, truth="AU*", predicted="p_AU*", au_threshold=2).truth["AU1"]) == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("cell", "options", "complaint"),
    [
        ("-1", {}, r"row 'a': '-1' is neither 1 nor 0; .* another code for unknown is stated with --unknown-codes"),
        ("3", {}, r"row 'a': '3' is neither 1 nor 0; .* state from which one a unit is present, as in --au-threshold 2"),
        ("6", {"au_threshold": 2}, "row 'a': '6' is no intensity from 0 to 5"),
        ("-1", {"au_threshold": 2}, "row 'a': '-1' is no intensity .* --unknown-codes"),
        ("true", {"au_threshold": 2}, "row 'a': 'true' is no intensity"),
        ("F", {"au_threshold": 2}, "row 'a': 'F' is no intensity"),
        ("nan", {"au_threshold": 2, "unknown_codes": "x"}, None),
        ("1", {"unknown_codes": "1"}, "--unknown-codes 1: 1 has a meaning of its own"),
        ("1", {"unknown_codes": "3", "au_threshold": 2}, "--unknown-codes 3: 3 has a meaning of its own"),
        ("1", {"unknown_codes": "c", "au_threshold": 2}, "--unknown-codes c: c has a meaning of its own"),
        ("1", {"unknown_codes": ","}, "--unknown-codes is empty"),
        ("1", {"au_threshold": 0}, "--au-threshold 0 is no intensity"),
    ],
)
def test_codes_are_never_guessed(folder, cell, options, complaint):
    """Each is one line that names the option."""
    path = write(folder / "t.csv", f"image,AU1,p_AU1\na,{cell},1\nb,1,1\n")
    if complaint is None:
        assert len(load_dataset(path, truth="AU*", predicted="p_AU*", **options)) == 1
        return
    with pytest.raises(FairferError, match=complaint) as caught:
        load_dataset(path, truth="AU*", predicted="p_AU*", **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", [{"au_threshold": 2}, {"unknown_codes": "-1"}])
def test_codings_need_one_column_per_label(folder, options):
    """In tables and folders."""
    path = write(folder / "t.csv", "image,label,predicted\na,happy,happy\n")
    with pytest.raises(
        UsageError, match=r"is for one column per label; name the columns with a pattern such as --truth 'AU\*'"
    ):
        load_dataset(path, **options)
    Image.new("L", (8, 8)).save(folder / "a.png")
    write(folder / "metadata.csv", "file_name,label\na.png,happy\n")
    with pytest.raises(UsageError, match="is for one column per label"):
        load_dataset(folder, **options)


CELLS = st.sampled_from(["0", "1", "2", "3", "4", "5", "A", "e", "9", "-1", "", "NA", "2.0", "4.5"])


@settings(max_examples=40)
@given(st.lists(CELLS, min_size=1, max_size=12), st.sampled_from([0.5, 1, 2, 3, 5]))
def test_presence_agrees_with_an_independent_reading(cells, threshold):
    """Cell by cell, without pandas."""
    from fairfer.datasets.binary_columns import to_binary

    def expected(cell: str) -> int | None:
        if cell in ("9", "-1", "", "NA"):
            return None
        return int((("ABCDE".index(cell.upper()) + 1) if cell.isalpha() else float(cell)) >= threshold)

    column = pd.Series([c or None for c in cells], dtype="str")
    binary = to_binary(column, "t", Coding.of(threshold, "-1"))
    assert [None if pd.isna(v) else int(v) for v in binary] == [expected(c) for c in cells]


# Tables with images


def kollias(root) -> None:
    """DISFA as Kollias et al. distribute it: a table with attributes, and images by name."""
    (root / "crops" / "SN001").mkdir(parents=True)
    rows = ["name,AU1,AU2,AU12,age,gender,race"]
    for i in range(4):
        Image.fromarray(np.full((8, 8), 60 * i, np.uint8)).save(root / "crops" / "SN001" / f"{i}.png")
        rows.append(f"SN001/{i}.png,{i % 2},{i // 2},-1,{20 + i},{'Male' if i < 2 else 'Female'},White")
    write(root / "disfa.csv", "\n".join(rows) + "\n")


def test_a_table_of_units_with_a_folder_of_images(folder):
    """The names are the paths of the images, which a model sees; missing ones are rows."""
    kollias(folder)
    data = load_dataset(folder / "disfa.csv", truth="AU*", image_folder="crops", unknown_codes="-1", labels=None)
    assert (data.task, data.labels.labels, len(data)) == ("multi-label", ("AU1", "AU2", "AU12"), 4)
    assert [a.name for a in data.attributes] == ["age", "gender", "race"]
    assert data.truth["AU12"].isna().all()
    assert data.image("SN001/3.png")[0, 0].tolist() == [180] * 3
    check_loader(data)
    (folder / "crops" / "SN001" / "0.png").unlink()
    again = load_dataset(folder / "disfa.csv", truth="AU*", image_folder="crops", unknown_codes="-1")
    assert len(again) == 4
    assert list(fairfer.predict(again, FakeModel(data.labels.labels, task="multi-label")).frame["status"]) == [
        "unreadable",
        "ok",
        "ok",
        "ok",
    ]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (
            {"predicted": "p_*"},
            "--image-folder is for images that a model answers to, --predicted for predictions in the table",
        ),
        ({"map": {"a": "b"}}, "--map for predictions in the table"),
        ({"format": "openface"}, "--format for predictions in the table"),
        ({"image_folder": "nowhere"}, "--image-folder nowhere is not a folder"),
        ({"image_folder": "empty"}, r"empty has none of the images of disfa.csv \(the first: SN001/0.png\)"),
        ({"sample_id": "nam"}, "has no column 'nam'"),
        ({"sample_id": "gender"}, "column 'gender': the id 'Male' occurs more than once"),
    ],
)
def test_invalid_tables_of_images(folder, options, complaint):
    """One line each."""
    kollias(folder)
    (folder / "empty").mkdir()
    with pytest.raises(FairferError, match=complaint) as caught:
        load_dataset("disfa.csv", **{"truth": "AU*", "image_folder": "crops", "unknown_codes": "-1", **options})
    assert "\n" not in str(caught.value)


def test_names_of_images_are_needed_and_stay_below_the_folder(folder):
    """Row numbers are no names; a path upwards is refused."""
    kollias(folder)
    write(folder / "a.csv", "who,AU1\nSN001/0.png,1\n")
    with pytest.raises(DataError, match=r"a.csv has no column that names the images; call it 'image'"):
        load_dataset("a.csv", truth="AU*", image_folder="crops")
    assert len(load_dataset("a.csv", truth="AU*", image_folder="crops", sample_id="who")) == 1
    write(folder / "b.csv", "image,AU1\n../disfa.csv,1\n")
    with pytest.raises(DataError, match=r"'../disfa.csv' is outside of --image-folder"):
        load_dataset("b.csv", truth="AU*", image_folder="crops")


def test_a_folder_of_images_with_intensities(folder):
    """Metadata with one column per unit, in both splits with the same coding; each image keeps its own truth."""
    for split, cells in (("train", "2,9"), ("test", "-1,5")):
        (folder / "f" / split).mkdir(parents=True)
        Image.new("L", (8, 8)).save(folder / "f" / split / "a.png")
        write(folder / "f" / split / "metadata.csv", f"file_name,AU04,AU12,gender\na.png,{cells},f\n")
    data = load_dataset(folder / "f", truth="AU*", au_threshold=3, unknown_codes="-1")
    assert data.labels.labels == ("AU4", "AU12")
    assert {i: list(row) for i, row in zip(data.samples.index, data.truth.fillna(-1).to_numpy(), strict=True)} == {
        "test/a.png": [-1, 1],
        "train/a.png": [0, -1],
    }
    assert (data.card["action unit present"], data.card["codes for unknown"]) == ("from intensity 3", "9, -1")
    check_loader(data)


# DISFA from the label files to the report


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> SimpleNamespace:
    """A DISFA tree of 24 people: the truth, and the answers that the pictures cause. AU12 of women is missed more often."""
    root = tmp_path_factory.mktemp("e2e")
    rows = []
    for number in range(1, 25):
        subject, gender = f"SN{number:03d}", "female" if number % 2 else "male"
        intensity = RNG.integers(0, 6, (FRAMES, 3))
        present = intensity >= 2
        missed = RNG.random((FRAMES, 3)) < [0.1, 0.6 if gender == "female" else 0.1, 0.2]
        answered = present ^ missed
        folder = root / "disfa" / "ActionUnit_Labels" / subject
        folder.mkdir(parents=True)
        for k, unit in enumerate((1, 12, 25)):
            lines = [f"{frame + 1},{intensity[frame, k]}" for frame in range(FRAMES)]
            (folder / f"{subject}_au{unit}.txt").write_text("\n".join(lines) + "\n")
        pictures = root / "disfa" / "Images" / subject
        pictures.mkdir(parents=True)
        for frame in range(FRAMES):
            pixels = RNG.integers(0, 255, (6, 8)).astype(np.uint8)
            pixels[0, :3] = 255 * answered[frame]
            Image.fromarray(pixels).save(pictures / f"{frame + 1:05d}.png")
            name = f"{subject}/{frame + 1:05d}.png"
            rows += [(name, subject, gender, u, int(present[frame, k]), int(answered[frame, k])) for k, u in enumerate(UNITS)]
    truth = pd.DataFrame(rows, columns=["image", "subject", "gender", "unit", "present", "answered"])
    truth[["image", "gender"]].drop_duplicates().to_csv(root / "people.csv", index=False)
    return SimpleNamespace(root=root, truth=truth)


def expected_counts(truth: pd.DataFrame, unit: str, gender: str) -> tuple[int, int, int, int]:
    """TP, FN, FP and TN, counted without fairfer."""
    rows = truth[(truth["unit"] == unit) & (truth["gender"] == gender)]
    pairs = list(zip(rows["present"], rows["answered"], strict=True))
    return tuple(pairs.count(p) for p in ((1, 1), (1, 0), (0, 1), (0, 0)))


@pytest.fixture
def run(monkeypatch, capsys):
    """Run ``fairfer``; its output."""

    def call(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["fairfer", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        text = capsys.readouterr()
        assert not stop.value.code, text.err
        return text.out

    return call


def write_units_graph(folder) -> None:
    """A multi-label ONNX graph with sigmoid outputs; unit i is present where pixel i of the first row is white."""
    onnx = pytest.importorskip("onnx", reason="the package onnx builds the graph of this test")
    node, tensor = onnx.helper.make_node, onnx.TensorProto
    weights = np.zeros((48, 4), np.float32)
    weights[[0, 1, 2], [2, 0, 1]] = 8  # the outputs are AU12, AU25, AU1 and AU4
    nodes = [
        node("Flatten", ["x"], ["flat"], axis=1),
        node("MatMul", ["flat", "w"], ["product"]),
        node("Add", ["product", "b"], ["logits"]),
        node("Sigmoid", ["logits"], ["y"]),
    ]
    constants = [onnx.numpy_helper.from_array(v, n) for n, v in (("w", weights), ("b", np.full(4, -4, np.float32)))]
    graph = onnx.helper.make_graph(
        nodes,
        "units",
        [onnx.helper.make_tensor_value_info("x", tensor.FLOAT, ["n", 1, 6, 8])],
        [onnx.helper.make_tensor_value_info("y", tensor.FLOAT, ["n", 4])],
        constants,
    )
    model = onnx.helper.make_model(graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 18)])
    (folder / "units.onnx").write_bytes(model.SerializeToString())
    (folder / "units.toml").write_text(
        'name = "units"\ngraph = "units.onnx"\ntask = "multi-label"\nlabels = ["AU12", "AU25", "AU01", "AU04"]\n[input]\n'
        f'layout = "NCHW"\nsize = [6, 8]\ncolor = "gray"\nscale = {1 / 255}\n[output]\nkind = "probabilities"\n'
    )


def test_a_multi_label_graph_is_audited_on_disfa(tree, run, few_figures, tmp_path):
    """``fairfer audit`` from the label files to the report: every count equals the count by hand; subjects are clusters."""
    write_units_graph(tmp_path)
    out = tmp_path / "run"
    model = f"onnx:{tmp_path / 'units.toml'}"
    options = ("--subject", "subject", "--by", "gender", "--demographics", tree.root / "people.csv", "--permutations", 200)
    run("audit", tree.root / "disfa", "--model", model, *options, "--out", out)
    result = fairfer.Audit.read(out / "audit.json")
    assert tuple(result.labels.audited) == UNITS
    for unit in UNITS:
        for gender in ("female", "male"):
            assert counted(result, unit, "gender", gender) == expected_counts(tree.truth, unit, gender)
    gap = next(g for g in result.gaps if g.rate == "TPR" and g.label == "AU12" and g.attribute == ("gender",))
    assert gap.q is not None
    assert gap.q < 0.05
    assert result.plan.subject == "subject"
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "24" in page
    assert "AU12" in page


def fex(tree, folder) -> pd.DataFrame:
    """py-feat's table with whole paths as it writes them: scores, one face less, and a unit that DISFA does not code here."""
    wide = tree.truth.pivot_table(index="image", columns="unit", values="answered")
    frame = pd.DataFrame({"FaceRectX": 1.0, "FaceRectWidth": 5.0, "FaceRectHeight": 5.0}, index=wide.index)
    for unit, name in zip(UNITS, ("AU01", "AU12", "AU25"), strict=True):
        frame[name] = 0.2 + 0.6 * wide[unit]
    frame["AU43"] = 0.9
    frame["input"] = [str(folder / "frames" / name) for name in wide.index]
    frame.loc[frame.index[7], ["AU01", "AU12", "AU25", "AU43", "FaceRectX"]] = np.nan
    return frame


def openface(tree, folder) -> pd.DataFrame:
    """OpenFace's table, with spaces before the names; AU25 is missing, and one row has no success."""
    wide = tree.truth.pivot_table(index="image", columns="unit", values="answered")
    frame = pd.DataFrame({"image": wide.index, "frame": 1, " confidence": 0.9, " success": 1})
    for unit, name in zip(UNITS[:2], ("AU01", "AU12"), strict=True):
        frame[f" {name}_r"] = 2.5 * wide[unit].to_numpy()
        frame[f" {name}_c"] = wide[unit].to_numpy()
    frame[" AU45_c"] = 1
    frame.loc[7, " success"] = 0
    return frame


@pytest.mark.parametrize(("table", "supported", "extra"), [(fex, UNITS, "AU43"), (openface, UNITS[:2], "AU45")])
def test_tables_of_tools_are_predictions_for_disfa(tree, tmp_path, table, supported, extra):
    """AU01 is AU1; a unit that the tool lacks is named; no face is a status that counts as missed."""
    path = tmp_path / "tool.csv"
    table(tree, tmp_path).to_csv(path, index=False)
    data = load_dataset(tree.root / "disfa", predictions=path, demographics=tree.root / "people.csv")
    check_loader(data)
    missing = sorted(tree.truth["image"].unique())[7]
    assert data.recorded.frame["status"].value_counts().to_dict() == {"ok": 24 * FRAMES - 1, "no_face": 1}
    assert data.recorded.frame.loc[missing, "status"] == "no_face"
    result = audit(data, by=["gender"], subject="subject")
    assert tuple(result.labels.audited) == supported
    assert set(result.labels.unsupported_labels) == set(UNITS) - set(supported)
    assert list(result.labels.extra) == [extra]
    truth = tree.truth.assign(answered=tree.truth["answered"].where(tree.truth["image"] != missing, 0))
    for unit in supported:
        for gender in ("female", "male"):
            assert counted(result, unit, "gender", gender) == expected_counts(truth, unit, gender)


def test_whole_paths_are_matched_by_their_end(tree, tmp_path):
    """The file names of two subjects are the same, so the folder decides; the step says how."""
    path = tmp_path / "fex.csv"
    fex(tree, tmp_path).to_csv(path, index=False)
    data = load_dataset(tree.root / "disfa", predictions=path)
    assert any("matched by end of the path: 288 of 288 images have one" in s.what for s in data.steps)
    frame = fex(tree, tmp_path)
    frame["input"] = [name.rpartition("/")[2] for name in frame["input"]]
    frame.drop_duplicates("input").to_csv(path, index=False)
    with pytest.raises(DataError, match="stands for several images of the dataset"):
        load_dataset(tree.root / "disfa", predictions=path)
