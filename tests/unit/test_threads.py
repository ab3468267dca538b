"""How many threads whom: one policy, which heeds every way in which a process is kept to fewer cores."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

from videdit import threads
from videdit.engine.compile import compile_module, eager


def groups(folder, own: str, limits: dict[str, str]):
    """A file like /proc/self/cgroup, and a tree like /sys/fs/cgroup."""
    (folder / "own").write_text(own)
    for name, words in limits.items():
        file = folder / "root" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(words)
    return folder / "own", folder / "root"


@pytest.mark.parametrize(
    ("own", "limits", "share"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "300000 100000"}, 3.0),  # of the group around it
        ("0::/a/b\n", {"a/b/cpu.max": "50000 100000", "a/cpu.max": "300000 100000"}, 0.5),
        ("0::/docker/abc\n", {"cpu.max": "200000 100000"}, 2.0),  # a name of outside
        ("4:cpu,cpuacct:/x\n", {"cpu/x/cpu.cfs_quota_us": "400000", "cpu/x/cpu.cfs_period_us": "100000"}, 4.0),
        ("1:cpu:/\n0::/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("2:memory:/x\n", {"memory/x/cpu.max": "100000 100000"}, None),
        ("0::/\n", {"cpu.max": "nonsense"}, None),
        ("0::/\n", {"cpu.max": "100000 0"}, None),
        ("", {}, None),
        ("no line of that kind\n", {}, None),
    ],
)
def test_limits_of_control_groups(own, limits, share, tmp_path):
    assert threads._limit_of_groups(*groups(tmp_path, own, limits)) == share


def test_without_control_groups_the_affinity_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(threads, "_OWN_GROUPS", tmp_path / "missing")
    assert threads.cores() == len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@pytest.mark.parametrize(("share", "cores"), [(0.2, 1), (1.0, 1), (2.5, 3), (64.0, 4)])
def test_the_narrower_limit_counts(share, cores, tmp_path, monkeypatch):
    own, root = groups(tmp_path, "0::/\n", {"cpu.max": f"{round(share * 100000)} 100000"})
    monkeypatch.setattr(threads, "_OWN_GROUPS", own)
    monkeypatch.setattr(threads, "_GROUPS", root)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(4)), raising=False)
    assert threads.cores() == cores


@pytest.mark.parametrize(
    ("word", "expected"), [("", 4), ("1", 1), ("3", 3), ("64", 4), ("2,1", 2), ("0", 4), ("many", 4), ("-1", 4)]
)
def test_networks_heed_omp_num_threads(word, expected, monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 4)
    monkeypatch.setenv("OMP_NUM_THREADS", word)
    assert threads.networks() == expected


def test_an_engine_takes_as_many_as_that(monkeypatch):
    from videdit.engine import compile as module

    told = []
    original = module.offline.openvino().Core.compile_model

    def compile_model(self, model, device, config):
        told.append(config["INFERENCE_NUM_THREADS"])
        return original(self, model, device, config)

    monkeypatch.setattr(module.offline.openvino().Core, "compile_model", compile_model)
    layer = torch.nn.Conv2d(1, 1, 3)
    for limit in ("1", ""):
        monkeypatch.setenv("OMP_NUM_THREADS", limit)
        (result,) = compile_module(layer, [(1, 1, 8, 8)], precision="fp32")(np.ones((1, 1, 8, 8), np.float32))
        assert result.shape == (1, 1, 6, 6)
    assert told == [1, threads.cores()]


def test_torch_takes_no_more_than_a_limit_of_the_control_group(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr(threads, "networks", lambda: 1)
    try:
        torch.set_num_threads(2)
        eager(torch.nn.Conv2d(1, 1, 1))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


ASK = "import cv2; {before}; from videdit.imaging.host import HostPixels; HostPixels(); print(cv2.getNumThreads())"


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("pass", 1),
        pytest.param(
            "cv2.setNumThreads(3)",
            3,
            marks=pytest.mark.skipif(cv2.getNumberOfCPUs() == 3, reason="3 is what OpenCV takes by itself here"),
        ),
    ],
)
def test_opencv_works_in_the_thread_of_the_stage_unless_the_program_has_chosen(before, expected):
    done = subprocess.run([sys.executable, "-c", ASK.format(before=before)], capture_output=True, text=True, check=True)
    assert int(done.stdout) == expected


def test_tests_run_as_renders_do():
    assert cv2.getNumThreads() == 1
