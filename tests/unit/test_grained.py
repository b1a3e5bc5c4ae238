"""The multi-grained model's own arithmetic, against the paper's formulas written out."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mgcl.backbones._grained import Grained, contrastive_loss
from mgcl.backbones._towers import AudioTower, Block, TextTower
from mgcl.transport.cost import unit


def model(codewords: int = 7, d: int = 6, score_temperature: float = 0.5) -> Grained:
    torch.manual_seed(0)
    return Grained(
        nn.Identity(),
        nn.Identity(),
        audio_width=4,
        text_width=5,
        embedding_dim=d,
        codewords=codewords,
        score_temperature=score_temperature,
    )


def sparsemax(scores: list[float]) -> list[float]:
    """Martins and Astudillo 2016, Algorithm 1, one vector."""
    ordered = sorted(scores, reverse=True)
    size = max(k for k in range(1, len(scores) + 1) if 1 + k * ordered[k - 1] > sum(ordered[:k]))
    threshold = (sum(ordered[:size]) - 1) / size
    return [max(score - threshold, 0.0) for score in scores]


def test_an_embedding_is_the_weighted_sum_of_codewords() -> None:
    grained, frames = model().requires_grad_(False), torch.randn(2, 3, 6)
    for clip, embedded in zip(frames, grained.aggregate(frames), strict=True):
        scores = [max(float(frame @ word) / (math.sqrt(6) * 0.5) for frame in clip) for word in grained.codebook]
        weights = sparsemax(scores)
        expected = sum(weight * word for weight, word in zip(weights, grained.codebook, strict=True))
        assert torch.allclose(embedded, expected / expected.norm(), atol=1e-6)


@pytest.mark.parametrize("codewords", [0, 7])
def test_padding_changes_nothing(codewords) -> None:
    grained, words = model(codewords), torch.randn(2, 3, 6)
    padded = torch.cat([words, 100 * torch.randn(2, 4, 6)], dim=1)
    present = torch.tensor([[True] * 3 + [False] * 4] * 2)
    assert torch.allclose(grained.aggregate(padded, present), grained.aggregate(words), atol=1e-6)


def test_without_a_codebook_it_is_the_mean() -> None:
    frames = torch.randn(2, 3, 6)
    assert torch.allclose(model(codewords=0).aggregate(frames), unit(frames.mean(1)), atol=1e-6)


def test_a_frame_that_is_heard_again_changes_nothing() -> None:
    grained, frames = model(), torch.randn(1, 3, 6)
    assert torch.allclose(grained.aggregate(frames.repeat(1, 2, 1)), grained.aggregate(frames), atol=1e-6)


@pytest.mark.parametrize("codewords", [0, 7])
@pytest.mark.parametrize("padded", [False, True])
def test_the_parts_of_frames_and_of_codewords_add_up_to_the_embedding(codewords, padded) -> None:
    grained, frames = model(codewords).requires_grad_(False), torch.randn(3, 6)
    present = torch.tensor([True, False, True]) if padded else None
    by_frame, by_codeword, credited = grained.divided(frames, present)
    whole = grained.aggregate(frames[None], None if present is None else present[None])[0]
    for parts in (by_frame, by_codeword):
        assert torch.allclose(parts.sum(0), whole, atol=1e-6)
    assert not padded or not by_frame[1].any()
    if codewords:
        scores = (frames @ grained.codebook.T)[[0, 2] if padded else [0, 1, 2]]
        assert torch.equal(credited, scores.argmax(0) * (2 if padded else 1))


def test_without_hardness_the_loss_is_infonce() -> None:
    audio, text = unit(torch.randn(5, 4)), unit(torch.randn(5, 4))
    logits = audio @ text.T / 0.1
    expected = (F.cross_entropy(logits, torch.arange(5)) + F.cross_entropy(logits.T, torch.arange(5))) / 2
    assert torch.allclose(contrastive_loss(audio, text, torch.tensor(0.1), hardness=0.0), expected)


def test_negatives_weigh_by_how_close_they_are() -> None:
    audio, text = unit(torch.randn(4, 3)), unit(torch.randn(4, 3))
    scaled, beta = audio @ text.T / 0.2, 0.3
    losses = []
    for s in (scaled, scaled.T):
        for i in range(4):
            negatives = [k for k in range(4) if k != i]
            mean = sum(torch.exp(beta * s[i, k]) for k in negatives) / 3
            total = s[i, i].exp() + sum(torch.exp(beta * s[i, k]) / mean * s[i, k].exp() for k in negatives)
            losses.append(total.log() - s[i, i])
    loss = contrastive_loss(audio, text, torch.tensor(0.2), hardness=beta)
    assert torch.allclose(loss, torch.stack(losses).mean())


def test_a_clip_that_is_there_twice_is_a_positive_of_both_sentences() -> None:
    """The target is 1/2 for each, and neither is weighted as a negative."""
    audio, text, ids = unit(torch.randn(4, 3)), unit(torch.randn(4, 3)), [0, 1, 0, 2]
    scaled, beta = audio @ text.T / 0.2, 0.3
    losses = []
    for s in (scaled, scaled.T):
        for i in range(4):
            mates, negatives = ([k for k in range(4) if (ids[k] == ids[i]) == mate] for mate in (True, False))
            mean = sum(torch.exp(beta * s[i, k]) for k in negatives) / len(negatives)
            total = sum(s[i, k].exp() for k in mates)
            total = total + sum(torch.exp(beta * s[i, k]) / mean * s[i, k].exp() for k in negatives)
            losses.append(total.log() - sum(s[i, k] for k in mates) / len(mates))
    positive = torch.tensor(ids)[:, None] == torch.tensor(ids)
    loss = contrastive_loss(audio, text, torch.tensor(0.2), hardness=beta, positive=positive)
    assert torch.allclose(loss, torch.stack(losses).mean())


def test_without_an_mlp_a_local_block_adds_the_normalised_values() -> None:
    torch.manual_seed(0)
    block, x = Block(8, local=True, mlp=False), torch.randn(1, 5, 8)
    v = x + block.out(block.value(block.before_attention(x)))
    assert torch.allclose(block(x), v + block.before_mlp(v))


def test_a_local_block_keeps_each_position_to_itself() -> None:
    torch.manual_seed(0)
    for local in (True, False):
        block, x = Block(8, local=local), torch.randn(1, 5, 8)
        changed = x.clone()
        changed[:, 2] = torch.randn(8)
        moved = (block(changed) - block(x)).abs().amax((0, 2)) > 1e-6
        assert moved.tolist() == ([False, False, True, False, False] if local else [True] * 5)


def test_absent_words_are_not_looked_at() -> None:
    torch.manual_seed(0)
    tower = TextTower(20, 8, 10)
    short, long = torch.tensor([[3, 4, 5]]), torch.tensor([[3, 4, 5, 0, 0]])
    words = tower(long, torch.tensor([[True, True, True, False, False]]))
    assert torch.allclose(words[:, :3], tower(short, torch.ones(1, 3, dtype=torch.bool)), atol=1e-6)


def test_a_clip_becomes_one_frame_for_sixteen_steps() -> None:
    assert AudioTower(32, 8, 4, local=True)(torch.randn(2, 64, 32)).shape == (2, 4, 8)


def test_the_published_size_is_a_configuration() -> None:
    """MGA-CLAP's names and shapes: towers of width 768 (HTSAT, BERT-base), d = 1,024, 4,096 codewords."""
    grained = Grained(nn.Identity(), nn.Identity(), audio_width=768, text_width=768, embedding_dim=1024, codewords=4096)
    head = {"0.weight": (768,), "0.bias": (768,), "1.weight": (1024, 768), "1.bias": (1024,), "3.weight": (1024,)}
    head |= {"3.bias": (1024,), "4.weight": (1024, 1024), "4.bias": (1024,)}
    expected = {f"{name}.{key}": shape for name in ("frame_proj", "word_proj") for key, shape in head.items()}
    expected |= {"temp": (), "codebook": (4096, 1024)}
    assert {name: tuple(value.shape) for name, value in grained.state_dict().items()} == expected
    clip = grained.aggregate(grained.frames(torch.randn(2, 32, 768)))
    sentence = grained.aggregate(grained.words(torch.randn(2, 12, 768)), torch.ones(2, 12, dtype=torch.bool))
    assert clip.shape == sentence.shape == (2, 1024)
