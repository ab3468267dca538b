"""Train the embedded models: python -m videdit.train <recipe> [--time-budget 25m] [--out DIR] [--data DIR]

Recipes: pack (make the data packs), head256, encoder, hfgi, parser. Each stops at its time budget and writes its log and its
weights under --out; nothing in weights/ is touched.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import torch
import yaml

from videdit.errors import UsageError, VideditError

R = TypeVar("R")


def parse_budget(text: str) -> float:
    """ "90", "90s", "25m", "1.5h" -> seconds"""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text)
    if not match or not float(match[1]):
        raise UsageError(f"--time-budget {text!r}: write it as 90s, 25m or 1.5h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def read_recipe(kind: type[R], path: Path | None) -> R:
    """A recipe from its YAML file; keys that the recipe does not have are refused."""
    if path is None:
        return kind()
    values: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(values) - names):
        raise UsageError(f"{path}: unknown key {unknown[0]!r}; a recipe has {', '.join(sorted(names))}")
    return kind(**values)


def run(options: argparse.Namespace) -> None:
    seconds = parse_budget(options.time_budget)
    out: Path = options.out or Path("runs") / options.recipe
    torch.set_num_threads(options.threads)
    if options.recipe == "pack":
        from videdit.train.data import pack_bank, pack_faces
        from videdit.train.masks import pack_masks

        options.data.mkdir(parents=True, exist_ok=True)
        faces = options.shared / "celebamask_hq_1000"
        pack_faces(faces / "images", options.data / "real256.npy")
        pack_masks(faces / "masks", options.data / "masks256.npy")
        pack_bank(options.shared / "mobile_bank", options.data / "bank256.npy", options.data / "bank_codes.npy")
    elif options.recipe == "head256":
        from videdit.train import head256

        head256.train(out, seconds, encoder_file=options.encoder, packs=options.data if options.encoder else None)
    elif options.recipe == "encoder":
        from videdit.train import encoder

        recipe = read_recipe(encoder.Recipe, options.config)
        encoder.train(out, options.data, seconds, recipe, initial=options.encoder)
    elif options.recipe == "hfgi":
        from videdit.train import hfgi

        weights = options.encoder or Path("weights/encoder.safetensors")
        hfgi.train(out, options.data, weights, seconds, read_recipe(hfgi.Recipe, options.config))
    elif options.recipe == "parser":
        from videdit.train import parser

        parser.train(out, options.data, seconds, read_recipe(parser.Recipe, options.config))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m videdit.train", description=__doc__)
    parser.add_argument("recipe", choices=("pack", "head256", "encoder", "hfgi", "parser"))
    parser.add_argument("--config", type=Path, help="the recipe's YAML, e.g. configs/train/encoder.yaml")
    parser.add_argument("--time-budget", default="25m", help="wall time, e.g. 90s, 25m, 1.5h")
    parser.add_argument("--out", type=Path, help="folder for log and weights (default: runs/<recipe>)")
    parser.add_argument("--data", type=Path, default=Path("runs/data"), help="folder of the packs")
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"), help="pack: where the raw data lies")
    parser.add_argument("--encoder", type=Path, help="encoder weights to use, or to go on from")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    try:
        run(parser.parse_args(argv))
    except VideditError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
