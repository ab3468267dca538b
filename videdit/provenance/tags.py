"""Saying that a file was edited: tags in its container, and a JSON file beside it on request.

European law (AI Act, article 50) wants synthetic or manipulated footage of people to be marked, readable by machines.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

from videdit._version import __version__
from videdit.errors import MediaError
from videdit.media.source_identity import SourceIdentity, content_hash
from videdit.media.stills.xmp import SOURCE_TYPE
from videdit.storage.outputs import put_text

_MARK = "edited with videdit"


class Tagged(Protocol):
    """What of a job is told: a RenderJob is one."""

    @property
    def edit(self) -> str:
        """The edits, as the user wrote them."""

    @property
    def profile(self) -> str:
        """The name of the networks' profile."""

    def settings(self) -> dict[str, Any]:
        """All that decides what the output is, as JSON can hold it."""


def tags(job: Tagged) -> dict[str, str]:
    """Metadata for an edited file: one comment, the tag that every container holds and every program shows."""
    return {
        "comment": f"AI-generated content: faces {_MARK} {__version__} ({job.edit}; profile {job.profile}); "
        f"digitalSourceType {SOURCE_TYPE}"
    }


def is_edited(path: Path) -> bool:
    """True if the file says that videdit wrote it; False for what cannot be opened."""
    from videdit.media.probe import file_tags

    try:
        return any(_MARK in value for value in file_tags(path).values())
    except MediaError:
        return False


def sidecar_path(output: Path) -> Path:
    """ "in_smile.mp4" -> "in_smile.mp4.json"."""
    return output.with_name(output.name + ".json")


def write_sidecar(job: Tagged, source: Path, output: Path, result: dict[str, Any], replace: bool = False) -> Path:
    """Write what was done to `source` beside `output`, with the hashes of both. replace: a file that is there.

    Raises:
        MediaError: it cannot be written.
    """
    path = sidecar_path(output)
    values = {
        "tool": f"videdit {__version__}",
        "digital_source_type": SOURCE_TYPE,
        "source": {"name": source.name, "sha256": SourceIdentity.of(source).content()},
        "output": {"name": output.name, "sha256": content_hash(output)},
        "settings": job.settings(),
        "result": result,
    }
    try:
        put_text(path, json.dumps(values, indent=2) + "\n", replace)
    except OSError as error:
        raise MediaError(f"cannot write {path}: {error.strerror}") from None
    return path
