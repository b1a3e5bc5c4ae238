"""A variant with its method's version and complete parameters, without loading torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mgcl.catalogue import load
from mgcl.errors import SweepError, among
from mgcl.methods.variants import VARIANTS
from mgcl.parameters import flat, from_flat
from mgcl.records import Value


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


def resolve(name: str, *, audio_only: bool = False) -> ResolvedVariant:
    """Return a variant's method and complete parameters, without loading torch.

    Args:
        name: name of the variant, a key of ``VARIANTS``.
        audio_only: fuse no captions, unless the variant itself sets ``fusion``.

    Raises:
        SweepError: the variant does not exist, or changes a parameter that its method lacks or to a wrong value.
    """
    if name not in VARIANTS:
        raise SweepError(f"no variant is called {name!r}; {among(name, VARIANTS)}")
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
