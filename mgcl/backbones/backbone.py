"""The protocol of backbones: frozen weights that take audio and text into one space.

A backbone is one module: ``load(weights, device)`` returns its ``Backbone``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

WINDOW = 5.0
"""Seconds of a clip that backbones embed and captioners describe, unless a model or a task brings a window of its own:
the length of ESC-50's clips, to which the few-shot protocol crops or loops all others."""


@dataclass(frozen=True)
class AudioFeatures:
    """The embeddings of b clips; on the CPU, float32, any length."""

    segments: Float[Tensor, "b n d"]
    clip: Float[Tensor, "b d"]


class Facts(Protocol):
    """What a backbone says of itself, and a bank of its backbone."""

    name: str
    """The catalogue's; then, where weights are chosen, which: "transformers_clap laion/clap-htsat-unfused"."""
    fingerprint: str
    """Hex digits that depend on every weight."""
    embedding_dim: int
    """Length of its vectors, in the one space of audio and text."""
    logit_scale: float
    """The multiplier of its contrast, already exponentiated, in ``mgcl.records.LOGIT_SCALES``."""
    sample_rate: int
    """Hz."""
    seconds: float
    """Length of the window that it embeds: ``WINDOW``, unless it brings one of its own."""
    segments: int
    """Time steps whose centre lies in that window."""
    segment_seconds: float
    """From one segment's centre to the next; the first one's is at half of it."""
    captions: tuple[str, ...]
    """Sentences of its training, from which clips can be captioned; empty where it brings none."""


def facts(backbone: Facts) -> Facts:
    """The facts without the weights, to be sent between processes."""
    return cast("Facts", SimpleNamespace(**facts_json(backbone)))


def facts_json(about: Facts) -> dict[str, Any]:
    """The facts by their names."""
    return {name: getattr(about, name) for name in Facts.__annotations__}


class Backbone(Facts, Protocol):
    """The protocol. The same batch gives the same bits on one machine."""

    def embed_audio(self, waveforms: Float[Tensor, "b samples"]) -> AudioFeatures:
        """Embed clips of ``seconds`` at ``sample_rate``."""
        ...

    def embed_text(self, sentences: Sequence[str]) -> Float[Tensor, "k d"]:
        """Embed sentences.

        Raises:
            SentenceError: a sentence is empty or too long; a BackboneError that holds it.
        """
        ...


class BackboneModule(Protocol):
    """The protocol of a backbone's file."""

    def load(self, weights: str | None = None, device: str = "cpu") -> Backbone:
        """Load weights: a path or an id; None: those that come with it, if any.

        Raises:
            BackboneError: they are missing or not this backbone's.
        """
        ...
