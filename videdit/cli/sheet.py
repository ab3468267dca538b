"""``videdit sheet``: plates of HFGI's paper, from our own networks and any pictures of faces."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from videdit.argument_parser import Parser
from videdit.edits import parse_edits
from videdit.errors import UsageError
from videdit.evaluation.paper_figures import ada_plate, load, rate_plate, sweep_plate
from videdit.evaluation.sheet import write_sheet


def main(words: Sequence[str]) -> int:
    """Draw one plate. Raises VideditError with what is wrong."""
    args = build_parser().parse_args(words)
    if args.output.suffix.lower() != ".png":
        raise UsageError(f"a sheet is written as .png, not as {args.output.name}")
    edits = parse_edits(args.edit) if "edit" in args and args.plate != "strip" else ()
    if args.plate == "strip":
        return strip(args)
    from videdit.engine.devices import resolve_device
    from videdit.evaluation.motion_figures import landmark_plate, viewpoint_plate
    from videdit.faces.detector import FaceDetector
    from videdit.hfgi.inverter import Inverter
    from videdit.hfgi.profile import load_profile
    from videdit.imaging.host import HostPixels

    plain = getattr(args, "method", "hfgi") == "plain"
    profile = load_profile(args.profile, tuple(args.checkpoint))
    if profile.subject != "face" and not plain:
        raise UsageError(f"profile {args.profile} is of a {profile.subject}: sheet sweep --method plain shows it")
    detector = FaceDetector()
    faces = load(args.pictures, detector, args.aligned, args.most, profile.subject)
    exact = plain and args.precision == "auto"
    inverter = Inverter(profile, HostPixels(resolve_device(args.device), "fp32" if exact else args.precision))
    if args.plate == "sweep":
        found = [None if plain else detector.detect(face) for face in faces]
        meshes = [f[0].mesh if f else None for f in found]
        sheet = sweep_plate(inverter, faces, meshes, edits, args.steps, plain, args.prealign)
    elif args.plate == "ada":
        sheet = ada_plate(inverter, faces, edits, args.prealign)
    elif args.plate == "viewpoint":
        sheet = viewpoint_plate(inverter, faces, edits)
    elif args.plate == "landmarks":
        sheet = landmark_plate(inverter, detector, faces, edits)
    else:
        sheet = rate_plate(inverter, faces, args.json, args.bits)
    write_sheet(args.output, sheet)
    print(f"{args.output}: {sheet.shape[1]}x{sheet.shape[0]}, {len(faces)} faces")
    return 0


def strip(args: argparse.Namespace) -> int:
    """Draw film strips of a clip."""
    from videdit.evaluation.motion_figures import strip_plate

    if len(args.pictures) != 1 or not args.pictures[0].is_file():
        raise UsageError("sheet strip takes one clip")
    sheet = strip_plate(args.pictures[0], args.edit or ["age", "smile"], args.moments, args.method)
    write_sheet(args.output, sheet)
    print(f"{args.output}: {sheet.shape[1]}x{sheet.shape[0]}")
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The words that ``videdit sheet`` understands."""
    common = Parser(add_help=False)
    common.add_argument(
        "pictures", nargs="+", type=Path, metavar="PICTURE", help="pictures of faces, or folders of them"
    )
    common.add_argument("--output", "-o", type=Path, required=True, metavar="FILE", help="the sheet, a .png")
    common.add_argument("--aligned", action="store_true", help="the pictures are aligned as FFHQ's are, and square")
    common.add_argument("--most", type=int, default=8, metavar="N", help="faces at most (%(default)s)")
    common.add_argument("--profile", default="mobile", metavar="NAME", help="model profile (%(default)s)")
    common.add_argument("--checkpoint", action="append", default=[], metavar="FILE", help="networks of that profile")
    common.add_argument("--device", default="auto", metavar="NAME", help="auto (default), cpu, cuda or cuda:N")
    common.add_argument("--precision", default="auto", help="fp32, bf16 or auto (default)")
    common.add_argument("--debug", action="store_true", help="show where a failure comes from")
    parser = Parser("videdit sheet", description="Plates of HFGI's paper, from our own networks.")
    plates = parser.add_subparsers(dest="plate", required=True, metavar="PLATE")

    sweep = plates.add_parser("sweep", parents=[common], help="an edit from minus to plus (figure 21)")
    sweep.add_argument("--edit", "-e", default="smile,age", metavar="EDITS", help="with how far to go (%(default)s)")
    sweep.add_argument("--steps", type=int, default=7, metavar="N", help="pictures a row, odd (%(default)s)")
    ada = plates.add_parser("ada", parents=[common], help="distortion, and how it is aligned to an edit (figure 4)")
    ada.add_argument("--edit", "-e", default="yaw=15", metavar="EDITS", help="(%(default)s)")
    view = plates.add_parser("viewpoint", parents=[common], help="strong turns, by each pre-alignment (figure 23)")
    view.add_argument("--edit", "-e", default="yaw=15,yaw=-15", metavar="EDITS", help="each a row (%(default)s)")
    marks = plates.add_parser("landmarks", parents=[common], help="how landmarks carry what was lost (figure 24)")
    marks.add_argument("--edit", "-e", default="yaw=15", metavar="EDITS", help="(%(default)s)")
    film = plates.add_parser("strip", parents=[common], help="film strips of a clip (figure 22)")
    film.add_argument("--edit", "-e", action="append", metavar="EDITS", help="a strip each; repeatable (age, smile)")
    film.add_argument("--moments", type=int, default=6, metavar="N", help="pictures a strip (%(default)s)")
    film.add_argument("--method", default="auto", metavar="NAME", help="as of rendering (%(default)s)")
    for plate in (sweep, ada):
        kinds = ("flow", "landmarks", "auto", "none")
        plate.add_argument(
            "--prealign", choices=kinds, default="flow", help="before ADA; none: ADA alone (%(default)s)"
        )
    sweep.add_argument("--method", choices=("hfgi", "plain"), default="hfgi", help="plain: HFGI as it is released")
    rate = plates.add_parser("rate", parents=[common], help="size of the code against reconstruction (figure 3)")
    rate.add_argument(
        "--bits", action="store_true", help="in bits: quantised, entropy-coded, with Shannon's lower bound"
    )
    rate.add_argument("--json", type=Path, help="write the figures as JSON")
    return parser
