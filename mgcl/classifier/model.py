"""A fitted classifier: everything that its answers depend on, but the backbone."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.special import softmax
from torch import Tensor

from mgcl.classifier import calibration
from mgcl.classifier.embedding import in_rows, joined
from mgcl.classifier.learner import Learner
from mgcl.language.explanations import ClassText
from mgcl.methods.method import ClipFeatures, Support
from mgcl.records import Value


@dataclass(frozen=True)
class Examples:
    """Labelled clips as a backbone embedded them."""

    clips: ClipFeatures
    names: tuple[str, ...]
    """One per clip, as are all that follow."""
    digests: tuple[str, ...]
    captions: tuple[str, ...] | None
    """None: the clips have none."""
    labels: tuple[Value, ...]

    def __add__(self, other: "Examples") -> "Examples":
        captions = None if self.captions is None else (*self.captions, *(other.captions or ()))
        return Examples(
            joined([self.clips, other.clips]),
            self.names + other.names,
            self.digests + other.digests,
            captions,
            self.labels + other.labels,
        )

    def picked(self, rows: NDArray[np.intp]) -> "Examples":
        """The examples in these rows, in their order."""

        def pick(values: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(values[row] for row in rows)

        return Examples(
            in_rows(self.clips, torch.from_numpy(rows)),
            pick(self.names),
            pick(self.digests),
            None if self.captions is None else pick(self.captions),
            pick(self.labels),
        )


@dataclass(frozen=True)
class Classes:
    """The classes, sorted, and the sentences on them."""

    labels: tuple[Value, ...]
    texts: tuple[ClassText, ...]
    prompts: Float[Tensor, "way d"]
    explanations: Float[Tensor, "way n_e d"]


@dataclass(frozen=True)
class Model:
    """A support set with what was learnt from it."""

    learner: Learner
    fitted: Any
    """What the learner made of the support."""
    support: Support
    examples: Examples
    """The support clips, in its order."""
    classes: Classes
    choices: Float[Tensor, "k d"] | None
    """The backbone's captions, where clips are captioned with the nearest."""
    temperature: float
    threshold: float | None
    """Familiarity below which a clip is none of the classes; None: it is always one."""
    turned_away: calibration.TurnedAway | None = None
    """Estimated shares of clips below the threshold."""

    @property
    def own_captions(self) -> bool:
        """Whether clips come with a caption of the user's."""
        return self.examples.captions is not None and self.choices is None

    def logits(self, clips: ClipFeatures) -> NDArray[np.float32]:
        """Shape (clips, classes).

        Raises:
            FloatingPointError: one is not finite.
        """
        found: NDArray[np.float32] = self.learner.predict(self.fitted, clips).logits.numpy()
        if not np.isfinite(found).all():
            raise FloatingPointError("a logit is not finite; do the sounds hold anything but numbers?")
        return found

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Softmax(logits / τ), shape (clips, classes)."""
        shares: NDArray[np.float64] = softmax(logits.astype(np.float64) / self.temperature, axis=1)
        return shares

    def is_known(self, logits: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which clips are one of the classes, shape (clips,)."""
        familiar = calibration.familiarity(torch.from_numpy(logits))
        return np.asarray(familiar >= (-np.inf if self.threshold is None else self.threshold))
