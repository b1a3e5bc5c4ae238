"""One training step of AV-DIFF at its published size for UCF-FSL, 5 shots, beside a plain loop of the same arithmetic.

Features are drawn: 10 s clips of VGGish and C3D sizes. A step of the first substage is trunk, head and diffusion loss
of 64 clips; one of novel classes in the second is head, diffusion loss and the chain with its gradient.
"""

import math
import time
from collections.abc import Callable, Mapping
from statistics import median

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mgcl.methods.audio_visual import av_diff
from mgcl.methods.audio_visual._sizes import Chain, Encoding, Head, Layers
from mgcl.methods.audio_visual._transformer import allowed, kinds
from mgcl.methods.recogniser import Batch, Clips, Shapes, Tokens

CLIPS, CLASSES, AUDIO, VIDEO = 64, 48, 10, 15
PARAMETERS = av_diff.Parameters(
    encoding=Encoding(300, 512, 0.2, 64, 0.1),
    layers=Layers("hybrid", 4, 2, 8, 64, 128, 0.1),
    head=Head(512, 64, 0.1),
    chain=Chain(200, hidden=128),
)


def drawn(device: str) -> tuple[Clips, Tensor, Tensor]:
    """Clips, labels and words."""
    random = torch.Generator().manual_seed(0)

    def tokens(length: int, dim: int, step: float) -> Tokens:
        values = torch.randn(CLIPS, length, dim, generator=random)
        lengths = torch.randint(length // 2, length + 1, (CLIPS, 1), generator=random)
        present = torch.arange(length) < lengths
        return Tokens(
            (values * present[..., None]).to(device), (step * torch.arange(length)).to(device), present.to(device)
        )

    labels = torch.randint(CLASSES, (CLIPS,), generator=random).to(device)
    words = F.normalize(torch.randn(CLASSES, 300, generator=random), dim=-1).to(device)
    return (
        Clips(
            tokens(AUDIO, 128, 0.96),
            tokens(VIDEO, 4096, 0.64),
        ),
        labels,
        words,
    )


def plain_trunk(model, clips: Clips) -> Tensor:
    """The trunk as one would first write it: concatenations, one softmax per layer."""
    sequence, parts = model.trunk.sequence, []
    encoders = sequence.encoders
    for encode, tokens, modality in zip(encoders.encoders, (clips.audio, clips.video), encoders.modality, strict=True):
        encoded = tokens.values.new_zeros(*tokens.present.shape, encode.width)
        encoded[tokens.present] = encode.layers(tokens.values[tokens.present])
        place = (encoders.time(tokens.seconds) + modality).expand(len(encoded), -1, -1)
        parts.append(encoders.dropout(encoders.mix(torch.cat([encoded, place], -1))))
    x = torch.cat([sequence.cls.expand(CLIPS, 1, -1), *parts], 1)
    present = torch.cat([clips.audio.present.new_ones(CLIPS, 1), clips.audio.present, clips.video.present], 1)
    of = kinds([1, AUDIO, VIDEO], x.device)
    for layer, pattern in zip(model.trunk.transformer.layers, model.trunk.transformer.patterns, strict=True):
        normed, attention = layer.norm(x), layer.attention
        query, key, value = (
            each.view(CLIPS, -1, attention.heads, 64).transpose(1, 2)
            for each in (attention.query(normed), *attention.key_value(normed).chunk(2, -1))
        )
        scores = (query @ key.transpose(-1, -2) / math.sqrt(64)).masked_fill(
            ~(allowed(pattern, of) & present[:, None])[:, None], -torch.inf
        )
        attended = (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)
        x = x + layer.dropout(attention.out(attended))
        x = x + layer.feed_forward(layer.norm(x))
    return x[:, 0]


def plain_losses(model, embedded: Tensor, labels: Tensor, words: Tensor, novel: bool) -> Tensor:
    """Cross-entropies and Eq. 8; the chain is Eq. 9, step by step, as autograd records it."""
    diffusion, word = model.generator, words[labels]
    features = model.project(embedded)
    loss = F.cross_entropy(model.classify(features), labels) + diffusion.loss(features, word, torch.Generator())
    if not novel:
        return loss
    x, alphas = torch.randn_like(features), 1 - diffusion.betas
    for step in reversed(range(diffusion.chain.steps)):
        predicted = diffusion.predictor(x, torch.full((CLIPS,), step, device=x.device), word)
        x = (x - diffusion.betas[step] / (1 - diffusion.cumulative[step]).sqrt() * predicted) / alphas[step].sqrt()
        x = x + diffusion.betas[step].sqrt() * torch.randn_like(x)
    return loss + F.cross_entropy(model.classify(x), labels)


def stepper(which: str, novel: bool, device: str = "cpu") -> Callable[[], None]:
    """A training step of a new model, by mgcl or by the plain loop; both have the same weights and clips."""
    clips, labels, words = drawn(device)
    torch.manual_seed(0)
    model = av_diff.build(Shapes(128, 4096, 300, CLASSES), PARAMETERS).to(device).train()
    optimiser = torch.optim.Adam(model.parameters(), 7e-5, weight_decay=1e-5, fused=which == "mgcl")
    model.eval()
    assert torch.allclose(plain_trunk(model, clips), model.embed(clips), atol=1e-4), "the same arithmetic"
    model.train()
    kept = model.embed(clips).detach()

    def step() -> None:
        optimiser.zero_grad()
        if which == "mgcl":
            embedded = kept if novel else model.embed(clips)
            for _, loss in model.losses(Batch(embedded, labels, words, novel, torch.Generator(device))):
                loss.backward()
        else:
            plain_losses(model, kept if novel else plain_trunk(model, clips), labels, words, novel).backward()
        optimiser.step()

    return step


def by_turns(steps: Mapping[str, Callable[[], None]], rounds: int = 5) -> str:
    """Processor time of the steps, taken by turns, so that the load of the machine cancels."""
    spent: dict[str, list[float]] = {which: [] for which in steps}
    for _ in range(rounds):
        for which, step in steps.items():
            start = time.process_time()
            step()
            spent[which].append(time.process_time() - start)
    mgcl, plain = (median(spent[which]) for which in ("mgcl", "plain"))
    return f"{mgcl:.3f} core-seconds, {mgcl / plain:.2f} of the plain loop's (medians of {rounds}, by turns)"


@pytest.mark.parametrize("novel", [False, True], ids=["base", "novel"])
@pytest.mark.parametrize("which", ["mgcl", "plain"])
def test_a_step(timed, which, novel) -> None:
    substage = "novel classes, chain of 200" if novel else "base classes"
    steps = {each: stepper(each, novel) for each in (("mgcl", "plain") if which == "mgcl" else ("plain",))}
    facts = {"processor time": by_turns(steps)} if which == "mgcl" else {}
    group = f"AV-DIFF training step, UCF-FSL size, {CLIPS} clips: {substage}"
    timed(group, f"{which} cpu", steps[which], **facts)
