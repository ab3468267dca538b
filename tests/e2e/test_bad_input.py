"""Every bad input is one clear line, the right exit code, and no file that was not there before."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml
from synthetic import ROOT, background, write_clip

from videdit.cli import main as cli


def run(capsys, *words):
    code = cli.run([str(word) for word in words])
    out, err = capsys.readouterr()
    assert err.count("\n") <= 1, err
    assert "Traceback" not in err
    return code, err


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.fixture
def unchanged(tmp_path):
    """Checks that the test left tmp_path as it prepared it: call it once all inputs are there."""
    before: list[set[str]] = []
    yield lambda: before.append(tree(tmp_path))
    assert before
    assert tree(tmp_path) == before[0]


def broken(kind: str, folder: Path, clip: Path) -> Path:
    path = folder / "in.mp4"
    data = clip.read_bytes()
    if kind == "text":
        path.write_text("this is not a video\n" * 100)
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated":
        path.write_bytes(data[: len(data) * 2 // 3])
    elif kind == "noise":
        path.write_bytes(bytes(range(256)) * 40)
    elif kind == "sound only":
        path = write_sound(folder / "in.mp4")
    elif kind == "a picture cut off":
        path = folder / "in.png"
        path.write_bytes((ROOT / "tests" / "data" / "faces.jpg").read_bytes()[:500])
    return path


def write_sound(path: Path) -> Path:
    import av
    import numpy as np

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        frame.rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("kind", ["text", "empty", "truncated", "noise", "sound only", "a picture cut off"])
def test_what_is_no_whole_video_or_picture_is_said(capsys, tmp_path, face_clip, unchanged, kind):
    path = broken(kind, tmp_path, face_clip)
    unchanged()
    code, err = run(capsys, path, "--edit", "smile")
    assert code == 1
    assert str(path) in err


def test_one_pixel_is_no_face(capsys, tmp_path, unchanged):
    clip = write_clip(tmp_path / "in.mkv", [background(1, 1)] * 3, codec="ffv1", pix_fmt="yuv444p", sound=False)
    unchanged()
    code, err = run(capsys, clip, "--edit", "smile")
    assert code == 3
    assert "no face" in err


def test_no_face_is_exit_code_3(capsys, tmp_path, empty_clip, unchanged):
    clip = shutil.copy(empty_clip, tmp_path / "in.mp4")
    unchanged()
    code, err = run(capsys, clip, "--edit", "smile")
    assert code == 3
    assert "no face found" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--edit", "smlie"], "smile"),
        (["--edit", "smile=99"], "smile"),
        (["--edit", "smile=nan"], "smile"),
        (["--edit", "smile=much"], "smile"),
        (["--edit", "smile", "--profile", "mobil"], "mobile"),
        (["--edit", "smile", "--size", "300"], "300"),
        (["--edit", "smile", "--start", "1:x"], "1:x"),
        (["--edit", "smile", "--restore", "gfpgan2"], "gfpgan2"),
    ],
)
def test_words_that_make_no_sense_are_exit_code_2(capsys, tmp_path, face_clip, unchanged, words, message):
    clip = shutil.copy(face_clip, tmp_path / "in.mp4")
    unchanged()
    code, err = run(capsys, clip, *words)
    assert code == 2
    assert message in err


def test_an_existing_output_and_the_input_are_never_written_to(capsys, tmp_path, face_clip, unchanged):
    clip = Path(shutil.copy(face_clip, tmp_path / "in.mp4"))
    output = tmp_path / "in_smile.mp4"
    output.write_bytes(b"precious")
    unchanged()
    assert run(capsys, clip, "--edit", "smile") == (
        2,
        f"videdit: {output} exists already; pass --overwrite to replace it, or choose another with -o\n",
    )
    code, err = run(capsys, clip, "--edit", "smile", "-o", clip, "--overwrite")
    assert code == 2
    assert "input itself" in err
    assert output.read_bytes() == b"precious"
    assert clip.read_bytes() == face_clip.read_bytes()


def test_a_folder_that_cannot_be_written_to_is_said(capsys, tmp_path, face_clip, unchanged):
    (tmp_path / "file").write_bytes(b"in the way")
    unchanged()
    code, err = run(capsys, face_clip, "--edit", "smile", "-o", tmp_path / "file" / "out.mp4")
    assert code == 1
    assert "cannot write" in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_said(capsys, tmp_path, face_clip, unchanged):
    (tmp_path / "locked").mkdir(mode=0o500)
    unchanged()
    code, err = run(capsys, face_clip, "--edit", "smile", "-o", tmp_path / "locked" / "out.mp4")
    assert code == 1
    assert "cannot write" in err


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A copy of the weights (hard links where possible), for damaging."""
    folder = tmp_path / "weights"
    shutil.copytree(ROOT / "weights", folder)
    monkeypatch.setenv("VIDEDIT_SHIPPED", str(folder))
    return folder


def test_a_missing_weight_file_is_said(capsys, tmp_path, face_clip, weights, unchanged):
    (weights / "mtcnn.safetensors").unlink()
    unchanged()
    code, err = run(capsys, face_clip, "--edit", "smile", "-o", tmp_path / "out.mp4")
    assert code == 1
    assert "mtcnn.safetensors is missing" in err


def test_a_wrong_sha256_is_said(capsys, tmp_path, face_clip, weights, unchanged):
    manifest = yaml.safe_load((weights / "manifest.yaml").read_text())
    manifest["generator_low"]["sha256"] = "0" * 64
    (weights / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    unchanged()
    code, err = run(capsys, face_clip, "--edit", "smile", "-o", tmp_path / "out.mp4")
    assert code == 1
    assert "generator_low.safetensors is damaged" in err
