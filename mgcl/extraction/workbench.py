"""The folder of an extraction: a file per finished shard, complete or absent, so that a killed one can be resumed."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from mgcl.backbones.backbone import Backbone
from mgcl.extraction.embedding import Embedded, embed_clips, embed_sentences
from mgcl.extraction.plan import Shard
from mgcl.features.columns import Floats
from mgcl.files import replacing


@dataclass(frozen=True)
class Workbench:
    """Shards, and the folder where those that are finished lie.

    Attributes:
        folder: it must exist.
        shards: what there is to embed, in all.
    """

    folder: Path
    shards: tuple[Shard, ...]

    @property
    def todo(self) -> tuple[Shard, ...]:
        """The shards whose file is not there."""
        return tuple(shard for shard in self.shards if not self._file(shard).is_file())

    @property
    def done(self) -> tuple[Shard, ...]:
        """The shards whose file is there."""
        return tuple(shard for shard in self.shards if self._file(shard).is_file())

    def only(self, shards: Sequence[Shard]) -> "Workbench":
        """The same folder for some of the shards."""
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
        clips = embed_clips(shard.files, backbone, decoders, turn)
        arrays = {"clip": clips.clip, "segments": clips.segments, "mel_statistics": clips.mel_statistics}
        about = {"clip_ids": json.dumps(clips.clip_ids), "left_out": json.dumps(clips.left_out)}
        self._write(shard, arrays, about)

    def left_out(self) -> dict[str, str]:
        """The clips of finished shards that could not be decoded, each with why."""
        found: dict[str, str] = {}
        for shard in self.done:
            with safe_open(self._file(shard), "numpy") as file:
                found |= json.loads((file.metadata() or {}).get("left_out", "{}"))
        return found

    def clips(self) -> Iterator[Embedded]:
        """The shards of clips, one after another; all must be finished."""
        for shard in self.shards:
            if shard.files:
                with safe_open(self._file(shard), "numpy") as file:
                    about = file.metadata()
                    arrays = {name: file.get_tensor(name) for name in ("clip", "segments", "mel_statistics")}
                clip_ids = tuple(json.loads(about["clip_ids"]))
                yield Embedded(clip_ids, left_out=json.loads(about["left_out"]), **arrays)

    def sentences(self) -> dict[str, Floats]:
        """Each sentence with its embedding, shape (d); all shards must be finished."""
        found: dict[str, Floats] = {}
        for shard in self.shards:
            if shard.sentences:
                with safe_open(self._file(shard), "numpy") as file:
                    found |= zip(shard.sentences, file.get_tensor("sentences"), strict=True)
        return found

    def array(self, name: str, shape: tuple[int, ...]) -> Floats:
        """A mapped file of zeros, for what grows with the data set."""
        file = self.folder / f"{name}.npy"
        mapped: Floats = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=shape)  # type: ignore[no-untyped-call]
        return mapped

    def _file(self, shard: Shard) -> Path:
        return self.folder / f"{shard.name}.safetensors"

    def _write(self, shard: Shard, arrays: dict[str, Floats], about: dict[str, str]) -> None:
        # safetensors writes an array's memory, whatever its strides
        contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        with replacing(self._file(shard)) as draft:  # an actor whose driver was killed may be writing it still
            save_file(contiguous, draft, metadata=about)
