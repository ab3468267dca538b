"""The words that ``videdit eval`` understands."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from videdit import paths
from videdit.argument_parser import Parser

PARTS = ("inversion", "edit", "video", "parser", "restorer", "compare", "prealign")  # of the model card
VALIDATION, FEW = "950:1000", "950:954"  # faces; few where each takes minutes


def build_parser() -> Parser:
    """The words that ``videdit eval`` understands."""
    parser = Parser(
        "videdit eval",
        description="Measure inversion, edits, edited clips, and the networks beside them.",
        epilog="The networks that judge are fetched once: videdit weights fetch judges. The shared folder is that "
        "of the environment variable VIDEDIT_SHARED, or shared/ beside the checkout.",
    )
    commands = parser.add_subparsers(dest="part", required=True, metavar="PART")
    common = Parser(add_help=False)
    common.add_argument(
        "--device", default="auto", metavar="NAME", help="where the networks run: auto (default), cpu, cuda or cuda:N"
    )
    common.add_argument("--debug", action="store_true", help="show the Python traceback of a failure")
    written = Parser(add_help=False)
    written.add_argument("--sheet", type=Path, metavar="PNG", help="write a contact sheet")
    written.add_argument("--json", type=Path, metavar="FILE", help="write the table as JSON")
    written.add_argument("--beside", type=Path, metavar="FILE", help="show the rows of an earlier --json beside")
    faces = faces_options(common, VALIDATION)
    stills, few = (Parser(add_help=False, parents=[p]) for p in (faces, faces_options(common, FEW)))
    for part in (stills, few):
        part.add_argument("--profile", default="mobile", metavar="NAME", help="model profile (default: %(default)s)")
        part.add_argument(
            "--checkpoint",
            nargs="+",
            default=[],
            metavar="FILE",
            help="network files of that profile (default: the installed ones)",
        )

    inversion = commands.add_parser(
        "inversion", parents=[stills, written], help="measure what an inversion keeps of a face"
    )
    inversion.add_argument(
        "--tune",
        type=int,
        default=0,
        metavar="STEPS",
        help="also by generators tuned to each face in so many steps (default: 0, not)",
    )
    edit = commands.add_parser(
        "edit", parents=[stills, written], help="measure what edits change, and their attribute leakage"
    )
    edit.add_argument(
        "--edit", action="append", metavar="NAME[=STRENGTH]", help="the edit, repeatable; default: all that ship"
    )
    methods, kinds = ("hfgi", "student", "plain"), ("flow", "landmarks", "auto", "none")
    edit.add_argument(
        "--method",
        choices=methods,
        default="hfgi",
        help="how faces are edited; plain: as HFGI's release (default: %(default)s)",
    )
    edit.add_argument(
        "--prealign",
        choices=kinds,
        default="flow",
        help="pre-alignment before ADA, with method hfgi (default: %(default)s)",
    )
    consultation_option(edit)
    video = commands.add_parser("video", parents=[common, written], help="compare edited clips with their sources")
    video.add_argument("clips", nargs="+", type=Path, metavar="SOURCE EDITED", help="pairs of clips")
    video.add_argument(
        "--every", type=int, default=4, metavar="N", help="look at every n-th frame (default: %(default)s)"
    )
    video.add_argument(
        "--frames", type=int, metavar="N", help="look at the first N frames of the source (default: all)"
    )
    video.add_argument(
        "--mattes",
        nargs="+",
        type=Path,
        metavar="MATTE",
        help="mattes of --alpha-out, one a pair: seams are looked for at their edges",
    )
    parser_part = commands.add_parser(
        "parser", parents=[faces, written], help="compare face parsing with masks drawn by hand"
    )
    parser_part.add_argument(
        "--masks", type=Path, metavar="DIR", help="folder of CelebAMask-HQ's masks (default: beside the faces)"
    )
    parser_part.add_argument(
        "--weights", type=Path, metavar="FILE", help="weights of the network (default: those that ship)"
    )
    restorer = commands.add_parser(
        "restorer", parents=[faces, written], help="compare face restoration with bicubic scaling"
    )
    restorer.add_argument(
        "--weights", type=Path, metavar="FILE", help="weights of the network (default: those that ship)"
    )
    compare = commands.add_parser(
        "compare", parents=[few, written], help="compare our inversion with optimisation, in figures and time"
    )
    compare.add_argument(
        "--steps",
        type=int,
        default=200,
        metavar="N",
        help="steps of latent optimisation (default: %(default)s; its paper: 5000)",
    )
    compare.add_argument(
        "--tune-steps",
        type=int,
        default=80,
        metavar="N",
        help="steps of pivotal tuning (default: %(default)s; its paper: 350)",
    )
    compare.add_argument(
        "--pivot-steps",
        type=int,
        default=0,
        metavar="N",
        help="steps to find the pivot of pivotal tuning (default: 0, the encoder's code; its paper: 450)",
    )
    compare.add_argument(
        "--domain-steps",
        type=int,
        default=100,
        metavar="N",
        help="steps of in-domain inversion (default: %(default)s, as in its paper)",
    )
    compare.add_argument(
        "--papers", action="store_true", help="all of these steps as in the papers: hours per face on a CPU"
    )
    compare.add_argument(
        "--clip-steps",
        type=int,
        default=40,
        metavar="N",
        help="steps of --tune for our method (default: %(default)s; 0: not tuned)",
    )
    compare.add_argument(
        "--edit", default="smile", metavar="EDITS", help="what to edit in each inversion (default: %(default)s)"
    )
    compare.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="keep optimisations in DIR every minute, and go on from what is there",
    )
    turned = commands.add_parser(
        "prealign", parents=[common, written], help="compare ways of pre-alignment on strong edits of samples"
    )
    turned.add_argument(
        "--edit", default="yaw=15", metavar="EDITS", help="edits, each in both directions (default: %(default)s)"
    )
    turned.add_argument(
        "--samples", type=int, default=10, metavar="N", help="how many samples of the generator (default: %(default)s)"
    )
    turned.add_argument("--profile", default="mobile", metavar="NAME", help="model profile (default: %(default)s)")
    turned.add_argument(
        "--checkpoint",
        nargs="+",
        default=[],
        metavar="FILE",
        help="network files of that profile (default: the installed ones)",
    )
    turned.add_argument(
        "--precision",
        default="auto",
        metavar="KIND",
        help="number format of the networks: fp32, bf16 or auto (default)",
    )
    information = commands.add_parser(
        "information", parents=[faces, written], help="estimate mutual information, I(X;Y) and I(Y;X^), over a training"
    )
    information.add_argument(
        "snapshots", type=Path, metavar="DIR", help="folder of weights that --snapshot-every of videdit train made"
    )
    card = commands.add_parser("card", parents=[stills], help="make every table of the model card anew")
    card.add_argument(
        "--only",
        action="append",
        choices=PARTS,
        metavar="PART",
        help=f"only this table, repeatable: {', '.join(PARTS)}; default: all",
    )
    card.add_argument(
        "--card",
        type=Path,
        default=paths.weights_dir() / "MODEL_CARD.md",
        metavar="FILE",
        help="the card to change (default: MODEL_CARD.md of the weights that ship)",
    )
    card.add_argument(
        "--clips",
        type=Path,
        default=default_clips(),
        metavar="DIR",
        help="folder of source clips (default: data/clips of the shared folder)",
    )
    card.add_argument(
        "--edited",
        type=Path,
        default=Path("runs/card"),
        metavar="DIR",
        help="folder of the edited clips (default: %(default)s)",
    )
    defaults = compare.parse_args([])
    card.set_defaults(tune=0, every=4, frames=40, edit=None, masks=None, mattes=None, weights=None)
    card.set_defaults(
        method="hfgi",
        prealign="flow",
        consultation="auto",
        pivot_steps=0,
        domain_steps=100,
        clip_steps=40,
        papers=False,
        keep=None,
    )
    card.set_defaults(steps=defaults.steps, tune_steps=defaults.tune_steps, samples=10)
    return parser


def consultation_option(parser: Parser) -> None:
    """Whether ADA and the consultation encoder condition the generator, as in a job."""
    parser.add_argument(
        "--consultation",
        choices=("auto", "always", "never"),
        default="auto",
        help="with method hfgi: whether the generator is told what the code of a face has lost (default: %(default)s)",
    )


def faces_options(common: Parser, which: str) -> Parser:
    """The options of what looks at aligned faces."""
    faces = Parser(add_help=False, parents=[common])
    faces.add_argument(
        "--faces",
        type=Path,
        default=default_faces(),
        metavar="DIR",
        help="folder of aligned faces (default: data/celebamask_hq_1000/images of the shared folder)",
    )
    faces.add_argument(
        "--range",
        type=span,
        default=span(which),
        metavar="A:B",
        help=f"which of the faces, in the order of their names, from 0 (default: {which})",
    )
    faces.add_argument(
        "--precision",
        default="auto",
        metavar="KIND",
        help="number format of the networks: fp32, bf16 or auto (default)",
    )
    return faces


def span(words: str) -> slice:
    """ "950:1000" -> slice(950, 1000)."""
    try:
        first, last = words.split(":")
        return slice(int(first) if first else None, int(last) if last else None)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{words!r} is not a range like 950:1000") from None


def default_faces() -> Path:
    """The validation faces in the folder of shared data."""
    return shared_data() / "celebamask_hq_1000" / "images"


def default_clips() -> Path:
    """The clips in the folder of shared data."""
    return shared_data() / "clips"


def shared_data() -> Path:
    """The folder of data for evaluations, in the one that $VIDEDIT_SHARED names or that lies beside the checkout."""
    shared = os.environ.get("VIDEDIT_SHARED") or Path(__file__).resolve().parents[2].parent / "shared"
    return Path(shared) / "data"
