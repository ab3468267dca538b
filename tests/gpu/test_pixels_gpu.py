"""Pixels on a GPU against those on the host: the tests of tests/unit/test_pixels_device.py, on another device."""

import numpy as np
import pytest
import torch
from test_pixels_device import *  # noqa: F403

from videdit.engine.transfer import Transfer
from videdit.imaging.device import DevicePixels


@pytest.fixture(scope="module")
def device() -> DevicePixels:
    return DevicePixels("cuda", "fp32")


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float16, np.float32])
def test_arrays_come_back_as_they_went(kind: type) -> None:
    transfer = Transfer(torch.device("cuda"))
    whole = np.random.default_rng(0).uniform(0, 60000 if kind == np.uint16 else 200, (300, 400)).astype(kind)
    parts = [whole[10:200, 20:301], whole, whole[::2, ::3]]
    back = transfer.download([transfer.upload(part) for part in parts])()
    assert all(map(np.array_equal, parts, back))


def test_what_is_uploaded_is_there_for_the_work_that_follows() -> None:
    """Many uploads and downloads behind each other, with memory that is freed and taken again meanwhile."""
    transfer = Transfer(torch.device("cuda"))
    arrays = [np.full((1000, 1000), i % 200, np.uint8) for i in range(100)]
    results = [transfer.download([transfer.upload(array).float().add(1).to(torch.uint8)]) for array in arrays]
    for i, arrived in enumerate(results):
        assert (arrived()[0] == i % 200 + 1).all()
