"""What a file says about itself and its streams: carried over, and added to."""

from __future__ import annotations

import math

import av

from videdit.media.info import MediaInfo
from videdit.media.open import KNOWN_TAGS, normal_tags

_OF_THE_CONTAINER = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
_OF_THE_ENCODING = ("alpha_mode", "encoder", "duration", "bps", "number_of_", "_statistics_", "vendor_id")
_MAX_TIMESCALE = 2**31 - 1


def container_options(info: MediaInfo, container: str, tags: dict[str, str]) -> dict[str, str]:
    """Muxer options that keep every time exact and tags whole."""
    if container not in ("mp4", "mov"):
        return {}
    track = info.time_base.denominator
    movie = track  # edit lists (late starts) are counted in movie units: they must divide every stream's
    for rate in {stream.time_base.denominator for stream in info.streams if stream.time_base}:
        finer = math.lcm(movie, rate)
        movie = finer if finer <= _MAX_TIMESCALE else movie
    flags = "+faststart"
    if container == "mp4" and not set(tags) <= KNOWN_TAGS:  # the usual tag list cannot hold others
        flags += "+use_metadata_tags"
    return {"movflags": flags, "video_track_timescale": str(track), "movie_timescale": str(movie)}


def kept_tags(tags: dict[str, str]) -> dict[str, str]:
    """A file's tags without those that its container made for itself."""
    return {key: value for key, value in normal_tags(tags).items() if key.lower() not in _OF_THE_CONTAINER}


def add_provenance(tags: dict[str, str], provenance: dict[str, str]) -> dict[str, str]:
    """The tags with what was done to the clip; a note that is there already is kept in front."""
    merged = dict(tags)
    for key, value in provenance.items():
        old = merged.get(key)
        merged[key] = f"{old} | {value}" if old and value not in old else value
    return merged


def describe_stream(source: av.stream.Stream, target: av.stream.Stream) -> None:
    """Carry language, title, handler and disposition over to the stream that takes its place."""
    target.metadata.update(
        {key: value for key, value in source.metadata.items() if not key.lower().startswith(_OF_THE_ENCODING)}
    )
    target.disposition = source.disposition
