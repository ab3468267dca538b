"""What an evaluation found: a table for people, the same as JSON, and a sheet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from videdit.errors import MediaError, UsageError

Value = str | float | None


@dataclass
class Evaluation:
    """Rows of named values; the first column names the row."""

    rows: list[dict[str, Value]]
    sheet: np.ndarray | None = None  # [H, W, 3] uint8 RGB
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        return "\n".join([table(columns, [[row.get(key) for key in columns] for row in self.rows]), *self.notes])

    def write_json(self, path: Path) -> None:
        """Raises MediaError where the file cannot be written."""
        finite = [{k: v if _finite(v) else None for k, v in row.items()} for row in self.rows]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"rows": finite, "notes": self.notes}, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise MediaError(f"cannot write {path}: {error.strerror}") from None

    def put_beside(self, path: Path) -> None:
        """Insert the rows of an earlier evaluation's JSON under those of the same name.

        Raises:
            UsageError: the file is not the JSON of an evaluation.
        """
        try:
            earlier = json.loads(path.read_text(encoding="utf-8"))["rows"]
            by_name = {next(iter(row.values())): row for row in earlier}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{path} is not what an evaluation wrote with --json ({error})") from None
        rows: list[dict[str, Value]] = []
        for row in self.rows:
            rows.append(row)
            first = next(iter(row))
            if other := by_name.get(row[first]):
                rows.append({**other, first: f"  {path.stem}"})
        self.rows = rows


def mean_row(name: str, rows: Sequence[Mapping[str, Value]]) -> dict[str, Value]:
    """The mean of each column of numbers over the rows that have it; other columns are left out."""
    first = next(iter(rows[0]))
    mean: dict[str, Value] = {first: name}
    for key in rows[0]:
        values = [value for row in rows if isinstance(value := row.get(key), (int, float))]
        if values:
            mean[key] = float(np.mean(values))
    return mean


def table(columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> str:
    """Words to the left, numbers to the right, aligned; None is a dash."""
    cells = [list(columns), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    lines = []
    for row in cells:
        first, *others = zip(row, widths, strict=True)
        lines.append("  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]).rstrip())
    return "\n".join(lines)


def _finite(value: Value) -> bool:
    return isinstance(value, str) or (value is not None and bool(np.isfinite(value)))


def _cell(value: Value) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
