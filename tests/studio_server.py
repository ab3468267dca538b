"""A studio on a port of this machine, for tests that ask it as a browser would."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import uvicorn

from videdit.rendering.session import Session
from videdit.studio.app import application
from videdit.studio.guard import Guard
from videdit.studio.serve import listen
from videdit.studio.state import State
from videdit.studio.studio import Studio

TOKEN = "the-token-of-the-tests"


class Running:
    """What tests need of a studio that runs."""

    def __init__(self, studio: Studio, port: int) -> None:
        self.studio, self.port = studio, port
        self.address = f"http://127.0.0.1:{port}"
        self.client = httpx.Client(base_url=self.address, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=120)

    def get(self, call: str, **words) -> httpx.Response:
        return self.client.get(f"/api/{call}", params=words)

    def post(self, call: str, **words) -> httpx.Response:
        return self.client.post(f"/api/{call}", json=words)

    def wait_for_look(self, clip: str) -> dict:
        """The people of a clip, after the look."""
        assert self.post("look", clip=clip).status_code == 200
        path = self.studio.roots.path(clip)
        return self.wait(lambda: self.studio.looks.known(clip, path) and self.get("people", clip=clip).json())

    def wait_for_job(self, number: int, *states: str) -> dict:
        """A row of the queue, once it has one of these states."""

        def found():
            rows = {row["id"]: row for row in self.get("queue").json()["jobs"]}
            return rows[number] if rows[number]["state"] in states else None

        return self.wait(found)

    @staticmethod
    def wait(condition, seconds: float = 240.0):
        until = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < until, "nothing came of it"
            time.sleep(0.05)
        return found


@contextlib.contextmanager
def running(
    folder: Path, state: Path, session: Session | None = None, opened: Path | None = None, port: int = 0
) -> Iterator[Running]:
    """A studio that sees one folder. port: 0: any that is free."""
    logging.getLogger("videdit").setLevel(logging.DEBUG)  # as the command does: jobs keep their logs
    listener = listen("127.0.0.1", port)
    port = listener.getsockname()[1]
    with listener, contextlib.closing(State(state)) as kept:
        studio = Studio([folder], kept, opened, session)
        guard = Guard(application(studio), TOKEN, kept.secret(), "127.0.0.1", port)
        server = uvicorn.Server(
            uvicorn.Config(guard, log_config=None, access_log=False, timeout_graceful_shutdown=1, lifespan="on")
        )
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        Running.wait(lambda: server.started, 30)
        found = Running(studio, port)
        try:
            yield found
        finally:
            found.client.close()
            server.should_exit = True
            thread.join(60)
