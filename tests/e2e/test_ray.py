"""Engine ray on a cluster of two nodes: what dies, alone or with its node, is rendered by others, once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from synthetic import ROOT
from test_engines import (  # noqa: F401
    SEGMENTS,
    assert_jobs_are_done_by_the_engine,
    assert_joined,
    clip,
    expected,
    plan,
)

from videdit.farm.engines.base import Ended
from videdit.farm.engines.ray import RayEngine
from videdit.farm.shot import render_shot
from videdit.farm.tasks import Piece
from videdit.jobs.shot_plan import done_path
from videdit.rendering.planned_segments import render_segment
from videdit.threads import cores

pytestmark = [
    pytest.mark.extra("farm"),
    pytest.mark.timeout(1800),  # of a machine that has much else to do
]

ray = pytest.importorskip("ray", reason='Ray is not installed: pip install "videdit[farm]"')


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one core each, on this machine."""
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    small = {"num_cpus": 1, "object_store_memory": 80 << 20}
    cluster = cluster_utils.Cluster()
    started(cluster, include_dashboard=False, **small)
    started(cluster, **small)
    ray.init(address=cluster.address, log_to_driver=False, configure_logging=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def started(cluster, **how):
    """A new node of a cluster. Ray gives it half a minute, which may not do where much else runs: then once more."""
    for last in (False, False, True):
        try:
            return cluster.add_node(**how)
        except Exception:
            if last:
                raise


@pytest.fixture
def engine(cluster, monkeypatch):
    engine = RayEngine(workers=2)
    yield engine
    engine.close()


def at_work(folder: Path) -> list[int]:
    """The processes that render segments of a plan."""
    return [int(work.name.split("-")[-2]) for work in folder.glob(".work-*")]


def until(said: str, true, seconds: float = 900) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, said
        time.sleep(0.01)


def test_a_worker_is_killed_and_then_a_node(cluster, engine, plan, expected):  # noqa: F811
    told: list[Ended] = []
    for number in (0, 1):
        engine.submit(Piece(plan, number))
    # Actors start when they are polled for.
    until("nobody renders", lambda: engine.poll(0.05) or at_work(plan))
    victim = at_work(plan)
    if victim:
        os.kill(victim[0], signal.SIGKILL)
        ended: list[Ended] = []
        until("nothing has ended", lambda: ended.extend(engine.poll(0.5)) or any(end.error for end in ended))
        lost = next(end for end in ended if end.error)
        assert lost.again
        assert "was lost" in str(lost.error)
    engine.cancel()
    node = started(cluster, num_cpus=1, object_store_memory=80 << 20) if len(cluster.list_all_nodes()) < 2 else None
    node = node or next(n for n in cluster.list_all_nodes() if n is not cluster.head_node)

    def tell(end: Ended, done: int, total: int) -> None:
        told.append(end)
        if len(told) == 1:
            cluster.remove_node(node, allow_graceful=False)

    render_shot(plan, engine, tell)
    done = [end.piece.number for end in told if end.error is None]
    assert sorted(done) == sorted(set(done))
    assert all(done_path(plan, number).exists() for number in range(SEGMENTS))
    assert_joined(plan, expected)


def test_an_actor_that_raises_and_cancel(cluster, engine, plan):  # noqa: F811
    engine.submit(Piece(plan.with_name("gone.plan"), 0))
    ended: list[Ended] = []
    until("nothing has ended", lambda: ended.extend(engine.poll(0.5)) or ended)
    assert "is no plan" in str(ended[0].error)
    assert not ended[0].again
    last = SEGMENTS - 1  # whose networks take their time
    engine.submit(Piece(plan, last))
    until("nobody renders", lambda: engine.poll(0.05) or at_work(plan))
    pids = at_work(plan)
    engine.cancel()
    assert not at_work(plan), "nothing is left of it when cancel returns"
    assert not done_path(plan, last).exists() or not pids
    assert engine.poll(0.1) == []
    assert all(map(_alive, pids)), "its networks stay loaded"
    engine.submit(Piece(plan, 1))
    until("nobody renders", lambda: engine.poll(0.05) or at_work(plan))
    assert set(at_work(plan)) <= set(pids) or not pids


def test_whole_jobs_are_done_by_actors(cluster, clip, expected, tmp_path):  # noqa: F811
    """The worker looks at nothing and loads nothing; frames are those of this process."""
    assert_jobs_are_done_by_the_engine(RayEngine(), clip, tmp_path, expected)


def _alive(pid: int) -> bool:
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_a_cluster_of_its_own_in_a_program_that_has_imported_ray():
    """It is as small as it may be, and all of it ends with the engine."""
    program = "\n".join(
        (
            "import psutil, ray",
            "from videdit.farm.engines.ray import RayEngine",
            "engine = RayEngine()",
            "print('cores', ray.cluster_resources()['CPU'])",
            "processes = psutil.Process().children(recursive=True)",
            "print(*(' '.join(process.cmdline()) for process in processes), sep='\\n')",
            "engine.close()",
            "print('alive', len(psutil.wait_procs(processes, 10)[1]))",
        )
    )
    done = subprocess.run([sys.executable, "-c", program], env=_alone(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"cores {float(cores())}\n" in done.stdout, "its one actor takes the whole machine"
    assert "raylet" in done.stdout
    assert "monitor.py" not in done.stdout
    assert done.stdout.endswith("alive 0\n")


def _alone() -> dict[str, str]:
    """The environment of a program that knows of no cluster."""
    return {name: word for name, word in os.environ.items() if not name.startswith("RAY_")} | {"PYTHONPATH": str(ROOT)}


def test_a_cluster_of_its_own_where_another_runs(cluster, plan, render):  # noqa: F811
    """Without --address nothing is asked of a cluster that runs, whoever has started it."""
    for number in range(1, SEGMENTS):
        render_segment(plan, number, render.renderer)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "RAY_ADDRESS": cluster.address}
    words = [sys.executable, "-m", "videdit", "farm", str(plan), "--engine", "ray", "--no-join", "--json"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["error"] is None
    assert not done.stderr, "Ray has words of its own"
