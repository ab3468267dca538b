"""Pixels whose shape changes midway: told, and a part has the shape that it has there."""

from __future__ import annotations

import contextlib
import re
from fractions import Fraction
from pathlib import Path

import pytest
from synthetic_clips import Clip, make

from videdit.errors import PicturesChange
from videdit.media.decode.read import VideoReader
from videdit.media.decode.start import probe_from
from videdit.media.probe import probe


@pytest.mark.parametrize("side", [64, 96])
def test_pixels_that_change_their_shape(tmp_path: Path, side: int) -> None:
    """As in a broadcast from 4:3 on to 16:9: told where the size stays; each part has its own shape."""
    path, clock = tmp_path / "both.ts", Fraction(1, 90000)
    shapes = (Fraction(16, 15), Fraction(64, 45))
    options = {"preset": "ultrafast", "qp": "0", "bf": "0"}
    for i, (width, sar) in enumerate(zip((64, side), shapes, strict=True)):
        times = tuple(range(90000 + i * 36000, 90000 + (i + 1) * 36000, 3600))
        part = Clip(pts=times, time_base=clock, width=width, sar=sar, last_duration=3600, options=options)
        make(tmp_path / f"{i}.ts", part)
    path.write_bytes((tmp_path / "0.ts").read_bytes() + (tmp_path / "1.ts").read_bytes())
    assert probe(path).sar == shapes[0]
    assert probe_from(path, start=0.4).sar == shapes[1]
    assert probe_from(path, start=0.2).sar == shapes[0]
    with VideoReader(path) as reader, contextlib.ExitStack() as stack:
        if side != 64:
            stack.enter_context(pytest.raises(PicturesChange))
        assert len(list(reader)) == 20
    if side == 64:
        assert re.search(r"shape from 16:15 to 64:45 at about 0\.(3|4)\d* s", " ".join(reader.warnings))


@pytest.mark.parametrize(("start", "said"), [(0.2, True), (0.44, False), (0.6, False)])
def test_a_change_before_the_start_is_not_told(tmp_path: Path, start: float, said: bool) -> None:
    """What is decoded on the way to the start may have another shape; no frame is given of it."""
    path, clock = tmp_path / "both.ts", Fraction(1, 90000)
    shapes = (Fraction(16, 15), Fraction(64, 45))
    options = {"preset": "ultrafast", "qp": "0", "bf": "0"}
    for i, sar in enumerate(shapes):  # the second begins while the first still goes on
        times = tuple(range(90000 + i * 28800, 90000 + i * 28800 + 36000, 3600))
        make(tmp_path / f"{i}.ts", Clip(pts=times, time_base=clock, sar=sar, last_duration=3600, options=options))
    path.write_bytes((tmp_path / "0.ts").read_bytes() + (tmp_path / "1.ts").read_bytes())
    info = probe_from(path, start=start)
    assert info.sar == shapes[0 if said else 1]
    with VideoReader(info, start=start) as reader:
        assert list(reader)
    assert any("change their shape" in warning for warning in reader.warnings) == said
