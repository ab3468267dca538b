"""Signals end a run in one way, whatever it is at, and nothing half-written is left."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from videdit import shutdown

ROOT = Path(__file__).resolve().parents[2]


def interrupted(tmp_path, body, number, *, after=0.3):
    """Run `body` with our signal handling, send a signal once it says 'ready'; -> (code, seconds it took, stderr)."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, time, pathlib\n"
        "from videdit.cli import main as cli; from videdit import shutdown as interrupt\n"
        "def work(words):\n"
        + "".join(f"    {line}\n" for line in body.splitlines())
        + "cli.schema_command = work\nsys.exit(cli.main(['schema']))\n"
    )

    def as_in_a_terminal() -> None:
        """A shell may start background jobs with SIGINT ignored, nohup with SIGHUP; a user's terminal does not."""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

    process = subprocess.Popen(
        [sys.executable, script],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=as_in_a_terminal,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(after)
    start = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    return process.returncode, time.monotonic() - start, err


SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_run_with_130(tmp_path, number):
    code, seconds, err = interrupted(tmp_path, "print('ready', flush=True)\ntime.sleep(30)", number)
    assert code == 130
    assert seconds < 5
    assert err == "videdit: interrupted; nothing half-written is left\n"


@pytest.mark.parametrize("how", ["run_path('run_video.py'", "run_module('videdit'"])
def test_an_interrupt_while_the_command_is_loaded(how):
    program = f"""
import os, runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "videdit.cli.arguments":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
sys.argv = ["run_video.py", "--list-edits"]
runpy.{how}, run_name="__main__")
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 130
    assert ended.stderr == f"videdit: {shutdown.WORDS}\n"


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_to_a_forked_child_is_not_the_parent_s(tmp_path, number):
    """multiprocessing and libraries fork, and end their children by signals."""
    half = tmp_path / "half.mp4"
    body = (
        "import os, signal\n"
        f"path = pathlib.Path({str(half)!r})\n"
        "path.write_text('half')\n"
        "interrupt.half_written(path)\n"
        "ends = []\n"
        f"for number in ({int(number)}, {int(signal.SIGTERM)}):\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        try: time.sleep(30)\n"
        "        except KeyboardInterrupt: os._exit(99)\n"
        "        os._exit(0)\n"
        "    time.sleep(0.2)\n"
        "    os.kill(child, number)\n"
        "    ends.append(os.WEXITSTATUS(code) or os.WTERMSIG(code) if (code := os.waitpid(child, 0)[1]) else 0)\n"
        "for _ in range(100):\n"  # the moment of forking is the one that counts: signals of the child's come at once
        "    child = os.fork()\n"
        "    if not child: os._exit(0)\n"
        "    os.kill(child, signal.SIGTERM)\n"
        "    os.waitpid(child, 0)\n"
        "time.sleep(interrupt.GRACE + 0.5)\n"
        "print('ready', flush=True)\n"
        "print(*ends, path.exists(), file=sys.stderr, flush=True)\n"
        "path.unlink()\n"
        "time.sleep(30)"
    )
    code, seconds, err = interrupted(tmp_path, body, signal.SIGTERM)
    own = 99 if number == signal.SIGINT else int(number)  # Python's own answer to Ctrl-C is an exception
    assert err == f"{own} {int(signal.SIGTERM)} True\nvidedit: interrupted; nothing half-written is left\n"
    assert code == 130
    assert seconds < 5


def test_what_libraries_warn_of_is_for_the_log(tmp_path):
    body = (
        "import logging, warnings\n"
        "warnings.warn('of a library')\n"
        "logging.getLogger('library').warning('another')\n"
        "logging.getLogger('videdit.x').warning('ours \\x1b[31m')\n"
        "print('ready', flush=True)\n"
        "time.sleep(30)"
    )
    _, _, err = interrupted(tmp_path, body, signal.SIGTERM)
    assert err == "videdit: ours ?[31m\nvidedit: interrupted; nothing half-written is left\n"


def test_a_run_whose_terminal_has_gone_ends_all_the_same(tmp_path):
    body = "import os\nos.close(2)\nprint('ready', flush=True)\ntime.sleep(30)"
    code, seconds, _ = interrupted(tmp_path, body, signal.SIGHUP)
    assert code == 130
    assert seconds < 5


def test_a_run_that_cannot_stop_is_stopped_and_its_half_written_file_removed(tmp_path):
    half = tmp_path / "half.mp4"
    body = (
        f"path = pathlib.Path({str(half)!r})\n"
        "with interrupt.unfinished(path), interrupt.ending(lambda: '240 frames are kept: run again'):\n"
        "    path.write_text('half')\n"
        "    print('ready', flush=True)\n"
        "    while True:\n"
        "        try: time.sleep(30)\n"
        "        except KeyboardInterrupt: pass"
    )
    code, seconds, err = interrupted(tmp_path, body, signal.SIGTERM)
    assert code == 130
    assert seconds < 5
    assert not half.exists()
    # It has ended in another way, which is nothing to the user.
    assert err == "videdit: 240 frames are kept: run again\nvidedit: interrupted; nothing half-written is left\n"
