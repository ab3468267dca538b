"""One set of networks for all end-to-end tests: compiling them takes longer than most of the renders."""

from __future__ import annotations

from pathlib import Path

import pytest

from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.jobs.result import RenderResult
from videdit.rendering.session import Session


class Render:
    """`render(source, output, edit=..., ...)` with networks that stay loaded."""

    def __init__(self) -> None:
        self.session = Session()
        self.renderer = self.session.renderer()

    def __call__(self, source: Path, output: Path, **words) -> RenderResult:
        words = {"input": str(source), "output": str(output), "edit": "smile"} | words
        (clip,) = make_plan([RenderJob.model_validate(words)]).clips
        return self.renderer.render(clip)


@pytest.fixture(scope="session")
def render() -> Render:
    return Render()
