"""Every loader recognizes its own layout and no other, and what it reads keeps the contract."""

from __future__ import annotations

import pytest

from fairfer.datasets.loading import load_dataset, loaders
from fairfer.errors import FairferError
from fairfer.testing import check_layout, check_loader


def test_each_layout_is_read_without_naming_its_loader(plant, tree, reader):
    """Detection finds the loader, and the dataset keeps the contract."""
    data = load_dataset(plant(tree))
    assert data.card["layout"] == reader
    check_loader(data)


def test_every_layout_keeps_the_contract_of_a_loader(plant, tree, reader):
    """Detection, another folder, and what it does with a path that is none of its own."""
    check_layout(loaders()[reader], plant(tree))


def test_no_other_loader_matches(plant, tree, reader):
    """A false match would read a dataset with wrong codes; folder and table take anything and are tried last or need a file."""
    path = plant(tree)
    matching = {name for name, loader in loaders().items() if loader.matches(path)}
    assert matching - {"folder", "table"} == {reader} - {"folder", "table"}


@pytest.mark.parametrize("name", ["affectnet", "bp4d", "ck+", "disfa", "expw", "fer2013", "ferplus", "jaffe", "kdef", "raf-db"])
def test_metadata_and_ordinary_folders_are_left_to_the_folder_loader(name, tmp_path, write_picture):
    """Label folders, an empty folder, a missing path, a file and a folder that cannot be read match nothing."""
    matches = loaders()[name].matches
    for place in ("happy/1.png", "train/happy/1.png", "1/train_x.jpg", "images/AF.jpg"):
        write_picture(tmp_path / place)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    (tmp_path / "a.txt").write_text("x")
    for path in (tmp_path, tmp_path / "happy", tmp_path / "missing", tmp_path / "a.txt", closed):
        assert not matches(path)
    closed.chmod(0o700)


@pytest.mark.parametrize(
    ("tree_name", "name"), [("kdef", "kdef"), ("jaffe", "jaffe"), ("raf-db", "raf-db"), ("fer2013 folders", "fer2013")]
)
def test_labels_that_the_user_wrote_take_precedence(plant, tree_name, name):
    """With metadata.csv the same pictures are the user's own dataset."""
    path = plant(tree_name)
    assert loaders()[name].matches(path)
    (path / "metadata.csv").write_text("file_name,label\nx.png,happy\n")
    assert not loaders()[name].matches(path)


def test_folders_with_unusual_names_and_line_ends_are_read(plant, tree, tmp_path):
    """A path beyond ASCII, Windows line ends and a byte order mark change nothing."""
    path = plant(tree)
    expected = load_dataset(path)
    moved = tmp_path / "Gesichter äöü 顔"
    moved.mkdir()
    target = moved / path.name
    path.rename(target)
    texts = [target] if target.is_file() else [p for p in target.rglob("*") if p.suffix in (".txt", ".csv", ".lst")]
    for text in texts:
        content = text.read_bytes().replace(b"\n", b"\r\n")
        text.write_bytes(content if text.name.endswith("_emotion.txt") else b"\xef\xbb\xbf" + content)
    again = load_dataset(target)
    assert again.samples.equals(expected.samples)


@pytest.mark.parametrize(
    "name", ["kdef", "jaffe", "bp4d", "ck+", "disfa", "expw", "affectnet", "raf-db", "fer2013 folders", "ferplus"]
)
def test_the_folder_around_a_dataset_is_not_the_dataset(plant, name):
    """``fairfer audit datasets`` does not read the one dataset in it by accident."""
    around = plant(name).parent
    assert {n for n, loader in loaders().items() if loader.matches(around)} <= {"folder"}


@pytest.mark.parametrize("name", ["affectnet", "bp4d", "ck+", "disfa", "expw", "fer2013", "ferplus", "jaffe", "kdef", "raf-db"])
@pytest.mark.parametrize("place", ["empty", "noise.bin", "missing"])
def test_a_foreign_path_with_an_explicit_loader_is_one_line(name, place, tmp_path):
    """``--loader`` on the wrong path explains what is missing."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "noise.bin").write_bytes(bytes(range(256)))
    with pytest.raises(FairferError) as error:
        loaders()[name].load(tmp_path / place)
    assert "\n" not in str(error.value)
    assert place in str(error.value)
