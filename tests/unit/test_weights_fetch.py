"""Published files are fetched from a server that misbehaves."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

import pytest
from published_host import checkpoint, left_over, refusal
from safetensors.torch import load_file

from videdit import weights
from videdit.weights import published
from videdit.weights.install import fetch, import_file

ROOT = Path(__file__).resolve().parents[2]


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
