"""A small random episode."""

import pytest
import torch

from mgcl.methods.method import ClipFeatures, Support
from mgcl.transport.cost import unit

WAY, SHOT, QUERIES, N, D, SENTENCES = 3, 2, 2, 5, 10, 4


def features(count: int, random: torch.Generator) -> ClipFeatures:
    segments, clip, caption = (torch.randn(*shape, D, generator=random) for shape in ((count, N), (count,), (count,)))
    return ClipFeatures(unit(segments), unit(clip), unit(caption))


@pytest.fixture
def support() -> Support:
    random = torch.Generator().manual_seed(5)
    return Support(
        clips=features(WAY * SHOT, random),
        labels=torch.arange(WAY).repeat_interleave(SHOT),
        prompts=unit(torch.randn(WAY, D, generator=random)),
        explanations=unit(torch.randn(WAY, SENTENCES, D, generator=random)),
        logit_scale=20.0,
        seeds=torch.tensor(7),
    )


@pytest.fixture
def query() -> ClipFeatures:
    return features(WAY * QUERIES, torch.Generator().manual_seed(6))
