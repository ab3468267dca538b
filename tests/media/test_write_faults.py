"""Targets that cannot be written, and disks that fail: one clear line, and nothing half-written."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from videdit.errors import MediaError
from videdit.media.decode.read import VideoReader
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.encode.write import VideoWriter
from videdit.media.probe import probe


def test_abort_and_exceptions_leave_nothing(tmp_path: Path, clip: Path) -> None:
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


def test_target_appears_only_when_complete(tmp_path: Path, clip: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"old")
    with VideoReader(clip) as reader, VideoWriter(target, reader.info, replace=True) as writer:
        for frame in reader:
            writer.write(frame)
            assert target.read_bytes() == b"old"
        writer.commit()
        assert probe(target).frame_count == 40
        assert not writer.temporary.exists()


def test_what_a_killed_run_left_is_swept_away(tmp_path: Path, clip: Path) -> None:
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


def test_no_frame_is_an_error(tmp_path: Path, clip: Path) -> None:
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
        ("out.mov", {"codec": "prores"}, "does not keep yuv420p video; choose --pix-fmt yuv422p10le"),
        ("out.mov", {"codec": "prores", "lossless": True}, "no lossless mode"),
        ("out.mp4", {"preset": "warp"}, "unknown preset"),
        ("out.webm", {"codec": "h264"}, "hold no h264"),
    ],
)
def test_impossible_targets(tmp_path: Path, clip: Path, name: str, settings: dict, match: str) -> None:
    with pytest.raises(MediaError, match=match) as caught:
        VideoWriter(tmp_path / name, probe(clip), EncodeSettings(**settings))
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]


def test_link_to_the_source_is_the_source(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "link.mp4").symlink_to(clip)
    with pytest.raises(MediaError, match="the source itself"):
        VideoWriter(tmp_path / "link.mp4", probe(clip))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(MediaError, match="no permission"):
        VideoWriter(tmp_path / "locked" / "out.mp4", probe(clip))


def test_full_disk(tmp_path: Path, clip: Path, monkeypatch) -> None:
    usage = type("Usage", (), {"free": 1 << 20})
    monkeypatch.setattr("videdit.media.encode.target.shutil.disk_usage", lambda folder: usage)
    with pytest.raises(MediaError, match="only 1 MiB are free"):
        VideoWriter(tmp_path / "out.mp4", probe(clip))


def test_failing_disk_in_the_middle(tmp_path: Path, clip: Path) -> None:
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


def test_a_wrong_order_is_a_mistake_of_ours(tmp_path: Path, clip: Path) -> None:
    with VideoReader(clip) as reader:
        first, second, *_ = list(reader)
    with pytest.raises(ValueError, match="comes after"), VideoWriter(tmp_path / "out.mp4", reader.info) as writer:
        writer.write(second)
        writer.write(first)
