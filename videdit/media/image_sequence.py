"""Numbered pictures that make one clip: frames/shot_%04d.png. Needs no PyAV, so that plans can be made without it."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

from videdit.errors import MediaError, RefusedInput, SettingsError

RATE = Fraction(25)  # frames a second, unless the user knows better
CONTAINERS = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm"})  # films that are written: never one of many
_NUMBER = re.compile(r"%(?:0(\d))?d")


def is_sequence(path: Path) -> bool:
    """Whether a path is a pattern: its name holds one %d or %04d, is no film's, and not that of a file."""
    return len(_NUMBER.findall(path.name)) == 1 and path.suffix.lower() not in CONTAINERS and not path.exists()


def files(path: Path) -> dict[int, Path]:
    """The pictures of a pattern by their numbers, in order.

    Raises:
        MediaError: there is none, or one between the first and the last is missing.
    """
    try:
        found = existing(path)
    except OSError as error:
        raise MediaError(f"the folder {path.parent} cannot be read: {error.strerror}") from None
    if not found:
        raise SettingsError(f"no file is named like {path}")
    first, last = min(found), max(found)
    for number in range(first, last):
        if number not in found:
            missing = picture(path, number)
            raise RefusedInput(f"{missing} is missing between {found[first].name} and {found[last].name}")
    return found


def picture(path: Path, number: int) -> Path:
    """One picture of a pattern."""
    before, digit, after = _NUMBER.split(path.name)
    return path.with_name(f"{before}{number:0{int(digit or 1)}d}{after}")


def existing(path: Path) -> dict[int, Path]:
    """The pictures of a pattern that are there, by their numbers, in order. Raises OSError: no such folder."""
    before, digit, after = _NUMBER.split(path.name)
    width = int(digit or 1)
    name = re.compile(rf"{re.escape(before)}(\d{{{width},}}){re.escape(after)}")
    digits = [(match[1], file) for file in path.parent.iterdir() if (match := name.fullmatch(file.name))]
    # "%04d" writes 00012 for no number: such a file belongs to something else.
    plain = [(int(number), file) for number, file in digits if len(number) == width or not number.startswith("0")]
    return dict(sorted(plain))


def for_ffmpeg(path: Path) -> str:
    """The pattern in FFmpeg's words, in which a % that is no number's is doubled."""
    before, _, after = _NUMBER.split(path.name)
    folder = str(path.absolute().parent).replace("%", "%%")
    return f"{folder}/{before.replace('%', '%%')}{numbering(path)}{after.replace('%', '%%')}"


def name_of(path: Path) -> str:
    """A name for what is made of a sequence: what stands before the number, else the folder's name."""
    return _NUMBER.split(path.name)[0].rstrip("_-. ") or path.resolve().parent.name


def numbering(path: Path) -> str:
    """The number of a pattern's names as it is written there: "%04d"."""
    match = _NUMBER.search(path.name)
    assert match is not None
    return match[0]
