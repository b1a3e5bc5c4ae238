"""Small audio encoders with random weights, as transformers saves them."""

import warnings
from pathlib import Path

import torch
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTForAudioClassification,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperModel,
)

_SMALL = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


def make_ast(folder: Path) -> str:
    """Write an AST with its classifier, of the real input; its path."""
    torch.manual_seed(0)
    ASTForAudioClassification(ASTConfig(**_SMALL, initializer_range=0.1)).save_pretrained(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the published filters, of which one is empty
        ASTFeatureExtractor().save_pretrained(folder)
    return str(folder)


def make_wav2vec2(folder: Path) -> str:
    """Write a Wav2Vec2 with its head for letters, of the real strides; its path."""
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        **_SMALL,
        vocab_size=8,
        conv_dim=(32,) * 7,
        feat_extract_norm="layer",
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
    )
    Wav2Vec2ForCTC(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder)
    return str(folder)


def make_whisper(folder: Path) -> str:
    """Write a Whisper of the real input; its path."""
    torch.manual_seed(0)
    layers = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    widths = {"d_model": 32, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "vocab_size": 8}
    tokens = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"), 0)
    WhisperModel(WhisperConfig(**layers, **widths, **tokens, init_std=0.1)).save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    return str(folder)
