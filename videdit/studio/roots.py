"""The folders that a page may see, and the one way from its words to a path."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from videdit import paths
from videdit.errors import UsageError

_MOST_LETTERS = 4096


class Roots:
    """Folders, numbered. A page names a file as "NUMBER/PATH/IN/IT", and never gets to see where the folder lies."""

    def __init__(self, folders: Iterable[Path]) -> None:
        """folders: existing ones. Raises UsageError: one of them is none."""
        self.folders: list[Path] = []
        for folder in folders:
            real = Path(os.path.realpath(paths.expanded(folder)))
            if not real.is_dir():
                raise UsageError(f"there is no folder {folder}")
            if real not in self.folders:
                self.folders.append(real)

    def path(self, name: str) -> Path:
        """What a page means, all links followed; it is under one of the folders, and is there.

        Raises:
            UsageError: it is not, whatever the reason: nobody learns what lies elsewhere.
        """
        unknown = UsageError("there is no such file in the folders of this studio")
        number, _, rest = name.partition("/")
        if len(name) > _MOST_LETTERS or "\0" in name or "\\" in name or not (number.isascii() and number.isdigit()):
            raise unknown
        parts = [part for part in rest.split("/") if part]
        if len(number) > 4 or int(number) >= len(self.folders) or any(part.startswith(".") for part in parts):
            raise unknown
        root = self.folders[int(number)]
        try:
            real = Path(os.path.realpath(root.joinpath(*parts), strict=True))
        except (OSError, ValueError):
            raise unknown from None
        if self.name(real) is None:
            raise unknown
        return real

    def writable(self, target: Path) -> Path:
        """A file that may be written, in a folder that :meth:`path` gave. Raises UsageError: it leads out."""
        if self.name(Path(os.path.realpath(target))) is None:
            raise UsageError(f"{target.name} leads out of the folders of this studio")
        return target

    def name(self, path: Path) -> str | None:
        """The name of a path for pages; None where it is in none of the folders."""
        for number, root in enumerate(self.folders):
            if path == root or root in path.parents:
                return f"{number}/{path.relative_to(root).as_posix()}".removesuffix("/.")
        return None
