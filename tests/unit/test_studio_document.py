"""What a page edits is a job in other words, and nothing of it is lost on the way to the file and the command line."""

from __future__ import annotations

import shlex

import pytest

from videdit.argument_parser import read
from videdit.cli.arguments import render_parser
from videdit.cli.main import jobs_of
from videdit.edits.catalogue import catalogue
from videdit.errors import UsageError
from videdit.jobs.job_file import load_jobs
from videdit.jobs.render_job import RenderJob

pytest.importorskip("starlette")

from videdit.studio.document import (  # noqa: E402
    SETTINGS,
    catalogue_for_pages,
    document_of,
    number,
    page_document,
)
from videdit.studio.projects import command, project_text  # noqa: E402

KEYS = [
    {"time": 0.0, "strength": 0.0, "easing": "ease-in-out"},
    {"time": 1234.567, "strength": 1.25, "easing": "linear"},
    {"time": 4000.033333, "strength": -0.5, "easing": "hold"},
]
DOCUMENT = {
    "targets": [
        {"who": "largest", "edits": {"smile": {"strength": 1.5}, "age": {"keys": KEYS}}},
        {"who": "2", "edits": {"lipstick": {"strength": 0.5}}},
    ],
    "settings": {"start": 1.0, "end": 2.5, "codec": "hevc", "crf": 20, "sidecar": True, "cache": False},
}


def test_a_document_becomes_a_job_and_comes_back(tmp_path):
    job = document_of(DOCUMENT).job(tmp_path / "in.mp4")
    assert job.faces == "largest"
    assert job.edit == "smile=1.5,age=0@0s:ease-in-out,1.25@1234.567s,-0.5@4000.033333s:hold"
    assert dict(job.per_face) == {"2": "lipstick=0.5"}
    assert job.end == 2.5
    assert document_of(page_document(job)) == document_of(DOCUMENT)


def test_it_is_the_file_that_config_takes(tmp_path):
    source = tmp_path / "Ünter (1) & co.mp4"
    source.touch()
    job = document_of(DOCUMENT).job(source)
    file = tmp_path / "job.yaml"
    file.write_text(project_text(job, source), encoding="utf-8")
    (read_back,) = load_jobs(file)
    assert read_back == job


@pytest.mark.parametrize("targets", [DOCUMENT["targets"][:1], [{"who": "2", "edits": {"yaw": {"strength": -8}}}], []])
def test_the_command_line_means_the_same_job(tmp_path, targets):
    source = tmp_path / "a file's name.mp4"
    job = document_of(DOCUMENT | {"targets": targets}).job(source)
    words = shlex.split(command(job, source))
    assert words[0] == "videdit"
    options = read(render_parser(), words[1:])
    options.pop("progress")
    assert jobs_of(options) == [job]


def test_edits_for_several_are_left_to_the_file(tmp_path):
    source = tmp_path / "in.mp4"
    assert command(document_of(DOCUMENT).job(source), source) == f"videdit --config {source}.videdit.yaml"


def test_a_page_without_edits_is_a_job_that_does_nothing(tmp_path):
    document = document_of({"targets": [{"who": "largest", "edits": {}}]})
    assert document.rests
    assert document_of(page_document(document.job(tmp_path / "in.mp4"))).targets == ()
    assert not document_of(DOCUMENT).rests


def test_sliders_come_from_the_catalogue():
    shown = {info["name"]: info for info in catalogue_for_pages()}
    assert shown.keys() == catalogue().keys()
    for name, info in catalogue().items():
        assert shown[name]["range"] == info.range
        assert shown[name]["experimental"] == info.experimental


@pytest.mark.parametrize(
    "words",
    [
        {"targets": [{"who": "../x.png", "edits": {"smile": {"strength": 1}}}]},
        {"targets": [{"who": "largest", "edits": {"smile": {"strength": 1e9}}}]},
        {"targets": [{"who": "largest", "edits": {"smile": {"strength": float("nan")}}}]},
        {"targets": [{"who": "largest", "edits": {"/etc/passwd.npy": {"strength": 1}}}]},
        {"targets": [{"who": "largest", "edits": {"smile=1,age": {"strength": 1}}}]},
        {"targets": [{"who": "largest", "edits": {"smile": {"strength": 1, "keys": KEYS}}}]},
        {"targets": [{"who": "largest", "edits": {"smile": {"keys": [KEYS[0] | {"easing": "0,age=3"}]}}}]},
        {"targets": [{"who": "largest", "edits": {"smile": {"keys": [KEYS[0] | {"time": -1}]}}}]},
        {"targets": [{"who": "largest", "edits": {"smile": {"keys": [KEYS[1], KEYS[0]]}}}]},
        {"targets": [{"who": "0", "edits": {"smile": {"strength": 1}}}] * 2},
        {"settings": {"end": 1.0, "start": 2.0}},
        {"settings": {"unknown": 1}},
        {"other": 1},
        [],
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(tmp_path, words):
    with pytest.raises(UsageError) as caught:
        document_of(words).job(tmp_path / "in.mp4")
    assert "\n" not in str(caught.value)


def test_no_setting_of_a_page_names_a_file(tmp_path):
    """Whatever fields a job gets: one whose value is a file or a folder is none of a page's settings."""
    files = {"INPUT", "OUT", "DIR", "FILE", "CERTS", "KEY"}
    naming = {
        name
        for name, field in RenderJob.model_fields.items()
        if any(getattr(option, "value", None) in files for option in field.metadata)
    }
    assert {"input", "output", "crops_out", "checkpoint", "analysis", "sign"} <= naming
    for name in naming | {"faces", "edit", "per_face"}:
        assert name not in SETTINGS, name
        with pytest.raises(UsageError, match="may not set"):
            document_of({"settings": {name: "/etc/passwd"}}).job(tmp_path / "in.mp4")
    for settings in ({"restore": "gfpgan:/etc/passwd"}, {"detector": "insightface:x"}, {"batch": 10**9}):
        with pytest.raises(UsageError, match="may"):
            document_of({"settings": settings}).job(tmp_path / "in.mp4")


def test_the_outputs_name_and_the_matte_are_kept(tmp_path):
    source = tmp_path / "in.mp4"
    source.touch()
    document = document_of(DOCUMENT | {"name": "out.mp4", "matte": True})
    job = document.job(source)
    assert (job.output, job.alpha_out) == (str(tmp_path / "out.mp4"), str(tmp_path / "out_matte.mp4"))
    assert document_of(DOCUMENT | {"name": "out"}).job(source).output == str(tmp_path / "out.mp4"), "no folder"
    assert document_of(page_document(job)) == document
    file = tmp_path / "job.yaml"
    file.write_text(project_text(job, source), encoding="utf-8")
    (read_back,) = load_jobs(file)
    assert read_back == job
    with pytest.raises(UsageError, match="not beside"):
        page_document(job.model_copy(update={"output": "/elsewhere/out.mp4"}))
    with pytest.raises(UsageError, match="matte"):
        page_document(job.model_copy(update={"alpha_out": str(tmp_path / "mine.mp4")}))


def test_numbers_are_written_in_full():
    assert [number(value) for value in (1.5, -20.0, 0.1 + 0.2, -0.0, 1e-9, 1234567.25)] == [
        "1.5",
        "-20",
        "0.3",
        "0",
        "0",
        "1234567.25",
    ]
