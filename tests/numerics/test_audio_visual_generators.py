"""Diffusion and GAN against closed forms, and against slow loops in float64."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mgcl.methods.audio_visual._diffusion import Diffusion
from mgcl.methods.audio_visual._gan import Gan
from mgcl.methods.audio_visual._sizes import Adversary, Chain

WIDE = Chain(steps=200, first=1e-4, last=0.1)
"""Betas whose last alpha-bar is 4e-5: the chain begins in the noise that the process ends in."""


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def diffusion(dim: int, words: int, chain: Chain, seed: int = 3) -> Diffusion:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Diffusion(dim, words, chain).double()


Predict = Callable[[np.ndarray, int], np.ndarray]


def network(made: Diffusion, words: np.ndarray) -> Predict:
    """The predictor of the noise, written out."""
    weights = {name: each.detach().numpy() for name, each in made.predictor.named_parameters()}

    def leaky(x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x, 0.01 * x)

    def predict(x: np.ndarray, step: int) -> np.ndarray:
        inputs = leaky(np.concatenate([x, np.full((len(x), 1), step * made.predictor.scale), words], -1))
        hidden = leaky(inputs @ weights["inner.weight"].T + weights["inner.bias"])
        return hidden @ weights["outer.weight"].T + weights["outer.bias"]

    return predict


def reference(chain: Chain, predict: Predict, draws: np.ndarray, *, printed: bool = False) -> np.ndarray:
    """Eq. 9 as a loop over steps; ``printed``: with alpha_t under the root. The sampler is compared with this loop."""
    betas = np.linspace(chain.first, chain.last, chain.steps)
    cumulative, x = np.cumprod(1 - betas), draws[0]
    for step in range(chain.steps - 1, -1, -1):
        under = 1 - betas[step] if printed else cumulative[step]
        x = (x - betas[step] / np.sqrt(1 - under) * predict(x, step)) / np.sqrt(1 - betas[step])
        if step or chain.last_noise:
            x = x + np.sqrt(betas[step]) * draws[1 + step]
    return x


@pytest.mark.parametrize("time_input", ["raw", "fraction"])
@pytest.mark.parametrize("last_noise", [True, False])
@pytest.mark.parametrize("steps", [1, 7])
def test_the_chain_is_a_plain_loop(time_input, last_noise, steps) -> None:
    made = diffusion(3, 2, Chain(steps=steps, hidden=5, time_input=time_input, last_noise=last_noise))
    words = torch.randn(4, 2, dtype=torch.float64, generator=noise(1))
    draws = torch.randn(steps + 1, 4, 3, dtype=torch.float64, generator=noise(2)).numpy()
    found = made.sample(words, noise(2)).detach().numpy()
    predict = network(made, words.numpy())
    assert found == pytest.approx(reference(made.chain, predict, draws), abs=1e-6)
    if steps > 1:
        assert found != pytest.approx(reference(made.chain, predict, draws, printed=True), abs=1e-3)


def exact(chain: Chain, mean: float, scale: float) -> Predict:
    """The best predictor of the noise in features that are N(mean, scale^2): linear in x; a point mass at scale 0."""
    kept = np.cumprod(1 - np.linspace(chain.first, chain.last, chain.steps))
    return lambda x, step: (
        np.sqrt(1 - kept[step]) / (1 - kept[step] + kept[step] * scale**2) * (x - np.sqrt(kept[step]) * mean)
    )


def sampled(chain: Chain, mean: float, scale: float, *, printed: bool = False) -> np.ndarray:
    draws = np.random.default_rng(5).standard_normal((chain.steps + 1, 20000, 1))
    return reference(chain, exact(chain, mean, scale), draws, printed=printed)


@pytest.mark.parametrize("last_noise", [True, False])
def test_with_the_exact_noise_of_a_point_the_chain_ends_there(last_noise) -> None:
    found = sampled(Chain(steps=50, last_noise=last_noise), 1.5, 0.0)
    assert found.mean() == pytest.approx(1.5, abs=1e-3)
    assert found.std() == pytest.approx(1e-4**0.5 if last_noise else 0.0, abs=1e-3)


@pytest.mark.parametrize("printed", [False, True])
def test_of_normal_features_the_chain_samples_their_mean_and_variance(printed) -> None:
    """Equation 9 as printed (alpha_t where DDPM has its product) does not."""
    mean, scale = 1.5, 0.5
    betas = np.linspace(WIDE.first, WIDE.last, WIDE.steps)
    kept, expected, variance = np.cumprod(1 - betas), 0.0, 1.0
    for step in reversed(range(WIDE.steps)):  # the mean and variance of a linear chain, in closed form
        slope = betas[step] / (1 - kept[step] + kept[step] * scale**2)
        slope *= np.sqrt((1 - kept[step]) / betas[step]) if printed else 1.0
        expected = ((1 - slope) * expected + slope * np.sqrt(kept[step]) * mean) / np.sqrt(1 - betas[step])
        variance = (1 - slope) ** 2 / (1 - betas[step]) * variance + betas[step]
    found = sampled(WIDE, mean, scale, printed=printed)
    assert found.mean() == pytest.approx(expected, abs=0.02)
    assert found.std() == pytest.approx(variance**0.5, abs=0.02)
    right = abs(found.mean() - mean) < 0.05 and abs(found.std() - scale) < 0.05
    assert right != printed


def test_steps_of_noise_compose_to_the_closed_form() -> None:
    made = diffusion(1, 1, Chain(steps=30))
    mean, variance = 1.0, 0.0
    for step, beta in enumerate(np.linspace(1e-4, 0.02, 30)):
        mean, variance = mean * np.sqrt(1 - beta), variance * (1 - beta) + beta
        assert made.cumulative[step].item() == pytest.approx(mean**2, abs=1e-6)
        assert 1 - made.cumulative[step].item() == pytest.approx(variance, abs=1e-6)


def test_dropout_of_the_chain_is_that_of_its_hidden_layer() -> None:
    """In training, gradients too are those of the chain as autograd records it."""
    made = diffusion(3, 2, Chain(steps=5, hidden=6, dropout=0.5)).train()
    words = torch.randn(4, 2, dtype=torch.float64, generator=noise(1)).requires_grad_()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = made.sample(words, noise(2))
        torch.manual_seed(0)
        keep = F.dropout(torch.ones(5, 4, 6, dtype=torch.float64), 0.5)
    draws = torch.randn(6, 4, 3, dtype=torch.float64, generator=noise(2))
    betas, x = torch.linspace(1e-4, 0.02, 5, dtype=torch.float64), draws[0]
    kept = (1 - betas).cumprod(0)
    for step in reversed(range(5)):
        inputs = torch.cat([x, torch.full((4, 1), float(step), dtype=torch.float64), words], -1)
        hidden = F.leaky_relu(made.predictor.inner(F.leaky_relu(inputs))) * keep[step]
        predicted = made.predictor.outer(hidden)
        x = (x - betas[step] / (1 - kept[step]).sqrt() * predicted) / (1 - betas[step]).sqrt()
        x = x + betas[step].sqrt() * draws[1 + step]
    assert torch.allclose(found, x, atol=1e-6)
    at = [words, *made.predictor.parameters()]
    for one, other in zip(
        torch.autograd.grad(found.square().sum(), at), torch.autograd.grad(x.square().sum(), at), strict=True
    ):
        assert torch.allclose(one, other, atol=1e-5)


def test_a_predictor_of_nothing_has_a_loss_of_one() -> None:
    made = diffusion(8, 2, Chain(steps=20))
    for weight in made.predictor.outer.parameters():
        nn.init.zeros_(weight)
    target = torch.zeros(20000, 8, dtype=torch.float64)
    assert made.loss(target, target[:, :2], noise()).item() == pytest.approx(1.0, abs=0.01)


def test_the_loss_is_equation_8() -> None:
    made = diffusion(3, 2, Chain(steps=9, hidden=5))
    target, words = (torch.randn(6, each, dtype=torch.float64, generator=noise(each)) for each in (3, 2))
    drawn = noise(4)
    step = torch.randint(9, (6,), generator=drawn)
    added = torch.randn(6, 3, generator=drawn, dtype=torch.float64)
    kept = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 9, dtype=torch.float64), 0)[step][:, None]
    mixed = kept.sqrt() * target + (1 - kept).sqrt() * added
    expected = torch.stack(
        [
            (made.predictor(mixed[i, None], step[i, None], words[i, None])[0] - added[i]).square().mean()
            for i in range(6)
        ]
    ).mean()
    assert made.loss(target, words, noise(4)).item() == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize("through", [True, False])
def test_the_gradient_of_the_chain_is_that_of_finite_differences(through) -> None:
    made = diffusion(2, 2, Chain(steps=4, hidden=3, sampling_gradient=through))
    words = torch.randn(2, 2, dtype=torch.float64, generator=noise(1))
    found = made.sample(words, noise(2))
    assert found.requires_grad == through
    if not through:
        return
    found.square().sum().backward()
    weight = made.predictor.inner.weight
    for place in [(0, 0), (1, 2), (2, 4)]:
        with torch.no_grad():
            sides = []
            for sign in (1, -1):
                weight[place] += sign * 1e-5
                sides.append(made.sample(words, noise(2)).square().sum().item())
                weight[place] -= sign * 1e-5
        assert weight.grad[place].item() == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("detached", [True, False])
def test_the_loss_moves_the_features_unless_they_are_detached(detached) -> None:
    made = diffusion(3, 2, Chain(steps=5, detach_target=detached))
    target = torch.randn(4, 3, dtype=torch.float64).requires_grad_()
    made.loss(target, torch.zeros(4, 2, dtype=torch.float64), noise()).backward()
    assert (target.grad is None) == detached


def test_the_same_seed_samples_the_same_bits() -> None:
    made, words = diffusion(3, 2, Chain(steps=5)), torch.zeros(4, 2, dtype=torch.float64)
    assert torch.equal(made.sample(words, noise(1)), made.sample(words, noise(1)))
    assert not torch.equal(made.sample(words, noise(1)), made.sample(words, noise(2)))


def gan(**changes: object) -> Gan:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Gan(3, 2, Adversary(latent=4, hidden=5, **changes)).double()


def test_the_gradient_penalty_of_a_linear_critic_is_its_closed_form() -> None:
    made = gan()
    linear = nn.Linear(5, 1).double()
    made.critic = linear
    expected = 10 * (linear.weight[0, :3].norm() - 1).square()
    between, condition = torch.randn(6, 3, dtype=torch.float64), torch.randn(6, 2, dtype=torch.float64)
    assert made.gradient_penalty(between, condition).item() == pytest.approx(expected.item(), abs=1e-12)


def test_the_critics_loss_is_the_distance_and_the_penalty() -> None:
    made = gan(critic_steps=1)
    real, condition = (torch.randn(6, each, dtype=torch.float64, generator=noise(each)) for each in (3, 2))
    (loss,) = made.critic_losses(real, condition, noise(1))
    drawn = noise(1)
    latent = torch.randn(6, 4, generator=drawn, dtype=torch.float64)
    fake = made.generator(torch.cat([latent, condition], -1)).detach()
    share = torch.rand(6, 1, generator=drawn, dtype=torch.float64)

    def judged(features):
        return made.critic(torch.cat([features, condition], -1))

    between = (share * real + (1 - share) * fake).requires_grad_()
    slopes = torch.autograd.functional.jacobian(lambda each: judged(each).sum(), between).norm(dim=-1)
    expected = judged(fake).mean() - judged(real).mean() + 10 * (slopes - 1).square().mean()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-10)


def test_critic_and_generator_train_apart() -> None:
    made = gan(critic_steps=3)
    real = torch.randn(6, 3, dtype=torch.float64).requires_grad_()
    condition = torch.randn(6, 2, dtype=torch.float64)
    losses = list(made.critic_losses(real, condition, noise()))
    assert len(losses) == 3
    losses[0].backward()
    assert real.grad is None
    assert all(each.grad is None for each in made.generator.parameters())
    made.zero_grad()
    made.loss(real, condition, noise()).backward()
    assert all(each.grad is None for each in made.critic.parameters())
    assert all(each.grad.any() for each in made.generator.parameters())


def test_without_a_penalty_the_critics_weights_are_clipped() -> None:
    made = gan(critic_steps=1, penalty=0.0, clip=0.02)
    condition = torch.randn(6, 2, dtype=torch.float64)
    (loss,) = made.critic_losses(torch.randn(6, 3, dtype=torch.float64), condition, noise())
    assert max(each.abs().max().item() for each in made.critic.parameters()) == pytest.approx(0.02)
    assert F.relu(loss).isfinite()
