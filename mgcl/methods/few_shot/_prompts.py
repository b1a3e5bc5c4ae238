"""Shares of methods whose part "contrast" compares clips with one sentence per class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mgcl.methods.method import Prediction, Shares, Support

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


def shares(prediction: Prediction, support: Support, clips: Mapping[str, Float[Tensor, " s"]] | None = None) -> Shares:
    """Contributions to the logits of one clip: of each class's sentence, all of the part "contrast".

    Args:
        prediction: prediction of exactly one clip, of one episode.
        support: support set; a sentence is represented by its class's prompt.
        clips: score part -> contribution of each support clip to the logit of its class.
    """
    return Shares(clips or {}, {"contrast": prediction.parts["contrast"][0, :, None]}, support.prompts[:, None])
