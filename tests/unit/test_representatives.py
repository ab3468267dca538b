"""Which crops stand for a clip, and where what was tuned on them is kept."""

from __future__ import annotations

import os

import cv2
import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from videdit.hfgi.sample_selection import FaceSample, Representatives, face_sample, unlike
from videdit.jobs.render_job import RenderJob
from videdit.rendering.tuning_pass import keep, load_tuned, tuned_path


def moment(place: float, sharpness: float = 1.0, track: int = 0) -> FaceSample:
    return FaceSample(track, np.full((468, 2), place), sharpness)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=40), st.integers(1, 6))
def test_there_are_never_more_than_asked_for(places, count):
    chosen: Representatives[int] = Representatives(count)
    for i, place in enumerate(places):
        chosen.add(moment(place), i)
    kept = list(chosen)
    assert len(kept) == min(count, len(places))
    assert kept == sorted(kept)


def test_they_are_unlike_each_other_and_sharp():
    chosen: Representatives[str] = Representatives(3)
    for name, place, sharpness in (
        ("neutral, blurred", 0.0, 1), ("neutral", 0.01, 5), ("smiling", 0.5, 3), ("turned", 0.9, 1),
        ("neutral again", 0.02, 4), ("smiling, blurred", 0.51, 2),
    ):  # fmt: skip
        chosen.add(moment(place, sharpness), name)
    assert list(chosen) == ["neutral", "smiling", "turned"]


def test_every_person_is_among_them():
    chosen: Representatives[int] = Representatives(4)
    for i in range(20):
        chosen.add(moment(i / 20, track=i % 2), i % 2)
    assert set(chosen) == {0, 1}
    assert unlike(moment(0, track=0), moment(0, track=1)) == float("inf")


def test_a_blurred_crop_is_less_sharp():
    rng = np.random.default_rng(0)
    crop, mesh = rng.integers(0, 255, (512, 512, 3), np.uint8), np.zeros((468, 2))
    assert (
        face_sample(0, cv2.GaussianBlur(crop, (0, 0), 4), mesh).sharpness < 0.5 * face_sample(0, crop, mesh).sharpness
    )


def test_what_was_tuned_is_found_again_for_the_same_clip_and_words(tmp_path, monkeypatch):
    monkeypatch.setattr("videdit.paths.cache_dir", lambda: tmp_path / "cache")
    clip = tmp_path / "in.mp4"
    clip.write_bytes(b"a clip")

    def path(**words):
        return tuned_path(RenderJob.model_validate({"input": str(clip), "edit": "smile", "tune": 30} | words), clip)

    first = path()
    assert path(crf=30, compare="side", mark="AI") == first, "how it is written does not matter"
    assert len({first, path(tune=31), path(edit="age"), path(faces="all"), path(start=1)}) == 5
    os.utime(clip, (1, 1))
    assert path() == first, "only what is in the file"
    clip.write_bytes(b"another")
    assert path() != first


def test_a_state_is_kept_whole_or_not_at_all(tmp_path):
    state = {"weight": torch.arange(6.0).half()}
    path = tmp_path / "tuned" / "a.safetensors"
    assert load_tuned(path) is None
    keep(state, path)
    loaded = load_tuned(path)
    assert loaded is not None
    assert torch.equal(loaded["weight"], torch.arange(6.0))
    assert [file.name for file in path.parent.iterdir()] == ["a.safetensors"]
    path.write_bytes(path.read_bytes()[:40])
    assert load_tuned(path) is None
