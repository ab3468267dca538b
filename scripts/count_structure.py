#!/usr/bin/env python3
"""Count what the table of docs/review.md counts, in any checkout of videdit, older ones too.

Usage:

    python scripts/count_structure.py [FOLDER]

Imports are counted wherever they stand: a lazy one makes a circle as well.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import networkx

ROOT = Path(__file__).resolve().parents[1]
LONG = 300  # lines


def modules(root: Path) -> dict[str, Path]:
    """Every module of the library by the name under which others import it."""
    found = {}
    stages = "videdit.stages" if (root / "videdit" / "stages").is_dir() else "stages"
    for folder, name in ((root / "videdit", "videdit"), (root / "stages", stages)):
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            if parts[0] != "stages":
                found[".".join((name, *(part for part in parts if part != "__init__")))] = path
    return found


def imported(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of the library that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in known else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def main() -> None:
    """Print one line a count."""
    root = Path(sys.argv[1]).resolve() if sys.argv[1:] else ROOT
    known = modules(root)
    graph = networkx.DiGraph(
        (name, other) for name, path in known.items() for other in imported(path, known) if other in known
    )
    graph.remove_edges_from(list(networkx.selfloop_edges(graph)))
    circles = [circle for circle in networkx.strongly_connected_components(graph) if len(circle) > 1]
    tests = sorted((root / "tests").rglob("*.py"))
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (*known.values(), *tests)}
    over = [sum(lengths[path] > LONG for path in paths) for paths in (known.values(), tests)]
    packages = [path for path in (root / "videdit").iterdir() if (path / "__init__.py").is_file()]
    told = {
        "modules at the top of videdit/": len(list((root / "videdit").glob("*.py"))),
        "packages": len(packages) + (not (root / "videdit" / "stages").is_dir()),
        "modules": len(known),
        "circles of imports": f"{len(circles)} of {sum(map(len, circles))} modules",
        f"files over {LONG} lines, library": over[0],
        f"files over {LONG} lines, tests": over[1],
    }
    for what, count in told.items():
        print(f"{what:<32}{count}")


if __name__ == "__main__":
    main()
