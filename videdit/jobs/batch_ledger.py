"""What a batch has done already: one small hidden JSON file in the output folder.

An entry says from which source (size, modification time), with which settings and to which bytes on disk an output
was made. A clip counts as done only while all of that still holds, so that changed footage, changed settings, newer
weights or a damaged output are rendered anew. The file is replaced atomically after every clip: a crash loses nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from videdit.jobs.fingerprint import fingerprint, stamp
from videdit.jobs.render_job import RenderJob
from videdit.storage.outputs import written_whole

NAME = ".videdit.json"
NO_FACE = "no face"


class BatchLedger:
    """The record of `folder`. Reading a missing or damaged file gives an empty one: work is repeated, never lost."""

    def __init__(self, folder: Path) -> None:
        """folder: of the outputs. Its file is read once, here."""
        self.folder = folder
        self._entries = self._read()

    def done(self, source: Path, output: Path, job: RenderJob) -> str | None:
        """ "done" or "no face" if `output` needs no work, else None."""
        entry = self._entries.get(self._key(output))
        if not entry or entry.get("made of") != fingerprint(source, job):
            return None
        if entry.get("result") == NO_FACE:
            return NO_FACE
        return "done" if stamp(output) is not None and entry.get("output") == stamp(output) else None

    def owns(self, path: Path) -> bool:
        """True if `path` is an output that a batch wrote here."""
        entry = self._entries.get(self._key(path))
        return entry is not None and entry.get("result") != NO_FACE and entry.get("output") == stamp(path)

    def record(self, source: Path, output: Path, job: RenderJob, *, result: str = "done") -> None:
        """Remember that `output` was made of `source` (or that `source` holds no face)."""
        entry: dict[str, Any] = {"source": str(source), "made of": fingerprint(source, job), "result": result}
        if result != NO_FACE:
            entry["output"] = stamp(output)
        self._entries = self._read()  # another run may have written to it meanwhile
        self._entries[self._key(output)] = entry
        with written_whole(self.folder / NAME) as written:
            written.write_text(json.dumps({"version": 1, "outputs": self._entries}, indent=1), encoding="utf-8")

    def _key(self, output: Path) -> str:
        return Path(os.path.relpath(output, self.folder)).as_posix()

    def _read(self) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError):
            data = json.loads((self.folder / NAME).read_text(encoding="utf-8"))
            if isinstance(data, dict) and data.get("version") == 1 and isinstance(data.get("outputs"), dict):
                return data["outputs"]
        return {}
