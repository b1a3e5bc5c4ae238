"""A small CLAP with random weights, as transformers saves one."""

from pathlib import Path

import torch
from transformers import ClapAudioConfig, ClapConfig, ClapFeatureExtractor, ClapModel, ClapTextConfig

from tests.checkpoints import hub


def make(folder: Path, fused: bool = False) -> str:
    """Write what a repository of a CLAP holds: 0.3 M parameters, on the real input, in the real four stages.

    Returns:
        What a user gives as weights: the folder's path.
    """
    torch.manual_seed(0)
    audio = ClapAudioConfig(
        hidden_size=64,
        patch_embeds_hidden_size=8,
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 4],
        enable_fusion=fused,
        fusion_type="aff_2d" if fused else None,
    )
    text = ClapTextConfig(
        vocab_size=hub.VOCABULARY, hidden_size=64, num_hidden_layers=1, num_attention_heads=4, intermediate_size=64
    )
    config = ClapConfig(text_config=text.to_dict(), audio_config=audio.to_dict(), projection_dim=64)
    extractor = ClapFeatureExtractor(truncation="fusion" if fused else "rand_trunc", frequency_min=50)
    ClapModel(config).save_pretrained(folder)
    extractor.save_pretrained(folder)
    hub.roberta_tokenizer().save_pretrained(folder)
    return str(folder)
