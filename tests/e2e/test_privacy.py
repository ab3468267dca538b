"""No command but `weights fetch` uses the network, and the home directory holds our cache and nothing else."""

from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from synthetic import ROOT

from videdit.engine import offline

# Runs at the start of every Python process, children too: counts what goes to the network, and refuses it. Other code
# than Python's is caught by the proxy, where it keeps to one.
HOOK = """
import os, sys
log = os.open(os.environ["WATCHED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def watch(event, args):
    if event == "socket.__new__" and args[1] not in (2, 10) or not event.startswith(("socket.", "urllib.")):
        return
    if event in ("socket.__new__", "socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto",
                 "socket.bind", "urllib.Request"):
        if event == "socket.connect" and not isinstance(args[1], tuple):
            return
        os.write(log, (event + " " + repr(args[1:]) + "\\n").encode())
        raise OSError("no network here")
sys.addaudithook(watch)
"""
CI = ("CI", "TF_BUILD", "JENKINS_URL", "GITHUB_ACTIONS")  # where these are set some libraries keep quiet
OURS = ("HOME", "XDG_", "VIDEDIT_", "PYTHON", "HTTP", "http", "ALL_PROXY", "NO_PROXY", "no_proxy")


class Watched:
    """Commands in a fresh home, behind a proxy that takes connections and never answers, and what they tried."""

    def __init__(self, folder: Path, port: int) -> None:
        self.home, self.log, self.folder = folder / "home", folder / "network.log", folder
        (folder / "hook").mkdir()
        (folder / "hook" / "sitecustomize.py").write_text(HOOK)
        self.home.mkdir()
        self.log.touch()
        proxies = {f"{kind}_proxy": f"http://127.0.0.1:{port}" for kind in ("http", "https", "all")}
        kept = {key: value for key, value in os.environ.items() if key not in CI and not key.startswith(OURS)}
        self.environment = kept | proxies | {key.upper(): value for key, value in proxies.items()}
        self.environment |= {"HOME": str(self.home), "WATCHED": str(self.log)}
        self.environment["PYTHONPATH"] = os.pathsep.join([str(folder / "hook"), str(ROOT)])

    def __call__(self, *words: object, program: tuple[str, ...] = (str(ROOT / "run_video.py"),)) -> None:
        done = subprocess.run(
            [sys.executable, *program, *map(str, words)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=500,
        )
        assert done.returncode == 0, done.stderr

    @property
    def tried(self) -> list[str]:
        return self.log.read_text().splitlines()

    def at_home(self) -> set[str]:
        return {str(path.relative_to(self.home).parent) for path in self.home.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def proxy() -> Iterator[tuple[int, list[str]]]:
    """(port, who called): a server that takes connections and never says a word."""
    calls: list[str] = []
    held = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return
                calls.append("a connection")

        threading.Thread(target=listen, daemon=True).start()
        yield server.getsockname()[1], calls


@pytest.fixture(scope="module")
def watched(tmp_path_factory, proxy) -> Watched:
    return Watched(tmp_path_factory.mktemp("watched"), proxy[0])


def test_the_watch_sees_what_it_should(tmp_path, proxy):
    watched = Watched(tmp_path, proxy[0])
    child = "import urllib.request as r\ntry: r.urlopen('http://example.invalid/')\nexcept OSError: pass"
    both = f"import os, subprocess, sys\nif not os.fork(): exec({child!r}); os._exit(0)\nos.wait()\n"
    watched(both + f"subprocess.run([sys.executable, '-c', {child!r}])", program=("-c",))
    assert len(watched.tried) >= 2


def test_an_edit_with_a_cold_and_a_warm_cache_is_nobody_s_business(watched, proxy, face_clip):
    for name in ("cold.mp4", "warm.mp4"):  # all networks are converted first, then read
        watched(face_clip, "--edit", "smile", "-o", name, "--sidecar", "--quiet")
        assert watched.tried == []
        assert proxy[1] == []
    assert watched.at_home()
    assert all(f".cache/videdit{os.sep}" in f"{path}{os.sep}" for path in watched.at_home())


@pytest.mark.parametrize(
    "words",
    [
        ["faces", "CLIP", "--overwrite"],
        ["CLIP", "--edit", "smile", "--dry-run"],
        ["CLIP", "--edit", "smile", "--preview", "0", "--overwrite"],
        ["doctor"],
        ["weights", "list"],
        ["schema"],
    ],
    ids=lambda words: words[0] if words[0] != "CLIP" else words[3],
)
def test_no_other_command_is_either(watched, proxy, face_clip, words):
    watched(*(face_clip if word == "CLIP" else word for word in words), "--debug")
    assert watched.tried == []
    assert proxy[1] == []
    assert all(f".cache/videdit{os.sep}" in f"{path}{os.sep}" for path in watched.at_home())


def test_only_one_module_imports_what_calls_home():
    found = {}
    for file in [*(ROOT / "videdit").rglob("*.py"), *(ROOT / "stages").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in {name.split(".")[0] for name in names} & {"openvino", "onnxruntime", "insightface"}:
                found.setdefault(name, set()).add(file.name)
    assert found == dict.fromkeys(("openvino", "onnxruntime", "insightface"), {"offline.py"})


def test_openvino_that_was_there_before_is_silenced_too(watched):
    lines = (
        "import openvino",
        "from openvino.tools.ovc import convert_impl, utils",
        "import os, time",
        "told = lambda: os.path.getsize(os.environ['WATCHED'])",
        "before = -1",
        "while before != told(): before = told(); time.sleep(2)",  # what the import has sent is sent by then
        "from videdit.engine import offline",
        "assert offline.openvino() is openvino",
        "import torch",
        "openvino.convert_model(torch.nn.Linear(2, 2), example_input=torch.zeros(1, 2))",
        "time.sleep(2)",
        "assert told() == before",
    )
    watched("\n".join(lines), program=("-c",))


def test_modules_that_are_imported_meanwhile_disturb_nothing():
    stop = threading.Event()

    def imports() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            name = f"test_of_modules_{number % 5000}"
            if sys.modules.pop(name, None) is None:
                sys.modules[name] = types.ModuleType(name)

    thread = threading.Thread(target=imports)
    thread.start()
    try:
        for _ in range(300):
            offline._silence()
    finally:
        stop.set()
        thread.join()
        for name in [name for name in sys.modules if name.startswith("test_of_modules_")]:
            del sys.modules[name]
