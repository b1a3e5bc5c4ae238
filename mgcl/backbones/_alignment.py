"""Division of the cosine of a clip and a sentence among frames, words and codewords, for ``mgcl.details.Alignment``."""

from collections.abc import Iterator
from itertools import groupby

import torch
from jaxtyping import Bool, Float
from tokenizers import Encoding
from torch import Tensor

from mgcl.backbones._grained import Grained
from mgcl.details import Alignment

_STRONGEST = 8
"""Number of codewords that are listed."""


def aligned(
    model: Grained,
    frames: Float[Tensor, "n d"],
    words: Float[Tensor, "m d"],
    present: Bool[Tensor, " m"],
    sentence: str,
    tokens: Encoding,
) -> Alignment:
    """Divide the cosine of a clip and a sentence.

    Args:
        model: the model that embedded both.
        frames: the clip's frame embeddings.
        words: the sentence's token embeddings.
        present: False for tokens that the model passes over.
        sentence: the sentence.
        tokens: the sentence's tokens. The embeddings are of the last m; pieces of one word become one row.
    """
    by_frame, by_codeword, frame_of = model.divided(frames)
    by_token, sentences, token_of = model.divided(words, present)
    shares = (by_token @ by_frame.T).cpu()
    rows = list(_words(sentence, tokens, len(words)))
    each = by_codeword @ by_token.sum(0) if model.codebook is not None else by_codeword[:0, 0]
    strongest = each.topk(min(_STRONGEST, len(each))).indices.tolist()
    codeword_shares = torch.zeros(len(strongest), len(frames))
    for place, row in enumerate(strongest):
        codeword_shares[place, frame_of[row]] = each[row]
    word_of = {piece: word for word, pieces in rows for piece in pieces}
    return Alignment(
        sentence=sentence,
        cosine=float(shares.sum()),
        words=tuple(word for word, _ in rows),
        shares=tuple(tuple(shares[list(pieces)].sum(0).tolist()) for _, pieces in rows),
        codewords=tuple(
            f"{row} ({word_of[int(token_of[row])]})" if sentences[row].any() else str(row) for row in strongest
        ),
        codeword_shares=tuple(map(tuple, codeword_shares.tolist())),
    )


def _words(sentence: str, tokens: Encoding, count: int) -> Iterator[tuple[str, list[int]]]:
    """Yield each word, or special token, and the rows of its pieces among the last ``count`` tokens."""
    first = len(tokens) - count
    for _, group in groupby(
        range(first, len(tokens)), key=lambda row: (tokens.word_ids[row], tokens.special_tokens_mask[row])
    ):
        rows = list(group)
        start, stop = tokens.offsets[rows[0]][0], tokens.offsets[rows[-1]][1]
        yield sentence[start:stop].strip() or tokens.tokens[rows[0]], [row - first for row in rows]
