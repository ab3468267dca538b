"""Sound that Matroska holds under its Windows name (A_MS/ACM): WMA, ADPCM, G.711, G.726, Speex and others.

FFmpeg's muxer writes it, but its binding asks a stricter question first and never gets there. The track is declared as
another kind of sound, whose packets the muxer leaves as they are, and named right when the file is closed.
"""

from __future__ import annotations

import contextlib
import io
import struct

import av

from videdit.media import ebml

STAND_IN = "truehd"
_CODEC = b"A_MS/ACM"
_FORMAT = struct.Struct("<HHIIHH")  # tag, channels, rate, bytes a second, block, bits a sample


def header(stream: av.stream.Stream) -> bytes | None:
    """The Windows header (WAVEFORMATEX) of a stream of sound; None where it has no Windows name."""
    memory = io.BytesIO()
    trial = av.open(memory, "w", format="wav")
    try:
        trial.add_stream_from_template(stream, opaque=True)
        trial.start_encoding()
        data = memory.getvalue()
    except (av.FFmpegError, ValueError):
        return None
    finally:
        with contextlib.suppress(av.FFmpegError, ValueError):
            trial.close()
    at = data.find(b"fmt ")
    context = stream.codec_context
    if at < 0 or not isinstance(context, av.AudioCodecContext):
        return None
    length = int.from_bytes(data[at + 4 : at + 8], "little")
    found = data[at + 8 : at + 8 + length]
    tag, channels, *rest = _FORMAT.unpack(found[: _FORMAT.size])
    return _FORMAT.pack(tag, channels or context.layout.nb_channels, *rest) + found[_FORMAT.size :]


def change(header: bytes, title: str | None) -> ebml.Change:
    """What a track is to say of itself."""
    _, channels, _, _, _, bits = _FORMAT.unpack(header[: _FORMAT.size])
    sound = [(ebml.CHANNELS, ebml.number(channels))] + ([(ebml.BIT_DEPTH, ebml.number(bits))] if bits else [])
    return ebml.Change(title, {ebml.AUDIO: sound}, [(ebml.CODEC, _CODEC), (ebml.PRIVATE, header)])
