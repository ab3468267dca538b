"""What tests of media share."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic_clips import Clip, Sound, make


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Forty frames with sound, five groups of pictures."""
    path = tmp_path / "clip.mp4"
    make(path, Clip(pts=tuple(range(0, 40 * 3000, 3000)), sounds=[Sound()], options={"preset": "ultrafast", "g": "8"}))
    return path
