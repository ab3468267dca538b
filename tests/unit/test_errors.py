"""What a machine says when it has no memory left, made happen for real, is understood."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from videdit.engine import offline
from videdit.errors import DeviceError, OutOfMemoryError, machine_failure

HUGE = 1 << 50  # more bytes than any machine gives


def openvino_network() -> None:
    """A network whose result alone takes four terabytes."""
    ov = offline.openvino()
    from openvino import opset13 as op

    size = op.constant(np.array([1 << 20, 1 << 20], np.int64))
    number = op.parameter([1], np.float32)
    model = ov.Model([op.broadcast(number, size)], [number])
    ov.Core().compile_model(model, "CPU")(np.ones(1, np.float32))


@pytest.mark.parametrize(
    "take",
    [
        lambda: bytearray(HUGE),
        lambda: np.empty(HUGE),
        lambda: torch.empty(HUGE),
        lambda: cv2.resize(np.zeros((2, 2), np.float32), (1 << 20, 1 << 20)),
        openvino_network,
    ],
    ids=["python", "numpy", "torch", "opencv", "openvino"],
)
def test_every_library_s_words_for_no_memory(take) -> None:
    with pytest.raises(Exception) as caught:  # noqa: B017 (each has its own)
        take()
    failure = machine_failure(caught.value)
    assert isinstance(failure, OutOfMemoryError), caught.value
    assert "\n" not in str(failure)
    assert "--batch 1" in str(failure)


def test_other_failures_are_not_taken_for_it() -> None:
    assert machine_failure(RuntimeError("shapes do not match")) is None
    assert machine_failure(ValueError("memory lane")) is None
    assert isinstance(machine_failure(RuntimeError("CUDA error: unspecified launch failure")), DeviceError)
