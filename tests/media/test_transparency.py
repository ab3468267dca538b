"""Alpha planes: kept bit for bit where the codec holds them, else their loss is said."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from synthetic_clips import LOSSLESS, Clip, copy, make, planes_of

from videdit.media.encode.codecs import EncodeSettings
from videdit.media.probe import probe

FFV1 = {"level": "3", "slices": "1"}


def test_dropped_transparency_is_said(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    truth = make(source, Clip(pts=(0, 3000), pix_fmt="yuva444p10le", codec="ffv1", options=FFV1))
    writer = copy(source, tmp_path / "kept.mov", EncodeSettings(codec="prores"))
    assert probe(tmp_path / "kept.mov").planar.startswith("yuva444p")
    assert not any("transparency" in said for said in writer.warnings)
    writer = copy(source, tmp_path / "out.mp4", EncodeSettings(codec="h264", lossless=True))
    assert any("transparency" in said for said in writer.warnings)
    for planes, made in zip(planes_of(tmp_path / "out.mp4"), truth, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(planes, made[:3], strict=True))


@pytest.mark.parametrize("suffix", [".webm", ".mkv"])
def test_transparency_of_vp9_stays(tmp_path: Path, suffix: str) -> None:
    """Matroska keeps it beside the packets, where FFmpeg's own decoder does not look."""
    source, target = tmp_path / "in.webm", tmp_path / f"out{suffix}"
    how = {"codec": "libvpx-vp9", "options": {"lossless": "1"}, "time_base": Fraction(1, 1000)}
    make(source, Clip(pts=(0, 33, 66), pix_fmt="yuva420p", **how))
    info = probe(source)
    assert (info.codec, info.planar) == ("vp9", "yuva420p")
    writer = copy(source, target, LOSSLESS)
    assert writer.warnings == []
    assert probe(target).planar == "yuva420p"
    for planes, back in zip(planes_of(source), planes_of(target), strict=True):
        assert len(planes) == 4
        assert planes[3].std() > 10
        assert all(map(np.array_equal, planes, back))
    writer = copy(source, tmp_path / "out.mp4", EncodeSettings(codec="vp9", lossless=True))
    assert probe(tmp_path / "out.mp4").planar == "yuv420p"
    assert any("transparency is dropped" in said for said in writer.warnings)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert "alpha_mode" not in {key.lower() for key in container.streams.video[0].metadata}
