"""Ctrl-C, SIGTERM and a closed terminal: stop in order if that takes seconds, and stop anyway if it does not.

The first signal raises ``KeyboardInterrupt`` in the main thread, which unwinds through the pipeline: stages close,
temporary files go. A watcher thread hears of the signal at once, even while the main thread sits in native code (an
import, a compiler, a network pass), and ends the process when the orderly way takes longer than ``GRACE``. Both ways
end in the same words: a user need not know which it was.

What the watcher hears of is this process's own. Children that are forked share the descriptor on which it listens, and
libraries fork as they like: a child puts all back as it was before anything can reach it.
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
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

EXIT_CODE = 130
GRACE = 3.0  # seconds for the orderly way; a busy machine needs some more to carry out the other
WORDS = "interrupted; nothing half-written is left"

# A closed terminal, and on Windows Ctrl-Break, are Ctrl-C in other words; not every system has both.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))

_unfinished: set[Path] = set()
_ending: list[Callable[[], str | None]] = []
_interrupted = False
_before: dict[int, Any] = {}  # signal -> what was done about it before we came
_masks = threading.local()
_forks_are_watched = False


def install(words: str = WORDS) -> None:
    """Watch for the signals. Call it once, in the main thread, before anything slow.

    words: said where the process is ended the hard way; "" where another speaks for it.
    """
    global _forks_are_watched
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    signal.set_wakeup_fd(sender.detach(), warn_on_full_buffer=False)
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
            _before[number] = signal.signal(number, _interrupt)
    if hasattr(os, "register_at_fork") and not _forks_are_watched:
        _forks_are_watched = True
        os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_forget)
    threading.Thread(target=_watch, args=(receiver, words), name="videdit-interrupt", daemon=True).start()


def leave(code: int) -> NoReturn:
    """End the process now: tearing networks down would take seconds more."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def half_written(path: Path) -> None:
    """`path`, a file or folder, is removed if the process is ended the hard way; gone or renamed, it is no more."""
    _unfinished.add(path)


@contextlib.contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """:func:`half_written` for as long as the context lasts."""
    _unfinished.add(path)
    try:
        yield path
    finally:
        _unfinished.discard(path)


@contextlib.contextmanager
def ending(tidy: Callable[[], str | None]) -> Iterator[None]:
    """While inside, `tidy` is called if the process is ended the hard way. It may say what is kept."""
    _ending.append(tidy)
    try:
        yield
    finally:
        _ending.remove(tidy)


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _interrupted
    if not _interrupted:  # a second Ctrl-C must not cut the cleaning up short: the watcher is counting
        _interrupted = True
        raise KeyboardInterrupt


def _watch(receiver: socket.socket, last: str) -> None:
    while not set(receiver.recv(64)) & _before.keys():
        pass
    time.sleep(GRACE)
    words = []
    for tidy in list(_ending):
        with contextlib.suppress(Exception):
            words.append(tidy())
    for path in list(_unfinished):
        with contextlib.suppress(OSError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    with contextlib.suppress(OSError):  # the terminal may be what has gone
        over = "\r\x1b[K" if os.isatty(2) else ""  # a bar may stand there
        os.write(2, (over + said(filter(None, [*words, last]))).encode())
    os._exit(EXIT_CODE)


def said(sentences: Iterable[str]) -> str:
    """Lines as the command says them."""
    return "".join(f"videdit: {sentence}\n" for sentence in sentences)


def _hold() -> None:
    """Before a fork: until the child has put the signals back none of them shall reach it."""
    _masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def _release() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _masks.before)


def _forget() -> None:
    """In a forked child: its signals are its own, and the files are its parent's."""
    global _interrupted
    signal.set_wakeup_fd(-1)
    for number, handler in _before.items():
        signal.signal(number, signal.SIG_DFL if handler is None else handler)
    for registered in (_before, _unfinished, _ending):
        registered.clear()
    _interrupted = False
    _release()
