"""The face nets equal those of the wheels (scripts/convert_face_nets.py made the golden values)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from videdit.engine.compile import compile_module
from videdit.models.facemesh import FaceMesh
from videdit.models.mtcnn import MTCNN
from videdit.models.sizes import MESH_INPUT as SIZE
from videdit.weights import load_state

GOLDEN = np.load(Path(__file__).parent / "face_nets.npz")


def fixed_input(*shape: int) -> torch.Tensor:
    """The same smooth picture as in the script."""
    n, c, y, x = np.indices(shape, dtype=np.float64)
    side = shape[-1] / 6
    return torch.from_numpy((0.7 * np.sin(x / side + c + n) * np.cos(y / side - 0.7 * c + 2 * n)).astype(np.float32))


@pytest.fixture(scope="module")
def mesh() -> FaceMesh:
    module = FaceMesh().eval()
    module.load_state_dict(load_state("facemesh"))
    return module


@pytest.mark.parametrize(
    ("net", "shape", "names"),
    [
        ("pnet", (1, 3, 20, 28), ("score", "box")),
        ("rnet", (2, 3, 24, 24), ("score", "box")),
        ("onet", (2, 3, 48, 48), ("score", "box", "points")),
    ],
)
def test_mtcnn(net: str, shape: tuple[int, ...], names: tuple[str, ...]) -> None:
    module = MTCNN().eval()
    module.load_state_dict(load_state("mtcnn"))
    with torch.inference_mode():
        outputs = getattr(module, net)(fixed_input(*shape))
    for name, output in zip(names, outputs, strict=True):
        np.testing.assert_allclose(output.numpy(), GOLDEN[f"{net}_{name}"], atol=1e-3, err_msg=name)


def test_mesh(mesh: FaceMesh) -> None:
    with torch.inference_mode():
        points, presence = mesh(fixed_input(1, 3, SIZE, SIZE))
    np.testing.assert_allclose(points.numpy(), GOLDEN["mesh_points"], atol=1e-2)  # pixels
    np.testing.assert_allclose(presence.numpy(), GOLDEN["mesh_presence"], atol=1e-4)


def test_compiled_mesh_equals_torch(mesh: FaceMesh) -> None:
    x = fixed_input(1, 3, SIZE, SIZE)
    points, presence = compile_module(mesh, (x,), "cpu", "fp32", threads=1)(x.numpy())
    np.testing.assert_allclose(points, GOLDEN["mesh_points"], atol=1e-2)
    np.testing.assert_allclose(presence, GOLDEN["mesh_presence"], atol=1e-4)
