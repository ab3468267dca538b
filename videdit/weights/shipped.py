"""The weights that ship: manifest.yaml says which file, of which bytes, under which licence.

Each file is checked against its sha256 once a process, before anything of it is used.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from videdit import paths
from videdit.errors import WeightsError
from videdit.storage.hashes import sha256
from videdit.storage.outputs import written_whole

MANIFEST = "manifest.yaml"
LARGEST = 15 * 2**20  # bytes a file may have that is to ship
HEADER = "# The weights that ship with videdit. Written by videdit.weights; MODEL_CARD.md tells more of each.\n"


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One entry of the manifest."""

    name: str
    path: Path
    sha256: str
    bytes: int
    licence: str
    source: str


def manifest(folder: Path | None = None) -> dict[str, WeightFile]:
    """Every entry of `folder`'s manifest (default: the weights that videdit ships) by name.

    Raises:
        WeightsError: the manifest is missing or not readable as one.
    """
    folder = folder or paths.weights_dir()
    path = folder / MANIFEST
    try:
        return dict(_entries(folder, path.stat().st_mtime_ns))
    except FileNotFoundError:
        raise WeightsError(f"no weights manifest at {path}; {_advice()}") from None
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError, UnicodeDecodeError) as error:
        detail = " ".join(str(error).split())
        raise WeightsError(f"{path} is not a weights manifest ({type(error).__name__}: {detail})") from None


@functools.lru_cache(maxsize=8)
def _entries(folder: Path, stamp: int) -> dict[str, WeightFile]:
    """What a manifest lists, read once as long as its file stays."""
    entries = yaml.safe_load((folder / MANIFEST).read_text(encoding="utf-8"))
    return {
        name: WeightFile(
            name=name,
            path=folder / entry["file"],
            sha256=entry["sha256"],
            bytes=entry["bytes"],
            licence=entry["licence"],
            source=entry["source"],
        )
        for name, entry in entries.items()
    }


def verified(name: str, folder: Path | None = None) -> Path:
    """The path of a weight file whose bytes are what the manifest says.

    Raises:
        WeightsError: `name` is not in the manifest, or its file is missing or not the one the manifest describes.
    """
    folder = folder or paths.weights_dir()
    files = manifest(folder)
    if name not in files:
        raise WeightsError(f"the manifest in {folder} lists no weights named {name!r}; it has {', '.join(files)}")
    return _checked(files[name])


def record(folder: Path, files: Sequence[Path], licence: str | None = None, source: str | None = None) -> None:
    """Put weight files of `folder` into its manifest, each under its stem; what is known of them stays unless given.

    Raises:
        WeightsError: a file is new and its licence or source is not given, or is not in the folder.
    """
    entries = manifest(folder) if (folder / MANIFEST).exists() else {}
    for file in files:
        old, path = entries.get(file.stem), folder / file.name
        licence_now, source_now = licence or (old and old.licence), source or (old and old.source)
        if not (licence_now and source_now):
            raise WeightsError(f"{file.name} is new: say its --licence and --source")
        if not path.is_file():
            raise WeightsError(f"there is no {file.name} in {folder}")
        entries[file.stem] = WeightFile(file.stem, path, sha256(path), path.stat().st_size, licence_now, source_now)
    _write(folder, entries)


def forget(folder: Path, names: Sequence[str]) -> None:
    """Take entries out of the manifest. Raises WeightsError where there is none of a name."""
    if not names:
        return
    entries = manifest(folder)
    for name in names:
        if entries.pop(name, None) is None:
            raise WeightsError(f"the manifest in {folder} lists no weights named {name!r}; it has {', '.join(entries)}")
    _write(folder, entries)


def _write(folder: Path, entries: dict[str, WeightFile]) -> None:
    """Write the manifest, in order of names, whole or not at all."""
    lines = {
        name: {"file": e.path.name, "sha256": e.sha256, "bytes": e.bytes, "licence": e.licence, "source": e.source}
        for name, e in sorted(entries.items())
    }
    body = yaml.safe_dump(lines, sort_keys=False, width=110, allow_unicode=True)
    with written_whole(folder / MANIFEST) as written:
        written.write_text(HEADER + body, encoding="utf-8")


@functools.cache
def _checked(entry: WeightFile) -> Path:
    if not entry.path.is_file():
        raise WeightsError(f"the weight file {entry.path} is missing; {_advice()}")
    size = entry.path.stat().st_size
    if size != entry.bytes:
        raise WeightsError(f"the weight file {entry.path} has {size:,} bytes, not {entry.bytes:,}; {_advice()}")
    if sha256(entry.path) != entry.sha256:
        raise WeightsError(f"the weight file {entry.path} is damaged: its sha256 is not the manifest's; {_advice()}")
    return entry.path


def _advice() -> str:
    return "restore it with `git checkout weights` in a clone, or install videdit again"
