"""Downloads from a local server that breaks off, lies about the length, serves another file, refuses, redirects, or is slow."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fairfer import archives, downloads
from fairfer.archives import unpack
from fairfer.downloads import fetch
from fairfer.errors import DataError, UsageError

CONTENT = np.random.default_rng(0).bytes(1_500_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """No pause between connections, and no proxy before the local server."""
    monkeypatch.setattr(downloads, "PAUSE", 0.0)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class FileHandler(BaseHTTPRequestHandler):
    """Serves the file of `state`, in the way that its attributes say."""

    state: SimpleNamespace

    def do_GET(self):
        state = self.state
        state.requests.append(dict(self.headers))
        length, start = len(state.content), self._start()
        if state.status is not None:
            self._head(state.status, state.headers)
        elif start >= length:
            self._head(416, {"Content-Range": f"bytes */{length}"})
        else:
            headers = {"ETag": state.etag, "Content-Length": length - start if state.length is None else state.length}
            if start:
                headers["Content-Range"] = f"bytes {start}-{length - 1}/{length}"
            self._head(206 if start else 200, headers | state.headers)
            self._send(state.content[start:])

    def _start(self):
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range") in (None, self.state.etag)
        return int(asked[1]) if asked and same and self.state.ranges else 0

    def _head(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            if value not in (None, "none"):
                self.send_header(name, str(value))
        self.end_headers()

    def _send(self, body):
        limit = self.state.break_after.pop(0) if self.state.break_after else None
        self.wfile.write(body if limit is None else body[:limit])
        if limit is not None and self.state.wait is not None:
            self.wfile.flush()
            self.state.wait.wait(20)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    """A server of one file. Its attributes say how it behaves; `requests` has the headers that it received."""
    state = SimpleNamespace(
        content=CONTENT,
        etag='"one"',
        ranges=True,
        break_after=None,
        status=None,
        headers={},
        requests=[],
        wait=None,
        length=None,
    )
    running = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (FileHandler,), {"state": state}))
    threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
    state.url = f"http://127.0.0.1:{running.server_port}/faces.zip"
    yield state
    if state.wait is not None:
        state.wait.set()
    running.shutdown()
    running.server_close()


def refused(call, kind=DataError):
    with pytest.raises(kind) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    return text


def leftovers(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_file_is_downloaded_verified_and_not_downloaded_again(server, tmp_path):
    seen = []
    path = tmp_path / "new" / "faces.zip"
    assert fetch(server.url, path, sha256=DIGEST.upper(), size=len(CONTENT), progress=lambda *a: seen.append(a)) == path
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert leftovers(path.parent) == ["faces.zip"]
    fetch(server.url, path, sha256=DIGEST)
    assert len(server.requests) == 1


def test_a_server_that_breaks_off_is_asked_for_the_rest(server, tmp_path):
    server.break_after = [400_000, 500_000]
    path = fetch(server.url, tmp_path / "faces.zip")
    assert path.read_bytes() == CONTENT
    assert [r.get("Range") for r in server.requests] == [None, "bytes=400000-", "bytes=900000-"]
    assert [r.get("If-Range") for r in server.requests] == [None, '"one"', '"one"']


def test_an_interrupted_download_is_continued_by_the_next_call(server, tmp_path):
    server.break_after = [1000] * downloads.ATTEMPTS
    text = refused(lambda: fetch(server.url, tmp_path / "faces.zip"))
    assert f"{1000 * downloads.ATTEMPTS:,} bytes are stored" in text
    assert leftovers(tmp_path) == ["faces.zip.part", "faces.zip.part.json"]
    assert fetch(server.url, tmp_path / "faces.zip").read_bytes() == CONTENT
    assert server.requests[-1]["Range"] == f"bytes={1000 * downloads.ATTEMPTS}-"
    assert leftovers(tmp_path) == ["faces.zip"]


@pytest.mark.parametrize(
    "change", ["no ranges", "another version", "no identification", "weak", "another address", "damaged record"]
)
def test_what_cannot_be_continued_starts_again(server, tmp_path, change):
    if change == "no identification":
        server.etag = None
    elif change == "weak":
        server.etag = 'W/"one"'
    server.break_after = [1000] * downloads.ATTEMPTS
    refused(lambda: fetch(server.url, tmp_path / "faces.zip"))
    url = server.url
    if change == "no ranges":
        server.ranges = False
    elif change == "another version":
        server.etag, server.content = '"two"', CONTENT[::-1]
    elif change == "another address":
        url += "?again"
    elif change == "damaged record":
        (tmp_path / "faces.zip.part.json").write_text("{")
    assert fetch(url, tmp_path / "faces.zip").read_bytes() == server.content


def test_a_checksum_makes_a_download_without_identification_continuable(server, tmp_path):
    server.etag = None
    server.break_after = [1000]
    fetch(server.url, tmp_path / "faces.zip", sha256=DIGEST)
    assert server.requests[-1]["Range"] == "bytes=1000-"


def test_halves_of_two_versions_are_not_joined(server, tmp_path):
    """Without identification the checksum shows it, and the file is downloaded again from its beginning."""
    server.etag = None
    server.break_after = [1000] * downloads.ATTEMPTS
    server.content = CONTENT[::-1]
    refused(lambda: fetch(server.url, tmp_path / "faces.zip", sha256=DIGEST))
    server.content = CONTENT
    assert fetch(server.url, tmp_path / "faces.zip", sha256=DIGEST).read_bytes() == CONTENT
    assert server.requests[-1].get("Range") is None


def test_a_part_that_is_complete_already_only_moves(server, tmp_path):
    """The process was killed between the last byte and the rename."""
    (tmp_path / "faces.zip.part").write_bytes(CONTENT)
    (tmp_path / "faces.zip.part.json").write_text(json.dumps({"url": server.url, "validator": '"one"'}))
    assert fetch(server.url, tmp_path / "faces.zip").read_bytes() == CONTENT
    (tmp_path / "b.zip.part").write_bytes(CONTENT + b"more")
    (tmp_path / "b.zip.part.json").write_text(json.dumps({"url": server.url, "validator": '"one"'}))
    assert fetch(server.url, tmp_path / "b.zip").read_bytes() == CONTENT


def test_another_file_is_refused_with_both_digests_and_removed(server, tmp_path):
    server.content = CONTENT[::-1]
    text = refused(lambda: fetch(server.url, tmp_path / "faces.zip", sha256=DIGEST))
    assert DIGEST in text
    assert hashlib.sha256(server.content).hexdigest() in text
    assert leftovers(tmp_path) == []


def test_another_length_is_refused_before_the_download(server, tmp_path):
    text = refused(lambda: fetch(server.url, tmp_path / "faces.zip", size=7))
    assert "has 1,500,000 bytes, not 7" in text
    assert leftovers(tmp_path) == []


def test_a_server_that_states_too_long_a_length_never_gives_a_whole_file(server, tmp_path):
    server.length, server.ranges = len(CONTENT) + 9, False
    text = refused(lambda: fetch(server.url, tmp_path / "faces.zip"))
    assert "the server sent 1,500,000 of 1,500,009 bytes" in text
    assert not (tmp_path / "faces.zip").exists()


def test_a_server_that_states_too_short_a_length_fails_the_checksum(server, tmp_path):
    server.length = 100
    assert "SHA-256" in refused(lambda: fetch(server.url, tmp_path / "faces.zip", sha256=DIGEST))
    assert leftovers(tmp_path) == []


def test_without_a_length_a_file_is_accepted_only_if_it_can_be_verified(server, tmp_path):
    server.length = "none"
    assert "does not state the length" in refused(lambda: fetch(server.url, tmp_path / "faces.zip"))
    assert fetch(server.url, tmp_path / "faces.zip", sha256=DIGEST).read_bytes() == CONTENT
    assert fetch(server.url, tmp_path / "b.zip", size=len(CONTENT)).read_bytes() == CONTENT
    assert "more than 100 bytes" in refused(lambda: fetch(server.url, tmp_path / "c.zip", size=100))
    assert leftovers(tmp_path) == ["b.zip", "faces.zip"]


@pytest.mark.parametrize(
    ("headers", "message"),
    [({"Content-Type": "text/html; charset=utf-8"}, "is a web page"), ({"Content-Encoding": "gzip"}, "compresses the file")],
)
def test_an_answer_that_is_not_the_file_is_refused(server, tmp_path, headers, message):
    server.headers = headers
    assert message in refused(lambda: fetch(server.url, tmp_path / "faces.zip", sha256=DIGEST))
    assert leftovers(tmp_path) == []


def test_a_web_page_may_be_asked_for(server, tmp_path):
    server.headers = {"Content-Type": "text/html"}
    assert fetch(server.url, tmp_path / "page.html").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("status", "headers", "message", "requests"),
    [
        (404, {}, "no such file", 1),
        (403, {}, "refuses access", 1),
        (418, {}, r"HTTP 418\): check the address", 1),
        (429, {"Retry-After": "120"}, "try again in 120 seconds", 1),
        (503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, "try again after Wed, 21 Oct", 1),
        (500, {}, "the server failed", downloads.ATTEMPTS),
        (416, {}, "HTTP 416", 1),
    ],
)
def test_a_refusal_says_what_to_do(server, tmp_path, status, headers, message, requests):
    server.status, server.headers = status, headers
    assert re.search(message, refused(lambda: fetch(f"{server.url}?token=secret", tmp_path / "faces.zip")))
    assert len(server.requests) == requests
    assert leftovers(tmp_path) in ([], ["faces.zip.part"])


def test_a_redirection_is_followed_but_never_to_an_address_that_is_not_encrypted(server, tmp_path):
    target = server.url
    server.status, server.headers = 302, {"Location": target.replace("faces", "moved")}

    def arrive():
        while not server.requests:
            time.sleep(0.001)
        server.status, server.headers = None, {}

    threading.Thread(target=arrive, daemon=True).start()
    assert fetch(target, tmp_path / "faces.zip").read_bytes() == CONTENT
    handler = downloads._Redirects()
    request = downloads.urllib.request.Request("https://faces.example/a.zip")
    text = refused(lambda: handler.redirect_request(request, io.BytesIO(), 302, "", Message(), "http://faces.example/a.zip"))
    assert "not encrypted" in text
    server.status, server.headers = 302, {"Location": "ftp://faces.example/a.zip"}
    assert "not encrypted" in refused(lambda: fetch(target, tmp_path / "b.zip"))


def test_an_address_that_is_none_or_has_no_server(tmp_path):
    for url in ("faces.zip", "file:///etc/passwd", "ftp://a/b"):
        assert "is not a web address" in refused(lambda url=url: fetch(url, tmp_path / "f"), UsageError)
    text = refused(lambda: fetch("http://user:secret@127.0.0.1:9/faces.zip?token=secret", tmp_path / "f"))
    assert "the connection failed" in text
    assert "secret" not in text


def test_a_part_that_was_not_asked_for_is_refused(server, tmp_path):
    server.status, server.headers = 206, {"Content-Range": "bytes 5-9/10", "Content-Length": "0"}
    assert "a part of the file when asked for all" in refused(lambda: fetch(server.url, tmp_path / "f.zip"))


def test_another_part_than_the_one_asked_for_is_not_appended(server, tmp_path, monkeypatch):
    server.break_after = [1000]
    check, spoiled = downloads._check_answer, []

    def spoil(goal, response, offset):
        if offset and not spoiled:
            spoiled.append(offset)
            response.headers.replace_header("Content-Range", f"bytes {offset + 1}-9999999/9999999")
        return check(goal, response, offset)

    monkeypatch.setattr(downloads, "_check_answer", spoil)
    assert fetch(server.url, tmp_path / "f.zip").read_bytes() == CONTENT
    assert spoiled == [1000]


def test_an_existing_file_that_is_another_is_kept(server, tmp_path):
    path = tmp_path / "faces.zip"
    path.write_bytes(b"mine")
    assert "move it away or remove it" in refused(lambda: fetch(server.url, path, sha256=DIGEST))
    assert "it has 4 bytes, not 9" in refused(lambda: fetch(server.url, path, size=9))
    assert path.read_bytes() == b"mine"
    assert server.requests == []


def test_a_full_disk_is_one_line_and_the_download_can_be_continued(server, tmp_path, monkeypatch):
    append = downloads._append

    class Full:
        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, block):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(downloads, "_append", lambda goal, file, *rest: append(goal, Full(file), *rest))
    assert "No space left on device" in refused(lambda: fetch(server.url, tmp_path / "faces.zip"))
    monkeypatch.undo()
    assert fetch(server.url, tmp_path / "faces.zip").read_bytes() == CONTENT
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refused(lambda: fetch(server.url, tmp_path / "file" / "faces.zip"))


def test_a_killed_download_is_continued(server, tmp_path):
    server.break_after, server.wait = [600_000], threading.Event()
    code = f"from fairfer.downloads import fetch; fetch({server.url!r}, {str(tmp_path / 'faces.zip')!r})"
    process = subprocess.Popen([sys.executable, "-c", code])
    part = tmp_path / "faces.zip.part"
    while not (part.exists() and part.stat().st_size > 100_000):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    server.wait.set()
    stored = part.stat().st_size
    assert not (tmp_path / "faces.zip").exists()
    assert fetch(server.url, tmp_path / "faces.zip", sha256=DIGEST).read_bytes() == CONTENT
    assert server.requests[-1]["Range"] == f"bytes={stored}-"


def test_a_file_that_several_fetch_is_downloaded_once(server, tmp_path):
    path, errors = tmp_path / "faces.zip", []

    def work():
        try:
            fetch(server.url, path, sha256=DIGEST)
        except Exception as error:  # noqa: BLE001 - reported below
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert path.read_bytes() == CONTENT
    assert len(server.requests) == 1
    assert leftovers(tmp_path) == ["faces.zip"]


# ---- archives


def archive(path: Path, names, kind):
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as file:
            for name in names:
                file.writestr(name, b"face")
    else:
        with tarfile.open(path, "w:gz") as file:
            for name in names:
                entry = tarfile.TarInfo(name)
                entry.size = 4
                file.addfile(entry, io.BytesIO(b"face"))
    return path


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_becomes_a_folder_in_one_step(tmp_path, kind):
    source = archive(tmp_path / "faces", ["a/1.png", "b/é.png"], kind)
    (tmp_path / ".out.unpacking").mkdir()  # left by a process that was killed
    (tmp_path / "out").mkdir()
    assert unpack(source, tmp_path / "out") == tmp_path / "out"
    assert (tmp_path / "out" / "b" / "é.png").read_bytes() == b"face"
    assert leftovers(tmp_path) == ["faces", "out"]
    assert "is not an empty folder" in refused(lambda: unpack(source, tmp_path / "out"))


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a/../../evil.txt", "C:/evil.txt", "a\\..\\..\\evil"])
def test_nothing_is_written_outside_of_the_folder(tmp_path, kind, name):
    source = archive(tmp_path / "faces", ["fine.png", name], kind)
    assert "outside of its folder" in refused(lambda: unpack(source, tmp_path / "out"))
    assert leftovers(tmp_path) == ["faces"]


def test_links_are_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        entry = tarfile.TarInfo("link")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(entry)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        entry = zipfile.ZipInfo("link")
        entry.external_attr = 0o120777 << 16
        file.writestr(entry, "/etc/passwd")
    for name in ("a.tar", "a.zip"):
        assert "is a link or a device" in refused(lambda name=name: unpack(tmp_path / name, tmp_path / "out"))


def test_a_damaged_archive_and_one_that_does_not_fit(tmp_path, monkeypatch):
    source = archive(tmp_path / "faces.zip", ["a.png"], "zip")
    raw = bytearray(source.read_bytes())
    raw[raw.index(b"face")] ^= 1
    (tmp_path / "bad.zip").write_bytes(raw)
    assert "download it again" in refused(lambda: unpack(tmp_path / "bad.zip", tmp_path / "out"))
    whole = archive(tmp_path / "faces.tgz", [f"{i}.png" for i in range(50)], "tar").read_bytes()
    (tmp_path / "short.tgz").write_bytes(whole[: len(whole) // 2])
    assert "download it again" in refused(lambda: unpack(tmp_path / "short.tgz", tmp_path / "out"))
    (tmp_path / "page.zip").write_text("<html>")
    assert "neither a zip nor a tar" in refused(lambda: unpack(tmp_path / "page.zip", tmp_path / "out"))
    assert "No such file" in refused(lambda: unpack(tmp_path / "none.zip", tmp_path / "out"))
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: SimpleNamespace(free=3))
    assert "unpacks to 4 bytes, but 3 are left" in refused(lambda: unpack(source, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
