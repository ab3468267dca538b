"""Wrong shapes are told where a network begins, and graphs know nothing of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from videdit.models import ada_appendix, e4e, encoder, facemesh, hfgi, hfgi_released, mobile_stylegan, mtcnn, stylegan2
from videdit.models.face_parser import FaceParser, PartParser
from videdit.models.restorer import Restorer
from videdit.models.shapes import assert_shape
from videdit.models.student import Student, StudentEdit


def x(*shape: int) -> Tensor:
    return torch.zeros(shape)


def narrow_e4e() -> nn.Module:
    return e4e.E4eEncoder(18, (4, 4, 6, 6, 8), hidden=8, squeeze=2)


def narrow_stylegan2() -> nn.Module:
    return stylegan2.Synthesis((8, 8, 8, 8, 8))


def test_right_shapes_pass() -> None:
    assert_shape(("B", 18, 512), codes=x(2, 18, 512))
    assert_shape(("B", 3, "S", "S"), one=x(2, 3, 8, 8), other=x(2, 3, 8, 8))
    assert_shape((), scalar=x())


@pytest.mark.parametrize("shape", [(2, 16, 512), (2, 18, 511), (18, 512), (1, 2, 18, 512), ()])
def test_a_wrong_shape_is_told_beside_the_right_one(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError) as error:
        assert_shape(("B", 18, 512), codes=x(*shape))
    assert str(error.value) == f"codes: expected [B, 18, 512], got {list(shape)}"


def test_a_letter_stands_for_one_length() -> None:
    with pytest.raises(ValueError, match=r"^image: expected \[B, 3, S, S\], got \[2, 3, 8, 9\]$"):
        assert_shape(("B", 3, "S", "S"), image=x(2, 3, 8, 9))
    with pytest.raises(ValueError, match=r"^image: expected \[B, 3, S, S\], got \[1, 3, 8, 8\], B = 2, S = 8$"):
        assert_shape(("B", 3, "S", "S"), distortion=x(2, 3, 8, 8), image=x(1, 3, 8, 8))


BAD: list[tuple[Callable[[], nn.Module], str, tuple[Tensor, ...], str]] = [
    (encoder.Encoder, "forward", (x(1, 3, 224, 224),), "x: expected [B, 3, 256, 256], got [1, 3, 224, 224]"),
    (encoder.Encoder, "features", (x(1, 256, 256, 3),), "x: expected [B, 3, S, S], got [1, 256, 256, 3]"),
    (narrow_e4e, "forward", (x(1, 3, 256, 192),), "x: expected [B, 3, H, 256], got [1, 3, 256, 192]"),
    (mobile_stylegan.Mapping, "forward", (x(1, 18, 512),), "z: expected [B, 512], got [1, 18, 512]"),
    (mobile_stylegan.Synthesis, "forward", (x(1, 16, 512),), "codes: expected [B, 18, 512], got [1, 16, 512]"),
    (
        mobile_stylegan.Synthesis,
        "render",
        (x(2, 512, 64, 64), x(2, 18, 512), (x(2, 512, 32, 32), x(2, 512, 32, 32))),
        "scale: expected [B, 512, 64, 64], got [2, 512, 32, 32], B = 2",
    ),
    (stylegan2.Mapping, "forward", (x(512),), "z: expected [B, 512], got [512]"),
    (narrow_stylegan2, "forward", (x(1, 18, 512),), "codes: expected [B, 10, 512], got [1, 18, 512]"),
    (narrow_stylegan2, "whole", (x(1, 8, 64, 64), x(1, 10, 512)), "trunk: expected [B, 11, 64, 64]"),
    (hfgi.Alignment, "forward", (x(2, 3, 256, 256), x(1, 3, 256, 256)), "image: expected [B, 3, 256, 256], got [1, "),
    (hfgi.Consultation, "forward", (x(1, 256, 256, 3),), "distortion: expected [B, 3, 256, 256], got [1, 256, 256, 3]"),
    (hfgi_released.Alignment, "forward", (x(1, 3, 192, 256), x(1, 3, 256, 256)), "image: expected [B, 3, H, 256]"),
    (hfgi_released.Consultation, "forward", (x(1, 3, 256, 128),), "distortion: expected [B, 3, H, 256]"),
    (ada_appendix.Alignment, "forward", (x(1, 3, 64, 64), x(1, 3, 64, 32)), "image: expected [B, 3, H, W]"),
    (FaceParser, "forward", (x(3, 256, 256),), "x: expected [B, 3, H, W], got [3, 256, 256]"),
    (lambda: PartParser(FaceParser()), "forward", (x(1, 3, 128, 128),), "x: expected [N, 3, 256, 256]"),
    (Restorer, "forward", (x(1, 4, 128, 128),), "x: expected [B, 3, H, W], got [1, 4, 128, 128]"),
    (Student, "forward", (x(1, 3, 256, 256), x(1, 8), x(1, 21, 2)), "x: expected [B, 3, 128, 128]"),
    (Student, "forward", (x(1, 3, 128, 128), x(1, 8), x(1, 468, 2)), "anchors: expected [B, 21, 2], got [1, 468, 2]"),
    (
        lambda: StudentEdit(Student()),
        "forward",
        (x(1, 3, 256, 256), x(1, 8), x(1, 21, 2)),
        "crops: expected [B, S, S, 3], got [1, 3, 256, 256]",
    ),
    (facemesh.FaceMesh, "forward", (x(1, 3, 256, 256),), "x: expected [N, 3, 192, 192], got [1, 3, 256, 256]"),
    (mtcnn.ProposalNet, "forward", (x(1, 1, 64, 64),), "x: expected [N, 3, H, W], got [1, 1, 64, 64]"),
    (mtcnn.RefineNet, "forward", (x(1, 3, 48, 48),), "x: expected [N, 3, 24, 24], got [1, 3, 48, 48]"),
    (mtcnn.OutputNet, "forward", (x(1, 3, 24, 24),), "x: expected [N, 3, 48, 48], got [1, 3, 24, 24]"),
]


@pytest.mark.parametrize(("make", "method", "inputs", "words"), BAD)
@torch.inference_mode()
def test_networks_say_what_they_expect(
    make: Callable[[], nn.Module], method: str, inputs: tuple[Tensor, ...], words: str
) -> None:
    with pytest.raises(ValueError) as error:
        getattr(make(), method)(*inputs)
    assert str(error.value).startswith(words)


class Doubled(nn.Module):
    """What a graph is made of, with the check or without."""

    def __init__(self, checked: bool) -> None:
        super().__init__()
        self.checked = checked

    def forward(self, x: Tensor) -> Tensor:
        if self.checked:
            assert_shape(("B", 3, "S", "S"), x=x)
        return x * 2


@pytest.mark.filterwarnings("error::torch.jit.TracerWarning")
def test_traced_graphs_are_the_same_without() -> None:
    traced = [torch.jit.trace(Doubled(checked), x(1, 3, 8, 8), check_trace=False) for checked in (True, False)]
    one, other = ([node.kind() for node in graph.inlined_graph.nodes()] for graph in traced)
    assert one == other
    torch.testing.assert_close(traced[0](torch.ones(2, 3, 4, 5)), torch.full((2, 3, 4, 5), 2.0))  # other sizes too


def test_compiled_graphs_are_the_same_without() -> None:
    seen: list[list[str]] = []

    def keep(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable[..., object]:
        seen.append([str(node.target) for node in graph.graph.nodes])
        return graph.forward

    for checked in (True, False):
        # A wrong shape: a check within the graph would find it.
        torch.compile(Doubled(checked), backend=keep, fullgraph=True)(x(2, 3, 8, 9))
    assert len(seen) == 2  # none was broken in two by the check
    assert seen[0] == seen[1]
