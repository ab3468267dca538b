"""HFGI's steps as networks, each for one pass of N renders: see :mod:`videdit.hfgi.inverter`."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from videdit.datatypes import LOW
from videdit.models import mobile_stylegan, stylegan2

WHOLE = (0, LOW)  # rows of a crop at 256 px
Synthesis = mobile_stylegan.Synthesis | stylegan2.Synthesis


class LowFidelityPass(nn.Module):
    """Steps 2 and 4: codes [N, L, 512] -> (trunk features [N, C, 64, 64], images [N, 256, 256, 3])."""

    def __init__(self, generator: Synthesis):
        """generator: of any profile."""
        super().__init__()
        self.generator = generator

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """codes [N, L, 512] -> trunk features NCHW, and images NHWC as formulas take them."""
        trunk = self.generator.trunk(codes)
        return trunk, self.generator.low(trunk, codes).permute(0, 2, 3, 1)


class ImagePass(nn.Module):
    """All that is rendered of codes where nothing is consulted: images of 256 px, and those of S px beside them."""

    def __init__(self, generator: Synthesis, size: int):
        """generator: of any profile. size: S."""
        super().__init__()
        self.generator, self.size = generator, size

    def forward(self, codes: Tensor) -> tuple[Tensor, ...]:
        """codes [N, L, 512] -> images [N, 256, 256, 3] and, where S is more, [N, S, S, 3]."""
        return tuple(image.permute(0, 2, 3, 1) for image in self.generator.images(codes, self.size))


class ConsultationPass(nn.Module):
    """Steps 5 to 7: trunk, codes, distortion maps and low images (NHWC) of N renders -> images [N, S, S, 3]."""

    def __init__(
        self,
        generator: Synthesis,
        alignment: nn.Module | None,
        consultation: nn.Module | None,
        size: int,
        rows: tuple[int, int] = WHOLE,
    ):
        """alignment, consultation: ADA and the consultation encoder; None: nothing is consulted. size: S.

        rows: of the maps at 256 px that show something; nothing is consulted in the others.
        """
        super().__init__()
        self.generator, self.alignment, self.consultation = generator, alignment, consultation
        self.size, self.rows = size, rows

    def forward(self, trunk: Tensor, codes: Tensor, distortion: Tensor, low: Tensor) -> Tensor:
        """trunk [N, C, 64, 64], codes [N, L, 512], distortion and low [N, 256, 256, 3] -> [N, S, S, 3]."""
        condition = None
        if self.alignment is not None and self.consultation is not None:
            seen = slice(*self.rows)
            aligned = self.alignment(distortion.permute(0, 3, 1, 2)[:, :, seen], low.permute(0, 3, 1, 2)[:, :, seen])
            scale, shift = self.consultation(aligned)  # [N, C, rows / 4, 64]
            if self.rows != WHOLE:
                above, below = self.rows[0] // 4, (LOW - self.rows[1]) // 4
                scale, shift = (F.pad(part, (0, 0, above, below)) for part in (scale, shift))
            condition = scale, shift
        return self.generator.render(trunk, codes, condition, size=self.size).permute(0, 2, 3, 1)


class PlainPass(nn.Module):
    """Steps 2 to 7 of an edit alone, as the release computes them: the distortion map goes to ADA as it is."""

    def __init__(self, low: LowFidelityPass, consult: ConsultationPass):
        """low, consult: of one generator."""
        super().__init__()
        self.low, self.consult = low, consult

    def forward(self, x: Tensor, codes: Tensor, edited: Tensor) -> Tensor:
        """Crops [N, 3, 256, 256] in [-1, 1], codes before and after the edit, [N, L, 512] -> images [N, S, S, 3]."""
        _, low = self.low(codes)
        trunk, edited_low = self.low(edited)
        return self.consult(trunk, edited, x.permute(0, 2, 3, 1) - low, edited_low)
