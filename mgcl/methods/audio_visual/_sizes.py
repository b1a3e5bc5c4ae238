"""Sizes and settings of the parts that recognisers share, as records; they load without torch.

Defaults are those for the generated data set, a sixth of the published sizes; see ``mgcl.methods.variants``.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from mgcl.parameters import check_fields, check_ranges

Pattern = Literal["self", "cross", "full"]
Attention = Literal["hybrid", "full", "cross", "self", "alternate"]
"""Patterns of a stack of layers: "hybrid" is self, then full; "alternate" is self and full by turns."""


def _named(name: str, default: Any) -> Any:
    """A field with another name in keys, tags and options, where the records' fields stand side by side."""
    return field(default=default, metadata={"flat": name})


def check_dropout(rate: float) -> None:
    """Refuse a dropout outside 0..1.

    Raises:
        ValueError: it is; the message has the value.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"a dropout must be in 0..1, below 1, got {rate}")


@dataclass(frozen=True)
class Encoding:
    """Sizes of the token encoders.

    Attributes:
        width: d, dimension of an encoded token.
        hidden: dimension of the encoders' hidden layer.
        dropout: after each of an encoder's layers.
        position: dimension of a token's time, and of its modality; even.
        position_dropout: after the map of token and time.
        fourier_scale: standard deviation of the frequencies, in Hz.
        count_padding: whether batch norm counts padded places, as in the published code.
    """

    width: int = 64
    hidden: int = _named("encoder_hidden", 64)
    dropout: float = _named("encoder_dropout", 0.1)
    position: int = _named("position_width", 32)
    position_dropout: float = 0.1
    fourier_scale: float = 10.0
    count_padding: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, at_least_one=("width", "hidden"), positive=("fourier_scale",))
        check_dropout(self.dropout)
        if self.position < 2 or self.position % 2:
            raise ValueError(f"position_width must be even and at least 2, got {self.position}")


@dataclass(frozen=True)
class Layers:
    """Sizes of a stack of transformer layers.

    Attributes:
        attention: patterns of the layers.
        depth: L, number of layers. 4 is the least at which no two patterns are the same function.
        change: Z, number of layers with self attention, of "hybrid". Only the classification token leaves the last
            layer, and it attends to all places in every pattern, so ``depth - 1`` is self attention, as ``depth`` is.
        heads: number of heads.
        head_dim: dimension of a head; logits are scaled by head_dim^-0.5.
        mlp: hidden dimension of a layer's MLP.
        dropout: after attention, and in and after the MLP.
    """

    attention: Attention = "hybrid"
    depth: int = 4
    change: int = 2
    heads: int = 4
    head_dim: int = 16
    mlp: int = 128
    dropout: float = _named("transformer_dropout", 0.1)

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, at_least_one=("depth", "heads", "head_dim", "mlp"), at_least_zero=("change",))
        check_dropout(self.dropout)
        if self.change > self.depth:
            raise ValueError(f"change must be at most the depth, {self.depth}, got {self.change}")

    @property
    def patterns(self) -> list[Pattern]:
        """Pattern of each layer."""
        if self.attention == "hybrid":
            return ["self" if layer < self.change else "full" for layer in range(self.depth)]
        if self.attention == "alternate":
            return ["full" if layer % 2 else "self" for layer in range(self.depth)]
        return [self.attention] * self.depth


@dataclass(frozen=True)
class Head:
    """Sizes of the projection before the linear classifier.

    Attributes:
        hidden: dimension of its hidden layer.
        out: dimension of the classified features, which a generator synthesises.
        dropout: after each of its layers.
    """

    hidden: int = _named("head_hidden", 64)
    out: int = _named("feature_width", 32)
    dropout: float = _named("head_dropout", 0.1)

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, at_least_one=("hidden", "out"))
        check_dropout(self.dropout)


@dataclass(frozen=True)
class Chain:
    """A diffusion process in feature space.

    Attributes:
        steps: T.
        first: beta of the first step.
        last: beta of the last step; between them it is linear.
        hidden: hidden dimension of the noise predictor.
        dropout: of its hidden layer.
        time_input: what it takes as time: the step's number, as printed, or the number / T.
        last_noise: whether the last step adds noise too, as the published code does.
        sampling_gradient: whether the loss of a synthesised feature trains the chain that made it.
        detach_target: whether the features that the process learns are constants to its loss.
    """

    steps: int = _named("diffusion_steps", 50)
    first: float = _named("beta_first", 1e-4)
    last: float = _named("beta_last", 0.02)
    hidden: int = _named("diffusion_hidden", 64)
    dropout: float = _named("diffusion_dropout", 0.0)
    time_input: Literal["raw", "fraction"] = "raw"
    last_noise: bool = True
    sampling_gradient: bool = True
    detach_target: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, at_least_one=("steps", "hidden"), positive=("first", "last"))
        check_dropout(self.dropout)
        if max(self.first, self.last) >= 1:
            raise ValueError(f"beta_first and beta_last must be below 1, got {self.first} and {self.last}")


@dataclass(frozen=True)
class Adversary:
    """Sizes and settings of a GAN.

    Attributes:
        latent: dimension of the latent vector.
        hidden: hidden dimension of generator and critic.
        critic_steps: steps of the critic for one of the generator.
        penalty: weight of the gradient penalty; 0: the critic's weights are clipped to ``clip`` instead.
        clip: as in the first WGAN (Arjovsky et al. 2017).
    """

    latent: int = _named("gan_latent", 32)
    hidden: int = _named("gan_hidden", 64)
    critic_steps: int = 5
    penalty: float = _named("gradient_penalty", 10.0)
    clip: float = _named("critic_clip", 0.01)

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(
            self, at_least_one=("latent", "hidden", "critic_steps"), at_least_zero=("penalty",), positive=("clip",)
        )


@dataclass(frozen=True)
class Heads:
    """Sizes of attention blocks.

    Attributes:
        heads: number of heads.
        head_dim: dimension of a head.
        dropout: after attention and MLPs.
    """

    heads: int = 4
    head_dim: int = 16
    dropout: float = _named("transformer_dropout", 0.1)

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, at_least_one=("heads", "head_dim"))
        check_dropout(self.dropout)


@dataclass(frozen=True)
class Sharing:
    """How two transformers share tokens.

    Attributes:
        depth: number of layers.
        fusion_layer: first layer that shares tokens, counted from 0; at ``depth`` the modalities never meet.
        tokens: number of shared tokens.
    """

    depth: int = 3
    fusion_layer: int = 1
    tokens: int = _named("bottleneck_tokens", 4)

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, at_least_one=("depth", "tokens"), at_least_zero=("fusion_layer",))


@dataclass(frozen=True)
class Windows:
    """Windows of a clip.

    Attributes:
        training: number of windows per clip in training, at random places.
        testing: number of windows in tests, spread evenly.
        share: length of a window, as a share of the clip's.
    """

    training: int = _named("train_windows", 4)
    testing: int = _named("test_windows", 10)
    share: float = _named("window_share", 0.5)

    def __post_init__(self) -> None:
        check_fields(self)
        check_ranges(self, at_least_one=("training", "testing"), positive=("share",))
        if self.share > 1:
            raise ValueError(f"window_share must be at most 1, got {self.share}")
