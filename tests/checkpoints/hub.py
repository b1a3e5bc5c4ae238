"""A Hugging Face cache of small random models, under the names that the backbones' text towers ask for."""

import hashlib
import string
from pathlib import Path

import torch
from transformers import (
    BartConfig,
    BartModel,
    BertConfig,
    BertModel,
    BertTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    GPT2Tokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    RobertaTokenizer,
)

import mgcl.language

VOCABULARY = 2000
WIDTH = 768
"""Of every tower: the projection heads that read them are built for it."""
_EXPLANATIONS = Path(mgcl.language.__file__).parent / "explanations"


def write(home: Path) -> None:
    """Fill HF_HOME with four text towers and a sentence encoder: one layer each, 94 MB in all."""
    torch.manual_seed(0)
    layer = {"hidden_size": WIDTH, "num_hidden_layers": 1, "intermediate_size": 64, "vocab_size": VOCABULARY}
    halves = {"d_model": WIDTH, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64}
    roberta_config = RobertaConfig(max_position_embeddings=514, type_vocab_size=1, **layer)
    bart_config = BartConfig(vocab_size=VOCABULARY, max_position_embeddings=128, **halves)
    gpt2_config = GPT2Config(vocab_size=VOCABULARY, n_embd=WIDTH, n_layer=1, n_inner=64, bos_token_id=0, eos_token_id=0)
    roberta, bert = roberta_tokenizer(), trained(BertTokenizer(model_max_length=512))
    _store(home, "roberta-base", roberta, RobertaModel(roberta_config))
    _store(home, "bert-base-uncased", bert, BertModel(BertConfig(**layer)))
    _store(home, "facebook/bart-base", roberta, BartModel(bart_config))
    sentences = layer | {"hidden_size": 48, "num_attention_heads": 4, "initializer_range": 0.3}
    _store(home, "sentence-transformers/all-MiniLM-L6-v2", bert, BertModel(BertConfig(**sentences)))
    _store(home, "gpt2", trained(GPT2Tokenizer(model_max_length=1024)), GPT2LMHeadModel(gpt2_config))


def roberta_tokenizer() -> PreTrainedTokenizerFast:
    """A small one whose special tokens have the published numbers."""
    special = {token: number for number, token in enumerate(("<s>", "<pad>", "</s>", "<unk>", "<mask>"))}
    return trained(RobertaTokenizer(special, model_max_length=512))


def trained(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """The tokenizer with a vocabulary of our explanations and of single characters, so that no word is unknown."""
    characters = string.ascii_lowercase + string.digits
    texts = [file.read_text(encoding="utf-8") for file in sorted(_EXPLANATIONS.glob("*.json"))]
    texts += [" ".join(characters), 2 * characters]
    return tokenizer.train_new_from_iterator(texts, VOCABULARY, show_progress=False)


def _store(home: Path, name: str, tokenizer: PreTrainedTokenizerFast, model: PreTrainedModel) -> None:
    commit = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
    repository = home / "hub" / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    tokenizer.save_pretrained(repository / "snapshots" / commit)
    model.save_pretrained(repository / "snapshots" / commit)
