"""Record what lies in weights/: recompute sha256 and bytes in weights/manifest.yaml.

    python scripts/update_manifest.py                          # every file the manifest already lists
    python scripts/update_manifest.py weights/encoder.safetensors --licence "..." --source "..."

A new file needs its licence and its source in words; an entry's name is its file's stem. Run it in the commit that
changes a weight file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

from videdit.weights import MANIFEST, sha256

HEADER = """\
# The weights that ship with videdit. Written by scripts/update_manifest.py; MODEL_CARD.md tells more of each.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="weight files; default: all that the manifest lists")
    parser.add_argument("--licence", help="SPDX name or words; needed for a new file")
    parser.add_argument("--source", help="where the numbers come from; needed for a new file")
    parser.add_argument("--remove", action="append", default=[], metavar="NAME", help="forget an entry")
    parser.add_argument("--folder", type=Path, default=Path(__file__).resolve().parent.parent / "weights")
    args = parser.parse_args()

    path = args.folder / MANIFEST
    entries = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name in args.remove:
        del entries[name]
    for file in args.files or [args.folder / entry["file"] for entry in entries.values()]:
        old = entries.get(file.stem, {})
        entry = {
            "file": file.name,
            "sha256": sha256(file),
            "bytes": file.stat().st_size,
            "licence": args.licence or old.get("licence"),
            "source": args.source or old.get("source"),
        }
        if not (entry["licence"] and entry["source"]):
            parser.error(f"{file.name} is new: say its --licence and --source")
        entries[file.stem] = entry
    body = yaml.safe_dump(dict(sorted(entries.items())), sort_keys=False, width=110, allow_unicode=True)
    path.write_text(HEADER + body, encoding="utf-8")


if __name__ == "__main__":
    main()
