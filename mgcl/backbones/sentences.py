"""What to watch transformers' tokenizers for: vocabularies that are not found, sentences that are cut."""

from collections.abc import Sequence

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
                f"{sentence[:80]!r} is {length} tokens, special ones included; write something of at most {longest}"
            )
    encoded = tokenizer(list(sentences), padding=True, return_tensors="pt")
    return {name: encoded[name] for name in ("input_ids", "attention_mask")}
