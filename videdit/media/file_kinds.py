"""Which kind of still picture a file is, by its first bytes."""

from __future__ import annotations

# Stills, by their kind: left to itself FFmpeg takes them for numbered sequences ("a%03d.png").
_STILLS = {
    ".jpg": "jpeg_pipe",
    ".png": "png_pipe",
    ".webp": "webp_pipe",
    ".bmp": "bmp_pipe",
    ".tif": "tiff_pipe",
    ".exr": "exr_pipe",
    ".dpx": "dpx_pipe",
    ".qoi": "qoi_pipe",
    ".jxl": "jpegxl_pipe",
    ".jp2": "j2k_pipe",
    ".j2k": "j2k_pipe",
    ".apng": "apng",
}
