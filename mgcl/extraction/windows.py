"""Windows of another length than the backbone's: cut a waveform into the backbone's windows, and join what they give.

The window of a data set's protocol may be longer than a backbone's, or shorter. A longer one is embedded at once if the
model takes it (``native_seconds``), else covered by windows, side by side or overlapping. A shorter one is filled to
the backbone's length as the protocol fills short clips; segments of the filling are dropped. A window of the backbone's
own length changes nothing.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray

from mgcl.audio.excerpt import fit_length
from mgcl.backbones.backbone import AudioFeatures, Backbone, Facts, facts_json
from mgcl.extraction.plan import BATCH
from mgcl.features.columns import Floats
from mgcl.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from torch import Tensor


def windows(waveform: NDArray[np.float32], about: Facts, short: str = "repeat") -> tuple[Floats, NDArray[np.intp]]:
    """Cut a waveform of any length into a backbone's windows, and find every segment's place in them.

    The windows lie at equal distances from the beginning to the end, and each segment is taken from the window in whose
    middle it comes closest to lie. A waveform that is shorter than a window is filled to its length.

    Args:
        waveform: shape (samples,), at the backbone's sample rate.
        about: facts about the backbone.
        short: what fills a waveform that is shorter than a window: "repeat" or "zeros".

    Returns:
        Windows of shape (windows, samples of a window); and for every segment that fits into the waveform its window
        and its number in it, shape (segments, 2).
    """
    length = round(about.seconds * about.sample_rate)
    segment = about.segment_seconds * about.sample_rate
    count, each = max(1, int(len(waveform) / segment + 1e-6)), about.segments
    if count <= each:
        filled = fit_length(waveform[:length], length, clip_id="", short=short)
        return filled[None], np.stack([np.zeros(count, np.intp), np.arange(count)], axis=1)
    starts = np.linspace(0, count - each, -(-count // each)).round().astype(np.intp)
    padded = np.concatenate([waveform, np.zeros(length, np.float32)])
    cut = np.stack([padded[(first := round(start * segment)) : first + length] for start in starts.tolist()])
    centres = np.arange(count) + 0.5
    nearest = np.abs(centres[:, None] - (starts + each / 2)).argmin(axis=1)
    return cut, np.stack([nearest, np.arange(count) - starts[nearest]], axis=1)


def facts_in(about: Facts, window: Window | None) -> Facts:
    """Facts about a backbone that embeds a protocol's window; None, or one of its own length: the backbone's own."""
    if window is None or window.seconds == about.seconds:
        return about
    _, places = windows(np.zeros(round(window.seconds * about.sample_rate), np.float32), about)
    return cast("Facts", SimpleNamespace(**{**facts_json(about), "seconds": window.seconds, "segments": len(places)}))


def backbone_in(backbone: Backbone, window: Window | None) -> Backbone:
    """A backbone that embeds a protocol's window; None, or one of its own length: the backbone itself."""
    if window is None or window.seconds == backbone.seconds:
        return backbone
    return cast("Backbone", _Windowed(backbone, window))


class _Windowed:
    """Backbone that embeds waveforms of a protocol's window with another backbone."""

    def __init__(self, backbone: Backbone, window: Window) -> None:
        self._backbone, self._short = backbone, window.short
        longest: float = getattr(backbone, "native_seconds", backbone.seconds)
        self._at_once = facts_in(backbone, Window(max(backbone.seconds, min(window.seconds, longest))))
        for name, value in facts_json(facts_in(backbone, window)).items():
            setattr(self, name, value)

    def embed_audio(self, waveforms: Float[Tensor, "b samples"]) -> AudioFeatures:
        """Segments of all windows in their order; the clip's vector is the mean of its windows' unit vectors."""
        cut = [windows(each, self._at_once, self._short) for each in waveforms.numpy()]
        (count, _), places = cut[0][0].shape, torch.from_numpy(cut[0][1])
        every = torch.from_numpy(np.concatenate([each for each, _ in cut]))
        found = [self._backbone.embed_audio(batch) for batch in torch.split(every, BATCH)]
        clips = torch.cat([each.clip for each in found]).reshape(len(cut), count, -1)
        steps = self._at_once.segments
        segments = torch.cat([each.segments[:, :steps] for each in found]).reshape(len(cut), count, steps, -1)
        clip = clips[:, 0] if count == 1 else torch.nn.functional.normalize(clips, dim=-1).mean(1)
        return AudioFeatures(segments[:, places[:, 0], places[:, 1]], clip)

    def embed_text(self, sentences: Sequence[str]) -> Float[Tensor, "k d"]:
        """Embed sentences with the backbone itself."""
        return self._backbone.embed_text(sentences)
