"""Graphs are converted once, are the same afterwards, and a damaged cache is only slower."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from videdit.engine import openvino_cache
from videdit.engine.compile import compile_module


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIDEDIT_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one each time a module is really converted."""
    done: list[str] = []
    real = openvino_cache._convert

    def counting(module: nn.Module, inputs: tuple) -> object:
        done.append(type(module).__name__)
        return real(module, inputs)

    monkeypatch.setattr(openvino_cache, "_convert", counting)
    return done


def net(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())


X = torch.linspace(-1, 1, 3 * 8 * 8).reshape(1, 3, 8, 8)


def run(module: nn.Module) -> np.ndarray:
    return compile_module(module, (torch.zeros_like(X),), precision="fp32")(X.numpy())[0]


def test_second_run_reads_what_the_first_converted(conversions: list[str]) -> None:
    first, second = run(net()), run(net())
    assert len(conversions) == 1
    np.testing.assert_array_equal(first, second)
    with torch.inference_mode():
        np.testing.assert_allclose(first, net()(X).numpy(), atol=2e-3)  # weights are kept as fp16


def test_other_weights_are_another_graph(conversions: list[str]) -> None:
    assert not np.array_equal(run(net(0)), run(net(1)))
    assert len(conversions) == 2


@pytest.mark.parametrize("suffix", [".xml", ".bin", ".sha256"])
def test_damaged_files_are_made_again(cache: Path, conversions: list[str], suffix: str) -> None:
    first = run(net())
    [path] = (cache / "graphs").glob(f"*{suffix}")
    path.write_bytes(path.read_bytes()[:-3] + b"xyz")
    np.testing.assert_array_equal(first, run(net()))
    assert len(conversions) == 2


def test_an_unwritable_cache_is_no_error(cache: Path, conversions: list[str]) -> None:
    (cache / "graphs").write_text("a file where the folder should be")
    run(net())
    assert len(conversions) == 1


def test_a_conversion_says_nothing_to_the_user(recwarn: pytest.WarningsRecorder) -> None:
    """Tracing is deprecated, which is ours to know: torch calls it a DeprecationWarning or a FutureWarning."""
    compile_module(net(5), (X,), "cpu", "fp32")
    assert not recwarn.list


def test_a_conversion_takes_no_word_of_ours_for_its_own(monkeypatch, capfd) -> None:
    """OpenVINO looks for --verbose among the words of whatever program it runs in, and tells of arguments and times."""
    monkeypatch.setattr(sys, "argv", ["videdit", "in.mp4", "--verbose"])
    compile_module(net(6), (X,), "cpu", "fp32")
    assert capfd.readouterr() == ("", "")
    assert sys.argv[-1] == "--verbose"


def test_a_full_disk_leaves_no_half_of_a_graph(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(model: object, path: Path, **_: object) -> None:
        for name in (path, path.with_suffix(".bin")):
            Path(name).write_bytes(b"half")
        raise RuntimeError("cannot write: No space left on device")

    monkeypatch.setattr(openvino_cache.offline.openvino(), "save_model", half)
    with torch.inference_mode():
        np.testing.assert_allclose(run(net()), net()(X).numpy(), atol=2e-3)
    assert [path for path in cache.rglob("*") if path.is_file()] == []
