"""``fairfer download``, from a local server: files are verified, or recorded at first; nothing without a license."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import http.server
import sys
import threading

import pytest

from fairfer.cli.main import main
from fairfer.datasets import public_files
from fairfer.datasets.loading import load_dataset
from fairfer.datasets.public_files import DOWNLOADS, Download, RemoteFile, choose_download, download
from fairfer.errors import DataError, UsageError

VOTES = 'fer0000000.png,"(0, 0, 48, 48)",10,0,0,0,0,0,0,0,0,0\n'


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """A file server that prints nothing."""

    def log_message(self, *arguments) -> None:
        """Print nothing."""


@pytest.fixture
def served(tmp_path):
    """A folder, and the address at which a server offers it."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietHandler, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def labels(served):
    """FER+'s tables at the local server: one with a known checksum, the others without."""
    folder, address = served
    for split in ("Train", "Valid", "Test"):
        path = folder / "data" / f"FER2013{split}"
        path.mkdir(parents=True)
        (path / "label.csv").write_text(VOTES)
    (folder / "fer2013new.csv").write_text("Usage\n")
    known = hashlib.sha256(b"Usage\n").hexdigest()
    files = (RemoteFile("fer2013new.csv", known, 6), *(RemoteFile(f.path) for f in DOWNLOADS["ferplus"].files[1:]))
    return dataclasses.replace(DOWNLOADS["ferplus"], address=address, files=files)


def test_download_gives_a_dataset_that_is_recognized(labels, tmp_path):
    """The tables lie as the loader expects them, and progress is reported by file."""
    seen = []
    done = download(labels, tmp_path / "ferplus", progress=lambda path, done, total: seen.append((path, done)))
    assert done.recorded == tuple(f"data/FER2013{s}/label.csv" for s in ("Train", "Valid", "Test"))
    assert ("fer2013new.csv", 6) in seen
    (tmp_path / "fer2013.csv").write_text(f"emotion,pixels,Usage\n6,{' '.join(['7'] * 2304)},PrivateTest\n")
    data = load_dataset(tmp_path / "ferplus", pixels=tmp_path / "fer2013.csv")
    assert list(data.samples.index) == ["fer0000000.png"]
    lines = (tmp_path / "ferplus" / "SHA256SUMS").read_text().splitlines()
    assert lines[0] == f"{labels.files[0].sha256}  fer2013new.csv"
    assert len(lines) == 4


def test_second_download_verifies_what_the_first_recorded(labels, served, tmp_path):
    """Files that are whole are kept; one that changed at the server is refused, and so is one that changed here."""
    target = tmp_path / "ferplus"
    download(labels, target)
    assert download(labels, target).recorded == ()
    (served[0] / "data" / "FER2013Test" / "label.csv").write_text(VOTES.replace("10", "9"))
    (target / "data" / "FER2013Test" / "label.csv").unlink()
    with pytest.raises(DataError, match=r"label\.csv"):
        download(labels, target)
    assert not (target / "data" / "FER2013Test" / "label.csv").exists()
    (target / "fer2013new.csv").write_text("other\n")
    with pytest.raises(DataError, match=r"fer2013new.csv exists and is not the file"):
        download(labels, target)


def test_another_file_at_the_server_is_refused(labels, served, tmp_path):
    """A page instead of the table is not moved into place."""
    (served[0] / "fer2013new.csv").write_text("<html>")
    with pytest.raises(DataError, match=r"fer2013new\.csv"):
        download(labels, tmp_path / "ferplus")
    assert not (tmp_path / "ferplus" / "fer2013new.csv").exists()


def test_unreadable_checksums(labels, tmp_path):
    """Named, with the way out."""
    target = tmp_path / "ferplus"
    target.mkdir()
    (target / "SHA256SUMS").write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"SHA256SUMS cannot be read .*remove it"):
        download(labels, target)


def test_known_checksums_are_those_of_the_real_files(shared):
    """The tables of FER+ that are here."""
    for file in DOWNLOADS["ferplus"].files:
        path = shared / "data" / "ferplus" / file.path
        if path.is_file():
            content = path.read_bytes()
            assert (hashlib.sha256(content).hexdigest(), len(content)) == (file.sha256, file.size)


def test_downloads_use_encrypted_addresses_and_name_their_license():
    """Without a checksum, only the connection protects the content."""
    for what in DOWNLOADS.values():
        assert what.address.startswith("https://")
        assert what.license
        assert "{folder}" in what.next_step
        assert all(".." not in f.path and not f.path.startswith("/") for f in what.files)


def test_datasets_without_a_license_are_not_downloaded():
    """The message says how to apply."""
    with pytest.raises(UsageError, match="raf-db must be obtained from its authors: write to them"):
        choose_download("raf-db", "write to them")
    with pytest.raises(UsageError, match="'ferpluss' cannot be downloaded; did you mean 'ferplus'"):
        choose_download("ferpluss")
    assert isinstance(choose_download("cremad", "a card does not matter here"), Download)


def test_command(labels, monkeypatch, tmp_path, capsys):
    """Where the files are, the license, what could not be verified, and the next command; a refusal exits with 2."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(public_files.DOWNLOADS, "ferplus", labels)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["fairfer", "download", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        return stop.value.code or 0, capsys.readouterr()

    code, text = run("ferplus")
    assert code == 0, text.err
    assert text.out.splitlines()[0] == "FER+ labels: 4 files in datasets/ferplus"
    assert "License: MIT" in text.out
    assert text.out.count("not verified: ") == 3
    assert "fairfer audit datasets/ferplus --pixels fer2013.csv" in text.out
    code, text = run("ferplus", "--to", "elsewhere")
    assert (tmp_path / "elsewhere" / "fer2013new.csv").is_file()
    code, text = run("affectnet")
    assert code == 2
    assert text.err.startswith("fairfer: affectnet must be obtained from its authors: ")
    assert "http://mohammadmahoor.com/affectnet/" in text.err
