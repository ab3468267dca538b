"""A hash of all that decides how an output looks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from videdit import paths, weights
from videdit._version import __version__
from videdit.edits.edit_info import EditInfo
from videdit.jobs.render_job import RenderJob
from videdit.media.source_identity import SourceIdentity
from videdit.storage import hashes
from videdit.tracks.selection import is_picture


def fingerprint(source: Path, job: RenderJob) -> str:
    """A hash of all that decides how the output looks.

    That is the source, the settings, what the recipes of all its edits and its profile say, pictures of the people who
    are edited, files of the user's own, the version and the weights.
    """
    from videdit.hfgi.profile import load_profile
    from videdit.restoration.policy import choose

    restorer = choose(job.restore)
    profile = load_profile(job.profile).model_dump()
    parts = {
        "source": stamp(source),
        "settings": job.settings(),
        "edits": [_recipe(edit.info) for edit in job.all_edits],
        "people": [stamp(Path(who)) for who in map(str, (job.faces, *job.per_face)) if is_picture(who)],
        "restorer": [restorer.kind, restorer.file and stamp(restorer.file)],
        "version": __version__,
        "weights": hashes.sha256(paths.weights_dir() / weights.MANIFEST),
        "checkpoint": [stamp(paths.expanded(path)) for path in job.checkpoint],
        "profile": profile,
        "published": weights.fingerprint(_words(profile)),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _recipe(info: EditInfo) -> list[Any]:
    """What an edit does, without the words and figures that are for people."""
    does = replace(info, description="", unit="", experimental="", attribute_leakage=(), identity=None, source=None)
    does = replace(does, correlation=None, mahalanobis=None)
    return [repr(does), info.source and stamp(info.source)]


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
