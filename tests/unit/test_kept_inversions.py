"""Inversions that are known: the same pictures as without, in as few renders as there are edits."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from videdit.edits import edit_delta, parse_edits
from videdit.engine.profiler import passes, reset_passes
from videdit.errors import Cancelled
from videdit.hfgi.inverter import Inverter
from videdit.hfgi.kept_inversions import KeptInversions


@pytest.fixture(scope="module", params=[True, False], ids=["consulted", "not consulted"])
def inverter(request) -> Inverter:
    return Inverter.load(precision="fp32", batch=1, consulted=request.param)


def rendered(inverter: Inverter, crops: list[np.ndarray], size: int, words: str) -> list[np.ndarray]:
    """All pictures of the renderings of crops."""
    codes = inverter.encode(crops)
    found = inverter.render(crops, codes, codes + edit_delta(parse_edits(words)), size)
    return [image for each in found for image in (each.inversion_low, each.edit_low, each.inversion, each.edit)]


def counted(inverter: Inverter, size: int) -> tuple[int, int]:
    """Passes since they were last counted: of each of the generator's halves, or of low images and larger ones."""
    low, high = ("LowFidelityPass", "ConsultationPass") if inverter.passes.consulted else ("ImagePass 256", "ImagePass")
    return tuple(passes()[name].count if name in passes() else 0 for name in (low, f"{high} {size}"))


@pytest.mark.parametrize("size", [256, 512])
def test_another_strength_takes_one_render_a_crop_and_passes_are_full(inverter, people, size):
    crops = [cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA) for picture in people]
    crops = [*crops, *(crop[:, ::-1].copy() for crop in crops)][:4]
    few = (1, 1, 3, 3) if inverter.passes.consulted else (2, 2, 6, 6) if size == 256 else (0, 2, 2, 4)
    assert len(crops) == 4
    memory: dict = {}
    kept = KeptInversions(inverter, memory.get, memory.__setitem__)
    rendered(kept, crops[:2], size, "smile=1")
    assert len(memory) == 2
    reset_passes()
    found = rendered(kept, crops[:2], size, "smile=2")
    assert counted(inverter, size) == few[:2], "two edits; two to a pass, or one where nothing is consulted"
    assert all(map(np.array_equal, found, rendered(inverter, crops[:2], size, "smile=2")))
    reset_passes()
    found = rendered(kept, crops, size, "smile=1.5")
    assert counted(inverter, size) == few[2:], "four edits and two inversions"
    assert all(map(np.array_equal, found, rendered(inverter, crops, size, "smile=1.5")))


def test_what_is_known_at_another_size_is_rendered_anew(inverter, people):
    crops = [cv2.resize(people[0], (256, 256), interpolation=cv2.INTER_AREA)]
    memory: dict = {}
    kept = KeptInversions(inverter, memory.get, memory.__setitem__)
    rendered(kept, crops, 256, "smile=1")
    found = rendered(kept, crops, 512, "smile=2")
    assert all(map(np.array_equal, found, rendered(inverter, crops, 512, "smile=2")))


def test_somebody_is_asked_before_each_pass(inverter, people):
    def nobody_waits() -> None:
        raise Cancelled("nobody waits for it")

    kept = KeptInversions(inverter, {}.get, {}.__setitem__, nobody_waits)
    reset_passes()
    with pytest.raises(Cancelled):
        rendered(kept, people[:1], 256, "smile=1")
    assert "LowFidelityPass" not in passes()
