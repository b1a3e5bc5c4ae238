"""The folder of an extraction. Files of shards are complete or absent, so that an interrupted run can be resumed."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from mgcl.backbones.backbone import Backbone
from mgcl.extraction.embedding import Embedded, embed_clips, embed_sentences
from mgcl.extraction.plan import Shard
from mgcl.extraction.tokens import EmbeddedVideos, Pair, embed_videos
from mgcl.features.columns import Floats, Numbers, Ragged
from mgcl.files import replacing
from mgcl.window import Window


@dataclass(frozen=True)
class Workbench:
    """Shards of an extraction, and the folder of the finished ones.

    Attributes:
        folder: existing folder with one file per finished shard.
        shards: all shards, whether they are finished or not.
        window: window of the data set's protocol; None: the backbone's own.
    """

    folder: Path
    shards: tuple[Shard, ...]
    window: Window | None = None

    @property
    def todo(self) -> tuple[Shard, ...]:
        """Shards whose file is missing."""
        return tuple(shard for shard in self.shards if not self._file(shard).is_file())

    @property
    def done(self) -> tuple[Shard, ...]:
        """Shards whose file is complete."""
        return tuple(shard for shard in self.shards if self._file(shard).is_file())

    def only(self, shards: Sequence[Shard]) -> "Workbench":
        """Return a workbench of the same folder for some of the shards."""
        return replace(self, shards=tuple(shards))

    def finish(
        self,
        shard: Shard,
        backbone: Backbone,
        decoders: Executor,
        turn: AbstractContextManager[object] | None = None,
    ) -> None:
        """Embed a shard and write its file; see ``embed_clips``."""
        if shard.sentences:
            self._write(shard, {"sentences": embed_sentences(shard.sentences, backbone)}, {})
            return
        if isinstance(backbone, Pair):
            videos = embed_videos(shard.files, backbone, decoders, turn)
            tokens: dict[str, NDArray[Any]] = {}
            for name, column in (("audio", videos.audio), ("video", videos.video)):
                tokens |= {name: np.asarray(column.values), f"{name}_offsets": column.offsets}
            self._write(shard, tokens, _about(videos))
            return
        clips = embed_clips(shard.files, backbone, decoders, turn, self.window)
        arrays = {"clip": clips.clip, "segments": clips.segments, "mel_statistics": clips.mel_statistics}
        self._write(shard, arrays, _about(clips))

    def left_out(self) -> dict[str, str]:
        """Return the clips of finished shards that could not be decoded: clip id -> error."""
        found: dict[str, str] = {}
        for shard in self.done:
            with safe_open(self._file(shard), "numpy") as file:
                found |= json.loads((file.metadata() or {}).get("left_out", "{}"))
        return found

    def clips(self) -> Iterator[Embedded]:
        """Yield the embeddings of the shards of clips, in order. All shards must be finished."""
        for shard in self.shards:
            if shard.files:
                with safe_open(self._file(shard), "numpy") as file:
                    about = file.metadata()
                    arrays = {name: file.get_tensor(name) for name in ("clip", "segments", "mel_statistics")}
                clip_ids = tuple(json.loads(about["clip_ids"]))
                yield Embedded(clip_ids, left_out=json.loads(about["left_out"]), **arrays)

    def videos(self) -> Iterator[EmbeddedVideos]:
        """Yield the tokens of the shards of videos, in order. All shards must be finished."""
        for shard in self.shards:
            with safe_open(self._file(shard), "numpy") as file:
                about = file.metadata()
                audio, video = (
                    Ragged(file.get_tensor(name), file.get_tensor(f"{name}_offsets")) for name in ("audio", "video")
                )
            yield EmbeddedVideos(tuple(json.loads(about["clip_ids"])), audio, video, json.loads(about["left_out"]))

    def sentences(self) -> dict[str, Floats]:
        """Return sentence -> embedding of shape (d). All shards must be finished."""
        found: dict[str, Floats] = {}
        for shard in self.shards:
            if shard.sentences:
                with safe_open(self._file(shard), "numpy") as file:
                    found |= zip(shard.sentences, file.get_tensor("sentences"), strict=True)
        return found

    def array(self, name: str, shape: tuple[int, ...], *, half: bool = False) -> Numbers:
        """Make a mapped file of zeros in the folder, for an array that grows with the data set; float16 if ``half``."""
        file, number = self.folder / f"{name}.npy", np.float16 if half else np.float32
        mapped: Numbers = np.lib.format.open_memmap(file, mode="w+", dtype=number, shape=shape)  # type: ignore[no-untyped-call]
        return mapped

    def _file(self, shard: Shard) -> Path:
        return self.folder / f"{shard.name}.safetensors"

    def _write(self, shard: Shard, arrays: dict[str, NDArray[Any]], about: dict[str, str]) -> None:
        # safetensors ignores strides and writes an array's memory as it is
        contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        with replacing(self._file(shard)) as draft:  # an actor of a killed driver may still be writing it
            save_file(contiguous, draft, metadata=about)


def _about(embedded: Embedded | EmbeddedVideos) -> dict[str, str]:
    return {"clip_ids": json.dumps(embedded.clip_ids), "left_out": json.dumps(embedded.left_out)}
