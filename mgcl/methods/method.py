"""The protocol of few-shot methods, with the records that a method takes and returns.

A method is one module. It has ``VERSION`` and ``Parameters``, which planning reads without loading torch, and the
functions ``fit``, ``predict`` and ``explain``. Modules that need torch are imported inside these functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mgcl.records import NO_TRANSPORT, Convergence
from mgcl.transport.matching import Matching

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

    from mgcl.transport.similarity import Similarity


@dataclass(frozen=True)
class ClipFeatures:
    """Features of b clips. Every embedding has unit length, or is zero."""

    segments: Float[Tensor, "*stack b n d"]
    clip: Float[Tensor, "*stack b d"]
    caption: Float[Tensor, "*stack b d"] | None
    """Caption embeddings. None: the bank has no captions, and methods that need them are not run."""
    rows: NDArray[np.intp] | None = None
    """Row of each clip in its bank, shape (*stack, b)."""
    mel_statistics: Float[Tensor, "*stack b s"] | None = None
    """Average spectrum and loudness in dB, computed without the backbone. None: the bank lacks them."""

    @property
    def known_caption(self) -> Float[Tensor, "*stack b d"]:
        """Caption embeddings, for a method that needs them.

        Raises:
            ValueError: the clips have no captions.
        """
        if self.caption is None:
            raise ValueError("the method reads captions, and these clips have none")
        return self.caption


@dataclass(frozen=True)
class Support:
    """Support set that a method learns from: labelled clips, and sentences that describe their classes.

    Several episodes of one way and shot may be stacked along leading dimensions. Without leading dimensions it is one
    episode, and ``seeds`` has shape ().

    Without sentences, because the backbone has no text side, ``prompts`` and ``explanations`` hold vectors of no
    numbers: shapes (*stack, way, 0) and (*stack, way, any, 0). Methods that read them are not run.

    Classes may have unequal numbers of clips; the clips are then weighted so that all classes have equal weight. A
    support set without clips serves methods that read sentences only.

    Raises:
        ValueError: the number of labels differs from the number of clips, or only some of the classes have clips.
    """

    clips: ClipFeatures
    labels: Int[Tensor, b]
    """Class index of each clip, in 0..way-1; the same in every episode of a stack."""
    prompts: Float[Tensor, "*stack way d"]
    explanations: Float[Tensor, "*stack way n_e d"]
    logit_scale: float
    """Logit scale of the bank."""
    seeds: Int[Tensor, "*stack"]
    """Seeds of the method's random draws, one per episode."""
    known_similarity: Callable[[ClipFeatures, ClipFeatures, Matching], Similarity] | None = None
    """Looks up the similarity between the segments of clips a and clips b. None: the similarity is computed."""

    def __post_init__(self) -> None:
        clips, way = self.clips.clip.shape[-2], self.prompts.shape[-2]
        if self.labels.shape != (clips,) or len(self.counts) != way or (clips and not all(self.counts)):
            raise ValueError(
                f"{clips} support clips with {len(self.labels)} labels, {list(self.counts)} a class, where {way} "
                "prompts need a label a clip, and at least one clip of each class"
            )

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Number of support clips of each class."""
        return tuple(self.labels.bincount(minlength=self.prompts.shape[-2]).tolist())

    @property
    def described(self) -> bool:
        """Whether there are sentences on the classes."""
        return self.prompts.shape[-1] > 0

    @property
    def shot(self) -> float:
        """Number of clips per class; the mean if classes have unequal numbers."""
        return len(self.labels) / len(self.counts)

    def key_similarity(self, clips: ClipFeatures, matching: Matching) -> Similarity:
        """Similarity between the segments of clips and support clips, shape (*stack, b, support).

        It is looked up by ``known_similarity`` if that is given, else computed.
        """
        from mgcl.transport.similarity import similarity

        if self.known_similarity:
            return self.known_similarity(clips, self.clips, matching)
        return similarity(clips.segments, self.clips.segments, matching)

    @cached_property
    def one_hot(self) -> Float[Tensor, "b way"]:
        """Labels as one-hot rows, multiplied by shot / count of their class: by 1 if all classes have equal counts."""
        classes = self.labels.new_tensor(range(self.prompts.shape[-2]))
        weights = self.shot / self.prompts.new_tensor(self.counts)
        return (self.labels[:, None] == classes) * weights


@dataclass(frozen=True)
class Prediction:
    """Logits of b clips as the sum of named parts."""

    parts: Mapping[str, Float[Tensor, "*stack b way"]]
    convergence: Convergence = NO_TRANSPORT
    """Convergence of the transport problems behind these logits."""

    @cached_property
    def logits(self) -> Float[Tensor, "*stack b way"]:
        """Sum of the parts."""
        first, *rest = self.parts.values()
        return sum(rest, start=first)


@dataclass(frozen=True)
class Match:
    """Transport plan behind a prediction: from a clip's segments to one support clip, or to one class's sentences."""

    part: str
    against: Literal["support", "class"]
    index: int
    """Index of the support clip, or of the class."""
    plan: Float[Tensor, "n m"]


@dataclass(frozen=True)
class Shares:
    """Contributions of single support clips and sentences to the logits of one clip.

    The shares of one class in one part sum to that part of the class's logit.
    """

    support: Mapping[str, Float[Tensor, s]]
    """Score part -> what each support clip adds to the logit of its class."""
    sentences: Mapping[str, Float[Tensor, "way n_e"]]
    """Score part -> what each sentence adds to the logit of its class."""
    sentence_embeddings: Float[Tensor, "way n_e d"]
    """Embeddings of the class sentences that the method uses."""


class Method(Protocol):
    """Protocol of a few-shot method. The type of what ``fit`` returns is private to the method.

    A method may have three further functions. ``shares(fitted, clip) -> Shares`` splits one clip's logits into
    contributions. ``state(fitted) -> Mapping[str, Tensor]`` and ``restored(support, parameters, state) -> Fitted`` save
    and load a fitted method; a method without them is fitted again when it is loaded.
    """

    VERSION: int
    """Version of the method's numbers. Increase it whenever the same parameters give other numbers."""
    Parameters: type
    """Frozen dataclass with a default for every field; values out of range raise ValueError.

    ``reads`` names the bank columns that the method reads, as in ``mgcl.features.schema``. ``least_shots`` is optional
    and gives the least number of support clips per class (default: 1). A method that can work without captions has
    ``without_captions()``, which returns the parameters for clips that have none.
    """

    def fit(self, support: Support, parameters: Any) -> Any:
        """Adapt to a support set. Transport problems solved in training are counted in the result's ``convergence``."""
        ...

    def predict(self, fitted: Any, clips: ClipFeatures) -> Prediction:
        """Return the logits of clips, as named parts."""
        ...

    def explain(self, fitted: Any, clip: ClipFeatures, classes: tuple[int, ...]) -> tuple[Match, ...]:
        """Return the fine-grained plans behind one clip's scores for some classes; () if the method matches nothing.

        From a stack of episodes the first episode's first clip is explained.
        """
        ...


def explain_nothing(_fitted: object, _clip: ClipFeatures, _classes: tuple[int, ...]) -> tuple[Match, ...]:
    """Return (): the ``explain`` of a method that matches no segments."""
    return ()
