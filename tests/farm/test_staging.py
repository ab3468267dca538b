"""Files elsewhere: whole copies or none, fetched on from where an earlier try stopped, and read back when sent."""

from __future__ import annotations

import json
import os

import pytest

from videdit.errors import MediaError, UsageError
from videdit.farm import staging
from videdit.storage.locks import lock

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")


@pytest.fixture
def memory():
    """A file system that is elsewhere, as far as anyone can tell."""
    fs = fsspec.filesystem("memory")
    yield fs
    fs.rm("/", recursive=True)


def test_what_is_fetched_and_sent_is_the_same(memory, tmp_path):
    memory.pipe("/in/a.mp4", b"0123456789" * 1000)
    file = staging.fetch("memory://in/a.mp4", tmp_path)
    assert file.name == "a.mp4"
    assert file.read_bytes() == b"0123456789" * 1000
    digest = staging.send(file, "memory://out/b.mp4")
    assert memory.cat("/out/b.mp4") == file.read_bytes()
    assert len(digest) == 64
    assert staging.exists("memory://out/b.mp4")
    assert not staging.exists("memory://out/c.mp4")
    assert staging.found("memory://in/*.mp4") == ["memory:///in/a.mp4"]


def test_fetching_goes_on_where_it_stopped_and_not_in_another_file(memory, tmp_path):
    memory.pipe("/in/a.mp4", b"abcdefghij")
    file = staging.fetch("memory://in/a.mp4", tmp_path)
    file.unlink()
    (tmp_path / ".a.mp4.part").write_bytes(b"ABCDE")  # capitals show that these bytes were not brought again
    assert staging.fetch("memory://in/a.mp4", tmp_path).read_bytes() == b"ABCDEfghij"
    file.unlink()
    (tmp_path / ".a.mp4.part").write_bytes(b"ABCDE")
    memory.pipe("/in/a.mp4", b"0123456789!")  # of which these five bytes are none
    assert staging.fetch("memory://in/a.mp4", tmp_path).read_bytes() == b"0123456789!"
    memory.pipe("/in/a.mp4", b"another")
    assert staging.fetch("memory://in/a.mp4", tmp_path).read_bytes() == b"another"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.mp4.staged", "a.mp4"]


def test_what_is_there_is_not_brought_again(memory, tmp_path, monkeypatch):
    memory.pipe("/in/a.mp4", b"abc")
    staging.fetch("memory://in/a.mp4", tmp_path)
    monkeypatch.setattr(type(memory), "open", lambda *_, **__: pytest.fail("it is there"))
    staging.fetch("memory://in/a.mp4", tmp_path)


def test_a_file_that_grows_while_it_is_fetched_is_refused(memory, tmp_path, monkeypatch):
    memory.pipe("/in/a.mp4", b"abc")
    real = staging._state

    def grows(fs, path):
        state = real(fs, path)
        fs.pipe(path, b"abcdef")
        return state

    monkeypatch.setattr(staging, "_state", grows)
    with pytest.raises(MediaError, match="has changed while it was fetched"):
        staging.fetch("memory://in/a.mp4", tmp_path)
    assert not (tmp_path / "a.mp4").exists()


def test_what_arrives_damaged_is_found_out(memory, tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"right")
    monkeypatch.setattr(type(memory), "put_file", lambda fs, local, path, **_: fs.pipe(path, b"wrong"))
    with pytest.raises(MediaError, match="is not what was sent"):
        staging.send(tmp_path / "a", "memory://out/a")


def test_what_cannot_be_reached_is_said_in_one_line(memory, tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        staging.fetch("memory://nowhere/a.mp4", tmp_path)
    with pytest.raises(UsageError, match="cannot be reached"):
        staging.fetch("nonsense://a.mp4", tmp_path)
    memory.makedirs("/folder")
    with pytest.raises(MediaError, match="it is a folder"):
        staging.fetch("memory://folder", tmp_path)
    with pytest.raises(UsageError, match="no file matches"):
        staging.found("memory://folder/*.mov")
    assert not staging.is_remote("C:\\clips\\in.mp4")
    assert not staging.is_remote("clips/in.mp4")


def test_two_do_not_fetch_into_one_file(memory, tmp_path):
    memory.pipe("/in/a.mp4", b"0123456789")
    with (tmp_path / ".a.mp4.part").open("ab") as other:
        lock(other)
        with pytest.raises(MediaError, match="another run fetches"):
            staging.fetch("memory://in/a.mp4", tmp_path)
    assert staging.fetch("memory://in/a.mp4", tmp_path).read_bytes() == b"0123456789"


def test_what_has_come_to_be_there_is_not_replaced(memory, tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"ours")
    memory.pipe("/out/a", b"another's")
    with pytest.raises(UsageError, match="has come to be there"):
        staging.send(tmp_path / "a", "memory://out/a", replace=False)
    assert memory.cat("/out/a") == b"another's"
    staging.send(tmp_path / "a", "memory://out/a", replace=True)
    monkeypatch.setattr(type(memory), "put_file", lambda *_, **__: pytest.fail("it is there"))
    staging.send(tmp_path / "a", "memory://out/a", replace=False)  # a try that was cut off after it was sent


def test_what_nobody_goes_on_with_is_swept_away(tmp_path):
    for name in ("old", "new", "whole"):
        (tmp_path / name / "in").mkdir(parents=True)
        (tmp_path / name / "in" / ("a.mp4" if name == "whole" else ".a.mp4.part")).touch()
    os.utime(tmp_path / "old" / "in" / ".a.mp4.part", (1, 1))
    staging.sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "whole"]


def breaking(real, reads: list[int], at: int):
    """A file's read, which notes where it reads, and whose connection breaks once."""

    def read(file, size: int = -1) -> bytes:
        reads.append(file.tell())
        if len(reads) == at:
            raise ConnectionResetError(104, "connection reset by peer")
        return real(file, size)

    return read


def test_submit_that_is_cut_off_goes_on_and_is_not_doubled(memory, empty_clip, tmp_path, monkeypatch, capsys):
    """The connection breaks in the middle of the copy; the same command fetches the rest, and no byte twice."""
    from fsspec.implementations.memory import MemoryFile

    from videdit.cli.main import run

    monkeypatch.setenv("VIDEDIT_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(staging, "_CHUNK", 1000)
    memory.pipe("/in/a.mp4", empty_clip.read_bytes())
    reads: list[int] = []
    monkeypatch.setattr(MemoryFile, "read", breaking(MemoryFile.read, reads, at=3))
    words = ["submit", "memory://in/a.mp4", "--edit", "smile", "-o", "memory://out/a.mp4"]
    assert run(words) == 1
    assert "cannot reach memory://in/a.mp4: connection reset" in capsys.readouterr().err
    assert run([*words, "--json"]) == 0
    assert reads[:4] == [0, 1000, 2000, 2000]
    (job,) = json.loads(capsys.readouterr().out)["jobs"]
    (copy,) = (tmp_path / "state" / "staging").glob("*/in/a.mp4")
    assert copy.read_bytes() == empty_clip.read_bytes()
    assert run(words) == 2
    assert f"job {job['id']} renders this file to this output already" in capsys.readouterr().err
    assert copy.exists()
    assert run(["jobs", "cancel", str(job["id"])]) == 0
    assert list((tmp_path / "state" / "staging").iterdir()) == []


@pytest.mark.extra("farm-test")
def test_a_job_whose_files_lie_in_a_bucket(face_clip, tmp_path, monkeypatch, capsys):
    """s3:// in, s3:// out, with a server of this machine: fetched when it is submitted, sent when it is done."""
    import s3fs
    from moto import server as server_module

    from videdit.cli.main import run
    from videdit.farm import admin
    from videdit.farm.queue import Queue
    from videdit.farm.worker import Worker

    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "VIDEDIT_STATE": str(tmp_path / "state"),
        }.items():
            monkeypatch.setenv(name, value)
        bucket = fsspec.filesystem("s3", skip_instance_cache=True)
        bucket.mkdir("studio")
        bucket.put_file(str(face_clip), "studio/in/person.mp4")
        words = ["s3://studio/in/*.mp4", "--edit", "smile", "--size", "256", "--end", "0.1", "-o", "s3://studio/out/"]
        with monkeypatch.context() as patch:  # the connection breaks in the middle
            reads: list[int] = []
            patch.setattr(staging, "_CHUNK", 4096)
            patch.setattr(s3fs.S3File, "read", breaking(s3fs.S3File.read, reads, at=2))
            assert run(["submit", *words]) == 1
            (part,) = (tmp_path / "state" / "staging").glob("*/in/.person.mp4.part")
            assert part.stat().st_size == 4096
            assert run(["submit", *words, "--json"]) == 0
            assert reads[:3] == [0, 4096, 4096]
        capsys.readouterr()
        assert run(["jobs", "--json"]) == 0
        (job,) = json.loads(capsys.readouterr().out)
        assert job["upload"] == "s3://studio/out/person_smile.mp4"
        assert len(list((tmp_path / "state" / "staging").iterdir())) == 1
        with Queue(tmp_path / "state" / "queue.sqlite") as queue:
            outcomes = list(Worker(queue).work(until_empty=True))
            assert [outcome.state for outcome in outcomes] == ["done", "done"]
            result = admin.job(queue, job["id"])["result"]
        assert result["output"] == job["upload"]
        bucket.invalidate_cache()
        assert bucket.info("studio/out/person_smile.mp4")["size"] > 1000
        back = staging.fetch(job["upload"], tmp_path)
        assert result["sha256"] == staging.sha256(back)
        assert list((tmp_path / "state" / "staging").iterdir()) == []
        assert run(["submit", *words]) == UsageError.exit_code  # it is there
        assert list((tmp_path / "state" / "staging").iterdir()) == []
    finally:
        server.stop()
