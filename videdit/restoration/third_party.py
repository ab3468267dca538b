"""Networks of other packages, as their authors released them: GFPGAN's and Real-ESRGAN's.

The only module that imports basicsr and gfpgan, and only when a network is asked for: both import half a training
framework. basicsr 1.4.2 asks for a module that torchvision has since renamed; it finds it here.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import math
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from videdit.errors import WeightsError
from videdit.restoration.policy import ADVICE

_GONE = "torchvision.transforms.functional_tensor"  # from torchvision 0.17 on


class ReleasedGfpgan(nn.Module):
    """GFPGAN (Wang et al., CVPR 2021) in its "clean" form, v1.2 to v1.4, from a released file.

    Aligned faces [B, 3, S, S] RGB in [-1, 1] -> restored, same shape, about [-1, 1]; S is 512 in all released files.
    The generator's noise is the one that is stored in the file: the same for every picture, so that nothing flickers.
    """

    def __init__(self, file: Path) -> None:
        """Raises WeightsError: the file does not hold such a network, or gfpgan is not installed."""
        super().__init__()
        state = released_state(file)
        with _shape_of(file, "GFPGAN (clean, v1.2 to v1.4)"):
            self.size = 2 ** (sum(key.startswith("toRGB.") for key in state) // 2 + 2)
            narrow = state["stylegan_decoder.constant_input.weight"].shape[1] / 512
            wide = state[f"stylegan_decoder.style_convs.{2 * round(math.log2(self.size)) - 5}.bias"].shape[1]
            full = {64: 256, 128: 128, 256: 64, 512: 32, 1024: 16}.get(self.size)
            multiplier = round(wide / full / narrow) if full else 2
            build = _imported("gfpgan.archs.gfpganv1_clean_arch").GFPGANv1Clean
            with torch.device("meta"):
                self.net = build(
                    out_size=self.size,
                    channel_multiplier=multiplier,
                    fix_decoder=False,
                    input_is_latent=True,
                    different_w=True,
                    narrow=narrow,
                    sft_half=True,
                )
            self.net.load_state_dict(state, assign=True)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 3, S, S] in [-1, 1] -> the same shape, not clamped."""
        return self.net(x.contiguous(), return_rgb=False, randomize_noise=False)[0]


class ReleasedRealEsrgan(nn.Module):
    """Real-ESRGAN (Wang et al., 2021): RRDBNet, from a released file.

    Pictures [B, 3, H, W] RGB in [-1, 1] -> [B, 3, k * H, k * W] in [-1, 1], k = 4 or 2 as the file says.
    """

    def __init__(self, file: Path) -> None:
        """Raises WeightsError: the file does not hold such a network, or basicsr is not installed."""
        super().__init__()
        state = released_state(file)
        with _shape_of(file, "Real-ESRGAN (RRDBNet)"):
            features, packed = state["conv_first.weight"].shape[:2]
            self.scale = {3: 4, 12: 2, 48: 1}[packed]
            blocks = len({key.split(".")[1] for key in state if key.startswith("body.")})
            growth = state["body.0.rdb1.conv1.weight"].shape[0]
            build = _imported("basicsr.archs.rrdbnet_arch").RRDBNet
            with torch.device("meta"):
                self.net = build(3, 3, self.scale, features, blocks, growth)
            self.net.load_state_dict(state, assign=True)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 3, H, W] in [-1, 1] -> [B, 3, k * H, k * W], clamped to [-1, 1]."""
        return self.net((x + 1) / 2).clamp(0, 1) * 2 - 1


def released_state(file: Path) -> dict[str, Tensor]:
    """The float32 tensors of a released file (.pth, .safetensors): the averaged weights, where it holds several kinds.

    Raises:
        WeightsError: it is not there or not readable, or would run code when read.
    """
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
        for kind in ("params_ema", "params"):
            state = state.get(kind, state)
            state = {key.removeprefix(f"{kind}."): value for key, value in state.items()}
        return {key: value.float() for key, value in state.items()}
    except OSError as error:
        raise WeightsError(f"cannot read the weights {file}: {error.strerror or error}") from None
    except Exception as error:  # what pickles of all kinds run into
        reason = " ".join(str(error).split()).split(". ")[0][:120]
        raise WeightsError(f"{file} is no file of weights that can be read safely ({reason}); fetch it again") from None


@contextlib.contextmanager
def _shape_of(file: Path, network: str) -> Iterator[None]:
    """Inside, whatever a state dict lacks or has too much means that the file is another network's."""
    try:
        yield
    except (KeyError, RuntimeError, ValueError, ZeroDivisionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise WeightsError(f"{file} does not hold the weights of {network} ({reason})") from None


def _imported(module: str) -> Any:
    """A module of gfpgan or basicsr. Raises WeightsError where it is not installed, or does not work here."""
    try:
        _mend_torchvision()
        return importlib.import_module(module)
    except (ImportError, RuntimeError) as error:
        raise WeightsError(
            f"restoration needs {module.split('.')[0]}, which does not load ({error}): {ADVICE}"
        ) from None


def _mend_torchvision() -> None:
    """Let basicsr.data.degradations find rgb_to_grayscale where it was up to torchvision 0.16."""
    _load_torchvision()
    with contextlib.suppress(ImportError):
        importlib.import_module(_GONE)
        return
    functional = importlib.import_module("torchvision.transforms.functional")

    module = types.ModuleType(_GONE)
    module.rgb_to_grayscale = functional.rgb_to_grayscale  # type: ignore[attr-defined]
    sys.modules[_GONE] = module


def _load_torchvision() -> None:
    """Import torchvision also beside a torch of another build (CPU and CUDA), where its own operators do not load.

    It then trips over those that it wants to describe. None of the networks here uses any.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        importlib.import_module("torchvision")
