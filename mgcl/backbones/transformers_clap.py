"""CLAP models of transformers: any Hugging Face id or local folder, fused or not (Wu et al., ICASSP 2023).

HTSAT divides ten seconds into 32 time steps of two frequency rows. The window of five seconds is looped to ten. Its
segments are the time steps of the first five seconds: means over frequency, mapped by the audio projection.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mgcl.backbones._looping import repeated, steps_in
from mgcl.backbones._probe import probed
from mgcl.backbones._sentences import check_vocabulary, tokenize
from mgcl.backbones._weights import chosen, fingerprint, refuse_differences
from mgcl.backbones.backbone import WINDOW, AudioFeatures
from mgcl.errors import BackboneError
from mgcl.pretrained import hub_file, hub_folder, quietly
from mgcl.published_weights import HubFiles, copy_of, fetchable

DEFAULT = "laion/clap-htsat-unfused"
PUBLISHED = (
    HubFiles(
        DEFAULT,
        (
            "config.json",
            "preprocessor_config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "model.safetensors",
        ),
        "Apache-2.0; LAION, github.com/LAION-AI/CLAP",
    ),
)
# Buffers that a model computes from its sizes; some checkpoints lack them.
_CONSTANTS = ("position_ids", "token_type_ids", "relative_position_index")


class TransformersClap:
    """Backbone of a CLAP of transformers, frozen."""

    seconds = WINDOW
    native_seconds = 10.0
    captions: tuple[str, ...] = ()

    def __init__(self, model: Any, processor: Any, name: str, device: str) -> None:
        self.name, self.fingerprint = name, fingerprint(model)
        self._model, self._device = model.to(device).eval().requires_grad_(False), device
        self._tokenizer, self._extractor = processor.tokenizer, processor.feature_extractor
        text = model.config.text_config
        # Positions are numbered from the padding token's id + 1.
        self._longest = text.max_position_embeddings - text.pad_token_id - 1
        self.embedding_dim = model.config.projection_dim
        self.logit_scale = model.logit_scale_a.exp().item()
        self.sample_rate = self._extractor.sampling_rate
        self.segments = _time_steps(model.config.audio_config) // 2
        self.segment_seconds = self.seconds / self.segments

    def embed_audio(self, waveforms: Float[Tensor, "b samples"]) -> AudioFeatures:
        """Embed clips, looped to ten seconds.

        Segments are the time steps before the first repetition. The clip's embedding is the model's own, which pools
        and projects all ten.
        """
        with torch.inference_mode():
            looped = repeated(waveforms, round(self.native_seconds * self.sample_rate))
            spectrograms = log_mel(self._extractor, looped.to(self._device))
            # A fused model also takes parts of clips longer than ten seconds. No clip here is longer, but the library's
            # extractor would mark one random clip per batch as longer, drawn by numpy's global generator.
            longer = torch.zeros(len(waveforms), 1, dtype=torch.bool, device=self._device)
            output = self._model.audio_model(input_features=spectrograms.unsqueeze(1), is_longer=longer)
            steps = output.last_hidden_state.mean(2).mT[:, : steps_in(waveforms.shape[1], self)]
            segments, clip = map(self._model.audio_projection, (steps, output.pooler_output))
            return AudioFeatures(F.normalize(segments, dim=-1).cpu(), F.normalize(clip, dim=-1).cpu())

    def embed_text(self, sentences: Sequence[str]) -> Float[Tensor, "k d"]:
        """Embed sentences with the text tower and its projection."""
        tokens = tokenize(self._tokenizer, sentences, self._longest)
        with torch.inference_mode():
            read = self._model.get_text_features(**{name: part.to(self._device) for name, part in tokens.items()})
            embeddings: Tensor = read.pooler_output.cpu()
            return embeddings


def load(weights: str | None = None, device: str = "cpu") -> TransformersClap:
    """Load a CLAP of transformers.

    Args:
        weights: a folder, or an id on the Hugging Face hub; None: ``MGCL_TRANSFORMERS_CLAP_WEIGHTS``, else ``DEFAULT``.
        device: "cpu", "cuda", "cuda:1" ...

    Raises:
        BackboneError: the model is not available, is not a CLAP, or lacks weights or its vocabulary.
    """
    from transformers import AutoConfig, ClapModel, ClapProcessor  # takes seconds to import, and is_here needs none

    weights = chosen("transformers_clap", weights, DEFAULT)
    folder = Path(weights).expanduser()
    source = str(folder) if folder.is_dir() else _from_hub(weights)
    try:
        with quietly():
            kind = AutoConfig.from_pretrained(source, trust_remote_code=False).model_type
            if kind != "clap":
                raise ValueError(f"it is a {kind}")
            loaded: Any = ClapModel.from_pretrained(
                source, dtype=torch.float32, output_loading_info=True, ignore_mismatched_sizes=True
            )
            processor = ClapProcessor.from_pretrained(source)
    except Exception as error:  # the library's readers raise many types
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BackboneError(
            f"{weights}: cannot be loaded as a CLAP ({reason}); fetch it again, or choose one like {DEFAULT}"
        ) from None
    model, report = loaded
    refuse_differences(
        weights,
        missing=[key for key in report["missing_keys"] if not key.endswith(_CONSTANTS)],
        unexpected=report["unexpected_keys"],
        reshaped=[key for key, *_ in report["mismatched_keys"]],
    )
    check_vocabulary(processor.tokenizer, model.config.text_config.vocab_size, weights)
    name = folder.name if folder.is_dir() else weights
    return probed(TransformersClap(model, processor, f"transformers_clap {name}", device))


def is_here() -> bool:
    """Whether the default weights are on this machine, or an environment variable names others. Nothing is loaded."""
    return bool(os.environ.get("MGCL_TRANSFORMERS_CLAP_WEIGHTS") or copy_of("transformers_clap", PUBLISHED[0]))


def _from_hub(repository: str) -> str:
    """Return the source for transformers: the folder that ``mgcl weights fetch`` filled, else the repository's id."""
    with fetchable("transformers_clap", PUBLISHED):
        config = hub_file(repository, "config.json", fetch="")
    return str(config.parent) if config.is_relative_to(hub_folder()) else repository


def log_mel(extractor: Any, waveforms: Float[Tensor, "b samples"]) -> Float[Tensor, "b time mels"]:
    """Compute the extractor's spectrogram in dB, in float64 like the extractor, but on the waveforms' device.

    The extractor itself takes 16 ms of CPU time per clip, several times what a GPU needs for the rest.

    Args:
        extractor: ClapFeatureExtractor whose filters and sizes are used.
        waveforms: audio on any device, at any level.
    """
    window = torch.hann_window(extractor.fft_window_size, dtype=torch.float64, device=waveforms.device)
    spectrum = torch.stft(
        waveforms.double(), extractor.fft_window_size, extractor.hop_length, window=window, return_complex=True
    )
    # Fused models were trained on torchaudio's mel filters, the others on librosa's.
    filters = extractor.mel_filters if extractor.truncation == "fusion" else extractor.mel_filters_slaney
    power = spectrum.abs().square().mT @ torch.from_numpy(filters).to(waveforms.device)
    return (10 * power.clamp_min(1e-10).log10()).float()


def _time_steps(audio: Any) -> int:
    """Number of time steps in ten seconds, by a ClapAudioConfig.

    The spectrogram is folded to a square and cut into patches; every stage but one halves the result.
    """
    stride = audio.patch_stride if isinstance(audio.patch_stride, int) else audio.patch_stride[1]
    folds = audio.spec_size // audio.num_mel_bins
    return int(folds * (audio.spec_size // stride // 2 ** (len(audio.depths) - 1)))
