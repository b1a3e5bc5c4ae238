"""MS-CLAP and clapcap checkpoints with random weights: the published keys, far smaller widths, fewer layers."""

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torchlibrosa import LogmelFilterBank, Spectrogram
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel, GPT2Model

from tests.checkpoints.hub import VOCABULARY

D, TEXT_WIDTH, CLASSES = 64, 32, 10
CHANNELS = (8, 16, 16, 32, 32, 64)
CNN_WIDTH, SWIN_WIDTH = 96, 16
HEADS, WINDOW = (1, 2, 4, 8), 8
POSITIONS, PREFIX = 128, 4


def make_2022(folder: Path) -> str:
    """Write a CLAP_weights_2022.pth of 5 MB; its path."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=TEXT_WIDTH,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=48,
        initializer_range=0.3,
    )
    state = _clap(_cnn14(), CNN_WIDTH, BertModel(config))
    state["caption_encoder.base.embeddings.position_ids"] = torch.arange(512)[None]
    return _save(state, folder / "CLAP_weights_2022.pth")


def make_2023(folder: Path) -> str:
    """Write a CLAP_weights_2023.pth of 7 MB; its path."""
    torch.manual_seed(0)
    state = _clap(nn.ModuleDict({"htsat": _htsat()}), 8 * SWIN_WIDTH, GPT2Model(_gpt2_config()))
    causal = torch.ones(1, 1, POSITIONS, POSITIONS, dtype=torch.uint8).tril()
    state |= {
        "caption_encoder.base.h.0.attn.bias": causal,
        "caption_encoder.base.h.0.attn.masked_bias": torch.tensor(-1e4),
    }
    return _save(state, folder / "CLAP_weights_2023.pth")


def _gpt2_config() -> GPT2Config:
    return GPT2Config(
        vocab_size=VOCABULARY,
        n_embd=TEXT_WIDTH,
        n_layer=1,
        n_head=1,
        n_inner=48,
        n_positions=POSITIONS,
        initializer_range=0.3,
        bos_token_id=None,
        eos_token_id=None,
    )


def _save(state: dict[str, Tensor], file: Path) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": state}, file)
    return str(file)


def _clap(audio: nn.Module, width: int, text: nn.Module) -> dict[str, Tensor]:
    encoders = {"audio_encoder": (audio, width), "caption_encoder": (text, TEXT_WIDTH)}
    model = nn.ModuleDict(
        {
            name: nn.ModuleDict({"base": base, "projection": _projection(size)})
            for name, (base, size) in encoders.items()
        }
    )
    return {"logit_scale": torch.tensor(1 / 0.07).log()} | dict(model.state_dict())


def _projection(width: int) -> nn.Module:
    linear1, linear2 = nn.Linear(width, D, bias=False), nn.Linear(D, D, bias=False)
    return nn.ModuleDict({"linear1": linear1, "linear2": linear2, "layer_norm": nn.LayerNorm(D)})


def _front_end() -> dict[str, nn.Module]:
    """As published, in dB; the mean is a quiet clip's, so that what is loud stands out."""
    norm = nn.BatchNorm2d(64)
    norm.running_mean.fill_(-60.0)
    norm.running_var.fill_(400.0)
    log_mel = LogmelFilterBank(sr=44100, n_fft=1024, n_mels=64, fmin=50, fmax=14000, top_db=None)
    return {"spectrogram_extractor": Spectrogram(1024, 320), "logmel_extractor": log_mel, "bn0": norm}


def _cnn14() -> nn.Module:
    layers = _front_end()
    for number, (narrow, wide) in enumerate(pairwise((1, *CHANNELS)), start=1):
        layers[f"conv_block{number}"] = nn.ModuleDict(
            {"conv1": _convolution(narrow, wide), "conv2": _convolution(wide, wide)}
            | {"bn1": nn.BatchNorm2d(wide), "bn2": nn.BatchNorm2d(wide)}
        )
    layers |= {"fc1": nn.Linear(CHANNELS[-1], CNN_WIDTH), "fc_audioset": nn.Linear(CNN_WIDTH, CLASSES)}
    return nn.ModuleDict(layers)


def _convolution(narrow: int, wide: int) -> nn.Conv2d:
    """Random, the centre heaviest, as in a trained one: six blocks of plain noise would blur when a sound is heard."""
    layer = nn.Conv2d(narrow, wide, 3, bias=False)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    near = torch.tensor([0.4, 1.6, 0.4])
    layer.weight.data *= torch.outer(near, near)
    return layer


def _htsat() -> nn.Module:
    return nn.ModuleDict(_front_end() | swin())


def swin(
    width: int = SWIN_WIDTH,
    depths: tuple[int, ...] = (2, 2, 2, 2),
    heads: tuple[int, ...] = HEADS,
    labels: int = CLASSES,
) -> dict[str, nn.Module]:
    """HTSAT after its front end, by the published names."""
    embed = nn.ModuleDict({"proj": nn.Conv2d(1, width, 4), "norm": nn.LayerNorm(width)})
    stages = [_stage(width * 2**stage, *each, stage) for stage, each in enumerate(zip(depths, heads, strict=True))]
    last = 8 * width
    layers = {"patch_embed": embed, "layers": nn.ModuleList(stages), "norm": nn.LayerNorm(last)}
    return layers | {"tscam_conv": nn.Conv2d(last, labels, (2, 3)), "head": nn.Linear(labels, labels)}


def _stage(width: int, depth: int, heads: int, number: int) -> nn.Module:
    stage = nn.ModuleDict({"blocks": nn.ModuleList(_block(width, heads) for _ in range(depth))})
    if number < 3:
        windows = 4096 // 4**number // WINDOW**2
        for block in stage["blocks"][1::2]:
            block.register_buffer("attn_mask", torch.zeros(windows, WINDOW**2, WINDOW**2))
        stage["downsample"] = nn.ModuleDict(
            {"norm": nn.LayerNorm(4 * width), "reduction": nn.Linear(4 * width, 2 * width, bias=False)}
        )
    return stage


def _block(width: int, heads: int) -> nn.Module:
    attention = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)})
    attention.relative_position_bias_table = nn.Parameter(0.02 * torch.randn((2 * WINDOW - 1) ** 2, heads))
    place = torch.cartesian_prod(torch.arange(WINDOW), torch.arange(WINDOW))
    apart = place[:, None] - place + WINDOW - 1
    attention.register_buffer("relative_position_index", apart[..., 0] * (2 * WINDOW - 1) + apart[..., 1])
    mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})
    return nn.ModuleDict({"norm1": nn.LayerNorm(width), "attn": attention, "norm2": nn.LayerNorm(width), "mlp": mlp})


def make_clapcap(folder: Path) -> str:
    """Write a clapcap_weights_2023.pth of 8 MB; its path."""
    torch.manual_seed(0)
    audio = nn.ModuleDict({"base": nn.ModuleDict({"htsat": _htsat()}), "projection": _projection(8 * SWIN_WIDTH)})
    model = nn.ModuleDict({"clap": audio, "gpt": GPT2LMHeadModel(_gpt2_config()), "clap_project": _mapper()})
    return _save(dict(model.state_dict()), folder / "clapcap_weights_2023.pth")


def _mapper() -> nn.Module:
    mapper = nn.ModuleDict({"linear": nn.Linear(D, PREFIX * TEXT_WIDTH)})
    mapper.prefix_const = nn.Parameter(torch.randn(PREFIX, TEXT_WIDTH))
    mapper["transformer"] = nn.ModuleDict({"layers": nn.ModuleList([_mapper_layer(), _mapper_layer()])})
    return mapper


def _mapper_layer() -> nn.Module:
    width = TEXT_WIDTH
    queries, both = nn.Linear(width, width, bias=False), nn.Linear(width, 2 * width, bias=False)
    attention = nn.ModuleDict({"to_queries": queries, "to_keys_values": both, "project": nn.Linear(width, width)})
    mlp = nn.ModuleDict({"fc1": nn.Linear(width, 2 * width), "fc2": nn.Linear(2 * width, width)})
    return nn.ModuleDict({"norm1": nn.LayerNorm(width), "attn": attention, "norm2": nn.LayerNorm(width), "mlp": mlp})
