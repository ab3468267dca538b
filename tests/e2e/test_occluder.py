"""A hand and a microphone that move in front of an edited face stay in front of it."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from footage import frames_of, outside
from synthetic import background, with_face, write_clip

from videdit.datatypes import Edited, Frame
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.media.probe import probe
from videdit.pipeline.executor import Pipeline

FRAMES = 10


class Seen:
    """A stage that hands frames on and keeps them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.frames: list[Frame] = []

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            self.frames.append(frame)
            yield frame


def drawn(kind: str, i: int) -> np.ndarray:
    """The object in the i-th frame, [240, 320] uint8."""
    shape = np.zeros((240, 320), np.uint8)
    if kind == "hand":
        cv2.ellipse(shape, (200 - 5 * i, 150), (26, 16), 20, 0, 360, 255, -1)
    else:
        tip = (150 + 3 * i, 165 - i)
        cv2.circle(shape, tip, 12, 255, -1)
        cv2.line(shape, tip, (tip[0] - 50, 239), 255, 11)
    return shape


@pytest.mark.parametrize("kind", ["hand", "microphone"])
def test_what_moves_in_front_keeps_its_pixels_and_what_is_beside_keeps_its_bits(render, people, tmp_path, kind):
    colour = (150, 105, 85) if kind == "hand" else (36, 36, 40)
    rng = np.random.default_rng(0)
    texture = np.clip(np.array(colour) + rng.normal(0, 3, (240, 320, 3)), 0, 255)
    pictures, shapes = [], []
    for i in range(FRAMES):
        scene = with_face(background(320, 240), people[0], (150, 120), 200)
        shapes.append(drawn(kind, i))
        share = cv2.GaussianBlur(shapes[-1], (0, 0), 0.7)[..., None] / 255
        pictures.append(np.rint(scene + share * (texture - scene)).astype(np.uint8))
    source = write_clip(tmp_path / f"{kind}.mp4", pictures, options={"crf": "10"})
    words = {"input": str(source), "output": str(tmp_path / "out.mp4"), "edit": "smile=2"}
    (clip,) = make_plan([RenderJob.model_validate(words)]).clips
    info = probe(source)
    pasted, ready = Seen("pasted"), Seen("ready")  # the planes as they are handed to the encoder
    with render.renderer.analyse(clip, info) as analysis:
        stages = render.renderer.chain(clip, info, analysis).stages
        paste = [stage.name for stage in stages].index("paste")
        Pipeline([*stages[:paste], pasted, stages[paste], ready]).run()
    changes: list[float] = []
    for before, edited, after, shape in zip(frames_of(source), pasted.frames, ready.frames, shapes, strict=True):
        edits: tuple[Edited, ...] = edited.edits
        assert len(edits) == 1
        for plane, (old, new) in enumerate(zip(before.picture.planes, after.picture.planes, strict=True)):
            free = outside(before, edits, plane)
            assert 0.3 < free.mean() < 0.98
            assert np.array_equal(old[free], new[free])
        difference = np.abs(before.picture.planes[0].astype(int) - after.picture.planes[0])
        inside = cv2.erode(shape, np.ones((3, 3), np.uint8)) > 0
        assert difference[inside].mean() < 0.5
        assert np.percentile(difference[inside], 98) <= 3
        changes.append(float(difference[~inside].max()))
    assert min(changes) > 20, "the face must change beside it, or this says nothing"
