"""Audio encoders of transformers without a text side: AST, Wav2Vec2, HuBERT, WavLM, Whisper's encoder and their like.

A folder, or OWNER/NAME@COMMIT on the Hugging Face hub, with safetensors. Code that lies beside weights is never run. A
clip without sentences has no contrast: methods that read none run on these backbones.

- AST (Gong et al., Interspeech 2021) cuts a spectrogram of fixed length into overlapping patches. Segments are its time
  steps, the means over frequency of the patches' outputs. The clip is the model's own pooled output.
- The others give a sequence of frames, mostly of 20 ms. Segments are means of about 0.31 s, as long as those of other
  backbones. The clip is the mean of all frames.

A model of fixed input, such as AST (10 s) and Whisper (30 s), takes the clip in a loop; its segments are those of the
first pass.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel

from mgcl.backbones._looping import repeated, steps_in
from mgcl.backbones._probe import probed
from mgcl.backbones._weights import chosen, fingerprint, refuse_differences
from mgcl.backbones.backbone import WINDOW, AudioFeatures
from mgcl.errors import BackboneError
from mgcl.pretrained import pinned_folder, quietly

READS_TEXT = False
"""No text side: known before the weights are loaded."""
_AST = "audio-spectrogram-transformer"
_HOP = 160
"""Samples between frames of AST's spectrogram; its extractor has no other."""
_FRAME = 400
_SPECIAL = 2
"""Tokens before AST's patches: class and distillation."""
_SEGMENT = WINDOW / 16
"""Seconds of a segment of pooled frames."""
_LONGEST = 10.0
"""Seconds that a model without a fixed input is given at once."""
_UNUSED = ("masked_spec_embed",)
"""Weights that are read in training alone; fine-tuned checkpoints often lack them."""


class TransformersAudio:
    """Backbone of an audio encoder of transformers, frozen."""

    seconds = WINDOW
    logit_scale = 0.0
    captions: tuple[str, ...] = ()

    def __init__(self, encoder: Any, extractor: Any, name: str, device: str) -> None:
        self.name, self.fingerprint = name, fingerprint(encoder)
        self._encoder, self._device = encoder.to(device).eval().requires_grad_(False), device
        self._extractor, config = extractor, encoder.config
        self.sample_rate, self.embedding_dim = extractor.sampling_rate, config.hidden_size
        self._grid = _grid(config) if config.model_type == _AST else None
        self._input = _fixed_input(extractor, config)
        """Number of samples that the model always takes; None: it takes any number."""
        if self._grid:
            self.segment_seconds = config.time_stride * _HOP / self.sample_rate
            self.native_seconds = self._grid[1] * self.segment_seconds
        else:
            self.segment_seconds = _SEGMENT
            self.native_seconds = self._input / self.sample_rate if self._input else _LONGEST
        self.segments = int(self.seconds / self.segment_seconds + 1e-6)

    def embed_audio(self, waveforms: Float[Tensor, "b samples"]) -> AudioFeatures:
        """Embed clips; those of a model of fixed input in a loop."""
        given = waveforms if self._input is None else repeated(waveforms, self._input)
        inputs = self._extractor([each.numpy() for each in given], sampling_rate=self.sample_rate, return_tensors="pt")
        with torch.inference_mode():
            output = self._encoder(**{name: each.to(self._device) for name, each in inputs.items()})
            steps = steps_in(waveforms.shape[1], self)
            if self._grid:
                patches = output.last_hidden_state[:, _SPECIAL:].unflatten(1, self._grid)
                return AudioFeatures(patches.mean(1)[:, :steps].cpu(), output.pooler_output.cpu())
            frames = output.last_hidden_state
            first = frames[:, : round(frames.shape[1] * waveforms.shape[1] / given.shape[1])]
            return AudioFeatures(adaptive_avg_pool1d(first.mT, steps).mT.cpu(), frames.mean(1).cpu())

    def embed_text(self, sentences: Sequence[str]) -> NoReturn:
        """Refuse sentences.

        Raises:
            BackboneError: always.
        """
        raise BackboneError(
            f"{self.name}: has no text side, so it cannot embed {sentences[0]!r}; choose a method or row that reads no "
            "sentences, or a CLAP such as transformers_clap"
        )


def load(weights: str | None = None, device: str = "cpu") -> TransformersAudio:
    """Load an audio encoder of transformers.

    Args:
        weights: a folder, or OWNER/NAME@COMMIT on the Hugging Face hub; None: ``MGCL_TRANSFORMERS_AUDIO_WEIGHTS``.
        device: "cpu", "cuda", "cuda:1" ...

    Raises:
        BackboneError: no weights are named, the model is not available, is no audio encoder with outputs in order of
            time, or lacks weights.
    """
    weights = chosen("transformers_audio", weights, "")
    if not weights:
        raise BackboneError(
            "the backbone transformers_audio has no weights of its own; name a model: `weights` OWNER/NAME@COMMIT of "
            "the Hugging Face hub, or a folder"
        )
    folder = Path(weights).expanduser()
    source = folder if folder.is_dir() else pinned_folder(weights)
    encoder, extractor = _read(source, weights)
    name = f"transformers_audio {folder.name if folder.is_dir() else weights}"
    backbone = TransformersAudio(encoder, extractor, name, device)
    try:
        return probed(backbone)
    except BackboneError:
        raise
    except Exception as error:  # a model of another kind fails somewhere in its forward pass
        raise _refusal(weights, error) from None


def _read(folder: Path, weights: str) -> tuple[Any, Any]:
    """Load the encoder and its feature extractor from a folder.

    Raises:
        BackboneError: one of them is missing, or is of another kind.
    """
    about: dict[str, Any] = {"trust_remote_code": False}
    try:
        with quietly(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "At least one mel filter")  # of AST's published spectrogram
            config = AutoConfig.from_pretrained(folder, **about)
            if config.model_type == "clap":
                raise ValueError("it is a CLAP, which has a text side: choose the backbone transformers_clap")
            extractor = AutoFeatureExtractor.from_pretrained(folder, **about)  # type: ignore[no-untyped-call]
            model, report = AutoModel.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                **about,
            )
            if not hasattr(extractor, "sampling_rate"):
                raise ValueError(f"it is a {config.model_type}, whose input is no sound")
            encoder = model.get_encoder() if config.is_encoder_decoder else model
    except Exception as error:  # the library's readers raise many types
        raise _refusal(weights, error) from None
    refuse_differences(
        weights,
        missing=[key for key in report["missing_keys"] if not key.endswith(_UNUSED)],
        unexpected=(),  # heads: of tags, of letters
        reshaped=[key for key, *_ in report["mismatched_keys"]],
    )
    return encoder, extractor


def _fixed_input(extractor: Any, config: Any) -> int | None:
    """Number of samples that a model always takes; None: it takes any number.

    Raises:
        BackboneError: AST's extractor gives other spectrograms than its model takes.
    """
    if config.model_type == _AST:
        made, taken = (extractor.max_length, extractor.num_mel_bins), (config.max_length, config.num_mel_bins)
        if made != taken:
            raise BackboneError(
                f"its extractor gives spectrograms of {made} frames and bands, the model takes {taken}; fetch "
                "config.json and preprocessor_config.json of one commit"
            )
        return (int(config.max_length) - 1) * _HOP + _FRAME
    return getattr(extractor, "n_samples", None)  # Whisper's


def _grid(config: Any) -> tuple[int, int]:
    """Numbers of AST's patches over frequency and over time, in the order of its tokens."""
    return (
        (config.num_mel_bins - config.patch_size) // config.frequency_stride + 1,
        (config.max_length - config.patch_size) // config.time_stride + 1,
    )


def _refusal(weights: str, error: Exception) -> BackboneError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return BackboneError(
        f"{weights}: cannot be used as an audio encoder ({reason}); give a model like AST, Wav2Vec2, HuBERT, WavLM or "
        "Whisper of transformers, with config.json, preprocessor_config.json and model.safetensors"
    )
