"""Starts a studio: the address, the socket, the server."""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn

from videdit import paths
from videdit.errors import UsageError, VideditError
from videdit.rendering.session import Session
from videdit.studio.app import application
from videdit.studio.guard import Guard
from videdit.studio.state import State
from videdit.studio.studio import Studio
from videdit.terminal import complain, say

log = logging.getLogger("videdit.studio")

PORT = 8420  # tried first, so that a page that is open finds the studio again


def serve(
    places: Sequence[Path],
    host: str = "127.0.0.1",
    port: int | None = None,
    browser: bool = True,
    folder: Path | None = None,
    memory: str = "1G",
) -> None:
    """Run a studio until Ctrl-C.

    Args:
        places: clips and folders that pages may see; a clip brings its folder along.
        host: where to listen.
        port: None: 8420, or any that is free; 0: any that is free.
        browser: whether to open one.
        folder: where the queue is kept.
        memory: of the session.

    Raises:
        UsageError: a place is not there, or the port is taken.
    """
    folders, opened = _places(places)
    if host not in ("127.0.0.1", "localhost", "::1"):
        complain(
            f"videdit: anybody who can reach {host} and knows the address below can see the clips in these folders and "
            "write renders beside them; what is sent is not encrypted"
        )
    listener = listen(host, port)
    number = listener.getsockname()[1]
    token = secrets.token_urlsafe(24)
    with listener, contextlib.closing(State(folder or paths.state_dir() / "studio")) as state:
        # The session is not closed: the process ends, and networks that are being compiled would abort it.
        studio = Studio(folders, state, opened, Session(memory))
        guard = Guard(application(studio), token, state.secret(), host, number)
        shown = "127.0.0.1" if host in ("0.0.0.0", "localhost") else f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{number}/?token={token}"
        config = uvicorn.Config(
            guard, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=2, lifespan="on"
        )
        server = _Server(config, lambda: _ready(studio, address, browser))
        server.run([listener])


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            threading.Thread(target=self._ready, daemon=True).start()


def _ready(studio: Studio, address: str, browser: bool) -> None:
    say(f"videdit studio: {address} (Ctrl-C ends it)")
    if browser:
        with contextlib.suppress(webbrowser.Error, OSError):
            webbrowser.open(address)
    try:
        studio.warm()
    except VideditError as error:
        log.warning("%s", error)


def _places(places: Sequence[Path]) -> tuple[list[Path], Path | None]:
    """(folders, the clip to show first)."""
    folders, opened = [], None
    for place in places or [Path()]:
        if place.is_dir():
            folders.append(place)
        elif place.is_file():
            folders.append(place.parent)
            opened = opened or place
        else:
            raise UsageError(f"there is no file or folder {place}")
    return folders, opened


def listen(host: str, port: int | None) -> socket.socket:
    """A socket that listens. Raises UsageError: it cannot."""
    for number in [PORT, 0] if port is None else [port]:
        try:
            return _bound(host, number)
        except OSError as error:
            failure = error
    raise UsageError(f"cannot listen on {host}:{port or PORT}: {failure.strerror or failure}")


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener
