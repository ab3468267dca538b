"""The packets that flow through the pipeline: frozen dataclasses of arrays.

One :class:`Frame` travels from decode to encode. Stages never change a frame in place: they hand on
``dataclasses.replace(frame, faces=..., crops=..., ...)``.

Conventions, everywhere in the project:

* Points are (x, y) in square pixels of the picture that is coded (not rotated), pixel centres at +0.5: the top left
  corner of the picture is (0, 0), the centre of its first pixel (0.5, 0.5). Where the pixels that are coded are not
  square, the narrower way is stretched (``Picture.stretch``): faces have the proportions that a viewer sees.
* Network images are NCHW float32 RGB in [-1, 1]; crops in flight are HWC uint8 or float16 RGB to save memory.
* What is made of a crop is an ``Array``: numpy on the host, a torch tensor where the pixels live on a device
  (:mod:`videdit.imaging.pixels`). Shapes, ranges and layouts are the same.
* ``to_frame`` matrices are 2x3 float64 and map crop pixels to coded pixels of the frame.
"""

from videdit.datatypes.face import (
    LOW,
    WHOLE,
    Accumulator,
    Array,
    Crop,
    Drift,
    Edited,
    Expression,
    Face,
    Flow,
    HairChange,
    Rendering,
    Square,
    layers_of,
)
from videdit.datatypes.frame import Coded, Frame, Pasted, SegmentStart, SegmentTag
from videdit.datatypes.picture import Color, Picture, bare_picture

__all__ = [
    "Accumulator",
    "Array",
    "Coded",
    "Color",
    "Crop",
    "Drift",
    "Edited",
    "Expression",
    "Face",
    "Flow",
    "Frame",
    "HairChange",
    "LOW",
    "Pasted",
    "Picture",
    "Rendering",
    "SegmentStart",
    "SegmentTag",
    "Square",
    "WHOLE",
    "bare_picture",
    "layers_of",
]
