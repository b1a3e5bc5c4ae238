"""A small random episode."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # the process that hands out the tests needs neither
    import torch

    from mgcl.methods.method import ClipFeatures, Support

WAY, SHOT, QUERIES, N, D, SENTENCES = 3, 2, 2, 5, 10, 4


def features(count: int, random: "torch.Generator") -> "ClipFeatures":
    import torch

    from mgcl.methods.method import ClipFeatures
    from mgcl.transport.cost import unit

    segments, clip, caption = (torch.randn(*shape, D, generator=random) for shape in ((count, N), (count,), (count,)))
    return ClipFeatures(unit(segments), unit(clip), unit(caption))


@pytest.fixture
def support() -> "Support":
    import torch

    from mgcl.methods.method import Support
    from mgcl.transport.cost import unit

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
def query() -> "ClipFeatures":
    import torch

    return features(WAY * QUERIES, torch.Generator().manual_seed(6))
