"""Files that others published: what they are, and where the user's own copies lie.

A copy is installed once (:mod:`videdit.weights.install`): checked against what is known of the published file, and
turned into safetensors or unpacked. Its record says what it came from and of which bytes it is.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from videdit import paths
from videdit.errors import UnknownWeightsError, WeightsError
from videdit.storage.hashes import sha256
from videdit.storage.locks import lock
from videdit.storage.outputs import written_whole

LIST, RECORDS, _LOCK = "published.yaml", "installed.json", "lock"


@dataclass(frozen=True, slots=True)
class Published:
    """One entry of weights/published.yaml, whose head says what each field is."""

    name: str
    what: str
    file: str
    licence: str
    page: str
    url: str | None
    bytes: int | None
    sha256: str | None
    take: tuple[str, ...] = ()
    holds: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    archive: bool = False

    def by_hand(self) -> str:
        """How to get it without :func:`videdit.weights.install.fetch`, in a sentence's words."""
        if self.url is None:
            return f"import one of your own with `videdit weights import FILE {self.name}`"
        return f"get {self.file} from {self.page} and run `videdit weights import {self.file} {self.name}`"


@dataclass(frozen=True, slots=True)
class InstalledFile:
    """A file of an installed copy."""

    file: str  # relative to the user's folder
    bytes: int
    sha256: str
    modified: int  # ns: while this and the size stay, the bytes need not be read again


@dataclass(frozen=True, slots=True)
class Installed:
    """What is remembered of a copy: the published file that it came from, and its own files."""

    origin: str  # a URL or a path
    origin_bytes: int
    origin_sha256: str
    pieces: tuple[InstalledFile, ...]


def entries() -> dict[str, Published]:
    """Every published file that videdit knows, by name.

    Raises:
        WeightsError: the list is missing or not readable as one.
    """
    path = paths.weights_dir() / LIST
    try:
        return dict(_read(path, path.stat().st_mtime_ns))
    except FileNotFoundError:
        return {}  # a folder of weights under trial
    except (OSError, yaml.YAMLError, AttributeError, TypeError, UnicodeDecodeError) as error:
        detail = " ".join(str(error).split())
        raise WeightsError(f"{path} is not a list of published files ({type(error).__name__}: {detail})") from None


def entry(name: str) -> Published:
    """The published file of a name. Raises UnknownWeightsError where there is none; the nearest name is suggested."""
    known = entries()
    if name not in known:
        near = difflib.get_close_matches(name, known, 1, 0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UnknownWeightsError(f"no published weights are called {name!r}; {hint}There is: {', '.join(known)}")
    return known[name]


def user_dir() -> Path:
    """The folder of the user's copies: $VIDEDIT_WEIGHTS, else weights in videdit's cache."""
    if folder := os.environ.get("VIDEDIT_WEIGHTS"):
        return paths.expanded(folder)
    return paths.cache_dir() / "weights"


def find(name: str) -> Path:
    """The user's copy of a published file: a .safetensors file, of an archive the folder of what was in it.

    The error for a copy that is not there names the command that gets it.

    Raises:
        WeightsError: no such name; not installed; or its bytes are not those that were installed.
    """
    wanted = entry(name)
    copy = installed().get(name)
    if copy is None or not all((user_dir() / piece.file).is_file() for piece in copy.pieces):
        raise WeightsError(f"{name} ({wanted.what}) is not installed; {how_to_get(wanted)}")
    for piece in copy.pieces:
        _check(name, piece, thorough=False)
    return target(wanted)


def is_installed(name: str) -> bool:
    """Whether :func:`find` would look at files, which may still turn out to be damaged."""
    copy = installed().get(name)
    return copy is not None and all((user_dir() / piece.file).is_file() for piece in copy.pieces)


def verify(name: str) -> Installed:
    """The record of a copy, of which every byte was read again. Raises WeightsError as :func:`find` does."""
    find(name)
    copy = installed()[name]
    for piece in copy.pieces:
        _check(name, piece, thorough=True)
    return copy


def fingerprint(names: Iterable[str]) -> dict[str, list[str]]:
    """The checksums of the copies among these names: by them a render knows that it is made with the same weights."""
    copies = installed()
    return {name: [piece.sha256 for piece in copies[name].pieces] for name in names if name in copies}


def how_to_get(wanted: Published) -> str:
    """The command that installs it, in a sentence's words."""
    return f"run `videdit weights fetch {wanted.name}`" if wanted.url else wanted.by_hand()


def target(wanted: Published) -> Path:
    """Where its copy lies, or will."""
    return user_dir() / (wanted.name if wanted.archive else f"{wanted.name}.safetensors")


def installed() -> dict[str, Installed]:
    """The records of what is installed.

    Raises:
        WeightsError: they cannot be read.
    """
    path = user_dir() / RECORDS
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: Installed(**(fields | {"pieces": tuple(InstalledFile(**piece) for piece in fields["pieces"])}))
            for name, fields in records.items()
        }
    except (FileNotFoundError, NotADirectoryError, PermissionError):  # services have /dev/null, or another's home
        return {}
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        detail = " ".join(str(error).split())
        raise WeightsError(f"{path} cannot be read ({detail}); remove it, and fetch or import again") from None


def remember(name: str, copy: Installed) -> None:
    """Write a record, whole or not at all; the folder must be held (:func:`holding`)."""
    records = installed() | {name: copy}
    words = json.dumps({n: asdict(c) for n, c in sorted(records.items())}, indent=1) + "\n"
    with written_whole(user_dir() / RECORDS) as written:
        written.write_text(words, encoding="utf-8")


@contextlib.contextmanager
def holding() -> Iterator[Path]:
    """Keep other commands from installing while inside; gives the user's folder, which is made where it is missing.

    Raises:
        WeightsError: another command is at it, or the folder cannot be written.
    """
    folder = user_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / _LOCK).open("w") as file:
            lock(file)
            yield folder
    except BlockingIOError:
        raise WeightsError(f"another command is installing weights in {folder}; wait for it") from None
    except OSError as error:
        raise WeightsError(f"cannot write {error.filename or folder}: {error.strerror or error}") from None


@functools.lru_cache(maxsize=4)
def _read(path: Path, stamp: int) -> dict[str, Published]:
    fields_of = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {name: _entry(name, **fields) for name, fields in fields_of.items()}


def _entry(
    name: str, take: Iterable[str] = (), holds: Mapping[str, Iterable[int]] | None = None, **fields: Any
) -> Published:
    shapes = {key: tuple(shape) for key, shape in (holds or {}).items()}
    return Published(name=name, take=tuple(take), holds=shapes, **fields)


def _check(name: str, piece: InstalledFile, thorough: bool) -> None:
    path = user_dir() / piece.file
    status = path.stat()
    same = status.st_size == piece.bytes
    if same and (thorough or status.st_mtime_ns != piece.modified):
        same = sha256(path) == piece.sha256
    if not same:
        raise WeightsError(f"{path} is damaged: its bytes are not those that were installed; {how_to_get(entry(name))}")
