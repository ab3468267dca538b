"""Edits: what can be changed in a face, in which unit, and which way that is in the generator's space.

Light on purpose (numpy, yaml, safetensors): the command line lists and checks edits without loading a network.
"""

from videdit.edits.catalogue import catalogue, catalogue_table
from videdit.edits.directions import Directions, edit_delta, load_direction
from videdit.edits.edit_info import EditInfo
from videdit.edits.parse import Edit, cautions, check_codes, parse_edits
from videdit.edits.timeline import Timeline

__all__ = [
    "Directions",
    "Edit",
    "EditInfo",
    "Timeline",
    "catalogue",
    "catalogue_table",
    "cautions",
    "check_codes",
    "edit_delta",
    "load_direction",
    "parse_edits",
]
