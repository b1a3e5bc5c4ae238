"""Banks from a user's own arrays, and banks as Parquet."""

import shutil
import warnings
import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from mgcl.errors import BankError
from mgcl.features.bank import FeatureBank
from mgcl.features.columns import Floats
from mgcl.features.header import Header
from mgcl.features.schema import HEADER
from mgcl.features.writer import write_bank

ARRAYS = {
    "clip_embeddings": ("clips", "d"),
    "caption_embeddings": ("clips", "d"),
    "segment_embeddings": ("clips", "segments", "d"),
    "prompt_embeddings": ("classes", "d"),
    "explanation_embeddings": ("classes", "explanations", "d"),
}
"""The arrays of an import and what their dimensions count; the same word is the same number in all of them.

Without ``caption_embeddings`` the bank has no captions.
"""


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
        arrays: npz with float arrays clip_embeddings (clips, d), segment_embeddings (clips, segments, d),
            prompt_embeddings (classes, d), explanation_embeddings (classes, n_e, d), and, if clips have captions,
            caption_embeddings (clips, d).
        clips: csv with clip_id, label, caption if there are any, and optionally fold and source; one row a clip.
        classes: csv with label, prompt, explanation_1 ... explanation_n; one row a class.
        out: the bank's folder; must not exist.
        dataset: "esc50" and "fsdkaggle18" bring their published folds.
        backbone: the name of what made the embeddings.
        logit_scale: of the backbone, already exponentiated, in ``mgcl.records.LOGIT_SCALES``.
        sample_rate: in Hz.
        seconds: that the segments cover.
        revision: of the data set.
        licence: of the data set.

    Raises:
        BankError: names the file, and the array, column or row that is missing or wrong.
    """
    data = _arrays(arrays)
    captioned = ("caption",) if "caption_embeddings" in data else ()
    clip_rows = _csv(clips, ("clip_id", "label", *captioned), len(data["clip_embeddings"]), arrays)
    class_rows = _csv(classes, ("label", "prompt", "explanation_1"), len(data["prompt_embeddings"]), arrays)
    sentences = [name for name in class_rows if name.startswith("explanation_")]
    _, segments, d = data["segment_embeddings"].shape
    header = Header(
        dataset=dataset,
        revision=revision,
        licence=licence,
        backbone=backbone,
        embedding_dim=d,
        logit_scale=logit_scale,
        sample_rate=sample_rate,
        seconds=seconds,
        segments=segments,
    )
    _check_labels(clip_rows["label"], class_rows["label"], clips, classes)
    return write_bank(
        out,
        header,
        {
            "clip_id": clip_rows["clip_id"],
            "label": clip_rows["label"],
            "caption": clip_rows["caption"] if captioned else None,
            "fold": _folds(clip_rows["fold"], clips) if "fold" in clip_rows else None,
            "source": [value or None for value in clip_rows["source"]] if "source" in clip_rows else None,
            "clip_embedding": data["clip_embeddings"],
            "caption_embedding": data.get("caption_embeddings"),
            "segment_embeddings": data["segment_embeddings"],
        },
        {
            "label": class_rows["label"],
            "prompt": class_rows["prompt"],
            "prompt_embedding": data["prompt_embeddings"],
            "explanations": list(zip(*(class_rows[name] for name in sentences), strict=True)),
            "explanation_embeddings": data["explanation_embeddings"],
        },
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
        # A number too large for float32 becomes infinite, and is refused as such.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive, np.errstate(over="ignore"):
            missing = [name for name in ARRAYS if name not in archive and name != "caption_embeddings"]
            if missing:
                raise BankError(f"{file}: no array {missing[0]!r}; an import needs {', '.join(ARRAYS)}")
            data = {name: np.asarray(archive[name], dtype=np.float32) for name in ARRAYS if name in archive}
    except FileNotFoundError:
        raise BankError(f"{file}: no such file") from None
    except (ValueError, OSError, EOFError, AttributeError, TypeError, BadZipFile, zlib.error) as error:
        raise BankError(f"{file}: not an npz of number arrays ({error}); write it with numpy.savez") from None
    _check_arrays(data, file)
    return data


def _check_arrays(data: dict[str, Floats], file: Path) -> None:
    sizes: dict[str, tuple[int, str]] = {}
    for name, array in data.items():
        dimensions = ARRAYS[name]
        if array.ndim != len(dimensions) or 0 in array.shape:
            raise BankError(f"{file}: {name} has shape {array.shape}, where ({', '.join(dimensions)}) is needed")
        for dimension, size in zip(dimensions, array.shape, strict=True):
            expected, first = sizes.setdefault(dimension, (size, name))
            if size != expected:
                raise BankError(f"{file}: {name} has {dimension} = {size}, where {first} has {expected}")
        bad = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(1))
        if len(bad):
            raise BankError(f"{file}: {name}, row {bad[0]}: a number is NaN or infinite")


def _csv(file: Path, required: tuple[str, ...], rows: int, arrays: Path) -> dict[str, list[str]]:
    """The columns an import looks at, as strings; only ``fold`` and ``source`` may be empty."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # a row with more cells than the header
            frame = pd.read_csv(file, dtype=str, keep_default_na=False, index_col=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise BankError(f"{file}: no such file") from None
    except (ValueError, OSError, pd.errors.ParserWarning) as error:
        raise BankError(f"{file}: not a csv file ({str(error).strip()}); quote cells that hold a comma") from None
    for name in required:
        if name not in frame:
            raise BankError(f"{file}: no column {name!r}; an import needs {', '.join(required)}")
    if len(frame) != rows:
        raise BankError(f"{file}: {len(frame)} rows, where {arrays} has {rows}; rows follow the arrays'")
    for name in frame:
        empty = np.flatnonzero(frame[name] == "")
        if len(empty) and (name in required or str(name).startswith("explanation_")):
            raise BankError(f"{file}: column {name!r}, row {empty[0]}: the cell is empty")
    return {str(name): frame[name].tolist() for name in frame}


def _check_labels(labels: list[str], known: list[str], clips: Path, classes: Path) -> None:
    for row, label in enumerate(labels):
        if label not in known:
            raise BankError(f"{clips}: column 'label', row {row}: {label!r} has no row in {classes}")


def _folds(values: list[str], file: Path) -> list[int | None]:
    for row, value in enumerate(values):
        if value and not (value.isdecimal() and int(value) <= 127):
            raise BankError(f"{file}: column 'fold', row {row}: {value!r} is no fold number (0..127, or empty)")
    return [int(value) if value else None for value in values]
