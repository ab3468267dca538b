"""A shot's plan: its segments, laid out once, so that any machine that sees the files can render any of them.

A plan is a folder, which appears when it is complete and can be moved as a whole::

    plan.json              what is rendered, and the segments (:class:`ShotPlan`)
    analysis/              who is in the clip (:mod:`videdit.tracks.analysis_store`): nobody looks again
    000000.segment         packets (:mod:`videdit.media.encode.segments`); of a file beside them 000000-matte.segment
    000000.done            JSON, written last: which plan the segment is of, and the hashes of its files

Whoever renders a segment works in a folder of his own and gives the files their names when they are complete, each in
one step that every shared file system knows. Two who render the same segment do the same work twice, and no harm.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from videdit import paths, weights
from videdit._version import __version__
from videdit.errors import MediaError, UsageError, VideditError
from videdit.jobs.clip_record import from_values
from videdit.jobs.plan import Clip
from videdit.jobs.segment_store import SegmentStart, Span
from videdit.media.source_identity import SourceIdentity
from videdit.storage import hashes
from videdit.storage.outputs import written_whole

PLAN, ANALYSIS, _DONE = "plan.json", "analysis", ".done"
LAYOUT = 1  # raised when plans mean something else


class PlanError(VideditError):
    """A plan, or what was rendered of it, is not what it should be."""


@dataclass(frozen=True)
class PlannedSegment:
    """One segment. Times are pts of the source, in seconds where that is said."""

    index: int
    pts: int  # its first frame
    scene_pts: int  # the first frame of that frame's shot
    scene: int  # the number of that shot, from 0
    frames: int
    faces: int  # to edit, summed over frames
    start: float  # seconds
    end: float  # seconds: where its last frame begins
    times: str  # hash of the pts of all its frames
    first: int  # pts: what is read begins here, `before` seconds earlier,
    last: int  # and ends here; both included
    before: float
    after: float
    keyframe: int | None  # pts: decoding begins at this key frame; None: the container does not say

    @property
    def place(self) -> SegmentStart:
        """The segment's beginning, as stages know it."""
        return SegmentStart(self.index, self.pts, self.scene_pts, self.scene)


@dataclass(frozen=True)
class ShotPlan:
    """What is rendered, by which version, and the segments of it."""

    clip_values: dict[str, Any]  # videdit.jobs.clip_record
    size: int  # of the source in bytes
    modified: int  # nanoseconds
    sha256: str  # of the source's bytes
    reach: float  # seconds before and after a frame that its pictures depend on
    crops: int | None  # how long a segment is at most
    frames_most: int | None
    frames: int
    faces: int
    segments: tuple[PlannedSegment, ...]
    versions: dict[str, Any]  # of videdit, its weights and the encoders

    @property
    def id(self) -> str:
        """A hash of the plan: a segment names the plan that it is of."""
        return hashlib.sha256(_json(asdict(self)).encode()).hexdigest()[:32]

    def clip(self) -> Clip:
        """The clip, as it was planned. Nothing is kept of it in a cache: machines would write to one folder.

        Raises:
            UsageError: this version does not know the job's words.
        """
        clip = from_values(self.clip_values)
        return replace(clip, job=clip.job.model_copy(update={"cache": False}))

    def span(self, index: int) -> Span:
        """What is read for a segment."""
        segment, rest = self.segments[index], self.segments[index + 1 : index + 2]
        return Span(segment.first, segment.last, rest[0].place if rest else None)


def versions() -> dict[str, Any]:
    """What has to be the same on every machine that renders a plan."""
    from videdit.media.encode.codecs import versions as codecs

    return {
        "videdit": __version__,
        "weights": hashes.sha256(paths.weights_dir() / weights.MANIFEST),
        "codecs": codecs(),
    }


def hash_of_times(times: Iterable[int]) -> str:
    """A hash of the pts of frames, in order."""
    return hashlib.sha256(",".join(map(str, times)).encode()).hexdigest()[:32]


def write_plan(folder: Path, plan: ShotPlan) -> None:
    """Write plan.json into a folder that nobody else knows yet. Raises OSError: the disk is full, ..."""
    with (folder / PLAN).open("w", encoding="utf-8") as file:
        file.write(_json({"layout": LAYOUT, "id": plan.id} | asdict(plan), indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_plan(folder: Path) -> ShotPlan:
    """The plan in a folder.

    Raises:
        UsageError: there is none.
        PlanError: it is damaged, or of another version.
    """
    path = folder / PLAN
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{folder} is no plan; `videdit plan CLIP --edit ... -o {folder}` makes one") from None
    except OSError as error:
        raise PlanError(f"cannot read the plan {folder}: {error.strerror}") from None
    except ValueError:
        raise PlanError(f"the plan {folder} is damaged: {PLAN} is cut off or no JSON; plan again") from None
    try:
        if values["layout"] != LAYOUT:
            raise PlanError(f"{folder} was planned by another version of videdit; plan again")
        named = {field.name: values[field.name] for field in fields(ShotPlan)}
        plan = ShotPlan(**named | {"segments": tuple(PlannedSegment(**segment) for segment in values["segments"])})
        whole = plan.id == values["id"]
    except (KeyError, TypeError) as error:
        raise PlanError(f"the plan {folder} is damaged ({type(error).__name__}: {error}); plan again") from None
    if not whole:
        raise PlanError(f"the plan {folder} is damaged: {PLAN} is not as it was written; plan again")
    return plan


def check_source(plan: ShotPlan, source: Path, thorough: bool = False) -> None:
    """Raises PlanError: the source is not the one that was planned. thorough: by its bytes, whatever its time says."""
    try:
        now = SourceIdentity.of(source)
        if not thorough and (now.size, now.modified) == (plan.size, plan.modified):
            return
        if now.size == plan.size and now.content(fresh=True) == plan.sha256:  # a copy, say
            return
    except MediaError as error:
        raise PlanError(str(error)) from None
    except OSError as error:
        raise PlanError(f"cannot read {source}: {error.strerror}") from None
    raise PlanError(f"{source} has changed since it was planned; plan again")


def check_versions(plan: ShotPlan) -> None:
    """Raises PlanError: this machine would render other frames, or packets, than the one that planned."""
    here = versions()
    for name, planned in plan.versions.items():
        if here.get(name) != planned:
            what = f"videdit {planned}, this is {here['videdit']}" if name == "videdit" else f"other {name}"
            raise PlanError(f"the plan was made with {what}; use the same installation on every machine, or plan again")


@dataclass(frozen=True)
class SegmentReport:
    """What is known of a finished segment: NNNNNN.done."""

    plan: str  # the plan's id
    index: int
    files: dict[str, str]  # name -> SHA-256 of its bytes
    frames: int
    faces: int  # that were edited
    times: str
    seconds: float  # it took
    host: str


def done_path(folder: Path, index: int) -> Path:
    """The file that says that a segment is finished."""
    return folder / f"{index:06d}{_DONE}"


def read_report(folder: Path, plan: ShotPlan, index: int) -> SegmentReport | None:
    """What is known of a segment; None where it is not finished, or is of another plan."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        report = SegmentReport(**json.loads(done_path(folder, index).read_text(encoding="utf-8")))
        if report.plan == plan.id and report.index == index:
            return report
    return None


def damage(folder: Path, plan: ShotPlan, report: SegmentReport) -> str | None:
    """What is wrong with a finished segment's files, in words; every byte of them is read."""
    planned = plan.segments[report.index]
    if report.frames != planned.frames:
        return f"has {report.frames} frames in place of {planned.frames}"
    if report.times != planned.times:
        return "has frames at other times"
    for name, digest in report.files.items():
        try:
            if Path(name).name != name or hashes.sha256(folder / name) != digest:
                return f"is damaged ({name} is not as it was written)"
        except OSError as error:
            return f"cannot be read ({name}: {error.strerror})"
    return None


def missing(folder: Path, plan: ShotPlan, thorough: bool = True) -> dict[int, str]:
    """The segments of a plan that cannot be joined, each with the reason. thorough: every byte is read."""
    wrong = {}
    for segment in plan.segments:
        report = read_report(folder, plan, segment.index)
        if report is None:
            there = done_path(folder, segment.index).exists()
            wrong[segment.index] = "is damaged, or of another plan" if there else "is missing"
        elif thorough and (said := damage(folder, plan, report)):
            wrong[segment.index] = said
    return wrong


def write_report(folder: Path, report: SegmentReport) -> None:
    """Say that a segment is finished. Raises OSError: the disk is full, ..."""
    with written_whole(done_path(folder, report.index)) as written, written.open("w", encoding="utf-8") as file:
        file.write(_json(asdict(report)))
        file.flush()
        os.fsync(file.fileno())


def _json(values: dict[str, Any], indent: int | None = None) -> str:
    return json.dumps(values, sort_keys=indent is None, indent=indent)
