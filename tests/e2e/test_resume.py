"""A long clip goes on where it stopped, with the same frames as if it had never stopped."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest
from footage import failing_after, frames_of, packets_of, same_planes
from synthetic import background, with_face, write_clip

from videdit.errors import DeviceError, NoFaceError, OutOfMemoryError, UsageError
from videdit.hfgi.inverter import Inverter
from videdit.jobs.plan import Clip as PlannedClip
from videdit.jobs.render_job import RenderJob
from videdit.jobs.segment_store import SegmentStart, SegmentStore, record_of
from videdit.media.encode.segments import SegmentWriter
from videdit.media.encode.write import VideoWriter
from videdit.media.probe import probe
from videdit.rendering.resuming import resumable
from videdit.stages.paste import Paste

FRAMES, CUT = 16, 9


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory, people) -> Path:
    """Sixteen frames in two shots: one person, then two of about one size, of whom the second grows a little."""
    plain = background(400, 240)
    one = [with_face(plain, people[0], (150 + 2 * i, 120), 190) for i in range(CUT)]
    dark = 255 - plain
    two = [
        with_face(with_face(dark, people[0], (105, 120), 185), people[1], (290, 120), 175 + 3 * i)
        for i in range(FRAMES - CUT)
    ]
    return write_clip(tmp_path_factory.mktemp("clips") / "long.mp4", [*one, *two], fps=5)


@pytest.fixture
def short_segments(monkeypatch):
    monkeypatch.setattr("videdit.stages.split_segments.CROPS", 4)
    monkeypatch.setattr("videdit.rendering.resuming.CROPS", 8)


def test_a_run_that_goes_on_gives_the_same_frames(render, long_clip, tmp_path, monkeypatch, short_segments, caplog):
    whole = render(long_clip, tmp_path / "whole.mp4", edit="smile=2")
    assert whole.frames == FRAMES
    assert whole.done_before == 0
    (tmp_path / "out").mkdir()
    output = tmp_path / "out" / "out.mp4"
    monkeypatch.setattr(logging.getLogger("videdit"), "propagate", True)
    with monkeypatch.context() as broken:
        broken.setattr(Paste, "__call__", failing_after(10))
        with pytest.raises(ZeroDivisionError):
            render(long_clip, output, edit="smile=2")
    assert "run the same command again" in caplog.text
    assert [path.name for path in output.parent.iterdir()] == [".out.mp4.unfinished"]
    result = render(long_clip, output, edit="smile=2")
    assert 4 <= result.done_before < FRAMES == result.frames
    assert result.faces == whole.faces
    before, after = frames_of(whole.output), frames_of(output)
    assert [frame.pts for frame in before] == [frame.pts for frame in after]
    assert all(map(same_planes, before, after))
    assert packets_of(whole.output, "audio") == packets_of(output, "audio")
    assert [path.name for path in output.parent.iterdir()] == ["out.mp4"]


def test_files_beside_it_go_on_too(render, long_clip, tmp_path, monkeypatch, short_segments):
    """Their segments belong to the clip's: with one that is damaged, the frames from there on are rendered anew."""
    files = ("", "_matte", "_compare", "_debug")
    output, whole = tmp_path / "out" / "out.mp4", tmp_path / "whole" / "whole.mp4"
    for path in (output, whole):
        path.parent.mkdir()

    def beside(path: Path) -> list[Path]:
        return [path.with_name(f"{path.stem}{file}{'.mkv' if file == '_matte' else '.mp4'}") for file in files]

    def job(path: Path) -> dict:
        return {"edit": "smile=2", "alpha_out": str(beside(path)[1]), "compare": "side", "debug_video": True}

    render(long_clip, whole, **job(whole))
    with monkeypatch.context() as broken:
        broken.setattr(Paste, "__call__", failing_after(20))
        with pytest.raises(ZeroDivisionError):
            render(long_clip, output, **job(output))
    folder = output.with_name(".out.mp4.unfinished")
    parts = {path.name for path in folder.glob("*.segment")}
    done = [name for name in parts if "-" not in name]
    assert len(done) >= 2
    assert {name.replace(".", f"-{file[1:]}.") for name in done for file in files if file} <= parts
    assert [path.name for path in output.parent.iterdir()] == [folder.name]
    damaged = folder / "000001-matte.segment"
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    result = render(long_clip, output, **job(output))
    assert 0 < result.done_before < 9
    assert result.frames == FRAMES
    for one, other in zip(beside(whole), beside(output), strict=True):
        before, after = frames_of(one), frames_of(other)
        assert [frame.pts for frame in before] == [frame.pts for frame in after]
        assert len(after) == FRAMES
        assert all(map(same_planes, before, after)), other.name
    assert set(output.parent.iterdir()) == set(beside(output))


def test_what_is_not_split(tmp_path):
    """Stills and short clips."""
    write_clip(tmp_path / "in.mp4", [background(64, 48)] * 2)
    long = replace(probe(tmp_path / "in.mp4"), frame_count=5000)

    def splits(info, **words) -> bool:
        job = RenderJob(input="in.mp4", edit="smile", **words)
        return resumable(PlannedClip(job, Path("in.mp4"), Path("out.mkv")), info)

    assert splits(long)
    assert splits(long, alpha_out="m.mkv")
    assert splits(replace(long, container="exr", frame_count=2))
    assert splits(replace(long, planar="yuva420p", codec="vp9"))
    assert not splits(long, resume=False)
    assert not splits(replace(long, frame_count=900))
    assert not splits(replace(long, kind="image"))


def test_other_settings_begin_anew(long_clip, tmp_path):
    def found(**words) -> int:
        """How many segments a job finds; it leaves one behind."""
        with SegmentStore(
            tmp_path / "out.mp4", long_clip, RenderJob(input=str(long_clip), edit="smile", **words)
        ) as work:
            segments = len(work.segments)
            if not segments:
                leave_segment(work, long_clip)
            return segments

    assert (found(), found()) == (0, 1)
    assert (found(crf=10), found(crf=10), found(crf=10, device="cpu", batch=1), found()) == (0, 1, 1, 0)
    os.utime(long_clip, (1, 1))
    assert found() == 0


def leave_segment(work: SegmentStore, source: Path) -> None:
    writer = VideoWriter(work.unjoined(".mp4"), probe(source))
    segment = SegmentWriter(work.path(0), probe(source), writer.encoder, 1)
    for frame in frames_of(source, 3):
        segment.write(frame)
    work.add(segment.commit(record_of(SegmentStart(0, 0, 0, 0), SegmentStart(1, 3000, 0, 0), 0)))
    writer.abort()


def test_no_resume_and_short_clips_keep_no_parts(render, face_clip, long_clip, tmp_path, monkeypatch):
    monkeypatch.setattr(Paste, "__call__", failing_after(2))
    with pytest.raises(ZeroDivisionError):
        render(face_clip, tmp_path / "out.mp4")
    monkeypatch.setattr("videdit.rendering.resuming.CROPS", 8)
    with pytest.raises(ZeroDivisionError):
        render(long_clip, tmp_path / "out.mp4", resume=False, end=1)
    assert list(tmp_path.iterdir()) == []


def test_no_face_leaves_no_parts(render, empty_clip, tmp_path, monkeypatch):
    monkeypatch.setattr("videdit.rendering.resuming.CROPS", 2)
    monkeypatch.setattr("videdit.stages.split_segments.FRAMES", 2)
    with pytest.raises(NoFaceError):
        render(empty_clip, tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []
    assert render(empty_clip, tmp_path / "out.mp4", keep_unedited=True).frames == 6


def test_a_copy_of_a_clip_without_a_face_goes_on_too(render, tmp_path, monkeypatch):
    """And nobody is looked for again."""
    source = write_clip(tmp_path / "in.mp4", [background(320, 240) // (1 + i) for i in range(8)], fps=1)
    (tmp_path / "out").mkdir()
    output = tmp_path / "out" / "out.mp4"
    words = {"keep_unedited": True, "alpha_out": str(tmp_path / "out" / "matte.mkv")}
    monkeypatch.setattr("videdit.rendering.resuming.CROPS", 2)
    monkeypatch.setattr("videdit.stages.split_segments.FRAMES", 2)
    whole = render(source, tmp_path / "whole.mp4", keep_unedited=True)
    real, left = SegmentWriter.commit, 4 + 4 + 2  # the clip's and the matte's, before it is known that nobody is there

    def commit(self, record):
        nonlocal left
        left -= 1
        return real(self, record) if left >= 0 else 1 / 0

    with monkeypatch.context() as broken:
        broken.setattr(SegmentWriter, "commit", commit)
        with pytest.raises(ZeroDivisionError):
            render(source, output, **words)
    assert [path.name for path in output.parent.iterdir()] == [".out.mp4.unfinished"]
    monkeypatch.setattr("videdit.rendering.renderer.cached_analysis", lambda *_: 1 / 0)
    result = render(source, output, **words)
    assert (result.done_before, result.frames, result.faces) == (4, 8, 0)
    before, after = frames_of(whole.output), frames_of(output)
    assert len(before) == len(after) == 8
    assert all(map(same_planes, before, after))
    assert packets_of(whole.output, "audio") == packets_of(output, "audio")
    assert [path.name for path in output.parent.iterdir()] == ["out.mp4"]


def test_two_runs_do_not_share_an_output(long_clip, tmp_path):
    job = RenderJob(input=str(long_clip), edit="smile")
    with (
        SegmentStore(tmp_path / "out.mp4", long_clip, job),
        pytest.raises(UsageError, match="another run"),
        SegmentStore(tmp_path / "out.mp4", long_clip, job),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_goes_on_knows_scenes_and_strengths(render, long_clip, tmp_path, monkeypatch, short_segments):
    """The second shot is the second one too for whoever begins there; its strength goes on where it was."""
    monkeypatch.setattr("videdit.stages.split_segments.FRAMES", 4)
    words = {"edit": "smile=0@0s,2@10f:hold,1@14f", "scenes": "2"}
    whole = render(long_clip, tmp_path / "whole.mp4", **words)
    assert whole.faces == FRAMES - CUT
    with monkeypatch.context() as broken:
        broken.setattr(Paste, "__call__", failing_after(20))
        with pytest.raises(ZeroDivisionError):
            render(long_clip, tmp_path / "out.mp4", **words)
    result = render(long_clip, tmp_path / "out.mp4", **words)
    assert result.done_before == CUT
    assert result.faces == whole.faces
    before, after = frames_of(whole.output), frames_of(tmp_path / "out.mp4")
    assert len(before) == len(after)
    assert all(map(same_planes, before, after))


def test_out_of_memory_halves_the_batch_and_goes_on(render, face_clip, tmp_path, monkeypatch, caplog):
    real, sizes = Inverter.each_high_fidelity, []

    def where_one_fits(self, *work, **words):
        sizes.append(self.batch(256))
        if self.batch(256) > 1:
            raise MemoryError
        return real(self, *work, **words)

    def failing(words: str):
        def fail(*_, **__):
            raise RuntimeError(words)

        return fail

    monkeypatch.setattr(Inverter, "each_high_fidelity", where_one_fits)
    monkeypatch.setattr(logging.getLogger("videdit"), "propagate", True)
    assert render(face_clip, tmp_path / "out.mp4", batch=2, end=0.1).frames == 3
    assert (sizes[0], sizes[-1]) == (2, 1)
    assert "goes on with batches of 1" in caplog.text
    monkeypatch.setattr(Inverter, "each_high_fidelity", failing("CUDA out of memory"))
    with pytest.raises(OutOfMemoryError, match="try --batch 1"):
        render(face_clip, tmp_path / "again.mp4", batch=1, end=0.1)
    monkeypatch.setattr(Inverter, "each_high_fidelity", failing("CUDA error: launch failure"))
    with pytest.raises(DeviceError, match="--device cpu"):
        render(face_clip, tmp_path / "again.mp4", batch=1, end=0.1)
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
