"""Reading tfjs models: a JSON manifest beside a file of weights, in TensorFlow's layouts."""

from __future__ import annotations

from typing import Any

import numpy as np


def read_weights(manifest: list[dict[str, Any]], data: bytes) -> dict[str, np.ndarray]:
    """Decode a tfjs weights manifest and its binary (all shards joined) into float32 or int32 arrays by name.

    Tensors may be quantised to uint8 or uint16, value = q * scale + min, or stored as float16. Layouts stay
    TensorFlow's: convolutions are [kh, kw, in, out], depthwise ones [kh, kw, channels, 1], dense ones [in, out].

    Raises:
        ValueError: the binary's length is not what the manifest describes.
    """
    arrays: dict[str, np.ndarray] = {}
    offset = 0
    for entry in (entry for group in manifest for entry in group["weights"]):
        packing = entry.get("quantization", {})
        dtype = np.dtype(packing.get("dtype", entry["dtype"])).newbyteorder("<")
        count = int(np.prod(entry["shape"], dtype=np.int64))
        if offset + count * dtype.itemsize > len(data):
            raise ValueError(f"the weights end early, at {entry['name']}")
        raw = np.frombuffer(data, dtype, count, offset)
        offset += count * dtype.itemsize
        if "scale" in packing:
            raw = raw * np.float64(packing["scale"]) + np.float64(packing["min"])
        final = np.int32 if entry["dtype"] == "int32" else np.float32
        arrays[entry["name"]] = raw.astype(final).reshape(entry["shape"])
    if offset != len(data):
        raise ValueError(f"the manifest describes {offset} bytes of weights, the file has {len(data)}")
    return arrays


def oihw(kernel: np.ndarray) -> np.ndarray:
    """A TensorFlow convolution kernel [kh, kw, in, out] as torch's [out, in, kh, kw]."""
    return np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))


def depthwise(kernel: np.ndarray) -> np.ndarray:
    """A TensorFlow depthwise kernel [kh, kw, channels, 1] as torch's [channels, 1, kh, kw]."""
    return np.ascontiguousarray(kernel.transpose(2, 3, 0, 1))
