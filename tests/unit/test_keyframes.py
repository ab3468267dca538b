"""Strength over time: what users write, the curve through it, and what the stages are told of it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from videdit.datatypes import LOW, Color, Crop, Expression, Face, Frame, Picture
from videdit.edits import Timeline, cautions, load_direction, parse_edits
from videdit.edits.catalogue import shipped
from videdit.edits.keyframes import EASINGS, Keyframe, check_order, in_seconds, parse_keyframe, strength_at
from videdit.errors import UsageError
from videdit.jobs.render_job import RenderJob
from videdit.rendering.assignments import OwnTimelines
from videdit.stages.select_active import SelectActive

PICTURE = Picture((np.zeros((2, 2), np.uint8),), Color("gray"), "gray")
FACE = Face(np.zeros((5, 2)), 1.0, track=0)

hundredths = st.integers(0, 100_000).map(lambda n: n / 100)
strengths = st.integers(-200, 200).map(lambda n: n / 100)


@st.composite
def curves(draw) -> tuple[Keyframe, ...]:
    """Keyframes in seconds, in order."""
    places = sorted(draw(st.sets(hundredths, min_size=1, max_size=6)))
    return tuple(Keyframe(draw(strengths), place, False, draw(st.sampled_from(sorted(EASINGS)))) for place in places)


def words(keyframes: Sequence[Keyframe]) -> str:
    return ",".join(map(str, keyframes))


def problem(text: str) -> str:
    with pytest.raises(UsageError) as error:
        parse_edits(text)
    assert "\n" not in str(error.value)
    return str(error.value)


@settings(deadline=None, max_examples=30)
@given(st.dictionaries(st.sampled_from(["smile", "age", "beard"]), curves(), min_size=1))
def test_what_is_written_is_read(edits):
    read = parse_edits(",".join(f"{name}={words(curve)}" for name, curve in edits.items()))
    assert {edit.name: edit.keyframes for edit in read} == edits
    assert all(abs(edit.strength) == max(abs(key.strength) for key in edit.keyframes) for edit in read)


@given(curves())
def test_the_curve_meets_its_keyframes_and_stays_beyond_them(curve):
    for key in curve:
        assert strength_at(curve, key.place) == key.strength
    assert strength_at(curve, curve[0].place - 1) == curve[0].strength
    assert strength_at(curve, curve[-1].place + 1e6) == curve[-1].strength


@given(curves(), st.floats(0, 1, exclude_max=True))
def test_between_two_keyframes_the_curve_stays_between_their_strengths(curve, part):
    for one, other in itertools.pairwise(curve):
        time = one.place + part * (other.place - one.place)
        assume(time < other.place)
        low, high = sorted((one.strength, other.strength))
        assert low - 1e-9 <= strength_at(curve, time) <= high + 1e-9
        if one.easing == "hold":
            assert strength_at(curve, time) == one.strength


@given(curves())
def test_the_curve_is_continuous_but_where_it_was_held(curve):
    for one, other in itertools.pairwise(curve):
        if one.easing != "hold":
            assert strength_at(curve, other.place - 1e-7) == pytest.approx(other.strength, abs=1e-3)


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from(sorted(EASINGS)))
def test_easings_go_one_way_only(a, b, name):
    low, high = sorted((EASINGS[name](a), EASINGS[name](b)))
    assert (EASINGS[name](min(a, b)), EASINGS[name](max(a, b))) == (low, high)


def test_easings_are_what_their_names_say():
    quarter = {name: ease(0.25) for name, ease in EASINGS.items()}
    assert quarter["hold"] == 0 < quarter["ease-in"] < quarter["ease-in-out"] < quarter["linear"] == 0.25
    assert quarter["ease-out"] > 0.25
    assert all(ease(0) == 0 for ease in EASINGS.values())
    assert all(ease(1) == 1 for name, ease in EASINGS.items() if name != "hold")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("2@1.5s", Keyframe(2, 1.5)),
        ("2@1.5", Keyframe(2, 1.5)),
        (" -.5 @ .5s ", Keyframe(-0.5, 0.5)),
        ("0@36f", Keyframe(0, 36, True)),
        ("1@0:01:15.5:hold", Keyframe(1, 75.5, False, "hold")),
        ("1@1:15", Keyframe(1, 75)),
        ("1@36f:ease-in-out", Keyframe(1, 36, True, "ease-in-out")),
    ],
)
def test_a_place_may_be_said_in_seconds_frames_or_as_on_a_clock(text, key):
    assert parse_keyframe(text) == key


def test_mistakes_are_told_with_a_remedy():
    assert "ease-in-out" in problem("smile=0@0s:bounce,1@2s")
    assert "no time" in problem("smile=0@soon")
    assert "no time" in problem("smile=0@")
    assert "no time" in problem("smile=0@1.5f")
    assert "not a number" in problem("smile=much@0s")
    assert "out of range" in problem("smile=0@0s,900@1s")
    assert "out of range" in problem("smile=nan@0s")
    assert "in order" in problem("smile=0@2s,1@1s")
    assert "in order" in problem("smile=0@1s,1@1s")
    assert "belongs to no edit" in problem("smile,2@1s")
    assert "belongs to no edit" in problem("2@1s")
    assert "twice" in problem("smile=0@0s,1@1s,smile")
    assert "smile=4" in " ".join(cautions(parse_edits("smile=0@0s,4@1s,1@2s")))


def test_frames_become_times_of_this_very_clip():
    times = [0.0, 0.04, 0.5, 0.52]  # of a clip whose frames come unevenly
    keys = [parse_keyframe("0@0s"), parse_keyframe("2@2f"), parse_keyframe("1@0.51s")]
    assert [key.place for key in in_seconds("smile", keys, times.__getitem__)] == [0.0, 0.5, 0.51]
    with pytest.raises(UsageError, match="in order"):
        in_seconds("smile", [parse_keyframe("0@0.45s"), parse_keyframe("1@1f")], times.__getitem__)
    check_order("smile", [parse_keyframe("0@10s"), parse_keyframe("1@1f")])  # who knows, before the clip is seen


@settings(deadline=None, max_examples=30)
@given(curves(), curves(), st.lists(hundredths, min_size=1, max_size=5))
def test_a_timeline_adds_up_what_each_edit_gives_at_a_time(one, other, times):
    timeline = Timeline(parse_edits(f"smile={words(one)},yaw={words(other)},beard=0.5"))
    for time in times:
        wanted = (
            strength_at(one, time) * load_direction("smile")
            + strength_at(other, time) * load_direction("yaw")
            + 0.5 * load_direction("beard")
        )
        np.testing.assert_allclose(timeline(0, time), wanted, atol=1e-4)
        assert timeline.similarity(0, timeline.given(0, time), timeline.given(0, time)) == 1
        assert 0 <= timeline.gain(0, time) <= 1 + 1e-9
        assert timeline.active(0, time), "the beard is"


@settings(deadline=None, max_examples=30)
@given(curves(), hundredths)
def test_the_level_of_one_edit_is_its_strength(curve, time):
    timeline = Timeline(parse_edits(f"smile={words(curve)}"))
    peak = max(abs(key.strength) for key in curve)
    assume(peak > 0)
    assert timeline.gain(0, time) == pytest.approx(abs(strength_at(curve, time)) / peak, abs=1e-9)
    assert timeline.active(0, time) == (strength_at(curve, time) != 0)


def test_edits_that_grow_as_one_are_told_from_those_that_do_not():
    assert Timeline(parse_edits("smile=0@0s,1@2s,age=0@0s,-2@2s")).gain(0, 1) == pytest.approx(0.5)
    assert Timeline(parse_edits("smile=0@0s,1@2s,age=0@0s:ease-in-out,-2@2s")).gain(0, 1) == 1
    assert Timeline(parse_edits("smile=0@0s,1@2s,age=1")).gain(0, 1) == 1
    assert Timeline(parse_edits("smile=0")).gain(0, 1) == 1


def test_constant_strengths_are_nothing_new():
    timeline = Timeline(parse_edits("smile=1.5,age=0"))
    assert timeline.similarity(0, timeline.given(0, 0.0), timeline.given(0, 9.0)) == 1
    assert (timeline.gain(0, 3.0), timeline.varies) == (1.0, False)


def test_a_job_file_may_list_keyframes():
    job = yaml.safe_load("""
        input: a.mp4
        edit:
          smile:
            - {strength: 0, at: 0s}
            - {strength: 2, at: 36f, easing: ease-out}
            - 0@4s
          age: 0@0s,1@0:01:00
          beard: 1
    """)
    assert RenderJob(**job).edit == "smile=0@0s,2@36f:ease-out,0@4s,age=0@0s,1@0:01:00,beard=1"


@pytest.mark.parametrize("keyframes", [[], [{"strength": 1}], [{"strength": 1, "at": 0, "ease": "in"}], [1]])
def test_keyframes_of_a_job_file_that_make_no_sense_are_refused(keyframes):
    with pytest.raises(ValueError, match=r"keyframe|strength"):
        RenderJob.model_validate({"input": "a.mp4", "edit": {"smile": keyframes}})


@pytest.mark.parametrize(
    ("said", "scenes"), [("1", (1,)), (2, (2,)), ("1,3", (1, 3)), ("2-4, 7", (2, 3, 4, 7)), ([3, "1-2"], (1, 2, 3))]
)
def test_scenes_are_numbers_and_spans(said, scenes):
    assert RenderJob(input="a.mp4", edit="smile", scenes=said).scenes == scenes


@pytest.mark.parametrize("said", ["0", "3-1", "a", "", "-1", "1-999999999", [0]])
def test_scenes_that_cannot_be_are_refused(said):
    with pytest.raises(ValueError, match="is not a scene"):
        RenderJob(input="a.mp4", edit="smile", scenes=said)


def clip(scenes: Sequence[int]) -> list[Frame]:
    """One frame a second with a face."""
    return [Frame(i, i, Fraction(1), float(i), PICTURE, scene, faces=(FACE,)) for i, scene in enumerate(scenes)]


def edited(schedule: SelectActive, frames: list[Frame]) -> list[int]:
    return [frame.index for frame in schedule(iter(frames)) if frame.faces]


def test_faces_are_left_out_where_nothing_is_asked_of_them():
    ramp = Timeline(parse_edits("smile=0@1s,2@2s:hold,0@4s"))
    assert edited(SelectActive(ramp), clip([0] * 7)) == [2, 3]
    assert edited(SelectActive(ramp, at_rest=True), clip([0] * 3)) == [0, 1, 2], "restored all the same"
    assert edited(SelectActive(Timeline(parse_edits("smile=0"))), clip([0] * 2)) == [0, 1], "as it always was"
    chosen = SelectActive(Timeline(parse_edits("smile")), scenes=(1, 3, 5))
    assert edited(chosen, clip([0, 0, 1, 1, 2])) == [0, 1, 4]
    assert chosen.passed == 2
    (said,) = chosen.words()
    assert "no scene 5" in said
    assert "3 at 4.00 s" in said
    assert edited(SelectActive(Timeline(parse_edits("smile")), (3,), first_scene=1), clip([0, 1, 1, 2])) == [1, 2]


def test_a_debug_video_says_what_each_face_gets():
    usual, own = Timeline(parse_edits("smile=0@0s,1@2s")), Timeline(parse_edits("age=-1,beard=0.5"))
    both = OwnTimelines(usual, {1: own})
    assert both.words(0, 1.0) == "smile 0.50"
    assert both.words(1, 1.0) == "age -1.00, beard 0.50"


def test_how_strong_the_strongest_edit_of_a_moment_is() -> None:
    crop = Crop(0, np.zeros((LOW, LOW, 3), np.uint8), np.eye(2, 3), 1.0)
    recommended = shipped()["smile"].recommended
    weak, strong = (Timeline(parse_edits(words)) for words in ("smile=0.55", "smile=0@0s,0.55@2s,age=-15"))
    assert weak.strongest(crop, 0) == pytest.approx(0.55 / recommended)
    assert weak.strongest(replace(crop, confidence=0.5), 0) == pytest.approx(0.275 / recommended)
    assert weak.strongest(replace(crop, expression=Expression(spread=0.0)), 0) == 0, "lips are pursed"
    assert strong.strongest(crop, 0) == 1, "of age there is more than is recommended"
    assert OwnTimelines(weak, {0: strong}).strongest(crop, 0) == 1
