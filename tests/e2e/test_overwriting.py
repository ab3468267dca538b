"""Files that come to exist while a clip is rendered stay as they are, whatever was to have their name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from synthetic import ROOT

from videdit.cli import main as cli
from videdit.errors import MediaError, UsageError
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.rendering import preview
from videdit.rendering.progress import Progress

WORDS = "somebody else's"


class Appears(Progress):
    """Puts a file there as soon as the run is at work."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def start(self, name: str, frames: int | None) -> None:
        self.file.write_text(WORDS)


@pytest.fixture
def appears(render, monkeypatch):
    return lambda file: monkeypatch.setattr(render.renderer, "progress", Appears(file))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("out.mp4", {}),
        ("out_compare.mp4", {"compare": "wipe"}),
        ("out_debug.mp4", {"debug_video": True}),
        ("matte.mkv", {"alpha_out": "matte.mkv"}),
        ("out.mp4.json", {"sidecar": True}),
    ],
    ids=["video", "compare", "debug", "matte", "sidecar"],
)
@pytest.mark.parametrize("split", [False, True], ids=["whole", "in-segments"])
def test_a_file_that_appears_meanwhile_stays(render, appears, face_clip, tmp_path, monkeypatch, name, words, split):
    monkeypatch.setattr("videdit.rendering.resuming.CROPS", 2 if split else 1000)
    if "alpha_out" in words:
        words = {"alpha_out": str(tmp_path / "matte.mkv")}
    appears(tmp_path / name)
    with pytest.raises(MediaError, match=f"{name} came to exist while this ran"):
        render(face_clip, tmp_path / "out.mp4", end=0.16, **words)
    assert (tmp_path / name).read_text() == WORDS
    others = {path.name for path in tmp_path.iterdir()} - {name, "out.mp4", ".out.mp4.unfinished"}
    assert others == set()
    if name == "out.mp4":
        return
    with pytest.raises(UsageError, match="exists already"):  # nor does a second run take it for its own
        render(face_clip, tmp_path / "out.mp4", end=0.16, **words)
    assert (tmp_path / name).read_text() == WORDS


def test_what_was_done_is_kept_for_another_run(render, appears, face_clip, tmp_path, monkeypatch):
    monkeypatch.setattr("videdit.rendering.resuming.CROPS", 2)
    out = tmp_path / "out.mp4"
    appears(out)
    with pytest.raises(MediaError, match="came to exist"):
        render(face_clip, out, end=0.16)
    with pytest.raises(UsageError, match="exists already"):
        render(face_clip, out, end=0.16)
    monkeypatch.setattr(render.renderer, "progress", Progress())
    result = render(face_clip, out, end=0.16, overwrite=True)
    assert result.done_before == 4
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_a_still_that_appears_meanwhile_stays(render, appears, people, tmp_path):
    source, out = tmp_path / "in.png", tmp_path / "out.png"
    assert cv2.imwrite(str(source), people[0])
    appears(out)
    with pytest.raises(MediaError, match="came to exist"):
        render(source, out)
    assert out.read_text() == WORDS
    assert sorted(os.listdir(tmp_path)) == ["in.png", "out.png"]


def test_a_preview_that_appears_meanwhile_stays(render, face_clip, tmp_path, monkeypatch):
    plan = make_plan([RenderJob(input=str(face_clip), edit="smile", output=str(tmp_path / "out.mp4"))])
    target, frames = preview.preview_path(tmp_path / "out.mp4", 0.0), render.session.frames

    def meanwhile(*words):
        target.write_text(WORDS)
        return frames(*words)

    monkeypatch.setattr(render.session, "frames", meanwhile)
    with pytest.raises(MediaError, match="came to exist"):
        list(preview.previews(plan, [0.0], False, render.session))
    assert target.read_text() == WORDS


def test_a_clip_whose_output_appeared_while_others_were_rendered_is_not_begun(render, face_clip, tmp_path):
    (clip,) = make_plan([RenderJob(input=str(face_clip), edit="smile", output=str(tmp_path / "out.mp4"))]).clips
    clip.output.write_text(WORDS)
    with pytest.raises(UsageError, match="exists already"):
        render.renderer.render(clip)
    assert clip.output.read_text() == WORDS
    assert os.listdir(tmp_path) == ["out.mp4"]


def test_the_second_of_two_runs_is_refused_in_one_line(face_clip, tmp_path):
    words = [sys.executable, str(ROOT / "run_video.py"), str(face_clip), "--edit", "smile", "-o", "out.mp4"]
    runs = [subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = {run.wait(): run.communicate()[1] for run in runs}
    assert said.keys() == {0, 2}
    assert said[2].count("\n") == 1
    assert "another run is writing out.mp4" in said[2] or "exists already" in said[2]
    assert os.listdir(tmp_path) == ["out.mp4"]


@pytest.mark.parametrize("there", ["precious", '{"clips": []}', ""])
def test_only_a_report_is_replaced_by_a_report(face_clip, tmp_path, monkeypatch, capsys, there):
    monkeypatch.chdir(tmp_path)
    report = tmp_path / "r.json"
    report.write_text(there)
    assert cli.run([str(face_clip), "--edit", "smile", "-o", "out.mp4", "--report", "r.json"]) == 2
    assert "r.json exists and is no report of an earlier run" in capsys.readouterr().err
    assert report.read_text() == there
    assert os.listdir(tmp_path) == ["r.json"]


def test_a_report_that_cannot_be_written_is_known_before_the_work(face_clip, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.run([str(face_clip), "--edit", "smile", "-o", "out.mp4", "--report", "nodir/r.json"]) == 2
    assert "there is no folder nodir" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_every_file_of_a_clip_is_looked_for_before_the_work(face_clip, tmp_path):
    job = RenderJob(input=str(face_clip), edit="smile", output=str(tmp_path / "out.mp4"), sidecar=True)
    (tmp_path / "out.mp4.json").write_text(WORDS)
    with pytest.raises(UsageError, match="out.mp4.json exists already"):
        make_plan([job])
    matte = job.model_copy(update={"alpha_out": str(tmp_path / "m.mkv"), "sidecar": False})
    (tmp_path / "m.mkv").symlink_to("nowhere")  # a link is something too
    with pytest.raises(UsageError, match="m.mkv exists already"):
        make_plan([matte])
