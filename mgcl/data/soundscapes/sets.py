"""Generated sets for zero-shot tasks: mixtures of named classes, with the truth in tables beside them.

A folder has ``audio``, ``events.csv`` (filename, onset, offset, event_label, as in DCASE) and, for retrieval,
``captions.csv`` (file_name, caption_1 ..., as in Clotho). All sets are written by ``write``; their modules, e.g.
``mgcl.data.soundscape_events``, say how many clips and sounds there are, and which of the truth is given.
"""

import csv
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import soundfile

from mgcl.data._annotations import DCASE, listed_once, read_events
from mgcl.data.dataset import AudioFile, Dataset, Window, complete, read_table
from mgcl.data.soundscapes.descriptions import describe_order
from mgcl.data.soundscapes.mixture import SECONDS, mix
from mgcl.data.soundscapes.recipes import SPLITS, class_recipes
from mgcl.data.soundscapes.sources import SAMPLE_RATE
from mgcl.errors import DataError
from mgcl.events import Event
from mgcl.progress import Bar
from mgcl.seeding import generator

VERSION = 1
"""Version of the sets. Increase it whenever the same seed gives other clips or tables."""
CAPTIONS = 5
_EVENTS, _CAPTIONS = "events.csv", "captions.csv"
_AT_ONCE = 20


@dataclass(frozen=True)
class Kind:
    """One of the sets.

    Attributes:
        name: name of the data set.
        clips: number of clips.
        sounds: least and largest number of sounds per clip.
        repeats: whether a class may sound several times in a clip.
        captions: number of captions per clip.
    """

    name: str
    clips: int
    sounds: tuple[int, int]
    repeats: bool = False
    captions: int = 0

    @property
    def stamp(self) -> str:
        """Name of the file that says what a folder holds."""
        return f"{self.name}.txt"


def generator_of(kind: Kind, read: Callable[[Path], Dataset]) -> Callable[..., Dataset]:
    """The function ``generate(root, *, split, clips, seed, workers)`` of a set's module.

    It writes the set, unless the folder holds it already, and reads it. Without ``clips`` it writes as many as the set
    has; ``split`` is "evaluation", ``seed`` 0 and ``workers`` (processes) 1 by default. Errors are those of ``write``
    and ``read``.
    """

    def generate(
        root: Path, *, split: str = "evaluation", clips: int = kind.clips, seed: int = 0, workers: int = 1
    ) -> Dataset:
        write(root, kind, split=split, clips=clips, seed=seed, workers=workers)
        return read(root)

    return generate


def write(root: Path, kind: Kind, *, split: str = "evaluation", clips: int, seed: int, workers: int) -> None:
    """Write a set. A folder that holds it already is left as it is.

    Args:
        root: folder to make.
        kind: set to write.
        split: whose classes sound: "evaluation", "development" or "training".
        clips: number of clips.
        seed: seed of everything that is drawn.
        workers: number of processes; 1: this process.

    Raises:
        DataError: there is no such split, ``clips`` is less than 1, or the folder holds something else.
    """
    if split not in SPLITS:
        raise DataError(f"`split` {split}: choose {', '.join(SPLITS)}")
    if clips < 1:
        raise DataError(f"`clips` {clips}: at least 1")
    stamp = f"{'' if split == SPLITS[0] else f'{split} '}{VERSION}.{seed}.{clips}"
    if root.exists():
        if (root / kind.stamp).is_file() and (root / kind.stamp).read_text(encoding="utf-8").strip() == stamp:
            return
        raise DataError(f"{root}: exists, and is not {kind.name} as it is to be ({stamp}); name another folder")
    partial = root.with_name(f"{root.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "audio").mkdir(parents=True)
    events: list[tuple[object, ...]] = []
    captions: list[tuple[object, ...]] = []
    with _pool(workers) as pool:
        starts = range(0, clips, _AT_ONCE)
        jobs = [pool.submit(_write, partial, kind, split, seed, range(s, min(s + _AT_ONCE, clips))) for s in starts]
        with Bar(total=clips, desc=f"generating {kind.name}", unit="clip") as bar:
            for job in jobs:
                written = job.result()
                for name, its_events, its_captions in written:
                    events += [(name, each.onset, each.offset, each.label) for each in its_events]
                    captions += [(name, *its_captions)]
                bar.update(len(written))
    _table(partial / _EVENTS, DCASE, events)
    if kind.captions:
        _table(partial / _CAPTIONS, _caption_columns(kind), captions)
    (partial / kind.stamp).write_text(f"{stamp}\n", encoding="utf-8")
    partial.replace(root)


def read_truth(root: Path, kind: Kind) -> Mapping[Path, tuple[Event, ...]]:
    """Clip's file -> its events.

    Raises:
        DataError: the set is missing, or its table of events is wrong; names the file and line.
    """
    _refuse_missing(root, kind)
    table = read_events(root / _EVENTS, missing=_again(root, kind))
    return {root / "audio" / name: events for name, events in table.items()}


def read_captions(root: Path, kind: Kind, truth: Mapping[Path, tuple[Event, ...]]) -> Mapping[Path, tuple[str, ...]]:
    """Clip's file -> its captions.

    Raises:
        DataError: the table of captions is wrong, lists a clip twice, or captions a clip without events; names the
            file and line.
    """
    file, columns = root / _CAPTIONS, _caption_columns(kind)
    table = read_table(file, columns, missing=_again(root, kind))
    names = listed_once(file, table[columns[0]])
    found: dict[Path, tuple[str, ...]] = {}
    for line, name, row in zip(table.index, names, table[list(columns[1:])].itertuples(index=False), strict=True):
        clip = root / "audio" / name
        if clip not in truth:
            raise DataError(f"{file}, line {line}: {name} is no clip of {_EVENTS}; list it there, or remove the line")
        if not all(caption.strip() for caption in row):
            raise DataError(f"{file}, line {line}: a caption is empty; write it, or remove the line")
        found[clip] = tuple(row)
    return found


def dataset(root: Path, kind: Kind, files: Iterable[AudioFile]) -> Dataset:
    """The data set of a set's clips, with its revision and its window: the first 10 s, filled with silence."""
    *split, revision = (root / kind.stamp).read_text(encoding="utf-8").split()
    listed = complete(files, table=_EVENTS)
    return Dataset(_named(kind, *split), revision, "CC0-1.0", listed, window=Window(SECONDS, "zeros", "first"))


def _named(kind: Kind, split: str = SPLITS[0]) -> str:
    """Name of the data set; that of evaluation classes is the set's."""
    return kind.name if split == SPLITS[0] else f"{kind.name}-{split}"


def _pool(workers: int) -> Executor:
    return ProcessPoolExecutor(workers, get_context("spawn")) if workers > 1 else ThreadPoolExecutor(1)


def _write(
    root: Path, kind: Kind, split: str, seed: int, numbers: range
) -> list[tuple[str, tuple[Event, ...], tuple[str, ...]]]:
    """Write clips, and return their names, events and captions."""
    recipes, written = class_recipes(split), []
    for number in numbers:
        random = generator("mixture", VERSION, _named(kind, split), seed, number)
        # every class is the first of as many clips, so that none is missing
        first, count = number % len(recipes), int(random.integers(kind.sounds[0], kind.sounds[1] + 1))
        others = [place for place in range(len(recipes)) if kind.repeats or place != first]
        rest = random.choice(others, count - 1, replace=kind.repeats)
        mixture = mix([recipes[place] for place in (first, *rest)], random)
        name = f"{number:04}.wav"
        soundfile.write(root / "audio" / name, mixture.waveform, SAMPLE_RATE, subtype="PCM_16")
        written.append((name, mixture.events, describe_order(mixture.sounds, kind.captions, random)))
    return written


def _table(file: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)


def _caption_columns(kind: Kind) -> tuple[str, ...]:
    return ("file_name", *(f"caption_{number + 1}" for number in range(kind.captions)))


def _refuse_missing(root: Path, kind: Kind) -> None:
    if not (root / kind.stamp).is_file():
        raise DataError(f"{root / kind.stamp}: missing; {_again(root, kind)}")


def _again(root: Path, kind: Kind) -> str:
    return f"generate the data set with `mgcl data generate {kind.name} --root {root}`"
