"""The adapters' exact rewrites: the same numbers as concatenation, whichever way is shorter."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import linear

from mgcl.methods.few_shot import _contrast as contrast
from mgcl.transport.cost import inner

D = 10


def tensor(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


ADAPTERS = contrast.Adapters(*(tensor(D, D, seed=seed) for seed in range(5)))


def plain(segments: Tensor | None, caption: Tensor | None) -> Tensor:
    """W_l W_f [segment ; caption] with zeros for what is absent."""
    if segments is None:
        assert caption is not None
        segments = torch.zeros(len(caption), 1, D)
    beside = torch.zeros(len(segments), D) if caption is None else caption
    both = torch.cat([segments, beside[:, None].expand_as(segments)], -1)
    return linear(linear(both, torch.cat([ADAPTERS.fine_audio, ADAPTERS.fine_caption], 1)), ADAPTERS.last)


@pytest.mark.parametrize("clips", [1, 2, 3, 40])
def test_segments_are_fused_as_if_concatenated(clips) -> None:
    """Fewer segments than dimensions, as many, and more."""
    segments, caption = tensor(clips, 5, D, seed=7), tensor(clips, D, seed=8)
    for audio, text in ((segments, caption), (segments, None), (None, caption)):
        fused = contrast.fuse_segments(audio, text, ADAPTERS)
        assert fused.numpy() == pytest.approx(plain(audio, text).numpy(), abs=1e-4)


def test_clips_are_fused_as_if_concatenated() -> None:
    audio, caption = tensor(6, D, seed=7), tensor(6, D, seed=8)
    weight = torch.cat([ADAPTERS.coarse_audio, ADAPTERS.coarse_caption], 1)
    expected = linear(torch.cat([audio, caption], 1), weight)
    assert contrast.fuse_clips(audio, caption, ADAPTERS).numpy() == pytest.approx(expected.numpy(), abs=1e-5)


def test_nothing_cannot_be_fused() -> None:
    with pytest.raises(ValueError, match="nothing to fuse"):
        contrast.fuse_segments(None, None, ADAPTERS)


@pytest.mark.parametrize("stack", [(), (1,), (3,)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_inner_products_and_their_gradients_are_matmuls(stack, dtype) -> None:
    x, y = tensor(*stack, 7, D).to(dtype).requires_grad_(), tensor(*stack, 4, D, seed=1).to(dtype).requires_grad_()
    upstream = tensor(*stack, 7, 4, seed=2).to(dtype)
    got, expected = inner(x, y), x @ y.mT
    assert got.detach().numpy() == pytest.approx(expected.detach().numpy(), abs=1e-5)
    slopes = (torch.autograd.grad((each * upstream).sum(), (x, y)) for each in (got, expected))
    for ours, torchs in zip(*slopes, strict=True):
        assert ours.numpy() == pytest.approx(torchs.numpy(), abs=1e-5)
