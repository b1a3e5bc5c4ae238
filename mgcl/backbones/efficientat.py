"""EfficientAT (Schmid, Koutini, Widmer, ICASSP 2023), a small tagger of AudioSet, combined with a sentence encoder.

The embedding of a sentence is the encoder's mean over tokens. The embedding of a clip, or of a time step, is two
vectors side by side. The first is the mean of the embeddings of its eight best labels, weighted by their scores. The
second is the network's features before its classifier, which distinguish clips better than 527 labels do. A sentence
has zeros in place of the features. The cosine of a clip and a sentence therefore depends on labels alone, and the
cosine of two clips on both vectors. docs/data-and-backbones.md has the figures.
"""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mgcl.backbones._kaldi_mel import HOP, SAMPLE_RATE, log_mel
from mgcl.backbones._mobilenet import STRIDE, MobileNet, width_of
from mgcl.backbones._probe import probed
from mgcl.backbones._sentences import check_vocabulary, tokenize
from mgcl.backbones._weights import chosen, fingerprint, load_strictly, read_checkpoint, whose
from mgcl.backbones.backbone import WINDOW, AudioFeatures
from mgcl.errors import BackboneError
from mgcl.pretrained import load_model, load_part
from mgcl.published_weights import HubFiles, UrlFile, copy_of, needed, refuse_changed

TAGGER = UrlFile(
    url="https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1/mn04_as_mAP_432.pt",
    bytes=4_066_513,
    sha256="899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c",
    licence="MIT; Florian Schmid, github.com/fschmid56/EfficientAT",
)
ENCODER = HubFiles(
    name="sentence-transformers/all-MiniLM-L6-v2",
    files=("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"),
    bytes=91_335_585,
    sha256={"model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"},
    licence="Apache-2.0",
)
PUBLISHED = (TAGGER, ENCODER)

LABELS = Path(__file__).with_name("audioset_labels.txt")
"""File of AudioSet's 527 classes, in the order of the scores (Gemmeke et al., ICASSP 2017; CC BY 4.0, Google)."""
_HIDDEN, _CLASSIFIER = "classifier.2.bias", "classifier.5.bias"
_WEIGHTS, _TEXT = "MGCL_EFFICIENTAT_WEIGHTS", "MGCL_EFFICIENTAT_TEXT"
_OTHER_INPUT = ("_hop_", "_mels_")
"""Parts of the names of published files whose networks take spectrograms of another resolution."""
_BEST = 8
"""Number of labels whose embeddings are averaged for a clip."""
_TOGETHER = 8
"""Clips per batch on a CPU. The maps of 8 clips fit into its cache, which is twice as fast as 32 clips."""
_FEATURES = 2.0
"""Norm of the features beside the labels' vector, whose norm is 1."""


class EfficientAt:
    """Backbone of a tagger and a sentence encoder, both frozen."""

    sample_rate = SAMPLE_RATE
    seconds = WINDOW
    segment_seconds = HOP * STRIDE / SAMPLE_RATE
    segments = math.ceil(WINDOW / segment_seconds)
    logit_scale = 100.0
    captions: tuple[str, ...] = ()

    def __init__(self, tagger: MobileNet, encoder: Any, tokenizer: Any, name: str, device: str) -> None:
        self.name, self.fingerprint = name, fingerprint(nn.ModuleDict({"tagger": tagger, "encoder": encoder}))
        self._tagger, self._encoder = (each.to(device).eval().requires_grad_(False) for each in (tagger, encoder))
        self._tokenizer, self._device = tokenizer, device
        self._longest = min(tokenizer.model_max_length, encoder.config.max_position_embeddings)
        self.embedding_dim = encoder.config.hidden_size + tagger.width
        self.labels = tuple(LABELS.read_text(encoding="utf-8").splitlines())
        self._sentences = torch.cat([self._encoded(self.labels[row : row + 32]) for row in range(0, 527, 32)])

    def embed_audio(self, waveforms: Float[Tensor, "b samples"]) -> AudioFeatures:
        """Embed clips. Segments are time steps of 0.32 s; the clip is embedded from the mean of their features."""
        with torch.inference_mode():
            steps = self._steps(waveforms)
            return AudioFeatures(self._embedded(steps).cpu(), self._embedded(steps.mean(1)).cpu())

    @property
    def tower(self) -> MobileNet:
        """The weights that ``features`` uses."""
        return self._tagger

    def features(self, waveforms: Float[Tensor, "b samples"]) -> AudioFeatures:
        """Embed clips as in ``embed_audio``, all together, with operations that can be exported."""
        steps = self._tagger.steps(log_mel(waveforms.to(self._device)))
        return AudioFeatures(self._embedded(steps), self._embedded(steps.mean(1)))

    def embed_text(self, sentences: Sequence[str]) -> Float[Tensor, "k d"]:
        """Embed sentences: the encoder's mean over tokens, of unit length, followed by zeros."""
        return F.pad(self._encoded(sentences), (0, self._tagger.width)).cpu()

    def scores(self, waveforms: Float[Tensor, "b samples"]) -> Float[Tensor, "b labels"]:
        """Return the probability of every label in every clip, from 0 to 1, on the CPU."""
        with torch.inference_mode():
            return self._tagger.scores(self._steps(waveforms).mean(1)).sigmoid().cpu()

    def _steps(self, waveforms: Float[Tensor, "b samples"]) -> Float[Tensor, "b n width"]:
        parts = torch.split(waveforms, _TOGETHER if self._device == "cpu" else len(waveforms))
        return torch.cat([self._tagger.steps(log_mel(part.to(self._device))) for part in parts])

    def _embedded(self, features: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch d"]:
        best = self._tagger.scores(features).sigmoid().topk(_BEST)
        sentence = (best.values.unsqueeze(-1) * self._sentences[best.indices]).sum(-2)
        beside = torch.cat([F.normalize(sentence, dim=-1), _FEATURES * F.normalize(features, dim=-1)], -1)
        return F.normalize(beside, dim=-1)

    def _encoded(self, sentences: Sequence[str]) -> Float[Tensor, "k width"]:
        tokens = tokenize(self._tokenizer, sentences, self._longest)
        tokens = {name: part.to(self._device) for name, part in tokens.items()}
        with torch.inference_mode():
            words = self._encoder(**tokens).last_hidden_state
            present = tokens["attention_mask"].unsqueeze(-1)
            return F.normalize((words * present).sum(1), dim=-1)


def load(weights: str | None = None, device: str = "cpu") -> EfficientAt:
    """Load a tagger and a sentence encoder.

    Args:
        weights: one of the published files mn01_as to mn40_as; None: ``MGCL_EFFICIENTAT_WEIGHTS``, else the mn04_as
            that ``mgcl weights fetch efficientat`` fetched. ``MGCL_EFFICIENTAT_TEXT`` names the encoder: a folder, or
            an id on the Hugging Face hub; else it is all-MiniLM-L6-v2, as fetched.
        device: "cpu", "cuda", "cuda:1" ...

    Raises:
        BackboneError: a file is missing, or is not such a tagger or encoder.
    """
    file = Path(chosen("efficientat", weights, "") or needed("efficientat", TAGGER, variable=_WEIGHTS))
    source = os.environ.get(_TEXT) or str(needed("efficientat", ENCODER, variable=_TEXT))
    tagger, (encoder, tokenizer) = _tagger(file.expanduser()), _encoder(str(Path(source).expanduser()))
    name = f"efficientat {file.name}" + (f" with {Path(source).name}" if os.environ.get(_TEXT) else "")
    return probed(EfficientAt(tagger, encoder, tokenizer, name, device))


def absent() -> tuple[str, ...]:
    """What is not on this machine, and is named by no environment variable, in words. Nothing is loaded."""
    tagger = os.environ.get(_WEIGHTS) or copy_of("efficientat", TAGGER)
    encoder = os.environ.get(_TEXT) or copy_of("efficientat", ENCODER)
    parts = {f"the tagger ({_WEIGHTS})": tagger, f"the sentence encoder ({_TEXT})": encoder}
    return tuple(part for part, there in parts.items() if not there)


def _tagger(file: Path) -> MobileNet:
    if not file.is_file():
        raise BackboneError(
            f"{file}: no such file; give the path of a published mn..._as_mAP_....pt, or run "
            "`mgcl weights fetch efficientat` and leave it out"
        )
    if any(part in file.name for part in _OTHER_INPUT):
        raise BackboneError(f"{file}: takes spectrograms of another resolution; choose one of mn01_as to mn40_as")
    refuse_changed(file, TAGGER)
    state = read_checkpoint(file)
    if not {_HIDDEN, _CLASSIFIER} <= state.keys():
        raise BackboneError(f"{file}: not EfficientAT's, it lacks {_HIDDEN} or {_CLASSIFIER}; {whose(state)}")
    labels = len(LABELS.read_text(encoding="utf-8").splitlines())
    if len(state[_CLASSIFIER]) != labels:
        raise BackboneError(
            f"{file}: scores {len(state[_CLASSIFIER])} classes, AudioSet has {labels}; choose an mn..._as"
        )
    tagger = MobileNet(width_of(len(state[_HIDDEN])), labels)
    load_strictly(tagger, state, str(file))
    return tagger


def _encoder(source: str) -> tuple[Any, Any]:
    """Load a sentence encoder and its tokenizer. The layer that some encoders have for BERT's own task is removed."""
    from transformers import AutoModel, AutoTokenizer  # takes seconds to import, and `absent` does not need it

    tokenizer = load_part(AutoTokenizer, source)
    encoder = load_model(AutoModel, source, "cpu", unused="pooler.")
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    check_vocabulary(tokenizer, encoder.config.vocab_size, source)
    return encoder, tokenizer
