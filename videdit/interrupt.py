"""Ctrl-C and SIGTERM: stop in order if that takes seconds, and stop anyway if it does not.

The first signal raises ``KeyboardInterrupt`` in the main thread, which unwinds through the pipeline: stages close,
temporary files go. A watcher thread hears of the signal at once, even while the main thread sits in native code (an
import, a compiler, a network pass), and ends the process when the orderly way takes longer than ``GRACE``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

EXIT_CODE = 130
GRACE = 3.0  # seconds for the orderly way; a busy machine needs some more to carry out the other

_unfinished: set[Path] = set()
_interrupted = False


def install() -> None:
    """Watch for SIGINT and SIGTERM. Call it once, in the main thread, before anything slow."""
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    signal.set_wakeup_fd(sender.detach(), warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
            signal.signal(number, _interrupt)
    threading.Thread(target=_watch, args=(receiver,), name="videdit-interrupt", daemon=True).start()


def leave(code: int) -> NoReturn:
    """End the process now: tearing networks down would take seconds more."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


@contextlib.contextmanager
def unfinished(path: Path):
    """While inside, `path` is half-written, a file or folder: it is removed if the process is ended the hard way."""
    _unfinished.add(path)
    try:
        yield path
    finally:
        _unfinished.discard(path)


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _interrupted
    if not _interrupted:  # a second Ctrl-C must not cut the cleaning up short: the watcher is counting
        _interrupted = True
        raise KeyboardInterrupt


def _watch(receiver: socket.socket) -> None:
    while not set(receiver.recv(64)) & {signal.SIGINT, signal.SIGTERM}:
        pass
    time.sleep(GRACE)
    for path in list(_unfinished):
        with contextlib.suppress(OSError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    os.write(2, b"videdit: interrupted; it would not stop in time and was ended\n")
    os._exit(EXIT_CODE)
