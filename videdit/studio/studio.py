"""What all pages of a studio share: one session, the clips, the projects, the looks, the queue."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from videdit.errors import UsageError
from videdit.geometry.warp import crop
from videdit.jobs.plan import Clip, make_plan
from videdit.provenance.tags import is_edited
from videdit.rendering.estimate import Estimator
from videdit.rendering.progress import Moment
from videdit.rendering.review import Hardship
from videdit.rendering.session import Session, Tier
from videdit.rendering.session_answers import ClipSummary, Preview
from videdit.studio.clips import Clips, told_times
from videdit.studio.document import Document
from videdit.studio.events import Events
from videdit.studio.findings import Findings, OnProgress
from videdit.studio.projects import ENDINGS, Projects, project_file, source_of
from videdit.studio.queue import RenderQueue
from videdit.studio.renders import Renders
from videdit.studio.roots import Roots
from videdit.studio.state import State

TILE = 128  # px of a face in a strip of strengths


class Studio:
    """One a process."""

    def __init__(
        self, folders: Iterable[Path], state: State, opened: Path | None = None, session: Session | None = None
    ) -> None:
        """folders: what pages may see. opened: the clip that the first page shows. session: of whoever closes it."""
        self.roots = Roots(folders)
        self.state, self.events = state, Events()
        self.session = session or Session()
        self.clips = Clips(self.roots)
        self.projects = Projects(self.roots)
        self.queue = RenderQueue(state)
        self.looks: Findings[ClipSummary] = Findings("look", self._look, self._told("look"))
        self.reviews: Findings[list[Hardship]] = Findings("review", self._review, self._told("review"))
        self.renders = Renders(self.session, self.queue, lambda number: self.events.tell("queue", id=number))
        self.opened = None if opened is None else self.roots.name(opened.resolve())
        self._estimator, self._estimating = Estimator(), threading.Lock()

    def begin(self) -> None:
        """Start to work. In the loop in which pages are answered."""
        self.events.begin()
        self.looks.start()
        self.reviews.start()
        self.renders.start()

    def close(self) -> None:
        """Stop all work. The session and the state are closed by whoever opened them."""
        self.looks.close()
        self.reviews.close()
        self.renders.close()

    def _told(self, kind: str) -> Callable[[str, dict[str, Any]], None]:
        return lambda clip, stands: self.events.tell(kind, clip=clip, **stands)

    def _look(self, path: Path, tell: OnProgress, cancel: threading.Event) -> ClipSummary:
        def progress(moment: Moment) -> None:
            tell({"done": moment.done, "frames": moment.frames, "share": moment.share})

        return self.session.look(path, progress=progress, cancel=cancel)

    def _review(self, path: Path, tell: OnProgress, cancel: threading.Event) -> list[Hardship]:
        return self.session.review(path, progress=lambda share: tell({"share": share}), cancel=cancel)

    def warm(self) -> None:
        """Load what the first preview takes, so that nobody waits for it."""
        self.session.warm({"input": "none", "edit": "smile"}, 256)

    def open(self, name: str) -> dict[str, Any]:
        """A clip, or that of a job file, with its project and when its frames are shown, for a page.

        Raises:
            UsageError: it is not in the folders, or a job file that a page cannot show.
            MediaError: it cannot be read.
        """
        path, other = self.roots.path(name), None
        if path.name.endswith(ENDINGS):
            other = path
            source = self.roots.name(source_of(path).resolve())
            if source is None:
                raise UsageError(f"{path.name} is about a clip that is not in the folders of this studio")
            name, path = source, self.roots.path(source)
        info = self.clips.info(path)
        answer = {
            "clip": self.clips.described(name),
            "times": told_times(self.clips.times(path)),
            "project": self.projects.read(path, info),
        }
        if other is not None and other.resolve() != project_file(path).resolve():
            answer["opened"] = {"name": other.name, "document": self.projects.document(other, path, info)}
        return answer

    def preview(
        self,
        path: Path,
        document: Document,
        time: float,
        tier: str,
        viewer: str,
        side: int | None,
        cancel: threading.Event,
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """One edited frame [H, W, 3] uint8, and what is to be said. Raises what :meth:`Session.preview` raises."""
        job = document.job(path)
        if document.rests:
            picture, begins = self.clips.frame(path, time, side)
            return picture, {"time": begins, "tier": tier, "seconds": 0.0, "faces": []}
        quick: Tier = "draft" if tier == "draft" else "exact"
        found = self.session.preview(job, time, tier=quick, viewer=viewer, side=side, cancel=cancel)
        return found.after, _told(found)

    def strip(
        self,
        path: Path,
        document: Document,
        edit: str,
        who: str,
        strengths: list[float],
        time: float,
        viewer: str,
        cancel: threading.Event,
    ) -> np.ndarray:
        """One face at several strengths of an edit, side by side: [TILE, n TILE, 3] uint8 RGB.

        Raises UsageError: nobody is edited in the frame.
        """
        tiles = []
        for strength in strengths:
            targets = [target.model_dump() for target in document.targets if target.who != who]
            own: dict = next((target.model_dump() for target in document.targets if target.who == who), {"edits": {}})
            targets.append({"who": who, "edits": {**own["edits"], edit: {"strength": strength or 1e-6}}})
            asked = Document.model_validate({"targets": targets, "settings": document.settings})
            found = self.session.preview(asked.job(path), time, tier="draft", viewer=("strip", viewer), cancel=cancel)
            if not found.faces:
                raise UsageError("nobody is edited in this frame; go to one with the face")
            tiles.append(_tile(found))
        return np.hstack(tiles)

    def plan(self, path: Path, document: Document, replace: bool) -> Clip:
        """The render of a document. Raises UsageError: something is in the way."""
        clip = make_plan([document.job(path, overwrite=replace)]).clips[0]
        for file in clip.files:
            self.roots.writable(file)
        return clip

    def render(self, path: Path, document: Document, replace: bool) -> int:
        """Put the render of a document into the queue. Returns its number.

        Raises:
            UsageError: something is in the way; what was not made by videdit is never replaced.
        """
        clip = self.plan(path, document, replace)
        for file in (clip.output, clip.alpha):
            if replace and file is not None and file.exists() and not is_edited(file):
                raise UsageError(f"{file.name} was not made by videdit, and is not replaced; choose another name")
        number = self.queue.add(clip)
        self.renders.wake()
        self.events.tell("queue", id=number)
        return number

    def estimate(self, clip: Clip) -> str:
        """About how long a render takes, in words. Raises what rendering it would raise."""
        with self._estimating:
            return str(self._estimator(clip))

    def review(self, clip: str, path: Path, document: Document) -> dict[str, Any]:
        """Moments to look at before a render: of those who are edited, or of everybody, and how their search stands.

        What the look knows is told at once, faces that are hidden or blurred when the clip was gone through for them.
        """
        tracks = {int(target.who) for target in document.targets if target.who.isdigit() and target.edits}
        words = any(target.edits for target in document.targets if not target.who.isdigit())
        stands = self.reviews.ask(clip, path)
        found = self.reviews.known(clip, path)
        moments = self.session.review(path, pictures=False) if found is None else found
        return {
            **stands,
            "moments": [
                {"track": moment.track, "first": moment.first, "last": moment.last, "why": moment.why}
                for moment in moments
                if words or not tracks or moment.track in tracks
            ],
        }

    def faces_at(self, clip: str, path: Path, time: float) -> list[dict[str, Any]]:
        """Where the faces of a frame are, as parts of the picture; nothing before the look is done."""
        if self.looks.known(clip, path) is None:
            return []
        return [
            {"track": box.track, "box": [round(v, 5) for v in (box.left, box.top, box.right, box.bottom)]}
            for box in self.session.boxes(path, time)
        ]

    def people(self, clip: str) -> dict[str, Any]:
        """Who is in a clip. Raises UsageError: nobody has looked yet."""
        path = self.roots.path(clip)
        look = self.looks.known(clip, path)
        if look is None:
            raise UsageError("nobody has looked at this clip yet")
        return {
            "shots": look.shots,
            # What was guessed of a large file is known now.
            "times": told_times(look.times.tolist()) if self.clips.are_guessed(path) else None,
            "names": self.state.names(clip),
            "faces": [
                {
                    "track": face.track,
                    "shot": face.shot,
                    "frames": face.frames,
                    "spans": face.spans,
                    "size": round(face.size),
                    "yaw": [round(value) for value in face.yaw],
                    "portrait": face.portrait is not None,
                }
                for face in look.faces
            ],
        }

    def portrait(self, clip: str, track: int) -> np.ndarray:
        """The best picture [128, 128, 3] uint8 of a face. Raises UsageError: there is none."""
        look = self.looks.known(clip, self.roots.path(clip))
        found = [face.portrait for face in look.faces if face.track == track] if look else []
        if not found or found[0] is None:
            raise UsageError("there is no picture of that face")
        return found[0]

    def job_row(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row of the queue for a page."""
        output, source = Path(row["output"]), Path(row["source"])
        live = self.renders.moment(row["id"]) if row["state"] == "running" else None
        share = live.share if live else None
        if live is None and row["frames"]:
            share = row["frames_done"] / row["frames"]
        return {
            "id": row["id"],
            "state": row["state"],
            "name": output.name,
            "clip": self.roots.name(source),
            "file": self.roots.name(output) if row["state"] == "done" and output.exists() else None,
            "phase": live.phase if live else "render",
            "done": live.done if live else row["frames_done"],
            "frames": live.frames if live else row["frames"],
            "share": share,
            "left": row["seconds_left"],
            "started": row["started"],
            "error": row["error"] or "",
        }

    def log_of(self, number: int) -> str:
        """What is known of a job, in lines."""
        return self.queue.log(number)


def _told(found: Preview) -> dict[str, Any]:
    height, width = found.after.shape[:2]
    faces = [
        {
            "track": face.track,
            "confidence": round(face.confidence, 3),
            "size": face.size,
            "outline": [[round(x / width, 5), round(y / height, 5)] for x, y in face.outline.tolist()],
        }
        for face in found.faces
    ]
    return {"time": found.time, "tier": found.tier, "seconds": round(found.seconds, 3), "faces": faces}


def _tile(found: Preview) -> np.ndarray:
    """The face of a preview, upright, [TILE, TILE, 3]."""
    face = max(found.faces, key=lambda face: face.size)
    corners = np.float32([(0, 0), (TILE, 0), (TILE, TILE)])  # type: ignore[arg-type]
    to_picture = cv2.getAffineTransform(corners, face.outline[:3].astype(np.float32))
    return crop(found.after, to_picture, TILE, cv2.INTER_LINEAR)
