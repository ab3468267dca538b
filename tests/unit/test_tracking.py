"""Cuts and fading: on faces made of numbers, no nets."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videdit.datatypes import Color, Face, Frame, Picture
from videdit.errors import UsageError
from videdit.faces.edit_fitness import fade, fitness
from videdit.geometry.affine import transform
from videdit.geometry.ffhq_align import crop_side
from videdit.imaging.host import HostPixels
from videdit.pipeline.graph import Compose
from videdit.stages.crop_faces import ChooseSize, CropFaces
from videdit.stages.track_faces import FADE, MOST_AHEAD, TrackFaces
from videdit.tracks.shots import CutDetector
from videdit.tracks.tracker import Tracker

W, H = 640, 360
RGB = Color(matrix="rgb", full_range=True, chroma_log2=(0, 0))


def picture(rgb: np.ndarray) -> Picture:
    return Picture(tuple(np.ascontiguousarray(rgb[..., i]) for i in range(3)), RGB, "gbrp")


GREY = picture(np.full((H, W, 3), 128, np.uint8))


def face(x: float, y: float = 180, size: float = 100, yaw: float = 0) -> Face:
    """A face about (x, y) whose mesh fills a square of ``size`` px."""
    mesh = np.random.default_rng(0).uniform(-0.5, 0.5, (468, 2))
    mesh[0], mesh[1] = -0.5, 0.5
    points = np.array([(-0.2, -0.15), (0.2, -0.15), (0, 0.05), (-0.15, 0.25), (0.15, 0.25)])
    return Face(points * size + (x, y), 0.99, mesh=mesh * size + (x, y), yaw=yaw)


def clip(faces: list[list[Face]], fps: float = 25, scenes: list[int] | None = None) -> Iterator[Frame]:
    for i, found in enumerate(faces):
        scene = scenes[i] if scenes else 0
        yield Frame(i, i, Fraction(1, 25), i / fps, GREY, scene=scene, faces=tuple(found))


def named(frames: Iterator[Frame]) -> Iterator[Frame]:
    """The same with tracks."""
    tracker = Tracker()
    for frame in frames:
        names = tracker(frame.faces, [None] * len(frame.faces), frame.time, frame.scene)
        yield replace(frame, faces=tuple(replace(f, track=t) for f, t in zip(frame.faces, names, strict=True)))


def tracked(faces: list[list[Face]], **kwargs) -> list[Frame]:
    frames = list(TrackFaces()(named(clip(faces, **kwargs))))
    assert [frame.index for frame in frames] == list(range(len(faces)))
    return frames


def confidences(frames: list[Frame]) -> np.ndarray:
    return np.array([frame.faces[0].confidence if frame.faces else 0.0 for frame in frames])


def test_a_face_that_stays_is_one_track_at_full_strength() -> None:
    frames = tracked([[face(300 + 2 * i)] for i in range(40)])
    assert {f.track for frame in frames for f in frame.faces} == {0}
    assert (confidences(frames) == 1).all()  # at the clip's ends too: nothing to fade from


def test_tracks_survive_a_crossing_at_different_sizes() -> None:
    paths = [[face(100 + 10 * i, size=150), face(500 - 10 * i, size=70)][:: 1 if i % 2 else -1] for i in range(40)]
    frames = tracked(paths)
    found = [{f.track: round(crop_side(f.points)) for f in frame.faces} for frame in frames]
    assert len(found[0]) == 2
    assert all(sizes == found[0] for sizes in found)


def test_a_lost_face_has_faded_out_when_it_goes() -> None:
    seen = [[face(300)] if i < 20 or i >= 40 else [] for i in range(60)]
    level = confidences(tracked(seen))
    assert level[0] == level[-1] == 1
    assert not level[20:40].any()
    assert (np.abs(np.diff(level)) < 0.4).all()
    assert (np.diff(level[:20]) <= 0).all()
    assert (np.diff(level[40:]) >= 0).all()
    assert level[19 - round(FADE * 25)] == 1  # and not before it must


def test_a_cut_does_not_fade() -> None:
    scenes = [0] * 20 + [1] * 20
    frames = tracked([[face(300)]] * 20 + [[face(300)]] * 20, scenes=scenes)
    assert (confidences(frames) == 1).all()
    assert {frame.faces[0].track for frame in frames[:20]} != {frame.faces[0].track for frame in frames[20:]}


def test_nothing_is_smoothed_across_a_cut() -> None:
    frames = tracked([[face(200)]] * 20 + [[face(205)]] * 20, scenes=[0] * 20 + [1] * 20)
    assert np.abs(frames[19].faces[0].points - face(200).points).max() < 1e-6
    assert np.abs(frames[20].faces[0].points - face(205).points).max() < 1e-6


def test_a_missed_frame_or_two_are_filled() -> None:
    seen = [[face(300 + 4 * i)] if i not in (15, 16) else [] for i in range(30)]
    frames = tracked(seen)
    assert (confidences(frames) == 1).all()
    for i in (15, 16):
        np.testing.assert_allclose(frames[i].faces[0].points, face(300 + 4 * i).points, atol=0.01)


def test_too_small_turned_or_outside_is_not_edited() -> None:
    for unfit, reason in (
        (face(300, size=35), "too small"),
        (face(300, yaw=60), "turned away"),
        (face(-20, size=100), "out of the picture"),
    ):
        track = TrackFaces()
        assert not any(frame.faces for frame in track(named(clip([[unfit]] * 10))))
        assert track.unfit == {reason: 10}
    assert tracked([[face(300, size=60)]] * 10)[5].faces[0].confidence == 1


def test_a_turning_head_fades() -> None:
    level = confidences(tracked([[face(300, yaw=2.0 * i)] for i in range(40)]))
    assert level[0] == 1
    assert level[-1] == 0
    assert (np.diff(level) <= 0).all()
    assert np.abs(np.diff(level)).max() < 0.4


def test_who_is_not_chosen_is_left_out() -> None:
    three = [face(100), replace(face(300), confidence=0.0), face(500)]
    for frame in tracked([three] * 12):
        assert [round(f.points[:, 0].mean()) for f in frame.faces] == [100, 500]


def test_a_choice_that_changes_fades_from_one_to_the_other() -> None:
    def shown(i: int) -> list[Face]:
        return [replace(face(200), confidence=float(i < 25)), replace(face(450), confidence=float(i >= 25))]

    frames = tracked([shown(i) for i in range(50)])
    assert [f.track for f in frames[10].faces] == [0]
    assert [f.track for f in frames[40].faces] == [1]
    for track in (0, 1):
        level = np.array([sum(f.confidence for f in frame.faces if f.track == track) for frame in frames])
        assert np.abs(np.diff(level)).max() < 0.4


@given(st.lists(st.integers(0, 3), max_size=60), st.floats(5, 200), st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_frames_keep_their_order_and_wait_only_so_long(counts: list[int], fps: float, shot: int) -> None:
    taken = 0

    def counted() -> Iterator[Frame]:
        nonlocal taken
        faces = [[face(100 + 150 * j, size=60) for j in range(n)] for n in counts]
        for frame in clip(faces, fps, [i // shot for i in range(len(counts))]):
            taken += 1
            yield frame

    for position, frame in enumerate(TrackFaces()(named(counted()))):
        assert frame.index == position
        assert taken - position <= MOST_AHEAD + 1
        for f in frame.faces:
            assert 0 < f.confidence <= 1
            assert np.isfinite(f.points).all()
    assert taken == len(counts)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.01, 0.1))
def test_fade_is_below_its_target_and_never_steep(targets: list[float], step: float) -> None:
    times = step * np.arange(len(targets))
    level = np.array([fade(times, np.array(targets), t, 0.2) for t in times])
    eased = np.array(targets) ** 2 * (3 - 2 * np.array(targets))
    assert (level <= eased + 1e-9).all()
    assert (level >= 0).all()
    assert np.abs(np.diff(level)).max(initial=0) <= 1.5 * step / 0.2 + 1e-9


def test_fitness_is_one_for_a_good_face() -> None:
    assert set(fitness(face(300), W, H).values()) == {1.0}


def texture(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(0, 255, (12, 20, 3)).astype(np.float32)
    return np.clip(cv2.resize(noise, (2 * W, H), interpolation=cv2.INTER_CUBIC), 0, 255)


def cuts(frames: list[np.ndarray]) -> list[int]:
    detector = CutDetector()
    return [i for i, frame in enumerate(frames) if detector(picture(frame.astype(np.uint8)))]


def test_cuts_are_found() -> None:
    shots = [texture(seed)[:, :W] for seed in range(4)]
    assert cuts([shot for shot in shots for _ in range(8)]) == [8, 16, 24]


def test_a_cut_that_leaves_the_brightness_is_seen_by_its_colours() -> None:
    shot = texture(0)[:, :W].mean(-1, keepdims=True) * 0.6 + 40
    warm, cold = shot + np.array([25, 0, -25]), shot + np.array([-25, 0, 25])
    other = 0.8 * shot + 0.2 * texture(1)[:, :W].mean(-1, keepdims=True) + 20  # as like as two talking heads
    assert cuts([warm] * 8 + [other + np.array([-25, 0, 25])] * 8) == [8]
    assert cuts([warm] * 8 + [cold] * 8) == []  # light alone


def test_motion_noise_and_light_are_no_cuts() -> None:
    wide, rng = texture(0), np.random.default_rng(1)
    assert cuts([wide[:, 12 * i : 12 * i + W] for i in range(40)]) == []  # a pan, 12 px a frame
    assert cuts([np.clip(wide[:, :W] + rng.normal(0, 25, (H, W, 3)), 0, 255) for _ in range(12)]) == []
    assert cuts([wide[:, :W] * (0.3 if i % 5 else 1) for i in range(20)]) == []  # flashes
    assert cuts([wide[:, :W] * (1 - i / 20) for i in range(20)]) == []  # a fade to black
    assert cuts([np.zeros((H, W, 3)) + rng.integers(0, 3, (H, W, 3)) for _ in range(12)]) == []
    assert cuts([np.zeros((1, 1, 3))] * 3) == []


def test_crops_show_what_they_say() -> None:
    y, x = np.indices((H, W)) + 0.5
    rgb = np.stack([x / W, y / H, 0 * x], axis=-1) * 255
    frames = [
        Frame(i, i, Fraction(1, 25), i / 25, picture(rgb.astype(np.uint8)), faces=(face(300, size=90 + 20 * i),))
        for i in range(5)
    ]
    for frame in CropFaces(HostPixels())(iter(frames)):
        (crop,) = frame.crops
        assert crop.image.dtype == np.uint8
        assert crop.image.shape == (crop.size, crop.size, 3)
        assert crop.mesh is not None
        assert frame.faces[0].mesh is not None
        np.testing.assert_allclose(transform(crop.to_frame, crop.mesh), frame.faces[0].mesh, atol=1e-6)
        i = crop.size // 3
        at = transform(crop.to_frame, [i + 0.5, i + 0.5])
        assert np.abs(crop.image[i, i, :2] - at / (W, H) * 255).max() < 2


def test_crop_sizes() -> None:
    def sizes(size: str | int, faces: list[float]) -> list[int]:
        stages = Compose(ChooseSize(size), CropFaces(HostPixels(), size))
        return [frame.crops[0].size for frame in stages(clip([[face(300, size=size)] for size in faces]))]

    side = crop_side(face(300).points) / 100  # of the crop, for each pixel of the face
    assert sizes("auto", [100 / side, 150 / side, 165 / side, 150 / side]) == [256] * 4  # hysteresis
    assert sizes("auto", [150 / side, 250 / side, 150 / side, 100 / side]) == [256, 512, 512, 256]
    assert sizes(512, [100 / side, 900 / side]) == [512, 512]
    with pytest.raises(UsageError, match="crop size"):
        CropFaces(HostPixels(), 300)
