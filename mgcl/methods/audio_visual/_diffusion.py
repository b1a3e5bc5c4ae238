"""Text-conditioned diffusion in feature space (Mercea et al. 2023, Eqs. 6-9; Ho et al. 2020).

Equation 9 is printed with alpha_t under the root. With it the chain does not sample from the model, so this is a
misprint of DDPM's cumulative alpha-bar_t, which is used here, as in the published code.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from mgcl.methods.audio_visual._chain import Steps, dropped
from mgcl.methods.audio_visual._layers import dropout
from mgcl.methods.audio_visual._sizes import Chain


class NoisePredictor(nn.Module):
    """epsilon_theta: an MLP of [x_t, t, w], with LeakyReLU on its input too."""

    def __init__(self, dim: int, words: int, chain: Chain) -> None:
        super().__init__()
        self.dim, self.scale = dim, 1.0 if chain.time_input == "raw" else 1.0 / chain.steps
        self.inner = nn.Linear(dim + 1 + words, chain.hidden)
        self.dropout = dropout(chain.dropout)
        self.outer = nn.Linear(chain.hidden, dim)

    def forward(
        self, x: Float[Tensor, "b dim"], step: Int[Tensor, "b"], words: Float[Tensor, "b w"]
    ) -> Float[Tensor, "b dim"]:
        """Predict the noise in features at steps 0..T-1."""
        time = (self.scale * step.to(x.dtype))[:, None]
        hidden = self.dropout(F.leaky_relu(self.inner(F.leaky_relu(torch.cat([x, time, words], -1)))))
        out: Tensor = self.outer(hidden)
        return out

    def of_step(
        self, words: Float[Tensor, "b w"], steps: int
    ) -> tuple[Float[Tensor, "dim hidden"], Float[Tensor, "b hidden"], Float[Tensor, "steps hidden"]]:
        """Parts of the first layer that a chain computes once: weight of x, part of the words, part of each step."""
        weight, dim = self.inner.weight.T, self.dim
        times = self.scale * torch.arange(steps, device=words.device, dtype=words.dtype)
        conditioned = F.leaky_relu(words) @ weight[dim + 1 :] + self.inner.bias
        return weight[:dim], conditioned, times[:, None] * weight[dim]


class Diffusion(nn.Module):
    """Generator of features from word vectors."""

    betas: Tensor
    cumulative: Tensor

    def __init__(self, dim: int, words: int, chain: Chain) -> None:
        super().__init__()
        self.dim, self.chain = dim, chain
        self.predictor = NoisePredictor(dim, words, chain)
        betas = torch.linspace(chain.first, chain.last, chain.steps, dtype=torch.float64)
        self.register_buffer("betas", betas.float(), persistent=False)
        self.register_buffer("cumulative", (1 - betas).cumprod(0).float(), persistent=False)

    def critic_losses(
        self, _target: Float[Tensor, "b dim"], _words: Float[Tensor, "b w"], _noise: torch.Generator
    ) -> Iterator[Tensor]:
        """Yield nothing: no critic is trained."""
        return iter(())

    def loss(
        self, target: Float[Tensor, "b dim"], words: Float[Tensor, "b w"], noise: torch.Generator
    ) -> Float[Tensor, ""]:
        """Mean squared error of the predicted noise at one drawn step a feature (Eq. 8)."""
        clean = target.detach() if self.chain.detach_target else target
        step = torch.randint(self.chain.steps, (len(clean),), generator=noise, device=clean.device)
        added = _normal(clean.shape, clean, noise)
        kept = self.cumulative[step][:, None]
        return F.mse_loss(self.predictor(kept.sqrt() * clean + (1 - kept).sqrt() * added, step, words), added)

    def sample(self, words: Float[Tensor, "b w"], noise: torch.Generator) -> Float[Tensor, "b dim"]:
        """Run the chain from pure noise (Eq. 9). The variance of a step is its beta."""
        with torch.set_grad_enabled(self.chain.sampling_gradient and torch.is_grad_enabled()):
            return self._sample(words, noise)

    def _sample(self, words: Tensor, noise: torch.Generator) -> Tensor:
        """The chain; what does not depend on x is computed before it, which leaves two small products a step."""
        predictor, steps = self.predictor, self.chain.steps
        of_x, conditioned, of_time = predictor.of_step(words, steps)
        drawn = _normal((steps + 1, len(words), self.dim), words, noise)
        added = self.betas.sqrt()[:, None, None] * drawn[1:]
        if not self.chain.last_noise:
            added[0] = 0
        rate = self.chain.dropout if self.training else 0.0
        keep = dropped((steps, len(words), self.chain.hidden), rate, words)
        coefficients = (1 - self.betas).rsqrt().tolist(), (self.betas * (1 - self.cumulative).rsqrt()).tolist()
        weight, bias = predictor.outer.weight.T, predictor.outer.bias
        parts = drawn[0], of_x, conditioned, of_time, weight, bias, keep, added, coefficients
        out: Tensor = Steps.apply(*parts)  # type: ignore[no-untyped-call]
        return out


def _normal(shape: tuple[int, ...] | torch.Size, like: Tensor, noise: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=noise, device=like.device, dtype=like.dtype)
