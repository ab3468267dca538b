"""EXR pictures: linear light in, linear light out, and everything that no edit touches bit for bit.

OpenEXR itself writes and reads here; the tests are skipped without it (pip install "videdit[exr]").
"""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from footage import failing_after, frames_of, largest_face, same_planes, smile
from synthetic import background, with_face

from videdit.datatypes import Color
from videdit.errors import MediaError, UsageError
from videdit.faces.detector import FaceDetector
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.media.color import picture_to_rgb
from videdit.media.exr.read import ExrReader
from videdit.media.exr.write import ExrWriter
from videdit.media.probe import probe
from videdit.media.tone_proxy import from_sdr
from videdit.provenance.tags import is_edited
from videdit.stages.auxiliary_output import AuxiliaryOutput
from videdit.stages.decode import Decode
from videdit.stages.paste import Paste

exr = pytest.importorskip("OpenEXR", reason='needs OpenEXR: pip install "videdit[exr]"')

ACES = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)


def linear(rgb: np.ndarray, color: Color) -> np.ndarray:
    """What of linear light is seen as this picture [H, W, 3] uint8; with a lamp of 40 times white in a corner."""
    light = np.stack(from_sdr([rgb[..., i] / 255 for i in range(3)], color, np), -1).astype(np.float32)
    light[:16, :16] = 40.0
    light[20, :4, 0] = (np.inf, np.nan, -0.25, -0.0)
    return light


def write(path: Path, light: np.ndarray, kind: type = np.float16, more: dict | None = None, **header) -> dict:
    """An EXR file with depth, a matte and a number beside the colours; returns its channels."""
    rng = np.random.default_rng(len(path.name))
    shape = light.shape[:2]
    channels = {"RGB"[i]: light[..., i].astype(kind) for i in range(3)}
    channels |= {"A": np.ones(shape, kind), "Z": rng.random(shape, np.float32)}
    channels |= {"id": rng.integers(0, 2**32, shape, np.uint32)} | (more or {})
    exr.File(header | {"owner": "Ada", "capDate": "2026:01:01 00:00:00"}, channels).write(str(path))
    return {name: channel.pixels.copy() for name, channel in opened(path).channels().items()}


def opened(path: Path):
    return exr.File(str(path), separate_channels=True)


@pytest.fixture(scope="module")
def pictures(people) -> list[np.ndarray]:
    return [with_face(background(320, 240), people[0], (150 + 2 * i, 120 + i), 200) for i in range(3)]


@pytest.mark.parametrize(("kind", "primaries"), [(np.float16, None), (np.float32, ACES)], ids=["half", "float-aces"])
def test_numbered_pictures_are_edited_in_linear_light(render, pictures, tmp_path, kind, primaries):
    color = Color("rgb", True, 32, (0, 0), (0.5, 0.5), "linear", primaries or Color().primaries)
    words = {"chromaticities": primaries} if primaries else {}
    before = {
        number: write(tmp_path / f"shot_{number:04d}.exr", linear(rgb, color), kind, **words)
        for number, rgb in enumerate(pictures, 1001)
    }
    source, matte = tmp_path / "shot_%04d.exr", tmp_path / "matte.mkv"
    (clip,) = make_plan([RenderJob(input=str(source), edit="smile=2")]).clips
    assert clip.output == tmp_path / "shot_smile+2_%04d.exr"
    info = probe(source)
    assert (info.kind, info.fps, info.frame_count, info.color.transfer) == ("video", Fraction(25), 3, "linear")
    result = render(source, tmp_path / "out" / "done_%04d.exr", edit="smile=2", alpha_out=str(matte), sidecar=True)
    assert (result.frames, result.faces) == (3, 3)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"done_1001.exr", "done_1002.exr", "done_1003.exr", "done_%04d.exr.json"}

    detector = FaceDetector("cpu")
    mattes = frames_of(matte)
    frames = [list(Decode(probe(path))(iter(()))) for path in (source, tmp_path / "out" / "done_%04d.exr")]
    for i, number in enumerate(before):
        file = opened(tmp_path / "out" / f"done_{number}.exr")
        after = {name: channel.pixels for name, channel in file.channels().items()}
        untouched = mattes[i].picture.planes[0] == 0
        assert set(after) == set(before[number])
        for name, pixels in before[number].items():
            same = untouched if name in "RGB" else ...
            assert after[name].dtype == pixels.dtype
            assert after[name][same].tobytes() == pixels[same].tobytes()  # NaN, infinity and -0 too
        assert after["R"][4, 4] == 40
        assert file.header()["owner"] == "Ada"
        assert "edited with videdit" in file.header()["comments"]
        seen = picture_to_rgb(frames[0][i].picture).astype(int)
        assert np.abs(seen - pictures[i])[30:, 30:].mean() < 1.5
        faces = [largest_face(detector, pair[i]) for pair in frames]
        assert smile(faces[1]) > smile(faces[0]) + 0.02
    assert is_edited(tmp_path / "out" / "done_1001.exr")
    assert not is_edited(tmp_path / "shot_1001.exr")
    with pytest.raises(UsageError, match="exists already"):
        make_plan([RenderJob(input=str(source), edit="smile", output=str(tmp_path / "out" / "done_%04d.exr"))])


def test_a_run_that_goes_on_gives_the_same_pictures(render, pictures, tmp_path, monkeypatch):
    """Stopped in the midst of the work, then while the pictures take their names: the same job goes on each time."""
    for i in range(8):
        light = linear(pictures[i % 3], Color(transfer="linear"))
        write(tmp_path / f"shot_{1001 + i}.exr", light, compression=exr.DWAA_COMPRESSION)
    source = tmp_path / "shot_%04d.exr"
    monkeypatch.setattr("videdit.stages.split_segments.CROPS", 3)

    def job(name: str) -> dict:
        (tmp_path / name).mkdir(exist_ok=True)
        words = {"edit": "smile=2", "fps": 2, "alpha_out": str(tmp_path / name / "matte.mkv")}
        return words | {"output": tmp_path / name / "done_%04d.exr"}

    def contents(name: str) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in (tmp_path / name).glob("*.exr")}

    whole = render(source, **job("whole"))
    assert (whole.frames, whole.faces, whole.done_before) == (8, 8, 0)
    with monkeypatch.context() as broken:
        broken.setattr(Paste, "__call__", failing_after(10))
        with pytest.raises(ZeroDivisionError):
            render(source, **job("out"))
    folder = tmp_path / "out" / ".done_%04d.exr.unfinished"
    assert list((tmp_path / "out").iterdir()) == [folder]
    assert {file.name for file in folder.glob("0*.pictures")} == {"000000.pictures"}

    in_the_way = tmp_path / "out" / "done_1005.exr"
    in_the_way.mkdir()
    with pytest.raises(MediaError, match="cannot write .*: Is a directory"):
        render(source, **job("out"), overwrite=True)
    in_the_way.rmdir()
    names = {file.name for file in (tmp_path / "out").glob("done*")}
    assert names == {f"done_{number}.exr" for number in range(1001, 1005)}
    with pytest.raises(UsageError, match="exists already"):
        render(source, **job("out") | {"edit": "smile=1"})
    with monkeypatch.context() as broken:
        broken.setattr(AuxiliaryOutput, "keep", lambda _: 1 / 0)  # stopped before the matte has its name
        with pytest.raises(ZeroDivisionError):
            render(source, **job("out"))
    assert contents("out") == contents("whole")
    assert not (tmp_path / "out" / "matte.mkv").exists()
    result = render(source, **job("out"))
    assert (result.frames, result.faces, result.done_before) == (8, 8, 8)
    assert contents("out") == contents("whole")
    assert len(contents("out")) == 8
    assert all(map(same_planes, frames_of(tmp_path / "whole" / "matte.mkv"), frames_of(tmp_path / "out" / "matte.mkv")))
    assert len(list((tmp_path / "out").iterdir())) == 9


def test_one_picture(render, pictures, tmp_path):
    before = write(tmp_path / "in.exr", linear(pictures[0], Color(transfer="linear")))
    result = render(tmp_path / "in.exr", tmp_path / "out.exr", edit="smile=2")
    assert result.faces == 1
    after = opened(tmp_path / "out.exr").channels()
    changed = after["R"].pixels != before["R"]
    assert 0.02 < changed.mean() < 0.7
    assert not changed[:20].any()
    assert after["Z"].pixels.tobytes() == before["Z"].tobytes()


COPY = """
import resource, sys
from pathlib import Path
from videdit.media.exr.read import ExrReader
from videdit.media.exr.write import ExrWriter
from videdit.media.probe import probe

source, target, limit = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
with ExrReader(probe(source)) as reader, ExrWriter(target, reader.info) as writer:
    for frame in reader:
        writer.write(frame)
"""


def copy(source: Path, target: Path, **span) -> list[str]:
    info = probe(source)
    with ExrReader(info, **span) as reader, ExrWriter(target, info) as writer:
        for frame in reader:
            writer.write(frame)
    return writer.warnings


def test_pictures_that_came_to_be_meanwhile_stay_and_none_is_moved(tmp_path):
    for number in (1, 2):
        write(tmp_path / f"a_{number}.exr", np.ones((8, 8, 3), np.float32))
    info = probe(tmp_path / "a_%d.exr")
    writer = ExrWriter(tmp_path / "b_%d.exr", info)
    with ExrReader(info) as reader:
        for frame in reader:
            writer.write(frame)
    (tmp_path / "b_2.exr").write_text("precious")
    with pytest.raises(MediaError, match="b_2.exr came to exist while this ran"), writer:
        pass
    assert (tmp_path / "b_2.exr").read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_1.exr", "a_2.exr", "b_2.exr"]


@pytest.mark.parametrize("compression", ["NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "DWAA"])
@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_what_is_not_edited_keeps_its_bits(tmp_path, compression, kind):
    light = np.random.default_rng(0).gamma(1.0, 2.0, (40, 50, 3)).astype(np.float32)
    how = getattr(exr, f"{compression}_COMPRESSION")
    before = write(tmp_path / "a_1.exr", light, kind, compression=how)
    said = copy(tmp_path / "a_%d.exr", tmp_path / "b_%d.exr")
    after = opened(tmp_path / "b_1.exr")
    for name, channel in after.channels().items():
        assert channel.pixels.tobytes() == before[name].tobytes(), name
    lossy = compression in ("B44", "DWAA")
    assert bool(said) == lossy
    assert after.header()["compression"] == (exr.ZIP_COMPRESSION if lossy else how)


def test_windows_tiles_layers_and_parts_stay(tmp_path):
    light = np.random.default_rng(0).random((20, 30, 3), np.float32)
    windows = {"displayWindow": ((0, 0), (39, 29)), "dataWindow": ((-5, 4), (24, 23))}
    windows = {name: tuple(np.array(corner, np.int32) for corner in window) for name, window in windows.items()}
    tiles = {"type": exr.tiledimage, "tiles": exr.TileDescription()}
    before = write(tmp_path / "a.exr", light, more={"wet.R": light[..., 0]}, pixelAspectRatio=2.0, **windows, **tiles)
    info = probe(tmp_path / "a.exr")
    assert (info.kind, info.width, info.height, info.sar) == ("image", 40, 30, 2)
    (frame,) = ExrReader(info)
    plane = frame.picture.planes[0]
    np.testing.assert_array_equal(plane[4:24, :25], before["R"][:, 5:].astype(np.float32))
    assert not plane[:4].any()
    assert not plane[24:].any()
    assert not plane[:, 25:].any()
    copy(tmp_path / "a.exr", tmp_path / "b.exr")
    after = opened(tmp_path / "b.exr")
    assert {name: channel.pixels.tobytes() for name, channel in after.channels().items()} == {
        name: pixels.tobytes() for name, pixels in before.items()
    }
    assert after.header()["type"] == exr.tiledimage
    for name, window in windows.items():
        np.testing.assert_array_equal(after.header()[name], window)

    colours = {"RGB"[i]: light[..., i].copy() for i in range(3)}
    parts = [exr.Part({"name": "depth"}, {"Z": light[..., 0].copy()}), exr.Part({"name": "beauty"}, colours)]
    exr.File(parts).write(str(tmp_path / "two.exr"))
    copy(tmp_path / "two.exr", tmp_path / "again.exr")
    again = opened(tmp_path / "again.exr").parts
    assert [part.header["name"] for part in again] == ["depth", "beauty"]
    np.testing.assert_array_equal(again[0].channels["Z"].pixels, light[..., 0])
    np.testing.assert_array_equal(again[1].channels["G"].pixels, light[..., 1])


def test_trimmed_pictures_keep_their_numbers(tmp_path):
    light = np.random.default_rng(0).random((8, 8, 3), np.float32)
    for number in range(7, 17):
        write(tmp_path / f"a.{number:03d}.exr", light, framesPerSecond=Fraction(24000, 1001))
    assert probe(tmp_path / "a.%03d.exr").fps == Fraction(24000, 1001)
    assert probe(tmp_path / "a.%03d.exr", Fraction(30)).fps == 30
    copy(tmp_path / "a.%03d.exr", tmp_path / "b.%03d.exr", start=2 * 1001 / 24000, end=4 * 1001 / 24000)
    assert sorted(path.name for path in tmp_path.glob("b*")) == ["b.009.exr", "b.010.exr"]


def test_what_cannot_be_edited_is_said_in_one_line(tmp_path):
    light = np.random.default_rng(0).random((64, 64, 3), np.float32)
    write(tmp_path / "whole.exr", light)
    data = (tmp_path / "whole.exr").read_bytes()
    (tmp_path / "cut.exr").write_bytes(data[:-2000])
    (tmp_path / "noise.exr").write_bytes(np.random.default_rng(0).bytes(5000))
    exr.File({}, {"Z": light[..., 0].copy()}).write(str(tmp_path / "depth.exr"))
    exr.File({}, {name: light[..., 0].astype(np.uint32) for name in "RGB"}).write(str(tmp_path / "whole_numbers.exr"))
    # The corners of both windows follow their names and types: claim a picture of 2^30 pixels a side.
    huge = bytearray(data)
    for name in (b"dataWindow\0box2i\0", b"displayWindow\0box2i\0"):
        at = huge.index(name) + len(name) + 4
        huge[at : at + 16] = np.array([0, 0, 2**30, 2**30], "<i4").tobytes()
    (tmp_path / "huge.exr").write_bytes(huge)
    for name, match in {
        "cut": "cut off or damaged",
        "noise": "not an EXR picture",
        "depth": "no channels R, G and B",
        "whole_numbers": "not whole floating point",
        "huge": "claims to be|not an EXR",
        "missing": "no such file",
    }.items():
        with pytest.raises(MediaError, match=match) as caught:
            probe(tmp_path / f"{name}.exr")
        assert "\n" not in str(caught.value)


def test_the_last_bytes_that_find_no_room_are_missed(tmp_path):
    """OpenEXR writes them as it closes the file, and says nothing if it cannot."""
    light = np.random.default_rng(0).random((48, 64, 3), np.float32)
    write(tmp_path / "a_1.exr", light, compression=exr.NO_COMPRESSION)
    copy(tmp_path / "a_%d.exr", tmp_path / "b_%d.exr")
    limit = (tmp_path / "b_1.exr").stat().st_size - 10
    (tmp_path / "b_1.exr").unlink()
    words = [sys.executable, "-c", COPY, tmp_path / "a_%d.exr", tmp_path / "b_%d.exr", str(limit)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"cannot write {tmp_path / 'b_%d.exr'}: " in done.stderr.splitlines()[-1]
    assert [file.name for file in tmp_path.iterdir()] == ["a_1.exr"]


def test_what_breaks_on_the_way_leaves_nothing(tmp_path):
    light = np.random.default_rng(0).random((16, 16, 3), np.float32)
    for number in range(3):
        write(tmp_path / f"a_{number}.exr", light)
    write(tmp_path / "a_2.exr", light[:8])
    with pytest.raises(MediaError, match="changes from 16x16 to 16x8 at a_2.exr"):
        copy(tmp_path / "a_%d.exr", tmp_path / "b_%d.exr")
    (tmp_path / "a_1.exr").unlink()
    with pytest.raises(MediaError, match="a_1.exr is missing"):
        copy(tmp_path / "a_%d.exr", tmp_path / "b_%d.exr")
    assert {path.name for path in tmp_path.iterdir()} == {"a_0.exr", "a_2.exr"}


@pytest.mark.parametrize(
    ("source", "output", "match"),
    [
        ("a_%d.exr", "out.mkv", "EXR stays EXR: name the output like out_%04d.exr"),
        ("a_%d.exr", "out.exr", "EXR stays EXR"),
        ("a_1.exr", "out.png", "EXR stays EXR: name the output like out.exr"),
        ("a_1.exr", "out_%d.exr", "EXR stays EXR"),
        ("b.mp4", "out.exr", "only EXR pictures become EXR"),
    ],
)
def test_exr_stays_exr(tmp_path, source, output, match):
    write(tmp_path / "a_1.exr", np.zeros((8, 8, 3), np.float32))
    (tmp_path / "b.mp4").touch()
    with pytest.raises(UsageError, match=match):
        make_plan([RenderJob(input=str(tmp_path / source), edit="smile", output=str(tmp_path / output))])
