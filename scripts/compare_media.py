"""What of a clip is the same in another: `python scripts/compare_media.py in.mp4 out.mp4`.

With --copy the second file is made first: the frames of the first, encoded anew as a render would, unedited.
"""

from __future__ import annotations

import argparse
import hashlib
import math
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import av
import numpy as np

from videdit.media.decode.read import VideoReader
from videdit.media.encode.codecs import EncodeSettings
from videdit.media.encode.write import VideoWriter
from videdit.media.info import MediaInfo
from videdit.media.probe import probe

PROPERTIES = ("container", "codec", "width", "height", "sar", "rotation", "pix_fmt", "color_tags", "chroma_location")
PROPERTIES += ("time_base", "start_pts", "fps", "frame_count", "duration", "chapters", "hdr", "interlaced")


def copy(source: Path, target: Path) -> None:
    """Decode a clip and encode it again, with nothing in between."""
    with VideoReader(source) as reader, VideoWriter(target, reader.info, EncodeSettings()) as writer:
        for frame in reader:
            writer.write(frame)


def packets(path: Path, info: MediaInfo) -> Iterator[tuple[str, str, int, str]]:
    """(kind, codec, packets, digest of their bytes and times) of each stream beside the video."""
    for stream in info.streams:
        digest, count = hashlib.sha256(), 0
        with av.open(str(path)) as container:
            for packet in container.demux(container.streams[stream.index]):
                if packet.size and packet.pts is not None:
                    digest.update(bytes(packet) + str(packet.pts * packet.time_base).encode())
                    count += 1
        yield stream.kind, stream.codec, count, digest.hexdigest()[:12]


def pictures(one: Path, other: Path) -> str:
    """How many frames there are, whether their times are the same, and how near their planes."""
    count = same_times = 0
    squares: list[float] = []
    with VideoReader(one) as a, VideoReader(other) as b:
        for before, after in zip_longest(a, b):
            if before is None or after is None:
                return "another number of frames"
            count += 1
            same_times += before.pts * before.time_base == after.pts * after.time_base
            pairs = zip(before.picture.planes, after.picture.planes, strict=True)
            squares.append(float(np.mean([np.mean(np.square(p.astype(float) - q)) for p, q in pairs])))
        top = (1 << a.info.color.depth) - 1
    mean = float(np.mean(squares))
    near = "bit for bit" if not mean else f"{10 * math.log10(top * top / mean):.1f} dB"
    return f"{count} frames, {same_times} at the same time, {near}"


def main() -> None:
    """Compare two clips, frame by frame; the exit code says whether they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--copy", action="store_true", help="make the second file of the first")
    words = parser.parse_args()
    if words.copy:
        copy(words.before, words.after)
    before, after = probe(words.before), probe(words.after)
    for name in PROPERTIES:
        a, b = getattr(before, name), getattr(after, name)
        print(f"{'same' if a == b else 'DIFFERS':8} {name:16} {a}" + ("" if a == b else f" -> {b}"))
    for a, b in zip_longest(packets(words.before, before), packets(words.after, after)):
        print(f"{'same' if a == b else 'DIFFERS':8} {'stream':16} {a}" + ("" if a == b else f" -> {b}"))
    print(f"{'':8} {'pictures':16} {pictures(words.before, words.after)}")


if __name__ == "__main__":
    main()
