"""The shards of an extraction: clips or sentences. They are the same for one process and for many."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

from mgcl.audio import excerpt
from mgcl.backbones.backbone import Facts, facts_json
from mgcl.data.dataset import AudioFile
from mgcl.errors import DataError
from mgcl.records import digest
from mgcl.video import reading
from mgcl.video.formats import is_video
from mgcl.window import Window

VERSION = 2
"""Version of the embeddings. Increase it whenever the same files and weights give other numbers.

An extraction of another version is not resumed.
"""

BATCH = 25
"""Clips, or sentences, per batch of a backbone. The last digits of the embeddings depend on it."""

_CLIPS, _SENTENCES = 100, 500

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Shard:
    """Clips or sentences that one actor embeds into one file."""

    name: str
    files: tuple[AudioFile, ...] = ()
    sentences: tuple[str, ...] = ()
    rows: range = range(0)
    """Rows of the plan of a streamed data set, instead of files."""

    @property
    def clips(self) -> int:
        """Number of its clips."""
        return len(self.files) + len(self.rows)


def plan(files: Sequence[AudioFile], sentences: Iterable[str]) -> tuple[Shard, ...]:
    """Divide sentences and clips into shards. Repeated sentences are embedded once.

    Clips are sorted by length, so that those of a batch take equally long to decode; clips of the same length keep
    their order. A file that cannot be opened counts as empty here, and its error is reported when it is decoded.
    """
    by_length = sorted(files, key=_seconds)
    clips = (Shard(f"clips-{i:05}", files=tuple(each)) for i, each in enumerate(batches(by_length, _CLIPS)))
    # sentences first: one that cannot be embedded is refused before any clip is embedded
    return (*plan_sentences(sentences), *clips)


def plan_sentences(sentences: Iterable[str]) -> tuple[Shard, ...]:
    """Divide sentences into shards. Repeated sentences are embedded once."""
    unique = list(dict.fromkeys(sentences))
    return tuple(Shard(f"text-{i:05}", sentences=tuple(each)) for i, each in enumerate(batches(unique, _SENTENCES)))


def batches(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    """Yield the items in order, in batches of ``size``; the last one may be smaller."""
    return (items[start : start + size] for start in range(0, len(items), size))


def identity(shards: Sequence[Shard], about: Facts, window: Window | None = None) -> str:
    """Return eight hex digits that depend on everything that determines the shards' contents.

    A file is represented by its path, size and time of change.
    """
    files = [_stamp(file) for shard in shards for file in shard.files]
    sentences = [shard.sentences for shard in shards]
    protocol = [asdict(window)] if window else []
    return digest([VERSION, BATCH, files, sentences, facts_json(about), *protocol])[:8]


def _stamp(file: AudioFile) -> tuple[str | int, ...]:
    status = file.path.stat()
    channels = () if file.channels == "average" else (file.channels,)
    return file.clip_id, str(file.path), status.st_size, status.st_mtime_ns, *channels


def _seconds(file: AudioFile) -> float:
    try:
        return reading.duration(file.path) if is_video(file.path) else excerpt.duration(file.path)
    except DataError:
        return 0.0
