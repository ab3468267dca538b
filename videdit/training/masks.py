"""Faces with their masks: the pack, and augmentation that changes picture and mask alike.

A mask pack is one .npy file of uint8 [N, 256, 256], the class of every pixel, beside the pack of the faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from videdit.errors import UsageError
from videdit.evaluation.parsing import load_masks
from videdit.models.face_parts import CLASSES, MIRRORED
from videdit.training.data import SIZE, degrade, jitter_colour, load_pack, to_tensor

SWAPPED = np.arange(len(CLASSES), dtype=np.uint8)  # the class of what is seen in a mirror, by its own class
for _left, _right in MIRRORED:
    SWAPPED[[_left, _right]] = _right, _left


def halve(mask: np.ndarray) -> np.ndarray:
    """Classes [2H, 2W] -> [H, W]: the commonest of each four pixels, of two equally common ones the one at top left."""
    votes = (1.25, 1.0, 1.0, 1.0)
    quads = [mask[y::2, x::2] for y in (0, 1) for x in (0, 1)]
    count = np.zeros((len(CLASSES), *quads[0].shape), np.float32)
    rows, columns = np.indices(quads[0].shape)
    for vote, quad in zip(votes, quads, strict=True):
        np.add.at(count, (quad, rows, columns), vote)
    return count.argmax(0).astype(np.uint8)


def pack_masks(folder: Path, out: Path) -> None:
    """CelebAMask-HQ's masks NNNN.png at 512 px -> out, [N, 256, 256]."""
    np.save(out, np.stack([halve(mask) for mask in load_masks(folder, slice(None))]))


def mirror(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flip picture [S, S, 3] and mask [S, S]; what was the subject's left eye is then a right one."""
    return image[:, ::-1], SWAPPED[mask[:, ::-1]]


def move(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Turn, scale, shear and shift [S, S, 3] and mask [S, S], more than alignment errs: heads tilt and leave."""
    centre = (SIZE - 1) / 2
    matrix = cv2.getRotationMatrix2D((centre, centre), rng.normal(0, 8), float(np.exp(rng.normal(0, 0.12))))
    shear = np.eye(2) + rng.normal(0, 0.04, (2, 2))
    matrix[:, :2] = shear @ matrix[:, :2]
    matrix[:, 2] += (np.eye(2) - shear) @ (centre, centre) + rng.normal(0, 0.03 * SIZE, 2)
    shape, border = (SIZE, SIZE), cv2.BORDER_REFLECT_101
    return (
        cv2.warpAffine(image, matrix, shape, flags=cv2.INTER_LINEAR, borderMode=border),
        cv2.warpAffine(mask, matrix, shape, flags=cv2.INTER_NEAREST, borderMode=border),
    )


def blob(rng: np.random.Generator) -> np.ndarray:
    """The shape of an occluder, [S, S] float32 in 0..1: a hand, a ball on a stick, or a bar, soft by a pixel."""
    shape = np.zeros((SIZE, SIZE), np.uint8)
    at = rng.uniform(0.15, 0.95, 2) * SIZE
    kind = rng.integers(3)
    if kind == 0:  # a palm: a star-shaped outline with a few slow waves
        angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
        radius = rng.uniform(0.06, 0.22) * SIZE
        waves = sum(rng.normal(0, 0.35 / k) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in range(1, 5))
        outline = at + radius * np.maximum(0.3, 1 + waves)[:, None] * np.stack((np.cos(angle), np.sin(angle)), 1)
        cv2.fillPoly(shape, [outline.astype(np.int32)], 255)
        for _ in range(rng.integers(0, 5)):  # fingers
            end = at + rng.uniform(1.0, 2.2) * radius * np.array([np.cos(a := rng.uniform(0, 6.3)), np.sin(a)])
            _line(shape, at, end, rng.uniform(0.02, 0.05))
    elif kind == 1:  # a microphone: a ball whose stick leaves the picture
        cv2.circle(shape, _point(at), int(rng.uniform(0.05, 0.14) * SIZE), 255, -1)
        end = at + rng.uniform(0.3, 1.2) * SIZE * np.array([rng.normal(0, 0.5), 1.0])
        _line(shape, at, end, rng.uniform(0.04, 0.1))
    else:
        _line(shape, at, rng.uniform(0, 1, 2) * SIZE, rng.uniform(0.02, 0.12))
    return cv2.GaussianBlur(shape, (0, 0), rng.uniform(0.6, 1.5)).astype(np.float32) / 255


def _point(at: np.ndarray) -> tuple[int, int]:
    return int(at[0]), int(at[1])


def _line(shape: np.ndarray, start: np.ndarray, end: np.ndarray, width: float) -> None:
    cv2.line(shape, _point(start), _point(end), 255, max(1, int(width * SIZE)))


def texture(source: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What an occluder is made of, [S, S, 3] uint8: a magnified patch of another face, or shaded plain colour."""
    if rng.random() < 0.65:  # skin, hair, cloth: whatever the patch holds
        side = int(rng.uniform(0.1, 0.35) * SIZE)
        x, y = rng.integers(0, SIZE - side, 2)
        return jitter_colour(cv2.resize(source[y : y + side, x : x + side], (SIZE, SIZE)), rng)
    shade = cv2.resize(rng.normal(0, 30, (4, 4, 1)).astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    colour = rng.uniform(0, 255, 3) + shade[..., None] + rng.normal(0, rng.uniform(0, 12), (SIZE, SIZE, 1))
    return np.clip(colour, 0, 255).astype(np.uint8)


def occlude(
    image: np.ndarray, mask: np.ndarray, source: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Put something in front of the face [S, S, 3], which is background to the parser; mask: [S, S]."""
    shape = blob(rng)
    mixed = image + shape[..., None] * (texture(source, rng).astype(np.float32) - image)
    return np.clip(mixed, 0, 255).astype(np.uint8), np.where(shape > 0.5, 0, mask).astype(np.uint8)


class MaskedFaces:
    """Batches of real faces with their masks; which, and how augmented, is up to the given chance alone."""

    def __init__(self, images: Path, masks: Path, held: int = 50) -> None:
        """images, masks: packs of the same faces. held: the last of them, which are for validation and no batch shows.

        Raises:
            UsageError: a pack is missing or damaged, or they do not fit.
        """
        all_images, all_masks = load_pack(images), load_pack(masks)
        if len(all_images) != len(all_masks) or not 0 < held < len(all_images):
            raise UsageError(f"{images} and {masks} hold {len(all_images)} faces, {len(all_masks)} masks; {held} held")
        self.images, self.held_images = all_images[:-held], all_images[-held:]
        self.masks, self.held_masks = all_masks[:-held], all_masks[-held:]

    def batch(
        self, count: int, rng: np.random.Generator, degraded: float = 0.4, occluded: float = 0.35
    ) -> tuple[Tensor, Tensor]:
        """(pictures [count, 3, 256, 256] in [-1, 1], classes [count, 256, 256] int64).

        degraded: the share of pictures that are; occluded: the same, and the share of those that are so once more.
        """
        images, masks = [], []
        for i in rng.integers(len(self.images), size=count):
            image, mask = self._varied(np.asarray(self.images[i]), np.asarray(self.masks[i]), rng, occluded)
            images.append(degrade(image, rng) if rng.random() < degraded else image)
            masks.append(mask)
        return to_tensor(np.stack(images)), torch.from_numpy(np.stack(masks).astype(np.int64))

    def unlabelled(
        self, pools: Sequence[np.ndarray], count: int, rng: np.random.Generator, degraded: float, occluded: float
    ) -> tuple[Tensor, Tensor]:
        """(pictures, the same before they were degraded), each [count, 3, 256, 256], from the pools in turn."""
        images, clear = [], []
        nothing = np.zeros((SIZE, SIZE), np.uint8)
        for i in range(count):
            pool = pools[i % len(pools)]
            image, _ = self._varied(np.asarray(pool[rng.integers(len(pool))]), nothing, rng, occluded)
            clear.append(image)
            images.append(degrade(image, rng) if rng.random() < degraded else image)
        return to_tensor(np.stack(images)), to_tensor(np.stack(clear))

    def _varied(
        self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator, occluded: float
    ) -> tuple[np.ndarray, np.ndarray]:
        if rng.random() < 0.5:
            image, mask = mirror(image, mask)
        image, mask = move(image, mask, rng)
        while rng.random() < occluded:
            image, mask = occlude(image, mask, np.asarray(self.images[rng.integers(len(self.images))]), rng)
        return jitter_colour(image, rng) if rng.random() < 0.8 else image, mask

    def held(self) -> tuple[Tensor, Tensor]:
        """The faces for validation, [N, 3, 256, 256], and their classes [N, 256, 256]."""
        return to_tensor(self.held_images), torch.from_numpy(np.array(self.held_masks)).long()
