"""Face parsing judged: intersection over union on real masks, and a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from videdit.errors import MediaError, SettingsError
from videdit.evaluation.report import Evaluation, Value
from videdit.evaluation.sheet import contact_sheet
from videdit.faces.parser import CropParser
from videdit.models.face_parts import CLASSES, COMMON

_SHOWN = 10  # faces on a sheet
# One colour a class; the subject's left and right are unlike.
_COLOURS = np.array(
    [(0, 0, 0), (230, 180, 140), (250, 120, 60), (120, 255, 255), (40, 60, 255), (40, 255, 60), (20, 20, 150),
     (20, 120, 20), (170, 100, 255), (255, 100, 200), (255, 255, 255), (255, 0, 0), (160, 0, 40), (110, 70, 30),
     (255, 255, 0), (200, 200, 255), (200, 255, 120), (200, 140, 100), (110, 110, 130)],
    np.uint8,
)  # fmt: skip


def confusion(classes: Tensor, masks: Tensor) -> Tensor:
    """Predicted and true classes of equal shape, integers -> counts [19 true, 19 predicted]."""
    n = len(CLASSES)
    return torch.bincount((masks.long() * n + classes.long()).flatten(), minlength=n * n).view(n, n)


def intersection_over_union(counts: Tensor) -> Tensor:
    """Confusion counts [19, 19] over all pictures -> IoU of each class [19] float64, nan where a class is not there."""
    both = counts.diagonal().double()
    return both / (counts.sum(0) + counts.sum(1) - both)


def mean_common(iou: Tensor) -> float:
    """The mean IoU of the 11 classes that nearly every face has; iou: [19], one a class."""
    return float(iou[list(COMMON)].mean())


def parsing_sheet(images: Tensor, masks: Tensor, classes: Tensor) -> np.ndarray:
    """Pictures [N, 3, S, S] in [-1, 1], true and found classes [N, S, S] -> rows of picture, truth, found."""
    pictures = ((images.cpu().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    truth, found = (_COLOURS[x.cpu().numpy()] for x in (masks, classes))
    return contact_sheet(list(zip(pictures, truth, found, strict=True)), ("source", "true", "found"), tile=192)


def load_masks(folder: Path, span: slice) -> list[np.ndarray]:
    """CelebAMask-HQ's palette PNGs of a folder, by name, as classes [S, S] uint8.

    Raises:
        MediaError: there are none, or one is no such mask.
    """
    paths = sorted(folder.glob("*.png"))[span]
    if not paths:
        raise SettingsError(f"no masks in {folder} (of that range); name a folder of CelebAMask-HQ's with --masks")
    return [read_mask(path) for path in paths]


def read_mask(path: Path) -> np.ndarray:
    """A palette PNG whose indices are classes -> [H, W] uint8.

    OpenCV gives the palette's colours; the palette itself turns them back into indices.

    Raises:
        MediaError: it cannot be read, has no palette, two classes share a colour, or there is an unknown class.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MediaError(f"cannot read the mask {path}: {error.strerror}") from None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    at = data.find(b"PLTE")
    if image is None or at < 4:
        raise MediaError(f"{path} is not a palette PNG, as CelebAMask-HQ's masks are")
    palette = np.frombuffer(data, np.uint8, int.from_bytes(data[at - 4 : at], "big"), at + 4).reshape(-1, 3)
    keys = palette[: len(CLASSES)].astype(np.uint32) @ (65536, 256, 1)
    table = np.full(1 << 24, 255, np.uint8)
    table[keys[::-1]] = np.arange(len(keys), dtype=np.uint8)[::-1]
    mask = table[image[..., ::-1].astype(np.uint32) @ (65536, 256, 1)]
    if len(set(keys.tolist())) < len(keys) or mask.max() == 255:
        raise MediaError(f"{path} is not a mask of classes 0 to {len(CLASSES) - 1}")
    return mask


def evaluate_parser(parser: CropParser, faces: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> Evaluation:
    """IoU of every class, on faces [S, S, 3] uint8 and their masks [T, T].

    Logits are enlarged to the masks' own size before they are compared, so that nothing of the truth is thrown away.
    """
    if len(faces) != len(masks):
        raise MediaError(f"there are {len(faces)} faces and {len(masks)} masks; their folders must match")
    counts = torch.zeros(len(CLASSES), len(CLASSES), dtype=torch.int64)
    shown: list[tuple[Tensor, Tensor, Tensor]] = []
    for face, mask in zip(faces, masks, strict=True):
        logits = torch.from_numpy(parser.logits([face]))
        classes = F.interpolate(logits, size=mask.shape, mode="bilinear", align_corners=False)[0].argmax(0)
        truth = torch.from_numpy(mask)
        counts += confusion(classes, truth)
        if len(shown) < _SHOWN:
            picture = torch.from_numpy(cv2.resize(face, mask.shape[::-1])).permute(2, 0, 1).float() / 127.5 - 1
            shown.append((picture, truth, classes))
    iou = intersection_over_union(counts)
    share = counts.sum(1).double() / counts.sum()
    rows: list[dict[str, Value]] = [
        {"class": name, "IoU": None if iou[i].isnan() else float(iou[i]), "share of pixels": float(share[i])}
        for i, name in enumerate(CLASSES)
    ]
    rows.append({"class": "mean of the 11 common", "IoU": mean_common(iou)})
    rows.append({"class": "mean of all", "IoU": float(iou.nanmean())})
    common = ", ".join(CLASSES[i] for i in COMMON)
    sheet = parsing_sheet(*(torch.stack(column) for column in zip(*shown, strict=True)))
    return Evaluation(rows, sheet, [f"{len(faces)} faces at {masks[0].shape[0]} px; common: {common}"])
