"""Published files: fetched from a server that misbehaves, imported, turned into safetensors; hostile ones refused."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import re
import socket
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from videdit import weights
from videdit.cli import main as cli
from videdit.errors import WeightsError
from videdit.weights import published
from videdit.weights.install import fetch, import_file

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


def test_a_file_is_fetched_checked_and_turned_into_safetensors(host, listed):
    seen = []
    path = fetch("net", lambda done, total: seen.append((done, total)))
    state = load_file(path)
    assert path == weights.find("net")
    assert set(state) == {"conv.weight", "a", "b", "c", "latent_avg"}
    assert state["b"].tolist() == [0, 1, 2, 3, 4, 5]
    assert seen[0] == (0, len(host.content))
    assert seen[-1] == (len(host.content), len(host.content))
    assert left_over() == ["net.safetensors"]
    assert weights.load_state("net")["latent_avg"].shape == (512,)
    assert published.verify("net").origin == host.url
    assert weights.fingerprint(["net", "other"]) == {"net": [hashlib.sha256(path.read_bytes()).hexdigest()]}


@pytest.mark.parametrize("says_length", [True, False])
def test_a_body_that_breaks_off_is_gone_on_with(host, listed, says_length):
    host.cut, host.says_length = 1000, says_length
    message = refusal(fetch, "net")
    assert "broke off" in message
    assert "1,000" in message
    assert "same command again" in message
    assert refusal(weights.find, "net").endswith("run `videdit weights fetch net`")
    host.cut = None
    fetch("net")
    assert host.asked[-1]["Range"] == "bytes=1000-"
    assert host.asked[-1]["If-Range"] == '"1"'
    assert published.verify("net").origin_bytes == len(host.content)


def test_a_part_of_another_version_is_not_gone_on_with(host, listed):
    host.cut = 1000
    refusal(fetch, "net")
    host.cut, host.etag, host.content = None, '"2"', checkpoint()
    listed(bytes=len(host.content), sha256=hashlib.sha256(host.content).hexdigest())
    fetch("net")  # the host, told which version the part is of, sends all
    assert published.verify("net").origin_sha256 == hashlib.sha256(host.content).hexdigest()


def test_a_host_without_ranges_sends_all_again(host, listed):
    host.cut = 1000
    refusal(fetch, "net")
    host.cut, host.ranges = None, False
    fetch("net")
    assert published.verify("net")


def test_a_part_that_is_whole_is_installed(host, listed):
    """As after a kill between download and conversion."""
    folder = weights.user_dir()
    folder.mkdir()
    (folder / "net.part").write_bytes(host.content)
    (folder / "net.part.json").write_text(f'{{"url": "{host.url}", "validator": null}}')
    fetch("net")
    assert left_over() == ["net.safetensors"]


def test_a_part_that_is_too_long_is_thrown_away(host, listed):
    folder = weights.user_dir()
    folder.mkdir()
    (folder / "net.part").write_bytes(host.content + b"more")
    (folder / "net.part.json").write_text(f'{{"url": "{host.url}", "validator": null}}')
    fetch("net")
    assert published.verify("net")


def test_a_wrong_checksum_is_refused_and_leaves_nothing(host, listed):
    host.content = host.content[:-1] + bytes([host.content[-1] ^ 1])
    message = refusal(fetch, "net")
    assert "sha256" in message
    assert "https://example.com/network" in message
    assert left_over() == []


def test_a_file_of_another_size_is_refused_before_it_comes(host, listed):
    host.content += b"x" * 5000
    assert "5" in refusal(fetch, "net")
    assert "wanted has" in refusal(fetch, "net")
    assert left_over() == []


def test_more_than_the_file_is_not_taken(host, listed):
    host.content += b"x" * 5000
    host.says_length = False
    assert "sent more than" in refusal(fetch, "net")
    assert left_over() == []


@pytest.mark.parametrize("status", [403, 404, 429, 500])
def test_a_refusal_tells_the_manual_way(host, listed, status):
    host.status = status
    message = refusal(fetch, "net")
    assert str(status) in message
    assert "get published.pt from https://example.com/network" in message
    assert "`videdit weights import published.pt net`" in message


def test_a_web_page_is_not_taken_for_the_file(host, listed):
    """What Google Drive answers for files that it wants to scan, and when too many asked for one."""
    host.content, host.kind = b"<!DOCTYPE html><title>Quota exceeded</title>", "text/html; charset=utf-8"
    message = refusal(fetch, "net")
    assert "web page" in message
    assert "videdit weights import" in message
    assert left_over() == []


def test_a_connection_that_is_refused_is_said(listed):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    listed(url=f"http://127.0.0.1:{port}/file.pt")
    message = refusal(fetch, "net")
    assert "cannot reach 127.0.0.1" in message
    assert "refused" in message
    assert "videdit weights import" in message


def test_only_safe_addresses_are_followed(host, listed):
    host.moved = True
    assert "not an https address" in refusal(fetch, "net")
    for url in ("http://example.com/x", "file:///etc/passwd", "ftp://127.0.0.1/x"):
        listed(url=url)
        assert "not an https address" in refusal(fetch, "net")


def test_what_nobody_published_is_the_user_s_own(listed):
    listed(url=None)
    assert "net was not published" in refusal(fetch, "net")
    assert "import one of your own with `videdit weights import FILE net`" in refusal(weights.find, "net")


def test_an_unknown_checksum_is_recorded_at_first_and_binding_from_then_on(host, listed, tmp_path):
    listed(bytes=None, sha256=None)
    fetch("net")
    assert published.installed()["net"].origin_sha256 == hashlib.sha256(host.content).hexdigest()
    other = tmp_path / "other.pt"
    other.write_bytes(checkpoint())
    assert "that was installed first" in refusal(import_file, other, "net")
    import_file(other, "net", other_version=True)
    assert published.installed()["net"].origin == str(other)


def test_a_file_at_hand_is_imported_and_stays(host, listed, tmp_path):
    file = tmp_path / "any name.bin"
    file.write_bytes(host.content)
    assert import_file(file) == ("net", weights.user_dir() / "net.safetensors")  # known by its checksum
    assert file.read_bytes() == host.content
    assert not host.asked
    by_name = tmp_path / "published.pt"
    by_name.write_bytes(checkpoint())
    assert "--other-version" in refusal(import_file, by_name)
    assert import_file(by_name, other_version=True)[0] == "net"
    assert "which published file is x.pt?" in refusal(import_file, by_name.rename(tmp_path / "x.pt"))
    assert "there is no file" in refusal(import_file, tmp_path / "missing.pt", "net")


def test_safetensors_are_imported_as_they_are(listed, tmp_path):
    file = tmp_path / "mine.safetensors"
    save_file({"conv.weight": torch.zeros(8, 3, 3, 3)}, file)
    path = import_file(file, "net", other_version=True)[1]
    assert list(load_file(path)) == ["conv.weight"]


def test_another_network_is_refused(listed, tmp_path):
    file = tmp_path / "published.pt"
    torch.save({"g_ema": {"conv.weight": torch.zeros(8, 3, 1, 1)}}, file)
    message = refusal(import_file, file, other_version=True)
    assert "conv.weight should be [8, 3, 3, 3], and it is [8, 3, 1, 1]" in message
    torch.save({"params": torch.zeros(3)}, file)
    assert "it has no 'g_ema', but params" in refusal(import_file, file, other_version=True)
    torch.save([1, 2], file)
    assert "holds a list" in refusal(import_file, file, other_version=True)


class Evil:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("kind", ["zip", "legacy", "nested", "plain pickle", "module"])
def test_a_hostile_pickle_is_refused_and_does_not_run(listed, tmp_path, kind):
    marker, file = tmp_path / "ran", tmp_path / "published.pt"
    if kind == "plain pickle":
        file.write_bytes(pickle.dumps(Evil(marker)))
    else:
        content = {"zip": Evil(marker), "legacy": Evil(marker), "nested": {"g_ema": {"x": Evil(marker)}}}
        torch.save(content.get(kind, torch.nn.Linear(2, 2)), file, _use_new_zipfile_serialization=kind != "legacy")
    message = refusal(import_file, file, other_version=True)
    assert message.startswith(f"{file} is refused: it holds more than tensors")
    assert not marker.exists()
    assert left_over() == []
    if kind != "module":
        torch.load(file, weights_only=False) if kind != "plain pickle" else pickle.loads(file.read_bytes())
        assert marker.is_dir()  # it would have


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04 rubbish", b"\x80\x02}q\x00"])
def test_rubbish_is_refused(listed, tmp_path, content):
    for suffix in (".pt", ".safetensors"):
        file = tmp_path / f"rubbish{suffix}"
        file.write_bytes(content)
        assert "file of tensors" in refusal(import_file, file, "net", other_version=True)
    assert left_over() == []


def test_a_damaged_copy_is_found(host, listed):
    path = fetch("net")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert "damaged" in refusal(weights.find, "net")
    assert "videdit weights fetch net" in refusal(weights.find, "net")
    record = published.installed()["net"].pieces[0]
    os.utime(path, ns=(record.modified, record.modified))
    assert weights.find("net") == path  # quick: the bytes are not read again
    assert "damaged" in refusal(published.verify, "net")
    path.unlink()
    assert "not installed" in refusal(weights.find, "net")
    fetch("net")
    assert published.verify("net")


def test_an_archive_is_unpacked_flat(host, listed, tmp_path):
    listed(archive=True, take=[], holds={}, file="pack.zip")
    file = tmp_path / "pack.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../up.onnx", b"up")
        archive.writestr("pack/det.onnx", b"detector")
        archive.writestr("pack/run.py", b"no")
    folder = import_file(file, other_version=True)[1]
    assert folder == weights.find("net")
    assert sorted(p.name for p in folder.iterdir()) == ["det.onnx", "up.onnx"]
    assert not (weights.user_dir().parent / "up.onnx").exists()
    import_file(file, "net", other_version=True)  # again, over the first
    file.write_bytes(file.read_bytes()[:-30])
    assert "not a zip" in refusal(import_file, file, "net", other_version=True)
    assert weights.find("net") == folder


def test_two_commands_do_not_install_at_once(host, listed):
    with published.holding():
        assert "another command" in refusal(fetch, "net")


def test_the_command(host, listed, tmp_path, capsys):
    def run(*words: str) -> tuple[int, str, str]:
        code = cli.run(["weights", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    code, out, _ = run("list")
    assert code == 0
    assert "to fetch" in out
    assert "CC0-1.0" in out
    assert "a network for tests" in out
    code, out, err = run("fetch", "net")
    assert code == 0
    assert out.strip().endswith("net.safetensors")
    assert "licence: CC0-1.0" in err
    assert run("fetch", "net")[1].startswith("net is installed already")
    assert "installed" in run("list")[1]
    code, out, _ = run("verify")
    assert code == 0
    assert re.match(r"ok  net .*from http://127", out)
    file = tmp_path / "published.pt"
    file.write_bytes(host.content)
    assert run("import", str(file))[:2] == (0, f"net: {weights.user_dir() / 'net.safetensors'}\n")
    code, out, err = run("fetch", "nett")
    assert code == 2
    assert "did you mean 'net'" in err
    assert err.count("\n") == 1


def test_the_list_of_published_files_makes_sense(tmp_path, monkeypatch):
    monkeypatch.setenv("VIDEDIT_WEIGHTS", str(tmp_path))
    entries = published.entries()
    assert not set(entries) & set(weights.manifest())
    for name, wanted in entries.items():
        assert re.fullmatch(r"[\w.]+", name)
        assert wanted.what
        assert wanted.licence
        assert wanted.page.startswith("https://")
        assert (wanted.url or "https://").startswith("https://")
        assert wanted.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", wanted.sha256)
        assert (wanted.sha256 is None) == (wanted.bytes is None)
        assert bool(wanted.take) != wanted.archive
        assert "videdit weights" in refusal(weights.find, name)
