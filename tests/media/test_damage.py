"""Damaged packets and flipped bytes: what can be saved is saved, in its place and with its times."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from synthetic_clips import Clip, Sound, make

from videdit.errors import MediaError
from videdit.media.decode.read import VideoReader
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.encode.write import VideoWriter


def damage(clip: Path, path: Path, which: int, key: bool = True) -> Path:
    """A copy of the clip in which one packet (the which-th key frame, or of all) is nothing but zeros."""
    with av.open(str(clip)) as container:
        packets = [p for p in container.demux(video=0) if p.size and (p.is_keyframe or not key)]
        damaged = packets[which]
    data = bytearray(clip.read_bytes())
    data[damaged.pos : damaged.pos + damaged.size] = bytes(damaged.size)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("which", "key"), [(2, True), (4, True), (13, False), (39, False)])
def test_a_damaged_packet_costs_its_own_frames(tmp_path: Path, clip: Path, which: int, key: bool) -> None:
    with VideoReader(clip) as reader:
        whole = list(reader)
    with VideoReader(damage(clip, tmp_path / "damaged.mp4", which, key)) as reader:
        frames = list(reader)
        assert reader.errors > 0
        assert reader.repeated + reader.patched > 0
        assert "damaged" in reader.warnings[0]
    assert [f.pts for f in frames] == [f.pts for f in whole]  # as many as there were, at their times
    group = range(which * 8, which * 8 + 8) if key else range(which // 8 * 8, which // 8 * 8 + 8)
    for i, (frame, good) in enumerate(zip(frames, whole, strict=True)):
        if i not in group:  # every other group of pictures is untouched
            np.testing.assert_array_equal(frame.picture.planes[0], good.picture.planes[0])
            assert not frame.coded.corrupt
    assert sum(f.coded.corrupt for f in frames) == reader.repeated + reader.patched


def test_a_machine_without_memory_is_no_damaged_packet(tmp_path: Path) -> None:
    """The address space is limited for real while a clip of large frames is decoded: no frame is lost in silence."""
    path = tmp_path / "large.mp4"
    pts = tuple(range(0, 6 * 3000, 3000))
    make(path, Clip(pts=pts, width=2048, height=2048, options={"preset": "ultrafast", "crf": "40"}, noise=0))
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from videdit.media.decode.read import VideoReader\n"
        "with VideoReader(sys.argv[1], threads=1) as reader:\n"
        "    frames = iter(reader)\n"
        "    kept = [next(frames)]\n"
        "    used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (used + (4 << 20),) * 2)\n"
        "    try:\n"
        "        for frame in frames: kept.append(frame)\n"
        "    except MemoryError: sys.exit(7)\n"
        "    print(len(kept), reader.warnings)\n"
    )
    words, environment = [sys.executable, "-c", code, path], os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode == 7, done.stdout + done.stderr


def test_a_damaged_first_packet_costs_the_beginning(tmp_path: Path, clip: Path) -> None:
    """There is no frame to repeat: what can be shown comes at its own time."""
    with VideoReader(clip) as reader:
        times = [f.pts for f in reader]
    path = damage(clip, tmp_path / "damaged.mp4", 0)
    with VideoReader(path) as reader:
        frames = list(reader)
    assert [f.pts for f in frames] == times[-len(frames) :]
    assert 32 <= len(frames) <= 40


@pytest.fixture(scope="module")
def victims(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("victims")
    pts, options = tuple(range(0, 30 * 3000, 3000)), {"preset": "ultrafast", "g": "8"}
    for name, more in {"a.mp4": {}, "a.mkv": {"subtitles": True}, "a.ts": {"sounds": []}}.items():
        make(folder / name, Clip(**{"pts": pts, "options": options, "sounds": [Sound()]} | more))
    vp9 = {"codec": "libvpx-vp9", "pix_fmt": "yuva420p", "options": {}, "time_base": Fraction(1, 1000)}
    make(folder / "a.webm", Clip(pts=tuple(range(0, 300, 33)), last_duration=33, **vp9))
    return sorted(folder.iterdir())


@pytest.mark.parametrize("seed", range(32))
def test_flipped_bytes_cost_frames_or_one_line(tmp_path: Path, victims: list[Path], seed: int) -> None:
    """Whatever is damaged: a whole file comes out, or one line and nothing."""
    rng = np.random.default_rng(seed)
    victim = victims[seed % len(victims)]
    data = bytearray(victim.read_bytes())
    for place in rng.integers(0, len(data), int(rng.choice((1, 3, 30, 300)))):
        data[place] = int(rng.integers(256))
    source = tmp_path / f"in{victim.suffix}"
    target = tmp_path / ("out.mkv" if victim.suffix == ".ts" else f"out{victim.suffix}")
    source.write_bytes(data[: len(data) if rng.random() < 0.8 else int(rng.integers(len(data)))])
    try:
        with VideoReader(source) as reader, VideoWriter(target, reader.info, EncodeSettings(transcode=True)) as writer:
            for frame in reader:
                writer.write(frame)
    except MediaError as error:
        assert "\n" not in str(error)
        assert [path.name for path in tmp_path.iterdir()] == [source.name]
    else:
        with VideoReader(target) as again:
            assert len(list(again)) == writer.frames
