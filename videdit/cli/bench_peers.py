"""`videdit bench peers`: what a face takes in networks that others would pick, beside ours, in one run on one machine.

All run on the same engine, in the same precision, on the same crop. Every network is timed in a process of its own,
which finds its graph ready made: so the memory that is told is that of the passes, not of the conversion.
"""

from __future__ import annotations

import concurrent.futures.process
import gc
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import psutil
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from videdit.argument_parser import Parser
from videdit.cli.bench import resident, watch
from videdit.cli.bench_options import add_network_options
from videdit.cli.peer_passes import OURS, Contestant, Pass, contestants
from videdit.engine.compile import compile_module
from videdit.engine.devices import resolve_device, resolve_precision, synchronize
from videdit.engine.openvino_cache import graph_of
from videdit.engine.recipe import Shape
from videdit.errors import OutOfMemoryError, UsageError
from videdit.hfgi.inverter import SIZES
from videdit.storage.outputs import scratch
from videdit.threads import cores

RUNS = 5
STANDARD = 0.5  # of the faces that networks see, at quality "standard": measured on calm faces at 25 and 30 fps


@dataclass(frozen=True)
class PeerRow:
    """What a face takes."""

    contestant: str
    title: str
    size: int
    parameters: float  # millions
    gmac: float  # thousand millions of multiplications and additions
    seconds: float
    cpu_seconds: float  # of all cores together
    mib: float  # added to what the process took before its networks were there

    def __str__(self) -> str:
        return (
            f"{self.title:30}{self.size:6}{self.parameters:9.1f}{self.gmac:9.1f}{1 / self.seconds:10.2f}"
            f"{self.cpu_seconds:9.3f}{self.mib:8.0f}"
        )


def main(words: Sequence[str]) -> int:
    """Run the bench and print its table as it grows."""
    names = sorted({one.name for one in contestants("cpu")})
    parser = Parser(
        "videdit bench peers",
        description="Time what a face takes in the networks that others would pick, beside ours: HFGI as released, a "
        "U-Net of FRAN's size, GFPGAN v1.4 and Real-ESRGAN, with numbers of chance.",
        allow_abbrev=False,
    )
    add_network_options(parser, "all")
    parser.add_argument(
        "--sizes",
        default=",".join(map(str, SIZES)),
        metavar="PX,PX",
        help="sizes of the edited face in pixels; who knows one size alone is left out at others (default: "
        "256,512,1024)",
    )
    parser.add_argument(
        "--runs",
        default=RUNS,
        type=int,
        metavar="N",
        help="passes of each network, of which the median is shown (default: 5)",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=names,
        metavar="NAME",
        help=f"leave out all others: {', '.join(names)}; may be given several times",
    )
    parser.add_argument("--debug", action="store_true", help="show the Python traceback of a failure")
    args = parser.parse_args(words)
    try:
        sizes = [int(word) for word in args.sizes.split(",")]
    except ValueError:
        sizes = []
    if not sizes or not set(sizes) <= set(SIZES):
        raise UsageError(f"--sizes {args.sizes}: write some of {', '.join(map(str, SIZES))}")
    if args.runs < 1:
        raise UsageError(f"--runs {args.runs}: one run is the least")
    device = resolve_device(args.device)
    chosen = [one for one in contestants(device) if one.size in sizes and one.name in (args.only or names)]
    if not chosen:
        raise UsageError(f"--only {' '.join(args.only)} knows none of the sizes {args.sizes}")
    with scratch() as folder:
        before = os.environ.get("VIDEDIT_CACHE")
        os.environ["VIDEDIT_CACHE"] = str(folder)  # graphs of chance numbers are of no use to anybody
        try:
            for line in bench(chosen, device, args.precision, args.runs):
                print(line, flush=True)
        finally:
            os.environ.pop("VIDEDIT_CACHE")
            os.environ |= {"VIDEDIT_CACHE": before} if before is not None else {}
    return 0


def bench(chosen: Sequence[Contestant], device: str, precision: str, runs: int) -> Iterator[str]:
    """The table, line by line, and then what ours gains."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    yield f"{device}, {resolve_precision(precision, device)}, {cores()} cores{load}; cpu s: of all cores together"
    yield f"{'a face through':30}{'px':>6}{'M par.':>9}{'GMAC':>9}{'faces/s':>10}{'cpu s':>9}{'MiB':>8}"
    rows: list[PeerRow] = []
    for one in chosen:
        for row in measured(one, device, precision, runs):
            rows.append(row)
            yield str(row)
    yield from ratios(rows, device)


def ratios(rows: Sequence[PeerRow], device: str) -> Iterator[str]:
    """How many of our faces go into one of another's: by processor time on a CPU, which others' work hardly changes."""

    def cost(row: PeerRow) -> float:
        return row.cpu_seconds if device == "cpu" else row.seconds

    for row in (row for row in rows if row.contestant != OURS):
        for own in (own for own in rows if own.contestant == OURS and own.size == row.size):
            yield f"a face of {row.title} at {row.size} takes as long as {cost(row) / cost(own):.1f} of {own.title}"


def measured(one: Contestant, device: str, precision: str, runs: int) -> list[PeerRow]:
    """What a face takes: one row, or for ours one at quality best and one at standard."""
    passes = one.passes()
    sizes = []
    for each in passes:
        network = each.build().eval().requires_grad_(False)
        sizes.append((parameters(network) if each.counted else 0.0, gmac(network, each.shapes)))
        if device == "cpu":
            graph_of(replace(each.recipe(), build=partial(_itself, network)), each.shapes)  # not built again
        del network
        gc.collect()
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as process:
        try:
            taken, mib = process.submit(run, passes, device, precision, runs).result()
        except concurrent.futures.process.BrokenProcessPool:
            raise OutOfMemoryError(
                f"{one.title} at {one.size} px: its process was ended, most likely for memory; leave it out by --only"
            ) from None
    count = sum(millions for millions, _ in sizes)

    def row(title: str, share: float) -> PeerRow:
        shares = [(1.0 if each.every else share) / each.faces for each in passes]
        macs = sum(s * gmac for s, (_, gmac) in zip(shares, sizes, strict=True))
        wall, cpu = (sum(s * pair[i] for s, pair in zip(shares, taken, strict=True)) for i in (0, 1))
        return PeerRow(one.name, title, one.size, count, macs, wall, cpu, mib)

    if one.name != OURS:
        return [row(one.title, 1.0)]
    seen = f"{one.title}, standard, {STANDARD:.0%} seen"
    return [row(f"{one.title}, quality best", 1.0), row(seen, STANDARD)]


def _itself(network: nn.Module) -> nn.Module:
    return network


def parameters(network: nn.Module) -> float:
    """Millions of numbers that were learnt: not frozen noise, nor what is worked out of other weights."""
    learnt = (value for name, value in network.named_parameters() if not name.endswith(("noise", "energy")))
    return sum(value.numel() for value in learnt) / 1e6


def gmac(network: nn.Module, shapes: Sequence[Shape]) -> float:
    """Thousand millions of multiplications with an addition in convolutions and matrix products, of one pass."""
    with FakeTensorMode(allow_non_fake_inputs=True), FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*map(torch.zeros, shapes))
    return counter.get_total_flops() / 2e9


def run(passes: Sequence[Pass], device: str, precision: str, runs: int) -> tuple[list[tuple[float, float]], float]:
    """(wall, processor) seconds of a pass of each network, medians, and the MiB that all of them add."""
    before = resident(psutil.Process())
    picture = np.random.default_rng(0).random((1024, 1024), np.float32)  # the same for all, cut to size
    work: list[Callable[[], object]] = []
    with watch(device) as usage:
        for each in passes:
            engine = compile_module(each.recipe(), each.shapes, device, precision, each.threads)
            work.append(partial(engine, *(np.resize(picture, shape) for shape in each.shapes)))
            work[-1]()
    most = usage.device_peak_bytes if usage.device else usage.peak_bytes - before
    return [_timed(one, device, runs) for one in work], most / 2**20


def _timed(work: Callable[[], object], device: str, runs: int) -> tuple[float, float]:
    times = []
    for _ in range(runs):
        synchronize(device)
        begun, cpu = time.perf_counter(), time.process_time()
        work()
        synchronize(device)
        times.append((time.perf_counter() - begun, time.process_time() - cpu))
    wall, cpu = (statistics.median(values) for values in zip(*times, strict=True))
    return wall, cpu
