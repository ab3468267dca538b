"""`--preview`: single frames as PNGs, before and after; `--sweep`: one frame under several strengths, on one sheet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from videdit.edits import parse_edits
from videdit.errors import UsageError
from videdit.evaluation.sheet import contact_sheet, write_sheet
from videdit.geometry.warp import warp
from videdit.jobs.output_names import IMAGES, kind_of_source
from videdit.jobs.plan import Clip, Plan, make_plan
from videdit.jobs.render_job import RenderJob
from videdit.media.image_sequence import is_sequence
from videdit.provenance.tags import tags
from videdit.rendering.preview import parse_times, preview_path, previews
from videdit.rendering.session import DRAFT, EXACT, Session
from videdit.rendering.session_answers import Preview
from videdit.terminal import say

STRENGTHS, MOST = 5, 25  # pictures of a sweep, by default and at most
TILE = 320  # px
_ROW = 6  # pictures
_RANGE = re.compile(r"(?P<name>[^=]+)=(?P<first>[+-]?[\d.]+)\.\.(?P<last>[+-]?[\d.]+)(:(?P<count>\d+))?")


def run(jobs: Sequence[RenderJob], times: str, sweep: str | None, draft: bool, quiet: bool) -> None:
    """Write what was asked for and say where it is. No clip is written, so those that exist do not stand in the way."""
    at, overwrite = parse_times(times), all(job.overwrite for job in jobs)
    for job in jobs:
        named = Path(job.output or "")
        picture = named.suffix.lower() in IMAGES and not is_sequence(named)
        if picture and kind_of_source(Path(job.input[0])).form == "video":
            raise UsageError(f"previews are named after the clip and the time: -o is their folder, as {named.stem}/")
    plan = make_plan([job.model_copy(update={"overwrite": True}) for job in jobs])
    with Session() as session:
        if sweep is None:
            written = previews(plan, at, overwrite, session, DRAFT if draft else EXACT)
        else:
            written = sweeps(plan, at, *parse_sweep(sweep), overwrite, session)
        for path in written:
            if not quiet:
                say(path)


def with_sweep(options: dict[str, Any], sweep: str) -> None:
    """Options of a job that is about the swept edit alone, where no other edit is named."""
    name, _ = parse_sweep(sweep)
    if "edit" not in options and "config" not in options:
        options["edit"] = [name]


def parse_sweep(words: str) -> tuple[str, list[float]]:
    """ "age=-15..30" -> ("age", [-15.0, -3.75, 7.5, 18.75, 30.0]); "age=-15..30:3" has three.

    Raises:
        UsageError: it is written in another way, or names no edit, or a strength that the edit does not have.
    """
    found = _RANGE.fullmatch(words.strip())
    if found is None:
        raise UsageError(f"--sweep {words}: write it as age=-15..30, or age=-15..30:7 for seven strengths")
    count = int(found["count"] or STRENGTHS)
    if not 2 <= count <= MOST:
        raise UsageError(f"--sweep {words}: it has 2 to {MOST} strengths, not {count}")
    try:
        first, last = float(found["first"]), float(found["last"])
    except ValueError:
        raise UsageError(f"--sweep {words}: {found['first']} and {found['last']} should be numbers") from None
    name = found["name"].strip()
    strengths = [round(float(strength), 3) for strength in np.linspace(first, last, count)]
    for strength in strengths:
        parse_edits(f"{name}={strength:g}")
    return name, strengths


def sweeps(
    plan: Plan, times: Sequence[float], name: str, strengths: Sequence[float], overwrite: bool, session: Session
) -> Iterator[Path]:
    """Write a sheet for each clip and time: the frame as it is, then under each strength beside the job's other edits.

    Each frame is edited by itself (tier "draft"). Paths as soon as the files are there.

    Raises:
        UsageError: a file exists already (without overwrite); the job gives the swept edit a strength too.
        MediaError: a time is beyond the end of a clip, or a file cannot be read or written.
    """
    label = f"{Path(name).stem}{strengths[0]:+g}to{strengths[-1]:+g}"
    for clip in plan.clips:
        for time in times if session.source(clip).info.kind == "video" else [0.0]:
            path = preview_path(clip.output, time)
            path = path.with_name(f"{path.stem}_{label}.png")
            if path.exists() and not overwrite:
                raise UsageError(f"{path} exists already; pass --overwrite to replace it")
            found = [session.preview(job, time, tier=DRAFT) for job in _swept(clip, name, strengths)]
            titles = ["source", *(f"{Path(name).stem} {strength:+g}" for strength in strengths)]
            write_sheet(path, sheet_of(found, titles), tags(clip.job)["comment"], overwrite)
            yield path


def _swept(clip: Clip, name: str, strengths: Sequence[float]) -> list[RenderJob]:
    """The clip's job with each of the strengths."""
    given = clip.job.edits
    alone = [edit.name for edit in given] == [name] and clip.job.edit == name
    if not alone and name in [edit.name for edit in given]:
        raise UsageError(f"--sweep goes through the strengths of {name}: leave it out of --edit")
    before = "" if alone else f"{clip.job.edit},"
    words = clip.job.model_dump(exclude_defaults=True)
    return [
        RenderJob.model_validate(words | {"input": str(clip.source), "edit": f"{before}{name}={strength:g}"})
        for strength in strengths
    ]


def sheet_of(found: Sequence[Preview], titles: Sequence[str]) -> np.ndarray:
    """The source and each preview under its title, all cut to where the faces are, [H, W, 3] uint8 RGB."""
    place = square_around(found)
    tiles = [_titled(_cut(picture, place), title) for picture, title in zip(_pictures(found), titles, strict=True)]
    blank = np.full_like(tiles[0], 32)
    rows = [tiles[i : i + _ROW] for i in range(0, len(tiles), _ROW)]
    return contact_sheet([row + [blank] * (len(rows[0]) - len(row)) for row in rows], tile=TILE)


def _pictures(found: Sequence[Preview]) -> list[np.ndarray]:
    return [found[0].before, *(preview.after for preview in found)]


def square_around(found: Sequence[Preview]) -> tuple[float, float, float]:
    """(x, y of the middle, side) in pixels of a square that all edited faces are in; of all where there is none."""
    height, width = found[0].before.shape[:2]
    outlines = [face.outline for preview in found for face in preview.faces] or [np.array([(0, 0), (width, height)])]
    points = np.concatenate(outlines).clip((0, 0), (width, height))
    low, high = points.min(0), points.max(0)
    x, y = (low + high) / 2
    return float(x), float(y), float((high - low).max())


def _cut(picture: np.ndarray, place: tuple[float, float, float]) -> np.ndarray:
    """The square of a picture, grey beyond its border, [TILE, TILE, 3]."""
    x, y, side = place
    scale = TILE / side
    to_picture = np.array([[1 / scale, 0, x - side / 2], [0, 1 / scale, y - side / 2]])
    smaller = cv2.GaussianBlur(picture, (0, 0), 0.4 / scale) if scale < 1 else picture
    return warp(smaller, to_picture, (TILE, TILE), border=cv2.BORDER_CONSTANT, value=32)


def _titled(tile: np.ndarray, title: str) -> np.ndarray:
    font = cv2.FONT_HERSHEY_SIMPLEX
    for color, thickness in (((0, 0, 0), 4), ((255, 255, 255), 1)):
        cv2.putText(tile, title, (8, 22), font, 0.6, color, thickness, cv2.LINE_AA)
    return tile
