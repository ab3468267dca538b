"""Decoders of the machine: used when asked for, and only if they give the very frames that the CPU gives."""

from __future__ import annotations

import contextlib
import re
from itertools import zip_longest

import av
import numpy as np
from av.codec.hwaccel import HWAccel, hwdevices_available

from videdit.errors import MediaError
from videdit.media.info import MediaInfo
from videdit.media.open import edited_video, open_input
from videdit.media.pixel_formats import planar_name, unpack

_COMPARED = 8  # frames, of the beginning
_SEMI_PLANAR = re.compile("nv|p[0-9]")  # what hardware hands out; a decoder that works on the CPU after all does not


def choose_decoder(info: MediaInfo, wanted: str) -> tuple[str | None, str | None]:
    """(kind of device or None for the CPU, what to tell the user).

    wanted: "cpu", "auto" (the first that works) or a kind of device that FFmpeg knows: "cuda", "vaapi", ...
    Each is tried out on the clip itself.
    """
    if wanted == "cpu" or info.kind == "image" or info.container == "exr":
        return None, None
    if wanted != "auto":
        why = _obstacle(info, wanted)
        return (wanted, None) if why is None else (None, f"--decoder {wanted} {why}; the CPU decodes")
    for kind in hwdevices_available():
        if _obstacle(info, kind) is None:
            return kind, f"{kind} decodes"
    return None, "no decoder of this machine works with this clip; the CPU decodes"


def accelerator(kind: str) -> HWAccel:
    """What opens a decoder on a device, and nowhere else."""
    return HWAccel(kind, allow_software_fallback=False)


def _obstacle(info: MediaInfo, kind: str) -> str | None:
    """Why a clip is not decoded on this kind of device; None if nothing is in the way."""
    known = hwdevices_available()
    if kind not in known:
        return f"is unknown to this FFmpeg, which knows {', '.join(known) or 'none'}"
    try:
        theirs = _first_frames(info, accelerator(kind))
        ours = _first_frames(info, None)
    except MediaError:  # the clip itself was opened before
        return "does not open on this machine"
    except (av.FFmpegError, RuntimeError, OSError, ValueError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        return f"does not work here with {info.codec} ({reason})"
    if not theirs or not _SEMI_PLANAR.match(theirs[0][0]):
        return f"has no decoder for this {info.codec}"
    for one, other in zip_longest(theirs, ours):
        if one is None or other is None or planar_name(one[0]) != planar_name(other[0]):
            return "gives other frames"
        if not all(map(np.array_equal, one[1], other[1])):
            return "gives other pixels"
    return None


def _first_frames(info: MediaInfo, device: HWAccel | None) -> list[tuple[str, tuple[np.ndarray, ...]]]:
    """(layout, planes) of the first few frames."""
    found: list[tuple[str, tuple[np.ndarray, ...]]] = []
    with contextlib.closing(open_input(info.path, info.fps, device)) as container:
        stream = edited_video(container, info.video_index)
        for frame in container.decode(stream):
            found.append((frame.format.name, unpack(frame)))
            if len(found) == _COMPARED:
                break
    return found
