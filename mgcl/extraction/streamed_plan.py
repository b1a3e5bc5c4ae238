"""The plan of the extraction of a streamed data set: its listing, checked and on the disk.

Listing reads no sound. The plan has one row per clip, in the order of the listing, so that each shard is a stretch of
rows and any process finds its clips by two numbers. The driver holds eight bytes per clip, for a while.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mgcl.data._streamed.listing import LISTING, STATED, Streamed, StreamedClip, file_stamp
from mgcl.data.dataset import AudioFile, Dataset
from mgcl.errors import DataError
from mgcl.files import replacing
from mgcl.progress import Bar
from mgcl.records import digest

VERSION = 1
"""Version of the plan. Increase it whenever the same data set gives other rows."""
_ROWS, _ABOUT = "plan.arrow", "plan.json"


@dataclass(frozen=True)
class Plan:
    """A plan on the disk.

    Attributes:
        folder: folder of the plan.
        clips: number of clips.
        classes: labels of the clips, sorted and unique.
        stated: those of ``mgcl.data._streamed.listing.STATED`` that the clips have.
        archives: archive that a manifest names -> its size and time of change.
        source: digest of what the listing depends on.
        rows: as in ``mgcl.data._streamed.listing.Streamed``.
    """

    folder: Path
    clips: int
    classes: tuple[str, ...]
    stated: tuple[str, ...]
    archives: Mapping[str, Sequence[int]]
    source: str
    rows: tuple[str, int]

    @property
    def identity(self) -> str:
        """Digest of everything that determines the rows."""
        return digest([self.source, self.archives])

    def clips_of(self, rows: range, channels: str) -> tuple[list[StreamedClip], pa.Table]:
        """Read some rows.

        Args:
            rows: consecutive numbers.
            channels: how several channels of the clips are made into one.

        Returns:
            Where the clips' sounds are; and the columns of ``LISTING`` that the data set states of them.
        """
        table = pa.ipc.open_file(pa.memory_map(str(self.folder / _ROWS))).read_all().slice(rows.start, len(rows))
        places = table.select([name for name in LISTING.names if name in StreamedClip.__annotations__])
        clips = [StreamedClip(**row, channels=channels) for row in places.to_pylist()]
        return clips, table.select([*STATED, "source", "fold"])

    def row(self, number: int) -> str:
        """Name of a row for messages, before a colon and a space; empty: clips are not rows of one file."""
        words, first = self.rows
        return f"{words} {first + number}: " if words else ""

    def described(self, about: Dataset) -> Dataset:
        """The data set as choosing its texts needs it: one clip without a file stands for all clips of a class."""
        single = "label" in self.stated
        files = (
            AudioFile("", Path(), label) if single else AudioFile("", Path(), labels=(label,)) for label in self.classes
        )
        return replace(about, files=tuple(files))


def plan_of(source: Streamed, out: Path) -> Plan:
    """List a data set into a folder beside a bank, or take the plan that is there already.

    Args:
        source: the data set.
        out: folder of the bank.

    Raises:
        DataError: a row or file is wrong; two clips have the same id; clips lack what others have; or there is none.
    """
    identity = digest([VERSION, source.about.name, source.stamp])
    folder = out.absolute().with_name(f".{out.name}-plan-{identity[:8]}")
    about = _there(folder)
    if about is None:
        folder.mkdir(parents=True, exist_ok=True)
        about = _listed(source, folder)
    else:
        print(f"{folder}: {about['clips']:,} clips are listed already", flush=True)
    return Plan(folder, **about, source=identity, rows=source.rows)


def _there(folder: Path) -> dict[str, Any] | None:
    """What was recorded of a plan, if its archives are still the same; None: there is no such plan."""
    try:
        about: dict[str, Any] = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        same = all(file_stamp(path) == stamp for path, stamp in about["archives"].items())
    except (FileNotFoundError, ValueError):
        return None
    return about if same else None


def _listed(source: Streamed, folder: Path) -> dict[str, Any]:
    """Write the rows of a plan, and then what is recorded of it, which is returned."""
    tally = _Tally()
    (folder / _ABOUT).unlink(missing_ok=True)
    with _emptied(folder), replacing(folder / _ROWS) as draft:
        with pa.ipc.new_file(draft, LISTING) as writer, Bar(desc="listing clips", unit="clip") as bar:
            for batch in source.batches():
                tally.add(batch)
                writer.write_batch(batch)
                bar.update(batch.num_rows)
        _refuse_gaps(tally, source)
        _refuse_repeated(draft, tally, source)
    about = {
        "clips": tally.clips,
        "classes": sorted(tally.classes),
        "stated": [name for name in STATED if not tally.without[name]],
        "archives": {path: file_stamp(path) for path in sorted(tally.archives)},
    }
    with replacing(folder / _ABOUT) as draft:
        draft.write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
    return about


@contextmanager
def _emptied(folder: Path) -> Iterator[None]:
    """Remove the folder after an error, if nothing is in it."""
    try:
        yield
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
        raise


class _Tally:
    """What is counted while a data set is listed."""

    def __init__(self) -> None:
        self.clips = 0
        self.classes: set[str] = set()
        self.archives: set[str] = set()
        """Files that hold the sounds of several clips."""
        self.without = dict.fromkeys(STATED, 0)
        """Column -> number of clips without a value."""
        self.first_without: dict[str, tuple[int, str]] = {}
        """Column -> number and id of the first clip without a value."""
        self.hashes: list[NDArray[np.uint64]] = []
        """Hashes of the clips' ids, by batch."""

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the clips of a batch."""
        for name in STATED:
            if batch[name].null_count:
                row = pc.index(pc.is_null(batch[name]), True).as_py()
                self.first_without.setdefault(name, (self.clips + row, batch["clip_id"][row].as_py()))
                self.without[name] += batch[name].null_count
        for labels in (batch["label"], batch["labels"].flatten()):
            self.classes.update(pc.unique(labels.drop_null()).to_pylist())
        self.archives.update(pc.unique(batch["path"].filter(pc.is_valid(batch["member"]))).to_pylist())
        self.hashes.append(_hashes(batch))
        self.clips += batch.num_rows


def _hashes(batch: pa.RecordBatch) -> NDArray[np.uint64]:
    hashes: NDArray[np.uint64] = pd.util.hash_array(
        batch["clip_id"].to_numpy(zero_copy_only=False).astype(object), categorize=False
    )
    return hashes


def _refuse_gaps(tally: _Tally, source: Streamed) -> None:
    """Refuse a data set without clips, clips without a class and a caption, and clips that lack what others have."""
    if not tally.clips:
        raise DataError(f"{source.about.name}: holds no sounds; name other files")
    if all(tally.without[name] == tally.clips for name in STATED):
        raise DataError(
            f"{_where(source, *tally.first_without['label'])}: neither a class nor a caption; give it one. In an "
            "archive they are its NAME.json, NAME.cls or NAME.txt, and `tar --sort=name` puts them beside it"
        )
    for name in STATED:
        if 0 < tally.without[name] < tally.clips:
            others = f", one of {tally.without[name]:,} such clips" if tally.without[name] > 1 else ""
            raise DataError(
                f"{_where(source, *tally.first_without[name])}: no {name}{others}, where other clips have; add it to "
                "these, or leave them out"
            )
    if not tally.classes and tally.without["caption"]:
        raise DataError(f"{source.about.name}: no clip has a class or a caption; give some to them")


def _refuse_repeated(rows: Path, tally: _Tally, source: Streamed) -> None:
    """Refuse ids that two clips have. Only if two hashes are equal the ids are read again."""
    values, times = np.unique(np.concatenate(tally.hashes), return_counts=True)
    alike = values[times > 1]
    if not alike.size:
        return
    seen: dict[str, int] = {}
    with pa.memory_map(str(rows)) as mapped:
        number, reader = 0, pa.ipc.open_file(mapped)
        for batch in map(reader.get_batch, range(reader.num_record_batches)):
            for row in np.flatnonzero(np.isin(_hashes(batch), alike)).tolist():
                clip_id = batch["clip_id"][row].as_py()
                if clip_id in seen:
                    first = f" and {source.rows[0]} {source.rows[1] + seen[clip_id]}" if source.rows[0] else ""
                    mend = "give each clip its own in the column clip_id" if first else "rename one"
                    raise DataError(
                        f"{_where(source, number + row, '')}{first}: the clip id {clip_id!r} stands twice; {mend}, or "
                        "leave one out"
                    )
                seen[clip_id] = number + row
            number += batch.num_rows


def _where(source: Streamed, row: int, clip_id: str) -> str:
    """Name of a clip for messages: its row, where clips are rows of one file, else its id."""
    words, first = source.rows
    return f"{words} {first + row}" if words else f"{source.about.name}: {clip_id}".rstrip(": ")
