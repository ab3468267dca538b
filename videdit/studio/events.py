"""Server-sent events: what happened, told to every page that listens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

_WAITING = 1000  # events that a page that does not read may be behind
_SILENCE = 15.0  # seconds after which a page is told that the studio is still there


class Events:
    """Threads tell, pages listen."""

    def __init__(self) -> None:
        """Nobody listens, and what is told is dropped, until :meth:`begin`."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: set[asyncio.Queue[str | None]] = set()

    def begin(self) -> None:
        """To be called in the loop in which pages are answered."""
        self._loop = asyncio.get_running_loop()

    def tell(self, kind: str, **values: Any) -> None:
        """Tell every page. From any thread."""
        line = f"event: {kind}\ndata: {json.dumps(values)}\n\n"
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell, line)

    def end(self) -> None:
        """Let all pages go. In the loop."""
        self._tell(None)

    def _tell(self, line: str | None) -> None:
        for queue in self._listeners:
            if queue.qsize() < _WAITING or line is None:
                queue.put_nowait(line)

    async def listen(self) -> AsyncIterator[str]:
        """All that is told from now on, until the studio ends."""
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield "retry: 1000\n\n"
            while True:
                try:
                    line = await asyncio.wait_for(queue.get(), _SILENCE)
                except TimeoutError:
                    line = ": still here\n\n"
                if line is None:
                    return
                yield line
        finally:
            self._listeners.discard(queue)
