"""Variants: the rows of a table, as data. A new ablation is one line here."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace

from mgcl.catalogue import load
from mgcl.errors import SweepError
from mgcl.records import Value


@dataclass(frozen=True)
class Variant:
    """A method, and what differs from its default parameters."""

    method: str
    changes: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class ResolvedVariant:
    """What a variant comes down to: this, not its name, is part of a trial."""

    method: str
    version: int
    parameters: Mapping[str, Value]
    least_shots: int
    """Support clips a class that it needs."""
    needs_mel_statistics: bool
    needs_captions: bool


VARIANTS: Mapping[str, Variant] = {
    "full": Variant("mgcl"),
    # No backbone at all: what the data set gives away to an average spectrum
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
}


def resolve(name: str, *, audio_only: bool = False) -> ResolvedVariant:
    """A variant's method and complete parameters; loads no torch.

    Args:
        name: of the variant.
        audio_only: fuse no captions, unless what is fused is what the variant is about.

    Raises:
        SweepError: there is no such variant, or its line asks for what the method does not have.
    """
    if name not in VARIANTS:
        raise SweepError(f"no variant is called {name!r}; there are: {', '.join(VARIANTS)}")
    variant = VARIANTS[name]
    method = load("method", variant.method)
    known = [field.name for field in fields(method.Parameters)]
    for parameter in variant.changes:
        if parameter not in known:
            names = ", ".join(known) or "none"
            raise SweepError(f"variant {name!r}: {variant.method} has no parameter {parameter!r}; it has: {names}")
    try:
        parameters = method.Parameters(**variant.changes)
    except ValueError as error:
        raise SweepError(f"variant {name!r}: {error}") from None
    if audio_only and getattr(parameters, "needs_captions", False) and "fusion" not in variant.changes:
        parameters = replace(parameters, fusion="audio")
    return ResolvedVariant(
        variant.method,
        method.VERSION,
        asdict(parameters),
        getattr(parameters, "least_shots", 1),
        getattr(parameters, "needs_mel_statistics", False),
        getattr(parameters, "needs_captions", False),
    )
