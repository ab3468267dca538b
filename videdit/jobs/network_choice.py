"""Which networks a job needs, and how they run: all that tells those that are loaded from each other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NetworkChoice:
    """What of a job decides which networks are loaded; clips, edits and outputs have no part in it."""

    profile: str
    checkpoint: tuple[str, ...]  # files, in place of those that are installed for the profile
    detector: str
    device: str  # as the user says it: "auto", "cpu", "cuda", "cuda:1"
    precision: str  # "auto", "fp32" or "bf16"
    batch: int | None  # crops a pass; None: what suits device and size
    consultation: str = "auto"  # whether HFGI's is used: "auto" (as the profile is best), "always" or "never"

    @property
    def machine(self) -> tuple[str, str, int | None]:
        """Where and how networks run, whichever they are."""
        return self.device, self.precision, self.batch

    @property
    def of_profile(self) -> tuple[str, tuple[str, ...], str, str, int | None]:
        """What tells networks apart that belong to a profile and find no faces."""
        return self.profile, self.checkpoint, *self.machine
