"""Engine slurm on a real Slurm: a controller and a node of this machine, for this test alone."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from synthetic import ROOT
from test_engines import SEGMENTS, assert_joined, clip, expected, plan  # noqa: F401

from videdit.cli.main import run
from videdit.farm.engines.base import Ended
from videdit.farm.engines.slurm import SlurmEngine, array
from videdit.farm.shot import render_shot
from videdit.farm.tasks import Piece
from videdit.jobs.shot_plan import PlanError, done_path, missing, read_plan
from videdit.rendering.planned_segments import render_segment

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel")
absent = [name for name in PROGRAMS if shutil.which(name) is None]
pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(absent), reason=f"no Slurm here ({', '.join(absent)}): apt install slurm-wlm munge"),
]

CONFIGURATION = """
ClusterName=videdit
SlurmctldHost=localhost
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
KillWait=2
SchedulerParameters=batch_sched_delay=0,sched_interval=1
NodeName=localhost NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=all Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""


@pytest.fixture(scope="module")
def slurm() -> Iterator[Path]:
    """A cluster of this machine; its folder. Paths of sockets are short ones."""
    folder = Path(subprocess.check_output(["mktemp", "-d", "/tmp/slurm-XXXXXX"], text=True).strip())
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.touch(0o600)
    key.write_bytes(os.urandom(128))
    words = {"folder": folder, "user": getpass.getuser(), "ports": free_ports(2), "cpus": os.cpu_count()}
    (folder / "slurm.conf").write_text(CONFIGURATION.format(**words))
    munge = ["--foreground", "--force", "--num-threads=1", f"--key-file={key}"]
    munge += [f"--{name}-file={folder}/munge.{name}" for name in ("pid", "log", "seed")]
    commands = [
        ["munged", *munge, f"--socket={folder}/munge.socket"],
        ["slurmctld", "-D", "-f", f"{folder}/slurm.conf"],
        ["slurmd", "-D", "-N", "localhost", "-f", f"{folder}/slurm.conf"],
    ]
    daemons = []
    with pytest.MonkeyPatch.context() as patch, (folder / "log").open("ab") as log:
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        try:
            for command in commands:
                daemons.append(subprocess.Popen(command, stdout=log, stderr=log))
                until("no munge", (folder / "munge.socket").exists, 60)
            until(f"no node: {folder}/log", lambda: "idle" in said("sinfo", "--noheader", "--format=%T"), 120)
            yield folder
        finally:
            for daemon in reversed(daemons):
                daemon.terminate()
                daemon.wait()
    shutil.rmtree(folder)


def free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def said(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def until(wrong: str, true, seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, wrong
        time.sleep(0.1)


@pytest.fixture
def engine(slurm, monkeypatch) -> Iterator[SlurmEngine]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("VIDEDIT_COMMAND", f"{sys.executable} -m videdit")
    engine = SlurmEngine()
    yield engine
    engine.close()


def test_an_array_job_renders_and_what_ends_without_a_segment_is_submitted_again(engine, plan, expected, monkeypatch):  # noqa: F811
    """The first try ends at once, as on a node without videdit; elements end one by one, and are told one by one."""
    told: list[Ended] = []

    def tell(ended: Ended, done: int, total: int) -> None:
        told.append(ended)
        monkeypatch.setenv("VIDEDIT_COMMAND", f"{sys.executable} -m videdit")

    monkeypatch.setenv("VIDEDIT_COMMAND", "/nowhere/videdit")
    assert render_shot(plan, engine, tell) == SEGMENTS
    failed = [ended for ended in told if ended.error]
    assert {ended.piece.number for ended in failed} == set(range(SEGMENTS))
    assert all("Slurm's job" in str(ended.error) and "/nowhere/videdit" in str(ended.error) for ended in failed), failed
    assert [ended.error for ended in told].count(None) == SEGMENTS
    assert_joined(plan, expected)


def test_of_a_source_that_is_another_by_now_nothing_is_submitted_again(engine, plan, clip):  # noqa: F811
    """Whoever renders says so in a log of Slurm's; who waits for the segments says it, once."""
    told: list[Ended] = []
    before = clip.read_bytes()
    try:
        with clip.open("ab") as grown:
            grown.write(b"free" + bytes(60))
        with pytest.raises(PlanError, match="in.mp4 has changed since it was planned; plan again"):
            render_shot(plan, engine, lambda ended, *_: told.append(ended))
    finally:
        clip.write_bytes(before)
    numbers = [ended.piece.number for ended in told]
    assert len(numbers) == len(set(numbers))


def test_cancel_ends_the_element_and_leaves_nothing(engine, plan):  # noqa: F811
    for number in (0, 1):
        engine.submit(Piece(plan, number))
    until("nobody renders", lambda: engine.poll(0.1) or list(plan.glob(".work*")), 240)
    engine.cancel(Piece(plan, 0))
    engine.cancel()
    until("Slurm has jobs yet", lambda: not said("squeue", "--noheader").strip(), 60)
    assert engine.poll(0.1) == []
    assert not list(plan.glob(".work*"))


def test_a_controller_that_does_not_answer_loses_nothing(slurm, engine, plan, monkeypatch, tmp_path):  # noqa: F811
    """While a controller starts anew nobody knows what has become of its jobs, and none is taken for lost."""
    command = tmp_path / "ends_without_a_segment"
    command.write_text("#!/bin/sh\nsleep 5\n")
    command.chmod(0o755)
    monkeypatch.setenv("VIDEDIT_COMMAND", str(command))
    engine.submit(Piece(plan, 0))
    deaf = [line for line in (slurm / "slurm.conf").read_text().splitlines() if not line.startswith("SlurmctldPort")]
    deaf += [f"SlurmctldPort={free_ports(1)[0]}", "MessageTimeout=1"]
    (tmp_path / "slurm.conf").write_text("\n".join(deaf) + "\n")
    assert engine.poll(0) == []
    with monkeypatch.context() as patch:
        patch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
        assert engine.poll(0.1) == []
    ended: list[Ended] = []
    until("it has not ended", lambda: ended.extend(engine.poll(1)) or ended, 60)
    assert ended[0].again


def test_the_script_as_a_studio_submits_it(slurm, plan, render, monkeypatch, tmp_path):  # noqa: F811
    for number in range(2, SEGMENTS):
        render_segment(plan, number, render.renderer)
    script = tmp_path / "segment.sbatch"
    assert run(["farm", str(plan), "--engine", "slurm", "--script", str(script)]) == 0
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    wanted = {"VIDEDIT_PLAN": str(plan), "VIDEDIT_COMMAND": f"{sys.executable} -m videdit"}
    words = ["sbatch", "--wait", "--export=ALL", f"--array={array(range(SEGMENTS))}", str(script)]
    done = subprocess.run(words, env=os.environ | wanted, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not missing(plan, read_plan(plan))
    assert all(done_path(plan, number).exists() for number in range(SEGMENTS))
