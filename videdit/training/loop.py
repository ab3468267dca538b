"""The loop that every recipe runs in: budget, learning rate, checkpoints, validation, log, curves and sheets."""

from __future__ import annotations

import math
import sys
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from videdit.errors import UsageError, VideditError
from videdit.evaluation.sheet import write_sheet
from videdit.training import checkpoint
from videdit.training.checkpoint import TrainingPosition
from videdit.training.curves import draw_curves
from videdit.training.log import Log, read_log
from videdit.training.optim import Ema, cosine
from videdit.training.recipe import Recipe
from videdit.training.training import Training
from videdit.weights.module_io import save_weights

SNAPSHOTS = "snapshots"  # the folder of weights along the way, in that of a training
AHEAD = 16  # batches made in advance for a GPU
WORKERS = 8


@dataclass
class Budget:
    """When to stop, and how often to look."""

    seconds: float  # of wall time, of this run
    steps: int | None = None  # of this run, at most
    validate_every: float = 240.0  # seconds
    log_every: int = 25  # steps
    snapshot_every: int = 0  # steps after which weights are also kept by themselves; 0: never
    stop: threading.Event = field(default_factory=threading.Event)  # set it to stop after the step that is running


def train(name: str, training: Training, out: Path, budget: Budget, resume: bool = False) -> TrainingPosition:
    """Train until the recipe's steps are done or the budget is spent; a later call with ``resume`` goes on.

    Writes into `out`: the averaged weights (fp16 safetensors), checkpoint.pt, log.jsonl, curves.png and a sheet a
    validation. Whatever ends the training early leaves all of them usable.

    With ``recipe.steps`` the learning rate follows the steps, so that a training that was stopped and resumed is the
    same as one that was not. Without, it follows the clock, from the first step of the training to the end of this
    budget.

    Raises:
        UsageError: there is a checkpoint in `out` and it is not to be resumed, or it is another recipe's.
        WeightsError: that checkpoint is damaged.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / checkpoint.FILE
    recipe: Recipe = training.recipe
    ema = Ema(training.model, recipe.ema)
    for group in training.optimizer.param_groups:
        group.setdefault("peak", group["lr"])
    moment = TrainingPosition()
    if path.exists():
        if not resume:
            raise UsageError(f"{path} is there already: add --resume to go on from it, or choose another --out")
        moment, changes = checkpoint.restore(path, name, training, ema)
        also = f" with {', '.join(changes)}" if changes else ""
        print(f"going on from step {moment.step}, {moment.seconds:.0f} s{also}", file=sys.stderr)
    if recipe.steps and moment.step >= recipe.steps:
        print(f"all {recipe.steps} steps are done already", file=sys.stderr)
        return moment
    save_weights(training.state(ema.model), out / training.file)  # too large a file is told before time is spent on it
    if budget.snapshot_every:
        (out / SNAPSHOTS).mkdir(exist_ok=True)
        if moment.step == 0:
            save_weights(training.state(ema.model), out / SNAPSHOTS / f"{0:06}.safetensors")
    log = Log(out / "log.jsonl", moment.step, moment.seconds)
    last = min(moment.step + (budget.steps or math.inf), recipe.steps or math.inf)
    end, looked = moment.seconds + budget.seconds, moment.seconds
    step, terms = moment.step, {}
    kept: TrainingPosition | None = None
    with batches(training, step) as source:
        while step < last and log.seconds() < end and not budget.stop.is_set():
            progress = step / recipe.steps if recipe.steps else min(log.seconds() / end, 1.0)
            terms = take_step(training, ema, next(source), step, progress)
            if step % budget.log_every == 0:
                log.write(step=step, **checked(terms, step))
            step += 1
            if budget.snapshot_every and step % budget.snapshot_every == 0:
                save_weights(training.state(ema.model), out / SNAPSHOTS / f"{step:06}.safetensors")
            if log.seconds() - looked > budget.validate_every:
                checked(terms, step - 1)
                kept = keep(name, training, ema, out, log, step)
                looked = log.seconds()
    if kept and kept.step == step:
        return kept
    checked(terms, step - 1)
    return keep(name, training, ema, out, log, step)


def take_step(training: Training, ema: Ema, batch: tuple[Tensor, ...], step: int, progress: float) -> dict[str, Tensor]:
    """One step of the optimiser and of the average; the loss and its terms, each of shape [], detached."""
    recipe: Recipe = training.recipe
    share = learning_rate(recipe, step, progress)
    for group in training.optimizer.param_groups:
        group["lr"] = group["peak"] * share
    loss, terms = training.loss(batch, step, progress)
    training.optimizer.zero_grad()
    loss.backward()
    if recipe.clip:
        nn.utils.clip_grad_norm_(training.model.parameters(), recipe.clip)
    training.optimizer.step()
    ema.update(training.model)
    return {key: value.detach() for key, value in (terms | {"loss": loss}).items()}


def learning_rate(recipe: Recipe, step: int, progress: float) -> float:
    """The share of the peak learning rate.

    Raises:
        UsageError: the recipe's schedule is unknown.
    """
    if recipe.schedule not in ("cosine", "constant"):
        raise UsageError(f"schedule: {recipe.schedule!r} is neither cosine nor constant")
    rise = min(1.0, (step + 1) / max(recipe.warmup, 1))
    return rise * (cosine(progress) if recipe.schedule == "cosine" else 1.0)


def checked(terms: dict[str, Tensor], step: int) -> dict[str, float]:
    """The terms as numbers. Raises VideditError where the loss has left them: no checkpoint must hold that."""
    values = {key: float(value) for key, value in terms.items()}
    if not math.isfinite(values.get("loss", 0.0)):
        raise VideditError(f"the loss of step {step} is not a number: resume with a lower learning rate")
    return values


def keep(name: str, training: Training, ema: Ema, out: Path, log: Log, step: int) -> TrainingPosition:
    """Write checkpoint and weights first, then judge them: nothing is lost where judging fails."""
    moment = TrainingPosition(step, log.seconds())
    checkpoint.save(out / checkpoint.FILE, name, training, ema, moment)
    save_weights(training.state(ema.model), out / training.file)
    devices = [training.device] if training.device.type == "cuda" else []
    with torch.no_grad(), torch.random.fork_rng(devices=devices):  # training must not depend on when it was judged
        found = training.validate(ema.model)
    log.write(step=step, **found.figures)
    if found.sheet is not None:
        write_sheet(out / "sheets" / f"{step:06}.png", found.sheet)
    write_sheet(out / "curves.png", draw_curves(read_log(log.path)))
    return moment


@contextmanager
def batches(training: Training, first: int) -> Iterator[Iterator[tuple[Tensor, ...]]]:
    """The batches, tensors [B, ...], from a step on, on the training's device; for a GPU, threads make them ahead."""
    if training.device.type != "cuda":
        yield (tuple(training.batch(step)) for step in _count(first))
        return
    pool = ThreadPoolExecutor(WORKERS)
    try:
        yield ahead(pool, training, first)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def ahead(pool: ThreadPoolExecutor, training: Training, first: int) -> Iterator[tuple[Tensor, ...]]:
    """The batches, [B, ...], from a step on, in order, made by a pool's threads while earlier ones are in use."""
    pinned = training.device.type == "cuda"  # copies from pinned memory do not wait

    def make(step: int) -> tuple[Tensor, ...]:
        return tuple(x.pin_memory() if pinned else x for x in training.batch(step))

    made: deque[Future[tuple[Tensor, ...]]] = deque()
    for step in _count(first):
        made.append(pool.submit(make, step))
        if len(made) == AHEAD:
            yield tuple(x.to(training.device, non_blocking=pinned) for x in made.popleft().result())


def _count(first: int) -> Iterator[int]:
    while True:
        yield first
        first += 1
