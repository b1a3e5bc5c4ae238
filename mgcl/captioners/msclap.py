"""Clapcap (Deshmukh et al. 2023): MS-CLAP 2023 embeds a clip, and GPT-2 continues a prefix made from the embedding.

A checkpoint is one file with the audio tower, a transformer that maps its embedding to a prefix, and GPT-2.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import GPT2LMHeadModel

from mgcl.backbones import _htsat as htsat
from mgcl.backbones._looping import repeated
from mgcl.backbones._sentences import GPT2, check_vocabulary, published_tokenizer
from mgcl.backbones._text_configs import gpt2_config
from mgcl.backbones._weights import below, checkpoint_file, load_strictly
from mgcl.backbones.backbone import WINDOW
from mgcl.backbones.ms_clap import Projection, published
from mgcl.captioners.captioner import waveforms
from mgcl.data.dataset import AudioFile
from mgcl.errors import BackboneError, DataError
from mgcl.pretrained import quietly

DEFAULT = "microsoft/msclap/clapcap_weights_2023.pth"
_RATE = 44100
_NATIVE = 7.0
"""Seconds of audio that the model takes; the window is looped to fill them."""
_ENDING = " <|endoftext|>"
_HEADS, _BEAMS, _LONGEST = 8, 5, 67


class Clapcap:
    """Captioner with a deterministic beam search of five beams. Its model is frozen."""

    def __init__(self, model: "_Captioner", tokenizer: Any, device: str) -> None:
        self._model, self._tokenizer, self._device = model.to(device).eval().requires_grad_(False), tokenizer, device

    def caption(self, files: Sequence[AudioFile]) -> list[str]:
        """Return the model's sentence on each clip's window.

        Raises:
            DataError: a file cannot be decoded, or its caption is empty; names it.
        """
        clips = waveforms(files, sample_rate=_RATE, seconds=WINDOW)
        # Captions ended in these tokens in training; generation stops at any of them.
        ending = self._tokenizer(_ENDING).input_ids
        with quietly(), torch.inference_mode():
            looped = repeated(torch.from_numpy(clips), round(_NATIVE * _RATE))
            prefixes = self._model.prefix(looped.to(self._device))
            tokens = self._model.gpt.generate(
                inputs_embeds=prefixes,
                attention_mask=torch.ones(prefixes.shape[:2], dtype=torch.long, device=self._device),
                do_sample=False,
                num_beams=_BEAMS,
                max_new_tokens=_LONGEST,
                eos_token_id=ending,
                pad_token_id=ending[-1],
            )
        captions = [" ".join(each.split()) for each in self._tokenizer.batch_decode(tokens, skip_special_tokens=True)]
        for file, caption in zip(files, captions, strict=True):
            if not caption:
                raise DataError(f"{file.clip_id}: clapcap says nothing of it; choose another model, or leave it out")
        return captions


def load(model: str | None = None, device: str = "cpu") -> Clapcap:
    """Load a checkpoint of clapcap.

    Args:
        model: a path, or OWNER/REPOSITORY/FILE on the Hugging Face hub; None: ``DEFAULT``.
        device: a torch device.

    Raises:
        MgclError: the checkpoint or the tokenizer is missing, or the checkpoint is not clapcap's.
    """
    file = checkpoint_file(model or DEFAULT)
    state = htsat.renamed(published(file), "clap.base.")
    try:
        captioner = _Captioner(state)
    except (KeyError, IndexError, ValueError) as error:
        reason = f"missing: {error}" if isinstance(error, KeyError) else str(error)
        raise BackboneError(f"{file}: not the weights of clapcap ({reason}); fetch {DEFAULT}") from None
    load_strictly(captioner, state, str(file))
    tokenizer = published_tokenizer(GPT2)
    check_vocabulary(tokenizer, captioner.gpt.config.vocab_size, GPT2)
    return Clapcap(captioner, tokenizer, device)


class _Captioner(nn.Module):
    """Clapcap's network. Parameters have the published names, and the sizes of the tensors of ``state``."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        super().__init__()
        tower = htsat.sized(below("clap.base.", state))
        d = state["clap.projection.linear1.weight"].shape[0]
        self.clap = nn.ModuleDict({"base": tower, "projection": Projection(tower.width, d)})
        self.gpt: Any = GPT2LMHeadModel(gpt2_config(below("gpt.transformer.", state)))
        mapper = below("clap_project.", state)
        length, width = mapper["prefix_const"].shape
        self.clap_project = _Mapper(
            d,
            width,
            length,
            layers=htsat.count_layers(mapper, "transformer.layers."),
            ratio=mapper["transformer.layers.0.mlp.fc1.weight"].shape[0] // width,
        )

    def prefix(self, waveforms: Float[Tensor, "b samples"]) -> Float[Tensor, "b length width"]:
        _, clip = self.clap["base"](waveforms)
        embeddings: Tensor = self.clap_project(self.clap["projection"](clip))
        return embeddings


class _Mapper(nn.Module):
    """Transformer that maps a clip's embedding to a prefix.

    A linear layer makes as many vectors from the embedding as the prefix has. Learned constants attend to them, and
    their outputs are the prefix.
    """

    def __init__(self, d: int, width: int, length: int, *, layers: int, ratio: int) -> None:
        super().__init__()
        self.linear = nn.Linear(d, length * width)
        self.prefix_const = nn.Parameter(torch.zeros(length, width))
        blocks = nn.Sequential(*(_Block(width, ratio) for _ in range(layers)))
        self.transformer = nn.ModuleDict({"layers": blocks})

    def forward(self, clip: Float[Tensor, "b d"]) -> Float[Tensor, "b length width"]:
        vectors = self.linear(clip).unflatten(1, self.prefix_const.shape)
        vectors = torch.cat([vectors, self.prefix_const.expand_as(vectors)], dim=1)
        mapped: Tensor = self.transformer["layers"](vectors)
        return mapped[:, len(self.prefix_const) :]


class _Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, width: int, ratio: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.ModuleDict(
            {
                "to_queries": nn.Linear(width, width, bias=False),
                "to_keys_values": nn.Linear(width, 2 * width, bias=False),
                "project": nn.Linear(width, width),
            }
        )
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, ratio * width), "fc2": nn.Linear(ratio * width, width)})

    def forward(self, x: Float[Tensor, "b n width"]) -> Float[Tensor, "b n width"]:
        normed = self.norm1(x)
        parts = (self.attn["to_queries"](normed), *self.attn["to_keys_values"](normed).chunk(2, dim=-1))
        query, key, value = (part.unflatten(-1, (_HEADS, -1)).transpose(1, 2) for part in parts)
        looked = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        x = x + self.attn["project"](looked)
        out: Tensor = x + self.mlp["fc2"](F.relu(self.mlp["fc1"](self.norm2(x))))
        return out
