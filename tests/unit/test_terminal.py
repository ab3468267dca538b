"""What is said reaches the terminal as letters, or not at all; it never stops a run."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic import ROOT

from videdit import paths
from videdit.cli import main as cli
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.terminal import plain, say

HOSTILE = "esc\x1b[31mRED\a\x9b2J\u202egpj.mp4"


def command(*words: object, **how) -> subprocess.CompletedProcess:
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 500} | how
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | how.pop("env", {})
    environment = {name: value for name, value in environment.items() if value is not None}
    return subprocess.run([sys.executable, ROOT / "run_video.py", *words], env=environment, **how)


@pytest.mark.parametrize("coding", ["ascii", "cp1252", "latin-1", "utf-8", "cp932"])
def test_every_stream_gets_the_letters_it_has(coding):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=coding, newline="")
    say("a🎬b é \udcff", stream)
    told = stream.buffer.getvalue()
    assert told.startswith(b"a")
    assert told.endswith(b"?\n")
    assert b"b " in told
    assert ("🎬".encode() in told) == (coding == "utf-8")


def test_a_stream_that_is_not_there_hears_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    say("a")
    closed = io.StringIO()
    closed.close()
    say("a", closed)


def test_control_codes_are_no_letters():
    assert plain(HOSTILE) == "esc?[31mRED??2J?gpj.mp4"
    assert plain("one\ntwo, 长名字, é, 🎬") == "one\ntwo, 长名字, é, 🎬"


@pytest.mark.parametrize("coding", ["cp1252", "ascii", "utf-8"])
def test_a_batch_of_names_that_cannot_be_printed_goes_on(tmp_path, coding):
    clips = tmp_path / "clips"
    clips.mkdir()
    for name in (f"a🎬{HOSTILE}", "b.mp4", os.fsdecode(b"c\xff.mp4")):
        (clips / name).write_bytes(b"no clip" * 100)
    done = command(clips, "--edit", "smile", "-o", tmp_path / "out", env={"PYTHONIOENCODING": coding})
    assert done.returncode == 4, done.stderr
    assert done.stdout.splitlines()[-4].startswith(b"0 done, 0 skipped, 3 failed")
    for told in (done.stdout, done.stderr):
        assert not set(told) & (set(range(32)) - {10} | {127})
        assert b"\x9b" not in told.replace("🎬".encode(), b"")


@pytest.mark.parametrize("closed", [1, 2])
def test_standard_streams_may_be_closed(tmp_path, closed):
    (tmp_path / "in.mp4").write_bytes(b"no clip" * 100)
    how = {"preexec_fn": lambda: os.close(closed), "cwd": tmp_path}
    assert command("--list-edits", **how).returncode == 0
    assert command("nobody.mp4", "--edit", "smile", **how).returncode == 2
    assert command("in.mp4", "--edit", "smile", "--log", "x.log", **how).returncode == 1
    assert "Traceback" not in (tmp_path / "x.log").read_text().split("where")[0]


def test_what_is_opened_first_does_not_become_stderr(tmp_path):
    words = "from videdit.terminal import occupy; occupy(); import sys; sys.exit(open('x', 'w').fileno() < 3)"
    how = {
        "preexec_fn": lambda: (os.close(1), os.close(2)),
        "cwd": tmp_path,
        "env": os.environ | {"PYTHONPATH": str(ROOT)},
    }
    assert subprocess.run([sys.executable, "-c", words], **how).returncode == 0


def test_a_user_without_a_home_and_a_name(monkeypatch, tmp_path, capsys):
    """As in a container that runs under a bare number: Python finds no home, and says so by an error."""

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr(Path, "expanduser", lambda path: no_home() if str(path).startswith("~") else path)
    for name in ("VIDEDIT_CACHE", "VIDEDIT_EDITS", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert cli.run(["--list-edits"]) == 0
    assert "smile" in capsys.readouterr().out
    (tmp_path / "in.mp4").write_bytes(b"not opened here")
    assert make_plan([RenderJob(input=str(tmp_path / "in.mp4"), edit="smile")]).clips


def test_homes(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.delenv("VIDEDIT_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert paths.cache_dir() == tmp_path / "me" / ".cache" / "videdit"
    assert paths.expanded("~/x.mp4") == tmp_path / "me" / "x.mp4"
    assert paths.expanded("~x.mp4") == Path("~x.mp4")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as it is where there is no home
    assert paths.home_dir() is None
    assert paths.cache_dir().is_absolute()
    assert paths.cache_dir().stat().st_mode & 0o77 == 0


@pytest.mark.parametrize("home", ["a file", "closed"])
def test_what_is_no_home_of_ours_stops_nothing(home, monkeypatch, tmp_path):
    """Services have /dev/null; containers under a bare number have root's."""
    (tmp_path / "a file").touch()
    (tmp_path / "closed").mkdir(mode=0o000)
    if home == "closed" and os.access(tmp_path / "closed", os.X_OK):
        pytest.skip("root may enter everywhere")
    for name in ("VIDEDIT_CACHE", "VIDEDIT_EDITS", "VIDEDIT_STATE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / home))
    assert paths.home_dir() is None
    assert cli.run(["--list-edits"]) == 0
    assert cli.run(["weights", "list"]) == 0
    monkeypatch.setenv("VIDEDIT_CACHE", str(tmp_path / "a file"))
    assert cli.run(["weights", "list"]) == 0


def test_a_file_may_be_called_as_a_home_is(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~x.mp4").write_bytes(b"not opened here")
    (clip,) = make_plan([RenderJob(input="~x.mp4", edit="smile", output="~y.mp4")]).clips
    assert (clip.source, clip.output) == (Path("~x.mp4"), Path("~y.mp4"))
