"""What tests share: clips with and without a face, people who do not exist, and the shared data where it is present."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import settings
from synthetic import ROOT, background, with_face, write_clip

from videdit.paths import cache_dir

cv2.setNumThreads(1)
settings.register_profile("videdit", deadline=None)  # no test asserts speed
settings.load_profile("videdit")


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
