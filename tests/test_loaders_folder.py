"""Folders of images, and how the loader for a layout is chosen."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint

import pandas as pd
import pytest

from fairfer import plugins
from fairfer.datasets import loading as module
from fairfer.datasets.loading import load_dataset, loaders, sample_path
from fairfer.errors import DataError, UsageError
from fairfer.plugins import PluginError
from fairfer.testing import check_loader
from fairfer.vocabulary import UNANNOTATED

META = "file_name,label,gender\na.png,happy,f\nb.png,sad,m\nc.png,sad,\n"


@pytest.fixture
def faces(tmp_path, write_pictures):
    """Three images with a metadata.csv."""
    folder = tmp_path / "faces"
    write_pictures(folder, ["a.png", "b.png", "c.png"])
    (folder / "metadata.csv").write_text(META)
    return folder


def test_metadata_gives_labels_and_attributes(faces):
    """Every other column is an attribute; missing values are unannotated."""
    data = load_dataset(faces)
    assert data.name == "faces"
    assert dict(data.samples["label"]) == {"a.png": "happiness", "b.png": "sadness", "c.png": "sadness"}
    assert data.attribute("gender").levels == ("f", "m", UNANNOTATED)
    assert data.attribute("gender").source == "unstated"
    check_loader(data)


def test_provenance_is_read_beside_the_metadata(faces):
    """From a TOML file of the same name."""
    (faces / "metadata.toml").write_text('[gender]\nsource = "self-reported"\nlevels = ["m", "f"]\n')
    assert load_dataset(faces).attribute("gender").levels == ("m", "f", UNANNOTATED)
    assert load_dataset(faces).attribute("gender").source == "self-reported"


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_metadata_may_be_json_lines_or_parquet(faces, form):
    """As in Hugging Face's imagefolder."""
    frame = pd.read_csv(faces / "metadata.csv")
    plain = load_dataset(faces)
    (faces / "metadata.csv").unlink()
    path = faces / f"metadata.{form}"
    frame.to_json(path, orient="records", lines=True) if form == "jsonl" else frame.to_parquet(path)
    assert load_dataset(faces).digest == plain.digest


def test_without_metadata_the_folder_is_the_label(tmp_path, write_pictures):
    """Images at any depth are read; other files and hidden folders are ignored."""
    write_pictures(tmp_path / "f", ["Happy/a.png", "Happy/deep/b.png", "sad/a.png", ".cache/x.png"])
    (tmp_path / "f" / "sad" / "notes.txt").write_text("not an image")
    data = load_dataset(tmp_path / "f")
    assert dict(data.samples["label"]) == {"Happy/a.png": "happiness", "Happy/deep/b.png": "happiness", "sad/a.png": "sadness"}
    assert data.attributes == ()
    check_loader(data)


def test_split_folders_have_several_usual_names(tmp_path, write_pictures):
    """``val`` and ``validation`` are valid; all splits are read by default."""
    write_pictures(tmp_path / "f", ["Train/happy/a.png", "val/sad/a.png", "test/sad/b.png"])
    data = load_dataset(tmp_path / "f")
    assert dict(data.samples["split"]) == {
        "Train/happy/a.png": "train",
        "val/sad/a.png": "valid",
        "test/sad/b.png": "test",
    }
    valid = load_dataset(tmp_path / "f", split="validation")
    assert list(valid.samples.index) == ["val/sad/a.png"]
    assert valid.card["split"] == "validation"
    check_loader(data)
    with pytest.raises(UsageError, match="no split 'tets'; did you mean 'test'"):
        load_dataset(tmp_path / "f", split="tets")


def test_split_folders_may_hold_metadata(tmp_path, write_pictures):
    """A column that only one split has is unannotated in the other."""
    write_pictures(tmp_path / "f", ["train/a.png", "test/a.png"])
    (tmp_path / "f" / "train" / "metadata.csv").write_text("file_name,emotion,gender\na.png,happy,f\n")
    (tmp_path / "f" / "test" / "metadata.csv").write_text("file_name,emotion\na.png,sad\n")
    data = load_dataset(tmp_path / "f")
    assert dict(data.samples["gender"]) == {"test/a.png": UNANNOTATED, "train/a.png": "f"}
    check_loader(data)


def test_file_names_keep_their_spelling(tmp_path, write_pictures):
    """``007`` is a file and not a number."""
    write_pictures(tmp_path / "f", ["1e3.png"])
    (tmp_path / "f" / "1e3.png").rename(tmp_path / "f" / "007")
    (tmp_path / "f" / "metadata.csv").write_text("file_name,label\n007,happy\n")
    assert load_dataset(tmp_path / "f").image("007").shape == (8, 8, 3)


def test_rows_without_a_label_are_excluded_and_counted(faces):
    """The step has the number."""
    (faces / "metadata.csv").write_text(META.replace("sad,m", ",m"))
    data = load_dataset(faces)
    assert list(data.samples.index) == ["a.png", "c.png"]
    assert [(s.what, s.excluded) for s in data.steps if s.excluded] == [("rows without a true label", 1)]


def test_a_single_missing_image_is_kept(faces):
    """It has no digest and is unreadable."""
    (faces / "a.png").unlink()
    assert load_dataset(faces).image_digests["a.png"] == ""


def test_duplicates_are_excluded_with_dedupe(faces):
    """The first image of a group is kept."""
    (faces / "c.png").write_bytes((faces / "a.png").read_bytes())
    assert len(load_dataset(faces)) == 3
    kept = load_dataset(faces, dedupe=True)
    assert list(kept.samples.index) == ["a.png", "b.png"]
    assert [s.excluded for s in kept.steps if s.excluded] == [1]


def test_the_truth_may_be_any_column(faces):
    """Options name the column, its label space and the dataset."""
    (faces / "metadata.csv").write_text("file_name,mood\na.png,3\nb.png,0\nc.png,6\n")
    data = load_dataset(faces, truth="mood", labels="fer2013", name="mine")
    assert list(data.samples["label"]) == ["happiness", "anger", "neutral"]
    assert data.name == "mine"


@pytest.mark.parametrize(
    ("meta", "options", "kind", "complaint"),
    [
        ("file,label\na.png,sad\n", {}, DataError, "has no column 'file_name'; add one with the file of each image"),
        ("file_name,mood\na.png,sad\n", {}, UsageError, "no column called label.*with --truth"),
        (META, {"truth": "lable"}, UsageError, "no column 'lable'.*did you mean 'label'"),
        (
            "file_name,label\na.png,sad\na.png,happy\n",
            {},
            DataError,
            "has the file 'a.png' more than once; keep one row per image",
        ),
        ("file_name,label\n/etc/passwd,sad\n", {}, DataError, "'/etc/passwd', which is outside of its folder"),
        ("file_name,label\n../x.png,sad\n", {}, DataError, "is outside of its folder; give paths below the folder"),
        ("file_name,label\nx.png,sad\n", {}, DataError, r"has 1 files and none exists \(first: x.png\)"),
        ("file_name,label\na.png,sad\n,sad\n", {}, DataError, "row 3: file_name is empty; name the image or remove the row"),
        (
            "file_name,label,mood\na.png,x,sad\n",
            {"truth": "mood"},
            DataError,
            "column 'label' beside the true labels in 'mood'",
        ),
        ("file_name,label\na.png,\n", {}, DataError, "column 'label' is empty"),
        ("file_name,label\na.png,rage\nb.png,sad\n", {}, DataError, "metadata.csv, column 'label' mixes emotions with rage"),
        ("file_name,label\na.png,sad\n", {"split": "test"}, UsageError, "no split 'test'; none are available"),
        (
            "file_name,label\na.png,sad\n",
            {"votes_from": "x"},
            UsageError,
            "--votes-from is not an option of a folder dataset.*an option of ferplus",
        ),
        ("file_name,label\na.png,contempt\n", {"labels": "fer2013"}, DataError, "row 'a.png': label 'contempt' is not one of"),
    ],
)
def test_invalid_metadata_is_refused_in_one_line(faces, meta, options, kind, complaint):
    """The message says what is wrong, where, and how to fix it."""
    (faces / "metadata.csv").write_text(meta)
    with pytest.raises(kind, match=complaint) as caught:
        load_dataset(faces, **options)
    assert "\n" not in str(caught.value)


def test_a_column_with_a_reserved_name_is_not_an_attribute(faces):
    """Nor is one with a comma."""
    (faces / "metadata.csv").write_text('file_name,label,*,"a,b"\na.png,sad,x,y\n')
    data = load_dataset(faces)
    assert data.attributes == ()
    with pytest.raises(DataError, match="rename the column"):
        data.attribute("a,b")


# --- finding the layout ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "options", "kind", "complaint"),
    [
        ("", {}, DataError, "fces does not exist; did you mean 'faces'"),
        ("empty/", {}, DataError, "has none of the layouts that fairfer reads .*name one with --loader"),
        ("dir/sub/", {}, DataError, "has neither a metadata.csv nor one folder of images per label"),
        ("x.txt", {}, DataError, "none of the layouts"),
        ("x.txt", {"loader": "ferpls"}, UsageError, "--loader 'ferpls' does not exist; did you mean 'ferplus'"),
        ("x.txt", {"loader": "folder"}, DataError, "is not a folder; give the folder of the images"),
        ("x.txt", {"loader": "ferplus"}, DataError, "has no test split with label.csv"),
        ("x.txt", {"loader": "table"}, DataError, "is not a table file"),
        ("x.txt", {"loader": "fer2013"}, DataError, "is not a table file"),
        ("dir/", {"loader": "table"}, DataError, "is not a table file"),
        ("dir.csv/", {"loader": "table"}, DataError, "cannot be read as csv .*folder"),
        ("dir.csv/", {"loader": "fer2013"}, DataError, "has neither fer2013.csv nor images"),
    ],
)
def test_other_paths_are_refused_in_one_line(tmp_path, make, options, kind, complaint):
    """Missing, empty, or of another layout than that of the loader."""
    (tmp_path / "faces").mkdir()
    path = tmp_path / (make.split("/")[0] or "fces")
    if make.endswith("/"):
        (tmp_path / make).mkdir(parents=True)
    elif make:
        path.write_text("text")
    with pytest.raises(kind, match=complaint) as caught:
        load_dataset(path, **options)
    assert "\n" not in str(caught.value)


def test_a_misspelled_sample_is_refused_with_a_hint(tmp_path, monkeypatch):
    """Though there is no file of that name."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="sampel does not exist; did you mean 'sample'"):
        load_dataset("sampel")
    with pytest.raises(DataError, match="none are available"):
        load_dataset(tmp_path / "nowhere" / "x")


def test_any_data_set_can_be_given_another_name(tmp_path, write_ferplus):
    """Also if the loader has no option ``name``."""
    assert load_dataset(write_ferplus(tmp_path), name="mine").name == "mine"


def test_options_that_are_none_are_ignored(faces):
    """The command line passes ``None`` for an option that is not given."""
    assert len(load_dataset(faces, split=None, rule=None)) == 3


def test_the_sample_is_in_the_package_or_beside_it(tmp_path, monkeypatch):
    """A broken installation is refused."""
    package = tmp_path / "fairfer" / "loaders"
    package.mkdir(parents=True)
    monkeypatch.setattr(module, "__file__", str(package / "__init__.py"))
    with pytest.raises(DataError, match=r"the bundled sample is missing from .*; install fairfer again"):
        sample_path()
    beside = tmp_path / "datasets" / "sample"
    beside.mkdir(parents=True)
    (beside / "metadata.csv").write_text(META)
    assert sample_path() == beside
    inside = tmp_path / "fairfer" / "_sample"
    inside.mkdir()
    (inside / "metadata.csv").write_text(META)
    assert sample_path() == inside


def test_sample_is_the_bundled_one_unless_there_is_a_file_of_that_name(tmp_path, monkeypatch, faces):
    """A folder in the current one is read instead."""
    monkeypatch.setattr(module, "sample_path", lambda: faces)
    monkeypatch.chdir(tmp_path)
    assert load_dataset("sample").name == "sample"
    assert load_dataset("sample", name="own").name == "own"
    faces.rename(tmp_path / "sample")
    assert load_dataset("sample").card["source"] == "sample"


def test_plugins_register_loaders(monkeypatch, tmp_path):
    """They are tried before ``folder``, which takes any images; a broken one is named."""
    (tmp_path / "zoo.py").write_text(
        "from fairfer.datasets.loaders import Loader\nfrom fairfer.datasets.loaders.folder import load\n"
        'LOADER = Loader("zoo", "any folder", lambda path: path.is_dir(), load)\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    points = [EntryPoint(n, f"fairfer.datasets.loaders.{n}:LOADER", module.GROUP) for n in ("folder", "table")]
    monkeypatch.setattr(plugins, "entry_points", lambda group: [*points, EntryPoint("zoo", "zoo:LOADER", group)])
    assert list(loaders()) == ["table", "zoo", "folder"]
    own = ("truth", "labels", "split", "dedupe", "name", "votes", "not_missing", "au_threshold", "unknown_codes")
    assert loaders()["zoo"].options == own
    broken = EntryPoint("zoo", "not_installed_anywhere:LOADER", module.GROUP)
    monkeypatch.setattr(plugins, "entry_points", lambda **_: [*points, broken])
    with pytest.raises(PluginError, match=re.escape("loader 'zoo' of an unnamed package (not_installed_anywhere:LOADER)")):
        loaders()
