"""What is kept of a clip: it comes back as it was, damage is seen, and there is never too much of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from test_people_identity import face

from videdit.jobs.render_job import RenderJob
from videdit.tracks import analysis_cache
from videdit.tracks.analysis_store import CHUNK, Analysis, DamagedError, Portrait, Recorder, read_arrays
from videdit.tracks.tracker import Tracker


def record(folder: Path, frames: int = 10) -> Analysis:
    tracker = Tracker()
    with Recorder(folder) as recorder:
        for i in range(frames):
            faces = [face(100 + 0.37 * i, size=90), face(400, size=333)]
            names = tracker(faces, [None, None], i / 25, 0)
            recorder.add(1000 * i, i / 25, 0, faces, names, [0.2, 0.7])
            for name in names:
                if recorder.wants(name, 1.0 + i, i / 25):
                    recorder.keep(name, Portrait(np.full((128, 128, 3), i % 256, np.uint8), 1.0 + i, i / 25))
        return recorder.commit(tracker.stretches)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    frames = CHUNK  # two faces each: two files
    record(tmp_path / "a", frames)
    analysis = Analysis(tmp_path / "a")
    assert len([f for f in analysis.files if f.startswith("faces")]) == 2
    assert analysis.table.tracks == [0, 1]
    for i in (0, 1, CHUNK // 2, frames - 1, 3):
        assert analysis.table.row(1000 * i) == i
        first, second = analysis.faces(i)
        assert (first.track, second.track) == (0, 1)
        for seen, was in ((first, face(100 + 0.37 * i, size=90)), (second, face(400, size=333))):
            assert seen.mesh is not None
            assert was.mesh is not None
            np.testing.assert_allclose(seen.mesh, was.mesh, atol=0.004)
            np.testing.assert_array_equal(seen.points, was.points)
    assert analysis.table.row(500) is None
    assert analysis.table.row(1000 * frames) is None


def test_the_best_portraits_are_kept_one_of_each_second(tmp_path: Path) -> None:
    portraits = record(tmp_path / "a", 250).portraits()
    assert {track: len(images) for track, images in portraits.items()} == {0: 4, 1: 4}
    shown = portraits[0][:, 0, 0, 0].astype(int)
    assert shown[0] >= 225
    assert len(set(shown // 25)) == 4


def test_a_clip_without_faces(tmp_path: Path) -> None:
    with Recorder(tmp_path / "a") as recorder:
        for i in range(3):
            recorder.add(i, i / 25, 0, [], [], [])
        analysis = recorder.commit([])
    assert analysis.faces(1) == []
    assert analysis.table.tracks == []
    assert analysis.portraits() == {}


def test_nothing_half_written_takes_its_name(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Recorder(tmp_path / "a") as recorder:
        recorder.add(0, 0.0, 0, [face(100)], [0], [0.2])
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_the_same_is_written_twice(tmp_path: Path) -> None:
    a, b = record(tmp_path / "a"), record(tmp_path / "b")
    assert a.files == b.files


@pytest.mark.parametrize("name", ["analysis.json", "sightings.npz", "portraits.npz", "faces00000000.npz"])
@pytest.mark.parametrize("how", ["cut", "flipped", "gone", "other"])
def test_damage_is_seen(tmp_path: Path, name: str, how: str) -> None:
    record(tmp_path / "a")
    path = tmp_path / "a" / name
    data = bytearray(path.read_bytes())
    if how == "gone":
        path.unlink()
    else:
        data[len(data) // 2] ^= 0xFF
        path.write_bytes({"cut": data[: len(data) // 3], "flipped": data, "other": b"{}"}[how])
    with pytest.raises(DamagedError):
        Analysis(tmp_path / "a")


def test_names_that_lead_elsewhere_and_pickles_are_refused(tmp_path: Path) -> None:
    record(tmp_path / "a")
    index = tmp_path / "a" / "analysis.json"
    told = json.loads(index.read_text())
    told["files"]["../secret"] = "0"
    (tmp_path / "secret").write_text("x")
    index.write_text(json.dumps(told))
    with pytest.raises(DamagedError):
        Analysis(tmp_path / "a")
    np.savez(tmp_path / "pickled.npz", a=np.array([{}], object))
    with pytest.raises(DamagedError):
        read_arrays(tmp_path / "pickled.npz")


def test_what_was_of_no_use_for_longest_goes_first(tmp_path: Path) -> None:
    for i, name in enumerate("abcd"):
        record(tmp_path / name)
        os.utime(tmp_path / name, (i, i))
    (tmp_path / "other").mkdir()
    size = sum(file.stat().st_size for file in (tmp_path / "a").iterdir())
    with analysis_cache.in_use(tmp_path / "b"):
        os.utime(tmp_path / "b", (1, 1))
        analysis_cache.trim(tmp_path, 2 * size)
        assert {path.name for path in tmp_path.iterdir()} == {"b", "d", "other"}  # b is being read
    analysis_cache.trim(tmp_path, size)
    assert {path.name for path in tmp_path.iterdir()} == {"d", "other"}


def test_the_name_is_that_of_the_bytes_and_of_what_is_looked_at(tmp_path: Path) -> None:
    one, two, same = tmp_path / "1.mp4", tmp_path / "2.mp4", tmp_path / "3.mp4"
    for path, data in ((one, b"a"), (two, b"b"), (same, b"a")):
        path.write_bytes(data)
    job = RenderJob.model_validate({"input": "x.mp4", "edit": "smile"})
    name = analysis_cache.key(one, job, "cpu")
    assert name == analysis_cache.key(same, job.model_copy(update={"edit": "age", "faces": "all", "crf": 3}), "cpu")
    others = [
        analysis_cache.key(two, job, "cpu"),
        analysis_cache.key(one, job.model_copy(update={"start": 1.0}), "cpu"),
        analysis_cache.key(one, job, "cuda:0"),
    ]
    assert len({name, *others}) == 4
    assert analysis_cache.home(job.model_copy(update={"cache": False})) is None
    assert analysis_cache.home(job.model_copy(update={"analysis": str(tmp_path)})) == tmp_path
