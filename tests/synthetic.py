"""Synthetic clips whose content is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]


def background(width: int, height: int) -> np.ndarray:
    """A picture without a face, [height, width, 3] uint8 RGB: slopes of colour and a little texture."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    texture = 12 * np.sin(x / 7) * np.cos(y / 5)
    planes = (40 + 120 * x / width + texture, 60 + 100 * y / height + texture, 120 - 60 * x / width + texture)
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def with_face(picture: np.ndarray, face: np.ndarray, centre: tuple[float, float], side: float) -> np.ndarray:
    """The picture [H, W, 3] with an aligned face drawn `side` pixels wide around `centre` (x, y), softly cut out."""
    size = face.shape[0]
    scale = side / size
    matrix = np.array([[scale, 0, centre[0] - side / 2], [0, scale, centre[1] - side / 2]])
    ramp = np.minimum(np.arange(size), size - 1 - np.arange(size)) / (0.08 * size)
    mask = np.clip(np.minimum.outer(ramp, ramp), 0, 1).astype(np.float32)
    shape = picture.shape[1::-1]
    warped = cv2.warpAffine(face, matrix, shape, flags=cv2.INTER_AREA).astype(np.float32)
    alpha = cv2.warpAffine(mask, matrix, shape)[..., None]
    return np.rint(picture * (1 - alpha) + warped * alpha).astype(np.uint8)


def write_clip(
    path: Path,
    pictures: Iterable[np.ndarray],
    *,
    fps: int = 25,
    pts: Callable[[int], int] = lambda i: 1000 * i,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    sound: bool = True,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode pictures [H, W, 3] uint8 RGB, times `pts` in units of 1 / (1000 fps) s, with a tone if `sound`."""
    pictures = list(pictures)
    container = av.open(str(path), "w")
    video = container.add_stream(codec, rate=fps, options=options or {})
    video.height, video.width = pictures[0].shape[:2]
    video.pix_fmt = pix_fmt
    video.time_base = video.codec_context.time_base = Fraction(1, 1000 * fps)
    audio = container.add_stream("aac", rate=48000, layout="mono") if sound else None
    for i, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=pix_fmt)
        frame.pts, frame.time_base = pts(i), Fraction(1, 1000 * fps)
        container.mux(video.encode(frame))
    container.mux(video.encode(None))
    if audio is not None:
        samples = int(48000 * pts(len(pictures)) / (1000 * fps))
        for start in range(0, samples, 1024):
            tone = 0.2 * np.sin(2 * np.pi * 440 * np.arange(start, start + 1024) / 48000, dtype=np.float32)
            piece = av.AudioFrame.from_ndarray(tone[None], "fltp", "mono")
            piece.rate, piece.pts = 48000, start
            container.mux(audio.encode(piece))
        container.mux(audio.encode(None))
    container.close()
    return path
