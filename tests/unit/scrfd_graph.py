"""A detector in the shape of insightface's SCRFD that truly detects: it knows the two people of the test picture.

Scores are normalised cross-correlations with the face of each, of pictures shrunk to cells of 8 px (the finest stride;
the coarser ones find nothing), in the layout that insightface's own code reads: for strides 8, 16, 32 and two anchors a
place, scores, distances to the box and distances to five points.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STRIDE = 8
SIDE = 128  # px of the templates: the middle of a tile of 256


def write_scrfd(path: Path, tiles: list[np.ndarray], points: list[np.ndarray], batched: bool) -> None:
    """tiles: [256, 256, 3] uint8 RGB; points: [5, 2] of each. batched: outputs have a batch dimension."""
    cells = SIDE // STRIDE
    kernels = []
    for tile in tiles:
        grey = tile[64:192, 64:192].mean(2).reshape(cells, STRIDE, cells, STRIDE).mean((1, 3))
        kernels.append((grey - grey.mean()) / np.linalg.norm(grey - grey.mean()))
    # A cell's anchor is its top left corner; the window of the convolution begins cells / 2 before it.
    middle = np.full(4, SIDE / 2)
    weights = {
        "grey": np.full((1, 3, STRIDE, STRIDE), 1 / 3 / STRIDE**2),
        "faces": np.stack(kernels)[:, None],
        "window": np.full((1, 1, cells, cells), 1.0),
        "cells": np.array(float(cells**2)),
        "little": np.array(0.05),
        "sharpen": np.array(40.0),
        "sure": np.array(0.8),
    }
    nodes = [
        helper.make_node("Conv", ["x", "grey"], ["small"], strides=[STRIDE] * 2, kernel_shape=[STRIDE] * 2),
        _window("Conv", ["small", "faces"], "match", cells),
        _window("Conv", ["small", "window"], "sum", cells),
        helper.make_node("Mul", ["small", "small"], ["square"]),
        _window("Conv", ["square", "window"], "squares", cells),
        helper.make_node("Mul", ["sum", "sum"], ["sum2"]),
        helper.make_node("Div", ["sum2", "cells"], ["mean2"]),
        helper.make_node("Sub", ["squares", "mean2"], ["spread2"]),
        helper.make_node("Abs", ["spread2"], ["positive"]),
        helper.make_node("Sqrt", ["positive"], ["spread"]),
        helper.make_node("Add", ["spread", "little"], ["safe"]),
        helper.make_node("Div", ["match", "safe"], ["ncc"]),  # [B, 2, h, w]
        helper.make_node("Sub", ["ncc", "sure"], ["over"]),
        helper.make_node("Mul", ["over", "sharpen"], ["steep"]),
        helper.make_node("Sigmoid", ["steep"], ["map8"]),
    ]
    shape = [0, -1, 1] if batched else [-1, 1]
    weights["shape"] = np.array(shape, np.int64)
    weights["none"] = np.array(0.0)
    outputs, axes = [], ["batch", "places"] if batched else ["places"]
    for stride, pool in zip((8, 16, 32), (1, 2, 4), strict=True):
        if pool > 1:
            window = {"kernel_shape": [pool] * 2, "strides": [pool] * 2}
            nodes += [
                helper.make_node("AveragePool", ["map8"], [f"pooled{stride}"], **window),
                helper.make_node("Mul", [f"pooled{stride}", "none"], [f"map{stride}"]),
            ]
        nodes += [
            helper.make_node("Transpose", [f"map{stride}"], [f"last{stride}"], perm=[0, 2, 3, 1]),
            helper.make_node("Reshape", [f"last{stride}", "shape"], [f"score{stride}"]),
        ]
        outputs.append(helper.make_tensor_value_info(f"score{stride}", TensorProto.FLOAT, [*axes, 1]))
    for kind, width in (("box", 4), ("points", 10)):
        for stride in (8, 16, 32):
            # An output a place: the score times nothing, plus what belongs to its anchor (person).
            each = [middle if kind == "box" else (p - 128).ravel() for p in points]
            name = f"{kind}{stride}"
            weights[f"{name}_value"] = np.stack(each)[None, None, None] / stride  # [1, 1, 1, 2, n]
            weights[f"{name}_shape"] = np.array([0, -1, width] if batched else [-1, width], np.int64)
            weights["last"] = np.array([4], np.int64)
            nodes += [
                helper.make_node("Mul", [f"last{stride}", "none"], [f"{name}_zero"]),
                helper.make_node("Unsqueeze", [f"{name}_zero", "last"], [f"{name}_one"]),
                helper.make_node("Add", [f"{name}_one", f"{name}_value"], [f"{name}_all"]),
                helper.make_node("Reshape", [f"{name}_all", f"{name}_shape"], [name]),
            ]
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [*axes, width]))
    first = "batch" if batched else 1
    graph = helper.make_graph(
        nodes,
        "scrfd",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [first, 3, "height", "width"])],
        outputs,
        [numpy_helper.from_array(v if v.dtype == np.int64 else v.astype(np.float32), k) for k, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _window(kind: str, inputs: list[str], output: str, cells: int) -> onnx.NodeProto:
    before = cells // 2
    pads = [before, before, cells - 1 - before, cells - 1 - before]
    return helper.make_node(kind, inputs, [output], kernel_shape=[cells] * 2, pads=pads)
