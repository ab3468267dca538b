"""`videdit bench models`: what each network takes per image on this machine, beside the published formulation.

The networks of profile `hfgi-ffhq`, at their published widths and with numbers of chance, and of profile `mobile` are
timed at several batch sizes; in the same run, on the same cores, the plain formulation of the published code as it is
released: eager float32, one picture at a time, three passes of the 1024 px generator an edit. Ours makes four, since
detail return needs the high-fidelity inversion beside the edit. The published generator renders 1024 px and nothing
else; ours renders what a face needs, so `mobile` is timed at each of its sizes, and consults nothing, as in clips.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import psutil
import torch
from torch import Tensor, nn

from videdit.argument_parser import Parser
from videdit.cli.bench_options import add_network_options
from videdit.datatypes import LOW
from videdit.engine.devices import resolve_device, synchronize
from videdit.errors import UsageError
from videdit.hfgi.inverter import SIZES
from videdit.hfgi.loader import Networks, load_networks
from videdit.hfgi.profile import load_profile
from videdit.imaging.memory import pixels_for
from videdit.imaging.pixels import Pixels
from videdit.models import e4e, hfgi_released, stylegan2
from videdit.models.passes import ConsultationPass, ImagePass, LowFidelityPass
from videdit.models.stylegan2_plain import Generator
from videdit.storage.outputs import scratch

FFHQ = (512, 512, 512, 512, 512, 256, 128, 64, 32)  # channels of the published generator's features of 4, 8, ... px
HEAVY = 0.9 * 2**30  # bytes that a 1024 px picture of that generator takes while it is made, about
RUNS = 3
PUBLISHED, OURS = "published code", "hfgi-ffhq"


@dataclass(frozen=True)
class ModelRow:
    """What one network took: milliseconds an image."""

    name: str
    batch: int
    milliseconds: float


def main(words: Sequence[str]) -> int:
    """Run the bench and print its table as it grows."""
    parser = Parser(
        "videdit bench models",
        description="Time each network per picture on this machine, beside the published code of HFGI.",
    )
    add_network_options(parser, "our")
    parser.add_argument(
        "--batch", default="1,4,16", metavar="N,N,...", help="pictures per network pass (default: 1,4,16)"
    )
    parser.add_argument("--debug", action="store_true", help="show the Python traceback of a failure")
    args = parser.parse_args(words)
    try:
        counts = [int(word) for word in args.batch.split(",")]
    except ValueError:
        counts = []
    if not counts or min(counts) < 1:
        raise UsageError(f"--batch {args.batch}: write numbers of images, like 1,4,16")
    device = resolve_device(args.device)
    with scratch() as folder:
        os.environ["VIDEDIT_CACHE"] = str(folder)  # graphs of chance numbers are of no use to anybody
        for line in bench(pixels_for(device, args.precision), counts):
            print(line, flush=True)
    return 0


def bench(pixels: Pixels, counts: Sequence[int]) -> Iterator[str]:
    """The table, line by line."""
    yield f"{'network, ' + pixels.device:38}{'batch':>6}{'ms an image':>13}"
    published, plain = networks_of_chance()
    edits: dict[str, list[ModelRow]] = {}
    mobile = load_networks(load_profile("mobile"))
    for name, rows in (
        (PUBLISHED, plain_rows(published, plain, pixels.device)),
        (OURS, rows_of(published, pixels, counts, SIZES[-1], consulted=True)),
        *((f"mobile at {size}", rows_of(mobile, pixels, counts, size, consulted=False)) for size in reversed(SIZES)),
    ):
        edits[name] = []
        for row in rows:
            edits[name].append(row)
            yield f"{name + ': ' + row.name:38}{row.batch:6}{row.milliseconds:13.1f}"
    whole = {name: min(totals(rows), key=lambda row: row.milliseconds) for name, rows in edits.items()}
    for name in list(edits)[1:]:
        for row in totals(edits[name]):
            times = whole[PUBLISHED].milliseconds / row.milliseconds
            yield f"{name + ': ' + row.name:38}{row.batch:6}{row.milliseconds:13.1f}  {times:.1f}x the published code"
    for name in list(edits)[2:]:
        ratio = whole[OURS].milliseconds / whole[name].milliseconds
        yield f"{name} is {ratio:.1f}x as fast as {OURS}, each at its best batch"


def totals(rows: Sequence[ModelRow]) -> list[ModelRow]:
    """The whole edit for each batch at which all of its networks were timed."""
    counts = sorted({row.batch for row in rows})
    whole = {count: [row.milliseconds for row in rows if row.batch == count] for count in counts}
    most = max(map(len, whole.values()))
    return [ModelRow("whole edit", count, sum(times)) for count, times in whole.items() if len(times) == most]


def networks_of_chance() -> tuple[Networks, Generator]:
    """The published networks at their widths, ours and the plain generator with the same numbers."""
    torch.manual_seed(0)
    plain = Generator(FFHQ).eval().requires_grad_(False)
    with torch.device("meta"):
        ours = stylegan2.Synthesis(FFHQ)
    ours.load_state_dict(stylegan2.converted(plain.state_dict()), assign=True)
    networks = Networks(ours, e4e.E4eEncoder(), hfgi_released.Alignment(), hfgi_released.Consultation(), heavy=True)
    for network in (networks.generator, networks.encoder, networks.alignment, networks.consultation):
        assert network is not None
        network.eval().requires_grad_(False)
    return networks, plain


def plain_rows(networks: Networks, plain: Generator, device: str) -> Iterator[ModelRow]:
    """The published formulation, one picture at a time: encoder, three passes, ADA and consultation."""
    where = torch.device(device)
    encoder, alignment, consultation = networks.encoder, networks.alignment, networks.consultation
    assert alignment is not None
    assert consultation is not None
    for network in (encoder, alignment, consultation, plain):
        network.to(where)
    image = torch.zeros(1, 3, LOW, LOW, device=where)
    codes = torch.randn(1, 18, stylegan2.W_DIM, device=where)

    def consulted() -> tuple[Tensor, Tensor]:
        return consultation(alignment(image, image))

    with torch.inference_mode():
        condition = consulted()
        yield ModelRow("encoder", 1, timed(lambda: encoder(image), device))
        passes = timed(lambda: (plain(codes), plain(codes), plain(codes, condition)), device)
        yield ModelRow("generator, three passes", 1, passes)
        yield ModelRow("ADA and consultation", 1, timed(consulted, device))


def rows_of(
    networks: Networks, pixels: Pixels, counts: Sequence[int], size: int, consulted: bool
) -> Iterator[ModelRow]:
    """Our networks as the pipeline runs them: a crop is one image, its inversion and its edit go side by side.

    size: pixels of what is rendered. consulted: whether ADA and the consultation encoder run.
    """
    for count in counts:
        needed = 2 * count * HEAVY if networks.heavy else 0
        if pixels.device == "cpu" and needed > psutil.virtual_memory().available:
            continue
        encoder = ("encoder", networks.encoder, (torch.zeros(count, 3, LOW, LOW),))
        for name, module, inputs in (encoder, *generator_steps(networks, 2 * count, size, consulted)):
            engine = pixels.compile(module, inputs)
            arrays = [pixels.put(value.numpy() + 0.1) for value in inputs]
            yield ModelRow(name, count, timed(partial(engine, *arrays), pixels.device) / count)


def generator_steps(
    networks: Networks, renders: int, size: int, consulted: bool
) -> list[tuple[str, nn.Module, tuple[Tensor, ...]]]:
    """(name, network, inputs) of the passes of so many renders; size, consulted: as of :func:`rows_of`."""
    generator = networks.generator
    codes = torch.zeros(renders, generator.num_layers, stylegan2.W_DIM)
    if consulted:
        trunk, maps = torch.zeros(renders, generator.trunk_channels, 64, 64), torch.zeros(renders, LOW, LOW, 3)
        finisher = ConsultationPass(generator, networks.alignment, networks.consultation, size)
        return [
            ("two low renders", LowFidelityPass(generator), (codes,)),
            (f"ADA, consultation, two at {size}", finisher, (trunk, codes, maps, maps)),
        ]
    own = codes[: renders // 2]
    return [
        ("one low render", ImagePass(generator, LOW), (own,)),
        (f"one at {size}", ImagePass(generator, size), (own,)),
    ]


def timed(work: Callable[[], object], device: str) -> float:
    """Milliseconds that some work takes, the best of RUNS after a first one."""
    best = float("inf")
    for run in range(RUNS + 1):
        synchronize(device)
        start = time.perf_counter()
        work()
        synchronize(device)
        if run:
            best = min(best, time.perf_counter() - start)
    return 1000 * best
