"""Checks of a bank, which refuse a wrong value and name its file, column and row."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mgcl.errors import BankError
from mgcl.features.columns import Ragged, one_chunk, read_column
from mgcl.features.header import Header, check_header
from mgcl.features.parts import check_parts
from mgcl.features.schema import CLASSES, CLIPS, COLUMNS, HEADER, NAMED, Column, arrow_type, columns_of

_BLOCK = 1 << 22
"""Numbers that are checked at once, which bounds the memory that a check takes."""


def check_bank(
    files: Mapping[str, pa.Table], classes: pa.Table, header: Header, folder: str, *, unread: Collection[str] = ()
) -> None:
    """Refuse tables and a header that are not a bank.

    Args:
        files: name of a file of clips -> its table, in the order of the rows; at least one, all of the same columns.
        classes: table of ``classes.arrow``.
        header: content of ``bank.json``.
        folder: folder of the bank, for messages.
        unread: files whose numbers of vectors are not read. Lengths, sentences and all else are checked in either case.

    Raises:
        BankError: a number of the header is out of range; a table has no rows; a column is missing or of the wrong
            type; a value is null or not finite; a list has the wrong length; an id or label is repeated; an event ends
            before it begins; a label has no row in the table of classes; tokens and the header do not agree; a split or
            part is unknown, or a class lacks clips that its part needs; or a word vector is zero. Names the file, the
            column and the row.
    """
    first, classes_file = next(iter(files)), f"{folder}/{CLASSES}"
    of_clips = columns_of(CLIPS, files[first], header.format)
    of_classes = columns_of(CLASSES, classes, header.format)
    _check_header(header, (*of_clips, *of_classes), folder)
    if not any(table.num_rows for table in files.values()):
        raise BankError(f"{folder}/{first}: no rows")
    for file, table in files.items():
        _check_clips(table, of_clips, header, folder, file, vectors=file not in unread)
    _check_unique({f"{folder}/{file}": table for file, table in files.items()}, "clip_id")
    _check_classes(classes, of_classes, header, classes_file, vectors=CLASSES not in unread)
    for file, table in files.items():
        _check_labels(table, {each.stored for each in of_clips}, one_chunk(classes["label"]), f"{folder}/{file}")
    check_parts(files, {each.stored for each in of_clips}, classes, {each.stored for each in of_classes}, folder)


def check_shard(clips: pa.Table, header: Header, folder: str, file: str) -> None:
    """Refuse a shard of clips that no bank with this header can have. Every value is read.

    Raises:
        BankError: as ``check_bank``, as far as one file of clips tells.
    """
    columns = columns_of(CLIPS, clips, header.format)
    _check_header(header, columns, folder)
    _check_clips(clips, columns, header, folder, file, vectors=True)


def _check_header(header: Header, found: Sequence[Column], folder: str) -> None:
    check_header(
        header,
        f"{folder}/{HEADER}",
        joint=any(each.joint for each in found),
        sentences=any(each.joint and each.text for each in found),
        segments=any(each.name == "segments" for each in found),
    )


def _check_columns(
    table: pa.Table, there: Sequence[Column], known: Sequence[Column], header: Header, file: str
) -> None:
    """Refuse a table in which a column is missing or has the wrong type.

    Missing columns are required ones, and columns whose vectors or sentences are present without them.
    """
    stored = {each.stored for each in there}
    for column in known:
        pair = {each.stored for each in known if each.text == column.stored or each.stored == column.text}
        wanted = header.format in column.required_in or (column.since <= header.format and pair & stored)
        if wanted and column.stored not in stored:
            its_type = arrow_type(column, header.embedding_dim)
            raise BankError(f"{file}: column {column.stored!r} is missing; its type is {its_type}")
    for column in there:
        found = table.schema.field(column.stored).type
        if fault := _wrong_type(found, column, header):
            raise BankError(f"{file}: column {column.stored!r} is {found}{fault}")


def _wrong_type(found: pa.DataType, column: Column, header: Header) -> str:
    """Describe the type that a column should have. Empty: its type is right.

    Vectors outside the joint space may have any dimension.
    """
    vector = found
    while pa.types.is_list(vector):
        vector = vector.value_type
    own = vector.list_size if pa.types.is_fixed_size_list(vector) else 0
    dim = header.embedding_dim if column.joint else own
    numbers = ("float32",) if header.format == 1 else ("float32", "float16")
    if found in [arrow_type(column, dim, number) for number in numbers] and (dim or not column.holds_vectors):
        return ""
    if column.joint or not column.holds_vectors:
        return f", where bank.json asks for {arrow_type(column, header.embedding_dim)}"
    return f"; it should be {'' if column.kind == 'vector' else 'lists of '}fixed-size lists of float"


def _check_values(table: pa.Table, unread: Collection[str], file: str) -> None:
    """Refuse nulls, offsets that fall, NaN and infinities; of columns that must not be read, nulls and offsets only."""
    nullable = {each.stored for columns in COLUMNS.values() for each in columns if each.nullable}
    for name in table.column_names:
        if name not in nullable:
            for row, reason in _wrong_value(one_chunk(table[name]), numbers=name not in unread):
                raise BankError(f"{file}: column {name!r}, row {row}: {reason}")


def _wrong_value(array: pa.Array, *, numbers: bool) -> Iterator[tuple[int, str]]:
    """Yield a row with a wrong value at any depth, and the reason; nothing if there is none."""
    if array.null_count:
        yield pc.index(pc.is_null(array), True).as_py(), "a value is null"
    elif pa.types.is_list(array.type):
        offsets = array.offsets.to_numpy()
        if (falling := np.flatnonzero(np.diff(offsets) < 0)).size:
            yield int(falling[0]), "its entries end before they begin"
            return
        for index, reason in _wrong_value(array.flatten(), numbers=numbers):
            yield _row_of(array, index), reason
    elif pa.types.is_fixed_size_list(array.type):
        for index, reason in _wrong_value(array.flatten(), numbers=numbers):
            yield index // array.type.list_size, reason
    elif pa.types.is_struct(array.type):
        for part in array.flatten():
            yield from _wrong_value(part, numbers=numbers)
    elif pa.types.is_floating(array.type) and numbers:
        yield from _not_finite(array)


def _row_of(array: pa.ListArray, index: int) -> int:
    """Row of an array of lists that has an entry of the flattened array."""
    offsets = array.offsets.to_numpy()
    return int(np.searchsorted(offsets, index + offsets[0], side="right")) - 1


def _not_finite(array: pa.Array) -> Iterator[tuple[int, str]]:
    for start in range(0, len(array), _BLOCK):
        index = pc.index(pc.is_finite(array.slice(start, _BLOCK)), False).as_py()
        if index >= 0:
            yield start + index, "a number is NaN or infinite"
            return


def _check_clips(
    clips: pa.Table, columns: Sequence[Column], header: Header, folder: str, name: str, *, vectors: bool
) -> None:
    file, stored = f"{folder}/{name}", {each.stored for each in columns}
    _check_columns(clips, columns, COLUMNS[CLIPS], header, file)
    _check_values(clips, set() if vectors else {each.stored for each in columns if each.holds_vectors}, file)
    if "segment_embeddings" in stored:
        _check_lengths(clips, "segment_embeddings", header.segments, file)
    if "captions" in stored:
        sentences, embedded = _lengths(clips, "captions"), _lengths(clips, "caption_embeddings")
        for row in np.flatnonzero(sentences != embedded)[:1]:
            raise BankError(
                f"{file}: column 'caption_embeddings', row {row}: {embedded[row]} entries for {sentences[row]} captions"
            )
    if "events" in stored:
        _check_events(one_chunk(clips["events"]), file)
    _check_tokens(clips, columns, header, folder, file)


def _check_events(events: pa.ListArray, file: str) -> None:
    entries = events.flatten()
    onset, offset = (pc.struct_field(entries, name).to_numpy() for name in ("onset", "offset"))
    for index in np.flatnonzero(~((onset >= 0) & (onset < offset)))[:1]:
        event = entries[int(index)].as_py()
        raise BankError(
            f"{file}: column 'events', row {_row_of(events, index)}: {event['label']!r} from {event['onset']} s to "
            f"{event['offset']} s; an event begins at 0 s or later, and ends after that"
        )


def _check_classes(classes: pa.Table, columns: Sequence[Column], header: Header, file: str, *, vectors: bool) -> None:
    if classes.num_rows == 0 and header.format == 1:
        raise BankError(f"{file}: no rows")
    stored = {each.stored for each in columns}
    _check_columns(classes, columns, COLUMNS[CLASSES], header, file)
    _check_values(classes, set() if vectors else {each.stored for each in columns if each.holds_vectors}, file)
    _check_unique({file: classes}, "label")
    if "explanations" in stored and classes.num_rows:
        sentences = len(classes["explanations"][0])
        if sentences == 0:
            raise BankError(f"{file}: column 'explanations', row 0: a class needs at least one explanation")
        for name in ("explanations", "explanation_embeddings"):
            _check_lengths(classes, name, sentences, file)
    if vectors and "word_vector" in stored:
        _check_words(classes, file)


def _check_words(classes: pa.Table, file: str) -> None:
    words = read_column(classes, NAMED["word_vector"])
    for row in () if isinstance(words, Ragged) else np.flatnonzero(~words.any(1))[:1]:
        label = classes["label"][int(row)].as_py()
        raise BankError(
            f"{file}: column 'word_vector', row {row}: all numbers are 0; give {label!r} a vector of its own"
        )


def _check_tokens(clips: pa.Table, columns: Sequence[Column], header: Header, folder: str, file: str) -> None:
    """Refuse tokens without a step, a step without tokens, and a clip without tokens if the header allows no gaps."""
    names = [each.stored for each in columns if each.kind == "ragged" and not each.joint]
    for name in header.tokens:
        if name not in names:
            raise BankError(f"{file}: column {name!r} is missing; {HEADER} has its step")
    for name in names:
        if name not in header.tokens:
            raise BankError(f"{folder}/{HEADER}: tokens.{name}.step is missing: seconds per token of column {name!r}")
        if not header.tokens[name].gaps:
            for row in np.flatnonzero(_lengths(clips, name) == 0)[:1]:
                raise BankError(
                    f"{file}: column {name!r}, row {row}: no tokens; where clips may lack them, "
                    f"tokens.{name}.gaps of {HEADER} is true"
                )


def _check_labels(clips: pa.Table, stored: set[str], known: pa.Array, file: str) -> None:
    for name in ("label", "labels", "events"):
        if name not in stored:
            continue
        rows = one_chunk(clips[name])
        entries = rows if name == "label" else rows.flatten()
        labels = pc.struct_field(entries, "label") if name == "events" else entries
        index = pc.index(pc.is_in(labels, value_set=known), False).as_py()
        if index >= 0:
            row = index if name == "label" else _row_of(rows, index)
            raise BankError(f"{file}: column {name!r}, row {row}: {labels[index].as_py()!r} has no row in {CLASSES}")


def _check_lengths(table: pa.Table, column: str, length: int, file: str) -> None:
    lengths = _lengths(table, column)
    for row in np.flatnonzero(lengths != length)[:1]:
        raise BankError(f"{file}: column {column!r}, row {row}: {lengths[row]} entries, where every row has {length}")


def _lengths(table: pa.Table, column: str) -> NDArray[np.int64]:
    lengths: NDArray[np.int64] = pc.list_value_length(table[column]).to_numpy()
    return lengths


def _check_unique(files: Mapping[str, pa.Table], column: str) -> None:
    """Refuse a text that stands twice, in one file or in several."""
    if pc.count_distinct(
        pa.chunked_array([each for table in files.values() for each in table[column].chunks], pa.string())
    ).as_py() == sum(table.num_rows for table in files.values()):
        return
    places: dict[str, list[str]] = {}
    for file, table in files.items():
        for row, value in enumerate(table[column].to_pylist()):
            places.setdefault(value, []).append(f"{file}: column {column!r}, row {row}")
    value, twice = max(places.items(), key=lambda each: len(each[1]))
    first = f", first in {twice[0]}" if len(files) > 1 else ""
    raise BankError(f"{twice[-1]}: {value!r} stands {len(twice)} times{first}")
