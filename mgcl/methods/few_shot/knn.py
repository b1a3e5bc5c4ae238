"""k nearest neighbours by cosine (Cover and Hart 1967). The class of the nearest clip wins a tie of votes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mgcl.methods.method import ClipFeatures, Prediction, Shares, Support, explain_nothing
from mgcl.parameters import check_fields, check_ranges

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

VERSION = 1


@dataclass(frozen=True)
class Parameters:
    """Parameters. The default is the usual value of few-shot work at five shots.

    Attributes:
        neighbours: k, >= 1; ``fit`` lowers it to the number of clips of the smallest class.
    """

    reads: ClassVar[tuple[str, ...]] = ("clip",)

    neighbours: int = 3

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, at_least_one=("neighbours",))


@dataclass(frozen=True)
class Fitted:
    """Support set with k."""

    support: Support
    neighbours: int


def fit(support: Support, parameters: Parameters) -> Fitted:
    """Store the support clips."""
    return Fitted(support, min(parameters.neighbours, *support.counts))


def predict(fitted: Fitted, clips: ClipFeatures) -> Prediction:
    """Return each class's share of the votes, plus less than one vote for the nearness of its nearest clip."""
    cosines, votes = _votes(fitted, clips)
    one_hot = (fitted.support.one_hot > 0).to(cosines)
    nearest = (cosines.unsqueeze(-1) - 3 * (1 - one_hot)).amax(-2).clamp(-1, 1)
    return Prediction({"votes": votes @ one_hot, "nearness": (1 + nearest) / (4 * fitted.neighbours)})


def shares(fitted: Fitted, clip: ClipFeatures) -> Shares:
    """Contribution of each support clip: its vote."""
    _, votes = _votes(fitted, clip)
    return Shares({"votes": votes[0]}, {}, fitted.support.prompts[:, None])


def _votes(fitted: Fitted, clips: ClipFeatures) -> tuple[Float[Tensor, "*stack b s"], Float[Tensor, "*stack b s"]]:
    """Return cosines with the support clips, and votes: 1/k for the k nearest support clips, else 0."""
    import torch

    from mgcl.transport.cost import inner

    cosines = inner(clips.clip, fitted.support.clips.clip)
    nearest = cosines.argsort(dim=-1, descending=True, stable=True)[..., : fitted.neighbours]
    return cosines, torch.zeros_like(cosines).scatter(-1, nearest, 1 / fitted.neighbours)


explain = explain_nothing
