"""Embedding of the windows of recordings into an index, as streams: memory does not grow with their length.

One process decodes ahead in a thread while the backbone works with all of torch's threads, or on a GPU.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from filelock import FileLock, Timeout

from mgcl.backbones.backbone import Backbone
from mgcl.classifier.embedding import embedded
from mgcl.classifier.index.header import HEADER, Header, read_header, write_header
from mgcl.classifier.index.index import Index
from mgcl.classifier.index.parts import Part, State, part_files, write_part
from mgcl.classifier.sounds import Sound
from mgcl.classifier.windows import windows
from mgcl.errors import BackboneError, DataError, MgclError
from mgcl.extraction.plan import BATCH
from mgcl.files import DRAFT
from mgcl.methods.method import ClipFeatures

PART = 2000
"""Windows per part. A process that is killed loses at most as many; one that is interrupted loses none."""
_Item = TypeVar("_Item")


@dataclass(frozen=True, eq=False)
class _Batch:
    """Windows of one recording that are embedded together."""

    path: str
    state: State
    """State of the recording; ``first`` counts the windows before this batch, ``complete`` is of its last batch."""
    sounds: Sequence[Sound]


class Building:
    """An index that is being extended."""

    def __init__(self, folder: Path, header: Header) -> None:
        index = Index.open(folder)
        self._folder, self._header, self._progress = folder, header, index.progress
        self._number = 1 + max((int(file.stem.rpartition("-")[2]) for file in part_files(folder)), default=-1)
        self._held: list[tuple[_Batch, ClipFeatures]] = []

    def has(self, path: Path) -> bool:
        """Whether all windows of a recording are embedded, and it has not changed since."""
        found = self._known(path)
        return found is not None and found.complete

    def embed(
        self, backbone: Backbone, paths: Sequence[Path], *, watch: Callable[[int], object] = lambda _count: None
    ) -> Iterator[tuple[Path, DataError | None]]:
        """Embed the windows of recordings that are missing.

        A recording that cannot be decoded to its end keeps the windows before the damage.

        Args:
            backbone: the backbone of the header.
            paths: the recordings.
            watch: called with the number of windows that were embedded.

        Yields:
            Each recording when it is done, with its error if it could not be decoded.

        Raises:
            BackboneError: an embedding is not finite.
            DataError: the index cannot be written.
        """
        for path, each in _ahead(self._batches(paths)):
            if isinstance(each, _Batch):
                self._add(each, _embedded(each, backbone))
                watch(len(each.sounds))
            else:
                yield path, each

    def flush(self) -> None:
        """Write what is embedded as a part."""
        if self._held:
            write_part(self._folder, self._number, _part(self._held))
            self._number, self._held = self._number + 1, []

    def _batches(self, paths: Sequence[Path]) -> Iterator[tuple[Path, _Batch | DataError | None]]:
        header = self._header
        for path in paths:
            try:
                state, done = self._begun(path)
                found = windows(
                    path,
                    every=header.hop,
                    sample_rate=header.sample_rate,
                    seconds=header.seconds,
                    length=header.window,
                    channels=header.channels,
                )
                sounds = islice(found, done, None)
                batch = list(islice(sounds, BATCH))
                while batch:
                    following = list(islice(sounds, BATCH))
                    yield path, _Batch(_key(path), replace(state, first=done, complete=not following), batch)
                    done, batch = done + len(batch), following
                yield path, None
            except DataError as error:
                yield path, error

    def begun(self, path: Path) -> int:
        """Number of windows of a recording that an earlier run has embedded."""
        return self._progress[_key(path)].windows if self._known(path) else 0

    def _begun(self, path: Path) -> tuple[State, int]:
        """State of a recording as it is now, and the number of its windows that are embedded already.

        Raises:
            DataError: the recording is not there, or its name is no text.
        """
        try:
            _key(path).encode()
        except UnicodeEncodeError:
            raise DataError(f"{path}: its name is not UTF-8; rename it") from None
        try:
            state = _state(path)
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}; leave it out") from None
        return state, self.begun(path)

    def _known(self, path: Path) -> State | None:
        """State in the index of a recording that has not changed since; None: there is none."""
        known = self._progress.get(_key(path))
        if known is None:
            return None
        now = _state(path)
        return known.state if (now.size, now.changed) == (known.state.size, known.state.changed) else None

    def _add(self, batch: _Batch, features: ClipFeatures) -> None:
        self._held.append((batch, features))
        if sum(len(each.sounds) for each, _ in self._held) >= PART:
            self.flush()


@contextmanager
def extended(folder: Path, header: Header) -> Iterator[Building]:
    """Open an index to add windows to it, or begin one. What is embedded is on the disk when the context ends.

    Raises:
        ClassifierError: the index is of another backbone, or of other windows.
        MgclError: another process extends it.
        DataError: the index is damaged, or cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            if not (folder / HEADER).exists():
                write_header(folder, header)
            read_header(folder).check_same(header, folder)
            for draft in folder.glob(f"{DRAFT}*"):  # of a process that was killed
                draft.unlink()
            building = Building(folder, header)
            try:
                yield building
            finally:
                building.flush()
    except Timeout:
        raise MgclError(f"{folder}: another process is extending it; wait for it, or name another folder") from None


def _embedded(batch: _Batch, backbone: Backbone) -> ClipFeatures:
    features, _ = embedded(batch.sounds, backbone, None, None)
    if not (features.clip.isfinite().all() and features.segments.isfinite().all()):
        raise BackboneError(
            f"{backbone.name}: embeds a window of {batch.path} after {batch.sounds[0].start:g} s as NaN or infinity; "
            "fetch its weights again"
        )
    return features


def _part(held: Sequence[tuple[_Batch, ClipFeatures]]) -> Part:
    sounds = [sound for batch, _ in held for sound in batch.sounds]
    number: dict[str, int] = {}
    states: dict[str, State] = {}
    for batch, _ in held:
        number.setdefault(batch.path, len(number))
        begun = states.setdefault(batch.path, batch.state)
        states[batch.path] = replace(begun, complete=batch.state.complete)
    return Part(
        recordings=list(number),
        states=states,
        recording=np.concatenate([np.full(len(batch.sounds), number[batch.path], np.int32) for batch, _ in held]),
        starts=np.array([sound.start for sound in sounds]),
        stops=np.array([sound.stop for sound in sounds], np.float64),
        silent=np.array([sound.is_silent for sound in sounds]),
        clip=np.concatenate([features.clip.numpy() for _, features in held]),
        segments=np.concatenate([features.segments.numpy().astype(np.float16) for _, features in held]),
    )


def _ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """Compute the next item in a thread while the caller works on one."""
    with ThreadPoolExecutor(1) as thread:
        job = thread.submit(next, items, None)
        while (item := job.result()) is not None:
            job = thread.submit(next, items, None)
            yield item


def _key(path: Path) -> str:
    return str(path.absolute())


def _state(path: Path) -> State:
    """State of a file of which nothing is embedded yet."""
    there = path.stat()
    return State(there.st_size, there.st_mtime_ns, first=0, complete=False)
