"""Each audio-visual baseline against a slow reference, and by its laws."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mgcl.catalogue import load
from mgcl.methods.audio_visual._aligned import tcaf
from mgcl.methods.audio_visual._blocks import SelfBlock
from mgcl.methods.audio_visual._latents import GroupBlock, Hip, Perceiver, group_of
from mgcl.methods.audio_visual._mean_fusions import AttentionFusion, Avca
from mgcl.methods.audio_visual._segments import Segments
from mgcl.methods.audio_visual._sizes import Encoding, Head, Heads, Layers, Sharing, Windows
from mgcl.methods.audio_visual._templates import Templates
from mgcl.methods.audio_visual._token_fusions import Mbt, Zorro
from mgcl.methods.audio_visual._transformer import HybridTrunk
from mgcl.methods.recogniser import Batch, Clips, Shapes, Tokens
from tests import recognising

SHAPES = Shapes(3, 4, 5, 4)
ENCODING = Encoding(width=8, hidden=8, position=4)
HEADS = Heads(heads=2, head_dim=4)
LENGTHS = ((4, 6), (2, 3), (5, 7))


def clips(*lengths: tuple[int, int], seed: int = 0, padded: int = 0) -> Clips:
    random = np.random.default_rng(seed)
    sizes = list(zip(*lengths, strict=True))

    def tokens(counts: tuple[int, ...], dim: int, step: float) -> Tokens:
        longest = max(counts) + padded
        present = torch.tensor([[place < count for place in range(longest)] for count in counts], dtype=torch.bool)
        values = torch.from_numpy(random.standard_normal((len(counts), longest, dim)).astype(np.float32))
        return Tokens(values * present[..., None], step * torch.arange(longest), present)

    return Clips(tokens(sizes[0], 3, 0.96), tokens(sizes[1], 4, 0.64))


def seeded(build, seed: int = 1):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()


def reordered(given: Clips) -> Clips:
    """The same tokens in another order; times stay where they are."""

    def of(tokens: Tokens) -> Tokens:
        values = tokens.values.clone()
        for index, count in enumerate(tokens.present.sum(1).tolist()):
            values[index, :count] = values[index, :count].flip(0)
        return Tokens(values, tokens.seconds, tokens.present)

    return Clips(of(given.audio), of(given.video))


BLIND = ("attention_fusion", "avca", "protogan", "clip_clap", "linear_probe", "prototypes")
"""Recognisers that see no time."""


@pytest.mark.parametrize("name", [*BLIND, "av_diff", "perceiver", "mbt", "tcaf", "sldg", "tsl", "hip", "zorro"])
def test_who_sees_the_order_of_tokens(name) -> None:
    model = seeded(lambda: load("method", name).build(SHAPES, recognising.small(name))).eval()
    given = clips(*LENGTHS)
    with torch.no_grad():
        one, other = model.embed(given), model.embed(reordered(given))
    assert torch.allclose(one, other, atol=1e-5) == (name in BLIND)


def test_no_audio_token_of_zorro_depends_on_the_picture() -> None:
    model = seeded(lambda: Zorro(SHAPES, ENCODING, 3, 2, HEADS)).eval()
    given, other = clips(*LENGTHS), clips(*LENGTHS, seed=5)
    (audio, fusion, video), (same, moved, _) = (model.tokens(each) for each in (given, Clips(given.audio, other.video)))
    assert torch.equal(audio, same)
    assert not torch.allclose(fusion, moved)
    assert torch.equal(video, model.tokens(Clips(other.audio, given.video))[2])


def alone(model: Mbt, given: Clips, which: int) -> torch.Tensor:
    """One modality's own transformer, on one clip after another, without padding."""
    tokens, present = model.encoders(given)[which], (given.audio, given.video)[which].present
    out = []
    for row, there in zip(tokens, present, strict=True):
        x = torch.cat([model.cls[which][None], row[there]])[None]
        for blocks in model.layers:
            x = blocks[which](x, torch.ones(1, x.shape[1], x.shape[1], dtype=torch.bool))
        out.append(x[0, 0])
    return torch.stack(out)


def test_mbt_that_never_shares_is_two_transformers() -> None:
    model = seeded(lambda: Mbt(SHAPES, ENCODING, Sharing(depth=2, fusion_layer=2), HEADS)).eval()
    given = clips(*LENGTHS)
    expected = (alone(model, given, 0) + alone(model, given, 1)) / 2
    assert torch.allclose(model(given), expected, atol=1e-5)
    shares = seeded(lambda: Mbt(SHAPES, ENCODING, Sharing(depth=2, fusion_layer=1), HEADS)).eval()
    shares.load_state_dict(model.state_dict())
    assert not torch.allclose(shares(given), expected, atol=1e-4)


def numpy_of(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: each.detach().double().numpy() for name, each in module.named_parameters()}


def normed(x: np.ndarray, weights: dict[str, np.ndarray], name: str) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt(centred.var(-1, keepdims=True) + 1e-5)
    return scaled * weights[f"{name}.weight"] + weights.get(f"{name}.bias", 0)


def test_one_latent_with_one_head_is_attention_pooling() -> None:
    block = seeded(lambda: GroupBlock(8, 1, 1, 0, Heads(heads=1, head_dim=6))).double().eval()
    x = torch.randn(1, 5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weights, tokens = numpy_of(block.read), x[0].numpy()
    query = normed(numpy_of(block)["latents"], weights, "norm") @ weights["attention.query.weight"].T
    key_value = normed(tokens, weights, "norm_context") @ weights["attention.key_value.weight"].T
    scores = [float(query[0] @ key_value[place, :6]) / 6**0.5 for place in range(5)]
    shares = np.exp(scores) / np.exp(scores).sum()
    pooled = sum(share * key_value[place, 6:] for place, share in enumerate(shares))
    out = numpy_of(block)["latents"][0] + pooled @ weights["attention.out.weight"].T + weights["attention.out.bias"]
    expected = block.feed_forward(torch.from_numpy(out)[None, None])
    assert torch.allclose(block(x, torch.ones(1, 5, dtype=torch.bool)), expected, atol=1e-12)


def test_an_mlp_of_a_block_is_gated_by_gelu() -> None:
    feed_forward = seeded(lambda: SelfBlock(8, HEADS)).feed_forward.double().eval()
    x = torch.randn(1, 2, 8, dtype=torch.float64)
    weights = numpy_of(feed_forward)
    inner = normed(x.numpy(), weights, "norm") @ weights["inner.weight"].T + weights["inner.bias"]
    values, gates = np.split(inner, 2, -1)
    gelu = F.gelu(torch.from_numpy(gates)).numpy()
    expected = x.numpy() + (values * gelu) @ weights["outer.weight"].T + weights["outer.bias"]
    assert feed_forward(x).detach().numpy() == pytest.approx(expected, abs=1e-12)


def test_hip_with_one_group_is_a_block_of_perceiver() -> None:
    perceiver = seeded(lambda: Perceiver(SHAPES, ENCODING, 4, 1, HEADS)).eval()
    hip = seeded(lambda: Hip(SHAPES, ENCODING, [(1, 4)], HEADS)).eval()
    del hip.blocks[0].selves[1]  # a block of HiP has two self-attentions
    hip.load_state_dict(perceiver.state_dict())
    assert torch.equal(hip(clips(*LENGTHS)), perceiver(clips(*LENGTHS)))


def test_a_clips_tokens_are_grouped_alike_whatever_the_padding() -> None:
    present = torch.tensor([[True, True, False, False, True, True, True, False], [True] * 8])
    assert group_of(present, 2)[0][present[0]].tolist() == [0, 0, 0, 1, 1]
    assert group_of(present, 4)[1].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_group_of_latents_reads_its_own_group_alone() -> None:
    block = seeded(lambda: GroupBlock(8, 2, 3, 1, HEADS)).eval()
    x = torch.randn(1, 6, 8).requires_grad_()
    block(x, torch.ones(1, 6, dtype=torch.bool))[0, :3].sum().backward()
    assert x.grad[0, :3].any(-1).all()
    assert not x.grad[0, 3:].any()


def test_attention_fusion_is_a_softmax_over_modalities_in_each_dimension() -> None:
    model = seeded(lambda: AttentionFusion(SHAPES, ENCODING)).double().eval()
    given = clips(*LENGTHS)
    given = Clips(*(Tokens(each.values.double(), each.seconds, each.present) for each in (given.audio, given.video)))
    found = model(given).detach().numpy()
    for index in range(len(LENGTHS)):
        hidden = []
        for encoder, tokens in zip(model.means.encoders, (given.audio, given.video), strict=True):
            mean = tokens.values[index][tokens.present[index]].mean(0, keepdim=True)
            hidden.append(encoder.layers(mean)[0].detach().numpy())
        for dimension in range(8):
            logits = [
                float(weigh.weight.detach().numpy()[dimension] @ h + weigh.bias.detach().numpy()[dimension])
                for weigh, h in zip(model.weigh, hidden, strict=True)
            ]
            shares = np.exp(logits) / np.exp(logits).sum()
            expected = sum(share * h[dimension] for share, h in zip(shares, hidden, strict=True))
            assert found[index, dimension] == pytest.approx(expected, abs=1e-10)


def test_avca_is_a_layer_on_two_tokens_with_a_residual() -> None:
    model = seeded(lambda: Avca(SHAPES, ENCODING, Layers("full", depth=1, change=0, heads=2, head_dim=4, mlp=8))).eval()
    given = clips(*LENGTHS)
    vectors, present = model.means(given)
    assert present.all()
    x = vectors + model.position
    layer, mask = model.layers[0], torch.ones(3, 2, 2, dtype=torch.bool)
    after = x + layer.attention(layer.norm(x), layer.norm(x), mask)
    expected = after + layer.feed_forward(layer.norm(after)) + vectors
    assert torch.allclose(model(given), expected[:, 1], atol=1e-6)


def test_templates_are_sums_by_densities_and_wide_ones_are_means() -> None:
    template, given = seeded(lambda: Templates(2)), clips(*LENGTHS).audio
    with torch.no_grad():
        template.mean.copy_(torch.tensor([0.2, 0.7]))
        template.log_scale.copy_(torch.tensor([-1.0, -2.0]))
    found = template(given).detach().numpy()
    for index, (count, _) in enumerate(LENGTHS):
        for which, (mean, scale) in enumerate(((0.2, np.exp(-1)), (0.7, np.exp(-2)))):
            density = [np.exp(-0.5 * (((place + 0.5) / count - mean) / scale) ** 2) for place in range(count)]
            expected = sum(weight * given.values[index, place].numpy() for place, weight in enumerate(density)) / sum(
                density
            )
            assert found[index, 3 * which : 3 * which + 3] == pytest.approx(expected, abs=1e-5)
    with torch.no_grad():
        template.log_scale.fill_(20.0)
    mean = given.values.sum(1) / given.present.sum(1, keepdim=True)
    assert template(given).detach().numpy() == pytest.approx(torch.cat([mean, mean], -1).numpy(), abs=1e-5)


def test_one_window_of_the_whole_clip_is_its_mean() -> None:
    model = seeded(lambda: Segments(SHAPES, ENCODING, Windows(testing=1, share=1.0))).eval()
    given = clips(*LENGTHS)
    means = [each.values.sum(1) / each.present.sum(1, keepdim=True) for each in (given.audio, given.video)]
    assert torch.allclose(model(given)[:, 0], model.layers(torch.cat(means, -1)), atol=1e-6)


def test_windows_are_spread_evenly_in_tests_and_random_in_training() -> None:
    model = seeded(lambda: Segments(SHAPES, ENCODING, Windows(training=4, testing=3, share=0.5)))
    model.layers = nn.Identity()
    given = clips((5, 1))
    tokens = given.audio.values[0]
    last = 4 * 0.96
    expected = [
        tokens[
            [place for place in range(5) if start <= place * 0.96 + 1e-6 and place * 0.96 <= start + last / 2 + 1e-6]
        ]
        for start in (0.0, last / 4, last / 2)
    ]
    found = model.eval()(given)[0, :, :3]
    for each, own in zip(found, expected, strict=True):
        assert torch.allclose(each, own.mean(0), atol=1e-6)
    model.train()
    assert model(given).shape == (1, 4, 7)


def test_a_clips_probability_is_the_mean_of_its_windows() -> None:
    model = seeded(lambda: load("method", "tsl").build(SHAPES, recognising.small("tsl"))).eval()
    embedded = model.embed(clips(*LENGTHS))
    found = model.scores(embedded, torch.zeros(4, 5)).softmax(-1)
    expected = torch.stack([model.classify(each).softmax(-1).mean(0) for each in embedded])
    assert torch.allclose(found, expected, atol=1e-6)


def test_the_trunk_of_tcaf_is_av_diffs_with_cross_attention() -> None:
    tcaf, av_diff = (
        seeded(lambda name=name, more=more: load("method", name).build(SHAPES, recognising.small(name, **more))).eval()
        for name, more in (("tcaf", {}), ("av_diff", {"attention": "cross"}))
    )
    assert isinstance(tcaf.trunk, HybridTrunk)
    assert torch.equal(tcaf.embed(clips(*LENGTHS)), av_diff.embed(clips(*LENGTHS)))


def test_tcafs_loss_and_scores_are_those_of_its_equations() -> None:
    model = seeded(lambda: tcaf(nn.Identity(), 6, SHAPES, Head(hidden=7, out=3))).double().eval()
    drawn = torch.Generator().manual_seed(0)
    embedded, words = (torch.randn(each, dtype=torch.float64, generator=drawn) for each in ((5, 6), (4, 5)))
    labels = torch.tensor([0, 3, 1, 1, 2])
    ((_, loss),) = model.losses(Batch(embedded, labels, words, False, drawn))
    theta, theta_w = (each.detach().numpy() for each in (model.clip(embedded), model.word(words)))
    rho, rho_w = (
        each.detach().numpy()
        for each in (model.clip_decoder(model.clip(embedded)), model.word_decoder(model.word(words)))
    )
    expected = []
    for index, label in enumerate(labels.tolist()):
        products = theta[index] @ theta_w.T
        own, vector = theta_w[label], words[label].numpy()
        expected.append(
            np.log(np.exp(products).sum())
            - products[label]
            + np.mean((theta[index] - own) ** 2)
            + np.mean((rho[index] - vector) ** 2)
            + np.mean((rho_w[label] - vector) ** 2)
        )
    assert loss.item() == pytest.approx(np.mean(expected), abs=1e-10)
    scores = model.scores(embedded, words).detach().numpy()
    assert scores == pytest.approx(-np.linalg.norm(theta[:, None] - theta_w[None], axis=-1), abs=1e-10)


def test_clip_clap_is_its_equations_layer_by_layer() -> None:
    """Linear, batch norm with running statistics and ReLU, one number after another, in float64."""
    model = seeded(lambda: load("method", "clip_clap").build(SHAPES, recognising.small("clip_clap"))).double().eval()
    drawn = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if "running" in name:
            value.copy_(0.5 + torch.rand(value.shape, generator=drawn, dtype=torch.float64))
    state = {name: value.numpy() for name, value in model.state_dict().items()}

    def layers(x: list[float], name: str, count: int = 1) -> list[float]:
        for linear, norm in ((f"{name}.{4 * index}", f"{name}.{4 * index + 1}") for index in range(count)):
            weight, bias, scale, shift, mean, variance = (
                state[f"{linear}.weight"], state[f"{linear}.bias"], state[f"{norm}.weight"], state[f"{norm}.bias"],
                state[f"{norm}.running_mean"], state[f"{norm}.running_var"],
            )  # fmt: skip
            sums = [sum(w * v for w, v in zip(row, x, strict=True)) for row in weight]
            x = [
                max(0.0, (each + bias[i] - mean[i]) / (variance[i] + 1e-5) ** 0.5 * scale[i] + shift[i])
                for i, each in enumerate(sums)
            ]
        return x

    given, words = clips(*LENGTHS), torch.randn(4, 5, generator=drawn, dtype=torch.float64)
    given = Clips(*(Tokens(each.values.double(), each.seconds, each.present) for each in (given.audio, given.video)))
    encoded = [layers(word.tolist(), "encode") for word in words]
    theta_w = [layers(each, "word") for each in encoded]
    labels, expected = [2, 0, 3], []
    scores = model.scores(model.embed(given), words).detach().numpy()
    for index, label in enumerate(labels):
        means = [
            each.values[index, :count].mean(0)
            for each, count in zip((given.audio, given.video), LENGTHS[index], strict=True)
        ]
        theta = layers(layers([float(v) for mean in means for v in mean / mean.norm()], "trunk.layers"), "clip", 2)
        distances = [sum((a - b) ** 2 for a, b in zip(theta, each, strict=True)) ** 0.5 for each in theta_w]
        assert scores[index] == pytest.approx([-each for each in distances], abs=1e-9)
        products = [sum(a * b for a, b in zip(theta, each, strict=True)) for each in theta_w]
        backs = layers(theta, "clip_decoder", 2), layers(theta_w[label], "word_decoder")
        expected.append(
            np.log(sum(np.exp(products)))
            - products[label]
            + np.mean([(a - b) ** 2 for a, b in zip(theta, theta_w[label], strict=True)])
            + sum(np.mean([(a - b) ** 2 for a, b in zip(back, encoded[label], strict=True)]) for back in backs)
        )
    ((_, loss),) = model.losses(Batch(model.embed(given), torch.tensor(labels), words, False, drawn))
    assert loss.item() == pytest.approx(np.mean(expected), abs=1e-9)


def test_protogan_is_conditioned_on_the_means_of_its_classes() -> None:
    model = seeded(lambda: load("method", "protogan").build(SHAPES, recognising.small("protogan"))).eval()
    embedded, labels = torch.randn(6, 7), torch.tensor([0, 0, 1, 3, 3, 3])
    model.observe(embedded, labels)
    assert torch.allclose(model.means[3], embedded[3:].mean(0))
    assert not model.means[2].any()
    losses = list(model.losses(Batch(embedded, labels, torch.zeros(4, 5), True, torch.Generator().manual_seed(0))))
    assert [group for group, _ in losses] == ["critic"] * 5 + ["model"]


def test_a_generator_that_is_none_leaves_cross_entropy_alone() -> None:
    model = seeded(
        lambda: load("method", "av_diff").build(SHAPES, recognising.small("av_diff", generator="none"))
    ).eval()
    embedded, labels = model.embed(clips(*LENGTHS)), torch.tensor([0, 3, 1])
    for novel in (False, True):
        ((group, loss),) = model.losses(Batch(embedded, labels, torch.zeros(4, 0), novel, torch.Generator()))
        assert group == "model"
        logits = model.scores(embedded, torch.zeros(4, 0)).detach().double().numpy()
        expected = [np.log(np.exp(row).sum()) - row[label] for row, label in zip(logits, labels.tolist(), strict=True)]
        assert loss.item() == pytest.approx(np.mean(expected), abs=1e-5)


def test_fakes_are_made_in_batches_of_novel_classes_alone(monkeypatch) -> None:
    model = seeded(lambda: load("method", "av_diff").build(SHAPES, recognising.small("av_diff"))).eval()
    made, sample = [], model.generator.sample
    monkeypatch.setattr(model.generator, "sample", lambda words, noise: made.append(len(words)) or sample(words, noise))
    embedded, labels = model.embed(clips(*LENGTHS)), torch.tensor([0, 3, 1])
    for novel in (False, True):
        list(model.losses(Batch(embedded, labels, torch.zeros(4, 5), novel, torch.Generator())))
        assert made == ([3] if novel else [])
