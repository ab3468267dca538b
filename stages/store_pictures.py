"""store and fetch: where pictures wait from the crop to the paste.

Between these two, nobody looks at them. A frame goes its way without its picture's pixels, so whatever holds frames
back to compare them with others holds no pictures; these lie in a store, each once, whose bytes are known.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from videdit.datatypes import Frame, Picture, bare_picture


@dataclass
class _Stored:
    picture: Picture
    holders: int


class PictureStore:
    """Pictures by the index of their frame, each until nobody wants it any more. Threads may ask at once."""

    def __init__(self) -> None:
        """Empty. ``nbytes`` is what all stored pictures take."""
        self._stored: dict[int, _Stored] = {}
        self._lock = threading.Lock()
        self.nbytes = 0

    def __len__(self) -> int:
        """How many pictures are stored."""
        return len(self._stored)

    def put(self, frame: Frame) -> Frame:
        """The frame without its picture, which has one holder then."""
        with self._lock:
            assert frame.index not in self._stored
            self._stored[frame.index] = _Stored(frame.picture, 1)
            self.nbytes += frame.picture.nbytes
        return replace(frame, picture=bare_picture(frame.picture), stored=True)

    def hold(self, frame: Frame) -> None:
        """One more will fetch the picture, or let go of it."""
        if frame.stored:
            with self._lock:
                self._stored[frame.index].holders += 1

    def release(self, frame: Frame) -> None:
        """One holder less."""
        if frame.stored:
            self._let_go(frame.index)

    def fetch(self, frame: Frame) -> Frame:
        """The frame with its picture, which has one holder less then."""
        return replace(frame, picture=self._let_go(frame.index), stored=False) if frame.stored else frame

    def _let_go(self, index: int) -> Picture:
        with self._lock:
            stored = self._stored[index]
            stored.holders -= 1
            if not stored.holders:
                del self._stored[index]
                self.nbytes -= stored.picture.nbytes
            return stored.picture


class StorePictures:
    """Leaves the pictures of frames in a store."""

    name = "store"

    def __init__(self, store: PictureStore) -> None:
        """store: shared with the :class:`FetchPictures` that takes them out again."""
        self.store = store

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames whose pictures have size and kind but no pixels, each of an index that is not stored yet."""
        return map(self.store.put, frames)


class FetchPictures:
    """Gives frames their pictures back."""

    name = "fetch"

    def __init__(self, store: PictureStore) -> None:
        """store: the one that :class:`StorePictures` has filled."""
        self.store = store

    def __call__(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Frames with the pictures that they had; those of frames that never were stored stay."""
        return map(self.store.fetch, frames)
