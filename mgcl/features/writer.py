"""Writing a feature bank: whole or not at all."""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mgcl.errors import BankError
from mgcl.features.bank import FeatureBank, Floats
from mgcl.features.schema import (
    CLASSES,
    CLIPS,
    HEADER,
    MEL_STATISTICS,
    Header,
    check_header,
    check_tables,
    classes_schema,
    clips_schema,
)


def write_bank(
    path: str | Path,
    header: Header,
    *,
    clip_ids: Sequence[str],
    labels: Sequence[str],
    captions: Sequence[str] | None,
    clip_embeddings: Floats,
    caption_embeddings: Floats | None,
    segment_embeddings: Floats,
    classes: Sequence[str],
    prompts: Sequence[str],
    prompt_embeddings: Floats,
    explanations: Sequence[Sequence[str]],
    explanation_embeddings: Floats,
    folds: Sequence[int | None] | None = None,
    sources: Sequence[str | None] | None = None,
    mel_statistics: Floats | None = None,
    extraction: Mapping[str, Any] | None = None,
) -> FeatureBank:
    """Write a bank, whole or not at all, and open it.

    Args:
        path: the folder to make; must not exist.
        header: sizes must agree with the arrays.
        clip_ids: one a clip; so are labels, captions, folds and sources.
        labels: each must be among ``classes``.
        captions: one sentence a clip; None: the bank has none.
        clip_embeddings: shape (clips, d).
        caption_embeddings: shape (clips, d); None with the captions.
        segment_embeddings: shape (clips, segments, d).
        classes: one label a class.
        prompts: one sentence a class.
        prompt_embeddings: shape (classes, d).
        explanations: shape (classes, n_e).
        explanation_embeddings: shape (classes, n_e, d).
        folds: the data set's own clip folds, informative; None: not known.
        sources: the recordings that clips were cut from; None: not known.
        mel_statistics: shape (clips, statistics); None: the bank has none.
        extraction: how it was made, for ``bank.json``; no part of the digest.

    Raises:
        BankError: the folder exists, or the content is not a bank.
    """
    target, d = Path(path).absolute(), header.embedding_dim
    if target.exists():
        raise BankError(f"{target}: exists already; name another folder, or remove it first")
    count = len(clip_ids)
    clips = {
        "clip_id": pa.array(clip_ids, pa.string()),
        "label": pa.array(labels, pa.string()),
        "fold": pa.array(folds or [None] * count, pa.int8()),
        "source": pa.array(sources or [None] * count, pa.string()),
        "clip_embedding": _vectors(clip_embeddings, d, "clip_embeddings"),
        "segment_embeddings": _lists(segment_embeddings, d, "segment_embeddings"),
    }
    texts = {
        "label": pa.array(classes, pa.string()),
        "prompt": pa.array(prompts, pa.string()),
        "prompt_embedding": _vectors(prompt_embeddings, d, "prompt_embeddings"),
        "explanations": pa.array(list(map(list, explanations)), pa.list_(pa.string())),
        "explanation_embeddings": _lists(explanation_embeddings, d, "explanation_embeddings"),
    }
    if captions is not None and caption_embeddings is not None:
        clips["caption"] = pa.array(captions, pa.string())
        clips["caption_embedding"] = _vectors(caption_embeddings, d, "caption_embeddings")
    schema = clips_schema(d, captioned="caption" in clips)
    if mel_statistics is not None:
        clips[MEL_STATISTICS] = _vectors(mel_statistics, mel_statistics.shape[-1], MEL_STATISTICS)
        schema = schema.append(pa.field(MEL_STATISTICS, clips[MEL_STATISTICS].type))
    tables = _table(clips, schema, CLIPS), _table(texts, classes_schema(d), CLASSES)
    check_header(header, str(target / HEADER))
    check_tables(*tables, header, str(target))
    _write(target, {**header.to_json(), **({"extraction": extraction} if extraction else {})}, *tables)
    return FeatureBank.open(target)


def _write(target: Path, header: Mapping[str, Any], clips: pa.Table, classes: pa.Table) -> None:
    """Write into a folder beside the target, then rename: a reader sees the whole bank or none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for table, name in ((clips, CLIPS), (classes, CLASSES)):
            with pa.ipc.new_file(draft / name, table.schema) as writer:
                writer.write_table(table)
        (draft / HEADER).write_text(json.dumps(header, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        draft.chmod(0o755)
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _vectors(array: Floats, d: int, name: str) -> pa.Array:
    if array.ndim < 2 or array.shape[-1] != d:
        raise BankError(f"{name}: shape {array.shape}, where the last dimension should be d = {d}")
    flat = np.ascontiguousarray(array, dtype=np.float32).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), d)


def _lists(array: Floats, d: int, name: str) -> pa.Array:
    if array.ndim != 3:
        raise BankError(f"{name}: shape {array.shape}, where three dimensions (rows, entries, d) are needed")
    rows, entries, _ = array.shape
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * entries)
    return pa.ListArray.from_arrays(offsets, _vectors(array, d, name))


def _table(columns: dict[str, pa.Array], schema: pa.Schema, file: str) -> pa.Table:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise BankError(f"{file}: columns of different lengths: {lengths}")
    return pa.table(columns, schema=schema)
