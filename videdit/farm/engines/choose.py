"""An engine by its name; what it needs is imported then."""

from __future__ import annotations

from collections.abc import Callable

from videdit.errors import UsageError
from videdit.farm.engines.base import Engine

NAMES = ("local", "ray", "slurm", "openjd")


def engine_of(name: str, *, workers: int = 1, device: str | None = None, address: str | None = None) -> Engine:
    """An engine by its name.

    Args:
        name: local, ray, slurm or openjd.
        workers: processes, or actors, at once.
        device: in place of the one that was planned.
        address: of a Ray cluster that runs; None: one of this machine's own.

    Raises:
        UsageError: there is none of that name, or what it needs is not installed.
    """
    if address and name != "ray":
        raise UsageError(f"--address is of engine ray, not of {name}")
    makers: dict[str, Callable[[], Engine]] = {
        "local": lambda: _local(workers, device),
        "ray": lambda: _ray(workers, device, address),
        "slurm": lambda: _slurm(workers, device),
        "openjd": lambda: _openjd(workers, device),
    }
    if name not in makers:
        raise UsageError(f"there is no engine {name!r}: {', '.join(NAMES)}")
    return makers[name]()


def _local(workers: int, device: str | None) -> Engine:
    from videdit.farm.engines.local import LocalEngine

    return LocalEngine(workers, device)


def _ray(workers: int, device: str | None, address: str | None) -> Engine:
    from videdit.farm.engines.ray import RayEngine

    return RayEngine(workers, device, address)


def _slurm(workers: int, device: str | None) -> Engine:
    from videdit.farm.engines.slurm import SlurmEngine

    return SlurmEngine(workers, device)


def _openjd(workers: int, device: str | None) -> Engine:
    from videdit.farm.engines.openjd import OpenJobEngine

    return OpenJobEngine(workers, device)
