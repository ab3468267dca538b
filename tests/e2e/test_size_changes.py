"""Recordings that were joined and change their size on the way: parts, each with its sound, or advice that works."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from videdit import edit_video
from videdit.cli import main as cli
from videdit.errors import MediaError

ROOT = Path(__file__).resolve().parents[2]
SIZES = ((320, 180), (240, 136), (400, 224), (320, 180))
FRAMES = 6
STEP = 1 / 25


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    with av.open(str(ROOT / "examples" / "portrait.mp4")) as film:
        return [frame.to_ndarray(format="rgb24") for frame, _ in zip(film.decode(video=0), range(FRAMES), strict=False)]


def joined(path: Path, pictures: Sequence[np.ndarray], sizes: Sequence[tuple[int, int]], faceless: int = -1) -> Path:
    """A clip of parts, each of FRAMES frames in a size of its own, with sound throughout."""
    codec = "libvpx-vp9" if path.suffix == ".webm" else "libx264"
    options = (
        {"g": "3", "bf": "0", "x264-params": "repeat-headers=1"} if codec == "libx264" else {"g": "3", "crf": "30"}
    )
    sound = "libopus" if path.suffix == ".webm" else "aac"
    with av.open(str(path), "w") as out:
        video = out.add_stream(codec, rate=25, options=options)
        video.width, video.height = sizes[0]
        video.pix_fmt = "yuv420p"
        audio = out.add_stream(sound, rate=48000)
        for part, (width, height) in enumerate(sizes):
            encoder = video.codec_context if part == 0 else av.CodecContext.create(codec, "w")
            if part:
                encoder.width, encoder.height, encoder.pix_fmt, encoder.options = width, height, "yuv420p", options
                encoder.time_base, encoder.framerate = Fraction(1, 25), 25
            for number, picture in enumerate(pictures):
                shown = np.zeros_like(picture) if part == faceless else picture
                frame = av.VideoFrame.from_ndarray(shown, "rgb24").reformat(width, height, "yuv420p")
                frame.pts, frame.time_base = part * FRAMES + number, Fraction(1, 25)
                put(out, video, encoder.encode(frame))
            put(out, video, encoder.encode(None))
        total = len(sizes) * FRAMES * 1920
        wave = np.sin(np.arange(total) / 20).astype(np.float32)[None]
        heard = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
        heard.rate, heard.pts = 48000, 0
        for packet in (*audio.encode(heard), *audio.encode(None)):
            out.mux(packet)
    return path


def put(out, stream, packets) -> None:
    for packet in packets:
        packet.stream = stream
        out.mux(packet)


def told(path: Path) -> tuple[tuple[int, int], int, float]:
    """(size, frames, seconds of sound) of a file."""
    with av.open(str(path)) as film:
        frames = list(film.decode(video=0))
    with av.open(str(path)) as film:
        heard = sum(frame.samples / frame.rate for frame in film.decode(audio=0))
    assert len({(frame.width, frame.height) for frame in frames}) == 1
    return (frames[0].width, frames[0].height), len(frames), heard


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("suffix", [".ts", ".mkv", ".webm"])
def test_each_part_becomes_a_file_with_its_sound(pictures, tmp_path, monkeypatch, capsys, suffix, count):
    monkeypatch.chdir(tmp_path)
    clip = joined(tmp_path / f"c{suffix}", pictures, SIZES[:count])
    before = clip.read_bytes()
    assert cli.run([clip.name, "--edit", "smile=0", "--crf", "20"]) == 0
    kind = ".mkv" if suffix == ".ts" else suffix
    outputs = [tmp_path / f"c_smile+0_part{number}{kind}" for number in range(1, count + 1)]
    assert sorted(tmp_path.iterdir()) == sorted([clip, *outputs])
    for output, size in zip(outputs, SIZES, strict=False):
        assert told(output)[:2] == (size, FRAMES)
        assert told(output)[2] == pytest.approx(FRAMES * STEP, abs=0.06)
    said = capsys.readouterr()
    assert said.err.count("no file can hold both") == count - 1
    assert all(output.name in said.out for output in outputs)
    assert clip.read_bytes() == before


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("suffix", [".ts", ".mkv", ".webm"])
def test_what_is_refused_says_what_works(pictures, tmp_path, monkeypatch, suffix, count):
    """The words of the advice, given to the command as they stand, until no part is refused any more."""
    monkeypatch.chdir(tmp_path)
    clip = joined(tmp_path / f"c{suffix}", pictures, SIZES[:count])
    waiting, sizes = [""], []
    while waiting:
        words = waiting.pop(0)
        span = dict(re.findall(r"--(start|end) ([0-9.]+)", words))
        try:  # what calls from Python are told
            edit_video(
                clip, tmp_path / "x.mkv", edit="smile=0", crf=20, **{name: float(at) for name, at in span.items()}
            )
        except MediaError as error:
            advice = str(error).partition("one by one: ")[2]
            assert advice, error
            waiting[:0] = advice.split(", and ")
            continue
        assert cli.run([clip.name, "--edit", "smile=0", *shlex.split(words)]) == 0
        sizes.append(told(max(tmp_path.glob("c_from_*"), key=lambda path: path.stat().st_mtime_ns)))
        (tmp_path / "x.mkv").unlink()
    assert [part[:2] for part in sizes] == [(size, FRAMES) for size in SIZES[:count]]
    assert all(part[2] == pytest.approx(FRAMES * STEP, abs=0.06) for part in sizes)


def test_faces_in_parts(pictures, tmp_path, monkeypatch, capsys):
    """A real edit; a part without a face is written as it is, and the sheet of faces shows a part by its times."""
    monkeypatch.chdir(tmp_path)
    clip = joined(tmp_path / "c.ts", pictures, SIZES[:2], faceless=1)
    at = FRAMES * STEP
    words = [clip.name, "--edit", "smile", "--size", "256", "--method", "hfgi"]
    assert cli.run([*words, "--faces", "0"]) == 1  # whose number?
    assert f"--start {at:g} " in capsys.readouterr().err
    assert cli.run(["faces", clip.name, "--end", f"{at:g}"]) == 0
    assert "the numbers of this cut alone" in capsys.readouterr().err
    assert cli.run([*words, "--faces", "0", "--end", f"{at:g}", "-o", "first.mkv"]) == 0
    assert told(tmp_path / "first.mkv")[:2] == (SIZES[0], FRAMES)
    assert cli.run(words) == 0
    assert told(tmp_path / "c_smile_part1.mkv")[:2] == (SIZES[0], FRAMES)
    assert told(tmp_path / "c_smile_part2.mkv")[:2] == (SIZES[1], FRAMES)
    (tmp_path / "c_smile_part2.mkv").unlink()
    capsys.readouterr()
    assert cli.run(words) == 2
    again = capsys.readouterr().err
    assert "c_smile_part1.mkv exists already" in again
    assert cli.run([*words, "--preview", f"{at + STEP:g}", "--draft"]) == 2
    assert "a render makes a file of each part" in capsys.readouterr().err
    rest = re.search(r"the rest alone: (.*)$", again.strip())
    assert cli.run([*words, "--keep-unedited", *shlex.split(rest[1])]) == 0
    assert told(tmp_path / "c_smile_part2.mkv")[:2] == (SIZES[1], FRAMES)


def test_a_folder_goes_on_where_it_stopped(pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    joined(tmp_path / "in" / "c.ts", pictures, SIZES[:3])
    (tmp_path / "in" / "d.ts").write_bytes((tmp_path / "in" / "c.ts").read_bytes())
    words = ["in", "--edit", "smile=0", "-o", "out/"]
    assert cli.run(words) == 0
    assert "6 done, 0 skipped, 0 failed" in capsys.readouterr().out
    (tmp_path / "out" / "c_smile+0_part2.mkv").unlink()
    assert cli.run(words) == 0
    said = capsys.readouterr()
    assert "1 done, 5 skipped, 0 failed" in said.out
    assert "clip 2 of 2" in said.out
    assert "clip 3" not in said.out


def test_no_face_in_any_part(pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    clip = joined(tmp_path / "c.ts", [np.zeros_like(pictures[0])] * FRAMES, SIZES[:2])
    assert cli.run([clip.name, "--edit", "smile", "--method", "hfgi"]) == 3
    assert list(tmp_path.iterdir()) == [clip]
