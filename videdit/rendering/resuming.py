"""Which clips are rendered in segments that are kept, and what is said and left where such a run ends early."""

from __future__ import annotations

from videdit.jobs.plan import Clip
from videdit.jobs.result import count
from videdit.jobs.segment_store import SegmentStore
from videdit.media.image_sequence import is_sequence
from videdit.media.info import MediaInfo
from videdit.stages.split_segments import CROPS


def resumable(clip: Clip, info: MediaInfo) -> bool:
    """Whether a clip is rendered in segments: a short one is sooner done again; EXR always is, for it is many files.

    One whose crops are written too is not, for these are counted from its first frame.
    """
    frames = frames_between(info, clip.job.start, clip.job.end)
    long = frames is None or frames > CROPS or info.container == "exr"
    countable = is_sequence(clip.source) or not is_sequence(clip.output)  # pictures of a clip are numbered as they come
    return clip.job.resume and clip.crops is None and info.kind == "video" and long and countable


def kept(work: SegmentStore) -> str:
    """What an unfinished run leaves for the next one, in words."""
    return f"{count(work.frames, 'frame')} are kept: run the same command again to go on"


def left_behind(work: SegmentStore) -> str | None:
    """Where nobody unwinds: tidy up as :class:`SegmentStore` does, and say what is kept."""
    if work.segments:
        return kept(work)
    work.remove()
    return None


def frames_between(info: MediaInfo, start: float | None, end: float | None) -> int | None:
    """About how many frames of a clip lie between two times; None where the file does not tell."""
    if start is None and end is None:
        return info.frame_count or None
    if not info.fps or not info.duration:
        return None
    return max(1, round((min(end or info.duration, info.duration) - (start or 0.0)) * info.fps))
