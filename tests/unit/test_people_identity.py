"""Who is who: faces made of numbers, then people in pictures with an occluder, a crossing and a cut."""

from __future__ import annotations

import numpy as np
import pytest
from crowd import Moment, covering, crossing, frames
from hypothesis import given, settings
from hypothesis import strategies as st

from videdit.datatypes import Face
from videdit.faces.detector import FaceDetector
from videdit.geometry.ffhq_align import ffhq_square
from videdit.stages.detect import Detect
from videdit.stages.record_faces import RecordFaces
from videdit.tracks.analysis_store import Analysis, Recorder
from videdit.tracks.appearance import appearance_embedding, mean_look
from videdit.tracks.track_table import TrackTable, numbered
from videdit.tracks.tracker import APART, REMEMBER, Tracker, link_tracklets


def face(x: float, y: float = 180, size: float = 100) -> Face:
    mesh = np.random.default_rng(0).uniform(-0.5, 0.5, (468, 2))
    mesh[0], mesh[1] = -0.5, 0.5
    points = np.array([(-0.2, -0.15), (0.2, -0.15), (0, 0.05), (-0.15, 0.25), (0.15, 0.25)])
    return Face(points * size + (x, y), 0.99, mesh=mesh * size + (x, y))


def person(number: int) -> np.ndarray:
    """A made-up look, unlike all others."""
    look = np.random.default_rng(number).normal(size=192)
    return look / np.linalg.norm(look)


def people(tracker: Tracker, names: list[list[int]]) -> list[list[int]]:
    who = link_tracklets(tracker.stretches)
    return [[who[name] for name in frame] for frame in names]


def test_a_face_keeps_its_name_while_it_is_followed() -> None:
    tracker = Tracker()
    names = [tracker([face(100 + 12 * i)], [person(0)], i / 25, 0) for i in range(30)]
    assert names == [[0]] * 30


def test_a_scene_and_a_leap_in_size_begin_a_new_name() -> None:
    tracker = Tracker()
    assert tracker([face(300)], [None], 0.0, 0) == [0]
    assert tracker([face(300, size=30)], [None], 0.04, 0) == [1]
    assert tracker([face(300, size=30)], [None], 0.08, 1) == [2]


def test_looks_decide_where_places_do_not() -> None:
    tracker = Tracker()
    tracker([face(300), face(330)], [person(0), person(1)], 0.0, 0)
    assert tracker([face(330), face(300)], [person(0), person(1)], 0.04, 0) == [0, 1]


def test_a_face_that_comes_back_is_the_same_person() -> None:
    tracker, names = Tracker(), []
    for i in range(100):
        seen = [] if 30 <= i < 70 else [face(300 + (40 if i >= 70 else 0))]
        names.append(tracker(seen, [person(0)] * len(seen), i / 25, 0))
    assert len(tracker.stretches) == 2
    assert {name for frame in people(tracker, names) for name in frame} == {0}


@pytest.mark.parametrize("after", [person(1), None])
def test_another_in_the_same_place_is_somebody_else(after: np.ndarray | None) -> None:
    tracker = Tracker()
    for i in range(20):
        tracker([face(300)], [person(0)], i / 25, 0)
    for i in range(40, 60):
        tracker([face(300)], [after], i / 25, 0)
    assert link_tracklets(tracker.stretches) == [0, 1]


def test_nobody_is_known_after_a_cut_or_very_long() -> None:
    tracker = Tracker()
    for start, scene in ((0.0, 0), (1.0, 1), (2.0 + APART, 1)):
        for i in range(5):
            tracker([face(300)], [person(0)], start + i / 25, scene)
        for i in range(5, int(25 * (1 + APART)) if start == 1.0 else 0):  # a pause without frames is another matter
            tracker([], [], start + i / 25, scene)
    assert link_tracklets(tracker.stretches) == [0, 1, 2]


def test_each_comes_back_as_themselves() -> None:
    # Both go behind the same tree and come out in the other order.
    tracker = Tracker()
    for i in range(20):
        tracker([face(100 + 5 * i), face(500 - 5 * i)], [person(0), person(1)], i / 25, 0)
    for i in range(40, 60):
        tracker([face(500 - 5 * i), face(100 + 5 * i)], [person(1), person(0)], i / 25, 0)
    assert link_tracklets(tracker.stretches) == [0, 1, 1, 0]


@given(st.lists(st.lists(st.integers(0, 3), max_size=4, unique=True), max_size=40), st.floats(0.01, 0.3))
@settings(max_examples=50, deadline=None)
def test_names_are_unique_in_a_frame_and_people_too(seen: list[list[int]], step: float) -> None:
    tracker = Tracker()
    names = [
        tracker([face(150 * who) for who in frame], [person(who) for who in frame], i * step, i // 20)
        for i, frame in enumerate(seen)
    ]
    for frame, same in zip(names, people(tracker, names), strict=True):
        assert len(set(frame)) == len(frame)
        assert len(set(same)) == len(same)
    for a, b in zip(tracker.stretches, link_tracklets(tracker.stretches), strict=True):
        assert tracker.stretches[b].scene == a.scene


def test_a_stretch_has_no_long_hole() -> None:
    tracker = Tracker()
    assert tracker([face(300)], [person(0)], 0.0, 0) == [0]
    assert tracker([face(300)], [person(0)], REMEMBER, 0) == [0]
    assert tracker([face(300)], [person(0)], 2 * REMEMBER + 0.01, 0) == [1]


@pytest.mark.parametrize("step", [0.04, 1.0, 20.0, 3600.0])
def test_frames_may_be_far_apart(step: float) -> None:
    tracker, names = Tracker(), []
    for i in range(12):
        here = [face(100 + 9 * i), *([face(400)] if i < 8 else [])]
        names.append(tracker(here, [person(0), person(1)][: len(here)], step * i, 0))
    assert people(tracker, names) == [[0, 1]] * 8 + [[0]] * 4


@pytest.mark.parametrize("pause", [0.6, 5.0, 12.0, 3600.0])
def test_who_is_there_before_and_after_a_pause_is_one_person(pause: float) -> None:
    """Screen recorders write no frames while nothing moves; nobody is seen to go meanwhile, but others may come."""
    tracker, names = Tracker(), []
    for i in range(12):
        here = [face(100 + 9 * i), face(400)]
        looks = [person(0), person(1) if i < 6 else person(2)]
        names.append(tracker(here, looks, i / 30 + (pause if i >= 6 else 0.0), 0))
    found = people(tracker, names)
    assert found[:6] == [[0, 1]] * 6
    assert all(first == 0 and other not in (0, 1) for first, other in found[6:])


def test_who_is_in_one_frame_of_a_timelapse_was_there() -> None:
    def seen(step: float) -> list[int]:
        times = step * np.arange(8)
        frame, track = np.array([0, 1, 2, 3, 4, 5, 6, 7, 5], np.int32), np.array([0] * 8 + [1], np.int32)
        zeros = np.zeros(9, np.float32)
        order = np.argsort(frame, kind="stable")
        found = TrackTable(
            np.arange(8), times, np.zeros(8, np.int32), frame[order], track[order], zeros, zeros, zeros,
            np.zeros((9, 5, 2)),
        )  # fmt: skip
        return numbered(found).tracks

    assert seen(20.0) == [0, 1]
    assert seen(0.04) == [0]


def test_two_people_look_unlike_and_one_like_himself(people: list[np.ndarray]) -> None:
    rng = np.random.default_rng(0)

    def looks(face: np.ndarray) -> list[np.ndarray]:
        moved = [np.roll(face, shift, axis=1) + rng.normal(0, 8, face.shape) for shift in range(-6, 7, 3)]
        return [appearance_embedding(np.clip(picture, 0, 255).astype(np.uint8)) for picture in moved]

    first, second = looks(people[0]), looks(people[1])
    same = [float(a @ b) for own in (first, second) for i, a in enumerate(own) for b in own[:i]]
    assert min(same) > 0.75 > 0.5 > max(float(a @ b) for a in first for b in second)
    assert np.linalg.norm(mean_look(np.stack(first))) == pytest.approx(1, abs=1e-5)


@pytest.fixture(scope="module")
def watched(detector: FaceDetector, people: list[np.ndarray], tmp_path_factory) -> tuple[list[Moment], Analysis]:
    moments = crossing() + covering()
    with Recorder(tmp_path_factory.mktemp("crowd") / "analysis") as recorder:
        observe = RecordFaces(recorder)
        assert len(list(observe(Detect(detector)(frames(moments, people))))) == len(moments)
    assert observe.analysis is not None
    return moments, observe.analysis


def test_two_who_cross_a_hand_and_a_cut(watched: tuple[list[Moment], Analysis]) -> None:
    """Ground truth: no switch of identity, no track across the cut, the same one after the hand has gone."""
    moments, analysis = watched
    truth: dict[int, set[tuple[int, int]]] = {}
    for row, moment in enumerate(moments):
        assert analysis.table.scene[row] == moment.shot
        found = [(face.track, ffhq_square(face.points)[0]) for face in analysis.faces(row)]
        for person in moment.people:
            here = [track for track, centre in found if np.linalg.norm(centre - person.centre) < 12]
            if not person.hidden:
                assert len(here) == 1 or row in recovering(moments, person.name)
                for track in here:
                    truth.setdefault(track, set()).add((moment.shot, person.name))
    assert sorted(truth) == [0, 1, 2, 3]  # and nobody else
    assert sorted(next(iter(names)) for names in truth.values()) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert all(len(names) == 1 for names in truth.values())
    for track, names in truth.items():  # each is there to the end of the shot, after what hid it
        ((shot, _),) = names
        rows = analysis.table.frame[analysis.table.track == track]
        ends = [row for row, moment in enumerate(moments) if moment.shot == shot]
        assert rows[0] == ends[0]
        assert rows[-1] == ends[-1]


def recovering(moments: list[Moment], name: int) -> set[int]:
    """Frames about those in which somebody cannot be seen: a lost face is searched for in every fifth."""
    hidden = [row for row, moment in enumerate(moments) for p in moment.people if p.name == name and p.hidden]
    return {row + i for row in hidden for i in range(-3, 8)}
