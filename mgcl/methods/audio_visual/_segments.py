"""Clips as several windows, each a vector of its mean tokens, and a classifier of windows: TSL."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mgcl.methods.audio_visual._classifier import Classifier
from mgcl.methods.audio_visual._layers import mlp
from mgcl.methods.audio_visual._sizes import Encoding, Windows
from mgcl.methods.recogniser import Batch, Clips, Shapes, Tokens


class Segments(nn.Module):
    """An MLP of [mean audio token; mean video token] of each window.

    In training windows begin anywhere; in eval mode they are spread evenly.
    """

    def __init__(self, shapes: Shapes, encoding: Encoding, windows: Windows) -> None:
        super().__init__()
        self.windows = windows
        self.layers = mlp((shapes.audio + shapes.video, encoding.hidden, encoding.width), encoding.dropout)

    def forward(self, clips: Clips) -> Float[Tensor, "b s d"]:
        """Vectors of the windows."""
        both = (clips.audio, clips.video)
        last = torch.cat([each.seconds * each.present for each in both], 1).amax(1)
        length = self.windows.share * last
        if self.training:
            place = torch.rand(len(last), self.windows.training, device=last.device)
        else:
            place = torch.linspace(0, 1, self.windows.testing, device=last.device).expand(len(last), -1)
        start = place * (last - length)[:, None]
        means = torch.cat([_window_means(each, start, length) for each in both], -1)
        out: Tensor = self.layers(means.flatten(0, 1)).view(*means.shape[:2], -1)
        return out


def _window_means(tokens: Tokens, start: Float[Tensor, "b s"], length: Float[Tensor, "b"]) -> Float[Tensor, "b s d"]:
    """Mean of the tokens that begin in each window; 0 without any."""
    seconds = tokens.seconds[None, None]
    inside: Bool[Tensor, "b s n"] = (seconds >= start[..., None] - 1e-4) & tokens.present[:, None]
    inside = inside & (seconds <= (start + length[:, None])[..., None] + 1e-4)
    weights = inside.to(tokens.values.dtype)
    return weights @ tokens.values / weights.sum(-1, keepdim=True).clamp(min=1)


class SegmentClassifier(Classifier):
    """Classifier of single windows; a clip's score is the logarithm of its windows' mean probability."""

    def scores(self, embedded: Float[Tensor, "b s e"], words: Float[Tensor, "c w"]) -> Float[Tensor, "b c"]:
        """Logarithms of mean probabilities."""
        logits = super().scores(embedded.flatten(0, 1), words).view(*embedded.shape[:2], -1)
        return logits.softmax(-1).mean(1).log()

    def features(self, embedded: Float[Tensor, "b s e"]) -> Float[Tensor, "b dim"]:
        """What is classified of each clip's first window, because windows are what is synthesised."""
        return super().features(embedded[:, 0])

    def losses(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """The losses of a batch of windows."""
        labels = batch.labels.repeat_interleave(batch.embedded.shape[1])
        return super().losses(replace(batch, embedded=batch.embedded.flatten(0, 1), labels=labels))
