"""Pickles of numpy arrays, and of nothing else: a pickle may name any function and have it called."""

from __future__ import annotations

import codecs
import collections
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from videdit.errors import UsageError

_REBUILDERS = {"_reconstruct": np.zeros(1).__reduce__()[0], "scalar": np.float64(0).__reduce__()[0]}
_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")  # where they were before numpy 2, and are since


def read_pickle(path: Path) -> Any:
    """Arrays, and dicts, lists and plain values around them.

    Raises:
        UsageError: it asks for anything else; nothing of it is run.
        pickle.UnpicklingError, EOFError, ...: it is damaged.
    """
    try:
        with path.open("rb") as file:
            return _Arrays(file, encoding="latin1").load()
    except _Refused as error:
        raise UsageError(f"{path} is refused: {error}") from None


class _Refused(pickle.UnpicklingError):
    pass


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module in _MODULES and name in _REBUILDERS:
            return _REBUILDERS[name]
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("_codecs", "encode"):  # how old protocols write bytes
            return _latin1
        raise _Refused(f"it asks for {module}.{name}, and could run its maker's code; arrays are allowed")

    def persistent_load(self, pid: object) -> Any:
        raise _Refused("it refers to something outside of it; arrays are allowed")


def _latin1(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise _Refused(f"it asks for the codec {encoding}; arrays are allowed")
    return codecs.latin_1_encode(text)[0]
