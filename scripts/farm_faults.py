"""Kill workers at random moments, again and again, and see whether anything is lost or done twice.

Jobs are put into a queue; a worker is started, and killed (SIGKILL) after a random time, until it has been killed so
often; then one may finish. Each output has to hold the packets that an undisturbed run gave, each --on-done command
has to have run, and nothing else may be left. Of each clip only the last frames are edited: then everything happens
that happens in a render, and little of it takes long.

    python scripts/farm_faults.py --kills 50 --seed 1 examples/portrait.mp4
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av

from videdit.farm import admin
from videdit.farm.queue import Queue

LEASE = 3.0
COMMAND = [sys.executable, "-m", "videdit"]


def submit(queue: Path, clip: Path, output: Path, done: Path) -> None:
    """Put a clip of two seconds into a queue."""
    words = ["submit", str(clip), "--edit", "smile=0@0s,0@1.8s,1@1.95s", "--end", "2", "--size", "256"]
    words += ["--segment-seconds", "0.4", "-o", str(output), "--queue", str(queue)]
    words += ["--on-done", f"{sys.executable} -c \"import sys; open(sys.argv[1], 'a').write('x')\" {done}"]
    subprocess.run([*COMMAND, *words], check=True, stdout=subprocess.DEVNULL)


def packets(file: Path) -> str:
    """A hash of the packets of a file, with their times."""
    digest = hashlib.sha256()
    with av.open(str(file)) as container:
        for packet in container.demux():
            if packet.size:
                digest.update(f"{packet.stream_index} {packet.pts} {packet.dts} {packet.duration}".encode())
                digest.update(bytes(packet))
    return digest.hexdigest()


def start(queue: Path, workers: int) -> list[subprocess.Popen[bytes]]:
    """Workers in a session of their own."""
    words = [*COMMAND, "work", "--queue", str(queue), "--lease", str(LEASE), "--until-empty", "--quiet"]
    return [subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(workers)]


def main() -> None:
    """Run it, and print what was found as JSON; the exit code is 1 if something was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--workers", type=int, default=1, help="that run, and are killed, at once")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--longest", type=float, default=20.0, help="seconds that a worker lives, at most")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        submit(folder / "calm.sqlite", args.clip, folder / "calm.mp4", folder / "calm.done")
        for worker in start(folder / "calm.sqlite", 1):
            worker.wait()
        expected = packets(folder / "calm.mp4")
        queue, kills, rounds, begun = folder / "queue.sqlite", 0, 0, time.monotonic()
        outputs: list[Path] = []
        while kills < args.kills:
            for output in [folder / f"out-{rounds}-{i}.mp4" for i in range(args.jobs)]:
                submit(queue, args.clip, output, output.with_suffix(".done"))
                outputs.append(output)
            rounds += 1
            finished = False
            while not finished:
                workers = start(queue, args.workers)
                life = rng.uniform(0.0, args.longest) if kills < args.kills else 3600.0
                limit = time.monotonic() + life
                while time.monotonic() < limit and any(worker.poll() is None for worker in workers):
                    time.sleep(0.02)
                for worker in workers:
                    if worker.poll() is None:
                        os.kill(worker.pid, signal.SIGKILL)
                        kills += 1
                    worker.wait()
                with Queue(queue) as opened:
                    finished = not opened.left()
                    failed = [job["id"] for job in admin.jobs(opened, ["failed"])]
                    if finished and failed:  # killed three times at one task: as it should, it is not tried for ever
                        admin.retry(opened, failed)
                        finished = False
        with Queue(queue) as opened:
            states = admin.tally(opened)
            attempts = opened.connection.execute("SELECT SUM(attempts) FROM task").fetchone()[0]
        wrong = [file.name for file in outputs if not file.exists() or packets(file) != expected]
        hooks = [file.with_suffix(".done").read_text() for file in outputs if file.with_suffix(".done").exists()]
        known = {*outputs, *(file.with_suffix(".done") for file in outputs)}
        kept = ("calm", "queue.sqlite")
        left = [path.name for path in folder.iterdir() if path not in known and not path.name.startswith(kept)]
        told = {
            "kills": kills,
            "jobs": len(outputs),
            "states": states,
            "attempts": attempts,
            "outputs_wrong": wrong,
            "hooks_run": len(hooks),
            "hooks_twice": sum(words != "x" for words in hooks),
            "left_behind": left,
            "seconds": round(time.monotonic() - begun),
        }
        print(json.dumps(told, indent=1))
        sys.exit(bool(wrong or left or len(hooks) != len(outputs)))


if __name__ == "__main__":
    main()
