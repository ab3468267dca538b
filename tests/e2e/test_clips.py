"""The first frames of real clips, where the shared footage is present."""

from __future__ import annotations

import numpy as np
import pytest
from footage import frames_of, largest_face, packets_of, smile

from videdit.datatypes import Face
from videdit.faces.detector import FaceDetector
from videdit.geometry.affine import invert, transform
from videdit.geometry.ffhq_align import face_matrix


@pytest.mark.parametrize("name", ["neutral_480x480_30fps_audio", "single_640x360_30fps_audio"])
def test_a_real_person_smiles_and_nothing_else_changes(render, shared, tmp_path, name):
    clip = shared / "data" / "clips" / f"{name}.mp4"
    result = render(clip, tmp_path / "out.mp4", end=0.2, lossless=True)
    before, after = frames_of(clip, 6), frames_of(result.output)
    assert result.faces == result.frames == len(after) == 6
    assert [frame.time for frame in after] == [frame.time for frame in before]
    copied = packets_of(result.output, "audio")
    assert copied
    assert [sound for _, sound in copied] == [sound for _, sound in packets_of(clip, "audio")][: len(copied)]
    detector = FaceDetector()
    for old, new in zip(before, after, strict=True):
        face = largest_face(detector, old)
        change = old.picture.planes[0] != new.picture.planes[0]
        beyond = outside_of_square(face, change.shape)
        assert beyond.any()
        assert change.any()
        assert not change[beyond].any()
        assert smile(largest_face(detector, new)) > smile(face)


def outside_of_square(face: Face, shape: tuple[int, ...]) -> np.ndarray:
    """What lies outside of a face's FFHQ square, bool [H, W]."""
    places = np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), -1) + 0.5
    at = transform(invert(face_matrix(face.points, 1)), places)
    return ~((at > 0) & (at < 1)).all(-1)
