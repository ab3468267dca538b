"""Bad input and failing disks: one clear line, nothing half-written, and what can be saved is saved."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shlex
import shutil
import struct
import subprocess
import sys
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from synthetic_clips import Clip, Sound, copied_packets, make

from videdit.errors import MediaError, PicturesChange
from videdit.media.decode.read import VideoReader, read_image
from videdit.media.decode.start import probe_from
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.encode.write import VideoWriter
from videdit.media.probe import probe


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    make(path, Clip(pts=tuple(range(0, 40 * 3000, 3000)), sounds=[Sound()], options={"preset": "ultrafast", "g": "8"}))
    return path


def refused(path: Path, match: str) -> str:
    with pytest.raises(MediaError, match=match) as caught:
        probe(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_files_that_are_none(tmp_path: Path) -> None:
    refused(tmp_path / "missing.mp4", "no such file")
    refused(tmp_path, "is a folder")
    (tmp_path / "empty.mp4").touch()
    refused(tmp_path / "empty.mp4", "is empty")
    os.mkfifo(tmp_path / "pipe.mp4")
    refused(tmp_path / "pipe.mp4", "not a regular file")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("suffix", [".mp4", ".jpg", ".mkv"])
def test_garbage(tmp_path: Path, seed: int, suffix: str) -> None:
    path = tmp_path / f"noise{suffix}"
    path.write_bytes(np.random.default_rng(seed).bytes(5000))
    refused(path, "not a video or picture")


def test_exr_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    (tmp_path / "a.exr").write_bytes(b"\x76\x2f\x31\x01" + bytes(100))
    refused(tmp_path / "a.exr", r"pip install \"videdit\[exr\]\"")


def test_text_and_sound_are_no_video(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("a list of things to do\n" * 50)
    refused(tmp_path / "notes.mp4", "not a video")
    with av.open(str(tmp_path / "song.m4a"), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.sample_rate, frame.pts = 48000, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    refused(tmp_path / "song.m4a", "no video stream")
    (tmp_path / "song.mp4").write_bytes(b"ID3\x04" + bytes(6) + (b"\xff\xfb\x90\x64" + bytes(413)) * 40)
    refused(tmp_path / "song.mp4", "is sound without a picture")
    (tmp_path / "drawing.png").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>')
    refused(tmp_path / "drawing.png", "not a video or picture of a kind that is read; convert it")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
def test_cut_off(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"whole{suffix}"
    make(path, Clip(sounds=[Sound()]))
    data = path.read_bytes()
    (tmp_path / f"part{suffix}").write_bytes(data[: int(len(data) * share)])
    refused(tmp_path / f"part{suffix}", "cut off")


def test_index_never_written(tmp_path: Path, clip: Path) -> None:
    data = clip.read_bytes()
    path = tmp_path / "no_index.mp4"
    path.write_bytes(data[: data.index(b"moov") - 4])
    assert "moov" in refused(path, "cut off")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_no_frames(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"hollow{suffix}"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30)
        stream.width = stream.height = 64
        out.start_encoding()
        out.mux(stream.encode(None))
    refused(path, "holds no")


def test_huge_dimensions_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 10**6))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(MediaError, match="60000x60000|Invalid|no picture"):
        probe(bomb)
    wide = tmp_path / "wide.png"
    wide.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 20000, 2, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\0" * 2 * 20001))
        + chunk(b"IEND", b"")
    )
    refused(wide, "20000x2")


def test_video_that_needs_too_much_memory_is_refused(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("videdit.media.probe.MAX_VIDEO_PIXELS", 64 * 48 - 1)
    assert "64x48" in refused(clip, "scale it down")


@pytest.mark.parametrize(
    "text", ["#EXTM3U\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile '{}'\n", "concat:{}"]
)
def test_a_playlist_opens_no_other_file(tmp_path: Path, clip: Path, text: str) -> None:
    path = tmp_path / "list.mp4"
    path.write_text(text.format(clip))
    refused(path, "not a video")


def test_file_names_are_never_protocols_or_patterns(tmp_path: Path, clip: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a.mp4", "http:b.mp4", "-i.mp4", "frame%03d.mp4", "ünï cödé 'x'.mp4"):
        Path(name).write_bytes(clip.read_bytes())
        assert probe(name).frame_count == 40


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


def test_nothing_between_two_times(clip: Path) -> None:
    with pytest.raises(MediaError, match="no frame from 90 s"), VideoReader(clip, start=90) as reader:
        list(reader)
    with pytest.raises(MediaError, match="end must come after"):
        VideoReader(clip, start=1, end=0.5)


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


@pytest.mark.parametrize("side", [64, 96])
def test_pixels_that_change_their_shape(tmp_path: Path, side: int) -> None:
    """As in a broadcast from 4:3 on to 16:9: told where the size stays; each part has its own shape."""
    path, clock = tmp_path / "both.ts", Fraction(1, 90000)
    shapes = (Fraction(16, 15), Fraction(64, 45))
    options = {"preset": "ultrafast", "qp": "0", "bf": "0"}
    for i, (width, sar) in enumerate(zip((64, side), shapes, strict=True)):
        times = tuple(range(90000 + i * 36000, 90000 + (i + 1) * 36000, 3600))
        part = Clip(pts=times, time_base=clock, width=width, sar=sar, last_duration=3600, options=options)
        make(tmp_path / f"{i}.ts", part)
    path.write_bytes((tmp_path / "0.ts").read_bytes() + (tmp_path / "1.ts").read_bytes())
    assert probe(path).sar == shapes[0]
    assert probe_from(path, start=0.4).sar == shapes[1]
    assert probe_from(path, start=0.2).sar == shapes[0]
    with VideoReader(path) as reader, contextlib.ExitStack() as stack:
        if side != 64:
            stack.enter_context(pytest.raises(PicturesChange))
        assert len(list(reader)) == 20
    if side == 64:
        assert re.search(r"shape from 16:15 to 64:45 at about 0\.(3|4)\d* s", " ".join(reader.warnings))


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


class TestWriter:
    def test_abort_and_exceptions_leave_nothing(self, tmp_path: Path, clip: Path) -> None:
        out = tmp_path / "out"
        out.mkdir()
        for count in (0, 1, 25):
            with VideoReader(clip) as reader, pytest.raises(RuntimeError, match="stop"):  # noqa: SIM117
                with VideoWriter(out / "a.mp4", reader.info) as writer:
                    for frame, _ in zip(reader, range(count), strict=False):
                        writer.write(frame)
                    raise RuntimeError("stop")
            assert list(out.iterdir()) == []
        writer = VideoWriter(out / "a.mp4", probe(clip))
        writer.abort()
        writer.abort()
        assert list(out.iterdir()) == []

    def test_target_appears_only_when_complete(self, tmp_path: Path, clip: Path) -> None:
        target = tmp_path / "out.mp4"
        target.write_bytes(b"old")
        with VideoReader(clip) as reader, VideoWriter(target, reader.info, replace=True) as writer:
            for frame in reader:
                writer.write(frame)
                assert target.read_bytes() == b"old"
            writer.commit()
            assert probe(target).frame_count == 40
            assert not writer.temporary.exists()

    def test_what_a_killed_run_left_is_swept_away(self, tmp_path: Path, clip: Path) -> None:
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        old, young, running, other = (
            tmp_path / f".{name}.part.mp4"
            for name in (f"out.{gone.pid}-00aaff", f"out.{gone.pid}-00bbff", f"out.{os.getpid()}-00aaff", "out.2-0")
        )
        for file in (old, young, running, other):
            file.touch()
        for file in (old, running, other):
            os.utime(file, (1, 1))
        VideoWriter(tmp_path / "out.mp4", probe(clip)).abort()
        assert {path for path in tmp_path.iterdir()} == {clip, young, running, other}

    def test_no_frame_is_an_error(self, tmp_path: Path, clip: Path) -> None:
        with pytest.raises(MediaError, match="no frame"), VideoWriter(tmp_path / "out.mp4", probe(clip)):
            pass
        assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]

    @pytest.mark.parametrize(
        ("name", "settings", "match"),
        [
            ("clip.mp4", {}, "the source itself"),
            ("nowhere/out.mp4", {}, "does not exist"),
            ("out.avi", {}, "not supported"),
            ("out", {}, "not supported"),
            ("out.mp4", {"codec": "divx"}, "unknown codec"),
            ("out.mp4", {"codec": "prores"}, "hold no prores"),
            ("out.mov", {"codec": "prores", "lossless": True}, "no lossless mode"),
            ("out.mp4", {"preset": "warp"}, "unknown preset"),
            ("out.webm", {"codec": "h264"}, "hold no h264"),
        ],
    )
    def test_impossible_targets(self, tmp_path: Path, clip: Path, name: str, settings: dict, match: str) -> None:
        with pytest.raises(MediaError, match=match) as caught:
            VideoWriter(tmp_path / name, probe(clip), EncodeSettings(**settings))
        assert "\n" not in str(caught.value)
        assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]

    def test_link_to_the_source_is_the_source(self, tmp_path: Path, clip: Path) -> None:
        (tmp_path / "link.mp4").symlink_to(clip)
        with pytest.raises(MediaError, match="the source itself"):
            VideoWriter(tmp_path / "link.mp4", probe(clip))

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_folder_without_permission(self, tmp_path: Path, clip: Path) -> None:
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(MediaError, match="no permission"):
            VideoWriter(tmp_path / "locked" / "out.mp4", probe(clip))

    def test_full_disk(self, tmp_path: Path, clip: Path, monkeypatch) -> None:
        usage = type("Usage", (), {"free": 1 << 20})
        monkeypatch.setattr("videdit.media.encode.write.shutil.disk_usage", lambda folder: usage)
        with pytest.raises(MediaError, match="only 1 MiB are free"):
            VideoWriter(tmp_path / "out.mp4", probe(clip))

    def test_failing_disk_in_the_middle(self, tmp_path: Path, clip: Path) -> None:
        """A file size limit stands in for a disk that fills up while the clip is written."""
        code = (
            "import sys\n"
            "from videdit.errors import MediaError\n"
            "from videdit.media.decode.read import VideoReader\n"
            "from videdit.media.encode.write import VideoWriter, EncodeSettings\n"
            "try:\n"
            "    how = EncodeSettings(lossless=True)\n"
            "    with VideoReader(sys.argv[1]) as r, VideoWriter(sys.argv[2], r.info, how) as w:\n"
            "        for frame in r: w.write(frame)\n"
            "except MediaError as error: print(error); sys.exit(1)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, clip, tmp_path / "out.mp4"],
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)),
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1, done.stderr
        assert "cannot write" in done.stdout
        assert len(done.stdout.splitlines()) == 1
        assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]

    def test_a_wrong_order_is_a_mistake_of_ours(self, tmp_path: Path, clip: Path) -> None:
        with VideoReader(clip) as reader:
            first, second, *_ = list(reader)
        with pytest.raises(ValueError, match="comes after"), VideoWriter(tmp_path / "out.mp4", reader.info) as writer:
            writer.write(second)
            writer.write(first)


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


def test_damaged_picture(tmp_path: Path) -> None:
    (tmp_path / "half.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 100)
    with pytest.raises(MediaError):
        read_image(tmp_path / "half.png")


def test_a_file_that_is_still_growing(tmp_path: Path) -> None:
    """A live recording without an end: what is there when it is read is a clip, and more of it later is no harm."""
    whole, growing = tmp_path / "whole.ts", tmp_path / "growing.ts"
    make(whole, Clip(pts=tuple(range(0, 60 * 3000, 3000)), options={"preset": "ultrafast", "g": "10"}))
    data = whole.read_bytes()
    half = len(data) // 2 // 188 * 188
    growing.write_bytes(data[:half])
    info = probe(growing)
    with VideoReader(info) as reader:
        before = [frame.pts for frame in reader]
    with VideoReader(info) as reader, VideoWriter(tmp_path / "out.mkv", info) as writer:
        for i, frame in enumerate(reader):
            if i == 3:
                growing.write_bytes(data)
            writer.write(frame)
    with VideoReader(tmp_path / "out.mkv") as reader:
        assert len(before) <= len(list(reader)) <= 60
    assert 20 <= len(before) < 60
