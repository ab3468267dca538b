"""Shapes of tensors, checked where networks begin: a wrong one is told in a line, not by a layer deep inside."""

from __future__ import annotations

import torch
from torch import Tensor


def assert_shape(expected: tuple[int | str, ...], **tensors: Tensor) -> None:
    """Check that tensors are of one shape.

    While a network is traced or compiled nothing is checked: its graph is the same as without.

    Args:
        expected: the length of each axis. A letter stands for any length, which is the same wherever the letter comes
            again, in one tensor or in several: ("B", 3, "S", "S") are batches of squares of one size.
        **tensors: by the names that the error calls them.

    Raises:
        ValueError: "codes: expected [B, 18, 512], got [2, 16, 512]".
    """
    if torch.jit.is_tracing() or torch.compiler.is_compiling():
        return
    lengths: dict[str, int] = {}  # of letters, by the first axis that has them
    for name, tensor in tensors.items():
        shape = tensor.shape
        if len(shape) != len(expected) or not all(
            length == (lengths.setdefault(axis, length) if isinstance(axis, str) else axis)
            for axis, length in zip(expected, shape, strict=True)
        ):
            known = "".join(f", {axis} = {length}" for axis, length in lengths.items()) if len(tensors) > 1 else ""
            raise ValueError(f"{name}: expected [{', '.join(map(str, expected))}], got {list(shape)}{known}")
