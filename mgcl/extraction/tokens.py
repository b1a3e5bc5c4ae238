"""Tokens of videos: the sound's from overlapping windows of an audio backbone, the picture's from a visual backbone."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mgcl.backbones.backbone import AudioFeatures, Backbone, Facts
from mgcl.backbones.visual.visual_backbone import STEP, VisualBackbone
from mgcl.catalogue import load
from mgcl.data.dataset import AudioFile
from mgcl.errors import BackboneError, DataError
from mgcl.extraction.ahead import decoded_ahead
from mgcl.extraction.plan import BATCH, batches
from mgcl.extraction.windows import windows
from mgcl.features.columns import Floats, Ragged
from mgcl.video.picture import Steps
from mgcl.video.reading import Decoded, decode

VERSION = 1
"""Version of the tokens. Increase it whenever the same videos and weights give other numbers."""

_AUDIO_STEP = 0.96
"""Seconds that an audio token should cover, as VGGish's do; as many of the backbone's segments as come closest."""
_CLIPS = 5
"""Videos per batch: decoded frames of long ones are large."""


class Pair:
    """An audio backbone with a visual backbone beside it. Facts other than name and fingerprint are the audio one's."""

    def __init__(self, audio: Backbone, visual: VisualBackbone) -> None:
        self.audio, self.visual = audio, visual
        self.name = f"{audio.name} + {visual.name}"
        self.fingerprint = f"{audio.fingerprint} + {visual.fingerprint}, tokens {VERSION}"
        self.embedding_dim, self.logit_scale = audio.embedding_dim, audio.logit_scale
        self.sample_rate, self.seconds = audio.sample_rate, audio.seconds
        self.segments, self.segment_seconds, self.captions = audio.segments, audio.segment_seconds, audio.captions
        _refuse_visual_outputs(visual)

    def embed_audio(self, waveforms: Float[Tensor, "b samples"]) -> AudioFeatures:
        """Embed clips with the audio backbone."""
        return self.audio.embed_audio(waveforms)

    def embed_text(self, sentences: Sequence[str]) -> Float[Tensor, "k d"]:
        """Embed sentences with the audio backbone."""
        return self.audio.embed_text(sentences)


@dataclass(frozen=True)
class EmbeddedVideos:
    """Tokens of the videos of a shard, in the shard's order.

    Attributes:
        clip_ids: ids of the embedded videos.
        audio: audio tokens, of dimension d; a video without sound has none.
        video: visual tokens, of the visual backbone's dimension; a video without picture has none.
        left_out: clip id -> error, for videos that could not be decoded.
    """

    clip_ids: tuple[str, ...]
    audio: Ragged
    video: Ragged
    left_out: dict[str, str]


def load_visual(name: str, weights: str | None, device: str) -> VisualBackbone:
    """Load a visual backbone of the catalogue.

    Raises:
        BackboneError: the weights cannot be loaded.
    """
    loaded: VisualBackbone = load("visual_backbone", name).load(weights, device)
    return loaded


def audio_group(about: Facts) -> int:
    """Number of segments of an audio backbone that are averaged into one token."""
    return max(1, round(_AUDIO_STEP / about.segment_seconds))


def embed_videos(
    files: Sequence[AudioFile],
    pair: Pair,
    decoders: Executor,
    turn: AbstractContextManager[object] | None = None,
) -> EmbeddedVideos:
    """Embed videos. Those that cannot be decoded are left out.

    Args:
        files: videos to embed.
        pair: backbones that embed them.
        decoders: threads that decode while the backbones work.
        turn: lock that is held while the backbones work, if several shards share them.

    Raises:
        BackboneError: a token is NaN or infinite; names the clip.
    """
    steps = Steps(STEP, pair.visual.frames_per_step, pair.visual.prepare)

    def decoded(file: AudioFile) -> Decoded:
        return decode(file.path, steps, sample_rate=pair.sample_rate, channels=file.channels)

    left_out: dict[str, str] = {}
    audio: dict[str, Floats] = {}
    video: dict[str, Floats] = {}
    for batch in decoded_ahead(files, decoded, decoders, size=_CLIPS):
        left_out |= {file.clip_id: str(each) for file, each in batch if isinstance(each, DataError)}
        there = {file.clip_id: each for file, each in batch if not isinstance(each, DataError)}
        with turn or nullcontext():
            audio |= dict(zip(there, _audio_tokens([each.waveform for each in there.values()], pair), strict=True))
            video |= {clip_id: _video_tokens(each.frames, pair.visual) for clip_id, each in there.items()}
        for clip_id in there:
            if not (np.isfinite(audio[clip_id]).all() and np.isfinite(video[clip_id]).all()):
                raise BackboneError(f"{pair.name}: embeds {clip_id} as NaN or infinity; fetch its weights again")
    return EmbeddedVideos(
        tuple(audio), _joined(audio, pair.embedding_dim), _joined(video, pair.visual.token_dim), left_out
    )


def _audio_tokens(waveforms: Sequence[NDArray[np.float32] | None], pair: Pair) -> list[Floats]:
    """Audio tokens of several videos, each of shape (tokens, d). Windows of all are embedded in batches."""
    cut = [None if each is None else windows(each, pair) for each in waveforms]
    every = [window for each in cut if each is not None for window in each[0]]
    segments = [
        pair.audio.embed_audio(torch.from_numpy(np.stack(batch))).segments.numpy() for batch in batches(every, BATCH)
    ]
    embedded = iter(np.concatenate(segments)) if segments else iter(())
    tokens = []
    for each in cut:
        if each is None:
            tokens.append(np.empty((0, pair.embedding_dim), np.float32))
            continue
        own = np.stack([next(embedded) for _ in each[0]])
        tokens.append(_averaged(own[each[1][:, 0], each[1][:, 1]], audio_group(pair)))
    return tokens


def _joined(tokens: Mapping[str, Floats], dim: int) -> Ragged:
    return Ragged.of([*tokens.values()]) if tokens else Ragged(np.empty((0, dim), np.float32), np.zeros(1, np.int64))


def _averaged(segments: Floats, size: int) -> Floats:
    """Means of groups of consecutive segments; the last group may be smaller."""
    starts = np.arange(0, len(segments), size)
    sizes = np.diff([*starts, len(segments)])[:, None]
    return np.asarray(np.add.reduceat(segments, starts, axis=0) / sizes, np.float32)


def _video_tokens(frames: NDArray[np.uint8] | None, visual: VisualBackbone) -> Floats:
    if frames is None:
        return np.empty((0, visual.token_dim), np.float32)
    return np.asarray(visual.embed(frames).numpy(), np.float32)


def _refuse_visual_outputs(visual: VisualBackbone) -> None:
    """Check a visual backbone's tokens of noise and of a black picture.

    Raises:
        BackboneError: a token is not finite, has another shape than the backbone states, or is the same for both.
    """
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    prepared = [visual.prepare(each) for each in (noise, np.zeros_like(noise))]
    tokens = visual.embed(np.stack([np.stack([each] * visual.frames_per_step) for each in prepared]))
    if tokens.shape != (2, visual.token_dim):
        raise BackboneError(
            f"{visual.name}: gives tokens of shape {tuple(tokens.shape)}, not (2, {visual.token_dim}); "
            "choose other weights"
        )
    if not tokens.isfinite().all() or torch.equal(tokens[0], tokens[1]):
        raise BackboneError(
            f"{visual.name}: embeds noise and a black picture as one, or as NaN; fetch its weights again"
        )
