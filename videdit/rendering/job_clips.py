"""Jobs of one input, as programs give them: as a model or by their fields."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from videdit import paths
from videdit.errors import UsageError
from videdit.jobs.job_file import job_of
from videdit.jobs.plan import Clip, make_plan
from videdit.jobs.render_job import RenderJob

Job = RenderJob | Mapping[str, Any]


def as_job(job: Job) -> RenderJob:
    """A job from its fields. Raises UsageError: they make no sense."""
    return job if isinstance(job, RenderJob) else job_of(job)


def planned(job: RenderJob) -> Clip:
    """The one clip of a job. Raises UsageError: it is of several, or its output stands in the way."""
    clips = make_plan([job]).clips
    if len(clips) != 1 or clips[0].state is not None:
        raise UsageError(f"{', '.join(job.input)} is not a single file; render the files of a folder one by one")
    return clips[0]


def clip_of(job: Job) -> Clip:
    """A job's input to be looked at: where it would be written does not matter."""
    job = as_job(job)
    return Clip(job, path_of(job), path_of(job))


def about(source: str | Path | RenderJob, **options: Any) -> RenderJob:
    """A job that is about a clip, whatever its edits."""
    return source if isinstance(source, RenderJob) else as_job({"input": str(source), "edit": "smile"} | options)


def path_of(job: RenderJob) -> Path:
    """A job's one input."""
    return paths.expanded(job.input[0])
