"""kill -9 at any moment, then the same run again: not a frame is lost or different.

Three kills of each kind of output by default; VIDEDIT_KILLS=51 in the environment for more.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from synthetic_clips import Clip, Sound, copied_packets, make

from videdit.jobs.render_job import RenderJob
from videdit.jobs.segment_store import folder_of, handing_over
from videdit.media.decode.read import VideoReader
from videdit.media.image_sequence import existing, is_sequence

ROOT = Path(__file__).parents[2]
SEEDS = range(int(os.environ.get("VIDEDIT_KILLS", "3")) // 3)

# A chain with the real ends and, in the middle, a stage that looks at every frame's neighbours, as smoothing does. It
# takes its time, so that there is something to interrupt. "steady" puts the real stages that average changes over time
# and paste them there; only the changes are made up, of each frame by itself. It may be told to die just before it
# renames or links its n-th file: whatever is finished gets its name in that way.
RUN = """
import os, signal, sys, time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
import numpy as np
from videdit.stages.encode_segments import EncodeSegments
from videdit.stages.decode import Decode
from videdit.stages.encode import Encode
from videdit.stages.split_segments import RestartPerSegment, SplitSegments
from videdit.jobs.render_job import RenderJob
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.probe import probe
from videdit.pipeline.executor import Pipeline
from videdit.jobs.segment_store import SegmentStore, handing_over
from videdit.pipeline.windows import Window, reach_of

class Blur:
    name, reach = "blur", 0.1

    def __call__(self, frames):
        for frame, near in Window(lambda f: f.time, self.reach)(frames):
            luma = np.mean([f.picture.planes[0] for f in near], axis=0).astype(frame.picture.planes[0].dtype)
            time.sleep(0.012)
            yield replace(frame, picture=replace(frame.picture, planes=(luma, *frame.picture.planes[1:])))

class Changes:
    name = "edit"

    def __call__(self, frames):
        import cv2
        from videdit.datatypes import Edited
        for frame in frames:
            luma = frame.picture.planes[0]
            grey = cv2.resize(luma, (256, 256), interpolation=cv2.INTER_LINEAR)
            trembling = np.random.default_rng(frame.pts).normal(0, 0.2, (8, 8, 3)).astype(np.float32)
            change = cv2.resize(trembling, (256, 256), interpolation=cv2.INTER_CUBIC).astype(np.float16)
            mask = np.full((256, 256), 255, np.uint8)
            to_frame = np.array([[luma.shape[0] / 256, 0, 8.0], [0, luma.shape[0] / 256, 0]])
            yield replace(frame, edits=(Edited(0, change, mask, to_frame, np.dstack([grey] * 3)),))

source, output, kind, die_at = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])

def die(event, _, renamed=[]):
    if event in ("os.rename", "os.link"):
        renamed.append(event)
        if len(renamed) == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(die)
middle = [Blur()]
if kind == "steady":
    from videdit.stages.paste import Paste
    from videdit.stages.average_changes import AverageChanges
    from videdit.imaging.host import HostPixels
    middle = [Changes(), AverageChanges(HostPixels()), Paste(HostPixels())]
job, info = RenderJob(input=str(source), edit="smile"), probe(source)
ours = handing_over(output, source, job)  # what is there by then, as the plan of a command says
with SegmentStore(output, source, job) as work:
    print(work.frames, flush=True)
    place = work.next
    decode = Decode(info, first=place.scene_pts if place else None)
    preset = {".mp4": "ultrafast", ".webm": "8"}.get(output.suffix)
    commit = EncodeSegments(Encode(output, info, EncodeSettings(preset=preset), replace=ours), work)
    split = SplitSegments(place, reach=reach_of(middle), frames=30)
    chain = [commit] if work.complete else [decode, split, *map(RestartPerSegment, middle), commit]
    Pipeline(chain, budget=1 << 20).run(tick=0.01)
    work.remove()
"""


def start(source: Path, output: Path, kind: str = "blur", die_at: int = 0, **how) -> subprocess.Popen:
    words = [sys.executable, "-c", RUN, source, output, kind, str(die_at)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment, **how)


def run(source: Path, output: Path, kill_after: float | None = None, kind: str = "blur", first: bool = False) -> int:
    """The frames that the run found done; it is killed after so many seconds of work, or of its first segment."""
    process = start(source, output, kind)
    assert process.stdout is not None
    done = int(process.stdout.readline())
    if kill_after is None:
        assert process.wait() == 0
    else:
        while first and not segments(output) and process.poll() is None:
            time.sleep(0.01)
        time.sleep(kill_after)
        process.kill()
        process.wait()
    process.stdout.close()
    return done


def segments(output: Path) -> int:
    """How many are finished."""
    return len(list(folder_of(output).glob("*.segment")))


def kill_and_go_on(source: Path, whole: Path, output: Path, kills: int, seed: int) -> list[int]:
    """Kill runs after random times until the last one is let finish; compares, and gives what each found done."""
    rng = random.Random(seed)
    found: list[int] = []
    for left in reversed(range(kills)):
        if not finished(source, output):
            there = segments(output)
            found.append(run(source, output, rng.uniform(0.05, 0.6 if left else 0.1), first=not left))
            assert -(-found[-1] // 30) == there
    if not finished(source, output):
        found.append(run(source, output))
    assert_same(whole, output)
    return found


def finished(source: Path, output: Path) -> bool:
    """Whether the command would say that the output exists already."""
    there = bool(existing(output)) if is_sequence(output) else output.exists()
    return there and not handing_over(output, source, RenderJob(input=str(source), edit="smile"))


def assert_same(whole: Path, output: Path) -> None:
    """The output is what an uninterrupted run made, and nothing else is in its folder."""
    if is_sequence(whole):
        assert contents(output.parent) == contents(whole.parent) != {}
        return
    assert [path.name for path in output.parent.iterdir()] == [output.name]
    with VideoReader(whole) as a, VideoReader(output) as b:
        assert a.info.planar == b.info.planar
        for frame, other in zip(a, b, strict=True):
            assert frame.pts == other.pts
            assert all(map(np.array_equal, frame.picture.planes, other.picture.planes))
    assert copied_packets(whole) == copied_packets(output) != {}


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> tuple[Path, Path]:
    """A source of 200 frames, and what an uninterrupted run makes of it."""
    folder = tmp_path_factory.mktemp("kill")
    source, whole = folder / "in.mp4", folder / "whole.mp4"
    options = {"preset": "ultrafast", "g": "25", "bf": "2"}
    make(source, Clip(pts=tuple(range(0, 200 * 3000, 3000)), sounds=[Sound(7.0)], options=options))
    assert run(source, whole) == 0
    return source, whole


@pytest.fixture(scope="module")
def transparent(tmp_path_factory) -> tuple[Path, Path]:
    """The same of VP9 with transparency: 100 frames."""
    folder = tmp_path_factory.mktemp("kill")
    source, whole = folder / "in.webm", folder / "whole.webm"
    clip = Clip(tuple(range(0, 100 * 33, 33)), Fraction(1, 1000), 33, pix_fmt="yuva420p", codec="libvpx-vp9")
    clip.sounds, clip.options = [Sound(3.0, codec="libopus")], {"deadline": "realtime", "cpu-used": "8"}
    make(source, clip)
    assert run(source, whole) == 0
    with VideoReader(whole) as reader:
        assert next(iter(reader)).picture.planes[3].std() > 10
    return source, whole


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> tuple[Path, Path]:
    """The same of EXR: 100 numbered pictures, of which the last 50 take more room."""
    exr = pytest.importorskip("OpenEXR", reason='needs OpenEXR: pip install "videdit[exr]"')
    folder = tmp_path_factory.mktemp("kill")
    source, whole = folder / "in_%04d.exr", folder / "whole" / "out_%04d.exr"
    whole.parent.mkdir()
    rng = np.random.default_rng(0)
    for i in range(100):
        light = rng.gamma(1.0, 2.0, (3, 48, 64)).astype(np.float32) if i >= 50 else np.full((3, 48, 64), i, np.float32)
        exr.File({}, dict(zip("RGB", light, strict=True))).write(str(folder / f"in_{1001 + i}.exr"))
    assert run(source, whole) == 0
    return source, whole


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["clips", "transparent", "pictures"])
def test_killed_runs_lose_nothing(request: pytest.FixtureRequest, tmp_path: Path, kind: str, seed: int) -> None:
    source, whole = request.getfixturevalue(kind)
    (tmp_path / "out").mkdir()
    found = kill_and_go_on(source, whole, tmp_path / "out" / whole.name.replace("whole", "out"), 3, seed)
    assert found == sorted(found)
    assert found[-1] > 0  # it did go on, and did not begin anew


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_that_is_killed_while_its_pictures_take_their_names_goes_on(
    pictures: tuple[Path, Path], tmp_path: Path, seed: int
) -> None:
    """Renamed before that: the key, four segments, and the sign that it begins."""
    moved = random.Random(seed).randrange(1, 100)
    source, whole = pictures
    output = tmp_path / "out" / whole.name
    output.parent.mkdir()
    process = start(source, output, die_at=6 + moved + 1)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert len(existing(output)) == moved
    assert not finished(source, output)
    assert run(source, output) == 100
    assert finished(source, output)
    assert_same(whole, output)


def test_what_is_steadied_over_time_is_the_same_after_a_kill(tmp_path: Path) -> None:
    """Killed when the first segment is safe, in the midst of the second: its averages begin anew, with its context."""
    source, whole, output = tmp_path / "in.mp4", tmp_path / "whole.mp4", tmp_path / "out" / "out.mp4"
    output.parent.mkdir()
    make(source, Clip(pts=tuple(range(0, 48 * 3000, 3000)), options={"preset": "ultrafast", "g": "25"}))
    assert run(source, whole, kind="steady") == 0
    assert run(source, output, random.Random(0).uniform(0, 0.05), "steady", first=True) == 0
    assert run(source, output, kind="steady") == 30
    with VideoReader(source) as a, VideoReader(whole) as b, VideoReader(output) as c:
        for old, frame, other in zip(a, b, c, strict=True):
            assert frame.pts == other.pts
            assert all(map(np.array_equal, frame.picture.planes, other.picture.planes))
            assert np.abs(frame.picture.planes[0].astype(int) - old.picture.planes[0]).mean() > 1  # it was edited


def failed(process: subprocess.Popen) -> str:
    """The last line of a run that fails, without the name of the error."""
    _, words = process.communicate()
    assert process.returncode == 1
    return words.splitlines()[-1].partition(": ")[2]


def assert_goes_on(clips: tuple[Path, Path], output: Path, done: range) -> None:
    assert list(output.parent.iterdir()) == [folder_of(output)]
    (found,) = kill_and_go_on(*clips, output, 0, 0)
    assert found in done


def test_a_full_disk_keeps_the_work(clips: tuple[Path, Path], tmp_path: Path) -> None:
    """A limit on the size of files stands in for it: segments are smaller than that, the whole is not."""
    limit = clips[1].stat().st_size * 2 // 3
    full = start(
        clips[0],
        tmp_path / "out.mp4",
        stderr=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert failed(full).startswith(f"cannot write {tmp_path / 'out.mp4'}: ")
    assert_goes_on(clips, tmp_path / "out.mp4", range(200, 201))


def test_a_full_disk_keeps_the_pictures(pictures: tuple[Path, Path], tmp_path: Path) -> None:
    """The first half of them is below the limit, and fills one segment and a part of the next."""
    limit = (existing(pictures[0])[1001].stat().st_size + existing(pictures[0])[1100].stat().st_size) // 2
    output = tmp_path / pictures[1].name
    full = start(
        pictures[0],
        output,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert failed(full).startswith(f"cannot write {output}: ")
    assert {file.name for file in folder_of(output).glob("0*")} == {"000000.segment", "000000.pictures"}
    assert_goes_on(pictures, output, range(30, 31))


def test_a_source_that_disappears_keeps_the_work(clips: tuple[Path, Path], tmp_path: Path) -> None:
    away = clips[0].with_name("away.mp4")
    process = start(clips[0], tmp_path / "out.mp4", stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.3)
    clips[0].rename(away)
    try:
        assert failed(process) == f"no such file: {clips[0]}"
    finally:
        away.rename(clips[0])
    assert_goes_on(clips, tmp_path / "out.mp4", range(200, 201))
