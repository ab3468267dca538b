"""The folder of unfinished work: what of it counts, and what it allows the next run."""

from __future__ import annotations

from pathlib import Path

import pytest

from videdit.errors import UsageError
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.jobs.segment_store import SegmentStart, SegmentStore, folder_of, record_of
from videdit.media.encode.segments import SegmentFile


@pytest.fixture
def job(tmp_path: Path) -> RenderJob:
    source = tmp_path / "in.mp4"
    source.write_bytes(b"not opened here")
    return RenderJob(input=str(source), edit="smile", output=str(tmp_path / "out.mp4"))


def work(job: RenderJob) -> SegmentStore:
    assert job.output is not None
    return SegmentStore(Path(job.output), Path(job.input[0]), job)


def finish(unfinished: SegmentStore, index: int = 0, *, last: bool = True) -> None:
    """Leave a segment there."""
    following = None if last else SegmentStart(index + 1, 1, 0, 0)
    record = record_of(SegmentStart(index, 0, 0, 0), following, 1) | {"frames": 1, "end_pts": 1, "headers": ""}
    SegmentFile(unfinished.path(index)).commit(record)
    unfinished.add(record)


def test_files_that_a_stopped_run_has_given_their_names_are_no_obstacle(job):
    """The same command goes on; before that and after, and with other settings, what is there is the user's."""
    output = Path(job.output)

    def status() -> str:
        try:
            return make_plan([job]).clips[0].status
        except UsageError as error:
            return str(error)

    output.touch()
    with work(job) as first:
        finish(first)
        assert "exists already" in status()
        first.begin_commit()
    assert status() == "render"
    with pytest.raises(UsageError, match="exists already"):
        make_plan([job.model_copy(update={"crf": 10})])
    with work(job) as second:
        assert second.complete
        second.remove()
    assert "exists already" in status()
    assert not folder_of(output).exists()


def test_nothing_is_handed_over_while_segments_are_missing(job):
    with work(job) as first:
        finish(first, last=False)
        first.begin_commit()
    with work(job) as second:
        assert second.segments
        assert not second.complete
    Path(job.output).touch()
    with pytest.raises(UsageError, match="exists already"):
        make_plan([job])


def test_the_key_is_not_written_again(job):
    """A run that goes on and is killed as it begins must leave the key as it was, or all work is lost."""
    with work(job) as first:
        finish(first, last=False)
    key = folder_of(Path(job.output)) / "key.json"
    before = key.stat()
    with work(job) as second:
        assert second.frames == 1
    assert (key.stat().st_ino, key.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
