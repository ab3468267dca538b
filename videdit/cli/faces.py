"""`videdit faces clip.mp4`: who is in a clip, as a table, as JSON, and as a sheet of portraits."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pydantic import ValidationError

from videdit.argument_parser import Parser, read
from videdit.engine.devices import resolve_device
from videdit.errors import NoFaceError, UsageError
from videdit.evaluation.sheet import contact_sheet, write_sheet
from videdit.faces.detector import FaceDetector
from videdit.jobs.job_file import explain
from videdit.jobs.render_job import RenderJob
from videdit.media.decode.start import probe_from
from videdit.media.image_sequence import is_sequence
from videdit.rendering.analysis_pass import cached_analysis
from videdit.rendering.checks import check_start
from videdit.rendering.other_tracks import elsewhere
from videdit.rendering.progress import make_progress
from videdit.terminal import say
from videdit.tracks.account import unclear_lines
from videdit.tracks.analysis_store import PORTRAIT, PORTRAITS, Analysis
from videdit.tracks.track_table import TrackInfo, describe, within

_MOST = 100  # tracks on a sheet
MARK = "portraits of the faces in a clip, by videdit faces"  # a note in the file


def main(words: Sequence[str]) -> int:
    """The command. Raises NoFaceError where there is nobody."""
    parser = Parser(
        "videdit faces",
        description="Show who is in a clip. `--faces` of a render takes the numbers; within a shot a number stays with "
        "its person, at a cut numbers begin anew.",
        allow_abbrev=False,
    )
    parser.add_argument("clip", type=Path, metavar="CLIP", help="a video, a picture, or shot_%%04d.png")
    parser.add_argument(
        "--sheet",
        type=Path,
        metavar="PNG",
        help="write the sheet of portraits here (default: CLIP_faces.png in this folder)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--fps", metavar="RATE", help="frames per second of numbered pictures, e.g. 24 or 24000/1001 (default: 25)"
    )
    parser.add_argument(
        "--video-track",
        metavar="N|LANG",
        help="video track, where a file has several: number from 1, or language (default: the first)",
    )
    parser.add_argument("--start", metavar="TIME", help="show who is there from this time on: seconds or h:mm:ss")
    parser.add_argument(
        "--end",
        metavar="TIME",
        help="show who is there before this time: seconds or h:mm:ss; numbers are those of the whole clip",
    )
    parser.add_argument("--device", metavar="NAME", help="where the networks run: auto (default), cpu, cuda or cuda:N")
    parser.add_argument(
        "--cache",
        action=argparse.BooleanOptionalAction,
        help="keep what is found for the renders that follow (default: on)",
    )
    parser.add_argument("--analysis", metavar="DIR", help="folder of what --cache keeps (default: the user's cache)")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is no sheet of portraits")
    parser.add_argument("--debug", action="store_true", help="show the Python traceback of a failure")
    options = read(parser, words)
    clip, sheet, as_json = options.pop("clip"), options.pop("sheet"), options.pop("json")
    overwrite = options.pop("overwrite")
    options.pop("debug")
    sheet = sheet or Path(f"{clip.stem.replace('%', '')}_faces.png")
    if sheet.suffix.lower() != ".png":
        raise UsageError(f"the sheet is a PNG, and {sheet} is not called so; name it like {sheet.stem}.png")
    overwrite = overwrite or is_sheet(sheet)
    if os.path.lexists(sheet) and not overwrite:
        raise UsageError(
            f"{sheet} exists and is no sheet of faces; pass --overwrite to replace it, or choose another with --sheet"
        )
    return show(clip, sheet, as_json, {key: value for key, value in options.items() if value is not None}, overwrite)


def is_sheet(path: Path) -> bool:
    """Whether a file is a sheet of portraits that an earlier run has made."""
    try:
        with path.open("rb") as file:
            return MARK.encode() in file.read(4096)
    except OSError:
        return False


def show(clip: Path, sheet: Path, as_json: bool, options: dict[str, Any], replace: bool = False) -> int:
    """Look at a clip, and tell. options: of :class:`RenderJob`. Raises NoFaceError where there is nobody.

    replace: a file that is where the sheet goes.
    """
    if not clip.exists() and not is_sequence(clip):
        raise UsageError(f"the clip {clip} does not exist")
    try:
        job = RenderJob.model_validate({"input": str(clip), "edit": "smile", **options})
    except ValidationError as error:
        raise UsageError("; ".join(message for _, message in explain(error))) from None
    info, device = probe_from(clip, job.fps, job.start, job.video_track), resolve_device(job.device)
    check_start(job, info)
    progress = make_progress("auto")
    progress.start(clip.name, info.frame_count or None)
    try:
        with cached_analysis(clip, info, job, FaceDetector(device), device, progress, whole=True) as analysis:
            progress.end("done")
            shown = within(analysis.table, job.start, job.end)
            tracks = describe(shown)
            if tracks:
                write_sheet(sheet, draw(tracks, analysis), MARK, replace)
            frames, scenes = len(shown.pts), len(shown.scenes())
            unclear = unclear_lines(analysis.unclear_between(job.start, job.end), info.kind == "image")
    finally:
        progress.end("done")
    if as_json:
        faces = [as_dict(track) for track in tracks]
        told = {"clip": str(clip), "frames": frames, "scenes": scenes, "faces": faces}
        print(json.dumps(told | {"sheet": str(sheet) if tracks else None}, indent=1))
    if not tracks:
        raise NoFaceError("; ".join([f"no face found in {clip}{elsewhere(info, FaceDetector(device))}", *unclear]))
    if not as_json:
        say("\n".join([table(tracks), *unclear]))
        say(f"{sheet}: portraits of {min(len(tracks), _MOST)} of {len(tracks)}")
    return 0


def table(tracks: Sequence[TrackInfo]) -> str:
    """A line a track."""
    lines = [f"{'face':>4}{'shot':>6}{'frames':>8}{'from s':>9}{'to s':>9}{'px':>6}  yaw (least, usual, most)"]
    for t in tracks:
        yaw = "{:+.0f} {:+.0f} {:+.0f}".format(*t.yaw)
        lines.append(f"{t.track:4d}{t.scene + 1:6d}{t.frames:8d}{t.first:9.2f}{t.last:9.2f}{t.size:6.0f}  {yaw}")
    return "\n".join(lines)


def as_dict(track: TrackInfo) -> dict[str, Any]:
    """Plain values for JSON; times in seconds, size in pixels, yaw in degrees."""
    return {
        "face": track.track,
        "shot": track.scene + 1,
        "frames": track.frames,
        "first": round(track.first, 3),
        "last": round(track.last, 3),
        "size": round(track.size, 1),
        "yaw": dict(zip(("least", "median", "largest"), (round(yaw, 1) for yaw in track.yaw), strict=True)),
    }


def draw(tracks: Sequence[TrackInfo], analysis: Analysis) -> np.ndarray:
    """A row a track: its line in words, and its portraits. [H, W, 3] uint8 RGB."""
    portraits = analysis.portraits()
    rows = [[_words(track), *portraits.get(track.track, ())] for track in tracks[:_MOST]]
    blank = np.full((PORTRAIT, PORTRAIT, 3), 32, np.uint8)
    return contact_sheet([row + [blank] * (1 + PORTRAITS - len(row)) for row in rows], tile=PORTRAIT)


def _words(track: TrackInfo) -> np.ndarray:
    tile = np.full((PORTRAIT, PORTRAIT, 3), 32, np.uint8)
    white, font = (255, 255, 255), cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(tile, str(track.track), (8, 40), font, 1.1, white, 2, cv2.LINE_AA)
    lines = (
        f"shot {track.scene + 1}, {track.frames} frames",
        f"{track.first:.2f}-{track.last:.2f} s",
        f"{track.size:.0f} px",
        "yaw {:+.0f} {:+.0f} {:+.0f}".format(*track.yaw),
    )
    for i, line in enumerate(lines):
        cv2.putText(tile, line, (8, 62 + 16 * i), font, 0.36, white, 1, cv2.LINE_AA)
    return tile
