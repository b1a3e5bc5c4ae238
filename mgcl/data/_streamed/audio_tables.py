"""Parquet files that hold audio, as the Hugging Face hub's data sets do, as a streamed data set."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from mgcl.data._parquet import Row, rows_without_audio
from mgcl.data._streamed.listing import LISTING, Streamed, of_files
from mgcl.errors import DataError


def audio_tables(files: Sequence[Path]) -> Streamed:
    """The data set of parquet files; ``mgcl.data._parquet`` finds their columns. Rows stay where they are."""
    return of_files(files, _listed)


def _listed(file: Path, called: str) -> Iterator[pa.RecordBatch]:
    """List the rows of a parquet file; the ids of their clips begin with ``called``."""
    number = 0
    for group, rows in enumerate(rows_without_audio(file)):
        listed = [
            {
                "clip_id": f"{called}/{number + place:06}",
                "path": str(file),
                "member": f"row {number + place}",
                "group": group,
                "row": place,
                **_stated(row, f"{file}, row {number + place}"),
            }
            for place, row in enumerate(rows)
        ]
        number += len(rows)
        yield pa.RecordBatch.from_pylist(listed, LISTING)


def _stated(row: Row, where: str) -> dict[str, Any]:
    if len(row.captions) > 1:
        raise DataError(f"{where}: {len(row.captions)} captions; of a stream one is read, `hub:` reads all of them")
    if row.fold is not None and not 0 <= row.fold < 128:
        raise DataError(f"{where}: fold {row.fold} is no integer from 0 to 127; leave the column out")
    caption = row.captions[0] if row.captions else None
    return {"label": row.label or None, "labels": row.labels, "caption": caption, "fold": row.fold}
