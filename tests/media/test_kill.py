"""kill -9 at any moment, then the same run again: not a frame is lost or different.

Three kills by default; VIDEDIT_KILLS=51 in the environment for more.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from synthetic_clips import Clip, Sound, copied_packets, make

from videdit.media.read import VideoReader

ROOT = Path(__file__).parents[2]

# A chain with the real ends and, in the middle, a stage that looks at every frame's neighbours, as smoothing does. It
# takes its time, so that there is something to interrupt. "steady" puts the real stages that average changes over time
# and paste them there; only the changes are made up, of each frame by itself.
RUN = """
import sys, time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
import numpy as np
from stages.commit import Commit
from stages.decode import Decode
from stages.encode import Encode
from stages.split import Fresh, Split
from videdit.config import RenderJob
from videdit.media.codecs import EncodeSettings
from videdit.media.probe import probe
from videdit.pipeline import Pipeline
from videdit.resume import Work
from videdit.temporal import Window

class Blur:
    name = "blur"

    def __call__(self, frames):
        for frame, near in Window(lambda f: f.time, 0.1)(frames):
            luma = np.mean([f.picture.planes[0] for f in near], axis=0).astype(np.uint8)
            time.sleep(0.004)
            yield replace(frame, picture=replace(frame.picture, planes=(luma, *frame.picture.planes[1:])))

class Changes:
    name = "edit"

    def __call__(self, frames):
        import cv2
        from videdit.packets import Edited
        for frame in frames:
            luma = frame.picture.planes[0]
            grey = cv2.resize(luma, (256, 256), interpolation=cv2.INTER_LINEAR)
            trembling = np.random.default_rng(frame.pts).normal(0, 0.2, (8, 8, 3)).astype(np.float32)
            change = cv2.resize(trembling, (256, 256), interpolation=cv2.INTER_CUBIC).astype(np.float16)
            mask = np.full((256, 256), 255, np.uint8)
            to_frame = np.array([[luma.shape[0] / 256, 0, 8.0], [0, luma.shape[0] / 256, 0]])
            yield replace(frame, edits=(Edited(0, change, mask, to_frame, np.dstack([grey] * 3), grey),))

source, output, kind = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
middle = [Blur()]
if kind == "steady":
    from stages.paste import Paste
    from stages.steady import Steady
    from videdit.pixels.host import HostPixels
    middle = [Changes(), Steady(HostPixels()), Paste(HostPixels())]
job, info = RenderJob(input=str(source), edit="smile"), probe(source)
with Work(output, source, job) as work:
    print(work.frames, flush=True)
    place = work.next
    decode = Decode(info, first=place.scene_pts if place else None)
    commit = Commit(Encode(output, info, EncodeSettings(preset="ultrafast")), work)
    chain = [commit] if work.complete else [decode, Split(place, frames=30), *map(Fresh, middle), commit]
    Pipeline(chain, budget=1 << 20).run(tick=0.01)
    work.remove()
"""


def start(source: Path, output: Path, kind: str = "blur", **how) -> subprocess.Popen:
    words, environment = [sys.executable, "-c", RUN, source, output, kind], os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment, **how)


def run(source: Path, output: Path, kill_after: float | None = None, kind: str = "blur") -> int:
    """The frames that the run found done; it is killed after so many seconds of work."""
    process = start(source, output, kind)
    assert process.stdout is not None
    done = int(process.stdout.readline())
    if kill_after is None:
        assert process.wait() == 0
    else:
        time.sleep(kill_after)
        process.kill()
        process.wait()
    process.stdout.close()
    return done


def kill_and_go_on(source: Path, whole: Path, output: Path, kills: int, seed: int) -> list[int]:
    """Kill runs after random times until the last one is let finish; compares, and gives what each found done."""
    rng = random.Random(seed)
    found: list[int] = []
    while len(found) < kills and not output.exists():
        found.append(run(source, output, rng.uniform(0.05, 0.6)))
    if not output.exists():
        found.append(run(source, output))
    assert [path.name for path in output.parent.iterdir()] == [output.name]
    with VideoReader(whole) as a, VideoReader(output) as b:
        for frame, other in zip(a, b, strict=True):
            assert frame.pts == other.pts
            assert all(map(np.array_equal, frame.picture.planes, other.picture.planes))
    assert copied_packets(whole) == copied_packets(output) != {}
    return found


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> tuple[Path, Path]:
    """A source of 200 frames, and what an uninterrupted run makes of it."""
    folder = tmp_path_factory.mktemp("kill")
    source, whole = folder / "in.mp4", folder / "whole.mp4"
    options = {"preset": "ultrafast", "g": "25", "bf": "2"}
    make(source, Clip(pts=tuple(range(0, 200 * 3000, 3000)), sounds=[Sound(7.0)], options=options))
    assert run(source, whole) == 0
    return source, whole


@pytest.mark.parametrize("seed", range(int(os.environ.get("VIDEDIT_KILLS", "3")) // 3))
def test_killed_runs_lose_nothing(clips: tuple[Path, Path], tmp_path: Path, seed: int) -> None:
    (tmp_path / "out").mkdir()
    found = kill_and_go_on(*clips, tmp_path / "out" / "out.mp4", 3, seed)
    assert found == sorted(found)
    assert found[-1] > 0  # it did go on, and did not begin anew


def test_what_is_steadied_over_time_is_the_same_after_a_kill(tmp_path: Path) -> None:
    """Killed when the first segment is safe, in the midst of the second: its averages begin anew, with its context."""
    source, whole, output = tmp_path / "in.mp4", tmp_path / "whole.mp4", tmp_path / "out" / "out.mp4"
    output.parent.mkdir()
    make(source, Clip(pts=tuple(range(0, 48 * 3000, 3000)), options={"preset": "ultrafast", "g": "25"}))
    assert run(source, whole, kind="steady") == 0
    process = start(source, output, "steady")
    first = output.with_name(".out.mp4.unfinished") / "000000.segment"
    while not first.exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(random.Random(0).uniform(0, 0.5))
    process.kill()
    process.communicate()
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
    assert [path.name for path in output.parent.iterdir()] == [f".{output.name}.unfinished"]
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
