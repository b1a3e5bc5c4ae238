"""HTSAT (Chen et al. 2022), the audio tower of MS-CLAP 2023 and MGA-CLAP: a log-mel front end, then a Swin."""

import re
from collections.abc import Mapping
from math import isqrt
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torchlibrosa import LogmelFilterBank, Spectrogram
from transformers import ClapAudioConfig, ClapAudioModel

HOP = 320
STEPS = 32
"""Time steps per waveform, whatever its length: every spectrogram is stretched to 1,024 columns."""
_STAGES = range(4)
_ENCODER = "swin.audio_encoder"

_NAMES = {
    r"^(patch_embed|layers|norm)\.": rf"{_ENCODER}.\1.",
    r"^bn0\.": f"{_ENCODER}.batch_norm.",
    r"\.norm1\.": ".layernorm_before.",
    r"\.norm2\.": ".layernorm_after.",
    r"\.attn\.proj\.": ".attention.output.dense.",
    r"\.attn\.": ".attention.self.",
    r"\.mlp\.fc1\.": ".intermediate.dense.",
    r"\.mlp\.fc2\.": ".output.dense.",
}
"""Pattern of a name in a published checkpoint -> its replacement in transformers. The order of entries matters."""


class Htsat(nn.Module):
    """Waveform -> log-mel spectrogram -> Swin transformer -> one vector per time step.

    The window's transform and the mel filters are parameters, so their values come from the checkpoint.

    Args:
        window: length of the spectrogram's window, in samples.
        config: sizes of the transformer.
        local: whether the last block passes values on instead of attending (``_LocalBlock``).
    """

    def __init__(self, window: int, config: ClapAudioConfig, *, local: bool = False) -> None:
        super().__init__()
        self.width = config.hidden_size
        self.spectrogram_extractor = Spectrogram(window, HOP)
        self.logmel_extractor = LogmelFilterBank(n_fft=window, n_mels=config.num_mel_bins, top_db=None)
        self.swin = ClapAudioModel(config)
        if local:
            encoder: Any = self.swin.audio_encoder
            blocks = encoder.layers[-1].blocks
            blocks[-1] = _LocalBlock(blocks[-1])

    def forward(
        self, waveforms: Float[Tensor, "b samples"]
    ) -> tuple[Float[Tensor, "b 32 width"], Float[Tensor, "b width"]]:
        """Return the ``STEPS`` time steps (means over frequency) and the clip, which is the mean of the time steps.

        A waveform may be at most 1,024 hops long.
        """
        log_mel = self.logmel_extractor(self.spectrogram_extractor(waveforms))
        steps = self.swin(input_features=log_mel).last_hidden_state.mean(2).transpose(1, 2)
        return steps, steps.mean(1)


class _LocalBlock(nn.Module):
    """MGA-CLAP's locality-aware block: no place attends to another, and the MLP is left out (Li et al. 2024, Sec. 3.3).

    v = x + out(value(norm1(x))), then v + norm2(v). It has the names and the weights of an attending block, whose
    queries, keys and MLP it does not use.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        for name, part in block.named_children():
            self.add_module(name, part)

    def forward(self, x: Float[Tensor, "b places width"], *_: object) -> tuple[Float[Tensor, "b places width"]]:
        """Return the values in a tuple, as transformers' block does."""
        own: Any = self  # a module's parts have no types
        v = x + own.attention.output.dense(own.attention.self.value(own.layernorm_before(x)))
        return (v + own.layernorm_after(v),)


def renamed(published: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Rename the HTSAT of a published checkpoint to ``Htsat``'s names and split its joint query-key-value tensors.

    Args:
        published: all tensors of the checkpoint; those outside the HTSAT keep their names.
        prefix: prefix of the HTSAT's new names. Its published names begin with ``prefix`` + "htsat.".
    """
    state = {}
    for name, value in published.items():
        if not name.startswith(f"{prefix}htsat."):
            state[name] = value
            continue
        own = name.removeprefix(f"{prefix}htsat.")
        for pattern, replacement in _NAMES.items():
            own = re.sub(pattern, replacement, own)
        if ".qkv." in own:
            for part, third in zip(("query", "key", "value"), value.chunk(3), strict=True):
                state[prefix + own.replace("qkv", part)] = third
        else:
            state[prefix + own] = value
    return state


def sized(state: Mapping[str, Tensor], *, local: bool = False) -> Htsat:
    """Build an HTSAT with random weights, in the sizes of a checkpoint's tensors.

    Args:
        state: the checkpoint's tensors, with the names that ``renamed`` gives.
        local: whether the last block passes values on, as MGA-CLAP's.

    Raises:
        KeyError: a tensor that determines a size is missing.
    """
    width = state[f"{_ENCODER}.patch_embed.proj.weight"].shape[0]
    layers = f"{_ENCODER}.layers"
    biases = [state[f"{layers}.{stage}.blocks.0.attention.self.relative_position_bias_table"] for stage in _STAGES]
    config = ClapAudioConfig(
        num_mel_bins=state["logmel_extractor.melW"].shape[1],
        patch_embeds_hidden_size=width,
        hidden_size=width * 2 ** _STAGES[-1],
        depths=[count_layers(state, f"{layers}.{stage}.blocks.") for stage in _STAGES],
        num_attention_heads=[bias.shape[1] for bias in biases],
        window_size=(isqrt(biases[0].shape[0]) + 1) // 2,
        mlp_ratio=state[f"{layers}.0.blocks.0.intermediate.dense.weight"].shape[0] / width,
    )
    return Htsat(state["spectrogram_extractor.stft.conv_real.weight"].shape[2], config, local=local)


def count_layers(state: Mapping[str, Tensor], prefix: str) -> int:
    """Count the layers: the different numbers that follow ``prefix`` in the names of the tensors."""
    return len({name.removeprefix(prefix).split(".")[0] for name in state if name.startswith(prefix)})
