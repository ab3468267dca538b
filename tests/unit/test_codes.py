"""Codes that are kept: the same as those that are made, whatever happens to the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videdit.hfgi import latent_cache as module
from videdit.hfgi.latent_cache import CHUNK, LatentCache


class Encoder:
    """A made-up encoder, which counts its crops."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, crops: list[np.ndarray]) -> np.ndarray:
        self.seen += len(crops)
        seeds = [int(crop.astype(np.int64).sum()) for crop in crops]
        return np.stack([np.random.default_rng(s).normal(size=(18, 512)) for s in seeds]).astype(np.float32)


def crop(number: int) -> np.ndarray:
    return np.full((8, 8, 3), number, np.uint8) + np.arange(3, dtype=np.uint8)


def ask(codes: LatentCache, wanted: list[tuple[int | None, int]], encode: Encoder, batch: int = 4) -> np.ndarray:
    answers: list[np.ndarray] = []
    for start in range(0, len(wanted), batch):
        answers += codes([(pts, crop(number)) for pts, number in wanted[start : start + batch]], encode)
    codes.flush()
    return np.stack(answers)


WANTED: list[tuple[int | None, int]] = [(i, i % 200) for i in range(0, 3 * CHUNK, 5)]


def test_what_was_made_is_not_made_again(tmp_path: Path) -> None:
    encode = Encoder()
    without = ask(LatentCache(), WANTED, encode)
    first = ask(LatentCache(tmp_path / "c"), WANTED, encode)
    made = encode.seen
    second = ask(LatentCache(tmp_path / "c"), WANTED, encode)
    assert encode.seen == made == 2 * len(WANTED)
    np.testing.assert_array_equal(first, without)
    np.testing.assert_array_equal(second, without)
    assert len(list((tmp_path / "c").iterdir())) == 3


def test_another_crop_of_the_same_frame_is_another(tmp_path: Path) -> None:
    encode = Encoder()
    ask(LatentCache(tmp_path / "c"), [(3, 1)], encode)
    np.testing.assert_array_equal(
        ask(LatentCache(tmp_path / "c"), [(3, 2)], encode), ask(LatentCache(), [(3, 2)], Encoder())
    )
    ask(LatentCache(tmp_path / "c"), [(3, 1), (3, 2)], encode)
    assert encode.seen == 2


@given(st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 5 * CHUNK)), st.integers(0, 5)), min_size=1, max_size=60))
@settings(max_examples=20, deadline=None)
def test_in_any_order_they_are_the_same(wanted: list[tuple[int | None, int]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        kept = LatentCache(Path(folder) / "c")
        answers = [ask(kept, wanted, Encoder(), batch=7) for _ in range(2)]
        np.testing.assert_array_equal(answers[0], ask(LatentCache(), wanted, Encoder()))
        np.testing.assert_array_equal(answers[0], answers[1])


@pytest.mark.parametrize("how", ["cut", "garbage", "flipped", "other arrays"])
def test_damage_costs_time_and_is_said(tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture) -> None:
    encode = Encoder()
    truth = ask(LatentCache(tmp_path / "c"), WANTED, encode)
    path = sorted((tmp_path / "c").iterdir())[1]
    data = bytearray(path.read_bytes())
    if how == "other arrays":
        np.savez(path, digest=np.zeros((1, 16), np.uint8), code=np.zeros((1, 2)))
    else:
        data[len(data) // 2] ^= 0xFF
        path.write_bytes({"cut": data[:100], "garbage": b"x" * 500, "flipped": data}[how])
    with caplog.at_level("WARNING", "videdit"):
        np.testing.assert_array_equal(ask(LatentCache(tmp_path / "c"), WANTED, encode), truth)
    assert len(caplog.messages) == 1
    assert "made anew" in caplog.messages[0]
    made = encode.seen
    np.testing.assert_array_equal(ask(LatentCache(tmp_path / "c"), WANTED, encode), truth)
    assert encode.seen == made  # it was mended


def test_there_is_never_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 60_000)
    truth = ask(LatentCache(), WANTED, Encoder())
    np.testing.assert_array_equal(ask(LatentCache(tmp_path / "c"), WANTED, Encoder()), truth)
    np.testing.assert_array_equal(ask(LatentCache(tmp_path / "c"), WANTED, Encoder()), truth)
    assert len(list((tmp_path / "c").iterdir())) < 3


def test_no_room_is_said_and_no_failure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "c").write_text("a file in the way")
    with caplog.at_level("WARNING", "videdit"):
        ask(LatentCache(tmp_path / "c"), WANTED[:4], Encoder())
    assert "cannot keep codes" in caplog.messages[0]
