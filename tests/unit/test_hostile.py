"""Job files, templates and folders made to do harm: refused in one line, and nothing of the user's is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from videdit.cli.main import fail
from videdit.errors import UsageError
from videdit.jobs.job_file import load_jobs
from videdit.jobs.plan import make_plan
from videdit.jobs.render_job import RenderJob
from videdit.jobs.segment_store import SegmentStore


def refused_job(tmp_path: Path, text: str) -> str:
    path = tmp_path / "job.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_jobs(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < 500
    return message


@pytest.mark.timeout(20)
def test_a_file_that_grows_by_aliases_is_refused(tmp_path):
    laughs = ["a0: &a0 [smile, smile, smile, smile, smile, smile, smile, smile, smile]"]
    laughs += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert "aliases" in refused_job(tmp_path, "\n".join([*laughs, "input: a.mp4", "edit: *a11"]))
    assert "aliases" in refused_job(tmp_path, "input: a.mp4\nedit: &a [*a]\n")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("input: " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("input: a.mp4\nedit: smile\n#" + "x" * (1 << 20), "too large"),
        ("input: !!python/object/apply:os.system ['touch harm']\nedit: smile", "not valid YAML"),
        ("input: a.mp4\nedit: smile\ncrf: " + "1" * 5000, ":3: not valid YAML: a number is too long"),
        ("input: a.mp4\nedit: smile\ncrf: 022", ":3: not valid YAML: 022 would be read as octal"),
        ("input: !!python/name:os.system\nedit: smile", "not valid YAML"),
    ],
)
def test_hostile_yaml(tmp_path, monkeypatch, text, match):
    monkeypatch.chdir(tmp_path)
    assert match in refused_job(tmp_path, text)
    assert [path.name for path in tmp_path.iterdir()] == ["job.yaml"]


@pytest.mark.timeout(20)
@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no file without an end")
def test_a_job_file_without_an_end():
    with pytest.raises(UsageError, match="too large"):
        load_jobs(Path("/dev/zero"))


def test_links_that_lead_in_a_circle(tmp_path):
    """As an input nothing; as an output something that is there, which --overwrite replaces."""
    (tmp_path / "a.mp4").write_bytes(b"not opened")
    (tmp_path / "round.mp4").symlink_to("trip.mp4")
    (tmp_path / "trip.mp4").symlink_to("round.mp4")
    words = {"edit": "smile", "output": str(tmp_path / "round.mp4"), "alpha_out": str(tmp_path / "matte.mkv")}
    with pytest.raises(UsageError, match="does not exist"):
        make_plan([RenderJob(input=str(tmp_path / "trip.mp4"), edit="smile")])
    with pytest.raises(UsageError, match="exists already; pass --overwrite"):
        make_plan([RenderJob(input=str(tmp_path / "a.mp4"), **words)])
    assert make_plan([RenderJob(input=str(tmp_path / "a.mp4"), overwrite=True, **words)]).clips[0].status == "render"


@pytest.mark.parametrize(
    "template",
    [
        "{stem.__class__}.mp4",
        "{stem!r}.mp4",
        "{stem:>999999999}.mp4",
        "{stem[0]}.mp4",
        "{0}.mp4",
        "{nope}.mp4",
        "{stem",
    ],
)
def test_templates_have_plain_fields_only(tmp_path, template):
    (tmp_path / "a.mp4").touch()
    with pytest.raises(UsageError, match="may use only"):
        make_plan([RenderJob(input=str(tmp_path / "a.mp4"), edit="smile", output=str(tmp_path / template))])


def test_a_template_does_not_climb_out(tmp_path):
    (tmp_path / "a.mp4").touch()
    job = RenderJob(input=str(tmp_path / "a.mp4"), edit="smile", output=str(tmp_path / "{stem}/../../../x{ext}"))
    with pytest.raises(UsageError, match="may not go up"):
        make_plan([job])


def test_the_folder_of_unfinished_work_is_no_trap(tmp_path):
    """A link in its place would make us delete what it points to; files of others in it stay."""
    (tmp_path / "a.mp4").write_bytes(b"not opened")
    job = RenderJob(input=str(tmp_path / "a.mp4"), edit="smile")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "000000.segment").touch()
    (tmp_path / ".out.mp4.unfinished").symlink_to(tmp_path / "mine")
    with pytest.raises(UsageError, match="is a link"), SegmentStore(tmp_path / "out.mp4", tmp_path / "a.mp4", job):
        pass
    assert (tmp_path / "mine" / "000000.segment").exists()
    (tmp_path / ".other.mp4.unfinished").mkdir()
    (tmp_path / ".other.mp4.unfinished" / "thesis.txt").touch()
    (tmp_path / ".other.mp4.unfinished" / "000000.segment").write_bytes(b"rubbish")
    with SegmentStore(tmp_path / "other.mp4", tmp_path / "a.mp4", job) as work:
        assert work.segments == []
    assert [path.name for path in (tmp_path / ".other.mp4.unfinished").iterdir()] == ["thesis.txt"]


def test_words_of_others_do_not_steer_the_terminal(capsys):
    assert fail("no such file: \x1b]0;gotcha\x07\x1b[2J.mp4", 1) == 1
    assert capsys.readouterr().err == "videdit: no such file: ?]0;gotcha??[2J.mp4\n"
