"""OpenEXR pictures and sequences."""
