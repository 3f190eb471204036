"""Atomic file writes."""

from __future__ import annotations

import json
import os

import pytest

from fairfer.errors import UsageError
from fairfer.files import dump_json, write_into_place, write_text


def test_text_is_written_as_utf8_with_plain_line_ends(tmp_path):
    """Bytes do not depend on the platform."""
    write_text(tmp_path / "new" / "a.txt", "é\nb\n")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "é\nb\n".encode()


def test_a_file_has_the_usual_permissions(tmp_path):
    """The temporary file's owner-only permissions are not kept."""
    mask = os.umask(0o022)
    try:
        write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(mask)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644


def test_a_failure_keeps_the_old_file_and_removes_the_temporary_one(tmp_path):
    """A reader sees the complete old content during and after a failed write."""
    write_text(tmp_path / "a.txt", "old")

    def fail(temporary):
        temporary.write_text("half")
        assert (tmp_path / "a.txt").read_text() == "old"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_into_place(tmp_path / "a.txt", fail)
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_the_temporary_file_has_the_same_suffix(tmp_path):
    """Writers such as matplotlib's choose the format by the suffix."""
    temporary = []
    write_into_place(tmp_path / "a.png", lambda p: (temporary.append(p), p.write_bytes(b"x")))
    assert temporary[0].suffix == ".png"
    assert temporary[0].parent == tmp_path


@pytest.mark.parametrize("kind", ["file for a folder", "folder for a file", "full"])
def test_a_destination_that_cannot_be_written_is_refused(tmp_path, kind):
    """The message names the file and says to choose another place."""
    path = tmp_path / "out" / "a.txt"
    if kind == "file for a folder":
        (tmp_path / "out").write_text("a file")
    elif kind == "folder for a file":
        path.mkdir(parents=True)

    def write(temporary):
        if kind == "full":
            raise OSError(28, "No space left on device")
        temporary.write_text("x")

    with pytest.raises(UsageError, match=r"a\.txt cannot be written \(.+\); choose another place with --out"):
        write_into_place(path, write)


def test_json_has_no_nan():
    """NaN is refused; text is not escaped."""
    assert json.loads(dump_json({"a": ["é", None]})) == {"a": ["é", None]}
    assert "é" in dump_json("é")
    with pytest.raises(ValueError, match="not JSON compliant"):
        dump_json(float("nan"))
