"""Encoding claims no more of the machine than the program that asks for it had."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from synthetic import background, write_clip

from videdit.media.encode.codecs import ENCODERS

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
