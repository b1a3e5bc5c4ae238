"""LAION-CLAP: the unchanged laion-clap package and its checkpoints (Wu et al., ICASSP 2023).

HTSAT divides ten seconds into 32 time steps. The window of five seconds is looped to ten. Its segments are the time
steps of the first five seconds, mapped by the audio projection.
"""

import importlib.util
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from types import ModuleType
from typing import Any

import huggingface_hub
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mgcl.backbones._looping import repeated, steps_in
from mgcl.backbones._probe import probed
from mgcl.backbones._sentences import check_vocabulary, tokenize
from mgcl.backbones._weights import (
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
from mgcl.extras import missing
from mgcl.pretrained import hub_copy, hub_file, hub_folder, quietly
from mgcl.published_weights import HubFiles, fetchable

DEFAULT = "lukewys/laion_clap/630k-audioset-best.pt"
_TEXT_TOWER = "roberta-base"
_TEXT_FILES = ("config.json", "tokenizer.json", "model.safetensors")
PUBLISHED = (
    HubFiles("lukewys/laion_clap", ("630k-audioset-best.pt",), "CC0-1.0; LAION, github.com/LAION-AI/CLAP"),
    HubFiles(_TEXT_TOWER, _TEXT_FILES, "MIT"),
)
# Channels of a patch -> audio tower. The package has a third tower, for which no checkpoint is published.
_AUDIO_TOWERS = {96: "HTSAT-tiny", 128: "HTSAT-base"}
_PATCH = "audio_branch.patch_embed.proj.weight"
_FUSION = "audio_branch.patch_embed.fusion_model."
# A buffer that transformers made and stored before version 4.31.
_CONSTANT = "text_branch.embeddings.position_ids"
_TORCHVISION = tuple(f"torchvision{part}" for part in ("", ".datasets", ".ops", ".ops.misc", ".transforms"))
_TIME_STEPS = 32
_LOUDEST = 32767.0


class LaionClap:
    """Backbone of the laion-clap package's CLAP, frozen."""

    sample_rate = 48000
    seconds = WINDOW
    segments = _TIME_STEPS // 2
    native_seconds = 10.0
    segment_seconds = native_seconds / _TIME_STEPS
    captions: tuple[str, ...] = ()

    def __init__(self, module: Any, name: str, device: str) -> None:
        self.name, self.fingerprint = name, fingerprint(module.model)
        self._model = module.model.to(device).eval().requires_grad_(False)
        self._tokenizer, self._longest, self._device = module.tokenize, self._model.context_length, device
        self.embedding_dim: int = self._model.joint_embed_shape
        self.logit_scale: float = self._model.logit_scale_a.exp().item()

    def embed_audio(self, waveforms: Float[Tensor, "b samples"]) -> AudioFeatures:
        """Embed clips, looped to ten seconds.

        Segments are the time steps before the first repetition. The clip's embedding is the model's own, which pools
        and projects all ten. Waveforms are rounded to 16 bits, as the package does before it embeds files or arrays.
        """
        with torch.inference_mode():
            rounded = (waveforms.clamp(-1, 1) * _LOUDEST).to(torch.int16) / _LOUDEST
            looped = repeated(rounded, round(self.native_seconds * self.sample_rate))
            output = self._model.encode_audio({"waveform": looped}, device=self._device)
            frames = output["fine_grained_embedding"]
            # The package repeats every time step many times.
            steps = frames[:, :: frames.shape[1] // _TIME_STEPS][:, : steps_in(waveforms.shape[1], self)]
            segments, clip = map(self._model.audio_projection, (steps, output["embedding"]))
            return AudioFeatures(F.normalize(segments, dim=-1).cpu(), F.normalize(clip, dim=-1).cpu())

    def embed_text(self, sentences: Sequence[str]) -> Float[Tensor, "k d"]:
        """Embed sentences with the text tower and its projection; at most 77 tokens each, as in training."""
        tokens = tokenize(self._tokenizer, sentences, self._longest)
        with torch.inference_mode():
            read: Tensor = self._model.get_text_embedding(tokens)
            return read.cpu()


def load(weights: str | None = None, device: str = "cpu") -> LaionClap:
    """Load a checkpoint of the laion-clap package whose text tower is RoBERTa.

    Args:
        weights: a path, or OWNER/REPOSITORY/FILE on the Hugging Face hub; None: ``MGCL_LAION_CLAP_WEIGHTS``, else
            ``DEFAULT``.
        device: "cpu", "cuda", "cuda:1" ...

    Raises:
        BackboneError: the checkpoint, the package or RoBERTa is not available, or the checkpoint is not LAION-CLAP's.
    """
    with fetchable("laion_clap", PUBLISHED):
        file = checkpoint_file(chosen("laion_clap", weights, DEFAULT))
        state = _state(read_checkpoint(file), str(file))
        module = build(_AUDIO_TOWERS[state[_PATCH].shape[0]])
    load_strictly(module.model, state, str(file))
    check_vocabulary(module.tokenize, module.model.text_branch.config.vocab_size, _TEXT_TOWER)
    return probed(LaionClap(module, f"laion_clap {file.name}", device))


def build(audio_tower: str) -> Any:
    """Build the package's model without its checkpoint.

    Args:
        audio_tower: "HTSAT-tiny" or "HTSAT-base".

    Returns:
        A ``laion_clap.CLAP_Module`` on the CPU.

    Raises:
        BackboneError: the package is not installed, or RoBERTa is not available.
    """
    if lacking := missing("laion_clap"):
        raise BackboneError(
            f"the backbone laion_clap needs {lacking}, on Python 3.11 or 3.12 (it needs numpy < 2); or use "
            "transformers_clap with laion/clap-htsat-unfused"
        )
    for name in _TEXT_FILES:
        hub_file(_TEXT_TOWER, name, fetch=" ".join(_TEXT_FILES))
    with _contained(), quietly(), redirect_stdout(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import laion_clap

        try:
            return laion_clap.CLAP_Module(enable_fusion=False, device="cpu", amodel=audio_tower, tmodel="roberta")
        except (OSError, ValueError, RuntimeError) as error:
            raise BackboneError(
                f"{_TEXT_TOWER}: cannot be loaded ({str(error).partition(chr(10))[0]}); run "
                f"`hf download {_TEXT_TOWER} {' '.join(_TEXT_FILES)} --force-download`"
            ) from None


def _state(checkpoint: Mapping[str, Any], source: str) -> dict[str, Tensor]:
    state = without_module(checkpoint.get("state_dict", checkpoint))
    if not any(key.startswith("audio_branch.") for key in state):
        raise BackboneError(f"{source}: not LAION-CLAP's: {whose(checkpoint)}")
    state.pop(_CONSTANT, None)
    if any(key.startswith(_FUSION) for key in state):
        raise BackboneError(
            f"{source}: a fusion checkpoint, which the package cannot run unless torchaudio is there; use the "
            "backbone transformers_clap with laion/clap-htsat-fused"
        )
    if _PATCH not in state:
        raise BackboneError(f"{source}: lacks {_PATCH}, which both of LAION-CLAP's towers have; fetch {DEFAULT}")
    channels = state[_PATCH].shape[0]
    if channels not in _AUDIO_TOWERS:
        raise BackboneError(
            f"{source}: not LAION-CLAP with {' or '.join(_AUDIO_TOWERS.values())}: {_PATCH} has {channels} channels, "
            f"theirs {' or '.join(map(str, _AUDIO_TOWERS))}; fetch {DEFAULT}"
        )
    return state


@contextmanager
def _contained() -> Iterator[None]:
    """Undo the package's changes to the process once it is imported and built."""
    path, offline = list(sys.path), huggingface_hub.constants.HF_HUB_OFFLINE
    cache = huggingface_hub.constants.HF_HUB_CACHE
    handlers = list(logging.root.handlers)
    absent = () if importlib.util.find_spec("torchvision") else _TORCHVISION
    sys.modules.update({name: _StandIn(name) for name in absent})
    # The package also requests the tokenizers of BERT and BART, which are not used here. Without a network that would
    # take minutes.
    huggingface_hub.constants.HF_HUB_OFFLINE = True
    fetched = hub_copy(_TEXT_TOWER, _TEXT_FILES[0])
    if fetched and fetched.is_relative_to(hub_folder()):
        huggingface_hub.constants.HF_HUB_CACHE = str(hub_folder())
    try:
        yield
    finally:
        huggingface_hub.constants.HF_HUB_OFFLINE, huggingface_hub.constants.HF_HUB_CACHE = offline, cache
        sys.path[:] = path
        logging.root.handlers[:] = handlers
        for name in absent:
            del sys.modules[name]


class _StandIn(ModuleType):
    """Stand-in for torchvision with every attribute: the package imports it undeclared, and nothing here uses it."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return object
