"""AV-DIFF: hybrid attention over audio and video tokens, and features of novel classes by diffusion from their words.

Mercea et al. 2023, "Text-to-feature diffusion for audio-visual few-shot learning". Where the paper is silent, what its
published code does is the default unless a parameter says otherwise: ``Inputs.normalise``, ``Encoding.count_padding``,
``Training.frozen_mode`` and ``Training.gamma`` have that code's choice as an option. Its mixed-up word vectors are
``words="permuted"``. Not offered: its search of gamma on the test clips, and an optimiser kept through both substages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mgcl.methods.audio_visual._sizes import Adversary, Chain, Encoding, Head, Layers
from mgcl.methods.recogniser import Inputs, Shapes, Training, Words, columns_read

if TYPE_CHECKING:
    from torch import nn

VERSION = 1


@dataclass(frozen=True)
class Parameters:
    """Parts of the model; the fields of the parts are its options."""

    words: Words = "own"
    """What the generator is conditioned on (AV-DIFF Table 6: "own" and "prototypes")."""
    generator: Literal["diffusion", "gan", "none"] = "diffusion"
    """What synthesises features of novel classes (AV-DIFF Table 4); "none": they learn from real clips alone."""
    encoding: Encoding = field(default_factory=Encoding)
    layers: Layers = field(default_factory=Layers)
    head: Head = field(default_factory=Head)
    chain: Chain = field(default_factory=Chain)
    adversary: Adversary = field(default_factory=Adversary)
    inputs: Inputs = field(default_factory=Inputs)
    training: Training = field(default_factory=Training)

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns of a bank; word vectors only if the generator is conditioned on a class's own or another's."""
        return self.inputs.reads if self.generator == "none" else columns_read(self.inputs, self.words)


def build(shapes: Shapes, parameters: Parameters) -> nn.Module:
    """Make the model."""
    from mgcl.methods.audio_visual._classifier import classifier
    from mgcl.methods.audio_visual._diffusion import Diffusion
    from mgcl.methods.audio_visual._gan import Gan
    from mgcl.methods.audio_visual._transformer import HybridTrunk

    trunk = HybridTrunk(shapes, parameters.encoding, parameters.layers)
    model = classifier(trunk, parameters.encoding.width, shapes, parameters.head)
    # Made last, so that rows with different generators begin with the same trunk and head.
    if parameters.generator == "diffusion":
        model.generator = Diffusion(parameters.head.out, shapes.words, parameters.chain)
    elif parameters.generator == "gan":
        model.generator = Gan(parameters.head.out, shapes.words, parameters.adversary)
    return model
