"""Frames and words are standardised during training, and the heads do the same after it."""

import torch

from mgcl.backbones.tiny import Config, make_model
from mgcl.pretraining.standards import Standards


def test_present_grains_are_standardised_and_the_heads_take_it_over() -> None:
    random = torch.Generator().manual_seed(0)
    model, standards = make_model(Config(vocabulary=20)), Standards(256)
    frames, words = (torch.randn(5, count, 192, generator=random) for count in (16, 7))
    present = torch.rand(5, 7, generator=random) < 0.6
    with torch.no_grad():
        before = model.frame_proj(frames), model.word_proj(words)
        for _ in range(200):  # until the running means and variances are the batch's
            seen = standards.frames(before[0]), standards.words(before[1], present)
        for each in (seen[0].flatten(0, 1), seen[1][present]):
            assert torch.allclose(each.mean(0), torch.zeros(256), atol=1e-4)
            assert torch.allclose(each.var(0, correction=0), torch.ones(256), atol=1e-2)
        assert (seen[1][~present] == 0).all()
        standards.eval()
        kept = standards.frames(before[0]), standards.words(before[1], present)
        standards.fold(model)
        assert torch.allclose(model.frame_proj(frames), kept[0], atol=1e-4)
        assert torch.allclose(model.word_proj(words)[present], kept[1][present], atol=1e-4)
