"""`videdit studio` as a command: it says where it is, lets those in who were told, and ends with Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import pytest
from synthetic import ROOT

from videdit.cli.main import run

pytest.importorskip("uvicorn")
httpx = pytest.importorskip("httpx")


def test_it_starts_says_its_address_and_ends(tmp_path, empty_clip):
    words = ["studio", str(empty_clip), "--no-browser", "--port", "0", "--state", str(tmp_path / "state")]
    studio = subprocess.Popen(
        [sys.executable, "-m", "videdit", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    try:
        address = re.search(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{20,}", studio.stdout.readline()).group()
        with httpx.Client(timeout=60) as client:
            assert client.get(address, follow_redirects=True).status_code == 200
            start = client.get(address.partition("?")[0] + "api/start").json()
        assert start["opened"] == f"0/{empty_clip.name}"
        again = subprocess.run(
            [sys.executable, "-m", "videdit", *words], capture_output=True, text=True, cwd=ROOT, timeout=240
        )
        assert again.returncode == 2
        assert "another studio" in again.stderr
        studio.send_signal(signal.SIGINT)
        _, said = studio.communicate(timeout=120)
    finally:
        studio.kill()
    assert studio.returncode == 130, said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["/no/such/clip.mp4"], "there is no file or folder"),
        (["--port", "99999"], "there is no port"),
        (["--port", "many"], "invalid int"),
        (["--nothing"], "unrecognized"),
    ],
)
def test_mistakes_are_told_in_a_line(capsys, words, told):
    assert run(["studio", "--no-browser", *words]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
