"""Jobs: what is accepted, and that every mistake is told with its line and a remedy."""

import json
import pickle
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from videdit.errors import UsageError
from videdit.jobs.field_types import parse_bytes, parse_time
from videdit.jobs.job_file import job_schema, load_jobs
from videdit.jobs.render_job import RenderJob
from videdit.rendering.resolved_job import resolve

ROOT = Path(__file__).resolve().parents[2]


def job(**words):
    return RenderJob.model_validate({"input": "in.mp4", "edit": "smile"} | words)


def problem(**words) -> str:
    with pytest.raises(ValidationError) as error:
        job(**words)
    return str(error.value)


@given(st.floats(0, 1e5))
def test_seconds_may_be_written_in_three_ways(seconds):
    seconds = round(seconds, 3)
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    assert parse_time(f"{seconds:.3f}") == seconds
    assert parse_time(f"{int(hours)}:{int(minutes):02}:{rest:.3f}") == pytest.approx(seconds, abs=2e-3)
    assert parse_time(f"{int(hours * 60 + minutes)}:{rest:.3f}") == pytest.approx(seconds, abs=2e-3)


@pytest.mark.parametrize(
    ("words", "amount"),
    [("2G", 2 << 30), ("1.5g", 3 << 29), ("800M", 800 << 20), ("512 MiB", 512 << 20), ("4096", 4096)],
)
def test_memory_may_be_written_with_units(words, amount):
    assert parse_bytes(words) == amount


@pytest.mark.parametrize("words", ["", "two", "-1:00", "1::2", "1:2:3:4"])
def test_a_time_that_is_none_says_how_to_write_one(words):
    assert "write seconds" in problem(start=words)


@pytest.mark.parametrize("field", ["input", "output", "alpha_out", "crops_out", "analysis", "sign", "checkpoint"])
def test_an_empty_path_is_not_the_folder_one_is_in(field):
    assert "should not be empty" in problem(**{field: ""})


def test_no_input_of_several_is_empty():
    assert "should not be empty" in problem(input=["in.mp4", ""])


def test_edits_may_be_words_a_list_or_a_mapping():
    assert job(edit="smile=1.5,age=-1").edit == "smile=1.5,age=-1"
    assert job(edit=["smile=1.5", "age=-1"]).edit == "smile=1.5,age=-1"
    assert job(edit={"smile": 1.5, "age": -1}).edit == "smile=1.5,age=-1"
    assert job(edit={"smile": None}).edit == "smile"


def test_the_words_of_the_command_line_become_numbers():
    assert job(size="512").size == 512
    assert job(batch="4").batch == 4
    assert job(batch="auto").batch is None
    assert job(crf="18").crf == 18


@pytest.mark.parametrize(
    "words",
    [
        {"size": 300},
        {"faces": "some"},
        {"device": "tpu"},
        {"batch": 0},
        {"batch": 257},
        {"crf": 99},
        {"memory": "lots"},
        {"start": 5, "end": 3},
        {"start": float("nan")},
        {"lossless": True, "crf": 20},
        {"edit": ""},
        {"input": []},
        {"edit": "smlie"},
        {"profile": "../secret"},
    ],
)
def test_words_that_make_no_sense_are_refused(words):
    assert problem(**words)


def test_settings_are_what_decides_how_the_output_looks():
    assert job().settings() == job(device="cpu", batch=2, overwrite=True, output="x", memory="2G").settings()
    assert job().settings() != job(crf=20).settings()
    assert job().settings() != job(edit="smile=1").settings()


def write(tmp_path, text) -> Path:
    path = tmp_path / "job.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes(tmp_path, text) -> list[str]:
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as error:
        load_jobs(path)
    return [line.removeprefix(f"{path}:") for line in str(error.value).splitlines()]


def test_a_file_holds_one_job_or_a_list(tmp_path):
    one = load_jobs(write(tmp_path, "input: a.mp4\nedit: smile\n"))
    text = "- {input: a.mp4, edit: smile}\n- {input: [b.mp4, c/], edit: {age: 2}, size: 256}\n"
    two = load_jobs(write(tmp_path, text))
    assert len(one) == 1
    assert len(two) == 2
    assert two[1].input == (str(tmp_path / "b.mp4"), str(tmp_path / "c"))  # from the file's folder, wherever one is
    assert two[1].size == 256


def test_a_direction_of_ones_own_lies_beside_the_job_file(tmp_path):
    np.save(tmp_path / "mine.npy", np.ones(512, np.float32))
    (loaded,) = load_jobs(write(tmp_path, "input: a.mp4\nedit: {./mine.npy: 0.5, smile: 1}\n"))
    assert loaded.edit == f"{tmp_path / 'mine.npy'}=0.5,smile=1"


def test_the_command_line_wins_over_the_file(tmp_path):
    (loaded,) = load_jobs(write(tmp_path, "input: a.mp4\nedit: smile\ncrf: 30\n"), {"crf": "18"})
    assert loaded.crf == 18


def test_every_mistake_names_its_line_and_the_nearest_key(tmp_path):
    found = mistakes(
        tmp_path,
        "# jobs\n"
        "- input: a.mp4\n"
        "  edit: smile\n"
        "  crff: 18\n"
        "- input: b.mp4\n"
        "  edit:\n"
        "    smlie: 1\n"
        "  size: 300\n"
        "- edit: age\n"
        "- just words\n",
    )
    assert [int(line.split(":")[0]) for line in found] == [4, 6, 8, 9, 10]
    assert "unknown setting 'crff'; did you mean 'crf'?" in found[0]
    assert "smile" in found[1]
    assert "size" in found[2]
    assert "300" in found[2]
    assert "'input' is missing" in found[3]
    assert "mapping" in found[4]


def test_a_key_given_twice_is_a_mistake(tmp_path):
    assert mistakes(tmp_path, "input: a.mp4\nedit: smile\nedit: age\n") == ["3: 'edit' is given twice"]


@pytest.mark.parametrize("text", ["", "[]", "# nothing\n"])
def test_an_empty_file_says_what_a_job_needs(tmp_path, text):
    (line,) = mistakes(tmp_path, text)
    assert "holds no job" in line


def test_broken_yaml_names_the_line(tmp_path):
    (line,) = mistakes(tmp_path, "input: a.mp4\nedit: [smile\nsize: 256\n")
    assert line.startswith("3: not valid YAML")


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        load_jobs(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00input")
    with pytest.raises(UsageError, match="UTF-8"):
        load_jobs(tmp_path / "binary.yaml")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_yaml_is_a_job_or_a_usage_error(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("any") / "job.yaml"
    path.write_text(yaml.safe_dump(value), encoding="utf-8")
    with pytest.raises(UsageError):  # none of these values has both an input and an edit
        load_jobs(path)


def test_the_shipped_schema_is_the_models_own():
    assert (ROOT / "configs" / "job.schema.json").read_text(encoding="utf-8") == job_schema()


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "jobs").glob("*.yaml")), ids=lambda path: path.name)
def test_the_example_jobs_load_and_pass_the_schema(path):
    assert load_jobs(path)
    jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), json.loads(job_schema()))


def test_the_schema_refuses_what_the_model_refuses():
    schema = json.loads(job_schema())
    for bad in (
        {"input": "a", "edit": "smile", "crff": 1},
        {"input": "a"},
        {"input": "a", "edit": "smile", "size": 300},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, schema)


@pytest.mark.parametrize(
    ("words", "consulted"),
    [
        ({"edit": "smile"}, False),
        ({"edit": "smile", "consultation": "always"}, True),
        ({"edit": "age"}, True),
        ({"edit": "age", "consultation": "never"}, False),
        ({"edit": "smile,age"}, True),
        ({"edit": "beard"}, False),
        ({"edit": "beard=-1"}, True),
        ({"edit": "beard=1@0s,-.5@1s"}, True),
        ({"edit": "smile", "per_face": {"left": "age"}}, True),
        ({"edit": "smile", "method": "plain"}, True),
        ({"edit": "smile", "profile": "hfgi-ffhq"}, True),
        ({"edit": "age", "profile": "hfgi-ffhq", "consultation": "never"}, False),
    ],
)
def test_edits_are_consulted_where_one_of_them_looks_better_for_it(words, consulted):
    assert resolve(job(**{"method": "hfgi"} | words)).consulted is consulted


def test_edits_are_parsed_once_and_fields_stay_plain_words(monkeypatch):
    from videdit.edits import parse

    parsed: list[str] = []
    monkeypatch.setattr("videdit.edits.parse_edits", lambda words: parsed.append(words) or parse.parse_edits(words))
    job = RenderJob.model_validate(
        {"input": "a.mp4", "edit": {"smile": 1.5}, "per_face": {"left": "age=20", 2: "smile"}}
    )
    assert parsed == ["smile=1.5", "age=20", "smile"]
    assert [(edit.name, edit.strength, edit.info.name) for edit in job.edits] == [("smile", 1.5, "smile")]
    assert {face: edits[0].name for face, edits in job.edits_of_faces.items()} == {"left": "age", "2": "smile"}
    assert [edit.name for edit in job.all_edits] == ["smile", "age", "smile"]
    assert len(parsed) == 3
    assert {type(job.edit), *map(type, job.per_face.values())} == {str}
    assert job == RenderJob.model_validate(job.model_dump()) == pickle.loads(pickle.dumps(job))
    assert RenderJob.model_validate_json(job.model_dump_json()).edits == job.edits
    assert set(job.model_dump()) == set(RenderJob.model_fields)


def test_a_copy_with_other_edits_means_these():
    job = RenderJob.model_validate({"input": "a.mp4", "edit": "smile", "per_face": {"left": "age=20"}})
    assert job.model_copy(update={"crf": 3}).edits is job.edits
    other = job.model_copy(update={"edit": "age=10"})
    assert [edit.name for edit in other.edits] == ["age"]
    assert [edit.name for edit in other.all_edits] == ["age", "age"]
    assert job.model_copy(update={"per_face": {}}).all_edits == list(job.edits)
    assert [edit.name for edit in job.edits] == ["smile"]
