"""Convert the face nets of two wheels into weights/mtcnn.safetensors and weights/facemesh.safetensors.

    pip download --no-deps facenet-pytorch==2.6.0 mediapipe==0.10.14
    python scripts/convert_face_nets.py facenet_pytorch-2.6.0-*.whl mediapipe-0.10.14-*.whl

Also writes tests/golden/face_nets.npz: what the wheels' own nets (torch layers by their names, and OpenVINO reading the
.tflite as it is) answer to fixed inputs. The wheels (MIT and Apache-2.0) are read as archives, neither is installed.
"""

from __future__ import annotations

import argparse
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from videdit.engine import offline
from videdit.models.facemesh import FaceMesh
from videdit.models.mtcnn import MTCNN
from videdit.models.sizes import MESH_INPUT as SIZE

ov = offline.openvino()

ROOT = Path(__file__).resolve().parent.parent
TRUNK_CONVS = {"pnet": 3, "rnet": 3, "onet": 4}
HEADS = {
    "pnet": {"conv4_1": "score", "conv4_2": "box"},
    "rnet": {"dense5_1": "score", "dense5_2": "box"},
    "onet": {"dense6_1": "score", "dense6_2": "box", "dense6_3": "points"},
}


def convert_mtcnn(folder: Path) -> dict[str, Tensor]:
    """The wheel's three state dicts -> the state dict of :class:`MTCNN`."""
    state = {}
    for net, convs in TRUNK_CONVS.items():
        source = torch.load(folder / f"{net}.pt", weights_only=True)
        places = [i for i, m in enumerate(getattr(MTCNN(), net).trunk) if not isinstance(m, torch.nn.MaxPool2d)]
        names = HEADS[net] | {f"dense{convs + 1}": "dense.0", f"prelu{convs + 1}": "dense.1"}
        for i in range(convs):
            names |= {f"conv{i + 1}": f"trunk.{places[2 * i]}", f"prelu{i + 1}": f"trunk.{places[2 * i + 1]}"}
        for key, value in source.items():
            layer, kind = key.rsplit(".", 1)
            if layer == f"dense{convs + 1}" and kind == "weight":
                # The wheel flattens (width, height, channels); ours flattens (channels, height, width).
                value = value.reshape(len(value), 3, 3, -1).permute(0, 3, 2, 1).flatten(1)
            state[f"{net}.{names[layer]}.{kind}"] = value
    return state


def convert_facemesh(tflite: Path) -> dict[str, Tensor]:
    """The .tflite's constants in the order of its graph, which is also the order of :class:`FaceMesh`'s parameters."""
    constants: list[Tensor] = []
    for op in ov.Core().read_model(tflite).get_ordered_ops():
        kind = op.get_type_name()
        if kind in ("Convolution", "GroupConvolution"):
            weight = fold(op.input_value(1))
            constants.append(weight.flatten(0, 1) if kind == "GroupConvolution" else weight)
        elif kind == "PRelu" or (kind == "Add" and "Conv" in op.input_value(0).get_node().get_type_name()):
            constants.append(fold(op.input_value(1)).flatten())
    parameters = FaceMesh().named_parameters()
    return {key: value.reshape(p.shape) for (key, p), value in zip(parameters, constants, strict=True)}


def fold(output: ov.Output) -> Tensor:
    """The value of a part of the graph that holds only constants."""
    model = ov.Model([output], [])
    return torch.from_numpy(ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([])[0].copy())


def fixed_input(*shape: int) -> np.ndarray:
    """A smooth picture [N, 3, H, W] in [-1, 1] that anyone can make again."""
    n, c, y, x = np.indices(shape, dtype=np.float64)
    side = shape[-1] / 6
    return (0.7 * np.sin(x / side + c + n) * np.cos(y / side - 0.7 * c + 2 * n)).astype(np.float32)


@torch.no_grad()
def wheel_mtcnn(folder: Path, net: str, x: Tensor) -> dict[str, np.ndarray]:
    """The wheel's net, layer by layer under its own names."""
    p = torch.load(folder / f"{net}.pt", weights_only=True)
    pools = {"pnet": (2,), "rnet": (3, 3), "onet": (3, 3, 2)}[net]
    convs = TRUNK_CONVS[net]
    for i in range(convs):
        x = F.prelu(F.conv2d(x, p[f"conv{i + 1}.weight"], p[f"conv{i + 1}.bias"]), p[f"prelu{i + 1}.weight"])
        if i < len(pools):
            x = F.max_pool2d(x, pools[i], 2, ceil_mode=True)
    if net != "pnet":
        dense = f"dense{convs + 1}"
        x = F.linear(x.permute(0, 3, 2, 1).reshape(len(x), -1), p[f"{dense}.weight"], p[f"{dense}.bias"])
        x = F.prelu(x, p[f"prelu{convs + 1}.weight"])
    apply = F.conv2d if net == "pnet" else F.linear
    out = {name: apply(x, p[f"{layer}.weight"], p[f"{layer}.bias"]) for layer, name in HEADS[net].items()}
    out["score"] = out["score"].softmax(1)[:, 1]
    if "points" in out:
        out["points"] = out["points"].reshape(-1, 2, 5).transpose(1, 2)
    return {f"{net}_{name}": value.numpy() for name, value in out.items()}


def golden(mtcnn: Path, tflite: Path) -> dict[str, np.ndarray]:
    """Inputs and outputs of the published networks, by name."""
    values: dict[str, np.ndarray] = {}
    for net, shape in {"pnet": (1, 3, 20, 28), "rnet": (2, 3, 24, 24), "onet": (2, 3, 48, 48)}.items():
        values |= wheel_mtcnn(mtcnn, net, torch.from_numpy(fixed_input(*shape)))
    model = ov.Core().compile_model(str(tflite), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    x = fixed_input(1, 3, SIZE, SIZE)
    for value in model(np.ascontiguousarray(x.transpose(0, 2, 3, 1)) * 0.5 + 0.5).values():
        if value.size == 1:
            values["mesh_presence"] = 1 / (1 + np.exp(-value.reshape(1)))
        else:
            values["mesh_points"] = value.reshape(1, -1, 3)
    return values


def main() -> None:
    """Read the two wheels and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("facenet", type=Path, help="the facenet-pytorch wheel")
    parser.add_argument("mediapipe", type=Path, help="the mediapipe wheel")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(args.facenet) as wheel:
            for net in TRUNK_CONVS:
                wheel.extract(f"facenet_pytorch/data/{net}.pt", folder)
        with zipfile.ZipFile(args.mediapipe) as wheel:
            tflite = Path(wheel.extract("mediapipe/modules/face_landmark/face_landmark.tflite", folder))
        convert(Path(folder, "facenet_pytorch/data"), tflite)


def convert(mtcnn: Path, tflite: Path) -> None:
    """Write the weights and the golden values of the detector and the mesh."""
    for name, module, state in (
        ("mtcnn", MTCNN(), convert_mtcnn(mtcnn)),
        ("facemesh", FaceMesh(), convert_facemesh(tflite)),
    ):
        module.load_state_dict(state)  # complains about anything missing or misshapen
        half = {key: value.half().contiguous() for key, value in state.items()}
        save_file(half, ROOT / f"weights/{name}.safetensors")
    (ROOT / "tests/golden").mkdir(parents=True, exist_ok=True)
    np.savez_compressed(ROOT / "tests/golden/face_nets.npz", **golden(mtcnn, tflite))


if __name__ == "__main__":
    main()
