"""Files in, files out: the only room that imports PyAV. ``color``, ``sdr``, ``imagetags``, ``sequence`` go without.

source.py     opening a file, safely
sequence.py   numbered pictures that make one clip
probe.py      probe(path) -> MediaInfo
read.py       VideoReader, read_image: files -> Frames
decoders.py   decoders of the machine
orientation.py  the display matrix
lost.py       which frames a damaged packet has cost
write.py      VideoWriter: Frames -> a file that is otherwise the source
still.py      write_image
exr.py        EXR pictures, read by OpenEXR; exrwrite.py: edited ones; exrfile.py: one such file
color.py      planes <-> RGB
sdr.py        HDR and linear light as the networks see them
mux.py        what happens to the streams that are not edited
tags.py       titles, comments, languages, dispositions
transcode.py  sound and text that a container cannot hold
hdr.py        HDR10's static metadata
codecs.py     EncodeSettings; which encoder, with which options
alpha.py      transparency beside the packets of VP8 and VP9
external.py   encoders of an ffmpeg program in place of PyAV's; external_codecs.py chooses among them
encoding.py   one opened encoder: frames -> packets
segments.py   finished pieces of a video on disk, and how they become one
failures.py   why something cannot be written, in words
planes.py     FFmpeg's frame layouts <-> planes
integrity.py  cut-off files
imagetags.py  EXIF, ICC, XMP and notes of stills
stilltags.py  profile and XMP of WebP and TIFF
xmp.py        saying in XMP that a model changed a picture
"""
