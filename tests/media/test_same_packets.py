"""The same frames are the same packets."""

from __future__ import annotations

import os
import subprocess
import sys

import av
import numpy as np
import pytest
from synthetic import background, write_clip

COPY = """
import sys
from pathlib import Path
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.decode.read import VideoReader
from videdit.media.encode.write import VideoWriter

source, target, codec = sys.argv[1:]
with VideoReader(Path(source)) as reader, VideoWriter(Path(target), reader.info, EncodeSettings(codec)) as writer:
    for frame in reader:
        writer.write(frame)
    writer.commit()
"""


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9", "av1"])
def test_packets_do_not_depend_on_what_memory_held(codec, tmp_path):
    """Or a segment that is encoded again after a crash is not the one of a run without. The C library fills what it
    hands out (where it is glibc; elsewhere this only encodes again)."""
    rng = np.random.default_rng(0)
    scene = background(400, 240)
    pictures = [np.roll(scene, (3 * i, 2 * i), (0, 1)) + rng.integers(0, 9, scene.shape, np.uint8) for i in range(7)]
    source = write_clip(tmp_path / "in.mp4", pictures, sound=False)
    packets = []
    for filling in ("0", "1", "170", "255"):
        target = tmp_path / f"{filling}.mkv"
        words = [sys.executable, "-c", COPY, str(source), str(target), codec]
        subprocess.run(words, env=os.environ | {"MALLOC_PERTURB_": filling}, check=True)
        with av.open(str(target)) as film:
            packets.append([bytes(packet) for packet in film.demux(video=0) if packet.size])
    assert all(other == packets[0] for other in packets)
