"""Draw the pictures of docs/ from the example clip, whose person does not exist.

    python scripts/make_pictures.py

Run it again whenever the weights changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

from videdit.datatypes import Frame
from videdit.edits.catalogue import shipped
from videdit.edits.directions import load_direction
from videdit.hfgi.loader import load_generator
from videdit.hfgi.population import sample_codes
from videdit.imaging.crop import crop_picture
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.media.probe import probe
from videdit.rendering.renderer import Renderer

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE, DOCS = ROOT / "examples/portrait.mp4", ROOT / "docs"
TIME = 2.36  # seconds into the clip: between two words
EDITS = ("smile", "smile=-0.8", "age=-8", "age", "mouth_open", "eyes_open", "gender", "gender=-1,beard=1", "lipstick")
SIDE = 400  # pixels a face
PEOPLE, SMALL = 8, 128  # people on the sheet of directions, pixels a face


class Keep:
    """Remembers the frame that passed."""

    def __init__(self) -> None:
        self.frame: Frame | None = None

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames as they come; ``frame`` is the last of them."""
        for self.frame in frames:
            yield self.frame


def edit_frame(renderer: Renderer, edit: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One frame of the example through all stages but the last: source, inversion and edit, [SIDE, SIDE, 3] uint8."""
    words = {"input": str(EXAMPLE), "output": str(DOCS / "unused.mp4"), "edit": edit, "start": TIME, "end": TIME + 0.03}
    (clip,) = make_plan([RenderJob.model_validate(words)]).clips
    decoded, rendered, frames, info = Keep(), Keep(), iter(()), probe(EXAMPLE)
    with renderer.analyse(clip, info) as analysis:
        for stage in renderer.chain(clip, info, analysis).stages[:-1]:
            frames = stage(frames)
            if stage.name == "decode":
                frames = decoded(frames)
            if stage.name == "edit":
                frames = rendered(frames)  # whose picture waits in the store meanwhile
        (after,) = frames
    source, before = decoded.frame, rendered.frame
    assert source is not None
    assert before is not None
    crop = before.crops[0]
    to_frame = crop.to_frame * (crop.size / SIDE, crop.size / SIDE, 1)
    inversion = cv2.resize(before.renderings[0].inversion, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return (
        crop_picture(source.picture, to_frame, SIDE),
        np.clip(np.rint(inversion * 127.5 + 127.5), 0, 255).astype(np.uint8),
        crop_picture(after.picture, to_frame, SIDE),
    )


def titled(picture: np.ndarray, title: str) -> np.ndarray:
    """With words below it: [SIDE + 34, SIDE, 3]."""
    strip = np.full((34, picture.shape[1], 3), 255, np.uint8)
    (width, _), _ = cv2.getTextSize(title, cv2.FONT_HERSHEY_SIMPLEX, 0.65, 1)
    at = ((picture.shape[1] - width) // 2, 23)
    cv2.putText(strip, title, at, cv2.FONT_HERSHEY_SIMPLEX, 0.65, (40, 40, 40), 1, cv2.LINE_AA)
    return np.concatenate([picture, strip])


def save(name: str, rows: list[list[np.ndarray]]) -> None:
    """Rows of pictures, all of one size, as a file in docs/."""
    DOCS.mkdir(exist_ok=True)
    sheet = np.concatenate([np.concatenate(row, axis=1) for row in rows])
    cv2.imwrite(str(DOCS / name), sheet[:, :, ::-1])
    print(DOCS / name)


def sweeps() -> None:
    """docs/directions.jpg: people who do not exist, each direction at both ends of its range, of the generator."""
    _, generator = load_generator()
    codes = torch.from_numpy(sample_codes(PEOPLE, seed=5))[:, None].repeat(1, generator.num_layers, 1)

    def row(words: str, delta: np.ndarray | float) -> np.ndarray:
        with torch.inference_mode():
            images = torch.cat([generator(code[None] + delta, size=512) for code in codes]).permute(0, 2, 3, 1)
        pictures = (images.clamp(-1, 1) * 127.5 + 127.5).round().byte().numpy()
        tiles = [cv2.resize(picture, (SMALL, SMALL), interpolation=cv2.INTER_AREA) for picture in pictures]
        line = np.concatenate(tiles, axis=1)
        cv2.putText(line, words, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(line, words, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
        return line

    rows = [row("samples", 0.0)]
    for name, info in shipped().items():
        rows += [row(f"{name}={end:g}", torch.from_numpy(end * load_direction(name))) for end in info.range]
    save("directions.jpg", [[line] for line in rows])


def main() -> None:
    """Write the pictures of the README and docs."""
    sweeps()
    renderer = Renderer()
    source, inversion, smile = edit_frame(renderer, "smile")
    three = (source, "source"), (inversion, "inversion"), (smile, "--edit smile")
    save("portrait.png", [[titled(picture, title) for picture, title in three]])
    tiles = [titled(source, "source"), *(titled(edit_frame(renderer, edit)[2], edit) for edit in EDITS)]
    save("edits.jpg", [tiles[:5], tiles[5:]])


if __name__ == "__main__":
    main()
