"""Captions by any model on the Hugging Face hub that takes audio and returns text.

The model is either a captioner in the form of a speech recogniser (audio encoder and text decoder; e.g. Whisper
trained on captions, Kadlčík et al. 2023), or an audio-language model that is given a question (e.g. Qwen2-Audio, Chu
et al. 2024).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoConfig, AutoModelForMultimodalLM, AutoModelForSpeechSeq2Seq, AutoProcessor
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES,
    MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES,
)

from mgcl.backbones.backbone import WINDOW
from mgcl.captioners.captioner import waveforms
from mgcl.data.dataset import AudioFile
from mgcl.errors import DataError, MgclError
from mgcl.pretrained import load_model, load_part, quietly

DEFAULT = "MU-NLPC/whisper-small-audio-captioning"
QUESTION = "Describe in one sentence what can be heard in this recording."
_STYLES = {"WhisperForAudioCaptioning": "clotho > caption: "}
"""Text that precedes every caption in the decoder's training, by architecture."""
_LONGEST = 67
"""Largest number of tokens in a caption, as in clapcap. Text towers read 77 tokens and may need more per word."""


class TransformersCaptioner:
    """Captioner that decodes a model's answer greedily."""

    def __init__(self, model: Any, processor: Any, name: str) -> None:
        self._model, self._processor, self._name = model, processor, name
        self._style = _STYLES.get((model.config.architectures or [""])[0], "")

    def caption(self, files: Sequence[AudioFile]) -> list[str]:
        """Return the model's sentence on each clip's window.

        Raises:
            DataError: a file cannot be decoded, or its caption is empty; names it.
        """
        rate = self._processor.feature_extractor.sampling_rate
        clips = waveforms(files, sample_rate=rate, seconds=WINDOW)
        with quietly(), torch.inference_mode():
            inputs = self._inputs([*clips]).to(self._model.device, self._model.dtype)
            tokens = self._model.generate(**inputs, do_sample=False, num_beams=1, max_new_tokens=_LONGEST)
            if not self._model.config.is_encoder_decoder:
                tokens = tokens[:, inputs["input_ids"].shape[1] :]
            answers = self._processor.batch_decode(tokens, skip_special_tokens=True)
        captions = [" ".join(answer.strip().removeprefix(self._style.strip()).split()) for answer in answers]
        for file, caption in zip(files, captions, strict=True):
            if not caption:
                raise DataError(
                    f"{file.clip_id}: {self._name} says nothing of it; choose another model, or leave it out"
                )
        return captions

    def _inputs(self, waveforms: list[NDArray[np.float32]]) -> Any:
        rate = self._processor.feature_extractor.sampling_rate
        if self._processor.chat_template:
            turn = {"role": "user", "content": [{"type": "audio"}, {"type": "text", "text": QUESTION}]}
            asked = self._processor.apply_chat_template([turn], add_generation_prompt=True, tokenize=False)
            texts = [asked] * len(waveforms)
            return self._processor(text=texts, audio=waveforms, sampling_rate=rate, padding=True, return_tensors="pt")
        inputs = self._processor(audio=waveforms, sampling_rate=rate, return_tensors="pt")
        if self._style:
            tokenizer = self._processor.tokenizer
            tokenizer.set_prefix_tokens(language="en", task="transcribe")
            read = tokenizer.prefix_tokens + tokenizer(self._style, add_special_tokens=False)["input_ids"]
            inputs["decoder_input_ids"] = torch.tensor([read] * len(waveforms))
        return inputs


def load(model: str | None = None, device: str = "cpu") -> TransformersCaptioner:
    """Load a captioner or an audio-language model.

    Args:
        model: an id on the Hugging Face hub, or a folder; None: ``DEFAULT``.
        device: a torch device.

    Raises:
        MgclError: the model cannot be loaded, or does not return text for audio.
    """
    name = model or DEFAULT
    family = load_part(AutoConfig, name).model_type
    if family in MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES:
        kind: Any = AutoModelForSpeechSeq2Seq
    elif family in MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES:
        kind = AutoModelForMultimodalLM
    else:
        raise MgclError(f"{name}: a {family} does not answer audio with text; choose a captioner, e.g. {DEFAULT}")
    processor = load_part(AutoProcessor, name)
    if not hasattr(processor, "feature_extractor"):
        raise MgclError(f"{name}: takes no audio, it has no feature extractor; choose a captioner, e.g. {DEFAULT}")
    return TransformersCaptioner(load_model(kind, name, device), processor, name)
