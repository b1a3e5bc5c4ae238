"""A fitted classifier: everything that its answers depend on, except the backbone."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.special import softmax
from torch import Tensor

from mgcl.classifier import calibration
from mgcl.classifier.background import Background
from mgcl.classifier.embedding import in_rows, joined
from mgcl.classifier.learner import Learner
from mgcl.classifier.one_vs_rest import OneVsRest
from mgcl.classifier.several import Several
from mgcl.language.explanations import ClassText
from mgcl.methods.method import ClipFeatures, Support
from mgcl.records import Value


@dataclass(frozen=True)
class Examples:
    """Labelled clips as a backbone embedded them."""

    clips: ClipFeatures
    names: tuple[str, ...]
    """Names of the clips, one per clip; see ``Sound.name``."""
    digests: tuple[str, ...]
    """SHA-256 digests, one per clip; see ``Sound.digest``."""
    captions: tuple[str, ...] | None
    """Captions, one per clip; None: the clips have none."""
    labels: tuple[Value, ...]
    """Labels, one per clip; None: the clip is of none of the classes."""

    @property
    def counted(self) -> ClipFeatures:
        """The clips, whose ``rows`` are equal where one clip stands in several rows, for its several labels."""
        numbers: dict[str, int] = {}
        rows = [numbers.setdefault(digest, len(numbers)) for digest in self.digests]
        return replace(self.clips, rows=np.array(rows))

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
        """The examples in these rows, in the order of ``rows``."""

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
    """The classes, sorted by label, with their sentences as text and as unit vectors."""

    labels: tuple[Value, ...]
    texts: tuple[ClassText, ...]
    prompts: Float[Tensor, "way d"]
    explanations: Float[Tensor, "way n_e d"]


@dataclass(frozen=True)
class Model:
    """A support set and what was learnt from it."""

    learner: Learner
    fitted: Any
    """Result of ``scorer.fit`` on the support set."""
    support: Support
    examples: Examples
    """The support clips, in the order of ``support``; of several labels per clip, a clip once for each."""
    classes: Classes
    choices: Float[Tensor, "k d"] | None
    """Candidate captions of the backbone, of which a clip takes the nearest; None: clips are not captioned so."""
    temperature: float
    """τ of softmax(logits / τ), > 0; of several labels per clip that of ``Several``."""
    threshold: float | None
    """Familiarity below which a clip is rejected as none of the classes; None: no clip is rejected."""
    turned_away: calibration.TurnedAway | None = None
    """Estimated shares of clips that are rejected; None without a threshold and for older mgcl's models."""
    several: Several | None = None
    """What names the classes of a clip that may have several; None: a clip has one label."""
    background: Examples | None = None
    """Clips of none of the classes, whose labels are None; None: there are none."""
    heard: Background | None = None
    """Answers to the background's clips by models that were learnt without them; None: there are none."""

    @property
    def scorer(self) -> Learner | OneVsRest:
        """What ``fitted`` is of: the method itself, or for several labels per clip its fit of each class."""
        if self.several is None:
            return self.learner
        return OneVsRest(self.learner, None if self.background is None else self.background.clips)

    @cached_property
    def all_digests(self) -> frozenset[str]:
        """Digests of the support clips and of the background."""
        return frozenset(self.all_examples.digests)

    @property
    def all_examples(self) -> Examples:
        """The support clips and the background."""
        return self.examples if self.background is None else self.examples + self.background

    @property
    def own_captions(self) -> bool:
        """Whether clips need captions of the user's."""
        return self.examples.captions is not None and self.choices is None

    def logits(self, clips: ClipFeatures) -> NDArray[np.float32]:
        """Logits of clips, shape (clips, classes).

        Raises:
            FloatingPointError: a logit is not finite.
        """
        found: NDArray[np.float32] = self.scorer.predict(self.fitted, clips).logits.numpy()
        if not np.isfinite(found).all():
            raise FloatingPointError("a logit is not finite; do the sounds hold anything but numbers?")
        return found

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Class probabilities softmax(logits / τ), shape (clips, classes); see ``Several`` of several labels."""
        if self.several is not None:
            return self.several.probabilities(logits, self.temperature)
        shares: NDArray[np.float64] = softmax(logits.astype(np.float64) / self.temperature, axis=1)
        return shares

    def is_known(self, logits: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Whether each clip is familiar enough to be one of the classes, shape (clips,)."""
        familiar = calibration.familiarity(torch.from_numpy(logits))
        return np.asarray(familiar >= (-np.inf if self.threshold is None else self.threshold))
