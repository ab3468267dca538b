"""Files that lie elsewhere (s3://, gs://, http://, whatever fsspec reaches): brought to a local disk, and back, whole.

What is brought has the size that its storage says, and goes on where an earlier try stopped if it is still the same
file there. What is sent is read back, and counts only if its hash is that of the file here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

from videdit.errors import AwayError, MediaError, UsageError
from videdit.storage.hashes import sha256
from videdit.storage.locks import lock

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_CHUNK = 8 << 20
_KEPT = 86_400.0  # seconds for which part of a copy waits to be gone on with
_STATE = ("ETag", "etag", "LastModified", "mtime", "created", "md5Hash", "generation")  # that tell one file of a name


def is_remote(words: str) -> bool:
    """Whether words name a file that is not simply here."""
    return bool(_URL.match(words))


def found(url: str) -> list[str]:
    """The files that a URL with * or ? means; any other URL as it is.

    Raises:
        UsageError: nothing is there, or what would reach it is not installed.
        MediaError: it cannot be reached.
    """
    fs, path = _opened(url)
    if not re.search(r"[*?\[]", path):
        return [url]
    with _told(url):
        names = [fs.unstrip_protocol(name) for name in sorted(fs.glob(path)) if fs.isfile(name)]
    if not names:
        raise UsageError(f"no file matches {url}")
    return names


def place(folder: Path, url: str, output: str) -> Path:
    """Where the copy of a file lies that is to become an output: the same with every try."""
    return folder / hashlib.sha256(f"{url}\n{output}".encode("utf-8", "surrogateescape")).hexdigest()[:16]


def sweep(folder: Path, older: float = _KEPT) -> None:
    """Remove copies that nobody has gone on fetching for so many seconds; what is whole belongs to a job."""
    for part in folder.glob("*/in/.*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > older:
                shutil.rmtree(part.parent.parent, ignore_errors=True)


def fetch(url: str, folder: Path) -> Path:
    """Bring a file into a folder, and give its path; what is there whole is not brought again.

    Raises:
        UsageError: there is no such file, or what would reach it is not installed.
        MediaError: it cannot be reached, the disk is full, it has changed meanwhile, or another run fetches it.
    """
    fs, path = _opened(url)
    target = folder / path.rstrip("/").rpartition("/")[2]
    part, note = target.with_name(f".{target.name}.part"), target.with_name(f".{target.name}.staged")
    with _told(url):
        state = _state(fs, path)
        if target.exists() and _read(note) == state:
            return target
        folder.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as file, fs.open(path, "rb") as source:
            _alone(file, url)
            if _read(note) != state:
                file.truncate(0)
                note.write_text(json.dumps(state), encoding="utf-8")
            source.seek(file.seek(0, os.SEEK_END))
            while data := source.read(_CHUNK):
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if part.stat().st_size != state["size"] or _state(fs, path) != state:
            part.unlink()
            raise AwayError(f"{url} has changed while it was fetched; try again")
        os.replace(part, target)
    return target


def send(file: Path, url: str, replace: bool = True) -> str:
    """Put a file where a URL says, and give its SHA-256, which what is there has too.

    Args:
        file: what is sent.
        url: where to. What is there already and is the same, as after a try that was cut off at its end, stays.
        replace: whatever else is there.

    Raises:
        UsageError: something else is there, or what would reach it is not installed.
        MediaError: it cannot be reached, or what is there afterwards is not the same.
    """
    fs, path = _opened(url)
    digest = sha256(file)
    with _told(url):
        fs.invalidate_cache()
        if fs.exists(path):
            if _sha256(fs, path) == digest:
                return digest
            if not replace:
                raise UsageError(f"{url} has come to be there meanwhile, and is not replaced")
        with contextlib.suppress(NotImplementedError, PermissionError):
            fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        fs.put_file(str(file), path)
        there = _sha256(fs, path)
    if there != digest:
        raise AwayError(f"what arrived at {url} is not what was sent; try again")
    return digest


def exists(url: str) -> bool:
    """Whether a file is there. Raises MediaError: it cannot be reached."""
    fs, path = _opened(url)
    with _told(url):
        return bool(fs.exists(path))


def _opened(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError:
        raise UsageError(f'{url} needs a package that is not here: pip install "videdit[farm]"') from None
    try:
        return fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise UsageError(f"{url} needs a package that is not here: {error}") from None
    except ValueError as error:
        raise UsageError(f"{url} cannot be reached: {error}") from None


def _alone(file: Any, url: str) -> None:
    """Keep others from writing to a part as long as it is open. Raises MediaError: another does."""
    try:
        lock(file)
    except BlockingIOError:
        raise AwayError(f"another run fetches {url}; wait for it") from None
    except OSError:  # its disk has no locks
        return


def _sha256(fs: Any, path: str) -> str:
    """Of what is there."""
    fs.invalidate_cache()
    there = hashlib.sha256()
    with fs.open(path, "rb") as back:
        while data := back.read(_CHUNK):
            there.update(data)
    return there.hexdigest()


def _state(fs: Any, path: str) -> dict[str, Any]:
    """Size of a file, and what else tells it from another of its name."""
    fs.invalidate_cache()
    info = fs.info(path)
    if info.get("type") == "directory":
        raise IsADirectoryError(21, "it is a folder; name its files, or use *")
    return {"size": info["size"]} | {name: str(info[name]) for name in _STATE if name in info}


def _read(note: Path) -> Any:
    with contextlib.suppress(OSError, ValueError):
        return json.loads(note.read_text(encoding="utf-8"))
    return None


@contextlib.contextmanager
def _told(url: str) -> Any:
    """What goes wrong on the way as one line; storages raise errors of many kinds."""
    try:
        yield
    except (MediaError, UsageError):
        raise
    except FileNotFoundError:
        raise UsageError(f"{url} does not exist") from None
    except Exception as error:
        words = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        failure = MediaError if isinstance(error, PermissionError) else AwayError
        raise failure(f"cannot reach {url}: {' '.join(str(words).split())[:200]}") from None
