"""videdit: high-fidelity face editing for video (HFGI made into a pipeline).

from videdit import edit_video, edit_image
edit_video("in.mp4", "out.mp4", edit="smile")

Programs that ask again and again keep a :class:`videdit.Session`, which stays warm between previews and renders.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from videdit._version import __version__

if TYPE_CHECKING:
    from videdit.api import edit_image, edit_video, forget_networks
    from videdit.rendering.session import Session

__all__ = ["Session", "__version__", "edit_image", "edit_video", "forget_networks"]


if not os.path.isdir(os.path.join(__path__[0], "stages")):
    # videdit/stages is a link to the folder stages/ beside videdit/; some systems unpack no links.
    __path__.append(os.path.dirname(__path__[0]))


def __getattr__(name: str) -> Any:
    # Lazy, so that `import videdit` and `--help` pay for neither torch nor av.
    if name in ("edit_image", "edit_video", "forget_networks"):
        from videdit import api

        return getattr(api, name)
    if name == "Session":
        from videdit.rendering.session import Session

        return Session
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
