"""Tiny random models in the formats of those that turn audio into text, or text into more of it."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from mgcl.pretrained import quietly

_TEXT = "clotho > caption: a dog barks in the rain while thunder rumbles far away and a bell rings twice"
_SIZES = {"d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 32}


def whisper(folder: Path) -> str:
    """A Whisper trained to caption, as far as its files go; it hears 16 mel bands and always says something."""
    from transformers import (
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperProcessor,
        WhisperTokenizer,
    )

    words, merges = _byte_pairs()
    control = ["startoftranscript", "en", "translate", "transcribe", "startoflm", "startofprev", "notimestamps"]
    tokenizer = WhisperTokenizer(
        vocab=words, merges=merges, additional_special_tokens=[f"<|{name}|>" for name in control]
    )
    start, end, plain = tokenizer.convert_tokens_to_ids(["<|startoftranscript|>", "<|endoftext|>", "<|notimestamps|>"])
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=len(tokenizer),
            num_mel_bins=16,
            decoder_layers=1,
            decoder_attention_heads=2,
            decoder_ffn_dim=32,
            decoder_start_token_id=start,
            bos_token_id=end,
            eos_token_id=end,
            pad_token_id=end,
            init_std=1.0,
            **_SIZES,
        )
    )
    model.generation_config.update(
        suppress_tokens=list(range(len(words), len(tokenizer))),
        begin_suppress_tokens=None,
        no_timestamps_token_id=plain,
        max_length=40,
    )
    _save(folder, model, WhisperProcessor(WhisperFeatureExtractor(feature_size=16), tokenizer))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["WhisperForAudioCaptioning"]}))
    return str(folder)


def qwen2_audio(folder: Path) -> str:
    """A Qwen2-Audio, which is asked in a chat; its audio tower hears 16 mel bands."""
    from transformers import (
        Qwen2AudioConfig,
        Qwen2AudioForConditionalGeneration,
        Qwen2AudioProcessor,
        Qwen2Tokenizer,
        WhisperFeatureExtractor,
    )

    words, merges = _byte_pairs()
    control = ["<|im_start|>", "<|im_end|>", "<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>"]
    tokenizer = Qwen2Tokenizer(vocab=words, merges=merges, additional_special_tokens=control, padding_side="left")
    end, audio = tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|AUDIO|>"])
    torch.manual_seed(0)
    config = Qwen2AudioConfig(
        audio_config={"num_mel_bins": 16, "initializer_range": 1.0, **_SIZES},
        text_config={
            "model_type": "qwen2",
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "initializer_range": 0.5,
        },
        audio_token_index=audio,
    )
    model = Qwen2AudioForConditionalGeneration(config)
    model.generation_config.update(
        do_sample=True,
        top_p=0.5,
        eos_token_id=end,
        pad_token_id=end,
        suppress_tokens=list(range(len(words), len(tokenizer))),
    )
    _save(folder, model, Qwen2AudioProcessor(WhisperFeatureExtractor(feature_size=16), tokenizer))
    return str(folder)


def language_model(folder: Path) -> str:
    """A Qwen2 with a chat template; it answers with gibberish."""
    from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

    words, merges = _byte_pairs()
    tokenizer = Qwen2Tokenizer(vocab=words, merges=merges)
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}\n"
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        initializer_range=0.5,
    )
    model = Qwen2ForCausalLM(config)
    model.generation_config.update(max_length=24)
    _save(folder, model, tokenizer)
    return str(folder)


def _byte_pairs() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A vocabulary of all bytes and some pairs: no word is unknown."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([_TEXT] * 3, trainer)
    trained = json.loads(tokenizer.to_str())["model"]
    return trained["vocab"], [tuple(pair) for pair in trained["merges"]]


def _save(folder: Path, *parts: object) -> None:
    with quietly():
        for part in parts:
            part.save_pretrained(folder)
