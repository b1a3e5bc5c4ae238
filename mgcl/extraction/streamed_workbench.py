"""The workbench of a streamed data set: each shard of clips is written as a shard of the bank itself."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mgcl.backbones.backbone import Backbone
from mgcl.data._streamed.listing import StreamedClip
from mgcl.data._streamed.sounds import opened_clip, seconds_of
from mgcl.errors import SentenceError
from mgcl.extraction.assembly import nearest_of, refuse_unfit_for_half
from mgcl.extraction.embedding import Embedded, embed_clips
from mgcl.extraction.plan import BATCH, Shard, batches
from mgcl.extraction.streamed_plan import Plan
from mgcl.extraction.workbench import Workbench
from mgcl.features.columns import Floats
from mgcl.features.header import Header
from mgcl.features.mel_statistics import mel_statistics
from mgcl.features.shards import read_shard, shard_file, write_shard
from mgcl.features.tables import map_table

BANK = "bank"
"""Folder in a workbench's folder that becomes the bank."""
_BYTES = 128 << 20
"""Largest number of bytes of the segments of a shard."""
_SHARDS, _FEWEST = 64, 100
"""Least number of shards, so that all machines have work and little is lost when one stops; but none has fewer clips
than ``_FEWEST``."""


def shards_of(clips: int, header: Header, *, half: bool = False) -> tuple[Shard, ...]:
    """Divide the rows of a plan into shards, whatever the machines.

    Args:
        clips: number of rows.
        header: header of the bank, whose sizes determine the bytes of a clip.
        half: whether segments are stored in float16.
    """
    each = (2 if half else 4) * header.embedding_dim * header.segments
    size = max(BATCH, min(_BYTES // each, max(_FEWEST, -(-clips // _SHARDS))) // BATCH * BATCH)
    starts = range(0, clips, size)
    return tuple(Shard(f"clips-{i:05}", rows=range(first, min(first + size, clips))) for i, first in enumerate(starts))


@dataclass(frozen=True, kw_only=True)
class StreamedWorkbench(Workbench):
    """Shards of the extraction of a streamed data set, and the folder of the finished ones.

    Attributes:
        plan: plan of the data set.
        header: header of the bank.
        channels: how several channels are made into one.
        captioned: whether the clips' own captions are embedded.
        choices: shards of the candidate captions, of which each clip gets the nearest; empty: there are none.
        half: whether segments are stored in float16.
    """

    plan: Plan
    header: Header
    channels: str
    captioned: bool
    choices: tuple[Shard, ...]
    half: bool = False

    def finish(
        self,
        shard: Shard,
        backbone: Backbone,
        decoders: Executor,
        turn: AbstractContextManager[object] | None = None,
    ) -> None:
        """Embed a shard and write its file. Batches are of clips of like length; the file has the plan's order."""
        if shard.sentences:
            super().finish(shard, backbone, decoders, turn)
            return
        clips, stated = self.plan.clips_of(shard.rows, self.channels)
        by_length = np.argsort(list(decoders.map(seconds_of, clips)), kind="stable")
        found = embed_clips([clips[row] for row in by_length], backbone, decoders, turn, self.window, opened_clip)
        captions = stated["caption"].to_pylist() if self.captioned else []
        vectors, faults = _embed_captions(captions, backbone, turn)
        left_out = {**_unfit(clips, captions, faults), **found.left_out}
        kept = [row for row, clip in enumerate(clips) if clip.clip_id not in left_out]
        columns = _vectors(found, [clips[row].clip_id for row in kept], backbone, half=self.half)
        columns |= self._stated(stated.take(pa.array(kept, pa.int64())))
        columns |= self._captions(columns, vectors)
        reasons = {
            clip.clip_id: self.plan.row(shard.rows[row]) + left_out[clip.clip_id]
            for row, clip in enumerate(clips)
            if clip.clip_id in left_out
        }
        write_shard(self.folder / BANK, _number(shard), self.header, columns, about={"left_out": reasons})

    def left_out(self) -> dict[str, str]:
        """Return the clips of finished shards that could not be embedded: clip id -> error, in the plan's order."""
        files = (self._file(shard) for shard in self.done if shard.rows)
        return {clip_id: reason for file in files for clip_id, reason in read_shard(file).about["left_out"].items()}

    def classes(self) -> tuple[str, ...]:
        """Return the labels of the clips that were embedded, sorted and unique. All shards must be finished."""
        found: set[str] = set()
        for shard in self.shards:
            table = map_table(self._file(shard)) if shard.rows else pa.table({})
            for name in {"label", "labels"}.intersection(table.column_names):
                column = table[name] if name == "label" else pc.list_flatten(table[name])
                found.update(pc.unique(column).to_pylist())
        return tuple(sorted(found))

    def _file(self, shard: Shard) -> Path:
        return self.folder / BANK / shard_file(_number(shard)) if shard.rows else super()._file(shard)

    def _stated(self, rows: pa.Table) -> dict[str, Any]:
        """Columns that the data set states, by stored name."""
        names = ["source", "fold", *(name for name in self.plan.stated if name != "caption" or self.captioned)]
        return {name: rows[name].to_pylist() for name in names}

    def _captions(self, columns: Mapping[str, Any], vectors: Mapping[str, Floats]) -> dict[str, Any]:
        """Columns of one caption per clip, by stored name: its own, or the nearest candidate; empty: there is none.

        Args:
            columns: the other columns.
            vectors: the clips' own captions -> their embeddings.
        """
        if self.choices:
            vectors = self.only(self.choices).sentences()
            captions = nearest_of(columns["clip_embedding"], list(vectors), vectors)
        elif self.captioned:
            captions = columns["caption"]
        else:
            return {}
        embedded = np.array([vectors[caption] for caption in captions], np.float32)
        return {"caption": captions, "caption_embedding": embedded.reshape(len(captions), self.header.embedding_dim)}


def _number(shard: Shard) -> int:
    return int(shard.name.rpartition("-")[2])


def _vectors(found: Embedded, clip_ids: Sequence[str], backbone: Backbone, *, half: bool) -> dict[str, Any]:
    """Columns of the embeddings of some clips, by stored name, and their ids."""
    place = {clip_id: row for row, clip_id in enumerate(found.clip_ids)}
    rows = np.array([place[clip_id] for clip_id in clip_ids], np.intp)
    segments, statistics = found.segments, found.mel_statistics
    if half:
        refuse_unfit_for_half(segments)
    if not found.clip_ids:  # none was computed, and the column has a width
        statistics = mel_statistics(np.zeros((1, backbone.sample_rate), np.float32), backbone.sample_rate)
    return {
        "clip_id": list(clip_ids),
        "clip_embedding": found.clip[rows],
        "segment_embeddings": segments[rows].astype(np.float16 if half else np.float32, copy=False),
        "mel_statistics": statistics[rows],
    }


def _embed_captions(
    captions: Iterable[str], backbone: Backbone, turn: AbstractContextManager[object] | None
) -> tuple[dict[str, Floats], dict[str, str]]:
    """Embed captions, each once.

    Returns:
        Caption -> embedding of shape (d); and caption -> error, for those that the text tower cannot take.
    """
    vectors: dict[str, Floats] = {}
    faults: dict[str, str] = {}
    for batch in batches(list(dict.fromkeys(captions)), BATCH):
        left = list(batch)
        while left:
            try:
                with turn or nullcontext():
                    vectors |= zip(left, backbone.embed_text(left).numpy(), strict=True)
                break
            except SentenceError as error:
                faults[error.sentence] = str(error)
                left.remove(error.sentence)
    return vectors, faults


def _unfit(clips: Sequence[StreamedClip], captions: Sequence[str], faults: Mapping[str, str]) -> dict[str, str]:
    """Clips whose caption cannot be embedded: clip id -> error. There may be no captions at all."""
    pairs = zip(clips, captions, strict=bool(captions))
    return {
        clip.clip_id: f"{clip.called}: its caption {faults[caption]}" for clip, caption in pairs if caption in faults
    }
