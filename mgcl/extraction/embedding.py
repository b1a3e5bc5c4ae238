"""Embed clips and sentences with a backbone. Threads decode the next clips while it works."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch

from mgcl.audio.decoding import opened as opened_path
from mgcl.audio.excerpt import excerpt
from mgcl.audio.recording import Recording
from mgcl.backbones.backbone import AudioFeatures, Backbone
from mgcl.catalogue import load
from mgcl.data._streamed.listing import StreamedClip
from mgcl.data.dataset import AudioFile
from mgcl.errors import BackboneError, DataError
from mgcl.extraction.ahead import decoded_ahead
from mgcl.extraction.plan import BATCH, batches
from mgcl.extraction.windows import backbone_in
from mgcl.features.columns import Floats
from mgcl.features.mel_statistics import mel_statistics
from mgcl.window import Window

_Clip = TypeVar("_Clip", AudioFile, StreamedClip)


def load_exact(backbone: str, weights: str | None, device: str) -> Backbone:
    """Load a backbone of the catalogue so that its embeddings are the same in every process.

    Settings of the whole process change: torch gets one thread if the device is a CPU, and TF32 is disabled.

    Args:
        backbone: name of the backbone.
        weights: weights of the backbone, as its ``load`` takes them.
        device: a torch device.

    Raises:
        BackboneError: the weights cannot be loaded.
    """
    if device == "cpu":
        torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    loaded: Backbone = load("backbone", backbone).load(weights, device)
    return loaded


@dataclass(frozen=True)
class Embedded:
    """Embeddings of the clips of a shard, in the shard's order.

    Attributes:
        clip_ids: ids of the embedded clips.
        clip: clip embeddings, shape (clips, d).
        segments: segment embeddings, shape (clips, segments, d).
        mel_statistics: mel statistics, shape (clips, statistics).
        left_out: clip id -> error, for clips that could not be decoded.
    """

    clip_ids: tuple[str, ...]
    clip: Floats
    segments: Floats
    mel_statistics: Floats
    left_out: dict[str, str]


def _opened_file(file: Any) -> AbstractContextManager[Recording]:
    return opened_path(file.path)


def embed_clips(
    files: Sequence[_Clip],
    backbone: Backbone,
    decoders: Executor,
    turn: AbstractContextManager[object] | None = None,
    window: Window | None = None,
    opened: Callable[[_Clip], AbstractContextManager[Recording]] = _opened_file,
) -> Embedded:
    """Embed clips in batches of ``BATCH``. Clips that cannot be decoded are left out.

    Args:
        files: clips to embed.
        backbone: backbone that embeds them.
        decoders: threads that decode, resample and compute mel statistics while the backbone works.
        turn: lock that is held while the backbone works, if several shards share it.
        window: window of the data set's protocol; None: the backbone's own, filled by repetition.
        opened: function that opens the audio file of a clip.

    Raises:
        BackboneError: an embedding is NaN or infinite; names the clip.
    """
    backbone, protocol = backbone_in(backbone, window), window or Window(backbone.seconds)

    def decode(file: _Clip) -> Floats:
        with opened(file) as recording:
            cut = excerpt(
                recording,
                clip_id=file.clip_id,
                sample_rate=backbone.sample_rate,
                seconds=backbone.seconds,
                channels=file.channels,
                start=file.start or 0.0,
                end=file.end,
                short=protocol.short,
                long=protocol.long,
            )
        return cut.audible().waveform

    left_out: dict[str, str] = {}
    clip_ids: list[str] = []
    clips, segments = [], []
    statistics: list[Future[Floats]] = []
    for batch in decoded_ahead(files, decode, decoders, size=BATCH):
        decoded = {file.clip_id: each for file, each in batch if not isinstance(each, DataError)}
        left_out |= {file.clip_id: str(each) for file, each in batch if isinstance(each, DataError)}
        if not decoded:
            continue
        clip_ids += decoded
        waveforms = np.stack(list(decoded.values()))
        statistics.append(decoders.submit(mel_statistics, waveforms, backbone.sample_rate))
        with turn or nullcontext():
            features = backbone.embed_audio(torch.from_numpy(waveforms))
        _refuse_not_finite(features, tuple(decoded), backbone.name)
        clips.append(features.clip.numpy())
        segments.append(features.segments.numpy())
    d = backbone.embedding_dim
    return Embedded(
        tuple(clip_ids),
        np.concatenate(clips) if clips else np.empty((0, d), np.float32),
        np.concatenate(segments) if segments else np.empty((0, backbone.segments, d), np.float32),
        np.concatenate([each.result() for each in statistics]) if statistics else np.empty((0, 0), np.float32),
        left_out,
    )


def _refuse_not_finite(features: AudioFeatures, clip_ids: Sequence[str], name: str) -> None:
    finite = features.clip.isfinite().all(-1) & features.segments.isfinite().all(-1).all(-1)
    if not finite.all():
        clip_id = clip_ids[int((~finite).nonzero()[0])]
        raise BackboneError(f"{name}: embeds the clip {clip_id} as NaN or infinity; fetch its weights again")


def embed_sentences(sentences: Sequence[str], backbone: Backbone) -> Floats:
    """Embed sentences in batches of ``BATCH``. The result has shape (sentences, d)."""
    return np.concatenate([backbone.embed_text(batch).numpy() for batch in batches(sentences, BATCH)])
