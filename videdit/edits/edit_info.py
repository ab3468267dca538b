"""What is known of an edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from videdit.edits.direction_files import NUM_LAYERS
from videdit.edits.expression_easing import Speech
from videdit.edits.pca_components import Component
from videdit.errors import UsageError

# Parts that an edit may paint. Of those with a name here a stage knows more: edits of EYES move lids and leave irises,
# those of LIPS are about their colour, and HAIR is followed beyond the crop.
EYES, LIPS, HAIR = "eyes", "lips", "hair"
REGIONS = ("face", "skin", "skin_and_mouth", "lower_face", "jaw", "round_eyes", "inner_face", EYES, LIPS, HAIR, "head")
# What edits of these regions change may be a beard; of the others, what grows on the skin stays.
SHAVING = frozenset(("face", "skin_and_mouth", "jaw", "inner_face", "head"))
USER_RANGE, USER_LIMITS = (-3.0, 3.0), (-100.0, 100.0)  # of a direction whose file says nothing about itself


@dataclass(frozen=True, slots=True)
class EditInfo:
    """What the user may know of an edit, and what the stages must."""

    name: str
    description: str  # what it does, in a few words
    unit: str  # what strength 1 is
    recommended: float  # what a bare name means
    range: tuple[float, float]  # beyond it: a warning
    limits: tuple[float, float]  # beyond them: refused
    layers: tuple[int, int] = (0, 17)  # first and last layer of the code that it changes
    regions: tuple[str, ...] = ("face",)  # parts of the face where it may show
    # How far the recommended strength moves scores other than its own, in their standard deviations; largest first.
    attribute_leakage: tuple[tuple[str, float], ...] = ()
    identity: float | None = None  # cosine of face embeddings before and after, at the recommended strength
    source: Path | None = None  # a file of the user's or of others; None for what ships
    component: Component | None = None  # what of the source, if it holds principal components
    speech: Speech | None = None  # how an open mouth reduces it
    # Units of the direction that a minus and a plus unit of strength are: a clip may show less than the generator's own
    # picture does.
    scale: tuple[float, float] = (1.0, 1.0)
    blinks: bool = False  # whether lids that close reduce it
    purses: bool = False  # whether pursed lips reduce it
    smiles: bool = False  # whether a smile that is there reduces it, as far as it is a plus
    # Whether a wide open mouth reduces what is more than its recommended strength, and a wider one all of a plus.
    gapes: bool = False
    # Whether a minus and a plus of it look best where ADA and the consultation encoder condition the generator.
    consulted: tuple[bool, bool] = (True, True)
    method: str = "hfgi"  # what it looks best by: "student" or "hfgi"
    response: tuple[float, float] = (1.0, 1.0)  # of the student: what minus and plus strengths are multiplied with
    experimental: str = ""  # what is still wrong with it, in a few words; empty: nothing that a client would mind
    correlation: float | None = None  # of the direction with its score, over codes that it was not fitted on
    mahalanobis: float | None = None  # length of strength 1 in the codes' standard deviations
    takes: str = ""  # what a minus strength takes away, where it is there: "beard"
    placed: bool = True  # whether somebody said where it may show, and `regions` is not only a guess
    num_ws: int | None = NUM_LAYERS  # layers of the codes that it is for; None: of any, or as the source says


def regions_named(said: object, path: Path) -> tuple[str, ...]:
    """The regions that a file names.

    Raises:
        UsageError: one of them is none, or there are none.
    """
    names = tuple(map(str, said)) if isinstance(said, list | tuple) else ()
    if not names or set(names) - set(REGIONS):
        raise UsageError(f"{path}: regions are a list of {', '.join(REGIONS)}, not {said!r}")
    return names


def pair(values: Sequence[float]) -> tuple[float, float]:
    """Two numbers of a file."""
    first, second = values
    return float(first), float(second)
