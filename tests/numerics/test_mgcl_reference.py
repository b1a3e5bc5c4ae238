"""The full method against a slow, independent one: float64, POT pair by pair, concatenation, no shared code."""

from dataclasses import dataclass

import numpy as np
import ot
import pytest
import torch
from torch import Tensor, nn

from mgcl.methods.few_shot import mgcl
from mgcl.methods.method import ClipFeatures, Support
from mgcl.parameters import from_flat
from tests.numerics.conftest import SHOT, WAY, D


@dataclass
class Slow:
    """MGCL, equation by equation."""

    support: Support
    p: mgcl.Parameters

    def __post_init__(self) -> None:
        self.fuse_coarse, self.fuse_fine = (nn.Linear(2 * D, D, bias=False, dtype=torch.float64) for _ in range(2))
        self.last = nn.Linear(D, D, bias=False, dtype=torch.float64)
        for layer in (self.fuse_coarse, self.fuse_fine):
            layer.weight.data = torch.cat([0.5 * torch.eye(D), 0.5 * torch.eye(D)], 1).double()
        self.last.weight.data = torch.eye(D).double()
        self.sentences = self.support.explanations.double()

    def transported(self, x: Tensor, y: Tensor) -> Tensor:
        cosines = (x / x.norm(dim=1, keepdim=True)) @ (y / y.norm(dim=1, keepdim=True)).T
        n, m = cosines.shape
        plan = ot.sinkhorn(
            np.full(n, 1 / n),
            np.full(m, 1 / m),
            1 - cosines.detach().numpy(),
            self.p.matching.epsilon,
            "sinkhorn",
            numItermax=3000,
            stopThr=1e-10,
            warn=False,  # a clip against itself: all but a permutation, where the rest is slow and tiny
        )
        assert abs(plan.sum(1) * n - 1).max() < 1e-6
        return (torch.from_numpy(plan) * cosines).sum()

    def coarse(self, clips: ClipFeatures, i: int) -> Tensor:
        return (clips.clip[i] if self.p.coarse == "clip" else clips.segments[i].mean(0)).double()

    def cache(self, clips: ClipFeatures, i: int, *, own: bool) -> Tensor:
        logits = torch.zeros(WAY, dtype=torch.float64)
        for s in range(WAY * SHOT):
            if own and self.p.leave_one_out and s == i:
                continue
            cosine = nn.functional.cosine_similarity(self.coarse(clips, i), self.coarse(self.support.clips, s), dim=0)
            matched = self.transported(clips.segments[i].double(), self.support.clips.segments[s].double())
            value = torch.exp(-self.p.beta * (1 - cosine)) + torch.exp(-self.p.beta * (1 - matched))
            logits[s // SHOT] += value / (SHOT if self.p.mean_over_shots else 1)
        return logits

    def contrast(self, clips: ClipFeatures, i: int) -> Tensor:
        caption = clips.caption[i].double()
        coarse = self.coarse(clips, i)
        fused = self.fuse_coarse(torch.cat([coarse / coarse.norm(), caption]))
        segments = torch.stack([
            self.last(self.fuse_fine(torch.cat([segment.double(), caption]))) for segment in clips.segments[i]
        ])  # fmt: skip
        logits = []
        for k in range(WAY):
            cosines = torch.stack([nn.functional.cosine_similarity(fused, e, dim=0) for e in self.sentences[k]])
            weights = torch.softmax(self.p.late_weighting_scale * cosines, 0)
            logits.append((weights * cosines).sum() + self.transported(segments, self.sentences[k]))
        return torch.stack(logits)

    def caches(self, clips: ClipFeatures, *, own: bool = False) -> Tensor:
        return torch.stack([self.cache(clips, i, own=own) for i in range(len(clips.clip))])

    def logits(self, clips: ClipFeatures, caches: Tensor) -> Tensor:
        scale = self.p.logit_scale or self.support.logit_scale
        contrasts = torch.stack([self.contrast(clips, i) for i in range(len(clips.clip))])
        return self.p.alpha * caches + scale * contrasts

    def fit(self) -> None:
        weights = [self.fuse_coarse.weight, self.fuse_fine.weight, self.last.weight]
        optimiser = torch.optim.Adam(weights, lr=self.p.learning_rate)
        caches = self.caches(self.support.clips, own=True)
        for _ in range(self.p.epochs):
            optimiser.zero_grad()
            logits = self.logits(self.support.clips, caches)
            nn.functional.cross_entropy(logits, self.support.labels).backward()
            optimiser.step()


CASES: dict[str, dict[str, object]] = {
    "full": {},
    "mean": {"coarse": "mean"},
    "leave-one-out": {"leave_one_out": True},
    "mean over shots": {"mean_over_shots": True},
    "sharper": {"epsilon": 0.05, "alpha": 3.0, "beta": 2.0, "late_weighting_scale": 10.0, "logit_scale": 5.0},
}


@pytest.mark.parametrize("case", CASES)
def test_logits_are_the_slow_methods(case, support, query) -> None:
    # A larger step and few of them: what is trained must show.
    parameters = from_flat(
        mgcl.Parameters,
        {"epochs": 3, "learning_rate": 3e-3, "tolerance": 1e-5, "max_iterations": 5000, **CASES[case]},
    )
    slow = Slow(support, parameters)
    caches = slow.caches(query)
    before = slow.logits(query, caches).detach()
    slow.fit()
    expected = slow.logits(query, caches).detach()
    fitted = mgcl.fit(support, parameters)
    got = mgcl.predict(fitted, query)
    assert (expected - before).abs().max() > 0.1
    assert got.logits.numpy() == pytest.approx(expected.numpy(), abs=5e-4)
