"""Data sets of Hugging Face: Parquet with images, folders of shards, save_to_disk, and the library ``datasets``."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fairfer.cli.main import main
from fairfer.datasets import loading
from fairfer.datasets.images import UnreadableImageError
from fairfer.datasets.loading import load_dataset, schemes
from fairfer.errors import DataError, UsageError
from fairfer.testing import check_layout, check_loader

COMMIT = "a" * 40
NAMES = ["happy", "sad", "neutral"]
IMAGE_TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def png(level: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((6, 5, 3), level, np.uint8)).save(file, "png")
    return file.getvalue()


def table(labels, *, start=0, names=NAMES, paths=True, column="image", more=None) -> pa.Table:
    """Rows as `datasets` writes them: the names of the classes are in the metadata."""
    rows = [{"bytes": png(start + i), "path": f"{start + i}.png" if paths else None} for i in range(len(labels))]
    data = {column: pa.array(rows, IMAGE_TYPE), "label": pa.array(labels, pa.int64()), **(more or {})}
    result = pa.table(data)
    if names is None:
        return result
    features = {column: {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": names}}
    return result.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def levels(data) -> list[int]:
    return [int(data.image(i)[0, 0, 0]) for i in data.samples.index]


def library():
    """The library; the test is skipped without it. A folder ``datasets``, such as this project's, is not the library."""
    datasets = pytest.importorskip("datasets", reason="needs the extra hf-datasets")
    if datasets.__file__ is None:
        pytest.skip("needs the extra hf-datasets")
    return datasets


def test_a_folder_of_the_librarys_name_is_not_the_library(monkeypatch):
    """Many people keep their data in ./datasets."""
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(__file__=None))
    with pytest.raises(DataError, match="needs the package 'datasets', which is not installed"):
        load_dataset("hf-dataset:org/name")


def test_parquet_has_labels_attributes_and_images(tmp_path):
    """Names come from the metadata, -1 is unlabeled, other columns are attributes, lists are skipped and named."""
    path = tmp_path / "faces.parquet"
    more = {"gender": ["f", "m", "f", None, "m"], "box": pa.array([[1, 2]] * 5)}
    pq.write_table(table([0, 1, 2, 0, -1], more=more), path, row_group_size=2)
    data = load_dataset(path)
    assert dict(data.samples["label"]) == {"0.png": "happiness", "1.png": "sadness", "2.png": "neutral", "3.png": "happiness"}
    assert data.attribute("gender").levels == ("f", "m", "unannotated")
    assert levels(data) == [0, 1, 2, 3]
    assert levels(data.replace(samples=data.samples.iloc[::-1])) == [3, 2, 1, 0]
    assert any("box" in s.what for s in data.steps)
    assert data.card["layout"] == "huggingface"
    check_loader(data)
    check_layout(loading.loaders()["huggingface"], path)


def test_shards_are_one_split_and_splits_can_be_chosen(tmp_path):
    """Names of shards state the split; rows without a path are numbered within it, across shards."""
    folder = tmp_path / "org" / "data"
    folder.mkdir(parents=True)
    pq.write_table(table([0, 1], paths=False), folder / "train-00000-of-00002.parquet")
    pq.write_table(table([2], start=2, paths=False), folder / "train-00001-of-00002.parquet")
    pq.write_table(table([0, 1], start=5, paths=False), folder / "test-00000-of-00001.parquet")
    data = load_dataset(tmp_path / "org")
    assert list(data.samples.index) == ["test/0", "test/1", "train/0", "train/1", "train/2"]
    assert levels(data) == [5, 6, 0, 1, 2]
    assert list(data.samples["split"]) == ["test", "test", "train", "train", "train"]
    train = load_dataset(tmp_path / "org", split="train")
    assert levels(train) == [0, 1, 2]
    assert train.name == "org train"
    check_loader(train)
    with pytest.raises(UsageError, match=r"no split 'tset'.*test"):
        load_dataset(tmp_path / "org", split="tset")
    (folder / "train-00001-of-00002.parquet").unlink()
    with pytest.raises(DataError, match="train-00001-of-00002"):
        load_dataset(tmp_path / "org")


def test_integer_codes_without_names_are_refused(tmp_path):
    """The option that states them is named; a list gives them in order, or with their codes."""
    path = tmp_path / "faces.parquet"
    pq.write_table(table([0, 1, 2], names=None), path)
    with pytest.raises(UsageError, match=r"integer codes without names.*--labels"):
        load_dataset(path)
    assert list(load_dataset(path, labels="happy,sad,angry").samples["label"]) == ["happiness", "sadness", "anger"]
    assert list(load_dataset(path, labels="2=happy,1=sad,0=angry").samples["label"]) == ["anger", "sadness", "happiness"]
    assert list(load_dataset(path, labels="fer2013").samples["label"]) == ["anger", "disgust", "fear"]
    with pytest.raises(DataError, match="code 2 has no label"):
        load_dataset(path, labels="happy,sad")
    with pytest.raises(UsageError, match="order of their codes"):
        load_dataset(path, labels="x=happy,1=sad")


def test_a_code_beyond_the_names_is_refused(tmp_path):
    pq.write_table(table([0, 7]), tmp_path / "faces.parquet")
    with pytest.raises(DataError, match="code 7 has no name"):
        load_dataset(tmp_path / "faces.parquet")


def test_several_image_columns_need_the_option(tmp_path):
    more = {"b": pa.array([{"bytes": png(100 + i), "path": None} for i in range(2)], IMAGE_TYPE)}
    path = tmp_path / "faces.parquet"
    pq.write_table(table([0, 1], column="a", more=more), path)
    with pytest.raises(UsageError, match=r"several columns of images \(a, b\)"):
        load_dataset(path)
    assert levels(load_dataset(path, image_column="b")) == [100, 101]
    with pytest.raises(UsageError, match="no column 'c'"):
        load_dataset(path, image_column="c")
    with pytest.raises(UsageError, match="holds no images"):
        load_dataset(path, image_column="label")


def test_a_column_of_bytes_is_read_when_named(tmp_path):
    path = tmp_path / "faces.parquet"
    pq.write_table(pa.table({"jpg": [png(3), png(4)], "label": ["happy", "sad"]}), path)
    data = load_dataset(path, loader="huggingface", image_column="jpg")
    assert list(data.samples.index) == ["row/0", "row/1"]
    assert levels(data) == [3, 4]
    with pytest.raises(UsageError, match="no column of images"):
        load_dataset(path, loader="huggingface")


def test_an_unreadable_image_does_not_end_the_run(tmp_path):
    """Bytes that are no image, no bytes, and a path whose file is missing; a path whose file exists is read."""
    rows = [
        {"bytes": b"xx", "path": "a"},
        {"bytes": None, "path": None},
        {"bytes": None, "path": "no.png"},
        {"bytes": None, "path": "d.png"},
    ]
    (tmp_path / "d.png").write_bytes(png(9))
    pq.write_table(pa.table({"image": pa.array(rows, IMAGE_TYPE), "label": ["happy", "sad"] * 2}), tmp_path / "f.parquet")
    data = load_dataset(tmp_path / "f.parquet")
    assert int(data.image("row/3")[0, 0, 0]) == 9
    for name, reason in (("row/0", "cannot be decoded"), ("row/1", "no image in its row"), ("row/2", "missing")):
        with pytest.raises(UnreadableImageError, match=reason):
            data.image(name)


def test_a_file_that_is_removed_later_is_an_unreadable_image(tmp_path):
    pq.write_table(table([0, 1]), tmp_path / "f.parquet")
    data = load_dataset(tmp_path / "f.parquet")
    (tmp_path / "f.parquet").unlink()
    with pytest.raises(UnreadableImageError, match="cannot be read"):
        data.image("0.png")


def test_digests_are_those_of_the_content(tmp_path):
    """The same rows in other groups, or with another image."""
    for name, start, size in (("a", 0, 1), ("b", 0, 5), ("c", 1, 5)):
        (tmp_path / name).mkdir()
        frame = table([0, 1, 2], start=start, paths=False)
        pq.write_table(frame, tmp_path / name / "f.parquet", row_group_size=size)
    first, same, other = (load_dataset(tmp_path / n / "f.parquet") for n in "abc")
    assert first.images_digest == same.images_digest != other.images_digest


def test_damaged_files_are_one_line(tmp_path):
    pq.write_table(table([0, 1]), tmp_path / "f.parquet")
    (tmp_path / "f.parquet").write_bytes((tmp_path / "f.parquet").read_bytes()[:-30])
    with pytest.raises(DataError, match="cannot be read"):
        load_dataset(tmp_path / "f.parquet", loader="huggingface")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no Parquet files"):
        load_dataset(tmp_path / "empty", loader="huggingface")
    pq.write_table(table([]), tmp_path / "g.parquet")
    with pytest.raises(DataError, match="no rows"):
        load_dataset(tmp_path / "g.parquet")
    pq.write_table(table([0]).drop_columns(["label"]), tmp_path / "h.parquet")
    with pytest.raises(UsageError, match="--truth"):
        load_dataset(tmp_path / "h.parquet")


def test_shards_with_other_classes_are_refused(tmp_path):
    pq.write_table(table([0]), tmp_path / "train-00000-of-00001.parquet")
    pq.write_table(table([0], names=NAMES[::-1]), tmp_path / "test-00000-of-00001.parquet")
    with pytest.raises(DataError, match="other columns or class names"):
        load_dataset(tmp_path)


def test_one_column_per_label_is_multi_label(tmp_path):
    more = {"truth_AU6": [1, 0], "truth_AU12": [0, 1]}
    pq.write_table(table([0, 1], more=more), tmp_path / "f.parquet")
    data = load_dataset(tmp_path / "f.parquet", truth="truth_*")
    assert data.task == "multi-label"
    check_loader(data)


def test_duplicates_are_excluded_when_asked(tmp_path):
    joined = pa.concat_tables([table([0, 1]), table([0, 1])])
    pq.write_table(joined, tmp_path / "f.parquet")
    assert len(load_dataset(tmp_path / "f.parquet")) == 4
    assert len(load_dataset(tmp_path / "f.parquet", dedupe=True)) == 2


def saved(folder, data: pa.Table) -> None:
    """The files of ``save_to_disk``."""
    folder.mkdir(parents=True)
    with pa.OSFile(str(folder / "data-00000-of-00001.arrow"), "wb") as file, pa.ipc.new_stream(file, data.schema) as writer:
        writer.write_table(data)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    features = json.loads((data.schema.metadata or {b"huggingface": b"{}"})[b"huggingface"])
    (folder / "dataset_info.json").write_text(json.dumps(features.get("info", {})))


def test_save_to_disk_without_the_library(tmp_path):
    """One dataset, or several splits; a missing file is one line."""
    saved(tmp_path / "one", table([0, 1]))
    data = load_dataset(tmp_path / "one")
    assert list(data.samples["label"]) == ["happiness", "sadness"]
    check_loader(data)
    saved(tmp_path / "d" / "train", table([0, 1]))
    saved(tmp_path / "d" / "test", table([2], start=4))
    (tmp_path / "d" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert list(load_dataset(tmp_path / "d").samples.index) == ["train/0.png", "train/1.png", "test/4.png"]
    assert levels(load_dataset(tmp_path / "d", split="test")) == [4]
    shutil.rmtree(tmp_path / "d" / "test")
    with pytest.raises(DataError, match=r"state\.json cannot be read"):
        load_dataset(tmp_path / "d")
    (tmp_path / "d" / "dataset_dict.json").write_text("[]")
    with pytest.raises(DataError, match="not a JSON object"):
        load_dataset(tmp_path / "d")
    (tmp_path / "d" / "dataset_dict.json").write_text("{}")
    with pytest.raises(DataError, match="lists no splits"):
        load_dataset(tmp_path / "d")
    (tmp_path / "one" / "data-00000-of-00001.arrow").write_bytes(b"xx")
    with pytest.raises(DataError, match="cannot be read"):
        load_dataset(tmp_path / "one")
    (tmp_path / "one" / "state.json").write_text('{"_indices_data_files": [1]}')
    with pytest.raises(DataError, match="another order"):
        load_dataset(tmp_path / "one")


def test_an_audit_by_one_command(tmp_path, monkeypatch):
    """From a Parquet file to the report, with the bundled model."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = []
    for i in range(24):
        file = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (48, 48), np.uint8) // (1 + i % 4)).save(file, "png")
        rows.append({"bytes": file.getvalue(), "path": None})
    labels = ["happy", "sad", "neutral", "surprise"] * 6
    faces = pa.table({"image": pa.array(rows, IMAGE_TYPE), "label": labels, "gender": ["f", "m", "m"] * 8})
    pq.write_table(faces, tmp_path / "faces.parquet")
    monkeypatch.setattr(sys, "argv", ["fairfer", "audit", "faces.parquet", "--permutations", "100", "--out", "run"])
    with contextlib.suppress(SystemExit):
        main()
    assert (tmp_path / "run" / "audit.json").is_file()


# The library datasets


def test_the_library_writes_what_is_read(tmp_path):
    """Parquet, save_to_disk and the scheme give the same dataset."""
    datasets = library()
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=NAMES), "gender": datasets.ClassLabel(names=["f", "m"])}
    )
    rows = {"image": [{"bytes": png(i), "path": None} for i in range(4)], "label": [0, 1, 2, -1], "gender": [0, 1, 1, 0]}
    made = datasets.Dataset.from_dict(rows, features=features)
    made.to_parquet(str(tmp_path / "faces.parquet"))
    made.save_to_disk(str(tmp_path / "saved"))
    datasets.DatasetDict({"test": made.select([2, 0])}).save_to_disk(str(tmp_path / "splits"))
    first = load_dataset(tmp_path / "faces.parquet")
    second = load_dataset(tmp_path / "saved")
    assert list(first.samples["label"]) == list(second.samples["label"]) == ["happiness", "sadness", "neutral"]
    assert list(first.samples["gender"]) == ["f", "m", "m"]
    assert first.images_digest == second.images_digest
    assert levels(load_dataset(tmp_path / "splits")) == [2, 0]


def test_the_scheme_reads_a_folder_through_the_library(tmp_path, monkeypatch):
    """With split and provenance of the read; the network is off while the library reads."""
    datasets = library()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    (tmp_path / "faces" / "data").mkdir(parents=True)
    pq.write_table(table([0, 1], paths=False), tmp_path / "faces" / "data" / "train-00000-of-00001.parquet")
    pq.write_table(table([2], start=5, paths=False), tmp_path / "faces" / "data" / "test-00000-of-00001.parquet")
    data = load_dataset("hf-dataset:./faces@test")
    assert levels(data) == [5]
    assert data.card["layout"] == "hf-dataset"
    assert "fingerprint" in data.card["revision"]
    check_loader(data)
    assert sorted(load_dataset("hf-dataset:./faces").samples["split"]) == ["test", "train", "train"]
    with pytest.raises(UsageError, match="keep one"):
        load_dataset("hf-dataset:./faces@test", split="train")
    with pytest.raises(DataError, match="cannot be read"):
        load_dataset("hf-dataset:./nothing")
    with pytest.raises(DataError, match="cannot be read"):
        load_dataset("hf-dataset:./faces@dev")


def test_without_download_only_the_cache_is_read(tmp_path, monkeypatch):
    """No request is made, and the message names the option."""
    datasets = library()
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: pytest.fail("the network was asked"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    with pytest.raises(DataError, match="not in the local cache; add --download"):
        load_dataset("hf-dataset:org/name@test")
    assert not datasets.config.HF_HUB_OFFLINE


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """A dataset of the Hub in the cache of the library, as a download leaves it."""
    datasets = library()
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    (tmp_path / "faces" / "data").mkdir(parents=True)
    pq.write_table(table([0, 1], paths=False), tmp_path / "faces" / "data" / "test-00000-of-00001.parquet")
    datasets.load_dataset(str(tmp_path / "faces"))
    [made] = [p.parent for p in (tmp_path / "cache").rglob("dataset_info.json")]
    folder = tmp_path / "cache" / "org___name" / "default" / "0.0.0" / COMMIT
    shutil.copytree(made, folder)
    (folder / "faces-test.arrow").rename(folder / "name-test.arrow")


def test_a_cached_dataset_of_the_hub_is_read_without_network(cached, monkeypatch):
    """Its commit is recorded."""
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: pytest.fail("the network was asked"))
    data = load_dataset("hf-dataset:org/name@test")
    assert levels(data) == [0, 1]
    assert data.card["revision"] == COMMIT
    assert load_dataset("hf-dataset:org/name", split="test", revision=COMMIT[:7]).digest == data.digest
    check_loader(data)


def test_another_revision_than_the_cached_one_is_refused(cached):
    """Offline, the library would answer with the commit that it has."""
    for other in ("main", "b" * 40):
        with pytest.raises(DataError, match=f"commit {COMMIT}.*{other}.*--download"):
            load_dataset("hf-dataset:org/name@test", revision=other)


@pytest.mark.parametrize("address", ["hf-dataset:", "hf-dataset:org/name@", "hf-dataset:@test"])
def test_an_address_without_a_name_is_refused(address):
    with pytest.raises(UsageError, match="ORG/NAME"):
        load_dataset(address)


def test_the_scheme_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"pip install 'fairfer\[hf-datasets\]'"):
        load_dataset("hf-dataset:org/name@test")


def test_options_of_a_scheme_are_checked():
    assert "hf-dataset" in schemes()
    with pytest.raises(UsageError, match="--rule is not an option of a hf-dataset dataset"):
        load_dataset("hf-dataset:org/name", rule="majority")
    with pytest.raises(UsageError, match="--loader folder reads files"):
        load_dataset("hf-dataset:org/name", loader="folder")


def test_a_path_with_a_colon_is_a_path(tmp_path, monkeypatch):
    """An existing file wins over a scheme, and an unknown prefix is a missing path."""
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"label": ["happy", "sad"], "predicted": ["happy", "sad"]}).to_csv("hf-dataset:x.csv", index=False)
    assert len(load_dataset("hf-dataset:x.csv")) == 2
    with pytest.raises(DataError, match="does not exist"):
        load_dataset("other:x.csv")
    with pytest.raises(DataError, match="did you mean hf-dataset:"):
        load_dataset("hf-datasets:org/name")
    assert loading.schemes()["hf-dataset"].matches(tmp_path) is False
