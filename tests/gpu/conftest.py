"""Tests that need a GPU. What such a machine has in common with others is tested in tests/unit and tests/e2e."""

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("PyTorch sees no CUDA GPU here")
