"""``videdit sheet``: plates of HFGI's paper, from our own networks and any pictures of faces."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from videdit.argument_parser import Parser
from videdit.cli.eval_arguments import consultation_option
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
        sheet = sweep_plate(inverter, faces, meshes, edits, args.steps, plain, args.prealign, args.consultation)
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
    common.add_argument(
        "--most", type=int, default=8, metavar="N", help="use at most so many faces (default: %(default)s)"
    )
    common.add_argument("--profile", default="mobile", metavar="NAME", help="model profile (default: %(default)s)")
    common.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        metavar="FILE",
        help="network file of that profile, repeatable (default: the installed ones)",
    )
    common.add_argument(
        "--device", default="auto", metavar="NAME", help="where the networks run: auto (default), cpu, cuda or cuda:N"
    )
    common.add_argument(
        "--precision",
        default="auto",
        metavar="KIND",
        help="number format of the networks: fp32, bf16 or auto (default)",
    )
    common.add_argument("--debug", action="store_true", help="show the Python traceback of a failure")
    parser = Parser(
        "videdit sheet", description="Draw figures as those of HFGI's paper, from the networks that are installed."
    )
    plates = parser.add_subparsers(dest="plate", required=True, metavar="PLATE")

    sweep = plates.add_parser("sweep", parents=[common], help="draw an edit from minus to plus (figure 21)")
    sweep.add_argument(
        "--edit", "-e", default="smile,age", metavar="EDITS", help="edits, with how far to go (default: %(default)s)"
    )
    sweep.add_argument("--steps", type=int, default=7, metavar="N", help="pictures per row, odd (default: %(default)s)")
    ada = plates.add_parser(
        "ada", parents=[common], help="draw the distortion map, and how it is aligned to an edit (figure 4)"
    )
    ada.add_argument("--edit", "-e", default="yaw=15", metavar="EDITS", help="the edit (default: %(default)s)")
    view = plates.add_parser("viewpoint", parents=[common], help="draw strong turns, by each pre-alignment (figure 23)")
    view.add_argument(
        "--edit", "-e", default="yaw=15,yaw=-15", metavar="EDITS", help="edits, each a row (default: %(default)s)"
    )
    marks = plates.add_parser(
        "landmarks", parents=[common], help="draw how landmarks carry lost detail along (figure 24)"
    )
    marks.add_argument("--edit", "-e", default="yaw=15", metavar="EDITS", help="the edit (default: %(default)s)")
    film = plates.add_parser("strip", parents=[common], help="draw film strips of a clip (figure 22)")
    film.add_argument(
        "--edit", "-e", action="append", metavar="EDITS", help="edits of a strip, repeatable (default: age, and smile)"
    )
    film.add_argument("--moments", type=int, default=6, metavar="N", help="pictures per strip (default: %(default)s)")
    film.add_argument(
        "--method", default="auto", metavar="NAME", help="how faces are edited: student, hfgi, plain or auto (default)"
    )
    for plate in (sweep, ada):
        kinds = ("flow", "landmarks", "auto", "none")
        plate.add_argument(
            "--prealign",
            choices=kinds,
            default="flow",
            help="pre-alignment before ADA; none: ADA alone (default: %(default)s)",
        )
    sweep.add_argument(
        "--method",
        choices=("hfgi", "plain"),
        default="hfgi",
        help="how faces are edited; plain: as HFGI's release (default: %(default)s)",
    )
    consultation_option(sweep)
    rate = plates.add_parser(
        "rate", parents=[common], help="draw the size of the code against reconstruction (figure 3)"
    )
    rate.add_argument(
        "--bits",
        action="store_true",
        help="measure the code in bits: quantised, entropy-coded, with Shannon's lower bound",
    )
    rate.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    return parser
