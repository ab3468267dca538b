"""HFGI exactly as it is released (--method plain), beside the published formulation of the same networks."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import published
import pytest
import torch
import torch.nn.functional as F
from footage import frames_of
from pydantic import ValidationError

from videdit.edits import edit_delta, parse_edits
from videdit.errors import UsageError
from videdit.imaging.crop import network_input
from videdit.jobs.render_job import RenderJob
from videdit.models.stylegan2_plain import Generator
from videdit.rendering.job_clips import clip_of
from videdit.rendering.session import Session


@pytest.fixture(scope="module")
def given() -> dict:
    return published.checkpoint()


@pytest.fixture(scope="module")
def file(given, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("weights") / "ckpt.pt"
    torch.save(given, path)
    return str(path)


@torch.inference_mode()
def release(given: dict, crop: np.ndarray, words: str) -> np.ndarray:
    """What the release's inference computes of a crop, step by step, in the published code's own formulation."""
    networks = published.parts(published.NARROW, narrow=True)
    for name, network in networks.items():
        state = {k.removeprefix(f"{name}."): v for k, v in given["state_dict"].items() if k.startswith(f"{name}.")}
        if name == "encoder":
            state["mean"] = torch.zeros(18, 512)
        network.load_state_dict(state)
        network.eval()
    generator = networks["decoder"]
    assert isinstance(generator, Generator)
    x = torch.from_numpy(network_input(crop))[None]
    codes = networks["encoder"](x) + given["latent_avg"]

    def low(image: torch.Tensor) -> torch.Tensor:
        return F.interpolate(torch.clamp(image, -1.0, 1.0), size=(256, 256), mode="bilinear")

    distortion = x - low(generator(codes))
    edited = codes + torch.from_numpy(edit_delta(parse_edits(words), codes.numpy()))
    aligned = networks["grid_align"](distortion, low(generator(edited)))
    image = generator(edited, networks["residue"](aligned))
    return (image.clamp(-1, 1)[0].permute(1, 2, 0).numpy() * 127.5 + 127.5).round()


def pictures(folder: Path, kind: str) -> list[np.ndarray]:
    return [cv2.imread(str(path))[:, :, ::-1] for path in sorted(folder.glob(f"*_{kind}.png"))]


def test_a_clip_is_edited_frame_by_frame_as_the_release_does(render, face_clip, file, given, tmp_path) -> None:
    words = {"profile": "hfgi-ffhq", "checkpoint": file, "method": "plain", "edit": "smile=2", "lossless": True}
    result = render(face_clip, tmp_path / "out.mkv", end=0.1, crops_out=str(tmp_path / "crops"), **words)
    assert (result.faces, result.method) == (3, "plain")
    crops, results = (pictures(tmp_path / "crops" / "out", kind) for kind in ("crop", "result"))
    assert len(crops) == len(results) == 3
    assert {image.shape for image in crops + results} == {(1024, 1024, 3)}
    for crop, found in zip(crops, results, strict=True):
        off = np.abs(found.astype(float) - release(given, crop, "smile=2"))
        assert off.mean() < 0.02
        assert off.max() <= 2
    assert tmp_path / "crops" / "out" in result.beside
    for before, after in zip(frames_of(face_clip, 3), frames_of(result.output), strict=True):
        assert (before.picture.planes[0] != after.picture.planes[0]).mean() > 0.3  # all of the crop, no mask


def test_what_is_pasted_is_the_result(render, file, people, tmp_path) -> None:
    """In a picture that is one crop, as large as the result, nothing is between the two but the paste."""
    picture = cv2.resize(people[0], (1024, 1024), interpolation=cv2.INTER_CUBIC)
    wide = cv2.copyMakeBorder(picture, 128, 128, 128, 128, cv2.BORDER_REFLECT_101)
    cv2.imwrite(str(tmp_path / "in.png"), wide[:, :, ::-1])
    words = {"profile": "hfgi-ffhq", "checkpoint": file, "method": "plain", "crops_out": str(tmp_path)}
    render(tmp_path / "in.png", tmp_path / "out.png", edit="smile=2", **words)
    (crop,), (result,) = (pictures(tmp_path / "out", kind) for kind in ("crop", "result"))
    edited = cv2.imread(str(tmp_path / "out.png"))[:, :, ::-1]
    assert result.shape == crop.shape == (1024, 1024, 3)
    changed = (edited != wide).any(-1)
    rows, columns = np.nonzero(changed)
    square = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
    assert changed[square].mean() > 0.9  # the whole square
    small = [
        cv2.resize(image.astype(np.float32), (64, 64), interpolation=cv2.INTER_AREA)
        for image in (edited[square], result)
    ]
    assert np.abs(small[0] - small[1]).mean() < 6  # the square is upright but for a degree or so


def test_strength_0_is_the_inversion(render, face_clip, file, given, tmp_path) -> None:
    words = {"profile": "hfgi-ffhq", "checkpoint": file, "method": "plain", "edit": "smile=0", "end": 0.01}
    result = render(face_clip, tmp_path / "out.mkv", crops_out=str(tmp_path / "crops"), **words)
    (crop,), (found,) = (pictures(tmp_path / "crops" / "out", kind) for kind in ("crop", "result"))
    assert result.faces == 1
    assert np.abs(found - release(given, crop, "smile=0")).mean() < 0.02


def test_a_car_is_rows_of_its_crop(render, empty_clip, tmp_path) -> None:
    torch.save(published.checkpoint(published.NARROW[:8]), tmp_path / "car.pt")
    np.save(tmp_path / "colour.npy", np.random.default_rng(0).normal(0, 0.5, (16, 512)).astype(np.float32))
    words = {"profile": "hfgi-car", "checkpoint": str(tmp_path / "car.pt"), "method": "plain", "end": 0.01}
    render(
        empty_clip, tmp_path / "out.mkv", edit=f"{tmp_path / 'colour.npy'}=2", crops_out=str(tmp_path / "c"), **words
    )
    for kind in ("crop", "result"):
        assert [image.shape for image in pictures(tmp_path / "c" / "out", kind)] == [(384, 512, 3)]


def test_a_folder_of_crops_is_whole_or_not_there(render, face_clip, empty_clip, file, tmp_path) -> None:
    words = {"method": "plain", "crops_out": str(tmp_path / "crops"), "end": 0.01, "size": 256}
    render(face_clip, tmp_path / "out.mkv", **words)
    with pytest.raises(UsageError, match="crops/out exists already"):
        (tmp_path / "out.mkv").unlink()
        render(face_clip, tmp_path / "out.mkv", **words)
    mine = tmp_path / "crops" / "out" / "mine.txt"
    mine.write_text("x")
    with pytest.raises(UsageError, match="holds more than crops"):
        render(face_clip, tmp_path / "out.mkv", overwrite=True, **words)
    assert mine.read_text() == "x"
    mine.unlink()
    (tmp_path / "crops" / "out" / "000009_0_crop.png").write_bytes(b"of a longer render before")
    render(face_clip, tmp_path / "out.mkv", overwrite=True, **words)
    assert sorted(path.name for path in (tmp_path / "crops").rglob("*.*")) == [
        "000000_0_crop.png",
        "000000_0_result.png",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"crops_out": "c"}, "crops_out is of method plain"),
        ({"method": "plain", "tune": 30}, "a generator is tuned for method hfgi"),
        ({"method": "plain", "prealign": "flow"}, "prealign=flow is of method hfgi"),
        ({"method": "plain", "consultation": "never"}, "consultation=never is of method hfgi"),
    ],
)
def test_words_that_make_no_sense(words, said) -> None:
    with pytest.raises(ValidationError, match=said):
        RenderJob.model_validate({"input": "in.mp4", "edit": "smile"} | words)


def test_a_preview_is_the_renders_frame(render, face_clip, tmp_path) -> None:
    words = {"input": str(face_clip), "edit": "smile=2", "method": "plain", "size": 256, "lossless": True}
    result = render(face_clip, tmp_path / "out.mkv", end=0.1, **{k: v for k, v in words.items() if k != "input"})
    with Session() as session:
        before, after = session.frames(clip_of(words), 0.04)
        (face,) = session.preview(words, 0.04).faces
    assert (face.size, face.confidence) == (256, 1.0)
    first, second = frames_of(result.output)[1].picture.planes[0], after.picture.planes[0]
    assert before.pts == after.pts
    assert (first != before.picture.planes[0]).mean() > 0.2
    assert np.abs(first.astype(float) - second).mean() < 0.5  # the finder has not followed the face from frame 0
