"""Saying that a file was edited: tags in its container, and a JSON file beside it on request.

European law (AI Act, article 50) wants synthetic or manipulated footage of people to be marked, readable by machines.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import videdit
from videdit.config import RenderJob
from videdit.errors import MediaError

TAG = "videdit"
# The IPTC's term for pictures that a trained model changed in part.
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"


def tags(job: RenderJob) -> dict[str, str]:
    """Container metadata for an edited file."""
    return {
        TAG: json.dumps({"version": videdit.__version__, "edit": job.edit, "profile": job.profile}),
        "digital_source_type": SOURCE_TYPE,
        "ai_generated": "The faces in this file were edited by a machine-learning model (videdit).",
    }


def is_edited(path: Path) -> bool:
    """True if the container says that videdit wrote it; False for what cannot be opened."""
    from videdit.media.probe import open_input

    try:
        with open_input(path) as container:
            return TAG in {key.lower() for key in container.metadata}
    except MediaError:
        return False


def sidecar_path(output: Path) -> Path:
    """ "in_smile.mp4" -> "in_smile.mp4.json"."""
    return output.with_name(output.name + ".json")


def write_sidecar(job: RenderJob, source: Path, output: Path, result: dict[str, Any]) -> Path:
    """Write what was done to `source` beside `output`, with the hashes of both.

    Raises:
        MediaError: it cannot be written.
    """
    path = sidecar_path(output)
    values = {
        "tool": f"videdit {videdit.__version__}",
        "digital_source_type": SOURCE_TYPE,
        "source": {"name": source.name, "sha256": _digest(source)},
        "output": {"name": output.name, "sha256": _digest(output)},
        "settings": job.settings(),
        "result": result,
    }
    try:
        path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise MediaError(f"cannot write {path}: {error.strerror}") from None
    return path


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
