"""Options that the benches of networks share."""

from __future__ import annotations

from videdit.argument_parser import Parser


def add_network_options(parser: Parser, whose: str) -> None:
    """Where networks run, and in which number format; whose: "our" networks, or "all"."""
    parser.add_argument(
        "--device", default="auto", metavar="NAME", help="where the networks run: auto (default), cpu, cuda or cuda:N"
    )
    parser.add_argument(
        "--precision",
        default="auto",
        choices=("auto", "fp32", "bf16"),
        help=f"number format of {whose} networks (default: auto)",
    )
