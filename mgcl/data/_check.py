"""Check whether all clips of a data set are present and can be decoded, and list the faults."""

import functools
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import pandas as pd

from mgcl.audio.channels import Levels
from mgcl.audio.decoding import opened
from mgcl.audio.formats import SUFFIXES, is_audio
from mgcl.data.dataset import AudioFile, DatasetModule, MissingFilesError
from mgcl.data.folder import hidden
from mgcl.errors import DataError
from mgcl.progress import Bar
from mgcl.video import reading
from mgcl.video.formats import CONTAINERS, is_video
from mgcl.video.picture import Steps

SHORTEST = 0.25
"""Seconds below which a clip is a fault. FSDKaggle18's shortest clips have 0.3."""
_LATE = 0.1
"""Seconds by which an event may end after its clip, because downloaders cut clips at frames of their own."""


@dataclass(frozen=True)
class Decoded:
    """Result of decoding one file to its end."""

    seconds: float = 0.0
    sample_rate: int = 0
    channels: int = 0
    digest: str = ""
    """SHA-256 of sample rate, number of channels and samples."""
    fault: str | None = None
    """Fault of the file, in words; None: it has no fault."""


@dataclass(frozen=True)
class Report:
    """Result of checking a data set."""

    clips: int
    classes: int
    captions: int
    events: int
    decoded: Mapping[Path, Decoded]
    faults: tuple[str, ...]
    """Faults in words, one line per fault."""
    hidden: int = 0
    """Number of audio files that were ignored because their name, or that of a folder above, begins with a dot."""

    @property
    def lengths(self) -> pd.DataFrame:
        """Table of clip counts and lengths in seconds, one row per sample rate (Hz) and number of channels."""
        decoded = [each for each in self.decoded.values() if each.sample_rate]
        rows = pd.DataFrame(decoded, columns=[field.name for field in fields(Decoded)])
        groups = rows.groupby(["sample_rate", "channels"])["seconds"]
        return groups.agg(clips="count", shortest="min", median="median", longest="max", total="sum").reset_index()


def check(module: DatasetModule, root: Path, *, workers: int = 1, channels: str = "average") -> Report:
    """Decode every clip of a data set, block by block, and report faults.

    Faults are: files that are listed but missing; files that are present but not listed, unless ``root`` is itself the
    list; files that cannot be decoded, are empty, are cut short, are silent, are shorter than ``SHORTEST``, hold NaN
    or are in another unit; channels that cancel; one sound in two classes; events that end after their clip.

    Args:
        module: module of the data set.
        root: folder of the data set, or the file that lists it.
        workers: number of threads that decode.
        channels: how several channels will be made into one: one of ``mgcl.audio.CHANNELS``.

    Raises:
        DataError: the data set's table cannot be read.
    """
    try:
        files = module.read(root).files
    except MissingFilesError as error:
        files = error.listed
    present = [file for file in files if file.path.is_file()]
    with ThreadPool(workers) as pool:  # leaving the pool drops queued files, so that Ctrl-C works
        decoding = decode_video if getattr(module, "PICTURES", False) else decode
        paths = list(dict.fromkeys(file.path for file in present))
        results = pool.imap(functools.partial(decoding, channels=channels), paths)
        progress = Bar(results, desc="decoding", total=len(paths), unit="clip")
        decoded = dict(zip(paths, progress, strict=True))
    faults = (
        *(f"{file.path}: listed, but not there" for file in files if file.path not in decoded),
        *(f"{path}: there, but not listed" for path in (() if root.is_file() else _unlisted(files))),
        *(f"{path}: {each.fault}" for path, each in decoded.items() if each.fault),
        *_in_two_classes(present, decoded),
        *_late_events(present, decoded),
    )
    return Report(
        clips=len(files),
        classes=len({label for file in files for label in file.classes}),
        captions=sum(len(file.captions) for file in files),
        events=sum(len(file.events or ()) for file in files),
        decoded=decoded,
        faults=faults,
        hidden=hidden(root) if root.is_dir() else 0,
    )


def decode(path: Path, channels: str = "average") -> Decoded:
    """Decode a file to its end, in memory that does not grow with its length.

    Args:
        path: path of the file.
        channels: how several channels will be made into one: one of ``mgcl.audio.CHANNELS``.

    Returns:
        Length, sample rate, channels, digest and fault of the file. A file that cannot be decoded has a fault.
    """
    frames, rate, count, levels, digest = 0, 0, 0, Levels(), hashlib.sha256()
    fault: str | None = None
    try:
        with opened(path) as recording:
            rate, count = recording.sample_rate, recording.channels
            digest.update(f"{rate} {count}".encode())
            for block in recording.blocks():
                frames += len(block)
                levels.add(block)
                digest.update(np.ascontiguousarray(block).data)
            fault = _fault(frames / rate, levels, channels)
    except DataError as error:
        fault = str(error).removeprefix(f"{path}: ")
    return Decoded(frames / rate if rate else 0.0, rate, count, digest.hexdigest(), fault)


def decode_video(path: Path, channels: str = "average") -> Decoded:
    """Decode a video to its end, like ``decode``. A missing sound or picture is no fault; silence is none either.

    Args:
        path: path of the file.
        channels: as in ``decode``.
    """
    steps = Steps(1.0, 1, lambda pixels: pixels[::8, ::8])
    try:
        found = reading.decode(path, steps, sample_rate=16000, channels=channels)
    except DataError as error:
        return Decoded(fault=str(error).removeprefix(f"{path}: "))
    digest = hashlib.sha256()
    for each in (found.waveform, found.frames):
        digest.update(np.ascontiguousarray(b"" if each is None else each).data)
    fault = f"only {found.seconds:.3f} s long" if found.seconds < SHORTEST else None
    return Decoded(found.seconds, found.sample_rate, found.channels, digest.hexdigest(), fault)


def _fault(seconds: float, levels: Levels, channels: str) -> str | None:
    if not seconds:
        return "holds no samples"
    if levels.is_silent:
        return f"silent: its peak is {levels.peak:.1e}"
    if channels == "average" and levels.fault:
        return levels.fault
    return f"only {seconds:.3f} s long" if seconds < SHORTEST else None


def _unlisted(files: tuple[AudioFile, ...]) -> Iterator[Path]:
    """Yield the audio files in the clips' folders that are not listed. Hidden files are ignored."""
    listed = {file.path for file in files}
    suffixes = CONTAINERS if any(is_video(path) for path in listed) else SUFFIXES
    for folder in sorted({path.parent for path in listed if path.parent.is_dir()}):
        there = (path for path in folder.iterdir() if is_audio(path) or is_video(path))
        yield from sorted(path for path in there if path.suffix.lower() in suffixes and path not in listed)


def _in_two_classes(files: list[AudioFile], decoded: Mapping[Path, Decoded]) -> Iterator[str]:
    alike: defaultdict[str, list[AudioFile]] = defaultdict(list)
    for file in files:
        if not decoded[file.path].fault:
            alike[decoded[file.path].digest].append(file)
    for group in alike.values():
        several_files = len({file.path for file in group}) > 1  # one file may be the clip of several phrases
        if several_files and len({file.classes for file in group}) > 1:
            named = (f"{file.path} ({', '.join(sorted(file.classes))})" for file in group)
            yield f"one sound in several classes: {', '.join(named)}"


def _late_events(files: list[AudioFile], decoded: Mapping[Path, Decoded]) -> Iterator[str]:
    for file in files:
        seconds = decoded[file.path].seconds
        for event in file.events or ():
            if seconds and event.offset > seconds + _LATE:
                late = f"an event ({event.label}) ends at {event.offset:g} s"
                yield f"{file.path}: {late}, and the clip at {seconds:.2f} s"
