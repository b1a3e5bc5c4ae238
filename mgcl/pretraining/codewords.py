"""How many codewords live: which of them clips and sentences give weight to."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mgcl.backbones._grained import Grained


@dataclass(frozen=True)
class Usage:
    """Use of a codebook by the clips and sentences of one batch."""

    codewords: int
    """Size of the codebook."""
    per_clip: float
    """Mean number of codewords to which a clip gives weight."""
    per_sentence: float
    clips: int
    """Number of codewords to which any clip gives weight."""
    sentences: int
    shared: int
    """Number of codewords to which both any clip and any sentence give weight."""
    effective_clips: float
    """Exponential of the entropy of the clips' mean weights; the number of codewords if all weigh the same."""
    effective_sentences: float

    def __str__(self) -> str:
        return (
            f"{self.clips} codewords for clips, {self.sentences} for sentences, {self.shared} for both, "
            f"of {self.codewords}"
        )


def usage(
    model: Grained, frames: Float[Tensor, "b n d"], words: Float[Tensor, "b m d"], present: Bool[Tensor, "b m"]
) -> Usage | None:
    """Measure the use of a model's codebook; None: it has none.

    Args:
        model: the model.
        frames: frame embeddings of clips.
        words: word embeddings of sentences.
        present: False for padding.
    """
    if model.codebook is None:
        return None
    with torch.no_grad():
        weights = model.weights(model.codebook, frames), model.weights(model.codebook, words, present)
    clips, sentences = ((each > 0).any(0) for each in weights)
    per_clip, per_sentence = (float((each > 0).sum(1).float().mean()) for each in weights)
    entropies = [torch.special.entr(each.mean(0)).sum() for each in weights]
    return Usage(
        codewords=len(model.codebook),
        per_clip=per_clip,
        per_sentence=per_sentence,
        clips=int(clips.sum()),
        sentences=int(sentences.sum()),
        shared=int((clips & sentences).sum()),
        effective_clips=float(entropies[0].exp()),
        effective_sentences=float(entropies[1].exp()),
    )
