"""An MGA-CLAP checkpoint with random weights: the published keys, far smaller widths, fewer layers."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torchlibrosa import LogmelFilterBank, Spectrogram
from transformers import BertConfig, BertModel

from tests.checkpoints.hub import VOCABULARY
from tests.checkpoints.ms_clap import HEADS, SWIN_WIDTH, swin


@dataclass(frozen=True)
class Sizes:
    """Sizes of the structure; by default small ones."""

    swin: int = SWIN_WIDTH
    depths: tuple[int, ...] = (2, 2, 2, 2)
    heads: tuple[int, ...] = HEADS
    labels: int = 10
    vocabulary: int = VOCABULARY
    text: int = 128
    text_layers: int = 2
    text_mlp: int = 48
    d: int = 64
    codewords: int = 96


SMALL = Sizes()
PUBLISHED = Sizes(96, (2, 2, 6, 2), (4, 8, 16, 32), 527, 30522, 768, 12, 3072, 1024, 4096)


def make(folder: Path, sizes: Sizes = SMALL) -> str:
    """Write a model.pt, of 8 MB or of the published 600 MB; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "model.pt"
    optimizer = {"state": {}, "param_groups": [{"lr": 5e-5, "betas": (0.9, 0.999), "params": [0]}]}
    torch.save({"model": state(sizes), "optimizer": optimizer, "config": {"temp": 0.07}, "epoch": 9}, file)
    return str(file)


def state(sizes: Sizes = SMALL) -> dict[str, Tensor]:
    """The tensors below "model"."""
    torch.manual_seed(0)
    with torch.device("cpu"):  # torchlibrosa fails on the meta device
        front_end = {
            "mel_trans": Spectrogram(1024, 320),
            "log_trans": LogmelFilterBank(sr=32000, n_fft=1024, n_mels=64, fmin=50, fmax=14000, top_db=None),
        }
    swin_layers = swin(sizes.swin, sizes.depths, sizes.heads, sizes.labels)
    audio = {"audio_feats_extractor": nn.ModuleDict(front_end), "bn0": nn.BatchNorm2d(64), **swin_layers}
    bert = BertConfig(
        vocab_size=sizes.vocabulary,
        hidden_size=sizes.text,
        num_hidden_layers=sizes.text_layers,
        num_attention_heads=sizes.text // 64,
        intermediate_size=sizes.text_mlp,
        initializer_range=0.3,
    )
    model = nn.ModuleDict(
        {
            "audio_encoder": nn.ModuleDict({"audio_enc": nn.ModuleDict(audio)}),
            "text_encoder": nn.ModuleDict({"text_encoder": BertModel(bert, add_pooling_layer=False)}),
            "frame_proj": _head(8 * sizes.swin, sizes.d),
            "word_proj": _head(sizes.text, sizes.d),
        }
    )
    model.codebook = nn.Parameter(torch.randn(sizes.codewords, sizes.d))
    model.temp = nn.Parameter(torch.tensor(0.07))
    _as_trained(model)
    positions = {"text_encoder.text_encoder.embeddings.position_ids": torch.arange(512)[None]}
    return {name: value.detach() for name, value in model.state_dict().items()} | positions


def _as_trained(model: nn.ModuleDict) -> None:
    """Make random weights alike to trained ones.

    The front end's mean is a quiet clip's, so that what is loud stands out. No norm is 1 and 0 everywhere. Scores are
    so large that few codewords have a weight; else every sentence is nearly the mean of all codewords.
    """
    norm = model["audio_encoder"]["audio_enc"]["bn0"]
    norm.running_mean.fill_(-60.0)
    norm.running_var.fill_(400.0)
    for each in model.modules():
        if isinstance(each, nn.LayerNorm):
            each.weight.data += 0.1 * torch.randn(each.weight.shape)
            each.bias.data += 0.1 * torch.randn(each.bias.shape)
    for name in ("frame_proj", "word_proj"):
        model[name][-1].weight.data *= 20


def _head(width: int, d: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, d), nn.GELU(), nn.LayerNorm(d), nn.Linear(d, d))
