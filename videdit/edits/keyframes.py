"""Strength over time: keyframes as users write them, and the curve through them.

    0@0s, 2@1.5s:ease-out, 0@36f, 1@1:02.5:hold

is a strength, a place (seconds, h:mm:ss or the number of a frame, counted from 0), and how the strength goes from there
to the next keyframe, as in CSS animations. Before the first keyframe and after the last one it stays.
"""

from __future__ import annotations

import itertools
import math
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from videdit.errors import UsageError

EASINGS: dict[str, Callable[[float], float]] = {  # share of the way in time -> share of the way in strength
    "linear": lambda u: u,
    "ease-in": lambda u: u**3,
    "ease-out": lambda u: 1 - (1 - u) ** 3,
    "ease-in-out": lambda u: u * u * (3 - 2 * u),  # smoothstep
    "hold": lambda u: 0.0,
}
_CONTINUED = re.compile(r"\s*[+-]?\.?\d[^=]*@")
_PLACE = re.compile(
    r"(?P<frame>\d+)f|(?P<seconds>\d+(?:\.\d*)?|\.\d+)s?|(?:(?P<h>\d+):)?(?P<m>\d+):(?P<s>\d+(?:\.\d*)?)"
)


@dataclass(frozen=True, slots=True)
class Keyframe:
    """A strength at one moment, and how it goes on from there."""

    strength: float
    place: float  # seconds from the clip's first frame, or the number of a frame
    in_frames: bool = False
    easing: str = "linear"

    def __str__(self) -> str:
        """As users write it, "2@1.5s:ease-out"; numbers have six digits."""
        place = f"{self.place:.0f}f" if self.in_frames else f"{self.place:g}s"
        return f"{self.strength:g}@{place}" + ("" if self.easing == "linear" else f":{self.easing}")


def continues(word: str) -> bool:
    """Whether a word between commas is one more keyframe of the edit before it."""
    return _CONTINUED.match(word) is not None


def parse_keyframe(words: str) -> Keyframe:
    """ "2@1.5s:ease-out" -> Keyframe.

    Raises:
        UsageError: the strength, the place or the easing makes no sense.
    """
    number, _, rest = (part.strip() for part in words.partition("@"))
    place, easing = rest, "linear"
    if match := re.fullmatch(r"(.*?)\s*:\s*([a-z][a-z-]*)", rest):
        place, easing = match[1], match[2]
    try:
        strength = float(number)
    except ValueError:
        raise UsageError(f"the strength {number!r} of the keyframe {words!r} is not a number; write 2@1.5s") from None
    if easing not in EASINGS:
        raise UsageError(f"unknown easing {easing!r} in the keyframe {words!r}; there is: {', '.join(EASINGS)}")
    found = _PLACE.fullmatch(place)
    if found is None:
        raise UsageError(f"{place!r} in the keyframe {words!r} is no time; write 1.5s, 0:01.5 or a frame as 36f")
    if found["frame"]:
        return Keyframe(strength, float(int(found["frame"])), True, easing)
    if found["seconds"]:
        return Keyframe(strength, float(found["seconds"]), False, easing)
    seconds = int(found["h"] or 0) * 3600 + int(found["m"]) * 60 + float(found["s"])
    return Keyframe(strength, seconds, False, easing)


def check_order(name: str, keyframes: Sequence[Keyframe]) -> None:
    """Raise UsageError unless each keyframe comes after the one before; frames and seconds are not compared."""
    for one, other in itertools.pairwise(keyframes):
        if one.in_frames == other.in_frames and not one.place < other.place:
            raise UsageError(f"the keyframe {other} of {name!r} should come after {one}; write them in order of time")
    if any(not math.isfinite(key.place) for key in keyframes):
        raise UsageError(f"a keyframe of {name!r} lies beyond all time")


def in_seconds(name: str, keyframes: Sequence[Keyframe], time_of: Callable[[int], float]) -> tuple[Keyframe, ...]:
    """The keyframes with all their places in seconds; time_of: the number of a frame -> its time.

    Raises:
        UsageError: they are not in order of time.
    """
    placed = tuple(
        replace(key, place=time_of(int(key.place)), in_frames=False) if key.in_frames else key for key in keyframes
    )
    check_order(name, placed)
    return placed


def strength_at(keyframes: Sequence[Keyframe], time: float) -> float:
    """The strength at a time; keyframes are in seconds and in order."""
    after = bisect_right(keyframes, time, key=lambda key: key.place)
    if after == 0:
        return keyframes[0].strength
    last = keyframes[after - 1]
    if after == len(keyframes):
        return last.strength
    following = keyframes[after]
    way = EASINGS[last.easing]((time - last.place) / (following.place - last.place))
    return (1 - way) * last.strength + way * following.strength
