"""Engines: who renders the segments of plans. They are told of folders and numbers, and never see a frame."""
