"""What is found in clips by going through them, as who is in them: one clip at a time, beside all else."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from videdit.errors import VideditError, machine_failure
from videdit.media.source_identity import SourceIdentity

log = logging.getLogger(__name__)

_EVERY = 0.25  # seconds between two words about progress
_MOST = 64  # clips of which something is remembered

Found = TypeVar("Found")
OnProgress = Callable[[dict[str, Any]], None]  # how far it is: "share" 0..1, and what else there is to say
Work = Callable[[Path, OnProgress, threading.Event], Found]  # a clip, how far it is, set where it is to stop


class Findings(Generic[Found]):
    """Asked for by pages, worked out in a thread of its own. A clip that has changed since is another clip."""

    def __init__(self, name: str, work: Work[Found], told: Callable[[str, dict[str, Any]], None]) -> None:
        """work: what is done with a clip. told: called with a clip's name and how it stands, whenever that changes."""
        self._work, self._told, self._name = work, told, name
        self._stands: dict[str, tuple[SourceIdentity, dict[str, Any]]] = {}  # by name: of which file, and how it stands
        self._found: dict[str, tuple[SourceIdentity, Found]] = {}
        self._lock = threading.Lock()
        self._asked: queue.SimpleQueue[tuple[str, Path, SourceIdentity] | None] = queue.SimpleQueue()
        self._cancel = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"videdit-studio-{name}", daemon=True)

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
        """How it stands with a clip; it begins where there is nothing, or it failed. Raises MediaError: it is gone."""
        file = SourceIdentity.of(path)
        with self._lock:
            of, stands = self._stands.get(clip, (None, {}))
            if of != file or stands["state"] == "failed":
                stands = {"state": "waiting"}
                self._stands[clip] = file, stands
                self._asked.put((clip, path, file))
            return dict(stands)

    def known(self, clip: str, path: Path) -> Found | None:
        """What was found; None where nothing is known yet of the clip as it is. Raises MediaError: it is gone."""
        file = SourceIdentity.of(path)
        with self._lock:
            of, found = self._found.get(clip, (None, None))
            return found if of == file else None

    def _run(self) -> None:
        while (asked := self._asked.get()) is not None and not self._cancel.is_set():
            clip, path, file = asked
            try:
                found = self._work(path, self._progress(clip, file), self._cancel)
            except VideditError as error:
                self._set(clip, file, {"state": "failed", "error": str(error)})
            except Exception as error:
                log.exception("%s at %s", self._name, path)
                words = str(machine_failure(error) or f"unexpected {type(error).__name__}")
                self._set(clip, file, {"state": "failed", "error": words})
            else:
                with self._lock:
                    while len(self._found) >= _MOST:
                        oldest = next(iter(self._found))
                        del self._found[oldest]
                        self._stands.pop(oldest, None)
                    self._found[clip] = file, found
                self._set(clip, file, {"state": "done"})

    def _progress(self, clip: str, file: SourceIdentity) -> OnProgress:
        said = 0.0

        def tell(words: dict[str, Any]) -> None:
            nonlocal said
            if time.monotonic() - said >= _EVERY:
                said = time.monotonic()
                self._set(clip, file, {"state": "looking"} | words)

        return tell

    def _set(self, clip: str, file: SourceIdentity, stands: dict[str, Any]) -> None:
        with self._lock:
            if self._stands.get(clip, (file,))[0] != file:  # another file is there by now, and is asked for
                return
            self._stands[clip] = file, stands
        self._told(clip, stands)
