"""The protocol of backbones: frozen weights that embed audio and text in one joint space.

A backbone is one module, whose ``load(weights, device)`` returns its ``Backbone``. If its model takes longer input than
``seconds``, the backbone has ``native_seconds``, and embeds waveforms of up to that length too; they have as many more
segments. Only data sets whose protocol has a longer window make use of it (``mgcl.extraction.windows``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor, nn

    from mgcl.details import Alignment

WINDOW = 5.0
"""Seconds of a clip that backbones embed and captioners describe, unless a model or a task has a window of its own.

It is the length of ESC-50's clips. The few-shot protocol crops or loops all other clips to it.
"""


@dataclass(frozen=True)
class AudioFeatures:
    """Embeddings of b clips and of their n segments, as float32 on the CPU. They need not have unit length."""

    segments: Float[Tensor, "b n d"]
    clip: Float[Tensor, "b d"]


class Facts(Protocol):
    """Facts about a backbone, as the backbone itself or a bank of its embeddings states them."""

    name: str
    """Name in the catalogue, then the weights where there is a choice: "transformers_clap laion/clap-htsat-unfused"."""
    fingerprint: str
    """Hex digits of a hash of all weights."""
    embedding_dim: int
    """d, length of an embedding in the joint space of audio and text."""
    logit_scale: float
    """Multiplier of the contrast, already exponentiated, in the range ``mgcl.records.LOGIT_SCALES``; 0 for a backbone
    without a text side."""
    sample_rate: int
    """Sample rate of the waveforms that the backbone takes, in Hz."""
    seconds: float
    """Length of the window that the backbone embeds, in seconds: ``WINDOW``, unless it has a window of its own."""
    segments: int
    """Number of time steps whose centre lies in the window."""
    segment_seconds: float
    """Seconds between the centres of consecutive segments. The first centre lies at half of it."""
    captions: tuple[str, ...]
    """Sentences from the training data, from which clips can be captioned; empty if the backbone has none."""


def reads_text(about: Facts) -> bool:
    """Whether a backbone has a text side. Without one there is no contrast, and its logit scale is 0."""
    return about.logit_scale != 0


def facts(backbone: Facts) -> Facts:
    """Copy the facts without the weights, so that they can be sent between processes."""
    return cast("Facts", SimpleNamespace(**facts_json(backbone)))


def facts_json(about: Facts) -> dict[str, Any]:
    """Return the facts as a dictionary, by name."""
    return {name: getattr(about, name) for name in Facts.__annotations__}


class Backbone(Facts, Protocol):
    """Frozen weights that embed audio and text. The same batch gives the same bits on one machine.

    A backbone without a text side (``reads_text``) refuses every sentence with a BackboneError.
    """

    def embed_audio(self, waveforms: Float[Tensor, "b samples"]) -> AudioFeatures:
        """Embed clips of ``seconds`` at ``sample_rate``."""
        ...

    def embed_text(self, sentences: Sequence[str]) -> Float[Tensor, "k d"]:
        """Embed sentences.

        Raises:
            SentenceError: a sentence is empty or too long. It is a BackboneError, and has the sentence.
        """
        ...


@runtime_checkable
class Aligning(Protocol):
    """What a backbone also has if it can divide the cosine of a clip and a sentence among frames and words."""

    def align(self, waveform: Float[Tensor, " samples"], sentence: str) -> Alignment:
        """Divide the cosine of one clip, as ``embed_audio`` takes it, and one sentence.

        Raises:
            SentenceError: the sentence is empty or too long.
        """
        ...


@runtime_checkable
class Exportable(Protocol):
    """What a backbone also has if its audio side, front end included, can be written as one graph."""

    @property
    def tower(self) -> nn.Module:
        """Module with the weights that ``features`` uses."""
        ...

    def features(self, waveforms: Float[Tensor, "b samples"]) -> AudioFeatures:
        """Embed clips as ``embed_audio`` does, on the weights' device, with operations that torch can export."""
        ...


class BackboneModule(Protocol):
    """The protocol of a backbone's module.

    A module has ``READS_TEXT = False`` if its backbones have no text side, and ``ALIGNS = True`` if they are
    ``Aligning``, so that this is known before one is loaded.
    """

    def load(self, weights: str | None = None, device: str = "cpu") -> Backbone:
        """Load a backbone.

        Args:
            weights: a path or an id; None: the backbone's default weights, if it has any.
            device: a torch device.

        Raises:
            BackboneError: the weights are missing, or belong to another model.
        """
        ...
