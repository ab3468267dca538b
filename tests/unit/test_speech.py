"""Edits are reduced with mouths that speak and sing."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videdit.datatypes import Color, Crop, Expression, Frame, Picture
from videdit.edits import Timeline, load_direction, parse_edits
from videdit.edits.expression_easing import (
    GAPING,
    LEFT,
    STILL,
    TORN,
    WIDE,
    Speech,
    lids_open,
    lips_spread,
    openness,
    parse_speech,
    smiling,
    steadied,
)
from videdit.edits.parse import find
from videdit.imaging.host import HostPixels
from videdit.stages.choose_passes import ChoosePasses
from videdit.tracks.account import Account

SPEECH = Speech(eases=0.25, opens=6.0)


def mesh(gap: float, eyes: float = 100.0) -> np.ndarray:
    points = np.zeros((468, 2))
    points[263, 0], points[14, 1] = eyes, gap
    return points


@given(st.floats(-5, 5), st.floats(0, STILL))
def test_a_mouth_at_rest_gets_the_whole_edit(strength, closed):
    assert SPEECH(strength, closed) == (strength, 0.0)


@given(st.floats(0.01, 5), st.floats(STILL, 1), st.floats(STILL, 1))
def test_the_wider_a_mouth_the_more_it_is_let_open(strength, one, other):
    less, more = (SPEECH(strength, x) for x in sorted((one, other)))
    assert strength >= less[0] >= more[0] >= strength * (1 - SPEECH.eases) * (1 - 1e-12)
    assert 0 <= less[1] <= more[1]


def test_nothing_jumps_and_minus_strengths_stay():
    assert SPEECH(2.0, STILL + 1e-9) == pytest.approx((2.0, 0.0), abs=1e-6)
    assert SPEECH(2.0, WIDE) == pytest.approx((1.5, 12 * (WIDE - STILL)))
    assert SPEECH(2.0, 0.9)[0] == pytest.approx(1.5)
    assert SPEECH(-2.0, 0.9) == (-2.0, 0.0)


def test_openness_is_measured_on_the_mesh():
    assert openness(mesh(20)) == pytest.approx(0.2) == openness(mesh(40, 200))
    assert openness(None) == openness(np.zeros((4, 2))) == openness(mesh(20, 0)) == 0.0
    assert parse_speech(None) is None
    assert parse_speech({"eases": 0, "opens": 1}) == Speech(0.0, 1.0)


def test_a_smile_leaves_a_singing_mouth_open():
    """Where several edits are at work, all others stay what they are."""
    timeline = Timeline(parse_edits("smile=1.5,age=1"))
    smile, age, opener = (load_direction(name) for name in ("smile", "age", "mouth_open"))
    age = age * find("age").scale[1]
    at_rest = timeline(0, 0.0)
    assert np.array_equal(at_rest, timeline(0, 0.0, face=Expression(gap=STILL)))
    assert at_rest == pytest.approx(1.5 * smile + age, abs=1e-5)
    added = timeline(0, 0.0, face=Expression(gap=TORN[0])) - age
    part, opened = np.linalg.lstsq(np.stack((smile.ravel(), opener.ravel()), 1), added.ravel(), rcond=None)[0]
    assert 0 < part < 1.5
    assert opened > 1
    assert added == pytest.approx(part * smile + opened * opener, abs=1e-4)
    alone = Timeline(parse_edits("age=1"))
    assert np.array_equal(alone(0, 0.0), alone(0, 0.0, face=Expression(gap=0.5)))


def lips(width: float, height: float, gap: float) -> np.ndarray:
    """A mesh whose lips are so wide and, with the gap between them, so high."""
    points = np.zeros((468, 2))
    points[291, 0] = width
    points[17, 1], points[14, 1] = height, gap
    return points


def test_a_smile_is_reduced_for_pursed_lips_and_says_so():
    """A kiss or a whistle is hardly known to the generator; a mouth that is wide open or small is no kiss."""
    assert lips_spread(None) == lips_spread(np.zeros((4, 2))) == lips_spread(lips(50, 0, 0)) == 1.0
    assert lips_spread(lips(52, 20, 0)) == lips_spread(lips(52, 60, 40)) == 1.0
    assert lips_spread(lips(44, 20, 0)) == lips_spread(lips(44, 40, 20)) == 0.0
    assert 0 < lips_spread(lips(48, 20, 0)) < 1
    timeline = Timeline(parse_edits("smile,age=5"))
    age = 5 * find("age").scale[1] * load_direction("age")
    assert timeline(0, 0.0, face=Expression(spread=0.0)) == pytest.approx(age, abs=1e-5)
    assert timeline(0, 0.0, face=Expression(spread=0.5)) - age == pytest.approx((timeline(0, 0.0) - age) / 2, abs=1e-4)
    kiss, rest = (Crop(0, np.zeros((4, 4, 3), np.uint8), np.eye(2, 3), 1.0, lips(w, 20, 0)) for w in (44, 60))
    assert timeline.reductions(kiss, 0.0) == ["smile is reduced for pursed lips"]
    assert timeline.reductions(rest, 0.0) == Timeline(parse_edits("age=5")).reductions(kiss, 0.0) == []
    passes = ChoosePasses(HostPixels("cpu", "fp32"), timeline, account=(account := Account()))
    still = Frame(0, 0, Fraction(1, 25), 0.0, Picture((np.zeros((8, 8), np.uint8),), Color(matrix="gray"), "gray"))
    list(passes(iter([replace(still, crops=(replace(kiss, image=np.zeros((256, 256, 3), np.uint8)),))])))
    assert account.faces(0.04)[0]["faded"] == [{"from": 0.0, "to": 0.04, "why": "smile is reduced for pursed lips"}]


def test_a_smile_is_reduced_for_one_that_is_there():
    """More of it would be a grimace; a sterner face is another matter. Turned by any angle it is the same smile."""
    at_rest, there = np.zeros((468, 2)), np.zeros((468, 2))
    for points, lift in ((at_rest, 0.0), (there, 9.0)):
        points[[33, 263]] = ((0, 0), (100, 0))
        points[[61, 291]], points[[13, 14]] = ((20, 100 - lift), (80, 100 - lift)), ((50, 95), (50, 105))
        points[[0, 17]] = ((50, 90), (50, 110))
    turned = there @ np.array(((0.6, 0.8), (-0.8, 0.6)))
    assert smiling(None) == smiling(np.zeros((4, 2))) == smiling(np.zeros((468, 2))) == smiling(at_rest) == 0.0
    assert smiling(there) == pytest.approx(1.0) == smiling(turned)
    timeline = Timeline(parse_edits("smile"))
    grin = Expression(smiling=1.0)
    assert timeline.given(0, 0.0, grin) == pytest.approx(LEFT * timeline.given(0, 0.0))
    half = Expression(smiling=0.5)
    assert timeline.given(0, 0.0, half) == pytest.approx((1 + LEFT) / 2 * timeline.given(0, 0.0))
    stern = Timeline(parse_edits("smile=-1"))
    assert np.array_equal(stern.given(0, 0.0, grin), stern.given(0, 0.0))
    crop = Crop(0, np.zeros((4, 4, 3), np.uint8), np.eye(2, 3), 1.0, there)
    assert timeline.reductions(crop, 0.0) == ["smile is reduced for a smile that is there"]
    assert timeline.similarity(0, timeline.given(0, 0.0), timeline.given(0, 0.0, grin)) < 0.1, (
        "nor is it averaged with it"
    )


def test_what_is_beyond_a_usual_smile_is_reduced_for_a_mouth_that_is_wide_open():
    """There the generator would draw a grin around the mouth, with pale corners; the recommended smile holds."""
    usual, speech = find("smile").recommended, find("smile").speech
    narrow, half, wide, wider = GAPING[0], sum(GAPING) / 2, GAPING[1], TORN[0]
    timeline = Timeline(parse_edits("smile=2,age=5"))
    for gap, strength in ((narrow, 2), (half, (2 + usual) / 2), (wide, usual), (wider, usual)):
        assert timeline.given(0, 0.0, Expression(gap)) == pytest.approx((speech(strength, gap)[0], 5))
    there = Expression(wider, smiling=1.0)  # as what else there is reduces the usual one
    assert timeline.given(0, 0.0, there) == pytest.approx((speech(usual * LEFT, wider)[0], 5))
    for words in ("smile=1", "smile", "smile=0.3", "smile=-1.5"):
        (edit,) = parse_edits(words)
        without = Timeline([replace(edit, info=replace(edit.info, gapes=False))])
        assert np.array_equal(Timeline([edit])(0, 0.0, face=Expression(wider)), without(0, 0.0, face=Expression(wider)))


def test_that_it_does_so_is_told():
    def told(words: str, gap: float) -> list[str]:
        points = mesh(50 * gap)
        points[13] = -points[14]
        crop = Crop(0, np.zeros((4, 4, 3), np.uint8), np.eye(2, 3), 1.0, points)
        return Timeline(parse_edits(words)).reductions(crop, 0.0)

    less = ["smile is reduced for a wide open mouth"]
    assert told("smile=1.5", 0.4) == told("smile=1.5", GAPING[1]) == told("smile", 0.4) == less
    assert told("smile=1.5", GAPING[0]) == told("smile", TORN[0]) == told("smile=-1.5", 0.4) == told("age=5", 0.4) == []


def test_no_smile_is_drawn_around_a_mouth_that_is_open_wider_than_smiles_are():
    timeline, speech = Timeline(parse_edits("smile=1,age=5")), find("smile").speech
    half = (TORN[0] + TORN[1]) / 2
    assert timeline.given(0, 0.0, Expression(half)) == pytest.approx((speech(0.5, half)[0], 5))
    assert timeline.given(0, 0.0, Expression(TORN[1])) == pytest.approx((0, 5))
    stern = Timeline(parse_edits("smile=-1"))
    assert np.array_equal(stern.given(0, 0.0, Expression(TORN[1])), stern.given(0, 0.0))


def eyes(left: float, right: float) -> np.ndarray:
    """A mesh whose eyes are 30 px wide and open by so many."""
    points = np.zeros((468, 2))
    for (corner, other, upper, lower), gap in (((33, 133, 159, 145), left), ((263, 362, 386, 374), right)):
        points[other, 0] = points[corner, 0] + 30
        points[upper, 1], points[lower, 1] = -gap / 2, gap / 2
    return points


def test_what_opens_eyes_is_reduced_for_lids_that_close():
    """Both blinks and winks: no eye is painted over a closed lid."""
    assert lids_open(None) == lids_open(np.zeros((4, 2))) == 1.0
    assert lids_open(eyes(10, 10)) == 1.0
    assert lids_open(eyes(6, 6)) == lids_open(eyes(10, 1)) == 0.0
    assert 0 < lids_open(eyes(8, 8)) < 1
    timeline = Timeline(parse_edits("eyes_open=1,age=5"))
    age = 5 * find("age").scale[1] * load_direction("age")
    assert timeline(0, 0.0, face=Expression(lids=0.0)) == pytest.approx(age, abs=1e-5)
    assert timeline(0, 0.0) == pytest.approx(age + load_direction("eyes_open"), abs=1e-5)


@pytest.mark.parametrize("fps", [24, 30, 50, 60])
@pytest.mark.parametrize("what", ["lids", "spread"])
def test_an_edit_fades_around_a_blink_and_a_kiss_at_any_rate(fps: int, what: str) -> None:
    """Shut from .5 to .6 s: the edit is out of the way there and a little longer, and back soon, without a jump."""
    times = np.arange(round(1.1 * fps) + 1) / fps
    shut = (times > 0.5 - 1e-6) & (times < 0.6 + 1e-6)
    seen = [Expression(gap=0.1 * i, **{what: 0.0 if there else 1.0}) for i, there in enumerate(shut)]
    shares = []
    for i, time in enumerate(times):
        near = np.flatnonzero(np.abs(times - time) <= 0.25 + 1e-9)
        does = steadied(times[near] - time, [seen[j] for j in near], int(np.flatnonzero(near == i)[0]))
        shares.append(getattr(does, what))
        assert does.gap == seen[i].gap  # the opening of a mouth is the moment's own
    found = np.array(shares)
    assert found[shut].max() < 0.15
    assert found[(times < 0.2) | (times > 0.9)].min() > 0.99
    assert np.abs(np.diff(found)).max() < 9 / fps
    alone = steadied(np.zeros(1), [Expression(lids=0.5, spread=0.25)], 0)
    assert (alone.lids, alone.spread) == (0.5, 0.25)


def test_one_moment_that_is_misread_as_a_smile_hardly_counts() -> None:
    times = np.arange(-7, 8) / 30
    seen = [Expression(smiling=float(i == 7)) for i in range(15)]
    assert steadied(times, seen, 7).smiling < 0.25
    assert steadied(times, [Expression(smiling=0.5)] * 15, 7).smiling == pytest.approx(0.5)
