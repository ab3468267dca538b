"""What tests share: clips with and without a face, people who do not exist, and the shared data where it is present."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0)):
    # Cores are shared out: with all of them each, workers' threads would wait for each other at every barrier. Read
    # when torch and numpy are imported; the commands that tests start are told by it too.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))

import cv2
import numpy as np
import pytest
from hypothesis import settings
from synthetic import ROOT, background, with_face, write_clip

from videdit import threads
from videdit.paths import cache_dir
from videdit.weights.judges import have_judges

threads.settle()
settings.register_profile("videdit", deadline=None)  # no test asserts speed
settings.load_profile("videdit")


# What the mark extra names -> modules that are there where it is installed.
EXTRAS = {
    "c2pa": ("c2pa",),
    "farm": ("ray",),
    "farm-test": ("moto", "openjd", "s3fs"),
    "insightface": ("insightface", "onnx", "onnxruntime"),
    "restore": ("basicsr", "gfpgan", "torchvision"),
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("extra"):
        (name,) = mark.args
        if name == "judges" and not have_judges():
            pytest.skip("the judges were not fetched: videdit weights fetch judges")
        if name != "judges" and not all(importlib.util.find_spec(module) for module in EXTRAS[name]):
            pytest.skip(f'the extra {name} is not installed: pip install "videdit[{name}]"')


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--must-run", action="store_true", help="a test that is skipped fails the run")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--must-run") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory) -> Iterator[None]:
    """What is kept of the tests' clips stays out of the user's cache; judges and compiled graphs are taken from it."""
    user, own = cache_dir(), tmp_path_factory.mktemp("cache")
    user.joinpath("graphs").mkdir(parents=True, exist_ok=True)
    own.joinpath("graphs").symlink_to(user / "graphs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDEDIT_JUDGES", os.environ.get("VIDEDIT_JUDGES") or str(user / "judges"))
        patch.setenv("VIDEDIT_CACHE", str(own))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of evaluation data that lies beside the repository on development machines."""
    folder = Path(os.environ.get("VIDEDIT_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no evaluation data at {folder} (set VIDEDIT_SHARED)")
    return folder


@pytest.fixture(scope="session")
def people() -> list[np.ndarray]:
    """Two people who do not exist, aligned, each [256, 256, 3] uint8 RGB."""
    both = cv2.imread(str(ROOT / "tests" / "data" / "faces.jpg"))[:, :, ::-1]
    return [np.ascontiguousarray(both[:, i : i + 256]) for i in (0, 256)]


@pytest.fixture(scope="session")
def face_clip(tmp_path_factory, people) -> Path:
    """Eight frames, 320x240, 25 fps, with sound: a face of about 110 px that drifts over a background."""
    pictures = [with_face(background(320, 240), people[0], (150 + 2 * i, 120 + i), 200) for i in range(8)]
    return write_clip(tmp_path_factory.mktemp("clips") / "person.mp4", pictures)


@pytest.fixture(scope="session")
def empty_clip(tmp_path_factory) -> Path:
    """Six frames, 320x240, with sound and without a face."""
    return write_clip(tmp_path_factory.mktemp("clips") / "nobody.mp4", [background(320, 240)] * 6)
