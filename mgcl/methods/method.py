"""What every few-shot method is given, and what it gives back.

A method is one module: ``VERSION`` and ``Parameters``, which planning reads without loading torch, and ``fit``,
``predict`` and ``explain``. It imports the modules that need torch inside its functions.
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
    """A backbone's outputs for b clips; every vector has unit length, or is zero."""

    segments: Float[Tensor, "*stack b n d"]
    clip: Float[Tensor, "*stack b d"]
    caption: Float[Tensor, "*stack b d"] | None
    """None: the bank has none; then methods that need captions are not run."""
    rows: NDArray[np.intp] | None = None
    """Which clips of a bank they are, shape (*stack, b)."""
    mel_statistics: Float[Tensor, "*stack b s"] | None = None
    """Average spectrum and loudness in dB, where the bank has them; not the backbone's."""

    @property
    def known_caption(self) -> Float[Tensor, "*stack b d"]:
        """The captions, for a method that needs them.

        Raises:
            ValueError: there are none.
        """
        if self.caption is None:
            raise ValueError("the method reads captions, and these clips have none")
        return self.caption


@dataclass(frozen=True)
class Support:
    """What a method learns from: labelled clips, and the sentences on their classes.

    Several episodes of one way and shot may be stacked along leading dimensions; without any, it is one episode, and
    ``seeds`` has shape ().

    Classes may have unequal numbers of clips; then each class's clips weigh together as much as another's. Without any
    clip it is for methods that go by sentences alone.

    Raises:
        ValueError: there is not one label per clip, or a class without clips beside others with some.
    """

    clips: ClipFeatures
    labels: Int[Tensor, b]
    """Class index of each clip, in 0..way-1; the same in every episode of a stack."""
    prompts: Float[Tensor, "*stack way d"]
    explanations: Float[Tensor, "*stack way n_e d"]
    logit_scale: float
    """The bank's."""
    seeds: Int[Tensor, "*stack"]
    """For whatever the method draws at random, one an episode."""
    known_similarity: Callable[[ClipFeatures, ClipFeatures, Matching], Similarity] | None = None
    """Looks up how alike the segments of clips a and clips b are; without it, it is computed."""

    def __post_init__(self) -> None:
        clips, way = self.clips.clip.shape[-2], self.prompts.shape[-2]
        if self.labels.shape != (clips,) or len(self.counts) != way or (clips and not all(self.counts)):
            raise ValueError(
                f"{clips} support clips with {len(self.labels)} labels, {list(self.counts)} a class, where {way} "
                "prompts need a label a clip, and at least one clip of each class"
            )

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Clips of each class."""
        return tuple(self.labels.bincount(minlength=self.prompts.shape[-2]).tolist())

    @property
    def shot(self) -> float:
        """Clips a class, the mean where classes have unequal numbers."""
        return len(self.labels) / len(self.counts)

    def key_similarity(self, clips: ClipFeatures, matching: Matching) -> Similarity:
        """How alike the segments of clips and support clips are, shape (*stack, b, support); known or computed."""
        from mgcl.transport.similarity import similarity

        if self.known_similarity:
            return self.known_similarity(clips, self.clips, matching)
        return similarity(clips.segments, self.clips.segments, matching)

    @cached_property
    def one_hot(self) -> Float[Tensor, "b way"]:
        """The labels as one-hot rows, times shot / count of their class: 1 where all classes have as many clips."""
        classes = self.labels.new_tensor(range(self.prompts.shape[-2]))
        weights = self.shot / self.prompts.new_tensor(self.counts)
        return (self.labels[:, None] == classes) * weights


@dataclass(frozen=True)
class Prediction:
    """Logits of b clips as the sum of named parts."""

    parts: Mapping[str, Float[Tensor, "*stack b way"]]
    convergence: Convergence = NO_TRANSPORT
    """Of the transport problems behind these logits."""

    @cached_property
    def logits(self) -> Float[Tensor, "*stack b way"]:
        """The sum of the parts."""
        first, *rest = self.parts.values()
        return sum(rest, start=first)


@dataclass(frozen=True)
class Match:
    """A transport plan behind a prediction: a clip's segments against one support clip, or one class's sentences."""

    part: str
    against: Literal["support", "class"]
    index: int
    """Of the support clip, or of the class."""
    plan: Float[Tensor, "n m"]


@dataclass(frozen=True)
class Shares:
    """What single support clips and sentences add to the logits of one clip; a class's shares of a part sum to it."""

    support: Mapping[str, Float[Tensor, s]]
    """Score part -> what each support clip adds to the logit of its class."""
    sentences: Mapping[str, Float[Tensor, "way n_e"]]
    """Score part -> what each sentence adds to the logit of its class."""
    sentence_embeddings: Float[Tensor, "way n_e d"]
    """Of the classes' sentences that the method chose."""


class Method(Protocol):
    """The protocol. ``Fitted`` is the method's own business.

    A method may have three functions more. ``shares(fitted, clip) -> Shares`` takes one clip's logits apart.
    ``state(fitted) -> Mapping[str, Tensor]`` and ``restored(support, parameters, state) -> Fitted`` let a fitted method
    be saved; a method without them is fitted again when it is opened.
    """

    VERSION: int
    """Raised whenever the same parameters give other numbers."""
    Parameters: type
    """A frozen dataclass with a default for every field; wrong values raise ValueError.

    ``reads`` names the columns of a bank that it goes by, as ``mgcl.features.schema`` does. ``least_shots``, if it has
    it, says how many support clips per class it needs (default: 1). A method that can do without captions has
    ``without_captions()``, the same parameters for clips that have none.
    """

    def fit(self, support: Support, parameters: Any) -> Any:
        """Adapt to a support set; transport solved while training is counted in ``convergence``, if any."""
        ...

    def predict(self, fitted: Any, clips: ClipFeatures) -> Prediction:
        """Score clips."""
        ...

    def explain(self, fitted: Any, clip: ClipFeatures, classes: tuple[int, ...]) -> tuple[Match, ...]:
        """The fine-grained plans behind one clip's scores for some classes; none where nothing is matched.

        Of a stack, the first episode's first clip is explained.
        """
        ...


def explain_nothing(_fitted: object, _clip: ClipFeatures, _classes: tuple[int, ...]) -> tuple[Match, ...]:
    """The ``explain`` of a method that matches no segments."""
    return ()
