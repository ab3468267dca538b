"""Who may write an output: nobody over a file that was not there when the run began, and never two runs at once.

A file grows under a hidden name and takes its own in one step that fails where the name has been given away meanwhile.
While a clip is rendered a hidden lock lies beside its output; a run that is killed leaves a file that locks nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from videdit.errors import BusyError, MediaError
from videdit.shutdown import half_written, unfinished
from videdit.storage import locks

NAME_BYTES = 255  # of a file's name, on all file systems that matter
_CUT = 80  # bytes of a name that are kept in one that is made of it


class ExistsError(MediaError):
    """A file came to be where an output was to go."""

    def __init__(self, path: Path) -> None:
        """path: of the output; the message says how to go on."""
        super().__init__(
            f"{path} came to exist while this ran, and is left as it is; "
            "run again with --overwrite to replace it, or choose another with -o"
        )


def is_special(path: Path) -> bool:
    """Whether a name is that of a device, a pipe or a socket, or leads to one: no file is put in its place, ever.

    As the superuser /dev/null would be gone for the whole machine.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _take(temporary: Path, path: Path) -> None:
    """Give a finished file its name, whatever file has it now. Raises MediaError: it is no file's."""
    if is_special(path):
        raise MediaError(f"cannot write {path}: it is a device, a pipe or a socket, not a file")
    os.replace(temporary, path)


def put(temporary: Path, path: Path, replace: bool = False) -> None:
    """Give a finished file its name. replace: whatever has it now.

    Raises:
        ExistsError: something has that name (without `replace`); it is left as it is.
        MediaError: a device, a pipe or a socket has it.
        OSError: the disk is full, ...
    """
    if replace:
        _take(temporary, path)
        return
    try:
        if os.name == "nt":
            os.rename(temporary, path)  # there it refuses by itself
            return
        try:
            os.link(temporary, path)
        except FileExistsError:
            if not same(temporary, path):  # a run that was killed between the two steps has taken the first
                raise
            os.unlink(temporary)
        except OSError:  # a file system without hard links: take the name first, then the place
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            os.replace(temporary, path)
        else:
            os.unlink(temporary)
    except FileExistsError:
        raise ExistsError(path) from None


def same(one: Path, other: Path) -> bool:
    """Whether two names are of one file."""
    try:
        return os.path.samestat(os.lstat(one), os.lstat(other))
    except OSError:
        return False


def put_text(path: Path, words: str, replace: bool = False) -> None:
    """Write a small text file, whole or not at all. Raises what :func:`put` raises."""
    temporary = temporary_name(path)
    try:
        temporary.write_text(words, encoding="utf-8")
        put(temporary, path, replace)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def temporary_name(path: Path) -> Path:
    """A hidden name beside the target, on the same disk, that keeps its suffix; gone when the process is ended."""
    temporary = _beside(path)
    half_written(temporary)
    return temporary


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A hidden name for a file that is written anew, whatever has its name now.

    It takes that name at the end of the block, and is gone after an exception. The folder must exist.

    Raises:
        MediaError: that name is a device's, a pipe's or a socket's.
        OSError: it cannot take the name, ...
    """
    with unfinished(_beside(path)) as temporary:
        try:
            yield temporary
            _take(temporary, path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()


def _beside(path: Path) -> Path:
    return path.with_name(f".{short(path.stem)}.{os.getpid()}-{secrets.token_hex(3)}.part{path.suffix}")


def short(name: str) -> str:
    """The beginning of a name, of letters that fit into 80 bytes."""
    while len(os.fsencode(name)) > _CUT:
        name = name[:-1]
    return name


def hidden(path: Path, ending: str) -> Path:
    """The one hidden name of a kind beside a file: ".in.mp4.lock". Of a name that is too long a hash takes the end."""
    name = f".{path.name}{ending}"
    if len(os.fsencode(name)) > NAME_BYTES:
        name = f".{short(path.name)}-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}{ending}"
    return path.with_name(name)


class Claim:
    """Keeps other runs from some outputs while it is entered; a context manager."""

    def __init__(self, *outputs: Path) -> None:
        """outputs: need not exist; their folders must by the time this is entered."""
        self.outputs = outputs
        self._held: list[tuple[int, Path]] = []

    def __enter__(self) -> Claim:
        """Raises UsageError: another run is writing one of them. MediaError: the folder cannot be written to."""
        try:
            for output in self.outputs if locks.AVAILABLE else ():
                self._take(output, hidden(output, ".lock"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the locks that were taken; errors of that are passed over."""
        for file, place in self._held:
            with contextlib.suppress(OSError):  # while it is held: nobody else's is taken away
                place.unlink()
            os.close(file)
        self._held.clear()

    def _take(self, output: Path, place: Path) -> None:
        while True:
            try:
                file = _opened(place)
            except OSError as error:
                raise MediaError(f"cannot write to the folder {place.parent}: {error.strerror}") from None
            try:
                locks.lock(file)
            except BlockingIOError:
                os.close(file)
                raise BusyError(
                    f"another run is writing {output}; wait until it is done, or choose another output"
                ) from None
            except OSError:  # a file system without locks
                pass
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(file), os.lstat(place)):
                    half_written(place)
                    self._held.append((file, place))
                    return
            os.close(file)  # the run that held it has just taken it away


def _opened(place: Path) -> int:
    flags = os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        return os.open(place, flags | os.O_RDWR, 0o666)
    except PermissionError:  # what another user's killed run has left can be locked all the same
        return os.open(place, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder for what a bench writes, which is gone afterwards, also where the process is ended the hard way."""
    with tempfile.TemporaryDirectory(prefix="videdit-bench-") as folder, unfinished(Path(folder)):
        yield Path(folder)
