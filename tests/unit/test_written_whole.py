"""What is written anew is written whole: where the disk is full the old file stays, and nothing lies beside it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from videdit.errors import VideditError
from videdit.evaluation.card import END, TABLES, put_table
from videdit.hfgi.latent_cache import LatentCache
from videdit.jobs.batch_ledger import BatchLedger
from videdit.jobs.render_job import RenderJob
from videdit.jobs.shot_plan import SegmentReport, write_report
from videdit.storage.outputs import written_whole
from videdit.training.data import pack_pictures
from videdit.training.directions import score
from videdit.training.promote import install
from videdit.weights import published, shipped
from videdit.weights.module_io import save_weights

resource = pytest.importorskip("resource", reason="only Unix limits how long files get")


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """No file gets longer than 8 bytes meanwhile: what goes beyond fails, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class Measure:
    """Scores every face with 0."""

    names = ("smile",)

    def images(self, codes: np.ndarray) -> np.ndarray:
        return codes

    def scores(self, images: np.ndarray) -> tuple[np.ndarray, None]:
        return np.zeros((len(images), 1), np.float32), None


def codes(folder: Path) -> None:
    kept = LatentCache(folder)
    kept([(1, np.zeros((8, 8, 3), np.uint8))], lambda crops: np.ones((len(crops), 18, 512), np.float32))
    kept.flush()


def ledger(folder: Path) -> None:
    (folder.parent / "in.mp4").write_bytes(b"clip")
    job = RenderJob(input=str(folder.parent / "in.mp4"), edit="smile")
    BatchLedger(folder).record(folder.parent / "in.mp4", folder.parent / "in.mp4", job)


def manifest(folder: Path) -> None:
    entry = shipped.WeightFile("a", folder / "a.safetensors", "0" * 64, 3, "MIT", "made up")
    shipped._write(folder, {"a": entry})


def pack(folder: Path) -> None:
    pictures = folder.parent / "pictures"
    if not pictures.exists():
        pictures.mkdir()
        cv2.imwrite(str(pictures / "a.png"), np.zeros((32, 32, 3), np.uint8))
    pack_pictures(pictures, folder / "pack.npy")


def record(folder: Path) -> None:
    published.remember("a", published.Installed("https://example.org/a.pt", 3, "0" * 64, ()))


def table(folder: Path) -> None:
    part = next(iter(TABLES))
    if not (folder / "card.md").exists():
        (folder / "card.md").write_text(f"<!-- videdit eval {part} -->\n{END}")
    put_table(folder / "card.md", part, [])


def weight(folder: Path) -> None:
    new = folder.parent / "new.safetensors"
    if not new.exists():
        new.write_bytes(bytes(64))
    install(new, folder)


WRITERS: dict[str, Callable[[Path], object]] = {
    "codes": codes,
    "ledger": ledger,
    "manifest": manifest,
    "pack": pack,
    "record": record,
    "report": lambda folder: write_report(folder, SegmentReport("id", 3, {}, 25, 25, "0", 1.0, "here")),
    "scores": lambda folder: score(folder / "scores.npz", Measure(), np.zeros((4, 512), np.float32), math.inf),  # type: ignore[arg-type]
    "table": table,
    "weight": weight,
    "weights": lambda folder: save_weights({"a": torch.zeros(64)}, folder / "a.safetensors"),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_on_a_full_disk_what_was_there_stays_alone(kind, tmp_path, monkeypatch):
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.setenv("VIDEDIT_WEIGHTS", str(folder))
    WRITERS[kind](folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert len(before) == 1
    (written,) = before
    if kind in ("codes", "scores"):  # what is there already would not be written again
        written.unlink()
        before = {}
    with full_disk(), contextlib.suppress(OSError, VideditError):
        WRITERS[kind](folder)
        assert kind == "codes"  # of which it only warns: a render goes on without
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_name_is_taken_at_the_end_of_the_block(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with written_whole(path) as written:
        written.write_text("new")
        assert written.suffix == ".txt"
        assert written.name.startswith(".")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    with pytest.raises(ZeroDivisionError), written_whole(path) as written:
        written.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]
