"""Wasserstein GAN with gradient penalty on conditioned features (Gulrajani et al. 2017; Xian et al. 2018)."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mgcl.methods.audio_visual._sizes import Adversary


class Gan(nn.Module):
    """Generator and critic; ``positive``: features are at least 0, as those after a ReLU are."""

    def __init__(self, dim: int, condition: int, adversary: Adversary, *, positive: bool = True) -> None:
        super().__init__()
        self.adversary = adversary
        hidden, latent = adversary.hidden, adversary.latent
        self.generator = nn.Sequential(
            nn.Linear(latent + condition, hidden),
            nn.LeakyReLU(),
            nn.Linear(hidden, dim),
            nn.ReLU() if positive else nn.Identity(),
        )
        self.critic = nn.Sequential(nn.Linear(dim + condition, hidden), nn.LeakyReLU(), nn.Linear(hidden, 1))

    def critic_losses(
        self, target: Float[Tensor, "b dim"], condition: Float[Tensor, "b c"], noise: torch.Generator
    ) -> Iterator[Float[Tensor, ""]]:
        """Yield the critic's losses, which it minimises one after another; features and generator stay constant."""
        real = target.detach()
        for _ in range(self.adversary.critic_steps):
            if not self.adversary.penalty:
                with torch.no_grad():
                    for weight in self.critic.parameters():
                        weight.clamp_(-self.adversary.clip, self.adversary.clip)
            with torch.no_grad():
                fake = self._generated(condition, noise)
            loss = self.judged(fake, condition).mean() - self.judged(real, condition).mean()
            if self.adversary.penalty:
                share = torch.rand(len(real), 1, generator=noise, device=real.device, dtype=real.dtype)
                loss = loss + self.gradient_penalty(share * real + (1 - share) * fake, condition)
            yield loss

    def gradient_penalty(self, between: Float[Tensor, "b dim"], condition: Float[Tensor, "b c"]) -> Float[Tensor, ""]:
        """Weighted mean of (|gradient of the critic| - 1)^2 at features between real and synthesised ones."""
        between = between.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(self.judged(between, condition).sum(), between, create_graph=True)
        penalty: Tensor = (gradient.norm(dim=-1) - 1).square().mean()
        return self.adversary.penalty * penalty

    def loss(
        self, _target: Float[Tensor, "b dim"], condition: Float[Tensor, "b c"], noise: torch.Generator
    ) -> Float[Tensor, ""]:
        """Loss of the generator: minus the critic's judgement. The critic's own weights get no gradient."""
        fake = self._generated(condition, noise)
        weights = {name: weight.detach() for name, weight in self.critic.named_parameters()}
        judged: Tensor = torch.func.functional_call(self.critic, weights, (torch.cat([fake, condition], -1),))
        mean: Tensor = judged.mean()
        return -mean

    def sample(self, condition: Float[Tensor, "b c"], noise: torch.Generator) -> Float[Tensor, "b dim"]:
        """Synthesise features."""
        return self._generated(condition, noise)

    def judged(self, features: Float[Tensor, "b dim"], condition: Float[Tensor, "b c"]) -> Float[Tensor, "b 1"]:
        """The critic's judgement: high for real features."""
        out: Tensor = self.critic(torch.cat([features, condition], -1))
        return out

    def _generated(self, condition: Tensor, noise: torch.Generator) -> Tensor:
        shape = len(condition), self.adversary.latent
        latent = torch.randn(shape, generator=noise, device=condition.device, dtype=condition.dtype)
        out: Tensor = self.generator(torch.cat([latent, condition], -1))
        return out
