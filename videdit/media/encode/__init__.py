"""Frames -> files that are otherwise the source."""
