"""MGA-CLAP (Li et al., ACM MM 2024): HTSAT and BERT over one shared codebook, from the published checkpoint.

The model takes ten seconds, in 32 time steps. A segment is the projection of one time step, as the published code for
sound event detection has it; ``mga_clap_codebook`` aggregates it over the codebook, as the published training does when
it validates. Clips and sentences are the same in both: frames, or words, aggregated over the codebook.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertModel

from mgcl.backbones import _htsat as htsat
from mgcl.backbones._alignment import aligned
from mgcl.backbones._grained import Grained
from mgcl.backbones._htsat import STEPS, Htsat
from mgcl.backbones._probe import probed
from mgcl.backbones._sentences import BERT, check_vocabulary, published_tokenizer, tokenize
from mgcl.backbones._text_configs import bert_config
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
from mgcl.backbones.backbone import AudioFeatures
from mgcl.details import Alignment
from mgcl.errors import BackboneError
from mgcl.published_weights import HubFiles, fetchable

PUBLISHED = (HubFiles(BERT, ("tokenizer.json",), "Apache-2.0"),)
"""The tokenizer alone: the checkpoint itself is published at ``ADDRESS``, from where only a browser fetches it."""
ALIGNS = True
ADDRESS = "https://drive.google.com/file/d/1RWTuVMEPy-L0uK6WYIX2wwxHjD1YSQFz/view"
_AUDIO, _TEXT = "audio_encoder.audio_enc.", "text_encoder.text_encoder."
_FRONT_END = {
    "audio_feats_extractor.mel_trans.": "spectrogram_extractor.",
    "audio_feats_extractor.log_trans.": "logmel_extractor.",
}
"""Beginning of a name below ``_AUDIO`` -> its replacement in ``Htsat``."""
_DROPPED = re.compile(
    rf"^{re.escape(_AUDIO)}(tscam_conv|head)\.(weight|bias)$"  # for AudioSet's classes
    rf"|^{re.escape(_AUDIO)}layers\.\d+\.blocks\.\d+\.attn_mask$"  # constants that are made anew
    rf"|^{re.escape(_TEXT)}embeddings\.position_ids$"
)
"""Pattern of the keys that no embedding needs, and that are dropped. Other keys that the model lacks are refused."""
_LONGEST = 30
"""Largest number of tokens, including [CLS] and [SEP]; the published code cuts longer sentences."""
_SCORE_TEMPERATURE = 1000.0


class MgaClap:
    """Backbone of MGA-CLAP, frozen.

    Args:
        model: model with its weights.
        tokenizer: BERT's.
        name: name of the backbone, for banks and messages.
        device: a torch device.
        over_codebook: whether a segment is aggregated over the codebook; else it is the projected time step.
    """

    sample_rate = 32000
    seconds = 10.0
    segments = STEPS
    segment_seconds = seconds / STEPS
    captions: tuple[str, ...] = ()

    def __init__(self, model: Grained, tokenizer: Any, name: str, device: str, *, over_codebook: bool) -> None:
        self.name, self.fingerprint = name, fingerprint(model)
        self._model, self._tokenizer, self._device = model, tokenizer, device
        self._over_codebook = over_codebook
        self.embedding_dim = model.embedding_dim
        self.logit_scale = float(1 / model.temp.detach())
        model.to(device).eval().requires_grad_(False)

    def embed_audio(self, waveforms: Float[Tensor, "b samples"]) -> AudioFeatures:
        """Embed clips; segments and clips have unit length."""
        with torch.inference_mode():
            frames = self._model.frames(waveforms.to(self._device))
            segments = self._model.each(frames) if self._over_codebook else F.normalize(frames, dim=-1)
            return AudioFeatures(segments.cpu(), self._model.aggregate(frames).cpu())

    def embed_text(self, sentences: Sequence[str]) -> Float[Tensor, "k d"]:
        """Embed sentences: their words without special tokens are aggregated into one vector of unit length."""
        with torch.inference_mode():
            return self._model.aggregate(*self._words(sentences)).cpu()

    def align(self, waveform: Float[Tensor, " samples"], sentence: str) -> Alignment:
        """Divide the cosine of a clip and a sentence among frames and words; [SEP] has what matches no word."""
        with torch.inference_mode():
            frames = self._model.frames(waveform[None].to(self._device))
            words, present = self._words([sentence])
            encoded = self._tokenizer(sentence).encodings[0]
            return aligned(self._model, frames[0], words[0], present[0], sentence, encoded)

    def _words(self, sentences: Sequence[str]) -> tuple[Float[Tensor, "k m d"], Tensor]:
        """Return word embeddings without [CLS], and a mask that is False for [SEP] and padding."""
        encoded = tokenize(self._tokenizer, sentences, _LONGEST, special=True)
        tokens, present = encoded["input_ids"], encoded["attention_mask"]
        words = self._model.words(tokens.to(self._device), present.to(self._device))
        return words, encoded["special_tokens_mask"][:, 1:].to(self._device) == 0


def load(weights: str | None = None, device: str = "cpu", *, over_codebook: bool = False) -> MgaClap:
    """Load a checkpoint in the layout of the published one.

    Args:
        weights: a path, or OWNER/REPOSITORY/FILE on the Hugging Face hub; None: ``MGCL_MGA_CLAP_WEIGHTS``. BERT's
            tokenizer.json is taken from the folder of the weights, else from the hub or its cache.
        device: "cpu", "cuda", "cuda:1" ...
        over_codebook: whether segments are aggregated over the codebook.

    Raises:
        BackboneError: the checkpoint or the tokenizer is missing, or it is not MGA-CLAP's.
    """
    weights = chosen("mga_clap", weights, "")
    if not weights:
        raise BackboneError(
            f"the backbone mga_clap needs its checkpoint; download it in a browser from {ADDRESS}, then give its path "
            "as `weights`, or in MGCL_MGA_CLAP_WEIGHTS"
        )
    file = checkpoint_file(weights)
    state = _published(file)
    try:
        model = sized(state)
    except (KeyError, IndexError, ValueError) as error:
        reason = f"missing: {error}" if isinstance(error, KeyError) else str(error)
        raise BackboneError(f"{file}: not the weights of MGA-CLAP ({reason}); fetch it again") from None
    load_strictly(model, state, str(file))
    with fetchable("mga_clap", PUBLISHED):
        tokenizer = published_tokenizer(BERT, beside=file)
    check_vocabulary(tokenizer, len(state[f"{_TEXT}embeddings.word_embeddings.weight"]), BERT)
    kind = "mga_clap_codebook" if over_codebook else "mga_clap"
    name = f"{kind} {file.name if Path(weights).expanduser().is_file() else weights}"
    return probed(MgaClap(model, tokenizer, name, device, over_codebook=over_codebook))


def renamed(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of a checkpoint to the model's names; those that no embedding needs are dropped.

    Args:
        published: the tensors below ``model`` in a checkpoint.
    """
    state = {}
    for name, value in published.items():
        if _DROPPED.search(name):
            continue
        own = name.removeprefix(_AUDIO)
        for start, replacement in _FRONT_END.items():
            own = replacement + own.removeprefix(start) if own.startswith(start) else own
        state[name if own == name else f"{_AUDIO}htsat.{own}"] = value
    return htsat.renamed(state, _AUDIO)


def sized(state: Mapping[str, Tensor]) -> Grained:
    """Build the model with random weights, in the sizes of a checkpoint's tensors.

    Args:
        state: the checkpoint's tensors, with the names that ``renamed`` gives.

    Raises:
        KeyError: a tensor that determines a size is missing.
    """
    audio = htsat.sized(below(_AUDIO, state), local=True)
    text = bert_config(below(_TEXT, state))
    codewords, d = state["codebook"].shape
    return Grained(
        _Frames(audio),
        _Words(BertModel(text, add_pooling_layer=False)),
        audio_width=audio.width,
        text_width=text.hidden_size,
        embedding_dim=d,
        codewords=codewords,
        score_temperature=_SCORE_TEMPERATURE,
        absent_score=0.0,
    )


def _published(file: Path) -> dict[str, Tensor]:
    checkpoint = read_checkpoint(file)
    state = without_module(checkpoint.get("model", checkpoint))  # a user's own checkpoint may be the state dict alone
    if "codebook" not in state or not any(name.startswith(_AUDIO) for name in state):
        raise BackboneError(f"{file}: not MGA-CLAP's: {whose(checkpoint)}")
    return renamed(state)


class _Frames(nn.Module):
    """HTSAT's time steps. The attribute has the name of the published checkpoint."""

    def __init__(self, htsat: Htsat) -> None:
        super().__init__()
        self.audio_enc = htsat

    def forward(self, waveforms: Float[Tensor, "b samples"]) -> Float[Tensor, "b 32 width"]:
        steps: Tensor = self.audio_enc(waveforms)[0]
        return steps


class _Words(nn.Module):
    """BERT's words without [CLS]. The attribute has the name of the published checkpoint."""

    def __init__(self, bert: BertModel) -> None:
        super().__init__()
        self.text_encoder = bert

    def forward(
        self, tokens: Int[Tensor, "k tokens"], present: Int[Tensor, "k tokens"]
    ) -> Float[Tensor, "k words width"]:
        words: Tensor = self.text_encoder(input_ids=tokens, attention_mask=present).last_hidden_state[:, 1:]
        return words
