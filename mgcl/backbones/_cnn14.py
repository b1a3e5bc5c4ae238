"""CNN14 (PANNs; Kong et al. 2020), the audio tower of MS-CLAP 2022. Parameters have the names of the checkpoint."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torchlibrosa import LogmelFilterBank, Spectrogram

HOP = 320
STEP = HOP * 2**5
"""Samples between consecutive time steps. Five of the six blocks halve time."""
_BLOCKS = range(1, 7)


class Cnn14(nn.Module):
    """Waveform -> log-mel spectrogram -> six blocks of convolutions -> one vector per time step.

    The window's transform and the mel filters are parameters, so their values come from the checkpoint.

    Args:
        window: length of the spectrogram's window, in samples.
        mels: number of mel bands.
        channels: output channels of the six blocks; 64, 128, ... 2048 as published.
        width: length of a time step's vector.
    """

    def __init__(self, *, window: int, mels: int, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.width = width
        self.spectrogram_extractor = Spectrogram(window, HOP)
        self.logmel_extractor = LogmelFilterBank(n_fft=window, n_mels=mels, top_db=None)
        self.bn0 = nn.BatchNorm2d(mels)
        for block, (narrow, wide) in zip(_BLOCKS, pairwise((1, *channels)), strict=True):
            self.add_module(f"conv_block{block}", ConvBlock(narrow, wide, pooling=1 if block == _BLOCKS[-1] else 2))
        self.fc1 = nn.Linear(channels[-1], width)

    def forward(
        self, waveforms: Float[Tensor, "b samples"]
    ) -> tuple[Float[Tensor, "b n width"], Float[Tensor, "b width"]]:
        """Return the vectors of the time steps (``STEP`` samples each) and of the whole clip.

        The clip is pooled as published: maximum plus mean over time, then a linear layer and a ReLU. A time step is
        pooled as a clip that consists of this step alone: twice the step, then the same layer.
        """
        log_mel = self.logmel_extractor(self.spectrogram_extractor(waveforms))
        maps = self.bn0(log_mel.transpose(1, 3)).transpose(1, 3)
        for block in _BLOCKS:
            maps = self.get_submodule(f"conv_block{block}")(maps)
        steps = maps.mean(3).transpose(1, 2)
        clip = steps.amax(1) + steps.mean(1)
        return F.relu(self.fc1(2 * steps)), F.relu(self.fc1(clip))


class ConvBlock(nn.Module):
    """Two 3 x 3 convolutions, then average pooling over squares of ``pooling`` x ``pooling``."""

    def __init__(self, narrow: int, wide: int, *, pooling: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(narrow, wide, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(wide)
        self.conv2 = nn.Conv2d(wide, wide, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(wide)
        self.pooling = pooling

    def forward(self, maps: Float[Tensor, "b narrow time mels"]) -> Float[Tensor, "b wide fewer_times fewer_mels"]:
        """Return maps whose time and frequency axes are shorter by the factor ``pooling``, rounded down."""
        maps = F.relu(self.bn1(self.conv1(maps)))
        return F.avg_pool2d(F.relu(self.bn2(self.conv2(maps))), self.pooling)


def sized(state: Mapping[str, Tensor]) -> Cnn14:
    """Build a CNN14 with random weights, in the sizes of a checkpoint's tensors.

    Raises:
        KeyError: a tensor that determines a size is missing.
    """
    return Cnn14(
        window=state["spectrogram_extractor.stft.conv_real.weight"].shape[2],
        mels=state["logmel_extractor.melW"].shape[1],
        channels=[state[f"conv_block{block}.conv2.weight"].shape[0] for block in _BLOCKS],
        width=state["fc1.weight"].shape[0],
    )
