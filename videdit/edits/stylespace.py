"""Directions of style channels (StyleSpace, Wu et al., CVPR 2021; StyleCLIP's global directions) as those of codes.

A layer of StyleGAN2 sees a code w as its styles A w + b, one a channel. A direction ds of styles becomes the change of
codes dw whose A dw is nearest to it; a code's layer that feeds a convolution and a layer to RGB serves both. It is
damped (ridge): styles that codes can hardly move would else need codes far from any face. The result is a direction of
codes for every profile of StyleGAN2-FFHQ's W, but only near the one that styles themselves would give.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from videdit.errors import UsageError
from videdit.weights import published

CHANNELS, CONVOLVED = 9088, 6048  # of StyleGAN2 1024, and of those the ones of convolutions
DAMPING = 0.05  # of the strongest response of a layer
_SOURCES = {"stylegan2_ffhq": "", "hfgi_ffhq": "decoder.", "e4e_ffhq": "decoder."}  # file -> what its names begin with
_W = 512


def is_styles(arrays: Any) -> bool:
    """Whether what a file holds is one number a style channel."""
    return _flat(arrays) is not None


def code_direction(path: Path, arrays: Any) -> np.ndarray:
    """The direction of codes [18, 512] float32 of one of styles, [9088] or [6048] (or cut into layers).

    Channels are in StyleCLIP's order: by resolution, convolutions before the layer to RGB, which [6048] leaves out.

    Raises:
        UsageError: no file of StyleGAN2-FFHQ is installed, whose modulation is needed.
    """
    styles = _flat(arrays)
    assert styles is not None
    source = next((name for name in _SOURCES if published.is_installed(name)), None)
    if source is None:
        raise UsageError(
            f"{path} is a direction of style channels (StyleCLIP's S space); to turn it into one of codes, StyleGAN2's "
            f"own file is needed: {published.how_to_get(published.entry('stylegan2_ffhq'))}"
        )
    wanted: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}  # layer of the code -> (A, ds) of what it feeds
    at = 0
    for layer, to_rgb, response in _responses(published.find(source), _SOURCES[source]):
        count = len(response)
        change = np.zeros(count) if to_rgb and len(styles) == CONVOLVED else styles[at : at + count]
        at += 0 if to_rgb and len(styles) == CONVOLVED else count
        wanted.setdefault(layer, []).append((response, change))
    assert at == len(styles), (at, len(styles))
    return np.stack([_nearest(*zip(*wanted[layer], strict=True)) for layer in sorted(wanted)]).astype(np.float32)


def _nearest(responses: tuple[np.ndarray, ...], changes: tuple[np.ndarray, ...]) -> np.ndarray:
    """argmin over dw [512] of |A dw - ds|^2 + damping * |dw|^2, all of the layer's A and ds together."""
    response, change = np.concatenate(responses), np.concatenate(changes)  # [C, 512], [C]
    damping = (DAMPING * np.linalg.norm(response, 2)) ** 2
    return np.linalg.solve(response.T @ response + damping * np.eye(_W), response.T @ change)


@functools.lru_cache(maxsize=2)
def _responses(path: Path, prefix: str) -> list[tuple[int, bool, np.ndarray]]:
    """(layer of the code, whether it makes RGB, A [C, 512]) of StyleGAN2's layers, in the order of their channels."""
    from safetensors import safe_open

    layers = [(0, "conv1"), (1, "to_rgb1")]
    for block in range(8):
        layers += [(2 * block + 1 + i, f"convs.{2 * block + i}") for i in (0, 1)]
        layers.append((2 * block + 3, f"to_rgbs.{block}"))
    with safe_open(path, framework="numpy") as file:
        found = [
            (layer, "rgb" in name, file.get_tensor(f"{prefix}{name}.conv.modulation.weight").astype(np.float64))
            for layer, name in layers
        ]
    return [(layer, to_rgb, weight / np.sqrt(_W)) for layer, to_rgb, weight in found]  # the scale of equalised layers


def _flat(arrays: Any) -> np.ndarray | None:
    try:
        parts = arrays if isinstance(arrays, list | tuple) else [arrays]
        values = np.concatenate([np.asarray(part, np.float64).reshape(-1) for part in parts])
    except (TypeError, ValueError):
        return None
    single = isinstance(arrays, list | tuple) or _W not in np.shape(arrays)
    return values if values.size in (CHANNELS, CONVOLVED) and single else None
