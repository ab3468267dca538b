"""The whole pipeline with its pixels on a device, here the CPU: the path of a GPU without streams and graphs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from footage import astronaut_clip, frames_of, outside, psnr_where, same_planes, watched

from videdit.datatypes import Edited
from videdit.imaging.device import DevicePixels
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.rendering.renderer import Renderer

FRAMES = 3


def render(renderer: Renderer, where: str, source: Path, output: Path, edit: str) -> list[tuple[Edited, ...]]:
    """Render without loss in float32 on the device `where`, and say what was pasted into each frame."""
    words = {"input": str(source), "output": str(output), "edit": edit, "lossless": True, "size": 256}
    machine = {"device": where, "precision": "fp32", "batch": 1}
    (clip,) = make_plan([RenderJob.model_validate(words | machine)]).clips
    return watched(renderer, clip)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return astronaut_clip(tmp_path_factory.mktemp("device") / "in.mp4", FRAMES)


@pytest.fixture(scope="module")
def device() -> tuple[Renderer, str]:
    """What keeps its pixels on a device, and that device's name."""
    return Renderer(pixels_for=DevicePixels), "cpu"


def test_the_picture_is_the_host_s(source, device, tmp_path):
    edits = render(*device, source, tmp_path / "device.mp4", "smile=2")
    on_host = render(Renderer(), "cpu", source, tmp_path / "host.mp4", "smile=2")
    before, ours, theirs = (frames_of(path) for path in (source, tmp_path / "device.mp4", tmp_path / "host.mp4"))
    assert len(ours) == len(theirs) == len(edits) == FRAMES
    for old, new, wanted, pasted, pasted_there in zip(before, ours, theirs, edits, on_host, strict=True):
        (edit,), (there,) = pasted, pasted_there
        assert not isinstance(edit.change, np.ndarray)
        assert edit.change.shape == there.change.shape
        face = edit.mask.cpu().numpy().mean() / 255
        assert 0.1 < face < 0.6
        inside = ~outside(old, pasted_there, 0)
        assert psnr_where(new, wanted, inside) > 36 > 32 > psnr_where(old, wanted, inside)
        for plane, (a, b) in enumerate(zip(old.picture.planes, new.picture.planes, strict=True)):
            assert np.array_equal(a[free := outside(old, pasted_there, plane)], b[free])


def test_strength_zero_is_the_source(source, device, tmp_path):
    edits = render(*device, source, tmp_path / "out.mp4", "smile=0")
    assert all(len(pasted) == 1 for pasted in edits)
    assert all(map(same_planes, frames_of(source), frames_of(tmp_path / "out.mp4")))
