"""EfficientAT's network: MobileNetV3-large on spectrograms (Howard et al., ICCV 2019; Schmid et al., ICASSP 2023).

Parameters have the names of the published checkpoints: torchvision's, except for ``conc_se_layers`` in the gates.
"""

from typing import NamedTuple, cast

from jaxtyping import Float
from torch import Tensor, nn

STRIDE = 32
"""Frames per time step: five strides of 2."""
_HEAD = 1280
"""Width of the classifier's hidden layer at width 1."""


class _Block(NamedTuple):
    """An inverted residual block at width 1."""

    kernel: int
    expanded: int
    out: int
    gated: bool
    activation: type[nn.Module]
    stride: int


_BLOCKS = (
    _Block(3, 16, 16, False, nn.ReLU, 1),
    _Block(3, 64, 24, False, nn.ReLU, 2),
    _Block(3, 72, 24, False, nn.ReLU, 1),
    _Block(5, 72, 40, True, nn.ReLU, 2),
    _Block(5, 120, 40, True, nn.ReLU, 1),
    _Block(5, 120, 40, True, nn.ReLU, 1),
    _Block(3, 240, 80, False, nn.Hardswish, 2),
    _Block(3, 200, 80, False, nn.Hardswish, 1),
    _Block(3, 184, 80, False, nn.Hardswish, 1),
    _Block(3, 184, 80, False, nn.Hardswish, 1),
    _Block(3, 480, 112, True, nn.Hardswish, 1),
    _Block(3, 672, 112, True, nn.Hardswish, 1),
    _Block(5, 672, 160, True, nn.Hardswish, 2),
    _Block(5, 960, 160, True, nn.Hardswish, 1),
    _Block(5, 960, 160, True, nn.Hardswish, 1),
)


class MobileNet(nn.Module):
    """Tagger of log-mel spectrograms.

    Args:
        width: factor on every number of channels: 0.4 for mn04, 1 for mn10.
        classes: number of classes that are scored.
    """

    def __init__(self, width: float, classes: int) -> None:
        super().__init__()
        channels = _channels(16, width)
        layers: list[nn.Module] = [_convolution(1, channels, 3, activation=nn.Hardswish, stride=2)]
        for block in _BLOCKS:
            layers.append(_InvertedResidual(channels, block, width))
            channels = _channels(block.out, width)
        self.width = 6 * channels
        self.features = nn.Sequential(*layers, _convolution(channels, self.width, 1, activation=nn.Hardswish))
        hidden = _channels(_HEAD, width)
        # The identities stand for published layers without weights, so that the other layers keep their numbers.
        self.classifier = nn.Sequential(
            nn.Identity(),
            nn.Identity(),
            nn.Linear(self.width, hidden),
            nn.Hardswish(),
            nn.Identity(),
            nn.Linear(hidden, classes),
        )

    def steps(self, spectrograms: Float[Tensor, "b mels time"]) -> Float[Tensor, "b n width"]:
        """Return the features of the time steps: means over frequency. The clip's features are their mean over time."""
        maps: Tensor = self.features(spectrograms.unsqueeze(1))
        return maps.mean(2).mT

    def scores(self, features: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch classes"]:
        """Return the logits of the classes."""
        logits: Tensor = self.classifier(features)
        return logits


def width_of(hidden: int) -> float:
    """Width factor of the network whose classifier has ``hidden`` units in its hidden layer.

    >>> width_of(512), width_of(1280)
    (0.4, 1.0)
    """
    return hidden / _HEAD


def _channels(count: int, width: float) -> int:
    """Number of channels: the multiple of 8 closest to ``count * width``, and at least 90 % of it."""
    return _divisible(count * width)


def _divisible(wanted: float) -> int:
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def _convolution(
    channels: int, out: int, kernel: int, *, activation: type[nn.Module], stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out, eps=0.001, momentum=0.01),
        activation(),
    )


class _InvertedResidual(nn.Module):
    """Inverted residual block: widen, convolve depthwise, gate the channels, narrow.

    The input is added where the block keeps its shape.
    """

    def __init__(self, channels: int, block: _Block, width: float) -> None:
        super().__init__()
        expanded, out = _channels(block.expanded, width), _channels(block.out, width)
        layers: list[nn.Module] = []
        if expanded != channels:
            layers.append(_convolution(channels, expanded, 1, activation=block.activation))
        layers.append(
            _convolution(
                expanded, expanded, block.kernel, activation=block.activation, stride=block.stride, groups=expanded
            )
        )
        if block.gated:
            layers.append(_Gates(expanded))
        layers.append(_convolution(expanded, out, 1, activation=nn.Identity))
        self.block = nn.Sequential(*layers)
        self._residual = block.stride == 1 and channels == out

    def forward(self, maps: Float[Tensor, "b channels mels time"]) -> Float[Tensor, "b out mels2 time2"]:
        """Return the block's maps; they are half as large where the stride is 2."""
        changed: Tensor = self.block(maps)
        return changed + maps if self._residual else changed


class _Gates(nn.Module):
    """Squeeze and excitation of the channels (Hu et al., CVPR 2018).

    Published checkpoints have a list of gates; it has this one entry.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = _divisible(channels / 4)
        gate = {"fc1": nn.Linear(channels, squeezed), "fc2": nn.Linear(squeezed, channels)}
        self.conc_se_layers = nn.ModuleList([nn.ModuleDict(gate)])

    def forward(self, maps: Float[Tensor, "b channels mels time"]) -> Float[Tensor, "b channels mels time"]:
        """Return the maps with every channel multiplied by its gate, a number from 0 to 1 computed from the clip."""
        gate = cast(nn.ModuleDict, self.conc_se_layers[0])
        open_: Tensor = gate["fc2"](gate["fc1"](maps.mean((2, 3))).relu()).sigmoid()
        return maps * open_[..., None, None]
