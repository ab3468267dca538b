"""Files in, files out: the only package that imports PyAV. ``color``, ``tone_proxy``, ``image_sequence`` go without.

open.py            opening a file, safely
kinds.py           what a file is, whatever its name says; file_kinds.py: stills by their first bytes
info.py            MediaInfo, what is known of a file
probe.py           probe(path) -> MediaInfo; file_tags
headers.py         what a header says of containers and streams, where FFmpeg does not tell it plainly
source_identity.py what tells a source from another that lay at its place
image_sequence.py  numbered pictures that make one clip; numbered_stills.py: clips written as such
color.py           planes <-> RGB
tone_proxy.py      HDR and linear light as the networks see them
pixel_formats.py   FFmpeg's frame layouts <-> planes
frame_times.py     which frame is shown when; untimed.py: frames at the beginning that have no time
orientation.py     the display matrix
viewing.py         stereo, spheres, clean aperture, shape of pixels; boxes.py, ebml.py: where MP4 and Matroska say so
hdr.py             HDR10's static metadata
tags.py            titles, comments, languages, dispositions
integrity.py       cut-off files
failures.py        why something cannot be written, in words
decode/            read (VideoReader, read_image: files -> Frames), hwaccel (decoders of the machine), lost (which
                   frames a damaged packet has cost)
encode/            write (VideoWriter: Frames -> a file that is otherwise the source), codecs (EncodeSettings;
                   encoders and their options), choose (which of them), encoding (one opened encoder), mux (what happens
                   to the streams that are not edited), transcode (sound and text that a container cannot hold),
                   segments (finished pieces of a video on disk, and how they become one), alpha (transparency beside
                   the packets of VP8 and VP9), ffmpeg_process and ffmpeg_codecs (encoders of an ffmpeg program in place
                   of PyAV's)
stills/            write (write_image), image_tags (EXIF, ICC, XMP and notes), container_tags (profile and XMP of WebP
                   and TIFF), xmp (saying in XMP that a model changed a picture)
exr/               read, write, file: EXR pictures by OpenEXR
"""
