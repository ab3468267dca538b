"""Inputs are found, outputs named, and nothing is overwritten or done twice."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videdit.errors import UsageError
from videdit.jobs.batch_ledger import NO_FACE, BatchLedger
from videdit.jobs.obstacles import Obstacle
from videdit.jobs.output_names import output_path
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.stages.plain_hfgi import CropFolder
from videdit.storage.outputs import ExistsError


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not opened here")


def plan(*inputs, **words):
    return make_plan([RenderJob.model_validate({"input": [str(i) for i in inputs], "edit": "smile"} | words)])


def pairs(plan, root):
    return {clip.source.relative_to(root).as_posix(): clip.output.relative_to(root).as_posix() for clip in plan.clips}


@pytest.mark.parametrize(
    ("source", "edit", "name"),
    [
        ("in.mp4", "smile", "in_smile.mp4"),
        ("in.mp4", "smile=1.5,age=-1", "in_smile+1.5+age-1.mp4"),
        ("in.mp4", "smile,age=-2.25", "in_smile+age-2.25.mp4"),
        ("in.mp4", "age=+3", "in_age+3.mp4"),
        ("in.mp4", "age=20", "in_age+20.mp4"),  # though that is the recommended strength: who says it wants to read it
        ("in.mp4", "smile=1.1", "in_smile+1.1.mp4"),  # what the bare name means
        ("in.mp4", "smile=0@0s,2@1.5s", "in_smile+0to+2.mp4"),
        ("in.mp4", "smile=0@0s,1@1s,2@2s,1@3s,0@4s", "in_smile+0to+2to+0.mp4"),
        ("in.MOV", "smile", "in_smile.MOV"),
        ("a.b.mkv", "eyes_open=0.5", "a.b_eyes_open+0.5.mkv"),
        ("in.avi", "smile", "in_smile.mkv"),
        ("face.jpg", "age=2", "face_age+2.jpg"),
        ("face.PNG", "age", "face_age.PNG"),
    ],
)
def test_names_are_predictable(tmp_path, source, edit, name):
    touch(tmp_path / source)
    (clip,) = plan(tmp_path / source, edit=edit).clips
    assert clip.output == tmp_path / name


def test_an_output_may_be_a_file_a_folder_or_a_template(tmp_path):
    source = tmp_path / "in.mp4"
    touch(source)

    def to(words):
        return plan(source, output=f"{tmp_path}/{words}").clips[0].output.relative_to(tmp_path).as_posix()

    assert to("x.mkv") == "x.mkv"
    assert to("new") == "new/in_smile.mp4"
    assert to("v1.5/") == "v1.5/in_smile.mp4"
    (tmp_path / "there.mp4").mkdir()
    assert to("there.mp4") == "there.mp4/in_smile.mp4"
    assert to("{edit}/{stem}-out{ext}") == "smile/in-out.mp4"
    assert to("{edit}/{strength}/{stem}{ext}") == "smile/+1.1/in.mp4"


@pytest.mark.parametrize("words", ["x.png", "x.xyz", "{name}.mp4", "{stem.mp4", "{stem}{0}.mp4"])
def test_an_output_that_cannot_be_is_refused_in_words(tmp_path, words):
    touch(tmp_path / "in.mp4")
    with pytest.raises(UsageError, match="cannot write|template"):
        plan(tmp_path / "in.mp4", output=f"{tmp_path}/{words}")


def test_a_name_that_no_file_can_have_is_told(tmp_path):
    touch(tmp_path / ("a" * 246 + ".mp4"))
    with pytest.raises(UsageError, match="longer than a file's name can be.*-o"):
        plan(tmp_path / ("a" * 246 + ".mp4"))
    name = "长" * 78 + ".mp4"  # 238 bytes, and 244 with the edit
    touch(tmp_path / name)
    assert plan(tmp_path / name).clips[0].output.name == "长" * 78 + "_smile.mp4"


def test_what_is_written_beside_counts_as_output_too(tmp_path):
    touch(tmp_path / "a.mp4", tmp_path / "x_a_compare.mp4")
    with pytest.raises(UsageError, match="x_a_compare.mp4 is also an input"):
        plan(tmp_path / "a.mp4", tmp_path / "x_a_compare.mp4", output=f"{tmp_path}/x_{{stem}}{{ext}}", compare="wipe")


def test_a_rate_is_of_numbered_pictures(tmp_path):
    touch(tmp_path / "a.mp4")
    with pytest.raises(UsageError, match="--fps is the rate of numbered pictures"):
        plan(tmp_path / "a.mp4", fps=24)


def test_a_picture_of_a_face_that_is_not_there_is_missed_before_the_work(tmp_path):
    touch(tmp_path / "a.mp4")
    for words in ({"faces": "ann.jpg"}, {"per_face": {"ann.jpg": "age"}}):
        with pytest.raises(UsageError, match="the picture ann.jpg of a face to edit does not exist"):
            plan(tmp_path / "a.mp4", **words)


def test_a_folder_keeps_its_tree_and_leaves_other_files_alone(tmp_path):
    clips = tmp_path / "clips"
    touch(clips / "a.mp4", clips / "sub" / "b.mov", clips / "sub" / "c.jpg")
    touch(clips / "notes.txt", clips / ".hidden.mp4", clips / ".trash" / "d.mp4")
    assert pairs(plan(clips, output=str(tmp_path / "out")), tmp_path) == {
        "clips/a.mp4": "out/a_smile.mp4",
        "clips/sub/b.mov": "out/sub/b_smile.mov",
        "clips/sub/c.jpg": "out/sub/c_smile.jpg",
    }
    assert pairs(plan(clips), clips)["sub/b.mov"] == "sub/b_smile.mov"
    template = plan(clips, output=str(tmp_path / "out" / "{stem}{ext}"))
    assert pairs(template, tmp_path)["clips/sub/b.mov"] == "out/sub/b.mov"


def test_globs_and_repeated_inputs_give_each_file_once(tmp_path):
    touch(tmp_path / "a.mp4", tmp_path / "b.mp4", tmp_path / "b.txt", tmp_path / "x" / "c.mp4")
    found = plan(tmp_path / "*", tmp_path / "a.mp4", tmp_path / "**" / "*.mp4")
    assert sorted(clip.source.name for clip in found.clips) == ["a.mp4", "b.mp4", "c.mp4"]
    assert found.batch


def test_a_name_with_brackets_is_a_name_first(tmp_path):
    touch(tmp_path / "take[1].mp4")
    assert not plan(tmp_path / "take[1].mp4").batch


@pytest.mark.parametrize(("words", "message"), [("none.mp4", "does not exist"), ("*.mp4", "no file matches")])
def test_an_input_that_is_not_there_is_said(tmp_path, words, message):
    with pytest.raises(UsageError, match=message):
        plan(tmp_path / words)


def test_a_folder_without_media_is_said(tmp_path):
    touch(tmp_path / "notes.txt")
    with pytest.raises(UsageError, match="no video or picture"):
        plan(tmp_path)


def test_the_input_is_never_the_output(tmp_path):
    source = tmp_path / "in.mp4"
    touch(source)
    with pytest.raises(UsageError, match="input itself"):
        plan(source, output=str(source), overwrite=True)
    os.link(source, tmp_path / "link.mp4")
    with pytest.raises(UsageError, match="input itself"):
        plan(source, output=str(tmp_path / "link.mp4"), overwrite=True)
    touch(tmp_path / "a.mp4", tmp_path / "a_smile.mp4")
    with pytest.raises(UsageError, match="also an input"):
        plan(tmp_path / "a.mp4", tmp_path / "a_smile.mp4", overwrite=True)


def test_two_inputs_never_share_an_output(tmp_path):
    touch(tmp_path / "a.avi", tmp_path / "a.ts")
    with pytest.raises(UsageError, match="both be written"):
        plan(tmp_path)
    with pytest.raises(UsageError, match="name a folder"):
        plan(tmp_path, output=str(tmp_path / "x.mp4"))


def test_an_existing_output_needs_overwrite(tmp_path):
    touch(tmp_path / "in.mp4", tmp_path / "in_smile.mp4")
    with pytest.raises(UsageError, match="exists already; pass --overwrite"):
        plan(tmp_path / "in.mp4")
    assert plan(tmp_path / "in.mp4", overwrite=True).clips[0].status == "render"


def test_an_obstacle_has_its_advice_apart(tmp_path):
    touch(tmp_path / "in.mp4", tmp_path / "in_smile.mp4", tmp_path / "crops" / "notes.txt")
    (clip,) = plan(tmp_path / "in.mp4", overwrite=True).clips
    clip = replace(clip, crops=tmp_path / "crops")
    more = f"{clip.crops} exists already, and holds more than crops"
    assert clip.obstacle() == Obstacle(more, "", "choose another folder")
    there = replace(clip, crops=None, replace=False).obstacle()
    exists = f"{clip.output} exists already"
    assert there == Obstacle(exists, "pass --overwrite to replace it", "choose another with -o")
    assert str(there) == f"{exists}; pass --overwrite to replace it, or choose another with -o"
    assert there.in_place == f"{exists}; pass --overwrite to replace it"
    assert replace(clip, crops=None).obstacle() is None


def test_numbered_pictures_are_rendered_again_with_overwrite(tmp_path):
    touch(tmp_path / "a_1.png", tmp_path / "a_2.png", tmp_path / "out.mp4")
    pictures = tmp_path / "a_%d.png"
    with pytest.raises(UsageError, match="exists already; pass --overwrite"):
        plan(pictures, output=str(tmp_path / "out.mp4"))
    (clip,) = plan(pictures, output=str(tmp_path / "out.mp4"), overwrite=True).clips
    assert clip.status == "render"


def statuses(plan):
    return {clip.source.name: clip.status for clip in plan.clips}


@pytest.fixture
def half_done(tmp_path):
    """A folder with a done clip, one without a face and one to do; outputs beside the inputs."""
    touch(tmp_path / "a.mp4", tmp_path / "b.mp4", tmp_path / "c.mp4")
    for clip in plan(tmp_path).clips[:2]:
        if clip.source.name == "a.mp4":
            touch(clip.output)
            BatchLedger(tmp_path).record(clip.source, clip.output, clip.job)
        else:
            BatchLedger(tmp_path).record(clip.source, clip.output, clip.job, result=NO_FACE)
    return tmp_path


def test_a_folder_goes_on_where_it_stopped_and_never_takes_an_output_as_input(half_done):
    again = plan(half_done)
    assert statuses(again) == {"a.mp4": "done", "b.mp4": NO_FACE, "c.mp4": "render"}
    assert [path.name for path, _ in again.passed_over] == ["a_smile.mp4"]


def test_changed_footage_settings_or_output_are_not_done(half_done):
    assert "exists already" in statuses(plan(half_done, crf=20))["a.mp4"]
    assert statuses(plan(half_done, keep_unedited=True))["b.mp4"] == "render"
    assert statuses(plan(half_done, overwrite=True))["a.mp4"] == "render"
    (half_done / "a.mp4").write_bytes(b"another take")
    assert "exists already" in statuses(plan(half_done))["a.mp4"]
    (half_done / "b.mp4").write_bytes(b"another take")
    assert statuses(plan(half_done))["b.mp4"] == "render"


def test_a_changed_direction_of_ones_own_is_not_done(tmp_path):
    direction = tmp_path / "mine.npy"
    np.save(direction, np.ones(512, np.float32))
    touch(tmp_path / "a.mp4")
    (clip,) = plan(tmp_path, edit=f"{direction}=1").clips
    touch(clip.output)
    BatchLedger(tmp_path).record(clip.source, clip.output, clip.job)
    assert statuses(plan(tmp_path, edit=f"{direction}=1"))["a.mp4"] == "done"
    np.save(direction, np.ones((18, 512), np.float32))
    assert "exists already" in statuses(plan(tmp_path, edit=f"{direction}=1"))["a.mp4"]


def test_a_removed_output_is_rendered_again(half_done):
    (half_done / "a_smile.mp4").unlink()
    assert statuses(plan(half_done))["a.mp4"] == "render"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 2}', '{"version": 1, "outputs": 3}'])
def test_a_damaged_record_is_an_empty_one(half_done, text):
    (half_done / ".videdit.json").write_text(text)
    (half_done / "a_smile.mp4").unlink()
    assert set(statuses(plan(half_done)).values()) == {"render"}


@given(
    st.lists(st.sampled_from(["smile", "age=-1", "beard=2"]), min_size=1, max_size=3, unique=True),
    st.sampled_from(["mp4", "avi", "png"]),
)
def test_the_output_lies_beside_the_input_and_differs_from_it(edits, extension):
    source = Path("/somewhere/clip.x") / f"in.{extension}"
    output = output_path(source, RenderJob(input=("x",), edit=",".join(edits)))
    assert output.parent == source.parent
    assert output != source
    assert output.name.startswith("in_")


def test_the_plan_knows_what_media_can_write():
    from videdit.jobs.output_names import CONTAINERS, EXR, IMAGES
    from videdit.media.encode.target import FORMATS
    from videdit.media.stills.write import IMAGE_SUFFIXES

    assert set(FORMATS) == CONTAINERS
    assert {*IMAGE_SUFFIXES, EXR} == IMAGES


@pytest.mark.parametrize("mine", ["thesis.txt", "000001_0_crop.txt", "sub"])
def test_a_folder_of_other_files_is_never_replaced_by_crops(tmp_path, mine):
    touch(tmp_path / "in.mp4")
    crops = tmp_path / "crops" / "out"
    (crops / "sub").mkdir(parents=True) if mine == "sub" else touch(crops / mine)
    words = {"method": "plain", "crops_out": str(tmp_path / "crops"), "output": str(tmp_path / "out.mp4")}
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="holds more than crops"):
            plan(tmp_path / "in.mp4", overwrite=overwrite, **words)
    folder = CropFolder(crops, replace=True)
    folder.write(0, 0, np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(ExistsError):
        folder.keep()
    folder.drop()
    assert [path.name for path in crops.iterdir()] == [mine]


def test_crops_replace_crops(tmp_path):
    touch(tmp_path / "in.mp4", tmp_path / "crops" / "out" / "000001_0_crop.png")
    words = {"method": "plain", "crops_out": str(tmp_path / "crops"), "output": str(tmp_path / "out.mp4")}
    with pytest.raises(UsageError, match="pass --overwrite"):
        plan(tmp_path / "in.mp4", **words)
    assert plan(tmp_path / "in.mp4", overwrite=True, **words).clips[0].status == "render"
