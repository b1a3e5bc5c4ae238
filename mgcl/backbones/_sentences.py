"""Tokenizers of transformers, checked for two silent faults: a vocabulary that is not found, a sentence that is cut."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxtyping import Int
from torch import Tensor

from mgcl.errors import BackboneError, SentenceError
from mgcl.pretrained import hub_file

if TYPE_CHECKING:  # transformers takes seconds to import, and the tiny backbone does not need it
    from transformers import PreTrainedTokenizerBase

BERT = "bert-base-uncased"
GPT2 = "gpt2"
_SPECIAL: Mapping[str, Mapping[str, str]] = {
    BERT: {
        "unk_token": "[UNK]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
    },
    GPT2: {"unk_token": "<|endoftext|>", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"},
}
"""Special tokens of a tokenizer, by repository; tokenizer.json does not list them."""


def published_tokenizer(repository: str, beside: Path | None = None) -> Any:
    """Load BERT's or GPT-2's tokenizer from its tokenizer.json alone.

    Args:
        repository: ``BERT`` or ``GPT2``.
        beside: file of the weights; a tokenizer.json in its folder is taken before the hub's.

    Raises:
        BackboneError: the file is neither cached nor available, or is not a tokenizer.
    """
    from transformers import PreTrainedTokenizerFast

    own = beside and beside.with_name("tokenizer.json")
    file = own if own and own.is_file() else hub_file(repository, "tokenizer.json")
    try:
        return PreTrainedTokenizerFast(tokenizer_file=str(file), **_SPECIAL[repository])  # type: ignore[no-untyped-call]
    except Exception as error:  # the tokenizers library raises plain Exception
        mend = (
            f"put {repository}'s there"
            if file == own
            else f"run `hf download {repository} tokenizer.json --force-download`"
        )
        raise BackboneError(f"{file}: no tokenizer ({str(error).partition(chr(10))[0]}); {mend}") from None


def check_vocabulary(tokenizer: "PreTrainedTokenizerBase", rows: int, source: str) -> None:
    """Refuse a tokenizer that is not the text tower's own.

    Where transformers 5 finds no vocabulary, it silently makes a tokenizer of special tokens alone. All sentences
    would then have the same embedding.

    Args:
        tokenizer: the tokenizer that was loaded.
        rows: number of the text tower's word embeddings.
        source: where the tokenizer was loaded from, for the message.

    Raises:
        BackboneError: the tokenizer has another number of tokens, or all words are unknown to it.
    """
    tokens = tokenizer("a dog barks", add_special_tokens=False).input_ids
    if len(tokenizer) != rows or not set(tokens) - {tokenizer.unk_token_id}:
        raise BackboneError(
            f"{source}: its tokenizer has {len(tokenizer)} tokens and reads 'a dog barks' as {tokens}, the text tower "
            f"embeds {rows}; fetch tokenizer.json (or vocab.json and merges.txt) again"
        )


def tokenize(
    tokenizer: "PreTrainedTokenizerBase", sentences: Sequence[str], longest: int, *, special: bool = False
) -> dict[str, Int[Tensor, "k m"]]:
    """Tokenize sentences into token ids and attention mask, padded to the longest sentence.

    Args:
        tokenizer: the tokenizer; its special tokens are added and counted.
        sentences: k sentences.
        longest: largest number of tokens that the text tower reads.
        special: whether to add ``special_tokens_mask``, which is 1 for special tokens, padding included.

    Raises:
        SentenceError: a sentence is empty or too long.
    """
    lengths = map(len, tokenizer(list(sentences), verbose=False).input_ids)
    for sentence, length in zip(sentences, lengths, strict=True):
        check_length(sentence, length, longest)
    encoded = tokenizer(list(sentences), padding=True, return_tensors="pt", return_special_tokens_mask=special)
    names = ("input_ids", "attention_mask", *(["special_tokens_mask"] if special else []))
    return {name: encoded[name] for name in names}


def check_length(sentence: str, tokens: int, longest: int) -> None:
    """Refuse a sentence that is empty, or longer than a text tower reads.

    Args:
        sentence: the sentence as it was written.
        tokens: its number of tokens, including special tokens.
        longest: largest number of tokens that the text tower reads.

    Raises:
        SentenceError: the sentence is empty or too long.
    """
    if not sentence.strip():
        raise SentenceError(sentence, "is empty; write a sentence there")
    if tokens > longest:
        raise SentenceError(sentence, f"is {tokens} tokens, and the text tower reads at most {longest}; shorten it")
