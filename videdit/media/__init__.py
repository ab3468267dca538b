"""Files in, files out: the only room that imports PyAV."""

from videdit.media.codecs import EncodeSettings
from videdit.media.mux import output_suffix
from videdit.media.probe import MediaInfo, StreamInfo, probe
from videdit.media.read import VideoReader, read_image
from videdit.media.still import IMAGE_SUFFIXES, write_image
from videdit.media.write import VideoWriter

__all__ = [
    "IMAGE_SUFFIXES",
    "EncodeSettings",
    "MediaInfo",
    "StreamInfo",
    "VideoReader",
    "VideoWriter",
    "output_suffix",
    "probe",
    "read_image",
    "write_image",
]
