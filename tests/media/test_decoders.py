"""Decoders of the machine: tried out for real. Where there is none, as mostly, the CPU takes over, aloud."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from av.codec.hwaccel import hwdevices_available
from synthetic_clips import Clip, make

from videdit.jobs.render_job import RenderJob
from videdit.media.decode.hwaccel import choose_decoder
from videdit.media.probe import probe
from videdit.stages.decode import Decode

KINDS = ["auto", "warp", *hwdevices_available()]


@pytest.mark.parametrize("codec", ["libx264", "ffv1"])
@pytest.mark.parametrize("wanted", KINDS)
def test_whatever_decodes_the_frames_are_those_of_the_cpu(tmp_path: Path, wanted: str, codec: str) -> None:
    source = tmp_path / "in.mkv"
    options = {"preset": "ultrafast"} if codec == "libx264" else {}
    make(source, Clip(pts=tuple(range(0, 20 * 3000, 3000)), width=256, height=192, codec=codec, options=options))
    info = probe(source)
    device, said = choose_decoder(info, wanted)
    assert said is not None or device == wanted
    if device is None:
        assert said is not None
        assert said.endswith("the CPU decodes")
        assert wanted == "auto" or said.startswith(f"--decoder {wanted} ")
    decode = Decode(info, decoder=wanted)
    found = list(decode(iter(())))
    assert decode.warnings == ([said] if said else [])
    plain = list(Decode(info)(iter(())))
    assert [frame.pts for frame in found] == [frame.pts for frame in plain]
    assert len(plain) == 20
    for frame, other in zip(found, plain, strict=True):
        assert all(map(np.array_equal, frame.picture.planes, other.picture.planes))


def test_the_cpu_is_asked_without_a_word(tmp_path: Path) -> None:
    make(tmp_path / "in.mp4", Clip())
    assert choose_decoder(probe(tmp_path / "in.mp4"), "cpu") == (None, None)
    assert RenderJob(input="a", edit="smile").decoder == "cpu"


def test_the_decoder_is_no_reason_to_render_again() -> None:
    """It gives the same frames, so a run may go on with another."""
    jobs = [RenderJob(input="a", edit="smile", decoder=name) for name in ("cpu", "cuda")]
    assert jobs[0].settings() == jobs[1].settings()
    with pytest.raises(ValueError, match="decoder"):
        RenderJob(input="a", edit="smile", decoder="../x")
