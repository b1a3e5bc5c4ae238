"""Zero-shot CLAP: the scaled cosine between a clip and each class's prompt (Wu et al. 2023, sec. 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mgcl.methods.method import ClipFeatures, Prediction, Support, explain_nothing

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

VERSION = 1


@dataclass(frozen=True)
class Parameters:
    """No parameters: the bank's logit scale changes no decision."""

    reads: ClassVar[tuple[str, ...]] = ("clip", "prompt")
    least_shots: ClassVar[int] = 0


@dataclass(frozen=True)
class Fitted:
    """Class prompts and logit scale."""

    prompts: Float[Tensor, "*stack way d"]
    logit_scale: float


def fit(support: Support, _parameters: Parameters) -> Fitted:
    """Store the prompts. The support clips are not used."""
    return Fitted(support.prompts, support.logit_scale)


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """Return the scaled cosines of the clip embeddings with the prompts."""
    from mgcl.transport.cost import inner

    return Prediction({"contrast": fitted.logit_scale * inner(clips.clip, fitted.prompts)})


explain = explain_nothing
