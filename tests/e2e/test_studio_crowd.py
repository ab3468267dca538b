"""Too much at once, and requests that never end: the studio goes on answering all others."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading

import pytest
from synthetic import background, write_clip

pytest.importorskip("uvicorn")
httpx = pytest.importorskip("httpx")

from studio_server import TOKEN, Running, running  # noqa: E402

from videdit.studio import answers  # noqa: E402

SMILE = {"targets": [{"who": "largest", "edits": {"smile": {"strength": 2}}}]}


@pytest.fixture(scope="module")
def place(tmp_path_factory, empty_clip):
    folder = tmp_path_factory.mktemp("crowd")
    (folder / "clips").mkdir()
    write_clip(folder / "clips" / "a.mp4", [background(320, 240)] * 6)
    return folder


@pytest.fixture(scope="module")
def studio(place, render):
    with running(place / "clips", place / "state", render.session) as found:
        yield found


def test_a_crowd_of_previews_keeps_nobody_from_the_rest(studio: Running):
    crowd, statuses = answers.HEAVY + answers.WAITING + 20, []

    def ask(number: int) -> None:
        with httpx.Client(base_url=studio.address, headers=dict(studio.client.headers), timeout=240) as client:
            words = {"clip": "0/a.mp4", "document": SMILE, "time": 0, "tier": "draft", "viewer": str(number)}
            statuses.append(client.post("/api/preview", json=words).status_code)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(crowd)]
    with studio.studio.session._turns.turn("somebody else"):
        for thread in threads:
            thread.start()
        studio.wait(lambda: len(statuses) >= 20)
        assert set(statuses) == {503}  # more than wait are sent away at once
        assert studio.get("folder", folder="0").json()["entries"][0]["name"] == "a.mp4"
        assert studio.get("queue").status_code == 200
        assert studio.get("frame", clip="0/a.mp4", time=0, side=160).status_code == 200
        assert studio.get("poster", clip="0/a.mp4").status_code == 200
    for thread in threads:
        thread.join(240)
    assert len(statuses) == crowd
    assert set(statuses) <= {200, 404, 422, 503}
    assert statuses.count(503) == 20


def test_what_nobody_waits_for_is_not_worked_out(studio: Running):
    turns = studio.studio.session._turns
    words = {"clip": "0/a.mp4", "document": SMILE, "time": 0, "tier": "exact", "viewer": "who leaves"}
    body = json.dumps(words).encode()
    head = (
        f"POST /api/preview HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with turns.turn("somebody else"):
        with socket.create_connection(("127.0.0.1", studio.port)) as link:
            link.sendall(head.encode() + body)
            studio.wait(lambda: turns.newest("who leaves"))
        studio.wait(lambda: turns.newest("who leaves") is None)


def test_connections_that_say_nothing_are_in_nobodys_way(studio: Running, monkeypatch):
    monkeypatch.setattr(answers, "PATIENCE", 0.5)
    with contextlib.ExitStack() as stack:
        for i in range(150):
            link = stack.enter_context(socket.create_connection(("127.0.0.1", studio.port)))
            link.sendall(b"GET /api/start HTTP/1.1\r\nHost: 127" if i % 2 else b"P")
        slow = stack.enter_context(socket.create_connection(("127.0.0.1", studio.port)))
        slow.settimeout(60)
        slow.sendall(
            f"POST /api/look HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
            'Content-Type: application/json\r\nContent-Length: 900\r\n\r\n{"clip'.encode()
        )
        assert studio.get("start").status_code == 200
        answer = slow.recv(65536)
    assert b" 400 " in answer
    assert studio.get("start").status_code == 200


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names of files are bytes on Linux alone")
def test_names_of_all_kinds_are_listed_and_opened(studio: Running, place):
    folder = place / "clips"
    names = ["a b.mp4", "100% #1?&=+.mp4", "ünï – 日本.mp4", "quote'\".mp4", "<b>.mp4", "new\nline.mp4"]
    for name in names:
        os.link(folder / "a.mp4", folder / name)
    os.link(folder / "a.mp4", os.path.join(os.fsencode(folder), b"\xff\xfe.mp4"))  # no text at all: left out
    entries = {entry["name"]: entry["id"] for entry in studio.get("folder", folder="0").json()["entries"]}
    assert set(names) | {"a.mp4"} == set(entries)
    for name in names:
        told = studio.get("clip", clip=entries[name])
        assert told.status_code == 200, name
        assert told.json()["clip"]["name"] == name
        assert studio.get("poster", clip=entries[name]).status_code == 200
        words = {"clip": entries[name], "document": SMILE}
        assert studio.post("plan", **words).status_code in (200, 400)
