"""An MGA-CLAP checkpoint with random weights: the published keys, far smaller widths, fewer layers."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torchlibrosa import LogmelFilterBank, Spectrogram
from transformers import BertConfig, BertModel

from tests.checkpoints.hub import VOCABULARY
from tests.checkpoints.ms_clap import SWIN_WIDTH, swin

D, TEXT_WIDTH, CODEWORDS, HEADS = 64, 128, 96, 2


def make(folder: Path) -> str:
    """Write a model.pt of 8 MB; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "model.pt"
    optimizer = {"state": {}, "param_groups": [{"lr": 5e-5, "betas": (0.9, 0.999), "params": [0]}]}
    torch.save({"model": state(), "optimizer": optimizer, "config": {"temp": 0.07}, "epoch": 9}, file)
    return str(file)


def state() -> dict[str, Tensor]:
    """The tensors below "model"."""
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(64)  # as trained: the mean is a quiet clip's, so that what is loud stands out
    norm.running_mean.fill_(-60.0)
    norm.running_var.fill_(400.0)
    front_end = {
        "mel_trans": Spectrogram(1024, 320),
        "log_trans": LogmelFilterBank(sr=32000, n_fft=1024, n_mels=64, fmin=50, fmax=14000, top_db=None),
    }
    audio = nn.ModuleDict({"audio_feats_extractor": nn.ModuleDict(front_end), "bn0": norm, **swin()})
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=TEXT_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        intermediate_size=48,
        initializer_range=0.3,
    )
    model = nn.ModuleDict(
        {
            "audio_encoder": nn.ModuleDict({"audio_enc": audio}),
            "text_encoder": nn.ModuleDict({"text_encoder": BertModel(config, add_pooling_layer=False)}),
            "frame_proj": _head(8 * SWIN_WIDTH),
            "word_proj": _head(TEXT_WIDTH),
        }
    )
    model.codebook = nn.Parameter(torch.randn(CODEWORDS, D))
    model.temp = nn.Parameter(torch.tensor(0.07))
    for name, each in model.named_parameters():  # as trained: no norm is 1 and 0 everywhere
        if "norm" in name or name.endswith(("proj.0.weight", "proj.3.bias")):
            each.data += 0.1 * torch.randn(each.shape)
    found = {name: value.detach().clone() for name, value in model.state_dict().items()}
    found["text_encoder.text_encoder.embeddings.position_ids"] = torch.arange(512)[None]
    return found


def _head(width: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, D), nn.GELU(), nn.LayerNorm(D), nn.Linear(D, D))
