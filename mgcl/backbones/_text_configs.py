"""Configurations of transformers' text towers, derived from the sizes of a checkpoint's tensors."""

from collections.abc import Mapping

from torch import Tensor
from transformers import BertConfig, GPT2Config

from mgcl.backbones._htsat import count_layers

_HEAD = 64
"""Width of an attention head in BERT and GPT-2; the tensors' shapes do not determine it."""


def bert_config(state: Mapping[str, Tensor]) -> BertConfig:
    """Derive the configuration of a BERT from the sizes of its tensors.

    Raises:
        KeyError: a tensor that determines a size is missing.
    """
    vocabulary, width = state["embeddings.word_embeddings.weight"].shape
    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=count_layers(state, "encoder.layer."),
        num_attention_heads=max(1, width // _HEAD),
        intermediate_size=state["encoder.layer.0.intermediate.dense.weight"].shape[0],
        max_position_embeddings=state["embeddings.position_embeddings.weight"].shape[0],
    )


def gpt2_config(state: Mapping[str, Tensor]) -> GPT2Config:
    """Derive the configuration of a GPT-2 from the sizes of its tensors.

    Raises:
        KeyError: a tensor that determines a size is missing.
    """
    vocabulary, width = state["wte.weight"].shape
    return GPT2Config(
        vocab_size=vocabulary,
        n_embd=width,
        n_layer=count_layers(state, "h."),
        n_head=max(1, width // _HEAD),
        n_inner=state["h.0.mlp.c_fc.weight"].shape[1],
        n_positions=state["wpe.weight"].shape[0],
        bos_token_id=None,  # transformers warns if the default token is outside a smaller vocabulary
        eos_token_id=None,
    )
