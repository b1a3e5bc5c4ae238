"""Import banks from a user's own arrays, and export banks as Parquet."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from mgcl.errors import BankError
from mgcl.features.bank import FeatureBank
from mgcl.features.columns import Ragged
from mgcl.features.header import Header, Tokens
from mgcl.features.material import (
    ARRAYS,
    Arrays,
    numbered,
    read_arrays,
    read_csv,
    read_events,
    read_folds,
    require,
)
from mgcl.features.schema import CLASSES, CLIPS, COLUMNS, HEADER, NAMED
from mgcl.features.writer import write_bank

_BETWEEN_LABELS = "|"


def import_arrays(
    arrays: Path,
    clips: Path,
    classes: Path,
    out: Path,
    *,
    dataset: str,
    backbone: str,
    logit_scale: float = 0.0,
    sample_rate: int = 0,
    seconds: float = 0.0,
    revision: str = "",
    licence: str = "",
    events: Path | None = None,
    steps: Mapping[str, float] | None = None,
) -> FeatureBank:
    """Make a bank from an npz file and csv files. The rows of the csv files are in the order of the arrays' rows.

    Args:
        arrays: npz with float arrays clip_embeddings (clips, d), segment_embeddings (clips, segments, d),
            prompt_embeddings (classes, d), explanation_embeddings (classes, n_e, d), and, if clips have captions,
            caption_embeddings (clips, d); if they have several, (captions, d) and caption_embeddings_offsets
            (clips + 1). It may have mel_statistics (clips, any), word_vectors (classes, any), and tokens: audio and
            video (tokens, any) with audio_offsets and video_offsets (clips + 1). With tokens it needs nothing else.
        clips: csv with clip_id; label, or labels, any number, with ``|`` between them; if there are captions, caption
            or caption_1, caption_2 ...; and optionally fold, split and source; one row per clip.
        classes: csv with label, and, if the arrays have their embeddings, prompt and explanation_1 ... explanation_n;
            and optionally part; one row per class.
        out: folder of the bank; must not exist.
        dataset: name of the data set; "esc50" and "fsdkaggle18" have published folds.
        backbone: name of the backbone that made the embeddings.
        logit_scale: multiplier of the backbone's contrast, already exponentiated, in ``mgcl.records.LOGIT_SCALES``; 0
            without embeddings of sentences.
        sample_rate: sample rate in Hz; 0 for tokens alone.
        seconds: length of the window that the segments cover; 0 if there are no segments.
        revision: revision of the data set.
        licence: licence of the data set.
        events: csv with clip_id, onset and offset in seconds, and label; one row per event. None: events are unknown.
        steps: seconds per token, by modality: "audio" and "video".

    Raises:
        BankError: the folder exists, or an array, column or row is missing or wrong; names the file and the place.
    """
    data = read_arrays(arrays)
    header = Header(
        dataset=dataset,
        revision=revision,
        licence=licence,
        backbone=backbone,
        embedding_dim=data.sizes.get("d", 0),
        logit_scale=logit_scale,
        sample_rate=sample_rate,
        seconds=seconds,
        segments=data.sizes.get("segments", 0),
        tokens=_tokens(data, steps or {}, arrays),
    )
    of_clips, of_classes = _of_clips(data, clips, arrays), _of_classes(data, classes, arrays)
    if events is not None:
        of_clips["events"] = read_events(events, of_clips["clip_id"])
    for row, labels in enumerate(of_clips.get("labels") or [[label] for label in of_clips["label"]]):
        for label in labels:
            if label not in of_classes["label"]:
                name = "labels" if "labels" in of_clips else "label"
                raise BankError(f"{clips}: column {name!r}, row {row}: {label!r} has no row in {classes}")
    return write_bank(out, header, of_clips, of_classes)


def export_parquet(bank: FeatureBank, out: Path) -> None:
    """Write clips.parquet, classes.parquet and bank.json into a new folder.

    Raises:
        BankError: the folder exists, or the bank's vectors are on storage.
    """
    if bank.remote:
        raise BankError(f"{bank.path}: has only the rows that were in use; export the bank at {bank.remote.address}")
    if out.exists():
        raise BankError(f"{out}: exists already; name another folder, or remove it first")
    out.mkdir(parents=True)
    with pq.ParquetWriter(out / "clips.parquet", bank.clips.schema) as writer:
        for table in bank.files.values():  # one by one, as the writer holds what it writes in memory
            writer.write_table(table)
    pq.write_table(bank.classes, out / "classes.parquet")
    shutil.copyfile(bank.path / HEADER, out / HEADER)


def _tokens(data: Arrays, steps: Mapping[str, float], file: Path) -> dict[str, Tokens]:
    tokens = {}
    for name in (name for name, each in ARRAYS.items() if each.tokens):
        values = data.arrays.get(name)
        if isinstance(values, Ragged):
            if name not in steps:
                raise BankError(f"{file}: {name} tokens come without their step; give the seconds per {name} token")
            tokens[name] = Tokens(steps[name], gaps=bool((values.lengths == 0).any()))
    return tokens


def _of_clips(data: Arrays, file: Path, arrays: Path) -> dict[str, Any]:
    """Return the columns of clips, by the names under which they are stored."""
    cells = read_csv(file, ("clip_id",), rows=data.sizes.get("clips"), arrays=arrays)
    columns: dict[str, Any] = {"clip_id": cells["clip_id"], **_vectors(data, CLIPS)}
    if "labels" in cells and "label" not in cells:
        columns["labels"] = [[label.strip() for label in row.split(_BETWEEN_LABELS) if row] for row in cells["labels"]]
    else:
        require(cells, ("clip_id", "label"), file)
        columns["label"] = cells["label"]
    if "caption_embedding" in columns:
        require(cells, ("clip_id", "caption"), file)
        columns["caption"] = cells["caption"]
    if "caption_embeddings" in columns:
        names = numbered(cells, "caption")
        require(cells, names[:1], file)
        columns["captions"] = [[text for text in row if text] for row in zip(*map(cells.get, names), strict=True)]
    if "fold" in cells:
        columns["fold"] = read_folds(cells["fold"], file)
    if "split" in cells:
        columns["split"] = cells["split"]
    if "source" in cells:
        columns["source"] = [source or None for source in cells["source"]]
    return columns


def _of_classes(data: Arrays, file: Path, arrays: Path) -> dict[str, Any]:
    """Return the columns of classes, by the names under which they are stored."""
    cells = read_csv(file, ("label",), rows=data.sizes.get("classes"), arrays=arrays)
    columns: dict[str, Any] = {"label": cells["label"], **_vectors(data, CLASSES)}
    if "prompt_embedding" in columns:
        require(cells, ("label", "prompt"), file)
        columns["prompt"] = cells["prompt"]
    if "explanation_embeddings" in columns:
        names = numbered(cells, "explanation")
        require(cells, names, file)
        columns["explanations"] = list(zip(*(cells[name] for name in names), strict=True))
    if "part" in cells:
        columns["part"] = cells["part"]
    return columns


def _vectors(data: Arrays, file: str) -> dict[str, Any]:
    """Return the arrays of one table, by the stored name of the column that they become."""
    found = {}
    for name, values in data.arrays.items():
        several = name == "caption_embeddings" and isinstance(values, Ragged)
        column = NAMED["captions" if several else ARRAYS[name].column]
        if column in COLUMNS[file]:
            found[column.stored] = values
    return found
