"""--preview: single frames of a clip, source and edit side by side, in seconds instead of the whole clip's time."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from videdit.datatypes import Color, Frame, Picture
from videdit.errors import MediaError, SettingsError, UsageError
from videdit.hfgi.profile import load_profile
from videdit.jobs.field_types import parse_time
from videdit.jobs.plan import Clip, Plan
from videdit.media.color import picture_to_rgb
from videdit.media.decode.start import probe_from
from videdit.media.image_sequence import is_sequence, name_of
from videdit.media.info import MediaInfo
from videdit.media.stills.write import write_image
from videdit.provenance.tags import tags
from videdit.rendering.graph import reach_of_job
from videdit.rendering.renderer import Renderer
from videdit.stages.assign_faces import REACH as RECALLED
from videdit.stages.auxiliary_output import Compose, before_and_after
from videdit.stages.compare import side_by_side
from videdit.stages.decode import Decode
from videdit.tracks.selection import by_number
from videdit.tracks.shots import scene_times

log = logging.getLogger(__name__)

LEAST = 0.001  # seconds, so that the frame itself is in a cut of no length


def parse_times(words: str) -> list[float]:
    """ "3,0:00:07.5" -> [3.0, 7.5] seconds.

    Raises:
        UsageError: one of them is no time.
    """
    try:
        return [float(parse_time(word)) for word in words.split(",")]
    except ValueError as error:
        raise UsageError(f"--preview: {error}") from None


def previews(plan: Plan, times: Sequence[float], overwrite: bool, renderer: Renderer | None = None) -> Iterator[Path]:
    """Write a PNG for each clip and time beside where its edit goes, named by both; paths as soon as they are there.

    Raises:
        UsageError: a file exists already (without overwrite).
        MediaError: a time is beyond the end of a clip, or a file cannot be read or written.
    """
    renderer = renderer or Renderer()
    for clip in plan.clips:
        info = probe_from(clip.source, clip.job.fps, clip.job.start, clip.job.video_track)
        targets = {time: preview_path(clip.output, time) for time in (times if info.kind == "video" else [0.0])}
        if there := [str(path) for path in targets.values() if path.exists() and not overwrite]:
            raise UsageError(f"{there[0]} exists already; pass --overwrite to replace it")
        scenes = clip.job.scenes and info.kind == "video"
        begins = scene_times(info, clip.job.start, max(times) + margin(clip)) if scenes else [0.0]
        for time, path in targets.items():
            before, after = pair(renderer, clip, info, time, begins)
            both = side_by_side(as_rgb(before.picture), as_rgb(after.picture), info.rotation)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, replace(after, picture=both), info, tags(clip.job), replace=overwrite)
            yield path


def preview_path(output: Path, time: float) -> Path:
    """ "in_smile.mp4", 63.5 -> "in_smile_at_0-01-03.500.png"."""
    seconds, thousandths = divmod(round(time * 1000), 1000)
    clock = f"{seconds // 3600}-{seconds // 60 % 60:02}-{seconds % 60:02}.{thousandths:03}"
    stem = name_of(output) if is_sequence(output) else output.stem
    return output.with_name(f"{stem}_at_{clock}.png")


def pair(renderer: Renderer, clip: Clip, info: MediaInfo, time: float, begins: Sequence[float]) -> tuple[Frame, Frame]:
    """The frame that is shown at a time, as it is and edited; begins: of all shots until then.

    Raises:
        MediaError: the clip is over by then.
    """
    shown = frame_at(info, time)
    near, wide = (around(clip, shown.time, reach) for reach in (margin(clip), margin(clip) + RECALLED))
    before_it = max(0, int(np.searchsorted(begins, near.job.start or 0.0, side="right")) - 1)
    with renderer.analysed(wide, info) as analysis:
        decode, *stages, _ = renderer.chain(near, info, analysis, first_scene=before_it).stages
        for before, after in before_and_after(Compose(*stages), decode(iter(()))):
            if before.pts == shown.pts:
                if after.picture is before.picture:
                    log.warning("%s: no face is edited at %g s", clip.source, time)
                return before, after
    raise MediaError(f"{clip.source} cannot be decoded again at {time:g} s")


def margin(clip: Clip) -> float:
    """Seconds on either side that are rendered too: all that the frame depends on, so that it is as in the render."""
    return reach_of_job(clip.job, load_profile(clip.job.profile, clip.job.checkpoint))


def around(clip: Clip, time: float, reach: float) -> Clip:
    """The clip cut to so many seconds before and after a time, without files beside it.

    A look at so little is not worth keeping; numbers of faces take one at all of the clip.
    """
    keep = clip.job.cache and by_number((clip.job.faces, *clip.job.per_face))
    cut = {"start": max(0.0, time - reach), "end": time + reach + LEAST, "cache": keep}
    return replace(clip, job=clip.job.model_copy(update=cut), alpha=None, compare=None, debug=None)


def as_rgb(picture: Picture) -> Picture:
    """The picture in square pixels, in planes of R, G and B, 8 bits: two would share chroma samples."""
    rgb, (wide, high) = picture_to_rgb(picture), picture.square_size
    if picture.aspect != 1:
        rgb = cv2.resize(rgb, (round(wide), round(high)), interpolation=cv2.INTER_CUBIC)
    planes = cv2.split(rgb)
    return Picture(tuple(planes), Color("rgb", full_range=True, chroma_log2=(0, 0), chroma_site=(0.5, 0.5)), "gbrp")


def frame_at(info: MediaInfo, time: float) -> Frame:
    """The frame that a player shows at a time: the last one that begins by then.

    Raises:
        MediaError: the clip is over by then.
    """
    if info.kind == "image":
        return next(iter(Decode(info)(iter(()))))
    if time < info.duration + float(info.frame_step * info.time_base):
        stop = time + float(info.time_base)
        for back in (1.0, time):  # frames may be far apart
            with contextlib.suppress(MediaError):
                return deque(Decode(info, max(0.0, time - back), stop)(iter(())), maxlen=1).pop()
    raise SettingsError(f"{info.path} has no frame at {time:g} s; it is {info.duration:.2f} s long")
