"""Rows of a parquet file as the Hugging Face hub's data sets have them: audio with a class, classes or captions."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mgcl.audio.formats import SUFFIXES
from mgcl.errors import DataError

_LABELS = ("human_labels", "label", "labels", "class", "category", "class_name", "label_name")
"""Names of columns with the classes' names, where the schema has no ClassLabel; the first is taken."""
_CAPTIONS = ("caption", "captions", "caption_1", "caption_2", "caption_3", "caption_4", "caption_5", "text")
"""Names of columns with captions; text only if there is no other, and no class."""
LARGEST_GROUP = 1 << 29
"""Bytes of audio in a row group above which it is not read at once."""
_MAGIC = {b"RIFF": ".wav", b"fLaC": ".flac", b"OggS": ".ogg", b"ID3": ".mp3", b"\xff\xfb": ".mp3", b"FORM": ".aiff"}
"""First bytes of an audio file -> its suffix."""


@dataclass(frozen=True)
class Row:
    """One row: an audio file, and what is known of it."""

    audio: bytes
    """Content of the file; empty: it was not read."""
    suffix: str = ""
    label: str = ""
    labels: tuple[str, ...] | None = None
    captions: tuple[str, ...] = ()
    fold: int | None = None


@dataclass(frozen=True)
class _Columns:
    audio: str
    label: str
    captions: tuple[str, ...]
    names: Sequence[str] | None
    """Names of a ClassLabel's classes, in the order of its numbers; None: the column has names itself."""
    fold: str

    @property
    def read(self) -> list[str]:
        return [name for name in (self.audio, self.label, *self.captions, self.fold) if name]


def rows(file: Path) -> Iterator[Row]:
    """Read a parquet file, one row group in memory at a time.

    Raises:
        DataError: the file is not parquet, has no audio, or neither classes nor captions; or a row lacks audio, class
            or caption. The message names the row, counted from 0.
    """
    try:
        parquet = pq.ParquetFile(file)
        columns = _columns(parquet.schema_arrow, file)
        number = 0
        for group in range(parquet.num_row_groups):
            for values in parquet.read_row_group(group, columns=columns.read).to_pylist():
                yield _row(values, columns, where=f"{file}, row {number}")
                number += 1
    except pa.ArrowException as error:
        raise DataError(f"{file}: not a whole parquet file ({error}); remove it, and run the command again") from None


def rows_without_audio(file: Path) -> Iterator[list[Row]]:
    """Read what a parquet file says of its audio, without the audio: the rows of each row group.

    Raises:
        DataError: as ``rows``; or a row group holds more than ``LARGEST_GROUP`` bytes of audio.
    """
    try:
        parquet = pq.ParquetFile(file)
        columns, number = _columns(parquet.schema_arrow, file), 0
        for group in range(parquet.num_row_groups):
            _check_size(parquet.metadata.row_group(group), columns.audio, file)
            read = parquet.read_row_group(group, columns=columns.read[1:])
            values = read.to_pylist() if columns.read[1:] else [{}] * parquet.metadata.row_group(group).num_rows
            yield [_about(each, columns, where=f"{file}, row {number + row}") for row, each in enumerate(values)]
            number += len(values)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{file}: not a whole parquet file ({error}); fetch it again") from None


def audio_of(file: Path, group: int) -> pa.Array:
    """Read the audio of a row group: structs of bytes and path.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        parquet = pq.ParquetFile(file)
        name = next(field.name for field in parquet.schema_arrow if _is_audio(field))
        return parquet.read_row_group(group, columns=[name])[name].combine_chunks()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{file}: row group {group} cannot be read ({error}); fetch it again") from None


def _check_size(group: pq.RowGroupMetaData, audio: str, file: Path) -> None:
    columns = (group.column(number) for number in range(group.num_columns))
    size = sum(each.total_uncompressed_size for each in columns if each.path_in_schema.startswith(f"{audio}."))
    if size > LARGEST_GROUP:
        raise DataError(
            f"{file}: a row group holds {size >> 20:,} MiB of audio, and at most {LARGEST_GROUP >> 20} are read at "
            "once; write it again with smaller ones, as `row_group_size=100` of pyarrow.parquet.write_table makes"
        )


def _columns(schema: pa.Schema, file: Path) -> _Columns:
    features = _features(schema)
    audio = [field.name for field in schema if _is_audio(field)]
    if len(audio) != 1:
        found = ", ".join(schema.names)
        raise DataError(
            f"{file}: {len(audio)} columns hold audio (bytes and path), and one is read; it has {found}: choose "
            "another part or data set"
        )
    named = {name: names for name, feature in features.items() if (names := _class_names(feature)) is not None}
    texts = [name for name in schema.names if _is_text(schema.field(name).type)]
    labels = sorted(named, key=lambda name: name not in _LABELS) or [name for name in _LABELS if name in texts]
    if len(named) > 1 and sum(name in _LABELS for name in named) != 1:
        raise DataError(f"{file}: several columns of classes, {', '.join(named)}; choose another part or data set")
    captions = [name for name in _CAPTIONS if name in texts]
    if "text" in captions and (labels or len(captions) > 1):
        captions.remove("text")
    if not labels and not captions:
        raise DataError(
            f"{file}: no column of classes (ClassLabel, or text called {', '.join(_LABELS)}) or captions "
            f"({', '.join(_CAPTIONS)}); it has {', '.join(schema.names)}: choose another part or data set"
        )
    label = labels[0] if labels else ""
    fold = "fold" if "fold" in schema.names and pa.types.is_integer(schema.field("fold").type) else ""
    return _Columns(audio[0], label, tuple(captions), named.get(label), fold)


def _features(schema: pa.Schema) -> Mapping[str, Any]:
    """Column -> its type in the hub's own words; empty if the file does not record them."""
    written = (schema.metadata or {}).get(b"huggingface", b"{}")
    features: Mapping[str, Any] = json.loads(written).get("info", {}).get("features", {})
    return features


def _class_names(feature: Any) -> Sequence[str] | None:
    """Names of a ClassLabel, or of a list of them; None: the feature is another."""
    if isinstance(feature, list):
        return _class_names(feature[0]) if feature else None
    if not isinstance(feature, dict):
        return None
    names: Sequence[str] | None = feature.get("names")
    return names if feature.get("_type") == "ClassLabel" else _class_names(feature.get("feature"))


def _is_audio(field: pa.Field) -> bool:
    return pa.types.is_struct(field.type) and {"bytes", "path"} <= {each.name for each in field.type}


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _row(values: Mapping[str, Any], columns: _Columns, *, where: str) -> Row:
    audio = values[columns.audio] or {}
    if not audio.get("bytes"):
        raise DataError(f"{where}: no audio, only its name {audio.get('path')!r}; choose a data set that holds audio")
    suffix = suffix_of(audio.get("path") or "", audio["bytes"], where)
    return replace(_about(values, columns, where=where), audio=audio["bytes"], suffix=suffix)


def _about(values: Mapping[str, Any], columns: _Columns, *, where: str) -> Row:
    """What a row says of its audio."""
    value = values[columns.label] if columns.label else None
    label, labels = "", None
    if isinstance(value, list):
        labels = tuple(_class(each, columns, where) for each in value)
    elif columns.label:
        label = _class(value, columns, where)
    captions = tuple(text for name in columns.captions for text in _texts(values[name]))
    if not columns.label and not captions:
        raise DataError(f"{where}: no caption; choose another data set or commit")
    fold = values[columns.fold] if columns.fold else None
    return Row(b"", "", label, labels, captions, fold)


def _class(value: Any, columns: _Columns, where: str) -> str:
    if value is None or value == "" or (columns.names is not None and not 0 <= value < len(columns.names)):
        raise DataError(f"{where}: {columns.label} {value!r} is no class; choose another data set or commit")
    return columns.names[value] if columns.names is not None else str(value).strip()


def _texts(value: Any) -> list[str]:
    found = value if isinstance(value, list) else [value]
    return [text.strip() for text in found if text and text.strip()]


def suffix_of(name: str, audio: bytes, where: str) -> str:
    """Suffix of an audio file, by its name, else by its first bytes.

    Args:
        name: name of the file; may be empty.
        audio: content of the file.
        where: words for the message.

    Raises:
        DataError: the format is not known.
    """
    suffix = Path(name).suffix.lower()
    if suffix in SUFFIXES:
        return suffix
    known = next((suffix for magic, suffix in _MAGIC.items() if audio.startswith(magic)), None)
    if known is None:
        raise DataError(f"{where}: audio {name!r} is none of {' '.join(SUFFIXES)}; choose another data set")
    return known
