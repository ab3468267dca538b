"""What a render has done to whom, for people: who was edited for how long, and where an edit faded, and why."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

GAP = 0.5  # seconds between two moments that are told as one
_FACES, _SPANS = 6, 4  # that a summary names; a report names all


class Account:
    """Filled while frames pass, by several stages in their own threads; each has keys of its own."""

    def __init__(self, numbered: bool = True, subject: str = "face") -> None:
        """numbered: faces have the numbers that `videdit faces` tells. subject: what is edited, if not faces."""
        self.numbered, self.subject = numbered, subject
        self._edited: dict[int, list[float]] = {}
        self._faded: dict[tuple[int, str], list[float]] = {}

    def edited(self, track: int, time: float) -> None:
        """A face got its edit, more or less of it."""
        self._edited.setdefault(track, []).append(time)

    def faded(self, track: int, time: float, reason: str) -> None:
        """A face that was to get it got less than half (or only what is usual), for a reason: "turned away"."""
        self._faded.setdefault((track, reason), []).append(time)

    def faces(self, step: float, length: float = math.inf) -> list[dict[str, Any]]:
        """By track, plain values; times and lengths in seconds.

        step: from one frame to the next. length: of the clip, which nothing that is told goes beyond.
        """

        def ending(last: float) -> float:
            return min(last + step, max(last, length))

        reasons: dict[int, list[dict[str, Any]]] = {}
        for (track, reason), times in self._faded.items():
            told = ({"from": first, "to": ending(last), "why": reason} for first, last in spans(times))
            reasons.setdefault(track, []).extend(told)
        return [
            {
                self.subject: track if self.numbered else None,
                "seconds": _rounded(len(times) * step),
                "from": _rounded(min(times, default=0.0)),
                "to": _rounded(ending(max(times, default=-step))),
                "faded": [
                    span | {"from": _rounded(span["from"]), "to": _rounded(span["to"])}
                    for span in sorted(reasons.get(track, []), key=lambda span: span["from"])
                ],
            }
            for track in sorted(self._edited.keys() | reasons.keys())
            for times in [self._edited.get(track, [])]
        ]


def spans(times: Iterable[float], gap: float = GAP) -> list[tuple[float, float]]:
    """Moments in any order -> (first, last) of those that belong together: at most `gap` seconds apart."""
    found: list[tuple[float, float]] = []
    for time in sorted(times):
        if found and time - found[-1][1] <= gap:
            found[-1] = found[-1][0], time
        else:
            found.append((time, time))
    return found


def unclear_lines(unclear: Iterable[tuple[float, float]], still: bool = False) -> list[str]:
    """What to say of faces that are left out, for which way up they are cannot be told; when, in seconds."""
    times = list(unclear)
    why = "left as it is, for which way up it is cannot be told"
    if still or not times:
        return [f"a face is {why}"] if times else []
    when = [f"at {first:.2f} s" if first == last else f"{first:.2f} to {last:.2f} s" for first, last in times]
    more = f", and {len(when) - _SPANS} times more" if len(when) > _SPANS else ""
    return [f"a face is {why}: {', '.join(when[:_SPANS])}{more}"]


def lines(faces: Iterable[dict[str, Any]], still: bool = False) -> list[str]:
    """What :meth:`Account.faces` says, in words. still: of a picture, which has no times."""
    everyone = list(faces)
    said = []
    for face in everyone[:_FACES]:
        subject = next(iter(face))
        who = f"one {subject}" if face[subject] is None else f"{subject} {face[subject]}"
        if still:
            why = f"not edited: {face['faded'][0]['why']}" if face["faded"] and not face["seconds"] else "edited"
            said.append(f"{who}: {why}")
            continue
        edited = f"edited for {face['seconds']:.2f} s, from {face['from']:.2f} to {face['to']:.2f} s"
        said.append(f"{who}: {edited if face['seconds'] else 'not edited'}")
        faded = [f"{span['from']:.2f} to {span['to']:.2f} s ({span['why']})" for span in face["faded"]]
        if faded:
            more = f", and {len(faded) - _SPANS} times more" if len(faded) > _SPANS else ""
            said[-1] += f"; faded from {', '.join(faded[:_SPANS])}{more}"
    if len(everyone) > _FACES:
        said.append(f"and {len(everyone) - _FACES} more (--report tells of all)")
    return said


def _rounded(seconds: float) -> float:
    return round(seconds, 3)
