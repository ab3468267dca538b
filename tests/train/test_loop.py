"""The loop: a training that is stopped and resumed is the one that was not, and nothing is lost on the way."""

from __future__ import annotations

import json
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import pytest
import torch
from safetensors.torch import load_file
from tiny import Training, make

from videdit.errors import UsageError, VideditError, WeightsError
from videdit.training.checkpoint import FILE
from videdit.training.log import read_log
from videdit.training.loop import SNAPSHOTS, Budget, ahead, learning_rate, train
from videdit.training.recipe import Recipe

LONG = 3600.0  # seconds: never the reason to stop


def run(training: Training, out: Path, steps: int | None = None, **options) -> int:
    return train("tiny", training, out, Budget(LONG, steps, log_every=1), **options).step


def everything(out: Path) -> dict[str, object]:
    """All tensors of a checkpoint by their places in it."""
    flat: dict[str, object] = {}

    def walk(place: str, value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{place}.{key}", inner)
        elif isinstance(value, list):
            for i, inner in enumerate(value):
                walk(f"{place}.{i}", inner)
        elif not place.endswith(".seconds"):
            flat[place] = value

    walk("", torch.load(out / FILE, weights_only=True))
    return flat


@pytest.mark.parametrize("pause", [1, 4, 5, 9])
def test_stopped_and_resumed_equals_straight_on_bit_for_bit(tmp_path: Path, pause: int) -> None:
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    assert run(make(12), straight) == 12
    assert run(make(12), broken, pause) == pause
    torch.manual_seed(99)  # another process
    assert run(make(12), broken, resume=True) == 12
    one, other = everything(straight), everything(broken)
    assert one.keys() == other.keys()
    assert len(one) > 30
    for place, value in one.items():
        same = torch.equal(value, other[place]) if isinstance(value, torch.Tensor) else value == other[place]
        assert same, place
    assert (straight / "tiny.safetensors").read_bytes() == (broken / "tiny.safetensors").read_bytes()
    logged, also = (
        [{k: v for k, v in entry.items() if k != "seconds"} for entry in read_log(out / "log.jsonl")]
        for out in (straight, broken)
    )
    assert [entry for entry in also if not ("val_error" in entry and entry["step"] == pause)] == logged


def test_judging_more_often_changes_nothing(tmp_path: Path) -> None:
    for out, every in ((tmp_path / "often", 0.0), (tmp_path / "once", LONG)):
        train("tiny", make(6), out, Budget(LONG, validate_every=every))
    judged = [entry["step"] for entry in read_log(tmp_path / "often" / "log.jsonl") if "val_error" in entry]
    assert judged == [1, 2, 3, 4, 5, 6]
    assert len(list((tmp_path / "often" / "sheets").iterdir())) == 6
    assert (tmp_path / "often/tiny.safetensors").read_bytes() == (tmp_path / "once/tiny.safetensors").read_bytes()


def test_a_run_leaves_weights_curves_and_sheets(tmp_path: Path) -> None:
    run(make(5), tmp_path)
    state = load_file(tmp_path / "tiny.safetensors")
    assert state["0.weight"].dtype == torch.float16
    assert state["1.num_batches_tracked"] == 5
    assert cv2.imread(str(tmp_path / "curves.png")).shape[1] > 300
    assert [path.name for path in (tmp_path / "sheets").iterdir()] == ["000005.png"]
    assert not list(tmp_path.glob(".*"))


def test_the_log_forgets_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    run(make(9), tmp_path, 4)
    with (tmp_path / "log.jsonl").open("a") as file:  # a process that was killed between checkpoints
        file.write(json.dumps({"seconds": 9, "step": 4, "loss": 1e9}) + '\n{"seconds": 10, "st')
    run(make(9), tmp_path, resume=True)
    entries = read_log(tmp_path / "log.jsonl")
    assert [e["step"] for e in entries if "loss" in e] == list(range(9))
    assert max(e["loss"] for e in entries if "loss" in e) < 1e9
    seconds = [e["seconds"] for e in entries if "loss" in e]  # judging comes after the checkpoint: it is not counted
    assert seconds == sorted(seconds)


def test_the_budget_stops_early_and_the_rest_is_done_later(tmp_path: Path) -> None:
    training = make(10**6)
    done = train("tiny", training, tmp_path, Budget(0.3)).step
    assert 0 < done < 10**6
    assert training.seen == list(range(done))
    assert (tmp_path / "tiny.safetensors").exists()


def test_a_signal_stops_after_the_step(tmp_path: Path) -> None:
    stop = threading.Event()
    training = make(50)
    loss = training.loss

    def heard(batch, step, progress):
        if step == 3:
            stop.set()
        return loss(batch, step, progress)

    training.loss = heard  # type: ignore[method-assign]
    assert train("tiny", training, tmp_path, Budget(LONG, stop=stop)).step == 4
    assert run(make(50), tmp_path, 1, resume=True) == 5


def test_without_steps_the_rate_follows_the_clock_to_the_end_of_the_budget(tmp_path: Path) -> None:
    training = make(0, warmup=1)
    loss, seen = training.loss, []

    def heard(batch, step, progress):
        seen.append((progress, training.optimizer.param_groups[0]["lr"]))
        return loss(batch, step, progress)

    training.loss = heard  # type: ignore[method-assign]
    train("tiny", training, tmp_path, Budget(0.4))
    assert [p for p, _ in seen] == sorted(p for p, _ in seen)
    assert seen[0][0] < 0.5 < seen[-1][0] <= 1
    assert seen[0][1] > seen[-1][1]


def test_a_finished_training_says_so_and_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(make(3), tmp_path)
    before = (tmp_path / "log.jsonl").read_text()
    assert run(make(3), tmp_path, resume=True) == 3
    assert "all 3 steps are done" in capsys.readouterr().err
    assert (tmp_path / "log.jsonl").read_text() == before


def test_changed_numbers_are_told_and_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(make(8, schedule="constant"), tmp_path, 4)
    training = make(8, schedule="constant", lr=0.01)
    run(training, tmp_path, resume=True)
    assert "lr 0.05 -> 0.01" in capsys.readouterr().err
    assert training.optimizer.param_groups[0]["lr"] == 0.01


def test_batches_made_ahead_are_those_made_in_turn() -> None:
    training = make(9)
    with ThreadPoolExecutor(4) as pool:
        source = ahead(pool, training, 3)
        for step in range(3, 40):
            assert all(torch.equal(a, b) for a, b in zip(next(source), training.batch(step), strict=True))


def test_a_run_is_not_overwritten_by_mistake(tmp_path: Path) -> None:
    run(make(3), tmp_path, 1)
    with pytest.raises(UsageError, match="--resume"):
        run(make(3), tmp_path)


def test_the_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    run(make(3), tmp_path, 1)
    with pytest.raises(UsageError, match="'tiny', not of 'other'"):
        train("other", make(3), tmp_path, Budget(LONG), resume=True)


def test_the_checkpoint_of_another_shape_is_refused(tmp_path: Path) -> None:
    run(make(3), tmp_path, 1)
    with pytest.raises(WeightsError, match="does not fit"):
        run(make(3, width=9), tmp_path, resume=True)


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "replaced"])
def test_a_damaged_checkpoint_is_one_clear_line(tmp_path: Path, damage: str) -> None:
    run(make(3, width=256), tmp_path, 1)
    path = tmp_path / FILE
    data = bytearray(path.read_bytes())
    if damage == "flipped":  # one byte of a tensor: nothing but a checksum can tell
        weights = torch.load(path, weights_only=True)["parts"]["model"]["0.weight"].numpy().tobytes()
        data[data.index(weights) + 100] ^= 0xFF
    path.write_bytes({"cut": data[: len(data) // 2], "flipped": data, "emptied": b"", "replaced": b"PK" * 50}[damage])
    with pytest.raises(WeightsError, match=r"checkpoint\.pt") as caught:
        run(make(3, width=256), tmp_path, resume=True)
    assert "\n" not in str(caught.value)


def test_a_file_of_torch_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / FILE)
    with pytest.raises(WeightsError, match="no checkpoint of this program"):
        run(make(3), tmp_path, resume=True)


def test_a_loss_that_is_no_number_stops_and_spoils_no_checkpoint(tmp_path: Path) -> None:
    run(make(9), tmp_path, 2)
    training = make(9)
    loss = training.loss
    training.loss = lambda batch, step, progress: (loss(batch, step, progress)[0] * math.nan, {})  # type: ignore
    with pytest.raises(VideditError, match="not a number"):
        run(training, tmp_path, resume=True)
    assert torch.load(tmp_path / FILE, weights_only=True)["step"] == 2
    assert all(torch.isfinite(v.float()).all() for v in load_file(tmp_path / "tiny.safetensors").values())


def test_weights_too_large_to_ship_are_told_before_time_is_spent(tmp_path: Path) -> None:
    training = make(3, width=2_000_000)
    with pytest.raises(WeightsError, match="at most 15"):
        run(training, tmp_path)
    assert not training.seen


@pytest.mark.parametrize(("schedule", "end"), [("cosine", 0.02), ("constant", 1.0)])
def test_learning_rate_rises_and_ends(schedule: str, end: float) -> None:
    recipe = Recipe(warmup=10, schedule=schedule)
    assert [learning_rate(recipe, step, 0.0) for step in (0, 4, 9, 20)] == pytest.approx([0.1, 0.5, 1, 1])
    assert learning_rate(recipe, 1000, 1.0) == pytest.approx(end)
    with pytest.raises(UsageError, match="linear"):
        learning_rate(Recipe(schedule="linear"), 0, 0.0)


def test_weights_along_the_way_are_kept_where_they_are_asked_for(tmp_path: Path) -> None:
    out, budget = tmp_path / "out", Budget(LONG, snapshot_every=2)
    train("tiny", make(5, ema=0.0), out, budget)
    kept = sorted(path.name for path in (out / SNAPSHOTS).iterdir())
    assert kept == ["000000.safetensors", "000002.safetensors", "000004.safetensors"]
    train("tiny", make(5, ema=0.0), tmp_path / "short", Budget(LONG, 4))
    alike = load_file(tmp_path / "short" / "tiny.safetensors")  # stopped there
    for key, value in load_file(out / SNAPSHOTS / "000004.safetensors").items():
        assert torch.equal(value, alike[key])


def test_without_an_average_what_was_trained_is_exported_and_no_gradient_is_shortened(tmp_path: Path) -> None:
    training = make(3, ema=0.0, clip=0.0, lr=0.5)
    run(training, tmp_path)
    exported = load_file(tmp_path / "tiny.safetensors")
    for key, value in training.model.state_dict().items():
        assert torch.equal(exported[key], value.half() if value.is_floating_point() else value)
