"""MTCNN's cascade: an image pyramid of proposals, judged by two finer nets, weaker overlaps dropped on the way.

Boxes are [N, 4] float64 (x0, y0, x1, y1) in pixels of the picture, corners at (0, 0) and (W, H).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from videdit.engine.compile import Engine, compile_module
from videdit.engine.recipe import NetworkRecipe, Shape
from videdit.geometry.warp import crop
from videdit.weights import load_state, manifest, verified

if TYPE_CHECKING:
    from videdit.models.mtcnn import MTCNN

THRESHOLDS = (0.6, 0.7, 0.8)  # face scores that proposal, refine and output net must reach
_SHRINK = 0.709  # from one level of the pyramid to the next: half the area
_WINDOW = 12  # of the proposal net, which moves it by 2 px
_BATCH = {24: 16, 48: 8}  # windows a run of the two finer nets: fixed, so that one shape is compiled once


class Cascade:
    """Finds faces in RGB pictures, each with five coarse points."""

    batch = 1  # pictures that are searched together

    def __init__(self, device: str = "cpu", precision: str = "fp32", smallest: int = 20) -> None:
        """smallest: side in pixels of the smallest face to look for."""
        verified("mtcnn")
        self.smallest, self._device, self._precision = smallest, device, precision
        self._engines: dict[tuple[int, int], Engine] = {}  # of the proposal net, by the shape of the pyramid's sheet

    @functools.cached_property
    def _refine(self) -> Engine:
        return self._compiled("RefineNet", "rnet", (_BATCH[24], 3, 24, 24))

    @functools.cached_property
    def _output(self) -> Engine:
        return self._compiled("OutputNet", "onet", (_BATCH[48], 3, 48, 48))

    def _compiled(self, name: str, part: str, shape: Shape) -> Engine:
        net = NetworkRecipe(name, (manifest()["mtcnn"].sha256,), lambda: mtcnn().get_submodule(part))
        return compile_module(net, [shape], self._device, self._precision, threads=1)

    def __call__(self, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Pictures [H, W, 3] uint8 RGB -> for each points [N, 5, 2] in its pixels, surest first."""
        return [self.find(picture)[0] for picture in pictures]

    def find(self, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """rgb [H, W, 3] uint8 -> points [N, 5, 2] in its pixels, scores [N] in 0..1, best first.

        Points: eye at image left, eye at image right, nose, mouth corner left, right.
        """
        boxes, _ = self._proposals(rgb)
        scores, corrections, _ = _judge(self._refine, rgb, boxes, 24)
        keep = np.flatnonzero(scores >= THRESHOLDS[1])
        keep = keep[suppress(boxes[keep], scores[keep], 0.7)]
        boxes = squared(corrected(boxes[keep], corrections[keep]))
        scores, corrections, points = _judge(self._output, rgb, boxes, 48)
        keep = np.flatnonzero(scores >= THRESHOLDS[2])
        keep = keep[suppress(corrected(boxes[keep], corrections[keep]), scores[keep], 0.7, of_smaller=True)]
        corners, sides = boxes[keep, None, :2], (boxes[keep, 2:] - boxes[keep, :2])[:, None]
        return corners + points[keep] * sides, scores[keep]

    def _proposals(self, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Square boxes [N, 4] worth a closer look and their scores [N]."""
        height, width = rgb.shape[:2]
        found = [(np.zeros((0, 4)), np.zeros(0))]
        places = pyramid(height, width, _WINDOW / self.smallest)
        if places:
            score, correction = self._propose(rgb, places)  # [h, w], [4, h, w]
        for x, y, w, h in places:
            # Only windows that lie within their level: each has its place on the sheet.
            rows, columns = slice(y // 2, (y + h - _WINDOW) // 2 + 1), slice(x // 2, (x + w - _WINDOW) // 2 + 1)
            ys, xs = np.nonzero(score[rows, columns] >= THRESHOLDS[0])
            corner = np.stack([xs, ys], axis=1) * 2.0  # the net's stride
            boxes = np.concatenate([corner, corner + _WINDOW], axis=1) * np.tile([width / w, height / h], 2)
            scores = score[rows, columns][ys, xs]
            keep = suppress(boxes, scores, 0.5)
            moves = correction[:, rows, columns][:, ys, xs].T
            found.append((corrected(boxes, moves)[keep], scores[keep]))
        boxes, scores = (np.concatenate(part) for part in zip(*found, strict=True))
        keep = suppress(boxes, scores, 0.7)
        return squared(boxes[keep]), scores[keep]

    def _propose(self, rgb: np.ndarray, places: list[tuple[int, int, int, int]]) -> tuple[np.ndarray, np.ndarray]:
        """Scores [h, w] and corrections [4, h, w] of all windows on a sheet that holds the whole image pyramid."""
        right, bottom = max(x + w for x, _, w, _ in places), max(y + h for _, y, _, h in places)
        sheet = np.zeros((-(-bottom // 32) * 32, -(-right // 32) * 32, 3), np.uint8)  # few shapes for many clips
        for x, y, w, h in places:
            how = cv2.INTER_AREA if w < rgb.shape[1] else cv2.INTER_LINEAR
            sheet[y : y + h, x : x + w] = cv2.resize(rgb, (w, h), interpolation=how)
        engine = self._engines.get(sheet.shape[:2])
        if engine is None:
            engine = self._engines[sheet.shape[:2]] = self._compiled("ProposalNet", "pnet", (1, 3, *sheet.shape[:2]))
        score, correction = engine(_batch([sheet]))
        return score[0], correction[0]


def mtcnn() -> MTCNN:
    """The three nets with the weights that ship. Raises WeightsError where they are missing or damaged."""
    from videdit.models.mtcnn import MTCNN

    nets = MTCNN()
    nets.load_state_dict(load_state("mtcnn"))
    return nets


def pyramid(height: int, width: int, scale: float) -> list[tuple[int, int, int, int]]:
    """Where the levels of an image pyramid lie on one sheet: (x, y, width, height), even x and y, none overlapping.

    height, width: of the picture; scale: of the first, largest level. Levels stand in columns no higher than the first.
    """
    places: list[tuple[int, int, int, int]] = []
    x, y, wide = 0, 0, 0
    while min(height, width) * scale >= _WINDOW:
        w, h = round(width * scale), round(height * scale)
        if places and y + h > places[0][3]:
            x, y, wide = x + wide, 0, 0
        places.append((x, y, w, h))
        y, wide = y + h + h % 2, max(wide, w + w % 2)
        scale *= _SHRINK
    return places


def corrected(boxes: np.ndarray, corrections: np.ndarray) -> np.ndarray:
    """Boxes [N, 4] moved by the nets' corrections [N, 4], which are in units of the box."""
    return boxes + corrections * np.tile(boxes[:, 2:] - boxes[:, :2], 2)


def squared(boxes: np.ndarray) -> np.ndarray:
    """The squares [N, 4] about the same centres, as large as the longer side."""
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def suppress(boxes: np.ndarray, scores: np.ndarray, overlap: float, of_smaller: bool = False) -> np.ndarray:
    """Indices, best first, of boxes [N, 4] that no better one covers by more than ``overlap``.

    Overlap is intersection over union, or, with ``of_smaller``, over the smaller of the two areas.
    """
    order = np.argsort(-scores, kind="stable")
    boxes = boxes[order]
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    alive = np.ones(len(boxes), bool)
    for i in range(len(boxes)):
        if not alive[i]:
            continue
        shared = np.minimum(boxes[i, 2:], boxes[i + 1 :, 2:]) - np.maximum(boxes[i, :2], boxes[i + 1 :, :2])
        shared = np.prod(np.maximum(shared, 0), axis=1)
        rest = areas[i + 1 :]
        whole = np.minimum(areas[i], rest) if of_smaller else areas[i] + rest - shared
        alive[i + 1 :] &= shared <= overlap * whole
    return order[alive]


def _judge(net: Engine, rgb: np.ndarray, boxes: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Run a finer net on square windows [N, 4]: scores [N], corrections [N, 4], points [N, 5, 2] in window units."""
    outputs = [np.zeros((0, *shape)) for shape in ((), (4,), (5, 2))]
    for start in range(0, len(boxes), _BATCH[size]):
        windows = [_window(rgb, box, size) for box in boxes[start : start + _BATCH[size]]]
        blank = [np.zeros_like(windows[0])] * (_BATCH[size] - len(windows))
        for i, output in enumerate(net(_batch(windows + blank))):
            outputs[i] = np.concatenate([outputs[i], output[: len(windows)]])
    return outputs[0], outputs[1], outputs[2]


def _window(rgb: np.ndarray, box: np.ndarray, size: int) -> np.ndarray:
    scale = (box[2] - box[0]) / size
    matrix = np.array([[scale, 0, box[0]], [0, scale, box[1]]])
    return crop(rgb, matrix, size, cv2.INTER_LINEAR)


def _batch(images: list[np.ndarray]) -> np.ndarray:
    """uint8 [H, W, 3] pictures of one size -> float32 [N, 3, H, W] in [-1, 1]."""
    return np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2), np.float32) / 127.5 - 1
