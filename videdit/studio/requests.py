"""What pages ask, each with its bounds: anything beyond them is refused before it is looked at."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from videdit.studio.answers import Ask

Name = Annotated[str, Field(max_length=4096)]
Time = Annotated[float, Field(ge=0, le=86400)]
Side = Annotated[int | None, Field(ge=64, le=8192)]
Words = dict[str, Any]


class OfClip(Ask):
    """About a clip."""

    clip: Name


class OfFolder(Ask):
    """About a folder; "": all of them."""

    folder: Name = ""


class OfFrame(OfClip):
    """About a frame."""

    time: Time = 0.0
    side: Side = None


class OfFace(OfClip):
    """About a face."""

    track: Annotated[int, Field(ge=0, le=999_999)]


class Naming(OfFace):
    """A name for a face."""

    name: Annotated[str, Field(max_length=60)]


class OfDocument(OfClip):
    """About a job."""

    document: Words


class Previewing(OfDocument):
    """A preview."""

    time: Time
    tier: Literal["draft", "exact"]
    viewer: Annotated[str, Field(min_length=1, max_length=64)]
    side: Side = None


class Strip(OfDocument):
    """Some strengths of an edit."""

    time: Time
    edit: Annotated[str, Field(max_length=200)]
    who: Annotated[str, Field(max_length=10)]
    strengths: Annotated[list[float], Field(min_length=1, max_length=9)]
    viewer: Annotated[str, Field(max_length=64)] = ""


class Saving(OfDocument):
    """A project."""

    version: Annotated[str, Field(max_length=64)]
    viewer: Annotated[str, Field(max_length=64)] = ""


class RenderRequest(OfDocument):
    """A render."""

    replace: bool = False  # a file of the output's name


class Action(Ask):
    """Something to do with a job of the queue."""

    action: Literal["stop", "retry", "remove", "up", "down"]


class Pausing(Ask):
    """The queue is paused, or goes on."""

    paused: bool
