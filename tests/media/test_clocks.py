"""Times that are missing, run backwards or are set back midway, and sizes that change there: read on, or told how."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from synthetic_clips import Clip, Sound, copied_packets, make

from videdit.errors import MediaError
from videdit.media.decode.read import VideoReader
from videdit.media.decode.start import probe_from
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.encode.write import VideoWriter


def test_missing_times_are_repaired(tmp_path: Path) -> None:
    """A raw H.264 stream has no times at all."""
    path = tmp_path / "raw.h264"
    make(path, Clip(time_base=Fraction(1, 30), pts=tuple(range(10)), last_duration=1))
    with VideoReader(path) as reader:
        frames = list(reader)
    assert len(frames) == 10
    steps = np.diff([f.pts * f.time_base for f in frames]).tolist()
    assert all(step > 0 for step in steps)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_clock_that_is_set_back(tmp_path: Path, suffix: str) -> None:
    """Two recordings put together as they are: the second goes on where the first ends, with its sound."""
    parts = []
    for i, start in enumerate((90000, 0)):
        sound = Sound(1.0, codec="mp2", start=start / 90000)
        options = {"preset": "ultrafast", "qp": "0", "bf": "2"}
        clip = Clip(pts=tuple(range(start, start + 90000, 3000)), sounds=[sound], options=options)
        make(tmp_path / f"{i}.ts", clip)
        parts.append((tmp_path / f"{i}.ts").read_bytes())
    source, target = tmp_path / "both.ts", tmp_path / f"out{suffix}"
    source.write_bytes(b"".join(parts))
    with VideoReader(source) as reader, VideoWriter(target, reader.info, EncodeSettings(preset="ultrafast")) as writer:
        for frame in reader:
            writer.write(frame)
    assert (reader.resets, reader.repaired) == (1, 0)
    assert "set back 1 times" in reader.warnings[0]
    assert sum("is set back" in said for said in writer.warnings) == 1
    with VideoReader(target) as again:
        times = [float(frame.pts * frame.time_base) for frame in again]
    assert len(times) == 60
    np.testing.assert_allclose(np.diff(times), 1 / 30, atol=0.002)
    packets = copied_packets(target)[1]
    assert len(packets) == len(copied_packets(source)[1])
    np.testing.assert_allclose(np.diff([float(time) for _, time, _ in packets]), 1152 / 48000, atol=0.03)
    assert abs(float(packets[-1][1]) - times[-1]) < 0.15


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("count", [4, 9, 25])
def test_a_clock_that_is_set_back_by_less_than_a_second(tmp_path: Path, suffix: str, count: int) -> None:
    """A short piece three times over: no frame falls onto another."""
    sound = Sound(count / 30, codec="mp2", start=1.0)
    options = {"preset": "ultrafast", "qp": "0", "bf": "2"}
    make(tmp_path / "a.ts", Clip(pts=tuple(range(90000, 90000 + count * 3000, 3000)), sounds=[sound], options=options))
    source, target = tmp_path / "thrice.ts", tmp_path / f"out{suffix}"
    source.write_bytes(3 * (tmp_path / "a.ts").read_bytes())
    with VideoReader(source) as reader, VideoWriter(target, reader.info, EncodeSettings(preset="ultrafast")) as writer:
        for frame in reader:
            writer.write(frame)
    assert (reader.resets, reader.repaired) == (2, 0)
    with VideoReader(target) as again:
        times = [float(frame.pts * frame.time_base) for frame in again]
    assert len(times) == 3 * count
    np.testing.assert_allclose(np.diff(times), 1 / 30, atol=0.002)
    packets = copied_packets(target)[1]
    assert len(packets) == len(copied_packets(source)[1])
    assert abs(float(packets[-1][1]) - times[-1]) < 0.15


def test_a_source_that_changes_size_is_refused(tmp_path: Path) -> None:
    parts = []
    for i, size in enumerate((64, 96)):
        path = tmp_path / f"{i}.ts"
        make(path, Clip(width=size, height=size, pts=tuple(range(i * 30000, i * 30000 + 30000, 3000))))
        parts.append(path.read_bytes())
    (tmp_path / "both.ts").write_bytes(b"".join(parts))
    both = tmp_path / "both.ts"
    with pytest.raises(MediaError, match="changes from 64x64 to 96x96") as refused, VideoReader(both) as reader:
        list(reader)
    advice = r'--end ([0-9.]+) -o "{stem}_from_0{ext}", and --start \1 -o "{stem}_from_\1{ext}"$'
    at = re.search(advice, str(refused.value))
    assert at is not None  # and this advice can be followed
    for span, size in (({"end": float(at[1])}, 64), ({"start": float(at[1])}, 96)):
        info = probe_from(both, start=span.get("start"))
        assert (info.width, info.height) == (size, size)
        target = tmp_path / f"{size}.mkv"
        with VideoReader(info, **span) as part, VideoWriter(target, info, **span) as writer:
            for frame in part:
                writer.write(frame)
        with VideoReader(target) as again:
            assert len(list(again)) == 10


def test_a_part_that_changes_size_again_is_cut_once_more(tmp_path: Path) -> None:
    parts = []
    for i, size in enumerate((64, 96, 64)):
        path = tmp_path / f"{i}.ts"
        make(path, Clip(width=size, height=size, pts=tuple(range(i * 30000, i * 30000 + 30000, 3000))))
        parts.append(path.read_bytes())
    (tmp_path / "three.ts").write_bytes(b"".join(parts))
    three = tmp_path / "three.ts"
    info = probe_from(three, start=0.33)
    said = r'one by one: --start 0.33 --end 0.666 -o .*, and --start 0.666 --end 0.9 -o "{stem}_from_0.666{ext}"$'
    with pytest.raises(MediaError, match=said), VideoReader(info, start=0.33, end=0.9) as reader:
        list(reader)


@pytest.mark.parametrize("overlap", [30000, 3000])  # a clock that begins anew, and one that is set back a little
def test_parts_that_no_time_tells_apart_are_brought_to_one_size(tmp_path: Path, overlap: int) -> None:
    parts = []
    for i, size in enumerate((64, 96)):
        path, begin = tmp_path / f"{i}.ts", i * (30000 - overlap)
        make(path, Clip(width=size, height=size, pts=tuple(range(begin, begin + 30000, 3000))))
        parts.append(path.read_bytes())
    both = tmp_path / "two parts.ts"
    both.write_bytes(b"".join(parts))
    with pytest.raises(MediaError, match="bring it to one size first: ffmpeg -i ") as refused:  # noqa: SIM117
        with VideoReader(both) as reader:
            list(reader)
    words = shlex.split(str(refused.value).partition("first: ")[2])
    program = shutil.which("ffmpeg") or pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    subprocess.run([program, "-v", "error", "-nostdin", *words[1:]], check=True)  # as it is advised
    with VideoReader(tmp_path / "two parts_64x64.mkv") as reader:
        assert len(list(reader)) >= 10
        assert reader.info.width == 64
