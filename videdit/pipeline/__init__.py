"""Threads and bounded queues between stages, windows over a stream: no video, no torch."""
