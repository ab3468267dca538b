"""A published file -> a checked copy of the user's, as safetensors: fetched, or imported from a file that is there."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from videdit.errors import UnknownWeightsError, WeightsError
from videdit.storage.hashes import sha256
from videdit.weights.checkpoint import convert, unpack
from videdit.weights.download import BrokenOff, DownloadError, Progress, download, forget
from videdit.weights.published import (
    Installed,
    InstalledFile,
    Published,
    entries,
    entry,
    holding,
    installed,
    remember,
    target,
)


def fetch(name: str, progress: Progress = lambda done, total: None) -> Path:
    """Download a published file and install it; a download that broke off is gone on with.

    Raises:
        WeightsError: no such name, or the file cannot be had: what to do instead is said.
    """
    wanted = entry(name)
    if wanted.url is None:
        raise WeightsError(f"{name} was not published: {wanted.what}; {wanted.by_hand()}")
    with holding() as folder:
        part = folder / f"{name}.part"
        try:
            download(wanted.url, part, wanted.bytes, progress)
        except BrokenOff:
            raise
        except DownloadError as error:
            raise WeightsError(f"{error}; {wanted.by_hand()}") from None
        try:
            place = _install(wanted, part, wanted.url, other_version=False)
        except WeightsError:
            forget(part)  # it must not be gone on with
            raise
        forget(part)
        return place


def import_file(path: Path, name: str | None = None, other_version: bool = False) -> tuple[str, Path]:
    """Install a published file that is there already, which stays where it is -> (its name, the copy).

    name: of the published file; None: found out by the file's checksum, else by its own name.
    other_version: take a file of other bytes than the published one's, if it holds what is needed.

    Raises:
        WeightsError: the file is none of those that are known, or not what its name says.
    """
    if not path.is_file():
        raise UnknownWeightsError(f"there is no file {path}")
    wanted = entry(name) if name else _recognised(path)
    with holding():
        return wanted.name, _install(wanted, path, str(path), other_version)


def _recognised(path: Path) -> Published:
    listed = entries().values()
    known = [wanted for wanted in listed if wanted.sha256 and wanted.bytes == path.stat().st_size]
    if known:
        digest = sha256(path)
        known = [wanted for wanted in known if wanted.sha256 == digest]
    known = known or [wanted for wanted in listed if path.name in (wanted.file, target(wanted).name)]
    if len(known) != 1:
        names = [wanted.name for wanted in known or listed]
        raise WeightsError(f"which published file is {path.name}? Say its name behind it, one of {', '.join(names)}")
    return known[0]


def _install(wanted: Published, source: Path, origin: str, other_version: bool) -> Path:
    """Check a published file, put its copy in place and remember where it came from; the folder is held."""
    size, digest = source.stat().st_size, sha256(source)
    if not other_version:
        _check_origin(wanted, source, size, digest)
    place = target(wanted)
    for left in place.parent.glob(f".{wanted.name}.*"):  # by a command that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f".{wanted.name}.", dir=place.parent) as scratch:
        temporary = Path(scratch) / place.name
        if wanted.archive:
            temporary.mkdir()
            files = unpack(source, temporary)
            if place.exists():
                shutil.rmtree(place)
        else:
            convert(source, temporary, wanted.take, wanted.holds)
            files = [temporary]
        temporary.replace(place)
        files = [place.parent / file.relative_to(scratch) for file in files]
    pieces = tuple(_installed_file(file, place.parent) for file in files)
    remember(wanted.name, Installed(origin, size, digest, pieces))
    return place


def _check_origin(wanted: Published, source: Path, size: int, digest: str) -> None:
    """The bytes must be those that are documented or, where nobody documents them, those of the first copy."""
    first = installed().get(wanted.name)
    sha = wanted.sha256 or (first.origin_sha256 if first else digest)
    if digest == sha:
        return
    known = "is known" if wanted.sha256 else "was installed first"
    raise WeightsError(
        f"{wanted.name}: the file has {size:,} bytes with sha256 {digest[:16]}..., not {sha[:16]}... that {known}; "
        f"get it from {wanted.page}, or, if you trust another version, import it with --other-version"
    )


def _installed_file(file: Path, folder: Path) -> InstalledFile:
    status = file.stat()
    return InstalledFile(str(file.relative_to(folder)), status.st_size, sha256(file), status.st_mtime_ns)
