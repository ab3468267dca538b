"""A hash of what a clip or a sequence of pictures holds."""

from __future__ import annotations

import hashlib
from pathlib import Path

from videdit.media.image_sequence import files, is_sequence
from videdit.storage.hashes import sha256


def content_hash(path: Path) -> str:
    """The SHA-256 of a file; of a sequence, that of its pictures' own, in their order."""
    if not is_sequence(path):
        return sha256(path)
    return hashlib.sha256("".join(map(sha256, files(path).values())).encode()).hexdigest()
