"""Libraries that would call their makers, or talk to our users, imported so that they do not.

OpenVINO, when it is imported and again for every network that it converts, sends an event to an analytics host and
writes the number of its user into the home directory. Who edits private faces wants neither, and where a firewall
swallows the packets it costs seconds. No variable turns it off for good, but without its package for telemetry OpenVINO
takes a stand-in of its own that does nothing. So that package cannot be imported in a process that came here first.
Where a program has been told --verbose, be it ours or one around us, it would take that for its own and print of every
network that it converts.

insightface comes with albumentations, which asks a host for its newest version; onnxruntime tells Windows about
sessions.

The only module that imports openvino, insightface or onnxruntime.
"""

from __future__ import annotations

import os
import sys
from typing import Any

_TELEMETRY = "openvino_telemetry"
_CONVERSION = "openvino.tools.ovc.convert_impl"  # which looks for words in sys.argv


class _Wordless:
    """Python's module sys, for who is to find no words in it."""

    argv: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)


def openvino() -> Any:
    """OpenVINO, which tells nobody that it is used, and nothing of its own on the terminal."""
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # what Python takes for "there is no such module"
    import openvino as module

    _silence()
    return module


def _silence() -> None:
    """Put OpenVINO's own stand-in where the program around us has imported it with its telemetry."""
    known = sys.modules.copy().items()  # in one go, for other threads may import meanwhile
    loaded = [module for name, module in known if name.startswith("openvino.tools.ovc") and module]
    if any(getattr(getattr(module, "tm", None), "__name__", "") == _TELEMETRY for module in loaded):
        from openvino.tools.ovc import telemetry_stub

        for module in loaded:
            if hasattr(module, "tm"):
                module.tm = telemetry_stub  # type: ignore[attr-defined]
    if conversion := sys.modules.get(_CONVERSION):
        conversion.sys = _Wordless()  # type: ignore[attr-defined]


def onnxruntime() -> Any:
    """onnxruntime without its events. Raises ImportError: it is not installed."""
    import onnxruntime as module

    if hasattr(module, "disable_telemetry_events"):
        module.disable_telemetry_events()
    return module


def insightface_models() -> Any:
    """insightface.model_zoo, and nobody asked for news. Raises ImportError: it is not installed."""
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    onnxruntime()
    from insightface import model_zoo

    return model_zoo
