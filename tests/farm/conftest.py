"""A queue whose clock is set by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from queues import Clock

from videdit.farm.queue import Queue


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(tmp_path: Path, clock: Clock):
    with Queue(tmp_path / "queue.sqlite", clock) as queue:
        yield queue
