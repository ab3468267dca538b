"""What the tests of whole clips share: a photograph that moves, and how to look at clips."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from synthetic import background, write_clip

from videdit.datatypes import Edited, Face, Frame
from videdit.faces.detector import FaceDetector
from videdit.geometry.affine import invert, transform
from videdit.jobs.plan import Clip
from videdit.media.color import picture_to_rgb
from videdit.media.decode.read import VideoReader
from videdit.media.probe import probe
from videdit.pipeline.executor import Pipeline
from videdit.rendering.renderer import Renderer
from videdit.stages.paste import Paste

WIDTH, HEIGHT, FPS = 480, 360, 24


def astronaut_clip(path: Path, frames: int) -> Path:
    """NASA's portrait of Eileen Collins (public domain), moved, zoomed and turned over a background that scrolls."""
    data = pytest.importorskip("skimage.data", reason="scikit-image, whose wheel carries the photograph, is missing")
    photograph = data.astronaut()
    scene = background(2 * WIDTH, HEIGHT)
    y, x = np.mgrid[:512, :512].astype(np.float32)
    near = np.hypot(x - 224, y - 130) / 128  # soft from 100 to 128 px around the face
    alpha = np.clip((1 - near) / 0.22, 0, 1)
    pictures = []
    for i in range(frames):
        phase = 2 * np.pi * i / (1.5 * FPS)
        turn = cv2.getRotationMatrix2D((224.0, 130.0), 7 * np.sin(phase), 1.25 + 0.15 * np.sin(phase / 2))
        turn[:, 2] += (WIDTH / 2 - 224 + 30 * np.sin(phase), HEIGHT / 2 - 130 + 8 * np.cos(phase))
        size = (WIDTH, HEIGHT)
        cut = cv2.warpAffine(alpha, turn, size)[..., None]
        moved = cv2.warpAffine(photograph, turn, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        behind = scene[:, 3 * i : 3 * i + WIDTH]
        pictures.append(np.rint(behind * (1 - cut) + moved * cut).astype(np.uint8))
    return write_clip(path, pictures, fps=FPS, options={"crf": "18"})


def failing_after(frames: int):
    """In place of Paste: a stage that breaks after so many frames."""
    real = Paste.__call__
    left = frames

    def paste(self, stream):
        nonlocal left
        for frame in real(self, stream):
            left -= 1
            if left < 0:
                raise ZeroDivisionError("of all things")
            yield frame

    return paste


class Watch:
    """A stage that hands everything on and remembers the edits."""

    name = "watch"

    def __init__(self) -> None:
        self.edits: list[tuple[Edited, ...]] = []

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            self.edits.append(frame.edits)
            yield frame


def watched(renderer: Renderer, clip: Clip) -> list[tuple[Edited, ...]]:
    """Render a clip, and say what was pasted into each frame."""
    info, watch = probe(clip.source), Watch()
    with renderer.analyse(clip, info) as analysis:
        chain = renderer.chain(clip, info, analysis)
        paste = [stage.name for stage in chain.stages].index("paste")
        Pipeline([*chain.stages[:paste], watch, *chain.stages[paste:]]).run()
    return watch.edits


def frames_of(path: Path, count: int | None = None) -> list[Frame]:
    """The first frames of a clip."""
    with VideoReader(path) as reader:
        return [frame for frame, _ in zip(reader, range(count or 1 << 30), strict=False)]


def packets_of(path: Path, kind: str) -> list[tuple[int | None, bytes]]:
    """Times and bytes of the packets of the first stream of a kind."""
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return [(packet.pts, bytes(packet)) for packet in container.demux(stream) if packet.size]


def same_planes(a: Frame, b: Frame) -> bool:
    return all(np.array_equal(p, q) for p, q in zip(a.picture.planes, b.picture.planes, strict=True))


def difference(a: list[Frame], b: list[Frame]) -> float:
    """Mean absolute difference of luma, in code values."""
    pairs = zip(a, b, strict=True)
    return float(np.mean([cv2.absdiff(x.picture.planes[0], y.picture.planes[0]).mean() for x, y in pairs]))


def outside(frame: Frame, edits: tuple[Edited, ...], plane: int) -> np.ndarray:
    """Which pixels of a plane, bool [H_p, W_p], no edit's mask reaches (nor that of a neighbouring crop pixel)."""
    height, width = frame.picture.planes[plane].shape
    color = frame.picture.color
    step, first = np.ones(2), np.full(2, 0.5)
    if plane:
        step, first = 2.0 ** np.array(color.chroma_log2), np.array(color.chroma_site)
    places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1) * step + first  # in frame pixels
    free = np.ones((height, width), bool)
    for edit in edits:
        mask = torch.as_tensor(edit.mask).cpu().numpy()
        size = mask.shape[0]
        reach = cv2.dilate(mask, np.ones((3, 3), np.uint8))
        at = np.floor(transform(invert(edit.to_frame), places)).astype(int)
        inside = ((at >= -1) & (at <= size)).all(-1)
        x, y = np.clip(at[inside], 0, size - 1).T
        free[inside] &= reach[y, x] == 0
    return free


def largest_face(detector: FaceDetector, frame: Frame) -> Face:
    """The largest face of a frame, found anew: nothing of the pipeline's own tracking is believed."""
    return detector.detect(picture_to_rgb(frame.picture))[0]


def smile(face: Face) -> float:
    """How much a face smiles, from its shape alone.

    Mouth corners above the middle of the lips, plus half the width of the mouth, in units of the eyes' distance.
    """
    mesh = face.mesh
    assert mesh is not None
    left, right, upper, lower = mesh[61], mesh[291], mesh[0], mesh[17]
    eyes = face.points[1] - face.points[0]
    unit = float(np.linalg.norm(eyes))
    down = np.array([-eyes[1], eyes[0]]) / unit
    lift = ((upper + lower) / 2 - (left + right) / 2) @ down
    return float(lift + 0.5 * np.linalg.norm(right - left)) / unit


def psnr_where(a: Frame, b: Frame, where: np.ndarray) -> float:
    """PSNR in dB of the luma of 8-bit frames where a mask [H, W] says so."""
    difference = a.picture.planes[0].astype(float) - b.picture.planes[0]
    return float(10 * np.log10(255**2 / np.square(difference[where]).mean()))
