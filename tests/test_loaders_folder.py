"""Folders of pictures, and how a layout is found at all."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint

import pandas as pd
import pytest

from fairfer.datasets import loading as module
from fairfer.datasets.loading import load_dataset, loaders, sample_path
from fairfer.errors import DataError, FairferError, UsageError
from fairfer.testing import check_loader
from fairfer.vocabulary import UNANNOTATED

META = "file_name,label,gender\na.png,happy,f\nb.png,sad,m\nc.png,sad,\n"


@pytest.fixture
def faces(tmp_path, write_pictures):
    """Three pictures with a metadata.csv."""
    folder = tmp_path / "faces"
    write_pictures(folder, ["a.png", "b.png", "c.png"])
    (folder / "metadata.csv").write_text(META)
    return folder


def test_metadata_gives_labels_and_attributes(faces):
    """Every other column is an attribute; what is not said of a person is said to be not said."""
    data = load_dataset(faces)
    assert data.name == "faces"
    assert dict(data.samples["label"]) == {"a.png": "happiness", "b.png": "sadness", "c.png": "sadness"}
    assert data.attribute("gender").levels == ("f", "m", UNANNOTATED)
    assert data.attribute("gender").source == "unstated"
    check_loader(data)


def test_provenance_lies_beside_the_metadata(faces):
    """In a TOML file of the same name."""
    (faces / "metadata.toml").write_text('[gender]\nsource = "self-reported"\nlevels = ["m", "f"]\n')
    assert load_dataset(faces).attribute("gender").levels == ("m", "f", UNANNOTATED)
    assert load_dataset(faces).attribute("gender").source == "self-reported"


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_metadata_may_be_of_any_kind(faces, form):
    """As Hugging Face's imagefolder has it."""
    frame = pd.read_csv(faces / "metadata.csv")
    plain = load_dataset(faces)
    (faces / "metadata.csv").unlink()
    path = faces / f"metadata.{form}"
    frame.to_json(path, orient="records", lines=True) if form == "jsonl" else frame.to_parquet(path)
    assert load_dataset(faces).digest == plain.digest


def test_without_metadata_the_folder_is_the_label(tmp_path, write_pictures):
    """One folder per emotion, pictures at any depth, other files and hidden folders aside."""
    write_pictures(tmp_path / "f", ["Happy/a.png", "Happy/deep/b.png", "sad/a.png", ".cache/x.png"])
    (tmp_path / "f" / "sad" / "notes.txt").write_text("no picture")
    data = load_dataset(tmp_path / "f")
    assert dict(data.samples["label"]) == {"Happy/a.png": "happiness", "Happy/deep/b.png": "happiness", "sad/a.png": "sadness"}
    assert data.attributes == ()
    check_loader(data)


def test_split_folders_are_splits_by_any_usual_name(tmp_path, write_pictures):
    """``val`` and ``validation`` are valid; without ``--split`` all are read, and ids name the split."""
    write_pictures(tmp_path / "f", ["Train/happy/a.png", "val/sad/a.png", "test/sad/b.png"])
    everyone = load_dataset(tmp_path / "f")
    assert dict(everyone.samples["split"]) == {
        "Train/happy/a.png": "train",
        "val/sad/a.png": "valid",
        "test/sad/b.png": "test",
    }
    valid = load_dataset(tmp_path / "f", split="validation")
    assert list(valid.samples.index) == ["val/sad/a.png"]
    assert valid.card["split"] == "validation"
    check_loader(everyone)
    with pytest.raises(UsageError, match="no split 'tets'; did you mean 'test'"):
        load_dataset(tmp_path / "f", split="tets")


def test_split_folders_may_hold_metadata(tmp_path, write_pictures):
    """One table per split; a column that only one of them has is unannotated in the other."""
    write_pictures(tmp_path / "f", ["train/a.png", "test/a.png"])
    (tmp_path / "f" / "train" / "metadata.csv").write_text("file_name,emotion,gender\na.png,happy,f\n")
    (tmp_path / "f" / "test" / "metadata.csv").write_text("file_name,emotion\na.png,sad\n")
    data = load_dataset(tmp_path / "f")
    assert dict(data.samples["gender"]) == {"test/a.png": UNANNOTATED, "train/a.png": "f"}
    check_loader(data)


def test_file_names_keep_their_spelling(tmp_path, write_pictures):
    """``007`` is a file and no number."""
    write_pictures(tmp_path / "f", ["1e3.png"])
    (tmp_path / "f" / "1e3.png").rename(tmp_path / "f" / "007")
    (tmp_path / "f" / "metadata.csv").write_text("file_name,label\n007,happy\n")
    assert load_dataset(tmp_path / "f").image("007").shape == (8, 8, 3)


def test_rows_without_a_label_are_left_out_and_counted(faces):
    """Nobody vanishes without a word."""
    (faces / "metadata.csv").write_text(META.replace("sad,m", ",m"))
    data = load_dataset(faces)
    assert list(data.samples.index) == ["a.png", "c.png"]
    assert [(s.what, s.excluded) for s in data.steps if s.excluded] == [("rows without a true label", 1)]


def test_a_single_missing_picture_is_a_row(faces):
    """As long as some picture is there, the others are unreadable and counted."""
    (faces / "a.png").unlink()
    assert load_dataset(faces).image_digests["a.png"] == ""


def test_twins_are_left_out_when_asked(faces):
    """Each picture once, the first of its kind."""
    (faces / "c.png").write_bytes((faces / "a.png").read_bytes())
    assert len(load_dataset(faces)) == 3
    kept = load_dataset(faces, dedupe=True)
    assert list(kept.samples.index) == ["a.png", "b.png"]
    assert [s.excluded for s in kept.steps if s.excluded] == [1]


def test_the_truth_may_be_any_column(faces):
    """``--truth`` names it, ``--labels`` its space, ``--name`` the data set."""
    (faces / "metadata.csv").write_text("file_name,mood\na.png,3\nb.png,0\nc.png,6\n")
    data = load_dataset(faces, truth="mood", labels="fer2013", name="mine")
    assert list(data.samples["label"]) == ["happiness", "anger", "neutral"]
    assert data.name == "mine"


@pytest.mark.parametrize(
    ("meta", "options", "kind", "complaint"),
    [
        ("file,label\na.png,sad\n", {}, DataError, "has no column 'file_name'; name each picture's file in it"),
        ("file_name,mood\na.png,sad\n", {}, UsageError, "no column called label.*with --truth"),
        (META, {"truth": "lable"}, UsageError, "no column 'lable'.*did you mean 'label'"),
        ("file_name,label\na.png,sad\na.png,happy\n", {}, DataError, "names the file 'a.png' more than once; keep one row"),
        ("file_name,label\n/etc/passwd,sad\n", {}, DataError, "'/etc/passwd', which lies outside of its folder"),
        ("file_name,label\n../x.png,sad\n", {}, DataError, "lies outside of its folder; give paths below it"),
        ("file_name,label\nx.png,sad\n", {}, DataError, r"names 1 pictures and none is there \(the first: x.png\)"),
        ("file_name,label\na.png,sad\n,sad\n", {}, DataError, "row 3: no file_name; name the picture or remove the row"),
        ("file_name,label,mood\na.png,x,sad\n", {"truth": "mood"}, DataError, "column 'label' beside the true label 'mood'"),
        ("file_name,label\na.png,\n", {}, DataError, "has no value in any row"),
        ("file_name,label\na.png,rage\nb.png,sad\n", {}, DataError, "metadata.csv, column 'label' mixes emotions with rage"),
        ("file_name,label\na.png,sad\n", {"split": "test"}, UsageError, "no split 'test'; there are none"),
        ("file_name,label\na.png,sad\n", {"votes_from": "x"}, UsageError, "--votes-from means nothing.*belongs to ferplus"),
        ("file_name,label\na.png,contempt\n", {"labels": "fer2013"}, DataError, "row 'a.png': label 'contempt' is not one of"),
    ],
)
def test_metadata_that_cannot_be_meant_is_refused_in_one_line(faces, meta, options, kind, complaint):
    """What, where, and how to mend it."""
    (faces / "metadata.csv").write_text(meta)
    with pytest.raises(kind, match=complaint) as caught:
        load_dataset(faces, **options)
    assert "\n" not in str(caught.value)


def test_a_column_that_stands_for_everyone_is_not_grouped_by(faces):
    """Nor is one with a comma; both can still be read."""
    (faces / "metadata.csv").write_text('file_name,label,*,"a,b"\na.png,sad,x,y\n')
    data = load_dataset(faces)
    assert data.attributes == ()
    with pytest.raises(DataError, match="rename it"):
        data.attribute("a,b")


# --- finding the layout ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "options", "kind", "complaint"),
    [
        ("", {}, DataError, "fces does not exist; did you mean 'faces'"),
        ("empty/", {}, DataError, "has none of the known layouts .*name one with --loader"),
        ("dir/sub/", {}, DataError, "holds no metadata.csv and no folder of pictures per label"),
        ("x.txt", {}, DataError, "none of the known layouts"),
        ("x.txt", {"loader": "ferpls"}, UsageError, "no loader 'ferpls'; did you mean 'ferplus'"),
        ("x.txt", {"loader": "folder"}, DataError, "is no folder; give the folder of the pictures"),
        ("x.txt", {"loader": "ferplus"}, DataError, "has no test split with label.csv"),
        ("x.txt", {"loader": "table"}, DataError, "is no table that fairfer reads"),
        ("x.txt", {"loader": "fer2013"}, DataError, "is no table that fairfer reads"),
        ("dir/", {"loader": "table"}, DataError, "is no table that fairfer reads"),
        ("dir.csv/", {"loader": "table"}, DataError, "cannot be read as csv .*[Dd]irectory"),
        ("dir.csv/", {"loader": "fer2013"}, DataError, "cannot be read as csv"),
    ],
)
def test_what_is_no_data_set_is_refused_in_one_line(tmp_path, make, options, kind, complaint):
    """Missing, empty, of another layout, or not what the named loader reads."""
    (tmp_path / "faces").mkdir()
    path = tmp_path / (make.split("/")[0] or "fces")
    if make.endswith("/"):
        (tmp_path / make).mkdir(parents=True)
    elif make:
        path.write_text("text")
    with pytest.raises(kind, match=complaint) as caught:
        load_dataset(path, **options)
    assert "\n" not in str(caught.value)


def test_a_name_that_is_nothing_here_may_have_meant_the_sample(tmp_path, monkeypatch):
    """``sampel`` is answered with ``sample``, though no such file lies here."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="sampel does not exist; did you mean 'sample'"):
        load_dataset("sampel")
    with pytest.raises(DataError, match="there are none"):
        load_dataset(tmp_path / "nowhere" / "x")


def test_any_data_set_can_be_given_another_name(tmp_path, write_ferplus):
    """Also one whose loader has no such option."""
    assert load_dataset(write_ferplus(tmp_path), name="mine").name == "mine"


def test_options_that_were_not_given_are_no_options(faces):
    """``None`` is what a command line passes for an option that was not given."""
    assert len(load_dataset(faces, split=None, rule=None)) == 3


def test_the_sample_is_found_inside_a_package_or_beside_it(tmp_path, monkeypatch):
    """A broken installation says so."""
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


def test_the_word_sample_means_the_bundled_one_unless_something_is_called_so(tmp_path, monkeypatch, faces):
    """A folder of that name in the current one comes first."""
    monkeypatch.setattr(module, "sample_path", lambda: faces)
    monkeypatch.chdir(tmp_path)
    assert load_dataset("sample").name == "sample"
    assert load_dataset("sample", name="own").name == "own"
    faces.rename(tmp_path / "sample")
    assert load_dataset("sample").card["source"] == "sample"


def test_other_peoples_loaders_come_through_the_same_door(monkeypatch, tmp_path):
    """A plugin is tried before ``folder``, which takes any pictures; a broken one is named."""
    (tmp_path / "zoo.py").write_text(
        "from fairfer.datasets.loading import Loader\nfrom fairfer.datasets.loaders.folder import load\n"
        'LOADER = Loader("zoo", "any folder", lambda path: path.is_dir(), load)\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    points = [EntryPoint(n, f"fairfer.datasets.loading.{n}:LOADER", module.GROUP) for n in ("folder", "table")]
    monkeypatch.setattr(module, "entry_points", lambda group: [*points, EntryPoint("zoo", "zoo:LOADER", group)])
    assert list(loaders()) == ["table", "zoo", "folder"]
    assert loaders()["zoo"].options == ("truth", "labels", "split", "dedupe", "name")
    broken = EntryPoint("zoo", "not_installed_anywhere:LOADER", module.GROUP)
    monkeypatch.setattr(module, "entry_points", lambda group: [*points, broken])  # noqa: ARG005
    with pytest.raises(FairferError, match=re.escape("loader 'zoo' (not_installed_anywhere:LOADER) cannot be imported")):
        loaders()
