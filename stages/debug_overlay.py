"""debug: what the stages know, drawn over the edited clip: tracks, landmarks, masks, confidence, strengths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from videdit.datatypes import Color, Face, Frame, Picture
from videdit.edits import Timeline
from videdit.faces.detector import face_size
from videdit.geometry.affine import compose, invert, transform, upright_matrix
from videdit.geometry.warp import pixels_at
from videdit.imaging.pixels import Pixels
from videdit.media.color import picture_to_rgb, rgb_to_yuv
from videdit.media.info import MediaInfo
from videdit.media.viewing import Viewing
from videdit.stages.auxiliary_output import AuxiliaryOutput
from videdit.stages.matte import mask_of

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_COLOURS = ((90, 220, 120), (255, 170, 60), (110, 170, 255), (240, 110, 200), (240, 230, 90), (120, 230, 230))  # RGB
_IDLE = (170, 170, 170)  # of a face that is not edited
_PLAIN = Color("bt709", chroma_log2=(1, 1), chroma_site=(0.5, 1.0))
_TAGS = (1, 1, 1, 1)  # limited range, bt709


class KeepDetections:
    """Remembers the faces of frames before some of them are left out."""

    name = "found"

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames with ``found``, the faces as they are here."""
        for frame in frames:
            yield replace(frame, found=frame.faces)


class DebugOverlay:
    """Hands frames on as they are behind paste; ``file`` gets their pictures with what is known drawn on them.

    They are upright and of 8 bits, whatever the source is.
    """

    name = "debug"

    def __init__(self, file: AuxiliaryOutput, pixels: Pixels, timeline: Timeline) -> None:
        """file: with info :func:`drawable`."""
        self.file, self.pixels, self.timeline = file, pixels, timeline

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames with ``found``, and ``pasted`` where anything was pasted; handed on unchanged."""
        with self.file.opened():
            for frame in frames:
                mask = mask_of(frame.picture, frame.pasted.layers if frame.pasted else (), self.pixels).planes[0]
                self.file.write(replace(frame, picture=to_picture(self._drawn(frame, mask)), pasted=None))
                yield frame

    def _drawn(self, frame: Frame, mask: np.ndarray) -> np.ndarray:
        """The picture upright with all that is known of it, [H, W, 3] uint8 RGB."""
        rotation, (height, width) = frame.coded.rotation, mask.shape
        image = np.ascontiguousarray(np.rot90(picture_to_rgb(frame.picture), -rotation // 90))
        mask = np.ascontiguousarray(np.rot90(mask, -rotation // 90))
        stretch = frame.picture.stretch
        from_square = np.array([[1 / stretch[0], 0, 0], [0, 1 / stretch[1], 0]])
        upright = compose(invert(upright_matrix(rotation, width, height)), from_square)
        unit = max(1.0, min(image.shape[:2]) / 480)
        image[mask > 0] = (0.85 * image[mask > 0] + 0.15 * np.array(_COLOURS[0])).astype(np.uint8)
        borders, _ = cv2.findContours((mask > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(image, borders, -1, (255, 255, 255), round(unit))
        for face in frame.found:
            if not any(_same(face, other) for other in frame.faces):
                _draw_face(image, face, upright, unit, _IDLE, f"not edited, {face_size(face):.0f} px")
        for face in frame.faces:
            words = f"{face.track}: {face_size(face):.0f} px, yaw {face.yaw:.0f}, confidence {face.confidence:.2f}"
            words += f", {self.timeline.words(face.track, frame.time)}"
            _draw_face(image, face, upright, unit, _COLOURS[face.track % len(_COLOURS)], words)
        title = f"frame {frame.index}  {frame.time:.3f} s  scene {frame.scene + 1}"
        _write(image, title, (round(6 * unit), round(16 * unit)), unit, (255, 255, 255))
        return image


def drawable(info: MediaInfo) -> MediaInfo:
    """A source as it is drawn: upright, plain colours of 8 bits."""
    turned = info.rotation in (90, 270)
    return replace(
        info,
        width=info.height if turned else info.width,
        height=info.width if turned else info.height,
        sar=1 / info.sar if turned else info.sar,
        rotation=0,
        display_matrix=None,
        viewing=Viewing(),
        codec="h264",
        pix_fmt="yuv420p",
        planar="yuv420p",
        color=_PLAIN,
        color_tags=_TAGS,
        chroma_location=None,
        hdr=None,
        dynamic_metadata=(),
        interlaced=False,
    )


def to_picture(image: np.ndarray) -> Picture:
    """RGB [H, W, 3] uint8 -> yuv420p."""
    luma, *chroma = rgb_to_yuv(image.astype(np.float32) / 255, _PLAIN)
    half = ((image.shape[1] + 1) // 2, (image.shape[0] + 1) // 2)
    planes = [luma, *(cv2.resize(plane, half, interpolation=cv2.INTER_AREA) for plane in chroma)]
    return Picture(tuple(np.rint(plane).clip(0, 255).astype(np.uint8) for plane in planes), _PLAIN, "yuv420p")


def _same(one: Face, other: Face) -> bool:
    """Whether two faces of one frame are one; steadying has moved it a little."""
    return float(np.linalg.norm(one.points.mean(0) - other.points.mean(0))) < 0.5 * face_size(other)


def _draw_face(
    image: np.ndarray, face: Face, upright: np.ndarray, unit: float, colour: tuple[int, int, int], words: str
) -> None:
    """A box around the face with `words`, its landmarks, and its five points; `upright`: to the image's pixels."""
    points = transform(upright, face.points)
    every = points if face.mesh is None else transform(upright, face.mesh)
    for point in every:
        _dot(image, point, round(0.6 * unit) - 1, colour)
    for point in points:
        _dot(image, point, round(2.5 * unit), colour)
    low, high = every.min(0), every.max(0)
    margin = 0.08 * (high - low)
    (x0, y0), (x1, y1) = (pixels_at(corner).tolist() for corner in (low - margin, high + margin))
    cv2.rectangle(image, (x0, y0), (x1, y1), colour, max(1, round(unit)))
    _write(image, words, (max(2, x0), max(round(30 * unit), y0 - round(4 * unit))), unit, colour)


def _dot(image: np.ndarray, point: np.ndarray, radius: int, colour: tuple[int, int, int]) -> None:
    cv2.circle(image, pixels_at(point).tolist(), max(0, radius), colour, -1)


def _write(image: np.ndarray, words: str, at: tuple[int, int], unit: float, colour: tuple[int, int, int]) -> None:
    thick = max(1, round(unit))
    (width, height), below = cv2.getTextSize(words, _FONT, 0.42 * unit, thick)
    x, y = at
    under = image[max(0, y - height - thick) : y + below, max(0, x - thick) : x + width + thick]
    under //= 3  # letters are readable on dark ground
    cv2.putText(image, words, at, _FONT, 0.42 * unit, colour, thick, cv2.LINE_AA)
