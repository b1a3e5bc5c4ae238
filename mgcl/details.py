"""What a trial keeps beside its scores, for pictures and pages. The module imports nothing of mgcl."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Confusion:
    """Confusion counts of one unit of a trial: ``counts[true][predicted]`` query clips, shape (classes, classes)."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    kinds: tuple[str, ...] = ()
    """Kind of each class; empty: all classes are of one kind."""

    @property
    def correct(self) -> int:
        """Number of query clips that were classified correctly."""
        return sum(row[i] for i, row in enumerate(self.counts))

    @property
    def accuracy(self) -> float:
        """Share of query clips that were classified correctly, in 0..1."""
        return self.correct / sum(map(sum, self.counts))


@dataclass(frozen=True)
class Tradeoff:
    """Two figures of one unit of a trial, between which a number decides."""

    number: str
    """Name of the number."""
    values: tuple[float, ...]
    """Values of the number, rising."""
    taken: float
    """The value that the trial's scores were measured with."""
    axes: tuple[str, str]
    """Names of the figures."""
    figures: tuple[tuple[float, float], ...]
    """Both figures at each value, in 0..1."""


@dataclass(frozen=True)
class Samples:
    """Real and synthetic vectors of classes, projected to the plane with most of the real vectors' variance."""

    classes: tuple[str, ...]
    real: tuple[tuple[tuple[float, float], ...], ...]
    """Points of each class."""
    synthetic: tuple[tuple[tuple[float, float], ...], ...]
    """Points of each class."""
    shown: float
    """Share of the real vectors' variance that lies in the plane."""
    own: tuple[float, ...]
    """Fréchet distance of each class's synthetic vectors from its real ones, in all dimensions."""
    nearest: tuple[float, ...]
    """Smallest distance of each class's synthetic vectors from another class's real ones; empty: there is no other."""


@dataclass(frozen=True)
class ExplainedClip:
    """Explanation of one query clip's prediction: score parts per class, and the fine-grained transport plans."""

    clip_id: str
    label: str
    predicted: str
    segment_times: tuple[float, ...]
    """Centre of each segment, in seconds."""
    parts: Mapping[str, tuple[float, ...]]
    """Score part -> its summand of each class's logit; the parts sum to the logits."""
    plans: Mapping[str, tuple[tuple[float, ...], ...]]
    """Name of what the segments were matched with -> transport plan, whose rows are the segments."""


@dataclass(frozen=True)
class Alignment:
    """How a clip's frames and a sentence's words meet over a codebook. All shares are of one cosine.

    Without a codebook, frames and words meet directly, and there are no codewords.
    """

    sentence: str
    cosine: float
    """Cosine of the clip and the sentence; the sum of ``shares``."""
    words: tuple[str, ...]
    """Words of the sentence, and special tokens that the model reads with them."""
    shares: tuple[tuple[float, ...], ...]
    """Shape (words, frames)."""
    codewords: tuple[str, ...] = ()
    """Numbers of the codewords with the largest shares, in descending order, each with the word it is weighted for."""
    codeword_shares: tuple[tuple[float, ...], ...] = ()
    """Share of each of ``codewords``, under the frame that matches it best; shape (codewords, frames)."""
