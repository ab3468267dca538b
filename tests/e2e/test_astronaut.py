"""A real face that anyone can test with: a photograph, moved, zoomed and turned, through the whole pipeline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from footage import (
    FPS,
    astronaut_clip,
    difference,
    frames_of,
    largest_face,
    outside,
    packets_of,
    same_planes,
    smile,
    watched,
)

from videdit.datatypes import Edited
from videdit.faces.detector import FaceDetector
from videdit.geometry.face_regions import region_mask
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return astronaut_clip(tmp_path_factory.mktemp("astronaut") / "in.mp4", round(1.5 * FPS))


@pytest.fixture(scope="module")
def edited(render, source) -> tuple[Path, list[tuple[Edited, ...]]]:
    """The clip with a smile, encoded without loss, and the edits that were pasted into each frame."""
    words = {"input": str(source), "output": str(source.with_name("out.mp4")), "edit": "smile", "lossless": True}
    (clip,) = make_plan([RenderJob.model_validate(words)]).clips
    return clip.output, watched(render.renderer, clip)


def test_frames_times_and_sound_are_the_source_s(edited, source):
    output, _ = edited
    before, after = frames_of(source), frames_of(output)
    assert [(frame.pts, frame.time_base) for frame in after] == [(frame.pts, frame.time_base) for frame in before]
    assert packets_of(output, "audio") == packets_of(source, "audio")


def test_outside_the_mask_every_bit_is_the_source_s(edited, source):
    output, edits = edited
    for before, after, pasted in zip(frames_of(source), frames_of(output), edits, strict=True):
        assert len(pasted) == 1
        for i, (old, new) in enumerate(zip(before.picture.planes, after.picture.planes, strict=True)):
            free = outside(before, pasted, i)
            assert 0.5 < free.mean() < 0.95
            assert np.array_equal(old[free], new[free])


def test_the_mouth_changes_in_every_frame(edited, source):
    output, edits = edited
    detector = FaceDetector()
    for before, after in zip(frames_of(source, 12), frames_of(output, 12), strict=True):
        mesh = largest_face(detector, before).mesh
        change = np.abs(before.picture.planes[0].astype(int) - after.picture.planes[0])
        side = max(change.shape)
        lips = region_mask(mesh, "lips", side)[: change.shape[0]] > 128
        assert change[lips].mean() > 2


def test_she_smiles_more_and_frowning_less(edited, render, source, tmp_path):
    less = render(source, tmp_path / "less.mp4", edit="smile=-2", end=0.25, lossless=True).output
    detector = FaceDetector()
    scores = {
        name: np.array([smile(largest_face(detector, frame)) for frame in frames_of(path, 6)])
        for name, path in (("less", less), ("source", source), ("more", edited[0]))
    }
    print({name: values.round(3) for name, values in scores.items()})
    assert (scores["more"] > scores["source"]).all()
    assert (scores["source"] > scores["less"]).all()


def test_strength_zero_is_the_source(render, source, tmp_path):
    result = render(source, tmp_path / "out.mp4", edit="smile=0", end=0.25, lossless=True)
    assert (result.faces, result.frames) == (0, 6)
    assert all(map(same_planes, frames_of(source, 6), frames_of(result.output)))


def test_hardly_any_strength_is_the_source_through_every_stage(render, source, tmp_path):
    result = render(source, tmp_path / "out.mp4", edit="smile=0.00001", end=0.25, lossless=True)
    assert result.faces == result.frames == 6
    assert difference(frames_of(source, 6), frames_of(result.output)) < 0.01


def test_the_change_grows_with_the_strength(render, source, tmp_path):
    before = frames_of(source, 6)
    changes = []
    for strength in (0.05, 0.5):
        output = render(source, tmp_path / f"{strength}.mp4", edit=f"smile={strength}", end=0.25, lossless=True).output
        changes.append(difference(before, frames_of(output)))
    little, more = changes
    assert 0 < little < 0.3
    assert 2 * little < more
