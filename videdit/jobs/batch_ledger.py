"""What a batch has done already: one small hidden JSON file in the output folder.

An entry says from which source (size, modification time), with which settings and to which bytes on disk an output
was made. A clip counts as done only while all of that still holds, so that changed footage, changed settings, newer
weights or a damaged output are rendered anew. The file is replaced atomically after every clip: a crash loses nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from videdit import paths, weights
from videdit._version import __version__
from videdit.jobs.render_job import RenderJob
from videdit.media.image_sequence import existing, is_sequence
from videdit.storage import hashes

NAME = ".videdit.json"
NO_FACE = "no face"


class State:
    """The record of `folder`. Reading a missing or damaged file gives an empty one: work is repeated, never lost."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._entries = self._read()

    def done(self, source: Path, output: Path, job: RenderJob) -> str | None:
        """ "done" or "no face" if `output` needs no work, else None."""
        entry = self._entries.get(self._key(output))
        if not entry or entry.get("made of") != fingerprint(source, job):
            return None
        if entry.get("result") == NO_FACE:
            return NO_FACE
        return "done" if _stamp(output) is not None and entry.get("output") == _stamp(output) else None

    def owns(self, path: Path) -> bool:
        """True if `path` is an output that a batch wrote here."""
        entry = self._entries.get(self._key(path))
        return entry is not None and entry.get("result") != NO_FACE and entry.get("output") == _stamp(path)

    def record(self, source: Path, output: Path, job: RenderJob, *, result: str = "done") -> None:
        """Remember that `output` was made of `source` (or that `source` holds no face)."""
        entry: dict[str, Any] = {"source": str(source), "made of": fingerprint(source, job), "result": result}
        if result != NO_FACE:
            entry["output"] = _stamp(output)
        self._entries = self._read()  # another run may have written to it meanwhile
        self._entries[self._key(output)] = entry
        path = self.folder / NAME
        temporary = path.with_name(f"{NAME}.{os.getpid()}")
        try:
            temporary.write_text(json.dumps({"version": 1, "outputs": self._entries}, indent=1), encoding="utf-8")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def _key(self, output: Path) -> str:
        return Path(os.path.relpath(output, self.folder)).as_posix()

    def _read(self) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError):
            data = json.loads((self.folder / NAME).read_text(encoding="utf-8"))
            if isinstance(data, dict) and data.get("version") == 1 and isinstance(data.get("outputs"), dict):
                return data["outputs"]
        return {}


def fingerprint(source: Path, job: RenderJob) -> str:
    """A hash of all that decides how the output looks: source, settings, directions of the user's, version, weights."""
    from videdit.edits import parse_edits
    from videdit.edits.parse import find
    from videdit.hfgi.profile import load_profile
    from videdit.restoration.policy import choose

    restorer = choose(job.restore)
    own = [info for edit in parse_edits(job.edit) if (info := find(edit.name)).source is not None]
    parts = {
        "source": _stamp(source),
        "settings": job.settings(),
        "directions": [[_stamp(info.source), repr(info.component)] for info in own if info.source],
        "restorer": [restorer.kind, restorer.file and _stamp(restorer.file)],
        "version": __version__,
        "weights": hashes.sha256(paths.weights_dir() / weights.MANIFEST),
        "checkpoint": [_stamp(paths.expanded(path)) for path in job.checkpoint],
        "published": weights.fingerprint(_words(load_profile(job.profile).model_dump())),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _words(value: Any) -> Iterator[str]:
    """Every string in lists and dicts: a profile's among them are the names of its weights."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _words(item)


def _stamp(path: Path) -> list[Any] | None:
    """Size and time of a file; of numbered pictures, those of each."""
    try:
        if is_sequence(path):
            return [_stamp(file) for file in existing(path).values()] or None
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]
