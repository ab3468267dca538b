"""``videdit eval`` from words to tables, on faces and a clip of people who do not exist."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from videdit.errors import MediaError, NoFaceError
from videdit.metrics.evaluate import main
from videdit.metrics.judges import have_judges

FACES = Path(__file__).resolve().parents[1] / "data" / "faces.jpg"
pytestmark = pytest.mark.skipif(
    not have_judges(), reason="the judges' weights were not fetched (scripts/fetch_judges.py)"
)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    folder = tmp_path / "faces"
    folder.mkdir()
    both = cv2.imread(str(FACES))
    for i in range(2):
        cv2.imwrite(str(folder / f"{i}.png"), both[:, 256 * i : 256 * (i + 1)])
    return folder


def clip(path: Path, frames: int = 5, offset: int = 0, flicker: int = 0) -> Path:
    """A face that drifts over a grey ground; every second frame darker by `flicker`."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (420, 320))
    face = cv2.imread(str(FACES))[:, :256]
    for t in range(frames):
        frame = np.full((320, 420, 3), 90, np.uint8)
        frame[32:288, offset + 60 + 3 * t : offset + 316 + 3 * t] = face
        writer.write(np.clip(frame.astype(int) - flicker * (t % 2), 0, 255).astype(np.uint8))
    writer.release()
    return path


def rows(path: Path) -> list[dict]:
    return json.loads(path.read_text())["rows"]


def test_inversion_and_edits(faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--faces", str(faces), "--range", ":", "--device", "cpu", "--precision", "fp32"]
    found = tmp_path / "inversion.json"
    assert main(["inversion", *words, "--json", str(found), "--sheet", str(tmp_path / "sheet.png")]) == 0
    encoder, _, detail = rows(found)
    assert encoder["inversion"] == "encoder only" and 8 < encoder["psnr"] < 40
    assert detail["psnr"] is None or detail["psnr"] > 100  # at strength 0 detail return gives the source back
    assert detail["mobileface"] == pytest.approx(1, abs=1e-3)
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (16 + 2 * 160, 4 * 160, 3)

    direction = tmp_path / "nothing.npy"
    np.save(direction, np.full(512, 1e-7, np.float32))
    found = tmp_path / "edit.json"
    assert main(["edit", *words, "--edit", f"{direction}=1", "--json", str(found)]) == 0
    (edit,) = rows(found)
    assert edit["score"] is not None and edit["sd"] is None  # no score is called like that
    assert edit["mobileface"] == pytest.approx(1, abs=1e-3)
    assert edit["mobileface, no detail return"] < edit["mobileface"]
    assert "2 faces" in capsys.readouterr().out


def test_video(tmp_path: Path) -> None:
    source, edited, found = clip(tmp_path / "a.mp4"), clip(tmp_path / "b.mp4", flicker=25), tmp_path / "video.json"
    words = ["video", str(source), str(source), str(source), str(edited), "--every", "1", "--device", "cpu"]
    assert main([*words, "--json", str(found), "--sheet", str(tmp_path / "sheet.png")]) == 0
    same, flickering, mean = rows(found)
    assert (same["TL-ID"], same["TG-ID"], same["warp"], same["identity"]) == pytest.approx((1, 1, 1, 1), abs=1e-5)
    assert same["happy"] == same["happy after"] and same["frames"] == "5"
    assert flickering["warp"] > 2
    assert flickering["TL-ID"] < 1
    assert mean["clip"] == "mean" and mean["warp"] == pytest.approx((same["warp"] + flickering["warp"]) / 2)


def test_video_refuses_what_is_no_pair(tmp_path: Path) -> None:
    source, shorter = clip(tmp_path / "a.mp4"), clip(tmp_path / "b.mp4", frames=3)
    with pytest.raises(MediaError, match="same frames"):
        main(["video", str(source), str(shorter), "--every", "1", "--device", "cpu"])
    with pytest.raises(NoFaceError, match="1 of the frames"):
        main(["video", str(source), str(source), "--frames", "1", "--device", "cpu"])
