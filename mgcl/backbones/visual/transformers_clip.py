"""Image towers of CLIP models of transformers: any Hugging Face id or local folder (Radford et al., ICML 2021).

A token is the projected embedding of the frame at the beginning of its step.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import AutoConfig, CLIPImageProcessorPil, CLIPVisionModelWithProjection

from mgcl.backbones._weights import chosen, fingerprint, refuse_differences
from mgcl.errors import BackboneError
from mgcl.pretrained import quietly

DEFAULT = "openai/clip-vit-base-patch32"
_TEXT = ("text_model.", "text_projection.", "logit_scale")
"""Beginnings of the names of a CLIP's weights that its image tower does not have."""
_CONSTANTS = ("position_ids",)
_BATCH = 32


class TransformersClip:
    """Visual backbone of a CLIP's image tower, frozen."""

    frames_per_step = 1

    def __init__(self, model: Any, processor: Any, name: str, device: str) -> None:
        self.name, self.fingerprint = name, fingerprint(model)
        self._model, self._device = model.to(device).eval().requires_grad_(False), device
        self._processor = processor
        self.token_dim = model.config.projection_dim
        mean, deviation = (torch.tensor(each, device=device)[:, None, None] for each in _normalisation(processor))
        self._mean, self._deviation = mean, deviation

    def prepare(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Scale and crop a frame as the model's own image processor does."""
        with quietly():
            made = self._processor(Image.fromarray(pixels), do_rescale=False, do_normalize=False, return_tensors="np")[
                "pixel_values"
            ][0]
        rounded: NDArray[np.uint8] = np.clip(np.round(made), 0, 255).astype(np.uint8)
        return rounded

    def embed(self, frames: NDArray[np.uint8]) -> Float[Tensor, "steps d"]:
        """Embed frames of shape (steps, 1, 3, height, width), in batches of at most 32 frames."""
        tokens = []
        with torch.inference_mode():
            for start in range(0, len(frames), _BATCH):
                scaled = torch.from_numpy(frames[start : start + _BATCH, 0]).to(self._device).float() / 255
                images = (scaled - self._mean) / self._deviation
                tokens.append(self._model(pixel_values=images).image_embeds.float().cpu())
        return torch.cat(tokens)


def load(weights: str | None = None, device: str = "cpu") -> TransformersClip:
    """Load the image tower of a CLIP of transformers.

    Args:
        weights: a folder, or an id on the Hugging Face hub; None: ``MGCL_TRANSFORMERS_CLIP_WEIGHTS``, else ``DEFAULT``.
        device: "cpu", "cuda", "cuda:1" ...

    Raises:
        BackboneError: the model is not available, is not a CLIP, or lacks weights of its image tower.
    """
    weights = chosen("transformers_clip", weights, DEFAULT)
    folder = Path(weights).expanduser()
    source = str(folder) if folder.is_dir() else weights
    try:
        with quietly():
            config = AutoConfig.from_pretrained(source, trust_remote_code=False)
            if config.model_type not in ("clip", "clip_vision_model"):
                raise ValueError(f"it is a {config.model_type}")
            if config.model_type == "clip":
                config.vision_config.projection_dim = config.projection_dim
                config = config.vision_config
            loaded: Any = CLIPVisionModelWithProjection.from_pretrained(
                source, config=config, dtype=torch.float32, output_loading_info=True, ignore_mismatched_sizes=True
            )
            processor = CLIPImageProcessorPil.from_pretrained(source)
    except Exception as error:  # the library's readers raise many types
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BackboneError(
            f"{weights}: cannot be loaded as a CLIP ({reason}); fetch it again, or choose one like {DEFAULT}"
        ) from None
    model, report = loaded
    refuse_differences(
        weights,
        missing=[key for key in report["missing_keys"] if not key.endswith(_CONSTANTS)],
        unexpected=[key for key in report["unexpected_keys"] if not key.startswith(_TEXT)],
        reshaped=[key for key, *_ in report["mismatched_keys"]],
    )
    name = folder.name if folder.is_dir() else weights
    return TransformersClip(model, processor, f"transformers_clip {name}", device)


def _normalisation(processor: Any) -> tuple[Any, Any]:
    return processor.image_mean, processor.image_std
