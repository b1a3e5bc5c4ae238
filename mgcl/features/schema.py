"""The columns of a feature bank: their names, their content, and how to get them.

A bank is three files: ``bank.json`` (the header), ``clips.arrow`` (one row per clip) and ``classes.arrow`` (one row per
class). Banks are written in FORMAT 2. Banks in FORMAT 1, whose columns have ``since=1``, can be read too.
"""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from mgcl.language.prompt_sets import PROMPT_SETS

FORMAT = 2
CLIPS, CLASSES, HEADER = "clips.arrow", "classes.arrow", "bank.json"

Kind = Literal["text", "texts", "number", "events", "vector", "vectors", "ragged"]
"""Content of a row, in this order: one string; strings; a small integer; events; one vector; vectors, equally many in
every row; any number of vectors."""


@dataclass(frozen=True)
class Column:
    """A column of one of a bank's tables.

    Attributes:
        stored: name of the column in the table.
        kind: kind of content of a row.
        about: content of a row, in words.
        name: name for ``FeatureBank.column`` and ``FeatureBank.lacks``; empty: the stored name.
        text: column of the sentences that the vectors embed; empty: there is none. A bank has both columns or neither.
        joint: whether the vectors lie in the backbone's joint space and have the header's ``embedding_dim``; other
            vectors have a dimension of their own.
        required_in: formats in which every bank must have the column.
        nullable: whether a row may be null, which means unknown.
        since: first format that has the column.
        mend: advice for a bank that lacks the column.
    """

    stored: str
    kind: Kind
    about: str
    name: str = ""
    text: str = ""
    joint: bool = False
    required_in: tuple[int, ...] = ()
    nullable: bool = False
    since: int = 1
    mend: str = "import a bank that has it"

    @property
    def called(self) -> str:
        """Name of the column for ``FeatureBank.column`` and ``FeatureBank.lacks``."""
        return self.name or self.stored

    @property
    def holds_vectors(self) -> bool:
        """Whether the column holds vectors, which ``FeatureBank.column`` returns."""
        return self.kind in ("vector", "vectors", "ragged")


CLIP_COLUMNS = (
    Column("clip_id", "text", "its name, unique", required_in=(1, 2)),
    Column("label", "text", "its class, where a clip has one", required_in=(1,)),
    Column("fold", "number", "the data set's own clip fold", required_in=(1, 2), nullable=True),
    Column("caption", "text", "one sentence on what it sounds like"),
    Column("source", "text", "the recording it was cut from", required_in=(1, 2), nullable=True),
    Column("clip_embedding", "vector", "the whole clip", name="clip", joint=True, required_in=(1,)),
    Column(
        "caption_embedding",
        "vector",
        "its caption",
        name="caption",
        text="caption",
        joint=True,
        mend="`mgcl caption` writes captions",
    ),
    Column("segment_embeddings", "vectors", "its time steps", name="segments", joint=True, required_in=(1,)),
    Column("labels", "texts", "its classes, where a clip may have several or none", since=2),
    Column("captions", "texts", "several sentences on what it sounds like", since=2),
    Column("caption_embeddings", "ragged", "its captions", name="captions", text="captions", joint=True, since=2),
    Column("events", "events", "what sounds in it from when to when, in seconds", since=2),
    Column("audio", "ragged", "audio tokens, one per step of the header", since=2),
    Column("video", "ragged", "video tokens, one per step of the header", since=2),
    Column("split", "text", "train, validation or test, where the data set fixes it", since=2),
    Column(
        "mel_statistics",
        "vector",
        "average log-mel spectrum and loudness in dB: what is known without a backbone",
        mend="`mgcl extract` writes mel statistics",
    ),
)
"""Columns of ``clips.arrow``, in the order in which they are written and hashed."""

_PROMPT_SETS = tuple(
    column
    for name in PROMPT_SETS
    for column in (
        Column(f"{name}_prompt", "text", f"its prompt in the set {name}", since=2),
        Column(
            f"{name}_prompt_embedding",
            "vector",
            f"its prompt in the set {name}",
            name=f"{name}_prompt",
            text=f"{name}_prompt",
            joint=True,
            since=2,
            mend="`mgcl extract --prompt-sets` writes prompt sets",
        ),
    )
)

_READS_TEXT = "`mgcl extract` writes it with a backbone that has a text side"

CLASS_COLUMNS = (
    Column("label", "text", "its name, unique", name="class_label", required_in=(1, 2)),
    Column("prompt", "text", "one sentence that names it", required_in=(1,)),
    Column(
        "prompt_embedding",
        "vector",
        "its prompt",
        name="prompt",
        text="prompt",
        joint=True,
        required_in=(1,),
        mend=_READS_TEXT,
    ),
    Column("explanations", "texts", "sentences on what it sounds like, as many for every class", required_in=(1,)),
    Column(
        "explanation_embeddings",
        "vectors",
        "its explanations",
        name="explanations",
        text="explanations",
        joint=True,
        required_in=(1,),
        mend=_READS_TEXT,
    ),
    Column("word_vector", "vector", "its name as words, in a space of its own", since=2),
    Column("part", "text", "base, novel-validation or novel-test, where the data set divides its classes", since=2),
    *_PROMPT_SETS,
)
"""Columns of ``classes.arrow``, in the order in which they are written and hashed."""

COLUMNS = {CLIPS: CLIP_COLUMNS, CLASSES: CLASS_COLUMNS}

NAMED = {column.called: column for column in (*CLIP_COLUMNS, *CLASS_COLUMNS)}
"""All columns by name. Where sentences and their vectors share a name, it stands for the vectors."""


def columns_of(file: str, table: pa.Table, version: int = FORMAT) -> tuple[Column, ...]:
    """Return the columns of a format that a table has. Other columns of the table are ignored."""
    return tuple(each for each in COLUMNS[file] if each.since <= version and each.stored in table.column_names)


def arrow_type(column: Column, dim: int = 0, number: str = "float32") -> pa.DataType:
    """Return the Arrow type of a column.

    Args:
        column: column of a bank.
        dim: dimension of the column's vectors, if it has any.
        number: type of the vectors' numbers, "float32" or "float16".
    """
    vector = pa.list_(pa.float16() if number == "float16" else pa.float32(), dim)
    event = pa.struct({"onset": pa.float64(), "offset": pa.float64(), "label": pa.string()})
    return {
        "text": pa.string(),
        "texts": pa.list_(pa.string()),
        "number": pa.int8(),
        "events": pa.list_(event),
        "vector": vector,
        "vectors": pa.list_(vector),
        "ragged": pa.list_(vector),
    }[column.kind]
