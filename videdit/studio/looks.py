"""Looks at clips, who is in them: one at a time, told while they go on."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from videdit.errors import VideditError, machine_failure
from videdit.rendering.progress import Moment
from videdit.rendering.session import Session
from videdit.rendering.session_answers import Look

log = logging.getLogger(__name__)

_EVERY = 0.25  # seconds between two words about progress
_MOST = 64  # clips whose looks are remembered


class Looks:
    """Asked for by pages, done in a thread of its own."""

    def __init__(self, session: Session, told: Callable[[str, dict[str, Any]], None]) -> None:
        """told: called with a clip's name and how its look stands, whenever that changes."""
        self._session, self._told = session, told
        self._stands: dict[str, dict[str, Any]] = {}
        self._looks: dict[str, Look] = {}
        self._lock = threading.Lock()
        self._asked: queue.SimpleQueue[tuple[str, Path] | None] = queue.SimpleQueue()
        self._cancel = threading.Event()
        self._thread = threading.Thread(target=self._work, name="videdit-studio-looks", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._cancel.set()
        self._asked.put(None)
        if self._thread.is_alive():
            self._thread.join(10.0)

    def ask(self, clip: str, path: Path) -> dict[str, Any]:
        """How the look at a clip stands; it begins where there was none, or it failed."""
        with self._lock:
            stands = self._stands.get(clip)
            if stands is None or stands["state"] == "failed":
                stands = self._stands[clip] = {"state": "waiting"}
                self._asked.put((clip, path))
            return dict(stands)

    def known(self, clip: str) -> Look | None:
        """What was found; None where nobody has looked yet."""
        with self._lock:
            return self._looks.get(clip)

    def _work(self) -> None:
        while (asked := self._asked.get()) is not None and not self._cancel.is_set():
            clip, path = asked
            try:
                look = self._session.look(path, progress=self._progress(clip), cancel=self._cancel)
            except VideditError as error:
                self._set(clip, {"state": "failed", "error": str(error)})
            except Exception as error:
                log.exception("look at %s", path)
                words = str(machine_failure(error) or f"unexpected {type(error).__name__}")
                self._set(clip, {"state": "failed", "error": words})
            else:
                with self._lock:
                    while len(self._looks) >= _MOST:
                        oldest = next(iter(self._looks))
                        del self._looks[oldest], self._stands[oldest]
                    self._looks[clip] = look
                self._set(clip, {"state": "done", "faces": len(look.faces)})

    def _progress(self, clip: str) -> Callable[[Moment], None]:
        said = 0.0

        def progress(moment: Moment) -> None:
            nonlocal said
            if time.monotonic() - said >= _EVERY:
                said = time.monotonic()
                self._set(
                    clip, {"state": "looking", "done": moment.done, "frames": moment.frames, "share": moment.share}
                )

        return progress

    def _set(self, clip: str, stands: dict[str, Any]) -> None:
        with self._lock:
            self._stands[clip] = stands
        self._told(clip, stands)
