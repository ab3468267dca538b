"""Render examples/portrait.mp4: a person who does not exist sings, blinks and looks around in front of moving lights.

    python scripts/make_example.py

Needs nothing but what the repository holds. Takes some minutes on two cores.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import torch
import torch.nn.functional as F
from example_scene import Lights, grain, mouth, shade, voice
from torch import Tensor, nn

from videdit.edits import load_direction
from videdit.engine.compile import compile_module
from videdit.faces.detector import FaceDetector
from videdit.models.mobile_stylegan import NUM_LAYERS, Mapping, Synthesis
from videdit.weights import load_state

ROOT = Path(__file__).resolve().parent.parent
WIDTH, HEIGHT, FPS, SECONDS, RATE = 1280, 720, 25, 5, 48000
SEED, PSI = 742, 0.55  # a calm adult with a bare brow before a plain wall
SIDE = 556  # frame pixels of the generator's square picture
BLINKS = (2.16, 4.62)  # seconds: between the words
# Points of the mesh from image left to right: edges of the upper and lower lids, lower edges of the brows.
EYES = (
    ((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133), (46, 53, 52, 65, 55)),
    (
        (362, 398, 384, 385, 386, 387, 388, 466, 263),
        (362, 382, 381, 380, 374, 373, 390, 249, 263),
        (285, 295, 282, 283, 276),
    ),
)
# The generator's picture ends below the chin. Its 16x16 features are continued beyond it, so that the later layers
# paint hair, neck and clothes that go on: (left, right, top, bottom) in those features' pixels.
MORE = (1, 1, 0, 4)


class Canvas(nn.Module):
    """The generator on a larger canvas: codes [1, 18, 512] -> [1, 1280, 1152, 3]."""

    def __init__(self, generator: Synthesis) -> None:
        super().__init__()
        self.generator = generator
        for i, block in enumerate(generator.blocks[2:], 2):
            pad = [pixels * 2 ** (i - 1) for pixels in MORE]
            for conv in (block.conv1, block.conv2):
                conv.noise = nn.Parameter(F.pad(conv.noise, pad, mode="reflect"))

    def forward(self, codes: Tensor) -> Tensor:
        """Pictures are RGB in [-1, 1], a little beyond in places."""
        generator = self.generator
        x = generator.conv(generator.constant, codes[:, 0])
        for i, block in enumerate(generator.blocks):
            if i == 2:
                x = F.pad(x, MORE, mode="replicate")
            x = block.conv2(block.first(x, codes[:, 2 * i + 1]), codes[:, 2 * i + 2])
        return generator.up(generator.to_image(x, codes[:, 15])).permute(0, 2, 3, 1)


@torch.inference_mode()
def load() -> tuple[Canvas, np.ndarray, np.ndarray]:
    """The generator, the person's code [18, 512] and the direction [512] in which her head turns."""
    mapping, generator = Mapping(), Synthesis()
    mapping.load_state_dict(load_state("generator_mapping"))
    names = ("generator_low", "generator_high", "generator_head256")
    generator.load_state_dict({k: v for name in names for k, v in load_state(name).items()})
    codes = mapping(torch.randn(8192, 512, generator=torch.Generator().manual_seed(0))).double().numpy()
    w = mapping(torch.randn(1, 512, generator=torch.Generator().manual_seed(SEED)))[0].numpy()
    mean = codes.mean(0)
    # The edit turns a head the likeliest way, and in photographs that brings longer hair, which here would leave the
    # canvas. Divided by the codes' covariance it is the way that turns it with the least change of code.
    spread = np.cov(codes.T)
    turned = np.linalg.solve(spread + 0.5 * np.trace(spread) / 512 * np.eye(512), load_direction("yaw")[0])
    code = np.repeat((mean + PSI * (w - mean))[None], NUM_LAYERS, axis=0)
    return Canvas(generator), code, turned / np.linalg.norm(turned)


def wave(time: float, rounds: float, phase: float = 0.0) -> float:
    """A sine that goes `rounds` times round in the clip: everything comes back to where it began."""
    return float(np.sin(2 * np.pi * (rounds * time / SECONDS + phase)))


def turn(time: float) -> float:
    """How far the head is turned at a time in seconds: 5 degrees a unit, straight at 0.65."""
    return 0.65 + 2.6 * wave(time, 1, 0.02) + 0.25 * wave(time, 2)


def blink(time: float) -> float:
    """How far the eyes are closed at a time in seconds, 0..1: they close faster than they open."""
    away = min((time - at for at in BLINKS), key=abs)
    part = float(np.clip(1 - (-away / 0.09 if away < 0 else away / 0.19), 0, 1))
    return part * part * (3 - 2 * part)


def close_eyes(picture: np.ndarray, mesh: np.ndarray, amount: float) -> np.ndarray:
    """Draw the upper lids down over the eyes of a picture [H, W, 3] with a face's mesh [468, 2].

    No direction of the generator closes eyes without a frown: people whose eyes are shut in photographs laugh or wince.
    """
    height, width = picture.shape[:2]
    sources = np.repeat(np.arange(height, dtype=np.float32)[:, None], width, axis=1)
    for upper, lower, brow in EYES:
        (left, _), (right, _) = mesh[upper[0]], mesh[upper[-1]]
        columns = np.arange(int(left) + 1, int(right))
        lid, rim, top = (np.interp(columns, *mesh[list(part)].T) for part in (upper, lower, brow))
        lash = np.float32(0.05 * (right - left))  # goes along with the lid's edge as it is
        target = lid + amount * np.maximum(rim - lid, 0)
        y = sources[:, columns]
        # The lashes are not stretched with the skin that they cover: the more is closed, the more of them is left out.
        above = top + (y - top) * (lid - (1 + 1.8 * amount) * lash - top) / np.maximum(target - lash - top, 1)
        moved = np.where(y < target - lash, above, y - (target - lid))
        sources[:, columns] = np.where((y > top) & (y < target + 0.6 * lash), moved, y)
    x = np.repeat(np.arange(width, dtype=np.float32)[None], height, axis=0)
    return cv2.remap(picture, x, sources.astype(np.float32), cv2.INTER_LINEAR)


def placement(time: float) -> np.ndarray:
    """A matrix [2, 3] from canvas pixels to frame pixels (pixel centres at 0, as OpenCV has them)."""
    angle = np.deg2rad(2.6 * wave(time, 1, 0.12))
    scale = SIDE / 1024 * (1.03 + 0.03 * wave(time, 1, 0.6))
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    neck = np.array([576.0, 1100.0])  # of the canvas: what the head turns about
    place = np.array([WIDTH * 0.47 + 22 * wave(time, 1, 0.3), HEIGHT - 26 + 8 * wave(time, 2, 0.1)])
    return np.column_stack([linear, place - linear @ neck])


def cut_out(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The person without the generator's wall: colour [H, W, 3] float32 0..255 and how much there is of her, [H, W].

    The wall is plain: a surface of second order is fitted to it, and what differs from that is not wall.
    """
    height, width = picture.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], -1)
    corner = (np.abs(x) > 0.8) & (y < -0.8)
    is_wall = np.abs(picture - np.median(picture[corner], axis=0)).max(-1) < 25
    for tolerance in (25, 15, 15):
        fit = np.linalg.lstsq(terms[is_wall][::7], picture[is_wall][::7], rcond=None)[0]
        wall = terms @ fit
        distance = np.sqrt((((picture - wall) * (1.0, 0.8, 1.2)) ** 2).sum(-1))
        is_wall = distance < tolerance
    soft = np.clip((cv2.GaussianBlur(distance, (0, 0), 1.0) - 12) / 30, 0, 1)
    # What touches the canvas' upper or side borders is wall, the largest piece of the rest is she; colours like the
    # wall's within her face are hers, stray pieces are not.
    _, parts = cv2.connectedComponents((soft < 0.5).astype(np.uint8))
    outer = np.unique(np.concatenate([parts[0], parts[:, 0], parts[:, -1]]))
    person = ~np.isin(parts, outer[outer > 0])
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(person.astype(np.uint8))
    person = pieces == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()
    inner = cv2.erode(person.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    # Stray strands come and go as the head turns: only those close to the mass of hair stay.
    mass = cv2.morphologyEx(person.astype(np.float32), cv2.MORPH_OPEN, disc(35), borderType=cv2.BORDER_REPLICATE)
    near = cv2.GaussianBlur(cv2.dilate(mass, disc(25)), (0, 0), 4.0) * np.clip((1 - np.abs(x)) / 0.12, 0, 1)
    alpha = (np.where(inner, 1.0, soft) * near).astype(np.float32)
    colour = (picture - (1 - alpha[..., None]) * wall) / np.maximum(alpha[..., None], 0.15)
    return np.clip(colour, 0, 255), alpha


def disc(size: int) -> np.ndarray:
    """A round structuring element, uint8 [size, size]."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))


def dress(picture: np.ndarray, matrix: np.ndarray, in_front: bool) -> None:
    """Draw a dark coat into a frame, behind the neck or on both sides of it: the generator paints none that lasts."""
    to_canvas = cv2.invertAffineTransform(matrix)
    x, y = to_canvas @ np.stack([*np.mgrid[:HEIGHT, :WIDTH][::-1].reshape(2, -1), np.ones(HEIGHT * WIDTH)])
    x, y = (values.reshape(HEIGHT, WIDTH, 1).astype(np.float32) for values in (x - 585, y))
    away = np.maximum(np.abs(x) - 130, 0)
    depth = y - (935 + 0.25 * away + 55 * (1 - np.exp(-away / 110)))  # canvas pixels below the edge of the coat
    if in_front:
        depth = np.minimum(depth - 8, np.abs(x) - 205 + 0.46 * (y - 960))
    folds = 3 * np.sin(x / 47 + 1.5 * np.sin(y / 60)) + 2 * np.sin((x - y) / 33)
    light = 16 * np.exp(-np.maximum(depth, 0) / 22) + folds
    alpha = np.clip(depth / 7 + 0.5, 0, 1)
    if in_front:
        picture *= 1 - 0.45 * np.exp(np.minimum(depth, 0) / 16)  # its shadow on the neck
    picture += alpha * (np.float32([33, 31, 42]) + light * np.float32([1.0, 0.95, 1.1]) - picture)


def compose(scene: np.ndarray, picture: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The person [1280, 1152, 3] float32 0..255 in front of the scene [720, 1280, 3]."""
    dress(scene, matrix, in_front=False)
    colour, alpha = cut_out(picture)
    premultiplied = np.dstack([colour * alpha[..., None], alpha])
    # Twice as fine, then averaged: the canvas is shrunk by about half.
    fine = cv2.warpAffine(premultiplied, 2 * matrix, (2 * WIDTH, 2 * HEIGHT), flags=cv2.INTER_LINEAR)
    placed = cv2.resize(fine, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    picture = scene * (1 - placed[..., 3:]) + placed[..., :3]
    dress(picture, matrix, in_front=True)
    return picture


class Film:
    """Draws frame after frame."""

    def __init__(self) -> None:
        canvas, self.code, self.turned = load()
        self.generate = compile_module(canvas, (torch.zeros(1, NUM_LAYERS, 512),), "cpu", "fp32")
        self.detector = FaceDetector()
        self.lights = Lights(WIDTH, HEIGHT, SECONDS)

    def __call__(self, index: int) -> np.ndarray:
        """Frame `index`: [720, 1280, 3] uint8 RGB."""
        time = index / FPS
        code = self.code + 1.7 * mouth(time) * load_direction("mouth_open")
        code[:7] += turn(time) * self.turned
        picture = np.clip(self.generate(code[None].astype(np.float32))[0][0] * 127.5 + 127.5, 0, 255)
        if amount := blink(time):
            face = self.detector.detect(picture.astype(np.uint8))[0]
            picture = close_eyes(picture, face.mesh, amount)
        frame = shade(compose(self.lights(time), picture, placement(time)))
        return np.clip(np.rint(frame + grain((HEIGHT, WIDTH), index)), 0, 255).astype(np.uint8)


def write(path: Path, film: Film) -> None:
    """H.264 and AAC in MP4, all colour tags BT.709."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        video = container.add_stream("libx264", rate=FPS, options={"crf": "20", "preset": "slow", "threads": "1"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        context = video.codec_context
        context.color_range, context.color_primaries, context.color_trc, context.colorspace = 1, 1, 1, 1
        audio = container.add_stream("aac", rate=RATE, layout="stereo")
        audio.bit_rate = 96000
        container.metadata["title"] = "A person who does not exist"
        for index in range(FPS * SECONDS):
            frame = av.VideoFrame.from_ndarray(film(index), "rgb24").reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
            )
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(video.encode(frame))
            print(f"\rframe {index + 1} of {FPS * SECONDS}", end="", flush=True)
        container.mux(video.encode(None))
        sound = voice(SECONDS, RATE)
        for start in range(0, sound.shape[1], 1024):
            piece = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[:, start : start + 1024]), "fltp", "stereo")
            piece.rate, piece.pts = RATE, start
            container.mux(audio.encode(piece))
        container.mux(audio.encode(None))
    print(f"\n{path}: {path.stat().st_size / 1e6:.2f} MB")


def main() -> None:
    """Write the example clip."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "examples/portrait.mp4")
    out = parser.parse_args().out
    out.parent.mkdir(parents=True, exist_ok=True)
    write(out, Film())


if __name__ == "__main__":
    main()
