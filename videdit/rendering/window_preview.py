"""One frame of a clip by a render of its surroundings: for what needs the stages of a render just as they are.

Cars, generators that are tuned to a clip, and HFGI as released; all else goes through the module frame_preview.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from videdit.datatypes import Frame
from videdit.errors import MediaError
from videdit.jobs.plan import Clip
from videdit.media.info import MediaInfo
from videdit.pipeline.executor import Stage
from videdit.pipeline.graph import Compose
from videdit.rendering.frames import LEAST, frame_at
from videdit.rendering.renderer import Renderer
from videdit.rendering.resolved_job import resolve
from videdit.rendering.stage_graph import reach_of
from videdit.stages.assign_faces import REACH as RECALLED
from videdit.tracks.selection import by_number
from videdit.tracks.shots import scene_times


def rendered_pair(renderer: Renderer, clip: Clip, info: MediaInfo, time: float) -> tuple[Frame, Frame]:
    """The frame that is shown at a time, as it is and edited, by a render of all that it depends on.

    Raises:
        MediaError: the clip is over by then.
    """
    shown = frame_at(info, time)
    near, wide = (around(clip, shown.time, reach) for reach in (margin(clip), margin(clip) + RECALLED))
    scenes = clip.job.scenes and info.kind == "video"
    begins = scene_times(info, clip.job.start, time + margin(clip)) if scenes else [0.0]
    before_it = max(0, int(np.searchsorted(begins, near.job.start or 0.0, side="right")) - 1)
    with renderer.analyse(wide, info) as analysis:
        chain = renderer.chain(near, info, analysis, first_scene=before_it)
        decode, *stages = chain.graph.stages(last="mark")
        for before, after in before_and_after(Compose(*stages), decode(iter(()))):
            if before.pts == shown.pts:
                return before, after
    raise MediaError(f"{clip.source} cannot be decoded again at {time:g} s")


def margin(clip: Clip) -> float:
    """Seconds on either side that are rendered too: all that the frame depends on, so that it is as in the render."""
    return reach_of(resolve(clip.job))


def around(clip: Clip, time: float, reach: float) -> Clip:
    """The clip cut to so many seconds before and after a time, without files beside it.

    A look at so little is not worth keeping; numbers of faces take one at all of the clip.
    """
    keep = clip.job.cache and by_number((clip.job.faces, *clip.job.per_face))
    cut = {"start": max(0.0, time - reach), "end": time + reach + LEAST, "cache": keep}
    return replace(clip, job=clip.job.model_copy(update=cut), alpha=None, compare=None, debug=None, crops=None)


def before_and_after(stage: Stage, frames: Iterator[Frame]) -> Iterator[tuple[Frame, Frame]]:
    """Frames as they go into a stage and as they come out of it; one comes out for each that goes in."""
    inside: deque[Frame] = deque()

    def entering() -> Iterator[Frame]:
        for frame in frames:
            inside.append(frame)
            yield frame

    for after in stage(entering()):
        yield inside.popleft(), after
