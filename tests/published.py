"""Checkpoints in the layout of the published HFGI file, filled by a rule that everybody can follow."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from videdit.models.e4e import E4eEncoder
from videdit.models.hfgi_released import Alignment, Consultation
from videdit.models.stylegan2_plain import Generator

FFHQ = (512, 512, 512, 512, 512, 256, 128, 64, 32)  # channels of the published generator's features of 4, 8, ... px
NARROW = (8, 8, 8, 8, 8, 6, 6, 4, 4)


def parts(channels: tuple[int, ...] = FFHQ, narrow: bool = False) -> dict[str, torch.nn.Module]:
    """The four networks of a published file by their prefixes there; all of few channels where `narrow`."""
    layers, fusion = 2 * len(channels), channels[4]
    if not narrow:
        made = E4eEncoder(layers), Consultation(channels=fusion), Alignment(), Generator(channels)
    else:
        encoder = E4eEncoder(layers, (4, 4, 6, 6, 8), hidden=8, squeeze=2)
        made = encoder, Consultation((4, 6, 6), 8, fusion), Alignment((4, 6, 6, 8)), Generator(channels)
    return dict(zip(("encoder", "residue", "grid_align", "decoder"), made, strict=True))


def shapes(networks: Mapping[str, torch.nn.Module]) -> dict[str, tuple[int, ...]]:
    """Every tensor's name, prefix and all, and shape, as in a published file."""
    return {
        f"{prefix}.{name}": tuple(value.shape)
        for prefix, network in networks.items()
        for name, value in network.state_dict().items()
        if f"{prefix}.{name}" != "encoder.mean"  # lies in the file as latent_avg
    }


def filled(name: str, shape: tuple[int, ...], mean: float, std: float, salt: int = 0) -> Tensor:
    """Normal numbers that depend on the tensor's name alone; those that are a variance are positive."""
    random = np.random.RandomState((zlib.crc32(name.encode()) + salt) % 2**32)
    values = (random.standard_normal(shape) * std + mean).astype(np.float32)
    return torch.from_numpy(np.abs(values) + np.float32(0.05) if name.endswith("running_var") else values)


def checkpoint(channels: tuple[int, ...] = NARROW, narrow: bool = True, salt: int = 0) -> dict[str, Any]:
    """What torch.load gives for a file like the published one: state_dict, latent_avg and options."""
    networks = parts(channels, narrow)
    state = {}
    for prefix, network in networks.items():
        for name, value in network.state_dict().items():
            key = f"{prefix}.{name}"
            if key == "encoder.mean":
                continue
            fixed = key.endswith(("num_batches_tracked", "blur.kernel", "upsample.kernel"))
            state[key] = value if fixed else filled(key, tuple(value.shape), *statistics(key, value), salt)
    layers = 2 * len(channels)
    mean = filled("latent_avg", (512,), 0.0, 0.3, salt).expand(layers, -1).clone()
    return {"state_dict": state, "latent_avg": mean, "opts": {"output_size": 4 * 2 ** (len(channels) - 1)}}


def statistics(key: str, value: Tensor) -> tuple[float, float]:
    """Mean and standard deviation that keep the networks' signals at a size like that of trained ones."""
    prefix, leaf = key.split(".")[0], key.rsplit(".", 1)[1]
    if "running_" in leaf:
        return (1.0, 0.1) if leaf == "running_var" else (0.0, 0.1)
    if "modulation.bias" in key:
        return 1.0, 0.05
    if leaf == "bias" or "noise.weight" in key:
        return 0.0, 0.05
    if value.dim() == 1:  # of batch normalisation, or the slope of a PReLU
        return (0.25, 0.05) if ".2.weight" in key else (1.0, 0.05)
    if ".style." in key:
        return 0.0, 100.0
    equal = prefix == "decoder" or "linear" in key or "condition_" in key
    return 0.0, 1.0 if equal else float(value[0].numel()) ** -0.5
