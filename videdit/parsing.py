"""Face parsing on crops: the parser that ships, compiled for this machine."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from videdit.backend import compile_module, resolve_device, resolve_precision
from videdit.errors import WeightsError
from videdit.models.face_parser import INPUT_SIZE, FaceParser
from videdit.weights import load_state, manifest

NAME = "parser"  # in the manifest


def have_parser() -> bool:
    """Whether the parser's weights ship."""
    return NAME in manifest()


class CropParser:
    """Crops -> chances of the 19 classes of :data:`videdit.models.face_parser.CLASSES`, in fixed batches."""

    def __init__(self, device: str = "auto", precision: str = "auto", batch: int = 4, file: Path | None = None) -> None:
        """file: other weights than those that ship. Raises WeightsError where they are missing or damaged."""
        if file is None and not have_parser():
            raise WeightsError(
                "the face parser's weights (weights/parser.safetensors) do not ship with this version: train them "
                "with python -m videdit.train parser"
            )
        net = FaceParser()
        if file is None:
            net.load_state_dict(load_state(NAME))
        else:
            from videdit.train.common import load_weights

            load_weights(net, file)
        self.batch = batch
        device = resolve_device(device)
        example = (torch.zeros(batch, 3, INPUT_SIZE, INPUT_SIZE),)
        self._engine = compile_module(net, example, device, resolve_precision(precision, device))

    def logits(self, crops: list[np.ndarray]) -> np.ndarray:
        """Crops [S, S, 3] uint8 RGB of any size -> [N, 19, 256, 256] float32."""
        x = np.stack([_network_input(crop) for crop in crops])
        parts = []
        for start in range(0, len(x), self.batch):
            part = x[start : start + self.batch]
            padded = np.concatenate((part, np.repeat(part[-1:], self.batch - len(part), axis=0)))
            parts.append(self._engine(padded)[0][: len(part)])
        return np.concatenate(parts)

    def classes(self, crops: list[np.ndarray]) -> np.ndarray:
        """Crops -> the likeliest class of every pixel, [N, 256, 256] uint8."""
        return self.logits(crops).argmax(1).astype(np.uint8)


def _network_input(crop: np.ndarray) -> np.ndarray:
    if crop.shape[0] != INPUT_SIZE:
        way = cv2.INTER_AREA if crop.shape[0] > INPUT_SIZE else cv2.INTER_CUBIC
        crop = cv2.resize(crop, (INPUT_SIZE, INPUT_SIZE), interpolation=way)
    return crop.transpose(2, 0, 1).astype(np.float32) / 127.5 - 1
