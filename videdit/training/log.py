"""A training's log: one JSON line an entry, and the same on the screen."""

from __future__ import annotations

import json
import time
from pathlib import Path

from videdit.errors import UsageError


class Log:
    """out/log.jsonl. Its clock counts the seconds of the whole training, those before a resumption too."""

    def __init__(self, path: Path, step: int = 0, seconds: float = 0.0):
        """Go on from a step that was reached after so many seconds; what was logged of later ones is forgotten."""
        self.path = path
        self.start = time.monotonic() - seconds
        earlier = read_log(path) if step and path.exists() else []
        kept = [e for e in earlier if e["step"] < step or (e["step"] == step and is_validation(e))]
        path.write_text("".join(json.dumps(entry) + "\n" for entry in kept))

    def seconds(self) -> float:
        """Seconds of the whole training up to now."""
        return time.monotonic() - self.start

    def write(self, **values: float) -> None:
        """One entry, with its ``seconds``; values are rounded to five places."""
        entry = {"seconds": round(self.seconds(), 1), **{k: round(v, 5) for k, v in values.items()}}
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        print(" ".join(f"{k}={v:g}" for k, v in entry.items()), flush=True)


def read_log(path: Path) -> list[dict[str, float]]:
    """The entries of a log; a last line that was cut short is left out.

    Raises:
        UsageError: it cannot be read, or is no log.
    """
    entries = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the log {path} ({error})") from None
    for number, line in enumerate(lines, 1):
        try:
            entry = {str(k): float(v) for k, v in json.loads(line).items()}
            entries.append({"step": entry["step"], **entry})
        except (ValueError, AttributeError, TypeError, KeyError):
            if number < len(lines):
                raise UsageError(f"{path}: line {number} is no entry of a training's log") from None
    return entries


def is_validation(entry: dict[str, float]) -> bool:
    """Whether an entry says how good the network is, not how a step went."""
    return any(key.startswith("val_") for key in entry)
