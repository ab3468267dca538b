"""A file that is there is never replaced unasked, and two runs never write one output."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time

import pytest
from synthetic import ROOT

from videdit.errors import MediaError, UsageError
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.media.encode.target import sweep
from videdit.rendering.progress import check_report
from videdit.storage import locks
from videdit.storage.outputs import NAME_BYTES, Claim, ExistsError, hidden, put, put_text, temporary_name, written_whole


def without_links(*_):
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("links", [True, False], ids=["hard-links", "no-hard-links"])
def test_what_is_there_stays_unless_it_is_to_be_replaced(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", without_links)
    temporary, target = tmp_path / "temporary", tmp_path / "target"
    temporary.write_text("new")
    put(temporary, target)
    assert target.read_text() == "new"
    assert not temporary.exists()
    temporary.write_text("newer")
    with pytest.raises(ExistsError, match="target came to exist while this ran.*--overwrite") as error:
        put(temporary, target)
    assert target.read_text() == "new"
    assert "\n" not in str(error.value)
    put(temporary, target, replace=True)
    assert target.read_text() == "newer"
    assert os.listdir(tmp_path) == ["target"]


def test_a_run_that_was_killed_between_two_steps_goes_on(tmp_path):
    (tmp_path / "temporary").write_text("new")
    os.link(tmp_path / "temporary", tmp_path / "target")
    put(tmp_path / "temporary", tmp_path / "target")
    assert os.listdir(tmp_path) == ["target"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
@pytest.mark.parametrize("link", [False, True])
def test_no_file_takes_the_place_of_a_pipe_or_a_device(tmp_path, link):
    """With --overwrite as the superuser, /dev/null would become a file for all of the machine."""
    pipe, new, name = tmp_path / "pipe.mp4", tmp_path / "new.mp4", tmp_path / "name.mp4"
    os.mkfifo(pipe)
    new.write_text("new")
    if link:
        name.symlink_to(pipe)
    else:
        name = pipe
    with pytest.raises(MediaError, match="not a file"):
        put(new, name, replace=True)
    with pytest.raises(MediaError, match="not a file"), written_whole(name) as written:
        written.write_text("new")
    with pytest.raises(MediaError, match="not a file"):
        put_text(name, "new", replace=True)
    (tmp_path / "in.mp4").write_bytes(b"not opened")
    for overwrite in (False, True):
        job = RenderJob(input=str(tmp_path / "in.mp4"), edit="smile", output=str(name), overwrite=overwrite)
        with pytest.raises(UsageError, match="is a device, a pipe or a socket, not a file; choose another with -o"):
            make_plan([job])
        with pytest.raises(UsageError, match="not a file"):
            check_report(name, overwrite)
    assert pipe.is_fifo()
    assert name.is_symlink() is link
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted({"in.mp4", "new.mp4", "pipe.mp4", name.name})


def test_a_link_that_leads_nowhere_is_there_too(tmp_path):
    (tmp_path / "target").symlink_to("nowhere")
    (tmp_path / "temporary").write_text("new")
    with pytest.raises(ExistsError):
        put(tmp_path / "temporary", tmp_path / "target")


def test_a_text_is_whole_or_not_there(tmp_path):
    put_text(tmp_path / "a.json", "one")
    with pytest.raises(ExistsError):
        put_text(tmp_path / "a.json", "two")
    assert (tmp_path / "a.json").read_text() == "one"
    assert os.listdir(tmp_path) == ["a.json"]


def test_two_claims_to_one_output(tmp_path):
    output, other = tmp_path / "o.mp4", tmp_path / "p.mp4"
    with Claim(output):
        with Claim(other):
            pass
        with pytest.raises(UsageError, match="another run is writing .*o.mp4") as error, Claim(other, output):
            pass
        assert "\n" not in str(error.value)
        with Claim(other):  # of which the refused one let go
            pass
    with Claim(output):
        pass
    assert os.listdir(tmp_path) == []


def test_a_run_that_was_killed_claims_nothing(tmp_path):
    output = tmp_path / "o.mp4"
    words = "from pathlib import Path; from videdit.storage.outputs import Claim; import time\n"
    words += f"with Claim(Path({str(output)!r})):"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{words}\n    print('held', flush=True); time.sleep(60)"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(UsageError), Claim(output):
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert os.listdir(tmp_path) == [".o.mp4.lock"]
    with Claim(output):
        pass
    assert os.listdir(tmp_path) == []


LONG = ["长" * 83 + ".mp4", "a" * 251 + ".mp4", "é" * 125 + ".mkv", "🎬" * 62 + ".mp4"]


@pytest.mark.parametrize("name", [*LONG, "b.mp4"])
def test_hidden_names_fit_where_the_name_fits(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"")
    for made in (temporary_name(path), hidden(path, ".unfinished"), hidden(path, ".lock")):
        assert made.name.startswith(".")
        assert len(os.fsencode(made.name)) <= NAME_BYTES
        made.write_bytes(b"")
    stale = temporary_name(path)
    stale = stale.with_name(stale.name.replace(f".{os.getpid()}-", ".999999999-"))
    stale.write_bytes(b"")
    os.utime(stale, (time.time() - 4000,) * 2)
    sweep(path)
    assert not stale.exists()


def test_hidden_names_in_a_locale_of_plain_ascii(tmp_path):
    words = "import sys; from pathlib import Path; from videdit.storage.outputs import *; p = Path(sys.argv[1])"
    words += "; temporary_name(p).touch(); hidden(p, '.lock').touch()"
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0"}
    subprocess.run([sys.executable, "-c", words, str(tmp_path / ("é" * 90 + ".mp4"))], env=environment, check=True)
    assert len(list(tmp_path.iterdir())) == 2


def test_hidden_names_of_two_long_names_differ(tmp_path):
    one, other = (hidden(tmp_path / ("a" * 240 + f"{i}.mp4"), ".unfinished") for i in range(2))
    assert one != other


@pytest.mark.skipif(not locks.AVAILABLE, reason="this system has no locks of files")
def test_a_lock_is_held_alone_or_shared(tmp_path):
    place = tmp_path / "lock"
    with place.open("w") as one, place.open("r") as other, place.open("r") as third:
        locks.lock(one)
        with pytest.raises(BlockingIOError):
            locks.lock(other)
        one.close()
        locks.lock(other, shared=True)
        locks.lock(third, shared=True)
        with place.open("r") as alone, pytest.raises(BlockingIOError):
            locks.lock(alone)
