"""A clip of a plan as plain values, for files and databases that other processes read, and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from videdit.errors import UsageError
from videdit.jobs.job_file import explain, relative_to
from videdit.jobs.plan import Clip
from videdit.jobs.render_job import RenderJob

_FILES = ("output", "alpha", "compare", "debug", "state")


def absolute(clip: Clip) -> Clip:
    """The clip with paths that mean the same from any folder."""
    here = Path.cwd()
    words = clip.job.model_dump(mode="json", exclude_none=True)
    job = RenderJob.model_validate(relative_to(words, here))
    files = {name: here / path for name in _FILES if (path := getattr(clip, name))}
    return replace(clip, job=job, source=here / clip.source, **files)


def to_values(clip: Clip) -> dict[str, Any]:
    """Plain values of a clip that is :func:`absolute`."""
    files = {name: str(path) for name in _FILES if (path := getattr(clip, name))}
    job = clip.job.model_dump(mode="json", exclude_none=True)
    return {"job": job, "source": str(clip.source), "replace": clip.replace, "files": files}


def from_values(values: dict[str, Any]) -> Clip:
    """The clip that :func:`to_values` told of.

    Raises:
        UsageError: this version does not know the job's words.
    """
    try:
        job = RenderJob.model_validate(values["job"])
    except ValidationError as error:
        words = "; ".join(message for _, message in explain(error))
        raise UsageError(f"the job does not fit this version of videdit: {words}") from None
    files: dict[str, Any] = {name: Path(path) for name, path in values["files"].items()}
    return Clip(job, Path(values["source"]), replace=values["replace"], **files)
