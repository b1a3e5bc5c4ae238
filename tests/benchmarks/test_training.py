"""The adapters' training beside the plain version: concatenate, multiply, Adam."""

import pytest
import torch

from mgcl.methods.few_shot import mgcl
from mgcl.methods.method import ClipFeatures, Support
from mgcl.transport.cost import unit
from tests.benchmarks import naive

SEGMENTS, D = 16, 1024


def support_set(way: int, shot: int, device: str) -> Support:
    """Classes that are told apart, but not so well that the loss is zero and its gradient rounding."""
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(way).repeat_interleave(shot)
    centres = 0.3 * torch.randn(way, D, generator=random)

    def near(centre: torch.Tensor) -> torch.Tensor:
        return unit(centre + torch.randn(centre.shape, generator=random)).to(device)

    segments = near(centres[labels][:, None].expand(-1, SEGMENTS, -1))
    return Support(
        clips=ClipFeatures(segments, unit(segments.mean(1)), near(centres[labels])),
        labels=labels.to(device),
        prompts=near(centres),
        explanations=near(centres[:, None].expand(-1, 8, -1)),
        logit_scale=20.0,
        seeds=torch.tensor(0, device=device),
    )


@pytest.mark.parametrize(("way", "shot"), [(5, 1), (12, 10)])
@pytest.mark.parametrize("which", ["mgcl", "plain"])
def test_training(timed, which, way, shot, device) -> None:
    support = support_set(way, shot, device)
    parameters = mgcl.Parameters(coarse_cache=False, fine_cache=False)
    group = f"training, {naive.EPOCHS} epochs, {way}-way {shot}-shot, {SEGMENTS} segments, d = {D}"
    if which == "plain":
        if device == "cpu":
            timed(group, "concatenate and multiply", lambda: naive.fit(support, naive.batched, cached=False))
        return
    host = support_set(way, shot, "cpu")
    adapters, plain = mgcl.fit(support, parameters).adapters, naive.fit(host, naive.batched, cached=False)
    ours = torch.cat(adapters[:2], 1), torch.cat(adapters[2:4], 1), adapters.last
    gap = max((a.cpu() - b).abs().max().item() for a, b in zip(ours, plain, strict=True))
    moved = (plain[2] - torch.eye(D)).abs().max().item()
    timed(group, f"mgcl {device}", lambda: mgcl.fit(support, parameters),
          weights=f"within {gap:.1e} of the plain ones, which moved by up to {moved:.1e}")  # fmt: skip
