"""Faces come back out of an analysis: the chosen ones, steady on a still head, with all the motion of a moving one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from synthetic import background, with_face, write_clip
from test_people_identity import face

from videdit.datatypes import Color, Face, Frame, Picture
from videdit.faces.detector import FaceDetector
from videdit.geometry.affine import invert, transform
from videdit.geometry.ffhq_align import face_matrix, ffhq_square
from videdit.media.decode.read import VideoReader
from videdit.pipeline.graph import Compose
from videdit.stages.assign_faces import AssignFaces, TablePass
from videdit.stages.detect import Detect
from videdit.stages.record_faces import RecordFaces
from videdit.stages.track_faces import LOOK_AHEAD, TrackFaces
from videdit.tracks.analysis_store import Analysis, Recorder
from videdit.tracks.tracker import Tracker

GREY = Picture((np.zeros((8, 8), np.uint8),) * 3, Color(matrix="rgb", chroma_log2=(0, 0)), "gbrp")
SIZE = 1024  # px, of the crop in which jitter is measured
NOD = 20.0  # px there, from the middle: 40 from top to bottom


def clip(count: int, fps: float = 25, first: int = 0) -> Iterator[Frame]:
    for i in range(first, first + count):
        yield Frame(i - first, i, Fraction(1, 25), i / fps, GREY)


def recorded(folder: Path, faces: list[list[Face]], scenes: list[int] | None = None, fps: float = 25) -> Analysis:
    tracker = Tracker()
    with Recorder(folder) as recorder:
        for i, seen in enumerate(faces):
            scene = scenes[i] if scenes else 0
            names = tracker(seen, [None] * len(seen), i / fps, scene)
            recorder.add(i, i / fps, scene, seen, names, [float(f.points[:, 0].mean()) / 640 for f in seen])
        return recorder.commit(tracker.stretches)


def everyone(analysis: Analysis) -> np.ndarray:
    return np.ones(len(analysis.table.track), bool)


def test_faces_tracks_scenes_and_who_was_chosen(tmp_path: Path) -> None:
    two = [face(400), face(100)]
    analysis = recorded(tmp_path / "a", [two] * 10 + [[]] * 5 + [two] * 10, [0] * 12 + [1] * 13)
    chosen = analysis.table.track == 0
    frames = list(AssignFaces(analysis, chosen)(clip(27)))
    assert [len(frame.faces) for frame in frames] == [2] * 10 + [0] * 5 + [2] * 10 + [0, 0]  # of 26 and 27 nobody knows
    assert [frame.scene for frame in frames] == [0] * 12 + [1] * 15
    assert [(f.track, f.confidence, round(f.points[:, 0].mean())) for f in frames[3].faces] == [
        (1, 0, 400),
        (0, 1, 100),
    ]
    assert {f.track for f in frames[20].faces} == {2, 3}
    later = list(AssignFaces(analysis, chosen)(clip(5, first=18)))  # as where a run goes on
    assert [frame.scene for frame in later] == [0] * 5
    for one, other in zip(frames[18:], later, strict=False):
        for a, b in zip(one.faces, other.faces, strict=True):
            np.testing.assert_array_equal(a.points, b.points)


def test_nothing_is_smoothed_across_a_cut_or_a_gap(tmp_path: Path) -> None:
    places = [[face(200)]] * 20 + [[face(205)]] * 20 + [[]] * 10 + [[face(212)]] * 20
    analysis = recorded(tmp_path / "a", places, [0] * 20 + [1] * 50)
    frames = list(AssignFaces(analysis, everyone(analysis))(clip(70)))
    for i, x in ((19, 200), (20, 205), (39, 205), (50, 212)):
        assert np.abs(frames[i].faces[0].points - face(x).points).max() < 1e-6


def test_a_mesh_is_as_it_was_seen_while_points_are_steadied(tmp_path: Path) -> None:
    shaken = [[face(300 + 0.3 * (-1) ** i)] for i in range(40)]
    analysis = recorded(tmp_path / "a", shaken)
    frames = list(AssignFaces(analysis, everyone(analysis))(clip(40)))
    assert np.ptp([ffhq_square(frame.faces[0].points)[0][0] for frame in frames[10:-10]]) < 0.02
    assert np.ptp([frame.faces[0].mesh[:, 0].mean() for frame in frames[10:-10]]) > 0.55


def test_points_are_as_they_were_found_where_nothing_is_to_be_smoothed(tmp_path: Path) -> None:
    shaken = [[face(300 + 0.3 * (-1) ** i), face(500)] for i in range(20)]
    analysis = recorded(tmp_path / "a", shaken)
    chosen = analysis.table.track == 0
    frames = list(AssignFaces(analysis, chosen, steady=False)(clip(20)))
    for i, frame in enumerate(frames):
        (found,) = frame.faces  # who is not chosen is not there
        np.testing.assert_array_equal(found.points, analysis.table.points[2 * i])


def jitter(points: np.ndarray, mesh: np.ndarray) -> float:
    """By how many pixels, RMS, the points of a still mesh [468, 2] wander in the crops that points [T, 5, 2] cut."""
    there = np.stack([transform(invert(face_matrix(five, SIZE)), mesh) for five in points])  # [T, 468, 2]
    return float(np.sqrt(np.square(there - there.mean(0)).sum(-1).mean()))


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_a_nod_is_kept_that_is_as_small_as_forty_pixels_of_the_crop(tmp_path: Path, fps: int) -> None:
    times = np.arange(3 * fps) / fps
    rng = np.random.default_rng(0)
    square = 2 * float(np.linalg.norm(ffhq_square(face(300).points)[1]))  # px of the frame that the crop shows
    nod = NOD * square / SIZE * np.sin(2 * np.pi * times)
    seen = [face(300, 180 + y) for y in nod]
    noise = 0.0006 * square  # what the mesh shows on grain and compression
    seen = [replace(f, points=f.points + rng.normal(0, noise, (5, 2))) for f in seen]
    analysis = recorded(tmp_path / "a", [[f] for f in seen], fps=fps)
    found = [
        ffhq_square(frame.faces[0].points)[0][1]
        for frame in AssignFaces(analysis, everyone(analysis))(clip(len(nod), fps))
    ]
    inner = slice(fps // 3, -fps // 3)
    waves = np.stack([np.sin(2 * np.pi * times), np.cos(2 * np.pi * times), np.ones_like(times)], 1)[inner]
    (kept, lag, _), *_ = np.linalg.lstsq(waves, np.array(found)[inner] * SIZE / square, rcond=None)
    assert kept > 0.95 * NOD
    assert abs(lag) < 0.02 * NOD


@pytest.mark.parametrize("kind", ["grain", "compressed"])
def test_the_crop_of_a_still_head_stands_still(
    tmp_path: Path, detector: FaceDetector, people: list[np.ndarray], kind: str
) -> None:
    """A still picture with new grain in every frame, as it is or through an encoder, and the real mesh."""
    still = with_face(background(400, 400), people[1], (200.25, 200.25), 340).astype(float)
    count, fps = 48, 24
    grain = [np.random.default_rng(i).normal(0, 4, still.shape) for i in range(count)]
    pictures = [np.clip(np.rint(still + noise), 0, 255).astype(np.uint8) for noise in grain]
    options = {"crf": "1" if kind == "grain" else "23", "preset": "veryfast"}
    path = write_clip(tmp_path / "still.mp4", pictures, fps=fps, sound=False, options=options)
    with VideoReader(path) as reader:
        frames = list(reader)
    with Recorder(tmp_path / "a") as recorder:
        observe = RecordFaces(recorder)
        list(observe(Detect(detector)(iter(frames))))
    analysis = observe.analysis
    assert analysis is not None
    faces = [frame.faces[0] for frame in AssignFaces(analysis, everyone(analysis))(iter(frames))]
    mesh = np.stack([f.mesh for f in faces if f.mesh is not None]).mean(0)
    points = np.stack([f.points for f in faces])
    seconds = [slice(start, start + fps) for start in range(0, count - fps + 1, 6)]
    shown = max(jitter(points[second], mesh) for second in seconds)
    before = max(jitter(analysis.table.points[second], mesh) for second in seconds)
    assert shown < 0.3
    assert shown < before


def lost_now_and_then(folder: Path, fps: float = 25) -> Analysis:
    """Two faces over 90 frames and a cut; both are lost for short and for long."""
    seen = [[face(150 + i), face(450 - i, 200)] for i in range(90)]
    for i in (10, 11, 30, 31, 32, 33, 34, 35, 36, 70):
        seen[i] = seen[i][:1]
    for i in (0, 20, 59, 60, 89):
        seen[i] = seen[i][1:]
    return recorded(folder, seen, [0] * 45 + [1] * 45, fps)


def same_faces(one: Frame, other: Frame) -> None:
    assert (one.pts, one.scene) == (other.pts, other.scene)
    for a, b in zip(one.faces, other.faces, strict=True):
        assert (a.track, a.confidence, a.yaw) == (b.track, b.confidence, b.yaw)
        np.testing.assert_array_equal(a.points, b.points)
        np.testing.assert_array_equal(a.mesh, b.mesh)


@pytest.mark.parametrize("fps", [25, 60])
@pytest.mark.parametrize("first", [0, 17, 45])
def test_a_pass_over_the_table_leaves_frames_as_stages_do_that_hold_them(tmp_path: Path, first: int, fps: int) -> None:
    analysis = lost_now_and_then(tmp_path / "a", fps)
    picture = replace(GREY, planes=(np.zeros((360, 640), np.uint8),) * 3)

    def frames(wanted: int = first) -> Iterator[Frame]:
        return (replace(frame, picture=picture) for frame in clip(90 - wanted, fps, first=wanted))

    def stages() -> Compose:
        return Compose(AssignFaces(analysis, everyone(analysis)), TrackFaces())

    held = list(stages()(frames()))
    passed = list(TablePass(analysis.table, stages())(frames()))
    assert [len(frame.faces) for frame in held].count(2) > 20
    for one, other in zip(held, passed, strict=True):
        same_faces(one, other)
        assert other.picture is picture
    # A run that begins later, in the middle of a shot, and has its first frame named, sees the shot from there.
    late = list(TablePass(analysis.table, stages(), first=first)(frames(first + 20)))
    for one, other in zip(held[20:], late, strict=True):
        same_faces(one, other)


def test_no_picture_waits_for_what_faces_are_compared_with(tmp_path: Path) -> None:
    analysis = lost_now_and_then(tmp_path / "a")
    stages = Compose(AssignFaces(analysis, everyone(analysis)), TrackFaces())
    pulled = 0

    def counted() -> Iterator[Frame]:
        nonlocal pulled
        for frame in clip(90):
            pulled += 1
            yield frame

    for given, _ in enumerate(TablePass(analysis.table, stages)(counted()), 1):
        assert pulled == given
    pulled = 0
    ahead = max(pulled - given for given, _ in enumerate(stages(counted()), 1))
    assert ahead >= LOOK_AHEAD * 25 - 1  # which the same stages hold where they look at frames


def test_faces_after_the_end_of_a_cut_and_in_frames_that_nobody_knows_do_not_count(tmp_path: Path) -> None:
    analysis = lost_now_and_then(tmp_path / "a")

    def stages() -> Compose:
        return Compose(AssignFaces(analysis, everyone(analysis)), TrackFaces())

    held = list(stages()(clip(40)))
    for one, other in zip(held, TablePass(analysis.table, stages(), end=40 / 25)(clip(40)), strict=True):
        same_faces(one, other)
    *known, last = TablePass(analysis.table, stages())(clip(91))  # the file has grown since
    assert len(known) == 90
    assert not last.faces
    assert last.scene == known[-1].scene
