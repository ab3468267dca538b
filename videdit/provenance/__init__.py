"""Saying that a file was edited: tags, sidecar files, content credentials (C2PA)."""
