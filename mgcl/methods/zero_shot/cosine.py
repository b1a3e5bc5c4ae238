"""The scaled cosine with the sentences of one column of a bank: one row of a table per set of prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mgcl.methods.few_shot import zero_shot

if TYPE_CHECKING:
    from mgcl.methods.method import ClipFeatures, Prediction, Support

VERSION = 1


@dataclass(frozen=True)
class Parameters:
    """What the clips are compared with."""

    texts: str = ""
    """Column of class texts whose vectors the task passes as prompts, e.g. "plain_prompt"; of several sentences per
    class the mean of the unit vectors. Empty: sentences of the task itself, e.g. captions."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns of the bank."""
        return ("clip", self.texts) if self.texts else ("clip",)

    @property
    def least_shots(self) -> int:
        """0: no labelled clip is needed."""
        return 0


def fit(support: Support, _parameters: Parameters) -> zero_shot.Fitted:
    """Store the sentences that the task chose by ``Parameters.texts``. The support clips are not used."""
    return zero_shot.Fitted(support.prompts, support.logit_scale)


def predict(fitted: zero_shot.Fitted, clips: ClipFeatures) -> Prediction:
    """Return the scaled cosines of the clip embeddings with the sentences."""
    return zero_shot.predict(fitted, clips)


explain = zero_shot.explain
