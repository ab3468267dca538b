"""Training data: packs of aligned faces in memory, samples of the generator, and their augmentation.

A pack is one .npy file of uint8 [N, 256, 256, 3] RGB; a bank is a pack with its codes [N, 512] float16 beside it.
``python -m videdit.train pack`` makes both.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from videdit.errors import UsageError
from videdit.storage.outputs import written_whole

SIZE = 256


def pack_faces(folder: Path, out: Path) -> None:
    """CelebA-HQ style folder of aligned NNNN.jpg -> out, [N, 256, 256, 3]. Raises UsageError: it holds none."""
    images = [cv2.imread(str(path)) for path in sorted(folder.glob("*.jpg"))]
    if not images:
        raise UsageError(f"no pictures in {folder}")
    small = [cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)[..., ::-1] for image in images]
    np.save(out, np.stack(small))


def pack_pictures(folder: Path, out: Path) -> None:
    """Pictures of a folder and those in it -> out: of 256x256 pixels, or 256x192 where its name says 192 (cars).

    Raises:
        UsageError: there is none, or one cannot be read.
    """
    height = 192 if "192" in out.stem else SIZE
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))
    if not paths:
        raise UsageError(f"no pictures in {folder}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(out) as written:  # tens of thousands of pictures are not held in memory
        pack = np.lib.format.open_memmap(written, "w+", np.uint8, (len(paths), height, SIZE, 3))
        for i, path in enumerate(paths):
            image = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if image is None:
                raise UsageError(f"{path} is not a picture that can be read")
            small = cv2.resize(image, (SIZE, height), interpolation=cv2.INTER_AREA)
            pack[i] = small[..., ::-1]
        pack.flush()


def pack_bank(folder: Path, images_out: Path, codes_out: Path) -> None:
    """Tars of NNNNNN.webp and codes.npy -> images [N, 256, 256, 3] and codes [N, 512]."""
    images, codes = [], []
    for path in sorted(folder.glob("bank_*.tar")):
        with tarfile.open(path) as tar:
            for name in sorted(tar.getnames()):
                data = tar.extractfile(name).read()  # type: ignore[union-attr]
                if name.endswith(".webp"):
                    images.append(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1])
                elif name.endswith(".npy"):
                    codes.append(np.load(io.BytesIO(data)))
    np.save(images_out, np.stack(images))
    np.save(codes_out, np.concatenate(codes))


def to_tensor(images: np.ndarray) -> Tensor:
    """uint8 [B, H, W, 3] -> float32 [B, 3, H, W] in [-1, 1], channels last in memory."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_pictures(x: Tensor) -> np.ndarray:
    """float [B, 3, H, W] in [-1, 1], a little beyond in places -> uint8 [B, H, W, 3]."""
    return (x.float().clamp(-1, 1) * 127.5 + 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def jitter_geometry(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Flip, and move as alignment of a video frame errs: 4 degrees, 5 % of size, 3 % of place; [S, S, 3] uint8."""
    if rng.random() < 0.5:
        image = image[:, ::-1]
    angle, scale = rng.normal(0, 2.0), float(np.exp(rng.normal(0, 0.03)))
    centre = (SIZE - 1) / 2
    matrix = cv2.getRotationMatrix2D((centre, centre), float(np.clip(angle, -5, 5)), scale)
    matrix[:, 2] += rng.normal(0, 0.012 * SIZE, 2)
    return cv2.warpAffine(image, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def jitter_colour(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exposure, white balance and contrast as cameras differ. [H, W, 3] uint8 -> the same."""
    gain = np.exp(rng.normal(0, 0.12) + rng.normal(0, 0.04, 3))
    values = (image.astype(np.float32) / 255) ** float(np.exp(rng.normal(0, 0.12))) * gain
    return (np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)


def degrade(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What video does to a face: lost resolution, blur, noise, compression. [S, S, 3] uint8, same size."""
    if rng.random() < 0.6:
        small = int(SIZE / rng.uniform(1, 4))
        image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.8))
    if rng.random() < 0.4:
        noisy = image + rng.normal(0, rng.uniform(1, 8), image.shape)
        image = np.clip(noisy, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        quality = int(rng.integers(30, 90))
        image = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    return image


class Faces:
    """Batches of real faces from a pack. Which faces, and how they are augmented, is up to the given chance alone."""

    def __init__(self, pack: Path, held: int = 50) -> None:
        """held: the last faces of the pack, which are for validation and no batch shows."""
        images = load_pack(pack)
        if not 0 < held < len(images):
            raise UsageError(f"{pack} has {len(images)} faces: {held} cannot be held back for validation")
        self.images, self.held_images = images[:-held], images[-held:]

    def batch(self, count: int, rng: np.random.Generator, degraded: float = 0.3) -> tuple[Tensor, Tensor]:
        """(input, target), each [count, 3, 256, 256]; inputs are degraded with the given probability, targets never."""
        inputs, targets = [], []
        for i in rng.integers(len(self.images), size=count):
            image = jitter_geometry(np.asarray(self.images[i]), rng)
            if rng.random() < 0.7:
                image = jitter_colour(image, rng)
            targets.append(image)
            inputs.append(degrade(image, rng) if rng.random() < degraded else image)
        return to_tensor(np.stack(inputs)), to_tensor(np.stack(targets))

    def held(self, count: int = 25) -> Tensor:
        """The first `count` of the faces for validation, [N, 3, 256, 256]."""
        return to_tensor(self.held_images[:count])


class Bank:
    """Batches of samples of the generator with their codes."""

    def __init__(self, images: Path, codes: Path) -> None:
        """images: a pack. codes: its codes, [N, 512]. Raises what :func:`load_pack` raises."""
        self.images = load_pack(images)
        self.codes = torch.from_numpy(load_pack(codes).astype(np.float32))

    def batch(self, count: int, rng: np.random.Generator, degraded: float = 0.5) -> tuple[Tensor, Tensor, Tensor]:
        """(input, target, w [count, 512]), pictures [count, 3, 256, 256]; inputs are degraded with that probability.

        No geometric change: the code would no longer be true.
        """
        picks = rng.integers(len(self.images), size=count)
        targets = [np.asarray(self.images[i]) for i in picks]
        inputs = [degrade(image, rng) if rng.random() < degraded else image for image in targets]
        return to_tensor(np.stack(inputs)), to_tensor(np.stack(targets)), self.codes[torch.from_numpy(picks)]


def load_pack(path: Path) -> np.ndarray:
    """An array [N, ...] on disk, read as it is needed.

    Raises:
        UsageError: it is missing or damaged.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"no pack at {path} ({error}): make it with python -m videdit.train pack") from None
