"""Transparency of VP8 and VP9: pictures of their own, which Matroska and WebM keep beside the packets of the others.

FFmpeg carries them along as side data. A packet that is made anew of another's bytes must take them over, or they are
lost without a word.
"""

from __future__ import annotations

import av
from av.packet import PacketSideData, PktSideDataT, packet_sidedata_type_from_literal

from videdit.media.pixel_formats import geometry

CONTAINERS = ("matroska", "webm")  # those that keep them
TAG = {"alpha_mode": "1"}  # of a stream: tells muxers and players that they are there
_KIND: PktSideDataT = "matroska_block_additional"


def is_beside(encoder: str, planar: str) -> bool:
    """Whether an encoder gives the transparency of such planes beside its packets."""
    return encoder in ("libvpx-vp9", "libvpx") and geometry(planar)[3]


def beside(packet: av.Packet) -> bytes:
    """What lies beside a packet, empty where nothing does."""
    return bytes(packet.get_sidedata(_KIND)) if packet.has_sidedata(_KIND) else b""


def put_beside(packet: av.Packet, data: bytes) -> None:
    """Give a packet what :func:`beside` took from another."""
    if data:
        # Its constructor is missing from PyAV's type stubs.
        side = PacketSideData(packet_sidedata_type_from_literal(_KIND), len(data))  # type: ignore[call-arg]
        side.update(data)
        packet.set_sidedata(side)
