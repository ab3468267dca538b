#!/usr/bin/env python3
"""Draw how the packages of videdit hang together, and list what is in them: docs/structure.md and docs/structure.svg.

Usage:

    python scripts/draw_structure.py

The order is that of the import contract in pyproject.toml; imports and first lines of docstrings are read from the
code.
"""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CELL, LEFT, TOP = 22, 150, 130  # pixels
HEAD = """# The structure

Packages of `videdit`, bottom up: each imports only what stands above it in this list. `lint-imports` checks that; the
order itself is in `pyproject.toml`. `python scripts/draw_structure.py` makes this page and its picture from the code.

![Which package imports which](structure.svg)

A row of the picture is a package, and the numbers in it say how many of its modules' imports are from the package above
which they stand. Whatever is below the diagonal goes one way; nothing is above it.
"""


def layers() -> list[str]:
    """The packages and loose modules of videdit, lowest first."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    order = next(c for c in config["tool"]["importlinter"]["contracts"] if c["type"] == "layers")["layers"]
    rows = [[name.strip(" ()") for name in row.replace("|", ":").split(":")] for row in reversed(order)]
    return [name for row in rows for name in row if files(name)]


def files(name: str) -> list[Path]:
    """The modules of a package, or the one file of a loose module."""
    folder = ROOT / ("stages" if name == "stages" else f"videdit/{name}")
    found = sorted(folder.rglob("*.py")) if folder.is_dir() else [ROOT / f"videdit/{name}.py"]
    return [path for path in found if path.is_file()]


def imports(path: Path) -> list[str]:
    """The packages of videdit that a module imports, one entry an import, lazy ones too."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "videdit":
            words = node.module.split(".")
            found += [words[1]] if len(words) > 1 else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [alias.name.split(".")[1] for alias in node.names if alias.name.startswith("videdit.")]
    return found


def first_line(path: Path) -> str:
    """What a module says of itself."""
    words = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n\n")[0]
    return " ".join(words.split()).replace("|", "\\|")


def drawn(names: list[str], counts: dict[str, Counter[str]]) -> str:
    """The matrix of imports as SVG."""
    side = CELL * len(names)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + side + 20}" height="{TOP + side + 20}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for i, name in enumerate(names):
        y, x = TOP + i * CELL, LEFT + i * CELL
        shade = "#f4f4f4" if i % 2 else "#fff"
        lines.append(f'<rect x="0" y="{y}" width="{LEFT + side}" height="{CELL}" fill="{shade}"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(name)}</text>')
        lines.append(f'<text transform="translate({x + 15},{TOP - 8}) rotate(-60)">{escape(name)}</text>')
    for i, name in enumerate(names):
        for j, other in enumerate(names):
            x, y = LEFT + j * CELL, TOP + i * CELL
            if i == j:
                lines.append(f'<rect x="{x + 1}" y="{y + 1}" width="{CELL - 2}" height="{CELL - 2}" fill="#ccc"/>')
            elif count := counts[name][other]:
                colour = "#2b6cb0" if j < i else "#c53030"
                strength = min(1.0, 0.25 + count / 25)
                lines.append(
                    f'<rect x="{x + 1}" y="{y + 1}" width="{CELL - 2}" height="{CELL - 2}" fill="{colour}" '
                    f'fill-opacity="{strength:.2f}"/>'
                    f'<text x="{x + CELL / 2}" y="{y + 15}" text-anchor="middle" font-size="10">{count}</text>'
                )
    return "\n".join([*lines, "</svg>"]) + "\n"


def main() -> None:
    """Write docs/structure.md and its picture."""
    names = layers()
    counts = {name: Counter(word for path in files(name) for word in imports(path)) for name in names}
    (ROOT / "docs" / "structure.svg").write_text(drawn(names, counts), encoding="utf-8")
    page = [HEAD]
    for name in names:
        paths = files(name)
        folder = "stages" if name == "stages" else f"videdit/{name}"
        if len(paths) == 1 and paths[0].name == f"{name}.py":
            page.append(f"## `{folder}.py`\n\n{first_line(paths[0])}\n")
            continue
        init = (ROOT / folder) / "__init__.py"
        page.append(f"## `{folder}/`\n\n{first_line(init)}\n\n| module | |\n|---|---|")
        rows = [path for path in paths if path.name != "__init__.py"]
        page.append("\n".join(f"| `{path.relative_to(ROOT / folder)}` | {first_line(path)} |" for path in rows) + "\n")
    (ROOT / "docs" / "structure.md").write_text("\n".join(page), encoding="utf-8")


if __name__ == "__main__":
    main()
