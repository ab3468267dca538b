"""Published files are imported and turned into safetensors; hostile ones are refused."""

from __future__ import annotations

import os
import pickle
import re
import zipfile
from pathlib import Path

import pytest
import torch
from published_host import checkpoint, left_over, refusal
from safetensors.torch import load_file, save_file

from videdit import weights
from videdit.cli import main as cli
from videdit.weights import published
from videdit.weights.install import fetch, import_file

ROOT = Path(__file__).resolve().parents[2]


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
