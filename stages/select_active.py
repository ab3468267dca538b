"""schedule: leaves out the faces of frames in which no edit is at work."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from videdit.datatypes import Frame
from videdit.edits import Timeline


class SelectActive:
    """Hands on frames with the faces that are edited then: in the chosen shots, while a strength is not 0.

    ``passed`` counts the faces left out, ``begins`` says when each shot began, seconds by number (the first is 1).
    """

    name = "schedule"

    def __init__(
        self, timeline: Timeline, scenes: Collection[int] = (), first_scene: int = 0, at_rest: bool = False
    ) -> None:
        """scenes: numbers of the shots, () for all. first_scene: shots before the first frame that comes.

        at_rest: keep faces also while all strengths are 0 (something else is done to them).
        """
        self.timeline, self.scenes, self.first_scene, self.at_rest = timeline, scenes, first_scene, at_rest
        self.passed = 0
        self.begins: dict[int, float] = {}

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames in which ``faces`` are those of the chosen shots whose track gets a strength that is not 0."""
        for frame in frames:
            scene = 1 + self.first_scene + frame.scene
            self.begins.setdefault(scene, frame.time)
            kept = tuple(face for face in frame.faces if self._edited(scene, face.track, frame.time))
            self.passed += len(frame.faces) - len(kept)
            yield replace(frame, faces=kept) if len(kept) < len(frame.faces) else frame

    def _edited(self, scene: int, track: int, time: float) -> bool:
        if self.scenes and scene not in self.scenes:
            return False
        return self.at_rest or self.timeline.active(track, time)

    def words(self) -> list[str]:
        """What the user should hear after the last frame: chosen shots that are not there."""
        missing = [str(scene) for scene in self.scenes if self.begins and scene > max(self.begins)]
        if not missing:
            return []
        begins = ", ".join(f"{scene} at {time:.2f} s" for scene, time in sorted(self.begins.items()))
        return [f"there is no scene {', '.join(missing)}: {begins}"]
