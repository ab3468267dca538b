"""Faces found by insightface's SCRFD (Guo et al., 2021) in place of MTCNN: `--detector insightface[:PACK]`.

Both packages are imported (:mod:`videdit.engine.offline`) only when this detector is asked for. Packs are looked for
on this machine and never downloaded.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from videdit.engine import offline
from videdit.errors import WeightsError
from videdit.weights import find
from videdit.weights.published import entries, is_installed

ADVICE = 'pip install "videdit[insightface]"'
DEFAULT_PACK = "buffalo_l"
SIZES = (640, 128)  # px of the squares in which a picture is searched; the small one is for faces that fill it
SURE = 0.5  # score of a face
_BATCH = 4  # pictures a run, of models that take more than one


class InsightFinder:
    """Pictures -> coarse points of the faces in them, as :class:`videdit.faces.mtcnn.Cascade` does."""

    def __init__(self, pack: str = DEFAULT_PACK, device: str = "cpu") -> None:
        """pack: its name, or its folder. Raises WeightsError: the pack or the package is not here, or not usable."""
        self._model = _detection_model(find_pack(pack), device)
        height, width = self._model.session.get_inputs()[0].shape[2:]
        fixed = isinstance(height, int) and isinstance(width, int)
        self._sizes = ((width, height),) if fixed else tuple((size, size) for size in SIZES)
        first = self._model.session.get_inputs()[0].shape[0]
        # Where outputs have no batch dimension (buffalo_l), those of several pictures could not be told apart.
        batched = len(self._model.session.get_outputs()[0].shape) == 3 and not isinstance(first, int)
        self.batch = _BATCH if batched else 1

    def __call__(self, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Pictures [H, W, 3] uint8 RGB of one shape -> for each points [N, 5, 2] in its pixels, surest first."""
        results: list[np.ndarray] = []
        for start in range(0, len(pictures), self.batch):
            part = pictures[start : start + self.batch]
            found = [self._candidates(part, size) for size in self._sizes]
            results += [self._best([of_size[i] for of_size in found]) for i in range(len(part))]
        return results

    def _candidates(self, pictures: Sequence[np.ndarray], size: tuple[int, int]) -> list[np.ndarray]:
        """For each picture all that might be faces: [N, 15], box (4), score and five points in its pixels."""
        height, width = pictures[0].shape[:2]
        scale = min(size[0] / width, size[1] / height)
        shape = (max(1, int(width * scale)), max(1, int(height * scale)))
        x = np.zeros((len(pictures), size[1], size[0], 3), np.float32)
        for place, picture in zip(x, pictures, strict=True):
            how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            place[: shape[1], : shape[0]] = cv2.resize(picture, shape, interpolation=how)
        x = (x.transpose(0, 3, 1, 2) - self._model.input_mean) / self._model.input_std  # black beside the picture
        outputs = self._model.session.run(self._model.output_names, {self._model.input_name: np.ascontiguousarray(x)})
        back = np.tile([width / shape[0], height / shape[1]], 7)
        each = ([out[i] if out.ndim == 3 else out for out in outputs] for i in range(len(x)))
        found = [decoded(self._model, one, size) for one in each]
        for candidates in found:
            candidates[:, [0, 1, 2, 3, *range(5, 15)]] *= back
        return found

    def _best(self, candidates: list[np.ndarray]) -> np.ndarray:
        every = np.concatenate(candidates)
        every = every[np.argsort(-every[:, 4], kind="stable")]
        return every[self._model.nms(every[:, :5]), 5:].reshape(-1, 5, 2)


def decoded(model: Any, outputs: list[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """What SCRFD says of one picture -> [N, 15]: box (x0, y0, x1, y1), score and five points, of all sure enough.

    outputs: for each stride scores [K, 1], then for each distances [K, 4] from an anchor to the box's sides, then for
    each [K, 10] to the points, all in strides; K is rows x columns x anchors a place. size: (width, height).
    """
    found = []
    levels = len(model._feat_stride_fpn)
    for level, stride in enumerate(model._feat_stride_fpn):
        score, sides, points = (outputs[level + kind * levels] for kind in range(3))
        sure = np.flatnonzero(score[:, 0] >= SURE)
        cell = sure // model._num_anchors
        columns = size[0] // stride
        anchor = np.stack([cell % columns, cell // columns], axis=1) * stride
        box = np.concatenate([anchor - sides[sure, :2] * stride, anchor + sides[sure, 2:] * stride], axis=1)
        found.append(np.concatenate([box, score[sure], np.tile(anchor, 5) + points[sure] * stride], axis=1))
    return np.concatenate(found).astype(np.float64)


def find_pack(pack: str) -> Path:
    """The folder of a pack: named itself, among what the user has fetched, or where insightface keeps its own.

    Raises:
        WeightsError: it is in none of these.
    """
    if is_installed(pack):
        return find(pack)
    for folder in (Path(pack), Path(os.path.expanduser("~")) / ".insightface" / "models" / pack):
        if any(folder.glob("*.onnx")):
            return folder
    if pack in entries() and not Path(pack).exists():
        return find(pack)  # says how to get it
    raise WeightsError(f"there is no insightface pack (a folder of .onnx files) at {pack}")


def providers(device: str, available: Sequence[str]) -> list[Any]:
    """What onnxruntime is to run on, best first: the GPU that was chosen, or what makes most of a CPU."""
    chosen: list[Any] = []
    if device.startswith("cuda") and "CUDAExecutionProvider" in available:
        chosen.append(("CUDAExecutionProvider", {"device_id": int(device.partition(":")[2] or 0)}))
    elif "OpenVINOExecutionProvider" in available:
        chosen.append("OpenVINOExecutionProvider")
    return [*chosen, "CPUExecutionProvider"]


def _detection_model(folder: Path, device: str) -> Any:
    """The pack's detector as insightface loads it: the first that finds boxes and points."""
    try:
        onnxruntime, model_zoo = offline.onnxruntime(), offline.insightface_models()
    except ImportError as error:
        raise WeightsError(f"--detector insightface does not load ({error}): {ADVICE}") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 0 if device.startswith("cuda") else 1  # the search must not push out larger networks
    chosen = providers(device, onnxruntime.get_available_providers())
    # Detectors have names in det_ and scrfd_; of the other networks some are large.
    for file in sorted(folder.glob("*.onnx"), key=lambda path: (not path.name.startswith(("det", "scrfd")), path.name)):
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # older versions tell of every network they load
                model = model_zoo.get_model(str(file), providers=chosen, sess_options=options)
        except Exception as error:  # onnxruntime has many kinds
            reason = " ".join(str(error).split())[:120]
            raise WeightsError(f"insightface cannot load {file} ({reason}); fetch the pack again") from None
        if getattr(model, "taskname", None) == "detection" and model.use_kps:
            return model
    raise WeightsError(f"no network in {folder} finds faces with five points; name another pack")
