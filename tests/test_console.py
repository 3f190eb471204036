"""Standard output: data cannot give commands, a closed pipe keeps the exit code, a full disk does not."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairfer.cli.console import Console, print_commands


def printed(*texts: str) -> str:
    out = io.StringIO()
    console = Console(out)
    for text in texts:
        console.write(text)
    return out.getvalue()


def gives_command(text: str) -> bool:
    """Whether GitHub's runner would read a command in any line."""
    lines = text.replace("\r", "\n").split("\n")
    return "##[" in text or any(line.lstrip().startswith("::") for line in lines)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (("a\n::error::x\n",), "a\n: :error::x\n"),
        (("a\n", " \t", ":", ":error::x"), "a\n \t: :error::x"),
        (("\r::error::x",), "\r: :error::x"),
        (("see a::b, ::c\n",), "see a::b, ::c\n"),
        (("x ##[error]y",), "x ## [error]y"),
        (("#", "#", "[error]"), "## [error]"),
        (("\x1b[31mred\x07",), "\ufffd[31mred\ufffd"),
        (("a\u2028::error::\u202eb",), "a\ufffd::error::\ufffdb"),
        (("plain\ttext\n",), "plain\ttext\n"),
    ],
)
def test_commands_and_control_characters_are_broken_up(texts, expected):
    assert printed(*texts) == expected


@given(st.lists(st.text(st.sampled_from(":#[ \r\n\tab\x1b\u00a0")), max_size=5))
def test_no_text_in_any_pieces_gives_a_command(texts):
    assert not gives_command(printed(*texts))


def test_fairfers_own_commands_pass(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", Console(out))
    print_commands("::notice title=a::b\n")
    sys.stdout.write("::error::c\n")
    assert out.getvalue() == "::notice title=a::b\n: :error::c\n"


def test_a_closed_stream_is_no_error():
    stream = io.StringIO()
    console = Console(stream)
    stream.close()
    console.write("x")
    assert console.failure is None


def test_an_ascii_stream_becomes_utf_8():
    raw = io.BytesIO()
    console = Console(io.TextIOWrapper(raw, encoding="ascii"))
    console.write("\u00e9")
    console.flush()
    assert raw.getvalue() == "\u00e9".encode()
    assert console.encoding == "utf-8"


TABLE = "label,predicted,gender\n" + "happy,happy,f\nsad,sad,m\n" * 30
POLICY = "[[rules]]\nname = 'a'\nrate = 'accuracy'\nattribute = 'gender'\nmin_worst = {}\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run, a policy that it passes and one that it fails."""
    folder = tmp_path_factory.mktemp("console")
    (folder / "t.csv").write_text(TABLE.replace("happy,happy", "happy,sad", 20))
    (folder / "pass.toml").write_text(POLICY.format(0.01))
    (folder / "fail.toml").write_text(POLICY.format(0.99))
    done = fairfer("audit", "t.csv", "--out", "run", "--permutations", "100", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def fairfer(*arguments, cwd, **options):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    return subprocess.run([sys.executable, "-m", "fairfer", *arguments], check=False, cwd=cwd, **options)


@pytest.mark.parametrize(("policy", "code"), [("pass", 0), ("fail", 1)])
def test_a_closed_pipe_keeps_the_exit_code(run, policy, code):
    read, write = os.pipe()
    os.close(read)
    done = fairfer("gate", "run", "--policy", f"{policy}.toml", cwd=run, stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("command", [["gate", "run", "--policy", "pass.toml"], ["models"], ["--help"], ["report", "run"]])
def test_a_full_disk_is_one_line(run, command):
    with Path("/dev/full").open("w") as full:
        done = fairfer(*command, cwd=run, stdout=full)
    assert done.returncode == 2
    assert done.stderr == "fairfer: standard output cannot be written (No space left on device); write to another place\n"


def test_output_files_of_others_are_kept(run):
    """`--markdown` and `--junit` replace an empty file or one of an earlier verdict, and nothing else."""
    (run / "notes.md").write_text("mine")
    (run / "empty.md").write_text("")
    for option, name in (("--markdown", "notes.md"), ("--junit", "notes.md"), ("--markdown", "run/audit.json")):
        done = fairfer("gate", "run", "--policy", "pass.toml", option, name, cwd=run)
        assert done.returncode == 2
        assert "fairfer gate did not write it" in done.stderr
    assert (run / "notes.md").read_text() == "mine"
    for _ in range(2):
        files = ("--markdown", "empty.md", "--junit", "new.xml")
        assert fairfer("gate", "run", "--policy", "pass.toml", *files, cwd=run).returncode == 0
    done = fairfer("gate", "run", "--policy", "pass.toml", "--markdown", "x", "--junit", "x", cwd=run)
    assert "this run writes another file of that name" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["audit", "a" * 5000],
        ["audit", "t.csv", "--out", "a" * 5000],
        ["audit", "t.csv", "--demographics", "a" * 5000 + ".csv"],
        ["gate", "a" * 5000],
        ["report", "a" * 5000],
        ["audit", "t.csv", "--out", "t.csv"],
        ["audit", "t.csv", "--out", "/dev/null"],
        ["audit", "t.csv", "--permutations", "9" * 24],
        ["audit", "--config", "pipe"],
        ["gate", "run", "--policy", "pipe"],
        ["gate", "pipe"],
        ["audit", "--model", "onnx:pipe"],
        ["audit", "--model", "onnx:deep.toml"],
        ["gate", "run", "--policy", "deep.toml"],
        ["audit", "t.csv", "--demographics", "run"],
        ["audit", "t.csv", "--demographics", "folder.csv"],
        ["audit", "loop"],
        ["gate", "loop"],
        [b"audit", b"\xff"],
        [b"audit", b"t.csv", b"--name", b"\xff"],
    ],
    ids=lambda arguments: " ".join(str(a)[:20] for a in arguments),
)
def test_hostile_arguments_are_one_line(run, arguments):
    if not (run / "pipe").exists():
        os.mkfifo(run / "pipe")
        (run / "loop").symlink_to("loop")
        (run / "folder.csv").mkdir()
        (run / "deep.toml").write_text("x=" + "[" * 100_000)
    done = fairfer(*arguments, cwd=run, timeout=60)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("fairfer: ")


def test_names_in_the_data_give_no_commands(tmp_path):
    rows = ['"::error::x","::error::x","a\n::set-output name=a::b"', '"##[error]y","##[error]y","\x1b[31mb"'] * 30
    (tmp_path / "t.csv").write_text("label,predicted,::warning::g\n" + "\n".join(rows))
    done = fairfer("audit", "t.csv", "--name", "n\n::error::z", "--out", "a\n::error::b", "--permutations", "100", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for text in (done.stdout, done.stderr):
        assert not gives_command(text)
        assert "\x1b" not in text
