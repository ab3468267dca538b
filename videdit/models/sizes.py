"""Numbers that others need of networks without building one: no torch here."""

from __future__ import annotations

W_DIM = 512  # numbers of a layer of a code
NUM_LAYERS = 18  # length of a W+ code, as in StyleGAN2 1024
TRUNK_CHANNELS = 512  # of the generators' features at 64 px, where HFGI consults
MESH_INPUT = 192  # pixels that the mesh net looks at
MESH_POINTS = 468  # that it finds
PARSER_INPUT = 256  # pixels that the parser looks at
EDITS = ("smile", "age", "mouth_open", "eyes_open", "beard", "gender", "lipstick", "yaw")  # the student's strengths
# Points of the mesh that the student is told: corners and lids of the eyes, corners and lips of the mouth, nose, chin,
# brows, sides of the face, forehead.
ANCHORS = (33, 133, 362, 263, 159, 145, 386, 374, 61, 291, 13, 14, 0, 17, 1, 152, 105, 334, 234, 454, 10)
