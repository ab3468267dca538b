"""Dense flow in torch, for many pairs of pictures at once.

Least squares in Gaussian windows (Lucas and Kanade, 1981) that also want to agree with the flow around them (Bruhn,
Weickert and Schnörr, "Lucas/Kanade meets Horn/Schunck", 2005), from coarse to fine. Each window fits a constant
difference of brightness beside the motion, so that a face that tans does not seem to move; where a window matches
nothing or holds no structure, the flow around it speaks for it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from videdit.imaging.primitives.torch import blur, moved

# Tuned on renders of eight edits of five faces: no worse than OpenCV's dense inverse search in how well the warped
# render matches and how well flow and back flow agree.
COARSEST, FINEST = 32, 128  # pixels a side of the levels that flow is worked out on
STEPS = 4  # a level
WINDOW = 3.0  # sigma in pixels of a level
AROUND = 3.0  # sigma in pixels of a level of what a window wants to agree with
STIFFNESS = 0.001  # how much it wants to, as a variance of brightness in units of [-1, 1]
MISMATCH = 0.004  # variance of what the flow leaves unexplained at which it wants to twice as much


def dense_flow(image: Tensor, target: Tensor) -> Tensor:
    """Flow [N, 2, S, S] (x, y) in pixels with image(p + flow(p)) = target(p); exactly 0 where the two are one.

    image, target: [N, 1, S, S] float32 in [-1, 1]; S: a power of two, at least FINEST.
    """
    size = image.shape[-1]
    levels = [(image, target)]
    while levels[-1][0].shape[-1] > COARSEST:
        finer_image, finer_target = levels[-1]
        levels.append((F.avg_pool2d(finer_image, 2), F.avg_pool2d(finer_target, 2)))
    flow = image.new_zeros(image.shape[0], 2, COARSEST, COARSEST)
    for image, target in reversed([level for level in levels if level[0].shape[-1] <= FINEST]):
        flow = _enlarged(flow, image.shape[-1])
        for _ in range(STEPS):
            flow = _improved(flow, image, target)
    return _enlarged(flow, size)


def _enlarged(flow: Tensor, size: int) -> Tensor:
    factor = size / flow.shape[-1]
    return F.interpolate(flow, size=(size, size), mode="bilinear", align_corners=False) * factor


def _improved(flow: Tensor, image: Tensor, target: Tensor) -> Tensor:
    """One step of Gauss and Newton in every window."""
    seen = moved(image, flow, border="border")
    rest = target - seen
    gx, gy = _gradients(0.5 * (target + seen))
    products = (gx * gx, gx * gy, gy * gy, gx * rest, gy * rest, rest * rest)
    means = blur(torch.cat((gx, gy, rest, *products), dim=1), WINDOW)
    mx, my, mr, xx, xy, yy, xr, yr, rr = means.split(1, dim=1)
    # Covariances, not second moments: the window's own mean difference is nobody's motion.
    xx, xy, yy = xx - mx * mx, xy - mx * my, yy - my * my
    xr, yr, rr = xr - mx * mr, yr - my * mr, rr - mr * mr
    stiffness = STIFFNESS * (1 + rr / MISMATCH)
    pull = stiffness * (blur(flow, AROUND) - flow)
    xx, yy, xr, yr = xx + stiffness, yy + stiffness, xr + pull[:, :1], yr + pull[:, 1:]
    step = torch.cat((yy * xr - xy * yr, xx * yr - xy * xr), dim=1) / (xx * yy - xy * xy)
    return flow + step.clamp(-1, 1)


def _gradients(image: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences, [N, 1, H, W] each."""
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
    return (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2, (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
