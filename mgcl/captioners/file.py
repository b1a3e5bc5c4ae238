"""Captions from a file: a csv or jsonl file of clip_id and caption."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from mgcl.data.dataset import AudioFile
from mgcl.errors import DataError

_COLUMNS = ("clip_id", "caption")


class FileCaptioner:
    """Captioner that looks captions up in a file."""

    def __init__(self, file: str, captions: Mapping[str, str]) -> None:
        self._file, self._captions = file, captions

    def caption(self, files: Sequence[AudioFile]) -> list[str]:
        """Return the captions of clips.

        Raises:
            DataError: clips have no caption; names the first.
        """
        missing = [file.clip_id for file in files if file.clip_id not in self._captions]
        if missing:
            raise DataError(f"{self._file}: no caption of {missing[0]}, nor of {len(missing) - 1} more; add them")
        return [self._captions[file.clip_id] for file in files]


def load(model: str | None = None, _device: str = "cpu") -> FileCaptioner:
    """Read a file of captions.

    Args:
        model: path of the file.

    Raises:
        DataError: no path is given, or the file is not one of captions.
    """
    if model is None:
        raise DataError("the captioner 'file' needs --model FILE: a csv or jsonl of clip_id and caption")
    return FileCaptioner(model, read_captions(Path(model)))


def read_captions(file: Path) -> dict[str, str]:
    """Read captions by clip id.

    Args:
        file: a csv with columns clip_id and caption, or a jsonl of records with these keys, as ``mgcl caption`` writes.

    Raises:
        DataError: the file is missing or has neither form, a caption is empty, or a clip has two different captions.
    """
    readers = {".csv": _csv_rows, ".jsonl": _jsonl_rows}
    if file.suffix.lower() not in readers:
        raise DataError(f"{file}: captions are read from .csv and .jsonl; name it so, or convert it")
    try:
        rows = readers[file.suffix.lower()](file)
    except FileNotFoundError:
        raise DataError(f"{file}: no such file; `mgcl caption --out {file}` writes captions") from None
    except (ValueError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{file}: not a file of clip_id and caption ({reason}); mend or remove that line") from None
    captions: dict[str, str] = {}
    for clip_id, caption in rows:
        if not caption.strip():
            raise DataError(f"{file}: the caption of {clip_id} is empty; write one, or remove the line")
        if captions.setdefault(clip_id, caption) != caption:
            raise DataError(f"{file}: two different captions of {clip_id}; keep one")
    return captions


def _csv_rows(file: Path) -> list[tuple[str, str]]:
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    return list(zip(*(table[name] for name in _COLUMNS), strict=True))


def _jsonl_rows(file: Path) -> list[tuple[str, str]]:
    return [
        row
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if (row := _row(number, line))
    ]


def _row(number: int, line: str) -> tuple[str, str] | None:
    """Parse a line of a jsonl file into clip id and caption. None: it is the first line, on what made the captions."""
    try:
        record = json.loads(line)
        if number == 1 and "captioner" in record:
            return None
        return str(record["clip_id"]), str(record["caption"])
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"line {number}: {line[:60]}") from None
