"""--preview: single frames of a clip, source and edit side by side, in seconds instead of the whole clip's time."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from videdit.errors import UsageError
from videdit.jobs.field_types import parse_time
from videdit.jobs.plan import Plan
from videdit.media.image_sequence import is_sequence, name_of
from videdit.media.stills.write import write_image
from videdit.provenance.tags import tags
from videdit.rendering.checks import check_folder
from videdit.rendering.frames import as_rgb
from videdit.rendering.session import EXACT, Session, Tier
from videdit.stages.compare import side_by_side

log = logging.getLogger(__name__)


def parse_times(words: str) -> list[float]:
    """ "3,0:00:07.5" -> [3.0, 7.5] seconds.

    Raises:
        UsageError: one of them is no time.
    """
    try:
        return [float(parse_time(word)) for word in words.split(",")]
    except ValueError as error:
        raise UsageError(f"--preview: {error}") from None


def previews(
    plan: Plan, times: Sequence[float], overwrite: bool, session: Session | None = None, tier: Tier = EXACT
) -> Iterator[Path]:
    """Write a PNG for each clip and time beside where its edit goes, named by both; paths as soon as they are there.

    tier: of :meth:`Session.preview`.

    Raises:
        UsageError: a file exists already (without overwrite).
        MediaError: a time is beyond the end of a clip, or a file cannot be read or written.
    """
    session = session or Session()
    for clip in plan.clips:
        info = session.source(clip).info
        targets = {time: preview_path(clip.output, time) for time in (times if info.kind == "video" else [0.0])}
        if there := [str(path) for path in targets.values() if path.exists() and not overwrite]:
            raise UsageError(f"{there[0]} exists already; pass --overwrite to replace it")
        for time, path in targets.items():
            check_folder(path.parent)
            before, after = session.frames(clip, time, tier)
            if after.picture is before.picture:
                log.warning("%s: no face is edited at %g s", clip.source, time)
            both = side_by_side(as_rgb(before.picture), as_rgb(after.picture), info.rotation)
            write_image(path, replace(after, picture=both), info, tags(clip.job), replace=overwrite)
            yield path


def preview_path(output: Path, time: float) -> Path:
    """ "in_smile.mp4", 63.5 -> "in_smile_at_0-01-03.500.png"."""
    seconds, thousandths = divmod(round(time * 1000), 1000)
    clock = f"{seconds // 3600}-{seconds // 60 % 60:02}-{seconds % 60:02}.{thousandths:03}"
    stem = name_of(output) if is_sequence(output) else output.stem
    return output.with_name(f"{stem}_at_{clock}.png")
