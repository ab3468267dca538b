"""Several videos in one file: which one is edited."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from videdit.errors import UsageError
from videdit.jobs.render_job import RenderJob
from videdit.media.decode.read import VideoReader
from videdit.media.encode.write import VideoWriter
from videdit.media.frame_times import frame_times
from videdit.media.probe import probe


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Path:
    """A black video of 64x48 in English, and a white one of 96x64 in German."""
    path = tmp_path_factory.mktemp("clips") / "two.mkv"
    with av.open(str(path), "w") as out:
        streams = []
        for (width, height), language in (((64, 48), "eng"), ((96, 64), "ger")):
            stream = out.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.metadata["language"] = language
            streams.append(stream)
        for _ in range(5):
            for i, stream in enumerate(streams):
                picture = np.full((stream.height, stream.width, 3), 255 * i, np.uint8)
                out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        for stream in streams:
            out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("track, index", [(None, 0), ("1", 0), ("eng", 0), ("2", 1), ("ger", 1)])
def test_the_track_that_is_asked_for_is_edited(two: Path, tmp_path: Path, track: str | None, index: int) -> None:
    info = probe(two, track=track)
    assert (info.video_index, info.width) == (index, (64, 96)[index])
    assert len(frame_times(info)) == 5
    assert info.other_tracks == [2 - index]
    with VideoReader(info) as reader, VideoWriter(tmp_path / "out.mkv", info) as writer:
        for frame in reader:
            assert abs(int(frame.picture.planes[0][0, 0]) - (16, 235)[index]) < 3
            writer.write(frame)
    with av.open(str(two)) as before, av.open(str(tmp_path / "out.mkv")) as after:
        other = 1 - index
        kept = [
            [bytes(packet) for packet in container.demux(container.streams[other]) if packet.size]
            for container in (before, after)
        ]
        assert kept[0] == kept[1]
        assert [stream.language for stream in after.streams.video] == ["eng", "ger"]


def test_a_track_that_is_not_there(two: Path) -> None:
    for track in ("3", "fra"):
        with pytest.raises(UsageError, match=rf"no video track {track}; there is 1 \(eng\), 2 \(ger\)"):
            probe(two, track=track)


def test_words_for_tracks() -> None:
    for words, value in ((2, "2"), ("ENG", "eng"), (None, None), ("pt-BR", "pt-br")):
        assert RenderJob(input="a", edit="smile", video_track=words).video_track == value
    for words in ("0", "-1", "english", "1.5", ""):
        with pytest.raises(ValueError, match="no video track"):
            RenderJob(input="a", edit="smile", video_track=words)
