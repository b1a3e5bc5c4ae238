"""Finished shards on disk: each whole or not there, so that a killed extraction goes on where it was."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from mgcl.backbones.backbone import Backbone
from mgcl.extraction.embedding import Embedded, embed_clips, embed_sentences
from mgcl.extraction.plan import Shard
from mgcl.features.columns import Floats


def is_finished(work: Path, shard: Shard) -> bool:
    """Whether a shard's file is there."""
    return _file(work, shard).is_file()


def finish(
    work: Path,
    shard: Shard,
    backbone: Backbone,
    decoders: Executor,
    turn: AbstractContextManager[object] | None = None,
) -> None:
    """Embed a shard and write its file."""
    if shard.sentences:
        _write(work, shard, {"sentences": embed_sentences(shard.sentences, backbone)}, {})
        return
    done = embed_clips(shard.files, backbone, decoders, turn)
    arrays = {"clip": done.clip, "segments": done.segments, "mel_statistics": done.mel_statistics}
    _write(work, shard, arrays, {"clip_ids": json.dumps(done.clip_ids), "left_out": json.dumps(done.left_out)})


def read_clips(work: Path, shard: Shard) -> Embedded:
    """A finished shard of clips."""
    with safe_open(_file(work, shard), "numpy") as file:
        about = file.metadata()
        arrays = {name: file.get_tensor(name) for name in ("clip", "segments", "mel_statistics")}
    return Embedded(tuple(json.loads(about["clip_ids"])), left_out=json.loads(about["left_out"]), **arrays)


def left_out(work: Path, shard: Shard) -> dict[str, str]:
    """Clips of a finished shard that could not be decoded, and why."""
    with safe_open(_file(work, shard), "numpy") as file:
        found: dict[str, str] = json.loads((file.metadata() or {}).get("left_out", "{}"))
    return found


def read_sentences(work: Path, shards: tuple[Shard, ...]) -> Iterator[tuple[str, Floats]]:
    """Every sentence of finished shards with its embedding."""
    for shard in shards:
        if shard.sentences:
            with safe_open(_file(work, shard), "numpy") as file:
                yield from zip(shard.sentences, file.get_tensor("sentences"), strict=True)


def _file(work: Path, shard: Shard) -> Path:
    return work / f"{shard.name}.safetensors"


def _write(work: Path, shard: Shard, arrays: dict[str, Floats], about: dict[str, str]) -> None:
    file = _file(work, shard)
    draft = file.with_suffix(f".{os.getpid()}.part")  # an actor whose driver was killed may be at it still
    # safetensors writes an array's memory, whatever its strides
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, draft, metadata=about)
    draft.replace(file)
