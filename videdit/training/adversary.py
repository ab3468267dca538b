"""The adversarial term: a discriminator that learns beside the network, with R1 on real pictures every few steps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from videdit.models.discriminator import Discriminator

R1 = 10.0  # gamma of Mescheder et al., 2018
R1_EVERY = 16  # steps; StyleGAN2's lazy regularisation


class Adversary:
    """A discriminator and its optimiser. It runs in float32 and uncompiled: R1 needs gradients of gradients."""

    def __init__(self, lr: float, device: torch.device) -> None:
        """lr: of Adam, for the discriminator alone."""
        self.net = Discriminator().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr, betas=(0.0, 0.99))

    def learn(self, real: Tensor, fake: Tensor, step: int) -> dict[str, Tensor]:
        """A step of the discriminator on pictures [B, 3, 256, 256] of either kind, without gradients to them."""
        self.net.requires_grad_(True)
        terms = {"discriminator": F.softplus(-self.net(real)).mean() + F.softplus(self.net(fake)).mean()}
        if step % R1_EVERY == 0:
            terms["r1"] = self.steepness(real)
        loss = terms["discriminator"] + 0.5 * R1 * R1_EVERY * terms.get("r1", 0.0)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return {key: value.detach() for key, value in terms.items()}

    def loss(self, fake: Tensor) -> Tensor:
        """What the maker of pictures [B, 3, H, W] goes down on: non-saturating (Goodfellow et al., 2014)."""
        self.net.requires_grad_(False)
        return F.softplus(-self.net(fake)).mean()

    def steepness(self, real: Tensor) -> Tensor:
        """R1: the mean squared gradient of the logits by real pictures [B, 3, H, W]."""
        real = real.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(self.net(real).sum(), real, create_graph=True)
        return gradient.square().sum((1, 2, 3)).mean()
