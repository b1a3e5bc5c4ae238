"""Parameters of MGCL, and descriptions of the choices that its paper leaves open."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from mgcl.parameters import check_fields, check_ranges
from mgcl.transport.matching import Matching

OPEN_CHOICES = {
    "coarse": "a clip's coarse representation: the backbone's embedding (clip), or its segments' mean (the paper's)",
    "logit_scale": "multiplies the contrast before Eq. 21; None: the bank's",
    "epsilon": "temperature of the transport's kernel (Eq. 8)",
    "tolerance": "relative marginal error at which a transport problem is solved",
    "max_iterations": "of the transport; None: 100 at ε ≥ 0.1, 2,000 below",
    "entropy_weight": "of the plan in the similarity (λ of Eq. 5); 0: Eq. 9 as printed",
    "gradient": "through the transport plan: it is a constant (detached), or exact",
    "leave_one_out": "whether a training clip does not see its own key in the cache",
    "mean_over_shots": "whether the cache is divided by K",
    "late_weighting_scale": "inverse temperature of the late weighting (Eq. 14)",
    "initialisation": "of the adapters",
    "explanation_draw": "which explanations, where not all are used",
    "fusion": "what is fused and contrasted; audio: without captions",
}
"""Parameter of ``mgcl`` that the paper leaves open -> its description."""


@dataclass(frozen=True)
class Parameters:
    """Parameters of the method. The defaults are the paper's values, or our choice where the paper gives none.

    Attributes:
        alpha: weight of the cache in the logits (Eq. 21), >= 0.
        beta: sharpness of the cache (Eq. 1), >= 0.
        coarse: coarse representation of a clip: the backbone's embedding ("clip") or the "mean" of the segments.
        coarse_cache, fine_cache, coarse_contrast, fine_contrast: which of the four parts count; at least one.
        matching: how segments are matched; its fields are flattened into these in a trial's key, flags and options.
        logit_scale: multiplies the contrast before Eq. 21, > 0; None takes the bank's.
        late_weighting_scale: inverse temperature of the late weighting (Eq. 14), >= 0; 0 is a plain mean.
        leave_one_out: remove a training clip's own key from the cache while training; needs 2 shots.
        mean_over_shots: divide the cache by K.
        fusion: what is fused and contrasted: "both", "audio" or "caption"; "caption" needs the cache off.
        initialisation: initial adapters: "halves", "audio" or "random".
        sentences: sentences that describe a class: its "explanations", or its "prompt" alone.
        explanations: largest number of the bank's explanations used per class, >= 1.
        explanation_draw: which explanations are used: the "first", or a draw "seeded" by the episode.
        epochs: full-batch Adam steps, >= 0; 0 skips training.
        learning_rate: learning rate of Adam, > 0.
    """

    alpha: float = 1.1
    beta: float = 5.0
    coarse: Literal["clip", "mean"] = "clip"
    coarse_cache: bool = True
    fine_cache: bool = True
    coarse_contrast: bool = True
    fine_contrast: bool = True
    matching: Matching = field(default_factory=Matching)
    logit_scale: float | None = None
    late_weighting_scale: float = 1.0
    leave_one_out: bool = False
    mean_over_shots: bool = False
    fusion: Literal["both", "audio", "caption"] = "both"
    initialisation: Literal["halves", "audio", "random"] = "halves"
    sentences: Literal["explanations", "prompt"] = "explanations"
    explanations: int = 8
    explanation_draw: Literal["first", "seeded"] = "first"
    epochs: int = 20
    learning_rate: float = 1e-4

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(
            self,
            positive=("learning_rate", "logit_scale"),
            at_least_zero=("alpha", "beta", "late_weighting_scale", "epochs"),
            at_least_one=("explanations",),
        )
        if not (self.cached or self.contrasted):
            raise ValueError("without coarse and fine cache and contrast nothing is left to score with")
        if self.fusion == "caption" and self.cached:
            raise ValueError("fusion 'caption' looks at no audio: set coarse_cache and fine_cache to False")

    @property
    def cached(self) -> bool:
        """Whether the cache is part of the logits."""
        return self.coarse_cache or self.fine_cache

    @property
    def contrasted(self) -> bool:
        """Whether the contrast is part of the logits; without it nothing is trained."""
        return self.coarse_contrast or self.fine_contrast

    @property
    def needs_captions(self) -> bool:
        """Whether the logits depend on the clips' captions."""
        return self.contrasted and self.fusion != "audio"

    def without_captions(self) -> Parameters:
        """Return these parameters for clips that have no captions: fusion becomes "audio".

        Raises:
            ValueError: fusion is "caption".
        """
        if self.needs_captions and self.fusion == "caption":
            raise ValueError("fusion='caption' needs captions")
        return replace(self, fusion="audio") if self.needs_captions else self

    @property
    def reads(self) -> tuple[str, ...]:
        """Bank columns that the method reads."""
        sentences = "prompt" if self.sentences == "prompt" else "explanations"
        return ("clip", "segments", sentences, *(["caption"] if self.needs_captions else []))

    @property
    def least_shots(self) -> int:
        """Least number of support clips per class: 2 with ``leave_one_out``, which removes one key."""
        return 2 if self.leave_one_out else 1
