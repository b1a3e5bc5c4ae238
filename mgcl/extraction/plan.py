"""The shards of an extraction, of clips and of sentences; the same whether one process embeds them or many."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mgcl.audio.excerpt import duration
from mgcl.backbones.backbone import Facts, facts_json
from mgcl.data.dataset import AudioFile
from mgcl.errors import DataError
from mgcl.records import digest

VERSION = 2
"""Raised whenever the same files and weights give other numbers: an extraction of another version is not resumed."""

BATCH = 25
"""Clips, or sentences, that a backbone takes at once; part of the arithmetic."""

_CLIPS, _SENTENCES = 100, 500

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Shard:
    """Clips or sentences that are embedded once, by one actor, into one file."""

    name: str
    files: tuple[AudioFile, ...] = ()
    sentences: tuple[str, ...] = ()


def plan(files: Sequence[AudioFile], sentences: Iterable[str]) -> tuple[Shard, ...]:
    """Cut sentences, each taken once, and clips, sorted by length so that those of a batch take as long to decode.

    Clips of one length keep their order. A file that cannot be opened counts as empty: its error comes with decoding.
    """
    by_length = sorted(files, key=_seconds)
    unique = list(dict.fromkeys(sentences))
    clips = (Shard(f"clips-{i:05}", files=tuple(each)) for i, each in enumerate(batches(by_length, _CLIPS)))
    texts = (Shard(f"text-{i:05}", sentences=tuple(each)) for i, each in enumerate(batches(unique, _SENTENCES)))
    return (*texts, *clips)  # a sentence that cannot be embedded is refused before the clips take their time


def batches(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    """Items in order, ``size`` at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))


def identity(shards: Sequence[Shard], about: Facts) -> str:
    """Eight hex digits of all that the shards' contents depend on; of a file, its path, size and time of change."""
    files = [_stamp(file) for shard in shards for file in shard.files]
    sentences = [shard.sentences for shard in shards]
    return digest([VERSION, BATCH, files, sentences, facts_json(about)])[:8]


def _stamp(file: AudioFile) -> tuple[str | int, ...]:
    status = file.path.stat()
    channels = () if file.channels == "average" else (file.channels,)
    return file.clip_id, str(file.path), status.st_size, status.st_mtime_ns, *channels


def _seconds(file: AudioFile) -> float:
    try:
        return duration(file.path)
    except DataError:
        return 0.0
