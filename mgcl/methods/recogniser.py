"""The protocol of audio-visual recognisers, with the records that a recogniser takes.

A recogniser is one module of ``mgcl.methods.audio_visual``. It has ``VERSION`` and ``Parameters``, which planning reads
without loading torch, and ``build``. What needs torch lies in private modules that ``build`` imports.

A recogniser is trained in substages. In the first it learns from many clips of the base classes. In the second its
trunk is frozen, and the rest learns base and novel classes by turns (Mercea et al. 2023, section 3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from mgcl.parameters import check_fields, check_ranges

if TYPE_CHECKING:
    import torch
    from jaxtyping import Bool, Float, Int
    from torch import Tensor

Words = Literal["own", "permuted", "codes", "prototypes"]
"""Word vectors of a class: its own; another class's; a drawn unit vector; the mean of its training clips."""


@dataclass(frozen=True)
class Shapes:
    """Sizes that a data set gives a model."""

    audio: int
    """Dimension of an audio token."""
    video: int
    """Dimension of a video token."""
    words: int
    """Dimension of a word vector; 0: the recogniser reads none."""
    classes: int
    """Number of base and novel classes of the stage."""


@dataclass(frozen=True)
class Tokens:
    """Tokens of one modality of b clips, padded to n."""

    values: Float[Tensor, "b n d"]
    """Tokens; 0 where there is none."""
    seconds: Float[Tensor, n]
    """Time of each place, from the clip's start or the window's."""
    present: Bool[Tensor, "b n"]
    """Whether the clip has a token in a place."""


@dataclass(frozen=True)
class Clips:
    """Tokens of b clips. A clip, or all clips, may lack one modality; then it has no token of it."""

    audio: Tokens
    video: Tokens


@dataclass(frozen=True)
class Batch:
    """What one step learns from."""

    embedded: Float[Tensor, "b e"]
    """The trunk's output."""
    labels: Int[Tensor, b]
    """Class of each clip: an index of the stage's classes, base classes first."""
    words: Float[Tensor, "classes w"]
    """Word vector of each class of the stage."""
    novel: bool
    """Whether the batch is of novel classes, which have few clips: what can synthesise features does so for them."""
    noise: torch.Generator
    """Source of the model's random numbers, apart from dropout's."""


@dataclass(frozen=True)
class Inputs:
    """What a recogniser sees of a clip."""

    modalities: Literal["both", "audio", "video"] = "both"
    """Modalities; the other one's tokens are absent, not zero (AV-DIFF Table 5)."""
    normalise: Literal["token", "time"] = "token"
    """Scale of video tokens: each of unit length, or, as the published code has it, each dimension of unit length over
    time, which shows how long the clip is."""
    train_seconds: float | None = None
    """Length of the window drawn from a clip in training; None: the whole clip."""
    test_seconds: float | None = None
    """Length of the window in a clip's middle, in validation and test alike; None: the whole clip."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, positive=("train_seconds", "test_seconds"))

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns of a bank that hold the tokens."""
        return ("audio", "video") if self.modalities == "both" else (self.modalities,)


def columns_read(inputs: Inputs, words: Words) -> tuple[str, ...]:
    """Columns of a bank that a recogniser reads; word vectors only if it takes a class's own or another's."""
    return (*inputs.reads, "word_vector") if words in ("own", "permuted") else inputs.reads


@dataclass(frozen=True)
class Training:
    """How a recogniser is trained, in both stages alike."""

    base_epochs: int = 24
    """Most epochs of the first substage; stage 1 finds how many are best."""
    novel_epochs: int = 10
    """Most epochs of the second substage."""
    batches: int = 20
    """Batches an epoch; the second substage takes as many of base and of novel classes."""
    batch_size: int = 32
    learning_rate: float = 1e-3
    """Of Adam, in both substages."""
    weight_decay: float = 1e-5
    plateau: bool = True
    """Whether the rate drops to a tenth when the validation figure has not risen for more than ``patience`` epochs."""
    patience: int = 3
    frozen_mode: Literal["eval", "train"] = "eval"
    """Mode of the frozen trunk in the second substage. "train", as the published code has it: dropout stays active, and
    batch norm's statistics drift."""
    gamma: Literal["best", "last"] = "best"
    """Whose calibration is tested: that of the best epoch of stage 1, or, as in the published code, of the last."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(
            self,
            positive=("learning_rate",),
            at_least_zero=("batches", "weight_decay", "patience"),
            at_least_one=("base_epochs", "novel_epochs", "batch_size"),
        )


class Model(Protocol):
    """A built recogniser: a ``torch.nn.Module`` with the following members.

    It may have ``observe(embedded, labels)``, which a substage calls once before its first batch, with the outputs and
    labels of all clips that it trains on. For pictures it may have ``synthesises``, whether it synthesises what it
    classifies, ``features(embedded)``, what it classifies of clips, and ``synthesise(words, noise)``, that of classes.
    """

    trunk: Any
    """Module whose weights and statistics the second substage leaves as they are."""

    def embed(self, clips: Clips) -> Float[Tensor, "b e"]:
        """Output of the trunk. It depends on the clip alone in eval mode, so it is computed once a clip and kept."""
        ...

    def scores(self, embedded: Float[Tensor, "b e"], words: Float[Tensor, "classes w"]) -> Float[Tensor, "b classes"]:
        """Logits of the stage's classes; their softmax is calibrated."""
        ...

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Yield a group's name and its loss. Each loss is computed after the step that the previous one led to."""
        ...

    def groups(self) -> dict[str, list[Any]]:
        """Group -> its parameters. Every group has an optimiser of its own."""
        ...


class Recogniser(Protocol):
    """Protocol of a recogniser's module."""

    VERSION: int
    """Version of the recogniser's numbers. Increase it whenever the same parameters give other numbers."""
    Parameters: type
    """Frozen dataclass with a default for every field; values out of range raise ValueError.

    It has ``reads``, the bank columns that it reads, ``inputs`` and ``training``, and, if it reads word vectors,
    ``words``, one of ``Words``.
    """

    def build(self, shapes: Shapes, parameters: Any) -> Any:
        """Make a ``Model``, initialised from torch's global generator, on the CPU in training mode."""
        ...
