"""Record what lies in weights/: recompute sha256 and bytes in weights/manifest.yaml.

    python scripts/update_manifest.py                          # every file the manifest already lists
    python scripts/update_manifest.py weights/encoder.safetensors --licence "..." --source "..."

A new file needs its licence and its source in words; an entry's name is its file's stem. Run it in the commit that
changes a weight file.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from videdit import weights
from videdit.errors import WeightsError


def main() -> int:
    """Enter files into weights/manifest.yaml; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="weight files; default: all that the manifest lists")
    parser.add_argument("--licence", help="SPDX name or words; needed for a new file")
    parser.add_argument("--source", help="where the numbers come from; needed for a new file")
    parser.add_argument("--remove", action="append", default=[], metavar="NAME", help="forget an entry")
    parser.add_argument("--folder", type=Path, default=Path(__file__).resolve().parent.parent / "weights")
    args = parser.parse_args()
    try:
        weights.forget(args.folder, args.remove)
        files = args.files or [file.path for file in weights.manifest(args.folder).values()]
        weights.record(args.folder, files, args.licence, args.source)
    except WeightsError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
