"""Sentences to tokens with a transformers tokenizer: no word unknown, none cut off."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import huggingface_hub.utils
import transformers.utils
from jaxtyping import Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from mgcl.errors import BackboneError


def check_vocabulary(tokenizer: PreTrainedTokenizerBase, rows: int, source: str) -> None:
    """Refuse a tokenizer that is not the text tower's own.

    Transformers 5 makes one of special tokens alone, without a word, where it finds no vocabulary: then all sentences
    are alike.

    Args:
        tokenizer: what was loaded.
        rows: of the text tower's word embeddings.
        source: what it was loaded from, for the message.

    Raises:
        BackboneError: it has another number of tokens, or knows no word.
    """
    tokens = tokenizer("a dog barks", add_special_tokens=False).input_ids
    if len(tokenizer) != rows or not set(tokens) - {tokenizer.unk_token_id}:
        raise BackboneError(
            f"{source}: its tokenizer has {len(tokenizer)} tokens and reads 'a dog barks' as {tokens}, the text tower "
            f"embeds {rows}; fetch tokenizer.json (or vocab.json and merges.txt) again"
        )


def tokenize(
    tokenizer: PreTrainedTokenizerBase, sentences: Sequence[str], longest: int
) -> dict[str, Int[Tensor, "k m"]]:
    """Token ids and attention mask, padded to the longest sentence.

    Args:
        tokenizer: its special tokens are added and counted.
        sentences: k of them.
        longest: tokens that the text tower reads.

    Raises:
        BackboneError: a sentence is empty or too long; names it.
    """
    lengths = map(len, tokenizer(list(sentences), verbose=False).input_ids)
    for sentence, length in zip(sentences, lengths, strict=True):
        if not sentence.strip() or length > longest:
            raise BackboneError(
                f"{sentence!r} is {length} tokens, special ones included; write something of at most {longest}"
            )
    encoded = tokenizer(list(sentences), padding=True, return_tensors="pt")
    return {name: encoded[name] for name in ("input_ids", "attention_mask")}


@contextmanager
def quiet() -> Iterator[None]:
    """Transformers' bars and advice off; bars of the hub's downloads stay, and errors are raised as ever."""
    libraries = (transformers.utils.logging, huggingface_hub.utils.logging)
    verbosity = [library.get_verbosity() for library in libraries]
    hook = libraries[0].set_tqdm_hook(lambda bar, args, options: bar(*args, **(options | {"disable": True})))
    for library in libraries:
        library.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        libraries[0].set_tqdm_hook(hook)
        for library, was in zip(libraries, verbosity, strict=True):
            library.set_verbosity(was)
