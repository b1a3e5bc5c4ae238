"""MS-CLAP, the paper's backbone: CNN14 and BERT (2022; Elizalde et al., ICASSP 2023) or HTSAT and GPT-2 (2023).

A checkpoint is one file, whose keys tell the two models apart. The 2023 model takes seven seconds: the five-second
window is looped to fill them, and its segments are the time steps whose centre lies in the first five seconds.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from tokenizers.processors import TemplateProcessing
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertModel, GPT2Model

from mgcl.backbones import _cnn14 as cnn14
from mgcl.backbones import _htsat as htsat
from mgcl.backbones._cnn14 import Cnn14
from mgcl.backbones._htsat import Htsat
from mgcl.backbones._looping import repeated, steps_in
from mgcl.backbones._probe import probed
from mgcl.backbones._sentences import BERT, GPT2, check_vocabulary, published_tokenizer, tokenize
from mgcl.backbones._text_configs import bert_config, gpt2_config
from mgcl.backbones._weights import (
    below,
    checkpoint_file,
    chosen,
    fingerprint,
    load_strictly,
    read_checkpoint,
    whose,
    without_module,
)
from mgcl.backbones.backbone import WINDOW, AudioFeatures
from mgcl.errors import BackboneError
from mgcl.published_weights import HubFiles, fetchable

DEFAULT = "microsoft/msclap/CLAP_weights_2022.pth"
PUBLISHED = (
    HubFiles("microsoft/msclap", ("CLAP_weights_2022.pth",), "MIT; Microsoft, github.com/microsoft/CLAP"),
    HubFiles(BERT, ("tokenizer.json",), "Apache-2.0"),
)
_ANY = ("audio_encoder.", "clap.")
_AUDIO = "audio_encoder.base."
_DROPPED = re.compile(
    r"\.(fc_audioset|tscam_conv|head)\.(weight|bias)$"  # for AudioSet's classes
    r"|\.(embeddings\.position_ids|attn\.bias|attn\.masked_bias|attn_mask)$"  # constants that old versions stored
)
"""Pattern of the keys that no embedding needs, and that are dropped. Other keys that the model lacks are refused."""


@dataclass(frozen=True)
class _Version:
    """Properties of one of the two models that its tensors do not determine."""

    year: int
    audio: Callable[[Mapping[str, Tensor]], Cnn14 | Htsat]
    text: Callable[[Mapping[str, Tensor]], BertModel | GPT2Model]
    native_seconds: float
    segments: int
    segment_seconds: float
    tokenizer: str
    longest: int
    """Largest number of tokens in a sentence."""
    ending: str
    """Text appended to every sentence. The sentence is read at the ending, or at its first token if there is none."""


_2022 = _Version(
    year=2022,
    audio=cnn14.sized,
    text=lambda state: BertModel(bert_config(state)),
    native_seconds=5.0,
    segments=21,
    segment_seconds=cnn14.STEP / 44100,
    tokenizer=BERT,
    longest=100,
    ending="",
)
_2023 = _Version(
    year=2023,
    audio=htsat.sized,
    text=lambda state: GPT2Model(gpt2_config(state)),
    native_seconds=7.0,
    segments=23,
    segment_seconds=7.0 / htsat.STEPS,
    tokenizer=GPT2,
    longest=77,
    ending=" <|endoftext|>",
)


class MsClap:
    """Backbone of MS-CLAP 2022 or 2023, frozen."""

    sample_rate = 44100
    seconds = WINDOW
    captions: tuple[str, ...] = ()

    def __init__(self, model: "_Clap", version: _Version, tokenizer: Any, name: str, device: str) -> None:
        self._model, self._version, self._tokenizer, self._device = model, version, tokenizer, device
        self._longest = min(version.longest, model.positions)
        self.name, self.fingerprint = name, fingerprint(model)
        self.embedding_dim: int = self._model.d
        self.logit_scale = float(model.logit_scale.detach().exp())
        self.segments, self.segment_seconds = version.segments, version.segment_seconds
        self.native_seconds = version.native_seconds
        model.to(device).eval().requires_grad_(False)

    def embed_audio(self, waveforms: Float[Tensor, "b samples"]) -> AudioFeatures:
        """Embed clips: the time steps, and the clip as the model pools it. All are projected and have unit length."""
        with torch.inference_mode():
            looped = repeated(waveforms, round(self.native_seconds * self.sample_rate))
            steps, clip = self._model.embed(looped.to(self._device))
            return AudioFeatures(steps[:, : steps_in(waveforms.shape[1], self)].cpu(), clip.cpu())

    def embed_text(self, sentences: Sequence[str]) -> Float[Tensor, "k d"]:
        """Embed sentences, read at the first token (2022) or the last (2023), projected and of unit length."""
        encoded = tokenize(self._tokenizer, sentences, self._longest)
        tokens, present = encoded["input_ids"], encoded["attention_mask"]
        # The published code counts every token with the padding's id as padding, even a "!" inside a sentence.
        words = (tokens != self._tokenizer.pad_token_id).sum(1)
        read_at = words - 1 if self._version.ending else torch.zeros_like(words)
        with torch.inference_mode():
            return self._model.read(*(part.to(self._device) for part in (tokens, present, read_at))).cpu()


def load(weights: str | None = None, device: str = "cpu") -> MsClap:
    """Load a checkpoint of 2022 or 2023.

    Args:
        weights: a path, or OWNER/REPOSITORY/FILE on the Hugging Face hub; None: ``MGCL_MS_CLAP_WEIGHTS``, else
            ``DEFAULT``.
        device: "cpu", "cuda", "cuda:1" ...

    Raises:
        BackboneError: the checkpoint or the tokenizer is missing, or it is not MS-CLAP's.
    """
    weights = chosen("ms_clap", weights, DEFAULT)
    with fetchable("ms_clap", PUBLISHED):
        file = checkpoint_file(weights)
    version, state = _recognised(published(file), file)
    try:
        model = _sized(version, state)
    except (KeyError, IndexError, ValueError) as error:
        reason = f"missing: {error}" if isinstance(error, KeyError) else str(error)
        raise BackboneError(f"{file}: not the weights of MS-CLAP {version.year} ({reason}); fetch it again") from None
    load_strictly(model, state, str(file))
    with fetchable("ms_clap", PUBLISHED):
        tokenizer = _tokenizer(version)
    check_vocabulary(tokenizer, model.vocabulary, version.tokenizer)
    name = file.name if Path(weights).expanduser().is_file() else weights
    return probed(MsClap(model, version, tokenizer, f"ms_clap {name}", device))


def published(file: Path) -> dict[str, Tensor]:
    """Read the tensors of an MS-CLAP checkpoint, except those that no embedding needs.

    Raises:
        BackboneError: the file cannot be read, or is not an MS-CLAP checkpoint.
    """
    checkpoint = read_checkpoint(file)
    state = without_module(checkpoint.get("model", checkpoint))  # a user's own checkpoint may be the state dict alone
    if not any(name.startswith(_ANY) for name in state):
        raise BackboneError(f"{file}: not MS-CLAP's: {whose(checkpoint)}")
    return {name: value for name, value in state.items() if not _DROPPED.search(name)}


def _recognised(state: dict[str, Tensor], file: Path) -> tuple[_Version, dict[str, Tensor]]:
    for start, version in (("htsat.", _2023), ("conv_block1.", _2022)):
        if any(name.startswith(_AUDIO + start) for name in state):
            return version, htsat.renamed(state, _AUDIO)
    raise BackboneError(f"{file}: neither MS-CLAP 2022 nor 2023, by its keys below {_AUDIO!r}: {whose(state)}")


def _sized(version: _Version, state: Mapping[str, Tensor]) -> "_Clap":
    audio = version.audio(below(_AUDIO, state))
    text = version.text(below("caption_encoder.base.", state))
    return _Clap(audio, text, state["audio_encoder.projection.linear1.weight"].shape[0])


def _tokenizer(version: _Version) -> Any:
    tokenizer = published_tokenizer(version.tokenizer)
    if version.ending:
        tokenizer.add_special_tokens({"pad_token": "!"})  # as in MS-CLAP's training: GPT-2 has no padding token
        ending = tokenizer(version.ending)
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
            single=["$A", *ending.tokens()],
            special_tokens=list(zip(ending.tokens(), ending.input_ids, strict=True)),
        )
    return tokenizer


class _Clap(nn.Module):
    """Audio and text tower with their projections. Parameters have the names of the published checkpoints."""

    def __init__(self, audio: Cnn14 | Htsat, text: BertModel | GPT2Model, d: int) -> None:
        super().__init__()
        self.d, self.vocabulary, self.positions = d, text.config.vocab_size, text.config.max_position_embeddings
        self.audio_encoder = nn.ModuleDict({"base": audio, "projection": Projection(audio.width, d)})
        self.caption_encoder = nn.ModuleDict({"base": text, "projection": Projection(text.config.hidden_size, d)})
        self.logit_scale = nn.Parameter(torch.zeros(()))

    def embed(self, waveforms: Float[Tensor, "b samples"]) -> tuple[Float[Tensor, "b n d"], Float[Tensor, "b d"]]:
        steps, clip = self.audio_encoder["base"](waveforms)
        project = self.audio_encoder["projection"]
        return project(steps), project(clip)

    def read(
        self, tokens: Int[Tensor, "k m"], present: Int[Tensor, "k m"], read_at: Int[Tensor, " k"]
    ) -> Float[Tensor, "k d"]:
        words = self.caption_encoder["base"](input_ids=tokens, attention_mask=present).last_hidden_state
        embedded: Tensor = self.caption_encoder["projection"](words[torch.arange(len(words)), read_at])
        return embedded


class Projection(nn.Module):
    """Projection head: a linear layer, a residual linear layer, and a layer norm; outputs have unit length."""

    def __init__(self, width: int, d: int) -> None:
        super().__init__()
        self.width = d
        self.linear1 = nn.Linear(width, d, bias=False)
        self.linear2 = nn.Linear(d, d, bias=False)
        self.layer_norm = nn.LayerNorm(d)

    def forward(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch d"]:
        """Project every vector along the last axis."""
        linear = self.linear1(x)
        return F.normalize(self.layer_norm(linear + self.linear2(F.gelu(linear))), dim=-1)
