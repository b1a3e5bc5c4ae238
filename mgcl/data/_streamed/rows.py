"""Rows of a manifest: their values are checked, and converted to a listing."""

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from mgcl.audio.formats import SUFFIXES, advice
from mgcl.data._streamed.addresses import is_url
from mgcl.data._streamed.listing import LISTING
from mgcl.data.folder import SEPARATOR, clean_label
from mgcl.errors import DataError

_IN_ARCHIVE = "::"

Indexed = Callable[[str], Mapping[str, tuple[int, int]]]
"""Function from an archive to offset and size of its members, by name."""
Place = tuple[str, str | None, int | None, int | None]
"""Columns path, member, begin and size of a listing."""


class Rows:
    """Some rows of a manifest.

    Args:
        batch: the rows, with the columns of ``mgcl.data._streamed.manifest``.
        words: words before the number of a row.
        first: number of the first row.
    """

    def __init__(self, batch: pa.RecordBatch, words: str, first: int) -> None:
        self._batch, self._words, self._first = batch, words, first

    def where(self, row: int) -> str:
        """Name of a row, for messages."""
        return f"{self._words} {self._first + row}"

    def listed(self, root: str, indexed: Indexed) -> pa.RecordBatch:
        """Convert the rows to a listing.

        Args:
            root: folder that paths are relative to.
            indexed: ``mgcl.data._streamed.archives.index``.

        Raises:
            DataError: a value is wrong; names the row.
        """
        paths = self._texts("path")
        if "url" in self._batch.schema.names:
            paths = pc.coalesce(paths, self._texts("url"))
        self._refuse(pc.is_null(paths), "no path; name an audio file, or remove the row")
        start, seconds = self._numbers("offset", least=0.0), self._numbers("seconds")
        columns = {
            "clip_id": pc.coalesce(self._texts("clip_id"), _names(paths, start, seconds)),
            **self._places(paths, root, indexed),
            "start": start,
            "seconds": seconds,
            "label": pc.utf8_normalize(self._texts("label"), "NFC"),
            "labels": self._labels(),
            "caption": self._texts("caption"),
            "source": self._texts("source"),
            "fold": self._folds(),
        }
        nothing = pa.nulls(self._batch.num_rows)
        return pa.record_batch([columns.get(each.name, nothing).cast(each.type) for each in LISTING], LISTING)

    def _places(self, paths: pa.Array, root: str, indexed: Indexed) -> dict[str, pa.Array]:
        """Columns that say where the sounds are. A path that stands in many rows is found once."""
        coded = paths.dictionary_encode()
        found: list[Place] = []
        for code, path in enumerate(coded.dictionary.to_pylist()):
            try:
                found.append(_place(path, root, indexed))
            except DataError as error:
                raise DataError(f"{self.where(pc.index(coded.indices, code).as_py())}: {error}") from None
        columns = zip(*found, strict=True)
        types = {name: LISTING.field(name).type for name in ("path", "member", "begin", "size")}
        return {
            name: pa.array(column, kind).take(coded.indices)
            for (name, kind), column in zip(types.items(), columns, strict=True)
        }

    def _texts(self, name: str) -> pa.Array:
        """A column as strings without surrounding white space; null where nothing is left."""
        texts = pc.utf8_trim_whitespace(self._as(name, pa.string()))
        return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)

    def _numbers(self, name: str, *, least: float = math.ulp(0.0)) -> pa.Array:
        """A column of seconds, each ``least`` or more."""
        column = self._column(name)
        if pa.types.is_string(column.type):
            column = self._texts(name)
        try:
            numbers = pc.cast(column, pa.float64())
        except pa.ArrowInvalid:
            for row, text in enumerate(column.to_pylist()):
                if text is not None and not _is_number(text):
                    raise DataError(f"{self.where(row)}: {name} {text!r} is no number of seconds; mend it") from None
            raise
        except pa.ArrowNotImplementedError:
            raise self._wrong_type(name, "numbers") from None
        fits = pc.and_(pc.greater_equal(numbers, least), pc.is_finite(numbers))
        for row in _first(pc.invert(fits)):
            kind = "0 s or later" if least == 0 else "longer than 0 s"
            raise DataError(f"{self.where(row)}: {name} {numbers[row].as_py():g}; it is {kind}, mend it")
        return numbers

    def _labels(self) -> pa.Array:
        """The column labels: lists, or names with ``SEPARATOR`` between them; an empty cell is a clip without any."""
        kind = LISTING.field("labels").type
        if "labels" not in self._batch.schema.names:
            return pa.nulls(self._batch.num_rows, kind)
        column = self._column("labels")
        if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
            texts = self._texts("labels").to_pylist()
            lists = [
                [label for each in (text or "").split(SEPARATOR) if (label := clean_label(each))] for text in texts
            ]
            return pa.array(lists, kind)
        return pc.fill_null(self._as("labels", kind), pa.scalar([], kind))

    def _folds(self) -> pa.Array:
        column = self._column("fold")
        if pa.types.is_string(column.type):
            column = self._texts("fold")
        try:
            folds = pc.cast(column, pa.int8())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            folds = pa.array([_fold(value) for value in column.to_pylist()], pa.int8())
        wrong = pc.and_(pc.is_valid(column), pc.fill_null(pc.less(folds, 0), True))
        for row in _first(wrong):
            raise DataError(f"{self.where(row)}: fold {column[row].as_py()!r} is no integer from 0 to 127; mend it")
        return folds

    def _as(self, name: str, kind: pa.DataType) -> pa.Array:
        try:
            return pc.cast(self._column(name), kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise self._wrong_type(name, "names" if pa.types.is_list(kind) else "text") from None

    def _column(self, name: str) -> pa.Array:
        return self._batch[name] if name in self._batch.schema.names else pa.nulls(self._batch.num_rows, pa.string())

    def _wrong_type(self, name: str, wanted: str) -> DataError:
        return DataError(
            f"{self._words} ...: column {name!r} is {self._column(name).type}, not {wanted}; write it again"
        )

    def _refuse(self, mask: pa.Array, why: str) -> None:
        for row in _first(mask):
            raise DataError(f"{self.where(row)}: {why}")


def _first(mask: pa.Array) -> list[int]:
    """Row of the first true value; empty: there is none."""
    row: int = pc.index(mask, True).as_py()
    return [row] if row >= 0 else []


def _names(paths: pa.Array, start: pa.Array, seconds: pa.Array) -> pa.Array:
    """Ids of clips that have none in the manifest: the path, and the part of the file if the clip is a part."""
    if start.null_count == len(start):
        return paths
    rows = zip(paths.to_pylist(), start.to_pylist(), seconds.to_pylist(), strict=True)
    return pa.array([path if first is None else f"{path} {_part(first, length)}" for path, first, length in rows])


def _part(start: float, seconds: float | None) -> str:
    return f"from {start:.12g} s" if seconds is None else f"{start:.12g}-{start + seconds:.12g} s"


def _place(path: str, root: str, indexed: Indexed) -> Place:
    """Find where a sound is.

    Raises:
        DataError: it is no audio file by its name, or no member of its archive.
    """
    if is_url(path):
        return path, None, None, None
    archive, inside, name = path.partition(_IN_ARCHIVE)
    place = os.path.join(root, archive)  # noqa: PTH118  # of a million paths no objects are made
    if PurePosixPath(name or archive).suffix.lower() not in SUFFIXES:
        hint = advice(Path(place)) or "convert it to wav, or remove the row"
        raise DataError(f"{path!r} is none of {' '.join(SUFFIXES)}; {hint}")
    if not inside:
        return place, None, None, None
    if (found := indexed(place).get(name)) is None:
        raise DataError(f"{place}: has no member {name!r}; `tar tf` lists them")
    return place, name, *found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _fold(value: object) -> int | None:
    """A fold as a number; None: it is none."""
    try:
        fold = int(str(value))
    except ValueError:
        return None
    return fold if 0 <= fold < 128 else None
