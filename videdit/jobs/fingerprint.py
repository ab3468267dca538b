"""A hash of all that decides how an output looks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from videdit import paths, weights
from videdit._version import __version__
from videdit.jobs.render_job import RenderJob
from videdit.media.source_identity import SourceIdentity
from videdit.storage import hashes


def fingerprint(source: Path, job: RenderJob) -> str:
    """A hash of all that decides how the output looks: source, settings, directions of the user's, version, weights."""
    from videdit.hfgi.profile import load_profile
    from videdit.restoration.policy import choose

    restorer = choose(job.restore)
    own = [edit.info for edit in job.edits]
    parts = {
        "source": stamp(source),
        "settings": job.settings(),
        "directions": [[stamp(info.source), repr(info.component)] for info in own if info.source],
        "restorer": [restorer.kind, restorer.file and stamp(restorer.file)],
        "version": __version__,
        "weights": hashes.sha256(paths.weights_dir() / weights.MANIFEST),
        "checkpoint": [stamp(paths.expanded(path)) for path in job.checkpoint],
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


def stamp(path: Path) -> list[Any] | None:
    """The identity of a file or of numbered pictures as plain values; None where there is none."""
    found = SourceIdentity.known(path)
    return found.values if found else None
