"""A csv or parquet file as a stream of record batches, with the number of each row for messages."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from mgcl.data.dataset import separator_of
from mgcl.errors import DataError

_ROWS = 1 << 14
"""Rows of a parquet file that are read at once."""
_BLOCK = 1 << 22
"""Bytes of a csv file that are read at once."""


@dataclass(frozen=True)
class Table:
    """A csv or parquet file whose columns are read as a stream.

    Attributes:
        file: the file; .parquet, or text.
        columns: name in lower case -> name as the file spells it.
        separator: character between the cells of text.
    """

    file: Path
    columns: Mapping[str, str]
    separator: str = ""

    @classmethod
    def open(cls, file: Path, known: Sequence[str]) -> "Table":
        """Read the names of a file's columns.

        Args:
            file: the file.
            known: names of columns that it may have, by which the separator of text is found.

        Raises:
            DataError: the file is missing, empty, of another kind, or has a column twice.
        """
        with _readable(file):
            if file.suffix.lower() == ".parquet":
                names, separator = list(pq.read_schema(file).names), ""
            else:
                with file.open(encoding="utf-8-sig") as lines:
                    header = lines.readline().rstrip("\r\n")
                separator = separator_of(header, known)
                names = [name.strip(' "') for name in header.split(separator)]
        if names == [""]:
            raise DataError(f"{file}: it is empty; write a header, and a row per clip")
        for name, times in Counter(name.lower() for name in names).items():
            if times > 1:
                raise DataError(f"{file}: column {name!r} is there {times} times; leave one of them out")
        return cls(file, {name.lower(): name for name in names}, separator)

    @property
    def rows(self) -> tuple[str, int]:
        """Words before the number of a row, and the number of the first: lines of text count from 1, with the header.

        Rows of parquet count from 0.
        """
        return (f"{self.file}, line", 2) if self.separator else (f"{self.file}, row", 0)

    def batches(self, wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield some of the columns, under their names in lower case. All cells of text are strings, or null if empty.

        Raises:
            DataError: the file cannot be read to its end.
        """
        names = [self.columns[name] for name in wanted]
        with _readable(self.file):
            if not self.separator:
                for batch in pq.ParquetFile(self.file).iter_batches(batch_size=_ROWS, columns=names):
                    yield batch.select(names).rename_columns(list(wanted))
                return
            reader = pa.csv.open_csv(
                self.file,
                pa.csv.ReadOptions(
                    use_threads=False, block_size=_BLOCK, column_names=list(self.columns), skip_rows=1
                ),  # one thread, so that messages have the number of a line
                pa.csv.ParseOptions(delimiter=self.separator),
                pa.csv.ConvertOptions(
                    column_types=dict.fromkeys(wanted, pa.string()),
                    include_columns=list(wanted),
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
            yield from reader


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{file}: no such file; check its name") from None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            f"{file}: cannot be read as csv or parquet ({reason}); write it again as such, in UTF-8"
        ) from None
