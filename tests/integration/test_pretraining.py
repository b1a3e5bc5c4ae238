"""Training the tiny model: stopped and taken up again it is the same run; what it writes is what is loaded."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from mgcl.backbones import tiny
from mgcl.backbones._log_mel import MELS, STEPS
from mgcl.data.soundscapes.recipes import class_recipes
from mgcl.pretraining import pretrain, training
from mgcl.pretraining.corpus import Corpus, build
from mgcl.pretraining.training import Plan, train

PLAN = Plan(steps=6, batch=8, clips=40)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    random = np.random.default_rng(0)
    words = ("low", "high", "rising", "falling", "buzz", "whistle", "in pairs", "once")
    captions = [[" ".join(random.choice(words, 4)) for _ in range(4)] for _ in range(40)]
    spectrograms = random.uniform(-2, 2, (40, STEPS, MELS)).astype(np.float16)
    return Corpus(spectrograms, captions, named=[index % 2 == 0 for index in range(40)])


def weights(model) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def loss(model, batch, plan) -> float:
    return float(training._loss(model, *training._grains(model, batch, None), batch, plan))


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(corpus, tmp_path, monkeypatch) -> None:
    whole, _, _ = train(PLAN, corpus, tmp_path / "whole", every=2)
    batch = training._batch

    def stop_at_five(plan, corpus, tokenizer, step):
        if step == 5:
            raise KeyboardInterrupt
        return batch(plan, corpus, tokenizer, step)

    monkeypatch.setattr(training, "_batch", stop_at_five)
    with pytest.raises(KeyboardInterrupt):
        train(PLAN, corpus, tmp_path / "stopped", every=2)
    monkeypatch.setattr(training, "_batch", batch)
    resumed, _, _ = train(PLAN, corpus, tmp_path / "stopped", every=2)
    for name, value in weights(whole).items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_training_moves_every_parameter_and_lowers_the_loss(corpus, tmp_path) -> None:
    torch.manual_seed(training.seed_of("pretraining", 0))
    plan = replace(PLAN, steps=16)
    model, config, tokenizer = train(plan, corpus, tmp_path)
    torch.manual_seed(training.seed_of("pretraining", 0))
    fresh = tiny.make_model(config)
    trained = dict(model.named_parameters())
    assert [name for name, value in fresh.named_parameters() if torch.equal(value, trained[name])] == []
    batch = training._batch(plan, corpus, tokenizer, 0)
    with torch.no_grad():
        before, after = (loss(each.train(), batch, replace(plan, hardness=0.0)) for each in (fresh, model))
    assert after < before


@pytest.mark.parametrize(
    ("change", "absent"),
    [
        ({"codebook": False}, "codebook"),
        ({"local": True}, "audio_encoder.blocks.2.query_key.weight"),
        ({"mlp": False}, "audio_encoder.blocks.2.mlp.0.weight"),
    ],
)
def test_parts_can_be_switched_off(corpus, tmp_path, change, absent) -> None:
    model, _, _ = train(replace(PLAN, steps=1, **change), corpus, tmp_path)
    assert absent not in model.state_dict()


def test_another_plan_is_another_run_and_older_ones_keep_theirs() -> None:
    changes = ({"seed": 1}, {"codebook": False}, {"hardness": 0.0}, {"mlp": True}, {"regularisation": 0.0})
    changes += ({"soft_targets": False}, {"score_temperature": 10.0}, {"standardised": False})
    assert len({Plan().digest, *(Plan(**each).digest for each in changes)}) == 9
    first = {
        "standardised": False,
        "score_temperature": 30.0,
        "mlp": True,
        "regularisation": 0.0,
        "soft_targets": False,
    }
    assert Plan(**first).digest == "a54997af"


def test_the_later_parts_of_the_objective_change_the_loss_alone(corpus, tmp_path) -> None:
    model, _, tokenizer = train(replace(PLAN, steps=1), corpus, tmp_path)
    plan = replace(PLAN, batch=64, regularisation=0.0, soft_targets=False)  # of 40 clips: some are there twice
    batch = training._batch(plan, corpus, tokenizer, 0)
    with torch.no_grad():
        plain = loss(model, batch, plan)
        assert loss(model, batch, replace(plan, soft_targets=True)) != plain
        frames, words = training._grains(model, batch, None)
        added = 0.0
        for each in (model.aggregate(frames), model.aggregate(words, batch.present)):
            added += float(each.abs().mean() / each.square().sum().sqrt())
        assert loss(model, batch, replace(plan, regularisation=2.0)) == pytest.approx(plain + 2 * added, rel=1e-5)


def test_the_log_counts_the_codewords_in_use(corpus, tmp_path) -> None:
    train(PLAN, corpus, tmp_path, every=2)
    table = pd.read_csv(tmp_path / training.USAGE)
    assert table["step"].tolist() == [2, 4, 6]
    assert (table["codewords"] == tiny.Config.codewords).all()
    for count in ("clips", "sentences"):
        assert (table["shared"] <= table[count]).all()
        assert (table[f"per_{count[:-1]}"] <= table[count]).all()
        assert table[f"effective_{count}"].between(1, table[count]).all()


def test_every_word_comes_apart_into_known_pieces() -> None:
    tokenizer = tiny.train_tokenizer(["a low buzz", "a high whistle"])
    for sentence in ("a low buzz", "quokka", "žluťoučký 鳥 🎵"):
        pieces = tokenizer.encode(sentence)
        assert tokenizer.decode(pieces.ids).strip() == sentence


def test_what_pretrain_writes_is_a_backbone(tmp_path) -> None:
    plan = Plan(steps=2, batch=8, clips=100)
    pretrain(plan, tmp_path / "work", tmp_path / "weights", workers=2)
    backbone = tiny.load(str(tmp_path / "weights"))
    assert backbone.embed_text(["a low buzz"]).shape == (1, backbone.embedding_dim)
    assert backbone.captions
    corpus = build(tmp_path / "work", clips=20, seed=0, workers=1)
    assert corpus.log_mel.shape == (20, STEPS, MELS)
    assert {len(captions) for captions in corpus.captions} == {4}
    assert 0 < sum(corpus.named) < 20
    held_out = [*class_recipes("evaluation"), *class_recipes("development")]
    words = {word for captions in corpus.captions for caption in captions for word in caption.split()}
    assert words.isdisjoint({recipe.label for recipe in held_out})
