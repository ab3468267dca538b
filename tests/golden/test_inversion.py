"""The compiled HFGI graph against eager torch, and what strength does, on a face that the generator made."""

from pathlib import Path

import numpy as np
import pytest
import torch

from videdit.engine.compile import eager
from videdit.hfgi.inverter import Inverter
from videdit.imaging.crop import network_input
from videdit.imaging.detail_transfer import return_detail
from videdit.imaging.optical_flow import warp_distortion_map
from videdit.models.mobile_stylegan import NUM_LAYERS
from videdit.models.passes import ConsultationPass, LowFidelityPass
from videdit.weights import load_state


@pytest.fixture(scope="module")
def exact() -> Inverter:
    return Inverter.load(device="cpu", precision="fp32", batch=1)


@pytest.fixture(scope="module")
def face(exact: Inverter) -> np.ndarray:
    """A sample of the generator with something on it that no code can say: [256, 256, 3] uint8."""
    w = np.load(Path(__file__).parent / "generator.npz")["w"]
    codes = torch.from_numpy(w)[:, None].expand(-1, NUM_LAYERS, -1)
    with torch.inference_mode():
        image = exact.generator(codes, size=256)[0].permute(1, 2, 0).numpy()
    picture = np.clip(image * 127.5 + 127.5, 0, 255).astype(np.uint8)
    picture[40:60, 60:80] = (250, 20, 20)
    return picture


@pytest.fixture(scope="module")
def direction() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.05, (1, NUM_LAYERS, 512)).astype(np.float32)


def test_compiled_graph_equals_eager_torch(exact: Inverter, face: np.ndarray, direction: np.ndarray) -> None:
    codes = exact.encode([face])
    reference = eager(exact.networks().encoder)(network_input(face)[None])[0]
    np.testing.assert_allclose(codes, reference, atol=2e-3)
    [base] = exact.low_fidelity([face], codes, codes + direction)
    trunk, low = eager(LowFidelityPass(exact.generator))(base.codes)
    np.testing.assert_allclose(base.low, low, atol=5e-3)
    [rendering] = exact.render([face], codes, codes + direction, 256)
    distortion = base.source - base.low[0]
    maps = np.stack((distortion, warp_distortion_map(distortion, rendering.flow)))
    module = ConsultationPass(exact.generator, exact.networks().alignment, exact.networks().consultation, 256)
    high = eager(module)(trunk, base.codes, maps, low)[0]
    np.testing.assert_allclose(rendering.inversion, high[0], atol=5e-3)
    np.testing.assert_allclose(rendering.edit, high[1], atol=5e-3)


def test_bf16_is_near_float32(exact: Inverter, face: np.ndarray, direction: np.ndarray) -> None:
    codes = exact.encode([face])
    fast = Inverter.load(device="cpu", precision="bf16", batch=1)
    [a] = exact.render([face], codes, codes + direction, 256)
    [b] = fast.render([face], codes, codes + direction, 256)
    assert np.abs(a.edit - b.edit).mean() < 0.03


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_strength_is_exact_at_zero_and_grows_smoothly(precision: str, face: np.ndarray, direction: np.ndarray) -> None:
    inverter = Inverter.load(device="cpu", precision=precision, batch=2)
    codes = inverter.encode([face])
    changes = []
    for strength in (0.0, 0.05, 0.25, 0.5, 1.0):
        [rendering] = inverter.render([face], codes, codes + strength * direction, 256)
        changes.append(float(np.abs(return_detail(face, rendering)).mean()))
    assert changes[0] * 127.5 < 1e-3, "strength 0 is the source"
    assert 0 < changes[1] * 127.5 < 4, "a little strength is a little change"
    assert changes == sorted(changes)


def test_the_inversion_is_better_than_the_code_alone(face: np.ndarray) -> None:
    inverter = Inverter.load(device="cpu", batch=1)
    codes = inverter.encode([face])
    [rendering] = inverter.render([face], codes, codes, 256)
    source = face.astype(np.float32) / 127.5 - 1
    plain = np.square(rendering.inversion_low - source).mean()
    assert np.square(rendering.inversion - source).mean() < 0.7 * plain


def test_batches_do_not_mix_faces(face: np.ndarray, direction: np.ndarray) -> None:
    """Three crops through batches of two: each comes out as it does alone, whatever pads or shares its batch."""
    inverter = Inverter.load(device="cpu", precision="fp32", batch=2)
    crops = [face, face[:, ::-1].copy(), np.roll(face, 20, axis=0)]
    codes = inverter.encode(crops)
    together = inverter.render(crops, codes, codes + direction, 256)
    for i, crop in enumerate(crops):
        [alone] = inverter.render([crop], codes[i : i + 1], codes[i : i + 1] + direction, 256)
        np.testing.assert_allclose(alone.edit, together[i].edit, atol=2e-3)


def test_every_shipped_network_has_its_weights() -> None:
    for name in ("generator_low", "generator_high", "generator_head256", "encoder", "hfgi"):
        assert all(torch.isfinite(value).all() for value in load_state(name).values()), name


@pytest.mark.parametrize("size", [256, 512, 1024])
def test_where_nothing_is_consulted_renders_are_the_generators_own(size: int, face: np.ndarray, direction: np.ndarray):
    """Y1 = G(w + delta), whatever both halves share; of the inversion only the low render is made."""
    inverter = Inverter.load(device="cpu", precision="fp32", batch=1, consulted=False)
    codes = inverter.encode([face])
    edited = codes + direction
    (rendering,) = inverter.render([face], codes, edited, size)
    with torch.inference_mode():
        both = torch.from_numpy(np.concatenate((codes, edited)))
        expected = [*inverter.generator(both, size=256), inverter.generator(both[1:], size=size)[0]]
    assert np.array_equal(rendering.inversion, rendering.inversion_low)
    found = (rendering.inversion_low, rendering.edit_low, rendering.edit)
    for image, its in zip(found, expected, strict=True):
        np.testing.assert_allclose(image, its.permute(1, 2, 0).numpy(), atol=5e-3)
