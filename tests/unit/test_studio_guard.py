"""Hostile requests: other hosts, other sites, no token, paths that lead out, numbers and bodies without bounds."""

from __future__ import annotations

import json
import socket

import pytest

pytest.importorskip("uvicorn")
httpx = pytest.importorskip("httpx")

from studio_server import TOKEN, Running, running  # noqa: E402

from videdit.studio.guard import MOST_BYTES  # noqa: E402


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studio")
    (folder / "clips" / "sub").mkdir(parents=True)
    (folder / "clips" / "note.txt").write_text("hello")
    (folder / "secret.mp4").write_text("secret")
    (folder / "clips" / "link.mp4").symlink_to(folder / "secret.mp4")
    (folder / "clips" / "out").symlink_to(folder)
    (folder / "clips" / ".hidden.mp4").write_text("hidden")
    return folder


@pytest.fixture(scope="module")
def studio(place):
    with running(place / "clips", place / "state") as found:
        yield found


def bare(studio: Running, **headers) -> httpx.Client:
    return httpx.Client(base_url=studio.address, headers=headers)


def test_nothing_without_the_token(studio):
    with bare(studio) as client:
        for path in ("/", "/api/start", "/api/folder", "/api/events", "/page/js/main.js", "/nothing"):
            assert client.get(path).status_code == 401, path
        assert client.post("/api/look", json={"clip": "0/x"}).status_code == 401
        assert client.get("/?token=wrong").status_code == 401
        assert client.get("/", headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert client.get("/api/start", headers={"Cookie": f"videdit-{studio.port}=wrong"}).status_code == 401


def test_the_first_address_gives_a_cookie_that_no_other_site_can_use(studio):
    with bare(studio) as client:
        answer = client.get(f"/?token={TOKEN}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert TOKEN not in cookie
        page = client.get("/")
        assert page.status_code == 200
        assert "videdit studio" in page.text
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert client.get("/page/js/main.js").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1:1", "127.0.0.1.nip.io:{port}", ""])
def test_another_host_is_refused(studio, host):
    headers = {"Host": host.format(port=studio.port), "Authorization": f"Bearer {TOKEN}"}
    with bare(studio, **headers) as client:
        assert client.get("/api/start").status_code in (400, 421)


def test_another_site_is_refused(studio):
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert studio.client.get("/api/start", headers=headers).status_code == 403
        assert studio.client.post("/api/look", json={"clip": "0/x"}, headers=headers).status_code == 403
    own = {"Origin": studio.address, "Sec-Fetch-Site": "same-origin"}
    assert studio.client.get("/api/start", headers=own).status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "0/../secret.mp4",
        "0/sub/../../secret.mp4",
        "0/link.mp4",
        "0/out/secret.mp4",
        "0/out",
        "0/.hidden.mp4",
        "0/.",
        "/etc/passwd",
        "etc/passwd",
        "1/note.txt",
        "-1/note.txt",
        "99999999999/x",
        "٠/note.txt",
        "0/note.txt\0.mp4",
        "0/..\\secret.mp4",
        "0/" + "x" * 4090,
        "0/none.mp4",
        "",
    ],
)
def test_no_path_leads_out(studio, name):
    for call in ("clip", "frame", "poster", "play", "folder"):
        if call == "folder" and not name:
            continue
        words = {"folder": name} if call == "folder" else {"clip": name}
        answer = studio.get(call, **words)
        assert answer.status_code == 400, call
        assert "secret" not in answer.text.replace("secret.mp4", "")
    assert studio.post("look", clip=name).status_code == 400


def test_a_folder_shows_what_is_in_it_and_no_way_out(studio):
    entries = studio.get("folder", folder="0").json()["entries"]
    assert [entry["name"] for entry in entries] == ["sub"]
    assert studio.get("folder", folder="0").json()["parent"] == ""


@pytest.mark.parametrize(
    "path",
    ["/page/../app.py", "/page/%2e%2e/app.py", "/page/..%2fapp.py", "/page//etc/passwd", "/page/js/../../app.py"],
)
def test_the_pages_files_are_all_there_is(studio, path):
    with socket.create_connection(("127.0.0.1", studio.port)) as link:  # clients tidy such paths
        link.settimeout(10)
        link.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: link.recv(65536), b""))
    assert answer.split(b" ")[1] in (b"404", b"400")
    assert b"import" not in answer


def test_bodies_have_bounds(studio):
    big = b'{"clip":"' + b"x" * MOST_BYTES + b'"}'
    json_type = {"Content-Type": "application/json"}
    assert studio.client.post("/api/look", content=big, headers=json_type).status_code == 413
    assert studio.client.post("/api/look", content=iter([b"{}"]), headers=json_type).status_code == 411
    assert studio.client.post("/api/look", content=b"clip=0").status_code == 415
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert studio.client.post("/api/look", content=b"clip=0", headers=form).status_code == 415
    for words in (b"", b"[", b"null", b"[" * 100_000, b'{"clip": 1}', b'{"clip": "0/x", "more": 1}'):
        answer = studio.client.post("/api/look", content=words, headers=json_type)
        assert answer.status_code == 400
        assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "words",
    [
        {"time": 1e300},
        {"time": -1},
        {"time": "NaN"},
        {"time": "Infinity"},
        {"side": 10**9},
        {"side": 1},
        {"tier": "best"},
        {"viewer": "x" * 1000},
        {"viewer": ""},
        {"document": {"targets": [{"who": "0", "edits": {}}] * 1000}},
        {"document": {"targets": [{"who": "0", "edits": {"smile": {"keys": [{"time": 0, "strength": 0}] * 5000}}}]}},
    ],
)
def test_numbers_have_bounds(studio, words):
    good = {"clip": "0/note.txt", "document": {}, "time": 0, "tier": "draft", "viewer": "a"}
    answer = studio.client.post(
        "/api/preview", content=json.dumps(good | words).encode(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert len(answer.json()["error"]) < 500


def test_what_is_no_clip_is_told_in_a_line(studio):
    for call in ("clip", "frame", "poster"):
        answer = studio.get(call, clip="0/note.txt")
        assert answer.status_code == 422
        assert "Traceback" not in answer.text
        assert "\n" not in answer.json()["error"]


@pytest.mark.parametrize(
    "name", ["../x.mp4", "/tmp/x.mp4", "a/b.mp4", ".x.mp4", "x\0.mp4", "x" * 300, "a\nb.mp4", "C:x.mp4"]
)
def test_an_output_is_a_plain_name_beside_its_clip(studio, place, name):
    document = {"targets": [{"who": "largest", "edits": {"smile": {"strength": 1}}}], "name": name}
    answer = studio.post("render", clip="0/note.txt", document=document)
    assert answer.status_code == 400
    assert studio.get("queue").json()["jobs"] == []


def test_a_link_is_not_written_through(studio, place):
    target = place / "victim.mp4"
    (place / "clips" / "way.mp4").symlink_to(target)
    document = {"targets": [{"who": "largest", "edits": {"smile": {"strength": 1}}}], "name": "way.mp4"}
    for replace in (False, True):
        answer = studio.post("render", clip="0/note.txt", document=document, replace=replace)
        assert answer.status_code == 400
    assert not target.exists()


def test_unknown_calls_and_methods(studio):
    assert studio.get("nothing").status_code == 404
    assert studio.client.put("/api/look", json={}).status_code == 405
    assert studio.post("queue/999", action="stop").status_code == 400
    assert studio.post("queue/999", action="explode").status_code == 400
    assert studio.get("queue/999/log").status_code == 400
    assert studio.get("queue/99999999999999999999999/log").status_code in (400, 404)
