"""Who was edited for how long, and where an edit faded and why, in figures and in words."""

from __future__ import annotations

from videdit.tracks.account import Account, lines, spans


def test_moments_that_belong_together_are_told_as_one():
    assert spans([]) == []
    assert spans([0.04, 0.0, 0.08, 2.0, 2.4, 5.0]) == [(0.0, 0.08), (2.0, 2.4), (5.0, 5.0)]


def test_each_face_has_its_time_and_its_reasons():
    account = Account()
    for i in range(50):
        account.edited(3, i * 0.04)
    for i in range(10, 20):
        account.faded(3, i * 0.04, "turned away")
    account.faded(5, 1.0, "too small")  # who was never edited is told too
    three, five = account.faces(0.04)
    assert three == {
        "face": 3,
        "seconds": 2.0,
        "from": 0.0,
        "to": 2.0,
        "faded": [{"from": 0.4, "to": 0.8, "why": "turned away"}],
    }
    assert five["seconds"] == 0
    assert five["faded"] == [{"from": 1.0, "to": 1.04, "why": "too small"}]
    assert lines([three, five]) == [
        "face 3: edited for 2.00 s, from 0.00 to 2.00 s; faded from 0.40 to 0.80 s (turned away)",
        "face 5: not edited; faded from 1.00 to 1.04 s (too small)",
    ]


def test_numbers_that_are_not_the_clip_s_are_not_told():
    account = Account(numbered=False)
    account.edited(0, 0.0)
    assert lines(account.faces(0.04)) == ["one face: edited for 0.04 s, from 0.00 to 0.04 s"]


def test_a_crowd_and_many_moments_are_cut_short():
    account = Account()
    for track in range(9):
        account.edited(track, 0.0)
    for i in range(6):
        account.faded(0, 2.0 * i, "hidden")
    said = lines(account.faces(0.04))
    assert len(said) == 7
    assert said[-1] == "and 3 more (--report tells of all)"
    assert said[0].endswith(", and 2 times more")
    assert max(map(len, said)) < 200


def test_a_picture_has_no_times():
    account = Account()
    account.edited(0, 0.0)
    account.faded(1, 0.0, "hidden")
    assert lines(account.faces(1.0), still=True) == ["face 0: edited", "face 1: not edited: hidden"]


def test_nothing_is_told_beyond_the_end():
    """Of frames that are far apart the step is only a mean."""
    account = Account()
    for time in (0.0, 3.0, 15.0):
        account.edited(0, time)
    account.faded(0, 15.0, "hidden")
    (told,) = account.faces(5.0, 16.5)
    assert (told["seconds"], told["to"], told["faded"][0]["to"]) == (15.0, 16.5, 16.5)
    (told,) = account.faces(0.04, 14.0)  # a length that is no good
    assert told["to"] == 15.0
