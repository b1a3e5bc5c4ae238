"""MGA-CLAP with random weights in the published structure and size: 148 million numbers, a checkpoint of 600 MB."""

from pathlib import Path

import pytest
import torch

from mgcl.backbones import mga_clap
from tests.checkpoints.mga_clap import PUBLISHED, make
from tests.contracts.test_backbones import clicks

SENTENCES = ["a dog barks", "rain falls on a tin roof while a church bell rings"]


@pytest.mark.usefixtures("hub")
def test_a_checkpoint_of_the_published_size_embeds(tmp_path, monkeypatch) -> None:
    """With the small vocabulary's tokenizer, whose numbers all are in the published one."""
    monkeypatch.setattr(mga_clap, "check_vocabulary", lambda *_: None)
    file = make(tmp_path, PUBLISHED)
    backbone = mga_clap.load(file)
    Path(file).unlink()
    features = backbone.embed_audio(clicks(backbone, 0.7, 6.2)[None])
    assert (features.segments.shape, features.clip.shape) == ((1, 32, 1024), (1, 1024))
    sentences = backbone.embed_text(SENTENCES)
    for vectors in (features.segments[0], features.clip, sentences):
        assert torch.allclose(vectors.norm(dim=-1), torch.ones(len(vectors)), atol=1e-5)
    assert not torch.allclose(sentences[0], sentences[1], atol=1e-3)
