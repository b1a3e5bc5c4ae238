"""Banks from a user's own arrays, and banks as Parquet."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from mgcl.errors import BankError
from mgcl.features.bank import FeatureBank, Floats, write_bank
from mgcl.features.schema import HEADER, Header

ARRAYS = (
    "clip_embeddings",
    "caption_embeddings",
    "segment_embeddings",
    "prompt_embeddings",
    "explanation_embeddings",
)


def import_arrays(
    arrays: Path,
    clips: Path,
    classes: Path,
    out: Path,
    *,
    dataset: str,
    backbone: str,
    logit_scale: float,
    sample_rate: int,
    seconds: float,
    revision: str = "",
    licence: str = "",
) -> FeatureBank:
    """Make a bank of an npz file and two csv files, whose rows follow the arrays'.

    Args:
        arrays: npz with float arrays clip_embeddings and caption_embeddings (clips, d), segment_embeddings
            (clips, segments, d), prompt_embeddings (classes, d), explanation_embeddings (classes, n_e, d).
        clips: csv with clip_id, label, caption, and optionally fold and source; one row a clip.
        classes: csv with label, prompt, explanation_1 ... explanation_n; one row a class.
        out: the bank's folder; must not exist.
        dataset: "esc50" and "fsdkaggle18" bring their published folds.
        backbone: the name of what made the embeddings.
        logit_scale: of the backbone, already exponentiated, in 1..200.
        sample_rate: in Hz.
        seconds: that the segments cover.
        revision: of the data set.
        licence: of the data set.

    Raises:
        BankError: names the file, and the array, column or row that is missing or wrong.
    """
    data = _arrays(arrays)
    clip_rows = _csv(clips, ("clip_id", "label", "caption"), len(data["clip_embeddings"]), arrays)
    class_rows = _csv(classes, ("label", "prompt", "explanation_1"), len(data["prompt_embeddings"]), arrays)
    sentences = [name for name in class_rows if name.startswith("explanation_")]
    segments = data["segment_embeddings"]
    if segments.ndim != 3:
        raise BankError(f"{arrays}: segment_embeddings has shape {segments.shape}, not (clips, segments, d)")
    header = Header(
        dataset=dataset,
        revision=revision,
        licence=licence,
        backbone=backbone,
        embedding_dim=segments.shape[2],
        logit_scale=logit_scale,
        sample_rate=sample_rate,
        seconds=seconds,
        segments=segments.shape[1],
    )
    return write_bank(
        out,
        header,
        clip_ids=clip_rows["clip_id"],
        labels=clip_rows["label"],
        captions=clip_rows["caption"],
        folds=_folds(clip_rows["fold"], clips) if "fold" in clip_rows else None,
        sources=[value or None for value in clip_rows["source"]] if "source" in clip_rows else None,
        classes=class_rows["label"],
        prompts=class_rows["prompt"],
        explanations=list(zip(*(class_rows[name] for name in sentences), strict=True)),
        **data,
    )


def export_parquet(bank: FeatureBank, out: Path) -> None:
    """Write clips.parquet, classes.parquet and bank.json into a new folder.

    Raises:
        BankError: the folder exists.
    """
    if out.exists():
        raise BankError(f"{out}: exists already; name another folder, or remove it first")
    out.mkdir(parents=True)
    pq.write_table(bank.clips, out / "clips.parquet")
    pq.write_table(bank.classes, out / "classes.parquet")
    shutil.copyfile(bank.path / HEADER, out / HEADER)


def _arrays(file: Path) -> dict[str, Floats]:
    try:
        with np.load(file, allow_pickle=False) as archive:
            missing = [name for name in ARRAYS if name not in archive]
            if missing:
                raise BankError(f"{file}: no array {missing[0]!r}; an import needs {', '.join(ARRAYS)}")
            return {name: np.asarray(archive[name], dtype=np.float32) for name in ARRAYS}
    except FileNotFoundError:
        raise BankError(f"{file}: no such file") from None
    except (ValueError, OSError, EOFError, AttributeError, TypeError) as error:
        raise BankError(f"{file}: not an npz of number arrays ({error})") from None


def _csv(file: Path, required: tuple[str, ...], rows: int, arrays: Path) -> dict[str, list[str]]:
    """Columns as strings; only those of ``fold`` and ``source`` may be empty."""
    try:
        frame = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError:
        raise BankError(f"{file}: no such file") from None
    except (ValueError, OSError) as error:
        raise BankError(f"{file}: not a csv file ({error})") from None
    for name in required:
        if name not in frame:
            raise BankError(f"{file}: no column {name!r}; an import needs {', '.join(required)}")
    if len(frame) != rows:
        raise BankError(f"{file}: {len(frame)} rows, where {arrays} has {rows}; rows follow the arrays'")
    for name in frame:
        empty = np.flatnonzero(frame[name] == "")
        if name not in ("fold", "source") and len(empty):
            raise BankError(f"{file}: column {name!r}, row {empty[0]}: the cell is empty")
    return {str(name): frame[name].tolist() for name in frame}


def _folds(values: list[str], file: Path) -> list[int | None]:
    for row, value in enumerate(values):
        if value and not (value.isdecimal() and int(value) <= 127):
            raise BankError(f"{file}: column 'fold', row {row}: {value!r} is no fold number (0..127, or empty)")
    return [int(value) if value else None for value in values]
