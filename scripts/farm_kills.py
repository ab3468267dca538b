"""Kill workers, their processes, actors and whole nodes at random moments, and count what is lost or done twice.

Each run is a job of its own: a clip of two seconds in three segments, of which the last frames are edited, so that all
happens that happens in a render and little of it takes long. Once in a run something is killed (SIGKILL):

    worker    the one process of `videdit work`
    process   the process of engine `local` that renders; the worker lives on
    machine   the worker and all its processes at once
    actor     the Ray actor that renders
    node      the Ray node on which it renders, with all that runs there; another node is started

Then another worker goes on, if the killed one was all there was. The output has to hold the packets of an undisturbed
run, no task may be told done twice, the command of --on-done has to have run once, and nothing may be left behind.

    python scripts/farm_kills.py --runs 50 --seed 1 --log kills.jsonl examples/portrait.mp4
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import av
import psutil

from videdit.farm import admin
from videdit.farm.queue import Queue

LEASE = 3.0
LONGEST = 600.0  # seconds that a job may take on a machine that does much else
COMMAND = [sys.executable, "-m", "videdit"]
KINDS = {"worker": 16, "process": 10, "machine": 10, "actor": 7, "node": 7}  # how often of fifty
ENGINES = {"worker": None, "process": "local", "machine": "local", "actor": "ray", "node": "ray"}


def shrunk(source: Path, target: Path, width: int = 426) -> Path:
    """The first two seconds of a clip, made small: what is killed need not be large."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        picture = old.streams.video[0]
        stream = new.add_stream("libx264", rate=picture.average_rate)
        stream.width, stream.height = width, round(width * picture.height / picture.width / 2) * 2
        for frame in old.decode(picture):
            if frame.time >= 2:
                break
            small = frame.reformat(stream.width, stream.height, "yuv420p")
            small.pts, small.time_base = frame.pts, frame.time_base
            new.mux(stream.encode(small))
        new.mux(stream.encode(None))
    return target


def packets(file: Path) -> str:
    """A hash of the packets of a file, with their times."""
    digest = hashlib.sha256()
    with av.open(str(file)) as container:
        for packet in container.demux():
            if packet.size:
                digest.update(f"{packet.stream_index} {packet.pts} {packet.dts} {packet.duration}".encode())
                digest.update(bytes(packet))
    return digest.hexdigest()


class Run:
    """One job in a folder and a queue of its own."""

    def __init__(self, folder: Path, clip: Path, address: str | None) -> None:
        folder.mkdir()
        self.folder, self.address = folder, address
        self.queue, self.output, self.done = folder / "queue.sqlite", folder / "out.mp4", folder / "done"
        words = ["submit", str(clip), "--edit", "smile=0@0s,0@1.8s,1@1.95s", "--size", "256", "-o", str(self.output)]
        words += ["--segment-seconds", "0.4", "--queue", str(self.queue)]
        words += ["--on-done", f"{sys.executable} -c \"import sys; open(sys.argv[1], 'a').write('x')\" {self.done}"]
        subprocess.run([*COMMAND, *words], check=True, stdout=subprocess.DEVNULL)
        self._told = (folder / "told").open("a+b")
        self._said = (folder / "said").open("ab")

    def start(self, engine: str | None) -> psutil.Popen:
        """A worker, whose words are kept."""
        words = ["work", "--queue", str(self.queue), "--lease", str(LEASE), "--until-empty", "--json"]
        words += ["--engine", engine] if engine else []
        words += ["--address", self.address] if engine == "ray" and self.address else []
        return psutil.Popen([*COMMAND, *words], stdin=subprocess.DEVNULL, stdout=self._told, stderr=self._said)

    def tasks(self) -> list[str]:
        """The tasks that somebody works on."""
        with Queue(self.queue) as queue:
            return [f"{t['kind']} {t['number']}" for t in admin.job(queue, 1)["tasks"] if t["state"] == "running"]

    def over(self) -> bool:
        """Whether there is nothing left to do."""
        with Queue(self.queue) as queue:
            return not queue.left()

    def finish(self, worker: psutil.Popen, engine: str | None) -> None:
        """See to it that somebody ends the job. A job that has failed, as after many kills, is tried again."""
        limit = time.monotonic() + LONGEST
        while True:
            worker.wait(max(1.0, limit - time.monotonic()))
            if self.over():
                return
            worker = self.start(engine)

    def judged(self, expected: str) -> dict[str, Any]:
        """What came of it: numbers of segments that are lost or done twice, and what else is not as it should be."""
        with Queue(self.queue) as queue:
            job = admin.job(queue, 1)
        self._told.seek(0)
        told = [json.loads(line) for line in self._told.read().splitlines() if line.endswith(b"}")]
        done = Counter((end["task"], end["segment"]) for end in told if end["state"] == "done")
        known = {self.queue.name, f"{self.queue.name}.logs", self.output.name, "done", "told", "said"}
        unknown = {f.name for f in self.folder.iterdir() if not f.name.startswith(self.queue.name)} - known
        return {
            "state": job["state"],
            "error": job["error"],
            "attempts": sum(task["attempts"] for task in job["tasks"]),
            "lost": sum(task["state"] != "done" for task in job["tasks"]),
            "doubled": sum(number - 1 for number in done.values()),
            "packets": self.output.exists() and packets(self.output) == expected,
            "hooks": len(self.done.read_text()) if self.done.exists() else 0,
            "left_behind": sorted(unknown),
        }

    def close(self) -> None:
        """Let go of its files."""
        self._told.close()
        self._said.close()


class Cluster:
    """A Ray cluster on this machine: a head that renders nothing, and a node that may be lost."""

    def __init__(self) -> None:
        os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
        from ray.cluster_utils import Cluster as Nodes

        self._nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        self.address: str = self._nodes.address
        self._node = self._nodes.add_node(num_cpus=1)

    def lose_node(self) -> None:
        """Kill a node with all its processes, and start another."""
        self._nodes.remove_node(self._node, allow_graceful=False)
        self._node = self._nodes.add_node(num_cpus=1)

    def close(self) -> None:
        """End it."""
        self._nodes.shutdown()


def kill(kind: str, worker: psutil.Popen, cluster: Cluster | None) -> bool:
    """Kill what a run is to lose. False: it is not there."""
    if kind == "node":
        assert cluster is not None
        cluster.lose_node()
        return True
    if kind == "actor":
        ours = psutil.Process().children(recursive=True)  # another's cluster may run here too
        victims = [one for one in ours if _words(one).startswith("ray::_Renderer")]
    elif kind == "process":
        victims = [one for one in worker.children(recursive=True) if "spawn_main" in _words(one)]
    else:
        victims = [worker, *worker.children(recursive=True)]
    for victim in victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
    return bool(victims)


def _words(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def one_run(run: Run, kind: str, moment: float, cluster: Cluster | None) -> dict[str, Any] | None:
    """Begin a job, kill at a moment, and see the job through; None: there was nothing to kill any more."""
    begun = time.monotonic()
    worker = run.start(ENGINES[kind])
    with contextlib.suppress(psutil.TimeoutExpired):
        worker.wait(moment)
    at_work = run.tasks()
    killed = worker.poll() is None and kill(kind, worker, cluster)
    run.finish(worker, ENGINES[kind])
    if not killed:
        return None
    return {"kind": kind, "moment": round(moment, 2), "at_work_on": at_work, "seconds": round(time.monotonic() - begun)}


def main() -> None:
    """Run it, and print what was found as JSON; the exit code is 1 if something was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--log", type=Path, help="a line of JSON for each run goes there too")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    kinds = [kind for kind in args.kinds for _ in range(KINDS[kind])]
    rng.shuffle(kinds)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = None
        if {"actor", "node"} & set(args.kinds):
            cluster = Cluster()
            stack.callback(cluster.close)
        clip, address = shrunk(args.clip, folder / "in.mp4"), cluster.address if cluster else None
        calm: dict[str | None, float] = {}  # seconds that an undisturbed run takes
        expected = ""
        for engine in dict.fromkeys(ENGINES[kind] for kind in args.kinds):
            begun, run = time.monotonic(), Run(folder / f"calm-{engine}", clip, address)
            run.finish(run.start(engine), engine)
            calm[engine] = time.monotonic() - begun
            expected = expected or packets(run.output)
            print(f"undisturbed, engine {engine}: {calm[engine]:.0f} s", file=sys.stderr, flush=True)
        found: list[dict[str, Any]] = []
        for number in itertools.count():
            if len(found) == args.runs:
                break
            kind = kinds[len(found) % len(kinds)]
            with contextlib.closing(Run(folder / str(number), clip, address)) as run:
                told = one_run(run, kind, rng.uniform(0.0, calm[ENGINES[kind]]), cluster)
                if told is None:
                    continue
                found.append(told | run.judged(expected))
            shutil.rmtree(run.folder)
            line = json.dumps(found[-1])
            print(line, file=sys.stderr, flush=True)
            if args.log:
                with args.log.open("a", encoding="utf-8") as log:
                    log.write(line + "\n")
    total = {
        "runs": len(found),
        "kinds": Counter(run["kind"] for run in found),
        "killed_at_work_on": Counter(task.split()[0] for run in found for task in run["at_work_on"] or ["nothing"]),
        "attempts": sum(run["attempts"] for run in found),
        "lost": sum(run["lost"] for run in found),
        "doubled": sum(run["doubled"] for run in found),
        "outputs_wrong": sum(not run["packets"] for run in found),
        "hooks_not_once": sum(run["hooks"] != 1 for run in found),
        "left_behind": sum(bool(run["left_behind"]) for run in found),
        "seconds": sum(run["seconds"] for run in found),
    }
    print(json.dumps(total, indent=1))
    sys.exit(any(total[name] for name in ("lost", "doubled", "outputs_wrong", "hooks_not_once", "left_behind")))


if __name__ == "__main__":
    main()
