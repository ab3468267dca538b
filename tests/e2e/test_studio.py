"""The studio end to end, asked over HTTP: what it shows is the render's, and what it renders is the command's."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import yaml
from footage import frames_of, same_planes
from synthetic import background, with_face, write_clip

from videdit.media.encode.playback import plays_as_it_is
from videdit.media.probe import probe
from videdit.rendering.frames import displayed

pytest.importorskip("uvicorn")
pytest.importorskip("httpx")

from studio_server import Running, running  # noqa: E402

CLIP = "0/person.mp4"
SMILE = {"targets": [{"who": "largest", "edits": {"smile": {"strength": 2}}}]}


def picture(answer) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


@pytest.fixture(scope="module")
def place(tmp_path_factory, face_clip):
    folder = tmp_path_factory.mktemp("studio")
    (folder / "clips").mkdir()
    shutil.copy(face_clip, folder / "clips" / "person.mp4")
    return folder


@pytest.fixture(scope="module")
def studio(place, render):
    with running(place / "clips", place / "state", render.session) as found:
        yield found


def test_a_clip_is_told_as_it_is_and_its_frames_are_exact(studio: Running, face_clip):
    told = studio.get("clip", clip=CLIP).json()
    assert (told["clip"]["width"], told["clip"]["height"]) == (320, 240)
    assert told["times"] == {"first": 0.0, "step": pytest.approx(0.04), "count": 8}
    for index in (0, 5, 7):
        answer = studio.get("frame", clip=CLIP, time=0.04 * index)
        assert np.array_equal(picture(answer), displayed(frames_of(face_clip)[index]))
    small = studio.get("frame", clip=CLIP, time=0, side=160)
    assert picture(small).shape == (120, 160, 3)
    assert picture(studio.get("poster", clip=CLIP)).shape[1] == 240
    assert studio.get("frame", clip=CLIP, time=99).status_code == 422


def test_frames_of_uneven_times_are_found_by_their_times(studio: Running, place):
    pictures = [np.full((64, 96, 3), 20 * i, np.uint8) for i in range(6)]
    write_clip(place / "clips" / "uneven.mp4", pictures, pts=lambda i: 1000 * i * i, sound=False)
    told = studio.get("clip", clip="0/uneven.mp4").json()
    assert told["times"] == pytest.approx([i * i / 25 for i in range(6)])
    for index, time in enumerate(told["times"]):
        for at in (time, time + 0.01):
            assert abs(float(picture(studio.get("frame", clip="0/uneven.mp4", time=at)).mean()) - 20 * index) < 3


def test_the_clip_is_played_in_ranges(studio: Running, place):
    assert studio.post("prepare", clip=CLIP).json() == {"copy": False}
    size = (place / "clips" / "person.mp4").stat().st_size
    answer = studio.client.get("/api/play", params={"clip": CLIP}, headers={"Range": "bytes=10-19"})
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes 10-19/{size}"
    assert answer.content == (place / "clips" / "person.mp4").read_bytes()[10:20]
    beyond = studio.client.get("/api/play", params={"clip": CLIP}, headers={"Range": f"bytes={size}-"})
    assert beyond.status_code == 416


def test_what_browsers_do_not_play_is_played_as_a_copy_with_the_same_times(studio: Running, place):
    pictures = [np.full((90, 160, 3), 25 * i, np.uint8) for i in range(8)]
    write_clip(place / "clips" / "hq.mkv", pictures, codec="ffv1", pix_fmt="yuv422p10le", pts=lambda i: 1000 * i * 2)
    assert studio.post("prepare", clip="0/hq.mkv").json() == {"copy": True}
    copy = place / "copy.mp4"
    copy.write_bytes(studio.get("play", clip="0/hq.mkv").content)
    info = probe(copy)
    assert plays_as_it_is(info)
    assert info.has_audio
    with av.open(str(copy)) as container:
        frames = [
            (float(frame.time), float(frame.to_ndarray(format="rgb24").mean())) for frame in container.decode(video=0)
        ]
    assert [time for time, _ in frames] == pytest.approx([i * 2 / 25 for i in range(8)], abs=1e-3)
    assert [level for _, level in frames] == pytest.approx([25 * i for i in range(8)], abs=4)
    assert sorted(path.name for path in (place / "clips").glob("hq*")) == ["hq.mkv"]


def test_people_are_told_with_pictures_spans_and_places(studio: Running):
    people = studio.wait_for_look(CLIP)
    (face,) = people["faces"]
    assert face["track"] == 0
    assert face["spans"] == [[0.0, pytest.approx(0.28)]]
    assert picture(studio.get("portrait", clip=CLIP, track=0)).shape == (128, 128, 3)
    assert studio.get("portrait", clip=CLIP, track=7).status_code == 400
    (place,) = studio.get("faces", clip=CLIP, time=0.2).json()
    left, top, right, bottom = place["box"]
    assert left < 160 / 320 < right  # where the face was drawn
    assert top < 125 / 240 < bottom
    assert studio.post("name", clip=CLIP, track=0, name=" Ada ").status_code == 200
    assert studio.get("people", clip=CLIP).json()["names"] == {"0": "Ada"}


def test_previews_are_the_sessions(studio: Running, render, place):
    job = {"input": str(place / "clips" / "person.mp4"), "edit": "smile=2"}
    for tier in ("draft", "exact"):
        answer = studio.post("preview", clip=CLIP, document=SMILE, time=0.12, tier=tier, viewer="a")
        wanted = render.session.preview(job, 0.12, tier=tier).after
        apart = np.abs(picture(answer).astype(int) - wanted)
        assert apart.max() == 0 if tier == "exact" else apart.mean() < 1.5  # a draft comes as JPEG
        assert '"track": 0' in answer.headers["x-frame-facts"]
    nothing = studio.post("preview", clip=CLIP, document={}, time=0.12, tier="exact", viewer="a")
    assert np.array_equal(picture(nothing), picture(studio.get("frame", clip=CLIP, time=0.12)))
    absent = {"targets": [{"who": "7", "edits": {"smile": {"strength": 2}}}]}
    answer = studio.post("preview", clip=CLIP, document=absent, time=0.12, tier="draft", viewer="a")
    assert (answer.status_code, answer.json()["kind"]) == (404, "noface")


def test_a_strip_shows_one_face_at_several_strengths(studio: Running):
    answer = studio.post("strip", clip=CLIP, document={}, time=0.12, edit="smile", who="0", strengths=[-1.5, 0, 2.5])
    strip = picture(answer)
    assert strip.shape == (128, 3 * 128, 3)
    tiles = [strip[:, i : i + 128].astype(int) for i in (0, 128, 256)]
    assert np.abs(tiles[0] - tiles[1]).mean() > 0.5
    assert np.abs(tiles[2] - tiles[1]).mean() > 0.5


def test_a_project_is_kept_beside_the_clip_and_seen_by_two_windows(studio: Running, place):
    first = studio.get("clip", clip=CLIP).json()["project"]
    told = studio.post("project", clip=CLIP, document=SMILE, version=first["version"]).json()
    assert told["version"] != first["version"]
    assert not told["overtook"]
    file = place / "clips" / "person.mp4.videdit.yaml"
    assert yaml.safe_load(file.read_text())["edit"] == "smile=2"
    assert studio.get("clip", clip=CLIP).json()["project"]["document"]["targets"] == [
        {"who": "largest", "edits": {"smile": {"strength": 2.0}}}
    ]
    assert studio.post("project", clip=CLIP, document={}, version=first["version"]).json()["overtook"]
    assert "0/person.mp4.videdit.yaml" in [e["id"] for e in studio.get("folder", folder="0").json()["entries"]]
    opened = studio.get("clip", clip="0/person.mp4.videdit.yaml").json()
    assert opened["clip"]["id"] == CLIP
    assert "opened" not in opened
    for locked in (
        "sign: a.pem\nsign_key: b.pem",
        "crops_out: /tmp/x",
        "restore: gfpgan:/tmp/x.pth",
        "output: /tmp/x.mp4",
    ):
        file.write_text(f"input: person.mp4\nedit: smile\n{locked}\n")
        assert studio.get("clip", clip=CLIP).json()["project"]["locked"], locked
    file.write_text("input: [")
    assert studio.get("clip", clip=CLIP).json()["project"]["locked"]
    file.write_text("input: another.mp4\nedit: smile\n")
    assert "another clip" in studio.get("clip", clip=CLIP).json()["project"]["locked"]
    file.unlink()


def test_a_project_is_the_same_one_after_a_restart_and_a_change_by_hand_is_noticed(studio: Running, place):
    version = studio.post("project", clip=CLIP, document=SMILE, version="").json()["version"]
    studio.studio.projects = type(studio.studio.projects)(studio.studio.roots)  # as after a restart
    told = studio.post("project", clip=CLIP, document=SMILE | {"matte": True}, version=version).json()
    assert not told["overtook"]
    file = place / "clips" / "person.mp4.videdit.yaml"
    assert yaml.safe_load(file.read_text())["alpha_out"] == "person_smile+2_matte.mp4"
    assert studio.get("clip", clip=CLIP).json()["project"]["document"]["matte"] is True
    file.write_text(file.read_text().replace("smile=2", "smile=1.5"))
    assert studio.post("project", clip=CLIP, document=SMILE, version=told["version"]).json()["overtook"]
    file.unlink()


def test_a_job_file_of_another_name_brings_its_edits_along(studio: Running, place):
    other = place / "clips" / "take two.videdit.yaml"
    other.write_text("input: person.mp4\nedit: age=10\nfaces: all\noutput: older.mp4\n")
    told = studio.get("clip", clip="0/take two.videdit.yaml").json()
    assert told["clip"]["id"] == CLIP
    assert told["project"]["document"]["targets"] == []
    document = told["opened"]["document"]
    assert (told["opened"]["name"], document["name"]) == ("take two.videdit.yaml", "older.mp4")
    assert document["targets"] == [{"who": "all", "edits": {"age": {"strength": 10.0}}}]
    plan = studio.post("plan", clip=CLIP, document=document).json()
    assert plan["name"] == "older.mp4"
    assert "--output" in plan["command"]
    other.write_text("input: ../../elsewhere.mp4\nedit: smile\n")
    assert studio.get("clip", clip="0/take two.videdit.yaml").status_code == 400
    other.unlink()


def test_a_render_is_the_commands_frame_by_frame(studio: Running, render, place):
    document = SMILE | {"settings": {"lossless": True, "sidecar": True}, "matte": True}
    plan = studio.post("plan", clip=CLIP, document=document).json()
    assert plan["name"] == "person_smile+2.mp4"
    number = studio.post("render", clip=CLIP, document=document).json()["id"]
    again = studio.post("render", clip=CLIP, document=document)
    assert again.status_code == 400
    row = studio.wait_for_job(number, "done", "failed")
    assert row["state"] == "done", studio.get(f"queue/{number}/log").text
    assert row["file"] == "0/person_smile+2.mp4"
    render(place / "clips" / "person.mp4", place / "own.mp4", edit="smile=2", lossless=True)
    mine, theirs = (frames_of(path) for path in (place / "clips" / "person_smile+2.mp4", place / "own.mp4"))
    assert len(mine) == len(theirs) == 8
    assert all(same_planes(a, b) for a, b in zip(mine, theirs, strict=True))
    shown = picture(studio.post("preview", clip=CLIP, document=SMILE, time=0.12, tier="exact", viewer="a"))
    assert np.array_equal(shown, displayed(mine[3]))
    assert (place / "clips" / "person_smile+2_matte.mp4").exists()
    assert "done" in studio.get(f"queue/{number}/log").text
    taken = studio.post("render", clip=CLIP, document=document)
    assert taken.status_code == 400
    assert "exists" in taken.json()["error"]


def test_a_source_is_never_replaced(studio: Running, place, face_clip):
    shutil.copy(face_clip, place / "clips" / "other.mp4")
    for name, words in {"person.mp4": "input itself", "other.mp4": "not made by videdit"}.items():
        answer = studio.post("render", clip=CLIP, document=SMILE | {"name": name}, replace=True)
        assert answer.status_code == 400
        assert words in answer.json()["error"]


def test_a_failure_is_told_and_can_be_tried_again(studio: Running, place, empty_clip):
    shutil.copy(empty_clip, place / "clips" / "nobody.mp4")
    number = studio.post("render", clip="0/nobody.mp4", document=SMILE).json()["id"]
    row = studio.wait_for_job(number, "failed")
    assert "no face" in row["error"]
    assert studio.post(f"queue/{number}", action="retry").status_code == 200
    studio.wait_for_job(number, "failed")
    assert studio.post(f"queue/{number}", action="remove").status_code == 200
    assert not list((place / "clips").glob("nobody_*"))


def test_a_render_goes_on_after_the_studio_was_closed(render, people, tmp_path):
    (tmp_path / "clips").mkdir()
    pictures = [with_face(background(320, 240), people[0], (150 + i, 120), 200) for i in range(10)]
    write_clip(tmp_path / "clips" / "long.mp4", pictures)
    document = SMILE | {"settings": {"method": "hfgi"}}
    with running(tmp_path / "clips", tmp_path / "state", render.session) as studio:
        assert studio.post("pause", paused=True).status_code == 200
        first, second = (
            studio.post("render", clip="0/long.mp4", document=document | {"name": f"{name}.mp4"}).json()["id"]
            for name in "ab"
        )
        assert studio.get("queue").json()["paused"]
        studio.post("pause", paused=False)
        studio.wait_for_job(first, "running")
    assert not (tmp_path / "clips" / "a.mp4").exists()
    assert not [path for path in (tmp_path / "clips").glob(".*") if path.suffix == ".mp4"], "something half-written"
    with running(tmp_path / "clips", tmp_path / "state", render.session) as studio:
        for number in (first, second):
            assert studio.wait_for_job(number, "done", "failed")["state"] == "done"
    assert len(frames_of(tmp_path / "clips" / "a.mp4")) == 10


def test_stopping_leaves_nothing_half_written(render, studio: Running, place, people):
    pictures = [with_face(background(320, 240), people[0], (150 + i, 120), 200) for i in range(24)]
    write_clip(place / "clips" / "stop.mp4", pictures)
    number = studio.post("render", clip="0/stop.mp4", document=SMILE | {"name": "stopped.mp4"}).json()["id"]
    studio.wait_for_job(number, "running")
    assert studio.post(f"queue/{number}", action="stop").status_code == 200
    assert studio.wait_for_job(number, "stopped", "done")["state"] == "stopped"
    assert not (place / "clips" / "stopped.mp4").exists()


def reviewed(studio: Running, clip: str) -> list[dict]:
    """The moments of a clip, after it was gone through for them."""
    studio.wait_for_look(clip)

    def found():
        answer = studio.post("review", clip=clip, document={}).json()
        assert answer["state"] != "failed", answer
        return answer if answer["state"] == "done" else None

    return studio.wait(found)["moments"]


def test_hard_moments_are_found(studio: Running, people, place):
    pictures = [with_face(background(320, 240), people[0], (160, 120), 200)] * 4
    pictures += [with_face(background(320, 240), people[0], (160 + 16 * i, 120), 200) for i in range(15)]
    write_clip(place / "clips" / "leaves.mp4", pictures)
    found = reviewed(studio, "0/leaves.mp4")
    assert any(moment["why"] == "out of the picture" and moment["first"] > 0.15 for moment in found)
    assert reviewed(studio, CLIP) == []


def test_faces_that_are_hidden_or_blurred_are_found(studio: Running, people, place):
    clear = with_face(background(320, 240), people[0], (160, 120), 200)
    covered = clear.copy()
    cv2.rectangle(covered, (100, 118), (220, 190), (40, 120, 60), -1)  # a card before mouth and nose
    swept = cv2.blur(clear, (25, 1))
    pictures = [clear] * 15 + [covered] * 15 + [clear] * 15 + [swept] * 15
    write_clip(place / "clips" / "unseen.mp4", pictures, options={"crf": "12"})
    found = {(moment["why"], moment["track"]): moment for moment in reviewed(studio, "0/unseen.mp4")}
    (hidden,) = [moment for (why, _), moment in found.items() if why == "hidden"]
    assert hidden["first"] == pytest.approx(0.6, abs=0.11)
    assert hidden["last"] == pytest.approx(1.2, abs=0.11)
    (blurred,) = [moment for (why, _), moment in found.items() if why == "blurred"]
    assert blurred["first"] == pytest.approx(1.8, abs=0.11)


def test_what_was_found_in_a_clip_is_not_told_of_another_that_took_its_place(studio: Running, people, place):
    shutil.copy(place / "clips" / "person.mp4", place / "clips" / "changes.mp4")
    assert len(studio.wait_for_look("0/changes.mp4")["faces"]) == 1
    write_clip(place / "clips" / "changes.mp4", [background(320, 240)] * 6)
    assert studio.get("people", clip="0/changes.mp4").status_code == 400  # nobody has looked at this one
    assert studio.get("faces", clip="0/changes.mp4", time=0.1).json() == []
    assert studio.wait_for_look("0/changes.mp4")["faces"] == []
    (place / "clips" / "changes.mp4").unlink()
    gone = studio.post("look", clip="0/changes.mp4")
    assert gone.status_code in (400, 422)
    assert "changes.mp4" in gone.json()["error"] or "no such file" in gone.json()["error"]


def test_events_tell_of_what_happens(studio: Running):
    with studio.client.stream("GET", "/api/events") as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("retry")
        studio.post("name", clip=CLIP, track=0, name="Grace")
        assert next(line for line in lines if line.startswith("event:")) == "event: names"
        assert CLIP in next(lines)


def test_the_folder_of_outputs_holds_nothing_hidden(place: Path):
    left = [path.name for path in (place / "clips").iterdir() if path.name.startswith(".")]
    assert [name for name in left if not name.endswith((".lock",))] == []
