"""Read a clip, write it unchanged and losslessly: everything must come back as it was."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic_clips import Clip, Sound, copied_packets, make
from synthetic_clips import copy as copied

from videdit.errors import MediaError
from videdit.media.decode.read import VideoReader
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.encode.write import VideoWriter
from videdit.media.probe import probe

LOSSLESS = EncodeSettings(lossless=True, preset="ultrafast")
SHARED = Path(os.environ.get("VIDEDIT_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "clips"

KEPT = ["width", "height", "rotation", "display_matrix", "sar", "color", "color_tags", "pix_fmt", "codec"]
KEPT += ["start_pts", "time_base", "fps", "frame_count", "chapters"]


def copy(source: Path, target: Path, how: EncodeSettings = LOSSLESS, **more) -> VideoWriter:
    return copied(source, target, how, **more)


def frames_of(path: Path) -> list[tuple[Fraction, Fraction, tuple[np.ndarray, ...]]]:
    with VideoReader(path) as reader:
        return [(f.pts * f.time_base, (f.coded.duration or 0) * f.time_base, f.picture.planes) for f in reader]


def assert_same_frames(one: Path, other: Path) -> None:
    a, b = frames_of(one), frames_of(other)
    assert [(t, d) for t, d, _ in a] == [(t, d) for t, d, _ in b]
    for (_, _, planes), (_, _, back) in zip(a, b, strict=True):
        for plane, plane_back in zip(planes, back, strict=True):
            np.testing.assert_array_equal(plane, plane_back)


NTSC = tuple(range(0, 12 * 1001, 1001))
VFR = (0, 3000, 3001, 9000, 9100, 30000, 33333, 90000, 90001, 91000)
CLIPS = {
    "plain": Clip(sounds=[Sound()]),
    "29.97": Clip(pts=NTSC, time_base=Fraction(1, 30000), last_duration=1001, sounds=[Sound(rate=44100)]),
    "23.976": Clip(pts=NTSC, time_base=Fraction(1, 24000), last_duration=1001),
    "120 fps": Clip(pts=tuple(range(0, 20 * 750, 750)), last_duration=750),
    "variable rate": Clip(pts=VFR, sounds=[Sound(1.2)]),
    "odd base": Clip(pts=tuple(range(0, 8 * 1001, 1001)), time_base=Fraction(1, 29970), last_duration=1001),
    "starts at 5 s": Clip(pts=tuple(range(450000, 480000, 3000)), sounds=[Sound(6.0, start=0.0)]),
    "sound starts late": Clip(sounds=[Sound(0.5, start=0.25)]),
    "one frame": Clip(pts=(0,), last_duration=3000),
    "no B frames": Clip(options={"preset": "ultrafast", "qp": "0"}),
    "rotated 90": Clip(rotation=90, sounds=[Sound()]),
    "rotated 180": Clip(rotation=180),
    "rotated 270": Clip(rotation=270),
    "pixels 4:3": Clip(sar=Fraction(4, 3)),
    "two tracks": Clip(sounds=[Sound(), Sound(0.5, 44100, language="fra")]),
    "long sound": Clip(sounds=[Sound(3.0)]),
    "full range": Clip(tags=(2, 1, 1, 1)),
    "bt601": Clip(tags=(1, 6, 6, 6)),
    "bt2020": Clip(pix_fmt="yuv420p10le", tags=(1, 9, 18, 9)),
    "10 bit 4:2:2": Clip(pix_fmt="yuv422p10le"),
    "4:4:4": Clip(pix_fmt="yuv444p", width=63, height=47),
    "subtitles and chapters": Clip(
        subtitles=True, sounds=[Sound()], chapters=[(0, 150, "one"), (150, 300, "two")], metadata={"title": "A clip"}
    ),
}


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_nothing_is_lost(tmp_path: Path, name: str, suffix: str) -> None:
    check_nothing_is_lost(tmp_path, CLIPS[name], suffix, LOSSLESS)


def check_nothing_is_lost(tmp_path: Path, clip: Clip, suffix: str, how: EncodeSettings) -> None:
    """Make a clip, write it again, and compare all that there is to both."""
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    truth = make(source, clip)
    writer = copy(source, target, how)
    decoded = frames_of(target)
    assert len(decoded) == len(clip.pts)
    for (_, _, planes), made in zip(decoded, truth, strict=True):
        for plane, expected in zip(planes, made, strict=True):
            np.testing.assert_array_equal(plane, expected)
    if suffix != ".mkv":  # its milliseconds are the source's own here, so they are compared below
        assert [t for t, _, _ in decoded] == [p * clip.time_base for p in clip.pts]
    assert_same_frames(source, target)
    assert copied_packets(source) == copied_packets(target)
    before, after = probe(source), probe(target)
    for what in KEPT:
        assert getattr(before, what) == getattr(after, what), what
    assert before.duration == pytest.approx(after.duration, abs=1e-6)
    assert [(s.kind, s.codec, s.language) for s in before.streams] == [
        (s.kind, s.codec, s.language) for s in after.streams
    ]
    assert after.tags.get("title") == clip.metadata.get("title")
    assert after.tags.get("title") == before.tags.get("title")
    assert writer.warnings == []
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"in{suffix}", f"out{suffix}"]


@pytest.mark.parametrize("name", sorted(p.name for p in SHARED.glob("*.mp4")) or ["none"])
def test_real_clips(tmp_path: Path, name: str) -> None:
    source, target = SHARED / name, tmp_path / "out.mp4"
    if not source.exists():
        pytest.skip("the shared clips are not here (set VIDEDIT_SHARED)")
    copy(source, target, end=1.0)
    copied = frames_of(target)
    with VideoReader(source, end=1.0) as reader:
        for (time, _, planes), frame in zip(copied, reader, strict=True):
            assert time == frame.pts * frame.time_base
            for plane, original in zip(planes, frame.picture.planes, strict=True):
                np.testing.assert_array_equal(plane, original)
    if not probe(source).has_audio:
        return
    sound, original_sound = copied_packets(target)[1], copied_packets(source)[1]
    assert sound == original_sound[: len(sound)]
    assert sound[-1][1] < 1.0 <= original_sound[len(sound)][1]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.integers(1, 20000), min_size=1, max_size=12),
    start=st.integers(0, 500000),
    base=st.sampled_from([Fraction(1, 90000), Fraction(1, 30000), Fraction(1, 1000), Fraction(1, 15360)]),
    b_frames=st.integers(0, 3),
)
def test_any_timing(tmp_path: Path, steps: list[int], start: int, base: Fraction, b_frames: int) -> None:
    pts = tuple(start + int(step) for step in np.cumsum([0, *steps[:-1]]))
    options = {"preset": "ultrafast", "qp": "0", "bf": str(b_frames)}
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make(source, Clip(pts=pts, time_base=base, last_duration=steps[-1], width=16, height=16, options=options))
    copy(source, target, replace=True)
    assert [t for t, _, _ in frames_of(source)] == [p * base for p in pts]
    assert_same_frames(source, target)


def test_mp4_times_are_rounded_aloud_in_matroska(tmp_path: Path) -> None:
    make(tmp_path / "in.mp4", CLIPS["29.97"])
    writer = copy(tmp_path / "in.mp4", tmp_path / "out.mkv")
    times = [t for t, _, _ in frames_of(tmp_path / "out.mkv")]
    assert times == [Fraction(round(p * Fraction(1000, 30000)), 1000) for p in NTSC]
    assert any("milliseconds" in said for said in writer.warnings)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_trim(tmp_path: Path, suffix: str) -> None:
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    clip = Clip(
        pts=tuple(range(0, 60 * 3000, 3000)),
        options={"preset": "ultrafast", "qp": "0", "bf": "2", "g": "12"},
        sounds=[Sound(2.0)],
        chapters=[(0, 500, "one"), (500, 2000, "two")],
    )
    truth = make(source, clip)
    copy(source, target, start=0.75, end=1.25)
    frames = frames_of(target)
    first = next(i for i, p in enumerate(clip.pts) if p >= 0.75 * 90000)
    assert len(frames) == 15
    assert frames[0][0] == 0
    for i, (t, _, planes) in enumerate(frames):
        assert abs(t - i * Fraction(1, 30)) <= Fraction(1, 1000)
        np.testing.assert_array_equal(planes[0], truth[first + i][0])
    # Every packet of sound that is there has kept its distance to the picture.
    origin = frames_of(source)[first][0]
    original = {data: t for data, t, _ in copied_packets(source)[1]}
    sound = copied_packets(target)[1]
    assert 22 <= len(sound) <= 25
    assert all(abs(original[data] - origin - t) <= Fraction(1, 1000) for data, t, _ in sound[1:])
    with av.open(str(target)) as container:
        assert [c["metadata"]["title"] for c in container.chapters()] == ["two"]


def test_seeking_reader_gives_the_same_frames(tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    make(source, Clip(pts=tuple(range(0, 90 * 3000, 3000)), options={"preset": "ultrafast", "bf": "3", "g": "10"}))
    with VideoReader(source) as reader:
        everything = {f.pts: f.picture.planes for f in reader}
    for start in (0.03, 0.31, 0.34, 1.0, 2.5, 2.96):
        with VideoReader(source, start=start) as reader:
            part = list(reader)
        assert [f.pts for f in part] == [p for p in everything if p >= start * 90000]
        assert [f.index for f in part] == list(range(len(part)))
        for frame in part:
            np.testing.assert_array_equal(frame.picture.planes[0], everything[frame.pts][0])


def test_provenance_joins_what_was_said_before(tmp_path: Path) -> None:
    for suffix in (".mp4", ".mov", ".mkv"):
        source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
        make(source, Clip(pts=(0, 3000), metadata={"comment": "shot by Ada", "title": "T"}))
        copy(source, target, metadata={"comment": "Edited with videdit: smile=1.5"})
        assert probe(target).tags["comment"] == "shot by Ada | Edited with videdit: smile=1.5"


def test_unusual_tags_survive_in_mp4(tmp_path: Path) -> None:
    source, target = tmp_path / "in.mkv", tmp_path / "out.mp4"
    make(source, Clip(pts=(0, 3000), metadata={"CAMERA_LENS": "50 mm"}))
    copy(source, target)
    assert probe(target).tags["CAMERA_LENS"] == "50 mm"


NAMES = {1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco", 9: "bt2020"}


@pytest.mark.parametrize("matrix", NAMES, ids=NAMES.values())
@pytest.mark.parametrize("color_range", [1, 2], ids=["limited", "full"])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le"])
def test_every_code_value_passes_in_every_matrix_and_range(
    tmp_path: Path, matrix: int, color_range: int, pix_fmt: str
) -> None:
    """The noise fills the whole scale: no value is clipped, scaled or rounded on its way through."""
    primaries, transfer = (9, 14 if pix_fmt == "yuv420p" else 18) if matrix == 9 else (matrix, min(matrix, 7))
    clip = Clip(pts=(0, 3000, 6000), pix_fmt=pix_fmt, tags=(color_range, primaries, transfer, matrix), noise=0.2)
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    truth = make(source, clip)
    copy(source, target)
    for (_, _, planes), made in zip(frames_of(target), truth, strict=True):
        for plane, expected in zip(planes, made, strict=True):
            np.testing.assert_array_equal(plane, expected)
    assert probe(target).color == probe(source).color
    assert probe(target).color_tags == clip.tags


def test_colours_that_are_no_luma_and_chroma_are_refused(tmp_path: Path) -> None:
    make(tmp_path / "in.mp4", Clip(pts=(0, 3000), pix_fmt="yuv420p10le", tags=(1, 9, 16, 14)))
    with pytest.raises(MediaError, match="ICtCp.*convert it to BT.2020"):
        probe(tmp_path / "in.mp4")


MIRRORED = {
    (-65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30): 0,  # left and right
    (65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30): 180,  # top and bottom
    (0, 65536, 0, 65536, 0, 0, 0, 0, 1 << 30): 90,  # along a diagonal
    (0, -65536, 0, -65536, 0, 0, 0, 0, 1 << 30): 270,
}


def shown_by(matrix: tuple[int, ...], plain: Path, target: Path) -> None:
    """Write the clip `plain` again, with a display matrix."""
    with av.open(str(plain)) as a, av.open(str(target), "w") as b:
        stream = a.streams.video[0]
        turned = b.add_stream_from_template(stream, opaque=True)
        turned.set_display_matrix(matrix)
        for packet in a.demux(stream):
            if packet.size:
                packet.stream = turned
                b.mux(packet)


@pytest.mark.parametrize("matrix", MIRRORED)
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_mirrored_pictures(tmp_path: Path, suffix: str, matrix: tuple[int, ...]) -> None:
    """What is kept is the matrix; the rotation is the one after which a face stands upright, if mirrored."""
    make(tmp_path / "plain.mp4", Clip(pts=(0, 3000)))
    source, target = tmp_path / "in.mp4", tmp_path / f"out{suffix}"
    shown_by(matrix, tmp_path / "plain.mp4", source)
    info = probe(source)
    assert (info.display_matrix, info.rotation, info.mirrored) == (matrix, MIRRORED[matrix], True)
    # Turned and mirrored, the corners of a picture lie where the matrix puts them.
    corners = np.array([[1, 2], [4, 8]])
    shown = np.rot90(corners, -info.rotation // 90)[:, ::-1]
    x, y = np.array([[-1, 1], [-1, 1]]), np.array([[-1, -1], [1, 1]])
    across, down = (matrix[i] * x + matrix[i + 3] * y > 0 for i in (0, 1))
    assert all(shown[int(down[i, j]), int(across[i, j])] == corners[i, j] for i in (0, 1) for j in (0, 1))
    copy(source, target)
    assert probe(target).display_matrix == matrix


# No quarter turns: the rotation to which a person stands upright, and whether Matroska has words for the matrix.
ODD_MATRICES = {
    (56755, 32768, 0, -32768, 56755, 0, 0, 0, 1 << 30): (0, True),  # by 30 degrees
    (-32768, 56755, 0, -56755, -32768, 0, 0, 0, 1 << 30): (90, True),  # by 120 degrees
    (131072, 0, 0, 0, 65536, 0, 0, 0, 1 << 30): (0, False),  # twice as wide
    (0, 131072, 0, -131072, 0, 0, 0, 0, 1 << 30): (90, False),  # turned, and twice as large
    (65536, 0, 0, 32768, 65536, 0, 0, 0, 1 << 30): (0, False),  # slanted
    (2**31 - 1, 2**31 - 1, 0, -(2**31), 2**31 - 1, 0, 2**31 - 1, 2**31 - 1, 2**31 - 1): (0, False),
}


@pytest.mark.parametrize("matrix", ODD_MATRICES)
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_odd_display_matrices(tmp_path: Path, suffix: str, matrix: tuple[int, ...]) -> None:
    """Kept where the container can hold them, else said."""
    rotation, in_matroska = ODD_MATRICES[matrix]
    make(tmp_path / "plain.mp4", Clip(pts=(0, 3000)))
    source, target = tmp_path / "in.mp4", tmp_path / f"out{suffix}"
    shown_by(matrix, tmp_path / "plain.mp4", source)
    info = probe(source)
    assert (info.display_matrix, info.rotation, info.mirrored) == (matrix, rotation, False)
    writer = copy(source, target)
    found = probe(target)
    said = any("do not keep the scaled or slanted display matrix" in line for line in writer.warnings)
    if suffix != ".mkv" or in_matroska:
        assert found.display_matrix is not None
        assert not said
        assert np.allclose(found.display_matrix, matrix, atol=8, rtol=0)  # Matroska holds an angle
    else:
        assert said
        assert found.rotation == info.rotation


@pytest.mark.parametrize("matrix", [(0,) * 9, (65536, 65536, 0, 65536, 65536, 0, 0, 0, 1 << 30)])
def test_a_display_matrix_that_shows_nothing_is_none(tmp_path: Path, matrix: tuple[int, ...]) -> None:
    """It leaves no picture; players pass it over."""
    make(tmp_path / "plain.mp4", Clip(pts=(0, 3000)))
    shown_by(matrix, tmp_path / "plain.mp4", tmp_path / "in.mp4")
    info = probe(tmp_path / "in.mp4")
    assert (info.display_matrix, info.rotation, info.mirrored) == (None, 0, False)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_clock_that_has_just_wrapped(tmp_path: Path, suffix: str) -> None:
    """A transport stream counts to 2^33; frames before that are before 0, where nothing is shown."""
    source, target = tmp_path / "in.ts", tmp_path / f"out{suffix}"
    pts = tuple(range(2**33 - 15000, 2**33 + 15000, 3000))
    truth = make(source, Clip(pts=pts, sounds=[Sound(1.0, codec="mp2", start=(2**33 - 15000) / 90000)]))
    writer = copy(source, target)
    assert any("begins before 0" in said for said in writer.warnings)
    found = frames_of(target)
    for i, ((time, _, planes), made) in enumerate(zip(found, truth, strict=True)):
        assert abs(time - Fraction(i, 30)) <= Fraction(1, 1000)
        np.testing.assert_array_equal(planes[0], made[0])
    before, after = copied_packets(source)[1], copied_packets(target)[1]
    assert [data for data, _, _ in before] == [data for data, _, _ in after]
    start = probe(source).start_pts * Fraction(1, 90000)
    assert all(abs(b[1] - (a[1] - start)) <= Fraction(1, 1000) for a, b in zip(before[1:], after[1:], strict=True))


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("b_frames", ["0", "2"])
def test_what_an_edit_list_hides_stays_hidden(tmp_path: Path, suffix: str, b_frames: str) -> None:
    """A phone trims without encoding anew: frames before 0 are in the file, needed to decode, and never shown."""
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    pts = tuple(range(-15000, 30000, 3000))
    options = {"preset": "ultrafast", "qp": "0", "bf": b_frames}
    truth = make(source, Clip(pts=pts, options=options, sounds=[Sound()]))
    copy(source, target)
    shown = frames_of(target)
    assert [t for t, _, _ in shown] == [Fraction(i, 30) for i in range(10)]
    for (_, _, planes), made in zip(shown, truth[5:], strict=True):
        np.testing.assert_array_equal(planes[0], made[0])
    assert copied_packets(source) == copied_packets(target)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_open_groups_of_pictures(tmp_path: Path, codec: str, suffix: str) -> None:
    """Frames shown before a key frame may need the group before it: none is lost, and a seek never lands on one."""
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    words = {
        "libx264": {"preset": "fast", "x264-params": "open-gop=1:keyint=12:min-keyint=12:bframes=3:scenecut=0"},
        "libx265": {
            "preset": "fast",
            "x265-params": "open-gop=1:keyint=12:min-keyint=12:bframes=3:log-level=none:pools=1",
        },
    }
    make(source, Clip(pts=tuple(range(0, 48 * 3600, 3600)), codec=codec, options=words[codec]))
    copy(source, target)
    assert_same_frames(source, target)
    with VideoReader(source) as reader:
        everything = list(reader)
    assert len(everything) == 48
    for frame in everything[9:40:3]:
        with VideoReader(source, first=frame.pts) as reader:
            part = [next(it := iter(reader)), next(it), next(it)]
        for found, expected in zip(part, everything[frame.index : frame.index + 3], strict=True):
            assert found.pts == expected.pts
            assert not found.coded.corrupt
            np.testing.assert_array_equal(found.picture.planes[0], expected.picture.planes[0])
