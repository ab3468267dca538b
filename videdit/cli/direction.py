"""``videdit direction``: an edit from two folders of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from videdit.argument_parser import Parser
from videdit.edits.edit_info import regions_named
from videdit.terminal import complain, say
from videdit.training.learn import check_output, learn_direction, save_learnt


def main(words: Sequence[str]) -> int:
    """`videdit direction --from A/ --to B/ -o my.safetensors`. Raises what :func:`learn_direction` raises."""
    parser = Parser(
        "videdit direction",
        description="Learn an edit from two folders of pictures: what tells the faces in the second from the first. "
        "The more pictures (dozens), and the more alike the folders are otherwise, the purer the edit.",
    )
    parser.add_argument(
        "--from",
        dest="before",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of pictures of faces without what the edit adds",
    )
    parser.add_argument(
        "--to", dest="after", type=Path, required=True, metavar="DIR", help="folder of pictures of faces with it"
    )
    parser.add_argument(
        "--output", "-o", type=Path, required=True, metavar="FILE", help="the file of the edit, .safetensors"
    )
    parser.add_argument(
        "--regions",
        default="face",
        metavar="PARTS",
        help="where the edit may show, joined by commas: face (default), eyes, lips, hair, head",
    )
    parser.add_argument("--profile", default="mobile", metavar="NAME", help="model profile (default: mobile)")
    parser.add_argument(
        "--device", default="auto", metavar="NAME", help="where the networks run: auto (default), cpu, cuda or cuda:N"
    )
    parser.add_argument("--debug", action="store_true", help="show the Python traceback of a failure")
    options = parser.parse_args(words)
    check_output(options.output)
    regions = regions_named(options.regions.split(","), Path("--regions"))

    def warn(said: str) -> None:
        complain(f"videdit: {said}")

    learnt = learn_direction(options.before, options.after, options.profile, options.device, warn)
    save_learnt(learnt, options.output, options.before, options.after, regions)
    say(f"{options.output}: from {learnt.faces[0]} faces to {learnt.faces[1]}; use it as --edit {options.output}")
    say(f"it may show on: {', '.join(regions)} (--regions names other parts)")
    return 0
