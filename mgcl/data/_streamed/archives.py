"""Tar archives of audio: what lies in them is found by one pass over their headers, and read in place.

The archives of a data set are in WebDataset's layout: members whose names are alike up to the first dot after the last
slash are one clip, e.g. a.wav, a.json and a.cls. Nothing is unpacked, so that a member's name leads nowhere.
"""

import json
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from mgcl.audio.formats import SUFFIXES
from mgcl.data._streamed.listing import LISTING, Streamed, of_files
from mgcl.data.folder import clean_label
from mgcl.errors import DataError
from mgcl.files import as_text

_KEY = re.compile(r"((?:.*/)?[^/.]+)\.([^/]+)")
"""WebDataset's key and the rest of a member's name."""
_SIDECARS = ("json", "cls", "txt")
_LARGEST = 1 << 20
"""Bytes of a member beside a sound above which it does not describe the sound."""
_ROWS = 4096


@dataclass(frozen=True)
class Member:
    """A regular file in an archive, whose bytes lie there as they are."""

    name: str
    begin: int
    """Offset of its first byte in the archive."""
    size: int
    """Number of its bytes."""
    content: bytes = b""
    """Its bytes, if it describes a sound; empty for others."""


def archives(files: Sequence[Path]) -> Streamed:
    """The data set of WebDataset archives.

    A clip's label is the value ``label`` of its .json, else the content of its .cls. ``labels`` (a list), ``caption``,
    ``source`` and ``fold`` of the .json are read too; the content of a .txt is the caption, if the .json has none.
    """
    return of_files(files, _listed)


def index(archive: str) -> Mapping[str, tuple[int, int]]:
    """Name of a regular file in an archive -> offset of its first byte, and number of its bytes.

    Raises:
        DataError: as ``members``.
    """
    return {each.name: (each.begin, each.size) for each in members(Path(archive))}


def members(file: Path, described_by: Callable[[str], bool] = lambda _: False) -> Iterator[Member]:
    """Yield the regular files of an archive, in order.

    Args:
        file: the archive, not compressed.
        described_by: whether the content of a member of this name is read.

    Raises:
        DataError: the file is no tar archive, is compressed, or is damaged; names it and the last member before that.
    """
    last = ""
    try:
        with tarfile.open(file, "r:") as archive:  # "r:" refuses compressed archives, which cannot be read in place
            while (info := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # else all headers of an archive stay in memory
                if info.isreg() and not info.issparse():
                    wanted = info.size <= _LARGEST and described_by(info.name)
                    content = archive.extractfile(info) if wanted else None
                    yield Member(as_text(info.name), info.offset_data, info.size, content.read() if content else b"")
                last = f", after the member {as_text(info.name)!r}"
            end: int = archive.offset
        with file.open("rb") as stream:  # tarfile takes a damaged header for the end, unless it is the first
            stream.seek(end)
            if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError("its end is not marked")
    except FileNotFoundError:
        raise DataError(f"{file}: no such file; check its name") from None
    except (tarfile.TarError, OSError, ValueError) as error:
        if file.suffix.lower() != ".tar":
            raise DataError(f"{file}: not a tar archive, or compressed; write it again with `tar cf`") from None
        raise DataError(f"{file}: damaged{last} ({error}); fetch it again, or write it again with `tar cf`") from None


def _listed(file: Path, called: str) -> Iterator[pa.RecordBatch]:
    """List the clips of a WebDataset archive; their ids begin with ``called``."""
    rows: list[dict[str, Any]] = []
    found = members(file, lambda name: _ending(name) in _SIDECARS)
    there = (each for each in found if not PurePosixPath(each.name).name.startswith("."))  # as folders' hidden files
    for key, group in groupby(there, lambda member: _key(member.name)):
        row = _row(file, tuple(group))
        rows += [{"clip_id": f"{called}/{key}", **row}] if row else []
        if len(rows) == _ROWS:
            yield pa.RecordBatch.from_pylist(rows, LISTING)
            rows = []
    if rows:
        yield pa.RecordBatch.from_pylist(rows, LISTING)


def _key(name: str) -> str:
    found = _KEY.fullmatch(name)
    return found[1] if found else name


def _ending(name: str) -> str:
    found = _KEY.fullmatch(name)
    return found[2].lower() if found else ""


def _row(file: Path, group: Sequence[Member]) -> dict[str, Any] | None:
    """Row of a clip, without its id; None: its members hold no sound."""
    sounds = [each for each in group if PurePosixPath(each.name).suffix.lower() in SUFFIXES]
    if not sounds:
        return None
    if len(sounds) > 1:
        raise DataError(
            f"{file}: {sounds[0].name} and {sounds[1].name} are one clip in WebDataset's layout, where a name ends at "
            "its first dot; rename them, or list the members in a manifest"
        )
    beside = {_ending(each.name): each for each in group}
    about = _described(file, beside["json"]) if "json" in beside else {}
    for name, ending in (("label", "cls"), ("caption", "txt")):
        if ending in beside and about.get(name) is None and about.get(f"{name}s") is None:
            about[name] = _text(file, beside[ending])
    (sound,) = sounds
    return {
        "path": str(file),
        "member": sound.name,
        "begin": sound.begin,
        "size": sound.size,
        **about,
    }


def _described(file: Path, member: Member) -> dict[str, Any]:
    """Columns of a listing that a .json states."""
    try:
        stated = json.loads(member.content)
        found = {name: stated.get(name) for name in ("label", "labels", "caption", "source", "fold")}
    except (ValueError, AttributeError):
        raise DataError(f"{file}: the member {member.name} is no JSON object; write it again") from None
    for name in ("label", "caption", "source"):
        if found[name] is not None:
            found[name] = clean_label(str(found[name])) or None
    labels, fold = found["labels"], found["fold"]
    if labels is not None and not (isinstance(labels, list) and all(isinstance(each, str) for each in labels)):
        raise DataError(f"{file}: the member {member.name}: labels {labels!r} are no list of names; mend it")
    if fold is not None and not (type(fold) is int and 0 <= fold < 128):
        raise DataError(f"{file}: the member {member.name}: fold {fold!r} is no integer from 0 to 127; mend it")
    return found


def _text(file: Path, member: Member) -> str | None:
    try:
        return clean_label(member.content.decode()) or None
    except UnicodeDecodeError:
        raise DataError(f"{file}: the member {member.name} is no UTF-8 text; write it again") from None
