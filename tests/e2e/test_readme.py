"""The README from its first command to its last, in order, as written, in one folder like a reader's."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from synthetic import ROOT, background, with_face, write_clip

from videdit.cli import main as cli
from videdit.rendering import session as sessions

FRAMES, APART = 4, 2.5  # seconds: the README's times lie within


@pytest.fixture(scope="module")
def desk(tmp_path_factory, people) -> Path:
    """What the README takes for granted: a clip, a picture, a folder of clips, numbered pictures."""
    folder = tmp_path_factory.mktemp("desk")
    pictures = [with_face(background(320, 240), people[0], (150 + i, 120), 200) for i in range(FRAMES)]
    write_clip(folder / "in.mp4", pictures, fps=1, pts=lambda i: int(1000 * APART * i))
    for name in ("clips/day1/a.mp4", "clips/b.mp4", "examples/portrait.mp4"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_clip(folder / name, pictures[:2])
    (folder / "shots").mkdir()
    for number, picture in enumerate(pictures[:2], 1):
        cv2.imwrite(str(folder / f"shots/a_{number:04d}.png"), picture[..., ::-1])
    cv2.imwrite(str(folder / "face.jpg"), pictures[0][..., ::-1])
    shutil.copytree(ROOT / "configs" / "jobs", folder / "configs" / "jobs")
    shutil.copy(ROOT / "configs" / "job.schema.json", folder / "configs")
    return folder


def blocks(language: str = "") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def commands() -> list[str]:
    lines = [line.strip() for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("    ")]
    inline = re.findall(r"`(videdit (?:bench|faces) [^`]+)`", (ROOT / "README.md").read_text())
    return [*(line for line in lines if line.startswith(("python run_video.py", "videdit"))), *inline]


def test_every_command_and_program_in_order(desk, monkeypatch, capsys):
    monkeypatch.chdir(desk)
    monkeypatch.setenv("VIDEDIT_CACHE", str(desk.parent / "cache"))
    one = sessions.Session()  # networks are loaded once, as they are not for a reader
    monkeypatch.setattr(sessions, "Session", lambda *_, **__: one)
    ran = []
    for line in commands():
        words = shlex.split(line, comments=True)
        words = words[2:] if words[0] == "python" else words[1:]
        if words[0] == "studio":  # serves until Ctrl-C: e2e/test_studio_command.py
            continue
        if any(".exr" in word for word in words):  # e2e/test_exr.py, with the extra
            continue
        assert cli.run(words) == 0, f"{line}\n{capsys.readouterr().err}"
        ran.append(line)
    assert len(ran) > 14
    said = capsys.readouterr().out
    for name in named():
        assert (desk / name).exists(), name
    assert "faces a second" in said
    space: dict[str, object] = {"pixels": np.asarray(cv2.imread(str(desk / "face.jpg")))[..., ::-1].copy()}
    for program in blocks("python"):
        exec(compile(program, "README.md", "exec"), space)
    assert (desk / "out.mp4").exists()
    assert np.asarray(space["older"]).shape == (240, 320, 3)
    assert (desk / "in_smile+1.5.mp4").exists()


def named() -> set[str]:
    """The files that the README says come to be: in the comments of its commands, and by their -o."""
    told = re.findall(r"(?:writes|also) ([\w+.-]+\.mp4)", "\n".join(commands()))
    (strength,) = re.findall(r"clips/ --edit age=(-\d+) -o out/", "\n".join(commands()))
    assert len(told) == 2
    return {*told, "older.jpg", f"out/day1/a_age{strength}.mp4", "out_0001.png"}


def test_numbered_pictures_come_out_numbered(desk):
    """After the test above: one for each that went in, as large as they were."""
    written = sorted(desk.glob("out_*.png"))
    if not written:
        pytest.skip("the commands were not run")
    assert [path.name for path in written] == ["out_0001.png", "out_0002.png"]
    with av.open(str(desk / "shots" / "a_smile.mkv")) as film:
        assert film.streams.video[0].average_rate == 24
