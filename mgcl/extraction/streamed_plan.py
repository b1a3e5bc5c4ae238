"""The plan of the extraction of a streamed data set: its listing, checked and on the disk.

Listing reads no sound. The plan has one row per clip, in the order of the listing, so that each shard is a stretch of
rows and any process finds its clips by two numbers. The driver holds eight bytes per clip, for a while.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mgcl.data._streamed import LISTING, STATED, Streamed, StreamedClip, file_stamp
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
        stated: those of ``mgcl.data._streamed.STATED`` that the clips have.
        archives: archive that a manifest names -> its size and time of change.
        source: digest of what the listing depends on.
        rows: as in ``mgcl.data._streamed.Streamed``.
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

    def clips_of(self, first: int, count: int) -> tuple[list[StreamedClip], pa.Table]:
        """Read some rows: where their sounds are, and what the data set states of the clips."""
        rows = pa.ipc.open_file(pa.memory_map(str(self.folder / _ROWS))).read_all().slice(first, count)
        places = rows.select([name for name in LISTING.names if name in StreamedClip.__annotations__])
        return [StreamedClip(**row) for row in places.to_pylist()], rows.select([*STATED, "source", "fold"])

    def row(self, number: int) -> str:
        """Name of a row for messages, before a colon and a space; empty: clips are not rows of one file."""
        words, first = self.rows
        return f"{words} {first + number}: " if words else ""

    def described(self, about: Dataset) -> Dataset:
        """The data set as choosing its texts needs it: one clip without a file stands for all clips of a class."""
        single = "label" in self.stated
        files = (AudioFile("", Path(), label) if single else AudioFile("", Path(), labels=(label,)) for label in self.classes)
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
    made = _opened(folder, identity, source)
    if made is not None:
        print(f"{folder}: {made.clips:,} clips are planned already", flush=True)
        return made
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / _ROWS) as draft:
        listed = _written(source, draft)
        _refuse_repeated(draft, listed.hashes, source)
    about = {
        "clips": listed.clips,
        "classes": sorted(listed.classes),
        "stated": listed.stated(source),
        "archives": {path: file_stamp(path) for path in sorted(listed.archives)},
    }
    with replacing(folder / _ABOUT) as draft:
        draft.write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
    found = _opened(folder, identity, source)
    assert found is not None  # noqa: S101  # it was written just now
    return found
