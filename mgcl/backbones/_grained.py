"""Multi-grained alignment of audio and language: MGA-CLAP's structure (Li et al., ACM MM 2024), for any two towers.

The audio tower returns frames and the text tower returns words; projection heads map both to d dimensions. The
embeddings of a clip and of a sentence are sums over one shared codebook. A codeword's score is its best match among
the frames, or the words (Eq. 2); sparsemax turns the scores into weights (Eq. 3); the embedding is the weighted sum of
the codewords. Parameters have the names of the published checkpoint, whose towers are HTSAT and BERT, with 4,096
codewords of d = 1,024.
"""

from __future__ import annotations

import torch
from entmax import sparsemax
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F


class Grained(nn.Module):
    """Audio tower and text tower with one joint space.

    Args:
        audio_encoder: audio tower; its output has shape (b, frames, audio_width).
        text_encoder: text tower; its output has shape (b, words, text_width).
        audio_width: length of a frame's vector.
        text_width: length of a word's vector.
        embedding_dim: d, length of an embedding.
        codewords: size of the codebook. With 0 there is no codebook, and clips and sentences are plain means.
        score_temperature: T of the scores, q c / (sqrt(d) T). A lower T gives weight to fewer codewords.
        temperature: initial value of the contrast's learnable temperature.
        absent_score: score of padding for every codeword. The published code has 0, which is also the least score that
            a codeword then gets; the default leaves padding out.
    """

    def __init__(
        self,
        audio_encoder: nn.Module,
        text_encoder: nn.Module,
        *,
        audio_width: int,
        text_width: int,
        embedding_dim: int,
        codewords: int,
        score_temperature: float = 1000.0,
        temperature: float = 0.07,
        absent_score: float = -torch.inf,
    ) -> None:
        super().__init__()
        self.audio_encoder = audio_encoder
        self.text_encoder = text_encoder
        self.frame_proj = _head(audio_width, embedding_dim)
        self.word_proj = _head(text_width, embedding_dim)
        self.temp = nn.Parameter(torch.tensor(temperature))
        self.codebook = nn.Parameter(torch.randn(codewords, embedding_dim)) if codewords else None
        self.embedding_dim = embedding_dim
        self._absent_score = absent_score
        self._score_scale = 1 / (embedding_dim**0.5 * score_temperature)

    def frames(self, *audio: Tensor) -> Float[Tensor, "b n d"]:
        """Return frame embeddings, not normalised. ``audio`` is passed to the audio tower as it is."""
        embedded: Tensor = self.frame_proj(self.audio_encoder(*audio))
        return embedded.float()

    def words(self, *text: Tensor) -> Float[Tensor, "b m d"]:
        """Return word embeddings, not normalised. ``text`` is passed to the text tower as it is."""
        embedded: Tensor = self.word_proj(self.text_encoder(*text))
        return embedded.float()

    def aggregate(
        self, grains: Float[Tensor, "b n d"], present: Bool[Tensor, "b n"] | None = None
    ) -> Float[Tensor, "b d"]:
        """Aggregate the frames of a clip, or the words of a sentence, into one unit vector.

        Args:
            grains: frame or word embeddings.
            present: True for frames or words, False for padding. None: there is no padding.
        """
        if self.codebook is None:
            weights = torch.ones_like(grains[..., :1]) if present is None else present.unsqueeze(-1)
            return F.normalize((grains * weights).sum(1) / weights.sum(1), dim=-1)
        return F.normalize(self.weights(self.codebook, grains, present) @ self.codebook, dim=-1)

    def divided(
        self, grains: Float[Tensor, "n d"], present: Bool[Tensor, " n"] | None = None
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "k d"], Int[Tensor, " k"]]:
        """Divide the embedding of one clip or sentence among its grains, and among its codewords.

        A codeword's part is its weighted vector. It is credited to the grain that matches it best, whose score it has.

        Returns:
            The grains' parts and the codewords' parts, each of which sum to what ``aggregate`` returns, and the grain
            that each codeword is credited to. Without a codebook, every grain is its own codeword.
        """
        if self.codebook is None:
            parts = grains if present is None else grains * present.unsqueeze(-1)
            credited = torch.arange(len(grains), device=grains.device)
        else:
            best, credited = self._scores(self.codebook, grains[None], None if present is None else present[None])[
                0
            ].max(0)
            parts = sparsemax(best, dim=-1).unsqueeze(-1) * self.codebook
        parts = parts / parts.sum(0).norm()
        return torch.zeros_like(grains).index_add(0, credited, parts), parts, credited

    def each(self, frames: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Aggregate every frame by itself into one unit vector."""
        return self.aggregate(frames.flatten(0, 1).unsqueeze(1)).reshape(frames.shape)

    def weights(
        self,
        codebook: Float[Tensor, "k d"],
        grains: Float[Tensor, "b n d"],
        present: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b k"]:
        """Return the weights of the codewords (Eq. 3), which are >= 0 and sum to 1; arguments as for ``aggregate``."""
        weights: Tensor = sparsemax(self._scores(codebook, grains, present).amax(1), dim=-1)
        return weights

    def _scores(
        self, codebook: Float[Tensor, "k d"], grains: Float[Tensor, "b n d"], present: Bool[Tensor, "b n"] | None
    ) -> Float[Tensor, "b n k"]:
        scores: Tensor = grains @ codebook.T * self._score_scale
        if present is None:
            return scores
        return scores.masked_fill(~present.unsqueeze(-1), self._absent_score)


def contrastive_loss(
    audio: Float[Tensor, "b d"],
    text: Float[Tensor, "b d"],
    temperature: Tensor,
    *,
    hardness: float,
    positive: Bool[Tensor, "b b"] | None = None,
) -> Tensor:
    """Symmetric InfoNCE in which closer negatives weigh more, after MGA-CLAP's hard-negative guided loss.

    A negative's weight is e^(hardness s), divided by the mean of this term over the row's negatives; s is the cosine
    divided by the temperature. The gradient passes through the weights, as in the published code. That code divides
    by another mean: over row j for a negative in column j, because of how its sums broadcast, with the positive and
    without the negative's own term. It also adds 1e-7 within the logarithm. With equal cosines all weights are 1 in
    both.

    Args:
        audio: unit vectors; row i and row i of ``text`` are a pair.
        text: unit vectors.
        temperature: temperature of the softmax.
        hardness: >= 0; 0 is plain InfoNCE, the paper uses 0.15.
        positive: which clips and sentences belong together, symmetric and true on the diagonal: the target is the same
            for all of a row's positives. None: each clip has its own sentence alone.
    """
    scaled = audio @ text.T / temperature
    own = torch.eye(len(scaled), dtype=torch.bool, device=scaled.device) if positive is None else positive
    return (_one_way(scaled, hardness, own) + _one_way(scaled.T, hardness, own)) / 2


def _one_way(scaled: Float[Tensor, "b b"], hardness: float, own: Bool[Tensor, "b b"]) -> Tensor:
    raised = (hardness * scaled).masked_fill(own, -torch.inf)
    log_weights = raised - raised.logsumexp(1, keepdim=True) + (~own).sum(1, keepdim=True).float().log()
    weighted = scaled + log_weights.masked_fill(own, 0.0)
    targets = own / own.sum(1, keepdim=True)
    return (weighted.logsumexp(1) - (targets * scaled).sum(1)).mean()


def regularisation(embeddings: Float[Tensor, "b d"]) -> Tensor:
    """Mean absolute value of embeddings over the norm of all of them (embed_regularization of MGA-CLAP's code)."""
    mean: Tensor = embeddings.abs().mean() / embeddings.norm()
    return mean


def _head(width: int, embedding_dim: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(width),
        nn.Linear(width, embedding_dim),
        nn.GELU(),
        nn.LayerNorm(embedding_dim),
        nn.Linear(embedding_dim, embedding_dim),
    )
