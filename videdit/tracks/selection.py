"""Whom to edit: the user's word for it -> faces, with a view of the whole clip."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from videdit.errors import NoFaceError, UsageError
from videdit.tracks.track_table import TrackTable

WORDS = ("largest", "all", "left")
NUMBERS = re.compile(r"\s*\d{1,6}(\s*,\s*\d{1,6})*\s*")
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
STAY = 2.0  # seconds by which another must be the better choice for the choice to change
LIKE = 0.35  # least similarity to a reference picture, see :mod:`.reference_match`
NEARLY = 0.15  # by so much, other tracks of the person may be less like it than the likest

# Track -> its similarity to the person in a picture, -1..1
SimilarityTo = Callable[[Path], Mapping[int, float]]


def parse_choice(word: str | int) -> str:
    """A word for faces in its plain form. Raises UsageError where it means nothing."""
    text = str(word).strip()
    if text in WORDS or Path(text).suffix.lower() in PICTURES:
        return text
    if NUMBERS.fullmatch(text):
        return ",".join(str(int(number)) for number in text.split(","))
    raise UsageError(
        f"faces should be largest, all, left, numbers that `videdit faces` tells (0 or 0,2), or a picture of the "
        f"person, not {word!r}"
    )


def by_number(words: Iterable[str | int]) -> bool:
    """Whether any of these words for faces is numbers, which are of the whole clip."""
    return any(NUMBERS.fullmatch(str(word)) for word in words)


def is_picture(word: str | int) -> bool:
    """Whether a word for faces is the file of a picture."""
    text = str(word).strip()
    return text not in WORDS and Path(text).suffix.lower() in PICTURES


def choose(word: str | int, table: TrackTable, similarity: SimilarityTo) -> np.ndarray:
    """Which of the faces a word means, [N] bool.

    "largest" and "left" mean one face at a time: within a shot they change to another person only where that is the
    better choice for seconds on end. A picture means the person in it, in every shot.

    Raises:
        UsageError: the word means nothing, or the picture cannot be used.
        NoFaceError: nobody in the clip is meant.
    """
    word = parse_choice(word)
    known = table.track >= 0
    if word == "all":
        return known
    if is_picture(word):
        return np.isin(table.track, _alike(similarity(Path(word)), table, word))
    if word in WORDS:
        worth = table.size if word == "largest" else _leftness(table)
        return known & (table.track == _steadily(worth, table)[table.frame])
    wanted = [int(number) for number in word.split(",")]
    tracks = table.tracks
    if missing := [track for track in wanted if track not in tracks]:
        there = f"0 to {tracks[-1]}" if len(tracks) > 1 else "only 0"
        raise NoFaceError(
            f"there is no face {missing[0]}: {there if tracks else 'there is none at all'} (see videdit faces)"
        )
    return np.isin(table.track, wanted)


def _leftness(table: TrackTable) -> np.ndarray:
    """[N]: the more, the further left a track mostly is."""
    usual = {track: float(np.median(table.x[table.track == track])) for track in table.tracks}
    return np.array([4.0 ** (-8 * usual.get(int(track), 0.0)) for track in table.track])


def _steadily(worth: np.ndarray, table: TrackTable) -> np.ndarray:
    """The track [F] that is best in each frame, -1 where there is none, with changes only where they pay.

    A frame is worth its seconds times the worth of the chosen face, as a part of the best one's there; a change costs
    STAY seconds. The best sequence of a shot is found by dynamic programming (Viterbi, 1967).
    """
    chosen = np.full(len(table.time), -1, np.int32)
    for shot in table.scenes():
        first, stop = np.searchsorted(table.frame, (shot.start, shot.stop))
        own = slice(int(first), int(stop))
        tracks = np.unique(table.track[own])
        tracks = tracks[tracks >= 0]
        if not len(tracks):
            continue
        value = np.zeros((shot.stop - shot.start, len(tracks)))
        real = table.track[own] >= 0
        rows = table.frame[own][real] - shot.start
        value[rows, np.searchsorted(tracks, table.track[own][real])] = worth[own][real]
        value /= np.maximum(value.max(1, keepdims=True), 1e-12)
        steps = np.diff(table.time[shot], append=2 * table.time[shot][-1] - table.time[shot][-2:][0])
        chosen[shot] = tracks[_best_path(value * np.maximum(steps, 1e-3)[:, None])]
    return chosen


def _best_path(value: np.ndarray) -> np.ndarray:
    """The state [F] of each step, with the largest sum of values [F, K] less STAY for each change of state."""
    total = np.zeros(value.shape[1])
    came = np.zeros(value.shape, np.int32)
    for i, row in enumerate(value):
        best = int(total.argmax())
        stays = total >= total[best] - STAY
        came[i] = np.where(stays, np.arange(len(total)), best)
        total = np.where(stays, total, total[best] - STAY) + row
    path = np.empty(len(value), np.int32)
    state = int(total.argmax())
    for i in range(len(value) - 1, -1, -1):
        path[i] = state
        state = int(came[i, state])
    return path


def _alike(similarity: Mapping[int, float], table: TrackTable, word: str) -> list[int]:
    """The tracks of the person in a picture: the likest first, and none that is there at the same time as a liker."""
    taken: list[int] = []
    busy = np.zeros(len(table.pts), bool)
    least = max(LIKE, max(similarity.values(), default=0.0) - NEARLY)
    for track in sorted(similarity, key=lambda track: -similarity[track]):
        frames = table.frame[table.track == track]
        if similarity[track] >= least and not busy[frames].any():
            busy[frames] = True
            taken.append(track)
    if not taken:
        nearest = f"; the nearest is {max(similarity.values()):.2f} alike" if similarity else ""
        raise NoFaceError(f"nobody in the clip looks like the person in {word}{nearest} ({LIKE:g} is needed)")
    return taken
