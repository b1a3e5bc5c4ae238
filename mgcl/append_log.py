"""Append-only logs of JSON lines: costly results are on the disk at once, and the next process reads them again."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mgcl.errors import MgclError


class AppendLog:
    """Open log, which appends records to its file."""

    def __init__(self, stream: FileIO, records: list[dict[str, Any]]) -> None:
        self._stream = stream
        self.records = records
        """All records of the file, one per line, in order."""

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Append records, one line per record; they are on the disk when this returns, or none of them is."""
        added = [dict(record) for record in records]
        lines, end = "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in added), self._stream.tell()
        left = memoryview(lines.encode())
        try:
            while left:
                left = left[self._stream.write(left) :]  # unbuffered: a part may be written, as on a full disk
            self._stream.truncate()  # drops the rest of a longer torn line that was overwritten
            os.fsync(self._stream.fileno())
        except OSError as error:
            self._stream.seek(end)
            error.filename = self._stream.name  # the system names no file
            raise
        self.records += added


@contextmanager
def append_log(file: Path) -> Iterator[AppendLog]:
    """Open a log, or start one; a last line that a killed process left incomplete is dropped.

    Raises:
        MgclError: another process has the log open, or the file is not such a log.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(file.with_name(f".{file.name}.lock"), timeout=0):
            file.touch()
            with file.open("r+b", buffering=0) as stream:
                records, end = _whole_lines(file, stream.read())
                stream.seek(end)
                yield AppendLog(stream, records)
    except Timeout:
        raise MgclError(f"{file}: another process is writing it; wait for it, or name another file") from None


def _whole_lines(file: Path, content: bytes) -> tuple[list[dict[str, Any]], int]:
    """Records of the complete lines, and the offset in bytes at which the last complete line ends."""
    end = content.rfind(b"\n") + 1
    try:
        records = [json.loads(line) for line in content[:end].splitlines()]
    except ValueError:
        records = [None]
    if not all(isinstance(record, dict) for record in records) or (content and not end):
        raise MgclError(f"{file}: exists, and is not what this command writes; name another file, or remove it")
    return records, end
