"""AV-DIFF's attention against its equations, term by term, and the laws of its token encoders."""

import itertools
import math
from typing import get_args

import numpy as np
import pytest
import torch

from mgcl.methods.audio_visual._sizes import Attention, Encoding, Layers
from mgcl.methods.audio_visual._tokens import Encoder, Fourier, mean_tokens
from mgcl.methods.audio_visual._transformer import HybridTrunk, Layer, MultiHead, allowed, kinds
from mgcl.methods.recogniser import Clips, Shapes, Tokens

PATTERNS = {"self": ("a", "v"), "cross": ("av",), "full": ("a", "v", "av")}
"""Pattern -> the summands of Eq. 5 beside A_c: A_self is ("a", "v"), A_cross is ("av",)."""


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(7)
        yield


def zero_padded(part: slice, vectors: np.ndarray) -> np.ndarray:
    """Eqs. 2-4: the vectors of one part of the sequence, zeros elsewhere."""
    padded = np.zeros_like(vectors)
    padded[part] = vectors[part]
    return padded


def by_equations(layer: MultiHead, x: np.ndarray, lengths: tuple[int, int, int], terms: tuple[str, ...]) -> np.ndarray:
    """Attention of one sequence by Eqs. 2-5, head by head; a pair of places without a summand has no attention."""
    weights = {name: each.detach().numpy() for name, each in layer.named_parameters()}
    inner = weights["query.weight"].shape[0]
    ends = np.cumsum((0, *lengths))
    parts = {name: slice(ends[index], ends[index + 1]) for index, name in enumerate("cav")}
    query, key_value = x @ weights["query.weight"].T, x @ weights["key_value.weight"].T
    heads = []
    for head in range(layer.heads):
        own = slice(head * inner // layer.heads, (head + 1) * inner // layer.heads)
        q, k, v = query[:, own], key_value[:, :inner][:, own], key_value[:, inner:][:, own]
        rows = {name: (zero_padded(part, q), zero_padded(part, k)) for name, part in parts.items()}
        every_k, every_q = sum(k for _, k in rows.values()), sum(q for q, _ in rows.values())
        # Q_c K^T, and the column of the classification token: q_i . k_c
        summands = [(rows["c"][0], every_k), (every_q, rows["c"][1])]
        for name in terms:
            one, other = name[0], name[-1]
            summands += [(rows[one][0], rows[other][1])] + ([(rows[other][0], rows[one][1])] if one != other else [])
        logits, defined = np.zeros((len(x), len(x))), np.zeros((len(x), len(x)), bool)
        for left, right in summands:
            pairs = left.any(-1)[:, None] & right.any(-1)[None, :]
            logits = np.where(pairs & ~defined, left @ right.T, logits)  # cls-cls is in both terms of A_c
            defined |= pairs
        scores = np.where(defined, logits * q.shape[-1] ** -0.5, -np.inf)
        attention = np.exp(scores - scores.max(-1, keepdims=True))
        heads.append(attention / attention.sum(-1, keepdims=True) @ v)
    return np.concatenate(heads, -1) @ weights["out.weight"].T + weights["out.bias"]


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_attention_is_the_zero_padded_form_of_the_equations(pattern, heads) -> None:
    lengths, layer = (1, 4, 5), MultiHead(8, heads, 6).double()
    x = torch.randn(1, 10, 8, dtype=torch.float64)
    mask = allowed(pattern, kinds(lengths, x.device))[None]
    expected = by_equations(layer, x[0].numpy(), lengths, PATTERNS[pattern])
    assert layer(x, x, mask)[0].detach().numpy() == pytest.approx(expected, abs=1e-12)


def test_equation_5_to_the_letter_differs_in_column_0_only() -> None:
    """K Q_c^T has k_i . q_c in column 0, and cls-cls counts twice: documents the reading that is taken."""
    q, k = np.random.default_rng(0).standard_normal((2, 6, 3))
    q_c, k_c = zero_padded(slice(1), q), zero_padded(slice(1), k)
    rest_q, rest_k = q - q_c, k - k_c
    taken = q @ k.T
    literal = q_c @ k.T + k @ q_c.T + rest_q @ rest_k.T
    different = ~np.isclose(taken, literal)
    assert different[:, 0].all()
    assert not different[:, 1:].any()
    assert literal[0, 0] == pytest.approx(2 * taken[0, 0])


def test_a_token_sees_itself_by_self_and_full_attention_only() -> None:
    of = kinds((1, 2, 3), torch.device("cpu"))
    assert not allowed("cross", of).diagonal()[1:].any()
    assert allowed("cross", of)[0].all()
    assert allowed("self", of).diagonal().all()
    assert allowed("full", of).all()


def test_a_layer_is_equation_1_with_one_norm() -> None:
    layer = Layer(8, Layers(heads=2, head_dim=4, mlp=6, dropout=0.3)).double().eval()
    x, mask = torch.randn(2, 5, 8, dtype=torch.float64), torch.ones(2, 5, 5, dtype=torch.bool)
    normed = layer.norm(x)
    after = layer.attention(normed, normed, mask) + x
    assert torch.allclose(layer(x, mask), layer.feed_forward(layer.norm(after)) + after)


def clips(*lengths: tuple[int, int], seed: int = 0, step: float = 0.96, padded: int = 0) -> Clips:
    random = np.random.default_rng(seed)
    drawn = [(random.standard_normal((a, 3)), random.standard_normal((v, 4))) for a, v in lengths]
    return Clips(*(tokens([each[which] for each in drawn], step, padded) for which in (0, 1)))


def tokens(rows: list[np.ndarray], step: float, padded: int = 0) -> Tokens:
    longest = max(map(len, rows)) + padded
    present = torch.tensor([[place < len(row) for place in range(longest)] for row in rows])
    values = torch.zeros(len(rows), longest, rows[0].shape[1])
    for index, row in enumerate(rows):
        values[index, : len(row)] = torch.from_numpy(row)
    return Tokens(values, step * torch.arange(longest), present)


SHAPES = Shapes(3, 4, 0, 2)


def trunk(**changes: object) -> HybridTrunk:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        encoding = Encoding(width=8, hidden=8, position=4, count_padding=bool(changes.pop("count_padding", False)))
        return HybridTrunk(SHAPES, encoding, Layers(heads=2, head_dim=4, mlp=8, **changes))


@pytest.mark.parametrize("attention", ["hybrid", "cross", "self", "full"])
@pytest.mark.parametrize("training", [False, True])
def test_padding_changes_nothing(attention, training) -> None:
    made = trunk(attention=attention).train(training)
    for module in made.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    plain, padded = (made(clips((4, 6), (2, 3), padded=each)) for each in (0, 5))
    assert torch.allclose(plain, padded, atol=1e-6)


def test_padding_counts_in_batch_norm_if_asked_to() -> None:
    plain, padded = (
        trunk(count_padding=True, dropout=0.0).train()(clips((4, 6), (2, 3), padded=each)) for each in (0, 5)
    )
    assert not torch.allclose(plain, padded, atol=1e-3)


def test_a_batch_is_its_clips_one_by_one() -> None:
    made, lengths = trunk().eval(), ((4, 6), (2, 3), (5, 1))
    random = np.random.default_rng(0)
    rows = [(random.standard_normal((a, 3)), random.standard_normal((v, 4))) for a, v in lengths]
    together = made(Clips(tokens([a for a, _ in rows], 0.96), tokens([v for _, v in rows], 0.64)))
    for expected, (audio, video) in zip(together, rows, strict=True):
        alone = made(Clips(tokens([audio], 0.96), tokens([video], 0.64)))[0]
        assert torch.allclose(alone, expected, atol=1e-6)


def test_hybrid_attention_ends_in_its_two_neighbours() -> None:
    given = clips((4, 6), (2, 3))

    def answer(name: str, **sizes: int) -> torch.Tensor:
        return trunk(attention=name, **sizes).eval()(given)

    assert torch.equal(answer("hybrid", change=4), answer("self"))
    assert torch.equal(answer("hybrid", change=0), answer("full"))
    # The token of the last layer attends to everything in every pattern.
    assert torch.equal(answer("hybrid", change=3), answer("self"))
    assert Layers(attention="alternate").patterns == ["self", "full", "self", "full"]
    assert Layers(change=3).patterns == ["self", "self", "self", "full"]


def test_at_the_default_sizes_every_pattern_is_a_function_of_its_own() -> None:
    given = clips((4, 6), (2, 3))
    answers = [trunk(attention=name).eval()(given) for name in get_args(Attention)]
    assert not any(torch.equal(one, other) for one, other in itertools.combinations(answers, 2))


def test_with_one_modality_all_patterns_that_see_it_agree() -> None:
    audio = clips((4, 6), (2, 3)).audio
    nothing = torch.zeros(2, 0)
    given = Clips(audio, Tokens(nothing[..., None].expand(2, 0, 4), nothing[0], nothing.bool()))
    full, own, hybrid, cross = (trunk(attention=name).eval()(given) for name in ("full", "self", "hybrid", "cross"))
    assert torch.equal(full, own)
    assert torch.equal(full, hybrid)
    assert not torch.allclose(full, cross)


def test_what_counts_is_a_tokens_time_not_its_place() -> None:
    made, given = trunk().eval(), clips((5, 6))
    order = torch.tensor([3, 1, 4, 0, 2])
    audio = given.audio
    moved = Tokens(audio.values[:, order], audio.seconds[order], audio.present[:, order])
    swapped = Tokens(audio.values[:, order], audio.seconds, audio.present)
    out = made(given)
    assert torch.allclose(made(Clips(moved, given.video)), out, atol=1e-6)
    assert not torch.allclose(made(Clips(swapped, given.video)), out, atol=1e-3)


def test_fourier_features_are_sines_and_cosines_of_seconds() -> None:
    made, seconds = Fourier(6, 10.0).double(), torch.arange(5, dtype=torch.float64) * 0.64
    phase = 2 * math.pi * np.outer(seconds.numpy(), made.frequencies.numpy())
    weight, bias = (each.detach().numpy() for each in made.map.parameters())
    expected = np.concatenate([np.sin(phase), np.cos(phase)], -1) @ weight.T + bias
    assert made(seconds).detach().numpy() == pytest.approx(expected, abs=1e-12)
    assert torch.equal(made(seconds)[::2], made(torch.arange(3, dtype=torch.float64) * 1.28)), "times, not places"


def test_frequencies_are_sums_of_two_normal_numbers() -> None:
    assert Fourier(20000, 10.0).frequencies.std().item() == pytest.approx(10 * 2**0.5, rel=0.02)


def test_an_encoder_leaves_places_without_a_token_zero() -> None:
    encoder, given = Encoder(3, Encoding(width=8)).train(), clips((4, 1), (2, 1)).audio
    assert not encoder(given)[~given.present].any()
    assert encoder(given)[given.present].any(-1).all()


def test_the_mean_is_over_tokens_that_are_there() -> None:
    given = clips((4, 6), (2, 3)).audio
    assert torch.allclose(mean_tokens(given)[1], given.values[1, :2].mean(0))


def test_masked_tokens_get_no_gradient() -> None:
    given = clips((4, 6), (2, 3))
    values = given.audio.values.clone().requires_grad_()
    made = trunk(attention="full").eval()
    made(Clips(Tokens(values, given.audio.seconds, given.audio.present), given.video)).sum().backward()
    assert not values.grad[~given.audio.present].any()
    assert values.grad[given.audio.present].any(-1).all()
