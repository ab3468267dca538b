"""The command line: quick where it can be, one clear line and the right code where it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from videdit.cli import main as cli
from videdit.cli.arguments import render_parser
from videdit.jobs.render_job import RenderJob

ROOT = Path(__file__).resolve().parents[2]


def run(capsys, *words):
    code = cli.run([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, err


def usage(capsys, *words):
    code, out, err = run(capsys, *words)
    assert code == 2
    assert out == ""
    assert err.startswith("videdit: ")
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize("words", [["--help"], ["--list-edits"], ["--version"], ["schema"]])
def test_what_needs_no_network_imports_none(words):
    code = (
        "import sys; sys.argv = ['run_video.py', *sys.argv[1:]]\n"
        "from videdit.cli.main import run\n"
        "try: run(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'av', 'cv2', 'openvino', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_list_edits_shows_every_edit_with_its_ranges(capsys):
    from videdit.edits import catalogue

    code, out, _ = run(capsys, "--list-edits")
    assert code == 0
    assert all(name in out for name in catalogue())


def test_words_are_checked_before_anything_is_opened(capsys, tmp_path):
    clip = tmp_path / "in.mp4"
    clip.write_bytes(b"")
    assert "name an input" in usage(capsys, "--edit", "smile")
    assert "--edit smile" in usage(capsys, clip)
    assert "smile" in usage(capsys, clip, "--edit", "smlie")
    assert "crf" in usage(capsys, clip, "--edit", "smile", "--crf", "99")
    assert "does not exist" in usage(capsys, tmp_path / "no.mp4", "--edit", "smile")
    assert "either inputs or a job file" in usage(capsys, clip, "--config", "x.yaml")


def test_each_mistake_of_a_job_file_is_a_line(capsys, tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text("input: a.mp4\nedit: smile\nsise: 256\ncrf: 99\n")
    first, second = usage(capsys, "--config", path).splitlines()
    assert ":3: unknown setting 'sise'; did you mean 'size'?" in first
    assert ":4: crf" in second


def test_inputs_stand_before_and_after_options(tmp_path):
    options = cli.read(cli.render_parser(), ["a.mp4", "--edit", "smile", "b.mp4", "--crf", "10", "c.mp4"])
    assert options == {"input": ["a.mp4", "b.mp4", "c.mp4"], "edit": ["smile"], "crf": "10"} | {
        name: options[name] for name in options if name not in ("input", "edit", "crf")
    }


def test_an_unknown_option_is_refused(capsys):
    said = usage(capsys, "in.mp4", "--edti", "smile")
    assert "--edti" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["in.mp4", "--edit", "smile", "2"], "--edit smile=2"),
        (["-e", "smile", "1,5", "in.mp4"], "-e smile=1,5"),
        (["in.mp4", "--edit", "smile=1,5"], "smile=1,5: a comma begins the next edit; a part of 1 is smile=1.5"),
        (["in.mp4", "--edit", "age=-1,25,smile"], "age=-1.25"),
        (["in.mp4", "--edit", "smile", "--codec", "h264", "--codec", "av1"], "--codec is given twice"),
        (["in.mp4", "--edit", "smile", "-o", "a.mp4", "--output", "b.mp4"], "--output is given twice"),
        (["in.mp4", "--edit"], "expected one argument"),
        (["in.mp4", "--edit", "smile", "--edit", "smile=2"], "'smile' is given twice"),
        (["faces", "in.mp4", "--size"], "unrecognized arguments: --size"),
        (["in.mp4", "--edit", "smile", "--cache", "in.mp4", "in.txt"], "input in.txt does not exist"),
        (["faces", "in.mp4", "in.mp4"], "unrecognized arguments: in.mp4"),
        (["in.mp4", "--edit", "smile", "--log", "in.mp4"], "a log is text"),
        (["in.mp4", "--edit", "smile", "-o", "o.mp4", "--report", "o.mp4"], "the report o.mp4 would be written over"),
        (["in.mp4", "-e", "smile", "-o", "o.mp4", "--sidecar", "--report", "o.mp4.json"], "written over a clip's own"),
        (["in.mp4", "--edit", "smile", "--preview", "0", "-o", "p.png"], "-o is their folder, as p/"),
        (["faces", "nobody.mp4"], "nobody.mp4 does not exist"),
        (["weights", "fetch", "nosuch"], "no published weights are called 'nosuch'"),
        (["weights", "import", "nosuch.pt"], "there is no file nosuch.pt"),
        (["jobs", "--queue", "nodir/queue.sqlite"], "there is no queue nodir/queue.sqlite"),
        (["in_%d.png", "--edit", "smile"], "no file is named like in_%d.png"),
        (["eval", "inversion", "--faces", "nodir"], "no pictures in nodir"),
        (["weights", "fetch"], "required"),
        (["doctor", "--fast"], "--fast"),
        (["studio", "--memory", "x"], "--memory: 'x' is not an amount of memory"),
        (["faces", "in.mp4", "--sheet", "x.txt"], "x.txt"),
        (["work", "--workers", "4", "--until-empty"], "--workers is of --engine"),
        (["help", "bogus"], "there is no command bogus"),
        (["bench", "models", "--device", "bogus"], "there is no device bogus"),
        (["", "--edit", "smile"], "an empty word"),
        (["in.mp4", "", "--edit", "smile"], "an empty word"),
        (["in.mp4", "--edit", "smile", "-o", ""], "an empty word after -o"),
        (["in.mp4", "--edit", "smile", "--analysis="], "an empty word after --analysis"),
        (["in.mp4", "--edit", "smile", "--edits-dir", ""], "an empty word after --edits-dir"),
        (["faces", ""], "an empty word"),
        (["faces", "in.mp4", "--sheet", ""], "an empty word after --sheet"),
        (["watch", "", "--edit", "smile"], "an empty word"),
        (["jobs", "--queue", ""], "an empty word after --queue"),
        (["weights", "fetch", ""], "an empty word"),
        (["train", "pack", "--shared", "nodir", "--data", "d"], "no pictures in nodir/celebamask_hq_1000/images"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_answered_in_one_line(capsys, tmp_path, monkeypatch, words, answer):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.mp4").touch()
    said = usage(capsys, *words)
    assert answer in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("other", [["--dry-run"], ["--bench"], ["--report", "r.json"]], ids=lambda words: words[0])
def test_a_preview_is_no_render(capsys, tmp_path, monkeypatch, other):
    """Who asks what would be done gets no file."""
    monkeypatch.chdir(tmp_path)
    code, _, said = run(capsys, "in.mp4", "--edit", "smile", "--preview", "3", *other)
    assert (code, said) == (2, f"videdit: {other[0]} is about renders; leave it out, or leave --preview out\n")


@pytest.mark.skipif(os.name == "nt", reason="there a folder that somebody is in cannot be deleted")
@pytest.mark.parametrize("words", [["in.mp4", "--edit", "smile"], ["*.mp4", "--edit", "smile"], ["faces", "in.mp4"]])
def test_a_folder_that_is_deleted_while_one_is_in_it(tmp_path, empty_clip, words):
    gone = tmp_path / "gone"
    gone.mkdir()
    words = [str(empty_clip) if word == "in.mp4" else word for word in words]
    more = ["--sheet", "s.png"] if words[0] == "faces" else ["-o", "o.mp4"]
    code = f"import os; os.rmdir({str(gone)!r})\n"
    code += f"from videdit.cli.main import main\nraise SystemExit(main({words + more}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=gone, capture_output=True, text=True, check=False)
    assert done.returncode in (1, 2)
    assert done.stderr.count("\n") == 1
    assert "unexpected" not in done.stderr


def test_edits_and_job_files_add_up(tmp_path):
    options = cli.read(cli.render_parser(), ["in.mp4", "--edit", "smile", "-e", "age=-1,beard", "--scenes", "1"])
    (job,) = cli.jobs_of({name: options[name] for name in ("input", "edit", "scenes")})
    assert job.edit == "smile,age=-1,beard"
    assert job.scenes == (1,)
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(f"input: {name}.mp4\nedit: smile\n")
    files = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    jobs = cli.jobs_of({"config": files, "input": []})
    assert [job.input for job in jobs] == [(str(tmp_path / "a.mp4"),), (str(tmp_path / "b.mp4"),)]


def test_a_log_tells_what_was_done_and_replaces_only_logs(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.mp4").write_bytes(b"no clip")
    for _ in range(2):
        assert run(capsys, "in.mp4", "--edit", "smile", "--log", "x.log")[0] == 1
    told = (tmp_path / "x.log").read_text()
    assert told.count("told: in.mp4 --edit smile --log x.log") == 1
    assert "failed: in.mp4" in told
    assert "Traceback" in told
    (tmp_path / "notes.txt").write_text("mine")
    assert "notes.txt exists and is no log" in usage(capsys, "in.mp4", "--edit", "smile", "--log", "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_log_that_cannot_be_written_is_said(capsys, tmp_path):
    clip = tmp_path / "in.mp4"
    clip.write_bytes(b"")
    assert "cannot write the log" in usage(capsys, clip, "--edit", "smile", "--log", tmp_path / "no" / "x.log")


def test_a_surprise_is_one_line_unless_debugging(capsys, monkeypatch):
    def surprise():
        raise ZeroDivisionError("of\nall things")

    monkeypatch.setattr("videdit.jobs.job_file.job_schema", surprise)
    code, _, err = run(capsys, "schema")
    assert code == 1
    assert err == "videdit: unexpected ZeroDivisionError: of all things (--debug shows where)\n"
    with pytest.raises(ZeroDivisionError):
        cli.run(["schema", "--debug"])


def test_schema_and_weights(capsys):
    code, out, _ = run(capsys, "schema")
    assert code == 0
    assert json.loads(out)["title"] == "videdit job file"
    code, out, _ = run(capsys, "weights", "verify")
    assert code == 0
    assert "generator_mapping" in out


def test_every_field_of_a_job_is_an_option_and_every_other_option_is_about_the_run():
    flags = {action.dest for action in render_parser()._actions} - {"help", "version"}
    fields = set(RenderJob.model_fields)
    in_files_only = {
        "per_face",
        "smooth_codes",
        "smooth_fine",
    }  # said in job files alone: too long, or too rarely of use
    assert fields - flags == in_files_only
    about_the_run = {"config", "edits_dir", "list_edits", "preview", "draft", "sweep", "dry_run", "bench"}
    about_the_run |= {"progress", "quiet", "verbose", "report", "log", "debug"}
    assert flags - fields == about_the_run


def test_a_file_like_an_option_is_told_how_to_be_written(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-in.mp4").touch()
    assert run(capsys, "-in.mp4", "--edit", "smile") == (
        2,
        "",
        "videdit: -in.mp4 begins like an option; a file of that name is written ./-in.mp4\n",
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full")
@pytest.mark.parametrize("words", [["--list-edits"], ["schema"], ["--help"], ["weights", "list"]], ids=" ".join)
def test_words_that_a_full_disk_swallows_are_a_failure(words):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "videdit", *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full")
def test_a_log_on_a_full_disk_is_said_once_and_ends_nothing(empty_clip, tmp_path):
    words = [str(empty_clip), "--edit", "smile=0", "-o", str(tmp_path / "o.mp4"), "--log", "/dev/full", "--quiet"]
    done = subprocess.run([sys.executable, "-m", "videdit", *words], capture_output=True, text=True, check=False)
    assert done.stderr == "videdit: the log /dev/full ends here: No space left on device\n"
    assert done.returncode == 0
    assert (tmp_path / "o.mp4").is_file()
