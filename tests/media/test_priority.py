"""Encoding claims no more of the machine than the program that asks for it had."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from synthetic import background, write_clip
from test_external import PROGRAM, how, needs

from videdit.media.decode.read import VideoReader
from videdit.media.encode.codecs import ENCODERS
from videdit.media.encode.write import VideoWriter

WATCHED = """
import os, sys
from pathlib import Path
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.decode.read import VideoReader
from videdit.media.encode.write import VideoWriter

def scheduling():
    threads = map(int, os.listdir("/proc/self/task"))
    return {(os.sched_getscheduler(t), os.sched_getparam(t).sched_priority) for t in threads}

source, target, codec = sys.argv[1:]
seen = scheduling()
with VideoReader(Path(source)) as reader, VideoWriter(Path(target), reader.info, EncodeSettings(codec)) as writer:
    frames = list(reader)
    seen |= scheduling()
    segment = writer.segment(Path(target + ".segment"))
    for frame in frames:
        segment.write(frame)
    record = segment.commit({})
    seen |= scheduling()
    writer.join([segment.path], record["end_pts"])
    writer.headers()
    seen |= scheduling()
    writer.commit()
whole = Path(target + ".mkv")
with VideoReader(Path(source)) as reader, VideoWriter(whole, reader.info, EncodeSettings(codec)) as writer:
    for frame in reader:
        writer.write(frame)
        seen |= scheduling()
    writer.commit()
print(sorted(seen))
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the system does not list a process's threads")
@pytest.mark.parametrize("codec", [name for name in ENCODERS if name != "prores"])
def test_encoders_leave_priorities_alone(codec, tmp_path):
    """As root SVT-AV1 raises its threads and its caller's above all else; what is begun after inherits that."""
    scene = background(160, 96)
    source = write_clip(tmp_path / "in.mp4", [np.roll(scene, i, 1) for i in range(4)], sound=False)
    words = [sys.executable, "-c", WATCHED, str(source), str(tmp_path / "out.mkv"), codec]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    mine = (os.sched_getscheduler(0), os.sched_getparam(0).sched_priority)
    assert done.stdout.strip() == str([mine])


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the system does not list a process's threads")
def test_priorities_come_back():
    """Of the thread that was there, and of one that was begun meanwhile (a lower policy needs no right)."""
    code = """
import os, threading
from videdit.threads import ordinary_priority
release = threading.Event()
with ordinary_priority():
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    other = threading.Thread(target=release.wait)
    other.start()
print(os.sched_getscheduler(0), os.sched_getscheduler(other.native_id))
release.set()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(os.SCHED_OTHER)] * 2


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the system does not list a process's threads")
@pytest.mark.skipif(PROGRAM is None, reason="no ffmpeg program or ffmpeg-python here")
def test_an_ffmpeg_program_does_not_raise_itself(tmp_path):
    """SVT-AV1 does there as it does here; only that it cannot be put right from within."""
    needs("libsvtav1")
    scene = background(160, 96)
    source = write_clip(tmp_path / "in.mp4", [np.roll(scene, i, 1) for i in range(8)], sound=False)
    seen: set[tuple[int, int]] = set()
    others = set(psutil.Process().children())
    with (
        VideoReader(source) as reader,
        VideoWriter(tmp_path / "out.mkv", reader.info, how("libsvtav1")) as writer,
    ):
        for frame in reader:
            writer.write(frame)
        (program,) = set(psutil.Process().children()) - others
        until = time.monotonic() + 30
        while time.monotonic() < until and program.num_threads() < 8:  # the encoder's own come after the first frame
            time.sleep(0.02)
        assert program.num_threads() >= 8
        time.sleep(0.3)
        for thread in program.threads():
            seen.add((os.sched_getscheduler(thread.id), os.sched_getparam(thread.id).sched_priority))
        writer.commit()
    assert seen == {(os.sched_getscheduler(0), os.sched_getparam(0).sched_priority)}
