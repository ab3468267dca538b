"""Packs of training data where the raw data is not: faces as one small file that travels, samples made on the spot."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from videdit.errors import MediaError, UsageError
from videdit.hfgi.loader import load_generator
from videdit.hfgi.population import sample_codes
from videdit.models.mobile_stylegan import NUM_LAYERS
from videdit.training.common import compiled
from videdit.training.data import SIZE, load_pack, to_pictures

BATCH = 16


def write_travel(pack: Path, out: Path, quality: int, masks: Path | None = None) -> None:
    """Packs of faces and of their masks -> a tar: a thousand WebP at quality 75 are about 9 MiB, as many masks 2.

    Where there is no pack of masks, or none is given, there are none in the tar.

    Raises:
        UsageError: there is no pack of faces.
        MediaError: the tar cannot be written.
    """
    try:
        with tarfile.open(out, "w") as tar:
            for i, image in enumerate(load_pack(pack)):
                bgr = np.ascontiguousarray(image[..., ::-1])
                _add(tar, f"{i:04}.webp", cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, quality])[1])
            for i, mask in enumerate(load_pack(masks) if masks and masks.exists() else ()):
                _add(tar, f"{i:04}.png", cv2.imencode(".png", np.asarray(mask), [cv2.IMWRITE_PNG_COMPRESSION, 9])[1])
    except OSError as error:
        raise MediaError(f"cannot write {out}: {error.strerror or error}") from None


def _add(tar: tarfile.TarFile, name: str, data: np.ndarray) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = data.nbytes
    tar.addfile(entry, io.BytesIO(data.tobytes()))


def read_travel(path: Path, pack: Path, masks: Path | None = None) -> None:
    """A tar of :func:`write_travel` -> a pack of faces, in the order of their names, and one of masks if it has any.

    Raises:
        UsageError: it is no such tar.
    """
    try:
        with tarfile.open(path) as tar:
            entries = sorted(tar.getmembers(), key=lambda entry: entry.name)
            files = {entry.name: tar.extractfile(entry) for entry in entries}
            data = {name: np.frombuffer(file.read() if file else b"", np.uint8) for name, file in files.items()}
    except (OSError, tarfile.TarError) as error:
        raise UsageError(f"{path} is no tar of faces ({error}): make it with --travel") from None
    images = [_decode(part, cv2.IMREAD_COLOR) for name, part in data.items() if name.endswith(".webp")]
    classes = [_decode(part, cv2.IMREAD_GRAYSCALE) for name, part in data.items() if name.endswith(".png")]
    whole = all(x is not None and x.shape[:2] == (SIZE, SIZE) for x in (*images, *classes))
    if not images or not whole or len(classes) not in (0, len(images)):
        raise UsageError(f"{path} does not hold pictures of {SIZE} px only: make it with --travel")
    np.save(pack, np.stack([image[..., ::-1] for image in images if image is not None]))
    if classes and masks:
        np.save(masks, np.stack([mask for mask in classes if mask is not None]))


def _decode(data: np.ndarray, kind: int) -> np.ndarray | None:
    return cv2.imdecode(data, kind) if len(data) else None


@torch.no_grad()
def draw_bank(count: int, images_out: Path, codes_out: Path, device: str, seed: int = 0, eager: bool = False) -> None:
    """Samples of the generator, area-downsampled from 1024 px: images [N, 256, 256, 3] and codes [N, 512] float16."""
    _, generator = load_generator(device)
    # 512 px is the low band of the output's wavelet: exactly what averaging 1024 px would give
    render = compiled(lambda codes: F.avg_pool2d(generator(codes, size=512), 2), torch.device(device).type, eager)
    codes = sample_codes(count, seed).astype(np.float16)
    images = np.lib.format.open_memmap(images_out, "w+", np.uint8, (count, SIZE, SIZE, 3))
    batch = min(BATCH, count)
    for start in range(0, count, batch):
        part = torch.from_numpy(codes[start : start + batch].astype(np.float32)).to(device)  # [n, 512]
        padded = F.pad(part, (0, 0, 0, batch - len(part)))[:, None]  # one shape is compiled once
        images[start : start + len(part)] = to_pictures(render(padded.expand(-1, NUM_LAYERS, -1)))[: len(part)]
    images.flush()
    np.save(codes_out, codes)
