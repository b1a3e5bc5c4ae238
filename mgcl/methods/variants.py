"""Variants: the rows of a table, as data. A new ablation is one new line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mgcl.catalogue import load
from mgcl.errors import SweepError
from mgcl.language.prompt_sets import PROMPT_SETS
from mgcl.parameters import flat, from_flat
from mgcl.records import Value


@dataclass(frozen=True)
class Variant:
    """A method, and the parameters that differ from its defaults."""

    method: str
    changes: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class ResolvedVariant:
    """Method, version and complete parameters of a variant. A trial's key holds these, not the variant's name."""

    method: str
    version: int
    settings: Any
    """Instance of the method's ``Parameters``."""

    @property
    def parameters(self) -> Mapping[str, Value]:
        """Settings as a flat mapping, as in a trial's key."""
        return flat(self.settings)

    @property
    def reads(self) -> tuple[str, ...]:
        """Bank columns that the variant reads."""
        return tuple(self.settings.reads)


FEW_SHOT: Mapping[str, Variant] = {
    "full": Variant("mgcl"),
    # No backbone: shows how much of a data set an average spectrum solves
    "mel-statistics": Variant("mel_statistics"),
    # Baselines of MGCL Table 1, all on the same frozen features
    "prototypical": Variant("prototypical"),
    "matching": Variant("matching"),
    "zero-shot": Variant("zero_shot"),
    "tip-adapter": Variant("tip_adapter"),
    "tip-adapter-f": Variant("tip_adapter", {"epochs": 20}),
    "treff-adapter-training-free": Variant("treff_adapter", {"epochs": 0}),
    "treff-adapter": Variant("treff_adapter"),
    # MGCL Table 2
    "caption-only": Variant("mgcl", {"fusion": "caption", "coarse_cache": False, "fine_cache": False}),
    "audio-only": Variant("mgcl", {"fusion": "audio"}),
    # MGCL Table 3
    "category-name": Variant("mgcl", {"sentences": "prompt"}),
    "explanations-2": Variant("mgcl", {"explanations": 2}),
    "explanations-4": Variant("mgcl", {"explanations": 4}),
    "explanations-6": Variant("mgcl", {"explanations": 6}),
    "explanations-8": Variant("mgcl", {"explanations": 8}),
    # MGCL Table 4
    "without-coarse-cache": Variant("mgcl", {"coarse_cache": False}),
    "without-fine-cache": Variant("mgcl", {"fine_cache": False}),
    "without-cache": Variant("mgcl", {"coarse_cache": False, "fine_cache": False}),
    # MGCL Table 5
    "without-coarse-contrast": Variant("mgcl", {"coarse_contrast": False}),
    "without-fine-contrast": Variant("mgcl", {"fine_contrast": False}),
    "without-contrast": Variant("mgcl", {"coarse_contrast": False, "fine_contrast": False}),
    # Ours
    "without-transport": Variant("mgcl", {"matching": "uniform"}),
    "best-match": Variant("mgcl", {"matching": "best-match"}),
    "mean-weighting": Variant("mgcl", {"late_weighting_scale": 0.0}),
    "leave-one-out": Variant("mgcl", {"leave_one_out": True}),
    "without-training": Variant("mgcl", {"epochs": 0}),
    # Best of eight points of sweeps/search.py --shared, on development classes of the soundscapes and the ESC-10 bank
    # (docs/results.md); no test class was used, but half of ESC-10's classes were
    "full-tuned": Variant(
        "mgcl",
        {"alpha": 2.7, "beta": 1.2, "logit_scale": 4.6, "late_weighting_scale": 11.5, "learning_rate": 0.00097},
    ),
    # Later methods, and common probes
    "knn": Variant("knn"),
    "ridge": Variant("ridge"),
    "logistic-regression": Variant("logistic_regression"),
    "cross-modal-probe": Variant("cross_modal_probe"),
    "gda": Variant("gda"),
    "lp++": Variant("lp_plus_plus"),
    "proker": Variant("proker"),
    "palm": Variant("palm"),
    "clip-adapter": Variant("clip_adapter"),
    # Ours, without gradients
    "multi-grained-kernel": Variant("multi_grained_kernel"),
}
"""Rows of few-shot and zero-shot tables."""

AUDIO_VISUAL: Mapping[str, Variant] = {
    "av-diff": Variant("av_diff"),
    # AV-DIFF Table 3
    "full-attention": Variant("av_diff", {"attention": "full"}),
    "cross-attention": Variant("av_diff", {"attention": "cross"}),
    "self-attention": Variant("av_diff", {"attention": "self"}),
    "alternate-attention": Variant("av_diff", {"attention": "alternate"}),
    # AV-DIFF Table 4
    "av-gan": Variant("av_diff", {"generator": "gan"}),
    # AV-DIFF Table 5
    "audio": Variant("av_diff", {"modalities": "audio"}),
    "video": Variant("av_diff", {"modalities": "video"}),
    # AV-DIFF Table 6
    "av-prototypes": Variant("av_diff", {"words": "prototypes"}),
    # Ours
    "without-generator": Variant("av_diff", {"generator": "none"}),
    "permuted-words": Variant("av_diff", {"words": "permuted"}),
    "label-codes": Variant("av_diff", {"words": "codes"}),
    "detached-sampling": Variant("av_diff", {"sampling_gradient": False}),
    "published-quirks": Variant(
        "av_diff",
        {"words": "permuted", "normalise": "time", "count_padding": True, "frozen_mode": "train", "gamma": "last"},
    ),
    # Baselines of AV-DIFF Table 2
    "attention-fusion": Variant("attention_fusion"),
    "perceiver": Variant("perceiver"),
    "mbt": Variant("mbt"),
    "tcaf": Variant("tcaf"),
    "protogan": Variant("protogan"),
    "sldg": Variant("sldg"),
    "tsl": Variant("tsl"),
    "hip": Variant("hip"),
    "zorro": Variant("zorro"),
    "avca": Variant("avca"),
    # Later work
    "clip-clap": Variant("clip_clap"),
    # Plain rows
    "linear-probe": Variant("linear_probe"),
    "prototypes": Variant("prototypes"),
}
"""Rows of tables of generalised audio-visual few-shot recognition."""

ZERO_SHOT: Mapping[str, Variant] = {
    "cosine": Variant("cosine"),
    "explanations-mean": Variant("cosine", {"texts": "explanations"}),
    **{f"{name}-prompt": Variant("cosine", {"texts": f"{name}_prompt"}) for name in PROMPT_SETS},
}
"""Rows of zero-shot tables beside "zero-shot", which reads each class's prompt: other sentences for the classes.

"cosine" has none, for tasks whose sentences are not the classes'.
"""

VARIANTS: dict[str, Variant] = {**FEW_SHOT, **AUDIO_VISUAL, **ZERO_SHOT}
"""All rows."""


GROUPS: Mapping[str, Sequence[str]] = {
    "Baselines": (
        "mel-statistics",
        "prototypical",
        "matching",
        "zero-shot",
        "tip-adapter",
        "tip-adapter-f",
        "treff-adapter-training-free",
        "treff-adapter",
    ),
    "Method": ("full",),
    "Table 2: fusion": ("caption-only", "audio-only"),
    "Table 3: explanations": ("category-name", *(f"explanations-{number}" for number in (2, 4, 6, 8))),
    "Table 4: cache": ("without-coarse-cache", "without-fine-cache", "without-cache"),
    "Table 5: contrast": ("without-coarse-contrast", "without-fine-contrast", "without-contrast"),
    "Ours": ("without-transport", "best-match", "mean-weighting", "leave-one-out", "without-training", "full-tuned"),
    "Probes and later methods": (
        "knn",
        "ridge",
        "logistic-regression",
        "cross-modal-probe",
        "gda",
        "lp++",
        "proker",
        "palm",
        "clip-adapter",
        "multi-grained-kernel",
    ),
    "Other class texts": tuple(ZERO_SHOT),
    "Plain rows": ("linear-probe", "prototypes"),
    "AV-DIFF Table 2: adapted to its tokens, head and training": (
        "attention-fusion",
        "perceiver",
        "mbt",
        "tcaf",
        "zorro",
        "avca",
    ),
    "AV-DIFF Table 2: reconstructed, in whole or in part": ("protogan", "sldg", "tsl", "hip"),
    "Later work: adapted to AV-DIFF's training": ("clip-clap",),
    "AV-DIFF": ("av-diff",),
    "AV-DIFF Table 3: attention": ("full-attention", "cross-attention", "self-attention", "alternate-attention"),
    "AV-DIFF Table 4: generator": ("av-gan", "without-generator", "detached-sampling"),
    "AV-DIFF Table 5: modalities": ("audio", "video"),
    "AV-DIFF Table 6: conditioning": ("av-prototypes", "permuted-words", "label-codes"),
    "AV-DIFF as published code has it": ("published-quirks",),
}
"""Heading of a report's table -> its rows, as in the paper. A variant under no heading comes last."""

REFERENCE = "full"
"""Row that the others are compared with, unless a sweep names another."""

BASELINES = ("zero-shot", "prototypical", "matching", "tip-adapter-f", "treff-adapter", "mel-statistics")
"""Rows that figures show beside the reference, as many as can be told apart.

The reference's gain is measured from the first.
"""


DEFAULT_METHOD = "multi_grained_kernel"
WITHOUT_TEXT = "logistic_regression"
"""Method of ``mgcl fit`` on a backbone without a text side: the linear probe, whose strength is not tuned."""
"""Method of a classifier of a user's own sounds, unless another is named: the best on development classes.

docs/classifier.md has the comparison.
"""


@dataclass(frozen=True)
class Series:
    """Variants that differ in one number. A report plots accuracy against this number."""

    name: str
    axis: str
    """Label of the axis: what the number counts."""
    numbers: Mapping[str, int]
    """Variant -> its number."""
    zero: str
    """Tick label of 0."""
    about: str
    """First sentence of the figure's caption."""


SERIES = (
    Series(
        "explanations",
        "explanations a class",
        {"category-name": 0, **{f"explanations-{number}": number for number in (2, 4, 6, 8)}},
        "class\nname",
        "Accuracy against explanations a class; at the left the class's name alone.",
    ),
)
"""Series that a report plots: MGCL Table 3."""


def resolve(name: str, *, audio_only: bool = False) -> ResolvedVariant:
    """Return a variant's method and complete parameters, without loading torch.

    Args:
        name: name of the variant, a key of ``VARIANTS``.
        audio_only: fuse no captions, unless the variant itself sets ``fusion``.

    Raises:
        SweepError: the variant does not exist, or changes a parameter that its method lacks or to a wrong value.
    """
    if name not in VARIANTS:
        raise SweepError(f"no variant is called {name!r}; there are: {', '.join(VARIANTS)}")
    variant = VARIANTS[name]
    method = load("method", variant.method)
    known = flat(method.Parameters())
    for parameter in variant.changes:
        if parameter not in known:
            names = ", ".join(known) or "none"
            raise SweepError(f"variant {name!r}: {variant.method} has no parameter {parameter!r}; it has: {names}")
    try:
        parameters = from_flat(method.Parameters, variant.changes)
    except ValueError as error:
        raise SweepError(f"variant {name!r}: {error}") from None
    if audio_only and "caption" in parameters.reads and "fusion" not in variant.changes:
        parameters = parameters.without_captions()
    return ResolvedVariant(variant.method, method.VERSION, parameters)


def on_audio_alone(names: Sequence[str], parameters: Mapping[str, str]) -> bool:
    """Whether a trial fused no captions although one of its variants, as ``VARIANTS`` defines it, does."""
    known = [VARIANTS.get(name) for name in names]
    return parameters.get("fusion") == "audio" and any(
        variant is None or "fusion" not in variant.changes for variant in known
    )
