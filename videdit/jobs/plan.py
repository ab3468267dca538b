"""From words to files: which inputs there are, where each output goes, and what stands in the way.

What a file is, its first bytes say, and its name only where these do not. No media file is opened here, except to ask
one whose name looks like one of our outputs whether it is one.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from videdit import paths
from videdit.errors import UsageError
from videdit.jobs.batch_ledger import NO_FACE, BatchLedger
from videdit.jobs.obstacles import Obstacle, at_crops, at_file
from videdit.jobs.output_names import EXR, IMAGES, VIDEOS, alpha_path, kind_of_source, output_path, state_folder
from videdit.jobs.render_job import RenderJob
from videdit.jobs.segment_store import handing_over
from videdit.media import image_sequence
from videdit.media.image_sequence import is_sequence
from videdit.media.kinds import kind_of
from videdit.paths import real
from videdit.provenance.tags import sidecar_path
from videdit.storage.outputs import NAME_BYTES
from videdit.tracks.selection import is_picture

NO_MEDIA = "no video or picture"
OURS = "an output of videdit"
_A_CLIP = 8  # pictures whose numbers follow each other
_NAMED = 8  # of the files that are passed over


@dataclass(frozen=True)
class Clip:
    """One input and its output. ``status`` is "render", "done", "no face" or the reason why it cannot be rendered."""

    job: RenderJob
    source: Path
    output: Path
    alpha: Path | None = None  # where the edit's matte goes
    compare: Path | None = None  # where source and edit in one picture go
    debug: Path | None = None  # where the edit with all that is known of it goes
    crops: Path | None = None  # the folder into which crops and their results go
    state: Path | None = None  # the folder whose state file remembers this clip
    status: str = "render"
    replace: bool = False  # files that are there; else they are left as they are, whenever they came to be

    @property
    def files(self) -> list[Path]:
        """All that is written, the output first."""
        sidecar = sidecar_path(self.output) if self.job.sidecar else None
        return list(filter(None, (self.output, self.alpha, self.compare, self.debug, sidecar, self.crops)))

    def obstacle(self) -> Obstacle | None:
        """What stands in the way of the files now. Raises UsageError: one of them is the source."""
        if self.crops and (found := at_crops(self.crops, self.replace)):
            return found
        there = (at_file(self.source, file, self.replace) for file in self.files if file != self.crops)
        return next(filter(None, there), None)

    @property
    def is_image(self) -> bool:
        """A single still, not numbered pictures. Reads the first bytes of the source."""
        return not is_sequence(self.source) and kind_of_source(self.source).form == "image"


@dataclass(frozen=True)
class Plan:
    """All clips of a run in order, and the files passed over with the reason."""

    clips: list[Clip]
    passed_over: list[tuple[Path, str]] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)

    @property
    def left_out(self) -> str | None:
        """How many files of folders are not read, and which, in words."""
        names = [path.name for path, reason in self.passed_over if reason == NO_MEDIA]
        refused = [f"{path.name} {reason}" for path, reason in self.passed_over if reason not in (NO_MEDIA, OURS)]
        told = []
        if names:
            some = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
            told.append(f"{len(names)} {'file is' if len(names) == 1 else 'files are'} {NO_MEDIA}: {some}")
        return "; ".join([*told, *refused[:_NAMED]]) or None

    @property
    def batch(self) -> bool:
        """A batch goes on after a failed clip; a single file's failure is the run's own."""
        return any(clip.state is not None for clip in self.clips) or len(self.clips) != 1


def make_plan(jobs: Iterable[RenderJob]) -> Plan:
    """Find every input of `jobs` and name its output.

    Raises:
        UsageError: an input that does not exist, an output that is the input, two inputs with one output, an output
            that cannot hold the input, or (for a single file) an output that exists without ``overwrite``.
    """
    plan = Plan([])
    for job in jobs:
        _plan_job(job, plan)
    taken: dict[Path, Path] = {}
    sources = {real(clip.source) for clip in plan.clips}
    for source, file in [(clip.source, file) for clip in plan.clips for file in clip.files]:
        target = real(file)
        if target in taken:
            raise UsageError(
                f"{taken[target]} and {source} would both be written to {file}; "
                "give -o a template with {stem} and {ext}, or render them one at a time"
            )
        if target in sources:
            raise UsageError(f"the output {file} is also an input; choose another with -o")
        taken[target] = source
    if not plan.batch and plan.clips[0].status != "render":
        raise UsageError(plan.clips[0].status)
    return plan


def _plan_job(job: RenderJob, plan: Plan) -> None:
    found: dict[Path, tuple[Path, Path]] = {}  # resolved -> (path, the folder its tree starts at)
    named: set[Path] = set()  # what the user named one by one is rendered whatever it is
    folders = 0
    for words in job.input:
        path = paths.expanded(words)
        if path.is_dir():
            folders += 1
            for file in _walk(path):
                if _is_wanted(file, plan):
                    found.setdefault(real(file), (file, path))
            plan.hints.extend(_numbered_pictures([file for file, top in found.values() if top == path]))
        elif path.exists():
            found.setdefault(real(path), (path, path.parent))
            named.add(real(path))
        elif is_sequence(path):
            image_sequence.files(path)
            found.setdefault(real(path), (path, path.parent))
            named.add(real(path))
        elif glob.has_magic(words):
            folders += 1
            matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True))
            if not matches:
                raise UsageError(f"no file matches {words}")
            for file in matches:
                if file.is_file() and _is_wanted(file, plan):
                    found.setdefault(real(file), (file, file.parent))
        else:
            raise UsageError(f"the input {words} does not exist")
    batch = folders > 0 or len(found) > 1
    if job.fps is not None and found and not any(is_sequence(path) for path, _ in found.values()):
        raise UsageError("--fps is the rate of numbered pictures; a clip keeps its own times (leave it out)")
    for face in filter(is_picture, (job.faces, *job.per_face)):
        if not Path(str(face)).exists():
            raise UsageError(f"the picture {face} of a face to edit does not exist")
    if not found:
        raise UsageError(f"no video or picture in {', '.join(job.input)}")
    if not batch:
        ((source, _),) = found.values()
        plan.clips.append(_clip(job, source, output_path(source, job)))
        return

    states: dict[Path, BatchLedger] = {}
    for resolved, (source, top) in found.items():
        output = output_path(source, job, source.parent.relative_to(top), batch=True)
        home = state_folder(job, top)
        state = states.setdefault(home, BatchLedger(home))
        beside = states.setdefault(top, BatchLedger(top))
        if resolved not in named and (beside.owns(source) or _is_ours(source)):
            plan.passed_over.append((source, OURS))
            continue
        status = None if job.overwrite else state.done(source, output, job)
        if status == NO_FACE and job.keep_unedited:
            status = None
        plan.clips.append(_clip(job, source, output, home, status))
    if not plan.clips:
        raise UsageError(f"nothing to edit in {', '.join(job.input)}: all files there are outputs of videdit")


def _clip(job: RenderJob, source: Path, output: Path, home: Path | None = None, status: str | None = None) -> Clip:
    """A clip with the files that go beside its output; home: the state's folder, of one of many."""
    if (output.suffix.lower() == EXR or is_sequence(output)) and (job.compare or job.debug_video):
        what = "is EXR, which takes" if output.suffix.lower() == EXR else "are pictures, which take"
        raise UsageError(f"{output} {what} no comparison or debug video; use --preview, or the matte")
    if is_sequence(output) and job.sign:
        raise UsageError(f"{output} are many pictures, which --sign does not sign; write a clip, or leave it out")
    alpha = alpha_path(source, output, job, batch=home is not None)
    compare = output.with_name(f"{output.stem}_compare{output.suffix}") if job.compare else None
    debug = output.with_name(f"{output.stem}_debug{output.suffix}") if job.debug_video else None
    crops = paths.expanded(job.crops_out) / output.stem if job.crops_out else None
    may_replace = job.overwrite or handing_over(output, source, job)
    clip = Clip(job, source, output, alpha, compare, debug, crops, home, replace=may_replace)
    for file in clip.files:
        if len(os.fsencode(file.name)) > NAME_BYTES:
            raise UsageError(f"{file.name} is longer than a file's name can be; choose a shorter one with -o")
    return replace(clip, status=status or str(clip.obstacle() or "render"))


def _is_wanted(file: Path, plan: Plan) -> bool:
    """Whether a file of a folder is a video or a picture; if not, it is noted as passed over."""
    if file.suffix == ".json" and file.with_suffix("").exists():  # what --sidecar writes
        plan.passed_over.append((file, OURS))
        return False
    kind = kind_of(file)
    if kind is not None and kind.refused:
        plan.passed_over.append((file, kind.refused))
        return False
    if (kind is not None and kind.form != "sound") or (kind is None and file.suffix.lower() in VIDEOS | IMAGES):
        return True
    plan.passed_over.append((file, NO_MEDIA))
    return False


def _numbered_pictures(files: list[Path]) -> list[str]:
    """Where a folder's pictures look like the frames of a clip: how to say so."""
    groups: dict[Path, list[int]] = {}
    for file in files:
        match = re.fullmatch(r"(.*?)(\d{2,9})(\.\w+)", file.name)
        if match and match[3].lower() in IMAGES:
            groups.setdefault(file.with_name(f"{match[1]}%0{len(match[2])}d{match[3]}"), []).append(int(match[2]))
    told = []
    for pattern, numbers in groups.items():
        if len(numbers) >= _A_CLIP and max(numbers) - min(numbers) == len(numbers) - 1:
            told.append(
                f"{pattern.parent} holds {len(numbers)} numbered pictures, which are edited one by one; "
                f"if they are the frames of a clip, give {pattern} in place of the folder"
            )
    return told


def _walk(folder: Path) -> Iterator[Path]:
    """All files below `folder` in a stable order; hidden ones and hidden folders are left alone."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and (Path(root) / name).is_file():
                yield Path(root) / name


def _is_ours(path: Path) -> bool:
    """True for an edited file by its tag; only a name that could be one of ours is worth opening."""
    if "_" not in path.stem:
        return False
    from videdit.provenance.tags import is_edited

    return is_edited(path)
