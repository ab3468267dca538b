"""How an edit moves a face: dense flow between the generator's renders before and after it.

Two clean renders of one face differ by the edit alone, so flow between them is easy, and where it fails says what is
new. How flow is found is a strategy: :class:`videdit.imaging.inverse_search.InverseSearch` on the host,
:class:`videdit.imaging.lucas_kanade.LucasKanade` for batches on a device. What it is worth is judged alike.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from videdit.datatypes import Array, Flow
from videdit.imaging import primitives
from videdit.pipeline.windows import weighted_mean

TOLERANCE = 0.16  # difference of the warped render from the edited one, in units of [-1, 1], at which confidence is 1/e
BROAD, BROAD_SHARE = 18.0, 0.85  # pixels at 256, and how much of a difference that broad is forgiven
SMOOTH = 1.5  # sigma in pixels at 256 of flow, and of colours that are compared
SOFT = 2.0  # sigma in pixels at 256 of where confidence ends
FLOW_TOLERANCE = 2.5  # pixels at 256 by which flow and back flow may differ, where confidence is 1/e


class FlowStrategy(Protocol):
    """A way to find dense flow."""

    def grey(self, image: Array, /) -> Array:
        """RGB [..., 256, 256, 3] float32 in [-1, 1] -> [..., 256, 256, 1], as `both_ways` wants it."""
        ...

    def both_ways(self, one: Array, other: Array, /) -> tuple[Array, Array]:
        """Flows [..., 256, 256, 2] float32, (x, y) in pixels, with other(p + flow(p)) = one(p), and the other way.

        one, other: what `grey` gave, or [..., 256, 256, 1] uint8.
        """
        ...


def estimate_flow(before: Array, after: Array, strategy: FlowStrategy) -> Flow:
    """The flow of an edit, smoothed, and how far it can be trusted.

    before, after: the low renders Xo and Xe, [..., 256, 256, 3] float32 in [-1, 1]. Where the two are one, the
    displacement is 0 and the confidence 1, exactly.
    """
    xp = primitives.of(before)
    # Edited pixel -> where it was, and the other way.
    forward, back = strategy.both_ways(strategy.grey(after), strategy.grey(before))
    forward, back = xp.blur(forward, SMOOTH), xp.blur(back, SMOOTH)
    # Photometric agreement, on smoothed colours, since fine texture of two renders never matches to the pixel; and
    # mostly without the broad part, since skin that tans or hair that greys is still the same skin and hair.
    difference = xp.blur(xp.warp(before, forward) - after, SMOOTH)
    difference = xp.channel_max(abs(difference - BROAD_SHARE * xp.blur(difference, BROAD)))
    distance = xp.channel_sum((forward + xp.warp(back, forward)) ** 2)
    confidence = xp.exp(-((difference / TOLERANCE) ** 2) - distance / FLOW_TOLERANCE**2)
    # Blurred from 1 down: where nothing moves it is 1, whatever the kernel's weights add up to.
    return Flow(forward, 1 - xp.blur(1 - confidence, SOFT)[..., 0])


def blend_flows(flows: list[Flow], weights: np.ndarray) -> Flow:
    """The mean of flows of neighbouring frames, by weights [N]: smoothed over time, they do not flicker."""
    displacement = weighted_mean([flow.displacement for flow in flows], weights)
    return Flow(displacement, weighted_mean([flow.confidence for flow in flows], weights))


def warp_distortion_map(distortion: Array, flow: Flow) -> Array:
    """A distortion map [256, 256, 3] moved to where the edited face is, and emptied where nothing of the source is.

    The paper's remedy for large edits (appendix C.6: align before ADA), by flow instead of landmarks: ADA learnt to
    undo small global motion, and would paint the source's lips over new teeth.
    """
    xp = primitives.of(distortion)
    return xp.warp(distortion, flow.displacement) * flow.confidence[..., None]
