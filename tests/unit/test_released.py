"""GFPGAN and Real-ESRGAN as released: the real packages, with weights of random values in the released files' layout.

Small networks of the same kinds (the loader reads sizes from the file), so that a test takes seconds; skipped where the
packages are not installed.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from videdit.engine.compile import _torch_engine
from videdit.errors import WeightsError
from videdit.restoration import third_party
from videdit.restoration.restorer import CropRestorer, gfpgan_network, realesrgan_network
from videdit.restoration.third_party import ReleasedGfpgan, ReleasedRealEsrgan, released_state

needs_packages = pytest.mark.extra("restore")


@pytest.fixture(scope="module")
def gfpgan_net() -> torch.nn.Module:
    """GFPGAN at 64 px and an eighth of its width, as the package builds it."""
    torch.manual_seed(0)
    build = third_party._imported("gfpgan.archs.gfpganv1_clean_arch").GFPGANv1Clean
    net = build(64, 512, 2, None, False, 8, True, True, 0.125, True)
    for name, value in net.named_parameters():
        if name.startswith("stylegan_decoder.style_conv") and value.shape == (1,):
            torch.nn.init.constant_(value, 0.1)  # strength of the noise; zero in a fresh network
    return net.eval()


@pytest.fixture(scope="module")
def gfpgan_file(gfpgan_net, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("released") / "GFPGANv1.4.pth"
    torch.save({"params_ema": gfpgan_net.state_dict()}, path)
    return path


@pytest.fixture(scope="module", params=[2, 4])
def realesrgan_file(request, tmp_path_factory) -> Path:
    torch.manual_seed(0)
    net = third_party._imported("basicsr.archs.rrdbnet_arch").RRDBNet(3, 3, request.param, 8, 2, 4)
    path = tmp_path_factory.mktemp("released") / f"RealESRGAN_x{request.param}plus.pth"
    torch.save({"params_ema": net.state_dict()}, path)
    return path


@needs_packages
def test_gfpgan_is_the_packages_own_network_with_the_noise_of_its_file(gfpgan_net, gfpgan_file) -> None:
    net = ReleasedGfpgan(gfpgan_file)
    assert net.size == 64
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.inference_mode():
        torch.testing.assert_close(net(x), gfpgan_net(x, randomize_noise=False)[0])
        torch.testing.assert_close(net(x), net(x), rtol=0, atol=0)  # no flicker
        assert (gfpgan_net(x)[0] - gfpgan_net(x)[0]).abs().max() > 0.01  # what the package does by default
        torch.testing.assert_close(net(x.contiguous(memory_format=torch.channels_last)), net(x))


@needs_packages
def test_gfpgan_gives_a_face_the_same_result_in_any_batch(gfpgan_file) -> None:
    faces = [np.random.default_rng(i).integers(0, 256, (64, 64, 3)).astype(np.uint8) for i in range(5)]
    one = CropRestorer(gfpgan_network(gfpgan_file), "cpu", "fp32", batch=1)(faces)
    two = CropRestorer(gfpgan_network(gfpgan_file), "cpu", "fp32", batch=2)(faces)
    for a, b in zip(one, two, strict=True):
        assert np.abs(a.astype(int) - b).max() <= 1
    assert len({face.tobytes() for face in one}) == 5


@needs_packages
def test_gfpgan_is_restored_in_the_engine_as_in_torch(gfpgan_net, gfpgan_file) -> None:
    face = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    x = torch.from_numpy(face).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.inference_mode():
        want = gfpgan_net(x, randomize_noise=False)[0][0].permute(1, 2, 0).numpy() * 127.5 + 127.5
    (got,) = CropRestorer(gfpgan_network(gfpgan_file), "cpu", "fp32")([face])
    assert np.abs(np.clip(want, 0, 255) - got).mean() < 1  # the engine's weights are fp16


@needs_packages
@pytest.mark.parametrize(("precision", "most"), [("fp32", 1e-4), ("bf16", 0.08)])
def test_gfpgan_in_the_engine_of_gpus(gfpgan_net, gfpgan_file, precision, most) -> None:
    """The engine of a GPU, run on the CPU: batches, layout and number format are the same there."""
    network = gfpgan_network(gfpgan_file)
    engine = _torch_engine(network.module.eval(), "cpu", precision, network.channels_last)
    x = torch.rand(3, 3, 64, 64) * 2 - 1
    with torch.inference_mode():
        want = gfpgan_net(x, randomize_noise=False)[0].numpy()
    assert np.abs(engine(x.numpy())[0] - want).mean() < most * want.std()


@needs_packages
def test_realesrgan_is_the_packages_own_network(realesrgan_file) -> None:
    net = ReleasedRealEsrgan(realesrgan_file)
    assert f"x{net.scale}plus" in realesrgan_file.name
    x = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        want = net.net(x).clamp(0, 1)
        torch.testing.assert_close(net(x * 2 - 1) / 2 + 0.5, want, atol=1e-5, rtol=0)
    assert want.shape[-1] == 16 * net.scale
    network = realesrgan_network(realesrgan_file)
    network.on_cpu.clear()
    network.on_cpu[32] = 2  # small for the test
    crops = [np.random.default_rng(i).integers(0, 256, (32, 32, 3)).astype(np.uint8) for i in range(3)]
    assert [result.shape for result in CropRestorer(network, "cpu", "fp32")(crops)] == [(32, 32, 3)] * 3


@needs_packages
def test_files_of_other_networks_are_told_apart(gfpgan_file, realesrgan_file) -> None:
    with pytest.raises(WeightsError, match=r"RealESRGAN_x.plus.pth does not hold the weights of GFPGAN"):
        ReleasedGfpgan(realesrgan_file)
    with pytest.raises(WeightsError, match=r"GFPGANv1.4.pth does not hold the weights of Real-ESRGAN"):
        ReleasedRealEsrgan(gfpgan_file)
    state = released_state(gfpgan_file)
    state.pop("final_conv.bias")
    save_file(state, gfpgan_file.with_name("short.safetensors"))
    with pytest.raises(WeightsError, match="final_conv.bias"):
        ReleasedGfpgan(gfpgan_file.with_name("short.safetensors"))


def test_a_released_file_may_be_nested_prefixed_or_half(tmp_path: Path) -> None:
    weight = torch.arange(4.0)
    torch.save({"params_ema": {"a": weight.half()}, "params": {"a": weight + 1}}, tmp_path / "nested.pth")
    torch.save({"a": weight}, tmp_path / "plain.pth")
    save_file({"params_ema.a": weight}, tmp_path / "prefixed.safetensors")
    for name in ("nested.pth", "plain.pth", "prefixed.safetensors"):
        state = released_state(tmp_path / name)
        assert list(state) == ["a"]
        assert torch.equal(state["a"], weight)


class Hostile:
    def __reduce__(self):
        return print, ("this must never run",)


def test_files_that_are_no_weights_are_told_in_one_line(tmp_path: Path, capsys) -> None:
    (tmp_path / "hostile.pth").write_bytes(pickle.dumps({"params_ema": Hostile()}))
    (tmp_path / "text.pth").write_text("<html>quota exceeded</html>")
    (tmp_path / "empty.safetensors").touch()
    for name in ("hostile.pth", "text.pth", "empty.safetensors", "missing.pth"):
        with pytest.raises(WeightsError, match=name) as error:
            released_state(tmp_path / name)
        assert "\n" not in str(error.value)
    assert "must never run" not in capsys.readouterr().out


def test_without_the_package_its_name_and_the_remedy_are_told(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(third_party, "_mend_torchvision", lambda: None)
    with pytest.raises(WeightsError, match=r'needs nowhere, .*pip install "videdit\[restore\]"'):
        third_party._imported("nowhere.archs")
