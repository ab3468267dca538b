"""Contact sheets: rows of pictures with words, for eyes to judge what numbers do not say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from videdit.errors import MediaError
from videdit.media.stills.image_tags import ImageTags, embed
from videdit.storage.outputs import put, temporary_name

_BAR = 16  # px of a line of text


def contact_sheet(rows: Sequence[Sequence[np.ndarray]], titles: Sequence[str] = (), tile: int = 160) -> np.ndarray:
    """Pictures [S, S, 3] uint8 RGB, row by row, columns under their titles -> one picture [H, W, 3] uint8 RGB."""
    columns = max(map(len, rows), default=0)
    sheet = np.full((_BAR * bool(titles) + tile * len(rows), max(tile * columns, 1), 3), 32, np.uint8)
    for i, title in enumerate(titles):
        at = (i * tile + 3, _BAR - 4)
        cv2.putText(sheet, title, at, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            y, x = _BAR * bool(titles) + r * tile, c * tile
            sheet[y : y + tile, x : x + tile] = cv2.resize(picture, (tile, tile), interpolation=cv2.INTER_AREA)
    return sheet


def write_sheet(path: Path, sheet: np.ndarray, note: str = "", replace: bool = True) -> None:
    """Write a sheet [H, W, 3] uint8 RGB as a PNG. note: a sentence in it. replace: a file that is there.

    Raises:
        MediaError: that cannot be done.
    """
    done, data = cv2.imencode(".png", sheet[:, :, ::-1])
    try:
        assert done
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = embed(data.tobytes(), ImageTags(notes={"Comment": note} if note else {}))
        temporary = temporary_name(path)
        try:
            temporary.write_bytes(whole)
            put(temporary, path, replace)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise MediaError(f"cannot write the sheet {path}: {error.strerror}") from None
