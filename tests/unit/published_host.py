"""A server on this machine with a published file, which misbehaves as it is told; for tests that fetch."""

from __future__ import annotations

import hashlib
import io
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
import yaml

from videdit import weights
from videdit.errors import WeightsError

ROOT = Path(__file__).resolve().parents[2]


class Host:
    """A server on 127.0.0.1 with one file; what it does wrong is set from outside."""

    def __init__(self, content: bytes) -> None:
        self.content, self.etag = content, '"1"'
        self.status, self.kind = 200, "application/octet-stream"
        self.cut: int | None = None  # bytes of an answer's body after which the connection ends
        self.ranges, self.says_length, self.moved = True, True, False
        self.asked: list[dict[str, str]] = []  # headers of the requests
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.asked.append(dict(self.headers))
                host.answer(self)

            def log_message(self, *words: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/file.pt"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        if self.moved:
            to.send_response(302)
            to.send_header("Location", "http://example.com/file.pt")
            to.end_headers()
            return
        if self.status != 200:
            to.send_error(self.status)
            return
        first = 0
        if self.ranges and (asked := to.headers["Range"]) and to.headers["If-Range"] in (None, self.etag):
            first = int(asked.removeprefix("bytes=").rstrip("-"))
        if first >= len(self.content):
            to.send_response(416)
            to.send_header("Content-Range", f"bytes */{len(self.content)}")
            to.end_headers()
            return
        body = self.content[first:]
        to.send_response(206 if first else 200)
        if first:
            to.send_header("Content-Range", f"bytes {first}-{len(self.content) - 1}/{len(self.content)}")
        to.send_header("Content-Type", self.kind)
        to.send_header("ETag", self.etag)
        if self.says_length:
            to.send_header("Content-Length", str(len(body)))
        to.end_headers()
        to.wfile.write(body[: self.cut])


def checkpoint() -> bytes:
    """As research code saves one: the wanted network beside others, a mean, options, an optimiser's state."""
    shared = torch.arange(6.0)
    content = {
        "g_ema": {"conv.weight": torch.randn(8, 3, 3, 3), "a": shared[:3], "b": shared, "c": shared},
        "latent_avg": torch.ones(512),
        "d": {"conv.weight": torch.zeros(100)},
        "opts": {"lr": 1e-4, "name": "test", "sizes": [1, 2]},
    }
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def entry(content: bytes, url: str | None) -> dict:
    return {
        "what": "a network for tests",
        "file": "published.pt",
        "licence": "CC0-1.0",
        "page": "https://example.com/network",
        "url": url,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "take": ["g_ema", "latent_avg"],
        "holds": {"conv.weight": [8, 3, 3, 3]},
    }


@pytest.fixture
def host():
    host = Host(checkpoint())
    yield host
    host.server.shutdown()
    host.server.server_close()


@pytest.fixture
def listed(host, tmp_path, monkeypatch):
    """The list of published files, with one named "net" that the host has; change it and call it to write it."""
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    shipped.mkdir()
    (shipped / "manifest.yaml").write_text("{}")
    monkeypatch.setenv("VIDEDIT_SHIPPED", str(shipped))
    monkeypatch.setenv("VIDEDIT_WEIGHTS", str(own))
    entries = {"net": entry(host.content, host.url)}

    def write(**changes: object) -> None:
        entries["net"] |= changes
        (shipped / "published.yaml").write_text(yaml.safe_dump(entries))

    write()
    return write


def refusal(what, *words, **named) -> str:
    with pytest.raises(WeightsError) as caught:
        what(*words, **named)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def left_over() -> list[str]:
    return sorted(p.name for p in weights.user_dir().iterdir() if p.name not in ("lock", "installed.json"))
