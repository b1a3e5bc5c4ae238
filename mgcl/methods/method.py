"""What every few-shot method is given, and what it gives back.

A method is one module: ``VERSION`` and ``Parameters``, which planning reads without loading torch, and ``fit``,
``predict`` and ``explain``. It imports the modules that need torch inside its functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor


@dataclass(frozen=True)
class ClipFeatures:
    """A backbone's outputs for b clips; every vector has unit length, or is zero."""

    segments: Float[Tensor, "b n d"]
    clip: Float[Tensor, "b d"]
    caption: Float[Tensor, "b d"]


@dataclass(frozen=True)
class Support:
    """What a method learns from: labelled clips, and the sentences on their classes."""

    clips: ClipFeatures
    labels: Int[Tensor, b]
    """Class index of each clip, in 0..way-1."""
    shot: int
    prompts: Float[Tensor, "way d"]
    explanations: Float[Tensor, "way n_e d"]
    logit_scale: float
    """The bank's."""
    seed: int
    """For whatever the method draws at random."""

    @cached_property
    def values(self) -> Float[Tensor, "b way"]:
        """The labels as one-hot rows."""
        classes = self.labels.new_tensor(range(len(self.prompts)))
        return (self.labels[:, None] == classes).to(self.prompts)


@dataclass(frozen=True)
class Prediction:
    """Logits of b clips as the sum of named parts."""

    parts: Mapping[str, Float[Tensor, "b way"]]
    unconverged: int = 0
    """Transport problems behind these logits that missed the tolerance."""

    @cached_property
    def logits(self) -> Float[Tensor, "b way"]:
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


class Method(Protocol):
    """The protocol. ``Fitted`` is the method's own business."""

    VERSION: int
    """Raised whenever the same parameters give other numbers."""
    Parameters: type
    """A frozen dataclass with a default for every field; wrong values raise ValueError."""

    def fit(self, support: Support, parameters: Any) -> Any:
        """Adapt to a support set; transport problems missed while training are counted in ``unconverged``, if any."""
        ...

    def predict(self, fitted: Any, clips: ClipFeatures) -> Prediction:
        """Score clips."""
        ...

    def explain(self, fitted: Any, clip: ClipFeatures, classes: tuple[int, ...]) -> tuple[Match, ...]:
        """The fine-grained plans behind one clip's scores for some classes; none where nothing is matched."""
        ...


def check_choices(parameters: object) -> None:
    """Refuse a value that its field's ``Literal`` does not list.

    Raises:
        ValueError: names the field, the value and the choices.
    """
    for name, hint in get_type_hints(type(parameters)).items():
        value = getattr(parameters, name)
        if get_origin(hint) is Literal and value not in get_args(hint):
            raise ValueError(f"{name} must be one of {', '.join(map(repr, get_args(hint)))}, got {value!r}")
